//! Quantities such as `100Mi`, as far as rules compare them (`k8s.io/apimachinery/pkg/api/resource`).

use burgee_wire::field::{FieldError, Path};
use serde_json::Value;

/// The value in billionths, the smallest unit that quantities have; a finer rest is rounded up, as
/// upstream does. What is too large counts as the largest value.
pub(crate) fn nanos(quantity: &Value) -> i128 {
    parse(quantity.as_str().unwrap_or_default()).unwrap_or_default()
}

/// Adds an error when a quantity is below zero.
pub(crate) fn not_negative(errors: &mut Vec<FieldError>, quantity: &Value, path: &Path) {
    if nanos(quantity) < 0 {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(path, quantity.clone(), detail));
    }
}

fn parse(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at_checked(end)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let scale = i32::try_from(fraction.len()).ok()?;
    let magnitude = match digits {
        "" => 0,
        // Far beyond what any quantity holds.
        _ if digits.len() > 30 => i128::MAX,
        _ => scaled(digits.parse().ok()?, scale, suffix)?,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// `digits / 10^scale` with a suffix, in billionths.
fn scaled(digits: i128, scale: i32, suffix: &str) -> Option<i128> {
    let (binary, decimal) = match suffix {
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "" => (0, 0),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        _ => (0, suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    let digits = digits.checked_mul(1_i128 << binary).unwrap_or(i128::MAX);
    let power: i32 = 9 + decimal - scale;
    let factor = 10_i128
        .checked_pow(power.unsigned_abs())
        .unwrap_or(i128::MAX);
    Some(if power >= 0 {
        digits.saturating_mul(factor)
    } else {
        digits / factor + i128::from(digits % factor != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_amount_in_other_words_is_equal() {
        let table = [
            ("1", "1000m"),
            ("0.5", "500m"),
            ("1Ki", "1024"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1k"),
            ("2E-3", "2m"),
            ("1E", "1000P"),
            ("-1", "-1.0"),
            ("0", "0Ei"),
            ("0.0000000001", "1n"),
            ("+3", "3"),
        ];
        for (a, b) in table {
            assert_eq!(nanos(&json!(a)), nanos(&json!(b)), "{a} {b}");
        }
    }

    #[test]
    fn quantities_are_ordered_also_where_they_are_huge() {
        let ascending = [
            "-1Ei", "-1m", "0", "1n", "1m", "1", "1k", "1Ki", "1M", "1Mi", "1E", "1Ei", "1e30",
        ];
        assert!(ascending.is_sorted_by(|a, b| nanos(&json!(a)) < nanos(&json!(b))));
        assert_eq!(nanos(&json!("1e99")), i128::MAX);
        assert_eq!(nanos(&json!("9".repeat(40))), i128::MAX);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(text in "[+-]?[0-9.]{0,50}[eE+0-9nmukMGTPEi-]{0,12}") {
            let _ = nanos(&json!(text));
        }
    }
}
