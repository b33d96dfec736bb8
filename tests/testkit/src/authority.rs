//! Certificates that a test makes.

use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

use crate::Credential;

/// A certificate authority. Everything it signs is valid from 2020 to 2060.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its private key.
#[derive(Clone)]
pub struct CertifiedKey {
    /// The certificate, in PEM.
    pub certificate: String,
    /// Its private key, in PEM.
    pub key: String,
    serial: u64,
}

impl Authority {
    /// An authority of this common name.
    ///
    /// # Panics
    ///
    /// If there are no random numbers.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut parameters = parameters(name, &[]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = parameters.self_signed(&key).expect("a key can sign");
        Self {
            pem: certificate.pem(),
            issuer: Issuer::new(parameters, key),
        }
    }

    /// Its own certificate, in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a server at 127.0.0.1.
    ///
    /// # Panics
    ///
    /// As [`Authority::new`].
    #[must_use]
    pub fn server(&self) -> CertifiedKey {
        let mut parameters = parameters("server", &[]);
        parameters.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(parameters)
    }

    /// A certificate for a client of this common name and these organizations.
    ///
    /// # Panics
    ///
    /// As [`Authority::new`].
    #[must_use]
    pub fn client(&self, name: &str, organizations: &[&str]) -> CertifiedKey {
        let mut parameters = parameters(name, organizations);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(parameters)
    }

    /// A list in PEM of certificates that are no longer good.
    ///
    /// # Panics
    ///
    /// As [`Authority::new`].
    #[must_use]
    pub fn revocation_list(&self, revoked: &[&CertifiedKey]) -> String {
        let revoked = revoked.iter().map(|certificate| RevokedCertParams {
            serial_number: SerialNumber::from(certificate.serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(2060, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signed = list.signed_by(&self.issuer).expect("an authority can sign");
        signed.pem().expect("a list can be written in PEM")
    }

    fn sign(&self, mut parameters: CertificateParams) -> CertifiedKey {
        static SERIALS: AtomicU64 = AtomicU64::new(1);
        let serial = SERIALS.fetch_add(1, Ordering::Relaxed);
        parameters.serial_number = Some(SerialNumber::from(serial));
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = parameters.signed_by(&key, &self.issuer);
        CertifiedKey {
            certificate: certificate.expect("an authority can sign").pem(),
            key: key.serialize_pem(),
            serial,
        }
    }
}

impl CertifiedKey {
    /// What a client shows with it.
    #[must_use]
    pub fn credential(&self) -> Credential {
        Credential::Certificate {
            certificates: self.certificate.clone().into_bytes(),
            key: self.key.clone().into_bytes(),
        }
    }
}

fn parameters(name: &str, organizations: &[&str]) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    for organization in organizations {
        parameters
            .distinguished_name
            .push(DnType::OrganizationName, *organization);
    }
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(2060, 1, 1);
    parameters
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::CertificateRevocationListDer;
    use rustls_pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn what_it_makes_is_pem() {
        let authority = Authority::new("test");
        let client = authority.client("jane", &["devs"]);
        assert!(matches!(
            client.credential(),
            Credential::Certificate { .. }
        ));
        let list = authority.revocation_list(&[&client]);
        CertificateRevocationListDer::from_pem_slice(list.as_bytes()).unwrap();
    }
}
