//! An applied configuration laid over an object.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value};

use super::{Type, at_element, is_void};
use crate::{Error, Path, PathElement};

/// Lays `applied` over `live`. Nothing is removed; where both say something, `applied` counts. The
/// items of a list keep the live order unless `applied` has another.
///
/// # Errors
///
/// [`Error::Invalid`] when a list item lacks what tells it from the others, or `applied` has two items
/// that cannot be told apart.
pub(crate) fn merge(live: &Value, applied: &Value, ty: Type<'_>) -> Result<Value, Error> {
    let mut path = Path::default();
    let merged = merge_value(Some(live), Some(applied), ty, &mut path)?;
    Ok(merged.unwrap_or_else(|| Value::Object(Map::new())))
}

/// `None` where nothing remains.
fn merge_value(
    live: Option<&Value>,
    applied: Option<&Value>,
    ty: Type<'_>,
    path: &mut Path,
) -> Result<Option<Value>, Error> {
    if ty.is_leaf() || (is_void(live) && is_void(applied)) {
        return Ok(applied.or(live).cloned());
    }
    match ty {
        Type::Keyed(..) | Type::Set(_) => merge_items(live, applied, ty, path),
        _ => merge_members(live, applied, ty, path),
    }
}

fn merge_members(
    live: Option<&Value>,
    applied: Option<&Value>,
    ty: Type<'_>,
    path: &mut Path,
) -> Result<Option<Value>, Error> {
    let live = live.and_then(Value::as_object);
    let applied = applied.and_then(Value::as_object);
    let names: BTreeSet<&String> = [live, applied]
        .into_iter()
        .flatten()
        .flat_map(|m| m.keys())
        .collect();
    let mut merged = Map::new();
    for name in names {
        let live = live.and_then(|members| members.get(name));
        let applied = applied.and_then(|members| members.get(name));
        let value = match (ty.member(name), applied) {
            (Some(member_type), Some(_)) => {
                path.push(PathElement::field(name));
                let value = merge_value(live, applied, member_type, path)?;
                path.pop();
                value
            }
            _ => applied.or(live).cloned(),
        };
        if let Some(value) = value {
            merged.insert(name.clone(), value);
        }
    }
    Ok((!merged.is_empty()).then_some(Value::Object(merged)))
}

fn merge_items(
    live: Option<&Value>,
    applied: Option<&Value>,
    ty: Type<'_>,
    path: &mut Path,
) -> Result<Option<Value>, Error> {
    let applied = Items::index(applied, ty, path, Repeats::Refused)?;
    let live = Items::index(live, ty, path, Repeats::Allowed)?;
    let mut merged = Vec::with_capacity(live.list.len().max(applied.list.len()));
    let mut take = |element: &PathElement, live: Option<&Value>, applied: Option<&Value>| {
        let Some(item_type) = ty.item() else {
            return Ok(());
        };
        path.push(element.clone());
        let item = merge_value(live, applied, item_type, path)?;
        path.pop();
        merged.extend(item);
        Ok::<_, Error>(())
    };

    // Walks both lists at once. Items of the live list alone go where they stand; shared items go in
    // the order that the applied list has them.
    let mut shared: VecDeque<&PathElement> = applied.order.iter().filter(|e| live.has(e)).collect();
    let mut taken = BTreeSet::new();
    let (mut at_live, mut at_applied) = (0, 0);
    loop {
        let in_live = live.order.get(at_live);
        let in_applied = applied.order.get(at_applied);
        if let (Some(in_live), Some(in_applied)) = (in_live, in_applied) {
            if in_live == in_applied {
                taken.insert(in_live);
                take(in_live, live.value(in_live), applied.value(in_live))?;
                at_live += 1;
                at_applied += 1;
                shared.pop_front();
                continue;
            }
            let not_yet = shared.front().is_some_and(|next| *next != in_live);
            if applied.has(in_live) && not_yet {
                at_live += 1;
                continue;
            }
        }
        if let Some(in_live) = in_live {
            if !applied.has(in_live) {
                take(in_live, live.list.get(at_live), None)?;
                at_live += 1;
                continue;
            }
            if taken.contains(in_live) {
                at_live += 1;
            }
        }
        match in_applied {
            Some(in_applied) => {
                taken.insert(in_applied);
                take(
                    in_applied,
                    live.value(in_applied),
                    applied.value(in_applied),
                )?;
                at_applied += 1;
                if shared.front() == Some(&in_applied) {
                    shared.pop_front();
                }
            }
            // Every applied item is taken, so that what is left of the live list advances above.
            None if in_live.is_none() => break,
            None => {}
        }
    }
    Ok((!merged.is_empty()).then_some(Value::Array(merged)))
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Repeats {
    Allowed,
    Refused,
}

/// A list and what tells its items apart.
struct Items<'v> {
    list: &'v [Value],
    order: Vec<PathElement>,
    /// The first item of each path; `None` for items that cannot be told apart.
    by_element: BTreeMap<PathElement, Option<&'v Value>>,
}

