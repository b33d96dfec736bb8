//! Clients against a real HTTPS server.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use burgee_https::{ClientBuilder, Error, Proxy, Redirects, Roots, explain, read_bounded};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// A server that tells who asked for what, and knows some paths.
struct Server {
    authority: Authority,
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(name: &str, clients: Option<&Authority>) -> Self {
        Self::start_sending_to(name, clients, None).await
    }

    async fn start_sending_to(
        name: &str,
        clients: Option<&Authority>,
        elsewhere: Option<String>,
    ) -> Self {
        let authority = Authority::new();
        let (certificate, key) = authority.issue(name);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                config.with_client_cert_verifier(verifier.unwrap())
            }
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = config.with_single_cert(vec![certificate.der().clone()], key.into());
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
                let elsewhere = elsewhere.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let service = service_fn(move |request| {
                        let answer = answer(&request, &log, elsewhere.as_deref());
                        async move {
                            if request.uri().path() == "/hang" {
                                std::future::pending::<()>().await;
                            }
                            Ok::<_, std::convert::Infallible>(answer)
                        }
                    });
                    let builder =
                        hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self {
            authority,
            address,
            seen,
        }
    }

    fn client(&self) -> ClientBuilder {
        ClientBuilder::new()
            .roots(Roots::Pem(self.authority.pem()))
            .proxy(Proxy::None)
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(
    request: &Request<Incoming>,
    log: &Mutex<Vec<String>>,
    elsewhere: Option<&str>,
) -> Response<Full<Bytes>> {
    let authorization = request.headers().get("authorization");
    let authorization = authorization.map_or("-", |value| value.to_str().unwrap());
    let path = request.uri().path();
    log.lock().unwrap().push(format!("{path} {authorization}"));
    let location = match path {
        "/loop" => Some("/loop"),
        "/once" => Some("/hello"),
        "/plain" => Some("http://127.0.0.1:1/hello"),
        "/elsewhere" => elsewhere,
        _ => None,
    };
    let response = Response::builder();
    match location {
        Some(location) => response.status(302).header("location", location),
        None => response,
    }
    .body(Full::new(Bytes::from("x".repeat(if path == "/long" {
        2000
    } else {
        5
    }))))
    .unwrap()
}

async fn get(client: &reqwest::Client, url: String) -> Result<Bytes, Error> {
    let answer = client.get(url).bearer_auth("hush").send().await?;
    read_bounded(answer, 1000).await
}

#[tokio::test]
async fn only_servers_of_trusted_authorities_are_talked_to() {
    let server = Server::start("127.0.0.1", None).await;
    let trusting = server.client().build().unwrap();
    assert_eq!(get(&trusting, server.url("/")).await.unwrap(), "xxxxx");

    let other = Server::start("127.0.0.1", None).await;
    let error = get(&trusting, other.url("/?secret")).await.unwrap_err();
    let text = explain(&error);
    assert!(text.contains("invalid peer certificate"), "{text}");
    assert!(!text.contains("secret"), "{text}");

    let blind = other.client().roots(Roots::Host);
    let blind = blind.insecure_skip_verification().build().unwrap();
    assert!(get(&blind, other.url("/")).await.is_ok());
}

#[tokio::test]
async fn certificates_are_verified_for_the_hosts_name_or_another_that_was_given() {
    let server = Server::start("inside.example", None).await;
    let plain = server.client().build().unwrap();
    assert!(get(&plain, server.url("/")).await.is_err());
    let named = server.client().server_name("inside.example");
    assert!(get(&named.build().unwrap(), server.url("/")).await.is_ok());
    let misnamed = server.client().server_name("outside.example");
    assert!(
        get(&misnamed.build().unwrap(), server.url("/"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let clients = Authority::new();
    let server = Server::start("127.0.0.1", Some(&clients)).await;
    let (certificate, key) = clients.issue("client");
    let known = server
        .client()
        .client_certificate(certificate.pem().as_bytes(), key.serialize_pem().as_bytes());
    assert!(get(&known.build().unwrap(), server.url("/")).await.is_ok());
    let unknown = server.client().build().unwrap();
    assert!(get(&unknown, server.url("/")).await.is_err());
}

#[tokio::test]
async fn redirects_are_followed_a_few_times_and_by_https_only() {
    let server = Server::start("127.0.0.1", None).await;
    let refusing = server.client().build().unwrap();
    let answer = refusing.get(server.url("/once")).send().await.unwrap();
    assert_eq!(answer.status(), 302);

    let following = server.client().redirects(Redirects::Follow);
    let following = following.build().unwrap();
    assert_eq!(get(&following, server.url("/once")).await.unwrap(), "xxxxx");
    for (path, why) in [
        ("/loop", "too many redirects"),
        ("/plain", "redirected to something else than https"),
    ] {
        let error = get(&following, server.url(path)).await.unwrap_err();
        assert!(explain(&error).ends_with(why), "{}", explain(&error));
    }
    let loops = server
        .seen()
        .iter()
        .filter(|path| path.starts_with("/loop"))
        .count();
    assert_eq!(loops, 11);
}

#[tokio::test]
async fn authorization_and_certificate_stay_with_the_host_that_they_are_for() {
    let other = Server::start("127.0.0.1", None).await;
    let server = Server::start_sending_to("127.0.0.1", None, Some(other.url("/landed"))).await;
    let both = [server.authority.pem(), other.authority.pem()].concat();
    let client = server.client().roots(Roots::Pem(both));
    let client = client.redirects(Redirects::Follow);
    assert!(
        get(&client.build().unwrap(), server.url("/elsewhere"))
            .await
            .is_ok()
    );
    assert_eq!(server.seen(), ["/elsewhere Bearer hush"]);
    assert_eq!(other.seen(), ["/landed -"]);

    let (certificate, key) = Authority::new().issue("client");
    let client = server.client().redirects(Redirects::Follow);
    let client =
        client.client_certificate(certificate.pem().as_bytes(), key.serialize_pem().as_bytes());
    let error = get(&client.build().unwrap(), server.url("/elsewhere")).await;
    let error = explain(&error.unwrap_err());
    assert!(
        error.contains("must not see the client certificate"),
        "{error}"
    );
    assert_eq!(other.seen().len(), 1);
}

#[tokio::test]
async fn answers_are_bounded_in_length_and_time() {
    let server = Server::start("127.0.0.1", None).await;
    let client = server.client().total_timeout(Duration::from_millis(300));
    let client = client.build().unwrap();
    let error = get(&client, server.url("/long")).await.unwrap_err();
    assert!(matches!(error, Error::AnswerTooLong { limit: 1000 }));
    let error = get(&client, server.url("/hang")).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
}

#[tokio::test]
async fn https_only_means_it() {
    let client = ClientBuilder::new().https_only().build().unwrap();
    let error = get(&client, "http://user:hush@127.0.0.1:1/".to_owned()).await;
    let error = explain(&error.unwrap_err());
    assert!(!error.contains("hush"), "{error}");
}

#[test]
fn what_cannot_be_used_is_told_when_the_client_is_built() {
    let build = |builder: ClientBuilder| builder.build().unwrap_err();
    let empty = ClientBuilder::new().roots(Roots::Pem(b"no certificate".to_vec()));
    assert!(matches!(build(empty), Error::CertificateAuthorities(_)));
    let broken = ClientBuilder::new().client_certificate(b"", b"");
    assert!(matches!(build(broken), Error::ClientCertificate(_)));
    let (certificate, _) = Authority::new().issue("a");
    let (_, foreign) = Authority::new().issue("a");
    let mismatched = ClientBuilder::new().client_certificate(
        certificate.pem().as_bytes(),
        foreign.serialize_pem().as_bytes(),
    );
    assert!(matches!(build(mismatched), Error::ClientCertificate(_)));
    let proxied = ClientBuilder::new().proxy(Proxy::Fixed("::hush".to_owned()));
    let error = build(proxied);
    assert!(matches!(error, Error::Proxy(_)), "{error:?}");
    assert!(!format!("{error:?} {:?}", error.source()).contains("hush"));
    let misnamed = ClientBuilder::new().server_name("a b");
    assert!(matches!(build(misnamed), Error::ServerName));
}
