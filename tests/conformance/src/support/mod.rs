//! What keeps a case short.

mod http2;
pub(crate) mod jwt;
mod raw;
mod watch;

use std::sync::atomic::{AtomicU32, Ordering};

use burgee_testkit::{Client, Response, Subject, eventually};
use serde_json::{Value, json};

pub(crate) use self::http2::{http2, runtime};
pub(crate) use self::raw::{Robot, WHO_AM_I, Who, heard, receive, request, send, who};
pub(crate) use self::watch::Watch;

/// A case's own namespace at the server under test, gone when the case ends.
pub(crate) struct Case {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

/// Whether the cases that hold Burgee to more than upstream does are to be left out.
pub(crate) fn upstream_only() -> bool {
    is_set("BURGEE_TEST_UPSTREAM_ONLY") || !Subject::chosen().is_burgee()
}

/// Whether there is time for many repetitions and long waits.
pub(crate) fn long() -> bool {
    is_set("BURGEE_LONG_TESTS")
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value == "1")
}

impl Case {
    pub(crate) fn begin() -> Self {
        static CASES: AtomicU32 = AtomicU32::new(0);
        let number = CASES.fetch_add(1, Ordering::Relaxed);
        let client = Subject::chosen().client();
        let namespace = format!("case-{number}-{}", std::process::id());
        let object = json!({"metadata": {"name": namespace}});
        client.post("/api/v1/namespaces", &object).expect(201);
        Self { client, namespace }
    }

    /// The URL path of something in the namespace, or a path from the root.
    pub(crate) fn path(&self, path: &str) -> String {
        match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/api/v1/namespaces/{}/{path}", self.namespace),
        }
    }

    /// As [`Case::path`], for a group other than the first.
    pub(crate) fn path_of(&self, group_version: &str, path: &str) -> String {
        format!("/apis/{group_version}/namespaces/{}/{path}", self.namespace)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.client.get(&self.path(path))
    }

    pub(crate) fn get_as(&self, path: &str, accept: &str) -> Response {
        self.client
            .send("GET", &self.path(path), &[("Accept", accept)], b"")
    }

    pub(crate) fn post(&self, path: &str, object: &Value) -> Response {
        self.client.post(&self.path(path), object)
    }

    pub(crate) fn post_text(&self, path: &str, content_type: &str, text: &str) -> Response {
        let headers = [("Content-Type", content_type)];
        self.client
            .send("POST", &self.path(path), &headers, text.as_bytes())
    }

    pub(crate) fn put(&self, path: &str, object: &Value) -> Response {
        let headers = [("Content-Type", "application/json")];
        let body = object.to_string();
        self.client
            .send("PUT", &self.path(path), &headers, body.as_bytes())
    }

    /// `kind` is what stands before `+json` or `+yaml`: `merge-patch`, for example.
    pub(crate) fn patch(&self, path: &str, kind: &str, patch: &Value) -> Response {
        let suffix = if kind == "apply-patch" {
            "yaml"
        } else {
            "json"
        };
        let content_type = format!("application/{kind}+{suffix}");
        let headers = [("Content-Type", content_type.as_str())];
        let body = patch.to_string();
        self.client
            .send("PATCH", &self.path(path), &headers, body.as_bytes())
    }

    pub(crate) fn apply(&self, name: &str, manager: &str, data: Value) -> Response {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name}, "data": data,
        });
        let path = format!("configmaps/{name}?fieldManager={manager}");
        self.patch(&path, "apply-patch", &object)
    }

    pub(crate) fn delete(&self, path: &str) -> Response {
        self.client.send("DELETE", &self.path(path), &[], b"")
    }

    pub(crate) fn delete_with(&self, path: &str, options: Value) -> Response {
        let headers = [("Content-Type", "application/json")];
        let body = options.to_string();
        self.client
            .send("DELETE", &self.path(path), &headers, body.as_bytes())
    }

    /// Creates a ConfigMap with `data.k = v`.
    pub(crate) fn config_map(&self, name: &str) -> Value {
        self.config_map_with(json!({"name": name}))
    }

    pub(crate) fn config_map_with(&self, metadata: Value) -> Value {
        let object = json!({"metadata": metadata, "data": {"k": "v"}});
        self.post("configmaps", &object).expect(201)
    }

    /// Creates a service account, and answers with a client that is it.
    pub(crate) fn service_account(&self, name: &str) -> Client {
        self.post("serviceaccounts", &json!({"metadata": {"name": name}}))
            .expect(201);
        let token = self.token(name, json!({}));
        Client::with_token(&Subject::chosen().kubeconfig(), &token)
    }

    /// A token of a service account.
    pub(crate) fn token(&self, name: &str, spec: Value) -> String {
        let path = format!("serviceaccounts/{name}/token");
        let issued = self.post(&path, &json!({"spec": spec})).expect(201);
        issued["status"]["token"].as_str().unwrap().to_owned()
    }

    /// Lets a service account of the namespace do things in it.
    pub(crate) fn allow(&self, name: &str, rules: Value) {
        let rbac = "rbac.authorization.k8s.io/v1";
        let role = json!({"metadata": {"name": name}, "rules": rules});
        self.post(&self.path_of(rbac, "roles"), &role).expect(201);
        let binding = json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": self.namespace}],
        });
        self.post(&self.path_of(rbac, "rolebindings"), &binding)
            .expect(201);
    }

    /// The names of the objects in a list, less what controllers make.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        names(&self.get(path).expect(200))
    }

    /// Waits until an object is gone.
    pub(crate) fn gone(&self, path: &str) {
        eventually(&format!("the end of {path}"), || {
            (self.get(path).status == 404).then_some(())
        });
    }

    pub(crate) fn watch(&self, path: &str) -> Watch {
        Watch::open(&self.client, &self.path(path), "application/json")
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        let _ = self.client.try_send("DELETE", &path, &[], b"");
    }
}

/// The names of the objects in a list, less what controllers make.
pub(crate) fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    let names = items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap());
    names
        .filter(|name| !["default", "kube-root-ca.crt"].contains(name))
        .map(str::to_owned)
        .collect()
}

/// The resource version of an object or a list.
pub(crate) fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// What a case expects of an answer.
pub(crate) trait Expect {
    /// The body of an answer with this status.
    fn expect(self, status: u16) -> Value;

    /// The `Status` of a refusal with this code and reason.
    fn refused(self, code: u16, reason: &str) -> Value;
}

impl Expect for Response {
    #[track_caller]
    fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    #[track_caller]
    fn refused(self, code: u16, reason: &str) -> Value {
        let status = self.expect(code);
        assert_eq!(
            (
                &status["kind"],
                &status["status"],
                &status["code"],
                &status["reason"]
            ),
            (
                &json!("Status"),
                &json!("Failure"),
                &json!(code),
                &json!(reason)
            ),
            "{status}"
        );
        status
    }
}

/// Whether a `Status` says this somewhere in its message.
#[track_caller]
pub(crate) fn says(status: &Value, text: &str) {
    let message = status["message"].as_str().unwrap_or_default();
    assert!(message.contains(text), "{message:?} does not say {text:?}");
}
