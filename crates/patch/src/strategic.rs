//! Strategic merge patch: a partial object that the schema and members beginning with `$` direct.
//!
//! Upstream: `k8s.io/apimachinery/pkg/util/strategicpatch`.

use burgee_wire::schema::{PatchStrategy, Shape, StructRef};
use serde_json::{Map, Value};

use crate::Error;

mod lists;

use lists::{Merged, merge_lists};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_PRIMITIVE_LIST: &str = "$deleteFromPrimitiveList";
const SET_ELEMENT_ORDER: &str = "$setElementOrder";

/// Merges a patch into an object of a kind.
///
/// # Errors
///
/// - [`Error::Malformed`] for directives that are not of their form.
/// - [`Error::Unprocessable`] for lists of lists.
/// - [`Error::Invalid`] for directives that do not exist, items without their merge key, and lists
///   that mix kinds of items.
pub(crate) fn merge(
    object: Value,
    patch: Map<String, Value>,
    kind: StructRef,
) -> Result<Value, Error> {
    let object = match object {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    merge_members(object, patch, &Shape::Struct(kind)).map(Value::Object)
}

/// Merges a patch into the members of an object of a type.
fn merge_members(
    mut object: Map<String, Value>,
    mut patch: Map<String, Value>,
    shape: &Shape,
) -> Result<Map<String, Value>, Error> {
    if let Some(directive) = patch.remove(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => Ok(patch),
            Some("delete") => Ok(Map::new()),
            _ => Err(unknown_directive(Some(&directive))),
        };
    }
    retain_keys(&mut object, &mut patch)?;
    set_element_orders(&mut object, &mut patch, shape)?;

    for (name, value) in patch {
        let (name, is_deletion) = match name.strip_prefix(DELETE_FROM_PRIMITIVE_LIST) {
            Some(rest) => {
                let name = rest.strip_prefix('/');
                let name =
                    name.ok_or_else(|| malformed("invalid patch format of primitive list"))?;
                (name.to_owned(), true)
            }
            None => (name, false),
        };
        if value.is_null() {
            object.remove(&name);
            continue;
        }
        let merged = match (object.remove(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) if !is_deletion => {
                let (member, _) = member(shape, &name)?;
                Some(Value::Object(merge_members(old, new, member)?))
            }
            (Some(Value::Array(old)), Value::Array(new)) => {
                let (member, strategy) = member(shape, &name)?;
                Some(Value::Array(if is_deletion {
                    lists::without(old, &new)?
                } else if strategy.merge {
                    merge_lists(old, new, item(member)?, strategy.merge_key)?.in_order()
                } else {
                    new
                }))
            }
            (old, _) if is_deletion => old,
            (_, new) => without_directives(new),
        };
        if let Some(merged) = merged {
            object.insert(name, merged);
        }
    }
    Ok(object)
}

/// `$retainKeys`: of the object only these members stay, and the patch may have no others.
fn retain_keys(
    object: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
) -> Result<(), Error> {
    let Some(retained) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    let malformed = || malformed("invalid patch format of retainKeys");
    let retained = retained.as_array().ok_or_else(malformed)?;
    let retained: std::collections::BTreeSet<&str> =
        retained.iter().filter_map(Value::as_str).collect();
    let is_list_directive = |name: &str| {
        name.starts_with(DELETE_FROM_PRIMITIVE_LIST) || name.starts_with(SET_ELEMENT_ORDER)
    };
    let mut named = patch
        .iter()
        .filter(|(name, value)| !value.is_null() && !is_list_directive(name));
    if named.any(|(name, _)| !retained.contains(name.as_str())) {
        return Err(malformed());
    }
    object.retain(|name, _| retained.contains(name.as_str()));
    Ok(())
}

/// `$setElementOrder/NAME`: merges the list of that name and puts it into this order.
fn set_element_orders(
    object: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    shape: &Shape,
) -> Result<(), Error> {
    let directives = patch
        .keys()
        .filter(|name| name.starts_with(SET_ELEMENT_ORDER));
    let directives: Vec<String> = directives.cloned().collect();
    for directive in directives {
        let wrong_form = || malformed("invalid patch format of setElementOrder list");
        let name = directive.strip_prefix(SET_ELEMENT_ORDER);
        let name = name
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or_else(wrong_form)?;
        let order = list(patch.remove(&directive))?.unwrap_or_default();
        let new = list(patch.get(name).cloned())?;
        let old = list(object.get(name).cloned())?;
        let (member, strategy) = member(shape, name)?;
        let item = item(member)?;
        let key = strategy.merge_key;
        lists::check_order(new.as_deref().unwrap_or_default(), &order, key)?;

        let live_order = old.clone().unwrap_or_default();
        let merged = match (old, new) {
            (None, None) => continue,
            (Some(old), None) => old,
            (None, Some(new)) => new.into_iter().filter_map(without_directives).collect(),
            (Some(old), Some(new)) if strategy.merge => {
                merge_lists(old, new, item, key)?.in_order()
            }
            (Some(_), Some(new)) => new,
        };
        let merged = Merged {
            items: merged,
            patch_order: order,
            live_order,
            key,
        };
        merged.check()?;
        object.insert(name.to_owned(), Value::Array(merged.in_order()));
        patch.remove(name);
    }
    Ok(())
}

/// The type of a member, and how a patch of it merges.
fn member<'s>(shape: &'s Shape, name: &str) -> Result<(&'s Shape, PatchStrategy), Error> {
    match shape {
        Shape::Map(value) => Ok((value, PatchStrategy::default())),
        Shape::Struct(kind) => match kind.field(name) {
            Some(field) => Ok((&field.shape, field.patch)),
            None => Err(Error::Invalid(format!(
                "unable to find api field in struct {} for the json field {}",
                kind.short_name(),
                burgee_wire::quoted(name)
            ))),
        },
        _ => Err(Error::Invalid(
            "merging an object in json but data type is not struct".to_owned(),
        )),
    }
}

fn item(shape: &Shape) -> Result<&Shape, Error> {
    match shape {
        Shape::List(item) if matches!(**item, Shape::List(_)) => {
            Err(Error::Invalid("unexpected slice of slice".to_owned()))
        }
        Shape::List(item) => Ok(item),
        _ => Err(Error::Invalid("expected slice or array type".to_owned())),
    }
}

/// The list in an optional value.
fn list(value: Option<Value>) -> Result<Option<Vec<Value>>, Error> {
    match value {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(_) => Err(Error::Invalid(
            "expected a list, but received something else".to_owned(),
        )),
    }
}

/// A value of the patch that meets nothing in the object: without nulls, and without the objects that
/// are directives. `None` where it is one itself.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(members) if members.contains_key(DIRECTIVE) => None,
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            let kept = members.filter_map(|(name, value)| Some((name, without_directives(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => {
            let kept = items.into_iter().filter_map(without_directives);
            Some(Value::Array(kept.collect()))
        }
        other => Some(other),
    }
}

fn unknown_directive(directive: Option<&Value>) -> Error {
    let shown = directive
        .and_then(Value::as_str)
        .unwrap_or("of another type");
    Error::Invalid(format!("unknown patch type: {shown}"))
}

fn malformed(text: &str) -> Error {
    Error::Malformed(text.to_owned())
}

#[cfg(test)]
mod tests;
