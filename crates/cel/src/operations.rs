//! What operators do with values.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use cel::common::ast::operators;

use crate::budget::Budget;
use crate::error::EvaluationError::{
    self, DivisionByZero, IndexOutOfBounds, ModulusByZero, NoSuchKey, NoSuchOverload, Overflow,
};
use crate::value::CelValue::{self, Bool, Bytes, Double, Duration, Int, Timestamp, Uint};
use crate::value::{Key, whole};

/// The function that the macros of two-variable loops call; no source text can spell it.
pub(crate) const MAP_INSERT: &str = "cel.@mapInsert";

type Outcome = Result<CelValue, EvaluationError>;

/// The result of the operator `name`; nothing if that is no operator.
pub(crate) fn operate(
    name: &str,
    arguments: &mut [CelValue],
    budget: &mut Budget,
) -> Option<Outcome> {
    let outcome = match (name, arguments) {
        (operators::LOGICAL_NOT, [Bool(value)]) => Ok(Bool(!*value)),
        (operators::NEGATE, [Int(value)]) => {
            value.checked_neg().map(Int).ok_or(Overflow("integer"))
        }
        (operators::NEGATE, [Double(value)]) => Ok(Double(-*value)),
        (operators::LOGICAL_NOT | operators::NEGATE, _) => Err(NoSuchOverload),
        (operators::ADD, [left, right]) => add(left, right, budget),
        (operators::SUBSTRACT, [left, right]) => subtract(left, right),
        (operators::MULTIPLY, [left, right]) => multiply(left, right),
        (operators::DIVIDE, [left, right]) => divide(left, right),
        (operators::MODULO, [left, right]) => modulo(left, right),
        (operators::EQUALS, [left, right]) => left.equals(right, budget).map(Bool),
        (operators::NOT_EQUALS, [left, right]) => left.equals(right, budget).map(|it| Bool(!it)),
        (operators::LESS, [left, right]) => {
            ordered(left, right, budget, |order| order == Ordering::Less)
        }
        (operators::LESS_EQUALS, [left, right]) => {
            ordered(left, right, budget, |order| order != Ordering::Greater)
        }
        (operators::GREATER, [left, right]) => {
            ordered(left, right, budget, |order| order == Ordering::Greater)
        }
        (operators::GREATER_EQUALS, [left, right]) => {
            ordered(left, right, budget, |order| order != Ordering::Less)
        }
        (operators::IN, [item, container]) => contains(container, item, budget).map(Bool),
        (operators::INDEX, [container, key]) => {
            index(std::mem::replace(container, CelValue::Null), key, budget)
        }
        (operators::OPT_INDEX | operators::OPT_SELECT, [container, key]) => {
            find(std::mem::replace(container, CelValue::Null), key, budget)
        }
        (MAP_INSERT, [map, key, value]) => match Key::of(key) {
            Some(key) => extend(map, &[(key, value.clone())], budget),
            None => Err(NoSuchOverload),
        },
        (MAP_INSERT, [map, CelValue::Map(added)]) => {
            let added: Vec<_> = added
                .entries
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            extend(map, &added, budget)
        }
        _ => return None,
    };
    Some(outcome)
}

/// `container[key]` and `container.key`. An optional container gives an optional.
pub(crate) fn index(container: CelValue, key: &CelValue, budget: &mut Budget) -> Outcome {
    match container {
        CelValue::Optional(_) => find(container, key, budget),
        CelValue::List(items) => {
            let position = position(key).ok_or_else(|| {
                let kind = key.type_name();
                EvaluationError::Function(format!("unsupported index type '{kind}' in list"))
            })?;
            let item = usize::try_from(position).ok().and_then(|it| items.get(it));
            item.cloned().ok_or(IndexOutOfBounds(position))
        }
        CelValue::Map(map) => {
            let found = Key::of(key).ok_or(NoSuchOverload)?;
            budget.charge_text(found.len())?;
            map.find(&found)
                .cloned()
                .ok_or_else(|| NoSuchKey(shown(&found)))
        }
        // Upstream words it like this for a claim that is no object.
        _ => Err(Key::of(key).map_or(NoSuchOverload, |key| NoSuchKey(shown(&key)))),
    }
}

