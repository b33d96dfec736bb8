//! Lists that merge.

use std::collections::{BTreeMap, BTreeSet};

use burgee_wire::schema::Shape;
use serde_json::Value;

use super::{DIRECTIVE, merge_members, unknown_directive};
use crate::Error;
use crate::literal::LiteralRef;

/// A merged list, and what its order follows.
pub(super) struct Merged {
    /// The items, in whatever order merging left them.
    pub(super) items: Vec<Value>,
    /// Items that are in here come in this order.
    pub(super) patch_order: Vec<Value>,
    /// All others keep the order that they have in here.
    pub(super) live_order: Vec<Value>,
    /// The member that tells items apart; `None` for scalars.
    pub(super) key: Option<&'static str>,
}

impl Merged {
    /// Checks that every item can be told from the others.
    pub(super) fn check(&self) -> Result<(), Error> {
        item_kind(&[&self.items])?;
        let Some(key) = self.key else {
            return Ok(());
        };
        let mut all = self.items.iter().chain(&self.patch_order);
        match all.any(|item| item.get(key).is_none()) {
            true => Err(no_merge_key(key)),
            false => Ok(()),
        }
    }

    /// The items in order. Those that the patch does not order go before the first patched item that
    /// they stood before, too, in the live list.
    pub(super) fn in_order(self) -> Vec<Value> {
        let Self {
            items,
            patch_order,
            live_order,
            key,
        } = self;
        let by_patch = positions(&patch_order, key);
        let by_live = positions(&live_order, key);
        let place = |index: &BTreeMap<LiteralRef<'_>, usize>, item: &Value| {
            index.get(&identity(item, key)).copied()
        };
        let (mut patched, mut others): (Vec<_>, Vec<_>) = items
            .into_iter()
            .partition(|item| place(&by_patch, item).is_some());
        patched.sort_by_cached_key(|item| place(&by_patch, item));
        others.sort_by_cached_key(|item| place(&by_live, item));

        let mut ordered = Vec::with_capacity(patched.len() + others.len());
        let mut patched = patched.into_iter().peekable();
        for other in others {
            let own = place(&by_live, &other);
            // An item that only the patch has is before whatever comes.
            while let Some(next) = patched.next_if(|next| {
                let next = place(&by_live, next);
                next.is_none() || own.is_none() || next < own
            }) {
                ordered.push(next);
            }
            ordered.push(other);
        }
        ordered.extend(patched);
        ordered
    }
}

/// Merges the list of a patch into that of an object.
pub(super) fn merge_lists(
    live: Vec<Value>,
    patch: Vec<Value>,
    item: &Shape,
    key: Option<&'static str>,
) -> Result<Merged, Error> {
    match (item_kind(&[&live, &patch])?, key) {
        (ItemKind::Object, None) => {
            let text = "cannot merge lists without merge key for slice".to_owned();
            Err(Error::Invalid(text))
        }
        (ItemKind::Object, Some(key)) => merge_objects(live, patch, item, key),
        (ItemKind::Empty | ItemKind::Scalar, _) => {
            let mut seen = BTreeSet::new();
            let items = live.iter().chain(&patch);
            let items = items.filter(|item| seen.insert(LiteralRef(item)));
            let items = items.cloned().collect();
            Ok(Merged {
                items,
                patch_order: patch,
                live_order: live,
                key: None,
            })
        }
    }
}

/// `$deleteFromPrimitiveList`: the items that are not in `deleted`.
pub(super) fn without(live: Vec<Value>, deleted: &[Value]) -> Result<Vec<Value>, Error> {
    if item_kind(&[&live, deleted])? == ItemKind::Object {
        return Err(Error::Malformed(
            "invalid patch format of primitive list".to_owned(),
        ));
    }
    let deleted: BTreeSet<_> = deleted.iter().map(LiteralRef).collect();
    let kept = live
        .into_iter()
        .filter(|item| !deleted.contains(&LiteralRef(item)));
    Ok(kept.collect())
}

