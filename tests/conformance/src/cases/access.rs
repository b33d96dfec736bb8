//! Role-based access control.

use burgee_testkit::{Client, Response, eventually};
use serde_json::{Value, json};

use crate::support::{Case, Expect as _, says};

const RBAC: &str = "rbac.authorization.k8s.io/v1";

fn rules(verbs: &[&str]) -> Value {
    json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": verbs}])
}

/// Waits until a change of access has come through, which takes upstream a moment.
fn soon(what: &str, status: u16, send: impl Fn() -> Response) {
    eventually(what, || (send().status == status).then_some(()));
}

#[test]
fn nothing_is_allowed_that_no_role_allows() {
    let case = Case::begin();
    let robot = case.service_account("robot");
    let status = robot.get(&case.path("secrets")).refused(403, "Forbidden");
    let expected = format!(
        "secrets is forbidden: User \"system:serviceaccount:{0}:robot\" cannot list resource \
         \"secrets\" in API group \"\" in the namespace \"{0}\"",
        case.namespace
    );
    assert_eq!(status["message"], expected);
    let status = robot.get("/metrics").refused(403, "Forbidden");
    says(&status, "cannot get path \"/metrics\"");
}

#[test]
fn a_binding_allows_and_its_end_forbids_again() {
    let case = Case::begin();
    let robot = case.service_account("robot");
    case.allow("robot", rules(&["list"]));
    soon("the permission", 200, || robot.get(&case.path("secrets")));
    robot
        .get(&case.path("configmaps"))
        .refused(403, "Forbidden");
    case.delete(&case.path_of(RBAC, "rolebindings/robot"))
        .expect(200);
    soon("the end of the permission", 403, || {
        robot.get(&case.path("secrets"))
    });
}

#[test]
fn a_change_of_a_role_changes_what_its_bindings_allow() {
    let case = Case::begin();
    let robot = case.service_account("robot");
    case.allow("robot", rules(&["list"]));
    soon("the permission", 200, || robot.get(&case.path("secrets")));
    let patch = json!({"rules": rules(&["get"])});
    case.patch(&case.path_of(RBAC, "roles/robot"), "merge-patch", &patch)
        .expect(200);
    soon("the end of the permission", 403, || {
        robot.get(&case.path("secrets"))
    });
    robot
        .get(&case.path("secrets/none"))
        .refused(404, "NotFound");
}

#[test]
fn a_role_in_one_namespace_allows_nothing_in_another() {
    let (here, there) = (Case::begin(), Case::begin());
    let robot = here.service_account("robot");
    here.allow("robot", rules(&["list"]));
    soon("the permission", 200, || robot.get(&here.path("secrets")));
    robot.get(&there.path("secrets")).refused(403, "Forbidden");
    robot.get("/api/v1/secrets").refused(403, "Forbidden");
}

#[test]
fn named_objects_alone_can_be_allowed() {
    let case = Case::begin();
    let robot = case.service_account("robot");
    let named = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["mine"]}]);
    case.allow("robot", named);
    case.post("secrets", &json!({"metadata": {"name": "mine"}}))
        .expect(201);
    soon("the permission", 200, || {
        robot.get(&case.path("secrets/mine"))
    });
    robot
        .get(&case.path("secrets/yours"))
        .refused(403, "Forbidden");
}

