//! The stack that every request passes: limits, authentication, the answer, and what is counted.

use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use burgee_authn::explain::RefusedRequest;
use burgee_authn::{
    Authentication, AuthenticationLayer, CloseConnection, PeerCertificates, Refusal,
};
use burgee_identity::{Authenticated, UserInfo, names};
use burgee_wire::Status;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tower::{Layer as _, Service};
use uuid::Uuid;

use crate::api::{Api, Call};
use crate::http::{Accept, Body, Bounded, Query, RequestInfo, Verb, not_sniffed, status};
use crate::impersonation::impersonate;
use crate::listener::{Handler, Peer};
use crate::metrics::InFlight;

const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");
/// The longest audit id that is taken from a client.
const MAX_AUDIT_ID: usize = 64;
/// How many reads may be under way at once (upstream's `--max-requests-inflight`).
const MAX_READS: usize = 400;
/// How many writes may be under way at once (upstream's `--max-mutating-requests-inflight`).
const MAX_WRITES: usize = 200;

/// How long an answer may take to be sent however late it is, so that a time-out can be told.
const MIN_SENDING: Duration = Duration::from_secs(5);

/// The body of a request: from a connection, or from within the process.
type RequestBody = Either<Incoming, Full<Bytes>>;

/// Answers connections.
pub(crate) struct Frontend {
    service: Authentication<Answering>,
    answering: Answering,
}

impl Frontend {
    pub(crate) fn new(api: Arc<Api>, layer: &AuthenticationLayer) -> Self {
        let limits = Limits {
            reads: Arc::new(Semaphore::new(MAX_READS)),
            writes: Arc::new(Semaphore::new(MAX_WRITES)),
        };
        let answering = Answering {
            api,
            limits: Arc::new(limits),
        };
        Self {
            service: layer.layer(answering.clone()),
            answering,
        }
    }

    /// Answers a request of the server's own, which needs no credential.
    pub(crate) async fn own(
        &self,
        mut request: Request<Bytes>,
        user: Arc<UserInfo>,
    ) -> Response<Body> {
        request.extensions_mut().insert(Authenticated::new(user));
        let request = request.map(|body| Either::Right(Full::new(body)));
        let Ok(mut response) = self.answering.clone().call(prepare(request)).await;
        // There is no client who could be slow to read.
        response.extensions_mut().remove::<Arc<UnderWay>>();
        response
    }
}

impl Handler for Frontend {
    type Body = Bounded;

    async fn handle(&self, mut request: Request<Incoming>, peer: Peer) -> Response<Bounded> {
        let begun = Instant::now();
        let audit_id = audit_id(&request);
        request.extensions_mut().remove::<PeerCertificates>();
        if let Some(certificates) = peer.certificates {
            request.extensions_mut().insert(certificates);
        }
        let request = prepare(request.map(Either::Left));
        let subject = request.extensions().get::<Arc<Subject>>().cloned();
        let method = request.method().clone();
        let mut service = self.service.clone();
        let Ok(response) = service.call(request).await;
        let mut response = response.map(|body| match body {
            Either::Left(body) => body,
            Either::Right(mut whole) => {
                // A full body is there at once.
                let frame = whole.frame().now_or_never().flatten();
                let data = frame
                    .and_then(Result::ok)
                    .and_then(|frame| frame.into_data().ok());
                Body::Whole(data)
            }
        });
        if method == Method::HEAD {
            response = without_body(response);
        }
        if response.extensions().get::<CloseConnection>().is_some() {
            peer.close.cancel();
        }
        if let Some(refusal) = response.extensions().get::<Refusal>() {
            let path = subject.as_ref().map(|subject| subject.info.path.as_str());
            let refused = RefusedRequest {
                audit_id: audit_id.to_str().unwrap_or_default(),
                address: peer.address,
                method: method.as_str(),
                path: path.unwrap_or_default(),
            };
            self.answering.api.refusals.record(refused, refusal);
        }
        response.headers_mut().insert(AUDIT_ID, audit_id);
        if let Some(subject) = subject {
            let took = (subject.info.verb != Verb::Watch).then(|| begun.elapsed());
            self.answering
                .api
                .metrics
                .answered(&subject.info, response.status(), took);
        }
        let under_way = response.extensions_mut().remove::<Arc<UnderWay>>();
        let deadline = match (&under_way, response.body()) {
            (_, Body::Endless(_)) => None,
            (Some(under_way), _) => Some(under_way.deadline),
            (None, _) => Some(begun + self.answering.api.request_timeout),
        };
        let deadline = deadline.map(|deadline| deadline.max(Instant::now() + MIN_SENDING));
        if let Some(deadline) = deadline {
            peer.request.answer_by(deadline);
        }
        response.map(|body| Bounded::new(body, deadline, (peer.request, under_way)))
    }
}

/// What an admitted request takes until its answer is sent.
struct UnderWay {
    deadline: Instant,
    _in_flight: InFlight,
    /// Not there for administrators, who are let in when there is no room.
    _permit: Option<OwnedSemaphorePermit>,
}

