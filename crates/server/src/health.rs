//! `/healthz`, `/livez` and `/readyz`, in upstream's format.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burgee_store::Store;
use http::{Response, StatusCode};

use crate::http::{Body, Query, text};

/// The key that is read to see whether the store answers. It need not be there.
const PROBED: &str = "/registry/health";

/// What the health endpoints look at.
pub(crate) struct Health {
    store: Arc<dyn Store>,
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

/// The endpoints and what each of them checks.
const ENDPOINTS: [(&str, &[Check]); 3] = [
    ("healthz", &[Check::Ping, Check::Store, Check::Startup]),
    ("livez", &[Check::Ping, Check::Store, Check::Startup]),
    (
        "readyz",
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
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
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

    async fn passes(&self, check: Check) -> bool {
        match check {
            Check::Ping | Check::Caches => true,
            Check::Shutdown => !self.stopping.load(Ordering::Acquire),
            Check::Startup => self.started.load(Ordering::Acquire),
            Check::Store => self.store.get(PROBED, None).await.is_ok(),
        }
    }
}
