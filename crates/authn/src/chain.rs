//! The whole chain of an API server, in upstream's order.

use std::sync::Arc;

use burgee_identity::{Clock, Outcome, Secret};
use burgee_wire::Status;
use burgee_wire::authentication::{TokenReviewSpec, TokenReviewStatus};

use crate::bearer::{INVALID_BEARER_TOKEN, LONGEST_TOKEN};
use crate::{
    Anonymous, AudienceAgnostic, Audiences, Authenticator, BearerToken, CachePolicy, Decision,
    Error, GroupAdder, IdentityHeaders, LoopbackToken, Metrics, OnRejection, Request,
    TokenAuthenticator, TokenCache, Union, Verdict, WebSocketToken,
};

/// Every authenticator of an API server, put together as kube-apiserver does.
///
/// In front stands the loopback token; then front proxy, client certificate, bearer token and
/// WebSocket token, of which the first good one wins; then, if nothing was wrong, the anonymous user.
/// Bearer and WebSocket tokens are judged by static tokens, bootstrap tokens, service accounts, JWT
/// issuers and the webhook, in this order: whom it takes a connection to ask comes last.
///
/// ```
/// use std::sync::Arc;
/// use burgee_authn::*;
/// use burgee_identity::SystemClock;
///
/// let tokens = StaticTokens::new("tokens.csv", b"sesame,ali-baba,u1,thieves")?;
/// let chain = Chain::builder(["https://kubernetes.default.svc"])
///     .static_tokens(Arc::new(tokens))
///     .build(Arc::new(SystemClock::new()), Arc::new(NoMetrics))?;
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("authorization", "Bearer sesame".parse().unwrap());
/// let request = Request {
///     headers: &headers,
///     path: "/api",
///     peer_certificates: None,
///     audiences: chain.api_audiences(),
/// };
/// let Decision::Now(verdict) = chain.authenticate(&request) else { unreachable!() };
/// assert_eq!(verdict.outcome.user().unwrap().groups, ["thieves", "system:authenticated"]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Chain {
    credentials: GroupAdder<Union<dyn Authenticator>>,
    anonymous: Option<Anonymous>,
    metrics: Arc<dyn Metrics>,
    reviews: Union<dyn TokenAuthenticator>,
    cache: TokenCache,
    api_audiences: Audiences,
    longest_token: usize,
    /// Those who judge connections and proxies, in the order in which they are asked.
    pub(crate) request_members: Vec<Arc<dyn Authenticator>>,
    /// Those who judge tokens, in the order in which they are asked, without the cache.
    pub(crate) token_members: Vec<Arc<dyn TokenAuthenticator>>,
}

/// What a [`Chain`] is made of. Everything that is not given is left out.
#[derive(Debug)]
pub struct ChainBuilder {
    api_audiences: Audiences,
    loopback: Option<LoopbackToken>,
    front_proxy: Option<Arc<dyn Authenticator>>,
    client_certificates: Option<Arc<dyn Authenticator>>,
    static_tokens: Option<Arc<dyn TokenAuthenticator>>,
    service_accounts: Option<Arc<dyn TokenAuthenticator>>,
    bootstrap_tokens: Option<Arc<dyn TokenAuthenticator>>,
    jwt: Option<Arc<dyn TokenAuthenticator>>,
    webhook: Option<Arc<dyn TokenAuthenticator>>,
    anonymous: Option<Anonymous>,
    longest_token: usize,
    cache: CachePolicy,
}

impl Chain {
    /// Begins a chain for a server with these audiences.
    #[must_use]
    pub fn builder<A: Into<String>>(api_audiences: impl IntoIterator<Item = A>) -> ChainBuilder {
        ChainBuilder {
            api_audiences: Audiences::of_server(api_audiences),
            loopback: None,
            front_proxy: None,
            client_certificates: None,
            static_tokens: None,
            service_accounts: None,
            bootstrap_tokens: None,
            jwt: None,
            webhook: None,
            anonymous: None,
            longest_token: LONGEST_TOKEN,
            cache: CachePolicy::default(),
        }
    }

    /// The cache in front of the token authenticators, for invalidation.
    #[must_use]
    pub fn token_cache(&self) -> &TokenCache {
        &self.cache
    }

    /// The server's own audiences: what ordinary requests ask for.
    #[must_use]
    pub fn api_audiences(&self) -> &Audiences {
        &self.api_audiences
    }

