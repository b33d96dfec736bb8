//! How requests say who they come from: every credential against the built program.

mod backend_that_hangs;
mod certificates;
mod configuration;
mod front_proxy;
mod headers;
mod leaks;
mod oidc;
mod oidc_outage;
mod oidc_reload;
mod oidc_rotation;
mod provider;
mod webhook;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use burgee_testkit::{Client, Credential, Kubeconfig, Response, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

const SELF_REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// Files that a server is told about.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and answers with `--FLAG=FILE`.
    fn flag(&self, flag: &str, content: impl AsRef<[u8]>) -> String {
        let file = self.path(flag);
        fs::write(&file, content).unwrap();
        format!("--{flag}={}", file.display())
    }

    /// Puts another file in the place of one, as those do who want no reader to see a half.
    fn replace(&self, name: &str, content: impl AsRef<[u8]>) {
        let new = self.path("new");
        fs::write(&new, content).unwrap();
        fs::rename(&new, self.path(name)).unwrap();
    }
}

/// The server as somebody with this credential sees it.
fn client(server: &Server, credential: Credential) -> Client {
    let config = Kubeconfig::read(&server.kubeconfig());
    Client::new(&Kubeconfig {
        credential,
        ..config
    })
}

fn bearer(server: &Server, token: &str) -> Client {
    client(server, Credential::Bearer(token.to_owned()))
}

fn anonymous(server: &Server) -> Client {
    client(server, Credential::Anonymous)
}

/// Who the server says that somebody is.
#[track_caller]
fn user(client: &Client) -> Value {
    let answer = client.post(SELF_REVIEWS, &json!({}));
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["status"]["userInfo"].clone()
}

/// The name that the server knows somebody by.
#[track_caller]
fn name(client: &Client) -> String {
    user(client)["username"].as_str().unwrap().to_owned()
}

/// What the server says about a token to those who may ask.
#[track_caller]
fn review(server: &Server, token: &str) -> Value {
    let answer = server
        .client()
        .post(REVIEWS, &json!({"spec": {"token": token}}));
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["status"].clone()
}

/// Why a token is refused: its bearer gets the bare 401, and only reviewers the reason.
#[track_caller]
fn refusal(server: &Server, token: &str) -> String {
    unauthorized(&bearer(server, token).post(SELF_REVIEWS, &json!({})));
    let status = review(server, token);
    assert_ne!(status["authenticated"], true, "{status}");
    status["error"].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn says(text: &str, part: &str) {
    assert!(text.contains(part), "{text:?} does not say {part:?}");
}

/// A 401 is always the same, whatever the reason.
#[track_caller]
fn unauthorized(answer: &Response) {
    let expected = concat!(
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
        r#""message":"Unauthorized","reason":"Unauthorized","code":401}"#,
        "\n"
    );
    assert_eq!((answer.status, &*answer.text()), (401, expected));
}

/// The token that [`static_tokens`] knows.
const STATIC: &str = "static-token-of-robot";

/// A token file with one token, for whoever must not suffer from others' troubles.
fn static_tokens(files: &Files) -> String {
    files.flag(
        "token-auth-file",
        format!("{STATIC},robot,r1,\"machines\"\n"),
    )
}

/// An `AuthenticationConfiguration` with these issuers.
fn configuration(jwt: Value) -> String {
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": jwt,
    })
    .to_string()
}

/// The answer to a request of [`SELF_REVIEWS`] with these headers, to the byte.
#[track_caller]
fn with_headers(client: &Client, headers: &[u8]) -> Response {
    let mut request = format!(
        "POST {SELF_REVIEWS} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n",
        client.address()
    )
    .into_bytes();
    request.extend_from_slice(headers);
    request.extend_from_slice(b"\r\n{}");
    let mut stream = client.connect().unwrap();
    stream.write_all(&request).unwrap();
    let mut answer = Vec::new();
    // Its own length says whether all of it came.
    let _ = stream.read_to_end(&mut answer);
    Response::parse(&answer).unwrap()
}
