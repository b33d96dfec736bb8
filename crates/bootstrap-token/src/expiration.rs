//! When a token ends.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// What a Secret's `expiration` says.
///
/// Whoever asks whether a token still counts asks [`Expiration::lifetime`]: the authenticator, the
/// signer of cluster-info, the cleaner and the list.
///
/// ```
/// use burgee_bootstrap_token::{Expiration, Lifetime};
///
/// let end = Expiration::parse("2026-01-02T03:04:05Z");
/// let second_before = "2026-01-02T03:04:04Z".parse().unwrap();
/// let at_the_end = "2026-01-02T03:04:05Z".parse().unwrap();
/// assert!(matches!(end.lifetime(second_before), Lifetime::Remaining(left) if left.as_secs() == 1));
/// assert_eq!(end.lifetime(at_the_end), Lifetime::Expired);
/// assert_eq!(Expiration::parse("tomorrow").lifetime(second_before), Lifetime::Expired);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expiration {
    /// At this instant.
    At(Timestamp),
    /// There is a text, and it is no instant. Counts as expired.
    Malformed,
    /// Never: there is no text.
    Never,
}

/// How much of a token's life is left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lifetime {
    /// Nothing.
    Expired,
    /// It has no end.
    Forever,
    /// This long, more than nothing.
    Remaining(SignedDuration),
}

impl Expiration {
    /// Reads the value, with the tolerance of Go's `time.Parse(time.RFC3339, …)` and no other: the
    /// hour may have one digit, the fraction any number of digits after a point or a comma (those
    /// after the ninth do not count), the offset reaches 24:60. Instants beyond what [`Timestamp`]
    /// reaches become its ends.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.is_empty() {
            return Self::Never;
        }
        instant(text.as_bytes()).map_or(Self::Malformed, Self::At)
    }

    /// How much is left at `now`. At the stated instant itself the token has expired.
    #[must_use]
    pub fn lifetime(self, now: Timestamp) -> Lifetime {
        match self {
            Self::Never => Lifetime::Forever,
            Self::Malformed => Lifetime::Expired,
            Self::At(end) if end <= now => Lifetime::Expired,
            Self::At(end) => Lifetime::Remaining(end.duration_since(now)),
        }
    }

    /// Whether nothing is left at `now`.
    #[must_use]
    pub fn is_expired(self, now: Timestamp) -> bool {
        self.lifetime(now) == Lifetime::Expired
    }

    /// The instant, where there is one.
    #[must_use]
    pub fn instant(self) -> Option<Timestamp> {
        match self {
            Self::At(instant) => Some(instant),
            Self::Malformed | Self::Never => None,
        }
    }
}

fn instant(text: &[u8]) -> Option<Timestamp> {
    let (year, rest) = number::<4>(text)?;
    let (month, rest) = number::<2>(after(rest, b'-')?)?;
    let (day, rest) = number::<2>(after(rest, b'-')?)?;
    let rest = after(rest, b'T')?;
    let (hour, rest) = number::<2>(rest).or_else(|| number::<1>(rest))?;
    let (minute, rest) = number::<2>(after(rest, b':')?)?;
    let (second, rest) = number::<2>(after(rest, b':')?)?;
    let (nanosecond, rest) = fraction(rest);
    let offset = offset(rest)?;

    let small = |number: i32| i8::try_from(number).ok();
    let date = Date::new(i16::try_from(year).ok()?, small(month)?, small(day)?).ok()?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let time = Time::new(small(hour)?, small(minute)?, small(second)?, nanosecond).ok()?;
    let civil = DateTime::from_parts(date, time);
    // What is out of reach is within a day or two of the one end or the other.
    let end = if year > 0 {
        Timestamp::MAX
    } else {
        Timestamp::MIN
    };
    Some(offset.to_timestamp(civil).unwrap_or(end))
}

