//! A small service that knows its callers by static tokens and client certificates.
//!
//! `cargo run -p burgee-authn --example protect`, then
//! `curl -H 'Authorization: Bearer sesame' localhost:8080`.

use std::convert::Infallible;
use std::sync::Arc;

use burgee_authn::*;
use burgee_identity::{Authenticated, SystemClock};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tower::{Layer, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (clock, metrics) = (Arc::new(SystemClock::new()), Arc::new(NoMetrics));
    let tokens = StaticTokens::new("tokens.csv", b"sesame,ali-baba,u1")?;
    let (uid, ca) = (UidPolicy::FromSubject, "client-ca-bundle::ca.crt");
    let certificates = ClientCertificates::new(ca, uid, clock.clone(), metrics.clone())?;
    if let Ok(bundle) = std::fs::read("ca.crt") {
        certificates.reload(&bundle)?;
    }
    let chain = Chain::builder(["https://cave.example"])
        .static_tokens(Arc::new(tokens))
        .client_certificates(Arc::new(certificates))
        .build(clock.clone(), metrics)?;
    let layer = AuthenticationLayer::new(Arc::new(chain), ["https://cave.example"], clock);
    // With TLS, put the connection's `PeerCertificates` into the extensions of its requests.
    let service = layer.layer(service_fn(
        async |request: http::Request<hyper::body::Incoming>| {
            let caller = request
                .extensions()
                .get::<Authenticated>()
                .map(|a| a.user.name.clone());
            Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::from(
                caller.unwrap_or_default(),
            )))
        },
    ));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    loop {
        let (stream, service) = (
            listener.accept().await?.0,
            TowerToHyperService::new(service.clone()),
        );
        let http = hyper::server::conn::http1::Builder::new();
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
    }
}
