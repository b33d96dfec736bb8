//! Who a token's claims make, and the rules on both.

use burgee_cel::{Expression, Value as Outcome, Variables};
use burgee_identity::{Reason, Rejection, UserInfo, names};
use burgee_wire::quoted;
use serde_json::Value;

use crate::claims::cannot_unmarshal;
use crate::{
    Claims, ExtraMapping, JwtAuthenticator, PrefixedMapping, RequiredClaim, Rule, UidMapping,
};

/// The one claim that counts only if another one says that it is verified.
const EMAIL: &str = "email";

impl JwtAuthenticator {
    /// The user that verified claims make, if they satisfy every rule. The first step that fails
    /// decides: name, groups, uid, extra, required claims, rules on claims, rules on the user.
    ///
    /// # Errors
    /// A rejection with kube-apiserver's text for the step.
    pub fn user(&self, claims: &Claims) -> Result<UserInfo, Rejection> {
        let variables = self.variables(claims);
        let user = self.mapped(claims, &variables)?;
        for required in &self.required_claims {
            required.check(claims)?;
        }
        for rule in &self.claim_validation_rules {
            rule.check_claims(&variables)?;
        }
        if !self.user_validation_rules.is_empty() {
            let variables = Variables::user(&user);
            for rule in &self.user_validation_rules {
                rule.check_user(&variables)?;
            }
        }
        Ok(user)
    }

    /// The user that claims make, whatever the rules say.
    pub(crate) fn mapped(
        &self,
        claims: &Claims,
        variables: &Variables,
    ) -> Result<UserInfo, Rejection> {
        let mut user = UserInfo {
            name: self.username(claims, variables)?,
            groups: self.groups(claims, variables)?,
            uid: self.uid(claims, variables)?,
            ..UserInfo::default()
        };
        if let Some(id) = credential_id(claims) {
            let id = vec![format!("JTI={id}")];
            user.extra.insert(names::CREDENTIAL_ID.to_owned(), id);
        }
        for mapping in &self.claim_mappings.extra {
            let values = mapping.values(variables)?;
            if !values.is_empty() {
                user.extra.insert(mapping.key.clone(), values);
            }
        }
        Ok(user)
    }

    /// The claims as expressions see them; without expressions, nothing.
    pub(crate) fn variables(&self, claims: &Claims) -> Variables {
        let mappings = &self.claim_mappings;
        let expressions = !mappings.extra.is_empty()
            || !self.claim_validation_rules.is_empty()
            || matches!(mappings.username, PrefixedMapping::Expression(_))
            || matches!(mappings.groups, Some(PrefixedMapping::Expression(_)))
            || matches!(mappings.uid, Some(UidMapping::Expression(_)));
        if expressions {
            Variables::claims(claims.all())
        } else {
            Variables::claims(&serde_json::Map::new())
        }
    }

    pub(crate) fn username(
        &self,
        claims: &Claims,
        variables: &Variables,
    ) -> Result<String, Rejection> {
        let name = match &self.claim_mappings.username {
            PrefixedMapping::Claim { claim, prefix } => {
                let name = text_claim(claims, claim).map_err(|error| {
                    invalid(format!(
                        "oidc: parse username claims {}: {error}",
                        quoted(claim)
                    ))
                })?;
                if claim == EMAIL {
                    email_is_verified(claims)?;
                }
                format!("{prefix}{name}")
            }
            PrefixedMapping::Expression(expression) => {
                let name = text_of(expression, variables, "username")?;
                if name.is_empty() {
                    return Err(failed(
                        "oidc: empty username via CEL expression is not allowed",
                    ));
                }
                name
            }
        };
        if name.is_empty() {
            return Err(failed("oidc: empty username is not allowed"));
        }
        Ok(name)
    }

    pub(crate) fn groups(
        &self,
        claims: &Claims,
        variables: &Variables,
    ) -> Result<Vec<String>, Rejection> {
        match &self.claim_mappings.groups {
            None => Ok(Vec::new()),
            Some(PrefixedMapping::Claim { claim, prefix }) => {
                let Some(value) = claims.claim(claim) else {
                    return Ok(Vec::new());
                };
                let groups = text_or_list(value).map_err(|error| {
                    invalid(format!(
                        "oidc: parse groups claim {}: {error}",
                        quoted(claim)
                    ))
                })?;
                Ok(groups
                    .iter()
                    .map(|group| format!("{prefix}{group}"))
                    .collect())
            }
            Some(PrefixedMapping::Expression(expression)) => values_of(expression, variables)
                .map_err(|error| {
                    failed(format!(
                        "oidc: error evaluating group claim expression: {error}"
                    ))
                }),
        }
    }

    pub(crate) fn uid(&self, claims: &Claims, variables: &Variables) -> Result<String, Rejection> {
        match &self.claim_mappings.uid {
            None => Ok(String::new()),
            Some(UidMapping::Claim(claim)) => text_claim(claims, claim).map_err(|error| {
                invalid(format!("oidc: parse uid claim {}: {error}", quoted(claim)))
            }),
            Some(UidMapping::Expression(expression)) => text_of(expression, variables, "uid"),
        }
    }
}

