//! What is to be explained.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use burgee_authn::explain::certificates_from_pem;

use crate::failure::Failure;

/// The longest file that is read: longer than any token or chain.
const MAX_BYTES: u64 = 1024 * 1024;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// A credential, or the audit id of a refused request. `Debug` does not show credentials.
pub(super) enum Subject {
    AuditId(String),
    /// PEM blocks of certificates, and nothing else.
    Certificate(String),
    Token(String),
}

impl Subject {
    /// The certificates of a PEM file. Whatever else is in it stays here: people keep certificate and key
    /// in one file.
    pub(super) fn certificate(text: &str) -> Result<Self, Failure> {
        let pem = certificates_alone(text);
        if certificates_from_pem(&pem).is_empty() {
            return Err(Failure::Failed(anyhow!("there is no certificate in PEM")));
        }
        Ok(Self::Certificate(pem))
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuditId(id) => f.debug_tuple("AuditId").field(id).finish(),
            Self::Certificate(_) => f.write_str("Certificate(..)"),
            Self::Token(_) => f.write_str("Token(..)"),
        }
    }
}

pub(super) fn holds_certificate(text: &str) -> bool {
    text.contains(BEGIN)
}

pub(super) fn read_file(file: &Path) -> Result<String, Failure> {
    let read = || read(std::fs::File::open(file)?);
    Ok(read().with_context(|| format!("cannot read {}", file.display()))?)
}

pub(super) fn read_standard_input() -> Result<String, Failure> {
    Ok(read(io::stdin().lock()).context("cannot read standard input")?)
}

fn read(from: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        let problem = format!("it is longer than {MAX_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    // The bytes themselves may be secret, and the error of a conversion would hold them.
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text in UTF-8"))
}

fn certificates_alone(text: &str) -> String {
    let mut pem = String::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN)
        && let Some((body, next)) = after.split_once(END)
    {
        pem.push_str(BEGIN);
        pem.push_str(body);
        pem.push_str(END);
        pem.push('\n');
        rest = next;
    }
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_of_a_file_leave_it() {
        let key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n";
        let certificate = format!("{BEGIN}\nMIIB\n{END}\n");
        let file = format!("{key}subject: jane\n{certificate}{key}{certificate}");
        assert_eq!(certificates_alone(&file), certificate.repeat(2));
        assert_eq!(certificates_alone(&format!("{BEGIN}\nhunter2")), "");
    }

    #[test]
    fn what_is_read_is_bounded_and_text() {
        assert_eq!(read(&b"token\n"[..]).unwrap(), "token\n");
        assert!(read(io::repeat(b'a')).is_err());
        let error = read(&b"hunter2\xff"[..]).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn credentials_do_not_print() {
        let shown = format!("{:?}", Subject::Token("hunter2".into()));
        assert_eq!(shown, "Token(..)");
    }
}