    /// Answers a TokenReview.
    ///
    /// Unlike upstream, which sends the token through the whole chain, no token ever becomes the
    /// anonymous user here, and a token with white space or control characters in it is not cut at
    /// them but refused.
    ///
    /// # Errors
    ///
    /// The status to answer instead, when there is no token or an authenticator contradicts itself.
    pub async fn review(&self, spec: &TokenReviewSpec) -> Result<TokenReviewStatus, Box<Status>> {
        if spec.token.is_empty() {
            let message = "token is required for TokenReview in authentication";
            return Err(Box::new(Status::bad_request(message)));
        }
        let audiences = Audiences::of_server(spec.audiences.iter().cloned());
        let audiences = audiences.or(&self.api_audiences);
        let mut status = TokenReviewStatus::default();
        let is_no_token = |c: char| c.is_whitespace() || c.is_control();
        if spec.token.len() > self.longest_token || spec.token.contains(is_no_token) {
            status.error = INVALID_BEARER_TOKEN.to_owned();
            return Ok(status);
        }
        match self
            .reviews
            .authenticate(&spec.token, &audiences)
            .resolve()
            .await
            .outcome
        {
            Outcome::Authenticated(authenticated) => {
                if !serves(authenticated.audiences(), &audiences) {
                    return Err(Box::new(Status::internal("error validating audiences")));
                }
                status.authenticated = true;
                if audiences.requested().is_some() {
                    status.audiences = authenticated.audiences().to_vec();
                }
                status.user = Arc::unwrap_or_clone(authenticated.user);
            }
            Outcome::NoOpinion(_) => {}
            Outcome::Rejected(rejection) => status.error = rejection.message.into_owned(),
        }
        Ok(status)
    }
}

impl Authenticator for Chain {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn authenticate(&self, request: &Request<'_>) -> Decision {
        match self.credentials.authenticate(request) {
            Decision::Now(verdict) => Decision::Now(match &self.anonymous {
                Some(anonymous) if matches!(verdict.outcome, Outcome::NoOpinion(_)) => {
                    or_anonymous(verdict, anonymous.judge(request), &*self.metrics)
                }
                _ => verdict,
            }),
            Decision::Later(verdict) => {
                let Some(anonymous) = &self.anonymous else {
                    return Decision::Later(verdict);
                };
                let (fallback, metrics) = (anonymous.judge(request), Arc::clone(&self.metrics));
                Decision::Later(verdict)
                    .map(move |verdict| or_anonymous(verdict, fallback, &*metrics))
            }
        }
    }

    fn identity_headers(&self) -> IdentityHeaders {
        self.credentials.identity_headers()
    }
}

/// The anonymous user's verdict where there was no credential; what is wrong with one stands.
fn or_anonymous(mut verdict: Verdict, mut anonymous: Verdict, metrics: &dyn Metrics) -> Verdict {
    if !matches!(verdict.outcome, Outcome::NoOpinion(_)) {
        return verdict;
    }
    metrics.decided("anonymous", &anonymous.outcome);
    if !anonymous.is_authenticated() {
        return verdict;
    }
    anonymous.warn_first(verdict.take_warnings());
    anonymous
}

/// Whether a credential that is good for `proven` will do where one of `requested` is asked for. One
/// that knows of no audience will.
pub(crate) fn serves(proven: &[String], requested: &Audiences) -> bool {
    let requested = requested.as_slice();
    requested.is_empty() || proven.is_empty() || proven.iter().any(|one| requested.contains(one))
}

impl ChainBuilder {
    /// Knows the token of clients inside the process.
    #[must_use]
    pub fn loopback(mut self, token: LoopbackToken) -> Self {
        self.loopback = Some(token);
        self
    }

    /// Believes a front proxy about who its clients are.
    #[must_use]
    pub fn front_proxy(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.front_proxy = Some(authenticator);
        self
    }

    /// Accepts client certificates.
    #[must_use]
    pub fn client_certificates(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.client_certificates = Some(authenticator);
        self
    }

    /// Knows the tokens of a file. They are looked up in front of the cache, which would not be
    /// quicker.
    #[must_use]
    pub fn static_tokens(mut self, authenticator: Arc<dyn TokenAuthenticator>) -> Self {
        self.static_tokens = Some(authenticator);
        self
    }

    /// Accepts tokens of service accounts, with an authenticator that knows of audiences.
    #[must_use]
    pub fn service_accounts(mut self, authenticator: Arc<dyn TokenAuthenticator>) -> Self {
        self.service_accounts = Some(authenticator);
        self
    }

    /// Accepts bootstrap tokens. They are judged in front of the cache without being remembered, so
    /// that a token ends at once when its Secret does.
    #[must_use]
    pub fn bootstrap_tokens(mut self, authenticator: Arc<dyn TokenAuthenticator>) -> Self {
        self.bootstrap_tokens = Some(authenticator);
        self
    }

    /// Accepts tokens of other issuers, with an authenticator that knows nothing of this server's
    /// audiences.
    #[must_use]
    pub fn jwt(mut self, authenticator: Arc<dyn TokenAuthenticator>) -> Self {
        self.jwt = Some(authenticator);
        self
    }

    /// Asks a webhook about tokens that nobody else knows, with an authenticator that knows of
    /// audiences and has a cache of its own.
    #[must_use]
    pub fn webhook(mut self, authenticator: Arc<dyn TokenAuthenticator>) -> Self {
        self.webhook = Some(authenticator);
        self
    }

    /// Lets requests without credentials through as the anonymous user.
    #[must_use]
    pub fn anonymous(mut self, anonymous: Anonymous) -> Self {
        self.anonymous = Some(anonymous);
        self
    }

