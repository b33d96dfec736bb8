//! From JSON bytes to a canonical value of a kind, as strictly as the client asked.
//!
//! Decoding has two steps. [`parse`] reads JSON and notes duplicate members. [`conform`] walks the
//! value along the schema: it refuses wrong types with the texts that Go's decoder has for them, notes
//! and drops unknown members, and brings the value into the canonical form that
//! [`encode`](crate::encode) writes: empty members that upstream omits are gone, those it always writes
//! are there.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::schema::{Field, Shape, Struct, StructRef};
use crate::{MicroTime, Time};

/// A value in canonical form, and what a strict client would refuse.
#[derive(Debug)]
pub struct Decoded {
    /// The body's `apiVersion`, empty when it had none.
    pub api_version: String,
    /// The body's `kind`, empty when it had none.
    pub kind: String,
    /// The object without `kind` and `apiVersion`.
    pub value: Value,
    /// Duplicate and unknown members, in the order found.
    pub problems: Vec<Problem>,
}

/// Something that `fieldValidation=Strict` refuses and `Warn` warns of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Problem {
    /// A member appears twice; the later one counted. The path is dotted.
    Duplicate(String),
    /// The kind has no such member; it was dropped.
    Unknown(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(path) => write!(f, "duplicate field \"{path}\""),
            Self::Unknown(path) => write!(f, "unknown field \"{path}\""),
        }
    }
}

/// Why a body is not of a kind. The texts are those of Go's decoder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A bytes member is not base64.
    #[error("illegal base64 data at input byte {0}")]
    Base64(usize),
    /// The body is not JSON.
    #[error("{0}")]
    Json(String),
    /// A time member is not RFC 3339.
    #[error("parsing time {0:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {0:?} as RFC 3339")]
    Time(String),
    /// A member has another JSON type than the kind says.
    #[error(
        "json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {expected}"
    )]
    Type {
        /// What the body has.
        found: String,
        /// The innermost struct.
        owner: &'static str,
        /// Dotted path from the root, without list indices.
        path: String,
        /// What the kind has, as a Go type.
        expected: String,
    },
    /// A quantity member is not one.
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Quantity,
}

/// Reads JSON, noting duplicate members. Nesting is limited to 128 levels.
///
/// # Errors
///
/// When `bytes` is not exactly one JSON value.
pub fn parse(bytes: &[u8]) -> Result<(Value, Vec<Problem>), Error> {
    let mut problems = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let mut path = Vec::new();
    let seed = Tracked {
        path: &mut path,
        problems: &mut problems,
    };
    let value = seed.deserialize(&mut deserializer).map_err(json_error)?;
    deserializer.end().map_err(json_error)?;
    Ok((value, problems))
}

/// [`parse`] and [`conform`] in one.
///
/// # Errors
///
/// See [`parse`] and [`conform`].
pub fn from_slice(bytes: &[u8], kind: StructRef) -> Result<Decoded, Error> {
    let (value, mut problems) = parse(bytes)?;
    let mut decoded = conform(value, kind)?;
    problems.append(&mut decoded.problems);
    decoded.problems = problems;
    Ok(decoded)
}

/// Brings a JSON value into the canonical form of `kind`.
///
/// # Errors
///
/// When a member has a type that the schema does not allow.
pub fn conform(value: Value, kind: StructRef) -> Result<Decoded, Error> {
    let mut members = match value {
        Value::Object(members) => members,
        other => {
            let expected = format!("v1.{}", kind.short_name());
            return Err(Error::Json(format!(
                "json: cannot unmarshal {} into Go value of type {expected}",
                json_type(&other)
            )));
        }
    };
    let api_version = take_text(&mut members, "apiVersion", kind)?;
    let own_kind = take_text(&mut members, "kind", kind)?;
    let mut walk = Walk {
        path: Vec::new(),
        problems: Vec::new(),
    };
    let value = Value::Object(walk.members(members, &kind)?);
    Ok(Decoded {
        api_version,
        kind: own_kind,
        value,
        problems: walk.problems,
    })
}

/// The value that a Go program has where nothing was given: `{}` with everything that is always
/// written.
#[must_use]
pub fn zero(kind: StructRef) -> Value {
    let mut walk = Walk {
        path: Vec::new(),
        problems: Vec::new(),
    };
    walk.members(Map::new(), &kind)
        .map_or(Value::Null, Value::Object)
}

fn take_text(
    members: &mut Map<String, Value>,
    name: &str,
    kind: StructRef,
) -> Result<String, Error> {
    // A kind of its own member of that name (an ObjectReference) is not TypeMeta.
    if kind.field(name).is_some() {
        return Ok(String::new());
    }
    match members.remove(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(Error::Type {
            found: json_type(&other),
            owner: kind.short_name(),
            path: name.to_owned(),
            expected: "string".to_owned(),
        }),
    }
}

