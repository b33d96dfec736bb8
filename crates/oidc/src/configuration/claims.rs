//! The rules on `claimValidationRules`, `claimMappings` and `userValidationRules`, in upstream's order.

use std::collections::BTreeSet;

use burgee_cel::{Expects, Expression, Scope};
use burgee_wire::field::{FieldError, Path};
use burgee_wire::names;

use super::document::{
    ClaimMappings as WrittenMappings, ClaimOrExpression, ClaimValidationRule,
    ExtraMapping as WrittenExtra, Jwt, PrefixedClaimOrExpression, UserValidationRule,
};
use crate::{ClaimMappings, ExtraMapping, PrefixedMapping, RequiredClaim, Rule, UidMapping};

/// What is checked of an authenticator besides its issuer.
pub(super) struct Checked {
    pub(super) claim_mappings: ClaimMappings,
    pub(super) required_claims: Vec<RequiredClaim>,
    pub(super) claim_validation_rules: Vec<Rule>,
    pub(super) user_validation_rules: Vec<Rule>,
}

/// Checks everything but the issuer; nothing comes out only if there were errors.
pub(super) fn check(written: &Jwt, path: &Path, errors: &mut Vec<FieldError>) -> Option<Checked> {
    let (required_claims, claim_validation_rules) = claim_validation_rules(
        &written.claim_validation_rules,
        &path.child("claimValidationRules"),
        errors,
    );
    let claim_mappings = claim_mappings(
        &written.claim_mappings,
        &claim_validation_rules,
        &path.child("claimMappings"),
        errors,
    );
    let user_validation_rules = user_validation_rules(
        &written.user_validation_rules,
        &path.child("userValidationRules"),
        errors,
    );
    Some(Checked {
        claim_mappings: claim_mappings?,
        required_claims,
        claim_validation_rules,
        user_validation_rules,
    })
}

