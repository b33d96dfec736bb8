//! Why the rules of a binding cannot be had.

use std::collections::BTreeSet;

use burgee_wire::rbac::GROUP;
use burgee_wire::{Status, quoted};

/// Why the rules of a binding cannot be had. Display is what kube-apiserver says of it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A binding names a ClusterRole that does not exist.
    #[error("clusterrole.rbac.authorization.k8s.io {} not found", quoted(name))]
    ClusterRoleNotFound {
        /// The name that the binding gives.
        name: String,
    },
    /// A binding names a Role that does not exist in its namespace.
    #[error("role.rbac.authorization.k8s.io {} not found", quoted(name))]
    RoleNotFound {
        /// The name that the binding gives.
        name: String,
    },
    /// A binding names something that is neither a Role nor a ClusterRole; validation keeps such
    /// bindings out.
    #[error("unsupported role reference kind: {}", quoted(kind))]
    UnsupportedRoleKind {
        /// The kind that the binding gives.
        kind: String,
    },
}

impl Error {
    /// What kube-apiserver says where it looked into the store instead of its cache; that names the
    /// resource in the plural.
    pub(crate) fn of_store(&self) -> String {
        match self {
            Self::ClusterRoleNotFound { name } => {
                Status::not_found(GROUP, "clusterroles", name).message
            }
            Self::RoleNotFound { name } => Status::not_found(GROUP, "roles", name).message,
            Self::UnsupportedRoleKind { .. } => self.to_string(),
        }
    }
}

/// Errors as one text, each once: alone as it is, several as `[a, b]`; none is empty
/// (`utilerrors.NewAggregate`).
pub(crate) fn aggregate(errors: &[Error], text: impl Fn(&Error) -> String) -> String {
    let mut seen = BTreeSet::new();
    let texts: Vec<String> = errors
        .iter()
        .filter(|error| seen.insert(*error))
        .map(text)
        .collect();
    match texts.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aggregate_names_each_error_once() {
        let a = Error::RoleNotFound { name: "a".into() };
        let b = Error::ClusterRoleNotFound { name: "b".into() };
        let aggregate = |errors: &[Error]| aggregate(errors, ToString::to_string);
        let text_a = r#"role.rbac.authorization.k8s.io "a" not found"#;
        let text_b = r#"clusterrole.rbac.authorization.k8s.io "b" not found"#;
        assert_eq!(aggregate(&[]), "");
        assert_eq!(aggregate(&[a.clone(), a.clone()]), text_a);
        assert_eq!(
            aggregate(&[b.clone(), a, b]),
            format!("[{text_b}, {text_a}]")
        );
    }

    #[test]
    fn the_store_names_the_resource_in_the_plural() {
        let error = Error::RoleNotFound { name: "a".into() };
        assert_eq!(
            error.of_store(),
            r#"roles.rbac.authorization.k8s.io "a" not found"#
        );
    }
}
