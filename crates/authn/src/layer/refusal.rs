//! Why a request was not let through.

use burgee_identity::{Reason, Rejection};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::PeerCertificates;
use crate::text::query_value;

/// An extension of a 401: why, for those who run the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The stable reason.
    pub reason: Reason,
    /// The single rejections; empty when nobody had an opinion.
    pub rejections: Vec<Rejection>,
    /// The kinds of credentials that the request carried.
    pub attempted: Vec<Attempted>,
}

impl Refusal {
    /// What upstream writes into the audit log.
    #[must_use]
    pub fn audit_message(&self) -> String {
        if self.attempted.is_empty() {
            return "Authentication failed, no credentials provided".to_owned();
        }
        let kinds: Vec<&str> = self.attempted.iter().map(|kind| kind.as_str()).collect();
        format!("Authentication failed, attempted: {}", kinds.join(", "))
    }
}

/// A kind of credential, as the audit log names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attempted {
    /// A query parameter `access_token`, which never authenticates.
    AccessToken,
    /// An `Authorization` header with user name and password, which never authenticates.
    Basic,
    /// An `Authorization` header with a bearer token.
    Bearer,
    /// A client certificate.
    X509,
}

impl Attempted {
    /// The name in the audit log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::X509 => "x509",
        }
    }
}

/// Which credentials a request carried, in the order of upstream's list.
pub(super) fn attempted(parts: &Parts) -> Vec<Attempted> {
    let authorization = parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let starts_with = |scheme: &[u8]| {
        authorization
            .and_then(|value| value.get(..scheme.len()))
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let has_access_token = parts
        .uri
        .query()
        .and_then(|query| query_value(query, "access_token"))
        .is_some_and(|token| !token.is_empty());
    let has_certificate = parts
        .extensions
        .get::<PeerCertificates>()
        .is_some_and(|peer| !peer.chain().is_empty());
    [
        (starts_with(b"basic "), Attempted::Basic),
        (starts_with(b"bearer "), Attempted::Bearer),
        (has_access_token, Attempted::AccessToken),
        (has_certificate, Attempted::X509),
    ]
    .into_iter()
    .filter_map(|(carried, kind)| carried.then_some(kind))
    .collect()
}
