//! The HTTP filter: a tower layer that lets requests through with an identity, or answers 401.

mod refusal;
mod unauthorized;

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use burgee_identity::{Authenticated, Clock, Outcome, Reason, Rejection, names};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, CACHE_CONTROL, WARNING};
use http::request::Parts;
use http::{HeaderValue, Response, Version};
use http_body::Body;
use http_body_util::{Either, Full};
use pin_project_lite::pin_project;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, Service};

use crate::chain::serves;
use crate::explain::cut;
use crate::{
    AttemptResult, Audiences, Authenticator, Decision, IdentityHeaders, Metrics, PeerCertificates,
    Request, UserLabel, Verdict,
};
use refusal::attempted;
use unauthorized::unauthorized;

pub use refusal::{Attempted, Refusal};

/// How much of a message is logged.
const MAX_LOGGED: usize = 512;
/// How many bytes of heads may wait for a verdict at once; each is kept twice meanwhile.
const MAX_WAITING: usize = 64 * 1024 * 1024;
/// In what steps they are counted.
const WAITING_UNIT: usize = 1024;
/// What a header costs in memory beside its text.
const HEADER_OVERHEAD: usize = 64;

/// The body of a response that passed the layer: the service's own, or the 401's.
pub type AuthenticationBody<B> = Either<B, Full<Bytes>>;

/// Makes the body of a 401: called with the request's head when the default, a JSON `Status`, will
/// not do because of what the client accepts.
pub type UnauthorizedResponder = dyn Fn(&Parts) -> Response<Full<Bytes>> + Send + Sync;

/// Tells connections that stay open whatever comes over them, such as those of a proxy.
pub type Http2Exempt = dyn Fn(&PeerCertificates) -> bool + Send + Sync;

/// Lets requests through to a service once it is known who they are from.
///
/// The service finds an [`Authenticated`] among the extensions of each request, and taken out of its
/// headers the credentials and whatever states an identity ([`IdentityHeaders`]). Everything else is answered with 401, without saying why; why is found
/// in the extension [`Refusal`] of the response, for the audit log. A client certificate is looked
/// for in the extension [`PeerCertificates`] of the request.
///
/// ```
/// use std::sync::Arc;
/// use burgee_authn::*;
/// use burgee_identity::{Authenticated, SystemClock};
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use tower::{Layer, ServiceExt};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let clock = Arc::new(SystemClock::new());
/// let tokens = StaticTokens::new("tokens.csv", b"sesame,ali-baba,u1")?;
/// let chain = Chain::builder(["https://cave.example"])
///     .static_tokens(Arc::new(tokens))
///     .build(clock.clone(), Arc::new(NoMetrics))?;
/// let layer = AuthenticationLayer::new(Arc::new(chain), ["https://cave.example"], clock);
///
/// let service = layer.layer(tower::service_fn(async |request: http::Request<()>| {
///     let caller = &request.extensions().get::<Authenticated>().unwrap().user;
///     Ok::<_, std::convert::Infallible>(http::Response::new(Full::<Bytes>::from(caller.name.clone())))
/// }));
/// let open = http::Request::get("/").header("authorization", "Bearer sesame").body(()).unwrap();
/// assert_eq!(service.clone().oneshot(open).await.unwrap().status(), 200);
/// let shut = http::Request::get("/").body(()).unwrap();
/// assert_eq!(service.oneshot(shut).await.unwrap().status(), 401);
/// # Ok::<(), Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct AuthenticationLayer {
    shared: Arc<Shared>,
}

#[derive(Clone)]
struct Shared {
    authenticator: Arc<dyn Authenticator>,
    audiences: Audiences,
    clock: Arc<dyn Clock>,
    metrics: Arc<dyn Metrics>,
    http2: Http2Mitigation,
    /// Room for requests that wait for their verdict.
    waiting: Arc<Semaphore>,
    http2_exempt: Option<Arc<Http2Exempt>>,
    identity_headers: IdentityHeaders,
    unauthorized: Arc<UnauthorizedResponder>,
}

