//! What can be wrong with a webhook before it is asked for the first time.

/// Why there is no authenticator. Texts that kube-apiserver has are kube-apiserver's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The retry policy allows not even one attempt.
    #[error("number of webhook retry attempts must be greater than 0, but is: 0")]
    NoAttempts,
    /// The configuration file leads to no service.
    #[error(transparent)]
    Kubeconfig(#[from] burgee_kubeconfig::Error),
    /// There is no such version of `TokenReview`.
    #[error(
        "unsupported authentication webhook version {}, supported versions are \"v1\", \"v1beta1\"",
        burgee_wire::quoted(.0)
    )]
    VersionUnsupported(String),
}
