//! Kubernetes protobuf: the envelope and the messages, read along the schema.
//!
//! client-go's typed clients, kubectl and kubelets among them, send their bodies in this form. A body is
//! four magic bytes and a `runtime.Unknown` message that names the kind and carries its message
//! (`k8s.io/apimachinery/pkg/runtime/serializer/protobuf`). What comes out is JSON as
//! [`decode::parse`](crate::decode::parse) would have it.
//!
//! ```
//! use burgee_wire::{protobuf, schema::schema};
//!
//! let config_map = schema().find("io.k8s.api.core.v1.ConfigMap").unwrap();
//! let body = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x05\x0a\x03\x0a\x01c";
//! let value = protobuf::from_slice(body, config_map).unwrap();
//! assert_eq!(value["kind"], "ConfigMap");
//! assert_eq!(value["metadata"]["name"], "c");
//! ```

mod reader;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::schema::{Field, Shape, Struct, StructRef};
use crate::{MicroTime, Time};
use reader::{Reader, Wire};

/// The media type of bodies in this form.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// How deep messages may be nested.
const MAX_DEPTH: usize = 64;

/// Why a body is not Kubernetes protobuf of a kind.
#[derive(Debug, thiserror::Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// It ends in the middle of a message.
    #[error("unexpected EOF")]
    Truncated,
    /// It does not begin with the magic bytes.
    #[error(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    )]
    NotKubernetes,
    /// Its message is compressed or of another encoding, which nobody sends.
    #[error("the content encoding {0} is not supported")]
    Encoding(String),
    /// A field has another wire type than the kind says.
    #[error("proto: wrong wireType = {wire} for field {field}")]
    WireType {
        /// The number on the wire.
        wire: u8,
        /// JSON name of the field.
        field: &'static str,
    },
    /// A number does not fit, or a tag is none.
    #[error("proto: integer overflow")]
    Overflow,
    /// A string is not UTF-8.
    #[error("proto: field {0} contains invalid UTF-8")]
    Text(&'static str),
    /// Messages are nested too deep.
    #[error("proto: exceeded max recursion depth")]
    Depth,
    /// A field that holds JSON does not.
    #[error("proto: field {0} is not JSON")]
    Json(&'static str),
}

/// Reads a body whose message is of this kind: JSON with `kind` and `apiVersion` as the envelope names
/// them. A body that names another kind comes back with nothing but these two, for the caller to
/// refuse.
///
/// # Errors
///
/// When the body is not Kubernetes protobuf of the kind.
pub fn from_slice(body: &[u8], kind: StructRef) -> Result<Value, Error> {
    let envelope = Envelope::read(body.strip_prefix(MAGIC).ok_or(Error::NotKubernetes)?)?;
    let is_expected = envelope.kind.is_empty() || envelope.kind == kind.short_name();
    let mut members = match is_expected {
        true => message(envelope.raw, &kind, 0)?,
        false => Map::new(),
    };
    for (name, text) in [
        ("apiVersion", envelope.api_version),
        ("kind", envelope.kind),
    ] {
        if !text.is_empty() {
            members.insert(name.to_owned(), text.into());
        }
    }
    Ok(Value::Object(members))
}

/// `runtime.Unknown`.
#[derive(Default)]
struct Envelope<'a> {
    api_version: &'a str,
    kind: &'a str,
    raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut envelope = Self::default();
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.tag()? {
            match (number, wire) {
                (1, Wire::Bytes(type_meta)) => {
                    let mut reader = Reader::new(type_meta);
                    while let Some(field) = reader.tag()? {
                        match field {
                            (1, Wire::Bytes(text)) => {
                                envelope.api_version = utf8(text, "apiVersion")?
                            }
                            (2, Wire::Bytes(text)) => envelope.kind = utf8(text, "kind")?,
                            _ => {}
                        }
                    }
                }
                (2, Wire::Bytes(raw)) => envelope.raw = raw,
                (3, Wire::Bytes(encoding)) if !encoding.is_empty() => {
                    return Err(Error::Encoding(
                        utf8(encoding, "contentEncoding")?.to_owned(),
                    ));
                }
                _ => {}
            }
        }
        Ok(envelope)
    }
}

fn message(bytes: &[u8], kind: &Struct, depth: usize) -> Result<Map<String, Value>, Error> {
    let mut members = Map::new();
    read_into(&mut members, bytes, kind, depth)?;
    Ok(members)
}

fn read_into(
    members: &mut Map<String, Value>,
    bytes: &[u8],
    kind: &Struct,
    depth: usize,
) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::Depth);
    }
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.tag()? {
        // Fields of later versions are passed over, as upstream does.
        let Some(field) = kind.fields.iter().find(|field| field.number == number) else {
            continue;
        };
        match (&field.shape, wire) {
            (Shape::Struct(inner), Wire::Bytes(bytes)) if field.inline => {
                read_into(members, bytes, inner, depth + 1)?;
            }
            (Shape::Struct(inner), Wire::Bytes(bytes)) => {
                // A message that comes in parts is merged.
                let slot = members
                    .entry(field.name)
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(slot) = slot {
                    read_into(slot, bytes, inner, depth + 1)?;
                }
            }
            (Shape::List(_), Wire::Bytes(bytes)) if field.wrapped => {
                members.insert(field.name.to_owned(), strings(bytes, field)?);
            }
            (Shape::List(item), wire) => {
                let slot = members
                    .entry(field.name)
                    .or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(items) = slot {
                    push(items, wire, item, field, depth)?;
                }
            }
            (Shape::Map(item), Wire::Bytes(entry)) => {
                let (key, value) = map_entry(entry, item, field, depth)?;
                let slot = members
                    .entry(field.name)
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(slot) = slot {
                    slot.insert(key, value);
                }
            }
            (shape, wire) => {
                members.insert(field.name.to_owned(), scalar(wire, shape, field, depth)?);
            }
        }
    }
    Ok(())
}

