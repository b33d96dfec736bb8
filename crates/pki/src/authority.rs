//! The certificate authority of a data directory, and what it issues.

use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::UnixTime;

use crate::certificate::{Certificate, Key};
use crate::directory::{Access, Directory};
use crate::{Error, SubjectName};

/// How long the authority lives, as kubeadm's do.
pub(crate) const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// How long what it issues lives.
pub(crate) const LEAF_LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How far certificates begin in the past, for clients whose clocks are behind.
pub(crate) const BACKDATED: Duration = Duration::from_secs(5 * 60);

const CERTIFICATE: &str = "pki/ca.crt";
const KEY: &str = "pki/ca.key";

/// The certificate authority.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    /// Absent when an operator keeps it elsewhere; then nothing can be issued.
    key: Option<Key>,
    key_file: PathBuf,
}

/// What a certificate is issued for.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) common_name: &'static str,
    pub(crate) organization: Option<&'static str>,
    pub(crate) names: Vec<SubjectName>,
    pub(crate) usage: Usage,
}

/// Which end of a TLS connection presents a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Usage {
    Client,
    Server,
}

impl Authority {
    /// Reads the authority, or makes one where there is none.
    ///
    /// The key is written first. A key without a certificate is therefore a first start that was
    /// interrupted, and gets its certificate; a certificate without its key is never that.
    pub(crate) fn open_or_create(directory: &Directory, now: Timestamp) -> Result<Self, Error> {
        let key_file = directory.path(KEY);
        let file = directory.path(CERTIFICATE);
        let key = match directory.read(KEY, Access::Private)? {
            Some(pem) => Some(Key::from_pem(&key_file, pem)?),
            None => None,
        };
        if let Some(pem) = directory.read(CERTIFICATE, Access::Public)? {
            let certificate = Certificate::from_pem(&file, &pem)?;
            check(&certificate, key.as_ref(), now)?;
            return Ok(Self {
                certificate,
                key,
                key_file,
            });
        }
        let key = match key {
            Some(key) => key,
            None => {
                let key = Key::generate(key_file.clone())?;
                directory.create_file(KEY, &key.pem, Access::Private)?;
                key
            }
        };
        let pem = self_sign(&key, now).map_err(|source| Error::Issue {
            file: file.clone(),
            source,
        })?;
        directory.create_file(CERTIFICATE, pem.as_bytes(), Access::Public)?;
        tracing::info!(file = %file.display(), "made a certificate authority");
        Ok(Self {
            certificate: Certificate::from_pem(&file, pem.as_bytes())?,
            key: Some(key),
            key_file,
        })
    }

    /// Reads an authority again that was read before.
    pub(crate) fn open_again(
        directory: &Directory,
        known: &[u8],
        now: Timestamp,
    ) -> Result<Self, Error> {
        let found = directory.read(CERTIFICATE, Access::Public)?;
        if found.is_none_or(|pem| *pem != known) {
            return Err(Error::AuthorityChanged {
                file: directory.path(CERTIFICATE),
            });
        }
        Self::open_or_create(directory, now)
    }

    /// A certificate over `key`, to be written to `file`. It does not outlive the authority.
    pub(crate) fn issue(
        &self,
        profile: &Profile,
        key: &Key,
        file: PathBuf,
        now: Timestamp,
    ) -> Result<Certificate, Error> {
        let (Some(authority_key), Some(authority)) = (&self.key, self.certificate.chain.first())
        else {
            return Err(Error::AuthorityKeyMissing {
                key: self.key_file.clone(),
                certificate: file,
            });
        };
        let end = seconds(now)
            .saturating_add(LEAF_LIFE)
            .min(seconds(self.certificate.not_after));
        let issue = || {
            let issuer = Issuer::from_ca_cert_der(authority, &*authority_key.pair)?;
            let certificate = parameters(profile, now, end)?.signed_by(&*key.pair, &issuer)?;
            Ok(certificate.pem())
        };
        match issue() {
            Ok(pem) => Certificate::from_pem(&file, pem.as_bytes()),
            Err(source) => Err(Error::Issue { file, source }),
        }
    }

    /// Whether the authority's key signed `certificate` for this usage, and both are in their time.
    pub(crate) fn vouches_for(
        &self,
        certificate: &Certificate,
        usage: Usage,
        now: Timestamp,
    ) -> bool {
        let [authority, leaf] = [&self.certificate, certificate].map(|each| each.chain.first());
        let (Some(authority), Some(leaf)) = (authority, leaf) else {
            return false;
        };
        let usage = match usage {
            Usage::Client => webpki::KeyUsage::client_auth(),
            Usage::Server => webpki::KeyUsage::server_auth(),
        };
        let Ok(anchor) = webpki::anchor_from_trusted_cert(authority) else {
            return false;
        };
        webpki::EndEntityCert::try_from(leaf).is_ok_and(|leaf| {
            leaf.verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &[anchor],
                &[],
                UnixTime::since_unix_epoch(seconds(now)),
                usage,
                None,
                None,
            )
            .is_ok()
        })
    }
}

fn check(certificate: &Certificate, key: Option<&Key>, now: Timestamp) -> Result<(), Error> {
    let file = certificate.file.clone();
    if !certificate.is_authority {
        return Err(Error::AuthorityUnfit { file });
    }
    if let Some(key) = key {
        certificate.check_key(key)?;
    }
    if now >= certificate.not_after {
        return Err(Error::AuthorityExpired {
            file,
            expired: certificate.not_after,
        });
    }
    if now < certificate.not_before {
        return Err(Error::AuthorityNotYetValid {
            file,
            from: certificate.not_before,
        });
    }
    if seconds(certificate.not_after).saturating_sub(seconds(now)) < LEAF_LIFE {
        tracing::warn!(
            file = %file.display(),
            expires = %certificate.not_after,
            "the certificate authority expires within a year"
        );
    }
    Ok(())
}

fn self_sign(key: &Key, now: Timestamp) -> Result<String, rcgen::Error> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "burgee-ca");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    parameters.serial_number = Some(serial_number()?);
    set_validity(
        &mut parameters,
        now,
        seconds(now).saturating_add(AUTHORITY_LIFE),
    );
    Ok(parameters.self_signed(&*key.pair)?.pem())
}

fn parameters(
    profile: &Profile,
    now: Timestamp,
    end: Duration,
) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    if let Some(organization) = profile.organization {
        parameters
            .distinguished_name
            .push(DnType::OrganizationName, organization);
    }
    parameters
        .distinguished_name
        .push(DnType::CommonName, profile.common_name);
    for name in &profile.names {
        parameters.subject_alt_names.push(match name {
            SubjectName::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
            SubjectName::Ip(address) => SanType::IpAddress(*address),
        });
    }
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![match profile.usage {
        Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
    }];
    parameters.use_authority_key_identifier_extension = true;
    parameters.serial_number = Some(serial_number()?);
    set_validity(&mut parameters, now, end);
    Ok(parameters)
}

/// 128 random bits, encoded as a positive number (RFC 5280 section 4.1.2.2).
fn serial_number() -> Result<SerialNumber, rcgen::Error> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| rcgen::Error::RingUnspecified)?;
    Ok(SerialNumber::from_slice(&bytes))
}

/// Whole seconds since 1970; no certificate of ours is older.
fn seconds(time: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(time.as_second()).unwrap_or(0))
}

fn set_validity(parameters: &mut CertificateParams, now: Timestamp, end: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    parameters.not_before = epoch + seconds(now).saturating_sub(BACKDATED);
    parameters.not_after = epoch + end;
}
