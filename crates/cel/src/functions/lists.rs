//! Lists: Kubernetes' library, version 3 of the lists extension, and sets.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Outcome;
use crate::budget::Budget;
use crate::error::EvaluationError;
use crate::expand::SORT_BY_KEYS;
use crate::operations;
use crate::value::CelValue::{self, Bool, Int, List};

pub(super) fn call(name: &str, arguments: &[CelValue], budget: &mut Budget) -> Option<Outcome> {
    if let ("includes", [value, item]) = (name, arguments) {
        return Some(match value {
            List(_) => operations::contains(value, item, budget).map(Bool),
            other => other.equals(item, budget).map(Bool),
        });
    }
    if let ("lists.range", [Int(count)]) = (name, arguments) {
        return Some(range(*count, budget));
    }
    let [List(items), rest @ ..] = arguments else {
        return None;
    };
    let outcome = match (name, rest) {
        ("distinct", []) => distinct(items, budget),
        ("first", []) => Ok(optional(items.first())),
        ("last", []) => Ok(optional(items.last())),
        ("flatten", []) => flatten(items, 1, budget).map(CelValue::list),
        ("flatten", [Int(depth)]) => match usize::try_from(*depth) {
            Ok(depth) => flatten(items, depth, budget).map(CelValue::list),
            Err(_) => Err(EvaluationError::function("level must be non-negative")),
        },
        ("indexOf", [item]) => index_of(items.iter().enumerate(), item, budget),
        ("lastIndexOf", [item]) => index_of(items.iter().enumerate().rev(), item, budget),
        ("isSorted", []) => is_sorted(items, budget),
        ("min", []) => extreme(items, "min", Ordering::Less, budget),
        ("max", []) => extreme(items, "max", Ordering::Greater, budget),
        ("sum", []) => sum(items, budget),
        ("reverse", []) => budget
            .charge(items.len())
            .map(|()| CelValue::list(items.iter().rev().cloned().collect())),
        ("slice", [Int(start), Int(end)]) => slice(items, *start, *end, budget),
        ("sort", []) => sorted(items, items, budget),
        (SORT_BY_KEYS, [List(keys)]) => sorted(items, keys, budget),
        ("sets.contains", [List(others)]) => contains_all(items, others, budget).map(Bool),
        ("sets.equivalent", [List(others)]) => contains_all(items, others, budget)
            .and_then(|contains| Ok(contains && contains_all(others, items, budget)?))
            .map(Bool),
        ("sets.intersects", [List(others)]) => intersects(items, others, budget).map(Bool),
        _ => return None,
    };
    Some(outcome)
}

fn optional(item: Option<&CelValue>) -> CelValue {
    item.map_or(CelValue::NONE, |item| CelValue::some(item.clone()))
}

fn range(count: i64, budget: &mut Budget) -> Outcome {
    budget.charge(usize::try_from(count).unwrap_or(0))?;
    Ok(CelValue::list((0..count).map(Int).collect()))
}

fn distinct(items: &[CelValue], budget: &mut Budget) -> Outcome {
    let mut distinct: Vec<CelValue> = Vec::new();
    for item in items {
        if !has(&distinct, item, budget)? {
            distinct.push(item.clone());
        }
    }
    Ok(CelValue::list(distinct))
}

fn flatten(
    items: &[CelValue],
    depth: usize,
    budget: &mut Budget,
) -> Result<Vec<CelValue>, EvaluationError> {
    let mut flat = Vec::new();
    for item in items {
        budget.charge(1)?;
        match item {
            List(inner) if depth > 0 => flat.extend(flatten(inner, depth - 1, budget)?),
            item => flat.push(item.clone()),
        }
    }
    budget.charge(flat.len())?;
    Ok(flat)
}

fn index_of<'i>(
    mut items: impl Iterator<Item = (usize, &'i CelValue)>,
    item: &CelValue,
    budget: &mut Budget,
) -> Outcome {
    items
        .find_map(|(index, own)| match own.equals(item, budget) {
            Ok(false) => None,
            Ok(true) => Some(Ok(CelValue::count(index))),
            Err(error) => Some(Err(error)),
        })
        .unwrap_or(Ok(Int(-1)))
}

