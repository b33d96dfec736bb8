//! The `--oidc-*` flags: one issuer without a file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burgee_jose::Algorithm;
use burgee_wire::field::Path;

use super::document::{ClaimMappings, ClaimValidationRule, Issuer, Jwt, PrefixedClaimOrExpression};
use super::error::go_text;
use super::{ConfigurationError, Problem, Rules, check_authenticator};
use crate::JwtAuthenticator;

/// The `--oidc-*` flags as given; what was not given is absent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OidcFlags {
    /// `--oidc-issuer-url`.
    pub issuer_url: Option<String>,
    /// `--oidc-client-id`: the audience.
    pub client_id: Option<String>,
    /// `--oidc-ca-file`: PEM, read once.
    pub ca_file: Option<PathBuf>,
    /// `--oidc-username-claim`, `sub` by default.
    pub username_claim: Option<String>,
    /// `--oidc-username-prefix`: `-` stands for none. Without one, it is the issuer's URL and `#`, but none
    /// for the claim `email`.
    pub username_prefix: Option<String>,
    /// `--oidc-groups-claim`: empty stands for no groups.
    pub groups_claim: Option<String>,
    /// `--oidc-groups-prefix`.
    pub groups_prefix: Option<String>,
    /// `--oidc-signing-algs`, taken apart at its commas; `RS256` by default.
    pub signing_algs: Option<Vec<String>>,
    /// `--oidc-required-claim`: each is `claim=value`, and of one claim the last counts.
    pub required_claims: Option<Vec<String>>,
}

impl OidcFlags {
    /// Whether any was given.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }

    /// Applies the same rules as to a file. Without any flag there is nothing.
    ///
    /// # Errors
    /// [`ConfigurationError::IncompleteFlags`], [`ConfigurationError::RequiredClaim`],
    /// [`ConfigurationError::CertificateAuthority`], [`ConfigurationError::Invalid`] or
    /// [`ConfigurationError::SigningAlgorithm`].
    pub fn check(self, rules: &Rules) -> Result<Option<JwtAuthenticator>, ConfigurationError> {
        if !self.any() {
            return Ok(None);
        }
        let written = self.written()?;
        let mut errors = Vec::new();
        let path = Path::new("jwt").index(0);
        let authenticator = check_authenticator(&written, &path, rules, &mut errors);
        let Some(mut authenticator) = authenticator.filter(|_| errors.is_empty()) else {
            let problem = |error| Problem { error, line: None };
            let problems = errors.into_iter().map(problem).collect();
            return Err(ConfigurationError::Invalid(problems));
        };
        authenticator.signing_algorithms = self.signing_algorithms()?;
        Ok(Some(authenticator))
    }

    /// What a file would say.
    fn written(&self) -> Result<Jwt, ConfigurationError> {
        let given = |flag: &Option<String>| flag.clone().filter(|text| !text.is_empty());
        let (Some(url), Some(client_id)) = (given(&self.issuer_url), given(&self.client_id)) else {
            return Err(ConfigurationError::IncompleteFlags);
        };
        let username_claim = self.username_claim.clone();
        let username_claim = username_claim.unwrap_or_else(|| "sub".to_owned());
        let username_prefix = match given(&self.username_prefix).as_deref() {
            Some("-") => String::new(),
            Some(prefix) => prefix.to_owned(),
            None if username_claim == "email" => String::new(),
            None => format!("{url}#"),
        };
        let groups = given(&self.groups_claim).map(|claim| PrefixedClaimOrExpression {
            claim,
            prefix: Some(self.groups_prefix.clone().unwrap_or_default()),
            expression: String::new(),
        });
        Ok(Jwt {
            issuer: Issuer {
                url,
                audiences: vec![client_id],
                certificate_authority: self.certificate_authority()?,
                ..Issuer::default()
            },
            claim_validation_rules: self.claim_validation_rules()?,
            claim_mappings: ClaimMappings {
                username: PrefixedClaimOrExpression {
                    claim: username_claim,
                    prefix: Some(username_prefix),
                    expression: String::new(),
                },
                groups: groups.unwrap_or_default(),
                ..ClaimMappings::default()
            },
            user_validation_rules: Vec::new(),
        })
    }

    fn certificate_authority(&self) -> Result<String, ConfigurationError> {
        let file = self.ca_file.as_deref();
        let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) else {
            return Ok(String::new());
        };
        std::fs::read_to_string(file).map_err(|error| ConfigurationError::CertificateAuthority {
            file: file.display().to_string(),
            problem: go_text(&error),
        })
    }

    fn claim_validation_rules(&self) -> Result<Vec<ClaimValidationRule>, ConfigurationError> {
        let mut claims = BTreeMap::new();
        for pair in self.required_claims.iter().flatten() {
            let (claim, value) = pair
                .split_once('=')
                .ok_or_else(|| ConfigurationError::RequiredClaim(pair.clone()))?;
            claims.insert(claim.trim().to_owned(), value.trim().to_owned());
        }
        let rule = |(claim, required_value)| ClaimValidationRule {
            claim,
            required_value,
            ..ClaimValidationRule::default()
        };
        Ok(claims.into_iter().map(rule).collect())
    }

    fn signing_algorithms(&self) -> Result<Vec<Algorithm>, ConfigurationError> {
        match self.signing_algs.as_deref() {
            None | Some([]) => Ok(vec![Algorithm::Rs256]),
            Some(names) => names
                .iter()
                .map(|name| {
                    Algorithm::from_name(name)
                        .ok_or_else(|| ConfigurationError::SigningAlgorithm(name.clone()))
                })
                .collect(),
        }
    }
}
