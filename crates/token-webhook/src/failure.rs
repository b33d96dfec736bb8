//! What went wrong with one attempt, and whether another is worth it.

use std::time::Duration;

use burgee_identity::Reason;
use burgee_kubeconfig::Response;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::retry::Failure;
use crate::review::harmless;

/// An attempt without an answer that says whose the token is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    pub(crate) reason: Reason,
    /// For whoever runs the server. It holds neither the token nor a body.
    pub(crate) message: String,
    failure: Failure,
}

impl AsRef<Failure> for Problem {
    fn as_ref(&self) -> &Failure {
        &self.failure
    }
}

impl Problem {
    /// One that another attempt would not change.
    pub(crate) fn lasting(reason: Reason, message: impl std::fmt::Display) -> Self {
        Self {
            reason,
            message: format!("webhook call failed: {message}"),
            failure: Failure::default(),
        }
    }

    /// Time is up.
    pub(crate) fn timed_out() -> Self {
        Self::lasting(Reason::AuthenticatorTimedOut, "context deadline exceeded")
    }

    /// The question was not put, or not answered.
    pub(crate) fn unanswered(error: &burgee_kubeconfig::Error) -> Self {
        let burgee_kubeconfig::Error::Https(https) = error else {
            return Self::lasting(Reason::AuthenticatorUnavailable, error);
        };
        if https.is_timeout() {
            return Self::timed_out();
        }
        let text = burgee_https::explain(https);
        let mut problem = Self::lasting(Reason::AuthenticatorUnavailable, text);
        problem.failure.is_transient = https.is_connection_lost();
        problem
    }

    /// The answer has a status that says no answer.
    pub(crate) fn refused(response: &Response, token: &str) -> Self {
        let told = retry_after(&response.headers);
        let code = response.status;
        let said = Said::read(&response.body).unwrap_or_else(|| Said::generic(code, told));
        let may_repeat = code == StatusCode::TOO_MANY_REQUESTS || code.is_server_error();
        Self {
            reason: Reason::AuthenticatorUnavailable,
            failure: Failure {
                is_transient: said.is_transient(),
                repeat_after: told.filter(|_| may_repeat).map(Duration::from_secs),
            },
            message: harmless(said.message, token),
        }
    }
}

/// The seconds of `Retry-After`; a date is not understood, as upstream.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

/// A `Status`, as far as it counts here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    kind: String,
    status: String,
    reason: String,
    message: String,
    code: u16,
    details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    retry_after_seconds: u64,
}

impl Said {
    /// The `Status` that a body is.
    fn read(body: &[u8]) -> Option<Self> {
        let said: Self = serde_json::from_slice(body).ok()?;
        (said.kind == "Status" && said.status == "Failure").then_some(said)
    }

    /// What client-go makes of a body that is something else. It would quote the body, which is not done
    /// here: a service that answers with an error may well repeat what it was sent.
    fn generic(code: StatusCode, retry_after: Option<u64>) -> Self {
        let (reason, message) = match code.as_u16() {
            400 => (
                "BadRequest",
                "the server rejected our request for an unknown reason",
            ),
            401 => (
                "Unauthorized",
                "the server has asked for the client to provide credentials",
            ),
            403 => ("Forbidden", "unknown"),
            404 => (
                "NotFound",
                "the server could not find the requested resource",
            ),
            405 => (
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
            ),
            406 => (
                "NotAcceptable",
                "the server was unable to respond with a content type that the client supports",
            ),
            409 => ("AlreadyExists", "the server reported a conflict"),
            415 => ("UnsupportedMediaType", "unknown"),
            422 => (
                "Invalid",
                "the server rejected our request due to an error in our request",
            ),
            429 => (
                "TooManyRequests",
                "the server has received too many requests and has asked us to try again later",
            ),
            503 => (
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            ),
            504 => (
                "Timeout",
                "the server was unable to return a response in the time allotted, but may still be processing the request",
            ),
            500.. => (
                "InternalError",
                "an error on the server (\"unknown\") has prevented the request from succeeding",
            ),
            _ => ("", ""),
        };
        let message = match message {
            "" => format!(
                "the server responded with the status code {} but did not return more information",
                code.as_u16()
            ),
            "unknown" => format!("the server answered with status {code}"),
            text => text.to_owned(),
        };
        Self {
            reason: reason.to_owned(),
            message,
            code: code.as_u16(),
            details: retry_after.map(|retry_after_seconds| Details {
                retry_after_seconds,
            }),
            ..Self::default()
        }
    }

