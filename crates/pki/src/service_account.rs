//! The key that signs service-account tokens.

use std::path::PathBuf;

use burgee_jose::{Algorithm, PrivateKey, PublicKey};

use crate::Error;
use crate::directory::{Access, Directory};

const KEY: &str = "pki/sa.key";
const PUBLIC_KEY: &str = "pki/sa.pub";

/// Where the key is that signs service-account tokens, and the keys that verify them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceAccountKeyFiles {
    /// The private key in PEM, for `--service-account-signing-key-file`.
    pub signing: PathBuf,
    /// Its public half in PEM, and whatever keys an operator appended whose tokens are still to be
    /// accepted, for `--service-account-key-file`.
    pub verification: PathBuf,
}

/// Checks the key, or makes a new one for ES256 where there is none. It is never replaced.
///
/// The private key is written first, so that the public file without it is no interrupted first
/// start but a key that got lost.
pub(crate) fn open_or_create(directory: &Directory) -> Result<ServiceAccountKeyFiles, Error> {
    let files = ServiceAccountKeyFiles {
        signing: directory.path(KEY),
        verification: directory.path(PUBLIC_KEY),
    };
    let unusable = |source| Error::ServiceAccountKey {
        file: files.signing.clone(),
        source,
    };
    let published = directory.read(PUBLIC_KEY, Access::Public)?;
    let key = match directory.read(KEY, Access::Private)? {
        Some(pem) => PrivateKey::from_pem(&pem).map_err(unusable)?,
        None if published.is_some() => {
            return Err(Error::ServiceAccountKeyMissing {
                key: files.signing,
                public_key: files.verification,
            });
        }
        None => {
            let key = PrivateKey::generate(Algorithm::Es256).map_err(unusable)?;
            let pem = key.to_pem().map_err(unusable)?;
            directory.create_file(KEY, pem.expose().as_bytes(), Access::Private)?;
            key
        }
    };
    match published {
        None => {
            let pem = key.public_key().to_pem();
            directory.create_file(PUBLIC_KEY, pem.as_bytes(), Access::Public)?;
        }
        Some(pem) => {
            let keys =
                PublicKey::all_from_pem(&pem).map_err(|source| Error::ServiceAccountKey {
                    file: files.verification.clone(),
                    source,
                })?;
            let own = key.public_key().spki_der();
            if !keys.iter().any(|each| each.spki_der() == own) {
                return Err(Error::ServiceAccountKeyUnpublished {
                    key: files.signing,
                    public_key: files.verification,
                });
            }
        }
    }
    Ok(files)
}
