//! Connections: accepted, bounded in every dimension, and drained at the end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use burgee_authn::PeerCertificates;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::Body;

/// How long a client may take for its TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to send the head of a request (upstream's 32 s).
const HEAD_TIMEOUT: Duration = Duration::from_secs(32);
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
    /// Answers one request.
    fn handle(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// The client's certificates, if it showed any.
    pub(crate) certificates: Option<PeerCertificates>,
    /// Ends the connection after the current answer.
    pub(crate) close: CancellationToken,
}

/// Accepts connections until `stop` is cancelled, then waits for those that are open, at most `grace`.
pub(crate) async fn serve<H: Handler>(
    listeners: Vec<TcpListener>,
    tls: Arc<ServerConfig>,
    handler: Arc<H>,
    stop: CancellationToken,
    grace: Duration,
) {
    let acceptor = TlsAcceptor::from(tls);
    let tasks = TaskTracker::new();
    let connections = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    let (sender, mut accepted) = tokio::sync::mpsc::channel::<TcpStream>(64);
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
        let (acceptor, handler) = (acceptor.clone(), Arc::clone(&handler));
        let stop = stop.clone();
        tasks.spawn(async move {
            let _permit = permit;
            let Some(tls) = handshake(&acceptor, stream, &stop).await else {
                return;
            };
            connection(tls, handler, stop).await;
        });
    }
    tasks.close();
    if tokio::time::timeout(grace, tasks.wait()).await.is_err() {
        tracing::warn!(
            seconds = grace.as_secs(),
            "connections were still open after the grace period"
        );
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
    stop: &CancellationToken,
) -> Option<TlsStream> {
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
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

async fn connection<H: Handler>(stream: TlsStream, handler: Arc<H>, stop: CancellationToken) {
    let chain = stream.get_ref().1.peer_certificates();
    let certificates = chain.map(|chain| PeerCertificates::new(chain.to_vec()));
    // Ends with the server, or earlier when an answer asks for it.
    let close = stop.child_token();
    let peer = Peer {
        certificates,
        close: close.clone(),
    };
    let service = service_fn(move |request| {
        let (handler, peer) = (Arc::clone(&handler), peer.clone());
        async move { Ok::<_, Infallible>(handler.handle(request, peer).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    let mut served = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let outcome = tokio::select! {
        outcome = served.as_mut() => outcome,
        () = close.cancelled() => {
            // What is under way gets its answer; the connection ends with it.
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended badly");
    }
}
