//! Kubernetes' two time formats.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in whole seconds, `2026-01-01T00:00:00Z` in JSON (`metav1.Time`).
///
/// ```
/// use burgee_wire::Time;
/// let time: Time = serde_json::from_str(r#""2026-01-01T02:00:00.9+02:00""#).unwrap();
/// assert_eq!(time.to_string(), "2026-01-01T00:00:00Z");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Time(Timestamp);

impl Time {
    /// The instant.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// The instant as someone sees it at `now`, in its two largest units: `in 59m`, `2h 3m ago`, `now`.
    ///
    /// ```
    /// use burgee_wire::Time;
    /// let now = "2026-01-01T00:00:00Z".parse().unwrap();
    /// let end: Time = "2026-01-01T00:59:59Z".parse().unwrap();
    /// assert_eq!(end.seen_from(now), "in 59m 59s");
    /// ```
    #[must_use]
    pub fn seen_from(self, now: Timestamp) -> String {
        const UNITS: [(u64, &str); 5] = [
            (365 * 86_400, "y"),
            (86_400, "d"),
            (3_600, "h"),
            (60, "m"),
            (1, "s"),
        ];
        let seconds = self.0.duration_since(Self::from(now).0).as_secs();
        let mut rest = seconds.unsigned_abs();
        let mut parts = Vec::new();
        for (size, unit) in UNITS {
            let count = rest / size;
            rest %= size;
            // The next smaller unit counts only directly behind the largest.
            match (count, parts.is_empty()) {
                (0, true) => {}
                (0, false) => break,
                _ => parts.push(format!("{count}{unit}")),
            }
            if parts.len() == 2 {
                break;
            }
        }
        let span = parts.join(" ");
        match seconds {
            0 => "now".to_owned(),
            1.. => format!("in {span}"),
            _ => format!("{span} ago"),
        }
    }
}

impl From<Timestamp> for Time {
    /// Drops the fraction of a second.
    fn from(instant: Timestamp) -> Self {
        let whole = instant.as_nanosecond().div_euclid(1_000_000_000);
        let seconds = i64::try_from(whole).unwrap_or_default();
        Self(Timestamp::from_second(seconds).unwrap_or(Timestamp::MIN))
    }
}

impl std::str::FromStr for Time {
    type Err = jiff::Error;

    /// Reads RFC 3339.
    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<Timestamp>().map(Self::from)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}

/// An instant in microseconds, `2026-01-01T00:00:00.000000Z` in JSON (`metav1.MicroTime`).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MicroTime(Timestamp);

impl MicroTime {
    /// The instant.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for MicroTime {
    /// Drops what is finer than a microsecond.
    fn from(instant: Timestamp) -> Self {
        let whole = instant.as_nanosecond().div_euclid(1000);
        let micros = i64::try_from(whole).unwrap_or_default();
        Self(Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MIN))
    }
}

impl std::str::FromStr for MicroTime {
    type Err = jiff::Error;

    /// Reads RFC 3339.
    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<Timestamp>().map(Self::from)
    }
}

impl fmt::Display for MicroTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.0)
    }
}

macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serde_as_text!(Time);
serde_as_text!(MicroTime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_seen_in_its_two_largest_units() {
        let now: Timestamp = "2026-01-01T00:00:00.9Z".parse().unwrap();
        for (seconds, seen) in [
            (0, "now"),
            (1, "in 1s"),
            (-59, "59s ago"),
            (60, "in 1m"),
            (3_601, "in 1h"),
            (-7_384, "2h 3m ago"),
            (86_400 + 3_600, "in 1d 1h"),
            (-400 * 86_400, "1y 35d ago"),
        ] {
            let instant = now + jiff::SignedDuration::from_secs(seconds);
            assert_eq!(Time::from(instant).seen_from(now), seen, "{seconds}");
        }
        let longest = Time::from(Timestamp::MAX).seen_from(Timestamp::MIN);
        assert!(
            longest.starts_with("in 2") && longest.contains('y'),
            "{longest}"
        );
    }

    #[test]
    fn fractions_are_dropped_also_before_the_epoch() {
        let before: Time = "1969-12-31T23:59:59.5Z".parse().unwrap();
        assert_eq!(before.to_string(), "1969-12-31T23:59:59Z");
        let micro: MicroTime = "2026-01-01T00:00:00.1234567Z".parse().unwrap();
        assert_eq!(micro.to_string(), "2026-01-01T00:00:00.123456Z");
    }

    #[test]
    fn micro_times_always_show_six_digits() {
        let whole: MicroTime = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(
            serde_json::to_string(&whole).unwrap(),
            r#""2026-01-01T00:00:00.000000Z""#
        );
    }
}
