//! HS256: signatures by a shared secret.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};

use crate::sign::{SigningInput, header_segment};
use crate::{Error, Jws, KeyId};

const ALGORITHM: &str = "HS256";

/// A shared secret that signs and verifies with HS256: what signs the `cluster-info` ConfigMap.
///
/// It is a type of its own so that no public key can ever be taken for one. Secrets of any length are
/// accepted, even empty ones: those of bootstrap tokens have 16 bytes, fewer than RFC 7518 section 3.2
/// asks for, and judging them is their owner's business.
///
/// ```
/// use burgee_jose::{HmacKey, KeyId};
///
/// let key = HmacKey::new(b"f395accd246ae52d");
/// let id = KeyId::new("07401b")?;
/// let signature = key.sign_detached(&id, b"payload");
/// assert!(signature.starts_with("eyJhbGciOiJIUzI1NiIsImtpZCI6IjA3NDAxYiJ9.."));
/// key.verify_detached(&id, b"payload", &signature)?;
/// assert!(key.verify_detached(&id, b"Payload", &signature).is_err());
/// # Ok::<(), burgee_jose::Error>(())
/// ```
#[derive(Clone)]
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// A key from the secret's bytes, as they are.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// A token with this payload: `header.payload.signature`.
    #[must_use]
    pub fn sign(&self, key_id: &KeyId, payload: &[u8]) -> String {
        let (input, tag) = self.tag(key_id, payload);
        input.into_compact(tag.as_ref())
    }

    /// The signature of a payload that is kept elsewhere: `header..signature`, with the header
    /// `{"alg":"HS256","kid":…}`.
    #[must_use]
    pub fn sign_detached(&self, key_id: &KeyId, payload: &[u8]) -> String {
        let (input, tag) = self.tag(key_id, payload);
        input.into_detached(tag.as_ref())
    }

    /// Checks a token's signature, whatever key the token names, and gives its payload.
    ///
    /// # Errors
    /// [`Error::CriticalHeader`], [`Error::AlgorithmMismatch`] or [`Error::SignatureInvalid`].
    pub fn verify<'a>(&self, jws: &'a Jws<'_>) -> Result<&'a [u8], Error> {
        if jws.header().is_critical() {
            return Err(Error::CriticalHeader);
        }
        if jws.header().algorithm_name() != ALGORITHM {
            return Err(Error::AlgorithmMismatch);
        }
        hmac::verify(&self.0, jws.signing_input(), jws.signature())
            .map_err(|_| Error::SignatureInvalid)?;
        Ok(jws.unverified_payload())
    }

    /// Checks a detached signature the way Kubernetes does: it has to be, byte for byte, the one that
    /// [`HmacKey::sign_detached`] makes.
    ///
    /// Nothing in it is read before that, so no other header, key id or spelling ever passes. The
    /// comparison takes the same time wherever they differ.
    ///
    /// # Errors
    /// [`Error::SignatureInvalid`].
    pub fn verify_detached(
        &self,
        key_id: &KeyId,
        payload: &[u8],
        signature: &str,
    ) -> Result<(), Error> {
        let expected = self.sign_detached(key_id, payload);
        constant_time::verify_slices_are_equal(expected.as_bytes(), signature.as_bytes())
            .map_err(|_| Error::SignatureInvalid)
    }

    fn tag(&self, key_id: &KeyId, payload: &[u8]) -> (SigningInput, hmac::Tag) {
        let input = SigningInput::of(&header_segment(ALGORITHM, key_id, None), payload);
        let tag = hmac::sign(&self.0, input.as_bytes());
        (input, tag)
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(HS256)")
    }
}
