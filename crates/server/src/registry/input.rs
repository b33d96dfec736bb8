//! From a request's body to an object of the right kind.

use std::fmt;

use burgee_patch::resets_managed_fields;
use burgee_resources::Resource;
use burgee_wire::decode::{self, Problem};
use burgee_wire::schema::StructRef;
use burgee_wire::{Object, Status, protobuf, quoted};
use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;

use super::{FieldValidation, Result};
use crate::http::Encoding;

/// A decoded body.
pub(crate) struct Input {
    /// The object in canonical form, without `kind` and `apiVersion`.
    pub(crate) value: Value,
    /// What the client should know of its body.
    pub(crate) warnings: Vec<String>,
    /// Whether the client wants who owns what to be forgotten.
    pub(crate) resets_owners: bool,
}

impl fmt::Debug for Input {
    /// Never shows the value, which can be a Secret or carry a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("warnings", &self.warnings)
            .field("resets_owners", &self.resets_owners)
            .finish_non_exhaustive()
    }
}

impl Input {
    /// The object with its metadata typed.
    pub(crate) fn object(self) -> Result<Object> {
        Object::from_value(self.value)
            .map_err(|error| Box::new(Status::bad_request(error.to_string())))
    }
}

/// Reads a body of this kind, noting duplicate members. JSON is YAML, so it may come under either
/// name.
///
/// # Errors
///
/// The parser's text.
pub(crate) fn parse_body(
    bytes: &[u8],
    encoding: Encoding,
    kind: StructRef,
) -> Result<(Value, Vec<String>), String> {
    let json = || {
        let (value, problems) = decode::parse(bytes).map_err(|error| error.to_string())?;
        Ok((value, problems.iter().map(ToString::to_string).collect()))
    };
    match encoding {
        Encoding::Json => json(),
        Encoding::Protobuf => {
            let value = protobuf::from_slice(bytes, kind).map_err(|error| error.to_string())?;
            Ok((value, Vec::new()))
        }
        Encoding::Yaml => json().or_else(|_: String| yaml(bytes)),
    }
}

/// How much stack YAML is parsed on. Its parser recurses, with frames so large that as deep as its own
/// limit allows it needs more than a thread has by default.
const YAML_STACK_BYTES: usize = 16 * 1024 * 1024;

/// Parses YAML on a stack that is large enough.
fn yaml(bytes: &[u8]) -> Result<(Value, Vec<String>), String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(YAML_STACK_BYTES);
        let parsing = thread.spawn_scoped(scope, || parse_yaml(bytes));
        let parsing = parsing.map_err(|error| error.to_string())?;
        let failed = |_| Err("the YAML parser failed".to_owned());
        parsing.join().unwrap_or_else(failed)
    })
}

/// The limits on YAML, which can say much in few bytes: nodes, aliases and depth.
fn parse_yaml(bytes: &[u8]) -> Result<(Value, Vec<String>), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let parse = |duplicates| {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_nodes: 250_000 },
            duplicate_keys: duplicates,
            legacy_octal_numbers: true,
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options::<Value>(text, options)
    };
    let strict = match parse(DuplicateKeyPolicy::Error) {
        Ok(value) => return Ok((value, Vec::new())),
        Err(error) => error.to_string(),
    };
    let value = parse(DuplicateKeyPolicy::LastWins).map_err(|_| strict.clone())?;
    let key = strict.rsplit(": ").next().unwrap_or_default().to_owned();
    Ok((value, vec![Problem::Duplicate(key).to_string()]))
}

/// Kinds that hold credentials, of which no answer shows anything.
const CONFIDENTIAL: [&str; 3] = ["Secret", "TokenExplanation", "TokenReview"];

/// What a body must be.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) api_version: String,
    pub(crate) kind: &'static str,
    pub(crate) schema: StructRef,
}

impl Expected {
    /// An object of this resource.
    pub(crate) fn of(resource: &Resource) -> Self {
        Self {
            api_version: resource.api_version(),
            kind: resource.kind,
            schema: resource.schema(),
        }
    }
}

impl Input {
    /// Decodes a body that must be of this kind. A body that does not name its kind is taken for it.
    ///
    /// # Errors
    ///
    /// 400 with upstream's texts when the body does not parse, is of another kind or has members of
    /// wrong types, or, if validation is strict, members that are unknown or doubled.
    pub(crate) fn decode(
        bytes: &[u8],
        encoding: Encoding,
        expected: &Expected,
        validation: FieldValidation,
    ) -> Result<Self> {
        let (value, problems) = parse_body(bytes, encoding, expected.schema).map_err(|error| {
            let shown = match bytes {
                [] => "<empty>".to_owned(),
                // A body can hold a secret: only its beginning, and only where it is plainly broken.
                [..] if bytes.len() <= 64
                    && error.contains("unexpected end")
                    && !CONFIDENTIAL.contains(&expected.kind) =>
                {
                    String::from_utf8_lossy(bytes).into_owned()
                }
                [..] => format!("{} bytes", bytes.len()),
            };
            let kind = expected.kind;
            Box::new(Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {error} ({shown})"
            )))
        })?;
        Self::of_value(value, problems, expected, validation)
    }

    /// The same for a value that is already parsed.
    ///
    /// # Errors
    ///
    /// As [`Input::decode`].
    pub(crate) fn of_value(
        value: Value,
        mut problems: Vec<String>,
        expected: &Expected,
        validation: FieldValidation,
    ) -> Result<Self> {
        check_kind(&value, expected)?;
        let Expected {
            kind, api_version, ..
        } = expected;
        let resets_owners = resets_managed_fields(&value);
        let decoded = decode::conform(value, expected.schema);
        let mut decoded = decoded
            .map_err(|error| cannot_be_handled(kind, api_version, kind, &error.to_string()))?;
        problems.extend(
            decoded
                .problems
                .drain(..)
                .map(|problem| problem.to_string()),
        );
        let mut warnings = Vec::new();
        if !problems.is_empty() {
            match validation {
                FieldValidation::Ignore => {}
                FieldValidation::Warn => warnings = problems,
                FieldValidation::Strict => {
                    let error = format!("strict decoding error: {}", problems.join(", "));
                    return Err(cannot_be_handled(kind, api_version, kind, &error));
                }
            }
        }
        Ok(Self {
            value: decoded.value,
            warnings,
            resets_owners,
        })
    }
}

