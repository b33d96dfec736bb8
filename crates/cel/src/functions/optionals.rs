//! Values that may be missing.

use super::Outcome;
use crate::error::EvaluationError;
use crate::value::CelValue::{self, Bool, List, Optional};

pub(super) fn call(name: &str, arguments: &[CelValue]) -> Option<Outcome> {
    let outcome = match (name, arguments) {
        ("optional.none", []) => Ok(CelValue::NONE),
        ("optional.of", [value]) => Ok(CelValue::some(value.clone())),
        ("optional.ofNonZeroValue", [value]) if value.is_zero() => Ok(CelValue::NONE),
        ("optional.ofNonZeroValue", [value]) => Ok(CelValue::some(value.clone())),
        ("hasValue", [Optional(inner)]) => Ok(Bool(inner.is_some())),
        ("value", [Optional(inner)]) => inner
            .as_deref()
            .cloned()
            .ok_or(EvaluationError::NoneDereference),
        ("optional.unwrap" | "unwrapOpt", [List(items)]) => items
            .iter()
            .filter_map(|item| match item {
                Optional(inner) => inner.as_deref().cloned().map(Ok),
                _ => Some(Err(EvaluationError::NoSuchOverload)),
            })
            .collect::<Result<_, _>>()
            .map(CelValue::list),
        _ => return None,
    };
    Some(outcome)
}
