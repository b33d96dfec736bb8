//! Patches as clients send them.

use burgee_wire::decode;
use burgee_wire::schema::StructRef;
use serde_json::Value;

use crate::{Error, json_patch, strategic};

/// The forms of a patch that say what to change; [`apply`](crate::apply) takes the fourth, which says
/// what ought to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PatchType {
    /// A list of operations (RFC 6902).
    Json,
    /// A partial object; null removes (RFC 7386).
    Merge,
    /// A partial object; lists merge as the schema says, and members that begin with `$` direct it.
    StrategicMerge,
}

impl PatchType {
    /// The form of a media type, without its parameters.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        Some(match media_type {
            "application/json-patch+json" => Self::Json,
            "application/merge-patch+json" => Self::Merge,
            "application/strategic-merge-patch+json" => Self::StrategicMerge,
            _ => return None,
        })
    }
}

/// A patch that was read and can be applied, more than once where an object changes under it.
///
/// ```
/// use burgee_patch::{Patch, PatchType};
/// use burgee_wire::schema::schema;
/// use serde_json::json;
///
/// let config_map = schema().find("io.k8s.api.core.v1.ConfigMap").unwrap();
/// let patch = Patch::parse(PatchType::Merge, br#"{"data":{"a":null,"b":"2"}}"#).unwrap();
/// let patched = patch.apply(json!({"data": {"a": "1"}}), config_map).unwrap();
/// assert_eq!(patched, json!({"data": {"b": "2"}}));
/// ```
#[derive(Debug)]
pub struct Patch {
    form: Form,
    problems: Vec<String>,
}

#[derive(Debug)]
enum Form {
    Json(json_patch::Operations),
    Merge(Value),
    StrategicMerge(serde_json::Map<String, Value>),
}

impl Patch {
    /// Reads a patch. Nesting is limited to 128 levels.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] when the body is not JSON or no such patch, [`Error::TooManyOperations`]
    /// for a JSON patch with more than [`MAX_OPERATIONS`](crate::MAX_OPERATIONS).
    pub fn parse(patch_type: PatchType, body: &[u8]) -> Result<Self, Error> {
        let decoding = |error: &dyn std::fmt::Display| {
            // Upstream has no such prefix for strategic merge patches.
            Error::Malformed(match patch_type {
                PatchType::Json | PatchType::Merge => format!("error decoding patch: {error}"),
                PatchType::StrategicMerge => error.to_string(),
            })
        };
        let (value, mut problems) = decode::parse(body).map_err(|error| decoding(&error))?;
        let form = match (patch_type, value) {
            (PatchType::Json, value) => {
                let (operations, unknown) = json_patch::Operations::new(value)?;
                problems.extend(unknown);
                Form::Json(operations)
            }
            (PatchType::Merge, value @ Value::Object(_)) => Form::Merge(value),
            (PatchType::StrategicMerge, Value::Object(patch)) => Form::StrategicMerge(patch),
            (_, other) => {
                let expected = "map[string]interface {}";
                return Err(decoding(&json_patch::cannot_unmarshal(&other, expected)));
            }
        };
        let prefix = match form {
            Form::Json(_) => "json patch ",
            Form::Merge(_) | Form::StrategicMerge(_) => "",
        };
        let problems = problems.iter().map(|problem| format!("{prefix}{problem}"));
        Ok(Self {
            form,
            problems: problems.collect(),
        })
    }

