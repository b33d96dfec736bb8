//! When certificates are valid.

use burgee_wire::Time;
use jiff::Timestamp;
use x509_parser::certificate::X509Certificate;

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Validity {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

impl Validity {
    pub(crate) const ALWAYS: Self = Self {
        from: Timestamp::MIN,
        until: Timestamp::MAX,
    };

    /// The span that a certificate states. Instants beyond the representable stand at its ends.
    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        let instant = |seconds, beyond| Timestamp::from_second(seconds).unwrap_or(beyond);
        Self {
            from: instant(validity.not_before.timestamp(), Timestamp::MIN),
            until: instant(validity.not_after.timestamp(), Timestamp::MAX),
        }
    }

    pub(crate) fn contains(self, now: Timestamp) -> bool {
        self.from <= now && now <= self.until
    }

    pub(crate) fn intersection(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
        }
    }

    /// Why `now` is outside, in Go's words.
    pub(crate) fn explain(self, now: Timestamp) -> String {
        let (relation, bound) = if now < self.from {
            ("before", self.from)
        } else {
            ("after", self.until)
        };
        format!(
            "x509: certificate has expired or is not yet valid: current time {} is {relation} {}",
            Time::from(now),
            Time::from(bound)
        )
    }
}
