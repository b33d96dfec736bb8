//! Clients of kubeconfigs against a real HTTPS server.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use burgee_identity::SettableClock;
use burgee_kubeconfig::{Client, Error, Kubeconfig};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use support::{Authority, Options, Reply, Service, within};

/// A client of a service as this user, and its clock. Files are relative to `folder`.
fn client(
    service: &Service,
    cluster: &str,
    user: &str,
    folder: &Path,
) -> (Client, Arc<SettableClock>) {
    let server = service.url("/base");
    client_of(&server, service, cluster, user, folder)
}

fn client_of(
    server: &str,
    service: &Service,
    cluster: &str,
    user: &str,
    folder: &Path,
) -> (Client, Arc<SettableClock>) {
    std::fs::write(folder.join("ca.crt"), service.authority.pem()).unwrap();
    let text = format!(
        "clusters: [{{name: c, cluster: {{server: '{server}', certificate-authority: ca.crt{cluster}}}}}]\nusers: [{{name: u, user: {user}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n"
    );
    std::fs::write(folder.join("config"), text).unwrap();
    let access = Kubeconfig::read(folder.join("config"))
        .unwrap()
        .access(None)
        .unwrap();
    let clock = Arc::new(SettableClock::at(Timestamp::UNIX_EPOCH));
    (access.client(clock.clone()).unwrap(), clock)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

async fn get(client: &Client) -> Result<Value, Error> {
    within(client.get_json("/version")).await
}

fn demanding(clients: &Authority) -> Options {
    Options {
        name: Some("127.0.0.1".into()),
        clients: Some(clients.pem().into()),
        ..Options::default()
    }
}

#[tokio::test]
async fn objects_are_asked_for_and_sent_below_the_servers_path() {
    let service = Service::start([Reply::json(r#"{"a":1}"#)]).await;
    let folder = folder();
    let user = "{username: jane, password: s3cr3t, as: ali, as-groups: [a, b]}";
    let (client, _) = client(&service, "", user, folder.path());
    assert_eq!(get(&client).await.unwrap(), json!({"a": 1}));
    let sent: Value = within(client.send_json(Method::POST, "/api?x=1", &json!({"b": 2})))
        .await
        .unwrap();
    assert_eq!(sent, json!({"a": 1}));
    let seen = service.seen();
    assert_eq!(seen[0].request_line(), "GET /base/version HTTP/1.1");
    assert_eq!(seen[0].header("authorization"), ["Basic amFuZTpzM2NyM3Q="]);
    assert_eq!(seen[0].header("impersonate-user"), ["ali"]);
    assert_eq!(seen[0].header("impersonate-group"), ["a", "b"]);
    assert_eq!(seen[1].request_line(), "POST /base/api?x=1 HTTP/1.1");
    assert_eq!(seen[1].header("content-type"), ["application/json"]);
    assert_eq!(seen[1].body, r#"{"b":2}"#);
    assert!(!format!("{client:?}").contains("s3cr3t"));
}

#[tokio::test]
async fn a_refusal_is_an_error_with_the_servers_words() {
    let said = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no such thing","reason":"NotFound","code":404}"#;
    let service = Service::start([Reply::http(404, "", said)]).await;
    let folder = folder();
    let (client, _) = client(&service, "", "{}", folder.path());
    let Err(Error::Refused(status)) = get(&client).await else {
        panic!("it was not refused");
    };
    assert_eq!(
        (status.code, status.message.as_str()),
        (404, "no such thing")
    );
    assert!(service.seen()[0].header("authorization").is_empty());
}

#[tokio::test]
async fn answers_have_a_bound_unless_they_are_streams() {
    let service = Service::start([Reply::json("0123456789")]).await;
    let folder = folder();
    let (client, _) = client(&service, "", "{}", folder.path());
    let request = || client.request(Method::GET, "/").limit(9);
    let error = within(request().send()).await.unwrap_err();
    assert_eq!(error.to_string(), "answer is longer than 9 bytes");
    let mut stream = within(request().open()).await.unwrap();
    assert_eq!(within(stream.chunk()).await.unwrap().unwrap(), "0123456789");
}

#[tokio::test]
async fn nothing_secret_goes_over_a_connection_that_everyone_can_read() {
    let service = Service::start_with(Options::default(), [Reply::json("1")]).await;
    let folder = folder();
    let server = format!("http://{}", service.address);
    let user = "{token: s3cr3t, as: ali}";
    let (client, _) = client_of(&server, &service, "", user, folder.path());
    assert_eq!(get(&client).await.unwrap(), json!(1));
    let seen = &service.seen()[0];
    assert!(
        !seen.head.contains("s3cr3t") && !seen.head.contains("impersonate"),
        "{}",
        seen.head
    );
}

#[tokio::test]
async fn the_certificate_may_be_for_another_name_if_the_kubeconfig_says_which() {
    let options = Options {
        name: Some("api.internal".into()),
        ..Options::default()
    };
    let service = Service::start_with(options, [Reply::json("1")]).await;
    let folder = folder();
    let (wrong, _) = client(&service, "", "{}", folder.path());
    assert!(matches!(get(&wrong).await, Err(Error::Https(_))));
    let named = ", tls-server-name: api.internal";
    let (right, _) = client(&service, named, "{}", folder.path());
    assert_eq!(get(&right).await.unwrap(), json!(1));
}

#[tokio::test]
async fn a_certificate_that_was_renewed_is_shown_after_a_minute() {
    let clients = Authority::new();
    let service = Service::start_with(demanding(&clients), [Reply::json("1")]).await;
    let folder = folder();
    let write = |name: &str| {
        let (certificate, key) = clients.issue(name);
        std::fs::write(folder.path().join("u.crt"), certificate.pem()).unwrap();
        std::fs::write(folder.path().join("u.key"), key.serialize_pem()).unwrap();
        certificate.der().to_vec()
    };
    let first = write("first");
    let user = "{client-certificate: u.crt, client-key: u.key}";
    let (client, clock) = client(&service, "", user, folder.path());
    get(&client).await.unwrap();
    let second = write("second");
    clock.advance(Duration::from_secs(59));
    get(&client).await.unwrap();
    clock.advance(Duration::from_secs(1));
    get(&client).await.unwrap();
    // Half of a renewal: the old pair stays in use.
    std::fs::write(folder.path().join("u.key"), "nothing").unwrap();
    clock.advance(Duration::from_secs(60));
    get(&client).await.unwrap();
    let shown: Vec<_> = service
        .seen()
        .into_iter()
        .map(|seen| seen.certificate)
        .collect();
    assert_eq!(
        shown,
        [
            Some(first.clone()),
            Some(first),
            Some(second.clone()),
            Some(second)
        ]
    );
}

#[tokio::test]
async fn a_refused_token_is_read_again_for_the_next_request() {
    let service = Service::start([Reply::status(401), Reply::json("1")]).await;
    let folder = folder();
    std::fs::write(folder.path().join("token"), "old").unwrap();
    let (client, clock) = client(&service, "", "{tokenFile: token}", folder.path());
    std::fs::write(folder.path().join("token"), "new").unwrap();
    clock.advance(Duration::from_secs(1));
    assert!(matches!(get(&client).await, Err(Error::Refused(_))));
    assert_eq!(get(&client).await.unwrap(), json!(1));
    let shown: Vec<_> = service.seen();
    assert_eq!(shown[0].header("authorization"), ["Bearer old"]);
    assert_eq!(shown[1].header("authorization"), ["Bearer new"]);
}

#[tokio::test]
async fn a_plugin_gives_a_certificate_and_a_token() {
    let clients = Authority::new();
    let service = Service::start_with(demanding(&clients), [Reply::json("1")]).await;
    let folder = folder();
    let (certificate, key) = clients.issue("plugged");
    let answer = json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {
            "token": "s3cr3t",
            "clientCertificateData": certificate.pem(),
            "clientKeyData": key.serialize_pem(),
        },
    });
    std::fs::write(folder.path().join("answer"), answer.to_string()).unwrap();
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: /bin/cat, args: ['{}']}}}}",
        folder.path().join("answer").display()
    );
    let (client, _) = client(&service, "", &user, folder.path());
    assert_eq!(get(&client).await.unwrap(), json!(1));
    assert_eq!(get(&client).await.unwrap(), json!(1));
    for seen in service.seen() {
        assert_eq!(seen.certificate.as_deref(), Some(&certificate.der()[..]));
        assert_eq!(seen.header("authorization"), ["Bearer s3cr3t"]);
    }
}
