//! One stored object, ready to be served.

use std::sync::Arc;

use burgee_resources::Resource;
use burgee_store::{KeyValue, Revision};
use burgee_wire::selector::Labels;
use burgee_wire::{Object, decode, encode};
use bytes::{Bytes, BytesMut};
use serde::Deserialize;

/// An object as it goes over the wire, with what selectors look at.
pub(crate) struct Entry {
    key: Arc<str>,
    revision: Revision,
    /// JSON with `kind`, `apiVersion`, the resource version and a final line feed.
    json: Bytes,
    labels: Labels,
    /// Values of the kind's selectable fields, in their order.
    fields: Box<[String]>,
}

impl Entry {
    /// Prepares what the store keeps.
    ///
    /// # Errors
    ///
    /// When the value is not an object of this resource.
    pub(crate) fn new(resource: &Resource, kv: &KeyValue) -> Result<Self, decode::Error> {
        let json = match with_revision(&kv.value, kv.mod_revision) {
            Some(json) => json,
            None => reencoded(resource, kv)?,
        };
        let names = resource.rules.selectable_fields();
        let (labels, fields) = if names.is_empty() {
            (peek_labels(&json)?, Box::default())
        } else {
            let object = parse(&json)?;
            let values = names
                .iter()
                .map(|name| resource.rules.field_value(&object, name).to_owned());
            (object.metadata.labels.clone(), values.collect())
        };
        Ok(Self {
            key: Arc::clone(&kv.key),
            revision: kv.mod_revision,
            json,
            labels,
            fields,
        })
    }

    /// The same object as of its deletion, which has a revision of its own.
    pub(crate) fn deleted_at(&self, revision: Revision) -> Self {
        Self {
            key: Arc::clone(&self.key),
            revision,
            json: replace_revision(&self.json, revision),
            labels: self.labels.clone(),
            fields: self.fields.clone(),
        }
    }

    /// The store's key.
    pub(crate) fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// The revision of the last write.
    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    /// The last part of the key.
    pub(crate) fn name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }

    /// The namespace, empty for cluster-scoped resources.
    pub(crate) fn namespace(&self, resource: &Resource) -> &str {
        if !resource.namespaced {
            return "";
        }
        self.key.rsplit('/').nth(1).unwrap_or_default()
    }

    /// The object's labels.
    pub(crate) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The value of a selectable field.
    pub(crate) fn field(&self, resource: &Resource, field: &str) -> &str {
        match field {
            "metadata.name" => self.name(),
            "metadata.namespace" => self.namespace(resource),
            _ => {
                let names = resource.rules.selectable_fields();
                let at = names.iter().position(|name| *name == field);
                at.and_then(|at| self.fields.get(at))
                    .map_or("", String::as_str)
            }
        }
    }

    /// The whole JSON with a final line feed.
    pub(crate) fn json(&self) -> &Bytes {
        &self.json
    }

    /// The JSON without the final line feed, as events embed it.
    pub(crate) fn embedded(&self) -> &[u8] {
        self.json.strip_suffix(b"\n").unwrap_or(&self.json)
    }

    /// The JSON as a list item, without `kind` and `apiVersion`, and without the opening brace.
    /// `head` is the length of what every object of the kind begins with.
    pub(crate) fn item_tail(&self, head: usize) -> &[u8] {
        self.embedded().get(head..).unwrap_or_default()
    }

    /// The object.
    ///
    /// # Errors
    ///
    /// When the stored JSON is damaged.
    pub(crate) fn object(&self) -> Result<Object, decode::Error> {
        parse(&self.json)
    }
}

impl std::fmt::Debug for Entry {
    /// Never shows the object, which can be a Secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({} at {})", self.key, self.revision)
    }
}

fn parse(json: &[u8]) -> Result<Object, decode::Error> {
    let wrong = |error: serde_json::Error| decode::Error::Json(error.to_string());
    let value = serde_json::from_slice(json).map_err(wrong)?;
    Object::from_value(value).map_err(wrong)
}

fn peek_labels(json: &[u8]) -> Result<Labels, decode::Error> {
    #[derive(Deserialize)]
    struct Peek {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default)]
        labels: Labels,
    }
    let peek: Peek =
        serde_json::from_slice(json).map_err(|error| decode::Error::Json(error.to_string()))?;
    Ok(peek.metadata.labels)
}

