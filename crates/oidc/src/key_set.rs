//! An issuer's keys: fetched when needed, kept, and renewed without anyone waiting.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use burgee_https::{explain, read_bounded};
use burgee_jose::{Error as JoseError, Jws, VerificationKey, VerificationKeys, jwks};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use reqwest::header::CACHE_CONTROL;

use crate::discovery::{DiscoveryDocument, MAX_BODY};
use crate::provider::{REQUEST_LIMIT, Surroundings};
use crate::{Issuer, hash_label};

/// Between the end of one request for keys and the start of the next at least this much time passes,
/// whatever tokens are presented. It bounds what strangers can make this server ask of a provider, and
/// how long a key that was just published is not known.
pub(crate) const MIN_INTERVAL: Duration = Duration::from_secs(5);

/// How long a key id that the provider did not have is not asked for again.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);

/// How many such key ids are remembered.
const MAX_UNKNOWN: usize = 256;

/// How long keys are used without asking for them again, unless the provider says otherwise.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The bounds of what a provider can say: a key that it takes back is refused within an hour.
const LIFETIMES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// How long tokens wait for keys that are past their lifetime, before those are used all the same.
const PATIENCE: Duration = Duration::from_secs(5);

/// The keys of one issuer.
///
/// Keys that are there are tried first, always, and without any lock. They are asked for again when four
/// fifths of their lifetime have passed (in the background), and when a token names a key that is not
/// there or is signed by none of them (which the token waits for). Requests are made one at a time, live
/// on when the token's bearer is gone, and keep a distance of [`MIN_INTERVAL`]. When they fail, or bring
/// no key that is usable, the keys stay in use.
pub(crate) struct KeySet(Arc<Inner>);

struct Inner {
    issuer: Issuer,
    issuer_hash: String,
    client: reqwest::Client,
    url: ArcSwap<String>,
    surroundings: Surroundings,
    hasher: RandomState,
    cached: ArcSwapOption<Cached>,
    fetching: Mutex<Fetching>,
}

/// Keys, and until when. Times are on the monotonic clock.
struct Cached {
    keys: VerificationKeys,
    /// Time to ask for them again.
    renew_at: Duration,
    /// Time to wait for the answer.
    stale_at: Duration,
}

/// What a provider answered.
struct Fetched {
    keys: VerificationKeys,
    lifetime: Duration,
    hash: String,
}

#[derive(Default)]
struct Fetching {
    flight: Option<(Duration, Flight)>,
    /// When the last request ended, and why it failed.
    last: Option<(Duration, Option<String>)>,
    /// Until when which key ids are not worth asking for, by their digest.
    unknown: HashMap<u64, Duration>,
}

/// A request on its way. It goes on by itself.
type Flight = Shared<BoxFuture<'static, ()>>;

/// Newer keys that are on their way.
#[derive(Debug)]
pub(crate) struct Wait {
    flight: Flight,
    limit: Duration,
}

impl Wait {
    /// Waits for them, but not for long if there are others.
    pub(crate) async fn done(self) {
        // Whether they came in time shows when they are used.
        let _ = tokio::time::timeout(self.limit, self.flight).await;
    }
}

/// Whether a token's signature may be asked for again after waiting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Attempt {
    /// The first: newer keys may be asked for.
    First,
    /// After a request that the token waited for.
    AfterWaiting,
    /// Only with the keys that are there.
    WithoutWaiting,
}

/// Why a signature was not verified.
#[derive(Debug)]
pub(crate) enum NotVerified {
    /// Newer keys may help: await them and try again.
    Wait(Wait),
    /// The keys cannot be had.
    Unavailable(String),
    /// No key is named like that.
    KeyUnknown,
    /// No key verifies it.
    SignatureInvalid,
}

impl KeySet {
    /// The keys at `url`; none is fetched yet.
    pub(crate) fn new(
        issuer: Issuer,
        client: reqwest::Client,
        url: String,
        surroundings: &Surroundings,
    ) -> Self {
        Self(Arc::new(Inner {
            issuer_hash: hash_label(issuer.url.as_bytes()),
            issuer,
            client,
            url: ArcSwap::from_pointee(url),
            surroundings: surroundings.clone(),
            hasher: RandomState::new(),
            cached: ArcSwapOption::empty(),
            fetching: Mutex::default(),
        }))
    }

