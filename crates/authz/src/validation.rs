//! Which RBAC objects may be stored (`pkg/apis/rbac/validation`).
//!
//! Metadata is validated like that of every other kind, elsewhere; [`name`] is what this API group
//! demands of names. Objects must have their [`defaults`](crate::defaults).

use burgee_wire::field::{FieldError, Path};
use burgee_wire::names;
use burgee_wire::rbac::{
    ClusterRole, ClusterRoleBinding, GROUP, LabelSelector, PolicyRule, Role, RoleBinding, RoleRef,
    Subject,
};
use serde_json::{Value, json};

use crate::requirement::{self, Operators, invalid};

/// What is wrong with the name of a Role, ClusterRole or binding: it only has to fit into a URL
/// path, so that `system:node` is one.
#[must_use]
pub fn name(name: &str) -> Vec<String> {
    names::path_segment(name)
}

/// What is wrong with a Role.
#[must_use]
pub fn role(role: &Role) -> Vec<FieldError> {
    rules(&role.rules, Scope::Namespace)
}

/// What is wrong with a ClusterRole.
#[must_use]
pub fn cluster_role(role: &ClusterRole) -> Vec<FieldError> {
    let mut errors = rules(&role.rules, Scope::Cluster);
    if let Some(aggregation) = &role.aggregation_rule {
        let path = Path::new("aggregationRule").child("clusterRoleSelectors");
        if aggregation.cluster_role_selectors.is_empty() {
            let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            errors.push(FieldError::required(&path, detail));
        }
        for (index, selector) in aggregation.cluster_role_selectors.iter().enumerate() {
            label_selector(selector, &path.index(index), &mut errors);
        }
    }
    errors
}

/// What is wrong with a RoleBinding.
#[must_use]
pub fn role_binding(binding: &RoleBinding) -> Vec<FieldError> {
    let mut errors = Vec::new();
    role_ref(&binding.role_ref, &["Role", "ClusterRole"], &mut errors);
    subjects(&binding.subjects, Scope::Namespace, &mut errors);
    errors
}

/// What is wrong with a RoleBinding that takes the place of another.
#[must_use]
pub fn role_binding_update(new: &RoleBinding, old: &RoleBinding) -> Vec<FieldError> {
    let mut errors = role_binding(new);
    errors.extend(role_ref_change(&new.role_ref, &old.role_ref));
    errors
}

/// What is wrong with a ClusterRoleBinding.
#[must_use]
pub fn cluster_role_binding(binding: &ClusterRoleBinding) -> Vec<FieldError> {
    let mut errors = Vec::new();
    role_ref(&binding.role_ref, &["ClusterRole"], &mut errors);
    subjects(&binding.subjects, Scope::Cluster, &mut errors);
    errors
}

/// What is wrong with a ClusterRoleBinding that takes the place of another.
#[must_use]
pub fn cluster_role_binding_update(
    new: &ClusterRoleBinding,
    old: &ClusterRoleBinding,
) -> Vec<FieldError> {
    let mut errors = cluster_role_binding(new);
    errors.extend(role_ref_change(&new.role_ref, &old.role_ref));
    errors
}

#[derive(Clone, Copy, PartialEq)]
enum Scope {
    Cluster,
    Namespace,
}

fn rules(rules: &[PolicyRule], scope: Scope) -> Vec<FieldError> {
    let path = Path::new("rules");
    let mut errors = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        policy_rule(rule, scope, &path.index(index), &mut errors);
    }
    errors
}