    /// Members that the patch has twice, or that no operation has: what `fieldValidation=Strict` refuses
    /// and `Warn` warns of, as texts.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The object as the patch makes it. It may be of any form: bring it into that of its kind with
    /// [`burgee_wire::decode::conform`].
    ///
    /// Give the object as clients see it: with `kind`, `apiVersion` and `managedFields`, so that a
    /// patch can test and change them.
    ///
    /// # Errors
    ///
    /// [`Error::Unprocessable`] when an operation does not apply. Strategic merge patches may also turn
    /// out to be [`Error::Malformed`] or [`Error::Invalid`].
    pub fn apply(&self, object: Value, kind: StructRef) -> Result<Value, Error> {
        match &self.form {
            Form::Json(operations) => operations.apply(object),
            Form::Merge(patch) => {
                let mut object = object;
                ::json_patch::merge(&mut object, patch);
                Ok(object)
            }
            Form::StrategicMerge(patch) => strategic::merge(object, patch.clone(), kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burgee_wire::schema::schema;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_is_no_patch_is_malformed() {
        let json = "json: cannot unmarshal";
        let table = [
            (
                PatchType::Merge,
                "{",
                "unexpected end of JSON input".to_owned(),
            ),
            (
                PatchType::StrategicMerge,
                "{",
                "unexpected end of JSON input".to_owned(),
            ),
            (
                PatchType::Merge,
                "[]",
                format!("{json} array into Go value of type map[string]interface {{}}"),
            ),
            (
                PatchType::StrategicMerge,
                "1",
                format!("{json} number into Go value of type map[string]interface {{}}"),
            ),
            (
                PatchType::Json,
                "{}",
                format!("{json} object into Go value of type []handlers.jsonPatchOp"),
            ),
        ];
        for (patch_type, body, text) in table {
            let error = Patch::parse(patch_type, body.as_bytes()).unwrap_err();
            let prefix = match patch_type {
                PatchType::StrategicMerge => "",
                _ => "error decoding patch: ",
            };
            assert_eq!(error.to_string(), format!("{prefix}{text}"));
            assert_eq!(error.status().code, 400);
        }
    }

    #[test]
    fn members_that_appear_twice_are_told() {
        let patch = Patch::parse(PatchType::Merge, br#"{"data":{"a":"1","a":"2"}}"#).unwrap();
        assert_eq!(patch.problems(), [r#"duplicate field "data.a""#]);
        let patch = br#"[{"op":"test","path":"","op":"add","x":1}]"#;
        let patch = Patch::parse(PatchType::Json, patch).unwrap();
        let expected = [
            r#"json patch duplicate field "[0].op""#,
            r#"json patch unknown field "[0].x""#,
        ];
        assert_eq!(patch.problems(), expected);
    }

    #[test]
    fn merge_patches_follow_rfc_7386() {
        let table = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": "b"}),
                json!({"b": "c"}),
                json!({"a": "b", "b": "c"}),
            ),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (
                json!({"a": "b", "b": "c"}),
                json!({"a": null}),
                json!({"b": "c"}),
            ),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (
                json!({"a": [{"b": "c"}]}),
                json!({"a": [1]}),
                json!({"a": [1]}),
            ),
            (
                json!({"e": null}),
                json!({"a": 1}),
                json!({"e": null, "a": 1}),
            ),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
        ];
        let kind = schema().find("io.k8s.api.core.v1.ConfigMap").unwrap();
        for (object, patch, expected) in table {
            let parsed = Patch::parse(PatchType::Merge, patch.to_string().as_bytes()).unwrap();
            assert_eq!(parsed.apply(object, kind).unwrap(), expected, "{patch}");
        }
    }

    /// Any JSON, with member names that mean something to some patch.
    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "(a|name|delete|replace|/metadata|/spec/containers/0|/-|[a-z/~]{0,4})"
                .prop_map(Value::from),
        ];
        let name = "(op|path|from|value|spec|metadata|containers|finalizers|name|ports|\\$patch|\\$retainKeys|\\$setElementOrder/containers|\\$setElementOrder/finalizers|\\$deleteFromPrimitiveList/finalizers|[a-z]{1,2})";
        leaf.prop_recursive(5, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_patch_panics(object in anything(), patch in anything(), form in 0..3) {
            let form = [PatchType::Json, PatchType::Merge, PatchType::StrategicMerge][form as usize];
            let kind = schema().find("io.k8s.api.core.v1.Pod").unwrap();
            if let Ok(patch) = Patch::parse(form, patch.to_string().as_bytes()) {
                let _ = patch.apply(object, kind);
            }
        }
    }
}
