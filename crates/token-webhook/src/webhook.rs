//! The authenticator: asks, waits, asks again.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use burgee_authn::{Audiences, CachePolicy, Decision, TokenAuthenticator, TokenCache, Verdict};
use burgee_identity::{Clock, Reason, Secret};
use burgee_kubeconfig::{Client, Kubeconfig};
use http::{HeaderValue, Method};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::failure::Problem;
use crate::retry::attempts;
use crate::review::{Judgement, question, read_answer};
use crate::{Error, Metrics, RequestCode, RetryPolicy, ReviewVersion};

/// How long an answer may be.
const MAX_ANSWER_LEN: usize = 1024 * 1024;

/// How a service is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The version of `TokenReview` to speak.
    pub version: ReviewVersion,
    /// Where below the server's URL to send reviews. Empty for the URL exactly as it is written;
    /// [`ReviewVersion::api_path`] when the service is an API server.
    pub path: String,
    /// The audiences of this server: what a service that knows nothing of audiences speaks for.
    pub api_audiences: Vec<String>,
    /// How often a failed question is asked again.
    pub retry: RetryPolicy,
    /// How long it may take until there is an identity or none, with all attempts and waits.
    pub timeout: Duration,
    /// How many questions may be under way at once. Anyone can cause one.
    pub concurrency: usize,
    /// How many more tokens may wait for their turn; those beyond are refused at once.
    pub queue: usize,
}

impl Default for Settings {
    /// Upstream's `v1beta1`, retries and 30 seconds; 100 questions at once, and 1,000 tokens that wait.
    fn default() -> Self {
        Self {
            version: ReviewVersion::default(),
            path: String::new(),
            api_audiences: Vec::new(),
            retry: RetryPolicy::default(),
            timeout: Duration::from_secs(30),
            concurrency: 100,
            queue: 1_000,
        }
    }
}

impl Settings {
    /// For asking the API server that this one stands behind, as aggregated servers do: `TokenReview` `v1`
    /// at its own path, and 10 seconds.
    #[must_use]
    pub fn delegated() -> Self {
        Self {
            version: ReviewVersion::V1,
            path: ReviewVersion::V1.api_path().to_owned(),
            timeout: Duration::from_secs(10),
            ..Self::default()
        }
    }
}

/// Asks another service whose a token is, with `TokenReview`.
///
/// It remembers nothing: every token is asked for each time, so it belongs behind a cache
/// ([`WebhookTokens::cached`]). Neither tokens nor bodies are logged.
#[derive(Clone, Debug)]
pub struct WebhookTokens(Arc<Inner>);

struct Inner {
    client: Client,
    settings: Settings,
    clock: Arc<dyn Clock>,
    metrics: Arc<dyn Metrics>,
    /// A number from 0 to 1 each time.
    jitter: Box<dyn Fn() -> f64 + Send + Sync>,
    /// Questions under way.
    slots: Semaphore,
    /// Tokens that are asked for or wait.
    places: Semaphore,
}

impl WebhookTokens {
    /// Asks the server of `client`.
    ///
    /// # Errors
    /// [`Error::NoAttempts`].
    pub fn new(
        client: Client,
        settings: Settings,
        clock: Arc<dyn Clock>,
        metrics: Arc<dyn Metrics>,
    ) -> Result<Self, Error> {
        Self::with_jitter(client, settings, clock, metrics, Box::new(random_fraction))
    }

    /// Asks the service that a kubeconfig leads to (`--authentication-token-webhook-config-file`).
    ///
    /// # Errors
    /// [`Error::Kubeconfig`] or [`Error::NoAttempts`].
    pub fn load(
        config_file: &Path,
        settings: Settings,
        clock: Arc<dyn Clock>,
        metrics: Arc<dyn Metrics>,
    ) -> Result<Self, Error> {
        let access = Kubeconfig::read(config_file)?.access(None)?;
        let client = access.client(Arc::clone(&clock))?;
        Self::new(client, settings, clock, metrics)
    }

    /// As [`WebhookTokens::new`], with a source of numbers from 0 to 1 that says how much is added to each
    /// wait.
    ///
    /// # Errors
    /// [`Error::NoAttempts`].
    pub fn with_jitter(
        client: Client,
        settings: Settings,
        clock: Arc<dyn Clock>,
        metrics: Arc<dyn Metrics>,
        jitter: Box<dyn Fn() -> f64 + Send + Sync>,
    ) -> Result<Self, Error> {
        if settings.retry.attempts == 0 {
            return Err(Error::NoAttempts);
        }
        let slots = settings.concurrency.clamp(1, Semaphore::MAX_PERMITS / 2);
        let places = slots.saturating_add(settings.queue);
        Ok(Self(Arc::new(Inner {
            client,
            settings,
            clock,
            metrics,
            jitter,
            slots: Semaphore::new(slots),
            places: Semaphore::new(places.min(Semaphore::MAX_PERMITS)),
        })))
    }