fn policy_rule(rule: &PolicyRule, scope: Scope, path: &Path, errors: &mut Vec<FieldError>) {
    let mut required = |member: &str, detail: &str| {
        errors.push(FieldError::required(&path.child(member), detail));
    };
    if rule.verbs.is_empty() {
        required("verbs", "verbs must contain at least one value");
    }
    if rule.non_resource_urls.is_empty() {
        if rule.api_groups.is_empty() {
            required(
                "apiGroups",
                "resource rules must supply at least one api group",
            );
        }
        if rule.resources.is_empty() {
            required(
                "resources",
                "resource rules must supply at least one resource",
            );
        }
        return;
    }
    let mut invalid = |detail: &str| {
        let urls = json!(rule.non_resource_urls);
        errors.push(FieldError::invalid(
            &path.child("nonResourceURLs"),
            urls,
            detail,
        ));
    };
    if scope == Scope::Namespace {
        invalid("namespaced rules cannot apply to non-resource URLs");
    }
    if !(rule.api_groups.is_empty() && rule.resources.is_empty() && rule.resource_names.is_empty())
    {
        invalid("rules cannot apply to both regular resources and non-resource URLs");
    }
}

fn label_selector(selector: &LabelSelector, path: &Path, errors: &mut Vec<FieldError>) {
    let before = errors.len();
    let labels = path.child("matchLabels");
    for (key, value) in &selector.match_labels {
        invalid(&labels, key, names::qualified_name(key), errors);
        invalid(&labels, value, names::label_value(value), errors);
    }
    for (index, requirement) in selector.match_expressions.iter().enumerate() {
        let path = path.child("matchExpressions").index(index);
        requirement::label(requirement, Operators::Known, &path, errors);
    }
    if errors.len() > before {
        errors.push(FieldError::invalid(
            path,
            Value::Null,
            "invalid label selector.",
        ));
    }
}

fn role_ref(role_ref: &RoleRef, kinds: &[&str], errors: &mut Vec<FieldError>) {
    let path = Path::new("roleRef");
    let RoleRef {
        api_group,
        kind,
        name,
    } = role_ref;
    if api_group != GROUP {
        let path = path.child("apiGroup");
        errors.push(FieldError::not_supported(
            &path,
            api_group.as_str(),
            &[GROUP],
        ));
    }
    if !kinds.contains(&kind.as_str()) {
        errors.push(FieldError::not_supported(
            &path.child("kind"),
            kind.as_str(),
            kinds,
        ));
    }
    let path = path.child("name");
    if name.is_empty() {
        errors.push(FieldError::required(&path, ""));
    } else {
        invalid(&path, name, self::name(name), errors);
    }
}

fn subjects(subjects: &[Subject], scope: Scope, errors: &mut Vec<FieldError>) {
    let path = Path::new("subjects");
    for (index, each) in subjects.iter().enumerate() {
        subject(each, scope, &path.index(index), errors);
    }
}

fn subject(subject: &Subject, scope: Scope, path: &Path, errors: &mut Vec<FieldError>) {
    let Subject {
        kind,
        api_group,
        name,
        namespace,
    } = subject;
    if name.is_empty() {
        errors.push(FieldError::required(&path.child("name"), ""));
    }
    let needed_group = match kind.as_str() {
        "ServiceAccount" => "",
        "User" | "Group" => GROUP,
        _ => {
            let kinds = ["ServiceAccount", "User", "Group"];
            errors.push(FieldError::not_supported(
                &path.child("kind"),
                kind.as_str(),
                &kinds,
            ));
            return;
        }
    };
    let is_service_account = needed_group.is_empty();
    if is_service_account && !name.is_empty() {
        invalid(
            &path.child("name"),
            name,
            names::dns1123_subdomain(name),
            errors,
        );
    }
    if api_group != needed_group {
        let path = path.child("apiGroup");
        errors.push(FieldError::not_supported(
            &path,
            api_group.as_str(),
            &[needed_group],
        ));
    }
    if is_service_account && scope == Scope::Cluster && namespace.is_empty() {
        errors.push(FieldError::required(&path.child("namespace"), ""));
    }
}

fn role_ref_change(new: &RoleRef, old: &RoleRef) -> Option<FieldError> {
    // Upstream prints its own type, whose members have Go's names.
    let RoleRef {
        api_group,
        kind,
        name,
    } = new;
    let value = json!({"APIGroup": api_group, "Kind": kind, "Name": name});
    (new != old).then(|| FieldError::invalid(&Path::new("roleRef"), value, "cannot change roleRef"))
}
