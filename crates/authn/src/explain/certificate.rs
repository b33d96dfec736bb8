//! What a client certificate says by itself.

use aws_lc_rs::digest::{SHA256, digest};
use burgee_identity::{Check, Reason};
use burgee_wire::Time;
use burgee_wire::explanation::{CertificateAnatomy, CheckOutcome, CredentialAnatomy, TimeAnatomy};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::conceal::cut;

/// How many certificates of a chain are shown.
const MAX_CERTIFICATES: usize = 16;
/// The longest subject or issuer that is shown, in characters.
const MAX_NAME: usize = 512;

/// The certificates among the PEM blocks of a text, in order. Other blocks, such as private keys, are
/// skipped; nothing if there is no certificate.
#[must_use]
pub fn certificates_from_pem(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map_while(Result::ok)
        .take(MAX_CERTIFICATES)
        .collect()
}

/// What a chain of certificates says by itself, seen from `now`; the client's own stands first. Nothing of
/// it is verified.
#[must_use]
pub fn certificate_anatomy(chain: &[CertificateDer<'_>], now: Timestamp) -> CredentialAnatomy {
    let length: usize = chain.iter().map(|certificate| certificate.len()).sum();
    let mut anatomy = CredentialAnatomy {
        kind: "Certificate".to_owned(),
        length: i64::try_from(length).unwrap_or(i64::MAX),
        ..CredentialAnatomy::default()
    };
    let mut checks = Vec::new();
    for (index, der) in chain.iter().take(MAX_CERTIFICATES).enumerate() {
        let name = if index == 0 {
            "form"
        } else {
            "form of an intermediate"
        };
        match X509Certificate::from_der(der) {
            Ok((_, certificate)) => {
                anatomy.certificates.push(describe(der, &certificate, now));
                checks.push(check_validity(index, &certificate, now));
                if index == 0 {
                    checks.push(check_usage(&certificate));
                    checks.push(check_subject(&certificate));
                }
            }
            Err(error) => {
                let detail = format!("certificate {}: {error}", index + 1);
                checks.push(Check::failed(name, Reason::CertificateMalformed, detail));
            }
        }
    }
    if chain.len() > 1
        && chain
            .iter()
            .skip(1)
            .any(|other| Some(other) == chain.first())
    {
        let remark = "The client's certificate stands in the chain more than once.";
        anatomy.remarks.push(remark.to_owned());
    }
    anatomy.checks = checks.into_iter().map(CheckOutcome::from).collect();
    anatomy
}

fn describe(der: &[u8], certificate: &X509Certificate<'_>, now: Timestamp) -> CertificateAnatomy {
    let (from, until) = span(certificate);
    let time = |name: &str, time: Timestamp| {
        let time = Time::from(time);
        TimeAnatomy {
            name: name.to_owned(),
            time,
            relative: time.seen_from(now),
        }
    };
    CertificateAnatomy {
        subject: cut(&certificate.subject().to_string(), MAX_NAME),
        issuer: cut(&certificate.issuer().to_string(), MAX_NAME),
        serial_number: hexadecimal(certificate.raw_serial()),
        fingerprint: hexadecimal(digest(&SHA256, der).as_ref()),
        usages: usages(certificate),
        authority: certificate.is_ca(),
        times: vec![time("notBefore", from), time("notAfter", until)],
    }
}

fn check_validity(index: usize, certificate: &X509Certificate<'_>, now: Timestamp) -> Check {
    let name = if index == 0 {
        "validity"
    } else {
        "validity of an intermediate"
    };
    let (from, until) = span(certificate);
    let begins = format!("begins {}", Time::from(from).seen_from(now));
    let ends = Time::from(until).seen_from(now);
    if now < from {
        return Check::failed(name, Reason::CertificateNotYetValid, begins);
    }
    if now > until {
        return Check::failed(name, Reason::CertificateExpired, format!("ended {ends}"));
    }
    Check::passed(name, format!("ends {ends}"))
}

fn check_usage(certificate: &X509Certificate<'_>) -> Check {
    match certificate.extended_key_usage() {
        Ok(None) => Check::passed("usage", "for anything"),
        Ok(Some(usage)) if usage.value.any || usage.value.client_auth => {
            Check::passed("usage", usages(certificate).join(", "))
        }
        Ok(Some(_)) => Check::failed(
            "usage",
            Reason::CertificateUsage,
            format!("only for {}", usages(certificate).join(", ")),
        ),
        Err(error) => Check::failed("usage", Reason::CertificateMalformed, error.to_string()),
    }
}

fn check_subject(certificate: &X509Certificate<'_>) -> Check {
    let name = certificate.subject().iter_common_name().last();
    match name.map(|name| name.as_str()) {
        Some(Ok(name)) if !name.is_empty() => Check::passed("subject", cut(name, MAX_NAME)),
        _ => Check::failed(
            "subject",
            Reason::CertificateNameless,
            "there is no common name",
        ),
    }
}

fn usages(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(usage)) = certificate.extended_key_usage() else {
        return Vec::new();
    };
    let usage = usage.value;
    let known = [
        (usage.any, "anything"),
        (usage.client_auth, "client authentication"),
        (usage.code_signing, "code signing"),
        (usage.email_protection, "e-mail protection"),
        (usage.ocsp_signing, "OCSP signing"),
        (usage.server_auth, "server authentication"),
        (usage.time_stamping, "time stamping"),
    ];
    let known = known.into_iter().filter(|(is_set, _)| *is_set);
    let other = usage.other.iter().take(8).map(ToString::to_string);
    known
        .map(|(_, name)| name.to_owned())
        .chain(other)
        .collect()
}

