//! The controllers that identity needs, against any Kubernetes API.
mod backoff;
mod client;
mod error;
mod queue;
mod reflector;
mod store;
#[cfg(test)]
mod testing;
mod transport;
mod url;
mod watch;

pub use client::{Client, DeleteOptions, Page, PatchType, Propagation, Scope, Target, View};
pub use error::Error;
pub use queue::{Queue, Verdict};
pub use reflector::{Handler, Reflector};
pub use store::{Change, Store};
pub use transport::{BoxError, ResponseBody, Transport};
pub use watch::{Event, Watch};