/// `container[?key]` and `container.?key`: what cannot be looked up is not there.
fn find(container: CelValue, key: &CelValue, budget: &mut Budget) -> Outcome {
    let Some(container) = container.unwrapped() else {
        return Ok(CelValue::NONE);
    };
    let found = match &container {
        CelValue::List(items) => position(key)
            .and_then(|position| usize::try_from(position).ok())
            .and_then(|position| items.get(position)),
        CelValue::Map(map) => match Key::of(key) {
            Some(key) => {
                budget.charge_text(key.len())?;
                map.find(&key)
            }
            None => None,
        },
        _ => None,
    };
    Ok(found.map_or(CelValue::NONE, |value| CelValue::some(value.clone())))
}

/// Puts an entry into a map that has none of that key yet.
fn insert(
    entries: &mut BTreeMap<Key, CelValue>,
    key: Key,
    value: CelValue,
    budget: &mut Budget,
) -> Result<(), EvaluationError> {
    budget.charge_text(key.len())?;
    if entries.contains_key(&key) {
        return Err(EvaluationError::DuplicateKey(shown(&key)));
    }
    entries.insert(key, value);
    Ok(())
}

/// Whether `item in container`.
pub(crate) fn contains(
    container: &CelValue,
    item: &CelValue,
    budget: &mut Budget,
) -> Result<bool, EvaluationError> {
    match container {
        CelValue::List(items) => {
            for other in items.iter() {
                if other.equals(item, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        CelValue::Map(map) => match Key::of(item) {
            Some(key) => {
                budget.charge_text(key.len())?;
                Ok(map.contains(&key))
            }
            None => Ok(false),
        },
        _ => Err(NoSuchOverload),
    }
}

/// `left + right`. The left side is taken over where nothing else holds it, so that loops append in
/// place.
pub(crate) fn add(left: &mut CelValue, right: &CelValue, budget: &mut Budget) -> Outcome {
    match (&mut *left, right) {
        (CelValue::String(a), CelValue::String(b)) => {
            budget.charge_text(a.len() + b.len())?;
            Ok(CelValue::string(format!("{a}{b}")))
        }
        (CelValue::List(a), CelValue::List(b)) => {
            let copied = if Arc::get_mut(a).is_some() {
                0
            } else {
                a.len()
            };
            budget.charge(copied + b.len())?;
            Arc::make_mut(a).extend(b.iter().cloned());
            Ok(std::mem::replace(left, CelValue::Null))
        }
        (Bytes(a), Bytes(b)) => {
            budget.charge_text(a.len() + b.len())?;
            Ok(Bytes([a.as_ref(), b.as_ref()].concat().into()))
        }
        (Int(a), Int(b)) => a.checked_add(*b).map(Int).ok_or(Overflow("integer")),
        (Uint(a), Uint(b)) => a
            .checked_add(*b)
            .map(Uint)
            .ok_or(Overflow("unsigned integer")),
        (Double(a), Double(b)) => Ok(Double(*a + *b)),
        (Duration(a), Duration(b)) => a.checked_add(*b).map(Duration).ok_or(Overflow("duration")),
        (Timestamp(time), Duration(span)) => shifted(*time, Some(*span)),
        (Duration(span), Timestamp(time)) => shifted(*time, Some(*span)),
        _ => Err(NoSuchOverload),
    }
}

fn subtract(left: &CelValue, right: &CelValue) -> Outcome {
    match (left, right) {
        (Int(a), Int(b)) => a.checked_sub(*b).map(Int).ok_or(Overflow("integer")),
        (Uint(a), Uint(b)) => a
            .checked_sub(*b)
            .map(Uint)
            .ok_or(Overflow("unsigned integer")),
        (Double(a), Double(b)) => Ok(Double(a - b)),
        (Duration(a), Duration(b)) => a.checked_sub(*b).map(Duration).ok_or(Overflow("duration")),
        (Timestamp(a), Timestamp(b)) => Ok(Duration(a.duration_since(*b))),
        (Timestamp(time), Duration(span)) => shifted(*time, span.checked_neg()),
        _ => Err(NoSuchOverload),
    }
}

fn multiply(left: &CelValue, right: &CelValue) -> Outcome {
    match (left, right) {
        (Int(a), Int(b)) => a.checked_mul(*b).map(Int).ok_or(Overflow("integer")),
        (Uint(a), Uint(b)) => a
            .checked_mul(*b)
            .map(Uint)
            .ok_or(Overflow("unsigned integer")),
        (Double(a), Double(b)) => Ok(Double(a * b)),
        _ => Err(NoSuchOverload),
    }
}

fn divide(left: &CelValue, right: &CelValue) -> Outcome {
    match (left, right) {
        (Int(_), Int(0)) | (Uint(_), Uint(0)) => Err(DivisionByZero),
        (Int(a), Int(b)) => a.checked_div(*b).map(Int).ok_or(Overflow("integer")),
        (Uint(a), Uint(b)) => a
            .checked_div(*b)
            .map(Uint)
            .ok_or(Overflow("unsigned integer")),
        (Double(a), Double(b)) => Ok(Double(a / b)),
        _ => Err(NoSuchOverload),
    }
}

fn modulo(left: &CelValue, right: &CelValue) -> Outcome {
    match (left, right) {
        (Int(_), Int(0)) | (Uint(_), Uint(0)) => Err(ModulusByZero),
        (Int(a), Int(b)) => a.checked_rem(*b).map(Int).ok_or(Overflow("integer")),
        (Uint(a), Uint(b)) => a
            .checked_rem(*b)
            .map(Uint)
            .ok_or(Overflow("unsigned integer")),
        _ => Err(NoSuchOverload),
    }
}

fn shifted(time: jiff::Timestamp, span: Option<jiff::SignedDuration>) -> Outcome {
    span.and_then(|span| time.checked_add(span).ok())
        .map(Timestamp)
        .ok_or(Overflow("timestamp"))
}

/// A comparison; false when one side is not a number.
fn ordered(
    left: &CelValue,
    right: &CelValue,
    budget: &mut Budget,
    holds: fn(Ordering) -> bool,
) -> Outcome {
    let order = left.compare(right, budget)?;
    Ok(Bool(order.is_some_and(holds)))
}

fn position(key: &CelValue) -> Option<i64> {
    match key {
        Int(position) => Some(*position),
        Uint(position) => i64::try_from(*position).ok(),
        Double(position) => whole(*position),
        _ => None,
    }
}

fn shown(key: &Key) -> String {
    match key {
        Key::Bool(value) => value.to_string(),
        Key::Int(value) => value.to_string(),
        Key::String(text) => text.to_string(),
        Key::Uint(value) => value.to_string(),
    }
}

/// The map that two-variable loops build: this one with the entries added, in place where nothing
/// else holds it.
fn extend(map: &mut CelValue, added: &[(Key, CelValue)], budget: &mut Budget) -> Outcome {
    let CelValue::Map(entries) = &mut *map else {
        return Err(NoSuchOverload);
    };
    let copied = if Arc::get_mut(entries).is_some() {
        0
    } else {
        entries.entries.len()
    };
    budget.charge(copied + added.len())?;
    let entries = &mut Arc::make_mut(entries).entries;
    for (key, value) in added {
        insert(entries, key.clone(), value.clone(), budget)?;
    }
    Ok(std::mem::replace(map, CelValue::Null))
}
