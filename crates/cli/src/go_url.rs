//! What Go's `net/url` accepts as a URL, and how it says why not.

use burgee_wire::quoted;

/// Checks a text by the rules of Go's `url.Parse`, which kube-apiserver's flags are judged by: far
/// more is a URL than a browser would follow.
///
/// # Errors
/// The text that Go has for it, such as `parse "a:b/c": first path segment in URL cannot contain
/// colon`.
pub(crate) fn check(text: &str) -> Result<(), String> {
    problem(text).map_or(Ok(()), |problem| {
        Err(format!("parse {}: {problem}", quoted(text)))
    })
}

/// The scheme in lower case, or nothing.
pub(crate) fn scheme(text: &str) -> String {
    split_scheme(text).map_or_else(String::new, |(scheme, _)| scheme.to_ascii_lowercase())
}

fn problem(text: &str) -> Option<String> {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Some("net/url: invalid control character in URL".to_owned());
    }
    if text.starts_with(':') {
        return Some("missing protocol scheme".to_owned());
    }
    let (scheme, rest) = split_scheme(text).unwrap_or(("", text));
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    let mut path = rest;
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            // Such as `mailto:someone`: what follows the scheme is not looked into.
            return bad_escape(fragment);
        }
        if rest
            .split('/')
            .next()
            .is_some_and(|first| first.contains(':'))
        {
            return Some("first path segment in URL cannot contain colon".to_owned());
        }
    }
    if (!scheme.is_empty() || !rest.starts_with("///"))
        && let Some(after) = rest.strip_prefix("//")
    {
        let end = after.find('/').unwrap_or(after.len());
        let (authority, after) = after.split_at(end);
        path = after;
        if let Some(problem) = bad_authority(authority) {
            return Some(problem);
        }
    }
    bad_escape(path).or_else(|| bad_escape(fragment))
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme.then_some((scheme, rest))
}

fn bad_authority(authority: &str) -> Option<String> {
    let host = match authority.rsplit_once('@') {
        Some((user, host)) => {
            let is_allowed =
                |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
            if !user.chars().all(is_allowed) {
                return Some("net/url: invalid userinfo".to_owned());
            }
            if let Some(problem) = bad_escape(user) {
                return Some(problem);
            }
            host
        }
        None => authority,
    };
    let port = if host.starts_with('[') {
        match host.rsplit_once(']') {
            Some((_, port)) => port,
            None => return Some("missing ']' in host".to_owned()),
        }
    } else {
        host.rfind(':').and_then(|at| host.get(at..)).unwrap_or("")
    };
    let digits = port
        .strip_prefix(':')
        .unwrap_or(if port.is_empty() { "" } else { "x" });
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("invalid port {} after host", quoted(port)));
    }
    // Every character beyond ASCII is allowed, and these.
    let is_allowed = |c: char| {
        !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"%".contains(c)
    };
    match host.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Some(format!(
            "invalid character {} in host name",
            quoted(&c.to_string())
        )),
        None => bad_escape(host),
    }
}

/// A per cent sign that no two hexadecimal digits follow.
fn bad_escape(text: &str) -> Option<String> {
    text.match_indices('%').find_map(|(at, _)| {
        let after = text.get(at..).unwrap_or("%");
        let escape: String = after.chars().take(3).collect();
        let is_good =
            escape.len() == 3 && escape.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit());
        (!is_good).then(|| format!("invalid URL escape {}", quoted(&escape)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_takes_for_a_url_is_one() {
        let texts = [
            "https://kubernetes.default.svc",
            "https://[::1]:6443/path?query#fragment",
            "https://user:pass@host:443",
            "https://host:",
            "urn:kubernetes:cluster-1",
            "kubernetes/serviceaccount",
            "path/with:colon",
            "mailto:a b",
            "http://例え.jp/%41",
            "",
        ];
        for text in texts {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        let cases = [
            (
                "http://[::1]:namedport",
                r#"invalid port ":namedport" after host"#,
            ),
            ("http://host:12a", r#"invalid port ":12a" after host"#),
            ("http://[::1]x", r#"invalid port "x" after host"#),
            ("http://[::1", "missing ']' in host"),
            (":issuer", "missing protocol scheme"),
            (
                "1issuer:x",
                "first path segment in URL cannot contain colon",
            ),
            ("http://a b:1", r#"invalid character " " in host name"#),
            ("http://us er@host:1", "net/url: invalid userinfo"),
            ("https://host/%zz", r#"invalid URL escape "%zz""#),
            ("https://host/%4", r#"invalid URL escape "%4""#),
            (
                "https:\n//host",
                "net/url: invalid control character in URL",
            ),
        ];
        for (text, problem) in cases {
            assert_eq!(
                check(text),
                Err(format!("parse {}: {problem}", quoted(text)))
            );
        }
    }

    #[test]
    fn the_scheme_is_in_lower_case() {
        assert_eq!(scheme("HTTPS://host"), "https");
        assert_eq!(scheme("no scheme"), "");
    }
}
