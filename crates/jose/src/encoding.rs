//! The forms in which keys stand in files, told apart by content.
//!
//! kube-apiserver ignores a block's label and tries every form in turn. The forms differ in the
//! types of their first elements, so one look is enough.

use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::Error;
use crate::curve::Curve;
use crate::der::{
    BIT_STRING, CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE,
};

/// A key as found in DER. Private keys are only classified here; aws-lc reads the numbers.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum EncodedKey<'a> {
    EcPrivate(Curve),
    /// The point is uncompressed and has the curve's length.
    EcPublic(Curve, &'a [u8]),
    RsaPrivate {
        public: RsaNumbers<'a>,
        pkcs8: bool,
    },
    RsaPublic(RsaNumbers<'a>),
}

/// Modulus and exponent, big-endian without leading zeros.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct RsaNumbers<'a> {
    pub(crate) n: &'a [u8],
    pub(crate) e: &'a [u8],
}

impl RsaNumbers<'_> {
    /// The size of the key.
    pub(crate) fn modulus_bits(&self) -> usize {
        let unused = self.n.first().map_or(0, |byte| byte.leading_zeros());
        8 * self.n.len() - unused as usize
    }
}

impl<'a> EncodedKey<'a> {
    /// Reads PKCS#1, PKCS#8, SEC 1, `SubjectPublicKeyInfo` and certificates.
    ///
    /// # Errors
    /// [`Error::KeyUnsupported`] for well-formed keys of other kinds, else [`Error::KeyMalformed`].
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Error> {
        let mut key = Reader::sequence(der)?;
        let first = key.peek();
        key.skip()?;
        let second = key.peek();
        match (first, second) {
            (Some(INTEGER), Some(INTEGER)) => Self::read_pkcs1(der),
            (Some(INTEGER), Some(OCTET_STRING)) => Self::read_sec1(der),
            (Some(INTEGER), Some(SEQUENCE)) => Self::read_pkcs8(der),
            (Some(SEQUENCE), Some(BIT_STRING)) => Self::read_spki(der),
            (Some(SEQUENCE), Some(SEQUENCE)) => Self::read_certificate(der),
            _ => Err(Error::KeyMalformed),
        }
    }

    fn read_certificate(der: &'a [u8]) -> Result<Self, Error> {
        match X509Certificate::from_der(der) {
            Ok(([], certificate)) => Self::read_spki(certificate.tbs_certificate.subject_pki.raw),
            _ => Err(Error::KeyMalformed),
        }
    }

    /// RFC 8017 appendix A.1: a public key has two numbers, a private key a version and eight.
    fn read_pkcs1(der: &'a [u8]) -> Result<Self, Error> {
        let mut key = Reader::sequence(der)?;
        let first = key.read_unsigned()?;
        let second = key.read_unsigned()?;
        if key.peek().is_none() {
            return Ok(Self::RsaPublic(RsaNumbers {
                n: first,
                e: second,
            }));
        }
        if !first.is_empty() {
            return Err(Error::KeyUnsupported("multi-prime rsa"));
        }
        let public = RsaNumbers {
            n: second,
            e: key.read_unsigned()?,
        };
        for _ in 0..6 {
            key.read_unsigned()?;
        }
        key.finish()?;
        Ok(Self::RsaPrivate {
            public,
            pkcs8: false,
        })
    }

    /// RFC 5208, and RFC 5958 whose additions do not matter here.
    fn read_pkcs8(der: &'a [u8]) -> Result<Self, Error> {
        let mut key = Reader::sequence(der)?;
        key.skip()?;
        let algorithm = KeyAlgorithm::read(key.read(SEQUENCE)?)?;
        let inner = key.read(OCTET_STRING)?;
        match algorithm {
            KeyAlgorithm::Ec(curve) => Ok(Self::EcPrivate(curve)),
            KeyAlgorithm::Rsa { .. } => match Self::read_pkcs1(inner)? {
                Self::RsaPrivate { public, .. } => Ok(Self::RsaPrivate {
                    public,
                    pkcs8: true,
                }),
                _ => Err(Error::KeyMalformed),
            },
        }
    }

    /// RFC 5915; outside PKCS#8 the curve has to be named inside.
    fn read_sec1(der: &'a [u8]) -> Result<Self, Error> {
        let mut key = Reader::sequence(der)?;
        key.skip()?;
        key.read(OCTET_STRING)?;
        let mut parameters = Reader::new(key.read(CONTEXT_0)?);
        Ok(Self::EcPrivate(read_curve(&mut parameters)?))
    }

    /// RFC 5280 section 4.1 with RFC 3279 (RSA) and RFC 5480 (EC).
    fn read_spki(der: &'a [u8]) -> Result<Self, Error> {
        let mut key = Reader::sequence(der)?;
        let algorithm = KeyAlgorithm::read(key.read(SEQUENCE)?)?;
        let bits = key.read_bit_string()?;
        key.finish()?;
        match algorithm {
            KeyAlgorithm::Ec(curve) => {
                let uncompressed = bits.first() == Some(&4);
                if !uncompressed || bits.len() != 1 + 2 * curve.coordinate_len() {
                    return Err(Error::KeyMalformed);
                }
                Ok(Self::EcPublic(curve, bits))
            }
            KeyAlgorithm::Rsa { null: true } => match Self::read_pkcs1(bits)? {
                public @ Self::RsaPublic(_) => Ok(public),
                _ => Err(Error::KeyMalformed),
            },
            KeyAlgorithm::Rsa { null: false } => Err(Error::KeyMalformed),
        }
    }
}

/// What an `AlgorithmIdentifier` says about a key.
enum KeyAlgorithm {
    Ec(Curve),
    Rsa { null: bool },
}

impl KeyAlgorithm {
    fn read(identifier: &[u8]) -> Result<Self, Error> {
        let mut identifier = Reader::new(identifier);
        match identifier.read(OBJECT_IDENTIFIER)? {
            b"\x2a\x86\x48\xce\x3d\x02\x01" => Ok(Self::Ec(read_curve(&mut identifier)?)),
            b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" => {
                const NULL: u8 = 0x05;
                let null = identifier.read(NULL).is_ok_and(<[u8]>::is_empty);
                Ok(Self::Rsa { null })
            }
            b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a" => Err(Error::KeyUnsupported("rsassa-pss")),
            b"\x2a\x86\x48\xce\x38\x04\x01" => Err(Error::KeyUnsupported("dsa")),
            b"\x2b\x65\x6e" => Err(Error::KeyUnsupported("x25519")),
            b"\x2b\x65\x70" => Err(Error::KeyUnsupported("ed25519")),
            b"\x2b\x65\x71" => Err(Error::KeyUnsupported("ed448")),
            _ => Err(Error::KeyUnsupported("other")),
        }
    }
}

fn read_curve(parameters: &mut Reader<'_>) -> Result<Curve, Error> {
    if parameters.peek() == Some(SEQUENCE) {
        return Err(Error::KeyUnsupported("explicit-curve"));
    }
    match parameters.read(OBJECT_IDENTIFIER)? {
        b"\x2b\x81\x04\x00\x21" => Err(Error::KeyUnsupported("P-224")),
        b"\x2b\x81\x04\x00\x0a" => Err(Error::KeyUnsupported("secp256k1")),
        oid => Curve::from_object_identifier(oid).ok_or(Error::KeyUnsupported("other-curve")),
    }
}
