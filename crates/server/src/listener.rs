//! Connections: accepted, bounded in every dimension, and drained at the end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use burgee_authn::PeerCertificates;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::open_requests::{Condition, OpenRequest, OpenRequests};
use crate::tls::Tls;

/// The largest head of a request (upstream's 1 MiB).
const MAX_HEAD_BYTES: usize = 1024 * 1024;
/// How many requests one HTTP/2 connection may have under way.
const MAX_STREAMS: u32 = 250;
/// How many connections there may be at once, so that idle ones cannot use up file descriptors.
const MAX_CONNECTIONS: usize = 16 * 1024;
/// How long accepting pauses when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What answers the requests of a connection.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The body of its answers.
    type Body: HttpBody<Data: Send, Error: std::error::Error + Send + Sync> + Send + 'static;

    /// Answers one request.
    fn handle(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Where a request came from.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Address and port of the client, or of whoever stands in between.
    pub(crate) address: Option<SocketAddr>,
    /// The client's certificates, if it showed any.
    pub(crate) certificates: Option<PeerCertificates>,
    /// Ends the connection after the current answer.
    pub(crate) close: CancellationToken,
    /// Keeps the connection from counting as idle. To be kept with the answer's body.
    pub(crate) request: OpenRequest,
}

/// How long clients may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// For the TLS handshake.
    pub(crate) handshake: Duration,
    /// For the head of a request, the first one of a connection counted from the handshake.
    pub(crate) head: Duration,
    /// Between two requests of a connection.
    pub(crate) idle: Duration,
    /// For ending a connection in order. Connections are looked at as often as this.
    pub(crate) patience: Duration,
}

impl Default for Timeouts {
    /// Upstream's, where it has them.
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(32),
            idle: Duration::from_secs(90),
            patience: Duration::from_secs(5),
        }
    }
}

/// Accepts connections until `stop` is cancelled, then lets those that are open finish what is under
/// way, for at most `grace`. When this returns, nothing of any connection runs any more.
pub(crate) async fn serve<H: Handler>(
    listeners: Vec<TcpListener>,
    tls: Arc<Tls>,
    handler: Arc<H>,
    timeouts: Timeouts,
    stop: CancellationToken,
    grace: Duration,
) {
    let tasks = Tasks::default();
    let connections = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    let (sender, mut accepted) = tokio::sync::mpsc::channel::<TcpStream>(64);
    if listeners.is_empty() {
        stop.cancelled().await;
    }
    for listener in listeners {
        tokio::spawn(accept(listener, sender.clone(), stop.clone()));
    }
    drop(sender);
    // The channel closes when every acceptor has stopped.
    while let Some(stream) = accepted.recv().await {
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
            tracing::warn!(
                limit = MAX_CONNECTIONS,
                "too many connections, closing a new one"
            );
            continue;
        };
        let (acceptor, handler) = (tls.acceptor(), Arc::clone(&handler));
        let (stop, streams) = (stop.clone(), tasks.clone());
        tasks.execute(async move {
            let _permit = permit;
            let Some(tls) = handshake(&acceptor, stream, timeouts.handshake, &stop).await else {
                return;
            };
            connection(tls, handler, timeouts, streams, stop).await;
        });
    }
    tasks.tracker.close();
    let finished = tasks.tracker.wait();
    if tokio::time::timeout(grace, finished).await.is_err() {
        tracing::warn!(
            seconds = grace.as_secs(),
            "ending connections that are still open after the grace period"
        );
        tasks.end.cancel();
        tasks.tracker.wait().await;
    }
}

/// The tasks of all connections: they can be waited for, and ended.
#[derive(Clone, Default)]
struct Tasks {
    tracker: TaskTracker,
    end: CancellationToken,
}

impl<F> Executor<F> for Tasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        let end = self.end.clone();
        self.tracker.spawn(end.run_until_cancelled_owned(task));
    }
}

async fn accept(
    listener: TcpListener,
    accepted: tokio::sync::mpsc::Sender<TcpStream>,
    stop: CancellationToken,
) {
    loop {
        let stream = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            stream = listener.accept() => stream,
        };
        match stream {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                if accepted.send(stream).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

type TlsStream = tokio_rustls::server::TlsStream<TcpStream>;

async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    limit: Duration,
    stop: &CancellationToken,
) -> Option<TlsStream> {
    let handshake = tokio::time::timeout(limit, acceptor.accept(stream));
    let outcome = tokio::select! {
        () = stop.cancelled() => return None,
        outcome = handshake => outcome,
    };
    match outcome {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a TLS handshake took too long");
            None
        }
    }
}

