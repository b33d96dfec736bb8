//! The task that follows the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use burgee_store::{Error, Event, KeyValue, RangeRequest, Revision, Store, WatchItem};

use super::{Caches, Entry, Observer, ResourceCache};

/// Everything that is stored, whatever the resource.
const ROOT: &str = "/registry/";
/// How many objects one read of the store asks for.
const PAGE: usize = 1000;

pub(super) struct Feed {
    pub(super) caches: Arc<Caches>,
    pub(super) store: Arc<dyn Store>,
    pub(super) observer: Arc<dyn Observer>,
}

impl Feed {
    /// Reads everything at one revision; returns the first revision that is still to come.
    pub(super) async fn load(&self) -> burgee_store::Result<Revision> {
        let mut fresh: BTreeMap<&str, BTreeMap<Arc<str>, Arc<Entry>>> = BTreeMap::new();
        let mut revision = None;
        let mut after: Option<Arc<str>> = None;
        loop {
            let request = RangeRequest {
                prefix: ROOT,
                start_after: after.as_deref(),
                limit: Some(PAGE),
                revision,
                count: false,
            };
            let page = self.store.range(request).await?;
            revision = Some(page.revision);
            after = page.items.last().map(|kv| Arc::clone(&kv.key));
            for kv in &page.items {
                let Some(cache) = self.caches.of_key(&kv.key) else {
                    continue;
                };
                if let Some(entry) = entry(cache, kv) {
                    let objects = fresh.entry(cache.resource().plural).or_default();
                    objects.insert(Arc::clone(&kv.key), entry);
                }
            }
            if !page.more {
                break;
            }
        }
        let revision = revision.unwrap_or_default();
        for cache in self.caches.all() {
            cache.replace(
                fresh.remove(cache.resource().plural).unwrap_or_default(),
                revision,
            );
        }
        self.observer.reset(&self.caches);
        self.caches.applied.send_replace(revision);
        Ok(revision.next())
    }

    /// Follows the store for ever. A watch that breaks is taken up where it ended; one that fell too
    /// far behind begins with a fresh read.
    pub(super) async fn follow(&self, mut from: Revision) {
        let mut patience = Backoff::default();
        loop {
            match self.follow_once(&mut from, &mut patience).await {
                Ok(()) => tracing::info!(revision = %from, "the store ended the watch, resuming"),
                Err(Error::Closed) => return,
                Err(Error::Compacted { .. } | Error::SlowConsumer) => {
                    tracing::warn!(revision = %from, "the cache fell behind the store, reading it again");
                    match self.load().await {
                        Ok(next) => from = next,
                        Err(error) => {
                            tracing::error!(%error, "cannot read the store, trying again")
                        }
                    }
                }
                Err(error) => tracing::error!(%error, "cannot watch the store, trying again"),
            }
            tokio::time::sleep(patience.next()).await;
        }
    }

    async fn follow_once(
        &self,
        from: &mut Revision,
        patience: &mut Backoff,
    ) -> burgee_store::Result<()> {
        let mut watch = self.store.watch(ROOT, *from).await?;
        while let Some(item) = watch.next().await {
            let item = item?;
            let reached = item.revision();
            if let WatchItem::Events(events) = item {
                self.apply(&events);
            }
            if reached.next() > *from {
                *from = reached.next();
                self.caches.applied.send_replace(reached);
            }
            patience.reset();
        }
        Ok(())
    }

    fn apply(&self, events: &[Event]) {
        let mut touched: Vec<&Arc<ResourceCache>> = Vec::new();
        for event in events {
            let Some(cache) = self.caches.of_key(event.key()) else {
                continue;
            };
            let after = match event {
                // What cannot be read is not there, as after a load: what was there before is gone.
                Event::Put { kv, .. } => entry(cache, kv),
                Event::Delete { .. } => None,
            };
            let change = cache.apply(event.key(), after, event.revision());
            self.observer.observe(cache.resource(), &change);
            if !touched.iter().any(|own| Arc::ptr_eq(own, cache)) {
                touched.push(cache);
            }
        }
        self.observer.settle();
        touched.into_iter().for_each(|cache| cache.announce());
    }
}

/// What is stored, prepared; something that is no object of the resource is left out and reported.
fn entry(cache: &ResourceCache, kv: &KeyValue) -> Option<Arc<Entry>> {
    match Entry::new(cache.resource(), kv) {
        Ok(entry) => Some(Arc::new(entry)),
        Err(error) => {
            tracing::error!(key = %kv.key, %error, "a stored value cannot be read and is not served");
            None
        }
    }
}

/// Waits that grow from 10 ms to 2 s.
#[derive(Default)]
struct Backoff {
    tries: u32,
}

impl Backoff {
    fn next(&mut self) -> Duration {
        let wait = Duration::from_millis(10 << self.tries.min(8));
        self.tries += 1;
        wait.min(Duration::from_secs(2))
    }

    fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Change;
    use super::*;
    use burgee_resources::Resource;
    use burgee_store::{EmbeddedOptions, EmbeddedStore};

    struct Nobody;

    impl Observer for Nobody {
        fn reset(&self, _: &Caches) {}
        fn observe(&self, _: &'static Resource, _: &Change) {}
        fn settle(&self) {}
    }

    #[tokio::test]
    async fn what_is_overwritten_by_something_unreadable_is_no_longer_served() {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path(), EmbeddedOptions::default()).unwrap();
        let feed = Feed {
            caches: Arc::new(Caches::new()),
            store: Arc::new(store),
            observer: Arc::new(Nobody),
        };
        let key = "/registry/configmaps/n/a";
        let readable =
            r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","uid":"u"}}"#;
        let created = feed.store.create(key, readable.into()).await.unwrap();
        feed.load().await.unwrap();
        let cache = feed.caches.of_key(key).unwrap();
        assert!(cache.get(key).is_some());

        feed.store
            .put(key, "no object".into(), created)
            .await
            .unwrap();
        let mut watch = feed.store.watch(ROOT, created.next()).await.unwrap();
        let Some(Ok(WatchItem::Events(events))) = watch.next().await else {
            panic!("a watch begins with the past");
        };
        feed.apply(&events);
        assert!(cache.get(key).is_none());
    }
}
