//! The name of a key.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use crate::{Error, base64url};

/// What a token calls the key that signed it: the `kid` of its header (RFC 7515 section 4.1.4).
///
/// kube-apiserver derives it from the key ([`KeyId::derive`]); external signers and OIDC providers
/// choose their own. Wherever it comes from, it is opaque: compared byte for byte, never a path or URL.
/// Cloning is cheap.
///
/// ```
/// use burgee_jose::KeyId;
///
/// let id = KeyId::new("2026-01")?;
/// assert_eq!(id.as_str(), "2026-01");
/// assert!(KeyId::new("").is_err());
/// # Ok::<(), burgee_jose::Error>(())
/// ```
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// The longest id in bytes: what kube-apiserver accepts from external signers.
    pub const MAX_LEN: usize = 1024;

    /// An id that someone else chose.
    ///
    /// # Errors
    /// [`Error::KeyIdInvalid`] if it is empty or longer than [`KeyId::MAX_LEN`].
    pub fn new(id: impl Into<Arc<str>>) -> Result<Self, Error> {
        let id = id.into();
        if id.is_empty() || id.len() > Self::MAX_LEN {
            return Err(Error::KeyIdInvalid);
        }
        Ok(Self(id))
    }

    /// The id that kube-apiserver gives a key: the unpadded base64url SHA-256 of its
    /// `SubjectPublicKeyInfo` in DER, always 43 characters.
    ///
    /// `spki` has to be the encoding that kube-apiserver hashes, which is what
    /// [`PublicKey::spki_der`](crate::PublicKey::spki_der) gives. This must never change, or tokens
    /// that are in use would lose their key.
    #[must_use]
    pub fn derive(spki: &[u8]) -> Self {
        let hash = digest::digest(&digest::SHA256, spki);
        Self(base64url::encode(hash.as_ref()).into())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for KeyId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Lets maps that are keyed by ids be asked with the text from a header.
impl Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl TryFrom<String> for KeyId {
    type Error = Error;

    fn try_from(id: String) -> Result<Self, Error> {
        Self::new(id)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_to_1024_bytes() {
        assert!(KeyId::new("k".repeat(1024)).is_ok());
        for id in [String::new(), "k".repeat(1025), "é".repeat(513)] {
            assert!(matches!(KeyId::new(id), Err(Error::KeyIdInvalid)));
        }
    }

    #[test]
    fn serde_keeps_the_rule() {
        let id: KeyId = serde_json::from_str(r#""k1""#).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), r#""k1""#);
        assert!(serde_json::from_str::<KeyId>(r#""""#).is_err());
    }
}
