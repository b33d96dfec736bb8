//! The Secret that a token is stored as, read whatever is in it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burgee_wire::Object;
use jiff::Timestamp;
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::usages::{AUTHENTICATION, SIGNING};
use crate::{ClusterInfoKey, Expiration, Lifetime, TokenId};

/// The namespace in which Secrets are bootstrap tokens.
pub const NAMESPACE: &str = "kube-system";

/// The type of their Secrets.
pub const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";

/// What their names begin with; the id follows.
pub const NAME_PREFIX: &str = "bootstrap-token-";

/// The keys of their data.
pub mod keys {
    /// Text for people.
    pub const DESCRIPTION: &str = "description";
    /// Group names with commas between.
    pub const EXTRA_GROUPS: &str = "auth-extra-groups";
    /// An RFC 3339 instant.
    pub const EXPIRATION: &str = "expiration";
    /// The id.
    pub const TOKEN_ID: &str = "token-id";
    /// The secret part.
    pub const TOKEN_SECRET: &str = "token-secret";
    /// What the keys of usages begin with; the usage's name follows.
    pub const USAGE_PREFIX: &str = "usage-bootstrap-";
}

/// What a Secret says about a bootstrap token: any Secret, good or bad.
///
/// kube-apiserver stores Secrets of this type with any content, so each reader has rules of its own:
/// [`judge`](crate::judge) those of the authenticator, [`TokenRecord::signing_key`] those of the signer,
/// [`TokenListing`](crate::TokenListing) those of `token list`, and [`TokenRecord::findings`] says all
/// that is wrong. A missing key is an empty value throughout.
///
/// Values are the `data` of the stored object: `stringData` was merged into it on writing. One that is
/// no base64 counts as empty.
#[derive(Clone, Debug)]
pub struct TokenRecord {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) is_terminating: bool,
    /// Of the right type, with any data at all.
    pub(crate) is_bootstrap: bool,
    pub(crate) id: String,
    pub(crate) secret: SecretBytes,
    pub(crate) expiration: Expiration,
    pub(crate) description: String,
    pub(crate) groups: String,
    /// The usages that are `true`, sorted.
    pub(crate) usages: Vec<String>,
    /// The usages whose value is neither `true` nor `false` nor empty, sorted.
    pub(crate) odd_usages: Vec<String>,
}

impl TokenRecord {
    /// Reads a Secret.
    #[must_use]
    pub fn from_object(object: &Object) -> Self {
        let data = object.at(&["data"]).and_then(Value::as_object);
        let mut record = Self {
            namespace: object.metadata.namespace.clone(),
            name: object.metadata.name.clone(),
            is_terminating: object.metadata.deletion_timestamp.is_some(),
            is_bootstrap: object.text(&["type"]) == SECRET_TYPE
                && data.is_some_and(|data| !data.is_empty()),
            id: String::new(),
            secret: SecretBytes::default(),
            expiration: Expiration::Never,
            description: String::new(),
            groups: String::new(),
            usages: Vec::new(),
            odd_usages: Vec::new(),
        };
        for (key, value) in data.into_iter().flatten() {
            let value = Zeroizing::new(
                STANDARD
                    .decode(value.as_str().unwrap_or_default())
                    .unwrap_or_default(),
            );
            // What is not UTF-8 becomes characters that none of these values may have.
            let text = || String::from_utf8_lossy(&value).into_owned();
            match key.as_str() {
                keys::DESCRIPTION => record.description = text(),
                keys::EXPIRATION => record.expiration = Expiration::parse(&text()),
                keys::EXTRA_GROUPS => record.groups = text(),
                keys::TOKEN_ID => record.id = text(),
                keys::TOKEN_SECRET => record.secret = SecretBytes(value),
                other => record.take_usage(other, &value),
            }
        }
        record.usages.sort_unstable();
        record.odd_usages.sort_unstable();
        record
    }

    /// The Secret's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether anyone is to look at it at all: its namespace and type are those of bootstrap tokens.
    #[must_use]
    pub fn is_in_scope(&self) -> bool {
        self.namespace == NAMESPACE && self.is_bootstrap
    }

    /// When the token ends.
    #[must_use]
    pub fn expiration(&self) -> Expiration {
        self.expiration
    }

    /// How much of the token's life is left at `now`.
    #[must_use]
    pub fn lifetime(&self, now: Timestamp) -> Lifetime {
        self.expiration.lifetime(now)
    }

