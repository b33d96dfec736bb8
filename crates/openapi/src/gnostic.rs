//! The protobuf form of the OpenAPI v2 document, which kubectl and client-go ask for.
//!
//! Its messages are those of gnostic's `openapiv2/OpenAPIv2.proto`: one per JSON object, wrapped in
//! further messages where JSON Schema leaves a choice, with maps as lists of named values. The
//! tables below say where each JSON member goes; only what [`crate::v2`] writes stands in them. The
//! JSON is read piece by piece, so that no tree of the whole ever exists.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A JSON object whose members have not been read yet.
type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Where the members of a JSON object go.
struct Message {
    /// Member name, the numbers of the fields that lead to the value, and how it is written.
    fields: &'static [(&'static str, &'static [u32], Form)],
    /// Number of the field that holds `x-` members, as YAML.
    extensions: u32,
}

/// How a value is written.
enum Form {
    Flag,
    /// A map from scheme to scopes, which are always empty here.
    Security,
    Message(&'static Message),
    /// A map, as `{1: name, 2: value}`; these numbers lead from that pair to the value.
    Named(&'static [u32], &'static Message),
    /// Parameters, which go different ways depending on `in`.
    Parameters,
    Text,
    Texts,
}

static DOCUMENT: Message = Message {
    fields: &[
        ("swagger", &[1], Form::Text),
        ("info", &[2], Form::Message(&INFO)),
        ("paths", &[8, 2], Form::Named(&[2], &PATH_ITEM)),
        ("definitions", &[9, 1], Form::Named(&[2], &SCHEMA)),
        ("security", &[12, 1], Form::Security),
        (
            "securityDefinitions",
            &[13, 1],
            Form::Named(&[2, 2], &API_KEY),
        ),
    ],
    extensions: 16,
};

static INFO: Message = Message {
    fields: &[("title", &[1], Form::Text), ("version", &[2], Form::Text)],
    extensions: 7,
};

static API_KEY: Message = Message {
    fields: &[
        ("type", &[1], Form::Text),
        ("name", &[2], Form::Text),
        ("in", &[3], Form::Text),
        ("description", &[4], Form::Text),
    ],
    extensions: 5,
};

static PATH_ITEM: Message = Message {
    fields: &[
        ("get", &[2], Form::Message(&OPERATION)),
        ("put", &[3], Form::Message(&OPERATION)),
        ("post", &[4], Form::Message(&OPERATION)),
        ("delete", &[5], Form::Message(&OPERATION)),
        ("patch", &[8], Form::Message(&OPERATION)),
        ("parameters", &[9], Form::Parameters),
    ],
    extensions: 10,
};

static OPERATION: Message = Message {
    fields: &[
        ("tags", &[1], Form::Texts),
        ("description", &[3], Form::Text),
        ("operationId", &[5], Form::Text),
        ("produces", &[6], Form::Texts),
        ("consumes", &[7], Form::Texts),
        ("parameters", &[8], Form::Parameters),
        ("responses", &[9, 1], Form::Named(&[2, 1], &RESPONSE)),
        ("schemes", &[10], Form::Texts),
    ],
    extensions: 13,
};

static RESPONSE: Message = Message {
    fields: &[
        ("description", &[1], Form::Text),
        ("schema", &[2, 1], Form::Message(&SCHEMA)),
    ],
    extensions: 5,
};

static BODY_PARAMETER: Message = Message {
    fields: &[
        ("name", &[2], Form::Text),
        ("in", &[3], Form::Text),
        ("required", &[4], Form::Flag),
        ("schema", &[5], Form::Message(&SCHEMA)),
    ],
    extensions: 6,
};

static QUERY_PARAMETER: Message = Message {
    fields: &[
        ("in", &[2], Form::Text),
        ("description", &[3], Form::Text),
        ("name", &[4], Form::Text),
        ("type", &[6], Form::Text),
    ],
    extensions: 23,
};

static PATH_PARAMETER: Message = Message {
    fields: &[
        ("required", &[1], Form::Flag),
        ("in", &[2], Form::Text),
        ("description", &[3], Form::Text),
        ("name", &[4], Form::Text),
        ("type", &[5], Form::Text),
    ],
    extensions: 22,
};

static SCHEMA: Message = Message {
    fields: &[
        ("$ref", &[1], Form::Text),
        ("format", &[2], Form::Text),
        ("description", &[4], Form::Text),
        ("required", &[19], Form::Texts),
        ("additionalProperties", &[21, 1], Form::Message(&SCHEMA)),
        ("type", &[22, 1], Form::Text),
        ("items", &[23, 1], Form::Message(&SCHEMA)),
        ("properties", &[25, 1], Form::Named(&[2], &SCHEMA)),
    ],
    extensions: 31,
};

/// The protobuf form of a document that [`crate::v2`] wrote.
pub(crate) fn encode(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let encoded = serde_json::from_slice(json).and_then(|raw| message(&mut out, &DOCUMENT, raw));
    if let Err(error) = encoded {
        unreachable!("the document is our own: {error}");
    }
    out.shrink_to_fit();
    out
}

fn message(out: &mut Vec<u8>, message: &Message, json: &RawValue) -> serde_json::Result<()> {
    let members: Members<'_> = serde_json::from_str(json.get())?;
    for (name, value) in members {
        if name.starts_with("x-") {
            // JSON is YAML too.
            let named = |out: &mut Vec<u8>| {
                text(out, &[1], &name);
                text(out, &[2, 2], value.get());
                Ok(())
            };
            nested(out, &[message.extensions], named)?;
            continue;
        }
        let known = message.fields.iter().find(|(known, ..)| *known == name);
        debug_assert!(known.is_some(), "no field for the member {name}");
        if let Some((_, path, form)) = known {
            field(out, path, form, value)?;
        }
    }
    Ok(())
}

fn field(out: &mut Vec<u8>, path: &[u32], form: &Form, json: &RawValue) -> serde_json::Result<()> {
    let json_text = json.get();
    match form {
        Form::Flag => {
            let flag: bool = serde_json::from_str(json_text)?;
            if let [number] = path {
                varint(out, u64::from(*number) << 3);
                varint(out, flag.into());
            }
        }
        Form::Message(inner) => nested(out, path, |out| message(out, inner, json))?,
        Form::Named(value_path, inner) => {
            for (name, value) in serde_json::from_str::<Members<'_>>(json_text)? {
                nested(out, path, |out| {
                    text(out, &[1], &name);
                    nested(out, value_path, |out| message(out, inner, value))
                })?;
            }
        }
        Form::Parameters => {
            for parameter in serde_json::from_str::<Vec<&RawValue>>(json_text)? {
                let place: Place = serde_json::from_str(parameter.get())?;
                let (rest, inner): (&[u32], _) = match place.r#in.as_str() {
                    "body" => (&[1, 1], &BODY_PARAMETER),
                    "path" => (&[1, 2, 4], &PATH_PARAMETER),
                    _ => (&[1, 2, 3], &QUERY_PARAMETER),
                };
                let path = [path, rest].concat();
                nested(out, &path, |out| message(out, inner, parameter))?;
            }
        }
        Form::Security => {
            for requirement in serde_json::from_str::<Vec<Members<'_>>>(json_text)? {
                for scheme in requirement.keys() {
                    nested(out, path, |out| {
                        text(out, &[1], scheme);
                        nested(out, &[2], |_| Ok(()))
                    })?;
                }
            }
        }
        Form::Text => text(out, path, &serde_json::from_str::<String>(json_text)?),
        Form::Texts => {
            for each in serde_json::from_str::<Vec<String>>(json_text)? {
                text(out, path, &each);
            }
        }
    }
    Ok(())
}

