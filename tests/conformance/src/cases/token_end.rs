//! What ends a token before its time, and what a review then says.
//!
//! No token here is used before its end: a server may remember for some seconds that one was good.

use burgee_testkit::eventually;
use serde_json::{Value, json};

use crate::support::{Case, Expect as _};

const INVALIDATED: &str = "service account token has been invalidated";

fn account(case: &Case) -> Value {
    case.post("serviceaccounts", &json!({"metadata": {"name": "robot"}}))
        .expect(201)
}

fn pod(case: &Case) -> Value {
    let spec = json!({"serviceAccountName": "robot", "containers": [{"name": "c", "image": "i"}]});
    case.post("pods", &json!({"metadata": {"name": "p"}, "spec": spec}))
        .expect(201)
}

/// A token that is bound to an object.
fn bound(case: &Case, kind: &str, name: &str) -> String {
    let reference = json!({"kind": kind, "apiVersion": "v1", "name": name});
    case.token("robot", json!({"boundObjectRef": reference}))
}

/// Waits until a review of a token says this, and nothing of its user.
fn ends(case: &Case, token: &str, error: &str) {
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    let expected = json!({"user": {}, "error": format!("[invalid bearer token, {error}]")});
    let mut last = Value::Null;
    let mut looks = 0;
    eventually("the end of the token", || {
        // Each asks for other audiences, so that no answer is remembered.
        looks += 1;
        let own = burgee_testkit::claims(token)["aud"][0].clone();
        let spec = json!({"token": token, "audiences": [own, looks.to_string()]});
        let answer = case.post(path, &json!({"spec": spec})).expect(201);
        last = answer["status"].clone();
        (last["authenticated"].is_null()).then_some(())
    });
    assert_eq!(last, expected);
}

#[test]
fn a_token_ends_with_its_account() {
    let case = Case::begin();
    account(&case);
    let token = case.token("robot", json!({}));
    case.delete("serviceaccounts/robot").expect(200);
    ends(&case, &token, "serviceaccounts \"robot\" not found");
}

#[test]
fn a_token_is_not_for_another_account_of_the_same_name() {
    let case = Case::begin();
    let old = account(&case)["metadata"]["uid"].clone();
    let token = case.token("robot", json!({}));
    case.delete("serviceaccounts/robot").expect(200);
    let new = account(&case)["metadata"]["uid"].clone();
    let text = format!(
        "service account UID ({}) does not match claim ({})",
        new.as_str().unwrap(),
        old.as_str().unwrap()
    );
    ends(&case, &token, &text);
}

#[test]
fn a_token_ends_with_its_pod() {
    let case = Case::begin();
    account(&case);
    pod(&case);
    let token = bound(&case, "Pod", "p");
    case.delete("pods/p?gracePeriodSeconds=0").expect(200);
    ends(&case, &token, INVALIDATED);
}

#[test]
fn a_token_is_not_for_another_pod_of_the_same_name() {
    let case = Case::begin();
    account(&case);
    let old = pod(&case)["metadata"]["uid"].clone();
    let token = bound(&case, "Pod", "p");
    case.delete("pods/p?gracePeriodSeconds=0").expect(200);
    let new = pod(&case)["metadata"]["uid"].clone();
    let text = format!(
        "pod UID ({}) does not match service account pod ref claim ({})",
        new.as_str().unwrap(),
        old.as_str().unwrap()
    );
    ends(&case, &token, &text);
}

#[test]
fn a_token_ends_with_its_secret() {
    let case = Case::begin();
    account(&case);
    let secret = json!({"metadata": {"name": "s"}});
    case.post("secrets", &secret).expect(201);
    let token = bound(&case, "Secret", "s");
    case.delete("secrets/s").expect(200);
    ends(&case, &token, INVALIDATED);
}

#[test]
fn a_token_ends_with_its_node() {
    let case = Case::begin();
    account(&case);
    let name = format!("{}-node", case.namespace);
    case.post("/api/v1/nodes", &json!({"metadata": {"name": name}}))
        .expect(201);
    let token = bound(&case, "Node", &name);
    case.delete(&format!("/api/v1/nodes/{name}")).expect(200);
    ends(&case, &token, INVALIDATED);
}

#[test]
fn a_token_outlives_the_beginning_of_a_deletion() {
    let case = Case::begin();
    account(&case);
    let metadata = json!({"name": "s", "finalizers": ["example.com/hold"]});
    case.post("secrets", &json!({"metadata": metadata}))
        .expect(201);
    let token = bound(&case, "Secret", "s");
    case.delete("secrets/s").expect(200);
    let spec = json!({"spec": {"token": token}});
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    let answer = case.post(path, &spec).expect(201);
    assert_eq!(answer["status"]["authenticated"], true, "{answer}");
    let patch = json!({"metadata": {"finalizers": null}});
    case.patch("secrets/s", "merge-patch", &patch).expect(200);
    ends(&case, &token, INVALIDATED);
}
