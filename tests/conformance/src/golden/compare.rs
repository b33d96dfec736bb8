//! What differs between two JSON values, one line each.

use std::collections::BTreeMap;

use serde_json::Value;

/// `PLACE RECORDED -> OURS` for each difference, where `-` stands for nothing. Elements of lists that
/// have names are compared with their namesakes; the others with those at the same place.
pub(super) fn differences(recorded: &Value, ours: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", Some(recorded), Some(ours), &mut found);
    found
}

fn compare(at: &str, recorded: Option<&Value>, ours: Option<&Value>, found: &mut Vec<String>) {
    match (recorded, ours) {
        (recorded, ours) if recorded == ours => {}
        (Some(Value::Object(recorded)), Some(Value::Object(ours))) => {
            let mut keys: Vec<_> = recorded.keys().chain(ours.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                compare(
                    &format!("{at}/{key}"),
                    recorded.get(key),
                    ours.get(key),
                    found,
                );
            }
        }
        (Some(Value::Array(recorded)), Some(Value::Array(ours))) => {
            match (by_name(recorded), by_name(ours)) {
                (Some(recorded), Some(ours)) => compare_named(at, &recorded, &ours, found),
                _ => {
                    for index in 0..recorded.len().max(ours.len()) {
                        let at = format!("{at}/{index}");
                        compare(&at, recorded.get(index), ours.get(index), found);
                    }
                }
            }
        }
        (recorded, ours) => {
            let text = |value: Option<&Value>| value.map_or("-".to_owned(), Value::to_string);
            found.push(format!("{at} {} -> {}", text(recorded), text(ours)));
        }
    }
}

type Named<'a> = Vec<(String, &'a Value)>;

fn compare_named(at: &str, recorded: &Named<'_>, ours: &Named<'_>, found: &mut Vec<String>) {
    let all: BTreeMap<_, _> = ours.iter().map(|(name, value)| (name, *value)).collect();
    for (name, value) in recorded {
        let at = format!("{at}/[{name}]");
        compare(&at, Some(value), all.get(name).copied(), found);
    }
    let is_in = |list: &Named<'_>, name: &String| list.iter().any(|(other, _)| other == name);
    for (name, value) in ours.iter().filter(|(name, _)| !is_in(recorded, name)) {
        compare(&format!("{at}/[{name}]"), None, Some(value), found);
    }
    let common = |list: &Named<'_>, other: &Named<'_>| {
        let names = list.iter().map(|(name, _)| name);
        let common: Vec<_> = names.filter(|name| is_in(other, name)).cloned().collect();
        common.join(",")
    };
    let (recorded, ours) = (common(recorded, ours), common(ours, recorded));
    // Managed fields stand in the order of their times, and a replay may cross a second where the
    // recording did not.
    if recorded != ours && !at.ends_with("/managedFields") {
        found.push(format!("{at}/(order) {recorded} -> {ours}"));
    }
}

/// The elements by their names, if all have one of their own.
fn by_name(list: &[Value]) -> Option<Named<'_>> {
    let mut named = Vec::with_capacity(list.len());
    for element in list {
        let name = name_of(element)?;
        if named.iter().any(|(other, _)| *other == name) {
            return None;
        }
        named.push((name, element));
    }
    Some(named)
}

fn name_of(element: &Value) -> Option<String> {
    let text = |pointer: &str| element.pointer(pointer).and_then(Value::as_str);
    let name = match element {
        Value::String(text) => Some(text.as_str()),
        _ => [
            "/metadata/name",
            "/object/metadata/name",
            "/groupVersion",
            "/name",
            "/manager",
        ]
        .into_iter()
        .find_map(text),
    };
    name.map(str::to_owned)
}

#[test]
fn each_difference_is_named_by_its_place() {
    use serde_json::json;
    let recorded = json!({"a": 1, "b": [{"name": "x", "v": 1}, {"name": "y"}], "c": [1, 2]});
    let ours = json!({"a": 2, "b": [{"name": "y"}, {"name": "x", "v": 2}], "c": [1]});
    let expected = [
        "/a 1 -> 2",
        "/b/[x]/v 1 -> 2",
        "/b/(order) x,y -> y,x",
        "/c/1 2 -> -",
    ];
    assert_eq!(differences(&recorded, &ours), expected);

    let managers =
        |first, second| json!({"managedFields": [{"manager": first}, {"manager": second}]});
    let (recorded, ours) = (managers("alice", "bob"), managers("bob", "alice"));
    assert_eq!(differences(&recorded, &ours), [""; 0]);
}
