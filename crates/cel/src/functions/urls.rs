//! URLs as Go reads them: Kubernetes' url library.

use std::collections::BTreeMap;

use burgee_wire::url::Url;

use super::Outcome;
use crate::error::EvaluationError;
use crate::value::CelValue::{self, Bool, String as Text};
use crate::value::Key;

/// The parts of a URL that expressions can ask for.
#[derive(Debug)]
pub(crate) struct ParsedUrl {
    text: String,
    scheme: String,
    host: String,
    host_name: String,
    path: String,
    query: String,
}

pub(super) fn call(name: &str, arguments: &[CelValue]) -> Option<Outcome> {
    let outcome = match (name, arguments) {
        ("url", [Text(text)]) => ParsedUrl::parse(text)
            .map(|url| CelValue::Url(url.into()))
            .map_err(|problem| {
                EvaluationError::Function(format!(
                    "URL parse error during conversion from string: {problem}"
                ))
            }),
        ("isURL", [Text(text)]) => Ok(Bool(ParsedUrl::parse(text).is_ok())),
        ("getScheme", [CelValue::Url(url)]) => Ok(CelValue::string(url.scheme.as_str())),
        ("getHost", [CelValue::Url(url)]) => Ok(CelValue::string(url.host.as_str())),
        ("getHostname", [CelValue::Url(url)]) => Ok(CelValue::string(url.host_name.as_str())),
        ("getPort", [CelValue::Url(url)]) => Ok(CelValue::string(url.port())),
        ("getEscapedPath", [CelValue::Url(url)]) => Ok(CelValue::string(url.escaped_path())),
        ("getQuery", [CelValue::Url(url)]) => Ok(url.query_values()),
        _ => return None,
    };
    Some(outcome)
}

impl ParsedUrl {
    /// An absolute URI or an absolute path.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text)?;
        let refused =
            |problem: &str| Err(format!("parse {}: {problem}", burgee_wire::quoted(text)));
        if text.is_empty() {
            return refused("empty url");
        }
        if url.scheme.is_empty() && !text.starts_with('/') {
            return refused("invalid URI for request");
        }
        let rest = match url.scheme.len() {
            0 => text,
            length => text.get(length + 1..).unwrap_or_default(),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let path = match rest.strip_prefix("//") {
            Some(after) if !url.scheme.is_empty() || !rest.starts_with("///") => {
                after.find('/').and_then(|at| after.get(at..)).unwrap_or("")
            }
            // What follows the scheme of `mailto:x` is no path.
            _ if !rest.starts_with('/') => "",
            _ => rest,
        };
        Ok(Self {
            text: text.to_owned(),
            host: url.host.to_owned(),
            host_name: url.host_name().to_owned(),
            path: path.to_owned(),
            query: url.query.to_owned(),
            scheme: url.scheme,
        })
    }

    fn port(&self) -> &str {
        let after = self
            .host
            .rsplit_once(']')
            .map_or(self.host.as_str(), |(_, after)| after);
        after.rsplit_once(':').map_or("", |(_, port)| port)
    }

    fn escaped_path(&self) -> String {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || b"$&+,/:;=@-_.~!'()*%[]".contains(&byte);
        let mut escaped = String::with_capacity(self.path.len());
        for byte in self.path.bytes() {
            if is_plain(byte) {
                escaped.push(byte.into());
            } else {
                escaped.push_str(&format!("%{byte:02X}"));
            }
        }
        escaped
    }

    /// Every key with its values, unescaped. Pairs that do not unescape, or with a semicolon, are
    /// left out.
    fn query_values(&self) -> CelValue {
        let mut values: BTreeMap<Key, Vec<CelValue>> = BTreeMap::new();
        for pair in self.query.split('&') {
            if pair.is_empty() || pair.contains(';') {
                continue;
            }
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if let (Some(key), Some(value)) = (unescape(key), unescape(value)) {
                let key = Key::String(key.into());
                values.entry(key).or_default().push(CelValue::string(value));
            }
        }
        let entries = values
            .into_iter()
            .map(|(key, values)| (key, CelValue::list(values)));
        CelValue::map(entries.collect())
    }
}

impl PartialEq for ParsedUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// A key or value of a query; nothing if an escape is broken or it is no UTF-8.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                u8::from_str_radix(digits, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}
