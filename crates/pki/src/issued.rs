//! A key and the certificate that the data directory's authority issued for it.

use std::fmt;

use jiff::Timestamp;

use crate::authority::{Authority, Profile};
use crate::certificate::{Certificate, Key};
use crate::directory::{Access, Directory};
use crate::{Error, SubjectName};

/// A key with a certificate that is good at least for a while.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) certificate: Certificate,
    pub(crate) key: Key,
}

/// Why a certificate is issued again.
#[derive(Debug, Eq, PartialEq)]
enum Due {
    /// It has ended, or less than a third of its life is left.
    EndsSoon,
    /// It does not name something that the server is reached by.
    NameMissing(SubjectName),
    /// The clock was set back to before it begins.
    NotYetValid,
    /// The authority did not sign it, or not for this usage.
    OtherAuthority,
}

impl Issued {
    /// Reads `NAME.key` and `NAME.crt`, makes them where they are missing, and issues the certificate
    /// again, for the same key, when it is due.
    ///
    /// A renewal thus changes one file, in one step, and no moment exists in which key and certificate
    /// do not belong together. A new key is written only while there is no certificate.
    pub(crate) fn open_or_issue(
        directory: &Directory,
        name: &str,
        authority: &Authority,
        profile: &Profile,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let key_name = format!("pki/{name}.key");
        let certificate_name = format!("pki/{name}.crt");
        let file = directory.path(&certificate_name);

        let certificate = match directory.read(&certificate_name, Access::Public)? {
            Some(pem) => Some(Certificate::from_pem(&file, &pem)?),
            None => None,
        };
        let (key, certificate) = match (directory.read(&key_name, Access::Private)?, certificate) {
            (Some(pem), certificate) => {
                (Key::from_pem(&directory.path(&key_name), pem)?, certificate)
            }
            (None, stale) => {
                if stale.is_some() {
                    directory.remove_file(&certificate_name)?;
                }
                let key = Key::generate(directory.path(&key_name))?;
                directory.create_file(&key_name, &key.pem, Access::Private)?;
                (key, None)
            }
        };
        if let Some(certificate) = certificate {
            certificate.check_key(&key)?;
            let Some(reason) = due(&certificate, authority, profile, now) else {
                return Ok(Self { certificate, key });
            };
            tracing::info!(file = %file.display(), %reason, "renewing a certificate");
        }
        let certificate = authority.issue(profile, &key, file, now)?;
        directory.replace_file(&certificate_name, &certificate.pem, Access::Public)?;
        Ok(Self { certificate, key })
    }
}

fn due(
    certificate: &Certificate,
    authority: &Authority,
    profile: &Profile,
    now: Timestamp,
) -> Option<Due> {
    if now < certificate.not_before {
        return Some(Due::NotYetValid);
    }
    if certificate.ends_soon(now) {
        return Some(Due::EndsSoon);
    }
    if !authority.vouches_for(certificate, profile.usage, now) {
        return Some(Due::OtherAuthority);
    }
    let is_missing = |name: &&SubjectName| !certificate.names.contains(name);
    let missing = profile.names.iter().find(is_missing)?;
    Some(Due::NameMissing(missing.clone()))
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndsSoon => f.write_str("less than a third of its life is left"),
            Self::NameMissing(name) => write!(f, "it does not name {name}"),
            Self::NotYetValid => f.write_str("it is not valid yet"),
            Self::OtherAuthority => f.write_str("the authority did not sign it"),
        }
    }
}
