//! Texts: the standard functions and version 2 of the strings extension.
//!
//! Positions count characters, not bytes.

use super::Outcome;
use crate::budget::Budget;
use crate::error::EvaluationError;
use crate::value::CelValue::{self, Bool, Int, List, String as Text};

pub(super) fn call(name: &str, arguments: &[CelValue], budget: &mut Budget) -> Option<Outcome> {
    let outcome = match (name, arguments) {
        ("size", [Text(text)]) => Ok(CelValue::count(text.chars().count())),
        ("size", [CelValue::Bytes(bytes)]) => Ok(CelValue::count(bytes.len())),
        ("contains", [Text(text), Text(part)]) => Ok(Bool(text.contains(part.as_ref()))),
        ("startsWith", [Text(text), Text(part)]) => Ok(Bool(text.starts_with(part.as_ref()))),
        ("endsWith", [Text(text), Text(part)]) => Ok(Bool(text.ends_with(part.as_ref()))),
        ("charAt", [Text(text), Int(at)]) => character_at(text, *at),
        ("indexOf", [Text(text), Text(part)]) => index_of(text, part, 0),
        ("indexOf", [Text(text), Text(part), Int(from)]) => index_of(text, part, *from),
        ("lastIndexOf", [Text(text), Text(part)]) => last_index_of(text, part, None),
        ("lastIndexOf", [Text(text), Text(part), Int(to)]) => last_index_of(text, part, Some(*to)),
        ("lowerAscii", [Text(text)]) => Ok(CelValue::string(text.to_ascii_lowercase())),
        ("upperAscii", [Text(text)]) => Ok(CelValue::string(text.to_ascii_uppercase())),
        ("trim", [Text(text)]) => Ok(CelValue::string(text.trim())),
        ("strings.quote", [Text(text)]) => quoted(text, budget),
        ("replace", [Text(text), Text(from), Text(to)]) => replace(text, from, to, -1, budget),
        ("replace", [Text(text), Text(from), Text(to), Int(limit)]) => {
            replace(text, from, to, *limit, budget)
        }
        ("split", [Text(text), Text(separator)]) => split(text, separator, -1, budget),
        ("split", [Text(text), Text(separator), Int(limit)]) => {
            split(text, separator, *limit, budget)
        }
        ("substring", [Text(text), Int(start)]) => substring(text, *start, None),
        ("substring", [Text(text), Int(start), Int(end)]) => substring(text, *start, Some(*end)),
        ("join", [List(items)]) => join(items, "", budget),
        ("join", [List(items), Text(separator)]) => join(items, separator, budget),
        _ => return None,
    };
    Some(outcome)
}

fn out_of_range(position: i64) -> EvaluationError {
    EvaluationError::Function(format!("index out of range: {position}"))
}

/// The byte that the character at `position` starts at; the end is a position too.
fn byte_at(text: &str, position: i64) -> Result<usize, EvaluationError> {
    let characters = usize::try_from(position).map_err(|_| out_of_range(position))?;
    let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.nth(characters).ok_or_else(|| out_of_range(position))
}

/// How many characters stand before a byte.
fn characters_before(text: &str, byte: usize) -> usize {
    text.get(..byte).map_or(0, |before| before.chars().count())
}

fn character_at(text: &str, position: i64) -> Outcome {
    let start = byte_at(text, position)?;
    let rest = text.get(start..).unwrap_or_default();
    let character = rest.chars().next();
    Ok(CelValue::string(
        character.map(String::from).unwrap_or_default(),
    ))
}

fn index_of(text: &str, part: &str, from: i64) -> Outcome {
    if part.is_empty() {
        return Ok(Int(from));
    }
    let from = byte_at(text, from)?;
    let found = text.get(from..).and_then(|rest| rest.find(part));
    Ok(found.map_or(Int(-1), |at| {
        CelValue::count(characters_before(text, from + at))
    }))
}

fn last_index_of(text: &str, part: &str, to: Option<i64>) -> Outcome {
    let last = to.map(|to| byte_at(text, to)).transpose()?;
    if part.is_empty() {
        let end = || CelValue::count(text.chars().count());
        return Ok(to.map_or_else(end, Int));
    }
    // What is found starts at `last` or before.
    let end = last.map_or(text.len(), |last| (last + part.len()).min(text.len()));
    let end = (end..=text.len()).find(|end| text.is_char_boundary(*end));
    let searched = end.and_then(|end| text.get(..end)).unwrap_or_default();
    let found = searched.rmatch_indices(part).map(|(at, _)| at);
    let found = found
        .into_iter()
        .find(|at| last.is_none_or(|last| *at <= last));
    Ok(found.map_or(Int(-1), |at| CelValue::count(characters_before(text, at))))
}

fn substring(text: &str, start: i64, end: Option<i64>) -> Outcome {
    if let Some(end) = end
        && start > end
    {
        return Err(EvaluationError::Function(format!(
            "invalid substring range. start: {start}, end: {end}"
        )));
    }
    let from = byte_at(text, start)?;
    let to = end.map_or(Ok(text.len()), |end| byte_at(text, end))?;
    Ok(CelValue::string(text.get(from..to).unwrap_or_default()))
}

fn replace(text: &str, from: &str, to: &str, limit: i64, budget: &mut Budget) -> Outcome {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let count = text.matches(from).take(limit).count();
    budget.charge_text(text.len().saturating_add(count.saturating_mul(to.len())))?;
    Ok(CelValue::string(text.replacen(from, to, limit)))
}

fn split(text: &str, separator: &str, limit: i64, budget: &mut Budget) -> Outcome {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if limit == 0 {
        return Ok(CelValue::list(Vec::new()));
    }
    let pieces: Vec<&str> = if separator.is_empty() {
        // Character by character, and the rest in the last piece.
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            budget.charge(1)?;
            if pieces.len() + 1 == limit {
                pieces.push(rest);
                break;
            }
            let (piece, after) = rest.split_at(character.len_utf8());
            pieces.push(piece);
            rest = after;
        }
        pieces
    } else {
        budget.charge(text.matches(separator).take(limit).count())?;
        text.splitn(limit, separator).collect()
    };
    budget.charge_text(text.len())?;
    Ok(CelValue::strings(pieces))
}

fn join(items: &[CelValue], separator: &str, budget: &mut Budget) -> Outcome {
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        let Text(item) = item else {
            return Err(EvaluationError::NoSuchOverload);
        };
        budget.charge(1)?;
        budget.charge_text(item.len() + separator.len())?;
        if index > 0 {
            joined.push_str(separator);
        }
        joined.push_str(item);
    }
    Ok(CelValue::string(joined))
}

fn quoted(text: &str, budget: &mut Budget) -> Outcome {
    budget.charge_text(text.len().saturating_mul(2))?;
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '\u{7}' => quoted.push_str(r"\a"),
            '\u{8}' => quoted.push_str(r"\b"),
            '\u{c}' => quoted.push_str(r"\f"),
            '\n' => quoted.push_str(r"\n"),
            '\r' => quoted.push_str(r"\r"),
            '\t' => quoted.push_str(r"\t"),
            '\u{b}' => quoted.push_str(r"\v"),
            '\\' => quoted.push_str(r"\\"),
            '"' => quoted.push_str("\\\""),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    Ok(CelValue::string(quoted))
}
