//! One test for each security pitfall of request authentication that this crate can fall into, by its
//! number in the list that they were written against.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use burgee_authn::{
    Anonymous, Audiences, AuthenticationLayer, Authenticator, CachePolicy, Chain,
    ClientCertificates, CloseConnection, Decision, FrontProxy, FrontProxyOptions, LoopbackToken,
    NoMetrics, PeerCertificates, Reload, StaticTokens, TokenAuthenticator, TokenCache, UidPolicy,
    Verdict, WebSocketToken,
};
use burgee_identity::{Authenticated, Clock, Outcome, Reason, Secret, SettableClock, UserInfo};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls_pki_types::CertificateDer;
use tower::{Layer as _, ServiceExt as _};

const AUDIENCE: &str = "https://kubernetes.default.svc";

fn clock() -> Arc<SettableClock> {
    Arc::new(SettableClock::at("2026-01-01T00:00:00Z".parse().unwrap()))
}

fn tokens(file: &str) -> Arc<StaticTokens> {
    Arc::new(StaticTokens::new("tokens.csv", file.as_bytes()).unwrap())
}

/// A certificate authority, in PEM, and what signs with it.
struct Authority(String, Issuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = parameters(name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self(pem, Issuer::new(parameters, key))
    }

    fn peer(&self, name: &str) -> PeerCertificates {
        let mut parameters = parameters(name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let leaf = parameters.signed_by(&key, &self.1).unwrap();
        PeerCertificates::new([leaf.der().clone()])
    }
}

fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = rcgen::date_time_ymd(2025, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2030, 1, 1);
    parameters
}

/// A chain with everything that judges connections, and the authorities of both kinds.
struct World {
    clock: Arc<SettableClock>,
    certificates: Arc<ClientCertificates>,
    clients: Authority,
    proxies: Authority,
    chain: Arc<Chain>,
}

impl World {
    fn new() -> Self {
        let (clock, clients, proxies) = (
            clock(),
            Authority::new("client-ca"),
            Authority::new("front-proxy-ca"),
        );
        let certificates = ClientCertificates::new(
            "client-ca-bundle::/ca.crt",
            UidPolicy::FromSubject,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(NoMetrics),
        );
        let certificates = Arc::new(certificates.unwrap());
        certificates.reload(clients.0.as_bytes()).unwrap();
        let options = FrontProxyOptions {
            username_headers: vec!["X-Remote-User".to_owned()],
            group_headers: vec!["X-Remote-Group".to_owned()],
            extra_header_prefixes: vec!["X-Remote-Extra-".to_owned()],
            ..FrontProxyOptions::default()
        };
        let name = "request-header::/proxy-ca.crt";
        let front_proxy = FrontProxy::new(name, &options, Arc::clone(&clock) as _).unwrap();
        front_proxy.reload(proxies.0.as_bytes()).unwrap();
        let secret = Secret::from("the-server-itself".to_owned());
        let chain = Chain::builder([AUDIENCE])
            .loopback(LoopbackToken::new(secret, "u"))
            .front_proxy(Arc::new(front_proxy))
            .client_certificates(Arc::clone(&certificates) as _)
            .static_tokens(tokens(
                "good,jane,u1,devs\nodd,joe,u2,system:unauthenticated",
            ))
            .anonymous(Anonymous::everywhere())
            .build(Arc::clone(&clock) as _, Arc::new(NoMetrics))
            .unwrap();
        Self {
            clock,
            certificates,
            clients,
            proxies,
            chain: Arc::new(chain),
        }
    }

    /// The user's name, or why there is none.
    fn ask(
        &self,
        peer: Option<&PeerCertificates>,
        lines: &[(&str, &str)],
    ) -> Result<String, Reason> {
        let headers = headers(lines);
        let request = burgee_authn::Request {
            headers: &headers,
            path: "/api",
            peer_certificates: peer,
            audiences: self.chain.api_audiences(),
        };
        let Decision::Now(verdict) = self.chain.authenticate(&request) else {
            panic!("not decided from memory")
        };
        match verdict.outcome {
            Outcome::Authenticated(good) => Ok(good.user.name.clone()),
            other => Err(other.reason().unwrap()),
        }
    }

