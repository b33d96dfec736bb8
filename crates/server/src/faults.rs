//! A store for tests, whose faults can be chosen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use burgee_store::{
    EmbeddedOptions, EmbeddedStore, Error, KeyValue, Page, RangeRequest, Result, Revision, Store,
    Watch,
};
use bytes::Bytes;

/// An embedded store in a temporary directory.
pub(crate) struct Faulty {
    store: EmbeddedStore,
    stalls_watches: AtomicBool,
    stalls_reads: AtomicBool,
    refuses_writes: AtomicBool,
    _directory: tempfile::TempDir,
}

impl Faulty {
    /// One without faults so far.
    pub(crate) fn new() -> Arc<Self> {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path(), EmbeddedOptions::default()).unwrap();
        Arc::new(Self {
            store,
            stalls_watches: AtomicBool::new(false),
            stalls_reads: AtomicBool::new(false),
            refuses_writes: AtomicBool::new(false),
            _directory: directory,
        })
    }

    /// Watches that begin from now on deliver nothing.
    pub(crate) fn stall_watches(&self) {
        self.stalls_watches.store(true, Ordering::SeqCst);
    }

    /// Reads of one key are not answered from now on.
    pub(crate) fn stall_reads(&self) {
        self.stalls_reads.store(true, Ordering::SeqCst);
    }

    /// Creations fail from now on.
    pub(crate) fn refuse_writes(&self) {
        self.refuses_writes.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for Faulty {
    async fn get(
        &self,
        key: &str,
        revision: Option<Revision>,
    ) -> Result<(Option<KeyValue>, Revision)> {
        if self.stalls_reads.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.store.get(key, revision).await
    }

    async fn range(&self, request: RangeRequest<'_>) -> Result<Page> {
        self.store.range(request).await
    }

    async fn create(&self, key: &str, value: Bytes) -> Result<Revision> {
        if self.refuses_writes.load(Ordering::SeqCst) {
            return Err(Error::Closed);
        }
        self.store.create(key, value).await
    }

    async fn put(&self, key: &str, value: Bytes, expected: Revision) -> Result<Revision> {
        self.store.put(key, value, expected).await
    }

    async fn delete(&self, key: &str, expected: Revision) -> Result<Revision> {
        self.store.delete(key, expected).await
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch> {
        if self.stalls_watches.load(Ordering::SeqCst) {
            return Ok(Watch::new(futures_util::stream::pending()));
        }
        self.store.watch(prefix, from).await
    }

    async fn revision(&self) -> Result<Revision> {
        self.store.revision().await
    }

    async fn compact(&self, revision: Revision) -> Result<()> {
        self.store.compact(revision).await
    }
}
