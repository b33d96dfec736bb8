//! What is allowed, and seldom meant.

use burgee_wire::field::Path;

use crate::{JwtAuthenticator, PrefixedMapping};

/// Sentences for the log on authenticators whose issuer can name whom it likes: nothing stands in front of
/// the names or groups that it gives, and no user validation rule looks at them.
///
/// An expression has something in front of its value if it begins with a text that is added to.
#[must_use]
pub fn warnings(authenticators: &[JwtAuthenticator]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, authenticator) in authenticators.iter().enumerate() {
        if !authenticator.user_validation_rules.is_empty() {
            continue;
        }
        let path = Path::new("jwt").index(index).child("claimMappings");
        let mappings = &authenticator.claim_mappings;
        let each = [
            ("username", "user names", Some(&mappings.username)),
            ("groups", "groups", mappings.groups.as_ref()),
        ];
        for (name, what, mapping) in each {
            if mapping.is_some_and(|mapping| !is_prefixed(mapping)) {
                let issuer = &authenticator.issuer.url;
                warnings.push(format!(
                    "{}: {what} are taken as {issuer} gives them, those that begin with system: too; give them a prefix, or a user validation rule such as !user.username.startsWith('system:')",
                    path.child(name),
                ));
            }
        }
    }
    warnings
}

fn is_prefixed(mapping: &PrefixedMapping) -> bool {
    match mapping {
        PrefixedMapping::Claim { prefix, .. } => !prefix.is_empty(),
        PrefixedMapping::Expression(expression) => begins_with_text(expression.text()),
    }
}

/// Whether an expression begins with a text literal that is not empty and a plus sign.
fn begins_with_text(expression: &str) -> bool {
    let expression = expression.trim_start();
    let Some(quote) = expression
        .chars()
        .next()
        .filter(|c| matches!(c, '\'' | '"'))
    else {
        return false;
    };
    let inner = expression.strip_prefix(quote).unwrap_or_default();
    inner.split_once(quote).is_some_and(|(text, rest)| {
        !text.is_empty() && !text.contains('\\') && rest.trim_start().starts_with('+')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_begin_an_expression_are_seen() {
        for (expression, expected) in [
            ("'oidc:' + claims.sub", true),
            (" \"oidc:\"+claims.sub", true),
            ("'' + claims.sub", false),
            ("'oidc:'", false),
            ("claims.sub", false),
            ("claims.sub + ':oidc'", false),
            ("'a' == 'b' ? claims.a : claims.b", false),
            ("'", false),
        ] {
            assert_eq!(begins_with_text(expression), expected, "{expression}");
        }
    }
}
