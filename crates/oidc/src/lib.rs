//! Tokens of OpenID Connect providers: AuthenticationConfiguration, discovery, key sets, claims and rules.
//!
//! [`AuthenticationConfiguration`] reads the file of `--authentication-config`, [`OidcFlags`] the
//! `--oidc-*` flags; both end in checked [`JwtAuthenticator`]s. [`JwtAuthenticators`] judges tokens by
//! them: it finds each issuer's provider in the background ([`DiscoveryDocument`]), fetches keys when they
//! are needed, keeps and renews them, verifies tokens, and makes users of their [`Claims`]. [`Reloader`]
//! puts a changed file in force once the providers in it are found.
//!
//! Three things are promised. A token whose issuer's keys are known is judged from memory, without a lock
//! or a task. What strangers can make a provider see is bounded: one request for keys at a time, five
//! seconds apart. And a key that the provider takes back is refused within its lifetime, an hour at most,
//! as long as the provider answers with others.
//!
//! Behaviour and texts are those of kube-apiserver 1.34 and later. It is stricter where no client can
//! tell: repeated members, other spellings of claims, encodings that are not canonical, keys and endpoints
//! without TLS, and names that are empty are refused.
//!
//! ```
//! use std::sync::Arc;
//! use burgee_authn::{Audiences, Decision, TokenAuthenticator as _};
//! use burgee_identity::{Reason, SystemClock};
//! use burgee_jose::Algorithm;
//! use burgee_oidc::{
//!     Claims, ClaimMappings, Issuer, JwtAuthenticator, JwtAuthenticators, NoMetrics, PrefixedMapping,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let claim = |claim: &str| PrefixedMapping::Claim {
//!     claim: claim.to_owned(),
//!     prefix: "idp:".to_owned(),
//! };
//! let configured = JwtAuthenticator {
//!     issuer: Issuer {
//!         url: "https://issuer.example".to_owned(),
//!         discovery_url: None,
//!         certificate_authority: None,
//!         audiences: vec!["kubernetes".to_owned()],
//!     },
//!     signing_algorithms: vec![Algorithm::Rs256, Algorithm::Es256],
//!     claim_mappings: ClaimMappings {
//!         username: claim("sub"),
//!         groups: Some(claim("groups")),
//!         uid: None,
//!         extra: Vec::new(),
//!     },
//!     required_claims: Vec::new(),
//!     claim_validation_rules: Vec::new(),
//!     user_validation_rules: Vec::new(),
//! };
//!
//! // Who verified claims make.
//! let claims = Claims::from_json(br#"{"sub":"jane","groups":["devs"]}"#).unwrap();
//! let user = configured.user(&claims).unwrap();
//! assert_eq!((user.name.as_str(), user.groups), ("idp:jane", vec!["idp:devs".to_owned()]));
//!
//! // Judging tokens: what does not name a configured issuer is left to others.
//! let clock = Arc::new(SystemClock::new());
//! let tokens = JwtAuthenticators::start([configured], clock, Arc::new(NoMetrics))?;
//! let Decision::Now(verdict) = tokens.authenticate("opaque", &Audiences::ANY) else { unreachable!() };
//! assert_eq!(verdict.outcome.reason(), Some(Reason::TokenMalformed));
//! assert!(tokens.health()[0].result.is_err(), "the provider was not found yet");
//! # Ok(())
//! # }
//! ```

mod authenticator;
mod authenticators;
mod checked;
mod claims;
mod configuration;
mod discovery;
mod distributed;
mod examine;
mod key_set;
mod mapping;
mod metrics;
mod provider;
mod reload;
mod verifier;

pub use authenticators::{IssuerHealth, JwtAuthenticators, PreparedIssuers, StartError};
pub use checked::{
    ClaimMappings, ExtraMapping, Issuer, JwtAuthenticator, PrefixedMapping, RequiredClaim, Rule,
    UidMapping,
};
pub use claims::{Claims, MAX_TOKEN_LEN};
pub use configuration::{
    AnonymousConfiguration, AuthenticationConfiguration, ConfigurationError, OidcFlags, Problem,
    Rules, warnings,
};
pub use discovery::{DiscoveryDocument, DiscoveryError};
pub use metrics::{Metrics, NoMetrics, hash_label};
pub use reload::{Offers, Reloader};
