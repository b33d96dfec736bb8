//! Tokens from signing to verifying, and everything that must not pass.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::sync::LazyLock;

use burgee_jose::{
    Algorithm, Error, HmacKey, Jws, KeyId, MAX_TOKEN_LEN, Malformed, PrivateKey, ProtectedHeader,
    Signer, SigningInput, SigningKey, VerificationKey, VerificationKeys, base64url,
};
use proptest::prelude::*;

/// One key of each algorithm.
static SIGNERS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| {
    let generate = |algorithm: &Algorithm| PrivateKey::generate(*algorithm).unwrap();
    Algorithm::SIGNING
        .iter()
        .map(generate)
        .map(SigningKey::new)
        .collect()
});

static KEYS: LazyLock<VerificationKeys> = LazyLock::new(|| {
    let public = |signer: &SigningKey| signer.private_key().public_key().clone();
    SIGNERS.iter().map(public).collect()
});

fn es256() -> &'static SigningKey {
    &SIGNERS[0]
}

fn es384() -> &'static SigningKey {
    &SIGNERS[1]
}

fn rs256() -> &'static SigningKey {
    &SIGNERS[3]
}

/// A token with this header, signed correctly by the key.
fn token_with_header(signer: &SigningKey, header: &str) -> String {
    let input = format!("{}.e30", base64url::encode(header.as_bytes()));
    let signature = signer.sign_bytes(input.as_bytes()).unwrap();
    format!("{input}.{}", base64url::encode(&signature))
}

fn verify(keys: &VerificationKeys, token: &str) -> Result<Vec<u8>, Error> {
    keys.verify(&Jws::parse(token)?)
        .map(|verified| verified.payload.to_vec())
}

fn key(signer: &SigningKey) -> VerificationKey {
    signer.private_key().public_key().clone().into()
}

fn named(signer: &SigningKey, name: &str) -> VerificationKey {
    VerificationKey {
        key_id: Some(KeyId::new(name).unwrap()),
        ..key(signer)
    }
}

#[test]
fn a_header_has_alg_and_kid_in_this_order_and_no_typ() {
    for signer in SIGNERS.iter() {
        let token = signer.sign(b"{}").unwrap();
        let header = base64url::decode(token.split('.').next().unwrap()).unwrap();
        let expected = format!(
            r#"{{"alg":"{}","kid":"{}"}}"#,
            signer.private_key().algorithm(),
            signer.key_id()
        );
        assert_eq!(String::from_utf8(header).unwrap(), expected);
    }
}

