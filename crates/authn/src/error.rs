//! What can be wrong with an authenticator's configuration.

use crate::{CsvError, FrontProxyProblem};

/// Why an authenticator could not be set up or reloaded. The texts are kube-apiserver's where it has
/// one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The CA bundle has no bytes at all.
    #[error("missing content for CA bundle \"{name}\"")]
    CaBundleEmpty {
        /// Purpose and path of the bundle, such as `client-ca-bundle::/etc/ca.crt`.
        name: String,
    },
    /// The CA bundle holds no usable certificate.
    #[error("error loading CA bundle for \"{name}\": {problem}")]
    CaBundleInvalid {
        /// Purpose and path of the bundle.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The options of the front proxy contradict each other or say nothing.
    #[error("{}", listed(problems))]
    FrontProxyOptions {
        /// Everything that is wrong; at least one thing.
        problems: Vec<FrontProxyProblem>,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness,
    /// A file of revocation lists holds none, or one that cannot be used.
    #[error("error loading revocation lists from \"{name}\": {problem}")]
    RevocationListsInvalid {
        /// The file.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A record of the token file has too few columns.
    #[error(
        "token file '{path}' must have at least 3 columns (token, user name, user uid), found {found}"
    )]
    TokenFileColumns {
        /// The file.
        path: String,
        /// How many columns the record has.
        found: usize,
    },
    /// The token file is no CSV.
    #[error("{0}")]
    TokenFileSyntax(CsvError),
}

/// One text as it is, several in brackets.
fn listed(problems: &[FrontProxyProblem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    match texts.as_slice() {
        [only] => only.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}