fn json_error(error: serde_json::Error) -> Error {
    Error::Json(match error.classify() {
        serde_json::error::Category::Eof => "unexpected end of JSON input".to_owned(),
        _ => error.to_string(),
    })
}

/// One step of the way from the root: a member or a list index.
enum Step {
    Member(String),
    Index(usize),
}

/// The path with list indices, as strict decoding shows it.
fn strict_path(path: &[Step], last: &str) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Member(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    if !text.is_empty() {
        text.push('.');
    }
    text.push_str(last);
    text
}

struct Walk {
    path: Vec<Step>,
    problems: Vec<Problem>,
}

impl Walk {
    fn members(
        &mut self,
        members: Map<String, Value>,
        kind: &Struct,
    ) -> Result<Map<String, Value>, Error> {
        let mut conformed = Map::new();
        for (name, value) in members {
            let Some(field) = kind.field(&name) else {
                self.problems
                    .push(Problem::Unknown(strict_path(&self.path, &name)));
                continue;
            };
            if value.is_null() {
                continue;
            }
            self.path.push(Step::Member(name));
            let value = self.value(value, &field.shape, kind)?;
            if let Some(Step::Member(name)) = self.path.pop()
                && !is_omitted(&value, field)
            {
                conformed.insert(name, value);
            }
        }
        for field in kind.json_fields() {
            if !conformed.contains_key(field.name)
                && let Some(value) = self.when_absent(field)?
            {
                conformed.insert(field.name.to_owned(), value);
            }
        }
        Ok(conformed)
    }

    /// What upstream writes for a member that was not given.
    fn when_absent(&mut self, field: &Field) -> Result<Option<Value>, Error> {
        if field.omitzero || (field.pointer && !field.always) {
            return Ok(None);
        }
        Ok(match &field.shape {
            _ if field.pointer => Some(Value::Null),
            Shape::Struct(kind) => Some(Value::Object(self.members(Map::new(), kind)?)),
            _ if !field.always => None,
            Shape::Bool => Some(Value::Bool(false)),
            Shape::Float64 | Shape::Int32 | Shape::Int64 | Shape::IntOrString => {
                Some(Value::from(0))
            }
            Shape::String => Some(Value::from("")),
            Shape::Quantity => Some(Value::from("0")),
            Shape::Bytes
            | Shape::FieldsV1
            | Shape::List(_)
            | Shape::Map(_)
            | Shape::MicroTime
            | Shape::Raw
            | Shape::Time => Some(Value::Null),
        })
    }

    fn value(&mut self, value: Value, shape: &Shape, owner: &Struct) -> Result<Value, Error> {
        let fits = match (shape, &value) {
            (Shape::Struct(kind), Value::Object(_)) => {
                let Value::Object(members) = value else {
                    unreachable!()
                };
                return Ok(Value::Object(self.members(members, kind)?));
            }
            (Shape::List(item), Value::Array(_)) => return self.list(value, item, owner),
            (Shape::Map(item), Value::Object(_)) => return self.map(value, item, owner),
            (Shape::Bytes, Value::String(text)) => return bytes(text),
            (Shape::Time, Value::String(text)) => return time::<Time>(text),
            (Shape::MicroTime, Value::String(text)) => return time::<MicroTime>(text),
            (Shape::Quantity, Value::String(text)) => return quantity(text.clone()),
            (Shape::Quantity, Value::Number(number)) => return quantity(number.to_string()),
            (Shape::Bool, Value::Bool(_))
            | (Shape::String, Value::String(_))
            | (Shape::Raw, _)
            | (Shape::FieldsV1, Value::Object(_))
            | (Shape::Float64, Value::Number(_))
            | (Shape::IntOrString, Value::String(_)) => true,
            (Shape::Int32 | Shape::IntOrString, Value::Number(number)) => number
                .as_i64()
                .is_some_and(|number| i32::try_from(number).is_ok()),
            (Shape::Int64, Value::Number(number)) => number.is_i64(),
            _ => false,
        };
        if fits {
            Ok(value)
        } else {
            Err(self.wrong_type(&value, shape, owner))
        }
    }

    fn list(&mut self, value: Value, item: &Shape, owner: &Struct) -> Result<Value, Error> {
        let Value::Array(items) = value else {
            return Ok(value);
        };
        let mut conformed = Vec::with_capacity(items.len());
        for (index, value) in items.into_iter().enumerate() {
            self.path.push(Step::Index(index));
            conformed.push(self.item(value, item, owner)?);
            self.path.pop();
        }
        Ok(Value::Array(conformed))
    }

    fn map(&mut self, value: Value, item: &Shape, owner: &Struct) -> Result<Value, Error> {
        let Value::Object(members) = value else {
            return Ok(value);
        };
        let mut conformed = Map::new();
        for (name, value) in members {
            let value = self.item(value, item, owner)?;
            conformed.insert(name, value);
        }
        Ok(Value::Object(conformed))
    }

