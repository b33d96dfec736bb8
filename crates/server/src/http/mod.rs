//! HTTP as the Kubernetes API uses it: which object a request is about, what it carries, and in which
//! form the answer goes back.

mod body;
mod bounded;
mod indent;
mod negotiate;
mod query;
mod request_info;
mod response;

pub use body::Body;
pub(crate) use body::read_limited;
pub(crate) use bounded::Bounded;
pub(crate) use indent::indent;
pub(crate) use negotiate::{
    Accept, Encoding, Form, Shape, accepts_discovery, accepts_openmetrics, body_encoding,
    patch_type,
};
pub(crate) use query::Query;
pub(crate) use request_info::{RequestInfo, Verb};
pub(crate) use response::{json, not_sniffed, respond, status, text, with_warnings};
