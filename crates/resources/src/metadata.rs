//! The rules on standard metadata that all kinds share (`k8s.io/apimachinery/pkg/api/validation`).

use burgee_wire::ObjectMeta;
use burgee_wire::field::{FieldError, Path};

use crate::Resource;

/// What is wrong with a new object's metadata.
#[must_use]
pub fn validate_create(meta: &ObjectMeta, resource: &Resource) -> Vec<FieldError> {
    let path = Path::new("metadata");
    let mut errors = Vec::new();
    if meta.name.is_empty() {
        errors.push(FieldError::required(
            &path.child("name"),
            "name or generateName is required",
        ));
    } else {
        let problems = resource.rules.name_problems(&meta.name).into_iter();
        errors.extend(
            problems.map(|p| FieldError::invalid(&path.child("name"), meta.name.as_str(), p)),
        );
    }
    errors
}

/// What is wrong with an update of metadata.
#[must_use]
pub fn validate_update(new: &ObjectMeta, old: &ObjectMeta) -> Vec<FieldError> {
    let path = Path::new("metadata");
    let mut errors = Vec::new();
    if new.name != old.name {
        errors.push(FieldError::invalid(
            &path.child("name"),
            new.name.as_str(),
            "field is immutable",
        ));
    }
    errors
}

/// A name from `prefix` and five random characters (`k8s.io/apiserver/pkg/storage/names`).
#[must_use]
pub fn generate_name(prefix: &str) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    const MAX_PREFIX: usize = 58;
    let mut name: String = prefix.chars().take(MAX_PREFIX).collect();
    // The lower half of a random UUID has two fixed bits, at the top.
    let mut random = uuid::Uuid::new_v4().as_u64_pair().1;
    for _ in 0..5 {
        let index = usize::try_from(random % 27).unwrap_or_default();
        name.extend(ALPHABET.get(index).map(|c| char::from(*c)));
        random /= 27;
    }
    name
}
