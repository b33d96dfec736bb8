//! The documents by which others learn to verify tokens: OIDC discovery.

use std::collections::BTreeSet;

use burgee_jose::{VerificationKeys, json, jwks};
use serde::Serialize;

use crate::Error;

/// Where the configuration is served.
pub const CONFIGURATION_PATH: &str = "/.well-known/openid-configuration";

/// Where the keys are served.
pub const JWKS_PATH: &str = "/openid/v1/jwks";

/// The media type of the configuration.
pub const CONFIGURATION_MEDIA_TYPE: &str = "application/json";

/// The media type of the keys.
pub const JWKS_MEDIA_TYPE: &str = "application/jwk-set+json";

/// Where clients find the keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum JwksUri {
    /// At [`JWKS_PATH`] of this host, with its port if it is not 443.
    External(String),
    /// Here (`--service-account-jwks-uri`).
    Fixed(String),
}

/// The two documents, byte for byte as kube-apiserver serves them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DiscoveryDocuments {
    /// The issuer's configuration.
    pub configuration: String,
    /// The keys.
    pub jwks: String,
}

impl DiscoveryDocuments {
    /// Renders the documents for this issuer and these keys.
    ///
    /// # Errors
    ///
    /// [`Error::Discovery`] when the issuer or the keys' address is no plain https URL, or there is no
    /// key. Tokens can be issued all the same.
    pub fn render(
        issuer: &str,
        jwks_uri: &JwksUri,
        keys: &VerificationKeys,
    ) -> Result<Self, Error> {
        check_issuer(issuer)?;
        let jwks_uri = match jwks_uri {
            JwksUri::Fixed(uri) => {
                if !is_https(uri) {
                    return refuse(format!(
                        "service-account-jwks-uri requires https scheme, parsed as: {uri}"
                    ));
                }
                uri.clone()
            }
            JwksUri::External(address) => {
                if address.is_empty() || address.contains(is_beyond_a_host) {
                    return refuse(format!("external address is no host: {address}"));
                }
                format!("https://{address}{JWKS_PATH}")
            }
        };
        if keys.is_empty() {
            return refuse("no keys provided for validating keyset".to_owned());
        }
        let algorithms: BTreeSet<&str> = keys
            .iter()
            .map(|key| key.key.algorithm().as_str())
            .collect();
        let configuration = Configuration {
            issuer,
            jwks_uri: &jwks_uri,
            response_types_supported: ["id_token"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: algorithms,
        };
        Ok(Self {
            // Texts always serialise.
            configuration: json::to_string(&configuration).unwrap_or_default(),
            jwks: jwks::render(keys.iter()),
        })
    }
}

#[derive(Serialize)]
struct Configuration<'a> {
    issuer: &'a str,
    jwks_uri: &'a str,
    response_types_supported: [&'a str; 1],
    subject_types_supported: [&'a str; 1],
    id_token_signing_alg_values_supported: BTreeSet<&'a str>,
}

fn check_issuer(issuer: &str) -> Result<(), Error> {
    let (rest, fragment) = issuer.split_once('#').unwrap_or((issuer, ""));
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    if issuer.is_empty() {
        return refuse("empty issuer URL".to_owned());
    }
    if !is_https(issuer) {
        return refuse(format!("issuer URL must use https scheme, got: {issuer}"));
    }
    if !query.is_empty() {
        return refuse(format!("issuer URL may not include a query, got: {issuer}"));
    }
    if !fragment.is_empty() {
        return refuse(format!(
            "issuer URL may not include a fragment, got: {issuer}"
        ));
    }
    Ok(())
}

fn refuse<T>(problem: String) -> Result<T, Error> {
    Err(Error::Discovery(problem))
}

fn is_https(url: &str) -> bool {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("https")
}

/// What ends the host of a URL, stands before it, or belongs into no URL.
fn is_beyond_a_host(character: char) -> bool {
    matches!(character, '/' | '?' | '#' | '@' | '\\' | '%') || character <= ' '
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &[u8] = b"-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQqO7/fqEvzLhCr1z
mLCYJaUZyA1jJNoFr1zwqaZOzJChRANCAAT70TzI9TYQOHNYYgYR9cFhtYYAuU80
l9PIUerNgjktpNelqwCQkICdR+yPbCYK62BxHx5DkeiKZJ9PyFTR+yqQ
-----END PRIVATE KEY-----
";
    const K2: &[u8] = b"-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqTIYtvN/jRO7OlDA03vO
Pxwzt5T1+w0jFupSB/GBlRgqxlZzMC04aZ3InW9bSR6YmZfPlF7pFyYkN4T509Tn
eaOJF4W+yHgGkolvFKXyok4Gnv/0pfT9vbj85yWx+3kWAGK/ZagdBZJCJb+W0C0D
dr49He+hiyIGhcUCo6xvyOZ0EX5JFRGFRGOHgVF68LxfbuOWnHwKfqfaBTQSQeHj
5Ckr1CFRkUPRrL0lbkyAUZLe8rlPN5h5gdFx5TUGTWxrk1HVD01fWRz7TS3AE1xz
J6Zaf3AdnNsJByCefcVzFfOs1duIuOos6BoSpkY+XtTAR8lfi9l+d6y8h6C9DqUx
zQIDAQAB
-----END PUBLIC KEY-----
";
    const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

    fn keys() -> VerificationKeys {
        use burgee_jose::PublicKey;
        [K2, K1]
            .iter()
            .flat_map(|pem| PublicKey::all_from_pem(pem).unwrap())
            .collect()
    }

    fn render(issuer: &str, uri: JwksUri) -> Result<DiscoveryDocuments, String> {
        DiscoveryDocuments::render(issuer, &uri, &keys()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_worked_example_is_rendered_byte_for_byte() {
        let documents = render(ISSUER, JwksUri::External("10.0.0.1:6443".into())).unwrap();
        assert_eq!(
            documents.configuration,
            r#"{"issuer":"https://kubernetes.default.svc.cluster.local","jwks_uri":"https://10.0.0.1:6443/openid/v1/jwks","response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256","RS256"]}"#
        );
        assert_eq!(
            documents.jwks,
            r#"{"keys":[{"use":"sig","kty":"RSA","kid":"Hwz2UuDvauMQ_zUpcEkH48eyecYeTUMIq32sAeDr-hw","alg":"RS256","n":"qTIYtvN_jRO7OlDA03vOPxwzt5T1-w0jFupSB_GBlRgqxlZzMC04aZ3InW9bSR6YmZfPlF7pFyYkN4T509TneaOJF4W-yHgGkolvFKXyok4Gnv_0pfT9vbj85yWx-3kWAGK_ZagdBZJCJb-W0C0Ddr49He-hiyIGhcUCo6xvyOZ0EX5JFRGFRGOHgVF68LxfbuOWnHwKfqfaBTQSQeHj5Ckr1CFRkUPRrL0lbkyAUZLe8rlPN5h5gdFx5TUGTWxrk1HVD01fWRz7TS3AE1xzJ6Zaf3AdnNsJByCefcVzFfOs1duIuOos6BoSpkY-XtTAR8lfi9l-d6y8h6C9DqUxzQ","e":"AQAB"},{"use":"sig","kty":"EC","kid":"S8V4xzRaVdKBE7vz104Nx7455gjFRCMtW5Of200uYlM","crv":"P-256","alg":"ES256","x":"-9E8yPU2EDhzWGIGEfXBYbWGALlPNJfTyFHqzYI5LaQ","y":"16WrAJCQgJ1H7I9sJgrrYHEfHkOR6Ipkn0_IVNH7KpA"}]}"#
        );
    }

    #[test]
    fn a_fixed_address_of_the_keys_is_taken_as_it_is() {
        let uri = "HTTPS://keys.example/jwks?x=1";
        let documents = render("https://a", JwksUri::Fixed(uri.into())).unwrap();
        assert!(
            documents
                .configuration
                .contains(&format!(r#""jwks_uri":"{uri}""#))
        );
    }

    #[test]
    fn addresses_that_others_cannot_use_are_refused() {
        let external = || JwksUri::External("10.0.0.1:6443".into());
        for (issuer, uri, text) in [
            ("", external(), "empty issuer URL"),
            (
                "kubernetes/serviceaccount",
                external(),
                "issuer URL must use https scheme, got: kubernetes/serviceaccount",
            ),
            (
                "http://a",
                external(),
                "issuer URL must use https scheme, got: http://a",
            ),
            (
                "https://a?b",
                external(),
                "issuer URL may not include a query, got: https://a?b",
            ),
            (
                "https://a#b",
                external(),
                "issuer URL may not include a fragment, got: https://a#b",
            ),
            (
                "https://a#b?c",
                external(),
                "issuer URL may not include a fragment, got: https://a#b?c",
            ),
            (
                "https://a",
                JwksUri::Fixed("http://a".into()),
                "service-account-jwks-uri requires https scheme, parsed as: http://a",
            ),
            (
                "https://a",
                JwksUri::External("https://a".into()),
                "external address is no host: https://a",
            ),
            (
                "https://a",
                JwksUri::External(String::new()),
                "external address is no host: ",
            ),
        ] {
            assert_eq!(render(issuer, uri), Err(text.to_owned()), "{issuer}");
        }
        let none = VerificationKeys::default();
        let error = DiscoveryDocuments::render("https://a", &external(), &none).unwrap_err();
        assert_eq!(error.to_string(), "no keys provided for validating keyset");
    }
}
