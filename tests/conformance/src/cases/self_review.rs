//! `SelfSubjectReview`: who am I.

use burgee_testkit::{Client, Subject, claims};
use serde_json::{Value, json};

use crate::support::{Case, Expect as _, Robot, WHO_AM_I, request, says};

/// The robot itself, by its token.
fn itself(robot: &Robot) -> Client {
    Client::with_token(&Subject::chosen().kubeconfig(), &robot.token)
}

#[test]
fn one_is_told_all_that_is_known_of_oneself() {
    let robot = Robot::begin();
    let account = robot.case.get("serviceaccounts/robot").expect(200);
    let answer = itself(&robot).post(WHO_AM_I, &json!({}));
    assert_eq!(answer.headers["cache-control"], "no-cache, private");
    let answer = answer.expect(201);
    assert_eq!(answer["kind"], "SelfSubjectReview");
    assert_eq!(answer["apiVersion"], "authentication.k8s.io/v1");
    let id = claims(&robot.token)["jti"].as_str().unwrap().to_owned();
    let expected = json!({"userInfo": {
        "username": robot.name,
        "uid": account["metadata"]["uid"],
        "groups": [
            "system:serviceaccounts",
            format!("system:serviceaccounts:{}", robot.case.namespace),
            "system:authenticated",
        ],
        "extra": {"authentication.kubernetes.io/credential-id": [format!("JTI={id}")]},
    }});
    assert_eq!(answer["status"], expected);
}

#[test]
fn what_one_says_of_oneself_is_not_listened_to() {
    let robot = Robot::begin();
    let body = json!({
        "kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": "x", "namespace": "y", "labels": {"a": "b"}, "uid": "z"},
        "status": {"userInfo": {"username": "jane", "groups": ["system:masters"]}},
    });
    let answer = itself(&robot).post(WHO_AM_I, &body).expect(201);
    assert_eq!(answer["status"]["userInfo"]["username"], robot.name);
    let metadata = answer["metadata"].as_object().unwrap();
    let names: Vec<_> = metadata
        .keys()
        .filter(|name| *name != "managedFields")
        .collect();
    assert_eq!(names, ["creationTimestamp"]);
    assert!(answer.get("spec").is_none());
}

#[test]
fn what_is_not_known_is_left_out() {
    let case = Case::begin();
    let headers = [
        ("Content-Type", "application/json"),
        ("Impersonate-User", "jane"),
    ];
    let answer = case
        .client
        .send("POST", WHO_AM_I, &headers, b"{}")
        .expect(201);
    let expected = json!({"userInfo": {"username": "jane", "groups": ["system:authenticated"]}});
    assert_eq!(answer["status"], expected);
}

#[test]
fn who_is_nobody_may_not_ask() {
    let robot = Robot::begin();
    let answer = request::<&str>(&robot.client, "POST", WHO_AM_I, &[], b"{}");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    let status = answer.refused(403, "Forbidden");
    assert_eq!(
        status["message"],
        "selfsubjectreviews.authentication.k8s.io is forbidden: User \"system:anonymous\" cannot create resource \"selfsubjectreviews\" in API group \"authentication.k8s.io\" at the cluster scope"
    );
}

#[test]
fn a_body_of_another_kind_is_400() {
    let case = Case::begin();
    for body in [
        json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1"}),
        json!({"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1alpha1"}),
        json!({"kind": "ConfigMap", "apiVersion": "v1"}),
        json!({"kind": "Nonsense", "apiVersion": "v1"}),
        json!([]),
        json!("x"),
    ] {
        case.post(WHO_AM_I, &body).refused(400, "BadRequest");
    }
    for text in ["", "{", "x: ["] {
        let answer = case.post_text(WHO_AM_I, "application/json", text);
        answer.refused(400, "BadRequest");
    }
}

#[test]
fn options_are_those_of_every_creation() {
    let robot = Robot::begin();
    let itself = itself(&robot);
    let name = |query: &str, body: Value| {
        let answer = itself.post(&format!("{WHO_AM_I}?{query}"), &body);
        answer.expect(201)["status"]["userInfo"]["username"].clone()
    };
    assert_eq!(name("dryRun=All", json!({})), robot.name);
    assert_eq!(name("fieldValidation=Ignore", json!({"x": 1})), robot.name);
    let path = format!("{WHO_AM_I}?fieldValidation=Strict");
    let status = itself
        .post(&path, &json!({"x": 1}))
        .refused(400, "BadRequest");
    says(&status, "strict decoding error: unknown field \"x\"");
    let path = format!("{WHO_AM_I}?dryRun=Some");
    itself.post(&path, &json!({})).refused(422, "Invalid");
}

#[test]
fn an_answer_can_be_yaml() {
    let robot = Robot::begin();
    let headers = [
        ("Content-Type", "application/yaml"),
        ("Accept", "application/yaml"),
    ];
    let answer = itself(&robot).send("POST", WHO_AM_I, &headers, b"{}");
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["content-type"], "application/yaml");
    let line = format!("\n    username: {}\n", robot.name);
    assert!(answer.text().contains(&line), "{}", answer.text());
}

#[test]
fn there_is_nothing_but_the_question() {
    let case = Case::begin();
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let answer = case.client.send(method, WHO_AM_I, &[], b"");
        answer.refused(405, "MethodNotAllowed");
    }
    for version in ["v1alpha1", "v1beta1"] {
        let path = WHO_AM_I.replace("/v1/", &format!("/{version}/"));
        assert_eq!(case.post(&path, &json!({})).status, 404, "{version}");
    }
}
