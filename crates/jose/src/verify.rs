//! The keys that tokens are verified with.

use std::collections::HashMap;

use crate::{Error, Jws, KeyId, PublicKey};

/// A public key under the id that tokens name it by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerificationKey {
    /// The id; none only for keys of OIDC providers that publish one key without a name.
    pub key_id: Option<KeyId>,
    /// The key.
    pub key: PublicKey,
}

impl From<PublicKey> for VerificationKey {
    /// The key under the id that kube-apiserver derives from it.
    fn from(key: PublicKey) -> Self {
        Self {
            key_id: Some(key.key_id().clone()),
            key,
        }
    }
}

/// What a verified signature vouches for.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a> {
    /// The key that verified it.
    pub key: &'a VerificationKey,
    /// The signed bytes.
    pub payload: &'a [u8],
}

/// An unchanging set of keys, found by id in constant time.
///
/// Several keys may have one id, and one key may be in the set several times; the order in which they
/// were configured is the order in which they are tried and published.
///
/// ```
/// use burgee_jose::{Algorithm, Jws, PrivateKey, Signer, SigningKey, VerificationKeys};
///
/// let key = SigningKey::new(PrivateKey::generate(Algorithm::Es256)?);
/// let keys: VerificationKeys = [key.private_key().public_key().clone()].into_iter().collect();
///
/// let token = key.sign(br#"{"sub":"me"}"#)?;
/// let jws = Jws::parse(&token)?;
/// assert_eq!(keys.verify(&jws)?.payload, br#"{"sub":"me"}"#);
/// # Ok::<(), burgee_jose::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct VerificationKeys {
    keys: Vec<VerificationKey>,
    positions: HashMap<KeyId, Vec<usize>>,
}

impl VerificationKeys {
    /// The set of these keys, in this order.
    #[must_use]
    pub fn new(keys: Vec<VerificationKey>) -> Self {
        let mut positions: HashMap<_, Vec<_>> = HashMap::new();
        for (position, key) in keys.iter().enumerate() {
            if let Some(key_id) = key.key_id.clone() {
                positions.entry(key_id).or_default().push(position);
            }
        }
        Self { keys, positions }
    }

    /// Every key, in configured order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &VerificationKey> {
        self.keys.iter()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a key has this id.
    #[must_use]
    pub fn contains(&self, key_id: &str) -> bool {
        self.positions.contains_key(key_id)
    }

    /// The keys that a header's `kid` means: those with this id, or all if it names none.
    pub fn find(&self, key_id: Option<&str>) -> impl Iterator<Item = &VerificationKey> {
        let (all, positions) = match key_id {
            None | Some("") => (self.keys.as_slice(), &[][..]),
            Some(key_id) => (
                &[][..],
                self.positions.get(key_id).map_or(&[][..], Vec::as_slice),
            ),
        };
        let named = positions
            .iter()
            .filter_map(|position| self.keys.get(*position));
        all.iter().chain(named)
    }

    /// Checks the token's signature with the keys that its header means, one after the other.
    ///
    /// # Errors
    /// - [`Error::CriticalHeader`] if the header asks for extensions.
    /// - [`Error::UnknownKey`] if there is no such key: the one error after which fetching newer keys
    ///   may help.
    /// - [`Error::AlgorithmMismatch`] if none of them is for the header's algorithm.
    /// - [`Error::SignatureInvalid`] if none of them verifies the signature.
    pub fn verify<'a>(&'a self, jws: &'a Jws<'_>) -> Result<Verified<'a>, Error> {
        if jws.header().is_critical() {
            return Err(Error::CriticalHeader);
        }
        let mut outcome = Error::UnknownKey;
        for key in self.find(jws.header().key_id()) {
            match key.key.verify(jws) {
                Ok(payload) => return Ok(Verified { key, payload }),
                // A key of another kind in between does not hide that a fitting one was tried.
                Err(Error::AlgorithmMismatch) if matches!(outcome, Error::SignatureInvalid) => {}
                Err(error) => outcome = error,
            }
        }
        Err(outcome)
    }
}

impl FromIterator<PublicKey> for VerificationKeys {
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> Self {
        keys.into_iter().map(VerificationKey::from).collect()
    }
}

impl FromIterator<VerificationKey> for VerificationKeys {
    fn from_iter<I: IntoIterator<Item = VerificationKey>>(keys: I) -> Self {
        Self::new(keys.into_iter().collect())
    }
}
