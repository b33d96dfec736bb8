//! Typed views of the kinds of `authorization.k8s.io/v1`: questions about access, and their answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ObjectMeta;
use crate::rbac::{SelectorRequirement, or_default};

/// The API group of access reviews.
pub const GROUP: &str = "authorization.k8s.io";

/// May this user do that? `SubjectAccessReview`, and `LocalSubjectAccessReview`, which asks within
/// the namespace of its metadata.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubjectAccessReview {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// The question.
    #[serde(deserialize_with = "or_default")]
    pub spec: SubjectAccessReviewSpec,
    /// The answer.
    #[serde(deserialize_with = "or_default")]
    pub status: SubjectAccessReviewStatus,
}

/// What a [`SubjectAccessReview`] asks. Exactly one of the two kinds of attributes must be there, and
/// a user or a group.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubjectAccessReviewSpec {
    /// A request for a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_attributes: Option<ResourceAttributes>,
    /// A request for any other path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_resource_attributes: Option<NonResourceAttributes>,
    /// Name of the user; empty asks for the groups alone.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub user: String,
    /// Groups of the user.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Further facts about the user, by key.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub extra: BTreeMap<String, Vec<String>>,
    /// UID of the user.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub uid: String,
}

/// May I do that?
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SelfSubjectAccessReview {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// The question.
    #[serde(deserialize_with = "or_default")]
    pub spec: SelfSubjectAccessReviewSpec,
    /// The answer.
    #[serde(deserialize_with = "or_default")]
    pub status: SubjectAccessReviewStatus,
}

/// What a [`SelfSubjectAccessReview`] asks. Exactly one of the two must be there.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SelfSubjectAccessReviewSpec {
    /// A request for a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_attributes: Option<ResourceAttributes>,
    /// A request for any other path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_resource_attributes: Option<NonResourceAttributes>,
}

/// A request for a resource.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceAttributes {
    /// Empty for cluster-scoped resources, and for all namespaces at once.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub namespace: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, … or `*`.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub verb: String,
    /// The API group; `*` asks for all.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub group: String,
    /// The API version; `*` asks for all.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub version: String,
    /// The resource; `*` asks for all.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub resource: String,
    /// The subresource, if any.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub subresource: String,
    /// The object's name; empty asks for all.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub name: String,
    /// Narrows a list, watch or deletecollection to objects with these fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_selector: Option<SelectorAttributes>,
    /// Narrows a list, watch or deletecollection to objects with these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<SelectorAttributes>,
}

/// A selector of a reviewed request: `FieldSelectorAttributes` and `LabelSelectorAttributes`, which
/// have the same members. At most one of the two is set.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SelectorAttributes {
    /// As it stands in a query parameter.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub raw_selector: String,
    /// Parsed; all must hold.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<SelectorRequirement>,
}

/// A request for a path that is no resource.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NonResourceAttributes {
    /// The URL path.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub path: String,
    /// The HTTP method in lower case.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub verb: String,
}

/// The answer to an access review.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubjectAccessReviewStatus {
    /// Whether the request would be allowed.
    #[serde(deserialize_with = "or_default")]
    pub allowed: bool,
    /// Whether it is expressly refused, so that no other authorizer is asked.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub denied: bool,
    /// Why, for people.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub reason: String,
    /// What went wrong while the answer was looked for.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub evaluation_error: String,
}

/// What may I do in this namespace?
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SelfSubjectRulesReview {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// The question.
    #[serde(deserialize_with = "or_default")]
    pub spec: SelfSubjectRulesReviewSpec,
    /// The answer.
    #[serde(deserialize_with = "or_default")]
    pub status: SubjectRulesReviewStatus,
}

/// What a [`SelfSubjectRulesReview`] asks.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SelfSubjectRulesReviewSpec {
    /// The namespace; must not be empty.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub namespace: String,
}

/// The answer to a [`SelfSubjectRulesReview`]. Both lists are always written, even when empty.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubjectRulesReviewStatus {
    /// What is permitted on resources; order means nothing and duplicates occur.
    #[serde(deserialize_with = "or_default")]
    pub resource_rules: Vec<ResourceRule>,
    /// What is permitted on other paths.
    #[serde(deserialize_with = "or_default")]
    pub non_resource_rules: Vec<NonResourceRule>,
    /// Whether an authorizer could not enumerate its rules.
    #[serde(deserialize_with = "or_default")]
    pub incomplete: bool,
    /// What went wrong while the rules were gathered; those found still hold.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub evaluation_error: String,
}

/// Verbs that are permitted on resources.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceRule {
    /// Verbs; `*` is all of them.
    #[serde(deserialize_with = "or_default")]
    pub verbs: Vec<String>,
    /// API groups; `*` is all of them.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// Resources; `*` is all of them.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Names of objects; empty means every object.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
}

/// Verbs that are permitted on paths.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NonResourceRule {
    /// Verbs; `*` is all of them.
    #[serde(deserialize_with = "or_default")]
    pub verbs: Vec<String>,
    /// URL paths; a trailing `*` stands for any rest.
    #[serde(
        rename = "nonResourceURLs",
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub non_resource_urls: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_review_has_the_wire_names() {
        let value = json!({"metadata": {}, "spec": {"user": "jane",
            "resourceAttributes": {"namespace": "golden", "verb": "get", "resource": "pods",
                "labelSelector": {"requirements": [{"key": "a", "operator": "In", "values": ["b"]}]}}},
            "status": {"allowed": false}});
        let review: SubjectAccessReview = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(
            review.spec.resource_attributes.as_ref().unwrap().verb,
            "get"
        );
        assert_eq!(serde_json::to_value(review).unwrap(), value);
    }

    #[test]
    fn an_empty_rules_review_still_writes_its_lists() {
        assert_eq!(
            serde_json::to_string(&SubjectRulesReviewStatus::default()).unwrap(),
            r#"{"resourceRules":[],"nonResourceRules":[],"incomplete":false}"#
        );
    }
}