    /// Puts a cache in front that remembers for `success` and `failure` how long the service's yes and no
    /// hold; upstream has one time for both (`--authentication-token-webhook-cache-ttl`), and zero for it
    /// remembers nothing.
    ///
    /// A no is an answer that is in order and has no error in it. What the service calls an error, and every
    /// failure to ask it, is not remembered. Callers that ask for the same token at once share a question.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn cached(
        self,
        policy: CachePolicy,
        clock: Arc<dyn Clock>,
        metrics: Arc<dyn burgee_authn::Metrics>,
    ) -> Result<TokenCache, burgee_authn::Error> {
        let overall = CachePolicy::default().success;
        if policy.success < overall {
            tracing::warn!(
                "the webhook cache ttl of {:?} is shorter than the overall cache ttl of {overall:?} for successful token authentication attempts",
                policy.success
            );
        }
        TokenCache::new(Arc::new(self), policy, clock, metrics)
    }

    fn later(&self, token: &str, audiences: &Audiences, counted: bool) -> Decision {
        let inner = Arc::clone(&self.0);
        let token = Secret::from(token.to_owned());
        let audiences = audiences.clone();
        Decision::Later(Box::pin(async move {
            inner.look_up(token.expose(), &audiences, counted).await
        }))
    }
}

impl TokenAuthenticator for WebhookTokens {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn authenticate(&self, token: &str, audiences: &Audiences) -> Decision {
        self.later(token, audiences, true)
    }

    fn rehearse(&self, token: &str, audiences: &Audiences) -> Decision {
        self.later(token, audiences, false)
    }
}

impl Inner {
    async fn look_up(&self, token: &str, audiences: &Audiences, counted: bool) -> Verdict {
        match self.judge(token, audiences, counted).await {
            Ok(judgement) => judgement
                .decide(token, audiences, &self.settings.api_audiences)
                .into(),
            Err(problem) => {
                tracing::error!(
                    reason = problem.reason.code(),
                    "failed to make webhook authenticator request: {}",
                    problem.message
                );
                Verdict::rejected(problem.reason, problem.message)
            }
        }
    }

    async fn judge(
        &self,
        token: &str,
        audiences: &Audiences,
        counted: bool,
    ) -> Result<Judgement, Problem> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(Problem::lasting(
                Reason::AuthenticatorUnavailable,
                "too many tokens wait to be reviewed",
            ));
        };
        let now = Instant::now();
        let deadline = now.checked_add(self.settings.timeout).unwrap_or(now);
        let body = bytes::Bytes::from(question(self.settings.version, token, audiences));
        let attempt = || self.attempt(body.clone(), token, deadline, counted);
        let all = attempts(self.settings.retry, deadline, &self.jitter, attempt);
        timeout_at(deadline, all)
            .await
            .unwrap_or_else(|_| Err(Problem::timed_out()))
    }

    /// Puts the question once, when it is its turn.
    async fn attempt(
        &self,
        body: bytes::Bytes,
        token: &str,
        deadline: Instant,
        counted: bool,
    ) -> Result<Judgement, Problem> {
        let Ok(_slot) = self.slots.acquire().await else {
            return Err(Problem::timed_out());
        };
        let started = self.clock.monotonic();
        let answer = self
            .client
            .request(Method::POST, &self.settings.path)
            .body(HeaderValue::from_static("application/json"), body)
            .limit(MAX_ANSWER_LEN)
            .timeout(deadline.saturating_duration_since(Instant::now()))
            .send()
            .await;
        if counted {
            let code = match &answer {
                Ok(answer) => RequestCode::Status(answer.status.as_u16()),
                Err(_) => RequestCode::Error,
            };
            let took = self.clock.monotonic().saturating_sub(started);
            self.metrics.request(code, took);
        }
        let answer = answer.map_err(|error| Problem::unanswered(&error))?;
        if !answer.status.is_success() {
            return Err(Problem::refused(&answer, token));
        }
        if answer.body.is_empty() {
            let code = answer.status.as_u16();
            return Err(Problem::lasting(
                Reason::AuthenticatorUnavailable,
                format_args!("0-length response with status code: {code}"),
            ));
        }
        read_answer(self.settings.version, &answer.body)
            .map_err(|text| Problem::lasting(Reason::AuthenticatorUnavailable, text))
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookTokens")
            .field("client", &self.client)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A number from 0 to 1. Without random bytes it is 0, which is a wait like any other.
fn random_fraction() -> f64 {
    let mut bytes = [0; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_fractions_are_fractions_and_differ() {
        let all: Vec<f64> = (0..100).map(|_| random_fraction()).collect();
        assert!(all.iter().all(|one| (0.0..=1.0).contains(one)));
        assert!(all.iter().any(|one| (one - all[0]).abs() > f64::EPSILON));
    }

    #[test]
    fn delegated_reviews_go_to_the_api_servers_own_path() {
        let settings = Settings::delegated();
        assert_eq!(settings.path, "/apis/authentication.k8s.io/v1/tokenreviews");
        assert_eq!(settings.timeout, Duration::from_secs(10));
    }
}
