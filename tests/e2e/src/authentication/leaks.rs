//! No credential is seen anywhere: not in the most talkative log, not in metrics, not in errors.

use std::sync::Mutex;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use burgee_testkit::{Answer, Authority, Backend, Client, Response, Server, burgee, run};
use serde_json::{Value, json};

use super::oidc::{issuer, knows, prefixed};
use super::provider::{DISTRIBUTED, ES256, Provider, RS256};
use super::{Files, REVIEWS, SELF_REVIEWS, anonymous, bearer, client, with_headers};

const EXPLANATIONS: &str = "/apis/authentication.burgee.dev/v1alpha1/tokenexplanations";
const PASSWORD: &str = "password-for-the-webhook";

/// Everything that was used and must not be seen, with a name for the one who finds it.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn add(&mut self, what: &str, secret: &str) {
        assert!(secret.len() > 10, "{what} could be found by chance");
        self.0.push((what.to_owned(), secret.to_owned()));
        self.0
            .push((format!("{what} in base64"), STANDARD.encode(secret)));
        self.0.push((
            format!("{what} in base64url"),
            URL_SAFE_NO_PAD.encode(secret),
        ));
    }

    /// A token with three parts is secret as a whole and in its signature.
    fn add_token(&mut self, what: &str, token: &str) {
        self.add(what, token);
        let mut parts = token.split('.').skip(1);
        if let (Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next()) {
            self.add(&format!("the payload of {what}"), payload);
            self.add(&format!("the signature of {what}"), signature);
        }
    }

    /// The lines of a private key.
    fn add_key(&mut self, what: &str, pem: &str) {
        let lines = pem
            .lines()
            .filter(|line| line.len() > 30 && !line.starts_with('-'));
        for line in lines {
            self.0.push((what.to_owned(), line.to_owned()));
        }
    }

    #[track_caller]
    fn are_not_in(&self, place: &str, text: &str) {
        for (what, secret) in &self.0 {
            if let Some(at) = text.find(secret.as_str()) {
                let begin = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
                panic!(
                    "{place} holds {what}: {}",
                    text[begin..].lines().next().unwrap()
                );
            }
        }
    }
}

/// The server with every authenticator, and what they all depend on.
struct Setup {
    server: Server,
    provider: Provider,
    proxies: Authority,
    clients: Authority,
    _backend: Backend,
    _files: Files,
}

fn setup() -> Setup {
    let (provider, files) = (Provider::start(), Files::new());
    let (clients, proxies) = (Authority::new("clients"), Authority::new("proxies"));
    let webhook = Authority::new("webhook");
    // Good, no, an error, garbage, and nothing at all: by what the token says.
    let backend = Backend::start(&webhook.server(), |request| {
        let review = request.json();
        let token = review["spec"]["token"].as_str().unwrap();
        let version = &review["apiVersion"];
        let answer = |status: Value| {
            Answer::json(&json!({"apiVersion": version, "kind": "TokenReview", "status": status}))
        };
        match token.split('-').nth(1) {
            Some("good") => answer(json!({"authenticated": true, "user": {"username": "jane"}})),
            Some("error") => Answer::status(500),
            Some("garbage") => Answer::Reply {
                status: 200,
                headers: Vec::new(),
                // A service that says all it knows.
                body: format!("<html>{token}</html>").into_bytes(),
            },
            Some("reset") => Answer::Reset,
            Some("echo") => {
                let error = format!("nobody has the token {token}");
                answer(json!({"authenticated": false, "error": error}))
            }
            Some("status") => Answer::Reply {
                status: 403,
                headers: vec![("Content-Type", "application/json".to_owned())],
                body: json!({
                    "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 403,
                    "reason": "Forbidden", "message": format!("{token} may not"),
                })
                .to_string()
                .into_bytes(),
            },
            _ => answer(json!({"authenticated": false})),
        }
    });
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {
            "server": backend.url(),
            "certificate-authority-data": STANDARD.encode(webhook.pem()),
        }}],
        "users": [{"name": "a", "user": {"username": "server", "password": PASSWORD}}],
    });
    let flags = [
        "--log-level=trace".to_owned(),
        "--enable-bootstrap-token-auth".to_owned(),
        files.flag(
            "authentication-token-webhook-config-file",
            kubeconfig.to_string(),
        ),
        files.flag(
            "authentication-config",
            issuer(&provider, prefixed("oidc:")),
        ),
        files.flag("client-ca-file", clients.pem()),
        files.flag("requestheader-client-ca-file", proxies.pem()),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        files.flag("token-auth-file", "static-token-of-jane,jane,1\n,empty,2\n"),
    ];
    Setup {
        server: Server::options().arguments(flags).start(),
        provider,
        proxies,
        clients,
        _backend: backend,
        _files: files,
    }
}

