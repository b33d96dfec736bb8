//! An HTTPS service that answers as it is told, also in ways that no HTTP library would.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this name, as common name too, and its key.
    pub(crate) fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// The connection is closed in good order.
    Close,
    /// Never.
    Hang,
    /// With these bytes.
    Raw(String),
    /// The connection is reset.
    Reset,
}

impl Reply {
    /// A well-formed answer. Lines of `headers` end with `\r\n`.
    pub(crate) fn http(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Raw(format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        ))
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::http(status, "", "no")
    }

    pub(crate) fn json(body: &str) -> Self {
        Self::http(200, "content-type: application/json\r\n", body)
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: String,
    /// Whether the client showed a certificate, and that in DER.
    pub(crate) certificate: Option<Vec<u8>>,
}

impl Seen {
    pub(crate) fn request_line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// The values of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

pub(crate) struct Service {
    pub(crate) authority: Arc<Authority>,
    pub(crate) address: SocketAddr,
    seen: watch::Sender<Vec<Seen>>,
    gone: watch::Sender<usize>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Default)]
pub(crate) struct Options {
    /// The name of the service's certificate; nothing for no TLS.
    pub(crate) name: Option<String>,
    /// Whose clients are asked for a certificate.
    pub(crate) clients: Option<Vec<u8>>,
    /// Speaks HTTP/2, as far as resetting needs that.
    pub(crate) h2: bool,
    /// Who issues the service's certificate; somebody new unless this says who.
    pub(crate) authority: Option<Arc<Authority>>,
    /// Where to listen.
    pub(crate) address: Option<SocketAddr>,
}

impl Service {
    /// Answers with these, one after another, and then with the last for ever.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let name = Some("127.0.0.1".to_owned());
        let options = Options {
            name,
            ..Options::default()
        };
        Self::start_with(options, replies).await
    }

    pub(crate) async fn start_with(
        options: Options,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let authority = options.authority.clone();
        let authority = authority.unwrap_or_else(|| Arc::new(Authority::new()));
        let acceptor = options
            .name
            .as_deref()
            .map(|name| acceptor(&authority, name, &options));
        let address = options.address.unwrap_or(([127, 0, 0, 1], 0).into());
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let replies: Arc<Mutex<VecDeque<Reply>>> =
            Arc::new(Mutex::new(replies.into_iter().collect()));
        let (seen, gone) = (watch::Sender::new(Vec::new()), watch::Sender::new(0));
        let (log, leaving) = (seen.clone(), gone.clone());
        let accepting = tokio::spawn(async move {
            // Connections end with the service.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, replies) = (acceptor.clone(), Arc::clone(&replies));
                let (log, leaving) = (log.clone(), leaving.clone());
                connections.spawn(async move {
                    // Closing throws away what was not sent: the other side gets a reset, unless the
                    // stream is shut down first.
                    stream.set_zero_linger().unwrap();
                    serve(stream, acceptor, replies, log).await;
                    leaving.send_modify(|count| *count += 1);
                });
            }
        });
        Self {
            authority,
            address,
            seen,
            gone,
            accepting,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.borrow().len()
    }

    /// Waits until there were so many requests.
    pub(crate) async fn saw(&self, count: usize) {
        let mut seen = self.seen.subscribe();
        let waiting = seen.wait_for(|seen| seen.len() >= count);
        within(waiting).await.unwrap();
    }

    /// Waits until so many connections are gone.
    pub(crate) async fn lost(&self, count: usize) {
        let mut gone = self.gone.subscribe();
        within(gone.wait_for(|gone| *gone >= count)).await.unwrap();
    }

    /// Ends it and every connection to it. What it says is how to start it again.
    pub(crate) async fn stop(self) -> Options {
        self.accepting.abort();
        let _ = self.accepting.await;
        Options {
            name: Some("127.0.0.1".to_owned()),
            authority: Some(self.authority),
            address: Some(self.address),
            ..Options::default()
        }
    }
}

/// Waits, but not for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it takes too long")
}

fn acceptor(authority: &Authority, name: &str, options: &Options) -> TlsAcceptor {
    let (certificate, key) = authority.issue(name);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = match &options.clients {
        None => config.with_no_client_auth(),
        Some(authority) => {
            use rustls_pki_types::pem::PemObject as _;
            let mut roots = RootCertStore::empty();
            let authority = rustls_pki_types::CertificateDer::from_pem_slice(authority).unwrap();
            roots.add(authority).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            config.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let mut config = config
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = match options.h2 {
        true => vec![b"h2".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    };
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    log: watch::Sender<Vec<Seen>>,
) {
    let Some(acceptor) = acceptor else {
        return converse(stream, None, replies, log).await;
    };
    if let Ok(stream) = acceptor.accept(stream).await {
        let shown = stream.get_ref().1.peer_certificates();
        let certificate = shown.map(|chain| chain[0].to_vec());
        converse(stream, certificate, replies, log).await;
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    certificate: Option<Vec<u8>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    log: watch::Sender<Vec<Seen>>,
) {
    while let Some((head, body)) = read_request(&mut stream).await {
        let seen = Seen {
            head,
            body,
            certificate: certificate.clone(),
        };
        log.send_modify(|all| all.push(seen));
        let reply = {
            let mut replies = replies.lock().unwrap();
            match replies.len() {
                1 => replies[0].clone(),
                _ => replies.pop_front().expect("a service needs a reply"),
            }
        };
        match reply {
            Reply::Raw(text) => {
                if stream.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
                let _ = stream.flush().await;
            }
            Reply::Close => {
                let _ = stream.shutdown().await;
                // Until the other side has seen it.
                let _ = stream.read(&mut [0]).await;
                return;
            }
            // Nothing comes any more: reading ends when the client leaves.
            Reply::Hang => {
                let _ = stream.read(&mut [0]).await;
                return;
            }
            Reply::Reset => return,
        }
    }
}

/// A request's head and body. For HTTP/2 the first bytes, whatever they are.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.starts_with("PRI * HTTP/2.0") {
            return Some((text, String::new()));
        }
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse::<usize>().unwrap())
        });
        if body.len() >= length.unwrap_or(0) {
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}
