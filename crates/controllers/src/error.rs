//! What can go wrong between a controller and the API.

use std::time::Duration;

use burgee_wire::Status;

use crate::transport::BoxError;

/// Why a request did not lead to what it was for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The answer broke off before its end.
    #[error("the answer broke off")]
    Body(#[source] BoxError),
    /// The answer is no JSON, or not the JSON that the API promises.
    #[error("the answer cannot be read")]
    Malformed(#[source] serde_json::Error),
    /// The API said no. The status says why, and names the object.
    #[error("the api answered {} {}: {}", .0.code, .0.reason, .0.message)]
    Refused(Box<Status>),
    /// The API ended a watch at once and without an event, as a proxy in trouble does.
    #[error("the watch ended as soon as it began")]
    ShortWatch,
    /// No answer came in time; whether the request was carried out is unknown.
    #[error("no answer within {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// The answer has more bytes than this client reads.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The request could not be sent, for example because nobody listens.
    #[error("the request could not be sent")]
    Transport(#[source] BoxError),
    /// A task of a controller ended in a panic, which is a defect of this program.
    #[error("a controller stopped because of a defect")]
    Panicked(#[source] tokio::task::JoinError),
}

impl Error {
    /// Whether the object, or its namespace, does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether an object of that name exists already.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::Refused(status) if status.reason == "AlreadyExists")
    }

    /// Whether somebody else wrote in between, or the object is not the one that was meant.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(status) if status.reason == "Conflict")
    }

    /// Whether the namespace takes no new objects because it is being deleted.
    #[must_use]
    pub fn is_namespace_terminating(&self) -> bool {
        self.has_cause("NamespaceTerminating")
    }

    /// Whether the resource version that was named is of no use any more, so that only a new list
    /// helps: it is gone, or it lies in the future because the server was set back.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.code() == Some(410) || self.has_cause("ResourceVersionTooLarge")
    }

    fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(status) => Some(status.code),
            _ => None,
        }
    }

    fn has_cause(&self, reason: &str) -> bool {
        let Self::Refused(status) = self else {
            return false;
        };
        let details = status.details.as_ref();
        details.is_some_and(|details| details.causes.iter().any(|cause| cause.reason == reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: Status) -> Error {
        Error::Refused(Box::new(status))
    }

    #[test]
    fn refusals_are_told_apart_by_reason_and_cause() {
        let exists = refused(Status::already_exists("", "secrets", "x"));
        assert!(exists.is_already_exists() && !exists.is_conflict());
        let modified = refused(Status::modified("", "secrets", "x"));
        assert!(modified.is_conflict() && !modified.is_already_exists());
        assert!(refused(Status::not_found("", "secrets", "x")).is_not_found());
        assert!(refused(Status::expired("too old")).is_expired());
        assert!(refused(Status::resource_version_too_large(9, 2)).is_expired());
        assert!(!refused(Status::timeout("later")).is_expired());
        assert!(!Error::ShortWatch.is_not_found());
    }
}
