//! The two documents by which others verify service-account tokens.

use burgee_service_account::{CONFIGURATION_MEDIA_TYPE, DiscoveryDocuments, JWKS_MEDIA_TYPE};
use burgee_wire::Status;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::http::{Accept, Body, status};

/// The rendered documents, or nothing where the issuer cannot be published.
#[derive(Debug)]
pub(crate) struct OidcDocuments(pub(crate) Option<DiscoveryDocuments>);

impl OidcDocuments {
    /// `/.well-known/openid-configuration`.
    pub(crate) fn configuration(&self, accept: Accept) -> Response<Body> {
        self.document(
            |documents| &documents.configuration,
            CONFIGURATION_MEDIA_TYPE,
            accept,
        )
    }

    /// `/openid/v1/jwks`.
    pub(crate) fn jwks(&self, accept: Accept) -> Response<Body> {
        self.document(|documents| &documents.jwks, JWKS_MEDIA_TYPE, accept)
    }

    fn document(
        &self,
        pick: impl Fn(&DiscoveryDocuments) -> &String,
        media_type: &'static str,
        accept: Accept,
    ) -> Response<Body> {
        let Some(documents) = &self.0 else {
            return status(&Status::unknown_path(), accept);
        };
        let mut response = Response::new(Body::from(pick(documents).clone()));
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=3600"),
        );
        response
    }
}
