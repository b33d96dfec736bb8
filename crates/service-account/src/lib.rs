//! Tokens of service accounts: what they say, who gets them, and when they are good.
//!
//! [`TokenIssuer`] applies the rules of the TokenRequest API and answers with a signed token or an
//! [`Error`] whose [`Error::status`] is the answer of an API server. [`TokenValidator`] judges tokens.
//! [`DiscoveryDocuments`] tell others how to. Objects, keys and signatures come in through
//! [`ObjectLookup`], [`KeySource`] and [`TokenSigner`]; this crate does no I/O.
//!
//! ```
//! use std::sync::Arc;
//! use burgee_identity::{Clock, SystemClock};
//! use burgee_jose::{Algorithm, PrivateKey, SigningKey};
//! use burgee_service_account::*;
//! use burgee_wire::authentication::TokenRequest;
//!
//! /// A world with one service account.
//! #[derive(Debug)]
//! struct OneAccount;
//!
//! impl ObjectLookup for OneAccount {
//!     fn cached(&self, object: ObjectRef<'_>) -> Option<ObjectFacts> {
//!         (object.kind == ObjectKind::ServiceAccount && object.name == "builder")
//!             .then(|| ObjectFacts { uid: "u1".into(), ..ObjectFacts::default() })
//!     }
//!
//!     fn live<'a>(&'a self, object: ObjectRef<'a>) -> BoxFuture<'a, Result<ObjectFacts, LookupError>> {
//!         Box::pin(async move { self.cached(object).ok_or(LookupError::NotFound) })
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let key = SigningKey::new(PrivateKey::generate(Algorithm::Es256)?);
//! let keys = [key.private_key().public_key().clone()].into_iter().collect();
//! let keys = Arc::new(StaticKeys(Arc::new(keys)));
//! let (objects, clock) = (Arc::new(OneAccount), Arc::new(SystemClock::new()));
//!
//! let rules = IssuingRules::new("https://issuer.example");
//! let issuer = TokenIssuer::new(rules, objects.clone(), Arc::new(key), clock.clone());
//! let prepared = issuer.prepare("team-a", "builder", TokenRequest::default()).await?;
//! let token = issuer.issue(prepared).await?.response.status.token;
//!
//! let names = vec!["https://issuer.example".to_owned()];
//! let validator = TokenValidator::new(names.clone(), names, keys, objects, clock);
//! let valid = validator.validate(&token, &[]).await.unwrap();
//! assert_eq!(valid.user.name, "system:serviceaccount:team-a:builder");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod claims;
mod discovery;
mod error;
mod issue;
mod lookup;
mod signer;
#[cfg(test)]
mod testing;
mod validate;

pub use claims::{Claims, KubernetesClaims, ObjectClaim};
pub use discovery::{
    CONFIGURATION_MEDIA_TYPE, CONFIGURATION_PATH, DiscoveryDocuments, JWKS_MEDIA_TYPE, JWKS_PATH,
    JwksUri,
};
pub use error::Error;
pub use issue::{
    EXTENDED_SECONDS, Extension, Issued, IssuingRules, PreparedRequest, TokenIssuer, UidCheck,
    WARN_AFTER_SECONDS,
};
pub use lookup::{BoxFuture, LookupError, ObjectFacts, ObjectKind, ObjectLookup, ObjectRef};
pub use signer::{KeySource, StaticKeys, TokenSigner};
pub use validate::{NotValid, TokenValidator, ValidToken};

/// How an accepted token stands, where that is worth counting.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TokenUse {
    /// Its holder should have had a newer one by now.
    Stale,
    /// It was extended, and its holder is in time.
    Valid,
    /// It names no audience.
    WithoutAudience,
}