fn span(certificate: &X509Certificate<'_>) -> (Timestamp, Timestamp) {
    let validity = certificate.validity();
    let instant = |seconds, beyond| Timestamp::from_second(seconds).unwrap_or(beyond);
    (
        instant(validity.not_before.timestamp(), Timestamp::MIN),
        instant(validity.not_after.timestamp(), Timestamp::MAX),
    )
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    // A serial number has 20 bytes at most (RFC 5280 section 4.1.2.2), a digest 32.
    bytes.iter().take(32).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> rcgen::Certificate {
        let mut params = CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 1, 2);
        params.distinguished_name.push(DnType::CommonName, "jane");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "devs");
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn failures(anatomy: &CredentialAnatomy) -> Vec<&str> {
        let failed = anatomy
            .checks
            .iter()
            .filter(|check| check.result == "Failed");
        failed.map(|check| check.reason.as_str()).collect()
    }

    #[test]
    fn a_certificate_is_taken_apart() {
        let certificate = certificate(|params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        let pem = format!(
            "{}{}",
            KeyPair::generate().unwrap().serialize_pem(),
            certificate.pem()
        );
        let chain = certificates_from_pem(&pem);
        assert_eq!(chain.len(), 1);
        let says = certificate_anatomy(&chain, at("2026-01-01T12:00:00Z"));
        assert_eq!(says.kind, "Certificate");
        assert_eq!(failures(&says), Vec::<&str>::new());
        let [one] = says.certificates.as_slice() else {
            panic!("{says:?}")
        };
        assert!(one.subject.contains("CN=jane") && one.subject.contains("O=devs"));
        assert_eq!(one.usages, ["client authentication"]);
        assert_eq!(one.fingerprint.len(), 64);
        assert_eq!(one.times[1].relative, "in 12h");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let leaf = certificate(|params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.distinguished_name = rcgen::DistinguishedName::new();
        });
        let other = certificate(|_| {});
        let chain = [
            leaf.der().clone(),
            other.der().clone(),
            CertificateDer::from(vec![1]),
        ];
        let says = certificate_anatomy(&chain, at("2026-01-03T00:00:00Z"));
        assert_eq!(
            failures(&says),
            [
                "certificate.expired",
                "certificate.usage",
                "certificate.nameless",
                "certificate.expired",
                "certificate.malformed",
            ]
        );
        let early = certificate_anatomy(&chain, at("2025-12-31T00:00:00Z"));
        assert_eq!(failures(&early)[0], "certificate.not-yet-valid");
    }

    #[test]
    fn text_without_certificates_has_none() {
        assert!(certificates_from_pem("").is_empty());
        assert!(
            certificates_from_pem("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
                .is_empty()
        );
        assert_eq!(
            certificate_anatomy(&[], Timestamp::MIN).certificates.len(),
            0
        );
    }
}
