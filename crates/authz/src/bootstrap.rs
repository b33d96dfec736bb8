//! The Roles, ClusterRoles and bindings that every server starts with
//! (`plugin/pkg/auth/authorizer/rbac/bootstrappolicy`, releases 1.34 and later).
//!
//! They are upstream's, as far as they concern what Burgee serves: those for the scheduler, for volumes,
//! for certificate signing, and for controllers that Burgee does not have are left out. The rules of
//! `edit` and `view` are upstream's in full, so that a kube-apiserver that takes the data over finds
//! nothing to add. `admin`, `edit` and `view` have no rules of their own: the server computes them
//! with [`aggregated_rules`](crate::aggregated_rules).

mod tables;

use burgee_wire::ObjectMeta;
use burgee_wire::rbac::{
    AggregationRule, ClusterRole, ClusterRoleBinding, GROUP, LabelSelector, PolicyRule, Role,
    RoleBinding, RoleRef, Subject,
};

use crate::reconcile::AUTO_UPDATE_ANNOTATION;
use tables::{BindingRow, RoleRow, RuleRow, Who};

/// The label of every default object; its value is `rbac-defaults`.
pub const BOOTSTRAPPING_LABEL: &str = "kubernetes.io/bootstrapping";

/// All default objects, each kind in the order of its names.
///
/// ```
/// let policy = burgee_authz::bootstrap::policy();
/// let admin = &policy.cluster_roles[0];
/// assert_eq!(admin.metadata.name, "admin");
/// assert_eq!(admin.metadata.labels["kubernetes.io/bootstrapping"], "rbac-defaults");
/// ```
#[must_use]
pub fn policy() -> Policy {
    Policy {
        cluster_roles: tables::CLUSTER_ROLES.iter().map(cluster_role).collect(),
        cluster_role_bindings: tables::CLUSTER_ROLE_BINDINGS
            .iter()
            .map(cluster_role_binding)
            .collect(),
        roles: tables::ROLES.iter().map(role).collect(),
        role_bindings: tables::ROLE_BINDINGS.iter().map(role_binding).collect(),
    }
}

/// Default RBAC objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// ClusterRoles.
    pub cluster_roles: Vec<ClusterRole>,
    /// ClusterRoleBindings, each of the ClusterRole of its name.
    pub cluster_role_bindings: Vec<ClusterRoleBinding>,
    /// Roles in `kube-public` and `kube-system`.
    pub roles: Vec<Role>,
    /// RoleBindings of these Roles.
    pub role_bindings: Vec<RoleBinding>,
}

fn cluster_role(row: &RoleRow) -> ClusterRole {
    let mut metadata = metadata(row.namespace, row.name);
    if let Some(role) = row.part_of {
        metadata
            .labels
            .insert(aggregation_label(role), "true".to_owned());
    }
    ClusterRole {
        metadata,
        rules: row.rules.iter().map(rule).collect(),
        aggregation_rule: row.gathers.then(|| AggregationRule {
            cluster_role_selectors: vec![LabelSelector {
                match_labels: [(aggregation_label(row.name), "true".to_owned())].into(),
                match_expressions: Vec::new(),
            }],
        }),
    }
}

fn role(row: &RoleRow) -> Role {
    Role {
        metadata: metadata(row.namespace, row.name),
        rules: row.rules.iter().map(rule).collect(),
    }
}

fn cluster_role_binding(row: &BindingRow) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: metadata(row.namespace, row.name),
        subjects: row.subjects.iter().map(subject).collect(),
        role_ref: role_ref("ClusterRole", row.role),
    }
}

fn role_binding(row: &BindingRow) -> RoleBinding {
    RoleBinding {
        metadata: metadata(row.namespace, row.name),
        subjects: row.subjects.iter().map(subject).collect(),
        role_ref: role_ref("Role", row.role),
    }
}

fn metadata(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        labels: [(BOOTSTRAPPING_LABEL.to_owned(), "rbac-defaults".to_owned())].into(),
        annotations: [(AUTO_UPDATE_ANNOTATION.to_owned(), "true".to_owned())].into(),
        ..ObjectMeta::default()
    }
}

fn aggregation_label(role: &str) -> String {
    format!("{GROUP}/aggregate-to-{role}")
}

fn rule(row: &RuleRow) -> PolicyRule {
    let strings = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    PolicyRule {
        verbs: strings(row.verbs),
        api_groups: strings(row.groups),
        resources: strings(row.resources),
        resource_names: strings(row.names),
        non_resource_urls: strings(row.urls),
    }
}

fn subject(who: &Who) -> Subject {
    let (kind, api_group, namespace, name) = match who {
        Who::Group(name) => ("Group", GROUP, "", name),
        Who::ServiceAccount(name) => ("ServiceAccount", "", "kube-system", name),
        Who::User(name) => ("User", GROUP, "", name),
    };
    Subject {
        kind: kind.to_owned(),
        api_group: api_group.to_owned(),
        name: (*name).to_owned(),
        namespace: namespace.to_owned(),
    }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: GROUP.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}
