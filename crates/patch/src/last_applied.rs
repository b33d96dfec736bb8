//! From client-side to server-side apply: the annotation in which kubectl keeps what it applied.
//!
//! Upstream: `lastAppliedManager` and `lastAppliedUpdater` of
//! `k8s.io/apimachinery/pkg/util/managedfields`.

use burgee_wire::encode;
use serde_json::{Map, Value};

use crate::typed::{field_set, validate};
use crate::{Conflict, Endpoint, FieldSet};

/// The manager name of `kubectl apply --server-side`.
pub(crate) const KUBECTL: &str = "kubectl";

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Bytes that the names and values of all annotations may have together.
const MAX_ANNOTATIONS_BYTES: usize = 256 * 1024;

/// The conflicts about fields that client-side apply did not put there as they are.
pub(crate) fn unresolved(
    mut conflicts: Vec<Conflict>,
    live: &Value,
    endpoint: &Endpoint<'_>,
) -> Vec<Conflict> {
    if let Some(own) = applied_as_they_are(live, endpoint) {
        conflicts.retain(|conflict| !own.has(&conflict.path));
    }
    conflicts
}

/// Writes what was applied into the annotation, if the object has one. As upstream, the annotation
/// goes when it makes the annotations too large.
pub(crate) fn refresh(object: &mut Value, configuration: &Value) {
    let Some(annotations) = annotations_mut(object) else {
        return;
    };
    match annotations.get(ANNOTATION) {
        Some(Value::String(text)) if !text.is_empty() => {}
        _ => return,
    }
    let mut applied = configuration.clone();
    if let Some(annotations) = annotations_mut(&mut applied) {
        annotations.remove(ANNOTATION);
    }
    // Go's encoder ends with a line break, and so does the annotation that kubectl itself writes.
    let text = encode::any(&applied) + "\n";
    annotations.insert(ANNOTATION.to_owned(), Value::String(text));
    let size = |(name, value): (&String, &Value)| name.len() + value.as_str().map_or(0, str::len);
    if annotations.iter().map(size).sum::<usize>() > MAX_ANNOTATIONS_BYTES {
        annotations.remove(ANNOTATION);
    }
}

/// The fields of the annotated configuration that the object has with the same values.
fn applied_as_they_are(live: &Value, endpoint: &Endpoint<'_>) -> Option<FieldSet> {
    let annotations = live.get("metadata")?.get("annotations")?;
    let text = annotations.get(ANNOTATION)?.as_str()?;
    let mut last: Value = serde_json::from_str(text).ok()?;
    let members = last.as_object_mut()?;
    members.remove("kind");
    if members.remove("apiVersion")?.as_str()? != endpoint.api_version {
        return None;
    }
    validate(&last, endpoint.ty()).ok()?;
    validate(live, endpoint.ty()).ok()?;
    let differs = crate::typed::compare(&last, live, endpoint.ty()).ok()?;
    let differs = differs
        .added
        .union(&differs.modified)
        .union(&differs.removed);
    Some(field_set(&last, endpoint.ty()).ok()?.difference(&differs))
}

fn annotations_mut(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object
        .get_mut("metadata")?
        .get_mut("annotations")?
        .as_object_mut()
}
