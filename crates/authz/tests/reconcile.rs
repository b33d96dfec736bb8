//! Stored objects are brought up to date without taking away what administrators added.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

mod testkit;

use burgee_authz::bootstrap;
use burgee_authz::reconcile::{self, Action};
use burgee_wire::rbac::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde_json::{Value, json};
use testkit::view;

fn rule(verbs: &[&str]) -> Value {
    json!({"verbs": verbs, "apiGroups": [""], "resources": ["secrets"]})
}

fn cluster_role(rules: Value) -> ClusterRole {
    view(json!({"metadata": {"name": "r", "uid": "1"}, "rules": rules}))
}

fn binding(role: &str, subjects: &[&str]) -> ClusterRoleBinding {
    let subjects: Vec<_> = subjects
        .iter()
        .map(|name| json!({"kind": "User", "name": name}))
        .collect();
    view(json!({"metadata": {"name": "b"}, "subjects": subjects,
        "roleRef": {"kind": "ClusterRole", "name": role}}))
}

#[test]
fn missing_permissions_are_added_and_extra_ones_stay() {
    let existing = cluster_role(json!([rule(&["get", "delete"])]));
    let expected = cluster_role(json!([rule(&["get", "list", "watch"])]));
    let merged = cluster_role(json!([
        rule(&["get", "delete"]),
        rule(&["list"]),
        rule(&["watch"])
    ]));
    assert_eq!(
        reconcile::cluster_role(Some(&existing), expected.clone()),
        Action::Update(merged.clone())
    );
    assert_eq!(
        reconcile::cluster_role(Some(&merged), expected.clone()),
        Action::Nothing
    );
    assert_eq!(
        reconcile::cluster_role(None, expected.clone()),
        Action::Create(expected)
    );
}

#[test]
fn labels_and_annotations_are_added_but_not_changed() {
    let mut existing = cluster_role(json!([]));
    existing.metadata.labels = view(json!({"a": "own"}));
    let mut expected = cluster_role(json!([]));
    expected.metadata.labels = view(json!({"a": "default", "b": "default"}));
    expected.metadata.annotations = view(json!({"c": "default"}));
    let Action::Update(merged) = reconcile::cluster_role(Some(&existing), expected) else {
        panic!("nothing was updated");
    };
    assert_eq!(
        json!(merged.metadata.labels),
        json!({"a": "own", "b": "default"})
    );
    assert_eq!(json!(merged.metadata.annotations), json!({"c": "default"}));
    assert_eq!(merged.metadata.uid, "1");
}

#[test]
fn an_object_that_opted_out_is_left_alone() {
    let protected = json!({"rbac.authorization.kubernetes.io/autoupdate": "false"});
    let mut existing = cluster_role(json!([]));
    existing.metadata.annotations = view(protected.clone());
    let expected = cluster_role(json!([rule(&["get"])]));
    assert_eq!(
        reconcile::cluster_role(Some(&existing), expected),
        Action::Nothing
    );

    let mut existing = binding("a", &[]);
    existing.metadata.annotations = view(protected);
    for expected in [binding("a", &["jane"]), binding("b", &[])] {
        assert_eq!(
            reconcile::cluster_role_binding(Some(&existing), expected),
            Action::Nothing
        );
    }
}

#[test]
fn selectors_are_added_and_unexpected_gathering_ends() {
    let gathering = |labels: &[&str]| {
        let selectors: Vec<_> = labels
            .iter()
            .map(|label| json!({"matchLabels": {*label: "true"}}))
            .collect();
        let mut role = cluster_role(json!([]));
        role.aggregation_rule = view(json!({"clusterRoleSelectors": selectors}));
        role
    };
    let table = [
        (gathering(&["own", "a"]), gathering(&["a"]), Action::Nothing),
        (
            gathering(&["own"]),
            gathering(&["a"]),
            Action::Update(gathering(&["own", "a"])),
        ),
        (
            cluster_role(json!([])),
            gathering(&["a"]),
            Action::Update(gathering(&["a"])),
        ),
        (
            gathering(&["own"]),
            cluster_role(json!([])),
            Action::Update(cluster_role(json!([]))),
        ),
    ];
    for (existing, expected, action) in table {
        assert_eq!(reconcile::cluster_role(Some(&existing), expected), action);
    }
}

#[test]
fn missing_subjects_are_added_and_extra_ones_stay() {
    let existing = binding("a", &["own", "jane"]);
    let table = [
        (binding("a", &["jane"]), Action::Nothing),
        (
            binding("a", &["joe"]),
            Action::Update(binding("a", &["own", "jane", "joe"])),
        ),
        (
            binding("a", &["joe", "joe"]),
            Action::Update(binding("a", &["own", "jane", "joe"])),
        ),
    ];
    for (expected, action) in table {
        assert_eq!(
            reconcile::cluster_role_binding(Some(&existing), expected),
            action
        );
    }
}

#[test]
fn a_binding_of_another_role_is_made_anew() {
    let existing = binding("a", &["own"]);
    let expected = binding("b", &["jane"]);
    assert_eq!(
        reconcile::cluster_role_binding(Some(&existing), expected.clone()),
        Action::Recreate(expected)
    );
}

#[test]
fn namespaced_kinds_follow_the_same_rules() {
    let role: Role = view(json!({"metadata": {"name": "r"}, "rules": [rule(&["get"])]}));
    let more: Role =
        view(json!({"metadata": {"name": "r"}, "rules": [rule(&["get"]), rule(&["list"])]}));
    assert_eq!(
        reconcile::role(None, role.clone()),
        Action::Create(role.clone())
    );
    assert_eq!(reconcile::role(Some(&more), role.clone()), Action::Nothing);
    assert_eq!(
        reconcile::role(Some(&role), more.clone()),
        Action::Update(more)
    );

    let binding = |role: &str, subjects: Value| -> RoleBinding {
        view(json!({"subjects": subjects, "roleRef": {"kind": "Role", "name": role}}))
    };
    let jane = json!([{"kind": "User", "name": "jane"}]);
    let (none, some) = (binding("a", json!([])), binding("a", jane.clone()));
    assert_eq!(
        reconcile::role_binding(None, none.clone()),
        Action::Create(none.clone())
    );
    assert_eq!(
        reconcile::role_binding(Some(&none), some.clone()),
        Action::Update(some.clone())
    );
    assert_eq!(reconcile::role_binding(Some(&some), none), Action::Nothing);
    let other = binding("b", jane);
    assert_eq!(
        reconcile::role_binding(Some(&some), other.clone()),
        Action::Recreate(other)
    );
}

#[test]
fn the_default_objects_need_nothing_once_they_are_stored() {
    let policy = bootstrap::policy();
    for role in &policy.cluster_roles {
        assert_eq!(
            reconcile::cluster_role(Some(role), role.clone()),
            Action::Nothing
        );
    }
    for binding in &policy.cluster_role_bindings {
        assert_eq!(
            reconcile::cluster_role_binding(Some(binding), binding.clone()),
            Action::Nothing
        );
    }
}
