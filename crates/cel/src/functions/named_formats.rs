//! Formats of texts that Kubernetes has a name for: its format library.

use burgee_wire::names;

use super::Outcome;
use super::urls::ParsedUrl;
use crate::value::CelValue::{self, String as Text};

/// A format, by its place in [`FORMATS`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NamedFormat(&'static str);

/// What is wrong with a text; nothing if it has the format.
type Validate = fn(&str) -> Vec<String>;

/// Every format by its name.
const FORMATS: [(&str, Validate); 13] = [
    ("byte", |text| unless(is_base64(text), "invalid base64")),
    ("date", |text| unless(is_date(text), "invalid date")),
    ("datetime", |text| {
        unless(is_date_time(text), "invalid datetime")
    }),
    ("dns1035Label", dns1035_label),
    ("dns1035LabelPrefix", |text| {
        dns1035_label(&without_dash(text))
    }),
    ("dns1123Label", names::dns1123_label),
    ("dns1123LabelPrefix", |text| {
        names::dns1123_label(&without_dash(text))
    }),
    ("dns1123Subdomain", names::dns1123_subdomain),
    ("dns1123SubdomainPrefix", |text| {
        names::dns1123_subdomain(&without_dash(text))
    }),
    ("labelValue", names::label_value),
    ("qualifiedName", names::qualified_name),
    ("uri", |text| {
        ParsedUrl::parse(text).err().into_iter().collect()
    }),
    ("uuid", |text| {
        unless(is_uuid(text), "does not match the UUID format")
    }),
];

pub(super) fn call(name: &str, arguments: &[CelValue]) -> Option<Outcome> {
    let find = |name: &str| {
        let found = FORMATS.iter().find(|(own, _)| *own == name);
        found.map(|(own, _)| CelValue::Format(NamedFormat(own)))
    };
    match (name, arguments) {
        ("format.named", [Text(name)]) => {
            Some(Ok(find(name).map_or(CelValue::NONE, CelValue::some)))
        }
        ("validate", [CelValue::Format(format), Text(text)]) => {
            let problems = format.problems(text);
            Some(Ok(if problems.is_empty() {
                CelValue::NONE
            } else {
                CelValue::some(CelValue::strings(problems))
            }))
        }
        (name, []) => name.strip_prefix("format.").and_then(find).map(Ok),
        _ => None,
    }
}

impl NamedFormat {
    fn problems(self, text: &str) -> Vec<String> {
        let validate = FORMATS.iter().find(|(name, _)| *name == self.0);
        validate.map_or_else(Vec::new, |(_, validate)| validate(text))
    }
}

fn unless(good: bool, problem: &str) -> Vec<String> {
    if good {
        Vec::new()
    } else {
        vec![problem.to_owned()]
    }
}

/// A prefix may end in a dash, since something follows.
fn without_dash(text: &str) -> String {
    match text.strip_suffix('-') {
        Some(front) if !front.is_empty() => format!("{front}a"),
        _ => text.to_owned(),
    }
}

fn dns1035_label(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push("must be no more than 63 bytes".to_owned());
    }
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(is_inner);
    if !good {
        problems.push(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                .to_owned(),
        );
    }
    problems
}

fn is_uuid(text: &str) -> bool {
    let digits: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = digits.iter().map(|part| part.len()).collect();
    let all_hex = digits
        .iter()
        .all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    all_hex && (lengths == [8, 4, 4, 4, 12] || lengths == [32])
}

/// Standard base64 with its padding; nothing is none.
fn is_base64(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    let padding = text.len() - data.len();
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    !text.is_empty() && text.len().is_multiple_of(4) && padding <= 2 && data.bytes().all(is_digit)
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_date_time(text: &str) -> bool {
    let separator = text.get(10..11).unwrap_or_default();
    separator.eq_ignore_ascii_case("t") && text.parse::<jiff::Timestamp>().is_ok()
}
