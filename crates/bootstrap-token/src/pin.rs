//! Pins of the public keys of authorities, and the certificates that they are made of.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::Error;

const FORMAT: &str = "sha256";
const HASH_LEN: usize = 32;

/// SHA-256 of nothing.
const EMPTY_HASH: [u8; HASH_LEN] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// The SHA-256 of a certificate's `SubjectPublicKeyInfo` (RFC 7469 section 2.4), written
/// `sha256:HEX`: the value of `--discovery-token-ca-cert-hash`.
///
/// It outlives the certificate as long as the key stays. Case does not count when reading; it is
/// written in lower case.
///
/// ```
/// use burgee_bootstrap_token::CaPin;
///
/// let pin: CaPin =
///     "SHA256:2A5EEED5CF4D25C003263C4900615D1752B587907CB7BB965BC931B3D7DB0A71".parse()?;
/// assert!(pin.to_string().starts_with("sha256:2a5eeed5"));
/// assert!("md5:00".parse::<CaPin>().is_err());
/// # Ok::<(), burgee_bootstrap_token::Error>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CaPin([u8; HASH_LEN]);

impl CaPin {
    /// The pin of a public key in DER.
    #[must_use]
    pub fn of_spki(spki: &[u8]) -> Self {
        let mut hash = [0; HASH_LEN];
        let made = digest::digest(&digest::SHA256, spki);
        hash.iter_mut()
            .zip(made.as_ref())
            .for_each(|(to, from)| *to = *from);
        Self(hash)
    }
}

impl FromStr for CaPin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (format, hex) = text
            .split_once(':')
            .filter(|(_, hex)| !hex.contains(':'))
            .ok_or(Error::PinMalformed)?;
        if !format.eq_ignore_ascii_case(FORMAT) {
            return Err(Error::PinUnknownFormat(format.to_owned()));
        }
        let found = hex.len() / 2;
        if found != HASH_LEN {
            let pin = text.to_owned();
            return Err(Error::PinLength { pin, found });
        }
        let hash = decode_hex(hex).ok_or_else(|| Error::PinNotHex(text.to_owned()))?;
        if hash == EMPTY_HASH {
            return Err(Error::PinEmpty);
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORMAT}:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaPin({self})")
    }
}

/// A certificate of a bundle, and the pin of its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PinnableCertificate {
    der: Vec<u8>,
    pin: CaPin,
}

impl PinnableCertificate {
    /// Reads a certificate in DER. Its signature and dates are not looked at.
    ///
    /// # Errors
    /// [`Error::CertificateMalformed`].
    pub fn from_der(der: Vec<u8>) -> Result<Self, Error> {
        let pin = match X509Certificate::from_der(&der) {
            Ok(([], certificate)) => CaPin::of_spki(certificate.public_key().raw),
            _ => return Err(Error::CertificateMalformed(1)),
        };
        Ok(Self { der, pin })
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The pin of its key.
    #[must_use]
    pub fn pin(&self) -> CaPin {
        self.pin
    }
}

/// The authorities of a cluster: the certificates of a PEM file, at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateBundle(Vec<PinnableCertificate>);

impl CertificateBundle {
    /// The longest file that is read, in bytes: what a ConfigMap can hold.
    pub const MAX_LEN: usize = 1 << 20;

    /// Reads a PEM file. Text between blocks, blocks of other kinds, blocks with header lines and
    /// blocks whose frame or base64 is broken are stepped over.
    ///
    /// # Errors
    /// [`Error::CertificatesTooLong`], [`Error::CertificateMalformed`] if a `CERTIFICATE` holds
    /// something else, [`Error::CertificatesAbsent`] if there is none.
    pub fn from_pem(file: &[u8]) -> Result<Self, Error> {
        if file.len() > Self::MAX_LEN {
            let limit = Self::MAX_LEN;
            return Err(Error::CertificatesTooLong { limit });
        }
        let mut certificates = Vec::new();
        for der in certificate_blocks(file) {
            let position = certificates.len() + 1;
            let certificate = PinnableCertificate::from_der(der)
                .map_err(|_| Error::CertificateMalformed(position))?;
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return Err(Error::CertificatesAbsent);
        }
        Ok(Self(certificates))
    }