impl ExtraMapping {
    pub(crate) fn values(&self, variables: &Variables) -> Result<Vec<String>, Rejection> {
        values_of(&self.value, variables).map_err(|error| {
            let error = match error {
                NoValues::Failed(error) => error,
                NoValues::WrongType => format!("{}: {}", self.value.text(), NoValues::WrongType),
            };
            failed(format!(
                "oidc: error evaluating extra claim expression: {error}"
            ))
        })
    }
}

impl RequiredClaim {
    pub(crate) fn check(&self, claims: &Claims) -> Result<(), Rejection> {
        let Self { claim, value } = self;
        let refused = |message| Err(Rejection::new(Reason::TokenClaimRuleFailed, message));
        if claims.claim(claim).is_none() {
            return refused(format!(
                "oidc: required claim {claim} not present in ID token"
            ));
        }
        match text_claim(claims, claim) {
            Err(error) => Err(invalid(format!("oidc: parse claim {claim}: {error}"))),
            Ok(found) if found == *value => Ok(()),
            Ok(found) => refused(format!(
                "oidc: required claim {claim} value does not match. Got = {found}, want = {value}"
            )),
        }
    }
}

impl Rule {
    pub(crate) fn check_claims(&self, variables: &Variables) -> Result<(), Rejection> {
        self.check(variables).map_err(|error| {
            let message = format!("oidc: error evaluating claim validation expression: {error}");
            Rejection::new(Reason::TokenClaimRuleFailed, message)
        })
    }

    pub(crate) fn check_user(&self, variables: &Variables) -> Result<(), Rejection> {
        self.check(variables).map_err(|error| {
            let message = format!("oidc: error evaluating user info validation rule: {error}");
            Rejection::new(Reason::TokenUserRuleFailed, message)
        })
    }

    fn check(&self, variables: &Variables) -> Result<(), String> {
        match evaluate(&self.expression, variables)? {
            Outcome::Bool(true) => Ok(()),
            Outcome::Bool(false) => Err(format!(
                "validation expression '{}' failed: {}",
                self.expression.text(),
                self.message
            )),
            _ => Err("validation expression must return a boolean".to_owned()),
        }
    }
}

/// The token's own id, where it has one.
pub(crate) fn credential_id(claims: &Claims) -> Option<&str> {
    let id = claims.claim("jti").and_then(Value::as_str);
    id.filter(|id| !id.is_empty())
}

fn email_is_verified(claims: &Claims) -> Result<(), Rejection> {
    match claims.claim("email_verified") {
        None | Some(Value::Bool(true)) => Ok(()),
        Some(Value::Bool(false) | Value::Null) => Err(Rejection::new(
            Reason::TokenClaimRuleFailed,
            "oidc: email not verified",
        )),
        Some(other) => {
            let error = cannot_unmarshal(other, "bool");
            Err(invalid(format!(
                "oidc: parse 'email_verified' claim: {error}"
            )))
        }
    }
}

/// A claim that is a text. Null counts as an empty one.
fn text_claim(claims: &Claims, claim: &str) -> Result<String, String> {
    match claims.claim(claim) {
        None => Err("claim not present".to_owned()),
        Some(value) => text(value),
    }
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        other => Err(cannot_unmarshal(other, "string")),
    }
}

/// One text or several. What is neither is told as if it should have been one text.
fn text_or_list(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(list) => {
            let all: Result<_, _> = list.iter().map(text).collect();
            all.map_err(|_| cannot_unmarshal(value, "string"))
        }
        one => Ok(vec![text(one)?]),
    }
}

fn text_of(
    expression: &Expression,
    variables: &Variables,
    what: &str,
) -> Result<String, Rejection> {
    let prefix = format!("oidc: error evaluating {what} claim expression");
    match evaluate(expression, variables) {
        Ok(Outcome::String(text)) => Ok(text),
        Ok(_) => Err(failed(format!(
            "{prefix}: {what} claim expression must return a string"
        ))),
        Err(error) => Err(failed(format!("{prefix}: {error}"))),
    }
}

/// Why an expression gave no values.
enum NoValues {
    Failed(String),
    WrongType,
}

impl std::fmt::Display for NoValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Failed(error) => error,
            Self::WrongType => "expression must return a string or a list of strings",
        })
    }
}

/// What an expression gives for groups or an attribute: empty texts count as nothing.
fn values_of(expression: &Expression, variables: &Variables) -> Result<Vec<String>, NoValues> {
    let mut values = match evaluate(expression, variables).map_err(NoValues::Failed)? {
        Outcome::Null => Vec::new(),
        Outcome::String(text) => vec![text],
        Outcome::Strings(list) => list,
        Outcome::Bool(_) | Outcome::Other(_) => return Err(NoValues::WrongType),
    };
    values.retain(|value| !value.is_empty());
    Ok(values)
}

fn evaluate(expression: &Expression, variables: &Variables) -> Result<Outcome, String> {
    expression.evaluate(variables).map_err(|error| {
        format!(
            "expression '{}' resulted in error: {error}",
            expression.text()
        )
    })
}

/// The mapping cannot be made, or makes something unusable.
fn failed(message: impl Into<std::borrow::Cow<'static, str>>) -> Rejection {
    Rejection::new(Reason::TokenMappingFailed, message)
}

/// A claim is missing or of a wrong type.
fn invalid(message: String) -> Rejection {
    Rejection::new(Reason::TokenClaimsInvalid, message)
}

#[cfg(test)]
mod tests;