/// Someone who writes roles and bindings, and may read Secrets.
fn writer(case: &Case) -> Client {
    let writer = case.service_account("writer");
    case.allow(
        "writer",
        json!([
            {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["create", "list"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
        ]),
    );
    soon("the writer's permissions", 200, || {
        writer.get(&case.path_of(RBAC, "roles"))
    });
    writer
}

#[test]
fn nobody_gives_away_what_they_do_not_have() {
    let case = Case::begin();
    let writer = writer(&case);
    let path = case.path_of(RBAC, "roles");
    let own = json!({"metadata": {"name": "own"}, "rules": rules(&["get"])});
    writer.post(&path, &own).expect(201);
    let more = json!({"metadata": {"name": "more"}, "rules": rules(&["get", "delete"])});
    let status = writer.post(&path, &more).refused(403, "Forbidden");
    says(
        &status,
        "is attempting to grant RBAC permissions not currently held:",
    );
    says(
        &status,
        "{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"delete\"]}",
    );
}

#[test]
fn nobody_binds_a_role_that_allows_more_than_they_may() {
    let case = Case::begin();
    let writer = writer(&case);
    let path = case.path_of(RBAC, "rolebindings");
    let bind = |name: &str, role: &str| {
        let reference =
            json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
        let subject =
            json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane"});
        writer.post(
            &path,
            &json!({"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}),
        )
    };
    bind("all", "cluster-admin").refused(403, "Forbidden");
    // Who may bind a role need not have what it allows.
    let allowed = json!([{
        "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"],
        "verbs": ["bind"], "resourceNames": ["cluster-admin"],
    }]);
    let role = json!({"metadata": {"name": "binder"}, "rules": allowed});
    case.post(&case.path_of(RBAC, "roles"), &role).expect(201);
    let binding = json!({
        "metadata": {"name": "binder"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "binder"},
        "subjects": [{"kind": "ServiceAccount", "name": "writer", "namespace": case.namespace}],
    });
    case.post(&path, &binding).expect(201);
    soon("the permission to bind", 201, || {
        bind("all", "cluster-admin")
    });
}

#[test]
fn what_a_binding_refers_to_is_for_ever() {
    let case = Case::begin();
    case.service_account("robot");
    case.allow("robot", rules(&["get"]));
    let patch = json!({"roleRef": {"name": "other"}});
    let path = case.path_of(RBAC, "rolebindings/robot");
    let status = case
        .patch(&path, "merge-patch", &patch)
        .refused(422, "Invalid");
    says(&status, "cannot change roleRef");
}

#[test]
fn cluster_roles_gather_the_rules_of_those_they_select() {
    let case = Case::begin();
    let path = format!("/apis/{RBAC}/clusterroles");
    let label = json!({format!("example.com/{}", case.namespace): "true"});
    let sum = format!("{}-sum", case.namespace);
    let part = format!("{}-part", case.namespace);
    let selectors = json!({"clusterRoleSelectors": [{"matchLabels": label}]});
    let object = json!({"metadata": {"name": sum}, "aggregationRule": selectors});
    case.post(&path, &object).expect(201);
    let metadata = json!({"name": part, "labels": label});
    case.post(
        &path,
        &json!({"metadata": metadata, "rules": rules(&["get"])}),
    )
    .expect(201);
    eventually("the gathered rules", || {
        let role = case.get(&format!("{path}/{sum}")).expect(200);
        (role["rules"] == rules(&["get"])).then_some(())
    });
    for name in [sum, part] {
        case.delete(&format!("{path}/{name}")).expect(200);
    }
}

#[test]
fn roles_that_make_no_sense_are_422() {
    let case = Case::begin();
    let role = json!({"metadata": {"name": "r"}, "rules": [{"verbs": []}]});
    let status = case
        .post(&case.path_of(RBAC, "roles"), &role)
        .refused(422, "Invalid");
    says(
        &status,
        "rules[0].verbs: Required value: verbs must contain at least one value",
    );
    let role = json!({"metadata": {"name": "r"}, "rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]});
    case.post(&case.path_of(RBAC, "roles"), &role)
        .refused(422, "Invalid");
}

#[test]
fn who_acts_as_another_may_do_what_the_other_may() {
    let case = Case::begin();
    let headers = [("Impersonate-User", "jane"), ("Impersonate-Group", "devs")];
    let path = case.path("secrets");
    let status = case
        .client
        .send("GET", &path, &headers, b"")
        .refused(403, "Forbidden");
    says(&status, "User \"jane\" cannot list resource \"secrets\"");
    let robot = case.service_account("robot");
    let status = robot
        .send("GET", &path, &headers, b"")
        .refused(403, "Forbidden");
    says(&status, " cannot impersonate");
    let group_alone = [("Impersonate-Group", "devs")];
    assert!(case.client.send("GET", "/api", &group_alone, b"").status >= 400);
}
