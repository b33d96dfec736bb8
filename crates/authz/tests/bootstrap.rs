//! The default objects are upstream's, except where this list says otherwise.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

mod testkit;

use std::collections::BTreeMap;

use burgee_authz::{aggregated_rules, bootstrap, covers, validation};
use serde::Serialize;
use serde_json::{Value, json};
use testkit::fixture;

/// What differs from kube-apiserver 1.25, object by object: the rules that are new, and the rules that
/// they replace. All of it is what 1.34 has.
fn changes_since_1_25() -> BTreeMap<&'static str, (Vec<Value>, Vec<Value>)> {
    let on = |verbs: &[&str], group, resources: &[&str]| json!({"verbs": verbs, "apiGroups": [group], "resources": resources});
    let urls = |urls: &[&str]| json!({"verbs": ["get"], "nonResourceURLs": urls});
    let write = ["create", "delete", "deletecollection", "patch", "update"];
    let read = ["get", "list", "watch"];
    let claims = "resource.k8s.io";
    BTreeMap::from([
        (
            // Dynamic resource allocation.
            "system:aggregate-to-edit",
            (
                vec![on(
                    &write,
                    claims,
                    &["resourceclaims", "resourceclaimtemplates"],
                )],
                vec![],
            ),
        ),
        (
            "system:aggregate-to-view",
            (
                vec![on(
                    &read,
                    claims,
                    &[
                        "resourceclaims",
                        "resourceclaims/status",
                        "resourceclaimtemplates",
                    ],
                )],
                vec![],
            ),
        ),
        (
            // `kubectl auth whoami`.
            "system:basic-user",
            (
                vec![on(
                    &["create"],
                    "authentication.k8s.io",
                    &["selfsubjectreviews"],
                )],
                vec![],
            ),
        ),
        (
            // Lists that are streamed.
            "system:controller:namespace-controller",
            (
                vec![on(
                    &["delete", "deletecollection", "get", "list", "watch"],
                    "*",
                    &["*"],
                )],
                vec![on(
                    &["delete", "deletecollection", "get", "list"],
                    "*",
                    &["*"],
                )],
            ),
        ),
        (
            // Service-level indicators.
            "system:monitoring",
            (
                vec![urls(&[
                    "/healthz",
                    "/healthz/*",
                    "/livez",
                    "/livez/*",
                    "/metrics",
                    "/metrics/slis",
                    "/readyz",
                    "/readyz/*",
                ])],
                vec![urls(&[
                    "/healthz",
                    "/healthz/*",
                    "/livez",
                    "/livez/*",
                    "/metrics",
                    "/readyz",
                    "/readyz/*",
                ])],
            ),
        ),
        (
            // Dynamic resource allocation, and tokens for credential providers of registries.
            "system:node",
            (
                vec![
                    on(&["get"], claims, &["resourceclaims"]),
                    on(&["deletecollection"], claims, &["resourceslices"]),
                    on(&["get"], "", &["serviceaccounts"]),
                ],
                vec![],
            ),
        ),
        (
            // Clients that append a slash.
            "system:service-account-issuer-discovery",
            (
                vec![urls(&[
                    "/.well-known/openid-configuration",
                    "/.well-known/openid-configuration/",
                    "/openid/v1/jwks",
                    "/openid/v1/jwks/",
                ])],
                vec![urls(&[
                    "/.well-known/openid-configuration",
                    "/openid/v1/jwks",
                ])],
            ),
        ),
    ])
}

