//! Tokens that another service judges: kube-apiserver's webhook token authenticator.
//!
//! [`WebhookTokens`] posts a `TokenReview` to the service that a kubeconfig names and takes its word for
//! whose the token is. Transient failures are asked again on a fixed schedule ([`RetryPolicy`]); one limit
//! of time holds for all of it, one of number for all that are under way, and answers have a bound. What the
//! service says goes through the audiences that the caller asked for.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//! use std::sync::Arc;
//! use std::time::Duration;
//! use burgee_authn::{Audiences, CachePolicy, TokenAuthenticator};
//! use burgee_identity::SystemClock;
//! use burgee_token_webhook::{NoMetrics, Settings, WebhookTokens};
//!
//! let clock = Arc::new(SystemClock::new());
//! let settings = Settings {
//!     version: "v1".parse()?,
//!     api_audiences: vec!["https://kubernetes.default.svc".to_owned()],
//!     ..Settings::default()
//! };
//! let file = Path::new("/etc/kubernetes/token-webhook.kubeconfig");
//! let webhook = WebhookTokens::load(file, settings, clock.clone(), Arc::new(NoMetrics))?;
//! let policy = CachePolicy {
//!     success: Duration::from_secs(120),
//!     failure: Duration::from_secs(120),
//!     ..CachePolicy::default()
//! };
//! let cached = webhook.cached(policy, clock, Arc::new(burgee_authn::NoMetrics))?;
//! let verdict = cached.authenticate("sesame", &Audiences::ANY).resolve().await;
//! println!("{:?}", verdict.outcome);
//! # Ok(())
//! # }
//! ```

mod error;
mod failure;
mod metrics;
mod retry;
mod review;
mod webhook;

pub use error::Error;
pub use metrics::{Metrics, NoMetrics, RequestCode};
pub use retry::RetryPolicy;
pub use review::ReviewVersion;
pub use webhook::{Settings, WebhookTokens};
