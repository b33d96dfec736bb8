//! Values that were computed elsewhere: by kube-apiserver, OpenSSL and Python.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use aws_lc_rs::digest;
use burgee_jose::{
    Algorithm, Error, HmacKey, Jws, KeyId, PrivateKey, ProtectedHeader, PublicKey, Signer,
    SigningInput, SigningKey, VerificationKey, VerificationKeys, base64url, jwks,
};

const K1: &[u8] = include_bytes!("keys/k1.pem");
const K2: &[u8] = include_bytes!("keys/k2.pem");
const KID_K1: &str = "S8V4xzRaVdKBE7vz104Nx7455gjFRCMtW5Of200uYlM";
const KID_K2: &str = "Hwz2UuDvauMQ_zUpcEkH48eyecYeTUMIq32sAeDr-hw";

const CLAIMS_A: &str = r#"{"aud":["https://kubernetes.default.svc.cluster.local"],"exp":1767229200,"iat":1767225600,"iss":"https://kubernetes.default.svc.cluster.local","jti":"1f0c7a52-6a1e-4a53-9d7e-0c6f2f1f7b3a","kubernetes.io":{"namespace":"team-a","serviceaccount":{"name":"builder","uid":"8a3b1c5e-5a0e-4b43-9a3e-6a6f8b0f2d11"}},"nbf":1767225600,"sub":"system:serviceaccount:team-a:builder"}"#;
const CLAIMS_B: &str = r#"{"aud":["https://kubernetes.default.svc.cluster.local"],"exp":1798761600,"iat":1767225600,"iss":"https://kubernetes.default.svc.cluster.local","jti":"5d1e3a0c-93a4-4f5f-8f0b-7b9a3c1d2e4f","kubernetes.io":{"namespace":"team-a","node":{"name":"node-1","uid":"d00d0000-0000-4000-8000-000000000002"},"pod":{"name":"web-0","uid":"c0ffee00-0000-4000-8000-000000000001"},"serviceaccount":{"name":"builder","uid":"8a3b1c5e-5a0e-4b43-9a3e-6a6f8b0f2d11"},"warnafter":1767229207},"nbf":1767225600,"sub":"system:serviceaccount:team-a:builder"}"#;

fn private(pem: &[u8]) -> PrivateKey {
    PrivateKey::from_pem(pem).unwrap()
}

fn public(pem: &[u8]) -> PublicKey {
    PublicKey::all_from_pem(pem).unwrap().remove(0)
}

fn sha256(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn key_ids_are_those_of_kube_apiserver() {
    let cases = [
        (K1, KID_K1),
        (K2, KID_K2),
        (
            include_bytes!("keys/k-p384.pem"),
            "7czNakPsFCgxWkPbVGKfIhDH-5iCuKUSkrNJSaJo1E4",
        ),
        (
            include_bytes!("keys/k-p521.pem"),
            "i8dnda5kzhq4TC_-2FNt9jfY63KrQmGriZ4pO2BR0lE",
        ),
    ];
    for (pem, key_id) in cases {
        assert_eq!(private(pem).key_id().as_str(), key_id);
        assert_eq!(public(pem).key_id().as_str(), key_id);
    }
    assert_eq!(
        public(include_bytes!("keys/k2-spki.pem")).key_id().as_str(),
        KID_K2
    );
}

#[test]
fn public_keys_encode_to_the_hashed_bytes() {
    let expected = "3059301306072a8648ce3d020106082a8648ce3d03010703420004fbd13cc8f5361038735862061\
                    1f5c161b58600b94f3497d3c851eacd82392da4d7a5ab009090809d47ec8f6c260aeb60711f1e4391\
                    e88a649f4fc854d1fb2a90";
    let hex: String = public(K1)
        .spki_der()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, expected);
    let key = public(K2);
    assert_eq!(key.spki_der().len(), 294);
    assert_eq!(
        sha256(key.spki_der()),
        "1f0cf652e0ef6ae310ff3529704907e3c7b279c61e4d4308ab7dac01e0ebfa1c"
    );
    assert_eq!(key.to_pem().as_bytes(), include_bytes!("keys/k2-spki.pem"));
}

#[test]
fn private_keys_are_written_as_they_were_read() {
    for pem in [
        K1,
        K2,
        include_bytes!("keys/k-p384.pem"),
        include_bytes!("keys/k-p521.pem"),
    ] {
        assert_eq!(private(pem).to_pem().unwrap().expose().as_bytes(), pem);
    }
}

#[test]
fn an_rs256_token_is_reproduced_bit_for_bit() {
    let token = SigningKey::new(private(K2))
        .sign(CLAIMS_B.as_bytes())
        .unwrap();
    assert_eq!(token.len(), 1142);
    assert_eq!(
        sha256(token.as_bytes()),
        "c71d5fbc47be533a542ace80a47a58709cb2232c2472fcddbe2bbd390f22b3f5"
    );
}

