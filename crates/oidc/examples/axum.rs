//! A small service of one's own behind the authentication of a Kubernetes API server: ID tokens of a
//! provider, client certificates and static tokens.
//!
//! ```sh
//! cargo run -p burgee-oidc --example axum -- serving.crt serving.key clients.crt tokens.csv authentication.yaml
//! curl --cacert ca.crt -H "Authorization: Bearer $TOKEN" https://localhost:8443/
//! ```

use std::sync::Arc;

use axum::{Extension, Router, routing::get};
use burgee_authn::{
    Anonymous, AuthenticationLayer, Chain, ClientCertificates, NoMetrics, PeerCertificates,
    PossessionOnly, StaticTokens, UidPolicy,
};
use burgee_identity::{Authenticated, Clock, SystemClock};
use burgee_oidc::{AuthenticationConfiguration, JwtAuthenticators, Rules};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::{server::conn::auto, service::TowerToHyperService};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::{TlsAcceptor, rustls};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Who may call.
fn authentication(clients: &[u8], tokens: &[u8], issuers: &[u8]) -> Outcome<AuthenticationLayer> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let issuers = AuthenticationConfiguration::load("issuers", issuers, &Rules::default())?;
    let jwt =
        JwtAuthenticators::start(issuers.jwt, clock.clone(), Arc::new(burgee_oidc::NoMetrics))?;
    let (uid, metrics) = (UidPolicy::FromSubject, Arc::new(NoMetrics));
    let certificates = ClientCertificates::new("clients", uid, clock.clone(), metrics.clone())?;
    certificates.reload(clients)?;
    let chain = Chain::builder(["https://localhost:8443"])
        .client_certificates(Arc::new(certificates))
        .static_tokens(Arc::new(StaticTokens::new("tokens", tokens)?))
        .jwt(Arc::new(jwt))
        .anonymous(Anonymous::on_paths(["/healthz"]))
        .build(clock.clone(), metrics)?;
    Ok(AuthenticationLayer::new(
        Arc::new(chain),
        ["https://localhost:8443"],
        clock,
    ))
}

/// What they find.
fn service(authentication: AuthenticationLayer) -> Router {
    let hello = async |Extension(caller): Extension<Authenticated>| format!("{:?}\n", caller.user);
    let healthz = async || "ok\n";
    let routes = Router::new()
        .route("/", get(hello))
        .route("/healthz", get(healthz));
    routes.layer(authentication)
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let files = std::env::args_os().skip(1).map(std::fs::read);
    let files = files.collect::<Result<Vec<_>, _>>()?;
    let [certificate, key, clients, tokens, issuers] = files.as_slice() else {
        return Err(
            "expected: CERTIFICATE KEY CLIENT-CA TOKENS AUTHENTICATION-CONFIGURATION".into(),
        );
    };
    let service = service(authentication(clients, tokens, issuers)?);

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>()?;
    let tls = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(PossessionOnly::new(&provider, []))
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key)?)?;
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8443").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, service) = (acceptor.clone(), service.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let peer = PeerCertificates::new(shown.iter().map(|one| one.clone().into_owned()));
            let service = TowerToHyperService::new(service.layer(Extension(peer)));
            let connection = auto::Builder::new(TokioExecutor::new());
            let _ = connection
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
