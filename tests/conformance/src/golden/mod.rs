//! The answers of a real kube-apiserver 1.25, held against Burgee's to the same requests.
//!
//! `golden/INDEX.md` lists the recordings in their order. What differs by nature (uids, times,
//! versions, tokens) is made equal by [`normalize`]; every other difference has to stand in
//! `golden/differences.txt`, with its reason, and every line there has to be needed.

mod compare;
mod intended;
mod normalize;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use burgee_testkit::{Client, Kubeconfig, Response, Server, repository};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::compare::differences;
use self::intended::Intended;
use self::normalize::{normalize, sort_initial_events};

const NAMESPACE: &str = "/api/v1/namespaces/golden";

/// Where the recorded server was.
const RECORDED_ADDRESS: &str = "192.0.2.10:26543";

/// The watches that begin with all objects that are there.
const BEGIN_WITH_ALL: [&str; 3] = [
    "cm-watch-from-0",
    "cm-watch-now-bookmarks",
    "cm-watch-table",
];

/// The static token that the recorded server knew, and its user.
const TOKENS: &str = "admin-static-token-0123456789abcdef,bench-admin,uid-admin,system:masters\n";

#[test]
fn every_recorded_answer_is_given_again() {
    let mut replay = Replay::begin();
    let mut intended = Intended::read(&directory().join("differences.txt"));
    let mut surprises = Vec::new();
    for name in recordings() {
        let recording = read(&name);
        let ours = replay.request(&name, &recording);
        let mut recorded = normalize(&recording["response"], RECORDED_ADDRESS);
        let mut ours = normalize(&ours, replay.server.address());
        if BEGIN_WITH_ALL.contains(&name.as_str()) {
            sort_initial_events(&mut recorded);
            sort_initial_events(&mut ours);
        }
        for difference in differences(&recorded, &ours) {
            let line = format!("{name} {difference}");
            if !intended.covers(&line) {
                surprises.push(line);
            }
        }
    }
    let unneeded = intended.unneeded();
    assert!(
        surprises.is_empty() && unneeded.is_empty(),
        "differences that nobody intended:\n{}\nintended differences that are none:\n{}",
        surprises.join("\n"),
        unneeded.join("\n")
    );
}

/// The server that is asked, and what later requests need from earlier answers.
struct Replay {
    server: Server,
    _keys: TempDir,
    kubeconfig: Kubeconfig,
    token: String,
    continue_token: String,
}

impl Replay {
    fn begin() -> Self {
        let keys = tempfile::tempdir().unwrap();
        let tokens = keys.path().join("tokens.csv");
        fs::write(&tokens, TOKENS).unwrap();
        restrict(&tokens);
        // An elliptic key, as that of the recorded server.
        let key = keys.path().join("key.pem");
        let given = repository().join("crates/jose/tests/keys/p256-pkcs8.pem");
        fs::copy(given, &key).unwrap();
        restrict(&key);
        let server = Server::options()
            .arguments([
                "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
                format!("--service-account-signing-key-file={}", key.display()),
                format!("--token-auth-file={}", tokens.display()),
            ])
            .start();
        let kubeconfig = Kubeconfig::read(&server.kubeconfig());
        let replay = Self {
            server,
            _keys: keys,
            kubeconfig,
            token: String::new(),
            continue_token: String::new(),
        };
        replay.create(
            "/api/v1/namespaces",
            json!({"metadata": {"name": "golden"}}),
        );
        replay
    }

    /// Sends a recorded request, and answers as recordings do.
    fn request(&mut self, name: &str, recording: &Value) -> Value {
        self.prepare(name);
        let request = &recording["request"];
        let mut headers: Vec<(&str, &str)> = request["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        if name == "two-spaces" {
            headers.push(("Authorization", "Bearer  garbage"));
        }
        if request["body"].is_object() {
            headers.push(("Content-Type", "application/json"));
        }
        let client = match (request["as"].as_str().unwrap(), name) {
            ("admin", _) => self.server.client(),
            ("anonymous", _) => Client::anonymous(&self.kubeconfig),
            (_, "bad-bearer" | "bad-bearer-healthz") => {
                Client::with_token(&self.kubeconfig, "garbage")
            }
            _ => Client::with_token(&self.kubeconfig, &self.token),
        };
        let response = client.send(
            request["method"].as_str().unwrap(),
            &self.path(request),
            &headers,
            &self.body(name, request),
        );
        self.learn(name, &response);
        as_recorded(&response)
    }

