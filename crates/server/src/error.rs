//! Why a server could not start, or go on.

use burgee_wire::Status;

/// Why a server could not start, or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An authenticator cannot be set up.
    #[error(transparent)]
    Authentication(#[from] burgee_authn::Error),
    /// A task that lives as long as the server ended by itself. Start the server again.
    #[error("the server broke: {0} ended by itself")]
    Ended(&'static str),
    /// An issuer of JWTs cannot be set up.
    #[error(transparent)]
    Issuer(#[from] burgee_oidc::StartError),
    /// A socket cannot be used.
    #[error("cannot take over a listening socket")]
    Listener(#[source] std::io::Error),
    /// There is no service-account issuer.
    #[error("service-account-issuer is a required flag")]
    NoIssuer,
    /// What should be exchanged is not there.
    #[error("the server was started without {0}")]
    NotConfigured(&'static str),
    /// The key that signs tokens is not among those that verify them: every token would be refused.
    #[error(
        "the service-account signing key is not among the verification keys, so every token it signs would be refused; add its public half to --service-account-key-file"
    )]
    SigningKeyUnverified,
    /// A first write failed.
    #[error("cannot set up the system's own objects: {0}")]
    Startup(#[source] Box<Status>),
    /// The store cannot be read.
    #[error("cannot read the store")]
    Store(#[from] burgee_store::Error),
    /// The file of static tokens cannot be used.
    #[error("cannot use token-auth-file {path}")]
    TokenFile {
        /// Its name.
        path: String,
        /// What is wrong with it.
        source: burgee_authn::Error,
    },
    /// The webhook cannot be set up.
    #[error(transparent)]
    Webhook(#[from] burgee_token_webhook::Error),
    /// The certificate or key cannot be used.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
}
