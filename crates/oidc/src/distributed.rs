//! Claims that a token does not hold itself but says where they are (OpenID Connect Core 1.0, section
//! 5.6.2).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use burgee_https::{explain, read_bounded};
use burgee_identity::{Reason, Rejection};
use burgee_wire::quoted;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::claims::{Source, unverified_issuer, unverified_payload};
use crate::discovery::MAX_BODY;
use crate::key_set::Attempt;
use crate::provider::{Provider, Surroundings};
use crate::verifier::{Expectations, Stop, cut};
use crate::{Claims, Issuer, NoMetrics};

/// How many endpoints are asked at the same time for the tokens of one issuer.
const MAX_REQUESTS: usize = 16;

/// How many issuers of such claims are known at the same time for one issuer of tokens.
const MAX_ISSUERS: usize = 16;

/// How long an issuer is known after it was last needed.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// How long a token waits until the issuer of its claims is found.
const FIND_LIMIT: Duration = Duration::from_secs(10);

/// How long an issuer is looked for. Who it is says an answer that nobody has vouched for yet.
const SEARCH_LIMIT: Duration = Duration::from_secs(60);

/// Fetches one claim from where tokens say that it is.
///
/// The answer has to be a token, too, with the same audience; whoever it names as its issuer must vouch
/// for it. Endpoints and issuers are asked by `https` only.
pub(crate) struct DistributedClaim {
    claim: String,
    client: reqwest::Client,
    expectations: Expectations,
    surroundings: Surroundings,
    requests: Semaphore,
    issuers: Mutex<HashMap<String, Known>>,
}

struct Known {
    provider: Arc<Provider>,
    last_used: Duration,
}

impl DistributedClaim {
    /// Will fetch `claim` for tokens that are as expected.
    pub(crate) fn new(
        claim: String,
        client: reqwest::Client,
        expectations: Expectations,
        mut surroundings: Surroundings,
    ) -> Self {
        // These issuers are not configured, and nobody says when they go.
        surroundings.metrics = Arc::new(NoMetrics);
        Self {
            claim,
            client,
            expectations,
            surroundings,
            requests: Semaphore::new(MAX_REQUESTS),
            issuers: Mutex::default(),
        }
    }

    /// Whether the claim has to be fetched.
    pub(crate) fn is_elsewhere(&self, claims: &Claims) -> bool {
        claims.source(&self.claim).is_some()
    }

    /// Fetches the claim and adds it to the token's own.
    pub(crate) async fn add_to(&self, claims: &mut Claims) -> Result<(), Rejection> {
        let Some(source) = claims.source(&self.claim) else {
            return Ok(());
        };
        let value = self.fetch(source).await.map_err(|(reason, error)| {
            let message = cut(format!(
                "oidc: could not expand distributed claims: {error}"
            ));
            Rejection::new(reason, message)
        })?;
        claims.add(self.claim.clone(), value);
        Ok(())
    }

    async fn fetch(&self, source: &Source) -> Result<Value, (Reason, String)> {
        let failed = |error: String| (Reason::TokenDistributedClaimsFailed, error);
        let token = self.token(source).await.map_err(|error| {
            let claim = quoted(&self.claim);
            failed(format!("while getting distributed claim {claim}: {error}"))
        })?;
        let payload = unverified_payload(&token);
        let issuer = payload.as_deref().and_then(unverified_issuer);
        let (Some(payload), Some(issuer)) = (&payload, issuer) else {
            let claim = quoted(&self.claim);
            return Err(failed(format!(
                "getting untrusted issuer from endpoint {} failed for claim {claim}: the answer is no \
                 JWT that names its issuer",
                endpoint(source)
            )));
        };
        let untrusted = |error: String| {
            failed(format!(
                "verifying untrusted issuer {issuer} failed: {error}"
            ))
        };
        let provider = self.provider(&issuer).map_err(untrusted)?;
        let found = tokio::time::timeout(FIND_LIMIT, provider.found()).await;
        let Some(keys) = provider.keys().filter(|_| found.is_ok()) else {
            let error = format!("verifier not initialized for issuer: {}", quoted(&issuer));
            return Err(untrusted(error));
        };
        let expectations = Expectations {
            issuer: issuer.to_string(),
            ..self.expectations.clone()
        };
        let verify = |attempt| {
            let now = self.surroundings.clock.now();
            expectations.verify(&token, payload, &keys, now, attempt)
        };
        let mut verified = verify(Attempt::First);
        if let Err(Stop::Wait(wait)) = verified {
            wait.done().await;
            verified = verify(Attempt::AfterWaiting);
        }
        let mut claims = verified.map_err(|stop| match stop {
            Stop::Rejected(rejection) => failed(format!(
                "verify distributed claim token: {}",
                rejection.message
            )),
            Stop::Wait(_) => failed("verify distributed claim token: no keys".to_owned()),
        })?;
        claims.take(&self.claim).ok_or_else(|| {
            failed(format!(
                "jwt returned by distributed claim endpoint {} did not contain claim: {}",
                quoted(&endpoint(source)),
                self.claim
            ))
        })
    }