/// `Z`, or sign, hours and minutes, and nothing behind.
fn offset(text: &[u8]) -> Option<Offset> {
    let (sign, rest) = match text {
        b"Z" => return Some(Offset::UTC),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = number::<2>(rest)?;
    let (minutes, rest) = number::<2>(after(rest, b':')?)?;
    if hours > 24 || minutes > 60 || !rest.is_empty() {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// The nanoseconds of a fraction of a second: none without a digit.
fn fraction(text: &[u8]) -> (i32, &[u8]) {
    let [b'.' | b',', rest @ ..] = text else {
        return (0, text);
    };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match rest.split_at_checked(count) {
        Some((digits, rest)) if count > 0 => {
            let digits = digits.iter().copied().chain(std::iter::repeat(b'0'));
            (value(digits.take(9)), rest)
        }
        _ => (0, text),
    }
}

/// Exactly `N` digits, and what follows.
fn number<const N: usize>(text: &[u8]) -> Option<(i32, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<N>()?;
    let all = digits.iter().all(u8::is_ascii_digit);
    all.then(|| (value(digits.iter().copied()), rest))
}

fn value(digits: impl Iterator<Item = u8>) -> i32 {
    digits.fold(0, |value, digit| value * 10 + i32::from(digit - b'0'))
}

fn after(text: &[u8], byte: u8) -> Option<&[u8]> {
    text.strip_prefix(&[byte])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Option<String> {
        let instant = Expiration::parse(text).instant();
        instant.map(|instant| instant.to_string())
    }

    #[test]
    fn instants_are_read_with_upstreams_tolerance() {
        for (text, instant) in [
            ("2017-03-10T03:22:11Z", "2017-03-10T03:22:11Z"),
            ("2017-03-10T03:22:11.123Z", "2017-03-10T03:22:11.123Z"),
            ("2017-03-10T03:22:11,123Z", "2017-03-10T03:22:11.123Z"),
            (
                "2017-03-10T03:22:11.123456789987Z",
                "2017-03-10T03:22:11.123456789Z",
            ),
            ("2017-03-10T03:22:11+02:00", "2017-03-10T01:22:11Z"),
            ("2017-03-10T03:22:11-00:00", "2017-03-10T03:22:11Z"),
            ("2017-03-10T03:22:11+24:00", "2017-03-09T03:22:11Z"),
            ("2017-03-10T03:22:11+23:59", "2017-03-09T03:23:11Z"),
            ("2017-03-10T03:22:11+02:60", "2017-03-10T00:22:11Z"),
            ("2017-03-10T03:22:11-24:60", "2017-03-11T04:22:11Z"),
            ("2017-03-10T03:22:11+24:60", "2017-03-09T02:22:11Z"),
            ("2017-03-10T3:22:11Z", "2017-03-10T03:22:11Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("0000-01-01T00:00:00+24:60", "-000001-12-30T23:00:00Z"),
            ("2016-02-29T00:00:00Z", "2016-02-29T00:00:00Z"),
            ("9999-12-30T21:59:59Z", "9999-12-30T21:59:59Z"),
        ] {
            assert_eq!(at(text).as_deref(), Some(instant), "{text}");
        }
        for far in ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-24:60"] {
            assert_eq!(Expiration::parse(far), Expiration::At(Timestamp::MAX));
        }
    }

    #[test]
    fn everything_else_is_malformed() {
        for text in [
            "2017-03-10T03:22:11+25:00",
            "2017-03-10T03:22:11+02:61",
            "2017-3-10T03:22:11Z",
            "2017-03-1T03:22:11Z",
            "2017-03-10T03:2:11Z",
            "2017-03-10T03:22:1Z",
            "2017-03-10T03:22:11+2:00",
            "2017-03-10T03:22:11+02:0",
            "10000-01-01T00:00:00Z",
            "+2017-03-10T03:22:11Z",
            "-2017-03-10T03:22:11Z",
            "2017-02-29T00:00:00Z",
            "2017-00-10T00:00:00Z",
            "2017-13-10T00:00:00Z",
            "2017-03-00T00:00:00Z",
            "2017-04-31T00:00:00Z",
            "2017-03-10T24:00:00Z",
            "2017-03-10T03:60:00Z",
            "2017-03-10T03:22:60Z",
            "2017-03-10t03:22:11Z",
            "2017-03-10T03:22:11z",
            "2017-03-10 03:22:11Z",
            "2017-03-10T03:22:11+0200",
            "2017-03-10T03:22:11+02",
            "2017-03-10T03:22:11",
            "2017-03-10T03:22Z",
            "2017-03-10T03:22:11.Z",
            "2017-03-10T03:22:11.1.1Z",
            "1489116131",
            "2017-W10-5T03:22:11Z",
            "2017-03-10T03:22:11\u{2212}02:00",
            " 2017-03-10T03:22:11Z",
            "2017-03-10T03:22:11Z ",
            "2017-03-10T03:22:11Z\n",
            "2017-03-10T03:22:11ZZ",
            "2017-03-10T:22:11Z",
            "2017-03-10T003:22:11Z",
            " ",
            "é",
        ] {
            assert_eq!(Expiration::parse(text), Expiration::Malformed, "{text:?}");
        }
    }

    #[test]
    fn a_token_ends_at_its_instant_and_not_a_nanosecond_before() {
        let end = Expiration::parse("2026-01-02T03:04:05.5Z");
        let now = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(
            end.lifetime(now("2026-01-02T03:04:05.499999999Z")),
            Lifetime::Remaining(SignedDuration::from_nanos(1))
        );
        assert!(end.is_expired(now("2026-01-02T03:04:05.5Z")));
        assert!(end.is_expired(now("2026-01-02T03:04:06Z")));
    }

    #[test]
    fn no_text_never_ends_and_a_broken_one_has_ended() {
        for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            assert_eq!(Expiration::parse("").lifetime(now), Lifetime::Forever);
            assert_eq!(Expiration::parse("\n").lifetime(now), Lifetime::Expired);
        }
    }

    #[test]
    fn instants_millennia_apart_do_not_overflow() {
        let far = Expiration::parse("9999-12-31T23:59:59-24:60");
        assert!(matches!(
            far.lifetime(Timestamp::MIN),
            Lifetime::Remaining(_)
        ));
        assert!(Expiration::parse("0000-01-01T00:00:00Z").is_expired(Timestamp::MAX));
    }

    /// What is read, said in another way: the text's shape, with every digit shown as a nine, and the
    /// ranges of its numbers.
    fn belongs_to_the_grammar(text: &str) -> bool {
        let shape: String = text
            .chars()
            .map(|c| if c.is_ascii_digit() { '9' } else { c })
            .collect();
        let two_digits = shape.starts_with("9999-99-99T99:99:99");
        if !two_digits && !shape.starts_with("9999-99-99T9:99:99") {
            return false;
        }
        let (instant, rest) = text.split_at(18 + usize::from(two_digits));
        let zone = match rest.strip_prefix(['.', ',']) {
            Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
            None => rest,
        };
        let empty_fraction = rest.len() == zone.len() + 1;
        let number = |text: &str| text.parse::<i16>().unwrap();
        let zone_shape = &shape[shape.len() - zone.len()..];
        let zone_is_good = match zone_shape {
            "Z" => true,
            "+99:99" | "-99:99" => number(&zone[1..3]) <= 24 && number(&zone[4..6]) <= 60,
            _ => false,
        };
        let numbers: Vec<_> = instant.split(['-', 'T', ':']).map(number).collect();
        let small = |index: usize| i8::try_from(numbers[index]).unwrap();
        zone_is_good
            && !empty_fraction
            && Date::new(numbers[0], small(1), small(2)).is_ok()
            && (numbers[3] < 24 && numbers[4] < 60 && numbers[5] < 60)
    }

    /// Texts of the right shape, with numbers in and just out of range.
    const NEAR: &str = "[0-9]{4}-([01][0-9]|2)-([0-3][0-9]|1)T([0-2]?[0-9]):[0-6][0-9]:[0-6][0-9]([.,][0-9]{0,12})?(Z|[+-][0-2][0-9]:[0-6][0-9])";

    proptest! {
        #[test]
        fn exactly_the_grammar_is_read(text in NEAR) {
            let read = matches!(Expiration::parse(&text), Expiration::At(_));
            prop_assert_eq!(read, belongs_to_the_grammar(&text));
        }

        #[test]
        fn exactly_the_grammar_is_read_of_texts_with_a_slip(
            text in NEAR, at: prop::sample::Index, cut in 0_usize..2, put in "[0-9+.,:TZtz \n\u{2212}-]{0,2}"
        ) {
            let at = at.index(text.len());
            let slipped = format!("{}{put}{}", &text[..at], &text[(at + cut).min(text.len())..]);
            let read = matches!(Expiration::parse(&slipped), Expiration::At(_));
            prop_assert_eq!(read, belongs_to_the_grammar(&slipped), "{:?}", slipped);
        }

        #[test]
        fn what_is_written_is_read_again(seconds in 0_i64..253_000_000_000) {
            let instant = Timestamp::from_second(seconds).unwrap();
            let text = burgee_wire::Time::from(instant).to_string();
            prop_assert_eq!(Expiration::parse(&text), Expiration::At(instant));
        }

        #[test]
        fn arbitrary_text_never_panics(text: String) {
            let _ = Expiration::parse(&text);
        }
    }
}
