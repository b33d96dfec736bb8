//! Points in time and spans between them.

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

use super::Outcome;
use crate::error::EvaluationError;
use crate::value::CelValue::{self, Int, String as Text};

/// The years that the language knows: 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

pub(super) fn call(name: &str, arguments: &[CelValue]) -> Option<Outcome> {
    let outcome = match (name, arguments) {
        ("timestamp", [value @ CelValue::Timestamp(_)]) => Ok(value.clone()),
        ("timestamp", [Int(seconds)]) => Timestamp::from_second(*seconds)
            .map_err(|_| EvaluationError::Overflow("timestamp"))
            .and_then(in_range),
        ("timestamp", [Text(text)]) => timestamp(text),
        ("duration", [value @ CelValue::Duration(_)]) => Ok(value.clone()),
        ("duration", [Text(text)]) => duration(text)
            .map(CelValue::Duration)
            .ok_or_else(|| EvaluationError::Function(format!("time: invalid duration {text:?}"))),
        (_, [CelValue::Timestamp(time)]) => part_in(name, *time, &TimeZone::UTC)?,
        (_, [CelValue::Timestamp(time), Text(zone)]) => match time_zone(zone) {
            Some(zone) => part_in(name, *time, &zone)?,
            None => {
                part_in(name, *time, &TimeZone::UTC)?.ok();
                Err(EvaluationError::Function(format!(
                    "unknown time zone {zone}"
                )))
            }
        },
        ("getHours", [CelValue::Duration(span)]) => Ok(Int(span.as_hours())),
        ("getMinutes", [CelValue::Duration(span)]) => Ok(Int(span.as_mins())),
        ("getSeconds", [CelValue::Duration(span)]) => Ok(Int(span.as_secs())),
        ("getMilliseconds", [CelValue::Duration(span)]) => {
            Ok(Int(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
        }
        _ => return None,
    };
    Some(outcome)
}

/// Whether `text` is what the function `name`, `duration` or `timestamp`, can read.
pub(crate) fn is_time(name: &str, text: &str) -> bool {
    match name {
        "duration" => duration(text).is_some(),
        _ => timestamp(text).is_ok(),
    }
}

fn timestamp(text: &str) -> Outcome {
    let refused = || EvaluationError::Function(format!("parsing time {text:?} as RFC 3339 failed"));
    // RFC 3339 has no room for the shorter forms that the parser also reads.
    let is_rfc3339 = text.get(10..11) == Some("T") && text.is_ascii();
    let time = text
        .parse()
        .ok()
        .filter(|_| is_rfc3339)
        .ok_or_else(refused)?;
    in_range(time)
}

fn in_range(time: Timestamp) -> Outcome {
    if SECONDS.contains(&time.as_second()) {
        Ok(CelValue::Timestamp(time))
    } else {
        Err(EvaluationError::Overflow("timestamp"))
    }
}

/// Reads a duration as Go does: `1h30m`, `-1.5s`, `100ms`, `0`.
fn duration(text: &str) -> Option<SignedDuration> {
    const UNITS: [(&str, i128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let (_, nanoseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || whole.len() > 19 || fraction.contains('.') {
            return None;
        }
        if !whole.is_empty() {
            total = total.checked_add(whole.parse::<i128>().ok()?.checked_mul(*nanoseconds)?)?;
        }
        let digits: String = fraction.chars().take(15).collect();
        if !digits.is_empty() {
            let scale = 10_i128.checked_pow(u32::try_from(digits.len()).ok()?)?;
            total = total.checked_add(digits.parse::<i128>().ok()? * nanoseconds / scale)?;
        }
        rest = after;
    }
    // Go counts nanoseconds in 64 bits: 292 years.
    let total = i64::try_from(if negative { -total } else { total }).ok()?;
    Some(SignedDuration::from_nanos(total))
}

/// A duration in seconds, as `string(d)` gives it: `5400s`, `0.1s`.
pub(super) fn shown_duration(duration: SignedDuration) -> String {
    let nanoseconds = duration.subsec_nanos().unsigned_abs();
    let seconds = duration.as_secs().unsigned_abs();
    let sign = if duration.is_negative() { "-" } else { "" };
    if nanoseconds == 0 {
        return format!("{sign}{seconds}s");
    }
    let fraction = format!("{nanoseconds:09}");
    format!("{sign}{seconds}.{}s", fraction.trim_end_matches('0'))
}

/// `UTC`, or an offset such as `+02:00` or `-08:00`.
fn time_zone(name: &str) -> Option<TimeZone> {
    if matches!(name, "" | "UTC" | "Z") {
        return Some(TimeZone::UTC);
    }
    let (hours, minutes) = name.split_once(':')?;
    let negative = hours.starts_with('-');
    let digits = hours.trim_start_matches(['+', '-']);
    let is_number = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(digits) || !is_number(minutes) {
        return None;
    }
    let seconds = digits.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    let offset = Offset::from_seconds(if negative { -seconds } else { seconds }).ok()?;
    Some(TimeZone::fixed(offset))
}

fn part_in(name: &str, time: Timestamp, zone: &TimeZone) -> Option<Outcome> {
    let zoned = time.to_zoned(zone.clone());
    part(name, &zoned).map(|part| Ok(Int(part)))
}

fn part(name: &str, time: &Zoned) -> Option<i64> {
    Some(match name {
        "getFullYear" => time.year().into(),
        "getMonth" => i64::from(time.month()) - 1,
        "getDate" => time.day().into(),
        "getDayOfMonth" => i64::from(time.day()) - 1,
        "getDayOfWeek" => time.weekday().to_sunday_zero_offset().into(),
        "getDayOfYear" => i64::from(time.day_of_year()) - 1,
        "getHours" => time.hour().into(),
        "getMinutes" => time.minute().into(),
        "getSeconds" => time.second().into(),
        "getMilliseconds" => time.millisecond().into(),
        _ => return None,
    })
}
