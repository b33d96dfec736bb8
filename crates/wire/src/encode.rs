//! From a canonical value to the JSON bytes that kube-apiserver would write.
//!
//! Members stand in upstream's order, map keys are sorted, and `<`, `>`, `&`, U+2028 and U+2029 are
//! escaped as Go's encoder does.

use serde_json::{Map, Value};

use crate::schema::{Shape, Struct, StructRef};

/// The JSON of a canonical value, without `kind` and `apiVersion`.
#[must_use]
pub fn to_string(value: &Value, kind: StructRef) -> String {
    let mut out = String::with_capacity(512);
    match value {
        Value::Object(members) => write_members(&mut out, members, &kind, ""),
        other => write_any(&mut out, other),
    }
    out
}

/// The JSON of a canonical object, with `kind` and `apiVersion` in front.
#[must_use]
pub fn object(api_version: &str, kind_name: &str, value: &Value, kind: StructRef) -> String {
    let mut out = String::with_capacity(512);
    let type_meta = type_meta(api_version, kind_name);
    match value {
        Value::Object(members) => write_members(&mut out, members, &kind, &type_meta),
        other => write_any(&mut out, other),
    }
    out
}

/// `"kind":"…","apiVersion":"…"`, the members that come first in every answer.
#[must_use]
pub fn type_meta(api_version: &str, kind: &str) -> String {
    let mut out = String::from("\"kind\":");
    write_text(&mut out, kind);
    out.push_str(",\"apiVersion\":");
    write_text(&mut out, api_version);
    out
}

/// Any JSON value, map keys sorted, escaped as Go does.
#[must_use]
pub fn any(value: &Value) -> String {
    let mut out = String::new();
    write_any(&mut out, value);
    out
}

fn write_members(out: &mut String, members: &Map<String, Value>, kind: &Struct, first: &str) {
    out.push('{');
    out.push_str(first);
    let mut separate = !first.is_empty();
    for field in kind.json_fields() {
        let Some(value) = members.get(field.name) else {
            continue;
        };
        if separate {
            out.push(',');
        }
        separate = true;
        write_text(out, field.name);
        out.push(':');
        write_shape(out, value, &field.shape);
    }
    out.push('}');
}

fn write_shape(out: &mut String, value: &Value, shape: &Shape) {
    match (shape, value) {
        (Shape::Struct(kind), Value::Object(members)) => write_members(out, members, kind, ""),
        (Shape::List(item), Value::Array(items)) => {
            write_list(out, items, |out, value| write_shape(out, value, item));
        }
        (Shape::Map(item), Value::Object(members)) => {
            write_map(out, members, |out, value| write_shape(out, value, item));
        }
        _ => write_any(out, value),
    }
}

fn write_any(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_text(out, text),
        Value::Array(items) => write_list(out, items, write_any),
        Value::Object(members) => write_map(out, members, write_any),
    }
}

fn write_list(out: &mut String, items: &[Value], write: impl Fn(&mut String, &Value)) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

fn write_map(out: &mut String, members: &Map<String, Value>, write: impl Fn(&mut String, &Value)) {
    // `Map` is sorted unless a dependency switches serde_json to insertion order; sorting again costs
    // little when it already is.
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    out.push('{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(out, name);
        out.push(':');
        write(out, value);
    }
    out.push('}');
}

/// Text as a JSON string, escaped as Go's `encoding/json` does by default.
pub fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(must_escape) {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = tail.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some(other) => out.push_str(&format!("\\u{:04x}", u32::from(other))),
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn must_escape(c: char) -> bool {
    matches!(c, '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}') || c < ' '
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;
    use crate::schema::schema;

    fn kind(name: &str) -> StructRef {
        schema().find(&format!("io.k8s.api.{name}")).unwrap()
    }

    fn round(name: &str, body: &str) -> String {
        let decoded = decode::from_slice(body.as_bytes(), kind(name)).unwrap();
        assert_eq!(decoded.problems, []);
        object(
            &decoded.api_version,
            &decoded.kind,
            &decoded.value,
            kind(name),
        )
    }

    #[test]
    fn members_stand_in_upstreams_order() {
        let body = r#"{"type":"Opaque","data":{"b":"YQ==","a":""},"metadata":{"namespace":"n","name":"s"},"apiVersion":"v1","kind":"Secret"}"#;
        let expected = r#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"s","namespace":"n"},"data":{"a":"","b":"YQ=="},"type":"Opaque"}"#;
        assert_eq!(round("core.v1.Secret", body), expected);
    }

    #[test]
    fn what_upstream_always_writes_is_written() {
        let event = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"e"},"involvedObject":{"kind":"Secret"},"source":{},"firstTimestamp":null,"lastTimestamp":null,"eventTime":null,"reportingComponent":"","reportingInstance":""}"#;
        let given = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"e"},"involvedObject":{"kind":"Secret"},"count":0,"reason":""}"#;
        assert_eq!(round("core.v1.Event", given), event);
        let role = r#"{"kind":"Role","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"r"}}"#;
        let expected = r#"{"kind":"Role","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"r"},"rules":null}"#;
        assert_eq!(round("rbac.v1.Role", role), expected);
    }

    #[test]
    fn text_is_escaped_as_go_does() {
        let mut out = String::new();
        write_text(&mut out, "<a&b>\u{2028}\"\\\n\u{1}é");
        assert_eq!(out, r#""\u003ca\u0026b\u003e\u2028\"\\\n\u0001é""#);
    }
}
