//! What authenticators see of a request.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;

use crate::PeerCertificates;

/// The audiences that a credential must be good for, or nothing when the caller does not ask.
///
/// A list that is there but empty differs from no list (see [`AudienceAgnostic`]). Copies share the
/// list.
///
/// [`AudienceAgnostic`]: crate::AudienceAgnostic
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Audiences(Option<Arc<[String]>>);

impl Audiences {
    /// Does not ask for any.
    pub const ANY: Self = Self(None);

    /// Asks for one of these.
    #[must_use]
    pub fn of<A: Into<String>>(audiences: impl IntoIterator<Item = A>) -> Self {
        Self(Some(audiences.into_iter().map(Into::into).collect()))
    }

    /// Asks for one of these, or does not ask when there are none: how a server's own audiences
    /// become those of a request.
    #[must_use]
    pub fn of_server<A: Into<String>>(audiences: impl IntoIterator<Item = A>) -> Self {
        Self::of(audiences).or(&Self::ANY)
    }

    /// These, or `fallback` when there are none.
    #[must_use]
    pub fn or(self, fallback: &Self) -> Self {
        if self.as_slice().is_empty() {
            fallback.clone()
        } else {
            self
        }
    }

    /// The list, when one was asked for.
    #[must_use]
    pub fn requested(&self) -> Option<&[String]> {
        self.0.as_deref()
    }

    /// The list, empty when none was asked for.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        self.requested().unwrap_or_default()
    }

    /// [`Audiences::intersection`], without a copy where it is the whole list.
    pub(crate) fn shared_with(&self, other: &Self) -> Arc<[String]> {
        match &self.0 {
            Some(own) if own.iter().all(|one| other.as_slice().contains(one)) => Arc::clone(own),
            _ => self.intersection(other.as_slice()).into(),
        }
    }

    /// The list itself.
    pub(crate) fn shared(&self) -> Option<&Arc<[String]>> {
        self.0.as_ref()
    }

    /// Those of this list that are also in `other`, in this list's order, duplicates kept.
    #[must_use]
    pub fn intersection(&self, other: &[String]) -> Vec<String> {
        let own = self.as_slice().iter();
        own.filter(|audience| other.contains(audience))
            .cloned()
            .collect()
    }
}

/// The parts of an HTTP request that can carry a credential. `Debug` shows no header's value.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The header lines.
    pub headers: &'a HeaderMap,
    /// The path of the URL, percent-encoded as received, without the query.
    pub path: &'a str,
    /// The client's certificates, when the connection has them.
    pub peer_certificates: Option<&'a PeerCertificates>,
    /// What the credential must be good for.
    pub audiences: &'a Audiences,
}

impl Request<'_> {
    /// A copy that an answer which comes later can keep.
    #[must_use]
    pub fn to_owned(&self) -> OwnedRequest {
        OwnedRequest {
            headers: self.headers.clone(),
            path: self.path.to_owned(),
            peer_certificates: self.peer_certificates.cloned(),
            audiences: self.audiences.clone(),
        }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.keys().collect();
        f.debug_struct("Request")
            .field("headers", &headers)
            .field("path", &self.path)
            .field("peer_certificates", &self.peer_certificates.is_some())
            .field("audiences", &self.audiences)
            .finish()
    }
}

/// A [`Request`] that borrows nothing.
#[derive(Clone)]
pub struct OwnedRequest {
    headers: HeaderMap,
    path: String,
    peer_certificates: Option<PeerCertificates>,
    audiences: Audiences,
}

impl OwnedRequest {
    /// The view that authenticators take.
    #[must_use]
    pub fn as_request(&self) -> Request<'_> {
        Request {
            headers: &self.headers,
            path: &self.path,
            peer_certificates: self.peer_certificates.as_ref(),
            audiences: &self.audiences,
        }
    }
}

impl fmt::Debug for OwnedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_request().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_credential() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer sesame".parse().unwrap());
        let request = Request {
            headers: &headers,
            path: "/api",
            peer_certificates: None,
            audiences: &Audiences::ANY,
        };
        for shown in [format!("{request:?}"), format!("{:?}", request.to_owned())] {
            assert!(shown.contains("authorization") && !shown.contains("sesame"));
        }
    }

    #[test]
    fn an_intersection_keeps_the_requested_order_and_duplicates() {
        let requested = Audiences::of(["b", "a", "x", "a"]);
        let known = ["a".to_owned(), "b".to_owned()];
        assert_eq!(requested.intersection(&known), ["b", "a", "a"]);
        assert!(Audiences::ANY.intersection(&known).is_empty());
    }

    #[test]
    fn no_list_and_an_empty_list_differ() {
        let empty = Audiences::of(Vec::<String>::new());
        assert_ne!(empty, Audiences::ANY);
        assert_eq!(empty.or(&Audiences::ANY), Audiences::ANY);
    }
}
