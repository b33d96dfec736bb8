//! All issuers together.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use burgee_authn::{Audiences, Decision, TokenAuthenticator, Verdict};
use burgee_identity::{Check, Clock, Reason};
use futures_util::future::join_all;
use tokio::runtime::Handle;

use crate::authenticator::{Count, IssuerTokens};
use crate::claims::{unverified_issuer, unverified_payload};
use crate::provider::Surroundings;
use crate::{JwtAuthenticator, Metrics};

/// Why issuers cannot be set up.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The client for an issuer's provider cannot be built.
    #[error("no client for issuer {issuer}")]
    Client {
        /// The issuer's URL.
        issuer: String,
        /// What is wrong.
        source: burgee_https::Error,
    },
}

/// Judges JSON web tokens of the configured issuers: upstream's `--authentication-config` (its part
/// `jwt`) and `--oidc-*` flags.
///
/// A token belongs to the issuer that it names, and to no other; tokens of nobody here are not its own
/// ([`Outcome::NoOpinion`](burgee_identity::Outcome::NoOpinion)). Each issuer's provider is looked for in
/// the background, from the start and until it is found; its keys are fetched with the first token. When
/// they are there, tokens are judged from memory.
///
/// Like upstream's it knows nothing of the audiences that a request asks for: wrap it in
/// [`AudienceAgnostic`](burgee_authn::AudienceAgnostic).
///
/// The set of issuers can be replaced at any time: [`JwtAuthenticators::prepare`] starts a new one,
/// [`JwtAuthenticators::replace`] puts it in force. A replaced set ends with the last token that it judges.
#[derive(Debug)]
pub struct JwtAuthenticators {
    current: ArcSwap<Issuers>,
    surroundings: Surroundings,
}

/// A set of issuers that is not in force yet; its providers are being looked for. Dropping it ends that.
#[derive(Debug)]
pub struct PreparedIssuers(Arc<Issuers>);

/// How it stands with one issuer's provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IssuerHealth {
    /// The issuer's URL.
    pub issuer: String,
    /// Whether its provider was found; upstream's text if not.
    pub result: Result<(), String>,
}

#[derive(Debug, Default)]
struct Issuers {
    by_url: HashMap<String, Arc<IssuerTokens>>,
    in_order: Vec<Arc<IssuerTokens>>,
}

impl JwtAuthenticators {
    /// Starts with these issuers. Must be called within a Tokio runtime, in which all requests will run.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        issuers: impl IntoIterator<Item = JwtAuthenticator>,
        clock: Arc<dyn Clock>,
        metrics: Arc<dyn Metrics>,
    ) -> Result<Self, StartError> {
        let surroundings = Surroundings {
            clock,
            metrics,
            runtime: Handle::current(),
        };
        let issuers = Issuers::start(issuers, &surroundings, &Issuers::default())?;
        Ok(Self {
            current: ArcSwap::from_pointee(issuers),
            surroundings,
        })
    }

    /// Starts another set of issuers without putting it in force. Those whose provider the set in force
    /// uses, too, share it and the keys that are there.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn prepare(
        &self,
        issuers: impl IntoIterator<Item = JwtAuthenticator>,
    ) -> Result<PreparedIssuers, StartError> {
        let running = self.current.load();
        let issuers = Issuers::start(issuers, &self.surroundings, &running)?;
        Ok(PreparedIssuers(Arc::new(issuers)))
    }

    /// Puts a prepared set in force, at once and for every token from now on.
    pub fn replace(&self, prepared: PreparedIssuers) {
        let next = Arc::clone(&prepared.0);
        let previous = self.current.swap(prepared.0);
        let removed: Vec<_> = previous
            .in_order
            .iter()
            .filter(|issuer| !next.by_url.contains_key(&issuer.configured.issuer.url))
            .map(|issuer| issuer.issuer_hash.clone())
            .collect();
        if !removed.is_empty() {
            self.surroundings.metrics.issuers_removed(&removed);
        }
    }

    /// How it stands with every issuer's provider, in configured order.
    #[must_use]
    pub fn health(&self) -> Vec<IssuerHealth> {
        self.current.load().health()
    }

    /// Waits until every provider was found, but no longer than `limit`; says whether they were.
    pub async fn wait_until_healthy(&self, limit: Duration) -> bool {
        let issuers = self.current.load_full();
        issuers.wait_until_healthy(limit).await
    }

    fn judge(&self, token: &str, count: Count) -> Decision {
        let issuers = self.current.load();
        match issuers.responsible(token) {
            Ok((issuer, payload)) => issuer.authenticate(token, payload, count),
            Err(reason) => Decision::Now(Verdict::no_opinion(reason)),
        }
    }

    /// Where metrics of this authenticator go.
    #[must_use]
    pub fn metrics(&self) -> &Arc<dyn Metrics> {
        &self.surroundings.metrics
    }
}