/// Whether HTTP/2 connections are closed after a request that nobody vouches for, so that floods of
/// streams cost their sender a handshake each (upstream's gate `UnauthenticatedHTTP2DOSMitigation`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Http2Mitigation {
    /// The response carries [`CloseConnection`].
    #[default]
    Close,
    /// It does not: for servers behind a proxy that sends many clients' requests over one connection.
    KeepOpen,
}

/// An extension of a response after which the server should close the connection (HTTP/2 GOAWAY).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CloseConnection;

impl AuthenticationLayer {
    /// Judges requests with `authenticator`. `api_audiences` are the server's own: credentials that
    /// know of audiences must be for one of them.
    #[must_use]
    pub fn new<A: Into<String>>(
        authenticator: Arc<dyn Authenticator>,
        api_audiences: impl IntoIterator<Item = A>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let identity_headers = IdentityHeaders::standard().and(&authenticator.identity_headers());
        let shared = Shared {
            authenticator,
            identity_headers,
            http2_exempt: None,
            audiences: Audiences::of_server(api_audiences),
            clock,
            metrics: Arc::new(crate::NoMetrics),
            http2: Http2Mitigation::default(),
            waiting: Arc::new(Semaphore::new(MAX_WAITING / WAITING_UNIT)),
            unauthorized: Arc::new(unauthorized),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Counts here.
    #[must_use]
    pub fn metrics(self, metrics: Arc<dyn Metrics>) -> Self {
        self.with(|shared| shared.metrics = metrics)
    }

    /// Treats HTTP/2 connections so.
    #[must_use]
    pub fn http2_mitigation(self, mitigation: Http2Mitigation) -> Self {
        self.with(|shared| shared.http2 = mitigation)
    }

    /// Leaves those HTTP/2 connections open whose certificates `exempt` accepts: a proxy sends many
    /// clients' requests over one connection, and one bad token must not end those of all. Upstream
    /// knows no exemption.
    #[must_use]
    pub fn http2_exempt(self, exempt: Arc<Http2Exempt>) -> Self {
        self.with(|shared| shared.http2_exempt = Some(exempt))
    }

    /// Answers 401 so. The response gets `Cache-Control` and warnings from the layer.
    #[must_use]
    pub fn unauthorized(self, responder: Arc<UnauthorizedResponder>) -> Self {
        self.with(|shared| shared.unauthorized = responder)
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }
}

impl std::fmt::Debug for AuthenticationLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthenticationLayer")
            .field("authenticator", &self.shared.authenticator)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for AuthenticationLayer {
    type Service = Authentication<S>;

    fn layer(&self, inner: S) -> Authentication<S> {
        Authentication {
            shared: Arc::clone(&self.shared),
            inner,
        }
    }
}

/// The service that [`AuthenticationLayer`] makes.
#[derive(Clone)]
pub struct Authentication<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S: std::fmt::Debug> std::fmt::Debug for Authentication<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authentication")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B, R> Service<http::Request<B>> for Authentication<S>
where
    S: Service<http::Request<B>, Response = Response<R>> + Clone,
    R: Body<Data = Bytes>,
{
    type Response = Response<AuthenticationBody<R>>;
    type Error = S::Error;
    type Future = AuthenticationFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        let started = shared.clock.monotonic();
        let view = Request {
            headers: request.headers(),
            path: request.uri().path(),
            peer_certificates: request.extensions().get::<PeerCertificates>(),
            audiences: &shared.audiences,
        };
        let decision = shared.authenticator.authenticate(&view);
        let state = match decision {
            Decision::Now(verdict) => {
                State::admit(&shared, &mut self.inner, request, verdict, started)
            }
            Decision::Later(decision) => {
                let Some(room) = shared.room(&request) else {
                    let verdict = Verdict::rejected(
                        Reason::AuthenticatorUnavailable,
                        "too many requests wait to be authenticated",
                    );
                    let state = State::admit(&shared, &mut self.inner, request, verdict, started);
                    return AuthenticationFuture { state, shared };
                };
                // The service that was polled ready is the one that must be called.
                let waiting = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, waiting);
                State::Deciding {
                    decision,
                    waiting: Some((request, ready)),
                    started,
                    _room: room,
                }
            }
        };
        AuthenticationFuture { state, shared }
    }
}

