//! Where counts and durations go.

use std::fmt;
use std::time::Duration;

/// Receives what is worth counting. The method does nothing unless it is implemented.
pub trait Metrics: Send + Sync + fmt::Debug {
    /// A question was put to the service: `apiserver_delegated_authn_request_total`,
    /// `apiserver_delegated_authn_request_duration_seconds`. Each attempt counts.
    fn request(&self, _code: RequestCode, _duration: Duration) {}
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl Metrics for NoMetrics {}

/// How a question ended: label `code`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum RequestCode {
    /// There was no answer.
    Error,
    /// There was one, with this HTTP status.
    Status(u16),
}

impl fmt::Display for RequestCode {
    /// The label's text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error => f.write_str("<error>"),
            Self::Status(code) => code.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_upstreams() {
        assert_eq!(RequestCode::Status(201).to_string(), "201");
        assert_eq!(RequestCode::Error.to_string(), "<error>");
    }
}
