//! Tokens of OpenID Connect providers: AuthenticationConfiguration, discovery, key sets, claims and rules.

mod checked;

pub use checked::{
    ClaimMappings, ExtraMapping, Issuer, JwtAuthenticator, PrefixedMapping, RequiredClaim, Rule,
    UidMapping,
};
