//! What was decided about a token a moment ago.

mod recent;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use burgee_identity::{Check, Clock, Outcome, Reason, UserInfo};
use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use jiff::SignedDuration;
use quick_cache::sync::Cache;

use crate::digest::{Digest, DigestKey};
use crate::{
    ActiveFetch, Audiences, CacheStatus, Decision, Error, FetchStatus, Metrics, TokenAuthenticator,
    Verdict,
};
use recent::Origin;

/// How long a question to the delegate may take.
const FETCH_LIMIT: Duration = Duration::from_secs(30);

/// How many questions to the delegate may be on their way at once. Anybody can cause one with any
/// token, so that a delegate which does not answer must not cost ever more memory.
const FLIGHT_LIMIT: usize = 4096;

/// How long a [`TokenCache`] remembers, and how much.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CachePolicy {
    /// How long an identity is remembered; never beyond its token's own end.
    pub success: Duration,
    /// How long "no opinion" is remembered. Zero remembers none.
    pub failure: Duration,
    /// How many answers are remembered. Beyond, those go that were not asked for again.
    pub capacity: usize,
}

impl Default for CachePolicy {
    /// Upstream's ten seconds for success and none for failure, and room for 32,768 answers.
    fn default() -> Self {
        Self {
            success: Duration::from_secs(10),
            failure: Duration::ZERO,
            capacity: 32_768,
        }
    }
}

/// Remembers what its delegate decided, by token and audiences.
///
/// Tokens are kept as keyed digests only. Rejections are not remembered. Callers that ask for the same
/// token while the delegate waits for someone else share one question, which goes on when they leave;
/// what the delegate decides from memory it is simply asked for by each. A delegate that panics
/// rejects, and beyond 4096 questions under way further ones are rejected unasked. Questions to delegates that answer later run as tasks of the Tokio runtime that the caller
/// is in.
#[derive(Clone, Debug)]
pub struct TokenCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: u64,
    delegate: Arc<dyn TokenAuthenticator>,
    policy: CachePolicy,
    key: DigestKey,
    entries: Cache<Digest, Entry>,
    /// Questions on their way, each with the generation that it was asked in.
    flights: Mutex<HashMap<Digest, (u64, Flight)>>,
    /// Counts invalidations, so that no answer from before one is used after it.
    generation: AtomicU64,
    clock: Arc<dyn Clock>,
    metrics: Arc<dyn Metrics>,
}

#[derive(Clone, Debug)]
struct Entry {
    verdict: Verdict,
    /// On the monotonic clock.
    until: Duration,
}

type Flight = Shared<BoxFuture<'static, Verdict>>;

impl TokenCache {
    /// Puts a cache in front of `delegate`.
    ///
    /// # Errors
    ///
    /// When the operating system has no random bytes.
    pub fn new(
        delegate: Arc<dyn TokenAuthenticator>,
        policy: CachePolicy,
        clock: Arc<dyn Clock>,
        metrics: Arc<dyn Metrics>,
    ) -> Result<Self, Error> {
        Ok(Self::with_key(
            DigestKey::random()?,
            delegate,
            policy,
            clock,
            metrics,
        ))
    }

    fn with_key(
        key: DigestKey,
        delegate: Arc<dyn TokenAuthenticator>,
        policy: CachePolicy,
        clock: Arc<dyn Clock>,
        metrics: Arc<dyn Metrics>,
    ) -> Self {
        static CACHES: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(Inner {
            id: CACHES.fetch_add(1, Ordering::Relaxed),
            delegate,
            policy,
            key,
            entries: Cache::new(policy.capacity),
            flights: Mutex::default(),
            generation: AtomicU64::new(0),
            clock,
            metrics,
        }))
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.invalidate(Cache::clear);
    }

    /// Forgets the tokens of users that are `gone`, such as those of a service account that was
    /// deleted. Questions that are on their way are not remembered.
    pub fn forget(&self, gone: impl Fn(&UserInfo) -> bool) {
        self.0.invalidate(|entries| {
            entries.retain(|_, entry| !entry.verdict.outcome.user().is_some_and(&gone));
        });
    }
}