/// Checks that the items of a patch appear in the order that its `$setElementOrder` gives.
pub(super) fn check_order(
    patch: &[Value],
    order: &[Value],
    key: Option<&'static str>,
) -> Result<(), Error> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    item_kind(&[patch, order])?;
    let plain = || patch.iter().filter(|item| item.get(DIRECTIVE).is_none());
    if let Some(key) = key
        && plain().chain(order).any(|item| item.get(key).is_none())
    {
        return Err(no_merge_key(key));
    }
    let mut order = order.iter();
    for item in plain() {
        let wanted = identity(item, key);
        if !order.any(|other| identity(other, key) == wanted) {
            let text = "the order in the patch list doesn't match the $setElementOrder list";
            return Err(Error::Invalid(text.to_owned()));
        }
    }
    Ok(())
}

fn merge_objects(
    mut live: Vec<Value>,
    patch: Vec<Value>,
    item: &Shape,
    key: &'static str,
) -> Result<Merged, Error> {
    let (plain, directed): (Vec<_>, Vec<_>) = patch
        .into_iter()
        .partition(|item| item.get(DIRECTIVE).is_none());
    let mut deleted = BTreeSet::new();
    let mut replaces = false;
    for item in &directed {
        match item.get(DIRECTIVE).and_then(Value::as_str) {
            Some("delete") => {
                let of_key = item.get(key).ok_or_else(|| no_merge_key(key))?;
                deleted.insert(LiteralRef(of_key));
            }
            Some("replace") => replaces = true,
            Some("merge") => {
                let text = "merging lists cannot yet be specified in the patch".to_owned();
                return Err(Error::Invalid(text));
            }
            _ => return Err(unknown_directive(item.get(DIRECTIVE))),
        }
    }
    if plain.iter().any(|item| item.get(key).is_none()) {
        return Err(no_merge_key(key));
    }
    if replaces {
        return Ok(Merged {
            patch_order: plain.clone(),
            items: plain,
            live_order: Vec::new(),
            key: Some(key),
        });
    }
    live.retain(|item| match item.get(key) {
        Some(value) => !deleted.contains(&LiteralRef(value)),
        None => true,
    });
    if live.iter().any(|item| item.get(key).is_none()) {
        return Err(no_merge_key(key));
    }
    let live_order = live.clone();
    let patch_order = plain.clone();
    let mut place = positions(&live_order, Some(key));
    for (value, same) in plain.into_iter().zip(&patch_order) {
        let identity = identity(same, Some(key));
        let old = place.get(&identity).and_then(|place| live.get_mut(*place));
        match (old, value) {
            (Some(old), Value::Object(new)) => {
                if let Value::Object(members) = old.take() {
                    *old = Value::Object(merge_members(members, new, item)?);
                }
            }
            (_, value) => {
                place.insert(identity, live.len());
                live.push(value);
            }
        }
    }
    Ok(Merged {
        items: live,
        patch_order,
        live_order,
        key: Some(key),
    })
}

/// Where each item stands; the first place of items that repeat.
fn positions<'v>(items: &'v [Value], key: Option<&str>) -> BTreeMap<LiteralRef<'v>, usize> {
    let mut positions = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        positions.entry(identity(item, key)).or_insert(index);
    }
    positions
}

/// What tells an item from the others.
fn identity<'v>(item: &'v Value, key: Option<&str>) -> LiteralRef<'v> {
    let identity = match key {
        Some(key) => item.get(key),
        None => Some(item),
    };
    LiteralRef(identity.unwrap_or(&Value::Null))
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ItemKind {
    Empty,
    Object,
    Scalar,
}

/// What the items of these lists are, all alike.
fn item_kind(lists: &[&[Value]]) -> Result<ItemKind, Error> {
    let mut first: Option<&Value> = None;
    for item in lists.iter().copied().flatten() {
        if item.is_array() {
            return Err(Error::Unprocessable(
                "lists of lists are not supported".to_owned(),
            ));
        }
        let known = first.get_or_insert(item);
        if std::mem::discriminant(*known) != std::mem::discriminant(item) {
            return Err(Error::Invalid(
                "list element types are not identical".to_owned(),
            ));
        }
    }
    Ok(match first {
        None => ItemKind::Empty,
        Some(Value::Object(_)) => ItemKind::Object,
        Some(_) => ItemKind::Scalar,
    })
}

fn no_merge_key(key: &str) -> Error {
    Error::Invalid(format!("map does not contain declared merge key: {key}"))
}
