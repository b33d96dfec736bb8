//! JSON patch (RFC 6902), with limits on what a small patch can make of an object.

use ::json_patch::{PatchOperation, patch_unsafe};
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
pub(crate) struct Operations(Vec<PatchOperation>);

impl Operations {
    pub(crate) fn new(patch: Value) -> Result<Self, Error> {
        let malformed = |error: &dyn std::fmt::Display| {
            Error::Malformed(format!("error decoding patch: {error}"))
        };
        let Value::Array(operations) = patch else {
            return Err(malformed(&"a JSON patch is a list of operations"));
        };
        if operations.len() > MAX_OPERATIONS {
            return Err(Error::TooManyOperations(operations.len()));
        }
        serde_json::from_value(Value::Array(operations))
            .map(Self)
            .map_err(|error| malformed(&error))
    }

    pub(crate) fn apply(&self, mut object: Value) -> Result<Value, Error> {
        let mut budget = Budget::default();
        for operation in &self.0 {
            budget.spend(operation, &object)?;
            patch_unsafe(&mut object, std::slice::from_ref(operation))
                .map_err(|error| Error::Unprocessable(error.kind.to_string()))?;
        }
        Ok(object)
    }
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
            return Err(Error::Unprocessable(
                "the patch copies or moves too much".to_owned(),
            ));
        }
        if operation.path().count().saturating_add(depth) > MAX_DEPTH {
            return Err(Error::Unprocessable(
                "the patch nests too deeply".to_owned(),
            ));
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
        Operations::new(patch)?.apply(object)
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
        ];
        for patch in table {
            let error = patched(json!({"a": 1, "l": []}), patch.clone()).unwrap_err();
            assert_eq!(error.status().code, 422, "{patch}");
        }
    }

    #[test]
    fn what_is_no_list_of_operations_is_malformed() {
        let table = [
            json!({}),
            json!([{"op": "bake", "path": "/a"}]),
            json!([{"op": "add", "path": "a", "value": 1}]),
            json!([{"op": "add", "value": 1}]),
        ];
        for patch in table {
            assert_eq!(Operations::new(patch).unwrap_err().status().code, 400);
        }
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
