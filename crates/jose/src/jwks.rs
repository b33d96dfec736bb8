//! Key sets as they are published (RFC 7517).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::curve::Curve;
use crate::encoding::RsaNumbers;
use crate::public_key::Numbers;
use crate::{Algorithm, Error, KeyId, PublicKey, VerificationKey, base64url, json};

/// The longest key set that is read, in bytes: 1 MiB.
pub const MAX_LEN: usize = 1 << 20;

/// The most keys of one set that are read. Providers publish two or three; each one costs work when a
/// token names no key.
pub const MAX_KEYS: usize = 256;

/// What a key set held.
#[derive(Debug, Default)]
pub struct KeySet {
    /// The keys that can verify tokens, in the set's order.
    pub keys: Vec<VerificationKey>,
    /// Why each of the others cannot.
    pub skipped: Vec<Error>,
}

/// Renders a key set byte for byte as kube-apiserver serves it at `/openid/v1/jwks`.
///
/// Members stand in the order `use`, `kty`, `kid`, `crv`, `alg`, `x`, `y`, `n`, `e`; coordinates are
/// padded to the width of their curve.
///
/// ```
/// use burgee_jose::{Algorithm, PrivateKey, VerificationKey, jwks};
///
/// let key = VerificationKey::from(PrivateKey::generate(Algorithm::Es256)?.public_key().clone());
/// let document = jwks::render([&key]);
/// assert!(document.starts_with(r#"{"keys":[{"use":"sig","kty":"EC","kid":""#));
/// assert_eq!(jwks::parse(document.as_bytes())?.keys, [key]);
/// # Ok::<(), burgee_jose::Error>(())
/// ```
#[must_use]
pub fn render<'a>(keys: impl IntoIterator<Item = &'a VerificationKey>) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        keys: Vec<Jwk<'a>>,
    }

    let keys = keys.into_iter().map(Jwk::from).collect();
    // Strings always serialise.
    json::to_string(&Document { keys }).unwrap_or_default()
}

/// Reads a key set, such as an OIDC provider's.
///
/// Keys of other types, uses or algorithms, and broken keys, are skipped and do not spoil the rest. An
/// RSA key verifies with the algorithm that it names, else with RS256.
///
/// # Errors
/// [`Error::InputTooLarge`], [`Error::TooManyKeys`], or [`Error::Json`] if the document is no object with
/// an array `keys`, by the rules of [`json::from_slice`].
pub fn parse(document: &[u8]) -> Result<KeySet, Error> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<Value>,
    }

    if document.len() > MAX_LEN {
        return Err(Error::InputTooLarge { limit: MAX_LEN });
    }
    let Document { keys } = json::from_slice(document)?;
    if keys.len() > MAX_KEYS {
        return Err(Error::TooManyKeys { limit: MAX_KEYS });
    }
    let mut set = KeySet::default();
    for key in keys {
        match parse_key(key) {
            Ok(key) => set.keys.push(key),
            Err(error) => set.skipped.push(error),
        }
    }
    Ok(set)
}

/// One key: the members that Kubernetes writes, in its order.
#[derive(Default, Deserialize, Serialize)]
struct Jwk<'a> {
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<Cow<'a, str>>,
    kty: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
}

impl<'a> From<&'a VerificationKey> for Jwk<'a> {
    fn from(key: &'a VerificationKey) -> Self {
        let common = Self {
            usage: Some("sig".into()),
            kid: key.key_id.as_ref().map(|id| id.as_str().into()),
            alg: Some(key.key.algorithm().as_str().into()),
            ..Self::default()
        };
        match key.key.numbers() {
            Numbers::Ec { curve, x, y } => Self {
                kty: "EC".into(),
                crv: Some(curve.name().into()),
                x: Some(base64url::encode(x)),
                y: Some(base64url::encode(y)),
                ..common
            },
            Numbers::Rsa { n, e } => Self {
                kty: "RSA".into(),
                n: Some(base64url::encode(n)),
                e: Some(base64url::encode(e)),
                ..common
            },
        }
    }
}

fn parse_key(key: Value) -> Result<VerificationKey, Error> {
    if !key.is_object() {
        return Err(Error::KeyMalformed);
    }
    let jwk: Jwk<'_> = serde_json::from_value(key).map_err(Error::Json)?;
    if jwk.usage.as_ref().is_some_and(|usage| usage != "sig") {
        return Err(Error::KeyUnsupported("encryption"));
    }
    let key = match jwk.kty.as_ref() {
        "EC" => parse_ec(&jwk)?,
        "OKP" => return Err(Error::KeyUnsupported("edwards-curve")),
        "RSA" => parse_rsa(&jwk)?,
        "oct" => return Err(Error::KeyUnsupported("symmetric")),
        _ => return Err(Error::KeyUnsupported("other")),
    };
    let key = match jwk.alg {
        None => key,
        Some(name) => {
            let algorithm = Algorithm::from_name(&name).ok_or(Error::AlgorithmMismatch)?;
            key.with_algorithm(algorithm)?
        }
    };
    let key_id = match jwk.kid {
        Some(id) if !id.is_empty() => Some(KeyId::new(id.as_ref())?),
        _ => None,
    };
    Ok(VerificationKey { key_id, key })
}

/// RFC 7518 section 6.2.1: both coordinates have the full width of the curve.
fn parse_ec(jwk: &Jwk<'_>) -> Result<PublicKey, Error> {
    let curve = Curve::from_name(jwk.crv.as_deref().ok_or(Error::KeyMalformed)?)
        .ok_or(Error::KeyUnsupported("other-curve"))?;
    let mut point = vec![4];
    for coordinate in [&jwk.x, &jwk.y] {
        let bytes = decode(coordinate.as_deref())?;
        if bytes.len() != curve.coordinate_len() {
            return Err(Error::KeyMalformed);
        }
        point.extend(bytes);
    }
    PublicKey::from_point(curve, &point)
}

/// RFC 7518 section 6.3.1. Leading zeros are forbidden there and met in the wild.
fn parse_rsa(jwk: &Jwk<'_>) -> Result<PublicKey, Error> {
    let [n, e] = [decode(jwk.n.as_deref())?, decode(jwk.e.as_deref())?];
    PublicKey::from_rsa_numbers(RsaNumbers {
        n: without_zeros(&n),
        e: without_zeros(&e),
    })
}

fn decode(member: Option<&str>) -> Result<Vec<u8>, Error> {
    member
        .and_then(base64url::decode)
        .ok_or(Error::KeyMalformed)
}

fn without_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}
