//! Reading and filling in dynamic objects, with absent and null alike, as Go reads them.

use serde_json::{Map, Value};

/// The items of a list member.
pub(crate) fn items<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value
        .get(member)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The text of a member, or empty.
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The entries of a map member, sorted by key.
pub(crate) fn entries<'a>(
    value: &'a Value,
    member: &str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let map = value.get(member).and_then(Value::as_object);
    let mut sorted: Vec<_> = map
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value))
        .collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    sorted.into_iter()
}

/// A member that is there and not null.
pub(crate) fn some<'a>(value: &'a Value, member: &str) -> Option<&'a Value> {
    value.get(member).filter(|found| !found.is_null())
}

/// Sets a member that is absent, null or empty text.
pub(crate) fn set_default(
    object: &mut Map<String, Value>,
    member: &str,
    default: impl Into<Value>,
) {
    let absent = match object.get(member) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    if absent {
        object.insert(member.to_owned(), default.into());
    }
}

/// The object that a member holds; made if it is absent or null.
pub(crate) fn object_mut<'a>(
    object: &'a mut Map<String, Value>,
    member: &str,
) -> Option<&'a mut Map<String, Value>> {
    set_default(object, member, Map::new());
    object.get_mut(member).and_then(Value::as_object_mut)
}

/// The objects of a list member, to change them.
pub(crate) fn objects_mut<'a>(
    object: &'a mut Map<String, Value>,
    member: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let list = object.get_mut(member).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// Makes a member what it is in another object: there or not there.
pub(crate) fn keep(new: &mut Map<String, Value>, old: &Map<String, Value>, member: &str) {
    match old.get(member) {
        Some(value) => new.insert(member.to_owned(), value.clone()),
        None => new.remove(member),
    };
}

/// Whether two members are the same, with null, absent and empty alike.
pub(crate) fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    let meaning = |value: &&Value| match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    };
    a.filter(meaning) == b.filter(meaning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_null_and_empty_read_alike() {
        let value = json!({"a": null, "b": [], "c": ["x"], "d": "", "e": {"z": 1, "y": 2}});
        assert!(items(&value, "a").is_empty() && items(&value, "x").is_empty());
        assert_eq!(items(&value, "c"), [json!("x")]);
        assert!(some(&value, "a").is_none() && some(&value, "b").is_some());
        let keys: Vec<_> = entries(&value, "e").map(|(key, _)| key).collect();
        assert_eq!(keys, ["y", "z"]);
        assert!(same(value.get("a"), value.get("b")) && !same(value.get("b"), value.get("c")));
    }

    #[test]
    fn a_default_never_replaces_a_value() {
        let mut object = Map::new();
        for (member, before, after) in [
            ("a", json!(null), 1),
            ("b", json!(""), 1),
            ("c", json!(0), 0),
        ] {
            object.insert(member.into(), before);
            set_default(&mut object, member, 1);
            assert_eq!(object[member], after, "{member}");
        }
    }
}