    /// Checks a token's signature.
    pub(crate) fn verify(&self, jws: &Jws<'_>, attempt: Attempt) -> Result<(), NotVerified> {
        let inner = &self.0;
        let now = inner.surroundings.clock.monotonic();
        let cached = inner.cached.load();
        let Some(cached) = cached.as_deref() else {
            return Err(match attempt {
                Attempt::First => inner.ask(now, None, None),
                Attempt::AfterWaiting | Attempt::WithoutWaiting => inner.failure(None),
            });
        };
        if attempt == Attempt::First
            && now >= cached.renew_at
            && let Some(wait) = inner.renew(now, cached.stale_at)
        {
            return Err(NotVerified::Wait(wait));
        }
        let failure = match cached.keys.verify(jws) {
            Ok(_) => return Ok(()),
            // No key helps here.
            Err(JoseError::CriticalHeader) => return Err(NotVerified::SignatureInvalid),
            Err(JoseError::UnknownKey) => NotVerified::KeyUnknown,
            Err(_) => NotVerified::SignatureInvalid,
        };
        // A bad signature says nothing of the key that it names: anyone can make one.
        let unknown = match failure {
            NotVerified::KeyUnknown => jws.header().key_id(),
            _ => None,
        };
        let unknown = unknown.map(|key_id| inner.hasher.hash_one(key_id));
        Err(match attempt {
            Attempt::First => inner.ask(now, unknown, Some(failure)),
            Attempt::AfterWaiting => {
                if let Some(key_id) = unknown {
                    inner.remember_unknown(now, key_id);
                }
                inner.failure(Some(failure))
            }
            Attempt::WithoutWaiting => inner.failure(Some(failure)),
        })
    }

    /// The keys as they are.
    pub(crate) fn keys(&self) -> Option<VerificationKeys> {
        let cached = self.0.cached.load();
        cached.as_deref().map(|cached| cached.keys.clone())
    }

    /// Asks for the keys if there are none yet.
    pub(crate) async fn prefetch(&self) {
        let inner = &self.0;
        if inner.cached.load().is_none()
            && let NotVerified::Wait(wait) =
                inner.ask(inner.surroundings.clock.monotonic(), None, None)
        {
            wait.done().await;
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeySet").field(&self.0.issuer.url).finish()
    }
}

impl Inner {
    fn fetching(&self) -> MutexGuard<'_, Fetching> {
        self.fetching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request for the keys, if one is on its way or may be made for the sake of this unknown key id; else
    /// what is wrong.
    fn ask(
        self: &Arc<Self>,
        now: Duration,
        key_id: Option<u64>,
        failure: Option<NotVerified>,
    ) -> NotVerified {
        let mut fetching = self.fetching();
        let in_vain =
            key_id.is_some_and(|id| fetching.unknown.get(&id).is_some_and(|until| now < *until));
        let flight = match &fetching.flight {
            _ if in_vain => None,
            Some((_, flight)) => Some(flight.clone()),
            None if fetching.may_start(now) => Some(self.start(&mut fetching, now)),
            None => None,
        };
        drop(fetching);
        match flight {
            Some(flight) => NotVerified::Wait(self.wait(flight)),
            None => self.failure(failure),
        }
    }

    /// Asks for the keys before they are too old, or because they are. Gives the request if tokens had
    /// better wait for it.
    fn renew(self: &Arc<Self>, now: Duration, stale_at: Duration) -> Option<Wait> {
        let mut fetching = self.fetching();
        let (started, flight) = match &fetching.flight {
            Some(flight) => flight.clone(),
            None if fetching.may_start(now) => (now, self.start(&mut fetching, now)),
            None => return None,
        };
        let asked_since = matches!(&fetching.last, Some((ended, _)) if *ended >= stale_at);
        let patient = now.saturating_sub(started) < PATIENCE;
        (now >= stale_at && !asked_since && patient).then(|| self.wait(flight))
    }

    fn wait(&self, flight: Flight) -> Wait {
        let has_keys = self.cached.load().is_some();
        Wait {
            flight,
            limit: if has_keys { PATIENCE } else { REQUEST_LIMIT },
        }
    }

    fn start(self: &Arc<Self>, fetching: &mut Fetching, now: Duration) -> Flight {
        let inner = Arc::clone(self);
        let flight = async move {
            let fetched = AssertUnwindSafe(inner.fetch()).catch_unwind().await;
            inner.settle(fetched.unwrap_or_else(|_| {
                Err("oidc: get keys failed: the fetch broke down, which is a defect".to_owned())
            }));
        };
        let flight = flight.boxed().shared();
        fetching.flight = Some((now, flight.clone()));
        self.surroundings.runtime.spawn(flight.clone());
        flight
    }

