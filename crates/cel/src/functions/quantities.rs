//! Amounts with units, such as `1.5Gi`: Kubernetes' quantity library.

use std::cmp::Ordering;

use super::Outcome;
use crate::error::EvaluationError;
use crate::value::CelValue::{self, Bool, Double, Int, String as Text};

/// An amount in billionths. Upstream's decimals have no end; ours stop at about 1.7e29 either way,
/// where they stay.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Quantity(i128);

const UNIT: i128 = 1_000_000_000;

pub(super) fn call(name: &str, arguments: &[CelValue]) -> Option<Outcome> {
    let whole = |amount: i64| Quantity(i128::from(amount).saturating_mul(UNIT));
    let quantity = |amount: Quantity| Ok(CelValue::Quantity(amount));
    let outcome = match (name, arguments) {
        ("quantity", [Text(text)]) => Quantity::parse(text).map(CelValue::Quantity),
        ("isQuantity", [Text(text)]) => Ok(Bool(Quantity::parse(text).is_ok())),
        (method, [CelValue::Quantity(own)]) => match method {
            "sign" => Ok(CelValue::ordering(own.0.cmp(&0))),
            "isInteger" => Ok(Bool(own.integer().is_some())),
            "asInteger" => own
                .integer()
                .map(Int)
                .ok_or_else(|| EvaluationError::function("cannot convert value to integer")),
            "asApproximateFloat" => Ok(Double(own.float())),
            _ => return None,
        },
        ("add", [CelValue::Quantity(own), CelValue::Quantity(other)]) => quantity(own.plus(*other)),
        ("add", [CelValue::Quantity(own), Int(other)]) => quantity(own.plus(whole(*other))),
        ("sub", [CelValue::Quantity(own), CelValue::Quantity(other)]) => {
            quantity(own.minus(*other))
        }
        ("sub", [CelValue::Quantity(own), Int(other)]) => quantity(own.minus(whole(*other))),
        (method, [CelValue::Quantity(own), CelValue::Quantity(other)]) => {
            let order = own.cmp(other);
            match method {
                "compareTo" => Ok(CelValue::ordering(order)),
                "isLessThan" => Ok(Bool(order == Ordering::Less)),
                "isGreaterThan" => Ok(Bool(order == Ordering::Greater)),
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(outcome)
}

impl Quantity {
    fn parse(text: &str) -> Result<Self, EvaluationError> {
        Self::read(text).ok_or_else(|| {
            EvaluationError::function(
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            )
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let suffix = Suffix::read(suffix)?;
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let places = i32::try_from(fraction.len()).ok()?;
        let mut amount = match digits {
            "" => 0,
            digits => scaled(digits, suffix.ten - places + 9),
        };
        if suffix.two > 0 {
            amount = amount.saturating_mul(1_i128.checked_shl(suffix.two)?);
            amount = amount.min(i128::from(i64::MAX) * UNIT);
        }
        Some(Self(if negative { -amount } else { amount }))
    }

    fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    fn integer(self) -> Option<i64> {
        if self.0 % UNIT != 0 {
            return None;
        }
        i64::try_from(self.0 / UNIT).ok()
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "the function is for approximations"
    )]
    fn float(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }
}

/// What a suffix multiplies by: a power of ten, or one of two.
struct Suffix {
    ten: i32,
    two: u32,
}

impl Suffix {
    fn read(text: &str) -> Option<Self> {
        let ten = |ten| Some(Self { ten, two: 0 });
        let two = |two| Some(Self { ten: 0, two });
        match text {
            "n" => ten(-9),
            "u" => ten(-6),
            "m" => ten(-3),
            "" => ten(0),
            "k" => ten(3),
            "M" => ten(6),
            "G" => ten(9),
            "T" => ten(12),
            "P" => ten(15),
            "E" => ten(18),
            "Ki" => two(10),
            "Mi" => two(20),
            "Gi" => two(30),
            "Ti" => two(40),
            "Pi" => two(50),
            "Ei" => two(60),
            _ => {
                let exponent = text.strip_prefix(['e', 'E'])?;
                ten(exponent.parse::<i16>().ok()?.into())
            }
        }
    }
}

/// `digits` times a power of ten, rounded up: something is never nothing.
fn scaled(digits: &str, power: i32) -> i128 {
    if power >= 0 {
        let zeros = usize::try_from(power).unwrap_or(0);
        if digits.len() + zeros > 38 {
            return i128::MAX;
        }
        return format!("{digits}{}", "0".repeat(zeros))
            .parse()
            .unwrap_or(i128::MAX);
    }
    let dropped = usize::try_from(power.unsigned_abs()).unwrap_or(usize::MAX);
    let kept = digits.len().saturating_sub(dropped);
    let (kept, rest) = digits.split_at_checked(kept).unwrap_or((digits, ""));
    if kept.len() > 38 {
        return i128::MAX;
    }
    let up = i128::from(rest.bytes().any(|digit| digit != b'0'));
    kept.parse::<i128>().unwrap_or(0).saturating_add(up)
}
