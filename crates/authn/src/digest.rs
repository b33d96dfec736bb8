//! Names for secrets: what tables are keyed by instead of the secrets themselves.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

use crate::Error;

/// HMAC-SHA-256 of a secret under a key that only this process knows.
///
/// A table keyed by it holds no secret, and how long a look-up takes says nothing about one: who
/// guesses tokens cannot choose their digests.
pub(crate) type Digest = [u8; 32];

/// The key of [`Digest`]s.
#[derive(Clone)]
pub(crate) struct DigestKey(hmac::Key);

impl DigestKey {
    /// A new key from the operating system's randomness.
    pub(crate) fn random() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| Error::Randomness)?;
        Ok(Self::from_bytes(&bytes))
    }

    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The digest of one text.
    pub(crate) fn digest(&self, text: &[u8]) -> Digest {
        finish(&hmac::sign(&self.0, text))
    }

    /// The digest of several parts, one after the other.
    pub(crate) fn digest_parts<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        finish(&context.sign())
    }
}

impl std::fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DigestKey(..)")
    }
}

fn finish(tag: &hmac::Tag) -> Digest {
    let mut digest = Digest::default();
    digest
        .iter_mut()
        .zip(tag.as_ref())
        .for_each(|(to, from)| *to = *from);
    digest
}
