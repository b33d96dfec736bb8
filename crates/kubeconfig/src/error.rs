//! Everything that can be wrong with a kubeconfig.

use std::path::PathBuf;

/// Why there is no kubeconfig, or none that leads to a server.
///
/// Texts that client-go has for the same are client-go's (`k8s.io/client-go/tools/clientcmd`). None holds
/// a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The answer is not what was to be decoded from it.
    #[error("answer of the server cannot be decoded")]
    Answer(#[source] serde_json::Error),
    /// A request's body cannot be written as JSON.
    #[error("request cannot be encoded")]
    Body(#[source] serde_json::Error),
    /// The context that was asked for by name is in none of the files.
    #[error("context {} does not exist", quoted(.0))]
    ContextUnknown(String),
    /// The user's credential is there, but it cannot be sent.
    #[error("{0}")]
    Credential(String),
    /// There is no home directory to look for `.kube/config` in.
    #[error("neither KUBECONFIG nor a home directory says where the kubeconfig is")]
    HomeUnknown,
    /// No connection, no answer, or none in time and in bounds.
    #[error(transparent)]
    Https(#[from] burgee_https::Error),
    /// The context, its cluster or its user cannot be used, for these reasons.
    #[error("invalid configuration: {}", aggregate(.0))]
    Invalid(Vec<String>),
    /// A file is no kubeconfig.
    #[error("{} is not a kubeconfig: {problem}", .file.display())]
    Malformed {
        /// Which file.
        file: PathBuf,
        /// What is wrong, and where.
        problem: Problem,
    },
    /// This process runs in no pod, or in one without a service account.
    #[error("unable to load in-cluster configuration: {0}")]
    NotInCluster(&'static str),
    /// The plugin that gives credentials did not give any. The text is client-go's.
    #[error("{0}")]
    Plugin(String),
    /// The server answered that it will not or cannot.
    #[error("{}", .0.message)]
    Refused(Box<burgee_wire::Status>),
    /// A file cannot be read: a kubeconfig, or one that a kubeconfig names.
    #[error("cannot read {}", .file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// What is wrong with a kubeconfig's text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A name is given to two entries of a list.
    #[error("{list}: duplicate name {}", quoted(.name))]
    Duplicate {
        /// The list: `clusters`, `contexts` or `users`.
        list: &'static str,
        /// The name.
        name: String,
    },
    /// A field's text is not what it has to encode.
    #[error("{field}: {reason}")]
    Encoding {
        /// The field, such as `users[0].user.client-key-data`.
        field: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It is an object of another kind or version.
    #[error("no kind {} is registered for version {}", quoted(.kind), quoted(.api_version))]
    Kind {
        /// Its `kind`.
        kind: String,
        /// Its `apiVersion`.
        api_version: String,
    },
    /// It is neither YAML nor JSON.
    #[error("{0}")]
    Syntax(String),
    /// It is longer than any kubeconfig.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// A field has another type than it must have.
    #[error("{field}: expected {expected}, found {found}")]
    Type {
        /// The field, such as `clusters[0].cluster.server`.
        field: String,
        /// The type that it must have.
        expected: &'static str,
        /// The type that it has.
        found: &'static str,
    },
}

/// Text in quotes, as client-go's messages show it.
pub(crate) fn quoted(text: &str) -> String {
    burgee_wire::quoted(text)
}

/// Several messages in one, as apimachinery's `Aggregate` shows them.
fn aggregate(messages: &[String]) -> String {
    match messages {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}
