//! Keys that verify.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};

use crate::curve::Curve;
use crate::encoding::{EncodedKey, RsaNumbers};
use crate::{Algorithm, Error, Jws, KeyId, PrivateKey, pem};

/// A public key and the algorithm that it verifies with.
///
/// The algorithm comes from the key: RS256 for RSA, ES256, ES384 and ES512 for the three curves. A
/// signature whose header names another one is refused. For issuers outside Kubernetes an RSA key
/// may be given another RSA algorithm or all of them.
///
/// The key is parsed once; cloning is cheap.
///
/// ```
/// use burgee_jose::{Algorithm, PrivateKey, PublicKey};
///
/// let private = PrivateKey::generate(Algorithm::Es384)?;
/// let keys = PublicKey::all_from_pem(private.public_key().to_pem().as_bytes())?;
/// assert_eq!(keys.len(), 1);
/// assert_eq!(keys[0].algorithm(), Algorithm::Es384);
/// assert_eq!(keys[0].key_id(), private.key_id());
/// # Ok::<(), burgee_jose::Error>(())
/// ```
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    algorithm: Algorithm,
    key_id: KeyId,
    numbers: Numbers,
    spki: Box<[u8]>,
    /// One for each algorithm that is accepted; never empty.
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
}

/// The key's numbers, as key sets show them.
pub(crate) enum Numbers {
    Ec {
        curve: Curve,
        x: Box<[u8]>,
        y: Box<[u8]>,
    },
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
    },
}

/// The smallest RSA key that verifies. Nobody should sign with 1024 bits, but clusters that did
/// still have tokens, and kube-apiserver draws the line here.
const LEAST_RSA_BITS: usize = 1024;

/// aws-lc's upper limit.
const MOST_RSA_BITS: usize = 8192;

impl PublicKey {
    /// Every key in a PEM file, in order.
    ///
    /// Labels do not count, contents do: public keys (`PUBLIC KEY`, `RSA PUBLIC KEY`), certificates,
    /// and the public halves of private keys (`RSA PRIVATE KEY`, `EC PRIVATE KEY`, `PRIVATE KEY`).
    /// Blocks that hold none of these are skipped, as kube-apiserver does for
    /// `--service-account-key-file`.
    ///
    /// # Errors
    /// [`Error::NoPublicKeys`] if no block is left, [`Error::InputTooLarge`] for files over 1 MiB,
    /// [`Error::TooManyKeys`] for more than 1024 blocks.
    pub fn all_from_pem(file: &[u8]) -> Result<Vec<Self>, Error> {
        let mut keys = Vec::new();
        let mut skipped = None;
        for block in pem::blocks(file)? {
            match Self::from_der(&block.der) {
                Ok(key) => keys.push(key),
                Err(error) => skipped = Some(Box::new(error)),
            }
        }
        if keys.is_empty() {
            return Err(Error::NoPublicKeys(skipped));
        }
        Ok(keys)
    }

