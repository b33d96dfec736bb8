//! JSON patch (RFC 6902), with limits on what a small patch can make of an object.

use ::json_patch::{PatchOperation, patch_unsafe};
use burgee_wire::decode::Problem;
use serde_json::Value;

use crate::Error;

/// Operations that a JSON patch may have, as upstream.
pub const MAX_OPERATIONS: usize = 10_000;

/// Bytes that all `copy` operations of a patch together may add, as upstream. Without it, a patch of a
/// few hundred bytes doubles an object until memory ends.
const MAX_COPIED_BYTES: usize = 3 * 1024 * 1024;

/// Bytes that all `move` operations together may touch.
const MAX_MOVED_BYTES: usize = 64 * 1024 * 1024;

/// Nesting that a patch may lead to. Bodies have 128 levels at most; without this limit, operations
/// could pile up hundreds of thousands and exhaust the stack.
const MAX_DEPTH: usize = 256;

/// The operations of a JSON patch.
#[derive(Debug)]
pub(crate) struct Operations(Vec<Operation>);

/// An operation, or why there is none of that kind; upstream notices only when it applies it.
type Operation = Result<PatchOperation, String>;

impl Operations {
    /// Reads the operations, and names members that no operation has.
    pub(crate) fn new(patch: Value) -> Result<(Self, Vec<Problem>), Error> {
        let operations = match patch {
            Value::Array(operations) => operations,
            other => return Err(wrong_type(&other, "[]handlers.jsonPatchOp")),
        };
        if operations.len() > MAX_OPERATIONS {
            return Err(Error::TooManyOperations(operations.len()));
        }
        let mut problems = Vec::new();
        let mut read = Vec::with_capacity(operations.len());
        for (index, operation) in operations.into_iter().enumerate() {
            let Value::Object(members) = &operation else {
                return Err(wrong_type(&operation, "handlers.jsonPatchOp"));
            };
            for (name, value) in members {
                match name.as_str() {
                    "op" | "path" | "from" if value.is_string() || value.is_null() => {}
                    "op" | "path" | "from" => return Err(wrong_type(value, "string")),
                    "value" => {}
                    _ => problems.push(Problem::Unknown(format!("[{index}].{name}"))),
                }
            }
            let operation = serde_json::from_value(operation);
            read.push(operation.map_err(|error| error.to_string()));
        }
        Ok((Self(read), problems))
    }

    pub(crate) fn apply(&self, mut object: Value) -> Result<Value, Error> {
        let mut budget = Budget::default();
        for operation in &self.0 {
            let operation = operation.as_ref().map_err(|error| unprocessable(error))?;
            if tests_absence(operation, &object) {
                continue;
            }
            budget.spend(operation, &object)?;
            patch_unsafe(&mut object, std::slice::from_ref(operation))
                .map_err(|error| unprocessable(&error.kind.to_string()))?;
        }
        Ok(object)
    }
}

/// Whether a test for null meets a member that is not there, which upstream lets pass.
fn tests_absence(operation: &PatchOperation, object: &Value) -> bool {
    let PatchOperation::Test(test) = operation else {
        return false;
    };
    let Some((parent, name)) = test.path.split_back() else {
        return false;
    };
    let parent = object.pointer(parent.as_str()).and_then(Value::as_object);
    test.value.is_null()
        && parent.is_some_and(|members| !members.contains_key(name.decoded().as_ref()))
}

/// The text of Go's decoder.
pub(crate) fn cannot_unmarshal(found: &Value, expected: &str) -> String {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("json: cannot unmarshal {found} into Go value of type {expected}")
}

/// A JSON patch whose JSON is of another type than Go's decoder expects.
fn wrong_type(found: &Value, expected: &str) -> Error {
    let text = cannot_unmarshal(found, expected);
    Error::Malformed(format!("error decoding patch: {text}"))
}

fn unprocessable(text: &str) -> Error {
    Error::Unprocessable(text.to_owned())
}

/// What the operations so far have cost.
#[derive(Default)]
struct Budget {
    copied: usize,
    moved: usize,
}

impl Budget {
    fn spend(&mut self, operation: &PatchOperation, object: &Value) -> Result<(), Error> {
        let depth = match operation {
            PatchOperation::Add(add) => measure(&add.value).depth,
            PatchOperation::Replace(replace) => measure(&replace.value).depth,
            PatchOperation::Copy(copy) => {
                let found = object
                    .pointer(copy.from.as_str())
                    .map(measure)
                    .unwrap_or_default();
                self.copied = self.copied.saturating_add(found.bytes);
                found.depth
            }
            PatchOperation::Move(to) => {
                let found = object
                    .pointer(to.from.as_str())
                    .map(measure)
                    .unwrap_or_default();
                self.moved = self.moved.saturating_add(found.bytes);
                found.depth
            }
            PatchOperation::Remove(_) | PatchOperation::Test(_) => 0,
        };
        if self.copied > MAX_COPIED_BYTES || self.moved > MAX_MOVED_BYTES {
            return Err(unprocessable("the patch copies or moves too much"));
        }
        if operation.path().count().saturating_add(depth) > MAX_DEPTH {
            return Err(unprocessable("the patch nests too deeply"));
        }
        Ok(())
    }
}

/// How large a value is.
#[derive(Clone, Copy, Default)]
struct Size {
    /// Its JSON, more or less.
    bytes: usize,
    depth: usize,
}

