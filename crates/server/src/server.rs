//! A running server: put together, started, and stopped in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use burgee_authn::explain::RecentRefusals;
use burgee_authn::{AuthenticationLayer, Http2Mitigation};
use burgee_identity::{Clock, UserInfo};
use burgee_jose::{SigningKey, VerificationKeys};
use burgee_oidc::JwtAuthenticator;
use burgee_openapi::{About, Documents};
use burgee_service_account::{
    DiscoveryDocuments, IssuingRules, JwksUri, StaticKeys, TokenIssuer, TokenValidator,
};
use burgee_store::Store;
use bytes::Bytes;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use crate::api::Api;
use crate::authentication::{Authenticators, FrontProxies, Parts, Reloads, TokenWebhook};
use crate::authorization::Authorization;
use crate::cache;
use crate::frontend::Frontend;
use crate::health::Health;
use crate::http::Body;
use crate::listener;
use crate::lookups::Lookups;
use crate::metrics::Metrics;
use crate::observers::Observers;
use crate::oidc::OidcDocuments;
use crate::registry::{Admission, Registry};
use crate::tls::Tls;
use crate::unauthorized::unauthorized;
use crate::{Error, ServingCertificate, startup};

/// What a server is made of. Everything that it needs is in here; it reads no file by itself.
#[derive(Debug)]
pub struct Config {
    /// Sockets that already listen, so that who starts the server knows their ports beforehand.
    pub listeners: Vec<std::net::TcpListener>,
    /// What to show to clients.
    pub certificate: Arc<ServingCertificate>,
    /// Whose client certificates count: files of authorities, each with its name and PEM text. Without
    /// any, no client certificate does.
    pub client_ca: Vec<NamedFile>,
    /// Which client certificates count no more: the file's name and its PEM text.
    pub client_crl: Option<NamedFile>,
    /// Proxies that name users in headers.
    pub front_proxies: Option<FrontProxies>,
    /// Static tokens: the file's name and its CSV text.
    pub static_tokens: Option<NamedFile>,
    /// Whether bootstrap tokens are accepted: Secrets of type `bootstrap.kubernetes.io/token`.
    pub bootstrap_tokens: bool,
    /// Issuers whose JWTs are accepted.
    pub jwt: Vec<JwtAuthenticator>,
    /// A service that is asked about tokens that nobody else knows.
    pub webhook: Option<TokenWebhook>,
    /// Whether requests without credentials act as `system:anonymous`.
    pub anonymous: AnonymousRequests,
    /// Whether HTTP/2 connections end after a request of nobody known.
    pub http2_mitigation: Http2Mitigation,
    /// Service-account issuers: the first issues, all are accepted. Not empty.
    pub issuers: Vec<String>,
    /// What tokens for this server are made for; empty for all issuers.
    pub api_audiences: Vec<String>,
    /// Signs service-account tokens.
    pub signing_key: Arc<SigningKey>,
    /// Whose signatures on service-account tokens count.
    pub verification_keys: VerificationKeys,
    /// Where verifiers outside find the keys, if not at this server.
    pub jwks_uri: Option<String>,
    /// Host, and port unless it is 443, at which clients reach this server.
    pub external_address: String,
    /// The longest life of a service-account token in seconds, if there is one.
    pub max_token_expiration_seconds: Option<i64>,
    /// Whether tokens of pods are extended, see `burgee_service_account::Extension`.
    pub extension: burgee_service_account::Extension,
    /// How long a request that is no watch may take.
    pub request_timeout: Duration,
    /// How long open connections get to finish when the server stops.
    pub shutdown_grace: Duration,
    /// What tells this server apart from others of the same cluster, in metrics.
    pub server_id: String,
    /// The answer of `/version`.
    pub version: VersionInfo,
}

impl Config {
    /// A server of one issuer with kube-apiserver's defaults. It accepts the tokens that it signs
    /// itself, and lets anonymous requests through to authorization.
    #[must_use]
    pub fn new(
        listeners: Vec<std::net::TcpListener>,
        certificate: Arc<ServingCertificate>,
        issuer: impl Into<String>,
        signing_key: Arc<SigningKey>,
    ) -> Self {
        let own = signing_key.private_key().public_key().clone();
        Self {
            listeners,
            certificate,
            client_ca: Vec::new(),
            client_crl: None,
            front_proxies: None,
            static_tokens: None,
            bootstrap_tokens: false,
            jwt: Vec::new(),
            webhook: None,
            anonymous: AnonymousRequests::Allow,
            http2_mitigation: Http2Mitigation::Close,
            issuers: vec![issuer.into()],
            api_audiences: Vec::new(),
            signing_key,
            verification_keys: VerificationKeys::from_iter([own]),
            jwks_uri: None,
            external_address: "localhost".to_owned(),
            max_token_expiration_seconds: None,
            extension: burgee_service_account::Extension::Seconds(
                burgee_service_account::EXTENDED_SECONDS,
            ),
            request_timeout: Duration::from_secs(60),
            shutdown_grace: Duration::from_secs(10),
            server_id: "burgee".to_owned(),
            version: VersionInfo::current(),
        }
    }
}

