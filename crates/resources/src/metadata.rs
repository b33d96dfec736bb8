//! The rules on standard metadata that all kinds share (`k8s.io/apimachinery/pkg/api/validation`).

use std::collections::{BTreeMap, BTreeSet};

use burgee_wire::field::{FieldError, Path};
use burgee_wire::{ManagedFieldsEntry, ObjectMeta, OwnerReference, names, quoted};
use serde_json::Value;

use crate::Resource;

/// The bytes that all annotation keys and values of an object may have together.
pub const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Characters of a generated name before its random part.
const GENERATED_PREFIX_LIMIT: usize = 58;

/// What [`generate_name`] draws from: no vowels, so that it spells nothing.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Finalizers that need no prefix.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

const IMMUTABLE: &str = "field is immutable";

/// Takes away what only the server sets on a new object: UID and times. The server then sets its own
/// (`k8s.io/apiserver/pkg/registry/rest`, `WipeObjectMetaSystemFields`).
pub fn prepare_create(meta: &mut ObjectMeta) {
    meta.uid.clear();
    meta.creation_timestamp = None;
    meta.deletion_timestamp = None;
    meta.deletion_grace_period_seconds = None;
}

/// Keeps of `old` what no update changes: generation (the kind's rules may raise it afterwards),
/// creation and deletion times, and the UID when the update names none.
pub fn prepare_update(new: &mut ObjectMeta, old: &ObjectMeta) {
    new.generation = old.generation;
    if new.uid.is_empty() {
        new.uid.clone_from(&old.uid);
    }
    if old.creation_timestamp.is_some() {
        new.creation_timestamp = old.creation_timestamp;
    }
    if old.deletion_timestamp.is_some() {
        new.deletion_timestamp = old.deletion_timestamp;
    }
    if new.deletion_grace_period_seconds.is_none() {
        new.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
    }
}

/// What is wrong with a new object's metadata. A name must have been generated before.
#[must_use]
pub fn validate_create(meta: &ObjectMeta, resource: &Resource) -> Vec<FieldError> {
    let path = Path::new("metadata");
    let mut errors = Vec::new();
    if !meta.generate_name.is_empty() {
        let problems = resource.rules.generate_name_problems(&meta.generate_name);
        invalid(
            &mut errors,
            &path.child("generateName"),
            &meta.generate_name,
            problems,
        );
    }
    let name = path.child("name");
    if meta.name.is_empty() {
        errors.push(FieldError::required(
            &name,
            "name or generateName is required",
        ));
    } else {
        invalid(
            &mut errors,
            &name,
            &meta.name,
            resource.rules.name_problems(&meta.name),
        );
    }
    let namespace = path.child("namespace");
    match (resource.namespaced, meta.namespace.as_str()) {
        (true, "") => errors.push(FieldError::required(&namespace, "")),
        (true, text) => invalid(&mut errors, &namespace, text, names::dns1123_label(text)),
        (false, "") => {}
        (false, _) => errors.push(FieldError::forbidden(
            &namespace,
            "not allowed on this type",
        )),
    }
    common(&mut errors, meta, &path);
    errors
}

/// What is wrong with an update of metadata. `new` went through [`prepare_update`], and carries the
/// resource version that it is meant to replace (for an unconditional update, that of `old`).
#[must_use]
pub fn validate_update(new: &ObjectMeta, old: &ObjectMeta) -> Vec<FieldError> {
    let path = Path::new("metadata");
    let mut errors = Vec::new();
    common(&mut errors, new, &path);
    if old.deletion_timestamp.is_some() {
        no_new_finalizers(&mut errors, new, old, &path.child("finalizers"));
    }
    if new.resource_version.is_empty() {
        let detail = "must be specified for an update";
        errors.push(FieldError::invalid(
            &path.child("resourceVersion"),
            "",
            detail,
        ));
    }
    if new.generation < old.generation {
        let detail = "must not be decremented";
        errors.push(FieldError::invalid(
            &path.child("generation"),
            new.generation,
            detail,
        ));
    }
    let mut immutable = |member: &str, new: Value, old: Value| {
        if new != old {
            errors.push(FieldError::invalid(&path.child(member), new, IMMUTABLE));
        }
    };
    let time = |time: Option<burgee_wire::Time>| time.map(|time| time.to_string()).into();
    immutable("name", new.name.as_str().into(), old.name.as_str().into());
    immutable(
        "namespace",
        new.namespace.as_str().into(),
        old.namespace.as_str().into(),
    );
    immutable("uid", new.uid.as_str().into(), old.uid.as_str().into());
    immutable(
        "creationTimestamp",
        time(new.creation_timestamp),
        time(old.creation_timestamp),
    );
    immutable(
        "deletionTimestamp",
        time(new.deletion_timestamp),
        time(old.deletion_timestamp),
    );
    immutable(
        "deletionGracePeriodSeconds",
        new.deletion_grace_period_seconds.into(),
        old.deletion_grace_period_seconds.into(),
    );
    errors
}