    /// The response, and the headers that the service behind the layer saw.
    async fn call(&self, request: http::request::Builder) -> (Response<Bytes>, Option<HeaderMap>) {
        let chain = Arc::clone(&self.chain) as Arc<dyn Authenticator>;
        let layer = AuthenticationLayer::new(chain, [AUDIENCE], Arc::clone(&self.clock) as _);
        let seen = Arc::new(Mutex::new(None));
        let service = layer.layer(tower::service_fn({
            let seen = Arc::clone(&seen);
            move |request: Request<()>| {
                *seen.lock().unwrap() = Some(request.headers().clone());
                std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
            }
        }));
        let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let seen = seen.lock().unwrap().take();
        (Response::from_parts(parts, body), seen)
    }
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn pitfall_1_no_table_of_tokens_holds_a_token() {
    // Both tables are searched by keyed digests. What can be seen from outside: nothing but whole
    // tokens is found, and no token is there to be compared with or printed.
    let tokens = tokens("s3cr3t-token,jane,u1");
    for (token, expected) in [
        ("s3cr3t-token", true),
        ("s3cr3t-tokem", false),
        ("s3cr3t-toke", false),
        ("s3cr3t-token\0", false),
        ("S3cr3t-token", false),
    ] {
        let Decision::Now(verdict) = tokens.authenticate(token, &Audiences::ANY) else {
            panic!()
        };
        assert_eq!(verdict.is_authenticated(), expected, "{token:?}");
    }
    let cache = TokenCache::new(tokens, CachePolicy::default(), clock(), Arc::new(NoMetrics));
    let cache = cache.unwrap();
    drop(cache.authenticate("s3cr3t-token", &Audiences::ANY));
    assert!(!format!("{cache:?}").contains("s3cr3t"));
}

#[tokio::test]
async fn pitfall_2_headers_of_proxies_never_get_through_in_any_spelling() {
    let world = World::new();
    let spellings = [
        ("x-remote-user", "admin"),
        ("X-REMOTE-GROUP", "system:masters"),
        ("X-Remote-Uid", "1"),
        ("X-Remote-Extra-a%2Fb", "c"),
        // An underscore is no hyphen: neither read nor taken for one later.
        ("x_remote_user", "admin"),
    ];
    for upgrade in [false, true] {
        let mut request = Request::get("/").header("Authorization", "Bearer good");
        for (name, value) in spellings {
            request = request.header(name, value);
        }
        if upgrade {
            request = request
                .header("Upgrade", "websocket")
                .header("Connection", "Upgrade");
        }
        let (response, seen) = world.call(request).await;
        assert_eq!(response.status(), 200);
        let seen = seen.unwrap();
        let left = seen.keys().filter(|name| name.as_str().contains("remote"));
        assert_eq!(left.collect::<Vec<_>>(), ["x_remote_user"]);
    }
    let proxy = world.proxies.peer("proxy");
    let underscored = world.ask(Some(&proxy), &[("x_remote_user", "admin")]);
    assert_eq!(underscored, Err(Reason::CertificateAuthorityUnknown));
    let two = [
        ("Authorization", "Basic Zm9vOmJhcg=="),
        ("Authorization", "Bearer good"),
    ];
    assert_eq!(world.ask(None, &two).unwrap(), "system:anonymous");
}

#[test]
fn pitfall_3_a_proxys_headers_are_nothing_without_its_certificate() {
    let world = World::new();
    let lines = [
        ("X-Remote-User", "admin"),
        ("X-Remote-Group", "system:masters"),
    ];
    assert_eq!(world.ask(None, &lines).unwrap(), "system:anonymous");
    let client = world.clients.peer("jane");
    assert_eq!(world.ask(Some(&client), &lines).unwrap(), "jane");
    let stranger = Authority::new("front-proxy-ca").peer("proxy");
    assert_eq!(
        world.ask(Some(&stranger), &lines),
        Err(Reason::CertificateAuthorityUnknown)
    );
    let proxy = world.proxies.peer("proxy");
    assert_eq!(world.ask(Some(&proxy), &lines).unwrap(), "admin");
}

#[test]
fn pitfall_4_a_certificate_is_judged_for_each_request_of_its_connection() {
    let world = World::new();
    let connection = world.clients.peer("jane");
    assert_eq!(world.ask(Some(&connection), &[]).unwrap(), "jane");
    world.clock.set("2030-01-01T00:00:01Z".parse().unwrap());
    assert!(world.ask(Some(&connection), &[]).is_err());
    world.clock.set("2026-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(world.ask(Some(&connection), &[]).unwrap(), "jane");
    let other = Authority::new("other");
    world.certificates.reload(other.0.as_bytes()).unwrap();
    assert_eq!(
        world.ask(Some(&connection), &[]),
        Err(Reason::CertificateAuthorityUnknown)
    );
}

#[test]
fn pitfall_5_authorities_vouch_for_what_they_were_configured_for_and_no_others_do() {
    let world = World::new();
    let lines = [("X-Remote-User", "admin")];
    // A client's authority makes no proxies, and that of proxies no clients.
    let client = world.clients.peer("proxy");
    assert_eq!(world.ask(Some(&client), &lines).unwrap(), "proxy");
    let proxy = world.proxies.peer("jane");
    assert_eq!(
        world.ask(Some(&proxy), &[]),
        Err(Reason::CertificateAuthorityUnknown)
    );
    // Without a bundle nobody is trusted, least of all the machine's own authorities.
    let nobody = ClientCertificates::new(
        "client-ca-bundle::/ca.crt",
        UidPolicy::FromSubject,
        clock(),
        Arc::new(NoMetrics),
    )
    .unwrap();
    let headers = HeaderMap::new();
    let request = burgee_authn::Request {
        headers: &headers,
        path: "/",
        peer_certificates: Some(&client),
        audiences: &Audiences::ANY,
    };
    let Decision::Now(verdict) = nobody.authenticate(&request) else {
        panic!()
    };
    assert_eq!(verdict.outcome, Outcome::NoOpinion(Reason::NotConfigured));
}

#[test]
fn pitfall_12_names_of_the_system_come_from_files_as_they_are_written() {
    // Whoever writes the file may name anybody; that is documented, not prevented.
    let tokens = tokens("t,system:admin,u,\"system:masters\"");
    let Decision::Now(verdict) = tokens.authenticate("t", &Audiences::ANY) else {
        panic!()
    };
    let user = verdict.outcome.user().unwrap();
    assert_eq!(user.name, "system:admin");
    assert_eq!(user.groups, ["system:masters", "system:authenticated"]);
}

#[tokio::test]
async fn pitfall_13_who_is_in_the_group_of_the_unauthenticated_stays_just_that() {
    let world = World::new();
    let request = || {
        Request::get("/")
            .version(Version::HTTP_2)
            .header("Authorization", "Bearer odd")
    };
    let (response, seen) = world.call(request()).await;
    assert!(seen.is_some());
    assert!(response.extensions().get::<CloseConnection>().is_some());
    let Decision::Now(verdict) =
        tokens("odd,joe,u2,system:unauthenticated").authenticate("odd", &Audiences::ANY)
    else {
        panic!()
    };
    assert_eq!(
        verdict.outcome.user().unwrap().groups,
        ["system:unauthenticated"]
    );
}

#[test]
fn pitfall_14_a_certificate_without_a_name_is_nobody() {
    let world = World::new();
    let nameless = world.clients.peer("");
    // The front proxy's authority does not know it either, and says so.
    assert!(world.ask(Some(&nameless), &[]).is_err());
    assert!(
        world
            .ask(Some(&nameless), &[("X-Remote-User", "")])
            .is_err()
    );
    let proxy = world.proxies.peer("proxy");
    assert!(world.ask(Some(&proxy), &[("X-Remote-User", "")]).is_err());
}

#[tokio::test]
async fn pitfall_15_credentials_are_in_no_debug_output_and_no_error() {
    let world = World::new();
    let protocol = "v4, base64url.bearer.authorization.k8s.io.czNjcjN0LXNvY2tldA";
    let (response, _) = world
        .call(
            Request::get("/")
                .header("Authorization", "Bearer s3cr3t-header")
                .header("Upgrade", "websocket")
                .header("Connection", "Upgrade")
                .header("Sec-WebSocket-Protocol", protocol),
        )
        .await;
    assert_eq!(response.status(), 401);
    let refusal = response.extensions().get::<burgee_authn::Refusal>();
    let shown = format!("{refusal:?} {:?} {response:?}", world.chain);
    for secret in ["s3cr3t", "czNjcjN0", "the-server-itself", "good"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let error = StaticTokens::new("tokens.csv", b"s3cr3t,jane").unwrap_err();
    let error = format!("{error} {error:?}");
    assert!(!error.contains("s3cr3t"), "{error}");
}

#[tokio::test]
async fn pitfall_16_no_credential_reaches_what_is_behind() {
    let world = World::new();
    let prefix = burgee_authn::TOKEN_PROTOCOL_PREFIX;
    let protocol = format!("v4, {prefix}Z29vZA");
    let request = || {
        Request::get("/")
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Protocol", &protocol)
    };
    let (_, seen) = world.call(request()).await;
    assert_eq!(seen.unwrap()["sec-websocket-protocol"], "v4");
    // Let through because of the other credential, which is gone; the unused one is left to whoever
    // hands the request on.
    let (_, seen) = world
        .call(request().header("Authorization", "Bearer good"))
        .await;
    let mut seen = seen.unwrap();
    assert!(!seen.contains_key("authorization"));
    assert_eq!(seen["sec-websocket-protocol"], protocol);
    WebSocketToken::remove_from(&mut seen);
    assert_eq!(seen["sec-websocket-protocol"], "v4");
    // A certificate lets the request through, and a header that nobody looked at goes as well.
    let certified = Request::get("/")
        .extension(world.clients.peer("jane"))
        .header("Authorization", "Bearer whatever");
    let (_, seen) = world.call(certified).await;
    assert!(!seen.unwrap().contains_key("authorization"));
}

#[tokio::test]
async fn pitfall_17_unvouched_streams_cost_their_sender_the_connection() {
    let world = World::new();
    for (authorization, close) in [("Bearer bad", true), ("", true), ("Bearer good", false)] {
        let request = Request::get("/")
            .version(Version::HTTP_2)
            .header("Authorization", authorization);
        let (response, _) = world.call(request).await;
        let closed = response.extensions().get::<CloseConnection>().is_some();
        assert_eq!(closed, close, "{authorization}");
    }
}

/// Answers what it is told to, and counts its questions.
#[derive(Debug)]
struct Told(Mutex<Outcome>, AtomicUsize);

impl TokenAuthenticator for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    fn authenticate(&self, token: &str, _audiences: &Audiences) -> Decision {
        assert_ne!(token, "panic");
        self.1.fetch_add(1, Ordering::SeqCst);
        let outcome = self.0.lock().unwrap().clone();
        match token {
            "never" => Decision::Later(Box::pin(std::future::pending::<Verdict>())),
            _ => outcome.into(),
        }
    }
}

fn told(outcome: Outcome) -> Arc<Told> {
    Arc::new(Told(Mutex::new(outcome), AtomicUsize::new(0)))
}

fn no_opinion() -> Outcome {
    Outcome::NoOpinion(Reason::TokenUnknown)
}

#[test]
fn pitfall_18_how_long_a_no_is_remembered_is_a_setting_of_its_own() {
    for (failure, asked) in [(Duration::ZERO, 3), (Duration::from_secs(10), 2)] {
        let (told, clock) = (told(no_opinion()), clock());
        let policy = CachePolicy {
            success: Duration::from_secs(120),
            failure,
            ..CachePolicy::default()
        };
        let delegate = Arc::clone(&told) as Arc<dyn TokenAuthenticator>;
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let cache = TokenCache::new(delegate, policy, shared, Arc::new(NoMetrics)).unwrap();
        for advance in [0, 5, 5] {
            clock.advance(Duration::from_secs(advance));
            drop(cache.authenticate("fresh", &Audiences::ANY));
        }
        assert_eq!(told.1.load(Ordering::SeqCst), asked);
    }
}

#[tokio::test]
async fn pitfall_19_the_answer_to_a_bad_credential_does_not_say_what_is_bad_about_it() {
    let world = World::new();
    let mut bodies = Vec::new();
    for (authorization, peer) in [
        ("Bearer wrong", None),
        ("Bearer \u{e9}", None),
        ("", Some(Authority::new("other").peer("jane"))),
    ] {
        let mut request = Request::get("/").header("Authorization", authorization);
        if let Some(peer) = peer {
            request = request.extension(peer);
        }
        let (response, _) = world.call(request).await;
        assert_eq!(response.status(), 401);
        assert!(!response.headers().contains_key("www-authenticate"));
        bodies.push(response.into_body());
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(start_paused = true)]
async fn pitfall_20_questions_to_others_are_limited_in_time() {
    let told = told(no_opinion());
    let policy = CachePolicy::default();
    let cache = TokenCache::new(told, policy, clock(), Arc::new(NoMetrics)).unwrap();
    let started = tokio::time::Instant::now();
    let verdict = cache.authenticate("never", &Audiences::ANY).resolve().await;
    assert_eq!(
        verdict.outcome.reason(),
        Some(Reason::AuthenticatorTimedOut)
    );
    assert_eq!(started.elapsed(), Duration::from_secs(30));
}

#[test]
fn pitfall_21_a_reload_takes_all_of_a_content_or_nothing() {
    let tokens = tokens("a,jane,1\nb,joe,2");
    let known = |token: &str| match tokens.authenticate(token, &Audiences::ANY) {
        Decision::Now(verdict) => verdict.is_authenticated(),
        Decision::Later(_) => panic!(),
    };
    assert!(tokens.reload(b"c,eve,3\nbroken").is_err());
    assert_eq!(["a", "b", "c"].map(known), [true, true, false]);
    assert_eq!(tokens.reload(b"c,eve,3").unwrap(), Reload::Changed);
    assert_eq!(["a", "b", "c"].map(known), [false, false, true]);
    assert_eq!(tokens.reload(b"c,eve,3").unwrap(), Reload::Unchanged);

    let world = World::new();
    let broken =
        world.clients.0.clone() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(world.certificates.reload(broken.as_bytes()).is_err());
    assert_eq!(
        world.ask(Some(&world.clients.peer("jane")), &[]).unwrap(),
        "jane"
    );
}

#[tokio::test]
async fn pitfall_22_a_parser_that_panics_costs_one_request() {
    let jane = Outcome::Authenticated(Authenticated::new(UserInfo::named("jane")));
    let chain = Chain::builder([AUDIENCE])
        .jwt(told(jane))
        .anonymous(Anonymous::everywhere())
        .build(clock(), Arc::new(NoMetrics))
        .unwrap();
    let world = World {
        chain: Arc::new(chain),
        ..World::new()
    };
    let call = |token: &str| {
        let request = Request::get("/").header("Authorization", format!("Bearer {token}"));
        world.call(request)
    };
    assert_eq!(call("panic").await.0.status(), 401);
    assert_eq!(call("fine").await.0.status(), 200);
    // Certificates are parsed by others as well: whatever bytes they are, there is an answer.
    for length in 0..64 {
        let garbage = CertificateDer::from(vec![0x30; length]);
        let peer = PeerCertificates::new([garbage]);
        assert!(World::new().ask(Some(&peer), &[]).is_err());
    }
}
