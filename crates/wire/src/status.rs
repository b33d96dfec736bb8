//! `metav1.Status`: how the API says that something did not work.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::field::FieldError;
use crate::quoted;

/// The answer to a request that failed, or a deletion that worked.
///
/// The constructors carry upstream's texts (`k8s.io/apimachinery/pkg/api/errors`), which clients show
/// and sometimes match.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Always `Status`.
    pub kind: String,
    /// Always `v1`.
    pub api_version: String,
    /// List metadata; always empty here.
    #[serde(default)]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// `Success` or `Failure`.
    pub status: String,
    /// What happened, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What happened, for programs, such as `NotFound`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// To what it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<StatusDetails>,
    /// The HTTP status code; absent for success.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub code: u16,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(code: &u16) -> bool {
    *code == 0
}

/// To what something happened.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusDetails {
    /// Name of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// API group of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Kind or resource of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// UID of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// The single things that were wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<StatusCause>,
    /// Seconds to wait before trying again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
}

/// One thing that was wrong.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusCause {
    /// For programs, such as `FieldValueInvalid`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The field, dotted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

impl Status {
    /// A failure without details.
    #[must_use]
    pub fn failure(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self {
            kind: "Status".to_owned(),
            api_version: "v1".to_owned(),
            metadata: serde_json::Map::new(),
            status: "Failure".to_owned(),
            message: message.into(),
            reason: reason.to_owned(),
            details: None,
            code,
        }
    }

    /// A deletion that worked.
    #[must_use]
    pub fn deleted(group: &str, resource: &str, name: &str, uid: &str) -> Self {
        let details = StatusDetails {
            uid: uid.to_owned(),
            ..details(group, resource, name)
        };
        let status = "Success".to_owned();
        Self {
            status,
            details: Some(details),
            ..Self::failure(0, "", "")
        }
    }

    /// The same with these details.
    #[must_use]
    pub fn with_details(mut self, details: StatusDetails) -> Self {
        self.details = Some(details);
        self
    }

    /// 400: the request makes no sense.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::failure(400, "BadRequest", message)
    }

    /// 401: who are you?
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::failure(401, "Unauthorized", "Unauthorized")
    }

    /// 403 about a resource: `secrets "x" is forbidden: …`.
    #[must_use]
    pub fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let qualified = qualified(group, resource);
        let message = match name {
            "" => format!("{qualified} is forbidden: {why}"),
            name => format!("{qualified} {} is forbidden: {why}", quoted(name)),
        };
        Self::failure(403, "Forbidden", message).with_details(details(group, resource, name))
    }

    /// 404 about an object.
    #[must_use]
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {} not found", qualified(group, resource), quoted(name));
        Self::failure(404, "NotFound", message).with_details(details(group, resource, name))
    }

    /// 404 about a path that leads nowhere.
    #[must_use]
    pub fn unknown_path() -> Self {
        Self::failure(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
        .with_details(StatusDetails::default())
    }

    /// 405: the resource is there, the verb is not.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::failure(405, "MethodNotAllowed", message).with_details(StatusDetails::default())
    }

    /// 406: none of the media types that the client accepts is served.
    #[must_use]
    pub fn not_acceptable(message: impl Into<String>) -> Self {
        Self::failure(406, "NotAcceptable", message)
    }

    /// 409: an object of that name exists.
    #[must_use]
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let message = format!(
            "{} {} already exists",
            qualified(group, resource),
            quoted(name)
        );
        Self::failure(409, "AlreadyExists", message).with_details(details(group, resource, name))
    }

    /// 409: the write contradicts what is stored.
    #[must_use]
    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {}: {why}",
            qualified(group, resource),
            quoted(name)
        );
        Self::failure(409, "Conflict", message).with_details(details(group, resource, name))
    }

    /// 409: somebody else wrote the object in the meantime.
    #[must_use]
    pub fn modified(group: &str, resource: &str, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(group, resource, name, why)
    }

    /// 410: the revision that was asked for is gone.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::failure(410, "Expired", message)
    }

    /// 413: the body is larger than `limit` bytes.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        Self::failure(413, "RequestEntityTooLarge", message)
    }

    /// 415: the body is in a format that is not read here.
    #[must_use]
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::failure(415, "UnsupportedMediaType", message)
    }

    /// 422: fields of the object break rules.
    #[must_use]
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for error in errors.iter().map(ToString::to_string) {
            if !texts.contains(&error) {
                texts.push(error);
            }
        }
        let list = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!(
            "{} {} is invalid: {list}",
            qualified(group, kind),
            quoted(name)
        );
        let causes = errors.iter().map(FieldError::cause).collect();
        let details = StatusDetails {
            causes,
            ..details(group, kind, name)
        };
        Self::failure(422, "Invalid", message).with_details(details)
    }

    /// 422 without a field to point at, as upstream answers a patch that does not apply.
    #[must_use]
    pub fn unprocessable() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::failure(422, "Invalid", message).with_details(StatusDetails::default())
    }

    /// 429: not now.
    #[must_use]
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        let details = StatusDetails {
            retry_after_seconds: Some(retry_after_seconds),
            ..StatusDetails::default()
        };
        Self::failure(429, "TooManyRequests", message).with_details(details)
    }

    /// 500 with the cause.
    #[must_use]
    pub fn internal(error: &str) -> Self {
        let cause = StatusCause {
            message: error.to_owned(),
            ..StatusCause::default()
        };
        let details = StatusDetails {
            causes: vec![cause],
            ..StatusDetails::default()
        };
        Self::failure(
            500,
            "InternalError",
            format!("Internal error occurred: {error}"),
        )
        .with_details(details)
    }

    /// 503: the server cannot do it at the moment.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::failure(503, "ServiceUnavailable", message)
    }

    /// 504: it took too long.
    #[must_use]
    pub fn timeout(message: &str) -> Self {
        Self::failure(504, "Timeout", format!("Timeout: {message}"))
            .with_details(StatusDetails::default())
    }

    /// 504: the resource version lies in the future.
    #[must_use]
    pub fn resource_version_too_large(requested: u64, current: u64) -> Self {
        let short = "Too large resource version";
        let cause = StatusCause {
            reason: "ResourceVersionTooLarge".to_owned(),
            message: short.to_owned(),
            field: String::new(),
        };
        let details = StatusDetails {
            causes: vec![cause],
            retry_after_seconds: Some(1),
            ..StatusDetails::default()
        };
        Self::timeout(&format!("{short}: {requested}, current: {current}")).with_details(details)
    }

    /// Its JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        let mut out = String::from("{");
        let order = [
            "kind",
            "apiVersion",
            "metadata",
            "status",
            "message",
            "reason",
            "details",
            "code",
        ];
        for name in order {
            let Some(member) = value.get_mut(name).map(serde_json::Value::take) else {
                continue;
            };
            if out.len() > 1 {
                out.push(',');
            }
            crate::encode::write_text(&mut out, name);
            out.push(':');
            out.push_str(&match (name, &self.details) {
                ("details", Some(details)) => details.to_json(),
                _ => crate::encode::any(&member),
            });
        }
        out.push('}');
        out
    }
}