    /// Why there is no good signature, when nothing can be done about it now.
    fn failure(&self, failure: Option<NotVerified>) -> NotVerified {
        match (&self.fetching().last, failure) {
            (Some((_, Some(error))), _) => NotVerified::Unavailable(error.clone()),
            (_, Some(failure)) => failure,
            (_, None) => NotVerified::Unavailable("oidc: get keys failed: no answer".to_owned()),
        }
    }

    /// Remembers that the provider does not have such a key, if it answered.
    fn remember_unknown(&self, now: Duration, key_id: u64) {
        let mut fetching = self.fetching();
        if !matches!(fetching.last, Some((_, None))) {
            return;
        }
        if fetching.unknown.len() >= MAX_UNKNOWN {
            fetching.unknown.retain(|_, until| now < *until);
        }
        if fetching.unknown.len() < MAX_UNKNOWN {
            fetching.unknown.insert(key_id, now + UNKNOWN_FOR);
        }
    }

    /// One request for the keys.
    async fn fetch(&self) -> Result<Fetched, String> {
        let failed_before = matches!(self.fetching().last, Some((_, Some(_))));
        if failed_before {
            // The provider may have moved its keys.
            if let Ok(document) = DiscoveryDocument::fetch(&self.client, &self.issuer).await {
                self.url.store(Arc::new(document.jwks_uri));
            }
        }
        let failed =
            |error: burgee_https::Error| format!("oidc: get keys failed: {}", explain(&error));
        let url = self.url.load().as_str().to_owned();
        let answer = self.client.get(url).send().await;
        let answer = answer.map_err(|error| failed(error.into()))?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(format!("oidc: get keys failed: {}", answer.status()));
        }
        let lifetime = lifetime(answer.headers());
        let body = read_bounded(answer, MAX_BODY).await.map_err(failed)?;
        let set = jwks::parse(&body)
            .map_err(|error| format!("oidc: failed to decode keys: {}", explain(&error)))?;
        if let Some(error) = set.skipped.first() {
            let skipped = set.skipped.len();
            tracing::debug!(issuer = %self.issuer.url, skipped, %error, "some keys are unusable");
        }
        if set.keys.is_empty() {
            return Err("oidc: get keys failed: none of the provider's keys is usable".to_owned());
        }
        let keys = set.keys.into_iter().map(|key| VerificationKey {
            // Key sets rarely say which of its algorithms an RSA key is for; which are accepted is
            // configured.
            key: key.key.accepting_all_rsa_algorithms(),
            ..key
        });
        Ok(Fetched {
            keys: keys.collect(),
            lifetime,
            hash: hash_label(&body),
        })
    }

    /// Takes notice of what came of a request.
    fn settle(&self, fetched: Result<Fetched, String>) {
        let (clock, metrics) = (&self.surroundings.clock, &self.surroundings.metrics);
        let now = clock.monotonic();
        metrics.key_set_fetched(&self.issuer_hash, fetched.is_ok(), clock.now());
        let error = match fetched {
            Ok(fetched) => {
                let keys = fetched.keys.len();
                tracing::debug!(issuer = %self.issuer.url, keys, "fetched keys");
                metrics.key_set_in_use(&self.issuer_hash, &fetched.hash);
                self.cached.store(Some(Arc::new(Cached {
                    keys: fetched.keys,
                    renew_at: now + fetched.lifetime * 4 / 5,
                    stale_at: now + fetched.lifetime,
                })));
                None
            }
            Err(error) => {
                tracing::warn!(issuer = %self.issuer.url, %error, "cannot fetch keys");
                Some(error)
            }
        };
        let mut fetching = self.fetching();
        fetching.flight = None;
        fetching.last = Some((now, error));
    }
}

impl Fetching {
    fn may_start(&self, now: Duration) -> bool {
        match &self.last {
            None => true,
            Some((ended, _)) => now.saturating_sub(*ended) >= MIN_INTERVAL,
        }
    }
}

/// How long keys that came with these headers are used.
fn lifetime(headers: &reqwest::header::HeaderMap) -> Duration {
    let directives = headers.get_all(CACHE_CONTROL).into_iter();
    let directives = directives
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let mut lifetime = None;
    for directive in directives {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-cache" | "no-store" => return LIFETIMES.0,
            "max-age" => lifetime = value.trim().trim_matches('"').parse().ok(),
            _ => {}
        }
    }
    let lifetime = lifetime.map_or(DEFAULT_LIFETIME, Duration::from_secs);
    lifetime.clamp(LIFETIMES.0, LIFETIMES.1)
}
