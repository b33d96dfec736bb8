//! The controllers that identity needs, against any Kubernetes API.
//!
//! [`run`] starts them: every namespace gets its ServiceAccount `default` and the certificate
//! authority, aggregated API servers learn whose certificates to trust, namespaces that are being deleted are emptied, objects go when their owners have gone,
//! and aggregating ClusterRoles gather their rules. They speak HTTP over a [`Transport`], never to a
//! store, so that the same code works inside a server and over a network.
//!
//! What they stand on is small and of use to other controllers: a [`Client`] for objects of any kind,
//! a [`Reflector`] that keeps a [`Store`] up to date by a list and a watch, and a [`Queue`] that hands
//! out each key once.
//!
//! ```
//! # use burgee_jose::{Algorithm, PrivateKey, SigningKey};
//! # use burgee_server::{Config, Server, ServingCertificate};
//! # use burgee_store::{EmbeddedOptions, EmbeddedStore};
//! use std::sync::Arc;
//! use burgee_controllers::{AuthenticationTrust, Client, Controller, Error, Options, ResponseBody, Target, Transport, View};
//! use burgee_identity::{SystemClock, UserInfo};
//! use http_body_util::BodyExt as _;
//!
//! /// Brings requests to a server in the same process.
//! struct InProcess(burgee_server::LocalClient);
//!
//! #[async_trait::async_trait]
//! impl Transport for InProcess {
//!     async fn send(
//!         &self,
//!         request: http::Request<bytes::Bytes>,
//!     ) -> Result<http::Response<ResponseBody>, Error> {
//!         let user = UserInfo::named("system:apiserver").with_groups(["system:masters"]);
//!         let response = self.0.send(request, Arc::new(user)).await;
//!         Ok(response.map(|body| body.map_err(|never| match never {}).boxed_unsync()))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let store = Arc::new(EmbeddedStore::open(directory.path(), EmbeddedOptions::default())?);
//! # let tls = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
//! # let key = rustls_pki_types::PrivateKeyDer::try_from(tls.signing_key.serialize_der())?;
//! # let certificate = Arc::new(ServingCertificate::new(vec![tls.cert.der().clone()], key)?);
//! # let signing_key = Arc::new(SigningKey::new(PrivateKey::generate(Algorithm::Es256)?));
//! # let config = Config::new(vec![], certificate, "https://issuer.example", signing_key);
//! # let server = Server::start(config, store, Arc::new(SystemClock::new())).await?;
//! # let ca_pem = tls.cert.pem();
//! let transport: Arc<dyn Transport> = Arc::new(InProcess(server.local_client()));
//! let clock = Arc::new(SystemClock::new());
//! let (_, trust) = tokio::sync::watch::channel(AuthenticationTrust::default());
//! let options = Options { ca_pem, trust, clock, controllers: Controller::ALL.to_vec() };
//! let stop = tokio_util::sync::CancellationToken::new();
//! let running = burgee_controllers::run(Arc::clone(&transport), options, &stop);
//!
//! running.ready().await;
//! let service_accounts = burgee_resources::find("", "v1", "serviceaccounts").unwrap();
//! let default = Target { resource: service_accounts, namespace: "default", name: "default" };
//! let found = Client::new(transport, "example").get(default, View::Metadata).await?;
//! assert!(!found.metadata.uid.is_empty());
//!
//! stop.cancel();
//! running.finished().await?;
//! # Ok(())
//! # }
//! ```

mod aggregation;
mod authentication_trust;
mod backoff;
mod client;
mod default_service_account;
mod error;
mod garbage_collector;
mod kinds;
mod namespace;
mod queue;
mod reflector;
mod request;
mod root_ca;
mod run;
mod store;
#[cfg(test)]
mod testing;
mod transport;
mod url;
mod watch;
mod worker;

pub use authentication_trust::{AuthenticationTrust, RequestHeaderTrust};
pub use client::Client;
pub use error::Error;
pub use queue::{Queue, Verdict};
pub use reflector::{Handler, Reflector};
pub use request::{DeleteOptions, Page, PatchType, Propagation, Scope, Target, View};
pub use run::{Controller, Options, Running, run};
pub use store::{Change, Store};
pub use transport::{BoxError, ResponseBody, Transport};
pub use watch::{Event, Watch};
