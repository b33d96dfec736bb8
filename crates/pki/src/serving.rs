//! What a server shows of itself in TLS.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::Error;
use crate::certificate::{Certificate, Key};
use crate::directory::{Access, read_elsewhere};
use crate::issued::Issued;

/// Where the serving certificate comes from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum ServingSource {
    /// The data directory's authority issues it.
    #[default]
    Issued,
    /// Somebody else looks after it (`--tls-cert-file`, `--tls-private-key-file`). The key may be
    /// readable by its group.
    Files {
        /// The certificate in PEM, then those that lead up to its root.
        certificates: PathBuf,
        /// The private key in PEM: PKCS#8, PKCS#1 or SEC 1.
        key: PathBuf,
    },
}

/// The certificate chain and private key that a TLS server presents.
#[derive(Debug, Eq, PartialEq)]
pub struct ServingMaterial {
    /// The server's own certificate first. The root is not among them unless a file says so.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The key of the first certificate. Its `Debug` form does not show it.
    pub key: PrivateKeyDer<'static>,
}

impl ServingMaterial {
    pub(crate) fn from_issued(issued: &Issued) -> Self {
        Self {
            certificates: issued.certificate.chain.clone(),
            key: issued.key.der(),
        }
    }

    /// Reads a key and its certificates, and returns the certificates' PEM as well.
    ///
    /// Times are not judged: whoever looks after the files may be about to replace them. They are
    /// warned about.
    pub(crate) fn from_files(
        certificates: &Path,
        key: &Path,
        now: Timestamp,
    ) -> Result<(Self, Vec<u8>), Error> {
        let pem = read_elsewhere(certificates, Access::Public)?;
        let certificate = Certificate::from_pem(certificates, &pem)?;
        let key = Key::from_pem(key, read_elsewhere(key, Access::Private)?)?;
        certificate.check_key(&key)?;
        if now < certificate.not_before || now >= certificate.not_after {
            tracing::warn!(
                file = %certificates.display(),
                not_before = %certificate.not_before,
                not_after = %certificate.not_after,
                "the serving certificate is not valid now"
            );
        }
        let material = Self {
            certificates: certificate.chain,
            key: key.der(),
        };
        Ok((material, certificate.pem))
    }
}

impl Clone for ServingMaterial {
    fn clone(&self) -> Self {
        Self {
            certificates: self.certificates.clone(),
            key: self.key.clone_key(),
        }
    }
}
