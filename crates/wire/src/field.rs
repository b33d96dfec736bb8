//! Errors about one field of an object, with upstream's texts (`k8s.io/apimachinery/pkg/util/validation/field`).

use std::fmt;

use serde_json::Value;

use crate::{StatusCause, quoted};

/// Where in an object: `spec.containers[0].name`, `data[tls.crt]`.
///
/// ```
/// use burgee_wire::field::Path;
/// let path = Path::new("spec").child("containers").index(0).child("env").key("A");
/// assert_eq!(path.to_string(), "spec.containers[0].env[A]");
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Path(String);

impl Path {
    /// A path of one member; dots in `name` separate members.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The object itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// A member below.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() {
            Self::new(name)
        } else {
            Self(format!("{}.{name}", self.0))
        }
    }

    /// A list item below.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// A map entry below.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "<nil>" } else { &self.0 })
    }
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// Which field.
    pub path: Path,
    /// What kind of wrong.
    pub kind: Kind,
    /// A sentence; may be empty.
    pub detail: String,
}

/// What kind of wrong a field is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Another item has the same value.
    Duplicate(Value),
    /// The value is not allowed here.
    Forbidden,
    /// The server could not check.
    Internal,
    /// The value breaks a rule.
    Invalid(Value),
    /// The value names something that does not exist.
    NotFound(Value),
    /// The value is none of the allowed ones, which the detail lists.
    NotSupported(Value),
    /// The value is missing.
    Required,
    /// The value has too many bytes.
    TooLong,
    /// There are too many items.
    TooMany(usize),
}

impl FieldError {
    /// The value breaks a rule.
    #[must_use]
    pub fn invalid(path: &Path, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self {
            path: path.clone(),
            kind: Kind::Invalid(value.into()),
            detail: detail.into(),
        }
    }

    /// The value is missing; `detail` may be empty.
    #[must_use]
    pub fn required(path: &Path, detail: impl Into<String>) -> Self {
        Self {
            path: path.clone(),
            kind: Kind::Required,
            detail: detail.into(),
        }
    }

    /// The value is not allowed here.
    #[must_use]
    pub fn forbidden(path: &Path, detail: impl Into<String>) -> Self {
        Self {
            path: path.clone(),
            kind: Kind::Forbidden,
            detail: detail.into(),
        }
    }

    /// Another item has the same value.
    #[must_use]
    pub fn duplicate(path: &Path, value: impl Into<Value>) -> Self {
        Self {
            path: path.clone(),
            kind: Kind::Duplicate(value.into()),
            detail: String::new(),
        }
    }

    /// The value is none of `supported`, which must be sorted.
    #[must_use]
    pub fn not_supported(path: &Path, value: impl Into<Value>, supported: &[&str]) -> Self {
        let list: Vec<_> = supported.iter().map(|each| quoted(each)).collect();
        let detail = format!("supported values: {}", list.join(", "));
        Self {
            path: path.clone(),
            kind: Kind::NotSupported(value.into()),
            detail,
        }
    }

    /// The value names something that does not exist.
    #[must_use]
    pub fn not_found(path: &Path, value: impl Into<Value>) -> Self {
        Self {
            path: path.clone(),
            kind: Kind::NotFound(value.into()),
            detail: String::new(),
        }
    }

    /// The value has more than `limit` bytes.
    #[must_use]
    pub fn too_long(path: &Path, limit: usize) -> Self {
        let detail = format!("must have at most {limit} bytes");
        Self {
            path: path.clone(),
            kind: Kind::TooLong,
            detail,
        }
    }

    /// There are `actual` items and may be at most `limit`.
    #[must_use]
    pub fn too_many(path: &Path, actual: usize, limit: usize) -> Self {
        let detail = format!("must have at most {limit} items");
        Self {
            path: path.clone(),
            kind: Kind::TooMany(actual),
            detail,
        }
    }

    /// The server could not check.
    #[must_use]
    pub fn internal(path: &Path, detail: impl Into<String>) -> Self {
        Self {
            path: path.clone(),
            kind: Kind::Internal,
            detail: detail.into(),
        }
    }

    /// The text without the path: `Invalid value: "x": too short`.
    #[must_use]
    pub fn body(&self) -> String {
        let (title, value) = match &self.kind {
            Kind::Duplicate(value) => ("Duplicate value", Some(shown(value))),
            Kind::Forbidden => ("Forbidden", None),
            Kind::Internal => ("Internal error", None),
            Kind::Invalid(value) => ("Invalid value", Some(shown(value))),
            Kind::NotFound(value) => ("Not found", Some(shown(value))),
            Kind::NotSupported(value) => ("Unsupported value", Some(shown(value))),
            Kind::Required => ("Required value", None),
            Kind::TooLong => ("Too long", None),
            Kind::TooMany(actual) => ("Too many", Some(actual.to_string())),
        };
        let mut text = title.to_owned();
        if let Some(value) = value {
            text.push_str(": ");
            text.push_str(&value);
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }

    /// The form that `Status.details.causes` carries.
    #[must_use]
    pub fn cause(&self) -> StatusCause {
        StatusCause {
            reason: match self.kind {
                Kind::Duplicate(_) => "FieldValueDuplicate",
                Kind::Forbidden => "FieldValueForbidden",
                Kind::Internal => "InternalError",
                Kind::Invalid(_) => "FieldValueInvalid",
                Kind::NotFound(_) => "FieldValueNotFound",
                Kind::NotSupported(_) => "FieldValueNotSupported",
                Kind::Required => "FieldValueRequired",
                Kind::TooLong => "FieldValueTooLong",
                Kind::TooMany(_) => "FieldValueTooMany",
            }
            .to_owned(),
            message: self.body(),
            field: self.path.to_string(),
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.body())
    }
}

/// Strings in quotes, the rest as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => crate::encode::any(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_upstreams() {
        let path = Path::new("data").key("a b");
        let table = [
            (
                FieldError::invalid(&path, "x\"", "bad"),
                r#"data[a b]: Invalid value: "x\"": bad"#,
            ),
            (
                FieldError::invalid(&path, 7, ""),
                "data[a b]: Invalid value: 7",
            ),
            (FieldError::required(&path, ""), "data[a b]: Required value"),
            (
                FieldError::forbidden(&path, "no"),
                "data[a b]: Forbidden: no",
            ),
            (
                FieldError::duplicate(&path, "x"),
                r#"data[a b]: Duplicate value: "x""#,
            ),
            (
                FieldError::not_supported(&path, "x", &["", "A"]),
                r#"data[a b]: Unsupported value: "x": supported values: "", "A""#,
            ),
            (
                FieldError::too_long(&path, 9),
                "data[a b]: Too long: must have at most 9 bytes",
            ),
            (
                FieldError::too_many(&path, 3, 2),
                "data[a b]: Too many: 3: must have at most 2 items",
            ),
            (
                FieldError::not_found(&path, "x"),
                r#"data[a b]: Not found: "x""#,
            ),
            (
                FieldError::internal(&path, "down"),
                "data[a b]: Internal error: down",
            ),
        ];
        for (error, text) in table {
            assert_eq!(error.to_string(), text);
        }
    }
}