/// A name from `prefix` and five random characters (`k8s.io/apiserver/pkg/storage/names`). Longer
/// prefixes are cut so that the name is an RFC 1123 label.
///
/// ```
/// let name = burgee_resources::metadata::generate_name("builder-");
/// assert!(name.starts_with("builder-") && name.len() == 13);
/// ```
#[must_use]
pub fn generate_name(prefix: &str) -> String {
    let mut name: String = prefix.chars().take(GENERATED_PREFIX_LIMIT).collect();
    // All but the two highest bits of a random UUID's lower half are random.
    let mut random = uuid::Uuid::new_v4().as_u64_pair().1 & (u64::MAX >> 2);
    for _ in 0..5 {
        let letters = ALPHABET.len() as u64;
        let letter = usize::try_from(random % letters)
            .ok()
            .and_then(|at| ALPHABET.get(at));
        name.extend(letter.map(|letter| char::from(*letter)));
        random /= letters;
    }
    name
}

/// What is checked alike for new and updated metadata.
fn common(errors: &mut Vec<FieldError>, meta: &ObjectMeta, path: &Path) {
    if meta.generation < 0 {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(
            &path.child("generation"),
            meta.generation,
            detail,
        ));
    }
    labels(errors, &meta.labels, &path.child("labels"));
    annotations(errors, &meta.annotations, &path.child("annotations"));
    owners(
        errors,
        &meta.owner_references,
        &path.child("ownerReferences"),
    );
    finalizers(errors, &meta.finalizers, &path.child("finalizers"));
    managed_fields(errors, &meta.managed_fields, &path.child("managedFields"));
}

/// What is wrong with labels, or with a selector that has the form of labels.
pub(crate) fn labels(errors: &mut Vec<FieldError>, labels: &BTreeMap<String, String>, path: &Path) {
    for (key, value) in labels {
        invalid(errors, path, key, names::qualified_name(key));
        invalid(errors, path, value, names::label_value(value));
    }
}

fn annotations(errors: &mut Vec<FieldError>, annotations: &BTreeMap<String, String>, path: &Path) {
    for key in annotations.keys() {
        // Case does not count in annotation keys, also not in their DNS prefix.
        invalid(
            errors,
            path,
            key,
            names::qualified_name(&key.to_lowercase()),
        );
    }
    let size: usize = annotations
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if size > ANNOTATIONS_LIMIT {
        errors.push(FieldError::too_long(path, ANNOTATIONS_LIMIT));
    }
}

fn owners(errors: &mut Vec<FieldError>, owners: &[OwnerReference], path: &Path) {
    let mut controller: Option<String> = None;
    for (index, owner) in owners.iter().enumerate() {
        owner_reference(errors, owner, &path.index(index));
        if owner.controller == Some(true) {
            let name = format!("{}/{}", owner.kind, owner.name);
            match &controller {
                None => controller = Some(name),
                Some(first) => errors.push(FieldError::invalid(
                    path,
                    serde_json::to_value(owners).unwrap_or_default(),
                    format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {name}"
                    ),
                )),
            }
        }
    }
}