#[derive(serde::Deserialize)]
struct Place {
    r#in: String,
}

/// Writes a message at the end of `path`, the fields before it being messages of nothing else.
fn nested(
    out: &mut Vec<u8>,
    path: &[u32],
    write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
) -> serde_json::Result<()> {
    let mut inner = Vec::new();
    write(&mut inner)?;
    bytes(out, path, &inner);
    Ok(())
}

fn text(out: &mut Vec<u8>, path: &[u32], text: &str) {
    bytes(out, path, text.as_bytes());
}

fn bytes(out: &mut Vec<u8>, path: &[u32], value: &[u8]) {
    let Some((number, rest)) = path.split_first() else {
        out.extend_from_slice(value);
        return;
    };
    let mut inner = Vec::new();
    bytes(&mut inner, rest, value);
    varint(out, u64::from(*number) << 3 | 2);
    varint(out, inner.len() as u64);
    out.append(&mut inner);
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the low seven bits are what is wanted"
)]
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_become_fields_by_number() {
        let json = br#"{"swagger":"2.0","paths":{"/p":{"patch":{"parameters":[
            {"name":"dryRun","in":"query","type":"string"}],"x-k":{"a":1}}}}}"#;
        let members = [wrap(2, b"query"), wrap(4, b"dryRun"), wrap(6, b"string")].concat();
        // Document.paths.path{name, value.patch{parameters.parameter.non_body.query, extension}}.
        let query = wrap(8, &wrap(1, &wrap(2, &wrap(3, &members))));
        let extension = wrap(
            13,
            &[wrap(1, b"x-k"), wrap(2, &wrap(2, br#"{"a":1}"#))].concat(),
        );
        let patch = wrap(2, &wrap(8, &[query, extension].concat()));
        let path = wrap(8, &wrap(2, &[wrap(1, b"/p"), patch].concat()));
        let swagger = wrap(1, b"2.0");
        assert_eq!(encode(json), [path, swagger].concat());
    }

    #[test]
    fn long_values_have_long_lengths() {
        let mut out = Vec::new();
        text(&mut out, &[1], &"x".repeat(300));
        assert_eq!(out[..3], [0x0a, 0xac, 0x02]);
        assert_eq!(out.len(), 303);
    }

    fn wrap(number: u8, value: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(value.len()).unwrap()];
        out.extend_from_slice(value);
        out
    }
}