/// Default objects that concern nothing that is served here.
const LEFT_OUT: &[&str] = &[
    "system::leader-locking-kube-controller-manager",
    "system::leader-locking-kube-scheduler",
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
    "system:certificates.k8s.io:kube-apiserver-client-approver",
    "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
    "system:certificates.k8s.io:kubelet-serving-approver",
    "system:certificates.k8s.io:legacy-unknown-approver",
    "system:controller:attachdetach-controller",
    "system:controller:certificate-controller",
    "system:controller:cloud-provider",
    "system:controller:cronjob-controller",
    "system:controller:daemon-set-controller",
    "system:controller:deployment-controller",
    "system:controller:disruption-controller",
    "system:controller:endpoint-controller",
    "system:controller:endpointslice-controller",
    "system:controller:endpointslicemirroring-controller",
    "system:controller:ephemeral-volume-controller",
    "system:controller:expand-controller",
    "system:controller:horizontal-pod-autoscaler",
    "system:controller:job-controller",
    "system:controller:node-controller",
    "system:controller:persistent-volume-binder",
    "system:controller:pod-garbage-collector",
    "system:controller:pv-protection-controller",
    "system:controller:pvc-protection-controller",
    "system:controller:replicaset-controller",
    "system:controller:replication-controller",
    "system:controller:resourcequota-controller",
    "system:controller:route-controller",
    "system:controller:service-controller",
    "system:controller:statefulset-controller",
    "system:controller:ttl-after-finished-controller",
    "system:controller:ttl-controller",
    "system:heapster",
    "system:kube-aggregator",
    "system:kube-controller-manager",
    "system:kube-dns",
    "system:kube-scheduler",
    "system:kubelet-api-admin",
    "system:node-problem-detector",
    "system:node-proxier",
    "system:persistent-volume-provisioner",
    "system:volume-scheduler",
];

/// Holds our objects of one kind against the recorded ones, which `adjust` brings up to date.
fn compare<T: Serialize>(kind: &str, ours: &[T], adjust: impl Fn(&str, &mut Value)) {
    let recorded = fixture("rbac-defaults-1.25.json");
    let expected: Vec<Value> = recorded[kind]
        .as_array()
        .unwrap()
        .iter()
        .filter(|object| !LEFT_OUT.contains(&object["metadata"]["name"].as_str().unwrap()))
        .cloned()
        .map(|mut object| {
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            let members = object.as_object_mut().unwrap();
            members.retain(|_, value| !value.is_null());
            adjust(&name, &mut object);
            object
        })
        .collect();
    let ours: Vec<Value> = ours
        .iter()
        .map(|object| serde_json::to_value(object).unwrap())
        .collect();
    assert_eq!(ours.len(), expected.len(), "{kind}");
    for (ours, expected) in ours.iter().zip(&expected) {
        assert_eq!(ours, expected, "{kind}");
    }
}

#[test]
fn roles_and_bindings_are_upstreams_with_the_reviewed_changes() {
    let policy = bootstrap::policy();
    let changes = changes_since_1_25();
    compare("clusterRoles", &policy.cluster_roles, |name, object| {
        let Some((added, removed)) = changes.get(name) else {
            return;
        };
        let rules = object["rules"].as_array_mut().unwrap();
        for gone in removed {
            assert!(rules.contains(gone), "{name} does not have {gone}");
        }
        rules.retain(|rule| !removed.contains(rule));
        rules.extend(added.iter().cloned());
    });
    compare(
        "clusterRoleBindings",
        &policy.cluster_role_bindings,
        |_, _| {},
    );
    compare("roles", &policy.roles, |_, _| {});
    compare("roleBindings", &policy.role_bindings, |_, _| {});
}

#[test]
fn every_default_object_is_valid() {
    let policy = bootstrap::policy();
    for role in &policy.cluster_roles {
        assert_eq!(validation::cluster_role(role), [], "{}", role.metadata.name);
    }
    for role in &policy.roles {
        assert_eq!(validation::role(role), [], "{}", role.metadata.name);
    }
    for binding in &policy.cluster_role_bindings {
        assert_eq!(
            validation::cluster_role_binding(binding),
            [],
            "{}",
            binding.metadata.name
        );
    }
    for binding in &policy.role_bindings {
        assert_eq!(
            validation::role_binding(binding),
            [],
            "{}",
            binding.metadata.name
        );
    }
}

#[test]
fn admin_gathers_edit_which_gathers_view() {
    let mut roles = bootstrap::policy().cluster_roles;
    let at = |name: &str| {
        roles
            .iter()
            .position(|role| role.metadata.name == name)
            .unwrap()
    };
    let order = ["view", "edit", "admin"].map(at);
    // The controller comes to this over a few rounds; from the inside out one round does.
    for role in order {
        let rules = aggregated_rules(&roles[role], &roles).unwrap().unwrap();
        assert!(!rules.is_empty());
        roles[role].rules = rules;
    }
    let [view, edit, admin] = order.map(|role| roles[role].rules.as_slice());
    assert!(covers(admin, edit).is_empty() && covers(edit, view).is_empty());
    assert!(!covers(edit, admin).is_empty() && !covers(view, edit).is_empty());
}