    /// The key in one DER document: any of the forms of [`PublicKey::all_from_pem`].
    ///
    /// # Errors
    /// [`Error::KeyMalformed`], [`Error::KeySize`] or [`Error::KeyUnsupported`].
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        match EncodedKey::read(der)? {
            EncodedKey::EcPrivate(_) => Ok(PrivateKey::from_der(der)?.public_key().clone()),
            EncodedKey::EcPublic(curve, point) => Self::from_point(curve, point),
            EncodedKey::RsaPrivate { public, .. } | EncodedKey::RsaPublic(public) => {
                Self::from_rsa_numbers(public)
            }
        }
    }

    /// An RSA key that verifies with another algorithm than RS256.
    ///
    /// # Errors
    /// [`Error::AlgorithmMismatch`] if the key is not fit for the algorithm.
    pub fn with_algorithm(self, algorithm: Algorithm) -> Result<Self, Error> {
        if self.algorithm() == algorithm {
            return Ok(self);
        }
        self.with_rsa_algorithms(algorithm, &[algorithm])
    }

    /// The same key, accepting every RSA algorithm if it is an RSA key: what kube-apiserver does.
    ///
    /// Its [`PublicKey::algorithm`] stays what it is, and EC keys stay as they are.
    #[must_use]
    pub fn accepting_all_rsa_algorithms(self) -> Self {
        let algorithm = self.algorithm();
        self.clone()
            .with_rsa_algorithms(algorithm, Algorithm::RSA)
            .unwrap_or(self)
    }

    /// The algorithm that key sets and discovery documents show for this key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// Whether signatures of this algorithm are accepted.
    #[must_use]
    pub fn accepts(&self, algorithm: Algorithm) -> bool {
        self.verifier(algorithm).is_some()
    }

    /// The id that kube-apiserver derives from the key; see [`KeyId::derive`].
    #[must_use]
    pub fn key_id(&self) -> &KeyId {
        &self.0.key_id
    }

    /// The canonical `SubjectPublicKeyInfo` in DER: RSA with explicit NULL parameters, EC with the
    /// named curve and the uncompressed point, whatever the key was read from.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.0.spki
    }

    /// The key as a `PUBLIC KEY` block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", self.spki_der())
            .as_str()
            .to_owned()
    }

    /// Checks a bare signature; ECDSA signatures are the two numbers of fixed width (RFC 7518
    /// section 3.4).
    ///
    /// # Errors
    /// [`Error::AlgorithmMismatch`] or [`Error::SignatureInvalid`].
    pub fn verify_bytes(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        self.verifier(algorithm)
            .ok_or(Error::AlgorithmMismatch)?
            .verify_sig(message, signature)
            .map_err(|_| Error::SignatureInvalid)
    }

    /// Checks a token's signature with this key, whatever key the token names, and gives its payload.
    ///
    /// # Errors
    /// [`Error::CriticalHeader`], [`Error::AlgorithmMismatch`] or [`Error::SignatureInvalid`].
    pub fn verify<'a>(&self, jws: &'a Jws<'_>) -> Result<&'a [u8], Error> {
        let algorithm = jws.header().verifiable_algorithm()?;
        self.verify_bytes(algorithm, jws.signing_input(), jws.signature())?;
        Ok(jws.unverified_payload())
    }

    /// The key at this uncompressed point.
    pub(crate) fn from_point(curve: Curve, point: &[u8]) -> Result<Self, Error> {
        let spki = [curve.spki_prefix(), point].concat();
        let coordinates = point.get(1..).ok_or(Error::KeyMalformed)?;
        let (x, y) = coordinates
            .split_at_checked(curve.coordinate_len())
            .ok_or(Error::KeyMalformed)?;
        let numbers = Numbers::Ec {
            curve,
            x: x.into(),
            y: y.into(),
        };
        let verifier = parse(curve.verification(), &spki)?;
        let algorithm = curve.algorithm();
        Ok(Self::new(
            algorithm,
            numbers,
            spki,
            vec![(algorithm, verifier)],
        ))
    }

    /// The RSA key of these numbers.
    pub(crate) fn from_rsa_numbers(public: RsaNumbers<'_>) -> Result<Self, Error> {
        let bits = public.modulus_bits();
        if !(LEAST_RSA_BITS..=MOST_RSA_BITS).contains(&bits) {
            return Err(Error::KeySize {
                bits,
                least: LEAST_RSA_BITS,
            });
        }
        let RsaNumbers { n, e } = public;
        let spki = RsaPublicKeyComponents { n, e }
            .as_der()
            .map_err(|_| Error::KeyMalformed)?;
        let numbers = Numbers::Rsa {
            n: n.into(),
            e: e.into(),
        };
        let algorithm = Algorithm::Rs256;
        // Parsing the encoding checks the numbers, which taking them as they are would not.
        let verifier = parse(
            &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
            spki.as_ref(),
        )?;
        let verifiers = vec![(algorithm, verifier)];
        Ok(Self::new(
            algorithm,
            numbers,
            spki.as_ref().to_vec(),
            verifiers,
        ))
    }

    pub(crate) fn numbers(&self) -> &Numbers {
        &self.0.numbers
    }

    fn new(
        algorithm: Algorithm,
        numbers: Numbers,
        spki: Vec<u8>,
        verifiers: Vec<(Algorithm, ParsedPublicKey)>,
    ) -> Self {
        Self(Arc::new(Inner {
            algorithm,
            key_id: KeyId::derive(&spki),
            numbers,
            spki: spki.into(),
            verifiers,
        }))
    }

    fn verifier(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        let mut verifiers = self.0.verifiers.iter();
        verifiers
            .find(|(accepted, _)| *accepted == algorithm)
            .map(|(_, verifier)| verifier)
    }

    fn with_rsa_algorithms(
        self,
        algorithm: Algorithm,
        accepted: &[Algorithm],
    ) -> Result<Self, Error> {
        let Numbers::Rsa { n, e } = self.numbers() else {
            return Err(Error::AlgorithmMismatch);
        };
        let verifiers = accepted
            .iter()
            .map(|algorithm| {
                let parameters = rsa_parameters(*algorithm).ok_or(Error::AlgorithmMismatch)?;
                Ok((*algorithm, parse(parameters, self.spki_der())?))
            })
            .collect::<Result<_, Error>>()?;
        let numbers = Numbers::Rsa {
            n: n.clone(),
            e: e.clone(),
        };
        Ok(Self::new(
            algorithm,
            numbers,
            self.spki_der().to_vec(),
            verifiers,
        ))
    }
}

impl Eq for PublicKey {}

impl PartialEq for PublicKey {
    /// Whether the keys are the same numbers and verify with the same algorithm.
    fn eq(&self, other: &Self) -> bool {
        self.spki_der() == other.spki_der() && self.algorithm() == other.algorithm()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("algorithm", &self.algorithm())
            .field("key_id", self.key_id())
            .finish()
    }
}

fn parse(
    algorithm: &'static dyn VerificationAlgorithm,
    spki: &[u8],
) -> Result<ParsedPublicKey, Error> {
    ParsedPublicKey::new(algorithm, spki).map_err(|_| Error::KeyMalformed)
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => None,
        Algorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::Rs256 => Some(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        Algorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
    }
}
