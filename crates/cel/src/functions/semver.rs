//! Semantic versions: Kubernetes' semver library.

use std::cmp::Ordering;

use super::Outcome;
use crate::error::EvaluationError;
use crate::value::CelValue::{self, Bool, Int, String as Text};

/// A semantic version 2.0.0. What follows `+` does not count.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Semver {
    numbers: [u64; 3],
    pre_release: Vec<Identifier>,
}

/// One part of what follows `-`: numbers come before words.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Identifier {
    Number(u64),
    Word(String),
}

pub(super) fn call(name: &str, arguments: &[CelValue]) -> Option<Outcome> {
    let number = |at: usize, version: &Semver| {
        let number = version.numbers.get(at).copied().unwrap_or_default();
        i64::try_from(number)
            .map(Int)
            .map_err(|_| EvaluationError::Overflow("integer"))
    };
    let parsed = |text: &str, normalize: bool| {
        let text = if normalize {
            normalized(text)?
        } else {
            text.to_owned()
        };
        Semver::parse(&text)
    };
    let outcome = match (name, arguments) {
        ("semver", [Text(text)]) => parsed(text, false).map(|it| CelValue::Semver(it.into())),
        ("semver", [Text(text), Bool(normalize)]) => {
            parsed(text, *normalize).map(|it| CelValue::Semver(it.into()))
        }
        ("isSemver", [Text(text)]) => Ok(Bool(parsed(text, false).is_ok())),
        ("isSemver", [Text(text), Bool(normalize)]) => Ok(Bool(parsed(text, *normalize).is_ok())),
        ("major", [CelValue::Semver(version)]) => number(0, version),
        ("minor", [CelValue::Semver(version)]) => number(1, version),
        ("patch", [CelValue::Semver(version)]) => number(2, version),
        ("compareTo", [CelValue::Semver(a), CelValue::Semver(b)]) => {
            Ok(CelValue::ordering(a.compare(b)))
        }
        ("isLessThan", [CelValue::Semver(a), CelValue::Semver(b)]) => {
            Ok(Bool(a.compare(b) == Ordering::Less))
        }
        ("isGreaterThan", [CelValue::Semver(a), CelValue::Semver(b)]) => {
            Ok(Bool(a.compare(b) == Ordering::Greater))
        }
        _ => return None,
    };
    Some(outcome)
}

impl Semver {
    fn parse(text: &str) -> Result<Self, EvaluationError> {
        Self::read(text)
            .ok_or_else(|| EvaluationError::Function(format!("invalid semantic version {text:?}")))
    }

    fn read(text: &str) -> Option<Self> {
        let (text, build) = text
            .split_once('+')
            .map_or((text, None), |(a, b)| (a, Some(b)));
        if build.is_some_and(|build| !build.split('.').all(is_identifier)) {
            return None;
        }
        let (text, pre_release) = text
            .split_once('-')
            .map_or((text, None), |(a, b)| (a, Some(b)));
        let mut parts = text.split('.');
        let numbers = [
            number(parts.next()?)?,
            number(parts.next()?)?,
            number(parts.next()?)?,
        ];
        if parts.next().is_some() {
            return None;
        }
        let pre_release = match pre_release {
            Some(parts) => parts
                .split('.')
                .map(Identifier::read)
                .collect::<Option<_>>()?,
            None => Vec::new(),
        };
        Some(Self {
            numbers,
            pre_release,
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let pre_releases = || match (self.pre_release.is_empty(), other.pre_release.is_empty()) {
            // A version comes after its pre-releases.
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => self.pre_release.cmp(&other.pre_release),
        };
        self.numbers.cmp(&other.numbers).then_with(pre_releases)
    }
}

impl Identifier {
    fn read(text: &str) -> Option<Self> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return number(text).map(Self::Number);
        }
        is_identifier(text).then(|| Self::Word(text.to_owned()))
    }
}

fn is_identifier(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// Digits without leading zeros.
fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let leads_with_zero = text.len() > 1 && text.starts_with('0');
    text.parse().ok().filter(|_| is_number && !leads_with_zero)
}

/// Drops a leading `v` and zeros, and adds missing numbers.
fn normalized(text: &str) -> Result<String, EvaluationError> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<String> = text
        .splitn(3, '.')
        .map(|part| {
            let stripped = part.trim_start_matches('0');
            match part.len() {
                0 | 1 => part.to_owned(),
                _ if stripped.starts_with(|c: char| c.is_ascii_digit()) => stripped.to_owned(),
                _ => format!("0{stripped}"),
            }
        })
        .collect();
    let last = parts.last().map_or("", String::as_str);
    if parts.len() < 3 && last.contains(['+', '-']) {
        return Err(EvaluationError::function(
            "short version cannot contain PreRelease/Build meta data",
        ));
    }
    parts.resize(3, "0".to_owned());
    Ok(parts.join("."))
}
