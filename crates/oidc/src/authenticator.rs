//! One issuer's tokens, judged.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use burgee_authn::{Decision, Verdict, add_authenticated_group};
use burgee_identity::{Authenticated, Reason, Rejection, Secret};
use tokio::sync::Semaphore;

use crate::distributed::DistributedClaim;
use crate::key_set::{Attempt, Wait};
use crate::provider::{self, Provider, REQUEST_LIMIT, Surroundings};
use crate::verifier::{Expectations, Stop, cut, seconds};
use crate::{Claims, JwtAuthenticator, PrefixedMapping, hash_label};

/// How many tokens of one issuer may wait for something at the same time. Anyone can send tokens that
/// do; more are refused at once.
const MAX_WAITING: usize = 512;

/// What is wrong with a token begins so, unless it is about its user.
const VERIFY: &str = "oidc: verify token: ";

/// Judges the tokens of one issuer.
pub(crate) struct IssuerTokens {
    pub(crate) configured: JwtAuthenticator,
    pub(crate) issuer_hash: String,
    pub(crate) expectations: Expectations,
    pub(crate) provider: Arc<Provider>,
    pub(crate) surroundings: Surroundings,
    distributed: Option<DistributedClaim>,
    waiting: Semaphore,
}

/// Whether metrics are told of a decision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Count {
    Yes,
    No,
}

/// What a token whose decision takes time waits for.
enum Pending {
    Keys(Wait),
    Claims(Claims),
}

impl IssuerTokens {
    /// Starts looking for the issuer's provider, unless it is the one that `running` uses: that is taken
    /// over with the keys that it has.
    pub(crate) fn start(
        configured: JwtAuthenticator,
        surroundings: &Surroundings,
        running: Option<&Self>,
    ) -> Result<Self, burgee_https::Error> {
        let issuer = &configured.issuer;
        let client = provider::client(issuer)?;
        let expectations = Expectations {
            issuer: issuer.url.clone(),
            audiences: issuer.audiences.clone(),
            algorithms: configured.signing_algorithms.clone(),
        };
        let distributed = match &configured.claim_mappings.groups {
            Some(PrefixedMapping::Claim { claim, .. }) => Some(DistributedClaim::new(
                claim.clone(),
                client.clone(),
                expectations.clone(),
                surroundings.clone(),
            )),
            _ => None,
        };
        let running = running.filter(|running| {
            let other = &running.configured.issuer;
            (
                &other.url,
                &other.discovery_url,
                &other.certificate_authority,
            ) == (
                &issuer.url,
                &issuer.discovery_url,
                &issuer.certificate_authority,
            )
        });
        let provider = match running {
            Some(running) => Arc::clone(&running.provider),
            None => Arc::new(Provider::find(issuer.clone(), client, surroundings, None)),
        };
        Ok(Self {
            issuer_hash: hash_label(issuer.url.as_bytes()),
            provider,
            surroundings: surroundings.clone(),
            expectations,
            distributed,
            waiting: Semaphore::new(MAX_WAITING),
            configured,
        })
    }

    /// Judges a token that names this issuer, from memory if that is possible.
    pub(crate) fn authenticate(
        self: &Arc<Self>,
        token: &str,
        payload: Vec<u8>,
        count: Count,
    ) -> Decision {
        let started = self.surroundings.clock.monotonic();
        let pending = match self.verify(token, &payload, Attempt::First) {
            Ok(claims) if self.is_complete(&claims) => {
                return Decision::Now(self.finish(count, started, self.identify(&claims)));
            }
            Ok(claims) => Pending::Claims(claims),
            Err(Stop::Wait(wait)) => Pending::Keys(wait),
            Err(Stop::Rejected(rejection)) => {
                return Decision::Now(self.finish(count, started, Err(rejection)));
            }
        };
        let issuer = Arc::clone(self);
        let token = Secret::from(token.to_owned());
        Decision::Later(Box::pin(async move {
            let result = issuer.wait(token, payload, pending).await;
            issuer.finish(count, started, result)
        }))
    }