    /// An item of a list or map, where `null` is the zero value.
    fn item(&mut self, value: Value, shape: &Shape, owner: &Struct) -> Result<Value, Error> {
        match (&value, shape) {
            (Value::Null, Shape::String | Shape::Bytes) => Ok(Value::from("")),
            (Value::Null, Shape::Quantity) => Ok(Value::from("0")),
            (Value::Null, Shape::Bool) => Ok(Value::Bool(false)),
            (Value::Null, Shape::Struct(kind)) => {
                Ok(Value::Object(self.members(Map::new(), kind)?))
            }
            (Value::Null, Shape::Int32 | Shape::Int64 | Shape::Float64) => Ok(Value::from(0)),
            (Value::Null, _) => Ok(Value::Null),
            _ => self.value(value, shape, owner),
        }
    }

    fn wrong_type(&self, found: &Value, shape: &Shape, owner: &Struct) -> Error {
        let members = self.path.iter().filter_map(|step| match step {
            Step::Member(name) => Some(name.as_str()),
            Step::Index(_) => None,
        });
        Error::Type {
            found: match (found, shape) {
                (Value::Number(number), Shape::Int32 | Shape::Int64 | Shape::IntOrString) => {
                    format!("number {number}")
                }
                _ => json_type(found),
            },
            owner: owner.short_name(),
            path: members.collect::<Vec<_>>().join("."),
            expected: go_type(shape),
        }
    }
}

/// Whether upstream leaves this value of the field out.
fn is_omitted(value: &Value, field: &Field) -> bool {
    if field.pointer || field.always {
        return false;
    }
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => {
            !matches!(field.shape, Shape::IntOrString | Shape::Quantity)
                && number.as_f64() == Some(0.0)
        }
        Value::String(text) => text.is_empty() && field.shape != Shape::IntOrString,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => {
            members.is_empty() && (field.omitzero || !matches!(field.shape, Shape::Struct(_)))
        }
    }
}

fn bytes(text: &str) -> Result<Value, Error> {
    let cleaned: String;
    let text = if text.contains(['\r', '\n']) {
        cleaned = text.replace(['\r', '\n'], "");
        &cleaned
    } else {
        text
    };
    let decoded = STANDARD.decode(text).map_err(|error| {
        Error::Base64(match error {
            base64::DecodeError::InvalidByte(at, _)
            | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
                text.trim_end_matches('=').len() / 4 * 4
            }
        })
    })?;
    Ok(Value::String(STANDARD.encode(decoded)))
}

fn time<T: std::str::FromStr + fmt::Display>(text: &str) -> Result<Value, Error> {
    let time: T = text.parse().map_err(|_| Error::Time(text.to_owned()))?;
    Ok(Value::String(time.to_string()))
}

/// Checks the form of a quantity; the text is kept as given.
fn quantity(text: String) -> Result<Value, Error> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let digits = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(digits);
    let dots = number.matches('.').count();
    let is_exponent = || {
        suffix.strip_prefix(['e', 'E']).is_some_and(|power| {
            let power = power.strip_prefix(['+', '-']).unwrap_or(power);
            !power.is_empty() && power.chars().all(|c| c.is_ascii_digit())
        })
    };
    let known = [
        "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
    ];
    let good = number.len() > dots && dots <= 1 && (known.contains(&suffix) || is_exponent());
    if good {
        Ok(Value::String(text))
    } else {
        Err(Error::Quantity)
    }
}

fn json_type(value: &Value) -> String {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
    .to_owned()
}

fn go_type(shape: &Shape) -> String {
    match shape {
        Shape::Bool => "bool".into(),
        Shape::Bytes => "[]uint8".into(),
        Shape::FieldsV1 => "v1.FieldsV1".into(),
        Shape::Float64 => "float64".into(),
        Shape::Int32 => "int32".into(),
        Shape::Int64 => "int64".into(),
        Shape::IntOrString => "intstr.IntOrString".into(),
        Shape::List(item) => format!("[]{}", go_type(item)),
        Shape::Map(item) => format!("map[string]{}", go_type(item)),
        Shape::MicroTime => "v1.MicroTime".into(),
        Shape::Quantity => "resource.Quantity".into(),
        Shape::Raw => "runtime.RawExtension".into(),
        Shape::String => "string".into(),
        Shape::Struct(kind) => format!("v1.{}", kind.short_name()),
        Shape::Time => "v1.Time".into(),
    }
}

/// Builds a [`Value`] and notes duplicate members on the way.
struct Tracked<'a> {
    path: &'a mut Vec<Step>,
    problems: &'a mut Vec<Problem>,
}

