//! A small subset of etcd's contract, as one trait, and an embedded engine that keeps it.
//!
//! A [`Store`] maps keys to values and numbers every write: the store as a whole stands at a
//! [`Revision`], each key knows which revision created and last wrote it, writes can require the
//! revision that they replace, and [`Store::watch`] tells what happened since any revision that has
//! not been compacted away. [`EmbeddedStore`] does this in one file for one process.
//!
//! ```
//! use burgee_store::{EmbeddedOptions, EmbeddedStore, Error, RangeRequest, Revision, Store};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path();
//! let store = EmbeddedStore::open(path, EmbeddedOptions::default())?;
//! let created = store.create("/fruit/apple", "green".into()).await?;
//! assert_eq!(created, Revision(2));
//! store.put("/fruit/apple", "red".into(), created).await?;
//!
//! let before = store.range(RangeRequest::under("/fruit/").at(created)).await?;
//! assert_eq!(before.items[0].value, "green");
//!
//! let stale = store.delete("/fruit/apple", created).await;
//! assert!(matches!(stale, Err(Error::Conflict { .. })));
//! store.close().await
//! # }
//! ```

#[cfg(feature = "conformance")]
pub mod conformance;
mod embedded;
mod error;
mod key_value;
mod store;
mod watch;

pub use embedded::{EmbeddedOptions, EmbeddedStore};
pub use error::{Error, Result};
pub use key_value::{Event, KeyValue, Revision};
pub use store::{MAX_KEY_BYTES, MAX_VALUE_BYTES, Page, RangeRequest, Store};
pub use watch::{Watch, WatchItem};