fn is_sorted(items: &[CelValue], budget: &mut Budget) -> Outcome {
    for pair in items.windows(2) {
        if let [a, b] = pair
            && a.compare(b, budget)? == Some(Ordering::Greater)
        {
            return Ok(Bool(false));
        }
    }
    Ok(Bool(true))
}

fn extreme(items: &[CelValue], name: &str, wanted: Ordering, budget: &mut Budget) -> Outcome {
    let mut items = items.iter();
    let first = items
        .next()
        .ok_or_else(|| EvaluationError::Function(format!("{name} called on empty list")))?;
    let mut found = first;
    for item in items {
        if item.compare(found, budget)? == Some(wanted) {
            found = item;
        }
    }
    Ok(found.clone())
}

fn sum(items: &[CelValue], budget: &mut Budget) -> Outcome {
    let mut items = items.iter();
    let Some(first) = items.next() else {
        return Ok(Int(0));
    };
    if !matches!(
        first,
        Int(_) | CelValue::Uint(_) | CelValue::Double(_) | CelValue::Duration(_)
    ) {
        return Err(EvaluationError::NoSuchOverload);
    }
    let mut total = first.clone();
    for item in items {
        budget.charge(1)?;
        total = operations::add(&mut total, item, budget)?;
    }
    Ok(total)
}

fn slice(items: &[CelValue], start: i64, end: i64, budget: &mut Budget) -> Outcome {
    let refused = |problem: &str| {
        EvaluationError::Function(format!("cannot slice({start}, {end}), {problem}"))
    };
    let (Ok(from), Ok(to)) = (usize::try_from(start), usize::try_from(end)) else {
        return Err(refused("negative indexes not supported"));
    };
    if from > to {
        return Err(refused(
            "start index must be less than or equal to end index",
        ));
    }
    let part = items
        .get(from..to)
        .ok_or_else(|| refused(&format!("list is length {}", items.len())))?;
    budget.charge(part.len())?;
    Ok(CelValue::list(part.to_vec()))
}

/// The items in the order of their keys; items of equal keys stay in place.
///
/// Not-a-number comes last, where upstream leaves the order open: a sort needs a total order. All of
/// the cost is charged before, so that no comparison can fail half-way.
fn sorted(items: &[CelValue], keys: &[CelValue], budget: &mut Budget) -> Outcome {
    budget.charge(items.len())?;
    let mut pairs: Vec<(&CelValue, &CelValue)> = keys.iter().zip(items).collect();
    let Some((first, _)) = pairs.first() else {
        return Ok(CelValue::list(Vec::new()));
    };
    if keys.iter().any(|key| key.type_name() != first.type_name()) {
        return Err(EvaluationError::function(
            "list elements must have the same type",
        ));
    }
    // Refuses keys of a type without an order.
    first.order(first)?;
    let rounds = usize::try_from(keys.len().ilog2()).unwrap_or(usize::MAX) + 1;
    for key in keys {
        budget.charge((1 + key.text_len().div_ceil(10)) * rounds)?;
    }
    pairs.sort_by(|(a, _), (b, _)| {
        let order = a.order(b).ok().flatten();
        order.unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
    });
    Ok(CelValue::list(
        pairs.into_iter().map(|(_, item)| item.clone()).collect(),
    ))
}

fn has(items: &[CelValue], item: &CelValue, budget: &mut Budget) -> Result<bool, EvaluationError> {
    for own in items {
        if own.equals(item, budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn contains_all(
    items: &Arc<Vec<CelValue>>,
    others: &Arc<Vec<CelValue>>,
    budget: &mut Budget,
) -> Result<bool, EvaluationError> {
    for other in others.iter() {
        if !has(items, other, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn intersects(
    items: &[CelValue],
    others: &[CelValue],
    budget: &mut Budget,
) -> Result<bool, EvaluationError> {
    for other in others {
        if has(items, other, budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}
