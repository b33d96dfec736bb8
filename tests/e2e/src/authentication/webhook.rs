//! A service that judges tokens, and all that can be wrong with it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use burgee_testkit::{Answer, Authority, Backend, Received, Server};
use serde_json::{Value, json};

use super::{Files, STATIC, bearer, name, refusal, review, says, static_tokens, user};

const FLAG: &str = "authentication-token-webhook-config-file";
/// What the server says of itself to the service.
const SECRET: &str = "what-the-server-shows-the-webhook";

/// The kubeconfig by which the server finds the service.
fn kubeconfig(backend: &Backend, authority: &Authority, files: &Files) -> String {
    files.replace("webhook-ca", authority.pem());
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "webhook",
        "contexts": [{"name": "webhook", "context": {"cluster": "judge", "user": "server"}}],
        "clusters": [{"name": "judge", "cluster": {
            "server": format!("{}/judge?tenant=1", backend.url()),
            "certificate-authority": files.path("webhook-ca"),
        }}],
        "users": [{"name": "server", "user": {"token": SECRET}}],
    });
    files.flag(FLAG, text.to_string())
}

/// The good answer to a review: jane, if her token says so.
pub(super) fn judge(request: &Received) -> Answer {
    let review = request.json();
    let token = review["spec"]["token"].as_str().unwrap();
    let status = match token.strip_prefix("good-") {
        Some(name) => json!({"authenticated": true, "user": {
            "username": name, "uid": "1", "groups": ["dev"], "extra": {"a/b": ["c"]},
        }}),
        None if token.starts_with("bad-") => json!({"authenticated": false, "error": "not so"}),
        None => json!({"authenticated": false}),
    };
    Answer::json(&json!({
        "apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status,
    }))
}

pub(super) struct Setup {
    pub(super) backend: Backend,
    pub(super) server: Server,
    _files: Files,
}

pub(super) fn setup(arguments: &[&str]) -> Setup {
    let (authority, files) = (Authority::new("webhook"), Files::new());
    let backend = Backend::start(&authority.server(), judge);
    let flags = [
        kubeconfig(&backend, &authority, &files),
        static_tokens(&files),
    ];
    let server = Server::options()
        .arguments(flags)
        .arguments(arguments.iter().copied())
        .start();
    Setup {
        backend,
        server,
        _files: files,
    }
}

impl Setup {
    /// How often the service was asked about a token.
    fn asked(&self, token: &str) -> usize {
        let received = self.backend.received();
        let about = |request: &&Received| request.json()["spec"]["token"] == token;
        received.iter().filter(about).count()
    }

    /// Refused at once: no attempt follows the first.
    #[track_caller]
    fn refused_at_once(&self, token: &str, reason: &str) {
        let begin = Instant::now();
        let status = review(&self.server, token);
        assert_ne!(status["authenticated"], true, "{status}");
        says(status["error"].as_str().unwrap_or_default(), reason);
        assert!(
            begin.elapsed() < Duration::from_secs(3),
            "{token}: {:?}",
            begin.elapsed()
        );
    }

    #[track_caller]
    pub(super) fn others_are_served(&self) {
        let begin = Instant::now();
        assert_eq!(name(&bearer(&self.server, STATIC)), "robot");
        assert_eq!(name(&self.server.client()), "kubernetes-admin");
        let token = self.server.kubectl().run("create token default").ok();
        let account = bearer(&self.server, token.trim());
        assert_eq!(name(&account), "system:serviceaccount:default:default");
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "{:?}",
            begin.elapsed()
        );
    }
}

#[test]
fn a_service_says_who_somebody_is() {
    for version in ["v1", "v1beta1"] {
        let setup = setup(&[&format!("--authentication-token-webhook-version={version}")]);
        let expected = json!({
            "username": "jane", "uid": "1", "groups": ["dev", "system:authenticated"],
            "extra": {"a/b": ["c"]},
        });
        for _ in 0..3 {
            assert_eq!(user(&bearer(&setup.server, "good-jane")), expected);
        }
        let kubectl = setup.server.kubectl().with_token("good-joe");
        says(&kubectl.run("auth whoami").ok(), "joe");

        let received = setup.backend.received();
        let first = &received[0];
        assert_eq!((&*first.method, &*first.path), ("POST", "/judge?tenant=1"));
        assert_eq!(first.headers["content-type"], "application/json");
        assert_eq!(first.headers["authorization"], format!("Bearer {SECRET}"));
        assert_eq!(
            first.json(),
            json!({
                "kind": "TokenReview", "apiVersion": format!("authentication.k8s.io/{version}"),
                "metadata": {}, "status": {"user": {}},
                "spec": {
                    "token": "good-jane",
                    "audiences": ["https://kubernetes.default.svc.cluster.local"],
                },
            })
        );
        assert_eq!(setup.asked("good-jane"), 1, "what it said is remembered");
        assert_eq!(setup.asked(STATIC), 0, "it is asked last");
    }
}

#[test]
fn a_no_is_remembered_unless_it_is_an_error() {
    let setup = setup(&[]);
    for _ in 0..3 {
        assert_eq!(
            refusal(&setup.server, "other-token"),
            "invalid bearer token"
        );
        says(&refusal(&setup.server, "bad-token"), "not so");
    }
    assert_eq!(setup.asked("other-token"), 1);
    // Every refusal looks at it twice.
    assert_eq!(setup.asked("bad-token"), 6);
}

