use super::unauthorized::INDENTED;
use super::*;

use std::convert::Infallible;
use std::sync::Mutex;
use std::task::Waker;

use burgee_identity::{SettableClock, UserInfo};
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::testing::Fixed;
use crate::{Anonymous, Chain, EXTRA_SPACE_WARNING, NoMetrics, StaticTokens};

const AUDIENCE: &str = "https://kubernetes.default.svc";

fn clock() -> Arc<SettableClock> {
    Arc::new(SettableClock::at(jiff::Timestamp::UNIX_EPOCH))
}

fn chain() -> Arc<dyn Authenticator> {
    let tokens = StaticTokens::new("t.csv", b"good,jane,u1").unwrap();
    let builder = Chain::builder([AUDIENCE])
        .static_tokens(Arc::new(tokens))
        .anonymous(Anonymous::everywhere());
    Arc::new(builder.build(clock(), Arc::new(NoMetrics)).unwrap())
}

fn layer(authenticator: Arc<dyn Authenticator>) -> AuthenticationLayer {
    AuthenticationLayer::new(authenticator, [AUDIENCE], clock())
}

/// What the service behind the layer saw.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Option<http::request::Parts>>>);

async fn call(
    layer: &AuthenticationLayer,
    request: http::request::Builder,
) -> (Response<Bytes>, Option<http::request::Parts>) {
    let seen = Seen::default();
    let service = {
        let seen = seen.clone();
        layer.layer(tower::service_fn(move |request: http::Request<()>| {
            *seen.0.lock().unwrap() = Some(request.into_parts().0);
            std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(
                "served",
            ))))
        }))
    };
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = seen.0.lock().unwrap().take();
    (Response::from_parts(parts, body), seen)
}

fn get(path: &str) -> http::request::Builder {
    http::Request::get(path)
}

#[tokio::test]
async fn the_service_finds_who_it_is_and_no_credential() {
    let request = get("/api")
        .header(AUTHORIZATION, "Bearer good")
        .header(AUTHORIZATION, "Basic x");
    let (response, seen) = call(&layer(chain()), request).await;
    assert_eq!(
        (response.status(), response.body().as_ref()),
        (StatusCode::OK, &b"served"[..])
    );
    let seen = seen.unwrap();
    let caller = seen.extensions.get::<Authenticated>().unwrap();
    assert_eq!(
        (&*caller.user.name, caller.audiences()),
        ("jane", &[AUDIENCE.to_owned()][..])
    );
    assert!(!seen.headers.contains_key(AUTHORIZATION));
    assert!(response.headers().is_empty());
}

#[tokio::test]
async fn headers_of_front_proxies_are_taken_out_whoever_sends_them() {
    let request = get("/")
        .header("X-Remote-User", "admin")
        .header("X-REMOTE-UID", "1")
        .header("x-remote-group", "system:masters")
        .header("x-remote-group", "devs")
        .header("X-Remote-Extra-Scopes", "a")
        .header("X-Remote-Extra-Acme.com%2Fproject", "b")
        .header("X-Remote-Group-1", "stays")
        .header("Impersonate-User", "stays");
    let (_, seen) = call(&layer(chain()), request).await;
    let headers = seen.unwrap().headers;
    let names: std::collections::BTreeSet<_> = headers.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["impersonate-user", "x-remote-group-1"].into());
}

#[tokio::test]
async fn headers_that_an_authenticator_takes_identities_from_are_taken_out_as_well() {
    #[derive(Debug)]
    struct Proxied;

    impl Authenticator for Proxied {
        fn name(&self) -> &'static str {
            "proxied"
        }

        fn authenticate(&self, _request: &Request<'_>) -> Decision {
            Outcome::Authenticated(Authenticated::new(UserInfo::named("jane"))).into()
        }

        fn identity_headers(&self) -> IdentityHeaders {
            let name = http::HeaderName::from_static("x-user");
            IdentityHeaders::new([name], ["X-Extra-".to_owned()])
        }
    }

    let request = get("/")
        .header("X-User", "admin")
        .header("X-Extra-a%2Fb", "c")
        .header("X-Remote-User", "admin")
        .header("X-Stays", "stays");
    let (_, seen) = call(&layer(Arc::new(Proxied)), request).await;
    let headers = seen.unwrap().headers;
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-stays"]);
}

