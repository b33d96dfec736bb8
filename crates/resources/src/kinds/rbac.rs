//! Role, ClusterRole, RoleBinding and ClusterRoleBinding (`pkg/registry/rbac`). What they may say is
//! for `burgee-authz` to know; that nobody grants what they do not hold is checked by the server.

use burgee_authz::{defaults, validation};
use burgee_wire::Object;
use burgee_wire::field::{FieldError, Path};
use burgee_wire::rbac::{RoleRef, Subject};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Rules;
use crate::json::{objects_mut, set_default};
use crate::table::{self, AGE, Column, NAME};

/// The rules of Roles.
pub(crate) struct RoleRules;

/// The rules of ClusterRoles.
pub(crate) struct ClusterRoleRules;

/// The rules of RoleBindings.
pub(crate) struct RoleBindingRules;

/// The rules of ClusterRoleBindings.
pub(crate) struct ClusterRoleBindingRules;

/// What all four have in common.
macro_rules! common {
    () => {
        fn name_problems(&self, name: &str) -> Vec<String> {
            validation::name(name)
        }

        fn generate_name_problems(&self, prefix: &str) -> Vec<String> {
            // With something appended it is neither `.` nor `..`.
            validation::name(&format!("{prefix}x"))
        }

        fn allow_create_on_update(&self) -> bool {
            true
        }
    };
}

/// What both kinds of binding have in common.
macro_rules! binding {
    () => {
        fn columns(&self) -> &'static [Column] {
            BINDING_COLUMNS
        }

        fn cells(&self, object: &Object, now: Timestamp) -> Vec<Value> {
            binding_cells(object, now)
        }
    };
}

impl Rules for RoleRules {
    common!();

    fn validate_create(&self, object: &Object) -> Vec<FieldError> {
        view(object).map_or_else(unreadable, |role| validation::role(&role))
    }
}

impl Rules for ClusterRoleRules {
    common!();

    fn validate_create(&self, object: &Object) -> Vec<FieldError> {
        view(object).map_or_else(unreadable, |role| validation::cluster_role(&role))
    }
}

impl Rules for RoleBindingRules {
    common!();
    binding!();

    fn default(&self, object: &mut Object) {
        if let Some(mut binding) = view(object) {
            defaults::role_binding(&mut binding);
            set_groups(object, &binding.role_ref, &binding.subjects);
        }
    }

    fn validate_create(&self, object: &Object) -> Vec<FieldError> {
        view(object).map_or_else(unreadable, |binding| validation::role_binding(&binding))
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let both = view(new).zip(view(old));
        both.map_or_else(unreadable, |(new, old)| {
            validation::role_binding_update(&new, &old)
        })
    }
}

impl Rules for ClusterRoleBindingRules {
    common!();
    binding!();

    fn default(&self, object: &mut Object) {
        if let Some(mut binding) = view(object) {
            defaults::cluster_role_binding(&mut binding);
            set_groups(object, &binding.role_ref, &binding.subjects);
        }
    }

    fn validate_create(&self, object: &Object) -> Vec<FieldError> {
        view(object).map_or_else(unreadable, |binding| {
            validation::cluster_role_binding(&binding)
        })
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let both = view(new).zip(view(old));
        both.map_or_else(unreadable, |(new, old)| {
            validation::cluster_role_binding_update(&new, &old)
        })
    }
}

const BINDING_COLUMNS: &[Column] = &[
    NAME,
    Column::new("Role", "What it gives."),
    AGE,
    Column::wide("Users", "Users whom it gives it to."),
    Column::wide("Groups", "Groups whom it gives it to."),
    Column::wide("ServiceAccounts", "Service accounts whom it gives it to."),
];

fn binding_cells(object: &Object, now: Timestamp) -> Vec<Value> {
    let subjects: Vec<Subject> = object
        .at(&["subjects"])
        .cloned()
        .and_then(from_value)
        .unwrap_or_default();
    let of = |kind: &str| -> Value {
        let names = subjects
            .iter()
            .filter(|each| each.kind == kind)
            .map(|each| match kind {
                "ServiceAccount" => format!("{}/{}", each.namespace, each.name),
                _ => each.name.clone(),
            });
        names.collect::<Vec<_>>().join(", ").into()
    };
    let role = (
        object.text(&["roleRef", "kind"]),
        object.text(&["roleRef", "name"]),
    );
    vec![
        table::name(object),
        format!("{}/{}", role.0, role.1).into(),
        table::age(object, now).into(),
        of("User"),
        of("Group"),
        of("ServiceAccount"),
    ]
}

/// The typed form; always there for an object that went through decoding.
fn view<T: DeserializeOwned>(object: &Object) -> Option<T> {
    from_value(object.to_value())
}

fn from_value<T: DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

fn unreadable() -> Vec<FieldError> {
    vec![FieldError::internal(
        &Path::root(),
        "the object does not have the form of its kind",
    )]
}

/// Writes defaulted API groups back into an object.
fn set_groups(object: &mut Object, role_ref: &RoleRef, subjects: &[Subject]) {
    if let Some(Value::Object(members)) = object.content.get_mut("roleRef") {
        set_default(members, "apiGroup", role_ref.api_group.as_str());
    }
    for (members, subject) in objects_mut(&mut object.content, "subjects").zip(subjects) {
        if !subject.api_group.is_empty() {
            set_default(members, "apiGroup", subject.api_group.as_str());
        }
    }
}
