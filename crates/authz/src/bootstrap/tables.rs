//! The default objects as data. Lists are sorted as upstream sorts them.

/// A Role, or, without a namespace, a ClusterRole.
pub(super) struct RoleRow {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
    /// Whether it gathers its rules from the ClusterRoles that are part of it.
    pub(super) gathers: bool,
    /// Which ClusterRole gathers its rules.
    pub(super) part_of: Option<&'static str>,
    pub(super) rules: &'static [RuleRow],
}

/// A rule.
pub(super) struct RuleRow {
    pub(super) verbs: &'static [&'static str],
    pub(super) groups: &'static [&'static str],
    pub(super) resources: &'static [&'static str],
    pub(super) names: &'static [&'static str],
    pub(super) urls: &'static [&'static str],
}

/// A RoleBinding, or, without a namespace, a ClusterRoleBinding.
pub(super) struct BindingRow {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
    /// Of the same kind of scope.
    pub(super) role: &'static str,
    pub(super) subjects: &'static [Who],
}

/// A subject of a binding.
pub(super) enum Who {
    Group(&'static str),
    /// In `kube-system`.
    ServiceAccount(&'static str),
    User(&'static str),
}

use Who::{Group, ServiceAccount, User};

const ALL: &[&str] = &["*"];
const CORE: &[&str] = &[""];
const RBAC: &[&str] = &["rbac.authorization.k8s.io"];
const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];
#[rustfmt::skip] // as short as the others
const READ_WRITE: &[&str] = &[
    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
];

const AUTHENTICATION_READER: &str = "extension-apiserver-authentication-reader";
/// The binding of that role, which has another name.
const SYSTEM_READER: &str = "system::extension-apiserver-authentication-reader";
const BOOTSTRAP_SIGNER: &str = "system:controller:bootstrap-signer";
const TOKEN_CLEANER: &str = "system:controller:token-cleaner";

/// Writing events.
const EVENTS: RuleRow = on(
    &["create", "patch", "update"],
    &["", "events.k8s.io"],
    &["events"],
);

#[rustfmt::skip] // one rule a line
pub(super) const CLUSTER_ROLES: &[RoleRow] = &[
    gathering("admin", None),
    cluster_role("cluster-admin", &[on(ALL, ALL, ALL), urls(ALL, &["*"])]),
    gathering("edit", Some("admin")),
    part_of("admin", "system:aggregate-to-admin", &[
        on(&["create"], &["authorization.k8s.io"], &["localsubjectaccessreviews"]),
        on(READ_WRITE, RBAC, &["rolebindings", "roles"]),
    ]),
    part_of("edit", "system:aggregate-to-edit", &[
        on(READ, CORE, &[
            "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets",
            "services/proxy",
        ]),
        on(&["impersonate"], CORE, &["serviceaccounts"]),
        on(WRITE, CORE, &["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"]),
        on(&["create"], CORE, &["pods/eviction"]),
        on(WRITE, CORE, &[
            "configmaps", "events", "persistentvolumeclaims", "replicationcontrollers",
            "replicationcontrollers/scale", "secrets", "serviceaccounts", "services",
            "services/proxy",
        ]),
        on(&["create"], CORE, &["serviceaccounts/token"]),
        on(WRITE, &["apps"], &[
            "daemonsets", "deployments", "deployments/rollback", "deployments/scale", "replicasets",
            "replicasets/scale", "statefulsets", "statefulsets/scale",
        ]),
        on(WRITE, &["autoscaling"], &["horizontalpodautoscalers"]),
        on(WRITE, &["batch"], &["cronjobs", "jobs"]),
        on(WRITE, &["extensions"], &[
            "daemonsets", "deployments", "deployments/rollback", "deployments/scale", "ingresses",
            "networkpolicies", "replicasets", "replicasets/scale", "replicationcontrollers/scale",
        ]),
        on(WRITE, &["policy"], &["poddisruptionbudgets"]),
        on(WRITE, &["networking.k8s.io"], &["ingresses", "networkpolicies"]),
        on(READ_WRITE, &["coordination.k8s.io"], &["leases"]),
        on(WRITE, &["resource.k8s.io"], &["resourceclaims", "resourceclaimtemplates"]),
    ]),
    part_of("view", "system:aggregate-to-view", &[
        on(READ, CORE, &[
            "configmaps", "endpoints", "persistentvolumeclaims", "persistentvolumeclaims/status",
            "pods", "replicationcontrollers", "replicationcontrollers/scale", "serviceaccounts",
            "services", "services/status",
        ]),
        on(READ, CORE, &[
            "bindings", "events", "limitranges", "namespaces/status", "pods/log", "pods/status",
            "replicationcontrollers/status", "resourcequotas", "resourcequotas/status",
        ]),
        on(READ, CORE, &["namespaces"]),
        on(READ, &["discovery.k8s.io"], &["endpointslices"]),
        on(READ, &["apps"], &[
            "controllerrevisions", "daemonsets", "daemonsets/status", "deployments",
            "deployments/scale", "deployments/status", "replicasets", "replicasets/scale",
            "replicasets/status", "statefulsets", "statefulsets/scale", "statefulsets/status",
        ]),
        on(READ, &["autoscaling"], &[
            "horizontalpodautoscalers", "horizontalpodautoscalers/status",
        ]),
        on(READ, &["batch"], &["cronjobs", "cronjobs/status", "jobs", "jobs/status"]),
        on(READ, &["extensions"], &[
            "daemonsets", "daemonsets/status", "deployments", "deployments/scale",
            "deployments/status", "ingresses", "ingresses/status", "networkpolicies", "replicasets",
            "replicasets/scale", "replicasets/status", "replicationcontrollers/scale",
        ]),
        on(READ, &["policy"], &["poddisruptionbudgets", "poddisruptionbudgets/status"]),
        on(READ, &["networking.k8s.io"], &["ingresses", "ingresses/status", "networkpolicies"]),
        on(READ, &["resource.k8s.io"], &[
            "resourceclaims", "resourceclaims/status", "resourceclaimtemplates",
        ]),
    ]),
    cluster_role("system:auth-delegator", &[
        on(&["create"], &["authentication.k8s.io"], &["tokenreviews"]),
        on(&["create"], &["authorization.k8s.io"], &["subjectaccessreviews"]),
    ]),
    cluster_role("system:basic-user", &[
        on(&["create"], &["authorization.k8s.io"], &[
            "selfsubjectaccessreviews", "selfsubjectrulesreviews",
        ]),
        on(&["create"], &["authentication.k8s.io"], &["selfsubjectreviews"]),
    ]),
    cluster_role("system:controller:clusterrole-aggregation-controller", &[
        on(&["escalate", "get", "list", "patch", "update", "watch"], RBAC, &["clusterroles"]),
    ]),
    cluster_role("system:controller:generic-garbage-collector", &[
        on(&["delete", "get", "list", "patch", "update", "watch"], ALL, ALL),
        EVENTS,
    ]),
    cluster_role("system:controller:namespace-controller", &[
        on(&["delete", "get", "list", "watch"], CORE, &["namespaces"]),
        on(&["update"], CORE, &["namespaces/finalize", "namespaces/status"]),
        on(&["delete", "deletecollection", "get", "list", "watch"], ALL, ALL),
    ]),
    cluster_role("system:controller:root-ca-cert-publisher", &[
        on(&["create", "update"], CORE, &["configmaps"]),
        EVENTS,
    ]),
    cluster_role("system:controller:service-account-controller", &[
        on(&["create"], CORE, &["serviceaccounts"]),
        EVENTS,
    ]),
    cluster_role("system:discovery", &[
        urls(&["get"], &[
            "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*",
            "/readyz", "/version", "/version/",
        ]),
    ]),
    cluster_role("system:monitoring", &[
        urls(&["get"], &[
            "/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/metrics/slis", "/readyz",
            "/readyz/*",
        ]),
    ]),
    cluster_role("system:node", &[
        on(&["create"], &["authentication.k8s.io"], &["tokenreviews"]),
        on(&["create"], &["authorization.k8s.io"], &[
            "localsubjectaccessreviews", "subjectaccessreviews",
        ]),
        on(READ, CORE, &["services"]),
        on(&["create", "get", "list", "watch"], CORE, &["nodes"]),
        on(&["patch", "update"], CORE, &["nodes/status"]),
        on(&["patch", "update"], CORE, &["nodes"]),
        on(&["create", "patch", "update"], CORE, &["events"]),
        on(READ, CORE, &["pods"]),
        on(&["create", "delete"], CORE, &["pods"]),
        on(&["patch", "update"], CORE, &["pods/status"]),
        on(&["create"], CORE, &["pods/eviction"]),
        on(READ, CORE, &["configmaps", "secrets"]),
        on(&["get"], CORE, &["persistentvolumeclaims", "persistentvolumes"]),
        on(&["get"], CORE, &["endpoints"]),
        on(&["create", "get", "list", "watch"], &["certificates.k8s.io"], &[
            "certificatesigningrequests",
        ]),
        on(&["create", "delete", "get", "patch", "update"], &["coordination.k8s.io"], &["leases"]),
        on(&["get"], &["storage.k8s.io"], &["volumeattachments"]),
        on(&["create"], CORE, &["serviceaccounts/token"]),
        on(&["get", "patch", "update"], CORE, &["persistentvolumeclaims/status"]),
        on(READ, &["storage.k8s.io"], &["csidrivers"]),
        on(&["create", "delete", "get", "patch", "update"], &["storage.k8s.io"], &["csinodes"]),
        on(READ, &["node.k8s.io"], &["runtimeclasses"]),
        on(&["get"], &["resource.k8s.io"], &["resourceclaims"]),
        on(&["deletecollection"], &["resource.k8s.io"], &["resourceslices"]),
        on(&["get"], CORE, &["serviceaccounts"]),
    ]),
    cluster_role("system:node-bootstrapper", &[
        on(&["create", "get", "list", "watch"], &["certificates.k8s.io"], &[
            "certificatesigningrequests",
        ]),
    ]),
    cluster_role("system:public-info-viewer", &[
        urls(&["get"], &["/healthz", "/livez", "/readyz", "/version", "/version/"]),
    ]),
    cluster_role("system:service-account-issuer-discovery", &[
        urls(&["get"], &[
            "/.well-known/openid-configuration", "/.well-known/openid-configuration/",
            "/openid/v1/jwks", "/openid/v1/jwks/",
        ]),
    ]),
    gathering("view", Some("edit")),
];

#[rustfmt::skip] // one rule a line
pub(super) const CLUSTER_ROLE_BINDINGS: &[BindingRow] = &[
    cluster_binding("cluster-admin", &[Group("system:masters")]),
    cluster_binding("system:basic-user", &[Group("system:authenticated")]),
    cluster_binding("system:controller:clusterrole-aggregation-controller", &[
        ServiceAccount("clusterrole-aggregation-controller"),
    ]),
    cluster_binding("system:controller:generic-garbage-collector", &[
        ServiceAccount("generic-garbage-collector"),
    ]),
    cluster_binding("system:controller:namespace-controller", &[
        ServiceAccount("namespace-controller"),
    ]),
    cluster_binding("system:controller:root-ca-cert-publisher", &[
        ServiceAccount("root-ca-cert-publisher"),
    ]),
    cluster_binding("system:controller:service-account-controller", &[
        ServiceAccount("service-account-controller"),
    ]),
    cluster_binding("system:discovery", &[Group("system:authenticated")]),
    cluster_binding("system:monitoring", &[Group("system:monitoring")]),
    cluster_binding("system:node", &[]),
    cluster_binding("system:public-info-viewer", &[
        Group("system:authenticated"),
        Group("system:unauthenticated"),
    ]),
    cluster_binding("system:service-account-issuer-discovery", &[Group("system:serviceaccounts")]),
];

#[rustfmt::skip] // one rule a line
pub(super) const ROLES: &[RoleRow] = &[
    role("kube-public", BOOTSTRAP_SIGNER, &[
        on(READ, CORE, &["configmaps"]),
        named(&["update"], CORE, &["configmaps"], &["cluster-info"]),
        EVENTS,
    ]),
    role("kube-system", AUTHENTICATION_READER, &[
        named(READ, CORE, &["configmaps"], &["extension-apiserver-authentication"]),
    ]),
    role("kube-system", BOOTSTRAP_SIGNER, &[on(READ, CORE, &["secrets"])]),
    role("kube-system", TOKEN_CLEANER, &[
        on(&["delete", "get", "list", "watch"], CORE, &["secrets"]),
        EVENTS,
    ]),
];

#[rustfmt::skip] // one rule a line
pub(super) const ROLE_BINDINGS: &[BindingRow] = &[
    binding("kube-public", BOOTSTRAP_SIGNER, BOOTSTRAP_SIGNER, &[
        ServiceAccount("bootstrap-signer"),
    ]),
    binding("kube-system", SYSTEM_READER, AUTHENTICATION_READER, &[
        User("system:kube-controller-manager"),
        User("system:kube-scheduler"),
    ]),
    binding("kube-system", BOOTSTRAP_SIGNER, BOOTSTRAP_SIGNER, &[
        ServiceAccount("bootstrap-signer"),
    ]),
    binding("kube-system", TOKEN_CLEANER, TOKEN_CLEANER, &[
        ServiceAccount("token-cleaner"),
    ]),
];

type Texts = &'static [&'static str];

const fn on(verbs: Texts, groups: Texts, resources: Texts) -> RuleRow {
    named(verbs, groups, resources, &[])
}

const fn named(verbs: Texts, groups: Texts, resources: Texts, names: Texts) -> RuleRow {
    RuleRow {
        verbs,
        groups,
        resources,
        names,
        urls: &[],
    }
}

const fn urls(verbs: Texts, urls: Texts) -> RuleRow {
    RuleRow {
        verbs,
        groups: &[],
        resources: &[],
        names: &[],
        urls,
    }
}

const fn cluster_role(name: &'static str, rules: &'static [RuleRow]) -> RoleRow {
    role("", name, rules)
}

const fn role(namespace: &'static str, name: &'static str, rules: &'static [RuleRow]) -> RoleRow {
    RoleRow {
        namespace,
        name,
        gathers: false,
        part_of: None,
        rules,
    }
}

const fn part_of(whole: &'static str, name: &'static str, rules: &'static [RuleRow]) -> RoleRow {
    RoleRow {
        namespace: "",
        name,
        gathers: false,
        part_of: Some(whole),
        rules,
    }
}

const fn gathering(name: &'static str, part_of: Option<&'static str>) -> RoleRow {
    RoleRow {
        namespace: "",
        name,
        gathers: true,
        part_of,
        rules: &[],
    }
}

const fn cluster_binding(name: &'static str, subjects: &'static [Who]) -> BindingRow {
    binding("", name, name, subjects)
}

const fn binding(
    namespace: &'static str,
    name: &'static str,
    role: &'static str,
    subjects: &'static [Who],
) -> BindingRow {
    BindingRow {
        namespace,
        name,
        role,
        subjects,
    }
}
