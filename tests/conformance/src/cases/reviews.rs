//! Questions about access.

use serde_json::{Value, json};

use crate::support::{Case, Expect as _, says};

const AUTHORIZATION: &str = "authorization.k8s.io/v1";

fn secrets(case: &Case, verb: &str) -> Value {
    json!({"verb": verb, "resource": "secrets", "namespace": case.namespace})
}

#[test]
fn somebody_elses_access_can_be_asked_for() {
    let case = Case::begin();
    case.service_account("robot");
    case.allow(
        "robot",
        json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]),
    );
    let name = format!("system:serviceaccount:{}:robot", case.namespace);
    let ask = |verb: &str| {
        let spec = json!({"user": name, "resourceAttributes": secrets(&case, verb)});
        let path = format!("/apis/{AUTHORIZATION}/subjectaccessreviews");
        case.post(&path, &json!({"spec": spec})).expect(201)["status"].clone()
    };
    let yes = ask("get");
    assert_eq!(yes["allowed"], true);
    says(
        &json!({"message": yes["reason"]}),
        "RBAC: allowed by RoleBinding \"robot/",
    );
    assert_eq!(ask("list")["allowed"], false);
}

#[test]
fn ones_own_access_can_be_asked_for() {
    let case = Case::begin();
    let robot = case.service_account("robot");
    let path = format!("/apis/{AUTHORIZATION}/selfsubjectaccessreviews");
    let question = json!({"spec": {"resourceAttributes": secrets(&case, "get")}});
    assert_eq!(
        robot.post(&path, &question).expect(201)["status"]["allowed"],
        false
    );
    assert_eq!(
        case.post(&path, &question).expect(201)["status"]["allowed"],
        true
    );
    let question = json!({"spec": {"nonResourceAttributes": {"path": "/version", "verb": "get"}}});
    assert_eq!(
        robot.post(&path, &question).expect(201)["status"]["allowed"],
        true
    );
}

#[test]
fn access_in_one_namespace_can_be_asked_for_there() {
    let case = Case::begin();
    let path = case.path_of(AUTHORIZATION, "localsubjectaccessreviews");
    let spec = json!({"user": "jane", "resourceAttributes": secrets(&case, "get")});
    let answer = case.post(&path, &json!({"spec": spec})).expect(201);
    assert_eq!(answer["status"]["allowed"], false);
    let elsewhere = json!({"verb": "get", "resource": "secrets", "namespace": "other"});
    let spec = json!({"user": "jane", "resourceAttributes": elsewhere});
    case.post(&path, &json!({"spec": spec}))
        .refused(422, "Invalid");
}

#[test]
fn everything_that_one_may_do_can_be_asked_for() {
    let case = Case::begin();
    let robot = case.service_account("robot");
    case.allow(
        "robot",
        json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]),
    );
    let path = format!("/apis/{AUTHORIZATION}/selfsubjectrulesreviews");
    let rule = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]});
    burgee_testkit::eventually("the rule", || {
        let answer = robot
            .post(&path, &json!({"spec": {"namespace": case.namespace}}))
            .expect(201);
        assert_eq!(answer["status"]["incomplete"], false);
        answer["status"]["resourceRules"]
            .as_array()
            .unwrap()
            .contains(&rule)
            .then_some(())
    });
    robot
        .post(&path, &json!({"spec": {}}))
        .refused(400, "BadRequest");
}

#[test]
fn questions_that_ask_nothing_are_422() {
    let case = Case::begin();
    let path = format!("/apis/{AUTHORIZATION}/subjectaccessreviews");
    let status = case
        .post(&path, &json!({"spec": {}}))
        .refused(422, "Invalid");
    assert_eq!(
        status["details"]["causes"].as_array().unwrap().len(),
        2,
        "{status}"
    );
    let both = json!({
        "user": "jane",
        "resourceAttributes": {"verb": "get"},
        "nonResourceAttributes": {"verb": "get"},
    });
    case.post(&path, &json!({"spec": both}))
        .refused(422, "Invalid");
}

#[test]
fn everybody_may_ask_who_they_are() {
    let case = Case::begin();
    let robot = case.service_account("robot");
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let answer = robot.post(path, &json!({})).expect(201);
    let user = &answer["status"]["userInfo"];
    assert_eq!(
        user["username"],
        format!("system:serviceaccount:{}:robot", case.namespace)
    );
}
