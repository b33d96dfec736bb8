//! Field sets of managed fields: reading one never panics, and what reads survives being written.

#![no_main]

use burgee_patch::{FieldSet, PathElement};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|fields: &[u8]| {
    let Ok(fields) = serde_json::from_slice(fields) else {
        return;
    };
    let Ok(set) = FieldSet::from_value(&fields) else {
        return;
    };
    assert!(set.difference(&set).is_empty());
    assert_eq!(set.union(&set), set.intersection(&set));
    let value = set.to_value();
    let text = serde_json::from_str(&set.to_json()).unwrap();
    let [value, text] = [value, text].map(|fields| FieldSet::from_value(&fields).unwrap());
    // serde_json may change the last digit of a fraction that it reads.
    if !has_fraction(&set) {
        assert_eq!(value, set);
        assert_eq!(text, set);
    }
});

fn has_fraction(set: &FieldSet) -> bool {
    let paths = set.paths();
    let mut elements = paths.iter().flat_map(|path| path.elements());
    elements.any(|element| match element {
        PathElement::Key(members) => members
            .iter()
            .any(|(_, literal)| is_fraction(literal.value())),
        PathElement::Value(literal) => is_fraction(literal.value()),
        PathElement::Field(_) | PathElement::Index(_) => false,
    })
}

fn is_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(is_fraction),
        Value::Object(members) => members.values().any(is_fraction),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}