#[test]
fn whoever_wants_no_memory_has_the_service_asked_each_time() {
    let setup = setup(&["--authentication-token-webhook-cache-ttl=0"]);
    for _ in 0..3 {
        refusal(&setup.server, "other-token");
    }
    assert_eq!(setup.asked("other-token"), 6);
}

#[test]
fn audiences_that_are_not_wanted_are_no_answer() {
    let setup = setup(&[]);
    let answer = |audiences: Value| {
        move |request: &Received| {
            Answer::json(&json!({
                "apiVersion": request.json()["apiVersion"], "kind": "TokenReview",
                "status": {
                    "authenticated": true, "error": "unseen", "user": {"username": "jane"},
                    "audiences": audiences,
                },
            }))
        }
    };
    setup.backend.respond(answer(json!(["other"])));
    let error = refusal(&setup.server, "token-1");
    assert!(!error.contains("unseen"), "{error}");
    let audience = "https://kubernetes.default.svc.cluster.local";
    setup.backend.respond(answer(json!(["other", audience])));
    let status = review(&setup.server, "token-2");
    assert_eq!(status["audiences"], json!([audience]), "{status}");
    assert_eq!(name(&bearer(&setup.server, "token-2")), "jane");
}

#[test]
fn a_passing_fault_is_tried_again() {
    let setup = setup(&[]);
    let faults = [
        ("500", Answer::status(500)),
        ("504", Answer::status(504)),
        ("429", Answer::status(429)),
        ("reset", Answer::Reset),
    ];
    // Every token meets its fault twice.
    let respond = faults.clone().map(|(name, fault)| {
        let tries = AtomicUsize::new(0);
        let respond = move |request: &Received| match tries.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => fault.clone(),
            _ => judge(request),
        };
        (format!("good-{name}"), respond)
    });
    setup.backend.respond(move |request| {
        let review = request.json();
        let mut all = respond.iter();
        let (_, respond) = all
            .find(|(token, _)| review["spec"]["token"] == *token)
            .unwrap();
        respond(request)
    });
    thread::scope(|scope| {
        for (fault, _) in faults {
            let setup = &setup;
            scope.spawn(move || {
                let (token, begin) = (format!("good-{fault}"), Instant::now());
                assert_eq!(name(&bearer(&setup.server, &token)), fault);
                assert_eq!(setup.asked(&token), 3);
                // Half a second, then three quarters of one.
                let waited = begin.elapsed();
                assert!(waited >= Duration::from_millis(1250), "{fault}: {waited:?}");
            });
        }
    });
}

#[test]
fn a_lasting_fault_ends_after_five_attempts_and_is_forgotten() {
    let setup = setup(&[]);
    setup.backend.respond(|_| Answer::status(500));
    let begin = Instant::now();
    assert_eq!(bearer(&setup.server, "good-jane").get("/api").status, 401);
    let waited = begin.elapsed();
    assert_eq!(setup.asked("good-jane"), 5);
    assert!((4.0..8.0).contains(&waited.as_secs_f64()), "{waited:?}");
    setup.backend.respond(judge);
    assert_eq!(name(&bearer(&setup.server, "good-jane")), "jane");
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    let mut setup = setup(&[]);
    let text = |body: &str| Answer::Reply {
        status: 200,
        headers: vec![("Content-Type", "application/json".to_owned())],
        body: body.as_bytes().to_vec(),
    };
    let review = |version: &str| {
        json!({
            "apiVersion": version, "kind": "TokenReview",
            "status": {"authenticated": true, "user": {"username": "jane"}},
        })
    };
    let mut other_kind = review("authentication.k8s.io/v1beta1");
    other_kind["kind"] = json!("SubjectAccessReview");
    let faults = [
        Answer::status(400),
        Answer::status(403),
        Answer::status(404),
        Answer::status(503),
        text(""),
        text("<html>"),
        text("null"),
        text("[]"),
        text("{\"apiVersion\":"),
        text(&"x".repeat(8 << 20)),
        text(&format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))),
        Answer::json(&review("authentication.k8s.io/v1")),
        Answer::json(&review("v1")),
        Answer::json(&other_kind),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let token = format!("good-{number}");
        setup.backend.respond(move |_| fault.clone());
        setup.refused_at_once(&token, "");
        assert_eq!(setup.asked(&token), 1, "{token}");
        // Not remembered either.
        setup.backend.respond(judge);
        assert_eq!(name(&bearer(&setup.server, &token)), number.to_string());
    }
    setup.others_are_served();

    // While it restarts, its port is closed.
    setup.backend.stop();
    setup.refused_at_once("good-restart", "");
    setup.others_are_served();
    setup.backend.launch();
    assert_eq!(name(&bearer(&setup.server, "good-restart")), "restart");
}

#[test]
fn a_service_that_cannot_show_who_it_is_learns_no_token() {
    let (authority, files) = (Authority::new("webhook"), Files::new());
    let backend = Backend::start(&Authority::new("impostor").server(), judge);
    let flag = kubeconfig(&backend, &authority, &files);
    let server = Server::options().arguments([flag]).start();
    refusal(&server, "good-jane");
    assert!(backend.received().is_empty());
}