impl TokenAuthenticator for TokenCache {
    /// The delegate's: a cache is nobody's answer.
    fn name(&self) -> &'static str {
        self.0.delegate.name()
    }

    /// Asks the delegate: what is remembered may be old, and nobody else should be told what an
    /// explanation found.
    fn rehearse(&self, token: &str, audiences: &Audiences) -> Decision {
        self.0.delegate.rehearse(token, audiences)
    }

    fn examine(&self, token: &str, audiences: &Audiences) -> Decision<Vec<Check>> {
        self.0.delegate.examine(token, audiences)
    }

    fn authenticate(&self, token: &str, audiences: &Audiences) -> Decision {
        let inner = &self.0;
        let started = inner.clock.monotonic();
        let digest = entry_digest(&inner.key, token, audiences);
        if let Some(verdict) = inner.recall(&digest, started) {
            // To read the clock again would take as long as the look-up did.
            let took = Duration::ZERO;
            inner.metrics.token_cache_request(CacheStatus::Hit, took);
            return Decision::Now(verdict);
        }
        let finished = {
            let inner = Arc::clone(inner);
            move |verdict| {
                let took = inner.clock.monotonic().saturating_sub(started);
                inner.metrics.token_cache_request(CacheStatus::Miss, took);
                verdict
            }
        };
        let generation = inner.generation.load(Ordering::SeqCst);
        if let Some(flight) = inner.flight(&digest, generation) {
            return Decision::Later(wait(Arc::clone(inner), flight, ActiveFetch::Blocked))
                .map(finished);
        }
        match inner.ask(token, audiences) {
            Decision::Now(verdict) => {
                inner.settle(digest, generation, &verdict);
                Decision::Now(finished(verdict))
            }
            Decision::Later(answer) => match inner.depart(digest, generation, answer) {
                Some((flight, state)) => {
                    Decision::Later(wait(Arc::clone(inner), flight, state)).map(finished)
                }
                None => Decision::Now(finished(overloaded())),
            },
        }
    }
}

impl Inner {
    fn recall(&self, digest: &Digest, now: Duration) -> Option<Verdict> {
        let origin = Origin {
            cache: self.id,
            generation: self.generation.load(Ordering::SeqCst),
        };
        if let Some(verdict) = recent::recall(origin, digest, now) {
            return Some(verdict);
        }
        let entry = self.entries.get(digest)?;
        if now < entry.until {
            recent::note(origin, digest, &entry);
            return Some(entry.verdict);
        }
        self.entries.remove(digest);
        None
    }

    /// Removes entries. Counted before, so that no answer that is on its way is kept, and after, so that
    /// no thread keeps what it took over meanwhile.
    fn invalidate(&self, remove: impl FnOnce(&Cache<Digest, Entry>)) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        remove(&self.entries);
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    fn flight(&self, digest: &Digest, generation: u64) -> Option<Flight> {
        let flights = self.lock();
        let (_, flight) = flights
            .get(digest)
            .filter(|(asked, _)| *asked == generation)?;
        Some(flight.clone())
    }

    /// Asks the delegate; a panic of what it does at once is a rejection.
    fn ask(&self, token: &str, audiences: &Audiences) -> Decision {
        catch_unwind(AssertUnwindSafe(|| {
            self.delegate.authenticate(token, audiences)
        }))
        .unwrap_or_else(|_| Decision::Now(panicked()))
    }

