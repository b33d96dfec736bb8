//! Reading compact and detached signatures.

use std::borrow::Cow;
use std::fmt;

use crate::{Error, Header, Malformed, base64url};

/// The longest token that [`Jws::parse`] reads, in bytes: 64 KiB.
///
/// Service-account tokens have one to two thousand bytes, and tokens of OIDC providers that list
/// hundreds of groups some ten thousand. At 64 KiB decoding and hashing still cost no more than the
/// check of a signature does anyway, so nothing is gained by sending longer tokens. Where tokens are
/// known to be short, [`Jws::parse_within`] takes a smaller limit.
pub const MAX_TOKEN_LEN: usize = 64 * 1024;

/// A token in its parts: well-formed, but not verified.
///
/// Decoding is strict: exactly three segments, canonical unpadded base64url, a header that follows
/// [`json::from_slice`](crate::json::from_slice). Signatures are verified over the bytes as they came.
///
/// ```
/// use burgee_jose::{Algorithm, Jws, PrivateKey, Signer, SigningKey};
///
/// let key = SigningKey::new(PrivateKey::generate(Algorithm::Es256)?);
/// let token = key.sign(b"{}")?;
/// let jws = Jws::parse(&token)?;
/// assert_eq!(jws.header().key_id(), Some(key.key_id().as_str()));
/// assert_eq!(key.private_key().public_key().verify(&jws)?, b"{}");
/// # Ok::<(), burgee_jose::Error>(())
/// ```
#[derive(Clone)]
pub struct Jws<'a> {
    signing_input: Cow<'a, [u8]>,
    header: Header,
    payload: Cow<'a, [u8]>,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Reads a token in the compact serialisation (RFC 7515 section 7.1).
    ///
    /// # Errors
    /// [`Error::Malformed`] with the rule that it breaks.
    pub fn parse(token: &'a str) -> Result<Self, Error> {
        Self::parse_within(MAX_TOKEN_LEN, token)
    }

    /// Reads a token of at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::Malformed`] with the rule that it breaks.
    pub fn parse_within(limit: usize, token: &'a str) -> Result<Self, Error> {
        let [header, payload, signature] = segments(limit, token)?;
        let signing_input = token.as_bytes().get(..header.len() + 1 + payload.len());
        Ok(Self {
            signing_input: Cow::Borrowed(signing_input.unwrap_or_default()),
            header: decode_header(header)?,
            payload: Cow::Owned(base64url::decode(payload).ok_or(Malformed::PayloadEncoding)?),
            signature: base64url::decode(signature).ok_or(Malformed::SignatureEncoding)?,
        })
    }

    /// Reads a signature whose payload is kept elsewhere (RFC 7515 appendix F): `header..signature`.
    ///
    /// The limit of [`MAX_TOKEN_LEN`] applies to `token`, none to `payload`.
    ///
    /// # Errors
    /// [`Error::Malformed`] with the rule that it breaks; a middle segment that is not empty counts as
    /// [`Malformed::SegmentCount`].
    pub fn parse_detached(token: &str, payload: &'a [u8]) -> Result<Self, Error> {
        let [header, "", signature] = segments(MAX_TOKEN_LEN, token)? else {
            return Err(Malformed::SegmentCount.into());
        };
        let mut signing_input =
            String::with_capacity(header.len() + 1 + base64url::encoded_len(payload.len()));
        signing_input.push_str(header);
        signing_input.push('.');
        base64url::append(&mut signing_input, payload);
        Ok(Self {
            signing_input: Cow::Owned(signing_input.into_bytes()),
            header: decode_header(header)?,
            payload: Cow::Borrowed(payload),
            signature: base64url::decode(signature).ok_or(Malformed::SignatureEncoding)?,
        })
    }

    /// The header, as its bearer wrote it.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload, as its bearer wrote it. Good for finding out whose token this claims to be, and
    /// for nothing else: what counts is what verification returns.
    #[must_use]
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// The bytes that were signed: header and payload segment with the dot between.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        &self.signing_input
    }

    /// The decoded signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl fmt::Debug for Jws<'_> {
    /// Shows the header only: payload and signature together are a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jws")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// The three segments, told apart before anything is decoded.
fn segments(limit: usize, token: &str) -> Result<[&str; 3], Malformed> {
    if token.len() > limit {
        return Err(Malformed::TooLong { limit });
    }
    let mut segments = token.split('.');
    match [(); 4].map(|()| segments.next()) {
        [Some(header), Some(payload), Some(signature), None] => Ok([header, payload, signature]),
        _ => Err(Malformed::SegmentCount),
    }
}

fn decode_header(segment: &str) -> Result<Header, Malformed> {
    let json = base64url::decode(segment).ok_or(Malformed::HeaderEncoding)?;
    Header::from_json(&json).map_err(|error| match error {
        Error::Json(source) => Malformed::Header(source),
        // Headers fail in no other way.
        _ => Malformed::HeaderEncoding,
    })
}