pin_project! {
    /// The future of [`Authentication`].
    pub struct AuthenticationFuture<S, B> where S: Service<http::Request<B>> {
        #[pin]
        state: State<S, B>,
        shared: Arc<Shared>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B> where S: Service<http::Request<B>> {
        Deciding {
            decision: BoxFuture<'static, Verdict>,
            waiting: Option<(http::Request<B>, S)>,
            started: Duration,
            _room: OwnedSemaphorePermit,
        },
        Admitted {
            #[pin]
            response: S::Future,
            mark: Option<Mark>,
        },
        Refused {
            response: Option<Response<Full<Bytes>>>,
        },
    }
}

/// What a response still has to be given.
struct Mark {
    warnings: Vec<Cow<'static, str>>,
    close: bool,
}

impl Mark {
    fn put_on<B>(self, response: &mut Response<B>) {
        let mut seen: Vec<&str> = Vec::new();
        for warning in &self.warnings {
            if seen.contains(&warning.as_ref()) {
                continue;
            }
            seen.push(warning);
            if let Ok(value) = HeaderValue::from_str(&warning_value(warning)) {
                response.headers_mut().append(WARNING, value);
            }
        }
        if self.close {
            response.extensions_mut().insert(CloseConnection);
        }
    }
}

impl<S: Service<http::Request<B>>, B> State<S, B> {
    fn admit(
        shared: &Shared,
        inner: &mut S,
        request: http::Request<B>,
        verdict: Verdict,
        started: Duration,
    ) -> Self {
        let (mut parts, body) = request.into_parts();
        match shared.judge(&mut parts, verdict, started) {
            Ok(mark) => Self::Admitted {
                response: inner.call(http::Request::from_parts(parts, body)),
                mark: Some(mark),
            },
            Err(response) => Self::Refused {
                response: Some(*response),
            },
        }
    }
}

impl<S, B, R> Future for AuthenticationFuture<S, B>
where
    S: Service<http::Request<B>, Response = Response<R>>,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<AuthenticationBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Deciding {
                    decision,
                    waiting,
                    started,
                    ..
                } => {
                    let verdict = ready!(decision.as_mut().poll(context));
                    match waiting.take() {
                        Some((request, mut inner)) => {
                            State::admit(this.shared, &mut inner, request, verdict, *started)
                        }
                        // Only after completion, when a future must not be polled any more.
                        None => return Poll::Pending,
                    }
                }
                StateProjection::Admitted { response, mark } => {
                    let mut response = ready!(response.poll(context))?;
                    if let Some(mark) = mark.take() {
                        mark.put_on(&mut response);
                    }
                    return Poll::Ready(Ok(response.map(Either::Left)));
                }
                StateProjection::Refused { response } => {
                    return match response.take() {
                        Some(response) => Poll::Ready(Ok(response.map(Either::Right))),
                        None => Poll::Pending,
                    };
                }
            };
            this.state.set(next);
        }
    }
}

