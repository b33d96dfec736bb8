//! Values seen along the schema, as field ownership sees them.
//!
//! What upstream's structured-merge-diff calls a typed value: the schema says where a value is one
//! whole, where it falls into members, and how the items of a list are told apart.

use burgee_wire::schema::{Shape, StructRef, Topology};
use serde_json::{Map, Value};

use crate::{Error, FieldSet, Literal, Path, PathElement};

mod compare;
mod merge;
mod remove;
mod validate;

pub(crate) use compare::{Comparison, compare};
pub(crate) use merge::merge;
pub(crate) use remove::remove_items;
pub(crate) use validate::validate;

/// The type of a value.
#[derive(Clone, Copy)]
pub(crate) enum Type<'a> {
    /// One whole: a scalar, or a list or object that nobody owns parts of.
    Leaf(&'a Shape),
    /// An object with the members of a struct.
    Struct(StructRef),
    /// A struct that nobody owns parts of.
    AtomicStruct(StructRef),
    /// An object with arbitrary member names.
    Map(&'a Shape),
    /// A list whose items are told apart by these members.
    Keyed(&'a Shape, &'a [&'static str]),
    /// A list whose items are told apart by their value.
    Set(&'a Shape),
}

impl<'a> Type<'a> {
    /// The type of an object of this kind.
    pub(crate) fn of_kind(kind: StructRef) -> Self {
        Self::Struct(kind)
    }

    fn new(shape: &'a Shape, topology: &'a Topology) -> Self {
        match (shape, topology) {
            (Shape::Struct(kind), topology) => {
                if kind.atomic || *topology == Topology::Atomic {
                    Self::AtomicStruct(*kind)
                } else {
                    Self::Struct(*kind)
                }
            }
            (Shape::Map(value), topology) if *topology != Topology::Atomic => Self::Map(value),
            (Shape::List(item), Topology::Map(keys)) => Self::Keyed(item, keys),
            (Shape::List(item), Topology::Set) => Self::Set(item),
            _ => Self::Leaf(shape),
        }
    }

    /// The type of a member of this name; `None` where there is no such member.
    pub(crate) fn member(&self, name: &str) -> Option<Type<'_>> {
        match self {
            Self::Struct(kind) | Self::AtomicStruct(kind) => {
                let field = kind.field(name)?;
                Some(Type::new(&field.shape, &field.topology))
            }
            Self::Map(value) => Some(Type::of_item(value)),
            Self::Leaf(Shape::Map(value)) => Some(Type::of_item(value)),
            _ => None,
        }
    }

    /// The type of the items of a list.
    pub(crate) fn item(&self) -> Option<Type<'_>> {
        match self {
            Self::Keyed(item, _) | Self::Set(item) => Some(Type::of_item(item)),
            Self::Leaf(Shape::List(item)) => Some(Type::of_item(item)),
            _ => None,
        }
    }

    /// The type of what a path element leads to.
    pub(crate) fn descend(&self, element: &PathElement) -> Option<Type<'_>> {
        match element {
            PathElement::Field(name) => self.member(name),
            _ => self.item(),
        }
    }

    /// Whether nobody owns parts of it.
    pub(crate) fn is_leaf(&self) -> bool {
        matches!(self, Self::Leaf(_) | Self::AtomicStruct(_))
    }

    /// Whether `name` is a member that the schema names, rather than a key of a map.
    fn names(&self, name: &str) -> bool {
        matches!(self, Self::Struct(kind) if kind.field(name).is_some())
    }

    /// What tells an item of this list from the others.
    fn element_of(&self, item: &Value) -> Result<PathElement, String> {
        match self {
            Self::Keyed(shape, keys) => keyed_element(shape, keys, item),
            _ => match item {
                Value::Object(_) => {
                    Err("associative list without keys has an element that's a map type".to_owned())
                }
                Value::Array(_) => {
                    Err("not supported: associative list with lists as elements".to_owned())
                }
                Value::Null => Err(
                    "associative list without keys has an element that's an explicit null"
                        .to_owned(),
                ),
                scalar => Ok(PathElement::Value(Literal::from(scalar.clone()))),
            },
        }
    }

    /// Items of maps and lists have no topology of their own: lists are wholes, the rest has parts.
    fn of_item(shape: &'a Shape) -> Self {
        match shape {
            Shape::Struct(kind) if kind.atomic => Self::AtomicStruct(*kind),
            Shape::Struct(kind) => Self::Struct(*kind),
            Shape::Map(value) => Self::Map(value),
            leaf => Self::Leaf(leaf),
        }
    }
}

fn keyed_element(shape: &Shape, keys: &[&str], item: &Value) -> Result<PathElement, String> {
    let members = match item {
        Value::Object(members) => members,
        Value::Null => {
            return Err("associative list with keys may not have a null element".to_owned());
        }
        _ => {
            return Err("associative list with keys may not have non-map elements".to_owned());
        }
    };
    let default = |name: &str| match shape {
        Shape::Struct(kind) => kind.field(name)?.default.clone(),
        _ => None,
    };
    let mut element: Vec<(String, Literal)> = Vec::with_capacity(keys.len());
    for name in keys {
        if let Some(value) = members.get(*name).cloned().or_else(|| default(name)) {
            element.push(((*name).to_owned(), value.into()));
        }
    }
    if element.is_empty() {
        let names: Vec<_> = keys.iter().map(|name| burgee_wire::quoted(name)).collect();
        let names = names.join(" ");
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{names}] (and doesn't have default values for any key fields)"
        ));
    }
    element.sort();
    Ok(PathElement::Key(element))
}

