//! Regular expressions: RE2's dialect, within limits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use regex::{Regex, RegexBuilder};

use crate::budget::Budget;
use crate::error::EvaluationError;

/// The largest compiled pattern in bytes. It bounds how long compiling takes (some milliseconds) and
/// the number of states that matching can have to track for each byte of text.
const COMPILED_LIMIT: usize = 1 << 18;

/// The longest pattern.
const PATTERN_LIMIT: usize = 4096;

/// The cost of compiling a pattern that only an evaluation knows: two hundred of them spend the
/// budget. Upstream charges nothing for this.
const COMPILING: usize = 5_000;

/// How many patterns are kept compiled for one expression.
const KEPT: usize = 16;

/// The compiled patterns of one expression: those in its text, and the latest that came from claims.
///
/// They are shared, not cloned: a clone of a pattern would warm up its own caches for every search.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    literal: HashMap<String, Arc<Regex>>,
    from_claims: Mutex<HashMap<String, Arc<Regex>>>,
}

impl Patterns {
    /// Compiles a pattern of the expression's text.
    ///
    /// # Errors
    ///
    /// The parser's text, in one line.
    pub(crate) fn add(&mut self, pattern: &str) -> Result<(), String> {
        let compiled = compile(pattern)?;
        self.literal.insert(pattern.to_owned(), Arc::new(compiled));
        Ok(())
    }

    /// The compiled pattern, and the cost of running it over `bytes` of text charged.
    pub(crate) fn compiled(
        &self,
        pattern: &str,
        bytes: usize,
        budget: &mut Budget,
    ) -> Result<Arc<Regex>, EvaluationError> {
        budget.charge((bytes + 1).div_ceil(10) * pattern.len().div_ceil(4).max(1))?;
        if let Some(compiled) = self.literal.get(pattern) {
            return Ok(Arc::clone(compiled));
        }
        let lock = || {
            self.from_claims
                .lock()
                .unwrap_or_else(|broken| broken.into_inner())
        };
        if let Some(compiled) = lock().get(pattern) {
            return Ok(Arc::clone(compiled));
        }
        budget.charge(COMPILING)?;
        let compiled = Arc::new(compile(pattern).map_err(EvaluationError::Function)?);
        let mut kept = lock();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(pattern.to_owned(), Arc::clone(&compiled));
        Ok(compiled)
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_LIMIT {
        return Err(format!("pattern is longer than {PATTERN_LIMIT} bytes"));
    }
    let translated = in_our_dialect(pattern)
        .map_err(|problem| format!("error parsing regexp: {problem}: `{pattern}`"))?;
    RegexBuilder::new(&translated)
        .size_limit(COMPILED_LIMIT)
        .dfa_size_limit(2 * COMPILED_LIMIT)
        .nest_limit(100)
        .build()
        .map_err(|error| {
            let text = error.to_string();
            let last = text.lines().rfind(|line| !line.trim().is_empty());
            let problem = last.unwrap_or("invalid").trim();
            let problem = problem.strip_prefix("error: ").unwrap_or(problem);
            format!("error parsing regexp: {problem}: `{pattern}`")
        })
}

/// RE2's `\d`, `\s`, `\w` and `\b` know ASCII alone. Rules that keep people out are written with
/// that in mind, so the classes are spelled out for an engine whose own know all of Unicode.
///
/// # Errors
///
/// What our engine takes and RE2 does not, or takes for something else.
fn in_our_dialect(pattern: &str) -> Result<String, &'static str> {
    let mut translated = String::with_capacity(pattern.len() + 16);
    let mut characters = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let escaped = characters.next();
                let class = match escaped {
                    Some('d') => Some("0-9"),
                    Some('s') => Some(r"\t\n\f\r "),
                    Some('w') => Some("0-9A-Za-z_"),
                    _ => None,
                };
                match (class, escaped) {
                    // In brackets of its own in a class too: its last character begins no range.
                    (Some(class), _) => translated.extend(["[", class, "]"]),
                    (None, Some('D')) => translated.push_str("[^0-9]"),
                    (None, Some('S')) => translated.push_str(r"[^\t\n\f\r ]"),
                    (None, Some('W')) => translated.push_str("[^0-9A-Za-z_]"),
                    (None, Some('b')) if !in_class => translated.push_str(r"(?-u:\b)"),
                    (None, Some('B')) if !in_class => translated.push_str(r"(?-u:\B)"),
                    (None, Some('u' | 'U')) => return Err("invalid escape sequence"),
                    (None, Some('p' | 'P')) if names_a_property_by_value(&characters) => {
                        return Err("invalid character class range");
                    }
                    // Among them `\<` and `\>`, which are the borders of words in our engine.
                    (None, Some(mark)) if mark.is_ascii() && !mark.is_ascii_alphanumeric() => {
                        literally(mark, &mut translated);
                    }
                    (None, Some('Q')) if !in_class => quote(&mut characters, &mut translated),
                    (None, escaped) => {
                        translated.push('\\');
                        translated.extend(escaped);
                    }
                }
            }
            '[' if !in_class => {
                in_class = true;
                translated.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    translated.push('^');
                }
                // A bracket or a hyphen in first place is itself.
                if let Some(first) = characters.next_if(|next| matches!(next, ']' | '-')) {
                    translated.extend(['\\', first]);
                }
            }
            '(' if !in_class => {
                translated.push('(');
                if characters.peek() == Some(&'?') && !is_group(&characters) {
                    return Err("invalid or unsupported Perl syntax");
                }
            }
            '-' if in_class && ends_in_class(&characters) => {
                return Err("invalid character class range");
            }
            // `[[:alpha:]]` is the same in both; any other bracket in a class is itself in RE2.
            '[' if characters.peek() == Some(&':') => {
                translated.push('[');
                for inner in characters.by_ref() {
                    translated.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            ']' if in_class => {
                in_class = false;
                translated.push(']');
            }
            // These begin set operations in our engine and nothing in RE2.
            '[' | '&' | '~' if in_class => translated.extend(['\\', character]),
            '-' if in_class && characters.peek() == Some(&'-') => translated.push_str(r"\-"),
            other => translated.push(other),
        }
    }
    Ok(translated)
}

