//! Certificates and private keys as they stand in files.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rcgen::{KeyPair, PublicKeyData as _};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use crate::{Error, SubjectName};

/// A certificate, those that came with it in its file, and what is decided by.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// The file that it was read from or is written to.
    pub(crate) file: PathBuf,
    pub(crate) pem: Vec<u8>,
    /// The certificate itself, then the others in the file.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// Its subject alternative names, as far as they are DNS names or addresses.
    pub(crate) names: BTreeSet<SubjectName>,
    /// Whether it may sign certificates: its basic constraints say so and its key usage does not
    /// deny it.
    pub(crate) is_authority: bool,
    public_key: Vec<u8>,
}

impl Certificate {
    /// Reads the certificates in a PEM file; the first is the one that the others lead up from.
    pub(crate) fn from_pem(file: &Path, pem: &[u8]) -> Result<Self, Error> {
        Self::read(file, pem).ok_or_else(|| Error::CertificateMalformed {
            file: file.to_owned(),
        })
    }

    fn read(file: &Path, pem: &[u8]) -> Option<Self> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .ok()?;
        let (trailing, certificate) = X509Certificate::from_der(chain.first()?).ok()?;
        if !trailing.is_empty() {
            return None;
        }
        let constraints = certificate.basic_constraints().ok()?;
        let usage = certificate.key_usage().ok()?;
        let names = certificate
            .subject_alternative_name()
            .ok()?
            .into_iter()
            .flat_map(|extension| &extension.value.general_names)
            .filter_map(subject_name)
            .collect();
        Some(Self {
            file: file.to_owned(),
            pem: pem.to_owned(),
            not_before: timestamp(certificate.validity().not_before)?,
            not_after: timestamp(certificate.validity().not_after)?,
            names,
            is_authority: constraints.is_some_and(|extension| extension.value.ca)
                && usage.is_none_or(|extension| extension.value.key_cert_sign()),
            public_key: certificate.public_key().subject_public_key.data.to_vec(),
            chain,
        })
    }

    /// Whether less than a third of its life is left at `now`.
    pub(crate) fn ends_soon(&self, now: Timestamp) -> bool {
        let life = self.not_after.duration_since(self.not_before);
        self.not_after.duration_since(now) < life / 3
    }

    /// Refuses a key that is not this certificate's.
    pub(crate) fn check_key(&self, key: &Key) -> Result<(), Error> {
        if self.public_key == key.pair.der_bytes() {
            return Ok(());
        }
        Err(Error::KeyMismatch {
            key: key.file.clone(),
            certificate: self.file.clone(),
        })
    }
}

/// A private key. It is wiped from memory when dropped, and `Debug` shows the file alone.
pub(crate) struct Key {
    /// The file that it was read from or is written to.
    pub(crate) file: PathBuf,
    pub(crate) pem: Zeroizing<Vec<u8>>,
    pub(crate) pair: Zeroizing<KeyPair>,
}

impl Key {
    /// A new P-256 key for a file.
    pub(crate) fn generate(file: PathBuf) -> Result<Self, Error> {
        match KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256) {
            Ok(pair) => Ok(Self {
                file,
                pem: Zeroizing::new(pair.serialize_pem().into_bytes()),
                pair: Zeroizing::new(pair),
            }),
            Err(source) => Err(Error::Issue { file, source }),
        }
    }

    /// The first private key in a PEM file: PKCS#8, PKCS#1 or SEC 1.
    pub(crate) fn from_pem(file: &Path, pem: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        let malformed = || Error::KeyMalformed {
            file: file.to_owned(),
        };
        let der = Zeroizing::new(PrivateKeyDer::from_pem_slice(&pem).map_err(|_| malformed())?);
        let pair = KeyPair::try_from(&*der).map_err(|_| malformed())?;
        Ok(Self {
            file: file.to_owned(),
            pem,
            pair: Zeroizing::new(pair),
        })
    }

    /// The key as TLS libraries take it.
    pub(crate) fn der(&self) -> PrivateKeyDer<'static> {
        // A key that was read as PKCS#1 or SEC 1 keeps that form.
        PrivateKeyDer::from_pem_slice(&self.pem).unwrap_or_else(|_| {
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pair.serialize_der()))
        })
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

fn timestamp(time: x509_parser::time::ASN1Time) -> Option<Timestamp> {
    Timestamp::from_second(time.timestamp()).ok()
}

fn subject_name(name: &GeneralName<'_>) -> Option<SubjectName> {
    match name {
        GeneralName::DNSName(name) => name.parse().ok(),
        GeneralName::IPAddress(octets) => {
            let address = <[u8; 4]>::try_from(*octets)
                .map(IpAddr::from)
                .or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from));
            address.ok().map(SubjectName::Ip)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_key_shows_its_file_alone() {
        let key = Key::generate("some.key".into()).unwrap();
        assert_eq!(format!("{key:?}"), "Key { file: \"some.key\", .. }");
    }

    #[test]
    fn texts_without_a_certificate_or_key_are_malformed() {
        let key = Key::generate("some.key".into()).unwrap();
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in [b"".as_slice(), b"text", &key.pem, broken.as_bytes()] {
            let error = Certificate::from_pem(Path::new("a.crt"), pem).unwrap_err();
            assert!(matches!(error, Error::CertificateMalformed { .. }));
        }
        for pem in [
            "",
            "text",
            broken,
            &broken.replace("CERTIFICATE", "PRIVATE KEY"),
        ] {
            let pem = Zeroizing::new(pem.as_bytes().to_vec());
            let error = Key::from_pem(Path::new("a.key"), pem).unwrap_err();
            assert!(matches!(error, Error::KeyMalformed { .. }));
        }
    }
}
