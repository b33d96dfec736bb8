//! JSON values as parts of a field path: totally ordered, numbers by what they are worth.

use std::cmp::Ordering;
use std::fmt;

use burgee_wire::{encode, quoted};
use serde_json::{Number, Value};

/// A JSON value that tells list items apart: the item of a set, or the value of a key.
///
/// The order is that of upstream's field sets: numbers, strings, booleans, lists, objects, null. `1`
/// and `1.0` are the same.
#[derive(Clone, Debug)]
pub struct Literal(Value);

impl Literal {
    /// The value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// Its JSON, as Go writes it.
    pub(crate) fn write_json(&self, out: &mut String) {
        match &self.0 {
            Value::Number(number) => out.push_str(&number_text(number)),
            other => out.push_str(&encode::any(other)),
        }
    }
}

impl From<Value> for Literal {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl Ord for Literal {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for Literal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Literal {}

impl fmt::Display for Literal {
    /// As paths show it: text in quotes, everything else as JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::String(text) => f.write_str(&quoted(text)),
            Value::Number(number) => f.write_str(&number_text(number)),
            other => f.write_str(&encode::any(other)),
        }
    }
}

/// A borrowed [`Literal`], for indices over lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LiteralRef<'v>(pub(crate) &'v Value);

impl Ord for LiteralRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.0, other.0)
    }
}

impl PartialOrd for LiteralRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for LiteralRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for LiteralRef<'_> {}

/// Compares two JSON values; see [`Literal`] for the order.
pub(crate) fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Array(left), Value::Array(right)) => {
            let pairs = left.iter().zip(right);
            pairs
                .map(|(left, right)| compare(left, right))
                .find(|order| order.is_ne())
                .unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        (Value::Object(left), Value::Object(right)) => {
            let pairs = left.iter().zip(right);
            pairs
                .map(|(left, right)| left.0.cmp(right.0).then_with(|| compare(left.1, right.1)))
                .find(|order| order.is_ne())
                .unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        _ => rank(left).cmp(&rank(right)),
    }
}

/// Whether two JSON values are worth the same.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    left == right || compare(left, right).is_eq()
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}

fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        // An integral double became an integer above, so that no two kinds of number are ever equal.
        _ => {
            let (left, right) = (left.as_f64(), right.as_f64());
            left.unwrap_or(0.0).total_cmp(&right.unwrap_or(0.0))
        }
    }
}

/// The number as an integer, also when it is an integral double such as `80.0`.
fn integer(number: &Number) -> Option<i128> {
    if let Some(integer) = number.as_i128() {
        return Some(integer);
    }
    let double = number.as_f64()?;
    // Every double in this range is exactly an integer of that size when it has no fraction.
    #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
    (double.fract() == 0.0 && double.abs() < 1e30).then_some(double as i128)
}

fn number_text(number: &Number) -> String {
    integer(number).map_or_else(|| number.to_string(), |integer| integer.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn kinds_stand_in_upstreams_order() {
        let sorted = [
            json!(-1),
            json!(9),
            json!(9.5),
            json!(10),
            json!("10"),
            json!("9"),
            json!(false),
            json!(true),
            json!([1]),
            json!([1, 2]),
            json!({"a": 1}),
            json!({"a": 2}),
            json!({"b": 1}),
            json!(null),
        ];
        for (index, left) in sorted.iter().enumerate() {
            for (other, right) in sorted.iter().enumerate() {
                assert_eq!(compare(left, right), index.cmp(&other), "{left} {right}");
            }
        }
    }

    #[test]
    fn an_integral_double_is_its_integer() {
        assert_eq!(Literal(json!(80.0)), Literal(json!(80)));
        assert_eq!(Literal(json!(80.0)).to_string(), "80");
        assert_eq!(Literal(json!("a\"b")).to_string(), r#""a\"b""#);
    }

    proptest! {
        #[test]
        fn numbers_are_totally_ordered(a: f64, b: i64, c: f64) {
            prop_assume!(a.is_finite() && c.is_finite());
            let (a, b, c) = (json!(a), json!(b), json!(c));
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }
    }
}
