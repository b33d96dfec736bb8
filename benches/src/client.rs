//! Connections to a server: TLS 1.3 below HTTP/1.1 or HTTP/2.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What is sent.
pub(crate) type Body = Full<Bytes>;

/// How a client says who it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Credential<'a> {
    /// Not at all.
    None,
    /// A bearer token.
    Token(&'a str),
    /// A client certificate and its key, in PEM.
    Certificate {
        /// The chain, leaf first.
        certificates: &'a [u8],
        /// The leaf's private key.
        key: &'a [u8],
    },
}

/// A server, and who speaks to it.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    authorization: Option<String>,
    tls: Arc<ClientConfig>,
}

impl Client {
    /// A client of the server at `address`, whose certificate must come from the authority.
    pub(crate) fn new(
        address: SocketAddr,
        authority: &[u8],
        credential: Credential<'_>,
    ) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority) {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots);
        let tls = match credential {
            Credential::Certificate { certificates, key } => {
                let chain = CertificateDer::pem_slice_iter(certificates);
                let chain = chain.collect::<Result<Vec<_>, _>>()?;
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key)?)?
            }
            Credential::None | Credential::Token(_) => builder.with_no_client_auth(),
        };
        let authorization = match credential {
            Credential::Token(token) => Some(format!("Bearer {token}")),
            _ => None,
        };
        Ok(Self {
            address,
            authorization,
            tls: Arc::new(tls),
        })
    }

    /// The whole URL of a path, as HTTP/2 wants it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// A request for `path`, which begins with a slash, or is a whole URL for HTTP/2.
    pub(crate) fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Body> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        // Paths and headers are this program's own words.
        *request.uri_mut() = path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        if let Ok(host) = self.address.to_string().parse() {
            headers.insert(HOST, host);
        }
        headers.insert(
            CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
        if let Some(Ok(value)) = self.authorization.as_ref().map(|value| value.parse()) {
            headers.insert(AUTHORIZATION, value);
        }
        request
    }

    /// An HTTP/1.1 connection that is kept alive.
    pub(crate) async fn http1(&self) -> Result<http1::SendRequest<Body>> {
        let stream = self.connect(b"http/1.1").await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its failure is the failure of the request that is under way.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    /// An HTTP/2 connection.
    pub(crate) async fn http2(&self) -> Result<http2::SendRequest<Body>> {
        let stream = self.connect(b"h2").await?;
        let io = TokioIo::new(stream);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    /// One request on a connection of its own; the answer must have the status `expected`.
    pub(crate) async fn once(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        expected: StatusCode,
    ) -> Result<Bytes> {
        let mut sender = self.http1().await?;
        let request = self.request(method, path, body);
        let (status, body) = exchange(&mut sender, request).await?;
        if status != expected {
            let said = String::from_utf8_lossy(&body);
            bail!("{path} was answered with {status}: {said}");
        }
        Ok(body)
    }

    async fn connect(&self, protocol: &[u8]) -> Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address)
            .await
            .context("connecting")?;
        stream.set_nodelay(true)?;
        let mut tls = ClientConfig::clone(&self.tls);
        tls.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::from(self.address.ip());
        let stream = TlsConnector::from(Arc::new(tls))
            .connect(name, stream)
            .await;
        stream.context("the TLS handshake")
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn exchange(
    sender: &mut http1::SendRequest<Body>,
    request: Request<Body>,
) -> Result<(StatusCode, Bytes)> {
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, body))
}
