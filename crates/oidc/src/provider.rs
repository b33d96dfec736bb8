//! One provider: found by discovery in the background, then the source of keys.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use burgee_https::{ClientBuilder, Redirects, Roots};
use burgee_identity::Clock;
use burgee_wire::quoted;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::discovery::DiscoveryDocument;
use crate::key_set::KeySet;
use crate::{Issuer, Metrics};

/// How long any one request to a provider may take.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// How long to wait after the first failure of discovery; it doubles with each one.
const FIRST_RETRY: Duration = Duration::from_millis(500);

/// The longest wait between two attempts.
const LAST_RETRY: Duration = Duration::from_secs(10);

/// What several providers share.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<dyn Metrics>,
    pub(crate) runtime: Handle,
}

/// A provider. Dropping it ends its search.
pub(crate) struct Provider {
    issuer: String,
    keys: Arc<ArcSwapOption<KeySet>>,
    /// Why there are no keys yet; nothing when there are.
    trouble: watch::Receiver<Option<String>>,
    _search: DropGuard,
}

impl Provider {
    /// Starts looking for the provider, at once and until it is found.
    pub(crate) fn find(
        issuer: Issuer,
        client: reqwest::Client,
        surroundings: &Surroundings,
    ) -> Self {
        let keys = Arc::new(ArcSwapOption::empty());
        let search = CancellationToken::new();
        let name = quoted(&issuer.url);
        let not_yet = format!("oidc: authenticator for issuer {name} is not initialized");
        let (tell, trouble) = watch::channel(Some(not_yet));
        let url = issuer.url.clone();
        let searching = {
            let (keys, surroundings) = (Arc::clone(&keys), surroundings.clone());
            async move {
                let document = discover(&issuer, &client, &tell).await;
                tracing::info!(issuer = %issuer.url, "found the provider");
                keys.store(Some(Arc::new(KeySet::new(
                    issuer,
                    client,
                    document.jwks_uri,
                    &surroundings,
                ))));
                tell.send_replace(None);
            }
        };
        let ended = search.clone();
        surroundings.runtime.spawn(async move {
            ended.run_until_cancelled(searching).await;
        });
        Self {
            issuer: url,
            keys,
            trouble,
            _search: search.drop_guard(),
        }
    }

    /// Where the provider's keys are, once it was found.
    pub(crate) fn keys(&self) -> Option<Arc<KeySet>> {
        self.keys.load_full()
    }

    /// Whether the provider was found, and why not.
    pub(crate) fn health(&self) -> Result<(), String> {
        let trouble = self.trouble.borrow();
        trouble.as_ref().map_or(Ok(()), |trouble| {
            let issuer = quoted(&self.issuer);
            Err(format!(
                "oidc: authenticator for issuer {issuer} is not healthy: {trouble}"
            ))
        })
    }

    /// Waits until the provider was found.
    pub(crate) async fn found(&self) {
        let mut trouble = self.trouble.clone();
        // The sender lives until there is no trouble any more, or until this provider is dropped.
        let _ = trouble.wait_for(Option::is_none).await;
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Provider").field(&self.issuer).finish()
    }
}

/// A client for an issuer's provider.
pub(crate) fn client(issuer: &Issuer) -> Result<reqwest::Client, burgee_https::Error> {
    let roots = match &issuer.certificate_authority {
        Some(bundle) => Roots::Pem(bundle.clone().into_bytes()),
        None => Roots::Host,
    };
    ClientBuilder::new()
        .roots(roots)
        .redirects(Redirects::Follow)
        .https_only()
        .total_timeout(REQUEST_LIMIT)
        .build()
}

async fn discover(
    issuer: &Issuer,
    client: &reqwest::Client,
    tell: &watch::Sender<Option<String>>,
) -> DiscoveryDocument {
    let mut pause = FIRST_RETRY;
    loop {
        let error = match DiscoveryDocument::fetch(client, issuer).await {
            Ok(document) => return document,
            Err(error) => error.to_string(),
        };
        tracing::warn!(issuer = %issuer.url, %error, "cannot find the provider, will try again");
        tell.send_replace(Some(error));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_RETRY);
    }
}
