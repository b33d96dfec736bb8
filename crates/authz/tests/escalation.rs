//! Nobody grants what they do not hold.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

mod testkit;

use std::sync::Arc;

use burgee_authz::{Authorizer, EscalationCheck, PrivilegedGroup, RbacSnapshot, Union, Write};
use burgee_identity::UserInfo;
use burgee_wire::Status;
use burgee_wire::rbac::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde_json::{Value, json};
use testkit::{index, view};

/// Jane holds `rules` in namespace `ns`, and Root is a master.
fn world(rules: Value) -> RbacSnapshot {
    let jane = || json!([{"kind": "User", "name": "jane"}]);
    let reference = |kind| json!({"kind": kind, "name": "held"});
    index([
        json!({"kind": "Role", "metadata": {"namespace": "ns", "name": "held"}, "rules": rules}),
        json!({"kind": "RoleBinding", "metadata": {"namespace": "ns", "name": "held"},
            "roleRef": reference("Role"), "subjects": jane()}),
    ])
    .snapshot()
}

/// The same in the whole cluster.
fn wide_world(rules: Value) -> RbacSnapshot {
    index([
        json!({"kind": "ClusterRole", "metadata": {"name": "held"}, "rules": rules}),
        json!({"kind": "ClusterRoleBinding", "metadata": {"name": "held"},
            "roleRef": {"kind": "ClusterRole", "name": "held"},
            "subjects": [{"kind": "User", "name": "jane"}]}),
    ])
    .snapshot()
}

fn jane() -> UserInfo {
    UserInfo::named("jane").with_groups(["devs", "a\"b"])
}

fn root() -> UserInfo {
    UserInfo::named("root").with_groups(["system:masters"])
}

/// Runs a check as `user`, who is also authorized by `rbac`.
fn judge(
    rbac: &RbacSnapshot,
    user: &UserInfo,
    check: impl Fn(&EscalationCheck<'_>) -> Result<(), Box<Status>>,
) -> Result<(), Box<Status>> {
    let authorizers: [Arc<dyn Authorizer>; 2] =
        [Arc::new(PrivilegedGroup::masters()), Arc::new(rbac.clone())];
    let authorizer = Union::new(authorizers.into());
    check(&EscalationCheck {
        authorizer: &authorizer,
        rbac,
        user,
    })
}

fn create<'a, T>(new: &'a T, namespace: &'a str) -> Write<'a, T> {
    Write {
        request_name: "",
        namespace,
        new,
        old: None,
    }
}

fn replace<'a, T>(new: &'a T, old: &'a T, namespace: &'a str) -> Write<'a, T> {
    Write {
        request_name: "new",
        namespace,
        new,
        old: Some(old),
    }
}

fn role(rules: Value) -> Role {
    view(json!({"metadata": {"namespace": "ns", "name": "new"}, "rules": rules}))
}

fn cluster_role(rules: Value) -> ClusterRole {
    view(json!({"metadata": {"name": "new"}, "rules": rules}))
}

fn role_binding(kind: &str, name: &str) -> RoleBinding {
    view(
        json!({"metadata": {"namespace": "ns", "name": "new"}, "subjects": [],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}}),
    )
}

fn secrets(verbs: &[&str]) -> Value {
    json!({"apiGroups": [""], "resources": ["secrets"], "verbs": verbs})
}

#[test]
fn a_role_may_hold_what_its_writer_holds_and_no_more() {
    let rbac = world(json!([secrets(&["get", "list"])]));
    let held = role(json!([secrets(&["list"])]));
    assert!(judge(&rbac, &jane(), |check| check.role(&create(&held, "ns"))).is_ok());

    let more = role(json!([secrets(&["list", "delete", "create"])]));
    let refused = judge(&rbac, &jane(), |check| check.role(&create(&more, "ns"))).unwrap_err();
    assert_eq!(refused.code, 403);
    assert_eq!(
        refused.message,
        "roles.rbac.authorization.k8s.io \"new\" is forbidden: user \"jane\" (groups=[\"devs\" \"a\\\"b\"]) \
         is attempting to grant RBAC permissions not currently held:\n\
         {APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"delete\" \"create\"]}"
    );
    assert!(judge(&rbac, &root(), |check| check.role(&create(&more, "ns"))).is_ok());
}

