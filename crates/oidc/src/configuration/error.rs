//! Why a configuration cannot be used.

use std::collections::BTreeSet;
use std::io;

use burgee_wire::field::FieldError;
use burgee_wire::quoted;

/// Why an `AuthenticationConfiguration` or the `--oidc-*` flags cannot be used. The texts are
/// kube-apiserver's.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// `--anonymous-auth` was given, and the file has `anonymous`: only one of them may decide.
    #[error(
        "anonymous: Forbidden: --anonymous-auth flag cannot be set when anonymous field is configured in authentication configuration file"
    )]
    AnonymousTwice,

    /// The authorities of `--oidc-ca-file` cannot be read.
    #[error("open {file}: {problem}")]
    CertificateAuthority {
        /// The file.
        file: String,
        /// What the operating system answered, in Go's words.
        problem: String,
    },

    /// An issuer asks for an egress proxy, and there is none to be had.
    #[error("oidc: egress lookup required with egress selector type {}", quoted(.0))]
    EgressSelector(String),

    /// Both a file and some `--oidc-*` flag were given.
    #[error("authentication-config file and oidc-* flags are mutually exclusive")]
    FileAndFlags,

    /// Some `--oidc-*` flag was given, but not both issuer and client id.
    #[error(
        "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set"
    )]
    IncompleteFlags,

    /// The file is decoded, and breaks rules.
    #[error("invalid authentication configuration: {}", aggregate(.0))]
    Invalid(Vec<Problem>),

    /// The file is not there, or not an `AuthenticationConfiguration`.
    #[error("failed to load authentication configuration from file {}: {problem}", quoted(.file))]
    Load {
        /// The file.
        file: String,
        /// What is wrong, with its line where that is known.
        problem: String,
    },

    /// A value of `--oidc-required-claim` is not `claim=value`.
    #[error(
        "invalid argument {} for \"--oidc-required-claim\" flag: malformed pair, expect string=string",
        quoted(.0)
    )]
    RequiredClaim(String),

    /// A value of `--oidc-signing-algs` is not one of `RS256` … `PS512`.
    #[error("oidc: unsupported signing alg: {}", quoted(.0))]
    SigningAlgorithm(String),
}

impl ConfigurationError {
    /// The file could not be read.
    #[must_use]
    pub fn unreadable(file: &str, error: &io::Error) -> Self {
        Self::Load {
            file: file.to_owned(),
            problem: format!("open {file}: {}", go_text(error)),
        }
    }

    /// The broken rules, in upstream's order; nothing for other errors.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid(problems) => problems,
            _ => &[],
        }
    }
}

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// What is wrong with which field.
    pub error: FieldError,
    /// Where the field, or what it is missing from, stands in the file; counted from 1.
    pub line: Option<u64>,
}

/// What Go prints for the errors of the operating system that are everyday ones.
pub(super) fn go_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// One error as it is, several as `[e1, e2]`, and none twice.
fn aggregate(problems: &[Problem]) -> String {
    let mut seen = BTreeSet::new();
    let texts: Vec<_> = problems
        .iter()
        .map(|problem| problem.error.to_string())
        .filter(|text| seen.insert(text.clone()))
        .collect();
    match texts.as_slice() {
        [one] => one.clone(),
        _ => format!("[{}]", texts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use burgee_wire::field::Path;

    use super::*;

    fn required(path: &str) -> Problem {
        Problem {
            error: FieldError::required(&Path::new(path), ""),
            line: None,
        }
    }

    #[test]
    fn several_problems_stand_in_brackets_and_none_twice() {
        let text =
            |problems: &[Problem]| ConfigurationError::Invalid(problems.to_vec()).to_string();
        let head = "invalid authentication configuration: ";
        assert_eq!(text(&[required("a")]), format!("{head}a: Required value"));
        assert_eq!(
            text(&[required("b"), required("a"), required("b")]),
            format!("{head}[b: Required value, a: Required value]")
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_twice_as_upstream_does() {
        let text = |error: io::Error| ConfigurationError::unreadable("/a b", &error).to_string();
        let head = r#"failed to load authentication configuration from file "/a b": open /a b: "#;
        assert_eq!(
            text(io::Error::from_raw_os_error(2)),
            format!("{head}no such file or directory")
        );
        assert_eq!(
            text(io::Error::from_raw_os_error(13)),
            format!("{head}permission denied")
        );
    }
}
