//! JOSE as Kubernetes uses it: keys, key ids, key sets, and signatures on tokens.
//!
//! A [`PrivateKey`] is read from PEM or generated; as [`SigningKey`] it makes tokens byte for byte as
//! kube-apiserver does. [`PublicKey`]s under their [`KeyId`]s form [`VerificationKeys`], which check what
//! [`Jws::parse`] has read, and are published by [`jwks::render`]. [`HmacKey`] signs the `cluster-info`
//! ConfigMap. [`json`] reads and writes what is inside tokens.
//!
//! Three rules hold by construction. A key knows its [`Algorithm`], so a token cannot choose one. `none`
//! and HMAC are no algorithms of public keys. What is trusted is read strictly: one encoding of every
//! token, no repeated members, limits on every length and depth.
//!
//! This crate does no I/O and knows nothing of claims. Cryptography is aws-lc's.
//!
//! ```
//! use burgee_jose::{Algorithm, Error, Jws, PrivateKey, Signer, SigningKey, VerificationKeys};
//!
//! let key = SigningKey::new(PrivateKey::generate(Algorithm::Es256)?);
//! let token = key.sign(br#"{"sub":"system:serviceaccount:team-a:builder"}"#)?;
//!
//! let keys: VerificationKeys = [key.private_key().public_key().clone()].into_iter().collect();
//! let jws = Jws::parse(&token)?;
//! let verified = keys.verify(&jws)?;
//! assert_eq!(verified.payload, br#"{"sub":"system:serviceaccount:team-a:builder"}"#);
//!
//! let stranger = SigningKey::new(PrivateKey::generate(Algorithm::Es256)?);
//! let token = stranger.sign(b"{}")?;
//! let jws = Jws::parse(&token)?;
//! assert!(matches!(keys.verify(&jws), Err(Error::UnknownKey)));
//! # Ok::<(), Error>(())
//! ```

pub mod base64url;
pub mod json;
pub mod jwks;

mod algorithm;
mod curve;
mod der;
mod encoding;
mod error;
mod header;
mod hmac;
mod jws;
mod key_id;
mod pem;
mod private_key;
mod public_key;
mod sign;
mod verify;

pub use algorithm::Algorithm;
pub use error::{Error, Malformed};
pub use header::Header;
pub use hmac::HmacKey;
pub use jws::{Jws, MAX_TOKEN_LEN};
pub use key_id::KeyId;
pub use private_key::PrivateKey;
pub use public_key::PublicKey;
pub use sign::{ProtectedHeader, Signer, SigningInput, SigningKey};
pub use verify::{VerificationKey, VerificationKeys, Verified};