async fn connection<H: Handler>(
    stream: TlsStream,
    handler: Arc<H>,
    timeouts: Timeouts,
    streams: Tasks,
    stop: CancellationToken,
) {
    // The handshake has settled the protocol: waiting for a first byte would have no end.
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let address = stream.get_ref().0.peer_addr().ok();
    let chain = stream.get_ref().1.peer_certificates();
    let certificates = chain.map(|chain| PeerCertificates::new(chain.to_vec()));
    // Ends with the server, or earlier when an answer asks for it.
    let close = stop.child_token();
    let requests = OpenRequests::new();
    let service = service_fn({
        let (requests, close) = (requests.clone(), close.clone());
        move |request| {
            let handler = Arc::clone(&handler);
            let peer = Peer {
                address,
                certificates: certificates.clone(),
                close: close.clone(),
                request: requests.begin(),
            };
            async move { Ok::<_, Infallible>(handler.handle(request, peer).await) }
        }
    });
    let mut builder = auto::Builder::new(streams);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.head)
        .max_buf_size(MAX_HEAD_BYTES)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    let builder = match is_http2 {
        true => builder.http2_only(),
        false => builder.http1_only(),
    };
    let mut served = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut look = tokio::time::interval(timeouts.patience);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_closing = false;
    let outcome = loop {
        let condition = tokio::select! {
            biased;
            outcome = served.as_mut() => break outcome,
            () = close.cancelled(), if !is_closing => None,
            _ = look.tick() => {
                let Timeouts { head, idle, patience, .. } = timeouts;
                Some(requests.condition(head, idle, patience))
            }
        };
        match condition {
            Some(Condition::Busy) => {}
            None | Some(Condition::Idle) if !is_closing => {
                // What is under way gets its answer; the connection ends with it.
                served.as_mut().graceful_shutdown();
                is_closing = true;
            }
            _ => {
                tracing::debug!(?condition, "closing a connection that nothing comes of");
                return;
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended badly");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServingCertificate;
    use crate::http::{Body, Bounded};
    use bytes::Bytes;
    use futures_util::FutureExt as _;
    use http_body_util::{BodyExt as _, Empty};
    use hyper::client::conn::http2;
    use hyper_util::rt::TokioExecutor;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};
    use std::sync::{Mutex, Weak};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;
    use tokio_rustls::TlsConnector;

    /// Short enough for a test to wait for, long enough for a request on a busy machine.
    const SHORT: Duration = Duration::from_millis(500);
    /// When a test gives up.
    const LONG: Duration = Duration::from_secs(30);
    /// Time-outs that no test waits for.
    const NEVER: Timeouts = Timeouts {
        handshake: Duration::from_secs(600),
        head: Duration::from_secs(600),
        idle: Duration::from_secs(600),
        patience: Duration::from_millis(20),
    };

    /// Answers `/big` with more than any buffer takes, to be read soon, `/endless` with nothing for
    /// ever, and everything else at once.
    #[derive(Default)]
    struct Answers {
        /// Lives as long as an answer.
        held: Mutex<Weak<()>>,
    }

    impl Handler for Answers {
        type Body = Bounded;

        async fn handle(&self, request: Request<Incoming>, peer: Peer) -> Response<Bounded> {
            let (body, deadline) = match request.uri().path() {
                "/big" => {
                    let big = Body::from(vec![0; 64 * 1024 * 1024]);
                    (big, Some(Instant::now() + SHORT))
                }
                "/endless" => {
                    let nothing = futures_util::stream::pending();
                    (Body::Endless(Box::pin(nothing)), None)
                }
                _ => (Body::from("ok"), None),
            };
            if let Some(deadline) = deadline {
                peer.request.answer_by(deadline);
            }
            let held = Arc::new(());
            *self.held.lock().unwrap() = Arc::downgrade(&held);
            Response::new(Bounded::new(body, deadline, (peer.request, held)))
        }
    }

    type ClientStream = tokio_rustls::client::TlsStream<TcpStream>;

    struct Subject {
        address: std::net::SocketAddr,
        roots: RootCertStore,
        answers: Arc<Answers>,
        stop: CancellationToken,
        serving: JoinHandle<()>,
    }

    impl Subject {
        async fn start(timeouts: Timeouts, grace: Duration) -> Self {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let chain = vec![made.cert.der().clone()];
            let mut roots = RootCertStore::empty();
            roots.add(made.cert.der().clone()).unwrap();
            let key = made.signing_key.serialize_der().try_into().unwrap();
            let certificate = ServingCertificate::new(chain, key).unwrap();
            let tls = Tls::new(Arc::new(certificate), Vec::new()).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let answers = Arc::new(Answers::default());
            let stop = CancellationToken::new();
            let serving = tokio::spawn(serve(
                vec![listener],
                Arc::new(tls),
                Arc::clone(&answers),
                timeouts,
                stop.clone(),
                grace,
            ));
            Self {
                address,
                roots,
                answers,
                stop,
                serving,
            }
        }

        async fn connect(&self, protocol: &str) -> ClientStream {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(self.roots.clone())
                .with_no_client_auth();
            config.alpn_protocols = vec![protocol.into()];
            let stream = TcpStream::connect(self.address).await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let connector = TlsConnector::from(Arc::new(config));
            connector.connect(name, stream).await.unwrap()
        }

        /// A connection of HTTP/2, and the task that ends with it.
        async fn http2(&self) -> (http2::SendRequest<Empty<Bytes>>, JoinHandle<()>) {
            let io = TokioIo::new(self.connect("h2").await);
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            let connection = connection.map(|_| ());
            (sender, tokio::spawn(connection))
        }

        fn held(&self) -> Weak<()> {
            self.answers.held.lock().unwrap().clone()
        }
    }

    fn get(path: &str) -> Request<Empty<Bytes>> {
        let url = format!("https://localhost{path}");
        Request::get(url).body(Empty::new()).unwrap()
    }

    /// Sends a request and reads the first byte of the answer.
    async fn ask(stream: &mut ClientStream, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        stream.read_u8().await.unwrap();
    }

    async fn soon<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(LONG, future).await.unwrap()
    }

    async fn gone(held: Weak<()>) {
        let gone = async {
            while held.upgrade().is_some() {
                tokio::task::yield_now().await;
            }
        };
        soon(gone).await;
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_is_closed_while_others_are_served() {
        let timeouts = Timeouts {
            head: SHORT,
            ..NEVER
        };
        let subject = Subject::start(timeouts, LONG).await;
        let (mut other, _connection) = subject.http2().await;
        let answer = other.send_request(get("/")).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
        let preface: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for (protocol, said) in [
            ("h2", &b""[..]),
            ("h2", &preface[..10]),
            ("h2", preface),
            ("http/1.1", b""),
            ("http/1.1", b"GET / HTT"),
            ("http/1.1", &preface[..10]),
        ] {
            let begun = Instant::now();
            let mut silent = subject.connect(protocol).await;
            silent.write_all(said).await.unwrap();
            silent.flush().await.unwrap();
            let _ = soon(silent.read_to_end(&mut Vec::new())).await;
            assert!(begun.elapsed() < LONG / 2, "{protocol} {said:?}");
            let answer = other.send_request(get("/")).await.unwrap();
            assert_eq!(answer.status(), 200);
        }
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_and_a_quiet_answer_keeps_one_open() {
        let timeouts = Timeouts {
            idle: SHORT,
            ..NEVER
        };
        let subject = Subject::start(timeouts, LONG).await;
        let (mut watching, connection) = subject.http2().await;
        let watch = watching.send_request(get("/endless")).await.unwrap();
        let (mut idle, closed) = subject.http2().await;
        let answer = idle.send_request(get("/")).await.unwrap();
        answer.into_body().collect().await.unwrap();
        soon(closed).await.unwrap();
        assert!(!connection.is_finished());
        drop(watch);
        soon(connection).await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_that_is_not_read_ends_with_its_connection() {
        let subject = Subject::start(NEVER, LONG).await;

        let mut stuck = subject.connect("http/1.1").await;
        ask(&mut stuck, "/big").await;
        let held = subject.held();
        assert!(held.upgrade().is_some());
        gone(held).await;

        let (mut sender, connection) = subject.http2().await;
        let stuck = sender.send_request(get("/big")).await.unwrap();
        let held = subject.held();
        assert!(held.upgrade().is_some());
        gone(held).await;
        soon(connection).await.unwrap();
        drop(stuck);
    }

    #[tokio::test]
    async fn nothing_runs_on_after_the_grace_period() {
        for protocol in ["http/1.1", "h2"] {
            let subject = Subject::start(NEVER, Duration::from_millis(50)).await;
            // Neither client closes its end.
            let (mut http1, mut http2) = (None, None);
            if protocol == "h2" {
                let (mut sender, connection) = subject.http2().await;
                let answer = sender.send_request(get("/endless")).await.unwrap();
                http2 = Some((answer, connection));
            } else {
                let stream = http1.insert(subject.connect(protocol).await);
                ask(stream, "/endless").await;
            }
            let held = subject.held();
            assert!(held.upgrade().is_some());
            subject.stop.cancel();
            soon(subject.serving).await.unwrap();
            assert!(held.upgrade().is_none(), "{protocol}");
            drop((http1, http2));
        }
    }
}
