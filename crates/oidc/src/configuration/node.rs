//! YAML or JSON as a tree that knows its lines.

use std::fmt;

use burgee_wire::decode::{self as json, Problem};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use serde_saphyr::options::DuplicateKeyPolicy;

/// The longest file that is parsed: 64 issuers with a large CA bundle each.
const MAX_LEN: usize = 16 << 20;

/// The deepest nesting; an `AuthenticationConfiguration` has 5 levels. It bounds the parser's stack.
const MAX_DEPTH: usize = 32;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    /// Counted from 1.
    pub(super) line: Option<u64>,
}

/// What Go's decoders make of untyped YAML and JSON. Numbers have no place in the configuration, so
/// theirs are not kept.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number,
    String(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

impl From<serde_json::Value> for Node {
    fn from(json: serde_json::Value) -> Self {
        let member = |(name, value): (String, serde_json::Value)| {
            let key = Key { name, line: None };
            (key, value.into())
        };
        Self {
            value: match json {
                serde_json::Value::Null => Value::Null,
                serde_json::Value::Bool(flag) => Value::Bool(flag),
                serde_json::Value::Number(_) => Value::Number,
                serde_json::Value::String(text) => Value::String(text),
                serde_json::Value::Array(items) => {
                    Value::List(items.into_iter().map(Into::into).collect())
                }
                serde_json::Value::Object(members) => {
                    Value::Map(members.into_iter().map(member).collect())
                }
            },
            line: None,
        }
    }
}

impl Value {
    /// The type in the words of Go's decoder.
    pub(super) fn json_type(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number => "number",
            Self::String(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }
}

/// A member's name and where it stands.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) line: Option<u64>,
}

/// Why bytes are no tree.
#[derive(Debug)]
pub(super) enum ParseError {
    /// A member appears twice.
    Duplicate { key: String, line: Option<u64> },
    /// It is neither YAML nor JSON, or beyond the limits.
    Syntax(String),
}

/// Parses JSON, or YAML of one document as Go's parser reads it: `yes` and `on` are booleans.
pub(super) fn parse(bytes: &[u8]) -> Result<Node, ParseError> {
    if bytes.len() > MAX_LEN {
        let problem = format!("the file is longer than {MAX_LEN} bytes");
        return Err(ParseError::Syntax(problem));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ParseError::Syntax(format!("the file is not UTF-8: {error}")))?;
    parse_yaml(text).or_else(|error| {
        let is_braced = text.trim_start().starts_with('{');
        match (error, json::parse(bytes)) {
            // YAML refuses some characters that JSON allows.
            (ParseError::Syntax(_), Ok((value, problems))) if is_braced => match problems.first() {
                None => Ok(value.into()),
                Some(Problem::Duplicate(path) | Problem::Unknown(path)) => {
                    Err(ParseError::Duplicate {
                        key: path.clone(),
                        line: None,
                    })
                }
            },
            (error, _) => Err(error),
        }
    })
}

fn parse_yaml(text: &str) -> Result<Node, ParseError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            flow_nesting_limit: MAX_DEPTH,
            max_depth: MAX_DEPTH,
            max_nodes: 250_000,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    let parsed = serde_saphyr::from_str_with_options::<Option<Node>>(text, options);
    let null = Node {
        value: Value::Null,
        line: None,
    };
    parsed
        .map(|node| node.unwrap_or(null))
        .map_err(|error| match error.without_snippet() {
            serde_saphyr::Error::DuplicateMappingKey { key, location } => ParseError::Duplicate {
                key: key.clone().unwrap_or_default(),
                line: known(location.line()),
            },
            other => ParseError::Syntax(format!("error converting YAML to JSON: {other}")),
        })
}

