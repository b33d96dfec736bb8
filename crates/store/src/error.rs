//! Why a store could not do what it was asked.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{KeyValue, Revision};

/// The result of a store's operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a store could not do what it was asked.
///
/// The first group are answers of the contract that callers act on; the rest tells an operator what
/// is wrong with the engine, with which file, and what to do. Cloning is cheap: one failed commit
/// answers every write in it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `create` of a key that exists.
    #[error("the key already exists")]
    AlreadyExists,

    /// `put` or `delete` of a key that is not at the expected revision.
    #[error("the key is not at the expected revision")]
    Conflict {
        /// The key as it is now; `None` if it does not exist.
        current: Option<KeyValue>,
    },

    /// A revision that compaction has forgotten. List again, then watch from there.
    #[error("the requested revision has been compacted, the oldest one kept is {oldest}")]
    Compacted {
        /// The oldest revision that can still be read or watched from.
        oldest: Revision,
    },

    /// A revision that the store has not reached.
    #[error("the requested revision is in the future, the store is at {current}")]
    FutureRevision {
        /// The store's revision.
        current: Revision,
    },

    /// A key outside of what a store takes.
    #[error("invalid key: {reason}")]
    InvalidKey {
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A value longer than [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES).
    #[error("the value has {size} bytes, the limit is {limit}")]
    ValueTooLarge {
        /// The length of the value in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },

    /// A watch ended because events came faster than they were taken. List again, then watch.
    #[error("the watch fell too far behind and was ended")]
    SlowConsumer,

    /// The store was closed.
    #[error("the store is closed")]
    Closed,

    /// The data directory cannot be used.
    #[error("data directory {}: {problem}", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What is wrong and what to do about it.
        problem: &'static str,
        /// The operating system's reason, where there is one.
        #[source]
        source: Option<Arc<io::Error>>,
    },

    /// Another process uses the data directory.
    #[error(
        "data directory {} is in use by another process{}; stop it or choose another directory",
        .path.display(), holder_text(*.holder)
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process id that the holder left in the lock file.
        holder: Option<u32>,
    },

    /// The disk is full. The write may or may not have been applied; reads go on, and writes do as
    /// soon as there is space.
    #[error("no space left for {}; free some space, nothing needs a restart", .file.display())]
    StorageFull {
        /// The file that could not grow.
        file: PathBuf,
        /// The operating system's reason.
        #[source]
        source: Arc<io::Error>,
    },

    /// The operating system failed to read or write. A write may or may not have been applied.
    #[error("cannot {operation} {}", .file.display())]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// The file.
        file: PathBuf,
        /// The operating system's reason.
        #[source]
        source: Arc<io::Error>,
    },

    /// A file does not hold what the engine wrote.
    #[error(
        "{} is damaged ({detail}); it was left as it is: keep a copy, then restore a backup of it \
         or move it away to start with an empty store",
        .file.display()
    )]
    Corrupted {
        /// The file.
        file: PathBuf,
        /// What did not fit.
        detail: String,
    },

    /// A file was written by a newer version.
    #[error(
        "{} has format version {found}, this version reads up to {supported}; use the newer version",
        .file.display()
    )]
    UnsupportedFormat {
        /// The file.
        file: PathBuf,
        /// The version in the file.
        found: u64,
        /// The newest version that this program reads.
        supported: u64,
    },

    /// The engine cannot answer at the moment. A write may or may not have been applied.
    #[error("the store is not available: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
}

fn holder_text(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_directory_is_named_with_its_holder() {
        let error = Error::InUse {
            path: "/var/lib/burgee".into(),
            holder: Some(42),
        };
        let text = error.to_string();
        assert!(
            text.contains("/var/lib/burgee") && text.contains("(pid 42)"),
            "{text}"
        );
    }

    #[test]
    fn an_error_does_not_repeat_its_source() {
        let error = Error::StorageFull {
            file: "store.redb".into(),
            source: Arc::new(io::Error::from(io::ErrorKind::StorageFull)),
        };
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(!error.to_string().contains(&source));
    }
}
