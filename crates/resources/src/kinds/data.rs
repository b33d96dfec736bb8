//! What Secrets and ConfigMaps have in common: maps of data.

use burgee_wire::Object;
use burgee_wire::field::{FieldError, Path};
use burgee_wire::names;
use serde_json::Value;

use crate::json;
use crate::metadata::invalid;

/// Bytes that the values of one object may have together.
pub(crate) const SIZE_LIMIT: usize = 1024 * 1024;

/// The entries of a data member, sorted by key.
pub(crate) fn entries<'a>(object: &'a Object, member: &str) -> Vec<(&'a str, &'a str)> {
    let map = object
        .content
        .get(member)
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let mut entries: Vec<_> = map
        .map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
        .collect();
    entries.sort_unstable();
    entries
}

/// Adds what is wrong with a key.
pub(crate) fn key(errors: &mut Vec<FieldError>, path: &Path, key: &str) {
    invalid(errors, &path.key(key), key, names::config_map_key(key));
}

/// The number of bytes that canonical base64 stands for.
pub(crate) fn decoded_len(base64: &str) -> usize {
    let padding = base64
        .bytes()
        .rev()
        .take_while(|byte| *byte == b'=')
        .count();
    (base64.len() / 4 * 3).saturating_sub(padding)
}

/// What is wrong with an update of an object whose `immutable` may be set.
pub(crate) fn immutable(new: &Object, old: &Object, members: &[&str]) -> Vec<FieldError> {
    let is_set = |object: &Object| object.content.get("immutable") == Some(&Value::Bool(true));
    if !is_set(old) {
        return Vec::new();
    }
    let unset = (!is_set(new)).then_some(&"immutable");
    let changed = members
        .iter()
        .filter(|member| !json::same(new.content.get(**member), old.content.get(**member)));
    let detail = "field is immutable when `immutable` is set";
    let error = |member: &&str| FieldError::forbidden(&Path::new(member), detail);
    unset.into_iter().chain(changed).map(error).collect()
}

#[cfg(test)]
mod tests {
    use super::decoded_len;

    #[test]
    fn decoded_length_knows_padding() {
        let table = [
            ("", 0),
            ("YQ==", 1),
            ("YWI=", 2),
            ("YWJj", 3),
            ("YWJjZA==", 4),
        ];
        for (base64, len) in table {
            assert_eq!(decoded_len(base64), len, "{base64}");
        }
    }
}
