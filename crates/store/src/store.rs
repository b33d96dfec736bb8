//! The contract.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Error, KeyValue, Result, Revision, Watch};

/// The longest key in bytes. Kubernetes' longest are well below (a 63-byte namespace, a 253-byte
/// name, the resource's group and plural name before them).
pub const MAX_KEY_BYTES: usize = 1024;

/// The longest value in bytes: 3 MiB, what kube-apiserver's request limit lets through.
pub const MAX_VALUE_BYTES: usize = 3 * 1024 * 1024;

/// A subset of etcd's key-value and watch API, with the same guarantees.
///
/// Writes happen one after the other, each at its own revision, and an answered write is durable.
/// Reads and watches show durable writes only, and a read that starts after an answer was given
/// shows at least that write. A write that ends in [`Error::StorageFull`], [`Error::Io`] or
/// [`Error::Unavailable`] may or may not have been applied, entirely or not at all: read again. The
/// same holds for a write whose future was dropped.
///
/// Upstream: <https://etcd.io/docs/latest/learning/api_guarantees/>.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The key as it is now, or as it was right after `revision`, and the revision that was read at.
    ///
    /// # Errors
    /// [`Error::Compacted`] and [`Error::FutureRevision`] for a `revision` that cannot be read.
    async fn get(
        &self,
        key: &str,
        revision: Option<Revision>,
    ) -> Result<(Option<KeyValue>, Revision)>;

    /// The keys under a prefix in byte order, now or as they were right after one revision.
    ///
    /// # Errors
    /// [`Error::Compacted`] and [`Error::FutureRevision`] for a revision that cannot be read.
    async fn range(&self, request: RangeRequest<'_>) -> Result<Page>;

    /// Writes a key that does not exist; answers the revision of the write.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`]; [`Error::InvalidKey`] and [`Error::ValueTooLarge`] for what no
    /// store takes.
    async fn create(&self, key: &str, value: Bytes) -> Result<Revision>;

    /// Writes a key whose `mod_revision` is `expected` (0: that does not exist); answers the
    /// revision of the write.
    ///
    /// # Errors
    /// [`Error::Conflict`] with the key as it is; [`Error::InvalidKey`] and
    /// [`Error::ValueTooLarge`] for what no store takes.
    async fn put(&self, key: &str, value: Bytes, expected: Revision) -> Result<Revision>;

    /// Deletes a key whose `mod_revision` is `expected`; answers the revision of the deletion.
    ///
    /// # Errors
    /// [`Error::Conflict`] with the key as it is, `None` where there is none to delete.
    async fn delete(&self, key: &str, expected: Revision) -> Result<Revision>;

    /// Every event under a prefix from revision `from` on, first those of the past, then live,
    /// without gap or duplicate. 0 means from the next revision on; a revision of the future is
    /// waited for.
    ///
    /// # Errors
    /// [`Error::Compacted`] if `from` has been forgotten. The stream ends with the same error if that
    /// happens before it has caught up, and with [`Error::SlowConsumer`] when its bounded buffer
    /// overflows.
    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch>;

    /// The revision of the newest write.
    ///
    /// # Errors
    /// Only those of the engine.
    async fn revision(&self) -> Result<Revision>;

    /// Forgets what was before `revision`; reading at `revision` and watching from it stay possible.
    /// Does nothing where that has been forgotten already.
    ///
    /// # Errors
    /// [`Error::FutureRevision`].
    async fn compact(&self, revision: Revision) -> Result<()>;
}

/// Which keys [`Store::range`] answers.
///
/// ```
/// use burgee_store::{RangeRequest, Revision};
///
/// let first = RangeRequest::under("/registry/secrets/").limit(500);
/// let second = first.start_after("/registry/secrets/default/m").at(Revision(42));
/// assert_eq!(second.limit, Some(500));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RangeRequest<'a> {
    /// Keys that start with this; every key if empty.
    pub prefix: &'a str,
    /// Only keys after this one, the last key of the page before.
    pub start_after: Option<&'a str>,
    /// At most so many keys; all if `None` or 0, as in etcd's API.
    pub limit: Option<usize>,
    /// As they were right after this revision, the first page's; now if `None` or 0.
    pub revision: Option<Revision>,
    /// Whether to count the keys that the limit cuts off. An engine may have to walk over every one
    /// of them, so a reader of many pages asks for it once, if at all.
    pub count: bool,
}

impl<'a> RangeRequest<'a> {
    /// Every key that starts with `prefix`, as it is now.
    #[must_use]
    pub fn under(prefix: &'a str) -> Self {
        Self {
            prefix,
            ..Self::default()
        }
    }

    /// At most `limit` keys.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    /// Only keys after `key`.
    #[must_use]
    pub fn start_after(self, key: &'a str) -> Self {
        Self {
            start_after: Some(key),
            ..self
        }
    }

    /// As the keys were right after `revision`.
    #[must_use]
    pub fn at(self, revision: Revision) -> Self {
        Self {
            revision: Some(revision),
            ..self
        }
    }

    /// With the number of keys that the limit cuts off, see [`Page::remaining`].
    #[must_use]
    pub fn counting(self) -> Self {
        Self {
            count: true,
            ..self
        }
    }
}

/// What [`Store::range`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The keys in byte order.
    pub items: Vec<KeyValue>,
    /// The revision that the page shows: the one asked for, or else the store's. The next page is
    /// asked for at this one, and a watch continues from the one after.
    pub revision: Revision,
    /// Whether the limit cut off further keys.
    pub more: bool,
    /// How many keys it cut off, if the request counts them, and `None` if not. Together with the
    /// items this is the `count` of etcd's range response.
    pub remaining: Option<u64>,
}

/// Refuses keys that no engine takes.
pub(crate) fn check_key(key: &str) -> Result<()> {
    let reason = if key.is_empty() {
        "it is empty"
    } else if key.len() > MAX_KEY_BYTES {
        "it is longer than 1024 bytes"
    } else if key.contains('\0') {
        "it contains a NUL"
    } else {
        return Ok(());
    };
    Err(Error::InvalidKey { reason })
}

/// Refuses values that no engine takes.
pub(crate) fn check_value(value: &Bytes) -> Result<()> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(Error::ValueTooLarge {
            size: value.len(),
            limit: MAX_VALUE_BYTES,
        });
    }
    Ok(())
}
