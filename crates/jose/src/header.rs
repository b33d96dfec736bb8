//! The header of a token that someone presented.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::{Algorithm, Error, json};

/// The members of a JWS header (RFC 7515 section 4.1) that Kubernetes looks at.
///
/// Everything here is what the token's bearer claims until a signature is verified. Keys that a header
/// brings along (`jwk`, `jku`, `x5c`, `x5u`) are ignored, like every other unknown member.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    algorithm: Cow<'static, str>,
    key_id: Option<String>,
    media_type: Option<String>,
    critical: bool,
}

impl Header {
    /// Reads a header's JSON by the rules of [`json::from_slice`].
    ///
    /// # Errors
    /// [`Error::Json`] if it is no object, repeats a member, or `alg`, `kid` or `typ` is no string.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let members: Members = json::from_slice(bytes)?;
        let algorithm = members.alg.unwrap_or_default();
        Ok(Self {
            algorithm: match Algorithm::from_name(&algorithm) {
                Some(known) => Cow::Borrowed(known.as_str()),
                None => Cow::Owned(algorithm),
            },
            key_id: members.kid.filter(|id| !id.is_empty()),
            media_type: members.typ,
            critical: members.crit,
        })
    }

    /// The `alg` member as it stands there, empty if it is absent; it may name anything.
    #[must_use]
    pub fn algorithm_name(&self) -> &str {
        &self.algorithm
    }

    /// The algorithm, if it is one that public keys verify with.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::from_name(&self.algorithm)
    }

    /// The `kid` member: which key signed. An empty one counts as absent.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The `typ` member. kube-apiserver writes none and asks for none.
    #[must_use]
    pub fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }

    /// Whether there is a `crit` member. No signature under such a header verifies.
    #[must_use]
    pub fn is_critical(&self) -> bool {
        self.critical
    }

    /// The algorithm to verify with.
    pub(crate) fn verifiable_algorithm(&self) -> Result<Algorithm, Error> {
        if self.critical {
            return Err(Error::CriticalHeader);
        }
        self.algorithm().ok_or(Error::AlgorithmMismatch)
    }
}

#[derive(Deserialize)]
struct Members {
    alg: Option<String>,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// A member whose value does not matter, not even if it is null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(json: &str) -> Result<Header, Error> {
        Header::from_json(json.as_bytes())
    }

    #[test]
    fn members_come_in_any_order_and_unknown_ones_are_ignored() {
        let read = header(
            r#"{"typ":"JWT","jwk":{"kty":"oct","k":"AA"},"kid":"k1","x5c":["a"],"alg":"ES256"}"#,
        )
        .unwrap();
        assert_eq!(read.algorithm(), Some(Algorithm::Es256));
        assert_eq!(read.key_id(), Some("k1"));
        assert_eq!(read.media_type(), Some("JWT"));
        assert!(!read.is_critical());
    }

    #[test]
    fn names_are_case_sensitive() {
        let read = header(r#"{"ALG":"ES256","Kid":"k1"}"#).unwrap();
        assert_eq!(read.algorithm_name(), "");
        assert_eq!(read.key_id(), None);
    }

    #[test]
    fn what_is_not_strict_is_refused() {
        for json in [
            r#"["ES256","k1"]"#,
            r#""ES256""#,
            "null",
            "",
            r#"{"alg":"ES256","alg":"ES256"}"#,
            r#"{"alg":"ES256","x":1,"x":2}"#,
            r#"{"alg":"ES256","x":{"y":1,"y":2}}"#,
            r#"{"alg":"ES256","\u0061lg":"none"}"#,
            r#"{"alg":256}"#,
            r#"{"alg":"ES256","kid":7}"#,
            r#"{"alg":"ES256","kid":["k1"]}"#,
            r#"{"alg":"ES256","typ":{}}"#,
            r#"{"alg":"ES256"}{}"#,
            r#"{"alg":"ES256",}"#,
            r#"{"alg":"ES256","kid":"\ud800"}"#,
        ] {
            assert!(matches!(header(json), Err(Error::Json(_))), "{json}");
        }
        assert!(Header::from_json(b"{\"alg\":\"\xff\"}").is_err());
    }

    #[test]
    fn an_empty_key_id_is_none() {
        assert_eq!(
            header(r#"{"alg":"ES256","kid":""}"#).unwrap().key_id(),
            None
        );
        assert_eq!(
            header(r#"{"alg":"ES256","kid":null}"#).unwrap().key_id(),
            None
        );
    }

    #[test]
    fn critical_headers_verify_with_nothing() {
        for crit in ["[]", r#"["exp"]"#, r#"["b64"]"#, "null", "7"] {
            let read = header(&format!(r#"{{"alg":"ES256","crit":{crit}}}"#)).unwrap();
            assert!(matches!(
                read.verifiable_algorithm(),
                Err(Error::CriticalHeader)
            ));
        }
    }

    #[test]
    fn algorithms_without_public_keys_verify_with_nothing() {
        for alg in ["none", "HS256", "EdDSA", "rs256", ""] {
            let read = header(&format!(r#"{{"alg":"{alg}"}}"#)).unwrap();
            assert_eq!(read.algorithm_name(), alg);
            assert!(matches!(
                read.verifiable_algorithm(),
                Err(Error::AlgorithmMismatch)
            ));
        }
    }
}
