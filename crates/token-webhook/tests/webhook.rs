//! The authenticator against real services: good, bad, broken and gone.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

#[path = "../../kubeconfig/tests/support/mod.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use burgee_authn::{Audiences, CachePolicy, TokenAuthenticator, Verdict};
use burgee_identity::{Outcome, Reason, SystemClock};
use burgee_token_webhook::{
    Error, Metrics, NoMetrics, RequestCode, RetryPolicy, ReviewVersion, Settings, WebhookTokens,
};
use support::{Authority, Options, Reply, Service, within};

const YES: &str = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":{"authenticated":true,"user":{"username":"jane","groups":["devs"]}}}"#;
const NO: &str = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":{"authenticated":false}}"#;

/// Upstream's schedule at a hundredth of its length.
fn settings() -> Settings {
    Settings {
        version: ReviewVersion::V1,
        retry: RetryPolicy {
            first_wait: Duration::from_millis(5),
            ..RetryPolicy::default()
        },
        ..Settings::default()
    }
}

/// A kubeconfig for a service, in a folder of its own.
fn kubeconfig(service: &Service, path: &str, user: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.crt"), service.authority.pem()).unwrap();
    let text = format!(
        "clusters: [{{name: c, cluster: {{server: '{}', certificate-authority: ca.crt}}}}]\nusers: [{{name: u, user: {user}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n",
        service.url(path)
    );
    std::fs::write(folder.path().join("config"), text).unwrap();
    folder
}

fn load(folder: &tempfile::TempDir, settings: Settings) -> WebhookTokens {
    let clock = Arc::new(SystemClock::new());
    let file = folder.path().join("config");
    WebhookTokens::load(&file, settings, clock, Arc::new(NoMetrics)).unwrap()
}

fn webhook(service: &Service, settings: Settings) -> WebhookTokens {
    load(&kubeconfig(service, "/review", "{}"), settings)
}

async fn ask(tokens: &impl TokenAuthenticator) -> Verdict {
    within(tokens.authenticate("s3cr3t", &Audiences::ANY).resolve()).await
}

/// The verdict on one token, and how often the service was asked.
async fn judged(replies: impl IntoIterator<Item = Reply>) -> (Verdict, usize) {
    let service = Service::start(replies).await;
    let verdict = ask(&webhook(&service, settings())).await;
    (verdict, service.count())
}

fn assert_jane(verdict: &Verdict) {
    let user = verdict.outcome.user();
    assert_eq!(
        user.map(|user| user.name.as_str()),
        Some("jane"),
        "{verdict:?}"
    );
}

/// Checks that the token was refused for this reason, and is not shown.
fn assert_refused(verdict: &Verdict, reason: Reason, message: &str) {
    let Outcome::Rejected(rejection) = &verdict.outcome else {
        panic!("{verdict:?}");
    };
    assert_eq!(rejection.reason, reason, "{verdict:?}");
    assert!(rejection.message.contains(message), "{verdict:?}");
    assert!(!format!("{verdict:?}").contains("s3cr3t"));
}

#[tokio::test]
async fn the_question_is_upstreams_and_goes_to_the_url_as_written() {
    let service = Service::start([Reply::json(YES)]).await;
    let folder = kubeconfig(&service, "/review/?tenant=a", "{token: kn0ck}");
    let tokens = load(&folder, settings());
    let wanted = Audiences::of(["https://kubernetes.default.svc"]);
    let verdict = within(tokens.authenticate("s3cr3t", &wanted).resolve()).await;
    // The service knows nothing of audiences, and this server has none.
    assert_eq!(
        verdict.outcome.reason(),
        Some(Reason::TokenAudienceMismatch)
    );
    let seen = &service.seen()[0];
    assert_eq!(seen.request_line(), "POST /review/?tenant=a HTTP/1.1");
    assert_eq!(seen.header("content-type"), ["application/json"]);
    assert_eq!(seen.header("authorization"), ["Bearer kn0ck"]);
    assert_eq!(
        seen.body,
        concat!(
            r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","metadata":{},"#,
            r#""spec":{"token":"s3cr3t","audiences":["https://kubernetes.default.svc"]},"#,
            r#""status":{"user":{}}}"#,
            "\n"
        )
    );
}

#[tokio::test]
async fn the_service_sees_the_certificate_of_the_kubeconfig() {
    let clients = Authority::new();
    let options = Options {
        name: Some("127.0.0.1".into()),
        clients: Some(clients.pem().into()),
        ..Options::default()
    };
    let service = Service::start_with(options, [Reply::json(YES)]).await;
    let user = "{client-certificate: u.crt, client-key: u.key}";
    let folder = kubeconfig(&service, "/", user);
    let (certificate, key) = clients.issue("api-server");
    std::fs::write(folder.path().join("u.crt"), certificate.pem()).unwrap();
    std::fs::write(folder.path().join("u.key"), key.serialize_pem()).unwrap();
    assert_jane(&ask(&load(&folder, settings())).await);
    assert_eq!(
        service.seen()[0].certificate.as_deref(),
        Some(&certificate.der()[..])
    );

    let nobody = webhook(&service, settings());
    assert_refused(
        &ask(&nobody).await,
        Reason::AuthenticatorUnavailable,
        "webhook call failed",
    );
    assert_eq!(service.count(), 1);
}

