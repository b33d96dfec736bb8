//! Acting as somebody else, for those who may.

use burgee_testkit::{Client, Response, Subject, eventually};
use serde_json::{Value, json};

use crate::support::{Case, Expect as _, Robot, WHO_AM_I, Who, request, says, upstream_only};

/// What a client asks for itself with these headers.
fn ask(client: &Client, headers: &[(&str, &str)]) -> Response {
    let json = [("Content-Type", "application/json")];
    client.send("POST", WHO_AM_I, &[&json, headers].concat(), b"{}")
}

/// Whom these headers make of an administrator.
#[track_caller]
fn acting(case: &Case, headers: &[(&str, &str)]) -> Value {
    ask(&case.client, headers).expect(201)["status"]["userInfo"].clone()
}

/// The robot itself, by its token.
fn itself(robot: &Robot) -> Client {
    Client::with_token(&Subject::chosen().kubeconfig(), &robot.token)
}

/// Whether a refusal says this. Since 1.36 upstream speaks of what one may do as somebody else in its
/// stead, unless it has let the same sender act as somebody before.
#[track_caller]
fn assert_refusal(status: &Value, expected: &str) {
    let message = status["message"].as_str().unwrap();
    let newer = upstream_only() && message.contains(" cannot impersonate-on:");
    assert!(
        newer || message == expected,
        "{message:?} is not {expected:?}"
    );
}

#[test]
fn a_user_has_no_more_than_a_name_and_is_known() {
    let case = Case::begin();
    let jane = json!({"username": "jane", "groups": ["system:authenticated"]});
    assert_eq!(acting(&case, &[("Impersonate-User", "jane")]), jane);
    assert_eq!(acting(&case, &[("impersonate-user", "jane")]), jane);
    // Nothing of the real user's is left.
    let strange = acting(
        &case,
        &[("Impersonate-User", "J\u{e4}ne D. <j@example.com>")],
    );
    assert_eq!(strange["username"], "J\u{e4}ne D. <j@example.com>");
    // Of two names the first counts.
    let two = [("Impersonate-User", "jane"), ("Impersonate-User", "joe")];
    assert_eq!(acting(&case, &two), jane);
}

#[test]
fn groups_keep_their_order_and_authenticated_comes_last() {
    let case = Case::begin();
    for (groups, expected) in [
        (
            &["ops", "devs"][..],
            json!(["ops", "devs", "system:authenticated"]),
        ),
        (
            &["devs", "devs"],
            json!(["devs", "devs", "system:authenticated"]),
        ),
        (&["a, b"], json!(["a, b", "system:authenticated"])),
        (
            &["system:authenticated", "devs"],
            json!(["system:authenticated", "devs"]),
        ),
        (
            &["system:masters"],
            json!(["system:masters", "system:authenticated"]),
        ),
    ] {
        let mut headers = vec![("Impersonate-User", "jane")];
        headers.extend(groups.iter().map(|group| ("Impersonate-Group", *group)));
        assert_eq!(acting(&case, &headers)["groups"], expected);
    }
    // Who is to be unknown stays so, and may not even ask.
    let headers = [
        ("Impersonate-User", "jane"),
        ("Impersonate-Group", "system:unauthenticated"),
    ];
    let status = ask(&case.client, &headers).refused(403, "Forbidden");
    says(
        &status,
        "User \"jane\" cannot create resource \"selfsubjectreviews\"",
    );
}

#[test]
fn a_uid_and_extra_facts_come_along() {
    let case = Case::begin();
    let user = acting(
        &case,
        &[
            ("Impersonate-User", "jane"),
            ("Impersonate-Uid", "u-1"),
            ("Impersonate-Extra-Scopes", "openid"),
            ("impersonate-extra-scopes", "profile"),
            ("Impersonate-Extra-Acme.com%2Fproject", "some-project"),
            ("Impersonate-Extra-Caf%C3%A9", "x"),
            ("Impersonate-Extra-50%", "y"),
            ("Impersonate-Extra-%zz", "z"),
        ],
    );
    let expected = json!({
        "username": "jane", "uid": "u-1", "groups": ["system:authenticated"],
        "extra": {
            "scopes": ["openid", "profile"],
            "acme.com/project": ["some-project"],
            "caf\u{e9}": ["x"],
            "50%": ["y"],
            "%zz": ["z"],
        },
    });
    assert_eq!(user, expected);
}

