//! Answers.

use burgee_wire::Status;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WARNING, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};

use super::{Accept, Body, Form, indent};

/// Compact JSON (with or without its final line feed) in the form that the client wants.
pub(crate) fn json(code: StatusCode, compact: String, accept: Accept) -> Response<Body> {
    let (content_type, text) = match accept.form {
        Form::Yaml => ("application/yaml", to_yaml(&compact)),
        Form::Json if accept.pretty => ("application/json", indent(&compact)),
        Form::Json => {
            let mut compact = compact;
            if !compact.ends_with('\n') {
                compact.push('\n');
            }
            ("application/json", compact)
        }
    };
    respond(code, content_type, text.into())
}

/// A [`Status`], with its own code.
pub(crate) fn status(status: &Status, accept: Accept) -> Response<Body> {
    let code = match status.code {
        0 => StatusCode::OK,
        code => StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let mut response = json(code, status.to_json(), accept);
    let seconds = status
        .details
        .as_ref()
        .and_then(|details| details.retry_after_seconds);
    if let Some(seconds) = seconds {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// Plain text.
pub(crate) fn text(code: StatusCode, text: impl Into<Body>) -> Response<Body> {
    not_sniffed(respond(code, "text/plain; charset=utf-8", text.into()))
}

/// Keeps browsers from guessing a content type, for answers that repeat what the request said.
pub(crate) fn not_sniffed(mut response: Response<Body>) -> Response<Body> {
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// A body of this content type; answers of the API are never cached by anyone between.
pub(crate) fn respond(code: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// Adds each distinct warning as a `Warning: 299 - "…"` header (RFC 7234 section 5.5).
pub(crate) fn with_warnings<S: AsRef<str>>(
    mut response: Response<Body>,
    warnings: impl IntoIterator<Item = S>,
) -> Response<Body> {
    for warning in warnings {
        let text: String = warning
            .as_ref()
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) else {
            continue;
        };
        let headers = response.headers_mut();
        if !headers.get_all(WARNING).iter().any(|own| own == value) {
            headers.append(WARNING, value);
        }
    }
    response
}

fn to_yaml(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    serde_saphyr::to_string(&value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Shape;

    const PLAIN: Accept = Accept {
        form: Form::Json,
        shape: Shape::Object,
        pretty: false,
    };

    #[test]
    fn warnings_are_quoted_and_said_once() {
        let response = with_warnings(
            json(StatusCode::OK, "{}".into(), PLAIN),
            ["a \"b\"", "a \"b\"", "c\n"],
        );
        let shown: Vec<_> = response.headers().get_all(WARNING).iter().collect();
        assert_eq!(shown, ["299 - \"a \\\"b\\\"\"", "299 - \"c\""]);
    }

    #[test]
    fn a_status_sets_code_and_retry_after() {
        let response = status(&Status::too_many_requests("slow down", 3), PLAIN);
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[RETRY_AFTER], "3");
    }
}