#[tokio::test]
async fn the_token_of_a_websocket_is_taken_out_of_its_header() {
    let request = get("/")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header(
            "Sec-WebSocket-Protocol",
            "base64url.bearer.authorization.k8s.io.Z29vZA",
        )
        .header("Sec-WebSocket-Protocol", "dummy, dummy2");
    let (_, seen) = call(&layer(chain()), request).await;
    let headers = seen.unwrap().headers;
    let lines: Vec<_> = headers.get_all("sec-websocket-protocol").iter().collect();
    assert_eq!(lines, ["dummy,dummy2"]);
}

#[tokio::test]
async fn a_401_is_upstreams_byte_for_byte() {
    let compact = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#.to_owned() + "\n";
    assert_eq!((compact.len(), INDENTED.len()), (129, 157));
    for (path, agent, body) in [
        ("/api", "kubectl/v1.36", &*compact),
        ("/api", "curl/8", INDENTED),
        ("/api", "Wget/1", INDENTED),
        ("/api", "Mozilla/5.0 (X)", INDENTED),
        ("/api", "Mozilla/4.0", &compact),
        ("/api", "xcurl", &compact),
        ("/api?pretty=true", "kubectl", INDENTED),
        ("/api?pretty=1", "kubectl", INDENTED),
        ("/api?pretty=T", "kubectl", INDENTED),
        ("/api?pretty=", "kubectl", &compact),
        ("/api?pretty=", "curl/8", INDENTED),
        ("/api?pretty=false", "curl/8", &compact),
        ("/api?pretty=yes", "curl/8", &compact),
        ("/api?pretty=0&pretty=1", "curl/8", &compact),
    ] {
        let request = get(path)
            .header(AUTHORIZATION, "Bearer wrong")
            .header(USER_AGENT, agent);
        let (response, seen) = call(&layer(chain()), request).await;
        assert_eq!(
            (response.status().as_u16(), response.body().as_ref()),
            (401, body.as_bytes()),
            "{path} {agent}"
        );
        let header = |name| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap())
        };
        assert_eq!(header(CONTENT_TYPE), Some("application/json"));
        assert_eq!(header(CACHE_CONTROL), Some("no-cache, private"));
        assert_eq!(header(CONTENT_LENGTH), Some(&*body.len().to_string()));
        assert_eq!(header(http::header::WWW_AUTHENTICATE), None);
        assert!(seen.is_none());
    }
}

#[tokio::test]
async fn a_warning_is_sent_once_with_success_and_with_401() {
    let expected = format!("299 - \"{EXTRA_SPACE_WARNING}\"");
    let shut = {
        let builder = Chain::builder([AUDIENCE]);
        Arc::new(builder.build(clock(), Arc::new(NoMetrics)).unwrap())
    };
    for (authenticator, status) in [(chain(), 200), (shut, 401)] {
        let request = get("/").header(AUTHORIZATION, "Bearer  good");
        let (response, _) = call(&layer(authenticator), request).await;
        assert_eq!(response.status(), status);
        let warnings: Vec<_> = response.headers().get_all(WARNING).iter().collect();
        assert_eq!(warnings, [&*expected]);
    }
}

