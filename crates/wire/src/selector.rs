//! Label and field selectors, as queries carry them.

use std::collections::BTreeMap;

mod label;

pub use label::{LabelSelector, Operator, Requirement};

/// Why a selector text cannot be used. The texts are upstream's where clients show them.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The label selector does not parse.
    #[error("unable to parse requirement: {0}")]
    Label(String),
    /// The field selector does not parse.
    #[error("invalid selector: '{0}'; can't understand '{1}'")]
    Field(String, String),
}

/// A field selector: comma-separated `name=value`, `name==value` or `name!=value`.
///
/// ```
/// use burgee_wire::selector::FieldSelector;
/// let selector = FieldSelector::parse("metadata.name=a,type!=Opaque").unwrap();
/// assert!(selector.matches(|field| match field { "metadata.name" => "a", _ => "tls" }));
/// assert_eq!(selector.required("metadata.name"), Some("a"));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
}

/// One condition of a [`FieldSelector`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldTerm {
    /// Dotted field name.
    pub field: String,
    /// Whether the value must be equal, or must differ.
    pub equal: bool,
    /// The value compared with.
    pub value: String,
}

impl FieldSelector {
    /// Reads the text of a `fieldSelector` parameter. Commas, equal signs and backslashes in values are
    /// escaped by a backslash.
    ///
    /// # Errors
    ///
    /// When a term has no operator or an escape is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut terms = Vec::new();
        for term in split_unescaped(text) {
            if term.is_empty() {
                continue;
            }
            let fail = || Error::Field(text.to_owned(), term.to_owned());
            let (field, equal, value) = split_term(term).ok_or_else(fail)?;
            let value = unescape(value).ok_or_else(fail)?;
            terms.push(FieldTerm {
                field: field.to_owned(),
                equal,
                value,
            });
        }
        Ok(Self { terms })
    }

    /// Its conditions.
    #[must_use]
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }

    /// Whether there is no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether an object matches, given its field values.
    pub fn matches<'a>(&self, value: impl Fn(&str) -> &'a str) -> bool {
        self.terms
            .iter()
            .all(|term| (value(&term.field) == term.value) == term.equal)
    }

    /// The value that `field` must have, if a condition says so.
    #[must_use]
    pub fn required(&self, field: &str) -> Option<&str> {
        let term = self
            .terms
            .iter()
            .find(|term| term.equal && term.field == field)?;
        Some(&term.value)
    }
}

fn split_unescaped(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.find(['=', '!'])?;
    let (field, rest) = term.split_at_checked(at)?;
    if let Some(value) = rest.strip_prefix("!=") {
        return Some((field, false, value));
    }
    let value = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?;
    Some((field, true, value))
}

fn unescape(value: &str) -> Option<String> {
    let mut out = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next()? {
                escaped @ ('\\' | ',' | '=') => out.push(escaped),
                _ => return None,
            },
            ',' | '=' => return None,
            plain => out.push(plain),
        }
    }
    Some(out)
}

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_selectors_parse_with_escapes() {
        let selector = FieldSelector::parse(r"a=b\,c,d!=e\=f,g==").unwrap();
        let terms: Vec<_> = selector
            .terms()
            .iter()
            .map(|t| (t.field.as_str(), t.equal, t.value.as_str()))
            .collect();
        assert_eq!(
            terms,
            [("a", true, "b,c"), ("d", false, "e=f"), ("g", true, "")]
        );
    }

    #[test]
    fn field_selectors_without_operator_or_with_wrong_escapes_are_refused() {
        for bad in ["a", "a=b=c", r"a=\x", "a!b"] {
            assert!(FieldSelector::parse(bad).is_err(), "{bad}");
        }
        assert!(FieldSelector::parse("").unwrap().is_empty());
    }
}
