//! How claims are spelled that are no identifiers.

use std::borrow::Cow;

/// The words of the language, which no identifier can be.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// The name that `escaped` stands for: `__dot__` is `.`, `__dash__` is `-`, `__slash__` is `/`,
/// `__underscores__` is `__`, and a reserved word between double underscores is itself if it is the
/// whole name. Nothing if another `__x__` is in it.
///
/// Kubernetes: `k8s.io/apiserver/pkg/cel` `Unescape`.
pub(crate) fn unescape(escaped: &str) -> Option<Cow<'_, str>> {
    if !escaped.contains("__") {
        return Some(escaped.into());
    }
    let mut name = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(start) = rest.find("__") {
        let (before, sequence) = rest.split_at(start);
        let Some(word) = word_of(sequence) else {
            // No sequence starts here; one may start at the next underscore.
            let (kept, after) = rest.split_at(start + 1);
            name.push_str(kept);
            rest = after;
            continue;
        };
        name.push_str(before);
        name.push_str(match word {
            "dash" => "-",
            "dot" => ".",
            "slash" => "/",
            "underscores" => "__",
            word if RESERVED.contains(&word) && escaped.len() == word.len() + 4 => word,
            _ => return None,
        });
        rest = rest.get(start + word.len() + 4..).unwrap_or_default();
    }
    name.push_str(rest);
    Some(name.into())
}

/// The `word` of a text that starts with `__word__`, where the word has no underscore.
fn word_of(sequence: &str) -> Option<&str> {
    let rest = sequence.strip_prefix("__")?;
    let (word, _) = rest.split_once("__")?;
    (!word.is_empty() && !word.contains('_')).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unescaped_as_kubernetes_does() {
        let cases = [
            ("plain", Some("plain")),
            ("a__dot__b__slash__c", Some("a.b/c")),
            ("__dash__a", Some("-a")),
            ("a__underscores__b", Some("a__b")),
            ("__namespace__", Some("namespace")),
            ("a__namespace__", None),
            ("a__other__b", None),
            ("__", Some("__")),
            ("a___b", Some("a___b")),
            ("___dot__", Some("_.")),
            ("a__b", Some("a__b")),
            ("__dot____dash__", Some(".-")),
            ("", Some("")),
        ];
        for (escaped, name) in cases {
            assert_eq!(unescape(escaped).as_deref(), name, "{escaped}");
        }
    }
}