/// Refuses a body that says it is something else.
fn check_kind(value: &Value, expected: &Expected) -> Result<()> {
    let text = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let api_version = if api_version.is_empty() {
        &expected.api_version
    } else {
        api_version
    };
    let kind = if kind.is_empty() { expected.kind } else { kind };
    if api_version == expected.api_version && kind == expected.kind {
        return Ok(());
    }
    let known = burgee_resources::by_kind(api_version, kind).is_some();
    let error = if known {
        let internal = |api_version: &str| match api_version.rsplit_once('/') {
            None => "core".to_owned(),
            Some((group, _)) => group.split('.').next().unwrap_or_default().to_owned(),
        };
        let version = api_version.rsplit('/').next().unwrap_or_default();
        let wanted = internal(&expected.api_version);
        format!(
            "converting ({version}.{kind}) to ({wanted}.{}): unknown conversion",
            expected.kind
        )
    } else {
        format!(
            "no kind {} is registered for version {} in scheme \"burgee\"",
            quoted(kind),
            quoted(api_version)
        )
    };
    Err(cannot_be_handled(kind, api_version, expected.kind, &error))
}

fn cannot_be_handled(kind: &str, api_version: &str, wanted: &str, error: &str) -> Box<Status> {
    let version = quoted(api_version);
    let message = format!("{kind} in version {version} cannot be handled as a {wanted}: {error}");
    Box::new(Status::bad_request(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(body: &str, encoding: Encoding, validation: FieldValidation) -> Result<Input> {
        let expected = Expected::of(burgee_resources::find("", "v1", "configmaps").unwrap());
        Input::decode(body.as_bytes(), encoding, &expected, validation)
    }

    #[test]
    fn bodies_that_cannot_be_used_are_refused_with_upstreams_texts() {
        let handled = r#"cannot be handled as a ConfigMap"#;
        let table = [
            ("", "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)".to_owned()),
            (r#"{"apiVersion":"#, "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input ({\"apiVersion\":)".to_owned()),
            (r#"{"apiVersion":"v1","kind":"Secret"}"#, format!("Secret in version \"v1\" {handled}: converting (v1.Secret) to (core.ConfigMap): unknown conversion")),
            (r#"{"apiVersion":"v2","kind":"ConfigMap"}"#, format!("ConfigMap in version \"v2\" {handled}: no kind \"ConfigMap\" is registered for version \"v2\" in scheme \"burgee\"")),
            (r#"{"data":{"a":1}}"#, format!("ConfigMap in version \"v1\" {handled}: json: cannot unmarshal number into Go struct field ConfigMap.data of type string")),
            (r#"{"spec":{"x":1}}"#, format!("ConfigMap in version \"v1\" {handled}: strict decoding error: unknown field \"spec\"")),
        ];
        for (body, message) in table {
            let error = decode(body, Encoding::Json, FieldValidation::Strict).unwrap_err();
            assert_eq!((error.code, error.message), (400, message));
        }
    }

    #[test]
    fn debug_output_keeps_what_the_body_said() {
        let body = r#"{"data":{"a":"hunter2"}}"#;
        let input = decode(body, Encoding::Json, FieldValidation::Strict).unwrap();
        let shown = format!("{input:?}");
        assert_eq!(shown, "Input { warnings: [], resets_owners: false, .. }");
    }

    #[test]
    fn problems_are_warned_of_or_ignored_as_asked() {
        let body = r#"{"spec":{},"data":{"a":"1","a":"2"}}"#;
        let warned = decode(body, Encoding::Json, FieldValidation::Warn).unwrap();
        assert_eq!(
            warned.warnings,
            [r#"duplicate field "data.a""#, r#"unknown field "spec""#]
        );
        assert!(
            decode(body, Encoding::Json, FieldValidation::Ignore)
                .unwrap()
                .warnings
                .is_empty()
        );
    }

    #[test]
    fn yaml_is_read_and_cannot_blow_up() {
        let input = decode(
            "metadata: {name: a}\ndata:\n  k: v\n",
            Encoding::Yaml,
            FieldValidation::Strict,
        );
        assert_eq!(input.unwrap().value["data"]["k"], "v");
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..9 {
            let alias = format!("*a{},", level - 1).repeat(10);
            bomb.push_str(&format!(
                "a{level}: &a{level} [{}]\n",
                alias.trim_end_matches(',')
            ));
        }
        assert!(decode(&bomb, Encoding::Yaml, FieldValidation::Ignore).is_err());
    }
}