    /// The certificates, in the order of the file.
    #[must_use]
    pub fn certificates(&self) -> &[PinnableCertificate] {
        &self.0
    }

    /// The certificates whose keys are pinned, and no others.
    ///
    /// Only these may be trusted. Upstream trusts the whole bundle as soon as one key in it is pinned,
    /// so that an attacker who knows the token can add an authority of his own.
    ///
    /// # Errors
    /// [`Error::NonePinned`].
    pub fn pinned_by(self, pins: &[CaPin]) -> Result<Self, Error> {
        let found: Vec<_> = self.0.iter().map(PinnableCertificate::pin).collect();
        let mut certificates = self.0;
        certificates.retain(|certificate| pins.contains(&certificate.pin));
        if certificates.is_empty() {
            return Err(Error::NonePinned(found));
        }
        Ok(Self(certificates))
    }
}

/// The content of each whole `CERTIFICATE` block without header lines.
fn certificate_blocks(file: &[u8]) -> Vec<Vec<u8>> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    const END: &[u8] = b"-----END CERTIFICATE-----";
    let mut blocks = Vec::new();
    // The base64 of the block that is open.
    let mut open: Option<Vec<u8>> = None;
    for line in file.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii_end();
        if line == BEGIN {
            open = Some(Vec::new());
        } else if line == END {
            let base64 = open.take();
            blocks.extend(base64.and_then(|base64| STANDARD.decode(base64).ok()));
        } else if line.starts_with(b"-----") || line.contains(&b':') {
            open = None;
        } else if let Some(base64) = &mut open {
            base64.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }
    blocks
}