#[tokio::test]
async fn a_service_of_another_authority_is_not_told_the_token() {
    let service = Service::start([Reply::json(YES)]).await;
    let folder = kubeconfig(&service, "/", "{}");
    std::fs::write(folder.path().join("ca.crt"), Authority::new().pem()).unwrap();
    let verdict = ask(&load(&folder, settings())).await;
    assert_refused(
        &verdict,
        Reason::AuthenticatorUnavailable,
        "webhook call failed",
    );
    assert_eq!(service.count(), 0);
}

#[tokio::test]
async fn what_passes_is_asked_again_until_it_has_passed() {
    for replies in [
        vec![Reply::status(500), Reply::status(500), Reply::json(YES)],
        vec![Reply::status(429), Reply::status(504), Reply::json(YES)],
        vec![Reply::status(502), Reply::status(500), Reply::json(YES)],
        vec![
            Reply::http(503, "retry-after: 0\r\n", ""),
            Reply::http(429, "retry-after: 0\r\n", ""),
            Reply::json(YES),
        ],
        vec![Reply::Reset, Reply::Reset, Reply::json(YES)],
        vec![Reply::Close, Reply::status(500), Reply::json(YES)],
    ] {
        let (verdict, count) = judged(replies.clone()).await;
        assert_jane(&verdict);
        assert_eq!(count, 3, "{replies:?}");
    }
}

#[tokio::test]
async fn five_attempts_are_all() {
    let (verdict, count) = judged([Reply::status(500)]).await;
    let message = r#"an error on the server ("unknown") has prevented the request from succeeding"#;
    assert_refused(&verdict, Reason::AuthenticatorUnavailable, message);
    assert_eq!(count, 5);

    let (verdict, count) = judged([Reply::Reset]).await;
    assert_refused(
        &verdict,
        Reason::AuthenticatorUnavailable,
        "webhook call failed",
    );
    assert_eq!(count, 5);
}

#[tokio::test]
async fn what_does_not_pass_is_asked_once() {
    for (reply, message) in [
        (
            Reply::status(400),
            "the server rejected our request for an unknown reason",
        ),
        (
            Reply::status(401),
            "the server has asked for the client to provide credentials",
        ),
        (
            Reply::status(404),
            "the server could not find the requested resource",
        ),
        (
            Reply::status(503),
            "the server is currently unable to handle the request",
        ),
        (
            Reply::http(302, "location: https://127.0.0.1:1/\r\n", ""),
            "status code 302",
        ),
        (Reply::Raw("s3cr3t\r\n\r\n".into()), "webhook call failed"),
        (Reply::json("s3cr3t"), "the answer is not a TokenReview"),
        (Reply::json(""), "0-length response with status code: 200"),
        (
            Reply::json(&YES.replace("/v1", "/v1beta1")),
            "authentication.k8s.io/v1beta1",
        ),
        (
            Reply::json(&format!("{YES}{}", " ".repeat(1 << 20))),
            "answer is longer than 1048576 bytes",
        ),
    ] {
        let shown = format!("{reply:?}");
        let (verdict, count) = judged([reply]).await;
        assert_refused(&verdict, Reason::AuthenticatorUnavailable, message);
        assert_eq!(count, 1, "{}", &shown[..shown.len().min(200)]);
    }
}

#[tokio::test]
async fn an_http_2_connection_that_breaks_is_tried_again() {
    let options = Options {
        name: Some("127.0.0.1".into()),
        h2: true,
        ..Options::default()
    };
    let service = Service::start_with(options, [Reply::Reset]).await;
    let verdict = ask(&webhook(&service, settings())).await;
    assert_refused(
        &verdict,
        Reason::AuthenticatorUnavailable,
        "webhook call failed",
    );
    assert_eq!(service.count(), 5);
}

#[tokio::test]
async fn a_service_that_hangs_costs_the_time_limit_and_not_more() {
    let service = Service::start([Reply::Hang]).await;
    let limited = Settings {
        timeout: Duration::from_millis(300),
        ..settings()
    };
    let start = Instant::now();
    let verdict = ask(&webhook(&service, limited)).await;
    assert_refused(
        &verdict,
        Reason::AuthenticatorTimedOut,
        "context deadline exceeded",
    );
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(service.count(), 1);
    service.lost(1).await;
}

#[tokio::test]
async fn a_service_may_restart() {
    let service = Service::start([Reply::json(YES)]).await;
    let tokens = webhook(&service, settings());
    assert_jane(&ask(&tokens).await);
    let options = service.stop().await;
    let verdict = ask(&tokens).await;
    assert_refused(
        &verdict,
        Reason::AuthenticatorUnavailable,
        "Connection refused",
    );
    let _service = Service::start_with(options, [Reply::json(YES)]).await;
    assert_jane(&ask(&tokens).await);
}

