//! Regular expressions: `matches`, and Kubernetes' `find` and `findAll`.

use super::Outcome;
use crate::budget::Budget;
use crate::error::EvaluationError;
use crate::patterns::Patterns;
use crate::value::CelValue::{self, Bool, Int, String as Text};

/// The functions whose second argument is a pattern; literals are compiled with the expression.
pub(crate) const WITH_PATTERN: [&str; 3] = ["find", "findAll", "matches"];

pub(super) fn call(
    name: &str,
    arguments: &[CelValue],
    patterns: &Patterns,
    budget: &mut Budget,
) -> Option<Outcome> {
    let (text, pattern, limit) = match arguments {
        [Text(text), Text(pattern)] if WITH_PATTERN.contains(&name) => (text, pattern, -1),
        [Text(text), Text(pattern), Int(limit)] if name == "findAll" => (text, pattern, *limit),
        _ => return None,
    };
    Some(run(name, text, pattern, limit, patterns, budget))
}

fn run(
    name: &str,
    text: &str,
    pattern: &str,
    limit: i64,
    patterns: &Patterns,
    budget: &mut Budget,
) -> Result<CelValue, EvaluationError> {
    let compiled = patterns.compiled(pattern, text.len(), budget)?;
    match name {
        "matches" => Ok(Bool(compiled.is_match(text))),
        "find" => {
            let found = compiled.find(text).map_or("", |found| found.as_str());
            Ok(CelValue::string(found))
        }
        _ => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let mut found = Vec::new();
            for part in compiled.find_iter(text).take(limit) {
                // A search may read to the end of the text for a match of one character.
                budget.charge(1 + (text.len() - part.end()) / 100)?;
                found.push(part.as_str());
            }
            Ok(CelValue::strings(found))
        }
    }
}