#[test]
fn an_external_signers_token_is_reproduced_bit_for_bit() {
    let key = private(K2);
    let header = ProtectedHeader::with_media_type(Algorithm::Rs256, key.key_id().clone(), "JWT");
    assert_eq!(
        header.segment(),
        "eyJhbGciOiJSUzI1NiIsImtpZCI6Ikh3ejJVdUR2YXVNUV96VXBjRWtINDhleWVjWWVUVU1JcTMyc0FlRHItaHci\
         LCJ0eXAiOiJKV1QifQ"
    );
    let claims = base64url::encode(CLAIMS_A.as_bytes());
    let input = SigningInput::with_encoded_payload(&header, &claims).unwrap();
    let signature = key.sign_bytes(input.as_bytes()).unwrap();
    let token = input.into_compact(&signature);
    assert_eq!(token.len(), 944);
    assert_eq!(
        sha256(token.as_bytes()),
        "f95f311989c2e156c76d5dcf903207639241216021635f8cd4f3263cf6f86801"
    );
    assert_eq!(
        SigningKey::with_header(key, header)
            .unwrap()
            .sign(CLAIMS_A.as_bytes())
            .unwrap(),
        token
    );
}

#[test]
fn an_es256_token_verifies_and_ours_differs_in_nothing_but_the_signature() {
    let token = include_str!("tokens/token-a.jws");
    let keys: VerificationKeys = [public(K2), public(K1)].into_iter().collect();
    let jws = Jws::parse(token).unwrap();
    let verified = keys.verify(&jws).unwrap();
    assert_eq!(verified.payload, CLAIMS_A.as_bytes());
    assert_eq!(verified.key.key, public(K1));

    let ours = SigningKey::new(private(K1))
        .sign(CLAIMS_A.as_bytes())
        .unwrap();
    assert_eq!(ours.len(), token.len());
    assert_eq!(
        ours.rsplit_once('.').unwrap().0,
        token.rsplit_once('.').unwrap().0
    );
}

#[test]
fn key_sets_are_reproduced_byte_for_byte() {
    let keys: VerificationKeys = [public(K2), public(K1)].into_iter().collect();
    assert_eq!(jwks::render(keys.iter()), include_str!("tokens/jwks.json"));
}

#[test]
fn coordinates_of_p521_have_66_bytes() {
    let key = VerificationKey::from(public(include_bytes!("keys/k-p521.pem")));
    assert_eq!(
        jwks::render([&key]),
        r#"{"keys":[{"use":"sig","kty":"EC","kid":"i8dnda5kzhq4TC_-2FNt9jfY63KrQmGriZ4pO2BR0lE","crv":"P-521","alg":"ES512","x":"ABfothLmI-JpmEAK04w2421-pbcJtnv-bmls3Y085CTfMGq3Zi2tD3bueeCZ8DNoryUdxTq9uNdbQSePOw_CSec_","y":"AB1PvHKrGcZI2k9LkQTk8BIfev8oOOjSvwQ_j1NuZGT619PID-HyFff-fIT8Wufi4RaOb18dmtr3Nl71DtvsZsKB"}]}"#
    );
}

/// A token and the key set of a kube-apiserver 1.25.
#[test]
fn a_kube_apiserver_s_token_and_key_set_are_understood() {
    let document = r#"{"keys":[{"use":"sig","kty":"EC","kid":"-4KgWcMUEZKaKSU7m9YQvlT6Cevw090RcYI6Er_k2HI","crv":"P-256","alg":"ES256","x":"7f9TUl7vTIoNCEqYvbLA9sjnkjVI6WpnZsPjxnxl8V4","y":"Wekz8YfsP2JVXbpDHuOB3yu0x0Yyh_udnTW0cyWKP3E"}]}"#;
    let set = jwks::parse(document.as_bytes()).unwrap();
    assert!(set.skipped.is_empty());
    assert_eq!(jwks::render(&set.keys), document);
    for key in &set.keys {
        assert_eq!(key.key_id.as_ref(), Some(key.key.key_id()));
    }
    let keys = VerificationKeys::new(set.keys);
    let jws = Jws::parse(include_str!("tokens/kube-apiserver.jws")).unwrap();
    let claims = keys.verify(&jws).unwrap().payload;
    assert!(claims.ends_with(br#""sub":"system:serviceaccount:golden:builder"}"#));
}

/// An OIDC provider's token whose key id is an RFC 7638 thumbprint.
#[test]
fn a_foreign_issuer_s_token_and_key_set_are_understood() {
    let document = r#"{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"OOHDEIymFc2JjGdSeeDiGu8-x-gTvqVBFkXQL7JiLJ8",
"x":"2--louQXSFVB-Col84tdrgVELkLyDKiXnO88-Wh3EuY","y":"QNzZGCuV6X6mQd8fLxIWlZLwkFrAPWLjMEk7p8zdzoQ"}]}"#;
    let token = "eyJhbGciOiJFUzI1NiIsImtpZCI6Ik9PSERFSXltRmMySmpHZFNlZURpR3U4LXgtZ1R2cVZCRmtYUUw3SmlMSjgiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLnRlc3QiLCJhdWQiOlsia3ViZXJuZXRlcyIsIm90aGVyIl0sInN1YiI6ImF1dGgiLCJleHAiOjQxMDI0NDQ4MDAsIm5iZiI6MTcwNDA2NzIwMCwiaWF0IjoxNzA0MDY3MjAwLCJqdGkiOiJlYTI4ZWQ0OS0yZTExLTQyODAtOWVjNS1iYzNkMWQ4NDY2MWEiLCJ1c2VybmFtZSI6ImZvbyIsInJvbGVzIjoidXNlcixhZG1pbiIsInRlbmFudCI6IjcyZjk4OGJmIn0.U4PflF5Aq9hp6WdLLybfSuAkAtH547JL6kePEOZ1jWeQoKRhkMgcyv-mo9S1dnRg4gsfaGnkvBx1aF4R0yOczg";
    let keys = VerificationKeys::new(jwks::parse(document.as_bytes()).unwrap().keys);
    let jws = Jws::parse(token).unwrap();
    assert_eq!(jws.header().media_type(), Some("JWT"));
    assert!(keys.verify(&jws).is_ok());
}