/// The same answer without its content, which HTTP/2 does not leave out by itself.
fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers.insert(CONTENT_LENGTH, length.into());
    }
    Response::from_parts(head, Body::empty())
}

/// What a request is about, worked out once.
struct Subject {
    info: RequestInfo,
    query: Query,
}

fn prepare<B>(mut request: Request<B>) -> Request<B> {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let info = RequestInfo::parse(request.method(), request.uri().path(), &query);
    request
        .extensions_mut()
        .insert(Arc::new(Subject { info, query }));
    request
}

/// The client's audit id, if it is a sensible one, or a new one.
fn audit_id<B>(request: &Request<B>) -> HeaderValue {
    let given = request.headers().get(&AUDIT_ID).filter(|id| {
        (1..=MAX_AUDIT_ID).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    let fresh = || HeaderValue::from_str(&new_audit_id().to_string()).ok();
    given
        .cloned()
        .or_else(fresh)
        .unwrap_or(HeaderValue::from_static(""))
}

/// A random UUID without a system call for each: requests that are counted, under a keyed hash whose key
/// the operating system chose. An audit id must be unique, but is no secret.
fn new_audit_id() -> Uuid {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let (high, low) = (KEY.hash_one((0, count)), KEY.hash_one((1, count)));
    let random = Uuid::from_u64_pair(high, low).into_bytes();
    uuid::Builder::from_random_bytes(random).into_uuid()
}

struct Limits {
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
}

/// The service behind authentication.
#[derive(Clone)]
struct Answering {
    api: Arc<Api>,
    limits: Arc<Limits>,
}

impl Service<Request<RequestBody>> for Answering {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(this.answer(request).await) })
    }
}

impl Answering {
    async fn answer(&self, request: Request<RequestBody>) -> Response<Body> {
        let (mut head, body) = request.into_parts();
        let subject = head.extensions.remove::<Arc<Subject>>();
        let user = head
            .extensions
            .remove::<Authenticated>()
            .map(|authenticated| authenticated.user);
        let (Some(subject), Some(user)) = (subject, user) else {
            let headers = &head.headers;
            let shown = Accept::fallback(headers, &Query::default());
            return status(&Status::internal("no user present on request"), shown);
        };
        let shown = Accept::fallback(&head.headers, &subject.query);
        let Subject { info, query } = &*subject;
        let acting = impersonate(&mut head.headers, user, &*self.api.authorization);
        let user = match acting {
            Ok(user) => user,
            Err(refusal) => return not_sniffed(status(&refusal, shown)),
        };
        if info.verb == Verb::Watch {
            return self.guarded(&head, &subject, &user, body).await;
        }
        let is_read = matches!(
            info.verb,
            Verb::Get | Verb::List | Verb::Head | Verb::Options
        );
        let semaphore = if is_read {
            &self.limits.reads
        } else {
            &self.limits.writes
        };
        let permit = Arc::clone(semaphore).try_acquire_owned().ok();
        if permit.is_none() && !user.in_group(names::MASTERS) {
            let message = "Too many requests, please try again later.";
            return status(&Status::too_many_requests(message, 1), shown);
        }
        let limit = timeout_of(query).map_or(self.api.request_timeout, |asked| {
            asked.min(self.api.request_timeout)
        });
        let under_way = UnderWay {
            deadline: Instant::now() + limit,
            _in_flight: self.api.metrics.in_flight(is_read),
            _permit: permit,
        };
        let answer = self.guarded(&head, &subject, &user, body);
        let outcome = tokio::time::timeout_at(under_way.deadline, answer).await;
        let mut response = outcome.unwrap_or_else(|_| {
            let message =
                "request did not complete within requested timeout - context deadline exceeded";
            status(&Status::timeout(message), shown)
        });
        response.extensions_mut().insert(Arc::new(under_way));
        response
    }

    /// A bug in one request's code ends that request alone.
    async fn guarded<B>(
        &self,
        head: &http::request::Parts,
        subject: &Subject,
        user: &Arc<UserInfo>,
        body: B,
    ) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let Subject { info, query } = subject;
        let call = Call {
            head,
            info,
            query,
            user,
            body,
        };
        let answered = AssertUnwindSafe(self.api.answer(call)).catch_unwind().await;
        answered.unwrap_or_else(|_| {
            tracing::error!(path = info.path, "answering a request panicked");
            let message = "This request caused the server to panic. Look in the logs for details.";
            let failure = Status::failure(StatusCode::INTERNAL_SERVER_ERROR.as_u16(), "", message);
            status(&failure, Accept::fallback(&head.headers, query))
        })
    }
}

/// The `timeout` parameter, such as `30s` or `1m30s`.
fn timeout_of(query: &Query) -> Option<Duration> {
    let text = query.first("timeout")?;
    let span: jiff::SignedDuration = text.parse().ok()?;
    let timeout = Duration::try_from(span).ok()?;
    (!timeout.is_zero()).then_some(timeout)
}
