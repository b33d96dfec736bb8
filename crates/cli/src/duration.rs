//! Lengths of time as Kubernetes writes them in flags and files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time in the notation of Go's `time.ParseDuration`, without a sign: `90s`, `1h30m`,
/// `1.5h`, `250ms`, `0`.
///
/// ```
/// use burgee::Duration;
///
/// let duration: Duration = "1.5h".parse().unwrap();
/// assert_eq!(duration.0.as_secs(), 5400);
/// assert_eq!(duration.to_string(), "1h30m0s");
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Duration(pub std::time::Duration);

/// A text is no length of time.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a duration such as 90s or 1h30m")]
pub struct InvalidDuration;

/// The longest that Go can say: 2^63 - 1 nanoseconds, some 292 years.
const MAX_NANOSECONDS: u128 = i64::MAX as u128;

const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];

impl Duration {
    /// So many whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        if text == "0" {
            return Ok(Self::default());
        }
        let mut nanoseconds = 0_u128;
        let mut rest = text;
        loop {
            let (number, after) = split_while(rest, |c| c.is_ascii_digit() || c == '.');
            let (unit, after) = split_while(after, |c| !c.is_ascii_digit() && c != '.');
            let (_, size) = UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .ok_or(InvalidDuration)?;
            nanoseconds += part(number, *size).ok_or(InvalidDuration)?;
            if nanoseconds > MAX_NANOSECONDS {
                return Err(InvalidDuration);
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let nanoseconds = u64::try_from(nanoseconds).map_err(|_| InvalidDuration)?;
        Ok(Self(std::time::Duration::from_nanos(nanoseconds)))
    }
}

/// Nanoseconds of a number with decimals in a unit; what is smaller than a nanosecond is cut off.
fn part(number: &str, unit: u128) -> Option<u128> {
    // Go reads no number that is longer than this without overflow, apart from leading zeros.
    if number.len() > 30 {
        return None;
    }
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && decimals.is_empty() {
        return None;
    }
    let digits = |text: &str| {
        if text.is_empty() {
            Some(0)
        } else {
            text.parse::<u64>().ok()
        }
    };
    let mut nanoseconds = u128::from(digits(whole)?) * unit;
    if !decimals.is_empty() {
        let significant = decimals.get(..decimals.len().min(15))?;
        // A second point would be left here, and is no digit.
        decimals
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(())?;
        let scale = 10_u128.checked_pow(u32::try_from(significant.len()).ok()?)?;
        nanoseconds += u128::from(digits(significant)?) * unit / scale;
    }
    Some(nanoseconds)
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

impl fmt::Display for Duration {
    /// As Go's `Duration.String` prints it: `1h30m0s`, `1m0s`, `1.5s`, `250ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_nanos();
        let (unit, size) = match total {
            0 => return f.write_str("0s"),
            1..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            1_000_000..1_000_000_000 => ("ms", 1_000_000),
            _ => ("s", 1_000_000_000),
        };
        let (mut whole, fraction) = (total / size, total % size);
        if unit == "s" {
            let (hours, minutes) = (whole / 3600, whole / 60 % 60);
            if hours > 0 {
                write!(f, "{hours}h")?;
            }
            if hours > 0 || minutes > 0 {
                write!(f, "{minutes}m")?;
            }
            whole %= 60;
        }
        write!(f, "{whole}")?;
        if fraction > 0 {
            let width = size.ilog10() as usize;
            let decimals = format!("{fraction:0width$}");
            write!(f, ".{}", decimals.trim_end_matches('0'))?;
        }
        f.write_str(unit)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_and_printed_as_go_does() {
        let cases = [
            ("0", "0s"),
            ("0s", "0s"),
            ("60s", "1m0s"),
            ("1h", "1h0m0s"),
            ("2h45m30s", "2h45m30s"),
            ("1.5h", "1h30m0s"),
            ("1.5s", "1.5s"),
            (".5s", "500ms"),
            ("1.s", "1s"),
            ("250ms", "250ms"),
            ("10us", "10µs"),
            ("10µs", "10µs"),
            ("7ns", "7ns"),
            ("1ns1ns", "2ns"),
            ("0.100000000000000000000h", "6m0s"),
            ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
        ];
        for (text, printed) in cases {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.to_string(), printed, "{text}");
        }
    }

    #[test]
    fn what_go_refuses_and_what_is_negative_is_refused() {
        let texts = [
            "",
            "3",
            "-",
            "s",
            ".",
            "-.",
            ".s",
            "+.s",
            "-5s",
            "1d",
            "1 h",
            "1h ",
            "1..5s",
            "1.5.5s",
            "1e3s",
            "2562047h47m16.854775808s",
            "99999999999999999999h",
            "9223372036855ms",
        ];
        for text in texts {
            assert_eq!(text.parse::<Duration>(), Err(InvalidDuration), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(nanoseconds in 0..=i64::MAX as u64) {
            let duration = Duration(std::time::Duration::from_nanos(nanoseconds));
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,30}|[0-9.hmsnuµ]{0,60}") {
            let _ = text.parse::<Duration>();
        }
    }
}
