//! Tokens of OpenID Connect providers: AuthenticationConfiguration, discovery, key sets, claims and rules.

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
