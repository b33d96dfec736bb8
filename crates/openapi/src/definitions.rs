//! Schema definitions, in the dialects of OpenAPI v2 and v3.
//!
//! What is written for which Go type follows `kube-openapi/pkg/generators`, so that generators and
//! `kubectl explain` find what they know: list and map topologies, patch strategies, defaults (in
//! v3 only; upstream prunes them from v2), and `allOf` around references with siblings.

use std::collections::BTreeMap;

use burgee_wire::schema::{Field, Shape, StructRef, Topology};
use serde_json::Value;

use crate::groups::{Groups, Kind};
use crate::json::Object;
use crate::operations::Path;

/// The version of OpenAPI that is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dialect {
    V2,
    V3,
}

impl Dialect {
    /// The reference to a definition.
    pub(crate) fn reference(self, definition: Definition) -> String {
        let place = match self {
            Self::V2 => "#/definitions/",
            Self::V3 => "#/components/schemas/",
        };
        format!("{place}{}", definition.name())
    }
}

/// A type that documents describe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Definition {
    FieldsV1,
    IntOrString,
    MicroTime,
    Patch,
    Quantity,
    RawExtension,
    Struct(StructRef),
    Time,
}

impl Definition {
    /// Its full name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FieldsV1 => "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
            Self::IntOrString => "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
            Self::MicroTime => "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
            Self::Patch => "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
            Self::Quantity => "io.k8s.apimachinery.pkg.api.resource.Quantity",
            Self::RawExtension => "io.k8s.apimachinery.pkg.runtime.RawExtension",
            Self::Struct(definition) => definition.name,
            Self::Time => "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
        }
    }

    fn of(shape: &Shape) -> Option<Self> {
        match shape {
            Shape::FieldsV1 => Some(Self::FieldsV1),
            Shape::IntOrString => Some(Self::IntOrString),
            Shape::MicroTime => Some(Self::MicroTime),
            Shape::Quantity => Some(Self::Quantity),
            Shape::Raw => Some(Self::RawExtension),
            Shape::Struct(definition) => Some(Self::Struct(*definition)),
            Shape::Time => Some(Self::Time),
            _ => None,
        }
    }
}

