//! An object: typed metadata over dynamic content.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Time;

/// One Kubernetes object without its `kind` and `apiVersion`.
///
/// Metadata is typed because the server works on it for every kind alike; the rest stays JSON and is
/// governed by the schema.
#[derive(Clone, Default, PartialEq)]
pub struct Object {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// Every other member.
    pub content: Map<String, Value>,
}

impl Object {
    /// Splits a JSON object. `kind` and `apiVersion` are dropped.
    ///
    /// # Errors
    ///
    /// When `value` is no object or its metadata does not have the types of [`ObjectMeta`]. A value
    /// that went through [`decode`](crate::decode) always has.
    pub fn from_value(value: Value) -> Result<Self, serde_json::Error> {
        let mut content: Map<String, Value> = serde_json::from_value(value)?;
        content.remove("kind");
        content.remove("apiVersion");
        let metadata = match content.remove("metadata") {
            None | Some(Value::Null) => ObjectMeta::default(),
            Some(metadata) => serde_json::from_value(metadata)?,
        };
        Ok(Self { metadata, content })
    }

    /// The JSON object, without `kind` and `apiVersion`.
    #[must_use]
    pub fn into_value(self) -> Value {
        let mut content = self.content;
        content.insert("metadata".into(), self.metadata.to_value());
        Value::Object(content)
    }

    /// The JSON object, without `kind` and `apiVersion`, of a copy.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.clone().into_value()
    }

    /// The string at `path`, or empty where there is none.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> &str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// The value at `path` below the content.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.content.get(*first)?, |value, name| value.get(name))
    }
}

impl fmt::Debug for Object {
    /// Shows which object it is and the names of its members, never their values: it can be a Secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("namespace", &self.metadata.namespace)
            .field("name", &self.metadata.name)
            .field("content", &self.content.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Standard metadata (`metav1.ObjectMeta`).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// Unique within its resource and namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Prefix from which the server makes a name when there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub generate_name: String,
    /// Empty for cluster-scoped objects.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// What tells this object from a later one of the same name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// The store's revision of the last write, as text; opaque to clients.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
    /// Counts changes of the desired state, for kinds that have one.
    #[serde(skip_serializing_if = "is_zero")]
    pub generation: i64,
    /// When the server created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Time>,
    /// When it was, or is going to be, deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<Time>,
    /// Seconds that a graceful deletion was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_grace_period_seconds: Option<i64>,
    /// Labels, for selection.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations, for everything else.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Objects that this one goes away with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owner_references: Vec<OwnerReference>,
    /// What must happen before it may go away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub finalizers: Vec<String>,
    /// Who set which fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub managed_fields: Vec<ManagedFieldsEntry>,
}

impl ObjectMeta {
    /// Its JSON form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // Strings, numbers and maps with string keys cannot fail to serialise.
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// An owner of an object (`metav1.OwnerReference`).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// Group and version of the owner.
    pub api_version: String,
    /// Kind of the owner.
    pub kind: String,
    /// Name of the owner.
    pub name: String,
    /// UID of the owner.
    pub uid: String,
    /// Whether this owner is the managing controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller: Option<bool>,
    /// Whether the owner's foreground deletion waits for this object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_owner_deletion: Option<bool>,
}

/// Which fields one manager set, and how (`metav1.ManagedFieldsEntry`).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedFieldsEntry {
    /// Who.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub manager: String,
    /// `Apply` or `Update`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// The version that the field set is written in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// When the set last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// `FieldsV1`, the only format.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fields_type: String,
    /// The field set.
    #[serde(rename = "fieldsV1", skip_serializing_if = "Value::is_null")]
    pub fields_v1: Value,
    /// The subresource that was written, if any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn debug_output_names_the_object_and_keeps_its_values() {
        let value = json!({"metadata": {"name": "s", "namespace": "n", "annotations": {"note": "hidden"}},
            "data": {"password": "aHVudGVyMg=="}, "type": "Opaque"});
        let shown = format!("{:?}", Object::from_value(value).unwrap());
        assert_eq!(
            shown,
            r#"Object { namespace: "n", name: "s", content: ["data", "type"], .. }"#
        );
    }

    #[test]
    fn an_object_splits_and_joins() {
        let value = json!({"kind": "ConfigMap", "apiVersion": "v1",
            "metadata": {"name": "c", "labels": {"a": "b"}, "creationTimestamp": null}, "data": {"k": "v"}});
        let object = Object::from_value(value).unwrap();
        assert_eq!(object.metadata.name, "c");
        assert_eq!(object.text(&["data", "k"]), "v");
        assert_eq!(object.text(&["data", "x", "y"]), "");
        let joined = json!({"metadata": {"name": "c", "labels": {"a": "b"}}, "data": {"k": "v"}});
        assert_eq!(object.into_value(), joined);
    }
}