    /// What was there when the recorded request was made, and is the result of none.
    fn prepare(&self, name: &str) {
        match name {
            "cm-list-limit" => {
                for page in 0..5 {
                    let labels = json!({"page": page.to_string(), "odd": (page % 2).to_string()});
                    let metadata = json!({"name": format!("page-{page}"), "labels": labels});
                    self.config_map(metadata);
                }
            }
            "cm-delete-finalizer" => {
                self.config_map(json!({"name": "fin", "finalizers": ["example.com/hold"]}));
            }
            "pod-create" => {
                let node = json!({"metadata": {"name": "golden-node"}});
                self.create("/api/v1/nodes", node);
            }
            // Burgee has a controller that finishes the deletion, unless something is in its way.
            "ns-delete" => {
                self.config_map(json!({"name": "hold", "finalizers": ["example.com/hold"]}));
            }
            _ => {}
        }
    }

    fn config_map(&self, metadata: Value) {
        let object = json!({"metadata": metadata, "data": {"k": "v"}});
        self.create(&format!("{NAMESPACE}/configmaps"), object);
    }

    fn create(&self, path: &str, object: Value) {
        let created = self.server.client().post(path, &object);
        assert_eq!(created.status, 201, "{}", created.text());
    }

    /// The path, with our own server's continue token.
    fn path(&self, request: &Value) -> String {
        let path = request["path"].as_str().unwrap();
        match path.split_once("&continue=ey") {
            Some((path, _)) => format!("{path}&continue={}", self.continue_token),
            None => path.to_owned(),
        }
    }

    /// The body, with what the recording only describes, and with our own server's token.
    fn body(&self, name: &str, request: &Value) -> Vec<u8> {
        let mut body = request["body"].clone();
        let token = match name {
            "review-good" | "review-good-aud" | "review-with-name" => Some(self.token.clone()),
            // The signature's end, as in the recording.
            "review-bad-signature" => {
                Some(format!("{}AAAAAAA", &self.token[..self.token.len() - 7]))
            }
            _ => None,
        };
        if let Some(token) = token {
            body["spec"]["token"] = json!(token);
        }
        match &body {
            Value::Null => Vec::new(),
            Value::String(text) => match described_length(text, " bytes>") {
                Some(length) => vec![b'x'; length],
                None => text.clone().into_bytes(),
            },
            object => {
                let text = object.to_string();
                match text.split_once('<').and_then(|(before, rest)| {
                    let (described, after) = rest.split_once('>')?;
                    let length = described_length(&format!("<{described}>"), " characters>")?;
                    Some(format!("{before}{}{after}", "x".repeat(length)))
                }) {
                    Some(long) => long.into_bytes(),
                    None => text.into_bytes(),
                }
            }
        }
    }

    /// Keeps what later requests need.
    fn learn(&mut self, name: &str, response: &Response) {
        match name {
            "cm-list-limit" => {
                let token = response.json()["metadata"]["continue"].clone();
                self.continue_token = token.as_str().unwrap_or_default().to_owned();
            }
            "token-default" => {
                let token = response.json()["status"]["token"].clone();
                self.token = token.as_str().unwrap_or_default().to_owned();
            }
            _ => {}
        }
    }
}

/// `<123 bytes>` and the like.
fn described_length(text: &str, unit: &str) -> Option<usize> {
    text.strip_prefix('<')?.strip_suffix(unit)?.parse().ok()
}

/// An answer in the form of the recordings.
fn as_recorded(response: &Response) -> Value {
    let mut headers = serde_json::Map::new();
    for (name, value) in &response.fields {
        match name.as_str() {
            "cache-control" | "content-type" | "retry-after" | "x-content-type-options" => {
                headers.insert(name.clone(), json!(value));
            }
            "warning" => {
                let all = headers.entry(name.clone()).or_insert_with(|| json!([]));
                all.as_array_mut().unwrap().push(json!(value));
            }
            _ => {}
        }
    }
    let text = response.text();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    json!({"status": response.status, "headers": headers, "body": body})
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// The names of the recordings, in their order.
fn recordings() -> Vec<String> {
    let index = fs::read_to_string(directory().join("INDEX.md")).unwrap();
    let rows = index.lines().filter_map(|line| line.strip_prefix("| "));
    let names = rows.filter_map(|row| row.split(' ').next().map(str::to_owned));
    let names: Vec<_> = names.skip_while(|name| name == "name").collect();
    let names: Vec<_> = names.into_iter().filter(|name| name != "---").collect();
    let files = fs::read_dir(directory()).unwrap();
    let recorded = files.filter(|file| {
        let path = file.as_ref().unwrap().path();
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    assert_eq!(
        names.len(),
        recorded.count(),
        "every recording is listed once"
    );
    names
}

fn read(name: &str) -> Value {
    let text = fs::read_to_string(directory().join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Private files are for their owner only.
fn restrict(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The JSON behind base64url, as in tokens of all kinds.
fn decoded(text: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    serde_json::from_slice(&bytes).ok()
}
