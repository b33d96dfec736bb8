//! The certificates that clients' chains must end at.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::time::Validity;
use crate::Error;

/// How many characters a line of PEM has (RFC 7468 section 2).
const PEM_LINE: usize = 64;

/// A parsed CA bundle.
#[derive(Debug)]
pub(crate) struct CaBundle {
    /// Who may sign. Same order as `signers`.
    pub(crate) anchors: Vec<TrustAnchor<'static>>,
    signers: Vec<Signer>,
    /// Every certificate of the bundle: each is trusted as it stands, also one that may not sign.
    certificates: Vec<CertificateDer<'static>>,
}

/// What a trust anchor does not say of itself.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) validity: Validity,
    pub(crate) certificate: CertificateDer<'static>,
}

impl CaBundle {
    /// Reads PEM. `name` stands in messages only.
    pub(crate) fn parse(name: &str, pem: &[u8]) -> Result<Self, Error> {
        if pem.is_empty() {
            return Err(Error::CaBundleEmpty {
                name: name.to_owned(),
            });
        }
        let invalid = |problem: String| Error::CaBundleInvalid {
            name: name.to_owned(),
            problem,
        };
        let mut bundle = Self {
            anchors: Vec::new(),
            signers: Vec::new(),
            certificates: Vec::new(),
        };
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let der = certificate.map_err(|error| invalid(error.to_string()))?;
            let (_, parsed) = X509Certificate::from_der(&der)
                .map_err(|error| invalid(format!("x509: malformed certificate: {error}")))?;
            if may_sign(&parsed) {
                let anchor = webpki::anchor_from_trusted_cert(&der)
                    .map_err(|error| invalid(format!("x509: malformed certificate: {error}")))?;
                bundle.anchors.push(anchor.to_owned());
                bundle.signers.push(Signer {
                    validity: Validity::of(&parsed),
                    certificate: der.clone().into_owned(),
                });
            }
            bundle.certificates.push(der.clone());
        }
        if bundle.certificates.is_empty() {
            return Err(invalid(
                "data does not contain any valid RSA or ECDSA certificates".to_owned(),
            ));
        }
        Ok(bundle)
    }

    /// Whether `certificate` itself stands in the bundle.
    pub(crate) fn contains(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.contains(certificate)
    }

    /// Whether the two have a certificate in common.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.certificates.iter().any(|own| other.contains(own))
    }

    /// The certificate behind an anchor of this bundle. `anchor` must be one of
    /// [`CaBundle::anchors`] itself, not an equal one: a renewed CA differs in nothing but time.
    pub(crate) fn signer(&self, anchor: &TrustAnchor<'_>) -> Option<&Signer> {
        let position = self
            .anchors
            .iter()
            .position(|own| std::ptr::addr_eq(std::ptr::from_ref(own), std::ptr::from_ref(anchor)));
        self.signers.get(position?)
    }

    /// The certificates in PEM, each once, and nothing else that the file held: people keep a certificate
    /// and its key in one file.
    pub(crate) fn to_pem(&self) -> String {
        let mut pem = String::new();
        for (position, certificate) in self.certificates.iter().enumerate() {
            let mut earlier = self.certificates.iter().take(position);
            if earlier.any(|earlier| earlier == certificate) {
                continue;
            }
            pem.push_str("-----BEGIN CERTIFICATE-----\n");
            let mut base64 = STANDARD.encode(certificate);
            while !base64.is_empty() {
                let rest = base64.split_off(base64.len().min(PEM_LINE));
                pem.push_str(&base64);
                pem.push('\n');
                base64 = rest;
            }
            pem.push_str("-----END CERTIFICATE-----\n");
        }
        pem
    }

    /// The subjects of all certificates, in DER, for the TLS CertificateRequest.
    pub(crate) fn subjects(&self) -> Vec<Vec<u8>> {
        let parsed = self
            .certificates
            .iter()
            .filter_map(|der| X509Certificate::from_der(der).ok());
        parsed
            .map(|(_, certificate)| certificate.subject().as_raw().to_vec())
            .collect()
    }
}

/// Whether a certificate may sign others, by the rules of Go's verifier: version 3 needs the CA mark,
/// and a key usage must allow it if there is one.
pub(crate) fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    let marked = match certificate.basic_constraints() {
        Ok(Some(constraints)) => constraints.value.ca,
        Ok(None) => certificate.version() != x509_parser::x509::X509Version::V3,
        Err(_) => false,
    };
    let allowed = match certificate.key_usage() {
        Ok(Some(usage)) => usage.value.key_cert_sign(),
        Ok(None) => true,
        Err(_) => false,
    };
    marked && allowed
}