#[test]
fn a_service_account_comes_with_its_groups_unless_others_are_named() {
    let case = Case::begin();
    let name = format!("system:serviceaccount:{}:nobody", case.namespace);
    let own = format!("system:serviceaccounts:{}", case.namespace);
    let user = acting(&case, &[("Impersonate-User", &name)]);
    let groups = json!(["system:serviceaccounts", own, "system:authenticated"]);
    assert_eq!(user, json!({"username": name, "groups": groups}));
    let headers = [
        ("Impersonate-User", name.as_str()),
        ("Impersonate-Group", "devs"),
    ];
    let groups = json!(["devs", "system:authenticated"]);
    assert_eq!(acting(&case, &headers)["groups"], groups);
}

#[test]
fn a_name_that_only_begins_like_a_service_account_s_is_a_user_s() {
    let case = Case::begin();
    for name in [
        "system:serviceaccount:",
        "system:serviceaccount:a",
        "system:serviceaccount:a:b:c",
        "system:serviceaccount::b",
        "system:serviceaccount:A:b",
        "system:serviceaccount:a.b:c",
        "system:serviceaccount:a:B_b",
        "system:ServiceAccount:a:b",
    ] {
        let user = acting(&case, &[("Impersonate-User", name)]);
        let expected = json!({"username": name, "groups": ["system:authenticated"]});
        assert_eq!(user, expected);
    }
}

#[test]
fn who_acts_as_nobody_is_unknown() {
    let case = Case::begin();
    let answer = ask(&case.client, &[("Impersonate-User", "system:anonymous")]);
    assert_eq!(Who::of(answer), Who::Anonymous);
    let headers = [("Impersonate-User", "system:anonymous")];
    assert_eq!(
        case.client.send("GET", "/version", &headers, b"").status,
        200
    );
    // A group that may ask makes the groups visible.
    let headers = [
        ("Impersonate-User", "system:anonymous"),
        ("Impersonate-Group", "system:authenticated"),
    ];
    let groups = json!(["system:authenticated", "system:unauthenticated"]);
    assert_eq!(acting(&case, &headers)["groups"], groups);
}

#[test]
fn without_a_user_there_is_nobody_to_act_as() {
    let case = Case::begin();
    for header in [
        ("Impersonate-Group", "devs"),
        ("Impersonate-Uid", "u-1"),
        ("Impersonate-Extra-Scopes", "openid"),
    ] {
        for headers in [vec![header], vec![("Impersonate-User", ""), header]] {
            let answer = ask(&case.client, &headers);
            // Before 1.35 this was an internal error.
            assert!([400, 500].contains(&answer.status), "{headers:?}");
            let text = answer.text();
            assert!(text.contains("without impersonating a user"), "{text}");
        }
    }
}