    /// Whether upstream would make another attempt (`DefaultShouldRetry` of
    /// `k8s.io/apiserver/pkg/util/webhook`).
    fn is_transient(&self) -> bool {
        let told = self.details.as_ref();
        let by_reason = matches!(
            self.reason.as_str(),
            "InternalError" | "ServerTimeout" | "Timeout" | "TooManyRequests"
        );
        let by_code = match self.code {
            429 => true,
            500 | 504 => self.reason.is_empty() || self.reason == "Unknown",
            _ => false,
        };
        by_reason || by_code || told.is_some_and(|details| details.retry_after_seconds > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, retry_after: Option<&str>, body: &str) -> Problem {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, value.parse().unwrap());
        }
        let response = Response {
            status: StatusCode::from_u16(code).unwrap(),
            headers,
            body: body.to_owned().into(),
        };
        Problem::refused(&response, "tok3n")
    }

    #[test]
    fn statuses_are_transient_or_not_as_upstream_has_it() {
        for (code, transient) in [
            (400, false),
            (401, false),
            (403, false),
            (404, false),
            (429, true),
            (500, true),
            (501, true),
            (502, true),
            (503, false),
            (504, true),
            (599, true),
        ] {
            let problem = refused(code, None, "<html>tok3n");
            assert_eq!(problem.failure.is_transient, transient, "{code}");
            assert_eq!(problem.failure.repeat_after, None, "{code}");
            assert!(!problem.message.contains("tok3n"), "{}", problem.message);
            assert_eq!(problem.reason, Reason::AuthenticatorUnavailable);
        }
    }

    #[test]
    fn a_server_that_says_when_is_asked_again() {
        let repeat = |code, value| refused(code, Some(value), "").failure;
        let seven = Some(Duration::from_secs(7));
        for code in [429, 500, 502, 503] {
            let failure = repeat(code, "7");
            assert_eq!(
                (failure.repeat_after, failure.is_transient),
                (seven, true),
                "{code}"
            );
        }
        let client_error = repeat(400, "7");
        assert_eq!(client_error.repeat_after, None);
        assert!(client_error.is_transient);
        assert_eq!(repeat(503, "0").repeat_after, Some(Duration::ZERO));
        assert!(!repeat(503, "0").is_transient);
        for not_a_number in [
            "Wed, 21 Oct 2026 07:28:00 GMT",
            "-1",
            "1.5",
            "99999999999999999999",
        ] {
            assert_eq!(
                repeat(503, not_a_number),
                Failure::default(),
                "{not_a_number}"
            );
        }
    }

    #[test]
    fn a_status_in_the_body_says_it_better_than_the_status_line() {
        let status = |code: u16, rest: &str| {
            refused(
                code,
                None,
                &format!(r#"{{"kind":"Status","status":"Failure",{rest}}}"#),
            )
        };
        let forbidden = status(
            403,
            r#""message":"no, because","reason":"Forbidden","code":403"#,
        );
        assert_eq!(forbidden.message, "no, because");
        assert!(!forbidden.failure.is_transient);
        for rest in [
            r#""reason":"InternalError","code":500"#,
            r#""reason":"ServerTimeout","code":500"#,
            r#""code":504"#,
            r#""reason":"ServiceUnavailable","code":503,"details":{"retryAfterSeconds":1}"#,
        ] {
            assert!(status(503, rest).failure.is_transient, "{rest}");
        }
        assert!(
            !status(500, r#""reason":"NotFound","code":500"#)
                .failure
                .is_transient
        );
        let echo = status(
            500,
            r#""message":"bad token tok3n","reason":"InternalError""#,
        );
        assert!(!echo.message.contains("tok3n"));
    }
}