impl StatusDetails {
    /// Members in upstream's order, which serde's derive keeps, escaped as Go does.
    fn to_json(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        text.replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026")
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

/// `roles.rbac.authorization.k8s.io`, or just `secrets` in the core group.
fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() {
        resource.to_owned()
    } else {
        format!("{resource}.{group}")
    }
}

fn details(group: &str, kind: &str, name: &str) -> StatusDetails {
    StatusDetails {
        name: name.to_owned(),
        group: group.to_owned(),
        kind: kind.to_owned(),
        ..StatusDetails::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Path;

    #[test]
    fn json_is_as_upstream_writes_it() {
        let table = [
            (
                Status::unauthorized(),
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#,
            ),
            (
                Status::not_found("rbac.authorization.k8s.io", "roles", "x"),
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"roles.rbac.authorization.k8s.io \"x\" not found","reason":"NotFound","details":{"name":"x","group":"rbac.authorization.k8s.io","kind":"roles"},"code":404}"#,
            ),
            (
                Status::deleted("", "configmaps", "c1", "u"),
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","details":{"name":"c1","kind":"configmaps","uid":"u"}}"#,
            ),
            (
                Status::resource_version_too_large(9, 2),
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Timeout: Too large resource version: 9, current: 2","reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],"retryAfterSeconds":1},"code":504}"#,
            ),
        ];
        for (status, json) in table {
            assert_eq!(status.to_json(), json);
        }
    }

    #[test]
    fn several_field_errors_stand_in_brackets_and_each_is_a_cause() {
        let errors = [
            FieldError::required(&Path::new("data").key("tls.crt"), ""),
            FieldError::required(&Path::new("data").key("tls.key"), ""),
        ];
        let status = Status::invalid("", "Secret", "t", &errors);
        assert_eq!(
            status.message,
            r#"Secret "t" is invalid: [data[tls.crt]: Required value, data[tls.key]: Required value]"#
        );
        assert_eq!(status.details.unwrap().causes.len(), 2);
    }
}