impl<'v> Items<'v> {
    fn index(
        list: Option<&'v Value>,
        ty: Type<'_>,
        path: &Path,
        repeats: Repeats,
    ) -> Result<Self, Error> {
        let list = list
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let mut order = Vec::with_capacity(list.len());
        let mut by_element = BTreeMap::new();
        for (index, item) in list.iter().enumerate() {
            let element = ty.element_of(item);
            let element = element.map_err(|error| at_element(path, index, &error))?;
            if by_element.contains_key(&element) {
                if repeats == Repeats::Refused {
                    let text = format!("{path}: duplicate entries for key {element}");
                    return Err(Error::Invalid(text));
                }
                by_element.insert(element.clone(), None);
            } else {
                by_element.insert(element.clone(), Some(item));
            }
            order.push(element);
        }
        Ok(Self {
            list,
            order,
            by_element,
        })
    }

    fn has(&self, element: &PathElement) -> bool {
        self.by_element.contains_key(element)
    }

    fn value(&self, element: &PathElement) -> Option<&'v Value> {
        self.by_element.get(element).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burgee_wire::schema::schema;
    use proptest::prelude::*;
    use serde_json::json;

    fn finalizers(live: &[&str], applied: &[&str]) -> Vec<String> {
        let config_map = schema().find("io.k8s.api.core.v1.ConfigMap").unwrap();
        let object = |list: &[&str]| json!({"metadata": {"finalizers": list}});
        let merged = merge(&object(live), &object(applied), Type::of_kind(config_map)).unwrap();
        serde_json::from_value(merged["metadata"]["finalizers"].clone()).unwrap_or_default()
    }

    #[test]
    fn lists_keep_the_live_order_unless_the_applied_one_differs() {
        let table: [(&[&str], &[&str], &[&str]); 9] = [
            (&["a", "b"], &["a", "b"], &["a", "b"]),
            (&["a", "b"], &["b", "a"], &["b", "a"]),
            (&["a", "b", "c"], &["c", "a"], &["b", "c", "a"]),
            (&["a", "b"], &["c"], &["a", "b", "c"]),
            (&["a", "b"], &["c", "b"], &["a", "c", "b"]),
            (
                &["x", "a", "y", "b", "z"],
                &["b", "a"],
                &["x", "y", "b", "z", "a"],
            ),
            (&[], &["a"], &["a"]),
            (&["a"], &[], &["a"]),
            (&["a", "a", "b"], &["b", "c"], &["a", "a", "b", "c"]),
        ];
        for (live, applied, expected) in table {
            assert_eq!(finalizers(live, applied), expected, "{live:?} {applied:?}");
        }
    }

    proptest! {
        #[test]
        fn every_item_is_there_once_and_in_the_applied_order(
            live in prop::collection::vec("[a-h]", 0..8),
            applied in prop::collection::btree_set("[a-h]", 0..8),
            shuffle in any::<prop::sample::Index>(),
        ) {
            let mut applied: Vec<_> = applied.into_iter().collect();
            if !applied.is_empty() {
                let middle = shuffle.index(applied.len());
                applied.rotate_left(middle);
            }
            let live: Vec<&str> = live.iter().map(String::as_str).collect();
            let applied: Vec<&str> = applied.iter().map(String::as_str).collect();
            let merged = finalizers(&live, &applied);
            let kept: Vec<_> = merged.iter().filter(|item| applied.contains(&item.as_str())).collect();
            prop_assert_eq!(kept, applied.iter().collect::<Vec<_>>());
            for item in live.iter().filter(|item| !applied.contains(item)) {
                let count = |list: &[&str]| list.iter().filter(|other| other == &item).count();
                let merged: Vec<&str> = merged.iter().map(String::as_str).collect();
                prop_assert_eq!(count(&merged), count(&live));
            }
        }
    }
}
