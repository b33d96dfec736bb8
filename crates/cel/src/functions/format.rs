//! `"%s".format([x])`: the strings extension's formatting.

use super::conversions::shown_double;
use super::{Outcome, time};
use crate::budget::Budget;
use crate::error::EvaluationError;
use crate::value::{CelValue, Key};

/// The most digits after the point, as upstream limits them.
const PRECISION_LIMIT: usize = 100;

pub(super) fn call(name: &str, arguments: &[CelValue], budget: &mut Budget) -> Option<Outcome> {
    match (name, arguments) {
        ("format", [CelValue::String(text), CelValue::List(values)]) => {
            Some(format(text, values, budget).map(CelValue::string))
        }
        _ => None,
    }
}

fn refused(problem: impl Into<String>) -> EvaluationError {
    EvaluationError::Function(problem.into())
}

fn format(text: &str, values: &[CelValue], budget: &mut Budget) -> Result<String, EvaluationError> {
    let mut formatted = String::new();
    let mut next = 0;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '%' {
            formatted.push(character);
            continue;
        }
        if characters.next_if_eq(&'%').is_some() {
            formatted.push('%');
            continue;
        }
        let mut precision = None;
        if characters.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(digit) = characters.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            let wanted = digits.parse().ok().filter(|it| *it <= PRECISION_LIMIT);
            precision = Some(wanted.ok_or_else(|| {
                refused(format!(
                    "precision {digits:?} is not within 0 and {PRECISION_LIMIT}"
                ))
            })?);
        }
        let clause = characters
            .next()
            .ok_or_else(|| refused("unexpected end of format string"))?;
        let value = values
            .get(next)
            .ok_or_else(|| refused(format!("index {next} out of range")))?;
        next += 1;
        let start = formatted.len();
        clause_value(clause, precision, value, &mut formatted, budget)?;
        budget.charge_text(formatted.len() - start)?;
    }
    budget.charge_text(text.len())?;
    Ok(formatted)
}

fn clause_value(
    clause: char,
    precision: Option<usize>,
    value: &CelValue,
    into: &mut String,
    budget: &mut Budget,
) -> Result<(), EvaluationError> {
    let mistyped = || {
        refused(format!(
            "error during formatting: %{clause} clause does not take {}",
            value.type_name()
        ))
    };
    let shown = match (clause, value) {
        ('s', value) => return shown(value, into, budget),
        ('d', CelValue::Int(number)) => number.to_string(),
        ('d', CelValue::Uint(number)) => number.to_string(),
        ('d', CelValue::Double(number)) if !number.is_finite() => shown_double(*number),
        ('f', value) => {
            let number = double(value).ok_or_else(mistyped)?;
            fixed(number, precision.unwrap_or(6))
        }
        ('e', value) => {
            let number = double(value).ok_or_else(mistyped)?;
            scientific(number, precision.unwrap_or(6))
        }
        ('b', CelValue::Bool(value)) => u8::from(*value).to_string(),
        ('b', CelValue::Int(number)) => signed(*number, format!("{:b}", number.unsigned_abs())),
        ('b', CelValue::Uint(number)) => format!("{number:b}"),
        ('o', CelValue::Int(number)) => signed(*number, format!("{:o}", number.unsigned_abs())),
        ('o', CelValue::Uint(number)) => format!("{number:o}"),
        ('x', CelValue::Int(number)) => signed(*number, format!("{:x}", number.unsigned_abs())),
        ('X', CelValue::Int(number)) => signed(*number, format!("{:X}", number.unsigned_abs())),
        ('x', CelValue::Uint(number)) => format!("{number:x}"),
        ('X', CelValue::Uint(number)) => format!("{number:X}"),
        ('x' | 'X', CelValue::String(text)) => hexadecimal(text.as_bytes(), clause),
        ('x' | 'X', CelValue::Bytes(bytes)) => hexadecimal(bytes, clause),
        ('d' | 'b' | 'o' | 'x' | 'X', _) => return Err(mistyped()),
        _ => {
            return Err(refused(format!(
                "could not parse formatting clause: unrecognized formatting clause {clause:?}"
            )));
        }
    };
    into.push_str(&shown);
    Ok(())
}

/// A value as `%s` shows it.
fn shown(value: &CelValue, into: &mut String, budget: &mut Budget) -> Result<(), EvaluationError> {
    budget.charge(1)?;
    match value {
        CelValue::Bool(value) => into.push_str(&value.to_string()),
        CelValue::Bytes(bytes) => {
            budget.charge_text(bytes.len())?;
            into.push_str(&String::from_utf8_lossy(bytes));
        }
        CelValue::Double(value) => into.push_str(&shown_double(*value)),
        CelValue::Duration(duration) => into.push_str(&time::shown_duration(*duration)),
        CelValue::Int(value) => into.push_str(&value.to_string()),
        CelValue::List(items) => {
            into.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    into.push_str(", ");
                }
                shown(item, into, budget)?;
            }
            into.push(']');
        }
        CelValue::Map(map) => {
            into.push('{');
            for (index, (key, item)) in map.entries.iter().enumerate() {
                if index > 0 {
                    into.push_str(", ");
                }
                shown(&Key::to_value(key), into, budget)?;
                into.push_str(": ");
                shown(item, into, budget)?;
            }
            into.push('}');
        }
        CelValue::Null => into.push_str("null"),
        CelValue::String(text) => {
            budget.charge_text(text.len())?;
            into.push_str(text);
        }
        CelValue::Timestamp(time) => into.push_str(&time.to_string()),
        CelValue::Type(name) => into.push_str(name),
        CelValue::Uint(value) => into.push_str(&value.to_string()),
        other => {
            return Err(refused(format!(
                "error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given {}",
                other.type_name()
            )));
        }
    }
    Ok(())
}

#[allow(
    clippy::cast_precision_loss,
    reason = "%f and %e show numbers as doubles"
)]
fn double(value: &CelValue) -> Option<f64> {
    match value {
        CelValue::Double(number) => Some(*number),
        CelValue::Int(number) => Some(*number as f64),
        CelValue::Uint(number) => Some(*number as f64),
        _ => None,
    }
}

fn fixed(number: f64, precision: usize) -> String {
    if number.is_finite() {
        format!("{number:.precision$}")
    } else {
        shown_double(number)
    }
}

fn scientific(number: f64, precision: usize) -> String {
    if !number.is_finite() {
        return shown_double(number);
    }
    let shown = format!("{number:.precision$e}");
    let (mantissa, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

fn signed(number: i64, digits: String) -> String {
    if number < 0 {
        format!("-{digits}")
    } else {
        digits
    }
}

fn hexadecimal(bytes: &[u8], clause: char) -> String {
    let digits = bytes.iter().map(|byte| match clause {
        'x' => format!("{byte:02x}"),
        _ => format!("{byte:02X}"),
    });
    digits.collect()
}