impl<'de> DeserializeSeed<'de> for Tracked<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tracked<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            self.path.push(Step::Index(items.len()));
            let seed = Tracked {
                path: &mut *self.path,
                problems: &mut *self.problems,
            };
            let item = access.next_element_seed(seed)?;
            self.path.pop();
            match item {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if members.contains_key(&name) {
                self.problems
                    .push(Problem::Duplicate(strict_path(self.path, &name)));
            }
            self.path.push(Step::Member(name));
            let seed = Tracked {
                path: &mut *self.path,
                problems: &mut *self.problems,
            };
            let value = access.next_value_seed(seed)?;
            if let Some(Step::Member(name)) = self.path.pop() {
                members.insert(name, value);
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::schema;
    use serde_json::json;

    fn kind(name: &str) -> StructRef {
        schema().find(&format!("io.k8s.api.{name}")).unwrap()
    }

    fn refusal(name: &str, body: &str) -> String {
        from_slice(body.as_bytes(), kind(name))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn wrong_types_are_refused_with_gos_texts() {
        let table = [
            (
                "core.v1.ConfigMap",
                r#"{"data":{"a":1}}"#,
                "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
            ),
            (
                "core.v1.ConfigMap",
                r#"{"data":[]}"#,
                "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string",
            ),
            (
                "core.v1.ConfigMap",
                r#"{"metadata":{"labels":{"a":true}}}"#,
                "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string",
            ),
            (
                "core.v1.Secret",
                r#"{"data":{"a":"%%%"}}"#,
                "illegal base64 data at input byte 0",
            ),
            (
                "core.v1.Pod",
                r#"{"spec":{"containers":[{"name":7}]}}"#,
                "json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string",
            ),
            (
                "core.v1.Pod",
                r#"{"spec":{"priority":2147483648}}"#,
                "json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32",
            ),
            (
                "core.v1.ConfigMap",
                "[]",
                "json: cannot unmarshal array into Go value of type v1.ConfigMap",
            ),
            (
                "core.v1.ConfigMap",
                r#"{"a""#,
                "unexpected end of JSON input",
            ),
        ];
        for (name, body, text) in table {
            assert_eq!(refusal(name, body), text, "{body}");
        }
    }

    #[test]
    fn duplicates_and_unknown_members_are_noted_with_their_path() {
        let body = r#"{"data":{"a":"1","a":"2"},"metadata":{"nmae":"x"},"colour":{"deep":1}}"#;
        let decoded = from_slice(body.as_bytes(), kind("core.v1.ConfigMap")).unwrap();
        let problems: Vec<_> = decoded.problems.iter().map(ToString::to_string).collect();
        let expected = [
            r#"duplicate field "data.a""#,
            r#"unknown field "colour""#,
            r#"unknown field "metadata.nmae""#,
        ];
        assert_eq!(problems, expected);
        assert_eq!(decoded.value, json!({"metadata": {}, "data": {"a": "2"}}));
    }

    #[test]
    fn unknown_members_in_lists_show_the_index() {
        let body = r#"{"spec":{"containers":[{"name":"a"},{"name":"b","colour":1}]}}"#;
        let decoded = from_slice(body.as_bytes(), kind("core.v1.Pod")).unwrap();
        assert_eq!(
            decoded.problems,
            [Problem::Unknown("spec.containers[1].colour".into())]
        );
    }

    #[test]
    fn empty_members_that_upstream_omits_are_dropped() {
        let body =
            r#"{"data":{},"immutable":false,"binaryData":null,"metadata":{"labels":{},"name":""}}"#;
        let decoded = from_slice(body.as_bytes(), kind("core.v1.ConfigMap")).unwrap();
        assert_eq!(decoded.value, json!({"metadata": {}, "immutable": false}));
    }

    #[test]
    fn bytes_and_times_are_brought_into_one_form() {
        let body = "{\"data\":{\"a\":\"YW\\nE=\"},\"metadata\":{\"creationTimestamp\":\"2026-01-01T01:00:00+01:00\"}}";
        let decoded = from_slice(body.as_bytes(), kind("core.v1.Secret")).unwrap();
        assert_eq!(decoded.value["data"]["a"], "YWE=");
        assert_eq!(
            decoded.value["metadata"]["creationTimestamp"],
            "2026-01-01T00:00:00Z"
        );
    }

    #[test]
    fn nesting_is_limited() {
        let body = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(
            parse(body.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("recursion limit")
        );
    }

    #[test]
    fn quantities_are_checked_and_kept() {
        for good in ["1", "100Mi", "0.5", "1e3", "-1k", "5E", "1E3", ".5"] {
            assert_eq!(quantity(good.into()).unwrap(), good);
        }
        for bad in ["", ".", "1.2.3", "Mi", "1 Mi", "1e", "1mm", "--1"] {
            assert!(quantity(bad.into()).is_err(), "{bad}");
        }
    }
}
