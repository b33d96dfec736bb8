//! `AuthenticationConfiguration` of the group `apiserver.config.k8s.io`, read and checked.

mod anonymous;
mod claims;
mod document;
mod error;
mod issuer;
mod node;
mod oidc_flags;
mod reader;
mod warnings;

use std::collections::BTreeSet;

use burgee_jose::Algorithm;
use burgee_wire::field::{FieldError, Path};

pub use anonymous::AnonymousConfiguration;
pub use error::{ConfigurationError, Problem};
pub use oidc_flags::OidcFlags;
pub use warnings::warnings;

use crate::JwtAuthenticator;
use document::{Document, Jwt};

/// The most issuers that a file may have.
const MAX_AUTHENTICATORS: usize = 64;

/// What the rules depend on besides the file.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Issuers that no authenticator may have, because their tokens are verified elsewhere: those of
    /// service accounts.
    pub disallowed_issuers: Vec<String>,
}

/// A file of `--authentication-config` that keeps every rule.
///
/// ```
/// use burgee_oidc::{AuthenticationConfiguration, Rules};
///
/// let file = "
/// apiVersion: apiserver.config.k8s.io/v1
/// kind: AuthenticationConfiguration
/// anonymous: {enabled: true, conditions: [{path: /livez}]}
/// jwt:
/// - issuer: {url: https://issuer.example, audiences: [kubernetes]}
///   claimMappings: {username: {claim: sub, prefix: 'oidc:'}}
/// ";
/// let rules = Rules::default();
/// let configuration =
///     AuthenticationConfiguration::load("auth.yaml", file.as_bytes(), &rules).unwrap();
/// assert_eq!(configuration.jwt[0].issuer.url, "https://issuer.example");
/// assert!(configuration.anonymous.unwrap().allows("/livez"));
///
/// let file = file.replace("prefix: 'oidc:'", "");
/// let error = AuthenticationConfiguration::load("auth.yaml", file.as_bytes(), &rules).unwrap_err();
/// assert!(error.to_string().starts_with(
///     "invalid authentication configuration: \
///      jwt[0].claimMappings.username.prefix: Required value: prefix is required"
/// ));
/// ```
#[derive(Clone, Debug)]
pub struct AuthenticationConfiguration {
    /// The issuers of tokens, in the file's order; none has the URL of another.
    pub jwt: Vec<JwtAuthenticator>,
    /// What the file says of requests without credentials, if anything.
    pub anonymous: Option<AnonymousConfiguration>,
}

impl AuthenticationConfiguration {
    /// Reads YAML or JSON of one document and applies every rule of upstream's validation. Beyond
    /// upstream, URLs need a host, and `claims["email"]` counts as `claims.email`.
    ///
    /// `file` is only named in errors.
    ///
    /// # Errors
    /// [`ConfigurationError::Load`], [`ConfigurationError::Invalid`] or
    /// [`ConfigurationError::EgressSelector`].
    pub fn load(file: &str, bytes: &[u8], rules: &Rules) -> Result<Self, ConfigurationError> {
        Self::load_with(file, bytes, rules, |_| None)
    }

    /// The same for a file that takes the place of another, which must leave `anonymous` as it was.
    ///
    /// # Errors
    /// As [`AuthenticationConfiguration::load`].
    pub(crate) fn load_again(
        file: &str,
        bytes: &[u8],
        rules: &Rules,
        initial: Option<&AnonymousConfiguration>,
    ) -> Result<Self, ConfigurationError> {
        Self::load_with(file, bytes, rules, |anonymous| {
            let detail = "changed from initial configuration file";
            (anonymous != initial).then(|| FieldError::forbidden(&Path::new("anonymous"), detail))
        })
    }

    fn load_with(
        file: &str,
        bytes: &[u8],
        rules: &Rules,
        last_rule: impl Fn(Option<&AnonymousConfiguration>) -> Option<FieldError>,
    ) -> Result<Self, ConfigurationError> {
        let document =
            Document::decode(file, bytes).map_err(|problem| ConfigurationError::Load {
                file: file.to_owned(),
                problem,
            })?;
        let written = &document.configuration;
        let mut errors = Vec::new();
        let jwt = check_authenticators(&written.jwt, rules, &mut errors);
        let anonymous = written.anonymous.as_ref();
        let anonymous =
            anonymous.map(|anonymous| AnonymousConfiguration::check(anonymous, &mut errors));
        errors.extend(last_rule(anonymous.as_ref()));
        if !errors.is_empty() {
            let problem = |error: FieldError| Problem {
                line: document.lines.of(&error.path),
                error,
            };
            let problems = errors.into_iter().map(problem).collect();
            return Err(ConfigurationError::Invalid(problems));
        }
        // Upstream's rules let it pass, and then the authenticator cannot be made.
        let issuers = written.jwt.iter().map(|jwt| &jwt.issuer);
        let mut selectors = issuers.map(|issuer| &issuer.egress_selector_type);
        match selectors.find(|selector| !selector.is_empty()) {
            None => Ok(Self { jwt, anonymous }),
            Some(selector) => Err(ConfigurationError::EgressSelector(selector.clone())),
        }
    }
}

fn check_authenticators(
    written: &[Jwt],
    rules: &Rules,
    errors: &mut Vec<FieldError>,
) -> Vec<JwtAuthenticator> {
    let root = Path::new("jwt");
    if written.len() > MAX_AUTHENTICATORS {
        errors.push(FieldError::too_many(
            &root,
            written.len(),
            MAX_AUTHENTICATORS,
        ));
        return Vec::new();
    }
    let mut checked = Vec::with_capacity(written.len());
    let (mut seen_urls, mut seen_discovery_urls) = (BTreeSet::new(), BTreeSet::new());
    for (index, jwt) in written.iter().enumerate() {
        let path = root.index(index);
        checked.extend(check_authenticator(jwt, &path, rules, errors));

        let document::Issuer {
            url, discovery_url, ..
        } = &jwt.issuer;
        let path = path.child("issuer");
        if !seen_urls.insert(url) {
            errors.push(FieldError::duplicate(&path.child("url"), url.as_str()));
        }
        if !discovery_url.is_empty() && !seen_discovery_urls.insert(discovery_url) {
            let path = path.child("discoveryURL");
            errors.push(FieldError::duplicate(&path, discovery_url.as_str()));
        }
    }
    checked
}

/// Checks one authenticator; nothing comes out only if there were errors.
fn check_authenticator(
    written: &Jwt,
    path: &Path,
    rules: &Rules,
    errors: &mut Vec<FieldError>,
) -> Option<JwtAuthenticator> {
    let issuer = issuer::check(&written.issuer, &path.child("issuer"), rules, errors);
    let checked = claims::check(written, path, errors)?;
    Some(JwtAuthenticator {
        issuer,
        signing_algorithms: Algorithm::ALL.to_vec(),
        claim_mappings: checked.claim_mappings,
        required_claims: checked.required_claims,
        claim_validation_rules: checked.claim_validation_rules,
        user_validation_rules: checked.user_validation_rules,
    })
}
