//! Tokens of service accounts.

use burgee_testkit::{Client, Subject, claims};
use serde_json::{Value, json};

use crate::support::{Case, Expect as _, says, upstream_only};

fn account(case: &Case) -> Value {
    case.post("serviceaccounts", &json!({"metadata": {"name": "robot"}}))
        .expect(201)
}

fn pod(case: &Case, name: &str) -> Value {
    let spec = json!({"serviceAccountName": "robot", "containers": [{"name": "c", "image": "i"}]});
    case.post("pods", &json!({"metadata": {"name": name}, "spec": spec}))
        .expect(201)
}

fn ask(case: &Case, spec: Value) -> burgee_testkit::Response {
    case.post("serviceaccounts/robot/token", &json!({"spec": spec}))
}

#[test]
fn a_token_says_whose_it_is_for_whom_and_how_long() {
    let case = Case::begin();
    let robot = account(&case);
    let issued = ask(
        &case,
        json!({"audiences": ["vault"], "expirationSeconds": 600}),
    )
    .expect(201);
    assert_eq!(issued["kind"], "TokenRequest");
    let claims = claims(issued["status"]["token"].as_str().unwrap());
    assert_eq!(
        claims["sub"],
        format!("system:serviceaccount:{}:robot", case.namespace)
    );
    assert_eq!(claims["aud"], json!(["vault"]));
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        600
    );
    let own = &claims["kubernetes.io"];
    assert_eq!(own["namespace"], case.namespace);
    assert_eq!(own["serviceaccount"]["uid"], robot["metadata"]["uid"]);
}

#[test]
fn lives_that_are_too_short_or_too_long_are_422() {
    let case = Case::begin();
    account(&case);
    for (seconds, text) in [
        (599, "may not specify a duration less than 10 minutes"),
        (
            (1i64 << 32) + 1,
            "may not specify a duration larger than 2^32 seconds",
        ),
    ] {
        let status = ask(&case, json!({"expirationSeconds": seconds})).refused(422, "Invalid");
        says(&status, text);
    }
}

#[test]
fn a_token_is_for_an_account_that_is_there() {
    let case = Case::begin();
    let status = ask(&case, json!({})).refused(404, "NotFound");
    assert_eq!(status["message"], "serviceaccounts \"robot\" not found");
    account(&case);
    let other = json!({"metadata": {"name": "other"}, "spec": {}});
    let status = case
        .post("serviceaccounts/robot/token", &other)
        .refused(422, "Invalid");
    says(&status, "must match the service account name if specified");
}

#[test]
fn a_bound_token_needs_its_object() {
    let case = Case::begin();
    account(&case);
    let reference = |kind: &str, name: &str, uid: &str| json!({"boundObjectRef": {"kind": kind, "apiVersion": "v1", "name": name, "uid": uid}});
    ask(&case, reference("Pod", "p", "")).refused(404, "NotFound");
    let status = ask(&case, reference("ConfigMap", "c", "")).refused(400, "BadRequest");
    assert_eq!(
        status["message"],
        "cannot bind token to object of type /v1, Kind=ConfigMap"
    );
    pod(&case, "p");
    let status = ask(&case, reference("Pod", "p", "other")).refused(409, "Conflict");
    says(
        &status,
        "the UID in the bound object reference (other) does not match the UID in record",
    );
}

#[test]
fn a_token_works_until_its_pod_is_gone() {
    let case = Case::begin();
    account(&case);
    let pod = pod(&case, "p");
    let reference = json!({"kind": "Pod", "apiVersion": "v1", "name": "p"});
    let token = case.token("robot", json!({"boundObjectRef": reference}));
    assert_eq!(
        claims(&token)["kubernetes.io"]["pod"]["uid"],
        pod["metadata"]["uid"]
    );
    let robot = Client::with_token(&Subject::chosen().kubeconfig(), &token);
    robot.get("/api").expect(200);
    case.delete("pods/p?gracePeriodSeconds=0").expect(200);
    // Upstream remembers for up to ten seconds what a token was worth.
    burgee_testkit::eventually("the end of the token", || {
        (robot.get("/api").status == 401).then_some(())
    });
}

#[test]
fn a_token_works_until_its_account_is_gone() {
    let case = Case::begin();
    let robot = case.service_account("robot");
    robot.get("/api").expect(200);
    case.delete("serviceaccounts/robot").expect(200);
    account(&case);
    // The account of the same name is another.
    burgee_testkit::eventually("the end of the token", || {
        (robot.get("/api").status == 401).then_some(())
    });
}

#[test]
fn a_token_for_others_does_not_open_this_server() {
    let case = Case::begin();
    account(&case);
    let token = case.token("robot", json!({"audiences": ["vault"]}));
    let robot = Client::with_token(&Subject::chosen().kubeconfig(), &token);
    robot.get("/api").refused(401, "Unauthorized");
}

#[test]
fn a_review_tells_who_a_token_is() {
    let case = Case::begin();
    let robot = account(&case);
    let token = case.token("robot", json!({}));
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    let review = case
        .post(path, &json!({"spec": {"token": token}}))
        .expect(201);
    assert_eq!(review["status"]["authenticated"], true);
    let user = &review["status"]["user"];
    let name = format!("system:serviceaccount:{}:robot", case.namespace);
    assert_eq!(
        (&user["username"], &user["uid"]),
        (&json!(name), &robot["metadata"]["uid"])
    );
    let group = format!("system:serviceaccounts:{}", case.namespace);
    let groups = json!(["system:serviceaccounts", group, "system:authenticated"]);
    assert_eq!(user["groups"], groups);
}

#[test]
fn a_review_asks_for_an_audience() {
    let case = Case::begin();
    account(&case);
    let token = case.token("robot", json!({"audiences": ["vault", "bank"]}));
    let review = |audiences: Value| {
        let spec = json!({"token": token, "audiences": audiences});
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        case.post(path, &json!({"spec": spec})).expect(201)["status"].clone()
    };
    let good = review(json!(["bank", "shop"]));
    assert_eq!(
        (&good["authenticated"], &good["audiences"]),
        (&json!(true), &json!(["bank"]))
    );
    let bad = review(json!(["shop"]));
    assert!(
        bad["authenticated"].is_null() && bad["error"].is_string(),
        "{bad}"
    );
    let unsaid = review(Value::Null);
    assert!(unsaid["authenticated"].is_null(), "{unsaid}");
}

#[test]
fn a_review_of_nothing_is_400_and_one_of_garbage_says_no() {
    let case = Case::begin();
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    let status = case
        .post(path, &json!({"spec": {}}))
        .refused(400, "BadRequest");
    says(
        &status,
        "token is required for TokenReview in authentication",
    );
    let review = case
        .post(path, &json!({"spec": {"token": "garbage"}}))
        .expect(201);
    assert_eq!(
        review["status"],
        json!({"user": {}, "error": "invalid bearer token"})
    );
}

#[test]
fn a_dry_run_makes_no_token() {
    if upstream_only() {
        return;
    }
    let case = Case::begin();
    account(&case);
    let shown = case
        .post(
            "serviceaccounts/robot/token?dryRun=All",
            &json!({"spec": {}}),
        )
        .expect(201);
    assert_eq!(shown["status"]["token"], "");
}
