//! What can be wrong with a data directory.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// Why the identity in a data directory, or a certificate beside it, cannot be used.
///
/// Every variant names its file; [`Error::hint`] says what to do about it. None carries contents.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The authority was replaced or removed under a running server.
    #[error("certificate authority {} changed while it is in use", file.display())]
    AuthorityChanged {
        /// The authority's certificate.
        file: PathBuf,
    },

    /// The certificate authority's certificate has ended, and everything that it signed with it.
    #[error("certificate authority {} expired at {expired}", file.display())]
    AuthorityExpired {
        /// The authority's certificate.
        file: PathBuf,
        /// Its `notAfter`.
        expired: Timestamp,
    },

    /// A certificate has to be issued, but the authority's key is not there.
    #[error("key {} of the certificate authority is missing", key.display())]
    AuthorityKeyMissing {
        /// Where the key should be.
        key: PathBuf,
        /// What has to be issued with it.
        certificate: PathBuf,
    },

    /// The authority's certificate begins in the future.
    #[error("certificate authority {} is not valid before {from}", file.display())]
    AuthorityNotYetValid {
        /// The authority's certificate.
        file: PathBuf,
        /// Its `notBefore`.
        from: Timestamp,
    },

    /// The certificate in the authority's place may not sign certificates.
    #[error("{} is not a certificate authority", file.display())]
    AuthorityUnfit {
        /// The certificate.
        file: PathBuf,
    },

    /// A file has no certificate in PEM, or one that cannot be read.
    #[error("{} does not hold a readable certificate", file.display())]
    CertificateMalformed {
        /// The file.
        file: PathBuf,
    },

    /// Others than the owner may replace files in a directory that holds private keys.
    #[error("directory {} can be written by others (mode {mode:04o})", directory.display())]
    DirectoryWritable {
        /// The directory.
        directory: PathBuf,
        /// Its permission bits.
        mode: u32,
    },

    /// A file is longer than any that belongs here.
    #[error("{} is longer than {limit} bytes", file.display())]
    FileTooLarge {
        /// The file.
        file: PathBuf,
        /// The longest that is read, in bytes.
        limit: u64,
    },

    /// The operating system refused a read or a write.
    #[error("cannot {action} {}", file.display())]
    Io {
        /// What was tried, such as `read`.
        action: &'static str,
        /// The file or directory.
        file: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },

    /// A certificate could not be made, for want of randomness or because its authority's key signs
    /// with an algorithm that is not supported.
    #[error("cannot make certificate {}", file.display())]
    Issue {
        /// The certificate.
        file: PathBuf,
        /// What the library says.
        source: rcgen::Error,
    },

    /// Others than the owner may read or write a private key.
    #[error("private key {} is open to others (mode {mode:04o})", file.display())]
    KeyExposed {
        /// The private key.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },

    /// A file has no private key in PEM, or one that cannot be read.
    #[error("{} does not hold a readable private key", file.display())]
    KeyMalformed {
        /// The file.
        file: PathBuf,
    },

    /// A private key and the certificate beside it do not belong together.
    #[error("key {} does not belong to certificate {}", key.display(), certificate.display())]
    KeyMismatch {
        /// The private key.
        key: PathBuf,
        /// The certificate.
        certificate: PathBuf,
    },

    /// The service-account key cannot be made or used.
    #[error("cannot use service-account key {}", file.display())]
    ServiceAccountKey {
        /// The key file.
        file: PathBuf,
        /// What is wrong with it.
        source: burgee_jose::Error,
    },

    /// The service-account key is gone although its public half is still there.
    #[error("service-account key {} is missing", key.display())]
    ServiceAccountKeyMissing {
        /// Where the key should be.
        key: PathBuf,
        /// The public half.
        public_key: PathBuf,
    },

    /// Tokens signed now would be refused: the public file lacks the signing key's public half.
    #[error("{} does not hold the public half of {}", public_key.display(), key.display())]
    ServiceAccountKeyUnpublished {
        /// The signing key.
        key: PathBuf,
        /// The file of keys that verify.
        public_key: PathBuf,
    },
}

impl Error {
    /// What an operator can do about it, as a sentence or command; `None` where the cause says it all.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::AuthorityChanged { .. } => "restart the server to use the new one".to_owned(),
            Self::AuthorityExpired { file, .. } => format!(
                "move {} and its key away to start over with a new authority; every kubeconfig and \
                 client certificate then has to be handed out again",
                file.display()
            ),
            Self::AuthorityKeyMissing { key, certificate } => format!(
                "restore {} from a backup; it is needed to issue {}",
                key.display(),
                certificate.display()
            ),
            Self::AuthorityNotYetValid { .. } => "check this machine's clock".to_owned(),
            Self::AuthorityUnfit { file } => format!(
                "put a certificate with the CA constraint and its key there, or move {} away",
                file.display()
            ),
            Self::CertificateMalformed { file } | Self::KeyMalformed { file } => {
                format!("restore {} from a backup", file.display())
            }
            Self::DirectoryWritable { directory, .. } => {
                format!("run: chmod go-w {}", shell_word(directory))
            }
            Self::FileTooLarge { file, .. } => {
                format!("check what {} really is", file.display())
            }
            Self::KeyExposed { file, .. } => format!("run: chmod 600 {}", shell_word(file)),
            Self::KeyMismatch { key, certificate } => format!(
                "restore the pair {} and {} from the same backup",
                certificate.display(),
                key.display()
            ),
            Self::ServiceAccountKeyMissing { key, public_key } => format!(
                "restore {} from a backup, or move {} away to start over with a new key; tokens \
                 issued so far are then refused",
                key.display(),
                public_key.display()
            ),
            Self::ServiceAccountKeyUnpublished { public_key, .. } => format!(
                "append the key's public half to {}, or move that file away to have it written again",
                public_key.display()
            ),
            Self::Io { .. } | Self::Issue { .. } | Self::ServiceAccountKey { .. } => return None,
        };
        Some(hint)
    }

    pub(crate) fn io(action: &'static str, file: &Path) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Io {
            action,
            file,
            source,
        }
    }
}

/// A path as a shell reads it as one word, for commands that an operator may paste.
///
/// ```
/// use std::path::Path;
///
/// assert_eq!(burgee_pki::shell_word(Path::new("/var/lib/my data")), "'/var/lib/my data'");
/// ```
#[must_use]
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_can_be_pasted_into_a_shell() {
        assert_eq!(shell_word(Path::new("/var/lib/burgee")), "/var/lib/burgee");
        assert_eq!(shell_word(Path::new("/it's here")), r"'/it'\''s here'");
    }
}