#[test]
fn quotes_in_warnings_are_escaped() {
    assert_eq!(warning_value(r#"a "b" \c"#), r#"299 - "a \"b\" \\c""#);
}

#[tokio::test]
async fn http2_connections_are_closed_after_what_nobody_vouches_for() {
    for (version, authorization, mitigation, close) in [
        (
            Version::HTTP_2,
            "Bearer wrong",
            Http2Mitigation::Close,
            true,
        ),
        (Version::HTTP_2, "Basic x", Http2Mitigation::Close, true),
        (
            Version::HTTP_2,
            "Bearer good",
            Http2Mitigation::Close,
            false,
        ),
        (
            Version::HTTP_11,
            "Bearer wrong",
            Http2Mitigation::Close,
            false,
        ),
        (
            Version::HTTP_2,
            "Bearer wrong",
            Http2Mitigation::KeepOpen,
            false,
        ),
    ] {
        let layer = layer(chain()).http2_mitigation(mitigation);
        let request = get("/")
            .version(version)
            .header(AUTHORIZATION, authorization);
        let (response, _) = call(&layer, request).await;
        let closed = response.extensions().get::<CloseConnection>().is_some();
        assert_eq!(closed, close, "{version:?} {authorization}");
    }
}

#[tokio::test]
async fn http2_connections_of_those_who_are_exempt_stay_open() {
    let peer = |byte| PeerCertificates::new([rustls_pki_types::CertificateDer::from(vec![byte])]);
    let layer = layer(chain()).http2_exempt(Arc::new(|peer| peer.chain()[0].as_ref() == [1]));
    for authorization in ["Bearer wrong", "Basic x"] {
        for (certificates, close) in [(Some(peer(1)), false), (Some(peer(2)), true), (None, true)] {
            let mut request = get("/")
                .version(Version::HTTP_2)
                .header(AUTHORIZATION, authorization);
            if let Some(peer) = certificates {
                request = request.extension(peer);
            }
            let (response, _) = call(&layer, request).await;
            let closed = response.extensions().get::<CloseConnection>().is_some();
            assert_eq!(closed, close, "{authorization}");
        }
    }
}

#[tokio::test]
async fn an_identity_for_other_audiences_is_refused_and_one_without_is_not() {
    for (audiences, status) in [(vec![], 200), (vec![AUDIENCE], 200), (vec!["vault"], 401)] {
        let audiences: Vec<String> = audiences.into_iter().map(str::to_owned).collect();
        let user = Authenticated::new(UserInfo::named("jane")).for_audiences(audiences);
        let fixed = Arc::new(Fixed::now(Outcome::Authenticated(user)));
        let (response, _) = call(&layer(fixed), get("/")).await;
        assert_eq!(response.status(), status);
        if status == 401 {
            let refusal = response.extensions().get::<Refusal>().unwrap();
            assert_eq!(refusal.reason, Reason::TokenAudienceMismatch);
        }
    }
}

#[tokio::test]
async fn an_authenticator_that_answers_later_is_waited_for() {
    let user = Outcome::Authenticated(Authenticated::new(UserInfo::named("jane")));
    let (response, seen) = call(&layer(Arc::new(Fixed::later(user))), get("/")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        seen.unwrap()
            .extensions
            .get::<Authenticated>()
            .unwrap()
            .user
            .name,
        "jane"
    );
    let late = Fixed::later(Outcome::rejected(Reason::TokenExpired, "late"));
    assert_eq!(call(&layer(Arc::new(late)), get("/")).await.0.status(), 401);
}

#[tokio::test]
async fn a_refusal_tells_the_audit_log_what_was_attempted() {
    let peer = PeerCertificates::new([rustls_pki_types::CertificateDer::from(vec![0])]);
    let shut = Arc::new(Fixed::now(Outcome::NoOpinion(Reason::CredentialAbsent)));
    for (path, authorization, certificate, text) in [
        (
            "/",
            "",
            false,
            "Authentication failed, no credentials provided",
        ),
        (
            "/",
            "Bearer x",
            false,
            "Authentication failed, attempted: bearer",
        ),
        (
            "/",
            "basic eA==",
            true,
            "Authentication failed, attempted: basic, x509",
        ),
        (
            "/?access_token=x",
            "Bearer x",
            false,
            "Authentication failed, attempted: bearer, access_token",
        ),
        (
            "/?access_token=",
            "",
            false,
            "Authentication failed, no credentials provided",
        ),
    ] {
        let mut request = get(path).header(AUTHORIZATION, authorization);
        if certificate {
            request = request.extension(peer.clone());
        }
        let (response, _) = call(&layer(shut.clone()), request).await;
        assert_eq!(
            response
                .extensions()
                .get::<Refusal>()
                .unwrap()
                .audit_message(),
            text
        );
    }
}

#[tokio::test]
async fn annotations_reach_the_service() {
    #[derive(Debug)]
    struct Annotating;

    impl Authenticator for Annotating {
        fn name(&self) -> &'static str {
            "annotating"
        }

        fn authenticate(&self, _request: &Request<'_>) -> Decision {
            let user = Authenticated::new(UserInfo::named("jane"));
            let annotations = vec![("key", "value".to_owned())];
            Decision::Now(Verdict::authenticated(user).with_annotations(annotations))
        }
    }

    let (_, seen) = call(&layer(Arc::new(Annotating)), get("/")).await;
    let seen = seen.unwrap();
    let annotations = seen.extensions.get::<AuditAnnotations>().unwrap();
    assert_eq!(annotations.0, [("key", "value".to_owned())]);
}

#[tokio::test]
async fn a_server_may_answer_401_in_its_own_way_but_not_have_it_cached() {
    let layer = layer(chain()).unauthorized(Arc::new(|_| {
        let mut response = Response::new(Full::<Bytes>::from("no"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
    }));
    let (response, _) = call(&layer, get("/").header(AUTHORIZATION, "Bearer wrong")).await;
    assert_eq!(response.body().as_ref(), b"no");
    assert_eq!(response.headers()[CACHE_CONTROL], "no-cache, private");
}

#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

impl Metrics for Recorder {
    fn attempt(&self, result: AttemptResult, _duration: Duration) {
        self.0.lock().unwrap().push(result.as_str().to_owned());
    }

    fn user(&self, label: UserLabel) {
        self.0.lock().unwrap().push(label.as_str().to_owned());
    }
}

#[tokio::test]
async fn attempts_are_counted_by_their_result() {
    let recorder = Arc::new(Recorder::default());
    let layer = layer(chain()).metrics(recorder.clone());
    call(&layer, get("/").header(AUTHORIZATION, "Bearer good")).await;
    call(&layer, get("/").header(AUTHORIZATION, "Bearer wrong")).await;
    assert_eq!(*recorder.0.lock().unwrap(), ["success", "other", "error"]);
}

#[tokio::test]
async fn there_is_no_room_for_endless_many_requests_that_wait() {
    #[derive(Debug)]
    struct Silent;

    impl Authenticator for Silent {
        fn name(&self) -> &'static str {
            "silent"
        }

        fn authenticate(&self, _: &Request<'_>) -> Decision {
            Decision::Later(Box::pin(std::future::pending()))
        }
    }

    let service = layer(Arc::new(Silent)).layer(tower::service_fn(|_: http::Request<()>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    }));
    let send = || {
        let big = "x".repeat(1024 * 1024);
        let request = get("/").header("x-big", big).body(()).unwrap();
        service.clone().oneshot(request)
    };
    let mut waiting = Vec::new();
    let refused = loop {
        let mut answer = Box::pin(send());
        match answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Pending => waiting.push(answer),
            Poll::Ready(answer) => break answer.unwrap(),
        }
    };
    assert_eq!((refused.status().as_u16(), waiting.len()), (401, 63));
    let reason = refused.extensions().get::<Refusal>().unwrap().reason;
    assert_eq!(reason, Reason::AuthenticatorUnavailable);
    // Who stops waiting makes room.
    waiting.pop();
    let mut answer = Box::pin(send());
    let polled = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
}
