//! Bringing stored RBAC objects up to the defaults of this release
//! (`component-helpers/auth/rbac/reconciliation`).
//!
//! What an administrator added stays; what is missing is added. An object whose annotation
//! `rbac.authorization.kubernetes.io/autoupdate` is `false` is left alone.

use std::collections::BTreeMap;

use burgee_wire::ObjectMeta;
use burgee_wire::rbac::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, Subject};

use crate::covers;

/// The annotation that keeps an object as it is when its value is `false`.
pub const AUTO_UPDATE_ANNOTATION: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// What to do with one object. The object within is the one to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Action<T> {
    /// It does not exist: create it.
    Create(T),
    /// Leave it: it has all that it should, or it opted out.
    Nothing,
    /// Its role is another one, and cannot change: delete it, by its UID, and create this.
    Recreate(T),
    /// Update it, at the resource version that was read.
    Update(T),
}

/// What to do with a Role, given what is stored and what should be.
#[must_use]
pub fn role(existing: Option<&Role>, expected: Role) -> Action<Role> {
    let Some(existing) = existing else {
        return Action::Create(expected);
    };
    let mut merged = existing.clone();
    merge_metadata(&mut merged.metadata, expected.metadata);
    merged
        .rules
        .extend(covers(&existing.rules, &expected.rules));
    update(existing, &existing.metadata, merged)
}

/// What to do with a ClusterRole, given what is stored and what should be.
#[must_use]
pub fn cluster_role(existing: Option<&ClusterRole>, expected: ClusterRole) -> Action<ClusterRole> {
    let Some(existing) = existing else {
        return Action::Create(expected);
    };
    let mut merged = existing.clone();
    merge_metadata(&mut merged.metadata, expected.metadata);
    merged
        .rules
        .extend(covers(&existing.rules, &expected.rules));
    match expected.aggregation_rule {
        // It should not gather rules at all.
        None => merged.aggregation_rule = None,
        Some(expected) => {
            let own = merged.aggregation_rule.take().unwrap_or_default();
            let mut selectors = own.cluster_role_selectors;
            for selector in expected.cluster_role_selectors {
                if !selectors.contains(&selector) {
                    selectors.push(selector);
                }
            }
            merged.aggregation_rule = Some(burgee_wire::rbac::AggregationRule {
                cluster_role_selectors: selectors,
            });
        }
    }
    update(existing, &existing.metadata, merged)
}

/// What to do with a RoleBinding, given what is stored and what should be.
#[must_use]
pub fn role_binding(existing: Option<&RoleBinding>, expected: RoleBinding) -> Action<RoleBinding> {
    let Some(existing) = existing else {
        return Action::Create(expected);
    };
    if existing.role_ref != expected.role_ref {
        return recreate(&existing.metadata, expected);
    }
    let mut merged = existing.clone();
    merge_metadata(&mut merged.metadata, expected.metadata);
    merge_subjects(&mut merged.subjects, expected.subjects);
    update(existing, &existing.metadata, merged)
}

/// What to do with a ClusterRoleBinding, given what is stored and what should be.
#[must_use]
pub fn cluster_role_binding(
    existing: Option<&ClusterRoleBinding>,
    expected: ClusterRoleBinding,
) -> Action<ClusterRoleBinding> {
    let Some(existing) = existing else {
        return Action::Create(expected);
    };
    if existing.role_ref != expected.role_ref {
        return recreate(&existing.metadata, expected);
    }
    let mut merged = existing.clone();
    merge_metadata(&mut merged.metadata, expected.metadata);
    merge_subjects(&mut merged.subjects, expected.subjects);
    update(existing, &existing.metadata, merged)
}

fn update<T: PartialEq>(existing: &T, metadata: &ObjectMeta, merged: T) -> Action<T> {
    if is_protected(metadata) || merged == *existing {
        Action::Nothing
    } else {
        Action::Update(merged)
    }
}

fn recreate<T>(metadata: &ObjectMeta, expected: T) -> Action<T> {
    if is_protected(metadata) {
        Action::Nothing
    } else {
        Action::Recreate(expected)
    }
}

fn is_protected(metadata: &ObjectMeta) -> bool {
    metadata
        .annotations
        .get(AUTO_UPDATE_ANNOTATION)
        .is_some_and(|value| value == "false")
}

fn merge_metadata(own: &mut ObjectMeta, expected: ObjectMeta) {
    merge(&mut own.labels, expected.labels);
    merge(&mut own.annotations, expected.annotations);
}

/// Adds what is missing; values that are there stay.
fn merge(own: &mut BTreeMap<String, String>, expected: BTreeMap<String, String>) {
    for (key, value) in expected {
        own.entry(key).or_insert(value);
    }
}

fn merge_subjects(own: &mut Vec<Subject>, expected: Vec<Subject>) {
    for subject in expected {
        if !own.contains(&subject) {
            own.push(subject);
        }
    }
}
