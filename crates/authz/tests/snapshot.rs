//! Who may do what, over an index that changes object by object.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

mod testkit;

use std::collections::BTreeMap;

use burgee_authz::{Attributes, Authorizer, RbacIndex, RbacSnapshot};
use burgee_identity::UserInfo;
use burgee_wire::rbac::{ClusterRole, PolicyRule, RoleBinding, Subject};
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::{index, list_secrets, view};

fn rules() -> Value {
    json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}])
}

fn cluster_role(name: &str) -> Value {
    json!({"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules()})
}

fn role(namespace: &str, name: &str) -> Value {
    json!({"kind": "Role", "metadata": {"namespace": namespace, "name": name}, "rules": rules()})
}

/// A binding of the role `KIND/NAME`; without a namespace it is a ClusterRoleBinding.
fn binding(namespace: &str, name: &str, role: &str, subjects: Value) -> Value {
    let (role_kind, role) = role.split_once('/').unwrap();
    let kind = if namespace.is_empty() {
        "ClusterRoleBinding"
    } else {
        "RoleBinding"
    };
    json!({"kind": kind, "metadata": {"namespace": namespace, "name": name},
        "roleRef": {"kind": role_kind, "name": role}, "subjects": subjects})
}

fn reason(snapshot: &RbacSnapshot, attributes: &Attributes<'_>) -> String {
    snapshot.authorize(attributes).reason().to_string()
}

#[test]
fn subjects_are_users_groups_and_service_accounts() {
    // The binding's namespace, its subject, who asks, whether that is the subject.
    let account = "system:serviceaccount:ns:sa";
    let table = [
        ("", json!({"kind": "User", "name": "jane"}), "jane", true),
        ("", json!({"kind": "User", "name": "jane"}), "Jane", false),
        ("", json!({"kind": "User", "name": "devs"}), "jane", false),
        ("", json!({"kind": "User", "name": "*"}), "jane", false),
        ("", json!({"kind": "Group", "name": "devs"}), "jane", true),
        ("", json!({"kind": "Group", "name": "jane"}), "jane", false),
        (
            "",
            json!({"kind": "ServiceAccount", "name": "sa", "namespace": "ns"}),
            account,
            true,
        ),
        ("", json!({"kind": "User", "name": account}), account, true),
        (
            "",
            json!({"kind": "ServiceAccount", "name": "sa"}),
            account,
            false,
        ),
        (
            "",
            json!({"kind": "ServiceAccount", "name": "sa"}),
            "system:serviceaccount::sa",
            false,
        ),
        (
            "",
            json!({"kind": "ServiceAccount", "name": "jane"}),
            "jane",
            false,
        ),
        (
            "ns",
            json!({"kind": "ServiceAccount", "name": "sa"}),
            account,
            true,
        ),
        (
            "ns",
            json!({"kind": "ServiceAccount", "name": "sa", "namespace": "other"}),
            account,
            false,
        ),
        (
            "ns",
            json!({"kind": "ServiceAccount", "name": "a:b"}),
            "system:serviceaccount:ns:a:b",
            true,
        ),
        ("ns", json!({"kind": "Group", "name": "devs"}), "jane", true),
        ("", json!({"kind": "Robot", "name": "jane"}), "jane", false),
    ];
    for (namespace, subject, asks, expected) in table {
        let objects = [
            cluster_role("r"),
            binding(namespace, "b", "ClusterRole/r", json!([subject])),
        ];
        let user = UserInfo::named(asks).with_groups(["devs"]);
        let decision = index(objects)
            .snapshot()
            .authorize(&list_secrets(&user, "ns"));
        assert_eq!(
            decision.is_allowed(),
            expected,
            "{namespace} {subject} {asks}"
        );
    }
}

#[test]
fn a_role_binding_permits_only_within_its_namespace() {
    let subjects = || json!([{"kind": "User", "name": "jane"}]);
    let objects = [
        cluster_role("r"),
        role("b", "r"),
        binding("a", "of-cluster-role", "ClusterRole/r", subjects()),
        binding("b", "of-role", "Role/r", subjects()),
    ];
    let snapshot = index(objects).snapshot();
    let jane = UserInfo::named("jane");
    let namespaces = ["a", "b", "c", ""];
    let allowed = namespaces.map(|namespace| {
        snapshot
            .authorize(&list_secrets(&jane, namespace))
            .is_allowed()
    });
    assert_eq!(allowed, [true, true, false, false]);
}

#[test]
fn the_reason_names_binding_role_and_first_subject_that_applies() {
    let subjects = json!([{"kind": "Group", "name": "other"}, {"kind": "ServiceAccount", "name": "sa"},
        {"kind": "Group", "name": "devs"}]);
    let objects = [
        cluster_role("cr"),
        role("ns", "r"),
        binding("ns", "b", "Role/r", subjects),
        binding(
            "",
            "c",
            "ClusterRole/cr",
            json!([{"kind": "User", "name": "jane"}]),
        ),
    ];
    let snapshot = index(objects).snapshot();
    let account = UserInfo::named("system:serviceaccount:ns:sa").with_groups(["devs"]);
    assert_eq!(
        reason(&snapshot, &list_secrets(&account, "ns")),
        r#"RBAC: allowed by RoleBinding "b/ns" of Role "r" to ServiceAccount "sa/ns""#
    );
    let jane = UserInfo::named("jane").with_groups(["devs"]);
    assert_eq!(
        reason(&snapshot, &list_secrets(&jane, "ns")),
        r#"RBAC: allowed by ClusterRoleBinding "c" of ClusterRole "cr" to User "jane""#
    );
}

#[test]
fn roles_that_are_missing_are_named_where_nothing_else_permits() {
    let subjects = || json!([{"kind": "User", "name": "jane"}]);
    let bindings = [
        binding("", "1", "ClusterRole/gone", subjects()),
        binding("ns", "2", "Role/gone", subjects()),
        binding("ns", "3", "Role/gone", subjects()),
    ];
    let mut index = index(bindings);
    let jane = UserInfo::named("jane");
    let missing = r#"[clusterrole.rbac.authorization.k8s.io "gone" not found, role.rbac.authorization.k8s.io "gone" not found]"#;
    let snapshot = index.snapshot();
    assert_eq!(
        reason(&snapshot, &list_secrets(&jane, "ns")),
        format!("RBAC: {missing}")
    );
    assert_eq!(snapshot.rules_for(&jane, "ns").evaluation_error, missing);

    let refused = list_secrets(&jane, "").forbidden(&reason(&snapshot, &list_secrets(&jane, "")));
    assert_eq!(
        refused.message,
        "secrets is forbidden: User \"jane\" cannot list resource \"secrets\" in API group \"\" at the cluster scope: \
         RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found"
    );

    index.upsert_role(view(role("ns", "gone")));
    assert!(
        index
            .snapshot()
            .authorize(&list_secrets(&jane, "ns"))
            .is_allowed()
    );
    assert_eq!(
        index.snapshot().rules_for(&jane, "ns").resource_rules.len(),
        2
    );
}

#[test]
fn a_snapshot_does_not_see_later_changes() {
    let subjects = json!([{"kind": "User", "name": "jane"}]);
    let mut index = index([
        cluster_role("r"),
        binding("", "b", "ClusterRole/r", subjects),
    ]);
    let jane = UserInfo::named("jane");
    let before = index.snapshot();
    index.delete_cluster_role_binding("b");
    assert!(before.authorize(&list_secrets(&jane, "")).is_allowed());
    assert!(
        !index
            .snapshot()
            .authorize(&list_secrets(&jane, ""))
            .is_allowed()
    );
}

#[test]
fn a_role_binding_without_a_namespace_permits_nothing() {
    let subjects = json!([{"kind": "User", "name": "jane"}]);
    let mut stray = binding("", "b", "ClusterRole/r", subjects);
    stray["kind"] = json!("RoleBinding");
    let snapshot = index([cluster_role("r"), stray]).snapshot();
    let jane = UserInfo::named("jane");
    assert!(!snapshot.authorize(&list_secrets(&jane, "")).is_allowed());
}

#[test]
fn a_few_bindings_are_found_among_very_many() {
    let mut index = index([cluster_role("r")]);
    for number in 0..10_000 {
        let subjects = json!([{"kind": "User", "name": format!("user-{number}")}]);
        let namespace = format!("ns-{}", number % 100);
        let name = format!("b-{number}");
        index.upsert_role_binding(view(binding(&namespace, &name, "ClusterRole/r", subjects)));
    }
    let snapshot = index.snapshot();
    let user = UserInfo::named("user-4242").with_groups(["system:authenticated"]);
    assert!(
        snapshot
            .authorize(&list_secrets(&user, "ns-42"))
            .is_allowed()
    );
    assert!(
        !snapshot
            .authorize(&list_secrets(&user, "ns-43"))
            .is_allowed()
    );
}

/// A change of one object; what is upserted differs by `variant`.
#[derive(Clone, Debug)]
struct Change {
    kind: usize,
    namespace: &'static str,
    name: &'static str,
    /// None deletes.
    variant: Option<usize>,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = (
        0..4_usize,
        proptest::sample::select(vec!["a", "b"]),
        proptest::sample::select(vec!["x", "y", "z"]),
        proptest::option::of(0..6_usize),
    );
    let change = change.prop_map(|(kind, namespace, name, variant)| Change {
        kind,
        namespace,
        name,
        variant,
    });
    proptest::collection::vec(change, 0..40)
}

fn object(change: &Change, variant: usize) -> Value {
    let Change {
        kind,
        namespace,
        name,
        ..
    } = change;
    let subjects = [
        json!([{"kind": "User", "name": "jane"}]),
        json!([{"kind": "Group", "name": "devs"}, {"kind": "User", "name": "jane"}]),
        json!([{"kind": "ServiceAccount", "name": "sa", "namespace": "a"}]),
        json!([{"kind": "ServiceAccount", "name": "sa"}, {"kind": "Group", "name": "devs"}]),
        json!([]),
        json!(null),
    ];
    let verb = ["list", "get"][variant % 2];
    let rules = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": [verb]}]);
    let role_ref = ["ClusterRole/x", "Role/y", "ClusterRole/z"][variant % 3];
    match kind {
        0 => json!({"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
        1 => {
            json!({"kind": "Role", "metadata": {"name": name, "namespace": namespace}, "rules": rules})
        }
        2 => binding("", name, role_ref, subjects[variant].clone()),
        _ => binding(namespace, name, role_ref, subjects[variant].clone()),
    }
}

fn apply(index: &mut RbacIndex, change: &Change) {
    let Change {
        kind,
        namespace,
        name,
        variant,
    } = change;
    let object = variant.map(|variant| object(change, variant));
    match (kind, object) {
        (0, Some(object)) => index.upsert_cluster_role(view(object)),
        (0, None) => index.delete_cluster_role(name),
        (1, Some(object)) => index.upsert_role(view(object)),
        (1, None) => index.delete_role(namespace, name),
        (2, Some(object)) => index.upsert_cluster_role_binding(view(object)),
        (2, None) => index.delete_cluster_role_binding(name),
        (_, Some(object)) => index.upsert_role_binding(view(object)),
        (_, None) => index.delete_role_binding(namespace, name),
    }
}

/// Live objects by kind, namespace and name.
type Objects = BTreeMap<(usize, &'static str, &'static str), Value>;

/// The rules that `user` holds, found the long way: every binding is looked at.
fn held_by_the_book(objects: &Objects, user: &UserInfo, namespace: &str) -> Vec<PolicyRule> {
    let is_user = |subject: &Subject, binding_namespace: &str| match subject.kind.as_str() {
        "User" => subject.name == user.name,
        "Group" => user.groups.contains(&subject.name),
        _ => {
            let namespace = match subject.namespace.as_str() {
                "" => binding_namespace,
                namespace => namespace,
            };
            user.name == format!("system:serviceaccount:{namespace}:{}", subject.name)
        }
    };
    let bindings = objects.iter().filter(|((kind, within, _), _)| {
        *kind == 2 || (*kind == 3 && !namespace.is_empty() && *within == namespace)
    });
    let mut held = Vec::new();
    for ((_, within, _), binding) in bindings {
        let binding: RoleBinding = view(binding.clone());
        if !binding
            .subjects
            .iter()
            .any(|subject| is_user(subject, within))
        {
            continue;
        }
        let wanted = &binding.role_ref;
        let role = objects.iter().find(|((kind, within, name), _)| {
            *name == wanted.name
                && match wanted.kind.as_str() {
                    "ClusterRole" => *kind == 0,
                    _ => *kind == 1 && *within == namespace,
                }
        });
        if let Some((_, role)) = role {
            held.extend(view::<ClusterRole>(role.clone()).rules);
        }
    }
    held
}

proptest! {
    #[test]
    fn an_index_that_was_changed_holds_what_a_new_one_would(changes in changes()) {
        let mut changed = RbacIndex::new();
        let mut objects = Objects::new();
        for change in &changes {
            apply(&mut changed, change);
            // A snapshot in between makes later changes copy.
            let _ = changed.snapshot();
            let namespace = if change.kind % 2 == 0 { "" } else { change.namespace };
            let key = (change.kind, namespace, change.name);
            match change.variant {
                Some(variant) => objects.insert(key, object(change, variant)),
                None => objects.remove(&key),
            };
        }
        let rebuilt = index(objects.values().cloned()).snapshot();
        let changed = changed.snapshot();

        let users = [
            UserInfo::named("jane"),
            UserInfo::named("joe").with_groups(["devs", "devs", "x"]),
            UserInfo::named("jane").with_groups(["devs"]),
            UserInfo::named("system:serviceaccount:a:sa"),
            UserInfo::named("system:serviceaccount:b:sa").with_groups(["devs"]),
        ];
        for user in &users {
            for namespace in ["", "a", "b", "c"] {
                let held = changed.held_rules(user, namespace);
                prop_assert_eq!(&held.rules, &held_by_the_book(&objects, user, namespace));
                prop_assert_eq!(held, rebuilt.held_rules(user, namespace));

                let attributes = list_secrets(user, namespace);
                let (ours, theirs) = (changed.authorize(&attributes), rebuilt.authorize(&attributes));
                prop_assert_eq!(ours.is_allowed(), theirs.is_allowed());
                prop_assert_eq!(ours.reason().to_string(), theirs.reason().to_string());
            }
        }
    }
}
