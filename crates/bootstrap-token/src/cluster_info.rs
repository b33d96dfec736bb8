//! The ConfigMap that machines which join read first, and the signatures on it.

use std::collections::BTreeMap;

use burgee_jose::{HmacKey, KeyId};
use burgee_wire::Object;
use serde_json::{Map, Value};

use crate::{Error, Token, TokenId};

/// The ConfigMap's namespace.
pub const CLUSTER_INFO_NAMESPACE: &str = "kube-public";

/// The ConfigMap's name.
pub const CLUSTER_INFO_NAME: &str = "cluster-info";

/// The key of the text that is signed.
pub const KUBECONFIG_KEY: &str = "kubeconfig";

/// What the keys of signatures begin with; the token's id follows.
pub const SIGNATURE_PREFIX: &str = "jws-kubeconfig-";

/// The key that a token signs cluster-info with: its secret part alone, and its id for a name.
///
/// ```
/// use burgee_bootstrap_token::{ClusterInfoKey, Token};
///
/// let token: Token = "07401b.f395accd246ae52d".parse()?;
/// let key = ClusterInfoKey::new(&token);
/// let signature = key.sign("payload");
/// assert_eq!(
///     signature,
///     "eyJhbGciOiJIUzI1NiIsImtpZCI6IjA3NDAxYiJ9..xNC07yTz4awqOP1F55KOUON7NhpQZ4huZBRtDtHRT9U"
/// );
/// key.verify("payload", &signature)?;
/// assert!(key.verify("payload\n", &signature).is_err());
/// # Ok::<(), burgee_bootstrap_token::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClusterInfoKey {
    id: TokenId,
    key_id: KeyId,
    key: HmacKey,
}

impl ClusterInfoKey {
    /// The key of a token.
    #[must_use]
    pub fn new(token: &Token) -> Self {
        Self::from_bytes(token.id(), token.secret().expose().as_bytes())
    }

    /// The key that a Secret holds, whatever its bytes are.
    pub(crate) fn from_bytes(id: TokenId, secret: &[u8]) -> Self {
        #[allow(
            clippy::expect_used,
            reason = "a key id takes any text of one to 1024 bytes"
        )]
        let key_id = KeyId::new(id.as_str()).expect("six characters are a key id");
        Self {
            id,
            key_id,
            key: HmacKey::new(secret),
        }
    }

    /// Whose key it is.
    #[must_use]
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// The detached signature of these bytes: 85 characters, `header..signature` (RFC 7515
    /// appendix F) with the header `{"alg":"HS256","kid":"ID"}`.
    #[must_use]
    pub fn sign(&self, kubeconfig: &str) -> String {
        self.key.sign_detached(&self.key_id, kubeconfig.as_bytes())
    }

    /// Checks that `signature` is what [`ClusterInfoKey::sign`] makes, byte for byte: nothing in it is
    /// read before that. The comparison takes the same time wherever they differ.
    ///
    /// # Errors
    /// [`Error::SignatureInvalid`].
    pub fn verify(&self, kubeconfig: &str, signature: &str) -> Result<(), Error> {
        self.key
            .verify_detached(&self.key_id, kubeconfig.as_bytes(), signature)
            .map_err(|_| Error::SignatureInvalid)
    }
}

/// What cluster-info holds: a kubeconfig, byte for byte as it is stored, and signatures on it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClusterInfo {
    kubeconfig: Option<String>,
    signatures: BTreeMap<String, String>,
}

impl ClusterInfo {
    /// Reads the ConfigMap. Other keys are of no interest.
    #[must_use]
    pub fn from_object(object: &Object) -> Self {
        let mut info = Self::default();
        for (key, value) in data(object).into_iter().flatten() {
            let text = value.as_str().unwrap_or_default().to_owned();
            if key == KUBECONFIG_KEY {
                info.kubeconfig = Some(text);
            } else if let Some(id) = key.strip_prefix(SIGNATURE_PREFIX) {
                info.signatures.insert(id.to_owned(), text);
            }
        }
        info
    }

    /// The kubeconfig, unchecked.
    #[must_use]
    pub fn kubeconfig(&self) -> Option<&str> {
        self.kubeconfig.as_deref()
    }

    /// The signature of this token, unchecked.
    #[must_use]
    pub fn signature(&self, id: TokenId) -> Option<&str> {
        self.signatures.get(id.as_str()).map(String::as_str)
    }

    /// The kubeconfig, if the token vouches for it: whoever wrote it knew the token.
    ///
    /// # Errors
    /// In this order: [`Error::SignatureAbsent`], after which asking the server again may help;
    /// [`Error::KubeconfigAbsent`], [`Error::SignatureEmpty`], [`Error::SignatureInvalid`].
    pub fn verified_by(&self, token: &Token) -> Result<&str, Error> {
        let id = token.id();
        let signature = self.signature(id).ok_or(Error::SignatureAbsent(id))?;
        let kubeconfig = self
            .kubeconfig()
            .filter(|text| !text.is_empty())
            .ok_or(Error::KubeconfigAbsent)?;
        if signature.is_empty() {
            return Err(Error::SignatureEmpty(id));
        }
        ClusterInfoKey::new(token).verify(kubeconfig, signature)?;
        Ok(kubeconfig)
    }
}