fn owner_reference(errors: &mut Vec<FieldError>, owner: &OwnerReference, path: &Path) {
    let version = owner.api_version.as_str();
    if version.is_empty() {
        errors.push(FieldError::required(
            &path.child("apiVersion"),
            "must not be empty",
        ));
    } else if version.matches('/').count() > 1 || version.ends_with('/') {
        let detail = "must be <group>/<version> or <version>";
        errors.push(FieldError::invalid(
            &path.child("apiVersion"),
            version,
            detail,
        ));
    }
    for (member, value) in [
        ("kind", &owner.kind),
        ("name", &owner.name),
        ("uid", &owner.uid),
    ] {
        if value.is_empty() {
            errors.push(FieldError::required(
                &path.child(member),
                "must not be empty",
            ));
        }
    }
    if version == "v1" && owner.kind == "Event" {
        let value = serde_json::to_value(owner).unwrap_or_default();
        let detail = "/v1, Kind=Event is disallowed from being an owner";
        errors.push(FieldError::invalid(path, value, detail));
    }
}

fn finalizers(errors: &mut Vec<FieldError>, finalizers: &[String], path: &Path) {
    for finalizer in finalizers {
        invalid(errors, path, finalizer, names::qualified_name(finalizer));
    }
    let has = |name: &str| finalizers.iter().any(|finalizer| finalizer == name);
    if has("orphan") && has("foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid(path, finalizers.to_vec(), detail));
    }
    for (index, finalizer) in finalizers.iter().enumerate() {
        unqualified_finalizer(errors, finalizer, &path.index(index));
    }
}

/// What is wrong with one finalizer of a list that is not metadata's.
pub(crate) fn finalizer(errors: &mut Vec<FieldError>, finalizer: &str, path: &Path) {
    invalid(errors, path, finalizer, names::qualified_name(finalizer));
    unqualified_finalizer(errors, finalizer, path);
}

fn unqualified_finalizer(errors: &mut Vec<FieldError>, finalizer: &str, path: &Path) {
    if !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
        let detail = "name is neither a standard finalizer name nor is it fully qualified";
        errors.push(FieldError::invalid(path, finalizer, detail));
    }
}

fn no_new_finalizers(
    errors: &mut Vec<FieldError>,
    new: &ObjectMeta,
    old: &ObjectMeta,
    path: &Path,
) {
    let added: BTreeSet<_> = new
        .finalizers
        .iter()
        .filter(|each| !old.finalizers.contains(each))
        .collect();
    if !added.is_empty() {
        let list: Vec<_> = added.into_iter().map(|each| quoted(each)).collect();
        errors.push(FieldError::forbidden(
            path,
            format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                list.join(", ")
            ),
        ));
    }
}

fn managed_fields(errors: &mut Vec<FieldError>, entries: &[ManagedFieldsEntry], path: &Path) {
    const SUBRESOURCE_LIMIT: usize = 256;
    for (index, entry) in entries.iter().enumerate() {
        let path = path.index(index);
        let operation = path.child("operation");
        match entry.operation.as_str() {
            "Apply" | "Update" => {}
            "" => errors.push(FieldError::required(&operation, "must not be empty")),
            other => {
                errors.push(FieldError::not_supported(
                    &operation,
                    other,
                    &["Apply", "Update"],
                ));
            }
        }
        if !matches!(entry.fields_type.as_str(), "" | "FieldsV1") {
            let value = entry.fields_type.as_str();
            errors.push(FieldError::invalid(
                &path.child("fieldsType"),
                value,
                "must be `FieldsV1`",
            ));
        }
        if entry.subresource.len() > SUBRESOURCE_LIMIT {
            errors.push(FieldError::too_long(
                &path.child("subresource"),
                SUBRESOURCE_LIMIT,
            ));
        }
    }
}

/// Adds an error for each problem with a text.
pub(crate) fn invalid(
    errors: &mut Vec<FieldError>,
    path: &Path,
    value: &str,
    problems: Vec<String>,
) {
    errors.extend(
        problems
            .into_iter()
            .map(|problem| FieldError::invalid(path, value, problem)),
    );
}