/// Adds one item, or several numbers that are packed together.
fn push(
    items: &mut Vec<Value>,
    wire: Wire<'_>,
    shape: &Shape,
    field: &Field,
    depth: usize,
) -> Result<(), Error> {
    match (shape, wire) {
        (Shape::Int32 | Shape::Int64 | Shape::Bool, Wire::Bytes(packed)) => {
            let mut reader = Reader::new(packed);
            while !reader.is_empty() {
                let number = Wire::Number(reader.number()?);
                items.push(scalar(number, shape, field, depth)?);
            }
        }
        (shape, wire) => items.push(scalar(wire, shape, field, depth)?),
    }
    Ok(())
}

fn map_entry(
    entry: &[u8],
    shape: &Shape,
    field: &Field,
    depth: usize,
) -> Result<(String, Value), Error> {
    let (mut key, mut value) = (String::new(), None);
    let mut reader = Reader::new(entry);
    while let Some((number, wire)) = reader.tag()? {
        match (number, wire) {
            (1, Wire::Bytes(text)) => key = utf8(text, field.name)?.to_owned(),
            (2, Wire::Bytes(bytes)) if field.wrapped => value = Some(strings(bytes, field)?),
            (2, wire) => value = Some(scalar(wire, shape, field, depth + 1)?),
            _ => {}
        }
    }
    // A value that is left out is the zero value, which `conform` makes of null.
    Ok((key, value.unwrap_or(Value::Null)))
}

/// A message whose only field is a list of strings.
fn strings(bytes: &[u8], field: &Field) -> Result<Value, Error> {
    let mut items = Vec::new();
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.tag()? {
        if let (1, Wire::Bytes(text)) = (number, wire) {
            items.push(utf8(text, field.name)?.into());
        }
    }
    Ok(Value::Array(items))
}

fn scalar(wire: Wire<'_>, shape: &Shape, field: &Field, depth: usize) -> Result<Value, Error> {
    Ok(match (shape, wire) {
        (Shape::Bool, Wire::Number(number)) => Value::Bool(number != 0),
        // Negative numbers are sign-extended to 64 bits.
        (Shape::Int32 | Shape::Int64, Wire::Number(number)) => number.cast_signed().into(),
        (Shape::Float64, Wire::Fixed64(bits)) => f64::from_bits(bits).into(),
        (Shape::String, Wire::Bytes(text)) => utf8(text, field.name)?.into(),
        (Shape::Bytes, Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (Shape::Time, Wire::Bytes(bytes)) => match instant(bytes)? {
            None => Value::Null,
            Some(instant) => Time::from(instant).to_string().into(),
        },
        (Shape::MicroTime, Wire::Bytes(bytes)) => match instant(bytes)? {
            None => Value::Null,
            Some(instant) => MicroTime::from(instant).to_string().into(),
        },
        (Shape::Quantity, Wire::Bytes(bytes)) => match first_bytes(bytes)? {
            None => Value::from("0"),
            Some(text) => utf8(text, field.name)?.into(),
        },
        (Shape::IntOrString, Wire::Bytes(bytes)) => int_or_string(bytes, field)?,
        (Shape::FieldsV1 | Shape::Raw, Wire::Bytes(bytes)) => match first_bytes(bytes)? {
            None | Some([]) => Value::Null,
            Some(json) => serde_json::from_slice(json).map_err(|_| Error::Json(field.name))?,
        },
        (Shape::Struct(kind), Wire::Bytes(bytes)) => {
            Value::Object(message(bytes, kind, depth + 1)?)
        }
        (_, wire) => {
            return Err(Error::WireType {
                wire: wire.number(),
                field: field.name,
            });
        }
    })
}

/// Seconds and nanoseconds since the epoch; an empty message is no time at all.
fn instant(bytes: &[u8]) -> Result<Option<Timestamp>, Error> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (mut seconds, mut nanoseconds) = (0_i64, 0_i32);
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.tag()? {
        match field {
            (1, Wire::Number(number)) => seconds = number.cast_signed(),
            (2, Wire::Number(number)) => {
                nanoseconds = i32::try_from(number.cast_signed()).map_err(|_| Error::Overflow)?;
            }
            _ => {}
        }
    }
    Timestamp::new(seconds, nanoseconds)
        .map(Some)
        .map_err(|_| Error::Overflow)
}

/// The first field of a message that has just the one.
fn first_bytes(bytes: &[u8]) -> Result<Option<&[u8]>, Error> {
    let mut found = None;
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.tag()? {
        if let (1, Wire::Bytes(bytes)) = (number, wire) {
            found = Some(bytes);
        }
    }
    Ok(found)
}

fn int_or_string(bytes: &[u8], field: &Field) -> Result<Value, Error> {
    let (mut is_text, mut number, mut text) = (false, 0_i64, "");
    let mut reader = Reader::new(bytes);
    while let Some(part) = reader.tag()? {
        match part {
            (1, Wire::Number(kind)) => is_text = kind != 0,
            (2, Wire::Number(value)) => number = value.cast_signed(),
            (3, Wire::Bytes(value)) => text = utf8(value, field.name)?,
            _ => {}
        }
    }
    Ok(if is_text { text.into() } else { number.into() })
}

fn utf8<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::Text(field))
}

#[cfg(test)]
mod tests;