/// A file that was read: its name, for messages, and its content.
#[derive(Clone)]
pub struct NamedFile {
    /// Path, as the operator gave it.
    pub path: String,
    /// Content.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for NamedFile {
    /// Never shows the content, which can be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NamedFile({})", self.path)
    }
}

/// What happens to requests without credentials.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AnonymousRequests {
    /// They act as `system:anonymous`.
    Allow,
    /// They act as `system:anonymous` where their path is exactly one of these, and are answered with
    /// 401 elsewhere.
    AllowAt(Vec<String>),
    /// They are answered with 401.
    Refuse,
}

/// What `/version` says.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfo {
    /// Kubernetes major version whose API this is.
    pub major: String,
    /// Kubernetes minor version whose API this is.
    pub minor: String,
    /// Both, and the server's own version behind a plus sign.
    pub git_version: String,
    /// Commit that the server was built from, if known.
    pub git_commit: String,
    /// Whether that commit was changed, if known.
    pub git_tree_state: String,
    /// When the server was built, if known.
    pub build_date: String,
    /// Go version; not applicable, but clients expect the member.
    pub go_version: String,
    /// Compiler.
    pub compiler: String,
    /// Operating system and architecture.
    pub platform: String,
}

impl VersionInfo {
    /// This program as a server of the Kubernetes 1.37 API.
    #[must_use]
    pub fn current() -> Self {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        let arch = match arch {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self {
            major: "1".to_owned(),
            minor: "37".to_owned(),
            git_version: format!("v1.37.0+burgee.{}", env!("CARGO_PKG_VERSION")),
            git_commit: String::new(),
            git_tree_state: String::new(),
            build_date: String::new(),
            go_version: String::new(),
            compiler: "rustc".to_owned(),
            platform: format!("{os}/{arch}"),
        }
    }
}

/// A server that answers requests. Dropping it stops it without waiting.
pub struct Server {
    addresses: Vec<SocketAddr>,
    frontend: Arc<Frontend>,
    api: Arc<Api>,
    reloads: Reloads,
    stop: CancellationToken,
    stop_watches: CancellationToken,
    serving: JoinHandle<()>,
    feeding: AbortOnDropHandle<()>,
    _stop_on_drop: [DropGuard; 2],
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Starts a server over a store: reads everything, answers, and makes sure that the system's
    /// namespaces and default RBAC objects are there. When this returns, it is ready.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from answering, with what to do about it.
    pub async fn start(
        mut config: Config,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let (listeners, addresses) = adopt(std::mem::take(&mut config.listeners))?;

        let (stop, stop_watches) = (CancellationToken::new(), CancellationToken::new());
        let authorization = Arc::new(Authorization::new());
        let observers = Arc::new(Observers::new(Arc::clone(&authorization)));
        let observer = Arc::clone(&observers) as Arc<dyn cache::Observer>;
        let (caches, feeding) = cache::start(Arc::clone(&store), observer).await?;
        let feeding = AbortOnDropHandle::new(feeding);
        let metrics = Arc::new(Metrics::new(&config.server_id));
        let lookups = Lookups {
            caches: Arc::clone(&caches),
            store: Arc::clone(&store),
        };
        let lookups = Arc::new(lookups);
        let tokens = tokens(&config, Arc::clone(&lookups), &clock)?;
        let parts = Parts {
            audiences: tokens.audiences.clone(),
            service_accounts: Arc::clone(&tokens.validator),
            lookups,
            metrics: &metrics,
            clock: &clock,
        };
        let authenticators = Arc::new(Authenticators::new(&config, parts)?);
        let chain = Arc::clone(&authenticators.chain);
        let health = Health::new(
            Arc::clone(&store),
            Arc::clone(&caches),
            feeding.abort_handle(),
            Arc::clone(&authenticators.jwt),
        );
        observers.attach(Arc::clone(&chain));
        let tls = Tls::new(
            Arc::clone(&config.certificate),
            authenticators.authorities(),
        )?;
        let proxies = Arc::clone(&authenticators);
        let reloads = Reloads::new(authenticators, Arc::new(tls));
        let audiences = tokens.audiences.clone();
        let layer = AuthenticationLayer::new(
            Arc::clone(&chain) as Arc<dyn burgee_authn::Authenticator>,
            audiences,
            Arc::clone(&clock),
        )
        .metrics(Arc::clone(&metrics) as Arc<dyn burgee_authn::Metrics>)
        .http2_mitigation(config.http2_mitigation)
        .http2_exempt(Arc::new(move |peer| proxies.is_front_proxy(peer)))
        .unauthorized(Arc::new(unauthorized));

        let api = Arc::new(Api {
            registry: Registry {
                store: Arc::clone(&store),
                caches,
                clock: Arc::clone(&clock),
                admission: Admission::new(Arc::clone(&authorization)),
            },
            authentication: chain,
            authorization,
            refusals: RecentRefusals::new(Arc::clone(&clock)),
            issuer: tokens.issuer,
            documents: Documents::new(
                burgee_resources::all(),
                About {
                    version: config.version.git_version.clone(),
                    server_address: config.external_address.clone(),
                },
            ),
            oidc: tokens.documents,
            health,
            metrics,
            clock,
            version: serde_json::to_value(&config.version).unwrap_or_default(),
            request_timeout: config.request_timeout,
            stop: stop_watches.clone(),
        });
        let frontend = Arc::new(Frontend::new(Arc::clone(&api), &layer));
        let serving = tokio::spawn(listener::serve(
            listeners,
            Arc::clone(reloads.tls()),
            Arc::clone(&frontend),
            listener::Timeouts::default(),
            stop.clone(),
            config.shutdown_grace,
        ));
        let server = Self {
            addresses,
            frontend,
            api,
            reloads,
            _stop_on_drop: [stop.clone().drop_guard(), stop_watches.clone().drop_guard()],
            stop,
            stop_watches,
            serving,
            feeding,
        };
        if let Err(failure) = startup::reconcile(&server.api.registry).await {
            server.stop().await;
            return Err(Error::Startup(failure));
        }
        server.api.health.started();
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A way to send it requests without a connection.
    #[must_use]
    pub fn local_client(&self) -> LocalClient {
        LocalClient {
            frontend: Arc::clone(&self.frontend),
        }
    }

    /// A way to exchange parts of its configuration.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.reloads.clone()
    }

