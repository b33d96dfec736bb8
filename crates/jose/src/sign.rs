//! Making compact and detached signatures.

use serde::Serialize;

use crate::{Algorithm, Error, KeyId, Malformed, PrivateKey, base64url, json};

/// Room for the signature of an RSA key of 2048 bits, so that finishing a token allocates nothing.
const SIGNATURE_ROOM: usize = 1 + base64url::encoded_len(256);

/// The header of the tokens that one key signs: encoded once, used for every token.
///
/// Its members stand in the order of their names: `alg`, `kid` and, where asked for, `typ`. Without
/// `typ` this is byte for byte what kube-apiserver writes.
///
/// ```
/// use burgee_jose::{Algorithm, KeyId, ProtectedHeader, base64url};
///
/// let header = ProtectedHeader::new(Algorithm::Rs256, KeyId::new("k1")?);
/// let json = base64url::decode(header.segment()).unwrap();
/// assert_eq!(json, br#"{"alg":"RS256","kid":"k1"}"#);
/// # Ok::<(), burgee_jose::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProtectedHeader {
    algorithm: Algorithm,
    key_id: KeyId,
    segment: Box<str>,
}

impl ProtectedHeader {
    /// `{"alg":…,"kid":…}`, as kube-apiserver writes it.
    #[must_use]
    pub fn new(algorithm: Algorithm, key_id: KeyId) -> Self {
        Self::with(algorithm, key_id, None)
    }

    /// `{"alg":…,"kid":…,"typ":…}`. What kube-apiserver accepts from external signers has the type
    /// `JWT`.
    #[must_use]
    pub fn with_media_type(algorithm: Algorithm, key_id: KeyId, media_type: &str) -> Self {
        Self::with(algorithm, key_id, Some(media_type))
    }

    /// The algorithm that signatures under this header are made with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that signatures under this header are made with.
    #[must_use]
    pub fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// The encoded header: the first segment of every token.
    #[must_use]
    pub fn segment(&self) -> &str {
        &self.segment
    }

    fn with(algorithm: Algorithm, key_id: KeyId, media_type: Option<&str>) -> Self {
        let segment = header_segment(algorithm.as_str(), &key_id, media_type).into();
        Self {
            algorithm,
            key_id,
            segment,
        }
    }
}

/// What a signature is made over: `header.payload`, both encoded (RFC 7515 section 5.1).
///
/// Whoever holds the key signs [`SigningInput::as_bytes`]: a [`PrivateKey`], a security module, another
/// process. The signature then makes it a token.
#[derive(Clone, Debug)]
pub struct SigningInput {
    text: String,
    header_len: usize,
}

impl SigningInput {
    /// The signing input of this payload.
    #[must_use]
    pub fn new(header: &ProtectedHeader, payload: &[u8]) -> Self {
        Self::of(header.segment(), payload)
    }

    /// The signing input of a payload that is encoded already, as external signers receive it.
    ///
    /// # Errors
    /// [`Malformed::PayloadEncoding`] if it is not canonical base64url. Without this check a caller
    /// could have dots signed, and with them a header of its own.
    pub fn with_encoded_payload(header: &ProtectedHeader, payload: &str) -> Result<Self, Error> {
        base64url::decode(payload).ok_or(Malformed::PayloadEncoding)?;
        let mut input = Self::begin(header.segment(), payload.len());
        input.text.push_str(payload);
        Ok(input)
    }

    pub(crate) fn of(header_segment: &str, payload: &[u8]) -> Self {
        let mut input = Self::begin(header_segment, base64url::encoded_len(payload.len()));
        base64url::append(&mut input.text, payload);
        input
    }

    /// The bytes to sign.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// `header.payload.signature`.
    #[must_use]
    pub fn into_compact(self, signature: &[u8]) -> String {
        let mut token = self.text;
        token.push('.');
        base64url::append(&mut token, signature);
        token
    }

    /// `header..signature`, for payloads that are kept elsewhere (RFC 7515 appendix F).
    #[must_use]
    pub fn into_detached(self, signature: &[u8]) -> String {
        let mut token = self.text;
        token.truncate(self.header_len);
        token.push_str("..");
        base64url::append(&mut token, signature);
        token
    }

    fn begin(header_segment: &str, payload_len: usize) -> Self {
        let header_len = header_segment.len();
        let mut text = String::with_capacity(header_len + 1 + payload_len + SIGNATURE_ROOM);
        text.push_str(header_segment);
        text.push('.');
        Self { text, header_len }
    }
}

/// Something that holds a key and signs with it at once, without waiting for others.
///
/// Keys behind a network are no `Signer`s: their callers take [`SigningInput`] apart themselves.
pub trait Signer {
    /// The header of the tokens that this signer makes.
    fn header(&self) -> &ProtectedHeader;

    /// The signature of `message` by the header's key and algorithm; for ECDSA the two numbers of
    /// fixed width.
    ///
    /// # Errors
    /// [`Error::Signing`].
    fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, Error>;

    /// The id of the key.
    fn key_id(&self) -> &KeyId {
        self.header().key_id()
    }

    /// A token with this payload in the compact serialisation.
    ///
    /// # Errors
    /// [`Error::Signing`].
    fn sign(&self, payload: &[u8]) -> Result<String, Error> {
        let input = SigningInput::new(self.header(), payload);
        let signature = self.sign_bytes(input.as_bytes())?;
        Ok(input.into_compact(&signature))
    }

    /// The signature of a payload that is kept elsewhere: `header..signature`.
    ///
    /// # Errors
    /// [`Error::Signing`].
    fn sign_detached(&self, payload: &[u8]) -> Result<String, Error> {
        let input = SigningInput::new(self.header(), payload);
        let signature = self.sign_bytes(input.as_bytes())?;
        Ok(input.into_detached(&signature))
    }
}

/// A [`PrivateKey`] with the header that it signs under.
#[derive(Debug)]
pub struct SigningKey {
    key: PrivateKey,
    header: ProtectedHeader,
}

impl SigningKey {
    /// Signs as kube-apiserver does: under the derived key id, without `typ`.
    #[must_use]
    pub fn new(key: PrivateKey) -> Self {
        let header = ProtectedHeader::new(key.algorithm(), key.key_id().clone());
        Self { key, header }
    }

    /// Signs under a header of one's own.
    ///
    /// # Errors
    /// [`Error::AlgorithmMismatch`] if the header names an algorithm that is not the key's.
    pub fn with_header(key: PrivateKey, header: ProtectedHeader) -> Result<Self, Error> {
        if header.algorithm() != key.algorithm() {
            return Err(Error::AlgorithmMismatch);
        }
        Ok(Self { key, header })
    }

    /// The key.
    #[must_use]
    pub fn private_key(&self) -> &PrivateKey {
        &self.key
    }
}

impl Signer for SigningKey {
    fn header(&self) -> &ProtectedHeader {
        &self.header
    }

    fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.sign_bytes(message)
    }
}

/// The encoded header with these members.
pub(crate) fn header_segment(algorithm: &str, key_id: &KeyId, media_type: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Members<'a> {
        alg: &'a str,
        kid: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        typ: Option<&'a str>,
    }

    let members = Members {
        alg: algorithm,
        kid: key_id.as_str(),
        typ: media_type,
    };
    // Three strings always serialise.
    base64url::encode(json::to_string(&members).unwrap_or_default().as_bytes())
}
