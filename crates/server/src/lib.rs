//! The Kubernetes API over HTTPS: resources, watches, discovery, health and metrics.
//!
//! A [`Server`] stands over a [`burgee_store::Store`]. It keeps everything that is stored in memory,
//! fed by the store's watch, and wires authentication, authorization, admission and the generic
//! registry together. It reads no files: a [`Config`] carries all that it needs.
//!
//! ```
//! use std::sync::Arc;
//! use burgee_identity::{SystemClock, UserInfo};
//! use burgee_jose::{Algorithm, PrivateKey, SigningKey};
//! use burgee_server::{Config, Server, ServingCertificate};
//! use burgee_store::{EmbeddedOptions, EmbeddedStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let store = Arc::new(EmbeddedStore::open(directory.path(), EmbeddedOptions::default())?);
//! let tls = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
//! let key = rustls_pki_types::PrivateKeyDer::try_from(tls.signing_key.serialize_der())?;
//! let certificate = ServingCertificate::new(vec![tls.cert.der().clone()], key)?;
//! let signing_key = SigningKey::new(PrivateKey::generate(Algorithm::Es256)?);
//! let issuer = "https://kubernetes.default.svc";
//! let listeners = vec![std::net::TcpListener::bind("127.0.0.1:0")?];
//! let config = Config::new(listeners, Arc::new(certificate), issuer, Arc::new(signing_key));
//!
//! let server = Server::start(config, store, Arc::new(SystemClock::new())).await?;
//! let request = http::Request::get("/api/v1/namespaces/default").body(bytes::Bytes::new())?;
//! let admin = Arc::new(UserInfo::named("admin").with_groups(["system:masters"]));
//! assert_eq!(server.local_client().send(request, admin).await.status(), 200);
//! server.stop().await;
//! # Ok(())
//! # }
//! ```

mod api;
mod authentication;
mod authorization;
mod cache;
mod error;
mod explanations;
#[cfg(test)]
mod faults;
mod frontend;
mod health;
mod http;
mod impersonation;
mod listener;
mod lookups;
mod metrics;
mod observers;
mod oidc;
mod open_requests;
mod registry;
mod reviews;
mod server;
mod startup;
mod tls;
mod unauthorized;

pub use authentication::{FrontProxies, Reloads, TokenWebhook};
pub use error::Error;
pub use http::Body;
pub use server::{AnonymousRequests, Config, LocalClient, NamedFile, Server, VersionInfo};
pub use tls::ServingCertificate;