#[test]
fn key_ids_are_escaped_as_go_does() {
    let header = ProtectedHeader::new(Algorithm::Es256, KeyId::new("a<\"b\"&").unwrap());
    let json = base64url::decode(header.segment()).unwrap();
    assert_eq!(json, br#"{"alg":"ES256","kid":"a\u003c\"b\"\u0026"}"#);
}

#[test]
fn a_header_for_another_algorithm_is_refused() {
    let private = PrivateKey::generate(Algorithm::Es256).unwrap();
    let header = ProtectedHeader::new(Algorithm::Es384, private.key_id().clone());
    let refused = SigningKey::with_header(private, header);
    assert!(matches!(refused, Err(Error::AlgorithmMismatch)));
}

#[test]
fn encoded_payloads_cannot_smuggle_segments() {
    let header = es256().header();
    for payload in ["e30.e30", "e30=", "e3 0", "e31", "."] {
        assert!(
            SigningInput::with_encoded_payload(header, payload).is_err(),
            "{payload}"
        );
    }
    let input = SigningInput::with_encoded_payload(header, "e30").unwrap();
    assert_eq!(
        input.as_bytes(),
        SigningInput::new(header, b"{}").as_bytes()
    );
}

#[test]
fn tokens_have_three_segments() {
    for token in [
        "",
        ".",
        "a",
        "a.b",
        "a.b.c.d",
        "a.b.c.",
        ".a.b.c",
        &".".repeat(60_000),
    ] {
        let error = Jws::parse(token).unwrap_err();
        assert!(
            matches!(error, Error::Malformed(Malformed::SegmentCount)),
            "{token}"
        );
    }
}

#[test]
fn tokens_are_canonical_base64url() {
    let token = es256().sign(b"{}").unwrap();
    let [header, payload, signature]: [&str; 3] =
        token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let cases = [
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{header}.e31.{signature}"),
        format!("{header}.{payload}.{signature}=="),
        format!("{header}.{payload}.{signature}\n"),
        format!(" {token}"),
        format!("{header}.{payload}.\r\n{signature}"),
        format!(
            "{header}.{payload}.{}",
            signature.replace(['-', '_'], "+") + "/+"
        ),
        format!("{{{header}.{payload}.{signature}"),
    ];
    for case in cases {
        assert!(
            matches!(Jws::parse(&case), Err(Error::Malformed(_))),
            "{case}"
        );
    }
    // 64 bytes leave four unused bits in the last character.
    let (start, last) = signature.split_at(signature.len() - 1);
    let others = "AQgw".replace(last, "");
    for stray in "BCDEFRSTUVhijklxyz0".chars() {
        let case = format!("{header}.{payload}.{start}{stray}");
        let error = Jws::parse(&case).unwrap_err();
        assert!(matches!(
            error,
            Error::Malformed(Malformed::SignatureEncoding)
        ));
    }
    for other in others.chars() {
        let case = format!("{header}.{payload}.{start}{other}");
        assert!(matches!(verify(&KEYS, &case), Err(Error::SignatureInvalid)));
    }
}

#[test]
fn long_tokens_are_not_read() {
    let longest = es256()
        .sign(&vec![b' '; MAX_TOKEN_LEN / 4 * 3 - 300])
        .unwrap();
    assert!(longest.len() <= MAX_TOKEN_LEN && verify(&KEYS, &longest).is_ok());
    let limit = longest.len() - 1;
    let error = Jws::parse_within(limit, &longest).unwrap_err();
    assert!(matches!(error, Error::Malformed(Malformed::TooLong { limit: l }) if l == limit));
    let error = Jws::parse(&"a".repeat(MAX_TOKEN_LEN + 1)).unwrap_err();
    assert!(matches!(
        error,
        Error::Malformed(Malformed::TooLong {
            limit: MAX_TOKEN_LEN
        })
    ));
}

#[test]
fn a_header_that_is_not_strict_json_is_malformed() {
    for header in [r#"{"alg":"ES256","alg":"ES256"}"#, "[]", r#"{"alg":1}"#, ""] {
        let error = verify(&KEYS, &token_with_header(es256(), header)).unwrap_err();
        assert!(
            matches!(error, Error::Malformed(Malformed::Header(_))),
            "{header}"
        );
    }
}

#[test]
fn the_algorithm_is_the_key_s_not_the_token_s() {
    let kid = es256().key_id();
    for alg in [
        "none", "None", "HS256", "ES384", "RS256", "PS256", "EdDSA", "es256", "",
    ] {
        let header = format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#);
        let error = verify(&KEYS, &token_with_header(es256(), &header)).unwrap_err();
        assert!(
            matches!(error, Error::AlgorithmMismatch),
            "{alg}: {error:?}"
        );
    }
    let header = format!(r#"{{"kid":"{kid}"}}"#);
    let error = verify(&KEYS, &token_with_header(es256(), &header)).unwrap_err();
    assert!(matches!(error, Error::AlgorithmMismatch));
}

#[test]
fn unsigned_tokens_do_not_verify() {
    let header = base64url::encode(br#"{"alg":"none"}"#);
    let error = verify(&KEYS, &format!("{header}.e30.")).unwrap_err();
    assert!(matches!(error, Error::AlgorithmMismatch));
    let token = es256().sign(b"{}").unwrap();
    let stripped = &token[..=token.rfind('.').unwrap()];
    assert!(matches!(
        verify(&KEYS, stripped),
        Err(Error::SignatureInvalid)
    ));
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    let public = key(rs256()).key;
    for secret in [public.spki_der().to_vec(), public.to_pem().into_bytes()] {
        let token = HmacKey::new(&secret).sign(public.key_id(), b"{}");
        assert!(matches!(
            verify(&KEYS, &token),
            Err(Error::AlgorithmMismatch)
        ));
    }
}

#[test]
fn critical_headers_are_refused_before_any_key_is_looked_for() {
    for header in [
        r#"{"alg":"ES256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"ES256","b64":false,"crit":["b64"]}"#,
        r#"{"alg":"ES256","kid":"unknown","crit":null}"#,
    ] {
        let error = verify(&KEYS, &token_with_header(es256(), header)).unwrap_err();
        assert!(matches!(error, Error::CriticalHeader), "{header}");
    }
}

#[test]
fn keys_that_a_token_brings_along_do_not_count() {
    let stranger = SigningKey::new(PrivateKey::generate(Algorithm::Es256).unwrap());
    let jwks = burgee_jose::jwks::render([&key(&stranger)]);
    let jwk = jwks
        .strip_prefix(r#"{"keys":["#)
        .unwrap()
        .strip_suffix("]}")
        .unwrap();
    for members in [
        format!(r#""jwk":{jwk}"#),
        r#""jku":"https://evil.example""#.to_owned(),
    ] {
        let header = format!(r#"{{"alg":"ES256",{members}}}"#);
        let error = verify(&KEYS, &token_with_header(&stranger, &header)).unwrap_err();
        assert!(matches!(error, Error::SignatureInvalid));
        assert!(verify(&KEYS, &token_with_header(es256(), &header)).is_ok());
    }
}

#[test]
fn a_token_without_key_id_is_tried_with_all_keys() {
    for signer in SIGNERS.iter() {
        let algorithm = signer.private_key().algorithm();
        for kid in ["", r#","kid":"""#, r#","kid":null"#] {
            let header = format!(r#"{{"alg":"{algorithm}"{kid}}}"#);
            assert!(verify(&KEYS, &token_with_header(signer, &header)).is_ok());
        }
    }
}

#[test]
fn a_token_with_key_id_is_tried_with_that_key_only() {
    let keys = VerificationKeys::new(vec![named(es256(), "a"), named(es384(), "b")]);
    let token =
        |kid: &str| token_with_header(es256(), &format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#));
    assert!(verify(&keys, &token("a")).is_ok());
    assert!(matches!(
        verify(&keys, &token("b")),
        Err(Error::AlgorithmMismatch)
    ));
    assert!(matches!(verify(&keys, &token("c")), Err(Error::UnknownKey)));
    assert!(matches!(verify(&keys, &token("A")), Err(Error::UnknownKey)));
    assert!(matches!(
        verify(&VerificationKeys::default(), &token("")),
        Err(Error::UnknownKey)
    ));
}

#[test]
fn several_keys_with_one_id_are_tried_in_order() {
    let other = SigningKey::new(PrivateKey::generate(Algorithm::Es256).unwrap());
    let keys = VerificationKeys::new(vec![
        named(&other, "a"),
        named(es384(), "b"),
        named(es256(), "a"),
        named(es384(), "a"),
    ]);
    let found: Vec<_> = keys
        .find(Some("a"))
        .map(|key| key.key.algorithm())
        .collect();
    assert_eq!(
        found,
        [Algorithm::Es256, Algorithm::Es256, Algorithm::Es384]
    );
    assert_eq!(keys.find(None).count(), 4);
    assert_eq!(keys.find(Some("")).count(), 4);
    assert_eq!(keys.find(Some("c")).count(), 0);
    assert!(keys.contains("a") && !keys.contains("c"));

    let header = r#"{"alg":"ES256","kid":"a"}"#;
    let token = token_with_header(es256(), header);
    let jws = Jws::parse(&token).unwrap();
    assert_eq!(keys.verify(&jws).unwrap().key, &named(es256(), "a"));

    let stranger = SigningKey::new(PrivateKey::generate(Algorithm::Es256).unwrap());
    let error = verify(&keys, &token_with_header(&stranger, header)).unwrap_err();
    assert!(matches!(error, Error::SignatureInvalid), "{error:?}");
}

#[test]
fn errors_and_debug_show_no_payload_and_no_signature() {
    let token = es256().sign(b"{\"sub\":\"someone\"}").unwrap();
    let jws = Jws::parse(&token).unwrap();
    let shown = format!("{jws:?}");
    assert!(!shown.contains("someone") && !shown.contains(token.rsplit('.').next().unwrap()));
    assert!(shown.contains("ES256"), "{shown}");
}

#[test]
fn detached_signatures_verify_with_their_payload_only() {
    for signer in SIGNERS.iter() {
        let detached = signer.sign_detached(b"kubeconfig").unwrap();
        let jws = Jws::parse_detached(&detached, b"kubeconfig").unwrap();
        assert_eq!(KEYS.verify(&jws).unwrap().payload, b"kubeconfig");
        let jws = Jws::parse_detached(&detached, b"Kubeconfig").unwrap();
        assert!(matches!(KEYS.verify(&jws), Err(Error::SignatureInvalid)));
        assert!(matches!(
            verify(&KEYS, &detached),
            Err(Error::SignatureInvalid)
        ));
        let token = signer.sign(b"kubeconfig").unwrap();
        assert!(Jws::parse_detached(&token, b"kubeconfig").is_err());
    }
}

#[test]
fn hmac_tokens_verify_with_their_secret_only() {
    let (key, other) = (HmacKey::new(b"secret"), HmacKey::new(b"Secret"));
    let id = KeyId::new("07401b").unwrap();
    let token = key.sign(&id, b"{}");
    let jws = Jws::parse(&token).unwrap();
    assert_eq!(key.verify(&jws).unwrap(), b"{}");
    assert!(matches!(other.verify(&jws), Err(Error::SignatureInvalid)));
    let token = es256().sign(b"{}").unwrap();
    let error = key.verify(&Jws::parse(&token).unwrap()).unwrap_err();
    assert!(matches!(error, Error::AlgorithmMismatch));
    assert_eq!(format!("{key:?}"), "HmacKey(HS256)");
}

#[test]
fn hmac_headers_with_crit_are_refused() {
    let header = base64url::encode(br#"{"alg":"HS256","crit":["x"]}"#);
    let token = format!("{header}.e30.AAAA");
    let error = HmacKey::new(b"secret")
        .verify(&Jws::parse(&token).unwrap())
        .unwrap_err();
    assert!(matches!(error, Error::CriticalHeader));
}

#[test]
fn a_cluster_info_signature_has_one_spelling() {
    let key = HmacKey::new(b"f395accd246ae52d");
    let id = KeyId::new("07401b").unwrap();
    let signature = key.sign_detached(&id, b"payload");
    let compact = key.sign(&id, b"payload");
    let spaced = signature.replacen(
        "eyJhbGciOiJIUzI1NiIsImtpZCI6IjA3NDAxYiJ9",
        &base64url::encode(br#"{"kid":"07401b","alg":"HS256"}"#),
        1,
    );
    for wrong in [
        compact,
        spaced,
        format!("{signature}="),
        format!("{signature}\n"),
        String::new(),
    ] {
        assert!(
            key.verify_detached(&id, b"payload", &wrong).is_err(),
            "{wrong}"
        );
    }
    let foreign = KeyId::new("07401c").unwrap();
    assert!(
        key.verify_detached(&foreign, b"payload", &signature)
            .is_err()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_signed_verifies_and_nothing_else_does(
        payload: Vec<u8>,
        flip in any::<prop::sample::Index>(),
        bit in 0..6_u32,
    ) {
        for signer in SIGNERS.iter() {
            let token = signer.sign(&payload).unwrap();
            prop_assert_eq!(verify(&KEYS, &token).unwrap(), &payload[..]);

            // Exchange one character for another of the alphabet.
            const ALPHABET: &[u8; 64] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let mut bytes = token.into_bytes();
            let position = flip.index(bytes.len());
            let value = ALPHABET.iter().position(|c| *c == bytes[position]);
            bytes[position] = value.map_or(b'A', |value| ALPHABET[value ^ (1 << bit)]);
            let token = String::from_utf8(bytes).unwrap();
            prop_assert!(verify(&KEYS, &token).is_err());
        }
    }

    #[test]
    fn hmac_round_trips(secret: Vec<u8>, payload: Vec<u8>, id in "[a-z0-9]{6}") {
        let key = HmacKey::new(&secret);
        let id = KeyId::new(id).unwrap();
        let signature = key.sign_detached(&id, &payload);
        prop_assert!(key.verify_detached(&id, &payload, &signature).is_ok());
        let jws = Jws::parse_detached(&signature, &payload).unwrap();
        prop_assert_eq!(key.verify(&jws).unwrap(), &payload[..]);
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(token: String) {
        let _ = verify(&KEYS, &token);
    }

    #[test]
    fn near_tokens_never_panic_and_never_verify(
        header in r#"(\{"alg":"(ES256|RS256|none|HS256)"(,"kid":"[a-z]{0,3}")?(,"crit":\[\])?\}|.{0,20})"#,
        payload: Vec<u8>,
        signature: Vec<u8>,
    ) {
        let [header, payload, signature] =
            [header.as_bytes(), &payload, &signature].map(base64url::encode);
        let token = [header, payload, signature].join(".");
        prop_assert!(verify(&KEYS, &token).is_err());
    }
}