    /// Lets `answer` run on its own, unless someone else's question for the same was quicker. Nothing
    /// when too many are on their way.
    fn depart(
        self: &Arc<Self>,
        digest: Digest,
        generation: u64,
        answer: BoxFuture<'static, Verdict>,
    ) -> Option<(Flight, ActiveFetch)> {
        let mut flights = self.lock();
        if let Some((asked, flight)) = flights.get(&digest)
            && *asked == generation
        {
            return Some((flight.clone(), ActiveFetch::Blocked));
        }
        if flights.len() >= FLIGHT_LIMIT {
            return None;
        }
        let inner = Arc::clone(self);
        // The task ends with its time limit at the latest, so nobody has to stop it.
        let task = tokio::spawn(async move {
            let answer = AssertUnwindSafe(answer).catch_unwind();
            let verdict = match tokio::time::timeout(FETCH_LIMIT, answer).await {
                Ok(Ok(verdict)) => verdict,
                Ok(Err(_)) => panicked(),
                Err(_) => {
                    Verdict::rejected(Reason::AuthenticatorTimedOut, "context deadline exceeded")
                }
            };
            inner.settle(digest, generation, &verdict);
            let mut flights = inner.lock();
            if flights
                .get(&digest)
                .is_some_and(|(asked, _)| *asked == generation)
            {
                flights.remove(&digest);
            }
            verdict
        });
        let flight = async move { task.await.unwrap_or_else(|_| panicked()) }
            .boxed()
            .shared();
        flights.insert(digest, (generation, flight.clone()));
        Some((flight, ActiveFetch::InFlight))
    }

    /// Counts an answer of the delegate, and keeps it where the policy says so.
    fn settle(&self, digest: Digest, generation: u64, verdict: &Verdict) {
        let (status, keep) = match &verdict.outcome {
            Outcome::Authenticated(_) => (FetchStatus::Ok, self.policy.success),
            Outcome::NoOpinion(_) => (FetchStatus::Ok, self.policy.failure),
            Outcome::Rejected(_) => (FetchStatus::Error, Duration::ZERO),
        };
        self.metrics.token_cache_fetch(status);
        let keep = match verdict.good_until {
            None => keep,
            Some(end) => {
                let left = end
                    .duration_since(self.clock.now())
                    .max(SignedDuration::ZERO);
                keep.min(left.unsigned_abs())
            }
        };
        if keep.is_zero() {
            return;
        }
        let until = self.clock.monotonic().saturating_add(keep);
        self.entries.insert(
            digest,
            Entry {
                verdict: verdict.clone(),
                until,
            },
        );
        // Looked at after the entry is there: an invalidation either finds the entry, or is found.
        // Threads may have copied it meanwhile, so that is an invalidation too.
        if self.generation.load(Ordering::SeqCst) != generation {
            self.invalidate(|entries| {
                entries.remove(&digest);
            });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, (u64, Flight)>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a flight, and is counted while it does.
fn wait(inner: Arc<Inner>, flight: Flight, state: ActiveFetch) -> BoxFuture<'static, Verdict> {
    struct Counted(Arc<Inner>, ActiveFetch);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.metrics.token_cache_active_fetches(self.1, -1);
        }
    }

    async move {
        inner.metrics.token_cache_active_fetches(state, 1);
        let _counted = Counted(inner, state);
        flight.await
    }
    .boxed()
}

fn overloaded() -> Verdict {
    Verdict::rejected(
        Reason::AuthenticatorUnavailable,
        "too many tokens are being looked up",
    )
}

fn panicked() -> Verdict {
    Verdict::rejected(
        Reason::AuthenticatorFailed,
        "Internal error occurred: authentication failed unexpectedly",
    )
}

/// The digest of a token and audiences. Lengths stand in front of every text, so that no two
/// questions have the same bytes.
fn entry_digest(key: &DigestKey, token: &str, audiences: &Audiences) -> Digest {
    let audiences = audiences.as_slice();
    key.digest_of(|context| {
        context.update(&length(token.len()));
        context.update(token.as_bytes());
        context.update(&length(audiences.len()));
        for one in audiences {
            context.update(&length(one.len()));
            context.update(one.as_bytes());
        }
    })
}

/// A length in 32 bits. Longer texts do not come over HTTP, and share the last value.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests;