impl PreparedIssuers {
    /// How it stands with every issuer's provider, in configured order.
    #[must_use]
    pub fn health(&self) -> Vec<IssuerHealth> {
        self.0.health()
    }

    /// Waits until every provider was found, but no longer than `limit`; says whether they were.
    pub async fn wait_until_healthy(&self, limit: Duration) -> bool {
        self.0.wait_until_healthy(limit).await
    }
}

impl TokenAuthenticator for JwtAuthenticators {
    fn name(&self) -> &'static str {
        "jwt"
    }

    fn authenticate(&self, token: &str, _audiences: &Audiences) -> Decision {
        self.judge(token, Count::Yes)
    }

    fn rehearse(&self, token: &str, _audiences: &Audiences) -> Decision {
        self.judge(token, Count::No)
    }

    fn examine(&self, token: &str, _audiences: &Audiences) -> Decision<Vec<Check>> {
        let issuers = self.current.load();
        match issuers.responsible(token) {
            Ok((issuer, payload)) => Arc::clone(issuer).examine(token, payload),
            Err(reason @ Reason::TokenIssuerForeign) => {
                let configured = issuers.in_order.iter();
                let configured: Vec<_> = configured
                    .map(|issuer| issuer.configured.issuer.url.as_str())
                    .collect();
                let detail = format!("configured are {}", configured.join(", "));
                Decision::Now(vec![Check::failed("issuer", reason, detail)])
            }
            Err(_) => Decision::Now(Vec::new()),
        }
    }
}

impl Issuers {
    fn start(
        issuers: impl IntoIterator<Item = JwtAuthenticator>,
        surroundings: &Surroundings,
        running: &Self,
    ) -> Result<Self, StartError> {
        let start = |configured: JwtAuthenticator| {
            let issuer = configured.issuer.url.clone();
            let running = running.by_url.get(&issuer).map(Arc::as_ref);
            match IssuerTokens::start(configured, surroundings, running) {
                Ok(tokens) => Ok(Arc::new(tokens)),
                Err(source) => Err(StartError::Client { issuer, source }),
            }
        };
        let in_order = issuers.into_iter().map(start);
        let in_order: Vec<_> = in_order.collect::<Result<_, _>>()?;
        let by_url = in_order
            .iter()
            .map(|issuer| (issuer.configured.issuer.url.clone(), Arc::clone(issuer)))
            .collect();
        Ok(Self { by_url, in_order })
    }

    /// Whose token this is, and its payload.
    fn responsible(&self, token: &str) -> Result<(&Arc<IssuerTokens>, Vec<u8>), Reason> {
        if self.in_order.is_empty() {
            return Err(Reason::NotConfigured);
        }
        let payload = unverified_payload(token).ok_or(Reason::TokenMalformed)?;
        let url = unverified_issuer(&payload).ok_or(Reason::TokenMalformed)?;
        let issuer = self.by_url.get(url.as_ref());
        let issuer = issuer.ok_or(Reason::TokenIssuerForeign)?;
        drop(url);
        Ok((issuer, payload))
    }

    fn health(&self) -> Vec<IssuerHealth> {
        let health = |issuer: &Arc<IssuerTokens>| IssuerHealth {
            issuer: issuer.configured.issuer.url.clone(),
            result: issuer.provider.health(),
        };
        self.in_order.iter().map(health).collect()
    }

    async fn wait_until_healthy(&self, limit: Duration) -> bool {
        let found = join_all(self.in_order.iter().map(|issuer| issuer.provider.found()));
        tokio::time::timeout(limit, found).await.is_ok()
    }
}
