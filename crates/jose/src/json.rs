//! JSON as tokens need it: read without leeway, written as Go writes it.

mod strict;

use serde::{Deserialize, Serialize};

use crate::Error;

/// How deep objects and arrays may nest. Claims and headers need five levels.
pub const MAX_DEPTH: usize = 32;

/// Reads one JSON value without leeway.
///
/// - A member that is repeated is an error in every object, also in those that `T` ignores, and also
///   when one of the two is spelled with escapes. So nobody else can have read another value.
/// - Structs are read from objects only, never from arrays, and their members by exact name. (Fields
///   that `T` lacks are ignored unless `T` denies them.)
/// - Nesting beyond [`MAX_DEPTH`], numbers that fit nowhere, lone surrogates, text that is not UTF-8 and
///   anything but white space after the value are errors.
///
/// The length of the input is the caller's to limit. `serde_json`'s `RawValue` is not supported.
///
/// ```
/// use burgee_jose::json;
///
/// #[derive(serde::Deserialize)]
/// struct Claims<'a> {
///     iss: &'a str,
/// }
///
/// let claims: Claims = json::from_slice(br#"{"iss":"https://a.example","x":[1]}"#)?;
/// assert_eq!(claims.iss, "https://a.example");
/// assert!(json::from_slice::<Claims>(br#"{"iss":"a","x":{"y":1,"y":1}}"#).is_err());
/// assert!(json::from_slice::<Claims>(br#"["a"]"#).is_err());
/// # Ok::<(), burgee_jose::Error>(())
/// ```
///
/// # Errors
/// [`Error::Json`].
pub fn from_slice<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value =
        T::deserialize(strict::Strict::new(&mut deserializer, MAX_DEPTH)).map_err(Error::Json)?;
    deserializer.end().map_err(Error::Json)?;
    Ok(value)
}

/// Writes compact JSON the way Go's encoder does by default: `<`, `>`, `&`, U+2028 and U+2029 in strings
/// are escaped. Members come in the order in which `value` gives them.
///
/// ```
/// assert_eq!(burgee_jose::json::to_string("a<b&ü")?, r#""a\u003cb\u0026ü""#);
/// # Ok::<(), burgee_jose::Error>(())
/// ```
///
/// # Errors
/// [`Error::Json`] if `value` cannot be JSON, such as a map whose keys are no strings.
pub fn to_string(value: &(impl Serialize + ?Sized)) -> Result<String, Error> {
    let json = serde_json::to_string(value).map_err(Error::Json)?;
    if !json.contains(escape_is_needed) {
        return Ok(json);
    }
    // Outside of strings JSON has none of these characters.
    let mut escaped = String::with_capacity(json.len() + 32);
    for character in json.chars() {
        match character {
            '&' => escaped.push_str("\\u0026"),
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            other => escaped.push(other),
        }
    }
    Ok(escaped)
}