/// The ConfigMap with the signatures of these keys and no others, or nothing if it has them already.
///
/// Everything else stays as it is. Without a kubeconfig nothing is done, not even to signatures that
/// are there; an empty kubeconfig is signed. Of several keys of one id the first counts.
#[must_use]
pub fn resigned(cluster_info: &Object, keys: &[ClusterInfoKey]) -> Option<Object> {
    let old = data(cluster_info)?;
    let kubeconfig = old.get(KUBECONFIG_KEY)?.as_str()?;
    let mut new = old.clone();
    new.retain(|key, _| !key.starts_with(SIGNATURE_PREFIX));
    for key in keys.iter().rev() {
        new.insert(
            format!("{SIGNATURE_PREFIX}{}", key.id),
            key.sign(kubeconfig).into(),
        );
    }
    if new == *old {
        return None;
    }
    let mut object = cluster_info.clone();
    object.content.insert("data".into(), Value::Object(new));
    Some(object)
}

fn data(object: &Object) -> Option<&Map<String, Value>> {
    object.at(&["data"])?.as_object()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::token;

    /// The small payload of the worked examples.
    const SMALL: &str = "apiVersion: v1\nclusters:\n- cluster:\n    server: https://127.0.0.1:6443\n  name: \"\"\ncontexts: null\ncurrent-context: \"\"\nkind: Config\nusers: null\n";
    const HEADER: &str = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjA3NDAxYiJ9";
    const SMALL_SIGNATURE: &str =
        "eyJhbGciOiJIUzI1NiIsImtpZCI6IjA3NDAxYiJ9..k8_fUwKy9pn5aiCzP3DlmmasOWwMCUqUdxiE1vvyedE";

    fn key() -> ClusterInfoKey {
        ClusterInfoKey::new(&token())
    }

    fn config_map(data: Value) -> Object {
        Object::from_value(json!({"metadata": {"name": "cluster-info"}, "data": data})).unwrap()
    }

    #[test]
    fn signatures_are_made_bit_for_bit() {
        let without_line_end = SMALL.trim_end();
        for (payload, mac) in [
            (SMALL, "k8_fUwKy9pn5aiCzP3DlmmasOWwMCUqUdxiE1vvyedE"),
            (
                without_line_end,
                "sepk-gfN52xdMSU5wMLZwT0D9hPDGAcs7xbnIcCfsMg",
            ),
            ("payload", "xNC07yTz4awqOP1F55KOUON7NhpQZ4huZBRtDtHRT9U"),
            ("", "-lwceYCDjlKW5S1R0smmbqArxmb61l03ouKdjWODkAM"),
        ] {
            let signature = key().sign(payload);
            assert_eq!(signature, format!("{HEADER}..{mac}"));
            assert_eq!(signature.len(), 85);
            assert_eq!(key().verify(payload, &signature), Ok(()));
        }
    }

    #[test]
    fn signatures_are_made_as_upstreams_tests_have_them() {
        for (id, secret, payload, expected) in [
            (
                "abc123",
                "tokenSecret",
                "payload",
                "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiYzEyMyJ9..QSxpUG7Q542CirTI2ECPSZjvBOJURUW5a7XqFpNI958",
            ),
            (
                "joshua",
                "",
                "Hello from the other side. I must have called a thousand times.",
                "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..UfkqvDGiIFxrMnFseDj9LYJOLNrvjW8aHhF71mvvAs8",
            ),
        ] {
            let key = ClusterInfoKey::from_bytes(id.parse().unwrap(), secret.as_bytes());
            assert_eq!(key.sign(payload), expected);
        }
    }

    #[test]
    fn zeros_behind_the_key_make_no_difference_and_the_whole_token_does() {
        let mut padded = token().secret().expose().as_bytes().to_vec();
        padded.resize(64, 0);
        let padded = ClusterInfoKey::from_bytes(token().id(), &padded);
        assert_eq!(padded.sign(SMALL), SMALL_SIGNATURE);
        let whole = ClusterInfoKey::from_bytes(token().id(), b"07401b.f395accd246ae52d");
        assert!(key().verify(SMALL, &whole.sign(SMALL)).is_err());
    }

    #[test]
    fn only_the_one_spelling_of_a_signature_is_valid() {
        let mac = &SMALL_SIGNATURE[42..];
        let header = |json: &str| burgee_jose::base64url::encode(json.as_bytes());
        let foreign = ClusterInfoKey::from_bytes("abcdef".parse().unwrap(), b"f395accd246ae52d");
        for forged in [
            String::new(),
            "..".into(),
            mac.into(),
            format!("{HEADER}.."),
            format!("{SMALL_SIGNATURE}="),
            format!("{SMALL_SIGNATURE}\n"),
            format!(" {SMALL_SIGNATURE}"),
            format!("{HEADER}.e30.{mac}"),
            format!("{}..{mac}", header(r#"{"alg":"none","kid":"07401b"}"#)),
            format!("{}..", header(r#"{"alg":"none","kid":"07401b"}"#)),
            format!("{}..{mac}", header(r#"{"alg":"HS512","kid":"07401b"}"#)),
            format!("{}..{mac}", header(r#"{"kid":"07401b","alg":"HS256"}"#)),
            format!("{}..{mac}", header(r#"{"alg": "HS256", "kid": "07401b"}"#)),
            format!("{}..{mac}", header(r#"{"alg":"HS256"}"#)),
            foreign.sign(SMALL),
        ] {
            let verified = key().verify(SMALL, &forged);
            assert_eq!(verified, Err(Error::SignatureInvalid), "{forged:?}");
        }
    }

    #[test]
    fn what_a_token_vouches_for_is_given_and_failures_have_upstreams_words() {
        let verify = |data| {
            let info = ClusterInfo::from_object(&config_map(data));
            info.verified_by(&token())
                .map(str::to_owned)
                .map_err(|error| error.to_string())
        };
        let signature = "jws-kubeconfig-07401b";
        let good = json!({"kubeconfig": SMALL, signature: SMALL_SIGNATURE});
        assert_eq!(verify(good).as_deref(), Ok(SMALL));
        for (data, text) in [
            (
                json!({"jws-kubeconfig-abcdef": SMALL_SIGNATURE}),
                "could not find a JWS signature in the cluster-info ConfigMap for token ID \"07401b\"",
            ),
            (
                json!(null),
                "could not find a JWS signature in the cluster-info ConfigMap for token ID \"07401b\"",
            ),
            (
                json!({"kubeconfig": "", signature: ""}),
                "there is no kubeconfig key in the cluster-info ConfigMap. This API Server isn't set up for token bootstrapping, can't connect",
            ),
            (
                json!({"kubeconfig": SMALL, signature: ""}),
                "token id \"07401b\" is invalid for this cluster or it has expired. Use \"kubeadm token create\" on the control-plane node to create a new valid token",
            ),
            (
                json!({"kubeconfig": SMALL.trim_end(), signature: SMALL_SIGNATURE}),
                "failed to verify JWS signature of received cluster info object, can't trust this API Server",
            ),
        ] {
            assert_eq!(verify(data).unwrap_err(), text);
        }
    }

    #[test]
    fn signing_again_replaces_all_signatures_and_nothing_else() {
        let old = config_map(json!({
            "kubeconfig": SMALL, "colour": "red",
            "jws-kubeconfig-abcdef": "stale", "jws-kubeconfig-": "odd",
        }));
        let new = resigned(&old, &[key()]).unwrap();
        let expected = json!({
            "kubeconfig": SMALL, "colour": "red", "jws-kubeconfig-07401b": SMALL_SIGNATURE,
        });
        assert_eq!(new.content["data"], expected);
        assert_eq!(new.metadata, old.metadata);
        assert_eq!(resigned(&new, &[key()]), None);
        let none = resigned(&new, &[]).unwrap();
        assert_eq!(
            none.content["data"],
            json!({"kubeconfig": SMALL, "colour": "red"})
        );
    }

    #[test]
    fn without_a_kubeconfig_nothing_is_signed_and_an_empty_one_is() {
        for data in [
            json!(null),
            json!({}),
            json!({"jws-kubeconfig-07401b": "stale"}),
        ] {
            assert_eq!(resigned(&config_map(data), &[key()]), None);
        }
        let signed = resigned(&config_map(json!({"kubeconfig": ""})), &[key()]).unwrap();
        assert_eq!(
            signed.text(&["data", "jws-kubeconfig-07401b"]),
            format!("{HEADER}..-lwceYCDjlKW5S1R0smmbqArxmb61l03ouKdjWODkAM")
        );
    }

    #[test]
    fn of_two_keys_of_one_id_the_first_signs() {
        let other = ClusterInfoKey::from_bytes(token().id(), b"other");
        let map = config_map(json!({"kubeconfig": SMALL}));
        let signed = resigned(&map, &[key(), other]).unwrap();
        assert_eq!(
            signed.text(&["data", "jws-kubeconfig-07401b"]),
            SMALL_SIGNATURE
        );
    }

    proptest! {
        #[test]
        fn one_changed_character_breaks_a_signature(
            payload: String, at in 0_usize..85, to in "[A-Za-z0-9_.-]"
        ) {
            let signature = key().sign(&payload);
            prop_assert_eq!(key().verify(&payload, &signature), Ok(()));
            let changed = format!("{}{to}{}", &signature[..at], &signature[at + 1..]);
            prop_assert_eq!(key().verify(&payload, &changed).is_ok(), changed == signature);
            let longer = payload + "\n";
            prop_assert!(key().verify(&longer, &signature).is_err());
        }
    }
}
