//! The grammars of names, labels and keys (`k8s.io/apimachinery/pkg/util/validation`).
//!
//! Each function returns what is wrong, in upstream's words; nothing when all is well.

const DNS_LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS_SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

/// An RFC 1123 label, such as a namespace's name: at most 63 characters.
#[must_use]
pub fn dns1123_label(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 63);
    if !is_dns_label(text) {
        problems.push(format!(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{DNS_LABEL}')"
        ));
    }
    problems
}

/// An RFC 1123 subdomain, such as a Secret's name: at most 253 characters.
#[must_use]
pub fn dns1123_subdomain(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 253);
    if !text.split('.').all(is_dns_label) {
        problems.push(format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{DNS_SUBDOMAIN}')"
        ));
    }
    problems
}

/// A name that only has to fit into a URL path, such as a Role's.
#[must_use]
pub fn path_segment(text: &str) -> Vec<String> {
    if text == "." || text == ".." {
        return vec![format!("may not be '{text}'")];
    }
    let found = ["/", "%"]
        .into_iter()
        .filter(|illegal| text.contains(illegal));
    found
        .map(|illegal| format!("may not contain '{illegal}'"))
        .collect()
}

/// A label key, annotation key or finalizer: an optional DNS prefix, a slash, a name.
#[must_use]
pub fn qualified_name(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((_, rest)) if rest.contains('/') => {
            return vec![format!(
                "a qualified name {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
                qualified_rule()
            )];
        }
        Some(("", name)) => {
            problems.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            problems.extend(
                dns1123_subdomain(prefix)
                    .into_iter()
                    .map(|p| format!("prefix part {p}")),
            );
            name
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    }
    problems.extend(
        too_long(name, 63)
            .into_iter()
            .map(|p| format!("name part {p}")),
    );
    if !is_qualified(name) {
        problems.push(format!("name part {}", qualified_rule()));
    }
    problems
}

/// A label's value: at most 63 characters, may be empty.
#[must_use]
pub fn label_value(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 63);
    if !text.is_empty() && !is_qualified(text) {
        problems.push(format!(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '{LABEL_VALUE}')"
        ));
    }
    problems
}

/// A key of a ConfigMap's or Secret's data: at most 253 characters, no path tricks.
#[must_use]
pub fn config_map_key(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 253);
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if text.is_empty() || !text.chars().all(legal) {
        problems.push(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                .to_owned(),
        );
    }
    match text {
        "." => problems.push("must not be '.'".to_owned()),
        ".." => problems.push("must not be '..'".to_owned()),
        _ if text.starts_with("..") => problems.push("must not start with '..'".to_owned()),
        _ => {}
    }
    problems
}

fn qualified_rule() -> String {
    format!(
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{QUALIFIED}')"
    )
}

fn too_long(text: &str, limit: usize) -> Vec<String> {
    if text.len() > limit {
        return vec![format!("must be no more than {limit} characters")];
    }
    Vec::new()
}

fn is_dns_label(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(legal) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_qualified(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars().all(legal) && edge(text.chars().next()) && edge(text.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammars_accept_and_refuse_as_upstream() {
        type Grammar = fn(&str) -> Vec<String>;
        let long = "a".repeat(64);
        let table: [(Grammar, &[&str], &[&str]); 6] = [
            (
                dns1123_label,
                &["a", "a-b", "0"],
                &["", "A", "-a", "a-", "a.b", "a_b", &long],
            ),
            (
                dns1123_subdomain,
                &["a", "a.b-c.0"],
                &["", ".", "a..b", "A", "a.-b", "a_b"],
            ),
            (
                path_segment,
                &["a", "system:node", "A B", ""],
                &[".", "..", "a/b", "a%b"],
            ),
            (
                qualified_name,
                &["a", "A_b.c", "x.y/Z"],
                &["", "/a", "a/", "a/b/c", "-a", "X.y/z", "a b"],
            ),
            (
                label_value,
                &["", "a", "A_b.c-d"],
                &["-a", "a-", "a b", &long],
            ),
            (
                config_map_key,
                &["a", "A_b.c-d", ".a"],
                &["", ".", "..", "..a", "a/b", "a b"],
            ),
        ];
        for (grammar, good, bad) in table {
            good.iter()
                .for_each(|text| assert_eq!(grammar(text), [""; 0], "{text}"));
            bad.iter()
                .for_each(|text| assert_ne!(grammar(text), [""; 0], "{text}"));
        }
    }
}
