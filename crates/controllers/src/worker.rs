//! Workers: take a key, make the API what it should be, give the key back.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Error, Queue, Store, Verdict};

/// What a controller does about one key.
#[async_trait]
pub(crate) trait Reconcile: Send + Sync + 'static {
    /// What names the thing to look at.
    type Key: Clone + Debug + Eq + Hash + Ord + Send + Sync + 'static;

    /// The controller's name, for the log.
    const NAME: &'static str;

    /// Compares what is with what should be, and acts on the difference. It is called again whenever
    /// something may have changed, and never for the same key twice at a time.
    async fn reconcile(&self, key: &Self::Key) -> Result<Verdict, Error>;
}

/// A controller that has not begun to work.
pub(crate) struct Workers<R: Reconcile> {
    pub(crate) reconciler: Arc<R>,
    pub(crate) queue: Arc<Queue<R::Key>>,
    /// What must be complete before the first key is looked at.
    pub(crate) stores: Vec<Arc<Store>>,
    /// How many keys are looked at at once.
    pub(crate) count: usize,
}

impl<R: Reconcile> Workers<R> {
    /// Starts them. When `stop` is cancelled each ends after the key that it is at.
    pub(crate) fn spawn(self, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
        let workers = Arc::new(self);
        for _ in 0..workers.count {
            tasks.spawn(Arc::clone(&workers).work(stop.clone()));
        }
    }

    async fn work(self: Arc<Self>, stop: CancellationToken) {
        for store in &self.stores {
            tokio::select! {
                () = stop.cancelled() => return,
                () = store.synced() => {}
            }
        }
        loop {
            let key = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                key = self.queue.next() => key,
            };
            match self.reconciler.reconcile(&key).await {
                Ok(verdict) => {
                    self.queue.finish(&key, verdict);
                }
                Err(error) => {
                    let failures = self.queue.finish(&key, Verdict::Failed);
                    report::<R>(&key, &error, failures);
                }
            }
        }
    }
}

fn report<R: Reconcile>(key: &R::Key, error: &Error, failures: u32) {
    let controller = R::NAME;
    let is_race = error.is_conflict() || error.is_already_exists();
    let error = error as &dyn std::error::Error;
    if is_race && failures == 1 {
        tracing::debug!(
            controller,
            ?key,
            error,
            "somebody else was faster, looking again"
        );
    } else {
        tracing::warn!(
            controller,
            ?key,
            error,
            failures,
            "cannot reconcile, trying again"
        );
    }
}
