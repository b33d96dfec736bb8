//! Tokens of OpenID Connect providers: AuthenticationConfiguration, discovery, key sets, claims and rules.

mod authenticator;
mod authenticators;
mod checked;
mod claims;
mod discovery;
mod distributed;
mod examine;
mod key_set;
mod mapping;
mod metrics;
mod provider;
mod verifier;

pub use authenticators::{IssuerHealth, JwtAuthenticators, PreparedIssuers, StartError};
pub use checked::{
    ClaimMappings, ExtraMapping, Issuer, JwtAuthenticator, PrefixedMapping, RequiredClaim, Rule,
    UidMapping,
};
pub use claims::{Claims, MAX_TOKEN_LEN};
pub use discovery::{DiscoveryDocument, DiscoveryError};
pub use metrics::{Metrics, NoMetrics, hash_label};
