//! JSON Web Tokens that nobody issued.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use aws_lc_rs::{hmac, rand::SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// Base64url without padding.
pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes behind base64url.
pub(crate) fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

/// A token of this header and these claims, both to the letter.
pub(crate) fn signed(
    header: &str,
    claims: impl AsRef<[u8]>,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    let signed = format!("{}.{}", base64url(header), base64url(claims));
    let signature = base64url(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// A signature with a secret (HS256, HS384, HS512).
pub(crate) fn hmac(algorithm: hmac::Algorithm, secret: &[u8]) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(algorithm, secret);
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}

/// A private key for ES256.
pub(crate) struct Es256(EcdsaKeyPair);

impl Es256 {
    /// A key that nobody knows.
    pub(crate) fn generate() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Self(key.expect("a key can be made"))
    }

    /// The key in a PKCS#8 file.
    pub(crate) fn from_pem(pem: &str) -> Self {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &from_pem(pem));
        Self(key.expect("PKCS#8 of a P-256 key"))
    }

    /// Signs.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.0.sign(&SystemRandom::new(), message);
        signature.expect("a key can sign").as_ref().to_vec()
    }

    /// Its public part.
    pub(crate) fn jwk(&self) -> Value {
        let point = self.0.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)})
    }
}

/// The public key of a JWK as `SubjectPublicKeyInfo` (RFC 5280 section 4.1.2.7) in DER.
pub(crate) fn public_key_info(jwk: &Value) -> Vec<u8> {
    let bytes = |name: &str| decoded(jwk[name].as_str().unwrap());
    let (algorithm, key) = match jwk["kty"].as_str().unwrap() {
        "EC" => {
            let curve: &[u8] = match jwk["crv"].as_str().unwrap() {
                "P-256" => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
                "P-384" => &[0x2b, 0x81, 0x04, 0x00, 0x22],
                _ => &[0x2b, 0x81, 0x04, 0x00, 0x23],
            };
            let elliptic = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
            let algorithm = [der(0x06, &elliptic), der(0x06, curve)].concat();
            (algorithm, [vec![0x04], bytes("x"), bytes("y")].concat())
        }
        _ => {
            let rsa = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
            let algorithm = [der(0x06, &rsa), der(0x05, &[])].concat();
            // A first byte of zero says that the number is positive.
            let number = |name: &str| der(0x02, &[vec![0], bytes(name)].concat());
            let exponent = der(0x02, &bytes("e"));
            (algorithm, der(0x30, &[number("n"), exponent].concat()))
        }
    };
    let key = der(0x03, &[vec![0], key].concat());
    der(0x30, &[der(0x30, &algorithm), key].concat())
}

/// The same in PEM, without a newline at its end.
pub(crate) fn public_key_pem(jwk: &Value) -> String {
    let text = STANDARD.encode(public_key_info(jwk));
    let lines = text.as_bytes().chunks(64);
    let lines: Vec<_> = lines.map(String::from_utf8_lossy).collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        lines.join("\n")
    )
}

/// What stands between the lines of PEM.
pub(crate) fn from_pem(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with('-'));
    STANDARD.decode(lines.collect::<String>()).expect("PEM")
}

/// An element of DER (X.690 section 8.1).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut element = match length {
        0..=0x7f => vec![tag, length as u8],
        0x80..=0xff => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    element.extend(content);
    element
}
