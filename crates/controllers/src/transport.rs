//! How requests reach the API.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;

use crate::Error;

/// An error of any type, for transports.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer, which a watch keeps open.
pub type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// Carries a request to a Kubernetes API and brings the answer back.
///
/// Requests are in origin form (`/api/v1/…`) and carry no credentials: the transport knows the server
/// and adds what proves who asks. Dropping the future, or the body of its answer, gives the request up.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request. An answer of any status is `Ok`; its body may come slowly or, for watches,
    /// never end.
    ///
    /// # Errors
    ///
    /// [`Error::Transport`] when there is no answer at all.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<ResponseBody>, Error>;
}