#[test]
fn what_is_held_in_one_namespace_counts_in_that_one_only() {
    let rbac = world(json!([secrets(&["list"])]));
    let new = role(json!([secrets(&["list"])]));
    assert!(judge(&rbac, &jane(), |check| check.role(&create(&new, "other"))).is_err());
    let new = cluster_role(json!([secrets(&["list"])]));
    assert!(
        judge(&rbac, &jane(), |check| check
            .cluster_role(&create(&new, "")))
        .is_err()
    );
    let rbac = wide_world(json!([secrets(&["list"])]));
    assert!(
        judge(&rbac, &jane(), |check| check
            .cluster_role(&create(&new, "")))
        .is_ok()
    );
}

#[test]
fn escalate_permits_any_rule_of_that_role() {
    let may_escalate = |resource: &str, names: &[&str]| {
        json!([{"apiGroups": ["rbac.authorization.k8s.io"], "resources": [resource],
            "verbs": ["escalate"], "resourceNames": names}])
    };
    let new = role(json!([secrets(&["*"])]));
    let old = role(json!([]));
    // What Jane may escalate, and whether she may create the role, or replace it.
    let table = [
        (may_escalate("roles", &[]), true, true),
        // The name of what is created is not known when the request is judged.
        (may_escalate("roles", &["new"]), false, true),
        (may_escalate("roles", &["old"]), false, false),
        (may_escalate("clusterroles", &[]), false, false),
    ];
    for (rules, creates, replaces) in table {
        let rbac = world(rules.clone());
        let created = judge(&rbac, &jane(), |check| check.role(&create(&new, "ns")));
        let replaced = judge(&rbac, &jane(), |check| {
            check.role(&replace(&new, &old, "ns"))
        });
        assert_eq!(
            (created.is_ok(), replaced.is_ok()),
            (creates, replaces),
            "{rules}"
        );
    }
}

#[test]
fn a_write_that_grants_nothing_new_passes() {
    let rbac = world(json!([]));
    let old = role(json!([secrets(&["list"])]));
    let mut new = old.clone();
    new.metadata.finalizers.push("example.com/f".into());
    new.metadata.resource_version = "7".into();
    assert!(
        judge(&rbac, &jane(), |check| check
            .role(&replace(&new, &old, "ns")))
        .is_ok()
    );
    // A label can make another role gather these rules.
    new.metadata.labels.insert("a".into(), "b".into());
    assert!(
        judge(&rbac, &jane(), |check| check
            .role(&replace(&new, &old, "ns")))
        .is_err()
    );
}

#[test]
fn gathering_rules_takes_every_permission() {
    let mut gathering = cluster_role(json!([]));
    gathering.aggregation_rule = view(json!({"clusterRoleSelectors": [{}]}));
    let plain = cluster_role(json!([]));

    let resources = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
    let some = wide_world(json!([resources]));
    let refused = judge(&some, &jane(), |check| {
        // Jane may not use `*` to escalate here: what she holds is judged.
        let check = EscalationCheck {
            authorizer: &Union::default(),
            ..*check
        };
        check.cluster_role(&create(&gathering, ""))
    });
    assert_eq!(
        refused.unwrap_err().message,
        "clusterroles.rbac.authorization.k8s.io \"new\" is forbidden: must have cluster-admin privileges to use the aggregationRule"
    );
    // Neither may she stop a role from gathering, which would freeze its rules.
    let refused = judge(&some, &jane(), |check| {
        let check = EscalationCheck {
            authorizer: &Union::default(),
            ..*check
        };
        check.cluster_role(&replace(&plain, &gathering, ""))
    });
    assert!(refused.is_err());

    let all = wide_world(json!([resources, {"nonResourceURLs": ["*"], "verbs": ["*"]}]));
    let passed = judge(&all, &jane(), |check| {
        let check = EscalationCheck {
            authorizer: &Union::default(),
            ..*check
        };
        check.cluster_role(&create(&gathering, ""))
    });
    assert!(passed.is_ok());
}