fn claim_validation_rules(
    written: &[ClaimValidationRule],
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> (Vec<RequiredClaim>, Vec<Rule>) {
    let (mut required, mut rules) = (Vec::new(), Vec::new());
    let (mut seen_claims, mut seen_expressions) = (BTreeSet::new(), BTreeSet::new());
    for (index, rule) in written.iter().enumerate() {
        let path = path.index(index);
        match (rule.claim.as_str(), rule.expression.as_str()) {
            ("", "") => {
                errors.push(FieldError::required(
                    &path,
                    "claim or expression is required",
                ));
            }
            (claim, "") => {
                if !rule.message.is_empty() {
                    let detail = "may not be specified when claim is set";
                    let message = rule.message.as_str();
                    errors.push(FieldError::invalid(&path.child("message"), message, detail));
                }
                if !seen_claims.insert(claim) {
                    errors.push(FieldError::duplicate(&path.child("claim"), claim));
                }
                required.push(RequiredClaim {
                    claim: claim.to_owned(),
                    value: rule.required_value.clone(),
                });
            }
            ("", expression) => {
                if !rule.required_value.is_empty() {
                    let detail = "may not be specified when expression is set";
                    let (path, value) = (path.child("requiredValue"), rule.required_value.as_str());
                    errors.push(FieldError::invalid(&path, value, detail));
                }
                let path = path.child("expression");
                if !seen_expressions.insert(expression) {
                    errors.push(FieldError::duplicate(&path, expression));
                    continue;
                }
                rules.extend(
                    compile(expression, Scope::Claims, Expects::Bool, &path, errors).map(
                        |expression| Rule {
                            expression,
                            message: rule.message.clone(),
                        },
                    ),
                );
            }
            (claim, _) => errors.push(FieldError::invalid(&path, claim, BOTH)),
        }
    }
    (required, rules)
}

const BOTH: &str = "claim and expression can't both be set";

fn claim_mappings(
    written: &WrittenMappings,
    claim_validation_rules: &[Rule],
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> Option<ClaimMappings> {
    let username = username(&written.username, &path.child("username"), errors);
    let groups = prefixed(&written.groups, &path.child("groups"), errors);
    let uid = uid(&written.uid, &path.child("uid"), errors);
    let extra = extra(&written.extra, &path.child("extra"), errors);

    if let Some(PrefixedMapping::Expression(username)) = &username
        && username.reads_claim("email")
    {
        let rules = claim_validation_rules.iter().map(|rule| &rule.expression);
        let values = extra.iter().map(|mapping| &mapping.value);
        let mut readers = rules.chain(values).chain([username]);
        if !readers.any(|expression| expression.reads_claim("email_verified")) {
            errors.push(FieldError::invalid(
                &path.child("username").child("expression"),
                username.text(),
                "claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression",
            ));
        }
    }
    Some(ClaimMappings {
        username: username?,
        groups,
        uid,
        extra,
    })
}

fn username(
    written: &PrefixedClaimOrExpression,
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> Option<PrefixedMapping> {
    if written.claim.is_empty() && written.expression.is_empty() {
        errors.push(FieldError::required(
            path,
            "claim or expression is required",
        ));
        return None;
    }
    prefixed(written, path, errors)
}

fn prefixed(
    written: &PrefixedClaimOrExpression,
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> Option<PrefixedMapping> {
    let prefix_path = path.child("prefix");
    match (
        written.claim.as_str(),
        written.expression.as_str(),
        &written.prefix,
    ) {
        ("", "", _) => None,
        (claim, "", Some(prefix)) => Some(PrefixedMapping::Claim {
            claim: claim.to_owned(),
            prefix: prefix.clone(),
        }),
        (_, "", None) => {
            let detail = "prefix is required when claim is set. It can be set to an empty string to disable prefixing";
            errors.push(FieldError::required(&prefix_path, detail));
            None
        }
        ("", expression, prefix) => {
            if let Some(prefix) = prefix {
                let detail = "may not be specified when expression is set";
                errors.push(FieldError::invalid(&prefix_path, prefix.as_str(), detail));
            }
            let path = path.child("expression");
            let compiled = compile(expression, Scope::Claims, Expects::Any, &path, errors)?;
            // What has another error is not looked at further.
            prefix
                .is_none()
                .then_some(PrefixedMapping::Expression(compiled))
        }
        _ => {
            errors.push(FieldError::invalid(path, "", BOTH));
            None
        }
    }
}

fn uid(
    written: &ClaimOrExpression,
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> Option<UidMapping> {
    match (written.claim.as_str(), written.expression.as_str()) {
        ("", "") => None,
        (claim, "") => Some(UidMapping::Claim(claim.to_owned())),
        ("", expression) => {
            let path = path.child("expression");
            compile(expression, Scope::Claims, Expects::Any, &path, errors)
                .map(UidMapping::Expression)
        }
        _ => {
            errors.push(FieldError::invalid(path, "", BOTH));
            None
        }
    }
}

fn extra(written: &[WrittenExtra], path: &Path, errors: &mut Vec<FieldError>) -> Vec<ExtraMapping> {
    let mut checked = Vec::new();
    let mut seen = BTreeSet::new();
    for (
        index,
        WrittenExtra {
            key,
            value_expression,
        },
    ) in written.iter().enumerate()
    {
        let path = path.index(index);
        let key_path = path.child("key");
        check_extra_key(key, &key_path, errors);
        if !seen.insert(key) {
            errors.push(FieldError::duplicate(&key_path, key.as_str()));
            continue;
        }
        let path = path.child("valueExpression");
        if value_expression.is_empty() {
            errors.push(FieldError::required(&path, ""));
            continue;
        }
        let compiled = compile(value_expression, Scope::Claims, Expects::Any, &path, errors);
        checked.extend(compiled.map(|value| ExtraMapping {
            key: key.clone(),
            value,
        }));
    }
    checked
}

fn check_extra_key(key: &str, path: &Path, errors: &mut Vec<FieldError>) {
    check_domain_prefixed_path(key, path, errors);
    if key != key.to_lowercase() {
        errors.push(FieldError::invalid(path, key, "must be lowercase"));
    }
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let is_within = |zone: &str| {
        let below = domain.strip_suffix(zone);
        below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    };
    if is_within("k8s.io") || is_within("kubernetes.io") {
        let detail = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use";
        errors.push(FieldError::invalid(path, key, detail));
    }
}

/// `IsDomainPrefixedPath` of `k8s.io/apimachinery/pkg/util/validation`.
fn check_domain_prefixed_path(key: &str, path: &Path, errors: &mut Vec<FieldError>) {
    if key.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    let (domain, rest) = key.split_once('/').unwrap_or_default();
    if domain.is_empty() || rest.is_empty() {
        let detail = r#"must be a domain-prefixed path (such as "acme.io/foo")"#;
        errors.push(FieldError::invalid(path, key, detail));
        return;
    }
    for problem in names::dns1123_subdomain(domain) {
        errors.push(FieldError::invalid(path, domain, problem));
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "/-._~%!$&'()*+,;=:".contains(c);
    if !rest.chars().all(is_allowed) {
        let detail =
            r"Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')";
        errors.push(FieldError::invalid(path, rest, detail));
    }
}

fn user_validation_rules(
    written: &[UserValidationRule],
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut seen = BTreeSet::new();
    for (
        index,
        UserValidationRule {
            expression,
            message,
        },
    ) in written.iter().enumerate()
    {
        let path = path.index(index).child("expression");
        if expression.is_empty() {
            errors.push(FieldError::required(&path, ""));
        } else if !seen.insert(expression) {
            errors.push(FieldError::duplicate(&path, expression.as_str()));
        } else {
            let compiled = compile(expression, Scope::User, Expects::Bool, &path, errors);
            rules.extend(compiled.map(|expression| Rule {
                expression,
                message: message.clone(),
            }));
        }
    }
    rules
}

fn compile(
    text: &str,
    scope: Scope,
    expects: Expects,
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> Option<Expression> {
    match Expression::compile(text, scope, expects) {
        Ok(expression) => Some(expression),
        Err(error) => {
            errors.push(FieldError::invalid(path, text, error.to_string()));
            None
        }
    }
}