    /// Waits for ever, or until a part of the server ends without having been told to, which takes
    /// a defect. The server is not of much use then, and should be stopped and started again.
    ///
    /// Dropping the future before it is ready loses nothing.
    pub async fn broken(&mut self) -> Error {
        let (fed, served) = (self.feeding.is_finished(), self.serving.is_finished());
        tokio::select! {
            () = ended(fed, &mut self.feeding) => Error::Ended("following the store"),
            () = ended(served, &mut self.serving) => Error::Ended("serving connections"),
        }
    }

    /// Says that it is not ready, so that load balancers look elsewhere; it goes on answering.
    pub fn begin_stop(&self) {
        self.api.health.stopping();
    }

    /// Stops in order: says that it is not ready, ends watches, answers what is under way, waits for
    /// connections to close, at most the configured grace, and ends those that are left. Nothing of
    /// it runs any more when this returns.
    pub async fn stop(self) {
        self.begin_stop();
        self.stop_watches.cancel();
        self.stop.cancel();
        let mut serving = self.serving;
        ended(serving.is_finished(), &mut serving).await;
        self.feeding.abort();
        ended(self.feeding.is_finished(), self.feeding).await;
    }
}

/// Waits for a task. One that is finished may not be asked again.
async fn ended(is_finished: bool, task: impl Future<Output = Result<(), JoinError>>) {
    if is_finished {
        return;
    }
    if let Err(error) = task.await
        && !error.is_cancelled()
    {
        tracing::error!(%error, "a task of the server ended badly");
    }
}

/// Sends requests to a server in the same process, as a user that it trusts.
#[derive(Clone)]
pub struct LocalClient {
    frontend: Arc<Frontend>,
}

impl LocalClient {
    /// Answers a request as if `user` had sent it with good credentials. Everything after
    /// authentication is as for any other request.
    pub async fn send(&self, request: Request<Bytes>, user: Arc<UserInfo>) -> Response<Body> {
        self.frontend.own(request, user).await
    }
}

impl std::fmt::Debug for LocalClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalClient")
    }
}