#[test]
fn openssl_s_signatures_verify_with_every_rsa_algorithm() {
    let key = public(include_bytes!("keys/rsa-spki.pem"));
    let tokens = [
        (Algorithm::Rs256, include_str!("tokens/rsa-rs256.jws")),
        (Algorithm::Rs384, include_str!("tokens/rsa-rs384.jws")),
        (Algorithm::Rs512, include_str!("tokens/rsa-rs512.jws")),
        (Algorithm::Ps256, include_str!("tokens/rsa-ps256.jws")),
        (Algorithm::Ps384, include_str!("tokens/rsa-ps384.jws")),
        (Algorithm::Ps512, include_str!("tokens/rsa-ps512.jws")),
    ];
    let all = key.clone().accepting_all_rsa_algorithms();
    for (algorithm, token) in tokens {
        let jws = Jws::parse(token).unwrap();
        assert_eq!(all.verify(&jws).unwrap(), b"{}");
        for pinned in Algorithm::RSA {
            let key = key.clone().with_algorithm(*pinned).unwrap();
            match key.verify(&jws) {
                Ok(payload) => assert_eq!((*pinned, payload), (algorithm, &b"{}"[..])),
                Err(error) => {
                    assert!(matches!(error, Error::AlgorithmMismatch));
                    assert_ne!(*pinned, algorithm);
                }
            }
        }
    }
}

#[test]
fn cluster_info_signatures_are_reproduced() {
    let payload = "apiVersion: v1\nclusters:\n- cluster:\n    server: https://127.0.0.1:6443\n  name: \"\"\n\
                   contexts: null\ncurrent-context: \"\"\nkind: Config\nusers: null\n";
    assert_eq!(
        sha256(payload.as_bytes()),
        "43750a20bb7517d0018478a188a043864e79ffc2bbc88bb5bdacdf65c1db88e6"
    );
    let cases: [(&str, &[u8], &str, &str); 6] = [
        (
            "07401b",
            b"f395accd246ae52d",
            payload,
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IjA3NDAxYiJ9..k8_fUwKy9pn5aiCzP3DlmmasOWwMCUqUdxiE1vvyedE",
        ),
        (
            "07401b",
            b"f395accd246ae52d",
            payload.trim_end(),
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IjA3NDAxYiJ9..sepk-gfN52xdMSU5wMLZwT0D9hPDGAcs7xbnIcCfsMg",
        ),
        (
            "07401b",
            b"f395accd246ae52d",
            "payload",
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IjA3NDAxYiJ9..xNC07yTz4awqOP1F55KOUON7NhpQZ4huZBRtDtHRT9U",
        ),
        (
            "07401b",
            b"f395accd246ae52d",
            "",
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IjA3NDAxYiJ9..-lwceYCDjlKW5S1R0smmbqArxmb61l03ouKdjWODkAM",
        ),
        (
            "abc123",
            b"tokenSecret",
            "payload",
            "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiYzEyMyJ9..QSxpUG7Q542CirTI2ECPSZjvBOJURUW5a7XqFpNI958",
        ),
        (
            "joshua",
            b"",
            "Hello from the other side. I must have called a thousand times.",
            "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..UfkqvDGiIFxrMnFseDj9LYJOLNrvjW8aHhF71mvvAs8",
        ),
    ];
    for (key_id, secret, payload, expected) in cases {
        let key = HmacKey::new(secret);
        let key_id = KeyId::new(key_id).unwrap();
        assert_eq!(key.sign_detached(&key_id, payload.as_bytes()), expected);
        key.verify_detached(&key_id, payload.as_bytes(), expected)
            .unwrap();
    }
}
