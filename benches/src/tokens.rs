//! Signing and verifying tokens, next to the same calls of aws-lc-rs and nothing else.

use std::hint::black_box;

use anyhow::{Context as _, Result, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, VerificationAlgorithm,
};
use aws_lc_rs::{hmac, rsa};
use burgee_jose::{
    Algorithm, HmacKey, Jws, KeyId, PrivateKey, Signer, SigningInput, SigningKey, VerificationKeys,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::Plan;
use crate::figure::{Figure, Goal, Report};
use crate::measure::{Pair, pair};

/// What a token may cost beside its cryptography.
const GOAL: Goal = Goal::RatioAtMost(1.10);

/// The claims of a token that is bound to a pod, in their usual size.
const CLAIMS: &str = r#"{"aud":["https://kubernetes.default.svc.cluster.local"],"exp":1794000000,"iat":1762464000,"iss":"https://kubernetes.default.svc.cluster.local","jti":"1b671a64-40d5-491e-99b0-da01ff1f3341","kubernetes.io":{"namespace":"team-a","node":{"name":"worker-1.example.com","uid":"7d444840-9dc0-11d1-b245-5ffdce74fad2"},"pod":{"name":"builder-66bff467f8-7kx2m","uid":"6fa459ea-ee8a-3ca4-894e-db77e160355e"},"serviceaccount":{"name":"builder","uid":"16fd2706-8baf-433b-82eb-8c7fada847da"},"warnafter":1762467607},"nbf":1762464000,"sub":"system:serviceaccount:team-a:builder"}"#;

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let rounds = plan.choose(401, 61);
    let rsa = &RSA_PKCS1_2048_8192_SHA256;
    type Row = (
        Algorithm,
        Option<&'static EcdsaSigningAlgorithm>,
        &'static dyn VerificationAlgorithm,
    );
    let table: [Row; 4] = [
        (Algorithm::Rs256, None, rsa),
        (
            Algorithm::Es256,
            Some(&ECDSA_P256_SHA256_FIXED_SIGNING),
            &ECDSA_P256_SHA256_FIXED,
        ),
        (
            Algorithm::Es384,
            Some(&ECDSA_P384_SHA384_FIXED_SIGNING),
            &ECDSA_P384_SHA384_FIXED,
        ),
        (
            Algorithm::Es512,
            Some(&ECDSA_P521_SHA512_FIXED_SIGNING),
            &ECDSA_P521_SHA512_FIXED,
        ),
    ];
    for (algorithm, curve, verification) in table {
        let key = SigningKey::new(PrivateKey::generate(algorithm)?);
        let keys = VerificationKeys::from_iter([key.private_key().public_key().clone()]);
        let bare = Bare::new(key.private_key(), curve, verification)?;
        let token = key.sign(CLAIMS.as_bytes())?;
        let message = SigningInput::new(key.header(), CLAIMS.as_bytes());
        let signature = Jws::parse(&token)?.signature().to_vec();
        bare.verify(message.as_bytes(), &signature)?;
        keys.verify(&Jws::parse(&token)?)?;

        let sign = pair(
            rounds,
            || drop(black_box(key.sign(black_box(CLAIMS.as_bytes())))),
            || drop(black_box(bare.sign(black_box(message.as_bytes())))),
        );
        add(report, algorithm.as_str(), "sign", sign)?;
        let verify = pair(
            rounds,
            || {
                let jws = Jws::parse(black_box(&token));
                let verified = jws.map(|jws| keys.verify(&jws).is_ok());
                let _ = black_box(verified);
            },
            || {
                let verified = bare.verify(black_box(message.as_bytes()), &signature);
                let _ = black_box(verified);
            },
        );
        add(report, algorithm.as_str(), "verify", verify)?;
    }
    cluster_info(rounds, report)
}

/// HS256 detached, as `cluster-info` is signed with. Encoding costs as much as hashing there, and no
/// request waits for it, so there is no goal.
fn cluster_info(rounds: usize, report: &mut Report) -> Result<()> {
    let secret = b"f395accd246ae52d";
    let (key, bare) = (
        HmacKey::new(secret),
        hmac::Key::new(hmac::HMAC_SHA256, secret),
    );
    let key_id = KeyId::new("07401b")?;
    let payload = CLAIMS.repeat(4);
    let sign = pair(
        rounds,
        || {
            drop(black_box(
                key.sign_detached(&key_id, black_box(payload.as_bytes())),
            ))
        },
        || {
            black_box(hmac::sign(&bare, black_box(payload.as_bytes())));
        },
    );
    let figure = Figure::new("token.HS256.sign-detached", sign.subject, "us");
    report.add(figure.floor_paired(sign.floor, sign.ratio))
}

fn add(report: &mut Report, algorithm: &str, what: &str, pair: Pair) -> Result<()> {
    let figure = Figure::new(format!("token.{algorithm}.{what}"), pair.subject, "us");
    report.add(figure.floor_paired(pair.floor, pair.ratio).goal(GOAL))
}

/// A key in the hands of aws-lc-rs alone, parsed once.
pub(crate) struct Bare {
    signing: Signing,
    public: ParsedPublicKey,
}

enum Signing {
    Ec(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

impl Bare {
    /// A key that is only to verify.
    pub(crate) fn public(key: &PrivateKey) -> Result<Self> {
        match key.algorithm() {
            Algorithm::Rs256 => Self::new(key, None, &RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Es256 => Self::new(
                key,
                Some(&ECDSA_P256_SHA256_FIXED_SIGNING),
                &ECDSA_P256_SHA256_FIXED,
            ),
            other => Err(anyhow!("no floor for {}", other.as_str())),
        }
    }

    fn new(
        key: &PrivateKey,
        curve: Option<&'static EcdsaSigningAlgorithm>,
        verification: &'static dyn VerificationAlgorithm,
    ) -> Result<Self> {
        let pem = key.to_pem()?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes())?;
        let der = der.secret_pkcs8_der();
        let signing = match curve {
            Some(curve) => Signing::Ec(EcdsaKeyPair::from_pkcs8(curve, der)?),
            None => Signing::Rsa(rsa::KeyPair::from_pkcs8(der)?),
        };
        let public = match &signing {
            Signing::Ec(key) => ParsedPublicKey::new(verification, key.public_key().as_ref()),
            Signing::Rsa(key) => ParsedPublicKey::new(verification, key.public_key().as_ref()),
        };
        let public = public.context("parsing the public key")?;
        Ok(Self { signing, public })
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.signing {
            Signing::Ec(key) => Ok(key.sign(&random, message)?.as_ref().to_vec()),
            Signing::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
        }
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        let verified = self.public.verify_sig(message, signature);
        verified.map_err(|_| anyhow!("the signature is not valid"))
    }
}
