//! Where an issuer's keys are: OpenID Connect Discovery 1.0.

use burgee_https::{explain, read_bounded};
use burgee_jose::json;
use burgee_wire::quoted;
use serde::Deserialize;

use crate::Issuer;

/// The longest discovery document, key set or answer with claims that is read, in bytes: 1 MiB.
pub(crate) const MAX_BODY: usize = 1 << 20;

/// What counts of a provider's discovery document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DiscoveryDocument {
    /// Where the provider's keys are.
    pub jwks_uri: String,
}

/// Why a provider's discovery document could not be had or used.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The request failed, or its answer is too long.
    #[error("{}", explain(.0))]
    Https(burgee_https::Error),

    /// The document speaks of another issuer. The comparison is byte for byte.
    #[error("oidc: issuer did not match the issuer returned by provider, expected {} got {}", quoted(.expected), quoted(.found))]
    IssuerMismatch {
        /// The issuer as configured.
        expected: String,
        /// The issuer as the document has it.
        found: String,
    },

    /// The provider's keys are not behind `https`.
    #[error("provider's JWKS URL is no https URL")]
    KeySetInsecure,

    /// The document does not say where the keys are.
    #[error("provider did not return JWKS URL")]
    KeySetUnknown,

    /// The document is not the JSON that it should be.
    #[error("oidc: failed to decode provider discovery object: {}", explain(.0))]
    Malformed(burgee_jose::Error),

    /// The provider answered something else than 200.
    #[error("provider answered {0}")]
    Status(reqwest::StatusCode),
}

impl From<burgee_https::Error> for DiscoveryError {
    fn from(error: burgee_https::Error) -> Self {
        Self::Https(error)
    }
}

impl DiscoveryDocument {
    /// Reads a document and checks that it is the issuer's.
    ///
    /// What the document says of algorithms does not count: which are accepted is configured.
    ///
    /// # Errors
    /// [`DiscoveryError::Malformed`], [`DiscoveryError::IssuerMismatch`],
    /// [`DiscoveryError::KeySetUnknown`] or [`DiscoveryError::KeySetInsecure`].
    pub fn parse(issuer: &str, document: &[u8]) -> Result<Self, DiscoveryError> {
        #[derive(Deserialize)]
        struct Members {
            #[serde(default)]
            issuer: String,
            #[serde(default)]
            jwks_uri: String,
        }

        let members: Members = json::from_slice(document).map_err(DiscoveryError::Malformed)?;
        if members.issuer != issuer {
            return Err(DiscoveryError::IssuerMismatch {
                expected: issuer.to_owned(),
                found: members.issuer,
            });
        }
        if members.jwks_uri.is_empty() {
            return Err(DiscoveryError::KeySetUnknown);
        }
        match reqwest::Url::parse(&members.jwks_uri) {
            Ok(url) if url.scheme() == "https" => Ok(Self {
                jwks_uri: url.into(),
            }),
            _ => Err(DiscoveryError::KeySetInsecure),
        }
    }

    /// Asks the provider.
    pub(crate) async fn fetch(
        client: &reqwest::Client,
        issuer: &Issuer,
    ) -> Result<Self, DiscoveryError> {
        let answer = client.get(url(issuer)).send().await;
        let answer = answer.map_err(burgee_https::Error::from)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(DiscoveryError::Status(answer.status()));
        }
        Self::parse(&issuer.url, &read_bounded(answer, MAX_BODY).await?)
    }
}

/// Where the issuer's discovery document is.
fn url(issuer: &Issuer) -> String {
    match &issuer.discovery_url {
        Some(url) => url.clone(),
        None => {
            let base = issuer.url.strip_suffix('/').unwrap_or(&issuer.url);
            format!("{base}/.well-known/openid-configuration")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(document: &str) -> Result<DiscoveryDocument, String> {
        DiscoveryDocument::parse("https://a.example", document.as_bytes())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_document_is_below_the_issuer_unless_it_is_elsewhere() {
        let issuer = |url: &str, discovery_url: Option<&str>| Issuer {
            url: url.to_owned(),
            discovery_url: discovery_url.map(str::to_owned),
            certificate_authority: None,
            audiences: vec!["a".to_owned()],
        };
        for (configured, expected) in [
            (
                issuer("https://a.example", None),
                "https://a.example/.well-known/openid-configuration",
            ),
            (
                issuer("https://a.example/", None),
                "https://a.example/.well-known/openid-configuration",
            ),
            (
                issuer("https://a.example/b//", None),
                "https://a.example/b//.well-known/openid-configuration",
            ),
            (
                issuer("https://a.example", Some("https://b.example/c/")),
                "https://b.example/c/",
            ),
        ] {
            assert_eq!(url(&configured), expected);
        }
    }

    #[test]
    fn a_good_document_tells_where_the_keys_are() {
        let document = r#"{"issuer":"https://a.example","jwks_uri":"https://b.example/k","x":[1],
            "id_token_signing_alg_values_supported":["none"]}"#;
        assert_eq!(parse(document).unwrap().jwks_uri, "https://b.example/k");
    }

    #[test]
    fn other_documents_are_refused_with_their_fault() {
        for (document, error) in [
            (
                r#"{"issuer":"https://a.example/","jwks_uri":"https://a.example/k"}"#,
                r#"oidc: issuer did not match the issuer returned by provider, expected "https://a.example" got "https://a.example/""#,
            ),
            (
                "{}",
                r#"oidc: issuer did not match the issuer returned by provider, expected "https://a.example" got """#,
            ),
            (
                r#"{"issuer":"https://a.example"}"#,
                "provider did not return JWKS URL",
            ),
            (
                r#"{"issuer":"https://a.example","jwks_uri":"http://a.example/k"}"#,
                "provider's JWKS URL is no https URL",
            ),
            (
                r#"{"issuer":"https://a.example","jwks_uri":"/k"}"#,
                "provider's JWKS URL is no https URL",
            ),
            (
                r#"{"issuer":"https://a.example","jwks_uri":"file:///etc/passwd"}"#,
                "provider's JWKS URL is no https URL",
            ),
        ] {
            assert_eq!(parse(document).unwrap_err(), error, "{document}");
        }
        for document in [
            "",
            "<html>",
            "[]",
            r#"["https://a.example","https://a.example/k"]"#,
            r#"{"issuer":1}"#,
            r#"{"issuer":"https://a.example","issuer":"https://a.example"}"#,
        ] {
            let error = parse(document).unwrap_err();
            assert!(
                error.starts_with("oidc: failed to decode provider discovery object: "),
                "{error}"
            );
        }
    }
}
