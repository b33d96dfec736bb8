//! What can go wrong with keys, key sets and tokens.

/// Why a key, a key set or a token was not accepted, or a signature not made.
///
/// No variant carries key material, signatures or payloads.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token's header names another algorithm than the one that its key is for, or none, or one
    /// that does not exist. Whoever made the token does not hold the key that it names.
    #[error("header algorithm does not fit the key")]
    AlgorithmMismatch,

    /// The token's header has a `crit` member (RFC 7515 section 4.1.11): it asks for extensions, and
    /// none is supported here.
    #[error("header demands extensions that are not supported")]
    CriticalHeader,

    /// A key file or key set is longer than any that is meant seriously.
    #[error("input is longer than {limit} bytes")]
    InputTooLarge {
        /// The longest input that is read, in bytes.
        limit: usize,
    },

    /// JSON that is not well formed, repeats a member, nests too deeply or has wrong types.
    #[error("json is not acceptable")]
    Json(#[source] serde_json::Error),

    /// The operating system or the cryptographic library could not make or encode a key.
    #[error("key could not be generated or encoded")]
    KeyGeneration,

    /// A key id is empty or longer than [`KeyId::MAX_LEN`](crate::KeyId::MAX_LEN).
    #[error("key id is empty or longer than 1024 bytes")]
    KeyIdInvalid,

    /// A key's encoding is broken, or its numbers do not make a key.
    #[error("key is malformed")]
    KeyMalformed,

    /// An RSA key outside the sizes that may sign (2048 to 8192 bits) or verify (1024 to 8192 bits).
    #[error("rsa keys of {bits} bits are not accepted, use {least} to 8192")]
    KeySize {
        /// The size of the key's modulus in bits.
        bits: usize,
        /// The smallest size that is accepted for this use, in bits.
        least: usize,
    },

    /// A well-formed key of a kind that Kubernetes signs no tokens with, such as Ed25519.
    #[error("{0} keys are not supported, use rsa or ecdsa on P-256, P-384 or P-521")]
    KeyUnsupported(&'static str),

    /// The token is no compact JWS.
    #[error("token is malformed")]
    Malformed(#[source] Malformed),

    /// No block of the file is a private key that can be read.
    #[error("data does not contain a valid RSA or ECDSA private key")]
    NoPrivateKey,

    /// No block of the file is a key that can verify. Its source says why the last block was skipped.
    #[error("data does not contain any valid RSA or ECDSA public keys")]
    NoPublicKeys(#[source] Option<Box<Error>>),

    /// No key verifies the token's signature.
    #[error("signature is invalid")]
    SignatureInvalid,

    /// The key, or the device that holds it, failed to sign.
    #[error("signing failed")]
    Signing(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// A file or key set has more keys than anyone rotates through.
    #[error("more than {limit} keys")]
    TooManyKeys {
        /// The largest number of keys that is read.
        limit: usize,
    },

    /// The token names a key that is not in the set, or the set is empty.
    #[error("invalid signature, no keys found")]
    UnknownKey,
}

/// Which rule of the compact serialisation (RFC 7515 section 7.1) a token breaks.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// The header is not a strict JSON object with string members `alg`, `kid` and `typ`.
    #[error("header is not an acceptable json object")]
    Header(#[source] serde_json::Error),

    /// The header is not canonical, unpadded base64url.
    #[error("header is not unpadded base64url")]
    HeaderEncoding,

    /// The payload is not canonical, unpadded base64url.
    #[error("payload is not unpadded base64url")]
    PayloadEncoding,

    /// There are not exactly three segments.
    #[error("token does not have three segments")]
    SegmentCount,

    /// The signature is not canonical, unpadded base64url.
    #[error("signature is not unpadded base64url")]
    SignatureEncoding,

    /// The token is longer than the limit.
    #[error("token is longer than {limit} bytes")]
    TooLong {
        /// The longest token that is read, in bytes.
        limit: usize,
    },
}

impl From<Malformed> for Error {
    fn from(reason: Malformed) -> Self {
        Self::Malformed(reason)
    }
}