/// A set of definitions that contains whatever its members refer to, sorted by name.
#[derive(Default)]
pub(crate) struct Definitions(BTreeMap<&'static str, Definition>);

impl Definitions {
    /// Adds what these paths speak of, and `more`.
    pub(crate) fn add_all(&mut self, paths: &[Path], more: &[Definition]) {
        for operation in paths.iter().flat_map(|path| &path.operations) {
            self.add(operation.answer);
            if let Some(body) = &operation.body {
                self.add(body.definition);
            }
        }
        for definition in more {
            self.add(*definition);
        }
    }

    /// Adds a definition and all that it refers to.
    pub(crate) fn add(&mut self, definition: Definition) {
        let known = self.0.insert(definition.name(), definition).is_some();
        let Definition::Struct(definition) = definition else {
            return;
        };
        if known {
            return;
        }
        for field in definition.json_fields() {
            let mut shape = &field.shape;
            while let Shape::List(item) | Shape::Map(item) = shape {
                shape = item;
            }
            if let Some(next) = Definition::of(shape) {
                self.add(next);
            }
        }
    }

    /// Writes all definitions.
    pub(crate) fn write(&self, out: &mut Object<'_>, dialect: Dialect, groups: &Groups) {
        for (name, definition) in &self.0 {
            out.object(name, |out| match definition {
                Definition::Struct(definition) => write_struct(out, dialect, *definition, groups),
                special => write_special(out, dialect, *special),
            });
        }
    }
}

/// Writes the kinds of an operation or definition.
pub(crate) fn kind_members(out: &mut Object<'_>, kind: Kind) {
    out.value("group", kind.group);
    out.value("kind", kind.kind);
    out.value("version", kind.version);
}

fn write_struct(out: &mut Object<'_>, dialect: Dialect, definition: StructRef, groups: &Groups) {
    out.text("description", definition.description);
    out.object("properties", |out| {
        if definition.type_meta {
            out.object("apiVersion", |out| {
                out.value("description", API_VERSION);
                out.value("type", "string");
            });
            out.object("kind", |out| {
                out.value("description", KIND);
                out.value("type", "string");
            });
        }
        for field in definition.json_fields() {
            out.object(field.name, |out| write_property(out, dialect, field));
        }
    });
    let required = definition.json_fields().filter(|field| field.required);
    out.list(
        "required",
        &required.map(|field| field.name).collect::<Vec<_>>(),
    );
    out.value("type", "object");
    let kinds = groups.kinds_of(&definition);
    if !kinds.is_empty() {
        out.array("x-kubernetes-group-version-kind", |list| {
            for kind in kinds {
                list.object(|out| kind_members(out, kind));
            }
        });
    }
    if definition.atomic {
        out.value("x-kubernetes-map-type", "atomic");
    }
}

fn write_property(out: &mut Object<'_>, dialect: Dialect, field: &Field) {
    let default = field.default.clone().or_else(|| {
        let written = field.always || matches!(field.shape, Shape::Struct(_));
        (written && !field.pointer)
            .then(|| zero(&field.shape))
            .flatten()
    });
    out.text("description", field.description);
    write_shape(out, dialect, &field.shape, default, true);
    let list = matches!(field.shape, Shape::List(_));
    match &field.topology {
        Topology::Default => {}
        Topology::Atomic if list => out.value("x-kubernetes-list-type", "atomic"),
        Topology::Atomic => out.value("x-kubernetes-map-type", "atomic"),
        Topology::Set => out.value("x-kubernetes-list-type", "set"),
        Topology::Map(keys) => {
            out.value("x-kubernetes-list-map-keys", keys);
            out.value("x-kubernetes-list-type", "map");
        }
    }
    if let Some(key) = field.patch.merge_key {
        out.value("x-kubernetes-patch-merge-key", key);
    }
    let strategy = match (field.patch.merge, field.patch.retain_keys) {
        (false, false) => "",
        (true, false) => "merge",
        (false, true) => "retainKeys",
        (true, true) => "merge,retainKeys",
    };
    out.text("x-kubernetes-patch-strategy", strategy);
}

/// Writes the type of a value. `siblings` says whether other members stand beside it.
fn write_shape(
    out: &mut Object<'_>,
    dialect: Dialect,
    shape: &Shape,
    default: Option<Value>,
    siblings: bool,
) {
    let default = default.filter(|_| dialect == Dialect::V3);
    if let Some(definition) = Definition::of(shape) {
        let reference = dialect.reference(definition);
        // In OpenAPI 3.0 nothing may stand beside a reference.
        if dialect == Dialect::V3 && (siblings || default.is_some()) {
            out.array("allOf", |list| {
                list.object(|out| out.value("$ref", reference))
            });
        } else {
            out.value("$ref", reference);
        }
    }
    if let Some(default) = default {
        out.value("default", default);
    }
    let (kind, format) = match shape {
        Shape::Bool => ("boolean", ""),
        Shape::Bytes => ("string", "byte"),
        Shape::Float64 => ("number", "double"),
        Shape::Int32 => ("integer", "int32"),
        Shape::Int64 => ("integer", "int64"),
        Shape::List(_) => ("array", ""),
        Shape::Map(_) => ("object", ""),
        Shape::String => ("string", ""),
        _ => ("", ""),
    };
    out.text("format", format);
    out.text("type", kind);
    match shape {
        Shape::List(item) => out.object("items", |out| {
            write_shape(out, dialect, item, zero(item), false);
        }),
        Shape::Map(value) => out.object("additionalProperties", |out| {
            write_shape(out, dialect, value, zero(value), false);
        }),
        _ => {}
    }
}

/// What Go makes of an absent value that is no pointer, if that is a value of its type.
fn zero(shape: &Shape) -> Option<Value> {
    match shape {
        Shape::Bool => Some(false.into()),
        Shape::Float64 | Shape::Int32 | Shape::Int64 => Some(0.into()),
        Shape::String => Some("".into()),
        Shape::Struct(_) => Some(Value::Object(serde_json::Map::new())),
        _ => None,
    }
}

fn write_special(out: &mut Object<'_>, dialect: Dialect, definition: Definition) {
    let (description, kinds, format): (_, &[&str], _) = match definition {
        Definition::FieldsV1 => (
            "A set of fields, as nested objects: the member f:NAME is a field, k:KEYS a list item by \
             its keys, v:VALUE an item of a set, i:INDEX an item by its place, and . the place itself.",
            &["object"],
            "",
        ),
        Definition::IntOrString => (
            "An integer or a text, such as the number or the name of a port.",
            &["integer", "string"],
            "int-or-string",
        ),
        Definition::MicroTime => (
            "An instant to the microsecond, as RFC 3339 writes it.",
            &["string"],
            "date-time",
        ),
        Definition::Patch => (
            "The body of a PATCH request, whose form the Content-Type header names.",
            &["object"],
            "",
        ),
        Definition::Quantity => (
            "An exact number with an optional suffix: a power of ten (n, u, m, k, M, G, T, P, E, or \
             e3), or a power of 1024 (Ki, Mi, Gi, Ti, Pi, Ei). Examples: 100m, 1.5, 128Mi.",
            &["string", "number"],
            "",
        ),
        Definition::RawExtension => ("Any object, as it stands.", &["object"], ""),
        Definition::Time => (
            "An instant to the second, as RFC 3339 writes it.",
            &["string"],
            "date-time",
        ),
        Definition::Struct(_) => ("", &[], ""),
    };
    out.text("description", description);
    out.text("format", format);
    match (dialect, kinds) {
        (_, [only]) => out.value("type", only),
        (Dialect::V3, kinds) => out.array("oneOf", |list| {
            for kind in kinds {
                list.object(|out| out.value("type", kind));
            }
        }),
        // OpenAPI v2 has no alternatives; upstream calls both texts.
        (Dialect::V2, _) => out.value("type", "string"),
    }
}

const API_VERSION: &str = "Version of the schema that the object is written in, such as v1 or \
                           rbac.authorization.k8s.io/v1.";
const KIND: &str = "What the object is, such as Secret. It cannot change.";
