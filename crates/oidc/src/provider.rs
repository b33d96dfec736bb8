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
use crate::verifier::cut;
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

/// A provider. Dropping it ends the search for it.
pub(crate) struct Provider {
    issuer: String,
    keys: Arc<ArcSwapOption<KeySet>>,
    /// Why there are no keys yet; nothing when there are.
    trouble: watch::Receiver<Option<String>>,
    _search: DropGuard,
}

impl Provider {
    /// Starts looking for the provider, at once and until it is found; no longer than `limit`, if there is
    /// one.
    pub(crate) fn find(
        issuer: Issuer,
        client: reqwest::Client,
        surroundings: &Surroundings,
        limit: Option<Duration>,
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
            let searching = ended.run_until_cancelled(searching);
            match limit {
                // That the time is over shows in that nobody tells of trouble any more.
                Some(limit) => drop(tokio::time::timeout(limit, searching).await),
                None => drop(searching.await),
            }
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

    /// Whether it was not found, and is not looked for any more.
    pub(crate) fn is_given_up(&self) -> bool {
        self.trouble.has_changed().is_err() && self.keys.load().is_none()
    }

    /// Waits until the provider was found or given up.
    pub(crate) async fn found(&self) {
        let mut trouble = self.trouble.clone();
        // The sender lives until there is no trouble any more, or until the search ends without success.
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
            Err(error) => cut(error.to_string()),
        };
        tracing::warn!(issuer = %issuer.url, %error, "cannot find the provider, will try again");
        tell.send_replace(Some(error));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_RETRY);
    }
}

#[cfg(test)]
mod tests {
    use burgee_identity::SettableClock;
    use jiff::Timestamp;
    use tokio::time::Instant;

    use super::*;
    use crate::NoMetrics;

    #[tokio::test(start_paused = true)]
    async fn a_search_with_a_limit_is_given_up_then() {
        let issuer = Issuer {
            url: "https://127.0.0.1:1".to_owned(),
            discovery_url: None,
            certificate_authority: None,
            audiences: vec!["a".to_owned()],
        };
        let surroundings = Surroundings {
            clock: Arc::new(SettableClock::at(Timestamp::UNIX_EPOCH)),
            metrics: Arc::new(NoMetrics),
            runtime: Handle::current(),
        };
        let limit = Duration::from_secs(60);
        let client = client(&issuer).unwrap();
        let find = |limit| Provider::find(issuer.clone(), client.clone(), &surroundings, limit);
        let (limited, unlimited) = (find(Some(limit)), find(None));
        let started = Instant::now();
        assert!(!limited.is_given_up());
        limited.found().await;
        assert_eq!(started.elapsed().as_secs(), limit.as_secs());
        assert!(limited.is_given_up());
        assert!(limited.keys().is_none() && limited.health().is_err());
        assert!(
            tokio::time::timeout(limit, unlimited.found())
                .await
                .is_err()
        );
        assert!(!unlimited.is_given_up());
    }
}
