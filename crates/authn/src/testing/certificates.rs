//! Certificates and revocation lists made for a test.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// A certificate and the key that signs with it.
pub(crate) struct Authority {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) pem: String,
}

pub(crate) fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = rcgen::date_time_ymd(2025, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2030, 1, 1);
    parameters
}

pub(crate) fn authority_parameters(name: &str) -> CertificateParams {
    let mut parameters = parameters(name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters
}

pub(crate) fn client_parameters(name: &str) -> CertificateParams {
    let mut parameters = parameters(name);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters
}

pub(crate) fn self_signed(parameters: CertificateParams) -> Authority {
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    Authority {
        der: certificate.der().clone(),
        pem: certificate.pem(),
        issuer: issuer(parameters, key),
    }
}

/// Key usages bind verifiers, not this: tests need authorities that do what they may not.
fn issuer(mut parameters: CertificateParams, key: KeyPair) -> Issuer<'static, KeyPair> {
    parameters.key_usages.clear();
    Issuer::new(parameters, key)
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        self_signed(authority_parameters(name))
    }

    pub(crate) fn intermediate(&self, parameters: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Self {
            der: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: issuer(parameters, key),
        }
    }

    pub(crate) fn client(&self, parameters: CertificateParams) -> CertificateDer<'static> {
        self.intermediate(parameters).der
    }

    /// A revocation list, in PEM, with these certificates on it.
    pub(crate) fn revoking(&self, certificates: &[&CertificateDer<'_>]) -> String {
        self.revoking_until(certificates, (2030, 1, 1))
    }

    pub(crate) fn revoking_until(
        &self,
        certificates: &[&CertificateDer<'_>],
        (year, month, day): (i32, u8, u8),
    ) -> String {
        let revoked = |der: &&CertificateDer<'_>| {
            let (_, parsed) = X509Certificate::from_der(der).unwrap();
            RevokedCertParams {
                serial_number: SerialNumber::from_slice(parsed.raw_serial()),
                revocation_time: rcgen::date_time_ymd(2025, 2, 1),
                reason_code: None,
                invalidity_date: None,
            }
        };
        let list = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2025, 2, 1),
            next_update: rcgen::date_time_ymd(year, month, day),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: certificates.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}
