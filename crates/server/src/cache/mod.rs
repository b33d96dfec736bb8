//! The watch-fed memory of everything that is stored.
//!
//! Reads, watches, authentication and authorization are answered from here; the store itself is asked
//! only for writes and for lists at old revisions. One task follows the store's watch and applies its
//! events in order, so that every cache stands at one revision ([`Caches::revision`]), and a request
//! that must see a write waits until that revision is reached ([`Caches::reach`]).

mod entry;
mod feed;
mod resource;
mod watcher;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use burgee_resources::Resource;
use burgee_store::{Revision, Store};
use tokio::sync::watch;

pub(crate) use entry::Entry;
pub(crate) use resource::{Change, ResourceCache};
pub(crate) use watcher::{EventKind, Filter, TooOld, Watcher};

/// Every cache, and the revision they stand at.
#[derive(Debug)]
pub(crate) struct Caches {
    by_prefix: BTreeMap<String, Arc<ResourceCache>>,
    applied: watch::Sender<Revision>,
}

/// Told of every change, in order, before the change counts as applied.
pub(crate) trait Observer: Send + Sync {
    /// Everything that is there, after the first load or when events were missed.
    fn reset(&self, caches: &Caches);
    /// One change.
    fn observe(&self, resource: &'static Resource, change: &Change);
    /// A batch of changes is complete.
    fn settle(&self);
}

impl Caches {
    pub(crate) fn new() -> Self {
        let stored = burgee_resources::all()
            .iter()
            .filter(|resource| resource.stored());
        let caches = stored.map(|each| (each.storage_prefix(), Arc::new(ResourceCache::new(each))));
        Self {
            by_prefix: caches.collect(),
            applied: watch::Sender::new(Revision(0)),
        }
    }

    /// The cache of a stored resource.
    pub(crate) fn of(&self, resource: &Resource) -> Option<&Arc<ResourceCache>> {
        self.by_prefix
            .values()
            .find(|cache| std::ptr::eq(cache.resource(), resource))
    }

    /// The cache of the stored resource with this name.
    pub(crate) fn named(&self, group: &str, plural: &str) -> Option<&Arc<ResourceCache>> {
        self.by_prefix
            .values()
            .find(|cache| cache.resource().plural == plural && cache.resource().group == group)
    }

    /// Every cache.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<ResourceCache>> {
        self.by_prefix.values()
    }

    /// The cache that keeps `key`.
    fn of_key(&self, key: &str) -> Option<&Arc<ResourceCache>> {
        let (prefix, cache) = self.by_prefix.range(..=key.to_owned()).next_back()?;
        key.starts_with(prefix.as_str()).then_some(cache)
    }

    /// The revision up to which everything is applied.
    pub(crate) fn revision(&self) -> Revision {
        *self.applied.borrow()
    }

    /// Waits until `revision` is applied; false when that takes longer than `limit`.
    pub(crate) async fn reach(&self, revision: Revision, limit: Duration) -> bool {
        if self.revision() >= revision {
            return true;
        }
        let mut applied = self.applied.subscribe();
        let reached = applied.wait_for(|applied| *applied >= revision);
        tokio::time::timeout(limit, reached)
            .await
            .is_ok_and(|result| result.is_ok())
    }
}

/// Loads everything and starts to follow the store, until the task is aborted.
///
/// # Errors
///
/// When the store cannot be read at first. Later failures are retried.
pub(crate) async fn start(
    store: Arc<dyn Store>,
    observer: Arc<dyn Observer>,
) -> burgee_store::Result<(Arc<Caches>, tokio::task::JoinHandle<()>)> {
    let caches = Arc::new(Caches::new());
    let feed = feed::Feed {
        caches: Arc::clone(&caches),
        store,
        observer,
    };
    let from = feed.load().await?;
    let task = tokio::spawn(async move { feed.follow(from).await });
    Ok((caches, task))
}
