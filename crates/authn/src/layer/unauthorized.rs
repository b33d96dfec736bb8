//! The 401 itself.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::text::{parse_bool, query_value};

const COMPACT: &str = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}\n";
pub(super) const INDENTED: &str = "{
  \"kind\": \"Status\",
  \"apiVersion\": \"v1\",
  \"metadata\": {},
  \"status\": \"Failure\",
  \"message\": \"Unauthorized\",
  \"reason\": \"Unauthorized\",
  \"code\": 401
}";

/// The 401 in JSON, indented for people.
pub(super) fn unauthorized(parts: &Parts) -> Response<Full<Bytes>> {
    let text = if is_for_people(parts) {
        INDENTED
    } else {
        COMPACT
    };
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    response
}

/// Whether JSON should be indented: the query says, else the client's name tells.
fn is_for_people(parts: &Parts) -> bool {
    let pretty = parts
        .uri
        .query()
        .and_then(|query| query_value(query, "pretty"));
    match pretty.filter(|value| !value.is_empty()) {
        Some(value) => parse_bool(&value),
        None => {
            let agent = parts
                .headers
                .get(USER_AGENT)
                .map_or(&b""[..], HeaderValue::as_bytes);
            [&b"curl"[..], b"Wget", b"Mozilla/5.0"]
                .iter()
                .any(|name| agent.starts_with(name))
        }
    }
}
