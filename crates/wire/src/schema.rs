//! The compiled-in description of every kind that Burgee serves.
//!
//! The text lives in `schema/*.schema`, one file per API group, in a small language of its own: a
//! `struct` line per type, a line per field with its JSON name, protobuf number, type and attributes,
//! and `|` lines of description. It states the facts of upstream's `types.go` files.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::LazyLock;

use serde_json::Value;

mod parse;

/// The schema texts, parsed at first use.
const SOURCES: &[(&str, &str)] = &[
    ("meta.schema", include_str!("../schema/meta.schema")),
    ("core.schema", include_str!("../schema/core.schema")),
    ("rbac.schema", include_str!("../schema/rbac.schema")),
    (
        "coordination.schema",
        include_str!("../schema/coordination.schema"),
    ),
    (
        "authentication.schema",
        include_str!("../schema/authentication.schema"),
    ),
    (
        "authorization.schema",
        include_str!("../schema/authorization.schema"),
    ),
    (
        "explanation.schema",
        include_str!("../schema/explanation.schema"),
    ),
];

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| match parse::parse(SOURCES) {
    Ok(schema) => schema,
    // The texts are part of the program and a test parses them.
    Err(error) => unreachable!("the compiled-in schema is broken: {error}"),
});

/// The schema of every served kind.
#[must_use]
pub fn schema() -> &'static Schema {
    &SCHEMA
}

/// All struct types, found by their OpenAPI definition name.
#[derive(Debug)]
pub struct Schema {
    structs: Vec<Struct>,
    by_name: HashMap<&'static str, StructRef>,
}

impl Schema {
    /// The type with this OpenAPI definition name, such as `io.k8s.api.core.v1.Secret`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<StructRef> {
        self.by_name.get(name).copied()
    }

    /// Every type, in the order of the texts.
    pub fn structs(&self) -> impl Iterator<Item = StructRef> + '_ {
        (0..self.structs.len()).filter_map(|index| u16::try_from(index).ok().map(StructRef))
    }
}

/// A handle to a [`Struct`] of the compiled-in schema; it dereferences to it.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StructRef(u16);

impl Deref for StructRef {
    type Target = Struct;

    #[allow(
        clippy::indexing_slicing,
        reason = "only the parser makes handles, from the index they name"
    )]
    fn deref(&self) -> &Struct {
        &SCHEMA.structs[usize::from(self.0)]
    }
}

impl std::fmt::Debug for StructRef {
    /// Shows the number only: a type can contain itself.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StructRef({})", self.0)
    }
}

/// One struct type.
#[derive(Debug)]
pub struct Struct {
    /// OpenAPI definition name, such as `io.k8s.api.core.v1.Secret`.
    pub name: &'static str,
    /// Its fields, in upstream's order, which is also the order of the JSON encoding.
    pub fields: Vec<Field>,
    /// Whether server-side apply treats the whole as one value (`+structType=atomic`).
    pub atomic: bool,
    /// Whether its JSON begins with `kind` and `apiVersion`.
    pub type_meta: bool,
    /// What it is, in a sentence or two.
    pub description: &'static str,
    index: HashMap<&'static str, FieldPlace>,
    members: Vec<FieldPlace>,
}

/// Where a JSON member's field stands: directly, or inside an inlined struct.
#[derive(Clone, Copy, Debug)]
enum FieldPlace {
    Own(usize),
    Inlined(StructRef, usize),
}

impl Struct {
    /// The field of this JSON name, also when it stands in an inlined struct.
    #[must_use]
    pub fn field(&self, json_name: &str) -> Option<&Field> {
        self.at(*self.index.get(json_name)?)
    }

    /// The fields as JSON shows them, in its order: members of inlined structs stand in their place.
    pub fn json_fields(&self) -> impl Iterator<Item = &Field> {
        self.members.iter().filter_map(|place| self.at(*place))
    }

    fn at(&self, place: FieldPlace) -> Option<&Field> {
        match place {
            FieldPlace::Own(index) => self.fields.get(index),
            FieldPlace::Inlined(inner, index) => {
                SCHEMA.structs.get(usize::from(inner.0))?.fields.get(index)
            }
        }
    }

    /// The last part of the name, such as `Secret`.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }
}

/// One field of a struct.
#[derive(Debug)]
pub struct Field {
    /// JSON member name.
    pub name: &'static str,
    /// Protobuf field number.
    pub number: u32,
    /// Type of its value.
    pub shape: Shape,
    /// Whether "absent" differs from the zero value (a pointer upstream).
    pub pointer: bool,
    /// Whether the zero value is written out (no `omitempty` upstream).
    pub always: bool,
    /// Whether OpenAPI calls it required.
    pub required: bool,
    /// Whether its members stand in the parent's JSON object.
    pub inline: bool,
    /// Whether a struct or time with the zero value is left out.
    pub omitzero: bool,
    /// Whether protobuf wraps its string list into a message of its own.
    pub wrapped: bool,
    /// How server-side apply sees lists and maps.
    pub topology: Topology,
    /// How strategic merge patch treats it.
    pub patch: PatchStrategy,
    /// The default that the API documents.
    pub default: Option<Value>,
    /// What it is for.
    pub description: &'static str,
}

/// The type of a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Shape {
    /// A boolean.
    Bool,
    /// Bytes, base64 in JSON.
    Bytes,
    /// The opaque field set of a managed-fields entry.
    FieldsV1,
    /// A double.
    Float64,
    /// A signed 32-bit integer.
    Int32,
    /// A signed 64-bit integer.
    Int64,
    /// A number or a string, such as a port.
    IntOrString,
    /// A list.
    List(Box<Shape>),
    /// An object with arbitrary member names.
    Map(Box<Shape>),
    /// A time with microseconds.
    MicroTime,
    /// A quantity such as `100Mi`.
    Quantity,
    /// Any JSON value.
    Raw,
    /// Text.
    String,
    /// An object with the fields of a struct.
    Struct(StructRef),
    /// A time in whole seconds.
    Time,
}

/// How server-side apply tells the items of a list, or the members of a map, from each other.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Topology {
    /// Atomic for lists, member by member for maps and structs.
    #[default]
    Default,
    /// One value as a whole.
    Atomic,
    /// Items are told apart by their value.
    Set,
    /// Items are told apart by these members.
    Map(Vec<&'static str>),
}

/// How strategic merge patch treats a field.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PatchStrategy {
    /// Lists merge instead of being replaced.
    pub merge: bool,
    /// The member that tells list items apart.
    pub merge_key: Option<&'static str>,
    /// Members that the patch does not name are dropped.
    pub retain_keys: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_texts_parse() {
        assert!(parse::parse(SOURCES).unwrap().structs.len() > 100);
    }

    #[test]
    fn a_field_of_an_inlined_struct_is_found_in_its_parent() {
        let volume = schema().find("io.k8s.api.core.v1.Volume").unwrap();
        assert!(volume.field("projected").is_some());
        assert!(volume.field("volumeSource").is_none());
    }

    #[test]
    fn list_topologies_are_read() {
        let pod_spec = schema().find("io.k8s.api.core.v1.PodSpec").unwrap();
        let containers = pod_spec.field("containers").unwrap();
        assert_eq!(containers.topology, Topology::Map(vec!["name"]));
        assert_eq!(containers.patch.merge_key, Some("name"));
    }
}