#[test]
fn every_part_of_another_has_to_be_allowed() {
    let robot = Robot::begin();
    let itself = itself(&robot);
    let account = "system:serviceaccount:kube-system:default";
    let assert_refused = |headers: &[(&str, &str)], text: &str| {
        assert_refusal(&ask(&itself, headers).refused(403, "Forbidden"), text);
    };
    let text = |what: &str, resource: &str, group: &str, scope: &str| {
        format!(
            "{what} is forbidden: User \"{}\" cannot impersonate resource \"{resource}\" in API group \"{group}\" {scope}",
            robot.name
        )
    };
    let everywhere = "at the cluster scope";
    assert_refused(
        &[("Impersonate-User", "jane")],
        &text("users \"jane\"", "users", "", everywhere),
    );
    let within = "in the namespace \"kube-system\"";
    assert_refused(
        &[("Impersonate-User", account)],
        &text("serviceaccounts \"default\"", "serviceaccounts", "", within),
    );

    // Once the user is allowed, the rest still has to be.
    let name = format!("{}-jane", robot.case.namespace);
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let rules = json!([{"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["jane"]}]);
    let role = json!({"metadata": {"name": name}, "rules": rules});
    let binding = json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": robot.case.namespace}],
    });
    robot
        .case
        .post(&format!("{rbac}/clusterroles"), &role)
        .expect(201);
    robot
        .case
        .post(&format!("{rbac}/clusterrolebindings"), &binding)
        .expect(201);
    let jane = ("Impersonate-User", "jane");
    eventually("the permission", || {
        (ask(&itself, &[jane]).status == 201).then_some(())
    });
    let authentication = "authentication.k8s.io";
    for (header, expected) in [
        (
            ("Impersonate-Group", "devs"),
            text("groups \"devs\"", "groups", "", everywhere),
        ),
        (
            ("Impersonate-Uid", "u-1"),
            text(
                "uids.authentication.k8s.io \"u-1\"",
                "uids",
                authentication,
                everywhere,
            ),
        ),
        (
            ("Impersonate-Extra-Scopes", "openid"),
            text(
                "userextras.authentication.k8s.io \"openid\"",
                "userextras/scopes",
                authentication,
                everywhere,
            ),
        ),
    ] {
        assert_refused(&[jane, header], &expected);
    }
    let joe = text("users \"joe\"", "users", "", everywhere);
    assert_refused(&[("Impersonate-User", "joe")], &joe);
    for path in ["clusterrolebindings", "clusterroles"] {
        robot
            .case
            .delete(&format!("{rbac}/{path}/{name}"))
            .expect(200);
    }
}

#[test]
fn an_account_may_be_acted_as_in_one_namespace() {
    let robot = Robot::begin();
    robot.case.allow(
        "robot",
        json!([{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}]),
    );
    let itself = itself(&robot);
    let other = format!("system:serviceaccount:{}:other", robot.case.namespace);
    let user = eventually("the permission", || {
        let answer = ask(&itself, &[("Impersonate-User", &other)]);
        (answer.status == 201).then(|| answer.json())
    });
    assert_eq!(user["status"]["userInfo"]["username"], other);
    let elsewhere = [("Impersonate-User", "system:serviceaccount:default:default")];
    ask(&itself, &elsewhere).refused(403, "Forbidden");
}

#[test]
fn one_s_own_rights_are_left_behind() {
    let case = Case::begin();
    let headers = [
        ("Impersonate-User", "jane"),
        ("Content-Type", "application/json"),
    ];
    let reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
    let body = br#"{"spec":{"token":"garbage"}}"#;
    let status = case.client.send("POST", reviews, &headers, body);
    says(
        &status.refused(403, "Forbidden"),
        "User \"jane\" cannot create resource \"tokenreviews\"",
    );
    // And those of the other are gained.
    let masters = [
        headers[0],
        headers[1],
        ("Impersonate-Group", "system:masters"),
    ];
    case.client
        .send("POST", reviews, &masters, body)
        .expect(201);
}

#[test]
fn who_is_nobody_or_refused_acts_as_nobody() {
    let robot = Robot::begin();
    let jane = ("Impersonate-User", "jane");
    let status = request(&robot.client, "GET", "/version", &[jane], b"").refused(403, "Forbidden");
    assert_refusal(
        &status,
        "users \"jane\" is forbidden: User \"system:anonymous\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
    );
    let bad = [jane, ("Authorization", "Bearer garbage")];
    assert_eq!(robot.who(&bad), Who::Refused);
}

#[test]
fn even_to_act_as_oneself_has_to_be_allowed() {
    let robot = Robot::begin();
    let answer = ask(&itself(&robot), &[("Impersonate-User", &robot.name)]);
    says(&answer.refused(403, "Forbidden"), " cannot impersonate");
}

#[test]
fn a_header_without_a_value_names_nobody() {
    let case = Case::begin();
    let mine = acting(&case, &[]);
    assert_eq!(acting(&case, &[("Impersonate-User", "")]), mine);
    assert_eq!(acting(&case, &[("Impersonate-Uid", "")]), mine);
}
