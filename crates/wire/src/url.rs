//! What Go's `net/url` takes for a URL, what it sees in it, and how it says why not.
//!
//! Upstream judges flags and configuration files by it: far more is a URL there than a browser would
//! follow.

use crate::quoted;

/// The parts of a URL that rules look at, as Go's `url.Parse` tells them apart.
///
/// ```
/// use burgee_wire::url::Url;
///
/// let url = Url::parse("HTTPS://user@host:443/path?query#fragment").unwrap();
/// assert_eq!(url.scheme, "https");
/// assert_eq!((url.host, url.host_name()), ("host:443", "host"));
/// assert_eq!((url.user, url.query, url.fragment), (Some("user"), "query", "fragment"));
///
/// let error = Url::parse("https://host:port").unwrap_err();
/// assert_eq!(error, r#"parse "https://host:port": invalid port ":port" after host"#);
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Url<'a> {
    /// In lower case; empty if there is none.
    pub scheme: String,
    /// What stands in front of the `@` of the authority.
    pub user: Option<&'a str>,
    /// Host with port, as written.
    pub host: &'a str,
    /// What follows the first `?`, as written.
    pub query: &'a str,
    /// What follows the first `#`, as written.
    pub fragment: &'a str,
}

impl<'a> Url<'a> {
    /// Takes a text apart.
    ///
    /// # Errors
    /// The text that Go has for it, such as `parse "a:b/c": first path segment in URL cannot contain
    /// colon`.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let (front, fragment) = text.split_once('#').unwrap_or((text, ""));
        let failed = |shown: &str, problem: String| format!("parse {}: {problem}", quoted(shown));
        let mut url = Self::parse_front(front).map_err(|problem| failed(front, problem))?;
        check_escapes(fragment).map_err(|problem| failed(text, problem))?;
        url.fragment = fragment;
        Ok(url)
    }

    /// The host without its port and brackets.
    #[must_use]
    pub fn host_name(&self) -> &'a str {
        if let Some((address, _)) = self.host.strip_prefix('[').and_then(|h| h.rsplit_once(']')) {
            return address;
        }
        self.host
            .rsplit_once(':')
            .map_or(self.host, |(host, _)| host)
    }

    /// Everything in front of the fragment.
    fn parse_front(text: &'a str) -> Result<Self, String> {
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        if text.starts_with(':') {
            return Err("missing protocol scheme".to_owned());
        }
        let (scheme, rest) = split_scheme(text).unwrap_or(("", text));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut url = Self {
            scheme: scheme.to_ascii_lowercase(),
            query,
            ..Self::default()
        };
        if !rest.starts_with('/') {
            if !scheme.is_empty() {
                // Such as `mailto:someone`: what follows the scheme is not looked into.
                return Ok(url);
            }
            let first = rest.split('/').next().unwrap_or_default();
            if first.contains(':') {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let mut path = rest;
        if (!scheme.is_empty() || !rest.starts_with("///"))
            && let Some(after) = rest.strip_prefix("//")
        {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, after) = after.split_at(end);
            path = after;
            (url.user, url.host) = match authority.rsplit_once('@') {
                Some((user, host)) => (Some(user), host),
                None => (None, authority),
            };
            url.user.map_or(Ok(()), check_user)?;
            check_host(url.host)?;
        }
        check_escapes(path)?;
        Ok(url)
    }
}

/// Whether a text is a URL.
///
/// # Errors
/// As [`Url::parse`].
pub fn check(text: &str) -> Result<(), String> {
    Url::parse(text).map(drop)
}

/// The scheme in lower case, or nothing.
#[must_use]
pub fn scheme(text: &str) -> String {
    split_scheme(text).map_or_else(String::new, |(scheme, _)| scheme.to_ascii_lowercase())
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme.then_some((scheme, rest))
}

fn check_user(user: &str) -> Result<(), String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    if !user.chars().all(is_allowed) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    check_escapes(user)
}

fn check_host(host: &str) -> Result<(), String> {
    let port = if host.starts_with('[') {
        let (_, port) = host
            .rsplit_once(']')
            .ok_or_else(|| "missing ']' in host".to_owned())?;
        port
    } else {
        host.rfind(':').and_then(|at| host.get(at..)).unwrap_or("")
    };
    let digits = port
        .strip_prefix(':')
        .unwrap_or(if port.is_empty() { "" } else { "x" });
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("invalid port {} after host", quoted(port)));
    }
    // Every character beyond ASCII is allowed, and these.
    let is_allowed = |c: char| {
        !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"%".contains(c)
    };
    match host.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Err(format!(
            "invalid character {} in host name",
            quoted(&c.to_string())
        )),
        None => check_escapes(host),
    }
}

/// Refuses a per cent sign that no two hexadecimal digits follow.
fn check_escapes(text: &str) -> Result<(), String> {
    let bad = text.match_indices('%').find_map(|(at, _)| {
        let after = text.get(at..).unwrap_or("%");
        let escape: String = after.chars().take(3).collect();
        let is_good =
            escape.len() == 3 && escape.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit());
        (!is_good).then_some(escape)
    });
    bad.map_or(Ok(()), |escape| {
        Err(format!("invalid URL escape {}", quoted(&escape)))
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

    #[test]
    fn the_fragment_is_shown_only_when_it_is_at_fault() {
        let host = Url::parse("http://[::1#fragment").unwrap_err();
        assert_eq!(host, r#"parse "http://[::1": missing ']' in host"#);
        let fragment = Url::parse("http://host#%").unwrap_err();
        assert_eq!(fragment, r#"parse "http://host#%": invalid URL escape "%""#);
    }

    #[test]
    fn hosts_are_told_from_ports() {
        for (text, host) in [
            ("https://", ""),
            ("https://:443/path", ""),
            ("https://host", "host"),
            ("https://host:443", "host"),
            ("https://[::1]", "::1"),
            ("https://[::1]:443", "::1"),
            ("urn:kubernetes", ""),
            ("/path", ""),
        ] {
            assert_eq!(Url::parse(text).unwrap().host_name(), host, "{text}");
        }
    }

    #[test]
    fn a_bare_question_mark_is_no_query() {
        assert_eq!(Url::parse("https://host?").unwrap().query, "");
        assert_eq!(Url::parse("https://host??").unwrap().query, "?");
        assert_eq!(Url::parse("https://host#").unwrap().fragment, "");
    }
}