impl Shared {
    /// Room for a request that has to wait for its verdict, by the size of its head: nobody knows yet who
    /// sends it, and until then anyone can.
    fn room<B>(&self, request: &http::Request<B>) -> Option<OwnedSemaphorePermit> {
        let headers = request.headers().iter();
        let bytes: usize = headers
            .map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD)
            .sum();
        let units = u32::try_from(1 + bytes / WAITING_UNIT).ok()?;
        Arc::clone(&self.waiting).try_acquire_many_owned(units).ok()
    }

    /// Turns a verdict into a request that is ready for the service, or into the 401.
    fn judge(
        &self,
        parts: &mut Parts,
        mut verdict: Verdict,
        started: Duration,
    ) -> Result<Mark, Box<Response<Full<Bytes>>>> {
        let took = self.clock.monotonic().saturating_sub(started);
        let mut warnings = verdict.take_warnings();
        let annotations = verdict.take_annotations();
        let rejections = verdict.take_rejections();
        let rewrite = verdict.rewrite().cloned();
        let (result, reason, rejections) = match verdict.outcome {
            Outcome::Authenticated(mut authenticated) => {
                if serves(authenticated.audiences(), &self.audiences) {
                    self.metrics.attempt(AttemptResult::Success, took);
                    self.metrics.user(UserLabel::of(&authenticated.user.name));
                    let user = &authenticated.user;
                    let unknown =
                        user.name == names::ANONYMOUS || user.in_group(names::UNAUTHENTICATED);
                    warnings.append(&mut authenticated.warnings);
                    if let Some((name, value)) = rewrite {
                        parts.headers.insert(name, value);
                    }
                    parts.headers.remove(AUTHORIZATION);
                    self.identity_headers.remove_from(&mut parts.headers);
                    if !annotations.is_empty() {
                        parts.extensions.insert(AuditAnnotations(annotations));
                    }
                    parts.extensions.insert::<Authenticated>(authenticated);
                    return Ok(Mark {
                        warnings,
                        close: unknown && self.closes(parts),
                    });
                }
                let message = format!(
                    "unable to match the audience: {:?} , accepted: {:?}",
                    authenticated.audiences(),
                    self.audiences.as_slice()
                );
                let reason = Reason::TokenAudienceMismatch;
                (
                    AttemptResult::Error,
                    reason,
                    vec![Rejection::new(reason, message)],
                )
            }
            Outcome::NoOpinion(reason) => (AttemptResult::Failure, reason, Vec::new()),
            Outcome::Rejected(rejection) => {
                let reason = rejection.reason;
                let all = if rejections.is_empty() {
                    vec![rejection]
                } else {
                    rejections
                };
                (AttemptResult::Error, reason, all)
            }
        };
        self.metrics.attempt(result, took);
        self.metrics.refused(reason);
        for rejection in &rejections {
            // What a token says of itself can be long.
            tracing::info!(
                reason = rejection.reason.code(),
                error = %cut(&rejection.message, MAX_LOGGED),
                "unable to authenticate the request"
            );
        }
        let mut response = (self.unauthorized)(parts);
        let no_cache = HeaderValue::from_static("no-cache, private");
        response.headers_mut().insert(CACHE_CONTROL, no_cache);
        let attempted = attempted(parts);
        let close = self.closes(parts);
        response.extensions_mut().insert(Refusal {
            reason,
            rejections,
            attempted,
        });
        Mark { warnings, close }.put_on(&mut response);
        Err(Box::new(response))
    }

    /// Whether a connection ends after a request on it that nobody vouches for.
    fn closes(&self, parts: &Parts) -> bool {
        if self.http2 == Http2Mitigation::KeepOpen || parts.version != Version::HTTP_2 {
            return false;
        }
        let exempt = self.http2_exempt.as_ref();
        let peer = parts.extensions.get::<PeerCertificates>();
        !exempt.zip(peer).is_some_and(|(exempt, peer)| exempt(peer))
    }
}

/// An extension of a request that was let through: audit annotations, key and value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditAnnotations(pub Vec<(&'static str, String)>);

/// A warning as a header value (RFC 7234 section 5.5): code 299, no agent, quoted text.
fn warning_value(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("299 - \"{escaped}\"")
}

#[cfg(test)]
mod tests;
