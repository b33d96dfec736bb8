//! The 401, in the form that the client accepts.

use burgee_wire::Status;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body_util::Full;

use crate::http::{Accept, Body, Query, status};

/// The answer to a request of nobody known. A client that accepts nothing that is written here gets
/// indented JSON: that it is not known comes before what it would like to read.
pub(crate) fn unauthorized(parts: &Parts) -> Response<Full<Bytes>> {
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let accept = Accept::parse(&parts.headers, &query).unwrap_or_else(|_| Accept {
        pretty: true,
        ..Accept::fallback(&parts.headers, &query)
    });
    status(&Status::unauthorized(), accept).map(|body| match body {
        Body::Whole(text) => Full::new(text.unwrap_or_default()),
        // A status is one piece.
        _ => Full::default(),
    })
}