/// A token whose signature is another one's.
fn with_signature(token: &str, signature: &str) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Every kind of token, good, bad and half broken, by what it is.
fn tokens(setup: &Setup) -> Vec<(String, String)> {
    let kubectl = setup.server.kubectl();
    let account = kubectl.run("create token default").ok().trim().to_owned();
    let bootstrap = "abcdef.0123456789abcdef";
    let manifest = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": "bootstrap-token-abcdef", "namespace": "kube-system"},
        "stringData": {
            "token-id": "abcdef", "token-secret": "0123456789abcdef",
            "usage-bootstrap-authentication": "true",
        },
    });
    kubectl
        .run_with_input("create -f -", &manifest.to_string())
        .ok();
    let provider = &setup.provider;
    let id_token = provider.id_token(RS256, json!({"sub": "jane", "groups": ["dev"]}));
    let endpoint = format!("{}/distributed", provider.issuer());
    let elsewhere = provider.id_token(
        RS256,
        json!({
            "sub": "jane", "_claim_names": {"groups": "a"},
            "_claim_sources": {"a": {"endpoint": endpoint, "access_token": DISTRIBUTED}},
        }),
    );
    let mut tokens = vec![
        ("a static token", "static-token-of-jane".to_owned()),
        ("nearly a static token", "static-token-of-jone".to_owned()),
        ("a service account's token", account.clone()),
        (
            "a forged service account's token",
            with_signature(&account, "forged for accounts"),
        ),
        ("a bootstrap token", bootstrap.to_owned()),
        (
            "a wrong bootstrap token",
            "abcdef.fedcba9876543210".to_owned(),
        ),
        (
            "an unknown bootstrap token",
            "fedcba.0123456789fedcba".to_owned(),
        ),
        ("an ID token", id_token.clone()),
        (
            "an ID token by another algorithm",
            provider.id_token(ES256, json!({"sub": "joe"})),
        ),
        (
            "a forged ID token",
            with_signature(&id_token, "forged for the provider"),
        ),
        (
            "an expired token",
            provider.access_token(RS256, json!({"sub": "a", "exp": 1})),
        ),
        (
            "a token for others",
            provider.access_token(RS256, json!({"sub": "a", "aud": "b"})),
        ),
        (
            "a token without a user",
            provider.access_token(RS256, json!({"sub": null})),
        ),
        (
            "a token of another",
            provider.access_token(RS256, json!({"iss": "https://other"})),
        ),
        ("a token with claims elsewhere", elsewhere),
        (
            "a token of three parts",
            "first-part.second-part-secret.third-part-secret".to_owned(),
        ),
    ]
    .into_iter()
    .map(|(what, token)| (what.to_owned(), token))
    .collect::<Vec<_>>();
    for kind in ["good", "bad", "error", "garbage", "reset", "echo", "status"] {
        tokens.push((
            format!("a webhook's {kind} token"),
            format!("webhook-{kind}-token-secret"),
        ));
    }
    tokens
}

/// Looks at an answer. What a token's own reviewer sent is the reviewer's.
#[track_caller]
fn check(secrets: &Secrets, place: &str, answer: &Response) {
    let text = match serde_json::from_slice::<Value>(&answer.body) {
        Ok(mut body) if body["kind"] == "TokenReview" => {
            body["spec"]["token"].take();
            body.to_string()
        }
        _ => answer.text(),
    };
    secrets.are_not_in(place, &text);
    for (name, value) in &answer.fields {
        secrets.are_not_in(&format!("{name} of {place}"), value);
    }
}