#[tokio::test]
async fn a_caller_that_leaves_takes_the_connection_along() {
    let service = Service::start([Reply::Hang]).await;
    let tokens = webhook(&service, settings());
    let asking = tokio::spawn(async move { ask(&tokens).await });
    service.saw(1).await;
    asking.abort();
    service.lost(1).await;
    assert_eq!(service.count(), 1);
}

#[tokio::test]
async fn those_beyond_the_queue_are_refused_at_once_and_the_rest_take_turns() {
    let service = Service::start([Reply::Hang]).await;
    let limited = Settings {
        concurrency: 1,
        queue: 1,
        timeout: Duration::from_millis(500),
        ..settings()
    };
    let tokens = webhook(&service, limited);
    let (first, second) = (tokens.clone(), tokens.clone());
    let first = tokio::spawn(async move { ask(&first).await });
    service.saw(1).await;
    let second = tokio::spawn(async move { ask(&second).await });
    // The second task has its place before the third asks: the runtime has one thread.
    tokio::task::yield_now().await;
    let third = ask(&tokens).await;
    assert_refused(&third, Reason::AuthenticatorUnavailable, "too many tokens");
    assert!(!first.is_finished());
    for verdict in [first.await.unwrap(), second.await.unwrap()] {
        assert_refused(
            &verdict,
            Reason::AuthenticatorTimedOut,
            "context deadline exceeded",
        );
    }
}

/// Answers through a cache of 2 minutes, twice each, and how often the service was asked.
async fn cached(reply: Reply, ttl: Duration) -> ([Verdict; 2], usize) {
    let service = Service::start([reply]).await;
    let policy = CachePolicy {
        success: ttl,
        failure: ttl,
        capacity: 100,
    };
    let clock = Arc::new(SystemClock::new());
    let cache = webhook(&service, settings())
        .cached(policy, clock, Arc::new(burgee_authn::NoMetrics))
        .unwrap();
    let verdicts = [ask(&cache).await, ask(&cache).await];
    (verdicts, service.count())
}

#[tokio::test]
async fn yes_and_no_are_remembered_and_errors_are_not() {
    let two_minutes = Duration::from_secs(120);
    let (verdicts, count) = cached(Reply::json(YES), two_minutes).await;
    assert_jane(&verdicts[1]);
    assert_eq!(count, 1);

    let (verdicts, count) = cached(Reply::json(NO), two_minutes).await;
    assert_eq!(
        verdicts[1].outcome,
        Outcome::NoOpinion(Reason::TokenUnknown)
    );
    assert_eq!(count, 1);

    let error = NO.replace(r#""authenticated":false"#, r#""error":"revoked""#);
    let (verdicts, count) = cached(Reply::json(&error), two_minutes).await;
    assert_refused(&verdicts[1], Reason::WebhookRefused, "revoked");
    assert_eq!(count, 2);

    let (verdicts, count) = cached(Reply::status(500), two_minutes).await;
    assert_refused(
        &verdicts[1],
        Reason::AuthenticatorUnavailable,
        "an error on the server",
    );
    assert_eq!(count, 10);

    let (_, count) = cached(Reply::json(YES), Duration::ZERO).await;
    assert_eq!(count, 2);
}

#[derive(Debug, Default)]
struct Recorded(Mutex<Vec<String>>);

impl Metrics for Recorded {
    fn request(&self, code: RequestCode, _duration: Duration) {
        self.0.lock().unwrap().push(code.to_string());
    }
}

#[tokio::test]
async fn every_attempt_counts_except_those_of_explanations() {
    let replies = [Reply::status(500), Reply::Reset, Reply::json(YES)];
    let service = Service::start(replies).await;
    let folder = kubeconfig(&service, "/", "{}");
    let metrics = Arc::new(Recorded::default());
    let (file, clock) = (folder.path().join("config"), Arc::new(SystemClock::new()));
    let tokens = WebhookTokens::load(&file, settings(), clock, metrics.clone()).unwrap();
    assert_jane(&ask(&tokens).await);
    let rehearsed = tokens.rehearse("s3cr3t", &Audiences::ANY).resolve();
    assert_jane(&within(rehearsed).await);
    assert_eq!(*metrics.0.lock().unwrap(), ["500", "<error>", "200"]);
    assert_eq!(service.count(), 4);
}

#[tokio::test]
async fn what_cannot_work_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let load = |settings| {
        let clock = Arc::new(SystemClock::new());
        WebhookTokens::load(&file, settings, clock, Arc::new(NoMetrics)).unwrap_err()
    };
    assert!(matches!(load(settings()), Error::Kubeconfig(_)));
    std::fs::write(&file, "").unwrap();
    assert_eq!(
        load(settings()).to_string(),
        "invalid configuration: no configuration has been provided"
    );
    std::fs::write(
        &file,
        "clusters: [{cluster: {server: 'http://127.0.0.1:1'}}]",
    )
    .unwrap();
    let mut none = settings();
    none.retry.attempts = 0;
    assert_eq!(
        load(none).to_string(),
        "number of webhook retry attempts must be greater than 0, but is: 0"
    );
}