/// Puts the resource version where upstream has it: behind the uid.
///
/// What is stored is canonical, so the uid's member is the first place with that name: the members
/// before it hold names, in which a quotation mark would be escaped. `None` when there is no uid.
/// What was never stored, in a dry run, has no version.
fn with_revision(stored: &[u8], revision: Revision) -> Option<Bytes> {
    const UID: &[u8] = b"\"uid\":\"";
    let start = find(stored, UID)? + UID.len();
    let end = start + stored.get(start..)?.iter().position(|byte| *byte == b'"')? + 1;
    let (before, after) = stored.split_at_checked(end)?;
    // Not stored by Burgee: a server that keeps the version inside, or another order of members.
    if !stored.starts_with(b"{\"kind\":") || after.starts_with(b",\"resourceVersion\"") {
        return None;
    }
    let mut json = BytesMut::with_capacity(stored.len() + 40);
    json.extend_from_slice(before);
    if revision > Revision(0) {
        json.extend_from_slice(format!(",\"resourceVersion\":\"{revision}\"").as_bytes());
    }
    json.extend_from_slice(after);
    json.extend_from_slice(b"\n");
    Some(json.freeze())
}

fn replace_revision(json: &[u8], revision: Revision) -> Bytes {
    const VERSION: &[u8] = b"\"resourceVersion\":\"";
    let replaced = || {
        let start = find(json, VERSION)? + VERSION.len();
        let length = json.get(start..)?.iter().position(|byte| *byte == b'"')?;
        let mut replaced = BytesMut::with_capacity(json.len() + 8);
        replaced.extend_from_slice(json.get(..start)?);
        replaced.extend_from_slice(revision.to_string().as_bytes());
        replaced.extend_from_slice(json.get(start + length..)?);
        Some(replaced.freeze())
    };
    replaced().unwrap_or_else(|| Bytes::copy_from_slice(json))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// The slow way, for values that are not in our own canonical form.
fn reencoded(resource: &Resource, kv: &KeyValue) -> Result<Bytes, decode::Error> {
    let mut decoded = decode::from_slice(&kv.value, resource.schema())?;
    if let Some(metadata) = decoded
        .value
        .get_mut("metadata")
        .and_then(|m| m.as_object_mut())
    {
        metadata.insert("resourceVersion".into(), kv.mod_revision.to_string().into());
    }
    let api_version = resource.api_version();
    let mut json = encode::object(
        &api_version,
        resource.kind,
        &decoded.value,
        resource.schema(),
    );
    json.push('\n');
    Ok(json.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(stored: &str) -> Entry {
        let resource = burgee_resources::find("", "v1", "secrets").unwrap();
        let kv = KeyValue {
            key: "/registry/secrets/ns/s".into(),
            value: Bytes::copy_from_slice(stored.as_bytes()),
            create_revision: Revision(5),
            mod_revision: Revision(7),
        };
        Entry::new(resource, &kv).unwrap()
    }

    const STORED: &str = r#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"s","namespace":"ns","uid":"u-1","labels":{"a":"b"}},"type":"Opaque"}"#;

    #[test]
    fn the_resource_version_stands_behind_the_uid() {
        let entry = entry(STORED);
        let json = std::str::from_utf8(entry.json()).unwrap();
        assert!(
            json.contains(r#""uid":"u-1","resourceVersion":"7","labels""#),
            "{json}"
        );
        assert!(json.ends_with("}\n"));
        assert_eq!((entry.name(), entry.labels()["a"].as_str()), ("s", "b"));
        let resource = burgee_resources::find("", "v1", "secrets").unwrap();
        assert_eq!(entry.namespace(resource), "ns");
        assert_eq!(entry.field(resource, "type"), "Opaque");
    }

    #[test]
    fn a_deletion_shows_its_own_resource_version() {
        let deleted = entry(STORED).deleted_at(Revision(1234));
        let json = std::str::from_utf8(deleted.json()).unwrap();
        assert!(json.contains(r#""resourceVersion":"1234""#), "{json}");
    }

    #[test]
    fn values_in_another_order_are_brought_into_ours() {
        let foreign = r#"{"apiVersion":"v1","kind":"Secret","type":"Opaque","metadata":{"uid":"u","name":"s"}}"#;
        let json = entry(foreign).json().clone();
        let expected = "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"s\",\"uid\":\"u\",\"resourceVersion\":\"7\"},\"type\":\"Opaque\"}\n";
        assert_eq!(json, expected);
    }

    #[test]
    fn a_name_cannot_pretend_to_be_the_uid() {
        let tricky =
            r#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"\"uid\":\"x","uid":"real"}}"#;
        let json = entry(tricky).json().clone();
        assert!(
            std::str::from_utf8(&json)
                .unwrap()
                .contains(r#""uid":"real","resourceVersion":"7""#)
        );
    }
}