#[test]
fn no_credential_is_seen_anywhere() {
    let setup = setup();
    let server = &setup.server;
    knows(
        server,
        &setup.provider.id_token(RS256, json!({"sub": "first"})),
    );
    let tokens = tokens(&setup);
    let mut secrets = Secrets::default();
    secrets.add("the password for the webhook", PASSWORD);
    secrets.add("what the webhook sees of it", &format!("server:{PASSWORD}"));
    secrets.add("the access token for claims", DISTRIBUTED);
    secrets.add("a bootstrap secret", "0123456789abcdef");
    secrets.add("a wrong bootstrap secret", "fedcba9876543210");
    secrets.add("a Secret", "tell-nobody-of-this");
    for (what, token) in &tokens {
        secrets.add_token(what, token);
    }
    let certificates = [
        ("a client's key", setup.clients.client("jane", &[])),
        ("a proxy's key", setup.proxies.client("proxy", &[])),
        (
            "a stranger's key",
            Authority::new("stranger").client("jane", &[]),
        ),
    ];
    for (what, certificate) in &certificates {
        secrets.add_key(what, &certificate.key);
    }
    for entry in std::fs::read_dir(server.data_directory().join("pki")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|end| end == "key") {
            let pem = std::fs::read_to_string(&file).unwrap();
            secrets.add_key(&file.display().to_string(), &pem);
        }
    }

    let (admin, nobody) = (server.client(), anonymous(server));
    let kubectl = server.kubectl();
    kubectl
        .run("create secret generic a --from-literal=k=tell-nobody-of-this")
        .ok();
    let (secrets, admin, nobody) = (&secrets, &admin, &nobody);
    let refused = Mutex::new(Vec::new());
    let look = |place: &str, answer: &Response| {
        check(secrets, place, answer);
        if answer.status == 401 {
            refused
                .lock()
                .unwrap()
                .push(answer.headers["audit-id"].clone());
        }
    };
    let look = &look;
    thread::scope(|scope| {
        for (what, token) in &tokens {
            // All at once, because some of them keep one waiting.
            let send = |client: Client, method: &'static str, path: String, body: String| {
                scope.spawn(move || {
                    let answer = client.send(method, &path, &[], body.as_bytes());
                    look(&format!("{method} {path} with {what}"), &answer);
                });
            };
            let holder = bearer(server, token);
            for path in [
                "/api",
                "/api/v1/secrets",
                "/nowhere",
                "/metrics",
                "/healthz",
            ] {
                send(holder.clone(), "GET", path.to_owned(), String::new());
            }
            send(holder, "POST", SELF_REVIEWS.to_owned(), "{".to_owned());
            let query = format!("/api?access_token={token}");
            send(nobody.clone(), "GET", query, String::new());
            for path in [REVIEWS, EXPLANATIONS] {
                for body in [
                    json!({"spec": {"token": token}}).to_string(),
                    json!({"spec": {"token": [token]}}).to_string(),
                    // Short and cut off: bodies of other kinds are quoted then.
                    format!("{{\"spec\":{{\"token\":\"{token}\","),
                    // One that breaks off behind the token.
                    format!(
                        "{{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\",\
                         \"spec\":{{\"token\":\"{token}\","
                    ),
                ] {
                    send(admin.clone(), "POST", path.to_owned(), body);
                }
            }
            let protocol = URL_SAFE_NO_PAD.encode(token);
            let basic = STANDARD.encode(format!("jane:{token}"));
            for headers in [
                format!("Authorization: Bearer  {token}\r\n"),
                format!("Authorization: bearer {token} x\r\nAuthorization: Bearer {token}\r\n"),
                format!("Authorization: Basic {basic}\r\n"),
                format!("Authorization: Bearer {token}\u{fffd}\r\n"),
                format!(
                    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: \
                     base64url.bearer.authorization.k8s.io.{protocol}, a\r\n"
                ),
                format!("Impersonate-User: a\r\nAuthorization: Bearer {token}\r\n"),
            ] {
                scope.spawn(move || {
                    let answer = with_headers(nobody, headers.as_bytes());
                    look(&format!("an answer to headers with {what}"), &answer);
                });
            }
            // Over HTTP/2, and what kubectl prints of it.
            let kubectl = kubectl.with_token(token);
            scope.spawn(move || {
                let output = kubectl.run("auth whoami");
                let text = format!("{}{}", output.stdout, output.stderr);
                secrets.are_not_in(&format!("what kubectl hears with {what}"), &text);
            });
        }
        for (_, certificate) in &certificates {
            scope.spawn(move || {
                let client = client(server, certificate.credential());
                let answer = client.send("GET", "/api", &[("X-Remote-User", "jane")], b"");
                look("an answer to a certificate", &answer);
            });
        }
    });
    // What is remembered of refusals, for those who may ask.
    let remembered = |audit_id: &str| {
        let answer = admin.post(EXPLANATIONS, &json!({"spec": {"auditID": audit_id}}));
        assert_eq!(answer.status, 201, "{}", answer.text());
        check(secrets, "what is remembered of a refusal", &answer);
        !answer.json()["status"]["refusals"]
            .as_array()
            .is_none_or(Vec::is_empty)
    };
    let refused = refused.lock().unwrap();
    assert!(refused.iter().filter(|id| remembered(id)).count() > 10);

    let metrics = admin.get("/metrics").text();
    assert!(metrics.contains("authentication_attempts"), "{metrics}");
    secrets.are_not_in("/metrics", &metrics);
    let log = server.log();
    for loud in ["TRACE", "DEBUG"] {
        assert!(log.contains(loud), "the log is not at its most talkative");
    }
    secrets.are_not_in("the log", &log);
    assert!(!log.contains("PRIVATE KEY"), "the log holds a private key");
}

#[test]
fn an_explanation_on_the_command_line_shows_no_signature() {
    let provider = Provider::start();
    let id_token = provider.id_token(RS256, json!({"sub": "jane"}));
    let mut secrets = Secrets::default();
    for token in [
        id_token.clone(),
        with_signature(&id_token, "forged for the provider"),
        "abcdef.0123456789abcdef".to_owned(),
        "static-token-of-jane".to_owned(),
        "first-part.second-part-secret.third-part-secret".to_owned(),
    ] {
        let last = token.rsplit('.').next().unwrap();
        secrets.add("a token", &token);
        secrets.add("the secret part of a token", last);
        let output = run(burgee().args(["--log-level=trace", "explain", &token]));
        assert!(!output.stdout.is_empty(), "{output:?}");
        secrets.are_not_in(
            "an explanation",
            &format!("{}{}", output.stdout, output.stderr),
        );
    }
}
