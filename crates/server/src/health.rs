//! `/healthz`, `/livez` and `/readyz`, in upstream's format.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use burgee_oidc::{IssuerHealth, JwtAuthenticators, hash_label};
use burgee_store::Store;
use http::{Response, StatusCode};
use tokio::task::AbortHandle;

use crate::cache::Caches;
use crate::http::{Body, Query, text};

/// The key that is read to see whether the store answers. It need not be there.
const PROBED: &str = "/registry/health";

/// How long memory may take to get to what is stored, before it counts as cut off.
const CATCH_UP: Duration = Duration::from_secs(3);

/// What the health endpoints look at.
pub(crate) struct Health {
    store: Arc<dyn Store>,
    caches: Arc<Caches>,
    /// The task that brings to the caches what is stored.
    feed: AbortHandle,
    jwt: Arc<JwtAuthenticators>,
    started: AtomicBool,
    stopping: AtomicBool,
}

/// One named check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Check {
    Caches,
    Ping,
    Shutdown,
    Startup,
    Store,
}

impl Check {
    fn name(self) -> &'static str {
        match self {
            Self::Caches => "informer-sync",
            Self::Ping => "ping",
            Self::Shutdown => "shutdown",
            Self::Startup => "poststarthook/rbac/bootstrap-roles",
            Self::Store => "store",
        }
    }
}

const READYZ: &str = "readyz";

/// The endpoints and what each of them checks.
const ENDPOINTS: [(&str, &[Check]); 3] = [
    ("healthz", &[Check::Ping, Check::Store, Check::Startup]),
    ("livez", &[Check::Ping, Check::Store, Check::Startup]),
    (
        READYZ,
        &[
            Check::Ping,
            Check::Store,
            Check::Caches,
            Check::Startup,
            Check::Shutdown,
        ],
    ),
];

impl Health {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        caches: Arc<Caches>,
        feed: AbortHandle,
        jwt: Arc<JwtAuthenticators>,
    ) -> Self {
        Self {
            store,
            caches,
            feed,
            jwt,
            started: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        }
    }

    /// Everything is in place.
    pub(crate) fn started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// No new work, please.
    pub(crate) fn stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// The answer to a health request; `None` when the path is no health endpoint.
    pub(crate) async fn answer(&self, path: &str, query: &Query) -> Option<Response<Body>> {
        let path = path.strip_prefix('/')?;
        let (endpoint, one) = path
            .split_once('/')
            .map_or((path, None), |(e, one)| (e, Some(one)));
        let (name, checks) = ENDPOINTS.into_iter().find(|(name, _)| *name == endpoint)?;
        if let Some(one) = one.filter(|one| !one.is_empty()) {
            let check = checks.iter().find(|check| check.name() == one)?;
            return Some(match self.passes(*check).await {
                true => text(StatusCode::OK, "ok"),
                false => text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal server error: reason withheld\n",
                ),
            });
        }
        let (mut report, mut failed) = (String::new(), false);
        for check in checks {
            let name = check.name();
            if query.all("exclude").any(|excluded| excluded == name) {
                report.push_str(&format!("[+]{name} excluded: ok\n"));
            } else if self.passes(*check).await {
                report.push_str(&format!("[+]{name} ok\n"));
            } else {
                report.push_str(&format!("[-]{name} failed: reason withheld\n"));
                failed = true;
            }
        }
        if name == READYZ {
            self.report_issuers(&mut report);
        }
        Some(if failed {
            report.push_str(&format!("{name} check failed\n"));
            text(StatusCode::INTERNAL_SERVER_ERROR, report)
        } else if query.first("verbose").is_some() {
            report.push_str(&format!("{name} check passed\n"));
            text(StatusCode::OK, report)
        } else {
            text(StatusCode::OK, "ok")
        })
    }

    /// Tells of issuers whose provider was not found. The server is ready without them: it is upstream's
    /// way, and every other credential goes on to be good.
    fn report_issuers(&self, report: &mut String) {
        for IssuerHealth { issuer, result } in self.jwt.health() {
            // Everybody may ask, and whom an organisation trusts is not everybody's business.
            let issuer = hash_label(issuer.as_bytes());
            report.push_str(&match result {
                Ok(()) => format!("[+]jwt-issuer/{issuer} ok\n"),
                Err(_) => format!("[!]jwt-issuer/{issuer} not initialized, which is tolerated\n"),
            });
        }
    }

    async fn passes(&self, check: Check) -> bool {
        match check {
            Check::Caches => !self.feed.is_finished() && self.catches_up().await,
            Check::Ping => true,
            Check::Shutdown => !self.stopping.load(Ordering::Acquire),
            Check::Startup => self.started.load(Ordering::Acquire),
            Check::Store => self.store.get(PROBED, None).await.is_ok(),
        }
    }

    /// Whether what is stored now gets to the caches soon.
    async fn catches_up(&self) -> bool {
        match self.store.revision().await {
            Ok(revision) => self.caches.reach(revision, CATCH_UP).await,
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{self, Change, Observer};
    use crate::faults::Faulty;
    use burgee_resources::Resource;
    use http_body_util::BodyExt as _;

    struct Nobody;

    impl Observer for Nobody {
        fn reset(&self, _: &Caches) {}
        fn observe(&self, _: &'static Resource, _: &Change) {}
        fn settle(&self) {}
    }

    async fn ready(health: &Health) -> (u16, String) {
        let response = health.answer("/readyz", &Query::default()).await.unwrap();
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn health(store: &Arc<Faulty>) -> (Health, tokio::task::JoinHandle<()>) {
        let store = Arc::clone(store) as Arc<dyn Store>;
        let (caches, feed) = cache::start(Arc::clone(&store), Arc::new(Nobody))
            .await
            .unwrap();
        let clock = Arc::new(burgee_identity::SystemClock::new());
        let jwt = JwtAuthenticators::start([], clock, Arc::new(burgee_oidc::NoMetrics)).unwrap();
        let health = Health::new(store, caches, feed.abort_handle(), Arc::new(jwt));
        health.started();
        (health, feed)
    }

    #[tokio::test]
    async fn readiness_follows_the_feed() {
        let store = Faulty::new();
        let (health, feed) = health(&store).await;
        store.create("/registry/x", "{}".into()).await.unwrap();
        assert_eq!(ready(&health).await, (200, "ok".to_owned()));
        feed.abort();
        assert!(feed.await.unwrap_err().is_cancelled());
        let (code, report) = ready(&health).await;
        assert_eq!(code, 500);
        assert!(
            report.contains("[-]informer-sync failed: reason withheld\n"),
            "{report}"
        );
        let live = health.answer("/livez", &Query::default()).await.unwrap();
        assert_eq!(live.status(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_that_does_not_get_on_fails_readiness() {
        let store = Faulty::new();
        store.stall_watches();
        let (health, _feed) = health(&store).await;
        assert_eq!(ready(&health).await.0, 200);
        store.create("/registry/x", "{}".into()).await.unwrap();
        let (code, report) = ready(&health).await;
        assert_eq!(code, 500);
        assert!(report.contains("[-]informer-sync failed"), "{report}");
    }
}
