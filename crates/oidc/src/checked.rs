//! A JWT authenticator whose configuration was checked: the form that verification works with.

use burgee_cel::Expression;
use burgee_jose::Algorithm;

/// One entry of `jwt` in an `AuthenticationConfiguration`, or the `--oidc-*` flags, after every rule on
/// them was applied and every expression compiled.
#[derive(Clone, Debug)]
pub struct JwtAuthenticator {
    /// Whose tokens, and for whom.
    pub issuer: Issuer,
    /// The signature algorithms that are accepted, in configured order.
    pub signing_algorithms: Vec<Algorithm>,
    /// What claims must say, and what they become.
    pub claim_mappings: ClaimMappings,
    /// Claims that must be there with these values.
    pub required_claims: Vec<RequiredClaim>,
    /// Rules on the claims (`claimValidationRules` with an expression).
    pub claim_validation_rules: Vec<Rule>,
    /// Rules on the user that comes out (`userValidationRules`).
    pub user_validation_rules: Vec<Rule>,
}

/// Where an issuer's tokens and keys come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer {
    /// The token's `iss`, byte for byte.
    pub url: String,
    /// Where the discovery document is, if not below [`Issuer::url`].
    pub discovery_url: Option<String>,
    /// PEM of the authorities that the provider's certificates lead up to; those of the host if absent.
    pub certificate_authority: Option<String>,
    /// One of these must be among the token's `aud`. Not empty.
    pub audiences: Vec<String>,
}

/// How claims become a user.
#[derive(Clone, Debug)]
pub struct ClaimMappings {
    /// The user's name.
    pub username: PrefixedMapping,
    /// The user's groups.
    pub groups: Option<PrefixedMapping>,
    /// The user's uid.
    pub uid: Option<UidMapping>,
    /// Further attributes, in configured order.
    pub extra: Vec<ExtraMapping>,
}

/// A claim with something in front of it, or an expression.
#[derive(Clone, Debug)]
pub enum PrefixedMapping {
    /// The claim of this name.
    Claim {
        /// Name of the claim.
        claim: String,
        /// Stands in front of every value, as it is.
        prefix: String,
    },
    /// What this makes of the claims.
    Expression(Expression),
}

/// A claim, or an expression.
#[derive(Clone, Debug)]
pub enum UidMapping {
    /// The claim of this name.
    Claim(String),
    /// What this makes of the claims.
    Expression(Expression),
}

/// One attribute.
#[derive(Clone, Debug)]
pub struct ExtraMapping {
    /// Its name.
    pub key: String,
    /// Its values.
    pub value: Expression,
}

/// A claim that must be there with a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequiredClaim {
    /// Name of the claim.
    pub claim: String,
    /// The value that it must have.
    pub value: String,
}

/// An expression that must be true.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What must be true.
    pub expression: Expression,
    /// What to say when it is not; may be empty.
    pub message: String,
}