/// Takes over sockets that already listen.
fn adopt(
    sockets: Vec<std::net::TcpListener>,
) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), Error> {
    let adopted = sockets.into_iter().map(|socket| {
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from_std(socket)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    adopted.collect::<Result<_, _>>().map_err(Error::Listener)
}

/// Issuing and accepting service-account tokens.
struct Tokens {
    audiences: Vec<String>,
    issuer: TokenIssuer,
    validator: Arc<TokenValidator>,
    documents: OidcDocuments,
}

fn tokens(config: &Config, lookups: Arc<Lookups>, clock: &Arc<dyn Clock>) -> Result<Tokens, Error> {
    let first = config.issuers.first().ok_or(Error::NoIssuer)?;
    let own = burgee_jose::Signer::key_id(&*config.signing_key);
    if !config.verification_keys.contains(own.as_str()) {
        return Err(Error::SigningKeyUnverified);
    }
    let audiences = match config.api_audiences.as_slice() {
        [] => config.issuers.clone(),
        given => given.to_vec(),
    };
    let rules = IssuingRules {
        api_audiences: audiences.clone(),
        max_expiration_seconds: config.max_token_expiration_seconds,
        extension: config.extension,
        ..IssuingRules::new(first)
    };
    for warning in rules.warnings() {
        tracing::warn!("{warning}");
    }
    let jwks_uri = match &config.jwks_uri {
        Some(uri) => JwksUri::Fixed(uri.clone()),
        None => JwksUri::External(config.external_address.clone()),
    };
    let documents = DiscoveryDocuments::render(first, &jwks_uri, &config.verification_keys);
    let documents = documents.inspect_err(|error| {
        tracing::warn!(%error, "the service-account issuer is not published");
    });
    let keys = Arc::new(StaticKeys(Arc::new(config.verification_keys.clone())));
    let validator = TokenValidator::new(
        config.issuers.clone(),
        audiences.clone(),
        keys,
        Arc::clone(&lookups) as _,
        Arc::clone(clock),
    );
    let signer = Arc::clone(&config.signing_key) as _;
    let issuer = TokenIssuer::new(rules, lookups, signer, Arc::clone(clock));
    let (validator, documents) = (Arc::new(validator), OidcDocuments(documents.ok()));
    Ok(Tokens {
        audiences,
        issuer,
        validator,
        documents,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Faulty;
    use burgee_identity::SystemClock;
    use burgee_jose::{Algorithm, PrivateKey};
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;

    fn config(listeners: Vec<std::net::TcpListener>) -> Config {
        let tls = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(tls.signing_key.serialize_der());
        let certificate = ServingCertificate::new(vec![tls.cert.der().clone()], key.unwrap());
        let signing_key = SigningKey::new(PrivateKey::generate(Algorithm::Es256).unwrap());
        let issuer = "https://kubernetes.default.svc";
        let certificate = Arc::new(certificate.unwrap());
        Config::new(listeners, certificate, issuer, Arc::new(signing_key))
    }

    async fn start(store: &Arc<Faulty>, config: Config) -> Result<Server, Error> {
        let store = Arc::clone(store) as Arc<dyn Store>;
        Server::start(config, store, Arc::new(SystemClock::new())).await
    }

    async fn ask(server: &Server, path: &str) -> (u16, String) {
        let admin = Arc::new(UserInfo::named("admin").with_groups(["system:masters"]));
        let request = Request::get(path).body(Bytes::new()).unwrap();
        let response = server.local_client().send(request, admin).await;
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_server_whose_feed_ends_is_broken_and_not_ready() {
        let store = Faulty::new();
        let mut server = start(&store, config(Vec::new())).await.unwrap();
        assert_eq!(ask(&server, "/readyz").await, (200, "ok".to_owned()));
        assert!(server.broken().now_or_never().is_none());
        server.feeding.abort();
        for _ in 0..2 {
            let error = server.broken().await;
            assert!(matches!(error, Error::Ended("following the store")));
        }
        assert_eq!(ask(&server, "/readyz").await.0, 500);
        server.stop().await;
    }

    #[tokio::test]
    async fn a_server_that_cannot_start_leaves_nothing_running() {
        let store = Faulty::new();
        store.refuse_writes();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let outcome = start(&store, config(vec![listener])).await;
        assert!(matches!(outcome, Err(Error::Startup(_))));
        assert_eq!(Arc::strong_count(&store), 1);
        assert!(std::net::TcpStream::connect(address).is_err());
    }

    #[tokio::test]
    async fn a_request_that_breaks_off_is_no_longer_under_way() {
        let store = Faulty::new();
        let server = start(&store, config(Vec::new())).await.unwrap();
        let under_way = async || {
            let (_, text) = ask(&server, "/metrics").await;
            let name = "apiserver_current_inflight_requests{request_kind=\"readOnly\"} ";
            let mut counts = text.lines().filter_map(|line| line.strip_prefix(name));
            counts.next().unwrap().parse::<u32>().unwrap()
        };
        // The question itself is one.
        assert_eq!(under_way().await, 1);
        store.stall_reads();
        {
            let mut stalled = Box::pin(ask(&server, "/readyz"));
            assert!((&mut stalled).now_or_never().is_none());
            assert_eq!(under_way().await, 2);
        }
        assert_eq!(under_way().await, 1);
        server.stop().await;
    }
}
