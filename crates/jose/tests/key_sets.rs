//! Key sets of other issuers: what is read, what is skipped, what is refused.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use burgee_jose::{Algorithm, Error, PrivateKey, PublicKey, VerificationKey, jwks};
use proptest::prelude::*;
use serde_json::{Value, json};

fn key(algorithm: Algorithm) -> VerificationKey {
    let private = PrivateKey::generate(algorithm).unwrap();
    private.public_key().clone().into()
}

fn rsa() -> VerificationKey {
    let file = include_bytes!("keys/rsa-spki.pem");
    PublicKey::all_from_pem(file).unwrap().remove(0).into()
}

/// The key's entry in a set, with members exchanged; null takes one away.
fn entry(key: &VerificationKey, changes: Value) -> Value {
    let mut set: Value = serde_json::from_str(&jwks::render([key])).unwrap();
    let mut entry = set["keys"][0].take();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            entry.as_object_mut().unwrap().remove(name);
        } else {
            entry[name] = value.clone();
        }
    }
    entry
}

fn parse(keys: &[Value]) -> jwks::KeySet {
    jwks::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

#[test]
fn every_algorithm_comes_back_in_order() {
    let keys: Vec<_> = Algorithm::SIGNING
        .iter()
        .map(|algorithm| key(*algorithm))
        .collect();
    let set = jwks::parse(jwks::render(&keys).as_bytes()).unwrap();
    assert_eq!(set.keys, keys);
    assert!(set.skipped.is_empty());
}

#[test]
fn private_keys_are_published_without_their_private_half() {
    let file = include_bytes!("keys/rsa-pkcs1.pem");
    let key = PublicKey::all_from_pem(file).unwrap().remove(0).into();
    let entry = entry(&key, json!({}));
    let names: Vec<_> = entry.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
}

#[test]
fn use_alg_and_kid_may_be_absent() {
    let rsa = rsa();
    let bare = entry(&rsa, json!({ "use": null, "alg": null, "kid": null }));
    let empty_id = entry(&rsa, json!({ "kid": "" }));
    let set = parse(&[bare, empty_id]);
    assert_eq!(set.keys.len(), 2);
    for key in set.keys {
        assert_eq!(key.key_id, None);
        assert_eq!(key.key, rsa.key);
    }
}

#[test]
fn an_rsa_key_verifies_with_the_algorithm_that_it_names() {
    let set = parse(&[entry(&rsa(), json!({ "alg": "PS384" }))]);
    let key = &set.keys[0].key;
    assert_eq!(key.algorithm(), Algorithm::Ps384);
    assert!(key.accepts(Algorithm::Ps384) && !key.accepts(Algorithm::Rs256));
}

#[test]
fn unusable_keys_are_skipped_and_the_rest_is_kept() {
    let (rsa, ec) = (rsa(), key(Algorithm::Es256));
    let x = entry(&ec, json!({}))["x"].as_str().unwrap().to_owned();
    let unusable = [
        json!(null),
        json!("key"),
        json!([]),
        json!({}),
        json!({ "kty": "oct", "k": "AAAA" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x }),
        json!({ "kty": "other" }),
        entry(&rsa, json!({ "use": "enc" })),
        entry(&rsa, json!({ "alg": "RSA-OAEP" })),
        entry(&rsa, json!({ "alg": "HS256" })),
        entry(&rsa, json!({ "alg": "ES256" })),
        entry(&ec, json!({ "alg": "ES384" })),
        entry(&ec, json!({ "alg": "RS256" })),
        entry(&ec, json!({ "crv": "P-384" })),
        entry(&ec, json!({ "crv": "P-224" })),
        entry(&ec, json!({ "crv": null })),
        entry(&ec, json!({ "x": null })),
        entry(&ec, json!({ "x": "AAAA" })),
        entry(&ec, json!({ "y": x })),
        entry(&ec, json!({ "x": format!("{x}=") })),
        entry(&ec, json!({ "kid": 7 })),
        entry(&ec, json!({ "kid": "k".repeat(1025) })),
        entry(&rsa, json!({ "n": "AQAB" })),
        entry(&rsa, json!({ "n": "" })),
        entry(&rsa, json!({ "e": "" })),
        entry(&rsa, json!({ "e": "AA" })),
        entry(&rsa, json!({ "e": "Ag" })),
        entry(&rsa, json!({ "e": null })),
    ];
    for entry in &unusable {
        assert_eq!(
            parse(std::slice::from_ref(entry)).skipped.len(),
            1,
            "{entry}"
        );
    }
    let good = entry(&ec, json!({ "x5c": ["AAAA"], "unknown": { "a": 1 } }));
    let set = parse(&[&unusable[..], &[good]].concat());
    assert_eq!(set.keys, [ec]);
    assert_eq!(set.skipped.len(), unusable.len());
}

#[test]
fn leading_zeros_of_rsa_numbers_are_tolerated() {
    let rsa = rsa();
    let n = entry(&rsa, json!({}))["n"].as_str().unwrap().to_owned();
    let n = burgee_jose::base64url::decode(&n).unwrap();
    let padded = burgee_jose::base64url::encode(&[&[0][..], &n].concat());
    let set = parse(&[entry(&rsa, json!({ "n": padded, "e": "AAEAAQ" }))]);
    assert_eq!(set.keys, [rsa]);
}

#[test]
fn documents_that_are_no_key_sets_are_refused() {
    for document in [
        "",
        "{}",
        "[]",
        r#"{"keys":{}}"#,
        r#"{"keys":null}"#,
        r#"{"keys":[],"keys":[]}"#,
    ] {
        assert!(
            matches!(jwks::parse(document.as_bytes()), Err(Error::Json(_))),
            "{document}"
        );
    }
    assert!(jwks::parse(br#"{"keys":[]}"#).unwrap().keys.is_empty());
}

#[test]
fn size_and_count_are_limited() {
    let long = vec![b' '; jwks::MAX_LEN + 1];
    assert!(matches!(
        jwks::parse(&long),
        Err(Error::InputTooLarge {
            limit: jwks::MAX_LEN
        })
    ));
    let many = json!({ "keys": vec![json!({}); jwks::MAX_KEYS + 1] }).to_string();
    let error = jwks::parse(many.as_bytes()).unwrap_err();
    assert!(matches!(
        error,
        Error::TooManyKeys {
            limit: jwks::MAX_KEYS
        }
    ));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(document: Vec<u8>) {
        let _ = jwks::parse(&document);
    }

    #[test]
    fn arbitrary_members_never_panic(
        kty in "(RSA|EC|oct|.{0,3})", crv in "P-(256|384|521)", a: Vec<u8>, b: Vec<u8>,
    ) {
        let [a, b] = [a, b].map(|bytes| burgee_jose::base64url::encode(&bytes));
        let set = parse(&[json!({ "kty": kty, "crv": crv, "x": a, "y": b, "n": a, "e": b })]);
        prop_assert!(set.keys.is_empty());
    }
}
