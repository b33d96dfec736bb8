//! What can be wrong with tokens, their Secrets, cluster-info and pins.

use burgee_wire::quoted;

use crate::{CaPin, TokenId};

/// Why a token, a Secret, the cluster-info ConfigMap or a pin was not accepted.
///
/// No variant carries the secret part of a token, nor any text that may be one. Texts are those of
/// kubeadm where it has one and does not quote a credential in it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The authorities of a cluster are no PEM file with certificates in it.
    #[error("data does not contain any valid RSA or ECDSA certificates")]
    CertificatesAbsent,

    /// A `CERTIFICATE` block holds something else. Counted from one.
    #[error("certificate {0} is malformed")]
    CertificateMalformed(usize),

    /// A bundle of authorities is longer than any that is meant seriously.
    #[error("certificates are longer than {limit} bytes")]
    CertificatesTooLong {
        /// The longest bundle that is read, in bytes.
        limit: usize,
    },

    /// An extra group that no bootstrap token may have.
    #[error(
        r"bootstrap group {} is invalid (must match \Asystem:bootstrappers:[a-z0-9:-]{{0,255}}[a-z0-9]\z)",
        quoted(&cut(.0))
    )]
    GroupInvalid(String),

    /// Extra groups for a token that does not authenticate.
    #[error(r#"token groups cannot be specified unless --usages includes "authentication""#)]
    GroupsWithoutAuthentication,

    /// cluster-info has no kubeconfig.
    #[error(
        "there is no kubeconfig key in the cluster-info ConfigMap. This API Server isn't set up for token bootstrapping, can't connect"
    )]
    KubeconfigAbsent,

    /// None of the certificates of a bundle has a key that is pinned. What is named are their pins.
    #[error("none of the public keys {} are pinned", quoted(&joined(.0)))]
    NonePinned(Vec<CaPin>),

    /// A pin of nothing: what OpenSSL's `rsa` command makes of the key of an ECDSA certificate.
    #[error(
        "invalid hash, it is the SHA-256 of no bytes at all: for keys other than RSA use `openssl pkey -pubin -outform der`, not `openssl rsa`"
    )]
    PinEmpty,

    /// A pin is not written `sha256:HEX`.
    #[error(r#"invalid hash, expected "format:hex-value". Known format(s) are: sha256"#)]
    PinMalformed,

    /// A pin's value is not hexadecimal.
    #[error("invalid hash {}, could not decode SHA-256 from hex", quoted(&cut(.0)))]
    PinNotHex(String),

    /// A pin's value is too short or too long.
    #[error(
        "invalid hash {}, expected a 32 byte SHA-256 hash, found {found} bytes",
        quoted(&cut(.pin))
    )]
    PinLength {
        /// The pin as it was given.
        pin: String,
        /// How many bytes its digits stand for, rounded down.
        found: usize,
    },

    /// A pin is made with another hash.
    #[error("unknown hash format {}. Known format(s) are: sha256", quoted(&cut(.0)))]
    PinUnknownFormat(String),

    /// The source of randomness failed.
    #[error("no random bytes could be obtained")]
    Randomness,

    /// A Secret whose expiration is no instant.
    #[error("can't parse expiration time of bootstrap token {}: it is no RFC 3339 instant", quoted(.name))]
    SecretExpirationMalformed {
        /// The Secret's name.
        name: String,
    },

    /// A Secret without the id.
    #[error("bootstrap Token Secret has no token-id data: {name}")]
    SecretIdAbsent {
        /// The Secret's name.
        name: String,
    },

    /// A Secret whose id and secret make no token.
    #[error("bootstrap Token Secret is invalid and couldn't be parsed: {name}")]
    SecretMalformed {
        /// The Secret's name.
        name: String,
    },

    /// A Secret whose name does not belong to its id. The id is told only if it is one: people have
    /// been known to store whole tokens in its place.
    #[error(
        "bootstrap token name is not of the form 'bootstrap-token-(token-id)'. Actual: {}. Expected: {}",
        quoted(.name),
        quoted(&expected.map_or_else(|| "bootstrap-token-(token-id)".to_owned(), TokenId::secret_name))
    )]
    SecretNameMismatch {
        /// The Secret's name.
        name: String,
        /// The id in it, if it is well-formed.
        expected: Option<TokenId>,
    },

    /// A Secret without the secret part.
    #[error("bootstrap Token Secret has no token-secret data: {name}")]
    SecretPartAbsent {
        /// The Secret's name.
        name: String,
    },

    /// A server's URL cannot stand in a kubeconfig that is published.
    #[error("server is no https URL that can be published")]
    ServerInvalid,

    /// cluster-info is not signed with this token (yet): the one error after which asking again may
    /// help.
    #[error(
        "could not find a JWS signature in the cluster-info ConfigMap for token ID {}",
        quoted(.0.as_str())
    )]
    SignatureAbsent(TokenId),

    /// The signature of this token is there and empty.
    #[error(
        r#"token id {} is invalid for this cluster or it has expired. Use "kubeadm token create" on the control-plane node to create a new valid token"#,
        quoted(.0.as_str())
    )]
    SignatureEmpty(TokenId),

    /// The signature is not the one that this token makes of this kubeconfig.
    #[error(
        "failed to verify JWS signature of received cluster info object, can't trust this API Server"
    )]
    SignatureInvalid,

    /// A text is no token id.
    #[error(r#"the bootstrap token id was not of the form "\\A([a-z0-9]{{6}})\\z""#)]
    TokenIdMalformed,

    /// A text is no token. The text is not told.
    #[error(
        r#"the bootstrap token was not of the form "\\A([a-z0-9]{{6}})\\.([a-z0-9]{{16}})\\z""#
    )]
    TokenMalformed,

    /// A text is neither token nor id.
    #[error(
        r#"given token didn't match pattern "\\A([a-z0-9]{{6}})\\.([a-z0-9]{{16}})\\z" or "\\A([a-z0-9]{{6}})\\z""#
    )]
    TokenOrIdMalformed,

    /// A text is no secret part of a token.
    #[error(r#"the bootstrap token secret was not of the form "\\A([a-z0-9]{{16}})\\z""#)]
    TokenSecretMalformed,

    /// A token shall have ended before it began.
    #[error("time to live of a token cannot be negative")]
    TtlNegative,

    /// Usages that do not exist, sorted, each once.
    #[error(
        "invalid bootstrap token usage string: {}, valid usage options: signing,authentication",
        cut(&.0.join(","))
    )]
    UsageUnknown(Vec<String>),
}

/// How much of a text from outside an error shows, in bytes.
const SHOWN: usize = 512;

fn cut(text: &str) -> String {
    let end = (0..=SHOWN).rev().find(|end| text.is_char_boundary(*end));
    match text.get(..end.unwrap_or_default()) {
        Some(start) if text.len() > SHOWN => format!("{start}…"),
        _ => text.to_owned(),
    }
}

fn joined(pins: &[CaPin]) -> String {
    let pins: Vec<_> = pins.iter().map(CaPin::to_string).collect();
    pins.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_errors_show_of_outside_text_is_limited() {
        let long = "é".repeat(100_000);
        for error in [
            Error::GroupInvalid(long.clone()),
            Error::PinNotHex(long.clone()),
            Error::PinUnknownFormat(long.clone()),
            Error::UsageUnknown(vec![long]),
        ] {
            assert!(error.to_string().len() < 1024, "{error}");
        }
    }
}