fn escape_is_needed(character: char) -> bool {
    matches!(character, '&' | '<' | '>' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Claims {
        iss: Option<String>,
        #[serde(default)]
        aud: Audience,
        bound: Option<Bound>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Bound {
        name: String,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(untagged)]
    enum Audience {
        #[default]
        None,
        One(String),
        Many(Vec<String>),
    }

    fn claims(json: &str) -> Result<Claims, Error> {
        from_slice(json.as_bytes())
    }

    #[test]
    fn good_json_reads_as_usual() {
        let json =
            r#" {"iss":"\u0061", "aud":["b","c"], "bound":{"name":"d","uid":null}, "n":1.5e3} "#;
        let expected = Claims {
            iss: Some("a".into()),
            aud: Audience::Many(vec!["b".into(), "c".into()]),
            bound: Some(Bound { name: "d".into() }),
        };
        assert_eq!(claims(json).unwrap(), expected);
        assert_eq!(
            claims(r#"{"aud":"b"}"#).unwrap().aud,
            Audience::One("b".into())
        );
    }

    #[test]
    fn repeated_members_are_refused_wherever_they_are() {
        for json in [
            r#"{"iss":"a","iss":"a"}"#,
            r#"{"iss":"a","\u0069ss":"b"}"#,
            r#"{"x":1,"x":2}"#,
            r#"{"bound":{"name":"a","name":"b"}}"#,
            r#"{"bound":{"name":"a","x":0,"x":0}}"#,
            r#"{"x":[[{"y":1,"y":1}]]}"#,
            r#"{"aud":[{"y":1,"y":1}]}"#,
            r#"{"":1,"":1}"#,
        ] {
            let error = claims(json).unwrap_err();
            assert!(matches!(error, Error::Json(_)), "{json}");
        }
        assert!(from_slice::<Value>(br#"{"a":1,"a":1}"#).is_err());
        assert!(from_slice::<BTreeMap<String, u8>>(br#"{"a":1,"a":1}"#).is_err());
    }

    #[test]
    fn names_that_differ_in_case_are_different_members() {
        assert_eq!(
            claims(r#"{"iss":"a","ISS":"b"}"#).unwrap().iss.unwrap(),
            "a"
        );
        assert_eq!(claims(r#"{"ISS":"b"}"#).unwrap().iss, None);
    }

    #[test]
    fn many_members_are_compared_too() {
        let member = |n: usize| format!(r#""m{n}":{n}"#);
        let mut members: Vec<_> = (0..1000).map(member).collect();
        assert!(claims(&format!("{{{}}}", members.join(","))).is_ok());
        members.push(member(500));
        assert!(claims(&format!("{{{}}}", members.join(","))).is_err());
    }

    #[test]
    fn structs_are_objects() {
        assert!(claims(r#"["a"]"#).is_err());
        assert!(claims(r#"{"bound":["a"]}"#).is_err());
    }

    #[test]
    fn nesting_is_limited_also_where_it_is_ignored() {
        let nested = |depth: usize| {
            let arrays = depth - 1;
            format!(r#"{{"x":{}{}}}"#, "[".repeat(arrays), "]".repeat(arrays))
        };
        assert!(claims(&nested(MAX_DEPTH)).is_ok());
        assert!(claims(&nested(MAX_DEPTH + 1)).is_err());
        assert!(from_slice::<Value>(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(from_slice::<Value>(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(claims(&format!(r#"{{"x":{}"#, r#"{"x":"#.repeat(100_000))).is_err());
    }

    #[test]
    fn what_is_no_json_is_refused_also_where_it_is_ignored() {
        for json in [
            "",
            "{",
            "{} x",
            "{}{}",
            r#"{"x":"\ud800"}"#,
            r#"{"x":1e999}"#,
            r#"{"x":01}"#,
            r#"{"x":"a	b"}"#,
            r#"{"x":nul}"#,
            r#"{x:1}"#,
            "\u{feff}{}",
        ] {
            assert!(claims(json).is_err(), "{json:?}");
        }
        assert!(from_slice::<Claims>(b"{\"x\":\"\xff\"}").is_err());
    }

    #[test]
    fn enums_and_newtypes_are_read_and_their_contents_checked() {
        #[derive(Debug, Deserialize, PartialEq)]
        enum Shape {
            Unit,
            Newtype(Name),
            Tuple(u8, u8),
            Struct { a: u8 },
        }
        #[derive(Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
        struct Name(String);

        let read = |json: &str| from_slice::<Shape>(json.as_bytes());
        assert_eq!(read(r#""Unit""#).unwrap(), Shape::Unit);
        assert_eq!(
            read(r#"{"Newtype":"n"}"#).unwrap(),
            Shape::Newtype(Name("n".into()))
        );
        assert_eq!(read(r#"{"Tuple":[1,2]}"#).unwrap(), Shape::Tuple(1, 2));
        assert_eq!(
            read(r#"{"Struct":{"a":1,"b":2}}"#).unwrap(),
            Shape::Struct { a: 1 }
        );
        assert!(read(r#"{"Struct":[1]}"#).is_err());
        assert!(read(r#"{"Struct":{"a":1,"b":2,"b":2}}"#).is_err());

        let map: BTreeMap<Name, bool> = from_slice(br#"{"a":true}"#).unwrap();
        assert!(map[&Name("a".into())]);
    }

    #[test]
    fn borrowed_text_is_borrowed() {
        #[derive(Deserialize)]
        struct Borrowed<'a> {
            iss: &'a str,
        }
        let json = br#"{"iss":"a"}"#;
        let read: Borrowed<'_> = from_slice(json).unwrap();
        assert!(json.as_ptr_range().contains(&read.iss.as_ptr()));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in any_json()) {
            let json = to_string(&value).unwrap();
            prop_assert!(!json.contains(escape_is_needed));
            prop_assert_eq!(from_slice::<Value>(json.as_bytes()).unwrap(), value);
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_never_read_more_than_serde_json(bytes: Vec<u8>) {
            if let Ok(value) = from_slice::<Value>(&bytes) {
                prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
            }
        }

        #[test]
        fn near_json_never_panics(text in r#"[\[\]{}:,"0-9a\\u -]{0,24}"#) {
            if let Ok(value) = from_slice::<Value>(text.as_bytes()) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
            }
        }
    }
}
