//! Names for secrets: what tables are keyed by instead of the secrets themselves.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::{digest, hmac};

use crate::Error;

/// SHA-256 of a secret under a key that only this process knows.
///
/// A table keyed by it holds no secret, and how long a look-up takes says nothing about one: who
/// guesses tokens cannot choose their digests.
pub(crate) type Digest = [u8; 32];

/// The key of quick [`Digest`]s: a block of random bytes that is hashed in front of each text.
///
/// Whoever knew a digest could compute that of a longer text, which is why HMAC hashes twice; but
/// these are never shown to anyone, and a table of them is searched for whole ones only. They take a
/// third of an HMAC's time.
pub(crate) struct PrefixKey(digest::Context);

impl PrefixKey {
    /// A new key from the operating system's randomness.
    pub(crate) fn random() -> Result<Self, Error> {
        let mut bytes = [0; 64];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| Error::Randomness)?;
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&bytes);
        Ok(Self(context))
    }

    /// The digest of one text.
    pub(crate) fn digest(&self, text: &[u8]) -> Digest {
        let mut context = self.0.clone();
        context.update(text);
        finish(context.finish().as_ref())
    }
}

impl std::fmt::Debug for PrefixKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrefixKey(..)")
    }
}

/// The key of [`Digest`]s by HMAC.
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
        finish(hmac::sign(&self.0, text).as_ref())
    }

    /// The digest of what `parts` gives, one after the other.
    pub(crate) fn digest_of(&self, parts: impl FnOnce(&mut hmac::Context)) -> Digest {
        let mut context = hmac::Context::with_key(&self.0);
        parts(&mut context);
        finish(context.sign().as_ref())
    }
}

impl std::fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DigestKey(..)")
    }
}

fn finish(bytes: &[u8]) -> Digest {
    let mut digest = Digest::default();
    digest
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    digest
}
