//! A value without some of its fields.

use serde_json::{Map, Value};

use super::Type;
use crate::{FieldSet, PathElement};

/// The value without the members and items whose paths are in `fields`. Where nothing remains of a
/// list or object there is null, which a struct reads as absent.
pub(crate) fn remove_items(value: &Value, fields: &FieldSet, ty: Type<'_>) -> Value {
    match (ty, value) {
        (Type::Keyed(..) | Type::Set(_), Value::Array(items)) => {
            let kept = items.iter().filter_map(|item| match ty.element_of(item) {
                Ok(element) => keep(item, &element, fields, ty),
                Err(_) => Some(item.clone()),
            });
            let kept: Vec<_> = kept.collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Array(kept)
            }
        }
        (Type::Struct(_) | Type::Map(_), Value::Object(members)) => {
            let kept = members.iter().filter_map(|(name, value)| {
                let value = keep(value, &PathElement::field(name), fields, ty)?;
                Some((name.clone(), value))
            });
            let kept: Map<_, _> = kept.collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Object(kept)
            }
        }
        (Type::Leaf(_) | Type::AtomicStruct(_), Value::Array(_) | Value::Object(_)) => Value::Null,
        _ => value.clone(),
    }
}

fn keep(value: &Value, element: &PathElement, fields: &FieldSet, ty: Type<'_>) -> Option<Value> {
    if fields.has_element(element) {
        return None;
    }
    Some(match (fields.below(element), ty.descend(element)) {
        (Some(below), Some(inner)) => remove_items(value, below, inner),
        _ => value.clone(),
    })
}
