//! The flags of front-proxy authentication, and what is wrong with them.

use http::HeaderName;

use crate::Error;

/// The `--requestheader-…` flags. All lists are empty unless given; kube-apiserver has no default
/// header names either, so that a CA bundle alone authenticates nobody.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FrontProxyOptions {
    /// `--requestheader-username-headers`: the first with a value counts.
    pub username_headers: Vec<String>,
    /// `--requestheader-uid-headers`: the first with a value counts.
    pub uid_headers: Vec<String>,
    /// `--requestheader-group-headers`: all lines of all count.
    pub group_headers: Vec<String>,
    /// `--requestheader-extra-headers-prefix`: what follows is a percent-encoded key.
    pub extra_header_prefixes: Vec<String>,
    /// `--requestheader-allowed-names`: common names of proxies; empty allows whoever the CA bundle
    /// vouches for.
    pub allowed_names: Vec<String>,
    /// Whether there may be `uid_headers` (upstream's gate `RemoteRequestHeaderUID`).
    pub remote_uid: RemoteUid,
}

/// Whether proxies may say what uid someone has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RemoteUid {
    /// They may, by the headers that are configured for it.
    #[default]
    Allowed,
    /// They may not.
    Forbidden,
}

/// What is wrong with [`FrontProxyOptions`], in kube-apiserver's words where it has any.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FrontProxyProblem {
    /// A list has a blank entry.
    #[error("empty value in \"{flag}\"")]
    Blank {
        /// The flag, without its dashes.
        flag: &'static str,
    },
    /// An entry can be no header name, or the beginning of one. Upstream takes it and never finds it.
    #[error("invalid header name {value:?} in \"{flag}\"")]
    HeaderName {
        /// The flag, without its dashes.
        flag: &'static str,
        /// The entry.
        value: String,
    },
    /// Clients could pass for proxies, because one authority vouches for both.
    #[error(
        "--requestheader-client-ca-file and --client-ca-file contain overlapping certificates; --requestheader-allowed-names must be specified to ensure regular client certificates cannot set authenticating proxy headers for arbitrary users"
    )]
    OverlappingAuthorities,
    /// There are uid headers, but not the one that API servers send to each other.
    #[error(
        "--requestheader-uid-headers is set without specifying the standard X-Remote-Uid header - API aggregation will not work"
    )]
    UidHeaderNotStandard,
    /// There are uid headers although there may be none.
    #[error(
        "--requestheader-uid-headers requires the \"RemoteRequestHeaderUID\" feature to be enabled"
    )]
    UidHeadersForbidden,
}

/// [`FrontProxyOptions`] that are in order.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) username_headers: Vec<HeaderName>,
    pub(super) uid_headers: Vec<HeaderName>,
    pub(super) group_headers: Vec<HeaderName>,
    /// In lower case.
    pub(super) extra_header_prefixes: Vec<String>,
    pub(super) allowed_names: Vec<String>,
}

const USERNAME: &str = "requestheader-username-headers";
const UID: &str = "requestheader-uid-headers";
const GROUP: &str = "requestheader-group-headers";
const EXTRA: &str = "requestheader-extra-headers-prefix";
const ALLOWED: &str = "requestheader-allowed-names";

impl FrontProxyOptions {
    /// What an administrator should know although nothing is wrong: headers are configured, but not
    /// those that API servers send to each other.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        [
            (USERNAME, &self.username_headers, "X-Remote-User", "header"),
            (GROUP, &self.group_headers, "X-Remote-Group", "header"),
            (
                EXTRA,
                &self.extra_header_prefixes,
                "X-Remote-Extra-",
                "header prefix",
            ),
        ]
        .into_iter()
        .filter(|(_, values, standard, _)| !values.is_empty() && !contains(values, standard))
        .map(|(flag, _, standard, kind)| {
            format!(
                "--{flag} is set without specifying the standard {standard} {kind} - API \
                 aggregation will not work"
            )
        })
        .collect()
    }

    /// Finds all problems at once.
    pub(super) fn check(&self) -> Result<Checked, Error> {
        let mut problems = Vec::new();
        let mut names = |flag, values: &[String]| -> Vec<HeaderName> {
            let names = values.iter().map(|value| header_name(flag, value));
            names
                .filter_map(|name| name.map_err(|problem| problems.push(problem)).ok())
                .collect()
        };
        let username_headers = names(USERNAME, &self.username_headers);
        let uid_headers = names(UID, &self.uid_headers);
        let group_headers = names(GROUP, &self.group_headers);
        let extra = names(EXTRA, &self.extra_header_prefixes);
        if self.allowed_names.iter().any(|name| is_blank(name)) {
            problems.push(FrontProxyProblem::Blank { flag: ALLOWED });
        }
        if !self.uid_headers.is_empty() {
            if !contains(&self.uid_headers, "X-Remote-Uid") {
                problems.push(FrontProxyProblem::UidHeaderNotStandard);
            }
            if self.remote_uid == RemoteUid::Forbidden {
                problems.push(FrontProxyProblem::UidHeadersForbidden);
            }
        }
        problems.dedup();
        if !problems.is_empty() {
            return Err(Error::FrontProxyOptions { problems });
        }
        Ok(Checked {
            username_headers,
            uid_headers,
            group_headers,
            extra_header_prefixes: extra.iter().map(|name| name.as_str().to_owned()).collect(),
            allowed_names: self.allowed_names.clone(),
        })
    }
}

