//! An HTTPS server that answers as a test says.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use burgee_jose::{PublicKey, VerificationKey, jwks};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;

pub(crate) const DISCOVERY: &str = "/.well-known/openid-configuration";
pub(crate) const KEYS: &str = "/keys";

/// What a path answers.
#[derive(Clone)]
pub(crate) enum Answer {
    Reply {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// Nothing, ever.
    Hang,
}

impl Answer {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Reply {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Reply {
            status,
            headers: Vec::new(),
            body: b"hush".to_vec(),
        }
    }

    pub(crate) fn redirect(location: impl Into<String>) -> Self {
        Self::status(302).with_header("location", location)
    }

    pub(crate) fn keys(keys: &[&PublicKey]) -> Self {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| VerificationKey::from((*key).clone()))
            .collect();
        Self::ok(jwks::render(&keys))
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Reply { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<String, Answer>>,
    /// Paths, each with its `Authorization`.
    seen: Mutex<Vec<(String, Option<String>)>>,
}

/// A provider of tokens.
pub(crate) struct Provider {
    authority: String,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
}

impl Provider {
    /// A provider with a discovery document, and no keys yet.
    pub(crate) async fn start() -> Self {
        let mut provider = Self::stopped().await;
        provider.launch().await;
        provider
    }

    /// A provider that is not reachable.
    pub(crate) async fn stopped() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(params, authority).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self {
            authority: authority.pem(),
            address: reserved.local_addr().unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
            shared: Arc::default(),
            serving: None,
        };
        let document = json!({"issuer": provider.url(), "jwks_uri": provider.at(KEYS)});
        provider.answer(DISCOVERY, Answer::ok(document.to_string()));
        provider
    }

    /// Becomes reachable.
    pub(crate) async fn launch(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let (acceptor, shared) = (self.acceptor.clone(), Arc::clone(&self.shared));
        self.serving = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                connections.spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let service = service_fn(|request| respond(request, Arc::clone(&shared)));
                    let builder = Builder::new(TokioExecutor::new());
                    let _ = builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        }));
    }

    /// Closes its port and every connection.
    pub(crate) async fn stop(&mut self) {
        let serving = self.serving.take().unwrap();
        serving.abort();
        let _ = serving.await;
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url())
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// From now on `path` answers like this.
    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        let mut answers = self.shared.answers.lock().unwrap();
        answers.insert(path.to_owned(), answer);
    }

    /// How often `path` was asked for.
    pub(crate) fn requests(&self, path: &str) -> usize {
        let seen = self.shared.seen.lock().unwrap();
        seen.iter().filter(|(asked, _)| asked == path).count()
    }

    /// The last `Authorization` that came with a request for `path`.
    pub(crate) fn authorization(&self, path: &str) -> Option<String> {
        let seen = self.shared.seen.lock().unwrap();
        let (_, authorization) = seen.iter().rev().find(|(asked, _)| asked == path)?;
        authorization.clone()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let authorization = request.headers().get("authorization");
    let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
    let answer = shared.answers.lock().unwrap().get(&path).cloned();
    shared.seen.lock().unwrap().push((path, authorization));
    let Answer::Reply {
        status,
        headers,
        body,
    } = answer.unwrap_or_else(|| Answer::status(404))
    else {
        return std::future::pending().await;
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(body.into())).unwrap())
}
