//! Reads kubeconfig files, and makes of a context a client of its server.
//!
//! [`Kubeconfig`] is what the files say, merged as kubectl merges them; [`ClusterAccess`] is what one
//! context of it leads to, checked; [`Client`] sends requests there, with a bound on each answer. Files that
//! hold certificates or tokens are read again as they change, and plugins that give credentials are run as
//! needed. Secrets print nowhere and are sent over TLS alone.
//!
//! ```
//! use burgee_kubeconfig::Kubeconfig;
//!
//! let text = r#"
//! clusters: [{name: c, cluster: {server: "https://api.example.com"}}]
//! users: [{name: jane, user: {token: s3cr3t}}]
//! contexts: [{name: x, context: {cluster: c, user: jane, namespace: dev}}]
//! current-context: x
//! "#;
//! let access = Kubeconfig::parse(text.as_bytes())?.access(None)?;
//! assert_eq!(access.server(), "https://api.example.com");
//! assert_eq!(access.namespace(), "dev");
//! assert!(!format!("{access:?}").contains("s3cr3t"));
//! # Ok::<(), burgee_kubeconfig::Error>(())
//! ```
//!
//! With a file and a server:
//!
//! ```no_run
//! # async fn run() -> Result<(), burgee_kubeconfig::Error> {
//! use std::sync::Arc;
//! use burgee_identity::SystemClock;
//! use burgee_kubeconfig::Kubeconfig;
//!
//! let access = Kubeconfig::load_default()?.access(None)?;
//! let client = access.client(Arc::new(SystemClock::new()))?;
//! let version: serde_json::Value = client.get_json("/version").await?;
//! println!("{}", version["gitVersion"]);
//! # Ok(())
//! # }
//! ```

mod access;
mod client;
mod config;
mod credentials;
mod document;
mod entries;
mod error;
mod exec;
mod files;
mod transport;

pub use access::ClusterAccess;
pub use client::{Client, Request, Response};
pub use config::Kubeconfig;
pub use entries::{AuthProvider, Cluster, Context, ExecPlugin, InteractiveMode, User};
pub use error::{Error, Problem};