type Rest<'p> = std::iter::Peekable<std::str::Chars<'p>>;

/// Whether RE2 knows the group that goes on with `?`: a name, or the flags `i`, `m`, `s` and `U`.
/// Ours has more flags (`x`, `u`, `R`), and more characters in names.
fn is_group(rest: &Rest<'_>) -> bool {
    let head = rest.clone().skip(1);
    let head: String = head
        .take_while(|next| !matches!(next, ':' | ')' | '>'))
        .collect();
    match head.strip_prefix("P<").or_else(|| head.strip_prefix('<')) {
        Some(name) => name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_'),
        None => head.chars().all(|flag| "imsU-".contains(flag)),
    }
}

/// Whether `{…}` follows with a value, as in `\p{sc=Greek}`.
fn names_a_property_by_value(rest: &Rest<'_>) -> bool {
    let mut name = rest.clone();
    name.next_if_eq(&'{').is_some()
        && name
            .take_while(|character| !matches!(character, '}' | '\\'))
            .any(|character| matches!(character, '=' | ':' | '!'))
}

/// Whether a class of characters follows, which ends no range.
fn ends_in_class(rest: &Rest<'_>) -> bool {
    let mut rest = rest.clone();
    rest.next() == Some('\\')
        && matches!(
            rest.next(),
            Some('d' | 's' | 'w' | 'D' | 'S' | 'W' | 'p' | 'P')
        )
}

fn literally(character: char, into: &mut String) {
    into.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
}

/// Copies the text up to `\E` so that it stands for itself.
fn quote(characters: &mut Rest<'_>, into: &mut String) {
    while let Some(character) = characters.next() {
        if character == '\\' && characters.next_if_eq(&'E').is_some() {
            return;
        }
        literally(character, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_is_re2s() {
        let cases = [
            (r"^\d+$", "123", true),
            (r"^\d+$", "\u{0663}", false),
            (r"^[\d-]+$", "1-2", true),
            (r"^\w+$", "caf\u{e9}", false),
            (r"^[\w.]+$", "a.b", true),
            (r"^\D$", "\u{0663}", true),
            (r"^[^\s]+$", "a\u{a0}b", true),
            (r"\bfoo\b", "a foo b", true),
            (r"^[[:alpha:]]+$", "abc", true),
            (r"^[[a]+$", "[a", true),
            (r"^[]a]+$", "]a", true),
            (r"^[a&&b]+$", "a&b", true),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            (r"(?i)^ADMIN$", "admin", true),
            (r"^a$", "a\n", false),
            (r"\.", "a.b", true),
            (r"^\<a\>$", "<a>", true),
            (r"\<a\>", "a", false),
            (r"^\_\-\ \@[\<\-\^\]]$", "_- @]", true),
            (r"a\Bb", "ab", true),
            (r"^a\B\x{e9}$", "a\u{e9}", false),
            (r"^\B\x{e9}$", "\u{e9}", true),
            (r"^[\s-a]$", "-", true),
            (r"^[\s-a]$", "A", false),
            (r"^(?P<name>a)(?<b>b)(?i:C)(?s-m).$", "abc\n", true),
        ];
        for (pattern, text, matches) in cases {
            let compiled = compile(pattern).unwrap();
            assert_eq!(compiled.is_match(text), matches, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for pattern in [
            r"\b{start}a",
            r"\b{end-half}",
            "(?x) a b",
            "(?i-x:a b)",
            "(?u)a",
            "(?R)a$",
            "(?P<a.b>c)",
            "(?P<a[0]>c)",
            r"\u0061",
            r"\U00000061",
            r"\p{sc=Greek}",
            r"[\p{gc!=L}]",
            r"[!-\d]",
            r"(?=a)",
            r"(a)\1",
            r"\y",
            r"\",
        ] {
            let problem = compile(pattern).unwrap_err();
            assert!(problem.starts_with("error parsing regexp: "), "{problem}");
        }
    }

    #[test]
    fn a_pattern_that_grows_is_refused() {
        for pattern in ["(a{1000}){1000}", "(", &"a".repeat(5000)] {
            compile(pattern).unwrap_err();
        }
    }

    #[test]
    fn patterns_from_claims_are_kept_but_not_all_of_them() {
        let patterns = Patterns::default();
        for number in 0..100 {
            let mut budget = Budget::new();
            patterns
                .compiled(&format!("^{number}$"), 3, &mut budget)
                .unwrap();
            assert!(patterns.from_claims.lock().unwrap().len() <= KEPT);
        }
    }
}
