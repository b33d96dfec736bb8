//! From one type to another, and what every type has.

use std::sync::Arc;

use super::{Outcome, time};
use crate::budget::Budget;
use crate::error::EvaluationError::{self, Overflow};
use crate::value::CelValue::{self, Bool, Bytes, Double, Int, String as Text, Uint};
use crate::value::whole;

pub(super) fn call(name: &str, arguments: &[CelValue], budget: &mut Budget) -> Option<Outcome> {
    let outcome = match (name, arguments) {
        ("dyn", [value]) => Ok(value.clone()),
        ("type", [value]) => Ok(CelValue::Type(value.type_name())),
        ("size", [CelValue::List(items)]) => Ok(CelValue::count(items.len())),
        ("size", [CelValue::Map(map)]) => Ok(CelValue::count(map.entries.len())),
        ("bool", [value]) => to_bool(value)?,
        ("bytes", [Text(text)]) => Ok(Bytes(Arc::from(text.as_bytes()))),
        ("bytes", [value @ Bytes(_)]) => Ok(value.clone()),
        ("double", [value]) => to_double(value)?,
        ("int", [value]) => to_int(value)?,
        ("uint", [value]) => to_uint(value)?,
        ("string", [value]) => to_string(value, budget)?,
        _ => return None,
    };
    Some(outcome)
}

fn unreadable(from: &str, value: &str, to: &str) -> EvaluationError {
    let shown: String = value.chars().take(64).collect();
    EvaluationError::Function(format!(
        "type conversion error from '{from}' to '{to}': {shown}"
    ))
}

fn to_bool(value: &CelValue) -> Option<Outcome> {
    Some(match value {
        Bool(_) => Ok(value.clone()),
        Text(text) => match text.as_ref() {
            "1" | "t" | "true" | "TRUE" | "True" => Ok(Bool(true)),
            "0" | "f" | "false" | "FALSE" | "False" => Ok(Bool(false)),
            _ => Err(unreadable("string", text, "bool")),
        },
        _ => return None,
    })
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a conversion to double rounds, as the language says"
)]
fn to_double(value: &CelValue) -> Option<Outcome> {
    Some(match value {
        Double(_) => Ok(value.clone()),
        Int(value) => Ok(Double(*value as f64)),
        Uint(value) => Ok(Double(*value as f64)),
        Text(text) => text
            .parse()
            .map(Double)
            .map_err(|_| unreadable("string", text, "double")),
        _ => return None,
    })
}

fn to_int(value: &CelValue) -> Option<Outcome> {
    Some(match value {
        Int(_) => Ok(value.clone()),
        Uint(value) => i64::try_from(*value)
            .map(Int)
            .map_err(|_| Overflow("integer")),
        // The ends of the range are refused: no double tells them from their neighbours.
        Double(value) => whole(value.trunc())
            .filter(|whole| *whole != i64::MIN)
            .map(Int)
            .ok_or(Overflow("integer")),
        Text(text) => text
            .parse()
            .map(Int)
            .map_err(|_| unreadable("string", text, "int")),
        CelValue::Timestamp(time) => Ok(Int(time.as_second())),
        _ => return None,
    })
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn to_uint(value: &CelValue) -> Option<Outcome> {
    const LIMIT: f64 = 18_446_744_073_709_551_616.0;
    Some(match value {
        Uint(_) => Ok(value.clone()),
        Int(value) => u64::try_from(*value)
            .map(Uint)
            .map_err(|_| Overflow("unsigned integer")),
        Double(value) if (0.0..LIMIT).contains(&value.trunc()) => Ok(Uint(*value as u64)),
        Double(_) => Err(Overflow("unsigned integer")),
        Text(text) => text
            .parse()
            .map(Uint)
            .map_err(|_| unreadable("string", text, "uint")),
        _ => return None,
    })
}

fn to_string(value: &CelValue, budget: &mut Budget) -> Option<Outcome> {
    let text = match value {
        Text(_) => return Some(Ok(value.clone())),
        Bool(value) => value.to_string(),
        Bytes(bytes) => {
            if let Err(limit) = budget.charge_text(bytes.len()) {
                return Some(Err(limit));
            }
            return Some(match std::str::from_utf8(bytes) {
                Ok(text) => Ok(CelValue::string(text)),
                Err(_) => Err(EvaluationError::function(
                    "invalid UTF-8 in bytes, cannot convert to string",
                )),
            });
        }
        Double(value) => shown_double(*value),
        Int(value) => value.to_string(),
        Uint(value) => value.to_string(),
        CelValue::Cidr(cidr) => cidr.to_string(),
        CelValue::Duration(duration) => time::shown_duration(*duration),
        CelValue::Ip(address) => address.to_string(),
        CelValue::Timestamp(time) => time.to_string(),
        _ => return None,
    };
    Some(Ok(CelValue::string(text)))
}

/// A double as Go's `%g`-like shortest form shows it: an exponent from 1e21 on and below 1e-4.
pub(super) fn shown_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e21).contains(&magnitude) {
        let shown = format!("{value:e}");
        let (mantissa, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    value.to_string()
}
