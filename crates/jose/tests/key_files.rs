//! Every form of key that kube-apiserver reads, and those that it must not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use burgee_jose::{Algorithm, Error, Jws, PrivateKey, PublicKey};

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("keys/", $name, ".pem")).as_slice()
    };
}

struct Forms {
    algorithm: Algorithm,
    /// As `openssl dgst -sha256` and base64url say.
    key_id: &'static str,
    private: [&'static [u8]; 2],
    public: [&'static [u8]; 2],
}

const FORMS: [Forms; 4] = [
    Forms {
        algorithm: Algorithm::Rs256,
        key_id: "iG_f2-rdK8jVSqXp1pGfhgNHMBdeQs4r24l5lZHTcQo",
        private: [file!("rsa-pkcs1"), file!("rsa-pkcs8")],
        public: [file!("rsa-spki"), file!("rsa-certificate")],
    },
    Forms {
        algorithm: Algorithm::Es256,
        key_id: "RLK9N1jPUGpxBMdW8pYmTPBCpFweYz7w-LxF6JmCyqM",
        private: [file!("p256-sec1"), file!("p256-pkcs8")],
        public: [file!("p256-spki"), file!("p256-certificate")],
    },
    Forms {
        algorithm: Algorithm::Es384,
        key_id: "d3I0xxlMX0tA18240IW_6YtzX7rEs1E4tLDkTAjtCRA",
        private: [file!("p384-sec1"), file!("p384-pkcs8")],
        public: [file!("p384-spki"), file!("p384-certificate")],
    },
    Forms {
        algorithm: Algorithm::Es512,
        key_id: "J9wY15gUlC-0PbbzJ4dXo046vK72PGK-o-K2UKT2jJI",
        private: [file!("p521-sec1"), file!("p521-pkcs8")],
        public: [file!("p521-spki"), file!("p521-certificate")],
    },
];

fn publics(file: &[u8]) -> Vec<PublicKey> {
    PublicKey::all_from_pem(file).unwrap()
}

#[test]
fn every_form_of_a_key_is_the_same_key() {
    for forms in FORMS {
        for file in forms.private {
            let key = PrivateKey::from_pem(file).unwrap();
            assert_eq!(key.algorithm(), forms.algorithm);
            assert_eq!(key.key_id().as_str(), forms.key_id);
        }
        for file in forms.private.into_iter().chain(forms.public) {
            let [key] = publics(file).try_into().unwrap();
            assert_eq!(key.algorithm(), forms.algorithm);
            assert_eq!(key.key_id().as_str(), forms.key_id);
            assert_eq!(publics(key.to_pem().as_bytes()), [key]);
        }
    }
    assert_eq!(
        publics(file!("rsa-pkcs1-public")),
        publics(file!("rsa-spki"))
    );
}

#[test]
fn a_file_holds_several_keys_in_order_and_labels_do_not_count() {
    let relabelled = String::from_utf8(file!("p384-spki").to_vec())
        .unwrap()
        .replace("PUBLIC KEY", "ANYTHING");
    let file = [
        file!("p256-certificate"),
        file!("ed25519-spki"),
        b"-----BEGIN JUNK-----\nAAAA\n-----END JUNK-----\n",
        file!("rsa-pkcs1"),
        relabelled.as_bytes(),
        file!("p256-certificate"),
    ]
    .concat();
    let algorithms: Vec<_> = publics(&file).iter().map(PublicKey::algorithm).collect();
    let expected = [
        Algorithm::Es256,
        Algorithm::Rs256,
        Algorithm::Es384,
        Algorithm::Es256,
    ];
    assert_eq!(algorithms, expected);
}

#[test]
fn a_file_without_keys_says_so_in_kube_apiserver_s_words() {
    for file in [
        b"".as_slice(),
        b"hello",
        file!("ed25519-spki"),
        file!("rsa512-pkcs1"),
    ] {
        let error = PublicKey::all_from_pem(file).unwrap_err();
        let text = "data does not contain any valid RSA or ECDSA public keys";
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn unusable_keys_are_refused_with_their_kind() {
    let unsupported = [
        (file!("ed25519-pkcs8"), "ed25519"),
        (file!("ed25519-spki"), "ed25519"),
        (file!("p224-sec1"), "P-224"),
        (file!("p224-spki"), "P-224"),
        (file!("dsa-pkcs8"), "dsa"),
        (file!("dsa-spki"), "dsa"),
        (file!("rsa-pss-pkcs8"), "rsassa-pss"),
        (file!("p256-explicit"), "explicit-curve"),
    ];
    for (file, expected) in unsupported {
        let Err(Error::NoPublicKeys(Some(reason))) = PublicKey::all_from_pem(file) else {
            panic!("{expected} was accepted");
        };
        assert!(
            matches!(*reason, Error::KeyUnsupported(kind) if kind == expected),
            "{reason:?}"
        );
        if file.windows(11).any(|text| text == b"PRIVATE KEY") {
            let error = PrivateKey::from_pem(file).unwrap_err();
            assert!(
                matches!(error, Error::KeyUnsupported(kind) if kind == expected),
                "{error:?}"
            );
        }
    }
    for file in [file!("p256-compressed"), file!("rsa-encrypted")] {
        let error = PublicKey::all_from_pem(file).unwrap_err();
        assert!(
            matches!(&error, Error::NoPublicKeys(Some(reason)) if matches!(**reason, Error::KeyMalformed)),
            "{error:?}"
        );
    }
}

#[test]
fn small_rsa_keys_verify_from_1024_bits_and_sign_from_2048() {
    let jws = Jws::parse(include_str!("tokens/rsa1024-rs256.jws")).unwrap();
    let [key] = publics(file!("rsa1024-pkcs1")).try_into().unwrap();
    assert_eq!(key.verify(&jws).unwrap(), b"{}");
    let refused = PrivateKey::from_pem(file!("rsa1024-pkcs1"));
    assert!(matches!(
        refused,
        Err(Error::KeySize {
            bits: 1024,
            least: 2048
        })
    ));
    let refused = PublicKey::all_from_pem(file!("rsa512-pkcs1"));
    assert!(matches!(
        refused,
        Err(Error::NoPublicKeys(Some(reason)))
            if matches!(*reason, Error::KeySize { bits: 512, least: 1024 })
    ));
}

#[test]
fn the_first_private_block_that_parses_signs() {
    let broken = b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    let files = [
        broken,
        file!("p384-certificate"),
        file!("p521-sec1"),
        file!("rsa-pkcs8"),
    ];
    let key = PrivateKey::from_pem(&files.concat()).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Es512);
}

#[test]
fn a_private_block_that_must_not_sign_does_not_give_way_to_the_next() {
    let file = [file!("ed25519-pkcs8"), file!("rsa-pkcs8")].concat();
    assert!(matches!(
        PrivateKey::from_pem(&file),
        Err(Error::KeyUnsupported("ed25519"))
    ));
    let file = [file!("rsa1024-pkcs1"), file!("rsa-pkcs8")].concat();
    assert!(matches!(
        PrivateKey::from_pem(&file),
        Err(Error::KeySize { bits: 1024, .. })
    ));
}

#[test]
fn files_without_private_keys_do_not_sign() {
    for file in [
        b"".as_slice(),
        file!("rsa-spki"),
        file!("p256-certificate"),
        file!("rsa-encrypted"),
    ] {
        let error = PrivateKey::from_pem(file).unwrap_err();
        assert_eq!(
            error.to_string(),
            "data does not contain a valid RSA or ECDSA private key"
        );
    }
}

#[test]
fn generated_keys_have_the_asked_algorithm_and_survive_pem() {
    for algorithm in Algorithm::SIGNING {
        let key = PrivateKey::generate(*algorithm).unwrap();
        assert_eq!(key.algorithm(), *algorithm);
        let pem = key.to_pem().unwrap();
        assert!(pem.expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let again = PrivateKey::from_pem(pem.expose().as_bytes()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
    }
    for algorithm in [Algorithm::Rs384, Algorithm::Ps256] {
        assert!(matches!(
            PrivateKey::generate(algorithm),
            Err(Error::AlgorithmMismatch)
        ));
    }
}

#[test]
fn debug_shows_algorithm_and_id_only() {
    let key = PrivateKey::from_pem(file!("p256-pkcs8")).unwrap();
    assert_eq!(
        format!("{key:?}"),
        r#"PrivateKey { algorithm: Es256, key_id: "RLK9N1jPUGpxBMdW8pYmTPBCpFweYz7w-LxF6JmCyqM", .. }"#
    );
}

#[test]
fn damaged_keys_never_panic_and_never_become_other_keys() {
    for forms in FORMS {
        for file in forms.private {
            let [key] = publics(file).try_into().unwrap();
            let der = der_of(file);
            for position in 0..der.len().min(160) {
                let mut damaged = der.clone();
                damaged[position] ^= 0x11;
                if let Ok(private) = PrivateKey::from_der(&damaged) {
                    assert_eq!(private.public_key(), &key, "byte {position}");
                }
                let _ = PublicKey::from_der(&damaged);
            }
            assert!(PrivateKey::from_der(&der[..der.len() - 1]).is_err());
            assert!(PrivateKey::from_der(&[der.as_slice(), &[0]].concat()).is_err());
        }
    }
}

/// The last block of a file.
fn der_of(file: &[u8]) -> Vec<u8> {
    use base64::Engine as _;

    let text = str::from_utf8(file).unwrap();
    let block = text.rsplit_once("-----BEGIN ").unwrap().1;
    let body: String = block
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('-'))
        .collect();
    base64::engine::general_purpose::STANDARD
        .decode(body)
        .unwrap()
}
