//! An authenticated identity.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Names that Kubernetes reserves, as kube-apiserver spells them.
pub mod names {
    /// The user that a request without credentials acts as.
    pub const ANONYMOUS: &str = "system:anonymous";
    /// The user that the server itself acts as.
    pub const API_SERVER: &str = "system:apiserver";
    /// The group of every request with good credentials.
    pub const AUTHENTICATED: &str = "system:authenticated";
    /// The extra key that names the credential; values start with `X509SHA256=` or `JTI=`.
    pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";
    /// The group that no authorizer refuses anything.
    pub const MASTERS: &str = "system:masters";
    /// The group of kubelets.
    pub const NODES: &str = "system:nodes";
    /// The group of every service account.
    pub const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";
    /// The group of every request without credentials.
    pub const UNAUTHENTICATED: &str = "system:unauthenticated";
}

/// Who someone is: the `UserInfo` of `authentication.k8s.io/v1`.
///
/// Its JSON form is the one that `TokenReview` and `SelfSubjectReview` carry: empty members are left
/// out.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct UserInfo {
    /// The name that authorization rules are written for.
    #[serde(rename = "username", default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What tells this user from a later one of the same name; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Groups in the order that the authenticator gave them; duplicates are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Further facts, by key; keys are lower-case by convention.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

impl UserInfo {
    /// A user with a name and nothing else.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The user that a request without credentials acts as.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::named(names::ANONYMOUS).with_groups([names::UNAUTHENTICATED])
    }

    /// The same user with these groups instead of those it had.
    #[must_use]
    pub fn with_groups<G: Into<String>>(mut self, groups: impl IntoIterator<Item = G>) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// Whether the user is in `group`.
    #[must_use]
    pub fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_members_are_left_out_of_json() {
        assert_eq!(serde_json::to_string(&UserInfo::default()).unwrap(), "{}");
        assert_eq!(
            serde_json::to_string(&UserInfo::anonymous()).unwrap(),
            r#"{"username":"system:anonymous","groups":["system:unauthenticated"]}"#
        );
    }

    #[test]
    fn group_membership_is_exact() {
        let user = UserInfo::named("jane").with_groups(["devs"]);
        assert!(user.in_group("devs"));
        assert!(!user.in_group("dev"));
    }
}