/// Line 0 stands for none.
fn known(line: u64) -> Option<u64> {
    Some(line).filter(|line| *line > 0)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned {
            value, referenced, ..
        } = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self {
            value,
            line: known(referenced.line()),
        })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned {
            value, referenced, ..
        } = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self {
            name: value,
            line: known(referenced.line()),
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML or JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = access.next_entry()? {
            members.push(member);
        }
        Ok(Value::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Value, *};

    /// The tree in one line: values with the lines where they differ from the one above.
    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number => "number".to_owned(),
            Value::String(text) => format!("{text:?}"),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(shown).collect();
                format!("[{}]", items.join(" "))
            }
            Value::Map(members) => {
                let member = |(key, node): &(Key, Node)| {
                    let line = key.line.unwrap();
                    format!("{}@{line}:{}", key.name, shown(node))
                };
                let members: Vec<_> = members.iter().map(member).collect();
                format!("{{{}}}", members.join(" "))
            }
        }
    }

    #[test]
    fn yaml_and_json_are_read_as_gos_parser_does() {
        let table = [
            ("", "null"),
            ("# nothing\n", "null"),
            ("\u{feff}a: b", r#"{a@1:"b"}"#),
            (
                "a: yes\nb: OFF\nc: 'yes'\n",
                r#"{a@1:true b@2:false c@3:"yes"}"#,
            ),
            (
                "a: 0777\nb: 1e3\nc: '1'\n",
                r#"{a@1:number b@2:number c@3:"1"}"#,
            ),
            ("a: ~\nb:\nc: null\n", "{a@1:null b@2:null c@3:null}"),
            ("a: 2020-01-01\n", r#"{a@1:"2020-01-01"}"#),
            ("a: |\n  x\n  y\n", r#"{a@1:"x\ny\n"}"#),
            ("a:\n- b: 1\n-\n", "{a@1:[{b@2:number} null]}"),
            ("a: &x\n  b: c\nd: *x\n", r#"{a@1:{b@2:"c"} d@3:{b@3:"c"}}"#),
            ("1: x\n", r#"{1@1:"x"}"#),
            ("{a: [b]}", r#"{a@1:["b"]}"#),
            (
                "{\n\t\"a\": [\n\t\tnull\n\t],\n\t\"b\": \"\\ud83d\\ude00\\/\"\n}",
                r#"{a@2:[null] b@5:"😀/"}"#,
            ),
        ];
        for (text, tree) in table {
            assert_eq!(shown(&parse(text.as_bytes()).unwrap()), tree, "{text}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_line() {
        let table: [(&[u8], &str); 6] = [
            (b"a: [", "unclosed bracket '[' at line 1, column 4"),
            (b"a:\n\tb: c", "tabs disallowed"),
            (b"---\na: b\n---\nc: d\n", "at line 4, column 1"),
            (b"{\"a\":1} x", "at line 1, column 9"),
            (b"\xff", "the file is not UTF-8"),
            (&[b'['; 100_000], "recursion limit"),
        ];
        for (bytes, expected) in table {
            let Err(ParseError::Syntax(text)) = parse(bytes) else {
                panic!("{expected}");
            };
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_member_may_stand_there_once() {
        for (text, expected) in [
            ("a: 1\nb: 2\na: 3\n", ("a", 3)),
            ("{\"a\":1,\n\"b\":{\"c\":1,\n\"c\":2}}", ("c", 3)),
        ] {
            let Err(ParseError::Duplicate { key, line }) = parse(text.as_bytes()) else {
                panic!("{text}");
            };
            assert_eq!((key.as_str(), line.unwrap()), expected);
        }
    }

    #[test]
    fn json_with_what_yaml_refuses_is_read_as_well() {
        let node = parse(b"{\"a\": \"\x7f\", \"b\": {\"c\": [1, true, null]}}").unwrap();
        let Value::Map(members) = node.value else {
            panic!("an object");
        };
        let values: Vec<_> = members
            .iter()
            .map(|(key, node)| (&key.name, &node.value))
            .collect();
        assert!(
            matches!(values.as_slice(), [(a, Value::String(text)), (b, Value::Map(_))]
                if *a == "a" && text == "\u{7f}" && *b == "b")
        );
        let error = parse(b"{\"a\": \"\x7f\", \"b\": {\"c\": 1, \"c\": 2}}").unwrap_err();
        assert!(matches!(error, ParseError::Duplicate { key, line: None } if key == "b.c"));
    }

    proptest! {
        #[test]
        fn json_texts_are_what_they_are(text in ".*", key in ".{1,64}") {
            let json = serde_json::json!({key.clone(): [text.clone()]});
            let Value::Map(members) = parse(json.to_string().as_bytes()).unwrap().value else {
                panic!("an object");
            };
            prop_assert_eq!(&members[0].0.name, &key);
            let Value::List(items) = &members[0].1.value else {
                panic!("a list");
            };
            prop_assert!(matches!(&items[0].value, Value::String(read) if *read == text));
        }
    }

    #[test]
    fn size_and_aliases_are_bounded() {
        let long = vec![b' '; MAX_LEN + 1];
        assert!(matches!(parse(&long), Err(ParseError::Syntax(text)) if text.contains("longer")));

        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(matches!(parse(bomb.as_bytes()), Err(ParseError::Syntax(_))));
    }
}