/// Recursion is bounded because no value in an object is nested more than [`MAX_DEPTH`] levels.
fn measure(value: &Value) -> Size {
    let join = |all: Size, (name, value): (usize, &Value)| {
        let inner = measure(value);
        Size {
            bytes: all.bytes + name + inner.bytes,
            depth: all.depth.max(inner.depth + 1),
        }
    };
    let start = |bytes| Size { bytes, depth: 0 };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => start(8),
        Value::String(text) => start(text.len() + 2),
        Value::Array(items) => items.iter().map(|item| (1, item)).fold(start(2), join),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.len() + 4, value))
            .fold(start(2), join),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(object: Value, patch: Value) -> Result<Value, Error> {
        Operations::new(patch)?.0.apply(object)
    }

    #[test]
    fn operations_do_what_rfc_6902_says() {
        let table = [
            (
                json!({}),
                json!([{"op": "add", "path": "/a", "value": 1}]),
                json!({"a": 1}),
            ),
            (
                json!({"a": [1, 3]}),
                json!([{"op": "add", "path": "/a/1", "value": 2}]),
                json!({"a": [1, 2, 3]}),
            ),
            (
                json!({"a": [1]}),
                json!([{"op": "add", "path": "/a/-", "value": 2}]),
                json!({"a": [1, 2]}),
            ),
            (
                json!({"a": 1, "b": 2}),
                json!([{"op": "remove", "path": "/a"}]),
                json!({"b": 2}),
            ),
            (
                json!({"a": 1}),
                json!([{"op": "replace", "path": "/a", "value": null}]),
                json!({"a": null}),
            ),
            (
                json!({"a": {"b": 1}}),
                json!([{"op": "move", "from": "/a/b", "path": "/c"}]),
                json!({"a": {}, "c": 1}),
            ),
            (
                json!({"a": 1}),
                json!([{"op": "copy", "from": "/a", "path": "/b"}]),
                json!({"a": 1, "b": 1}),
            ),
            (
                json!({"a/b": 1, "m~n": 2}),
                json!([{"op": "test", "path": "/a~1b", "value": 1}, {"op": "remove", "path": "/m~0n"}]),
                json!({"a/b": 1}),
            ),
        ];
        for (object, patch, expected) in table {
            assert_eq!(patched(object, patch.clone()).unwrap(), expected, "{patch}");
        }
    }

    #[test]
    fn what_does_not_apply_is_unprocessable() {
        let table = [
            json!([{"op": "remove", "path": "/x"}]),
            json!([{"op": "replace", "path": "/x/y", "value": 1}]),
            json!([{"op": "test", "path": "/a", "value": 2}]),
            json!([{"op": "add", "path": "/l/9", "value": 2}]),
            json!([{"op": "move", "from": "/a", "path": "/a/b"}]),
            json!([{"op": "copy", "from": "/x", "path": "/b"}]),
            json!([{"op": "bake", "path": "/a"}]),
            json!([{"op": "add", "path": "a", "value": 1}]),
            json!([{"op": "add", "value": 1}]),
        ];
        for patch in table {
            let error = patched(json!({"a": 1, "l": []}), patch.clone()).unwrap_err();
            assert_eq!(error.status().code, 422, "{patch}");
        }
    }

    #[test]
    fn what_is_no_list_of_operations_is_malformed() {
        let table = [
            (
                json!({}),
                "object into Go value of type []handlers.jsonPatchOp",
            ),
            (
                json!([1]),
                "number into Go value of type handlers.jsonPatchOp",
            ),
            (
                json!([{"op": "add", "path": 1}]),
                "number into Go value of type string",
            ),
        ];
        for (patch, text) in table {
            let status = Operations::new(patch).unwrap_err().status();
            let expected = format!("error decoding patch: json: cannot unmarshal {text}");
            assert_eq!((status.code, status.message), (400, expected));
        }
    }

    #[test]
    fn members_that_no_operation_has_are_told() {
        let patch = json!([{"op": "test", "path": "", "value": {}, "colour": 1}]);
        let (_, problems) = Operations::new(patch).unwrap();
        assert_eq!(problems, [Problem::Unknown("[0].colour".into())]);
    }

    #[test]
    fn null_is_the_value_of_a_member_that_is_not_there() {
        let test = |path: &str| json!([{"op": "test", "path": path, "value": null}]);
        let object = json!({"a": {"b": 1}});
        assert!(patched(object.clone(), test("/a/c")).is_ok());
        assert!(patched(object.clone(), test("/a/b")).is_err());
        assert!(patched(object, test("/x/c")).is_err());
    }

    #[test]
    fn the_number_of_operations_is_limited() {
        let many = vec![json!({"op": "test", "path": "", "value": {}}); MAX_OPERATIONS + 1];
        let status = Operations::new(Value::Array(many)).unwrap_err().status();
        assert_eq!(status.code, 413);
        assert_eq!(
            status.message,
            "The allowed maximum operations in a JSON patch is 10000, got 10001"
        );
    }

    #[test]
    fn an_object_cannot_be_doubled_for_ever() {
        let double = json!({"op": "copy", "from": "/a", "path": "/a/-"});
        let patch = Value::Array(vec![double; 64]);
        let error = patched(json!({"a": ["x".repeat(1000)]}), patch).unwrap_err();
        assert_eq!(error.to_string(), "the patch copies or moves too much");
    }

    #[test]
    fn an_object_cannot_be_nested_for_ever() {
        let wrap = [
            json!({"op": "add", "path": "/b", "value": {}}),
            json!({"op": "move", "from": "/a", "path": "/b/c"}),
            json!({"op": "move", "from": "/b", "path": "/a"}),
        ];
        let patch = Value::Array(wrap.iter().cycle().take(3000).cloned().collect());
        let error = patched(json!({"a": {}}), patch).unwrap_err();
        assert_eq!(error.to_string(), "the patch nests too deeply");
    }
}
