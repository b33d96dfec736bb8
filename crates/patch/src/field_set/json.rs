//! Field sets as JSON: `fieldsV1` of `metav1.ManagedFieldsEntry`.
//!
//! Every path element is a member whose name begins with its kind: `f:NAME` a field, `k:{…}` a list
//! item by its keys, `v:VALUE` an item of a set, `i:INDEX` an item by position. `.` says that the
//! enclosing path is itself in the set; a member with nothing in it always is.

use burgee_wire::encode;
use serde_json::{Map, Value};

use super::{FieldSet, Node, PathElement};
use crate::{Error, Literal};

/// Nesting that a field set may have. Bodies are read with the same limit, so no object is deeper.
const MAX_DEPTH: usize = 128;

impl FieldSet {
    /// Reads `fieldsV1`. Kinds of path elements that are not known are skipped, as upstream does.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] when it is no object of objects, a member name is no path element, or the
    /// nesting exceeds 128 levels.
    pub fn from_value(fields: &Value) -> Result<Self, Error> {
        read(fields, MAX_DEPTH).map(|node| node.children)
    }

    /// Its `fieldsV1`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut members = Map::new();
        for (element, node) in &self.nodes {
            let mut value = node.children.to_value();
            if let (true, false, Value::Object(inner)) =
                (node.member, node.children.is_empty(), &mut value)
            {
                inner.insert(".".to_owned(), Value::Object(Map::new()));
            }
            members.insert(element.to_key(), value);
        }
        Value::Object(members)
    }

    /// Its `fieldsV1` as text, members in upstream's order.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out, false);
        out
    }

    fn write_json(&self, out: &mut String, is_member: bool) {
        out.push('{');
        let mut separate = is_member && !self.is_empty();
        if separate {
            out.push_str("\".\":{}");
        }
        for (element, node) in &self.nodes {
            if separate {
                out.push(',');
            }
            separate = true;
            encode::write_text(out, &element.to_key());
            out.push(':');
            node.children.write_json(out, node.member);
        }
        out.push('}');
    }
}

impl PathElement {
    /// Reads a member name of `fieldsV1`; `None` where its kind is not known.
    fn from_key(key: &str) -> Result<Option<Self>, Error> {
        let malformed = |what: &str| Error::Malformed(format!("{what}: {key}"));
        let Some((kind, rest)) = key.split_once(':') else {
            return Err(malformed("missing colon"));
        };
        let literal = |text: &str| {
            serde_json::from_str::<Value>(text).map_err(|_| malformed("not a path element"))
        };
        Ok(Some(match kind {
            "f" => Self::Field(rest.to_owned()),
            "v" => Self::Value(literal(rest)?.into()),
            "k" => match literal(rest)? {
                Value::Object(members) => {
                    let members = members.into_iter();
                    let mut members: Vec<_> = members
                        .map(|(name, value)| (name, Literal::from(value)))
                        .collect();
                    members.sort();
                    Self::Key(members)
                }
                _ => return Err(malformed("not a path element")),
            },
            "i" => Self::Index(rest.parse().map_err(|_| malformed("not a path element"))?),
            one if one.len() == 1 => return Ok(None),
            _ => return Err(malformed("missing colon")),
        }))
    }

    /// The member name of `fieldsV1`.
    fn to_key(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(members) => {
                let mut key = String::from("k:{");
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        key.push(',');
                    }
                    encode::write_text(&mut key, name);
                    key.push(':');
                    value.write_json(&mut key);
                }
                key.push('}');
                key
            }
            Self::Value(value) => {
                let mut key = String::from("v:");
                value.write_json(&mut key);
                key
            }
            Self::Index(index) => format!("i:{index}"),
        }
    }
}

fn read(fields: &Value, depth: usize) -> Result<Node, Error> {
    let Value::Object(members) = fields else {
        return Err(Error::Malformed("a field set is an object".to_owned()));
    };
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Error::Malformed(
            "a field set is nested too deeply".to_owned(),
        ));
    };
    let mut node = Node::default();
    for (key, value) in members {
        if key == "." {
            node.member = true;
            continue;
        }
        if let Some(element) = PathElement::from_key(key)? {
            let child = read(value, depth)?;
            node.children
                .set_element(element, child.member, child.children);
        }
    }
    node.member |= node.children.is_empty();
    Ok(node)
}

#[cfg(test)]
mod tests {
    use super::super::tests::field_set;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn upstreams_json_goes_in_and_out() {
        let fields = json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}, "f:finalizers": {"v:\"x\"": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:ports": {
                "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}}}}}});
        let set = FieldSet::from_value(&fields).unwrap();
        assert_eq!(set.to_value(), fields);
        assert_eq!(set.paths().len(), 6);
    }

    #[test]
    fn members_of_the_text_stand_in_upstreams_order() {
        let fields = json!({"i:1": {}, "v:10": {}, "v:9": {}, "k:{\"p\":10}": {".": {}, "f:x": {}},
            "k:{\"p\":9}": {}, "f:z": {}});
        let json = FieldSet::from_value(&fields).unwrap().to_json();
        let expected = r#"{"f:z":{},"k:{\"p\":9}":{},"k:{\"p\":10}":{".":{},"f:x":{}},"v:9":{},"v:10":{},"i:1":{}}"#;
        assert_eq!(json, expected);
    }

    #[test]
    fn an_unknown_kind_of_element_is_skipped() {
        let set = FieldSet::from_value(&json!({"f:a": {"x:later": {}}, "y:later": {}})).unwrap();
        assert_eq!(set, FieldSet::of_fields(&["a"]));
    }

    #[test]
    fn what_is_no_field_set_is_malformed() {
        let deep = (0..200).fold(json!({}), |inner, _| json!({"f:a": inner}));
        let table = [
            json!([]),
            json!({"f:a": 1}),
            json!({"": {}}),
            json!({"name": {}}),
            json!({"long:a": {}}),
            json!({"k:": {}}),
            json!({"k:[1]": {}}),
            json!({"k:{}}": {}}),
            json!({"v:": {}}),
            json!({"i:x": {}}),
            deep,
        ];
        for fields in table {
            assert!(FieldSet::from_value(&fields).is_err(), "{fields}");
        }
    }

    proptest! {
        #[test]
        fn every_set_survives_json(set in field_set()) {
            prop_assert_eq!(&FieldSet::from_value(&set.to_value()).unwrap(), &set);
            let text = set.to_json();
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value, set.to_value());
        }
    }
}