    /// Waits for what is missing, then judges.
    async fn wait(
        &self,
        token: Secret,
        payload: Vec<u8>,
        pending: Pending,
    ) -> Result<Verdict, Rejection> {
        let Ok(_permit) = self.waiting.try_acquire() else {
            return self.decline_to_wait(token, &payload);
        };
        let judging = async {
            let mut claims = match pending {
                Pending::Claims(claims) => claims,
                Pending::Keys(wait) => {
                    wait.done().await;
                    match self.verify(token.expose(), &payload, Attempt::AfterWaiting) {
                        Ok(claims) => claims,
                        Err(Stop::Rejected(rejection)) => return Err(rejection),
                        Err(Stop::Wait(_)) => {
                            return Err(prefixed(crate::verifier::no_keys()));
                        }
                    }
                }
            };
            if let Some(distributed) = &self.distributed {
                distributed.add_to(&mut claims).await?;
            }
            self.identify(&claims)
        };
        let judged = tokio::time::timeout(REQUEST_LIMIT, judging).await;
        judged.unwrap_or_else(|_| {
            let message = format!("{VERIFY}context deadline exceeded");
            Err(Rejection::new(Reason::AuthenticatorTimedOut, message))
        })
    }

    /// Too many wait already. Keys that are past their lifetime are good enough then.
    fn decline_to_wait(&self, token: Secret, payload: &[u8]) -> Result<Verdict, Rejection> {
        match self.verify(token.expose(), payload, Attempt::WithoutWaiting) {
            Ok(claims) if self.is_complete(&claims) => self.identify(&claims),
            _ => {
                let message = "oidc: too many tokens of this issuer wait for its keys or claims";
                Err(Rejection::new(Reason::AuthenticatorUnavailable, message))
            }
        }
    }

    fn verify(&self, token: &str, payload: &[u8], attempt: Attempt) -> Result<Claims, Stop> {
        let Some(keys) = self.provider.keys() else {
            return Err(not_ready().into());
        };
        let now = self.surroundings.clock.now();
        let verified = self
            .expectations
            .verify(token, payload, &keys, now, attempt);
        verified.map_err(|stop| match stop {
            Stop::Rejected(rejection) => prefixed(rejection).into(),
            wait @ Stop::Wait(_) => wait,
        })
    }

    pub(crate) fn is_complete(&self, claims: &Claims) -> bool {
        let distributed = self.distributed.as_ref();
        !distributed.is_some_and(|distributed| distributed.is_elsewhere(claims))
    }

    fn identify(&self, claims: &Claims) -> Result<Verdict, Rejection> {
        let mut user = Arc::new(self.configured.user(claims)?);
        add_authenticated_group(&mut user);
        let mut verdict = Verdict::authenticated(Authenticated::new(user));
        verdict.good_until = claims.expiry.map(seconds);
        Ok(verdict)
    }

    fn finish(
        &self,
        count: Count,
        started: Duration,
        result: Result<Verdict, Rejection>,
    ) -> Verdict {
        if count == Count::Yes {
            let took = self.surroundings.clock.monotonic().saturating_sub(started);
            let metrics = &self.surroundings.metrics;
            metrics.judged(&self.issuer_hash, result.is_ok(), took);
        }
        result.unwrap_or_else(|rejection| Verdict::rejected(rejection.reason, rejection.message))
    }
}

impl fmt::Debug for IssuerTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuer = &self.configured.issuer.url;
        f.debug_tuple("IssuerTokens").field(issuer).finish()
    }
}

/// What a token is told whose issuer's provider was not found yet.
pub(crate) fn not_ready() -> Rejection {
    let message = "oidc: authenticator not initialized";
    Rejection::new(Reason::AuthenticatorNotReady, message)
}

/// A rejection of the token itself, as kube-apiserver words it, as far as that is not longer than sensible.
pub(crate) fn prefixed(rejection: Rejection) -> Rejection {
    let message = cut(format!("{VERIFY}{}", rejection.message));
    Rejection::new(rejection.reason, message)
}