    /// The key that this token signs cluster-info with, or nothing if it does not sign at `now`.
    ///
    /// As upstream, neither alphabet nor length of the secret part counts, only that there is one.
    /// Other than upstream, a Secret that is being deleted does not sign.
    #[must_use]
    pub fn signing_key(&self, now: Timestamp) -> Option<ClusterInfoKey> {
        let id = TokenId::from_secret_name(&self.name)?;
        let signs = self.is_in_scope()
            && !self.is_terminating
            && self.id == id.as_str()
            && !self.secret.0.is_empty()
            && !self.expiration.is_expired(now)
            && self.has_usage(SIGNING);
        signs.then(|| ClusterInfoKey::from_bytes(id, &self.secret.0))
    }

    pub(crate) fn authenticates(&self) -> bool {
        self.has_usage(AUTHENTICATION)
    }

    fn has_usage(&self, usage: &str) -> bool {
        self.usages.iter().any(|own| own == usage)
    }

    fn take_usage(&mut self, key: &str, value: &[u8]) {
        let Some(usage) = key.strip_prefix(keys::USAGE_PREFIX) else {
            return;
        };
        match value {
            b"true" => self.usages.push(usage.to_owned()),
            b"" | b"false" => {}
            _ => self.odd_usages.push(usage.to_owned()),
        }
    }
}

/// The secret part as it is stored: any bytes. They do not print and are wiped when dropped.
#[derive(Clone, Default)]
pub(crate) struct SecretBytes(pub(crate) Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Compares in a time that depends on the lengths alone.
    pub(crate) fn is(&self, presented: &str) -> bool {
        self.0.as_slice().ct_eq(presented.as_bytes()).into()
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{example, now, record, with};

    #[test]
    fn only_the_bytes_true_enable_a_usage() {
        for value in ["True", "TRUE", "1", "yes", "true\n", " true", "", "false"] {
            let record = record(&with(example(), "usage-bootstrap-signing", value));
            assert_eq!(record.usages, ["authentication"], "{value:?}");
            assert!(record.signing_key(now()).is_none());
        }
    }

    #[test]
    fn other_usages_and_other_keys_are_read_over() {
        let mut object = with(example(), "usage-bootstrap-other", "true");
        object = with(object, "colour", "red");
        let record = record(&object);
        assert_eq!(record.usages, ["authentication", "other", "signing"]);
        assert!(record.signing_key(now()).is_some());
    }

    #[test]
    fn a_secret_signs_when_all_conditions_hold() {
        type Change = fn(Object) -> Object;
        let table: [(Change, bool); 14] = [
            (|o| o, true),
            (|o| with(o, "token-secret", "tokenSecret"), true),
            (|o| with(o, "usage-bootstrap-authentication", ""), true),
            (|o| with(o, "auth-extra-groups", "bad"), true),
            (|o| with(o, "expiration", "2026-01-01T00:00:01Z"), true),
            (|o| with(o, "expiration", "2026-01-01T00:00:00Z"), false),
            (|o| with(o, "expiration", "never"), false),
            (|o| with(o, "token-id", ""), false),
            (|o| with(o, "token-id", "abcdef"), false),
            (|o| with(o, "token-secret", ""), false),
            (|o| with(o, "usage-bootstrap-signing", "1"), false),
            (
                |mut o| {
                    o.metadata.name = "bootstrap-token-07401B".into();
                    o
                },
                false,
            ),
            (
                |mut o| {
                    o.metadata.namespace = "default".into();
                    o
                },
                false,
            ),
            (
                |mut o| {
                    o.metadata.deletion_timestamp = Some(now().into());
                    o
                },
                false,
            ),
        ];
        for (row, (change, signs)) in table.into_iter().enumerate() {
            let record = record(&change(example()));
            assert_eq!(record.signing_key(now()).is_some(), signs, "row {row}");
        }
    }

    #[test]
    fn a_secret_of_another_type_does_not_sign() {
        let mut object = example();
        object.content.insert("type".into(), "Opaque".into());
        assert!(record(&object).signing_key(now()).is_none());
    }

    #[test]
    fn values_that_are_no_base64_are_empty() {
        let mut object = example();
        object.content["data"]["token-id"] = json!("!!!");
        object.content["data"]["token-secret"] = json!(7);
        let record = record(&object);
        assert_eq!((record.id.as_str(), record.secret.text()), ("", ""));
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", record(&example()));
        assert!(!shown.contains("f395accd246ae52d"), "{shown}");
    }
}