/// A value as a header name; the beginning of a header name is one as well.
fn header_name(flag: &'static str, value: &str) -> Result<HeaderName, FrontProxyProblem> {
    if is_blank(value) {
        return Err(FrontProxyProblem::Blank { flag });
    }
    HeaderName::from_bytes(value.as_bytes()).map_err(|_| FrontProxyProblem::HeaderName {
        flag,
        value: value.to_owned(),
    })
}

fn is_blank(value: &str) -> bool {
    value.trim().is_empty()
}

fn contains(values: &[String], standard: &str) -> bool {
    values
        .iter()
        .any(|value| value.eq_ignore_ascii_case(standard))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn standard() -> FrontProxyOptions {
        FrontProxyOptions {
            username_headers: list(&["X-Remote-User"]),
            uid_headers: list(&["x-remote-UID"]),
            group_headers: list(&["X-Remote-Group"]),
            extra_header_prefixes: list(&["X-Remote-Extra-"]),
            ..FrontProxyOptions::default()
        }
    }

    #[test]
    fn the_standard_headers_and_none_at_all_are_in_order() {
        for options in [standard(), FrontProxyOptions::default()] {
            assert!(options.check().is_ok());
            assert_eq!(options.warnings(), Vec::<String>::new());
        }
    }

    #[test]
    fn every_problem_has_upstreams_words() {
        let blank = |flag: &str| format!("empty value in \"{flag}\"");
        type Change = fn(&mut FrontProxyOptions);
        let table: [(Change, String); 10] = [
            (|o| o.username_headers.push(" ".into()), blank(USERNAME)),
            (|o| o.group_headers.push(String::new()), blank(GROUP)),
            (|o| o.extra_header_prefixes.push("\t".into()), blank(EXTRA)),
            (|o| o.allowed_names.push("\u{a0}".into()), blank(ALLOWED)),
            (|o| o.uid_headers.push(String::new()), blank(UID)),
            (
                |o| o.group_headers.push("a b".into()),
                "invalid header name \"a b\" in \"requestheader-group-headers\"".into(),
            ),
            (
                |o| o.uid_headers = vec!["X-Uid".into()],
                "--requestheader-uid-headers is set without specifying the standard X-Remote-Uid header - API aggregation will not work".into(),
            ),
            (
                |o| o.remote_uid = RemoteUid::Forbidden,
                "--requestheader-uid-headers requires the \"RemoteRequestHeaderUID\" feature to be enabled".into(),
            ),
            (
                |o| o.allowed_names = list(&["", "a", " "]),
                blank(ALLOWED),
            ),
            (
                |o| {
                    o.username_headers = list(&["", "X-User"]);
                    o.group_headers = list(&[""]);
                },
                format!("[{}, {}]", blank(USERNAME), blank(GROUP)),
            ),
        ];
        for (change, text) in table {
            let mut options = standard();
            change(&mut options);
            let error = options.check().unwrap_err();
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn headers_that_no_api_server_sends_are_warned_about() {
        let own = FrontProxyOptions {
            username_headers: list(&["X-User"]),
            group_headers: list(&["X-Group"]),
            extra_header_prefixes: list(&["X-Extra-"]),
            ..FrontProxyOptions::default()
        };
        assert!(own.check().is_ok());
        assert_eq!(
            own.warnings(),
            [
                "--requestheader-username-headers is set without specifying the standard X-Remote-User header - API aggregation will not work",
                "--requestheader-group-headers is set without specifying the standard X-Remote-Group header - API aggregation will not work",
                "--requestheader-extra-headers-prefix is set without specifying the standard X-Remote-Extra- header prefix - API aggregation will not work",
            ]
        );
    }
}