    /// Refuses tokens of more than `bytes` without asking anyone, instead of those of more than
    /// [`LONGEST_TOKEN`].
    #[must_use]
    pub fn longest_token(mut self, bytes: usize) -> Self {
        self.longest_token = bytes;
        self
    }

    /// Remembers tokens by this policy.
    #[must_use]
    pub fn cache(mut self, policy: CachePolicy) -> Self {
        self.cache = policy;
        self
    }

    /// Puts the chain together.
    ///
    /// # Errors
    ///
    /// When the operating system has no random bytes.
    pub fn build(self, clock: Arc<dyn Clock>, metrics: Arc<dyn Metrics>) -> Result<Chain, Error> {
        let agnostic = |delegate: Arc<dyn TokenAuthenticator>| -> Arc<dyn TokenAuthenticator> {
            Arc::new(AudienceAgnostic::new(self.api_audiences.clone(), delegate))
        };
        let token_union = |members: Vec<Arc<dyn TokenAuthenticator>>| {
            Union::new(members, OnRejection::Continue, Arc::clone(&metrics))
        };

        // An empty token is nobody's; the place stays taken because upstream's texts show it.
        let loopback = self
            .loopback
            .unwrap_or_else(|| LoopbackToken::new(Secret::from(String::new()), ""));
        let own_length = loopback.length();
        let loopback = agnostic(Arc::new(loopback));

        let in_memory: Vec<_> = self
            .static_tokens
            .map(agnostic)
            .into_iter()
            .chain(self.bootstrap_tokens.map(agnostic))
            .collect();
        let judged: Vec<_> = self
            .service_accounts
            .into_iter()
            .chain(self.jwt.map(agnostic))
            .chain(self.webhook)
            .collect();
        let token_members = [Arc::clone(&loopback)]
            .into_iter()
            .chain(in_memory.iter().cloned())
            .chain(judged.iter().cloned())
            .collect();
        // Inside the cache, so that the group is added once per entry.
        let judged = Arc::new(GroupAdder::new(Arc::new(token_union(judged))));
        let cache = TokenCache::new(judged, self.cache, Arc::clone(&clock), Arc::clone(&metrics))?;
        let cached: Arc<dyn TokenAuthenticator> = Arc::new(cache.clone());
        let tokens = in_memory.into_iter().chain([cached]).collect();
        let tokens: Arc<dyn TokenAuthenticator> = Arc::new(token_union(tokens));

        let longest = self.longest_token;
        let bearer = BearerToken::new(Arc::clone(&tokens)).longest_token(longest);
        let websocket = WebSocketToken::new(Arc::clone(&tokens)).longest_token(longest);
        let front_proxy = self.front_proxy.map(|delegate| -> Arc<dyn Authenticator> {
            Arc::new(AudienceAgnostic::new(self.api_audiences.clone(), delegate))
        });
        let request_members: Vec<_> = front_proxy
            .into_iter()
            .chain(self.client_certificates)
            .collect();
        // Upstream's union of the loopback token and everything else comes to the same as this flat
        // one: what the loopback token refuses is a bearer token, which is refused or accepted again
        // further down, so that it never decides about the anonymous user.
        let own = BearerToken::new(Arc::clone(&loopback)).only_length(own_length);
        let own: Arc<dyn Authenticator> = Arc::new(own);
        let credentials = [own]
            .into_iter()
            .chain(request_members.iter().cloned())
            .chain([Arc::new(bearer) as _, Arc::new(websocket) as _])
            .collect::<Vec<_>>();
        let credentials = Union::new(credentials, OnRejection::Continue, Arc::clone(&metrics));

        let reviews: Vec<Arc<dyn TokenAuthenticator>> = vec![
            Arc::new(Insisting(loopback)),
            Arc::new(Insisting(Arc::new(GroupAdder::new(tokens)))),
        ];
        Ok(Chain {
            credentials: GroupAdder::new(Arc::new(credentials)),
            anonymous: self.anonymous,
            metrics: Arc::clone(&metrics),
            reviews: token_union(reviews),
            cache,
            api_audiences: self.api_audiences,
            longest_token: self.longest_token,
            request_members,
            token_members,
        })
    }
}

/// Rejects what its delegate has no opinion about, as bearer tokens of requests are.
#[derive(Debug)]
struct Insisting(Arc<dyn TokenAuthenticator>);

impl TokenAuthenticator for Insisting {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn authenticate(&self, token: &str, audiences: &Audiences) -> Decision {
        self.0.authenticate(token, audiences).map(insist)
    }
}

/// Makes a rejection of "no opinion" about a bearer token.
pub(crate) fn insist(verdict: Verdict) -> Verdict {
    match verdict.outcome {
        Outcome::NoOpinion(reason) => Verdict {
            outcome: Outcome::rejected(reason, INVALID_BEARER_TOKEN),
            ..verdict
        },
        _ => verdict,
    }
}

#[cfg(test)]
mod tests;