    /// What the endpoint answers.
    async fn token(&self, source: &Source) -> Result<String, String> {
        let Ok(_permit) = self.requests.acquire().await else {
            return Err("shut down".to_owned());
        };
        let request = self
            .client
            .get(&source.endpoint)
            .header(ACCEPT, "application/jwt");
        let request = match &source.access_token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        };
        let failed = |error: burgee_https::Error| explain(&error);
        let answer = request.send().await.map_err(|error| failed(error.into()))?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(format!(
                "error while getting distributed claim JWT: {}",
                answer.status()
            ));
        }
        let content_type = answer.headers().get(CONTENT_TYPE);
        let is_json = content_type
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/json"));
        let body = read_bounded(answer, MAX_BODY).await.map_err(failed)?;
        let token = std::str::from_utf8(&body).unwrap_or_default().trim();
        if token.starts_with('{') || (is_json && !token.starts_with("ey")) {
            // Microsoft's tokens of people in very many groups point to such a place.
            return Err(
                "the endpoint answers JSON where a JWT is needed; let the provider put the groups, or \
                 fewer of them, into the token itself"
                    .to_owned(),
            );
        }
        Ok(token.to_owned())
    }

    /// The provider of such an issuer, which is looked for if it is new.
    fn provider(&self, issuer: &str) -> Result<Arc<Provider>, String> {
        let now = self.surroundings.clock.monotonic();
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        issuers.retain(|_, known| {
            let unused = now.saturating_sub(known.last_used);
            unused < FORGET_AFTER && !known.provider.is_given_up()
        });
        if let Some(known) = issuers.get_mut(issuer) {
            known.last_used = now;
            return Ok(Arc::clone(&known.provider));
        }
        if !issuer.starts_with("https://") {
            return Err("it is no https URL".to_owned());
        }
        if issuers.len() >= MAX_ISSUERS {
            let not_found = issuers
                .iter()
                .filter(|(_, known)| known.provider.keys().is_none());
            let oldest = not_found.min_by_key(|(_, known)| known.last_used);
            let Some(oldest) = oldest.map(|(issuer, _)| issuer.clone()) else {
                return Err(format!(
                    "{MAX_ISSUERS} other issuers of claims are known already"
                ));
            };
            issuers.remove(&oldest);
        }
        let configured = Issuer {
            url: issuer.to_owned(),
            discovery_url: None,
            // The client has them.
            certificate_authority: None,
            audiences: self.expectations.audiences.clone(),
        };
        let provider = Provider::find(
            configured,
            self.client.clone(),
            &self.surroundings,
            Some(SEARCH_LIMIT),
        );
        let provider = Arc::new(provider);
        let known = Known {
            provider: Arc::clone(&provider),
            last_used: now,
        };
        issuers.insert(issuer.to_owned(), known);
        Ok(provider)
    }
}

impl fmt::Debug for DistributedClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DistributedClaim")
            .field(&self.claim)
            .finish()
    }
}

/// An endpoint as errors name it: without what may be secret in its URL.
fn endpoint(source: &Source) -> String {
    match reqwest::Url::parse(&source.endpoint) {
        Ok(url) => format!("{}{}", url.origin().ascii_serialization(), url.path()),
        Err(_) => "(no URL)".to_owned(),
    }
}