#[test]
fn a_binding_may_give_a_role_whose_rules_the_writer_holds() {
    let rbac = world(json!([secrets(&["list"])]));
    let held = role_binding("Role", "held");
    assert!(
        judge(&rbac, &jane(), |check| check
            .role_binding(&create(&held, "ns")))
        .is_ok()
    );

    let gone = role_binding("ClusterRole", "gone");
    let refused = judge(&rbac, &jane(), |check| {
        check.role_binding(&create(&gone, "ns"))
    });
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, 404);
    assert_eq!(
        refused.message,
        "clusterroles.rbac.authorization.k8s.io \"gone\" not found"
    );

    let joe = UserInfo::named("joe");
    let refused = judge(&rbac, &joe, |check| {
        check.role_binding(&create(&held, "ns"))
    });
    assert_eq!(
        refused.unwrap_err().message,
        "rolebindings.rbac.authorization.k8s.io \"new\" is forbidden: user \"joe\" (groups=[]) \
         is attempting to grant RBAC permissions not currently held:\n\
         {APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"list\"]}"
    );
    assert!(
        judge(&rbac, &root(), |check| check
            .role_binding(&create(&gone, "ns")))
        .is_ok()
    );
}

#[test]
fn bind_permits_giving_that_role_in_that_namespace() {
    let may_bind = json!([{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"],
        "verbs": ["bind"], "resourceNames": ["big"]}]);
    let rbac = world(may_bind);
    let passes = |binding: &RoleBinding, namespace| {
        judge(&rbac, &jane(), |check| {
            check.role_binding(&create(binding, namespace))
        })
        .is_ok()
    };
    let big = role_binding("ClusterRole", "big");
    assert!(passes(&big, "ns"));
    assert!(!passes(&big, "other"));
    assert!(!passes(&role_binding("ClusterRole", "bigger"), "ns"));
    assert!(!passes(&role_binding("Role", "big"), "ns"));
    // Giving it in the whole cluster is another matter.
    let wide: ClusterRoleBinding = view(json!({"metadata": {"name": "new"}, "roleRef":
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "big"}}));
    let judged = judge(&rbac, &jane(), |check| {
        check.cluster_role_binding(&create(&wide, ""))
    });
    assert!(judged.is_err());
}

#[test]
fn a_cluster_role_binding_counts_what_is_held_in_the_whole_cluster() {
    let rbac = wide_world(json!([secrets(&["list"])]));
    let binding: ClusterRoleBinding = view(json!({"metadata": {"name": "new"},
        "subjects": [{"kind": "User", "name": "joe"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "held"}}));
    let judged = |user| {
        judge(&rbac, &user, |check| {
            check.cluster_role_binding(&create(&binding, ""))
        })
    };
    assert!(judged(jane()).is_ok());
    assert!(judged(UserInfo::named("joe")).is_err());
    // A new subject is a new grant; an owner is not.
    let mut old = binding.clone();
    old.subjects.clear();
    let replaced = |old: &ClusterRoleBinding| {
        let joe = UserInfo::named("joe");
        judge(&rbac, &joe, |check| {
            check.cluster_role_binding(&replace(&binding, old, ""))
        })
    };
    assert!(replaced(&old).is_err());
    old = binding.clone();
    old.metadata.owner_references.push(Default::default());
    assert!(replaced(&old).is_ok());
}

#[test]
fn roles_that_are_missing_are_named_in_the_refusal() {
    let rbac = index([
        json!({"kind": "ClusterRoleBinding", "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "gone"},
        "subjects": [{"kind": "User", "name": "jane"}]}),
    ])
    .snapshot();
    let new = role(json!([secrets(&["get"])]));
    let refused = judge(&rbac, &jane(), |check| check.role(&create(&new, "ns"))).unwrap_err();
    let end = "Verbs:[\"get\"]}; resolution errors: [clusterroles.rbac.authorization.k8s.io \"gone\" not found]";
    assert!(refused.message.ends_with(end), "{}", refused.message);
}
