//! Typed views of the kinds of `rbac.authorization.k8s.io/v1`.
//!
//! Lists and maps that are absent, null or empty are one and the same here, as everywhere in
//! Kubernetes' semantics; empty ones are left out of JSON and [`encode`](crate::encode) restores the
//! members that Go always writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::ObjectMeta;

/// The API group of Roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// What a rule permits: verbs on resources, or verbs on URL paths (`rbac.v1.PolicyRule`).
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyRule {
    /// Verbs; `*` is all of them.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub verbs: Vec<String>,
    /// API groups; `""` is the core group, `*` all of them.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// Resources, `resource/subresource` or `*/subresource`; `*` is all of both.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Names of objects; empty means every object.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// URL paths; a trailing `*` stands for any rest.
    #[serde(
        rename = "nonResourceURLs",
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub non_resource_urls: Vec<String>,
}

/// Whom a binding gives something to (`rbac.v1.Subject`).
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subject {
    /// `User`, `Group` or `ServiceAccount`.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub kind: String,
    /// [`GROUP`] for users and groups, empty for service accounts.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub api_group: String,
    /// The name within the kind.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub name: String,
    /// Of a service account: its namespace.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub namespace: String,
}

/// Which role a binding gives (`rbac.v1.RoleRef`).
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleRef {
    /// [`GROUP`].
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub api_group: String,
    /// `Role` or `ClusterRole`.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub kind: String,
    /// The role's name.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub name: String,
}

/// Which ClusterRoles an aggregating ClusterRole takes its rules from (`rbac.v1.AggregationRule`).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AggregationRule {
    /// A ClusterRole is taken when one of these selects its labels.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub cluster_role_selectors: Vec<LabelSelector>,
}

/// A label selector as objects hold it (`metav1.LabelSelector`); all of its parts must hold.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Labels that must be there with exactly these values.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<SelectorRequirement>,
}

/// One requirement of a selector (`metav1.LabelSelectorRequirement` and
/// `metav1.FieldSelectorRequirement`, which have the same members).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SelectorRequirement {
    /// The label key or field path.
    #[serde(deserialize_with = "or_default")]
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    #[serde(deserialize_with = "or_default")]
    pub operator: String,
    /// For `In` and `NotIn`: the values.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// Rules within one namespace (`rbac.v1.Role`).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Role {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// What it permits.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<PolicyRule>,
}

/// Rules for the whole cluster, or for any namespace that binds them (`rbac.v1.ClusterRole`).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterRole {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// What it permits. A controller writes these where there is an aggregation rule.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<PolicyRule>,
    /// Where the rules are gathered from, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation_rule: Option<AggregationRule>,
}

/// Gives a role to subjects within one namespace (`rbac.v1.RoleBinding`).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleBinding {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// Whom to.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Subject>,
    /// Which Role of the same namespace, or which ClusterRole; it cannot change.
    #[serde(deserialize_with = "or_default")]
    pub role_ref: RoleRef,
}

/// Gives a ClusterRole to subjects in the whole cluster (`rbac.v1.ClusterRoleBinding`).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterRoleBinding {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// Whom to.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Subject>,
    /// Which ClusterRole; it cannot change.
    #[serde(deserialize_with = "or_default")]
    pub role_ref: RoleRef,
}

/// Reads null as the default, as Go does.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_has_the_wire_names_and_leaves_empty_lists_out() {
        let rule = PolicyRule {
            verbs: vec!["get".into()],
            non_resource_urls: vec!["/api".into()],
            ..PolicyRule::default()
        };
        let value = json!({"verbs": ["get"], "nonResourceURLs": ["/api"]});
        assert_eq!(serde_json::to_value(&rule).unwrap(), value);
        assert_eq!(serde_json::from_value::<PolicyRule>(value).unwrap(), rule);
    }

    #[test]
    fn null_and_absent_read_alike() {
        let value = json!({"metadata": {"name": "admin"}, "rules": null, "aggregationRule": {
            "clusterRoleSelectors": [{"matchLabels": null, "matchExpressions": null}]}});
        let role: ClusterRole = serde_json::from_value(value).unwrap();
        assert_eq!(role.rules, []);
        let rule = role.aggregation_rule.unwrap();
        assert_eq!(rule.cluster_role_selectors, [LabelSelector::default()]);

        let value = json!({"subjects": null, "roleRef": null});
        let binding: RoleBinding = serde_json::from_value(value).unwrap();
        assert_eq!(binding, RoleBinding::default());
    }
}
