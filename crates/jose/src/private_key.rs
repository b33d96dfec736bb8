//! Keys that sign.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use burgee_identity::Secret;

use crate::curve::Curve;
use crate::encoding::EncodedKey;
use crate::{Algorithm, Error, KeyId, PublicKey, pem};

/// A private key and the algorithm that it signs with: RS256 for RSA, ES256, ES384 and ES512 for the
/// three curves.
///
/// The key is parsed once. Its numbers live in aws-lc's memory, which is wiped when freed; `Debug`
/// shows the algorithm and the key id.
///
/// ```
/// use burgee_jose::{Algorithm, PrivateKey};
///
/// let key = PrivateKey::generate(Algorithm::Es256)?;
/// let again = PrivateKey::from_pem(key.to_pem()?.expose().as_bytes())?;
/// assert_eq!(again.key_id(), key.key_id());
/// # Ok::<(), burgee_jose::Error>(())
/// ```
pub struct PrivateKey {
    key: KeyPair,
    public: PublicKey,
}

enum KeyPair {
    Ec(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

/// The smallest RSA key that signs. kube-apiserver takes any, which serves nobody.
const LEAST_RSA_BITS: usize = 2048;

const MOST_RSA_BITS: usize = 8192;

impl PrivateKey {
    /// A new key: P-256, P-384 or P-521, or RSA of 2048 bits, from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::AlgorithmMismatch`] for the RSA algorithms other than RS256, which Kubernetes does not
    /// sign with; [`Error::KeyGeneration`] if the library fails.
    pub fn generate(algorithm: Algorithm) -> Result<Self, Error> {
        let curve = match algorithm {
            Algorithm::Es256 => Curve::P256,
            Algorithm::Es384 => Curve::P384,
            Algorithm::Es512 => Curve::P521,
            Algorithm::Rs256 => {
                let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048)
                    .map_err(|_| Error::KeyGeneration)?;
                return Self::from_rsa(key);
            }
            _ => return Err(Error::AlgorithmMismatch),
        };
        let key = EcdsaKeyPair::generate(curve.signing()).map_err(|_| Error::KeyGeneration)?;
        Self::from_ec(curve, key)
    }

    /// The first private key in a PEM file: a block `EC PRIVATE KEY`, `RSA PRIVATE KEY` or
    /// `PRIVATE KEY` that parses, as kube-apiserver chooses for `--service-account-signing-key-file`.
    ///
    /// A key that parses but must not sign is an error, and does not give way to a later one.
    ///
    /// # Errors
    /// [`Error::NoPrivateKey`], [`Error::KeySize`], [`Error::KeyUnsupported`],
    /// [`Error::InputTooLarge`] for files over 1 MiB, [`Error::TooManyKeys`] for more than 1024 blocks.
    pub fn from_pem(file: &[u8]) -> Result<Self, Error> {
        for block in pem::blocks(file)? {
            if !matches!(
                block.label,
                "EC PRIVATE KEY" | "PRIVATE KEY" | "RSA PRIVATE KEY"
            ) {
                continue;
            }
            match Self::from_der(&block.der) {
                Err(Error::KeyMalformed) => {}
                decided => return decided,
            }
        }
        Err(Error::NoPrivateKey)
    }

    /// The key in one DER document: PKCS#8, PKCS#1 or SEC 1.
    ///
    /// # Errors
    /// [`Error::KeyMalformed`], [`Error::KeySize`] or [`Error::KeyUnsupported`].
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        match EncodedKey::read(der)? {
            EncodedKey::EcPrivate(curve) => {
                let key = EcdsaKeyPair::from_private_key_der(curve.signing(), der)
                    .map_err(|_| Error::KeyMalformed)?;
                Self::from_ec(curve, key)
            }
            EncodedKey::RsaPrivate { public, pkcs8 } => {
                let bits = public.modulus_bits();
                if !(LEAST_RSA_BITS..=MOST_RSA_BITS).contains(&bits) {
                    return Err(Error::KeySize {
                        bits,
                        least: LEAST_RSA_BITS,
                    });
                }
                let key = if pkcs8 {
                    rsa::KeyPair::from_pkcs8(der)
                } else {
                    rsa::KeyPair::from_der(der)
                };
                Self::from_rsa(key.map_err(|_| Error::KeyMalformed)?)
            }
            EncodedKey::EcPublic(..) | EncodedKey::RsaPublic(_) => Err(Error::KeyMalformed),
        }
    }

    /// The key as an unencrypted PKCS#8 `PRIVATE KEY` block.
    ///
    /// # Errors
    /// [`Error::KeyGeneration`] if the library cannot encode it.
    pub fn to_pem(&self) -> Result<Secret, Error> {
        let file = match &self.key {
            KeyPair::Ec(key) => {
                let der = key.to_pkcs8v1().map_err(|_| Error::KeyGeneration)?;
                pem::encode("PRIVATE KEY", der.as_ref())
            }
            KeyPair::Rsa(key) => {
                let der = key.as_der().map_err(|_| Error::KeyGeneration)?;
                pem::encode("PRIVATE KEY", der.as_ref())
            }
        };
        Ok(Secret::from(file.as_str().to_owned()))
    }

    /// The algorithm of this key's signatures.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// The id that kube-apiserver derives from the public key.
    #[must_use]
    pub fn key_id(&self) -> &KeyId {
        self.public.key_id()
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of `message`; ECDSA signatures are the two numbers of fixed width (RFC 7518
    /// section 3.4).
    ///
    /// # Errors
    /// [`Error::Signing`] if the library fails, which it does not for keys that were accepted.
    pub fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        // Both calls ignore the generator: aws-lc uses its own, seeded by the operating system.
        let random = SystemRandom::new();
        match &self.key {
            KeyPair::Ec(key) => {
                let signature = key.sign(&random, message).map_err(signing_failed)?;
                Ok(signature.as_ref().to_vec())
            }
            KeyPair::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(signing_failed)?;
                Ok(signature)
            }
        }
    }

    fn from_ec(curve: Curve, key: EcdsaKeyPair) -> Result<Self, Error> {
        let public = PublicKey::from_point(curve, key.public_key().as_ref())?;
        Ok(Self {
            key: KeyPair::Ec(key),
            public,
        })
    }

    fn from_rsa(key: rsa::KeyPair) -> Result<Self, Error> {
        let public = PublicKey::from_der(key.public_key().as_ref())?;
        Ok(Self {
            key: KeyPair::Rsa(key),
            public,
        })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("algorithm", &self.algorithm())
            .field("key_id", self.key_id())
            .finish_non_exhaustive()
    }
}

fn signing_failed(error: aws_lc_rs::error::Unspecified) -> Error {
    Error::Signing(Box::new(error))
}
