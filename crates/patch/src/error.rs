//! Why a patch was refused.

use burgee_wire::{Status, StatusCause, StatusDetails};

use crate::Conflict;

/// Why a patch was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Other managers own fields that the applied configuration sets to other values.
    #[error("{}", Conflict::message(.0))]
    Conflicts(Vec<Conflict>),
    /// The patch does not fit the kind or the object. The text goes to the client. Upstream answers
    /// most of these with code 500; here they are the client's fault.
    #[error("{0}")]
    Invalid(String),
    /// The patch is not one. The text goes to the client.
    #[error("{0}")]
    Malformed(String),
    /// A JSON patch has more operations than [`MAX_OPERATIONS`](crate::MAX_OPERATIONS).
    #[error("the allowed maximum operations in a JSON patch is {max}, got {0}", max = crate::MAX_OPERATIONS)]
    TooManyOperations(usize),
    /// An operation of the patch does not apply to the object. Clients see a text without details,
    /// as upstream shows it.
    #[error("{0}")]
    Unprocessable(String),
}

impl Error {
    /// What the API answers.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Conflicts(conflicts) => {
                let causes = conflicts.iter().map(Conflict::cause).collect();
                let details = StatusDetails {
                    causes,
                    ..StatusDetails::default()
                };
                Status::failure(409, "Conflict", self.to_string()).with_details(details)
            }
            Self::Invalid(text) => Status::failure(422, "Invalid", text.clone()),
            Self::Malformed(text) => Status::bad_request(text.clone()),
            Self::TooManyOperations(count) => {
                let max = crate::MAX_OPERATIONS;
                let message =
                    format!("The allowed maximum operations in a JSON patch is {max}, got {count}");
                Status::failure(413, "RequestEntityTooLarge", message)
            }
            Self::Unprocessable(_) => Status::unprocessable(),
        }
    }
}

impl Conflict {
    fn cause(&self) -> StatusCause {
        StatusCause {
            reason: "FieldManagerConflict".to_owned(),
            message: format!("conflict with {}", self.manager),
            field: self.path.to_string(),
        }
    }
}