fn decode_hex(hex: &str) -> Option<[u8; HASH_LEN]> {
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let nibble = |byte: u8| char::from(byte).to_digit(16);
    let mut hash = [0; HASH_LEN];
    for (to, [high, low]) in hash.iter_mut().zip(pairs) {
        *to = u8::try_from(nibble(*high)? * 16 + nibble(*low)?).ok()?;
    }
    (pairs.len() == HASH_LEN).then_some(hash)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::AUTHORITY;

    const PIN: &str = "sha256:2a5eeed5cf4d25c003263c4900615d1752b587907cb7bb965bc931b3d7db0a71";

    fn parse(text: &str) -> Result<CaPin, String> {
        text.parse().map_err(|error: Error| error.to_string())
    }

    fn bundle(file: &str) -> Result<CertificateBundle, Error> {
        CertificateBundle::from_pem(file.as_bytes())
    }

    #[test]
    fn the_pin_of_a_certificate_is_that_of_its_key() {
        let bundle = bundle(AUTHORITY).unwrap();
        let [certificate] = bundle.certificates() else {
            panic!("one certificate")
        };
        assert_eq!(certificate.pin().to_string(), PIN);
        assert_eq!(certificate.pin(), PIN.parse().unwrap());
    }

    #[test]
    fn case_does_not_count() {
        assert_eq!(parse(&PIN.to_uppercase()).unwrap().to_string(), PIN);
    }

    #[test]
    fn what_is_no_pin_is_refused_in_upstreams_words() {
        let known = "Known format(s) are: sha256";
        for text in [
            "",
            "xyz",
            "0011223344",
            &format!("{PIN}{PIN}"),
            "sha256:a:b",
        ] {
            let expected = format!(r#"invalid hash, expected "format:hex-value". {known}"#);
            assert_eq!(parse(text), Err(expected), "{text}");
        }
        for text in ["md5:00", &PIN.replace("256", "512"), ":00"] {
            let format = text.split(':').next().unwrap();
            let expected = format!(r#"unknown hash format "{format}". {known}"#);
            assert_eq!(parse(text), Err(expected));
        }
        for (digits, found) in [
            ("", 0),
            ("0", 0),
            ("00", 1),
            (&"0".repeat(63), 31),
            (&"0".repeat(66), 33),
        ] {
            let text = format!("sha256:{digits}");
            let expected = format!(
                r#"invalid hash "{text}", expected a 32 byte SHA-256 hash, found {found} bytes"#
            );
            assert_eq!(parse(&text), Err(expected));
        }
        for digits in [
            "x".repeat(64),
            "0".repeat(65),
            format!("{}+f", "0".repeat(62)),
            "é".repeat(32),
        ] {
            let text = format!("sha256:{digits}");
            let expected = format!(r#"invalid hash "{text}", could not decode SHA-256 from hex"#);
            assert_eq!(parse(&text), Err(expected));
        }
    }

    #[test]
    fn the_hash_of_nothing_is_no_pin_and_the_error_says_where_it_comes_from() {
        assert_eq!(CaPin::of_spki(b"").0, EMPTY_HASH);
        let text = parse(&CaPin::of_spki(b"").to_string()).unwrap_err();
        assert!(text.contains("openssl rsa"), "{text}");
    }

    #[test]
    fn blocks_that_are_no_plain_certificates_are_stepped_over() {
        let with_header = AUTHORITY.replace("MIIBcTCC", "Proc-Type: 4,ENCRYPTED\n\nMIIBcTCC");
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let cut_off = "-----BEGIN CERTIFICATE-----\nMIIBcTCC\n";
        let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        for other in [
            &with_header,
            key,
            cut_off,
            broken,
            "",
            "/etc/ca.crt\n",
            &AUTHORITY.replace("CERTIFICATE", "X"),
        ] {
            assert_eq!(bundle(other), Err(Error::CertificatesAbsent), "{other}");
            let file = format!("a CA\r\n{other}{}", AUTHORITY.replace('\n', "\r\n"));
            assert_eq!(bundle(&file).unwrap().certificates().len(), 1, "{other}");
        }
    }

    #[test]
    fn a_certificate_block_with_something_else_in_it_is_an_error() {
        let other = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
        let error = bundle(&format!("{AUTHORITY}{other}")).unwrap_err();
        assert_eq!(error, Error::CertificateMalformed(2));
    }

    #[test]
    fn trailing_bytes_make_no_certificate() {
        let bundle = bundle(AUTHORITY).unwrap();
        let mut der = bundle.certificates()[0].der().to_vec();
        assert!(PinnableCertificate::from_der(der.clone()).is_ok());
        der.push(0);
        assert!(PinnableCertificate::from_der(der).is_err());
    }

    #[test]
    fn bundles_are_limited() {
        let limit = CertificateBundle::MAX_LEN;
        let file = AUTHORITY.to_owned() + &" ".repeat(limit);
        assert_eq!(bundle(&file), Err(Error::CertificatesTooLong { limit }));
    }

    #[test]
    fn only_pinned_certificates_of_a_bundle_stay() {
        let pin: CaPin = PIN.parse().unwrap();
        let foreign = PinnableCertificate {
            der: vec![1],
            pin: CaPin::of_spki(b"attacker"),
        };
        let mut both = bundle(AUTHORITY).unwrap();
        both.0.push(foreign.clone());
        let trusted = both.clone().pinned_by(&[pin]).unwrap();
        assert_eq!(trusted, bundle(AUTHORITY).unwrap());
        // While authorities change, both pins are given.
        assert_eq!(both.clone().pinned_by(&[foreign.pin, pin]).unwrap(), both);
        for pins in [&[][..], &[CaPin::of_spki(b"other")][..]] {
            assert_eq!(
                both.clone().pinned_by(pins).unwrap_err().to_string(),
                format!(
                    r#"none of the public keys "{PIN}:{}" are pinned"#,
                    foreign.pin
                )
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(hash: [u8; 32]) {
            let pin = CaPin(hash);
            prop_assert_eq!(pin.to_string().parse(), Ok(pin));
        }

        #[test]
        fn what_is_read_is_printed_in_lower_case(text in "(sha256|SHA256|sha512):[0-9a-gA-F]{62,66}|\\PC*") {
            if let Ok(pin) = text.parse::<CaPin>() {
                prop_assert_eq!(pin.to_string(), text.to_ascii_lowercase());
            }
        }

        #[test]
        fn arbitrary_blocks_never_panic(
            file in "((-----(BEGIN|END) (CERTIFICATE|X)-----|[A-Za-z0-9+/=]{0,8}|a: b)(\n|\r\n)){0,12}"
        ) {
            let _ = bundle(&file);
        }
    }
}
