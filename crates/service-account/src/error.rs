//! What can be wrong with a request for a token, or with the settings for issuing.

use burgee_wire::authentication::GROUP;
use burgee_wire::field::{FieldError, Path};
use burgee_wire::{Status, quoted};

use crate::{LookupError, ObjectKind, ObjectRef};

/// Why a token was not issued, or discovery documents were not made.
///
/// [`Error::status`] is what an API server answers, byte for byte as kube-apiserver.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bound object could not be found.
    #[error("bound object cannot be found")]
    BoundObjectLookup {
        /// Its kind.
        kind: ObjectKind,
        /// Its name.
        name: String,
        /// Why not.
        problem: LookupError,
    },
    /// An object of the bound object's name exists, but it is another one. The present uid is not
    /// told.
    #[error("bound object is another one")]
    BoundObjectReplaced {
        /// The kind as the request spells it.
        kind: String,
        /// Its name.
        name: String,
        /// The uid that the request expects.
        uid: String,
    },
    /// Tokens are not bound to objects of this kind.
    #[error("tokens are not bound to {api_version}, Kind={kind}")]
    BoundObjectUnsupported {
        /// Group and version, with the slash between, also when both are empty.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// The pod belongs to another service account.
    #[error("pod runs as another service account")]
    BoundPodForeign {
        /// The service account that a token was asked for.
        service_account: String,
    },
    /// The settings for discovery documents do not fit. The text says what is wrong.
    #[error("{0}")]
    Discovery(String),
    /// The request wants a lifetime above 2^32 seconds.
    #[error("expiration of {0} seconds is too long")]
    ExpirationTooLong(i64),
    /// The request wants a lifetime below ten minutes.
    #[error("expiration of {0} seconds is too short")]
    ExpirationTooShort(i64),
    /// The object in the body has another name than the path.
    #[error("name {requested} is not that of service account {name}")]
    NameMismatch {
        /// The name in the path.
        name: String,
        /// The name in the body.
        requested: String,
    },
    /// The object in the body has another namespace than the path.
    #[error("namespace is not that of the request")]
    NamespaceMismatch,
    /// The node of the bound pod could not be looked up.
    #[error("node of the bound pod cannot be looked up: {0}")]
    NodeLookup(String),
    /// The service account could not be found.
    #[error("service account cannot be found")]
    ServiceAccountLookup {
        /// Its name.
        name: String,
        /// Why not.
        problem: LookupError,
    },
    /// The signer did not make a token. The text says why.
    #[error("token cannot be signed: {0}")]
    Signing(String),
    /// The request's time was over before the signer answered.
    #[error("token was not signed in time")]
    Timeout,
    /// A service account of that name exists, but it is another one.
    #[error("service account {name} is another one")]
    UidMismatch {
        /// Its name.
        name: String,
        /// The uid in the request.
        requested: String,
        /// The present uid.
        actual: String,
    },
}

/// The kind, as errors spell it.
const KIND: &str = "TokenRequest";

impl Error {
    /// The answer of an API server.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::BoundObjectLookup {
                kind,
                name,
                problem,
            } => problem.status(ObjectRef {
                kind: *kind,
                namespace: "",
                name,
            }),
            Self::BoundObjectReplaced { kind, name, uid } => Status::conflict(
                "",
                kind,
                name,
                &format!(
                    "the UID in the bound object reference ({uid}) does not match the UID in \
                     record. The object might have been deleted and then recreated"
                ),
            ),
            Self::BoundObjectUnsupported { api_version, kind } => Status::bad_request(format!(
                "cannot bind token to object of type {api_version}, Kind={kind}"
            )),
            Self::BoundPodForeign { service_account } => Status::bad_request(format!(
                "cannot bind token for serviceaccount {} to pod running with different \
                 serviceaccount name.",
                quoted(service_account)
            )),
            Self::ExpirationTooLong(seconds) => invalid_expiration(
                *seconds,
                "may not specify a duration larger than 2^32 seconds",
            ),
            Self::ExpirationTooShort(seconds) => {
                invalid_expiration(*seconds, "may not specify a duration less than 10 minutes")
            }
            Self::NameMismatch { name, requested } => {
                let path = Path::new("metadata").child("name");
                let detail = "must match the service account name if specified";
                let error = FieldError::invalid(&path, requested.as_str(), detail);
                Status::invalid(GROUP, KIND, name, &[error])
            }
            Self::NamespaceMismatch => Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the \
                 request",
            ),
            Self::NodeLookup(problem) | Self::Discovery(problem) => Status::internal(problem),
            Self::ServiceAccountLookup { name, problem } => problem.status(ObjectRef {
                kind: ObjectKind::ServiceAccount,
                namespace: "",
                name,
            }),
            Self::Signing(problem) => {
                Status::internal(&format!("failed to generate token: {problem}"))
            }
            Self::Timeout => Status::timeout(
                "request did not complete within requested timeout - context deadline exceeded",
            ),
            Self::UidMismatch {
                name,
                requested,
                actual,
            } => Status::conflict(GROUP, KIND, name, &uid_mismatch(requested, actual)),
        }
    }
}

/// What is said about a uid that is not the service account's.
pub(crate) fn uid_mismatch(requested: &str, actual: &str) -> String {
    format!(
        "the UID in the token request ({requested}) does not match the UID of the service account \
         ({actual})"
    )
}

/// The name is empty here: upstream validates before it knows one.
fn invalid_expiration(seconds: i64, detail: &str) -> Status {
    let path = Path::new("spec").child("expirationSeconds");
    Status::invalid(
        GROUP,
        KIND,
        "",
        &[FieldError::invalid(&path, seconds, detail)],
    )
}