/// Every field that a value mentions: what a manager owns who applies it.
pub(crate) fn field_set(value: &Value, ty: Type<'_>) -> Result<FieldSet, Error> {
    let mut set = FieldSet::default();
    collect(value, ty, &mut Path::default(), &mut set)?;
    Ok(set)
}

fn collect(value: &Value, ty: Type<'_>, path: &mut Path, set: &mut FieldSet) -> Result<(), Error> {
    if ty.is_leaf() {
        set.insert(path);
        return Ok(());
    }
    match (ty, value) {
        (Type::Keyed(..) | Type::Set(_), Value::Array(items)) => {
            let elements = items.iter().enumerate().map(|(index, item)| {
                let element = ty.element_of(item);
                element.map_err(|error| at_element(path, index, &error))
            });
            let elements = elements.collect::<Result<Vec<_>, _>>()?;
            let mut sorted: Vec<_> = elements.iter().collect();
            sorted.sort();
            for (item, element) in items.iter().zip(&elements) {
                path.push(element.clone());
                set.insert(path);
                // Of items that cannot be told apart, nobody owns parts.
                let first = sorted.partition_point(|other| *other < element);
                let repeated = sorted.get(first + 1) == Some(&element);
                if let (false, Some(item_type)) = (repeated, ty.item()) {
                    collect(item, item_type, path, set)?;
                }
                path.pop();
            }
        }
        (Type::Struct(_) | Type::Map(_), Value::Object(members)) => {
            for (name, value) in members {
                let Some(member_type) = ty.member(name) else {
                    continue;
                };
                path.push(PathElement::field(name));
                collect(value, member_type, path, set)?;
                if value.is_null() || is_empty_object(value) || !ty.names(name) {
                    set.insert(path);
                }
                path.pop();
            }
        }
        _ => {}
    }
    Ok(())
}

/// The set, with the members that the schema names and that lead to one of its paths.
pub(crate) fn with_named_parents(set: &FieldSet, ty: Type<'_>) -> FieldSet {
    let mut result = FieldSet::default();
    for (element, is_member, below) in set.elements() {
        let named = matches!(element, PathElement::Field(name) if ty.names(name));
        let inner = match ty.descend(element) {
            Some(inner) => with_named_parents(below, inner),
            None => below.clone(),
        };
        let is_parent = named && !below.is_empty();
        result.set_element(element.clone(), is_member || is_parent, inner);
    }
    result
}

/// The set in the terms of the schema: where a type has become a whole since the set was written, the
/// whole stands for its parts.
pub(crate) fn reconciled(set: &FieldSet, ty: Type<'_>) -> FieldSet {
    let mut result = FieldSet::default();
    for (element, is_member, below) in set.elements() {
        let (is_member, below) = match ty.descend(element) {
            Some(inner) if inner.is_leaf() => (true, FieldSet::default()),
            Some(inner) => (is_member, reconciled(below, inner)),
            None => (is_member, below.clone()),
        };
        result.set_element(element.clone(), is_member, below);
    }
    result
}

fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

/// Whether a list or object has nothing in it, or is not there.
fn is_void(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        Some(_) => false,
    }
}

fn at_element(path: &Path, index: usize, error: &str) -> Error {
    let text = match path.elements() {
        [] => format!("element {index}: {error}"),
        _ => format!("{path}: element {index}: {error}"),
    };
    Error::Invalid(text)
}
