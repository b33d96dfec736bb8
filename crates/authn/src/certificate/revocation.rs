//! Certificates that their authorities took back.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use webpki::{ALL_VERIFICATION_ALGS, CertRevocationList, EndEntityCert, OwnedCertRevocationList};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::Error;

/// The revocation lists (RFC 5280 section 5) of a PEM file: any number, of any authorities.
///
/// A list counts for an authority when it carries its name and its signature. All of one authority's
/// lists count together; one that is older than its own next update still counts, because what was
/// taken back does not come back by itself. An authority without a list has taken nothing back.
#[derive(Debug)]
pub(crate) struct RevocationLists {
    name: String,
    lists: Vec<RevocationList>,
}

struct RevocationList {
    /// The list as a set of serial numbers.
    serials: CertRevocationList<'static>,
    issuer: Vec<u8>,
    /// Which of several keys of that name signs.
    authority_key: Option<Vec<u8>>,
    signed: Vec<u8>,
    signature: Vec<u8>,
    /// The authority's certificate that verified the signature: a long list is hashed once, not with each
    /// connection.
    verified_by: OnceLock<CertificateDer<'static>>,
    next_update: Timestamp,
    warned: AtomicBool,
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevocationList(until {})", self.next_update)
    }
}

impl RevocationLists {
    /// Reads PEM. `name` stands in messages only.
    pub(crate) fn parse(name: &str, pem: &[u8]) -> Result<Self, Error> {
        let invalid = |problem: String| Error::RevocationListsInvalid {
            name: name.to_owned(),
            problem,
        };
        let lists = CertificateRevocationListDer::pem_slice_iter(pem)
            .map(|der| {
                let der = der.map_err(|error| error.to_string())?;
                RevocationList::parse(&der)
            })
            .collect::<Result<Vec<_>, String>>()
            .map_err(invalid)?;
        if lists.is_empty() {
            return Err(invalid("data does not contain any X509 CRL".to_owned()));
        }
        Ok(Self {
            name: name.to_owned(),
            lists,
        })
    }

    /// Says once of each list that it should have been replaced by now.
    pub(crate) fn warn_of_old_ones(&self, now: Timestamp) {
        for list in self.lists.iter().filter(|list| list.next_update <= now) {
            if !list.warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    file = self.name,
                    next_update = %list.next_update,
                    "a revocation list is out of date and is used all the same"
                );
            }
        }
    }

    /// Whether `issuer`, whose signature on `certificate` has been checked, took it back. A list that
    /// is the issuer's by name and key identifier but not by signature refuses everything: it may
    /// have been tampered with.
    pub(crate) fn check(
        &self,
        certificate: &X509Certificate<'_>,
        issuer: &CertificateDer<'_>,
        now: Timestamp,
    ) -> Result<(), webpki::Error> {
        let name = certificate.issuer().as_raw();
        let mut lists = self
            .lists
            .iter()
            .filter(|list| list.issuer == name)
            .peekable();
        if lists.peek().is_none() {
            return Ok(());
        }
        let (_, parsed) = X509Certificate::from_der(issuer).map_err(|_| webpki::Error::BadDer)?;
        let key = parsed.iter_extensions().find_map(subject_key);
        let signer = EndEntityCert::try_from(issuer)?;
        let serial = certificate.tbs_certificate.raw_serial();
        for list in lists {
            if let (Some(expected), Some(key)) = (&list.authority_key, &key)
                && expected != key
            {
                continue;
            }
            list.verify(issuer, &signer)?;
            if list.serials.find_serial(serial)?.is_some() {
                return Err(webpki::Error::CertRevoked);
            }
        }
        self.warn_of_old_ones(now);
        Ok(())
    }
}

impl RevocationList {
    fn parse(der: &[u8]) -> Result<Self, String> {
        let (_, parsed) = CertificateRevocationList::from_der(der)
            .map_err(|error| format!("x509: malformed revocation list: {error}"))?;
        if parsed.version().is_none() {
            return Err("x509: version 1 revocation lists are not supported".to_owned());
        }
        // webpki refuses what could be misunderstood: delta and indirect lists, unknown critical
        // extensions. It does not give the parts back, though.
        let serials = OwnedCertRevocationList::from_der(der)
            .map_err(|error| format!("x509: unusable revocation list: {error}"))?;
        let next_update = parsed.next_update().map(|time| time.timestamp());
        let next_update = next_update.and_then(|seconds| Timestamp::from_second(seconds).ok());
        Ok(Self {
            serials: serials.into(),
            issuer: parsed.issuer().as_raw().to_vec(),
            authority_key: parsed.extensions().iter().find_map(authority_key),
            signed: parsed.tbs_cert_list.as_ref().to_vec(),
            signature: parsed.signature_value.data.to_vec(),
            verified_by: OnceLock::new(),
            next_update: next_update.unwrap_or(Timestamp::MAX),
            warned: AtomicBool::new(false),
        })
    }

    /// Any algorithm that would do for a certificate does for a list. The issuer's key usage is not
    /// asked for `cRLSign`: kubeadm's authorities lack it, and a list can only take away.
    fn verify(
        &self,
        issuer: &CertificateDer<'_>,
        signer: &EndEntityCert<'_>,
    ) -> Result<(), webpki::Error> {
        if self.verified_by.get().is_some_and(|known| known == issuer) {
            return Ok(());
        }
        let verified = ALL_VERIFICATION_ALGS.iter().any(|algorithm| {
            let verified = signer.verify_signature(*algorithm, &self.signed, &self.signature);
            verified.is_ok()
        });
        if verified {
            // Another certificate of the same authority may have been quicker; one is enough.
            let _ = self.verified_by.set(issuer.clone().into_owned());
            Ok(())
        } else {
            Err(webpki::Error::InvalidCrlSignatureForPublicKey)
        }
    }
}

fn subject_key(extension: &X509Extension<'_>) -> Option<Vec<u8>> {
    match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    }
}

fn authority_key(extension: &X509Extension<'_>) -> Option<Vec<u8>> {
    match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => {
            id.key_identifier.as_ref().map(|id| id.0.to_vec())
        }
        _ => None,
    }
}
