//! Whether an applied configuration is of its kind.

use std::collections::BTreeSet;

use burgee_wire::schema::Shape;
use serde_json::Value;

use super::Type;
use crate::{Path, PathElement};

/// Checks a configuration along the schema; unlike decoding, without changing it, because an empty
/// or null member that a client applies is one that it owns.
///
/// # Errors
///
/// Upstream's list of what is wrong: members that the kind does not have, wrong types, list items
/// without keys, items that cannot be told apart.
pub(crate) fn validate(value: &Value, ty: Type<'_>) -> Result<(), String> {
    let mut walk = Walk::default();
    walk.value(value, ty);
    match walk.errors.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => Err(format!("errors:\n  {}", many.join("\n  "))),
    }
}

#[derive(Default)]
struct Walk {
    path: Path,
    errors: Vec<String>,
}

impl Walk {
    fn value(&mut self, value: &Value, ty: Type<'_>) {
        match (ty, value) {
            (_, Value::Null) | (Type::Leaf(Shape::Raw | Shape::FieldsV1), _) => {}
            (
                Type::Struct(_) | Type::AtomicStruct(_) | Type::Map(_) | Type::Leaf(Shape::Map(_)),
                Value::Object(members),
            ) => {
                for (name, value) in members {
                    self.path.push(PathElement::field(name));
                    let member_type = ty.member(name);
                    match member_type {
                        Some(member_type) => self.value(value, member_type),
                        None => self.fail("field not declared in schema"),
                    }
                    self.path.pop();
                    if member_type.is_none() {
                        // As upstream: what comes after an unknown member is not looked at.
                        break;
                    }
                }
            }
            (Type::Keyed(..) | Type::Set(_) | Type::Leaf(Shape::List(_)), Value::Array(items)) => {
                self.items(items, ty);
            }
            (Type::Leaf(shape), value) => self.scalar(value, shape),
            (Type::Keyed(..) | Type::Set(_), other) => self.expected("list", other),
            (_, other) => self.expected("map", other),
        }
    }

    fn items(&mut self, items: &[Value], ty: Type<'_>) {
        let is_associative = matches!(ty, Type::Keyed(..) | Type::Set(_));
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            let element = if is_associative {
                match ty.element_of(item) {
                    Ok(element) => element,
                    Err(error) => return self.fail(&format!("element {index}: {error}")),
                }
            } else {
                PathElement::Index(i64::try_from(index).unwrap_or(i64::MAX))
            };
            if !seen.insert(element.clone()) {
                self.fail(&format!("duplicate entries for key {element}"));
            }
            if let Some(item_type) = ty.item() {
                self.path.push(element);
                self.value(item, item_type);
                self.path.pop();
            }
        }
    }

    fn scalar(&mut self, value: &Value, shape: &Shape) {
        let (expected, fits) = match shape {
            Shape::Bool => ("boolean", value.is_boolean()),
            Shape::Float64 | Shape::Int32 | Shape::Int64 => {
                ("numeric (int or float)", value.is_number())
            }
            Shape::Bytes | Shape::String => ("string", value.is_string()),
            Shape::List(_) => ("list", value.is_array()),
            Shape::Map(_) => ("map", value.is_object()),
            _ => ("any scalar", !value.is_array() && !value.is_object()),
        };
        if !fits {
            self.expected(expected, value);
        }
    }

    fn expected(&mut self, expected: &str, found: &Value) {
        let found = match found {
            // Text may be a secret in the wrong place.
            Value::String(_) => "string".to_owned(),
            Value::Array(_) => "list".to_owned(),
            Value::Object(_) => "map".to_owned(),
            other => format!("&value.valueUnstructured{{Value:{other}}}"),
        };
        self.fail(&format!("expected {expected}, got {found}"));
    }

    fn fail(&mut self, error: &str) {
        self.errors.push(match self.path.elements() {
            [] => error.to_owned(),
            _ => format!("{}: {error}", self.path),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burgee_wire::schema::schema;
    use serde_json::json;

    fn refusal(kind: &str, value: &Value) -> String {
        let kind = schema()
            .find(&format!("io.k8s.api.core.v1.{kind}"))
            .unwrap();
        validate(value, Type::of_kind(kind))
            .err()
            .unwrap_or_default()
    }

    #[test]
    fn what_is_not_of_the_kind_is_named_with_its_path() {
        let table = [
            (
                "ConfigMap",
                json!({"data": {"a": "1"}, "binaryData": null, "immutable": true}),
                "",
            ),
            (
                "ConfigMap",
                json!({"colour": 1}),
                ".colour: field not declared in schema",
            ),
            (
                "ConfigMap",
                json!({"data": {"a": 1}}),
                ".data.a: expected string, got &value.valueUnstructured{Value:1}",
            ),
            (
                "ConfigMap",
                json!({"data": "x"}),
                ".data: expected map, got string",
            ),
            (
                "ConfigMap",
                json!({"metadata": {"finalizers": ["a", "a"]}}),
                r#".metadata.finalizers: duplicate entries for key [="a"]"#,
            ),
            (
                "Pod",
                json!({"spec": {"containers": [{"image": "i"}]}}),
                r#".spec.containers: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn't have default values for any key fields)"#,
            ),
            (
                "Pod",
                json!({"spec": {"containers": [{"name": "c", "ports": 7}], "priority": "high"}}),
                "errors:\n  .spec.containers[name=\"c\"].ports: expected list, got &value.valueUnstructured{Value:7}\n  .spec.priority: expected numeric (int or float), got string",
            ),
            (
                "Pod",
                json!({"spec": {"tolerations": [{"kee": "a"}]}}),
                ".spec.tolerations[0].kee: field not declared in schema",
            ),
        ];
        for (kind, value, expected) in table {
            assert_eq!(refusal(kind, &value), expected, "{value}");
        }
    }
}
