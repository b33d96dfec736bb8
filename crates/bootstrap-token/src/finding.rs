//! What is wrong with a Secret that is about to be stored.

use std::fmt;

use jiff::Timestamp;

use crate::secret::keys;
use crate::{BootstrapGroup, Expiration, TokenId, TokenRecord, TokenSecret};

/// The most findings that are told of one Secret.
const MOST: usize = 16;

/// Something about a Secret that will keep its token from working as it was meant.
///
/// No Secret is refused for it, as upstream refuses none; the API server sends findings as warnings to
/// whoever writes one. `Display` shows keys and positions, never a value: people do put the secret part
/// where it does not belong.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// `expiration` is no instant: the token counts as expired.
    ExpirationMalformed,
    /// `expiration` is in the past.
    ExpirationPast,
    /// An extra group is invalid, which disables the token. Counted from one.
    GroupInvalid(usize),
    /// There are extra groups, and the token does not authenticate.
    GroupsUnused,
    /// `token-id` is no id.
    IdMalformed,
    /// The Secret's name does not belong to its `token-id`.
    NameMismatch,
    /// `token-secret` is no secret part.
    SecretMalformed,
    /// The value of this usage's key is neither `true` nor `false` nor empty: it is disabled.
    UsageDisabled(String),
}

impl TokenRecord {
    /// All that is wrong at `now`; nothing for Secrets of other types. Having no usage at all is not
    /// wrong.
    #[must_use]
    pub fn findings(&self, now: Timestamp) -> Vec<Finding> {
        if !self.is_bootstrap {
            return Vec::new();
        }
        let mut findings = Vec::new();
        match self.id.parse::<TokenId>() {
            Err(_) => findings.push(Finding::IdMalformed),
            Ok(id) if TokenId::from_secret_name(&self.name) != Some(id) => {
                findings.push(Finding::NameMismatch);
            }
            Ok(_) => {}
        }
        if self.secret.text().parse::<TokenSecret>().is_err() {
            findings.push(Finding::SecretMalformed);
        }
        if self.expiration.is_expired(now) {
            findings.push(match self.expiration {
                Expiration::Malformed => Finding::ExpirationMalformed,
                Expiration::At(_) | Expiration::Never => Finding::ExpirationPast,
            });
        }
        findings.extend(self.odd_usages.iter().cloned().map(Finding::UsageDisabled));
        if !self.groups.is_empty() {
            let groups = self.groups.split(',').enumerate();
            let bad = groups.filter(|(_, group)| !BootstrapGroup::is_valid(group));
            findings.extend(
                bad.map(|(index, _)| Finding::GroupInvalid(index + 1))
                    .take(MOST),
            );
            if !self.authenticates() {
                findings.push(Finding::GroupsUnused);
            }
        }
        findings.truncate(MOST);
        findings
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExpirationMalformed => write!(
                f,
                "{} is not an RFC 3339 time such as 2026-01-02T03:04:05Z, so the bootstrap token counts as expired",
                keys::EXPIRATION
            ),
            Self::ExpirationPast => write!(
                f,
                "{} is in the past, so the bootstrap token has expired",
                keys::EXPIRATION
            ),
            Self::GroupInvalid(position) => write!(
                f,
                r"{}: group {position} is invalid (must match \Asystem:bootstrappers:[a-z0-9:-]{{0,255}}[a-z0-9]\z), which disables the bootstrap token",
                keys::EXTRA_GROUPS
            ),
            Self::GroupsUnused => write!(
                f,
                "{} has no effect unless usage-bootstrap-authentication is \"true\"",
                keys::EXTRA_GROUPS
            ),
            Self::IdMalformed => write!(
                f,
                r"{} does not match \A([a-z0-9]{{6}})\z, so the bootstrap token cannot be used",
                keys::TOKEN_ID
            ),
            Self::NameMismatch => write!(
                f,
                "the name is not {}<{}>, so the bootstrap token cannot be used",
                crate::NAME_PREFIX,
                keys::TOKEN_ID
            ),
            Self::SecretMalformed => write!(
                f,
                r"{} does not match \A([a-z0-9]{{16}})\z, so the bootstrap token cannot be used",
                keys::TOKEN_SECRET
            ),
            Self::UsageDisabled(usage) => write!(
                f,
                "{}{usage} is not exactly \"true\", so this usage is disabled",
                keys::USAGE_PREFIX
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use burgee_wire::Object;

    use super::*;
    use crate::testing::{TOKEN, example, now, record, with};

    fn findings(object: &Object) -> Vec<Finding> {
        record(object).findings(now())
    }

    #[test]
    fn each_flaw_is_one_finding() {
        for (key, value, expected) in [
            ("description", "", vec![]),
            ("token-id", "", vec![Finding::IdMalformed]),
            ("token-id", "07401B", vec![Finding::IdMalformed]),
            ("token-id", TOKEN, vec![Finding::IdMalformed]),
            ("token-id", "abcdef", vec![Finding::NameMismatch]),
            ("token-secret", "", vec![Finding::SecretMalformed]),
            (
                "token-secret",
                "f395accd246ae52d\n",
                vec![Finding::SecretMalformed],
            ),
            ("expiration", "", vec![]),
            (
                "expiration",
                "2026-01-02T03:04:05Z\n",
                vec![Finding::ExpirationMalformed],
            ),
            (
                "expiration",
                "2026-01-01T00:00:00Z",
                vec![Finding::ExpirationPast],
            ),
            ("usage-bootstrap-signing", "false", vec![]),
            ("usage-bootstrap-signing", "", vec![]),
            (
                "usage-bootstrap-signing",
                "True",
                vec![Finding::UsageDisabled("signing".into())],
            ),
            (
                "usage-bootstrap-authentication",
                "false",
                vec![Finding::GroupsUnused],
            ),
            ("auth-extra-groups", "", vec![]),
            (
                "auth-extra-groups",
                "system:bootstrappers:a,",
                vec![Finding::GroupInvalid(2)],
            ),
            (
                "auth-extra-groups",
                "system:bootstrappers",
                vec![Finding::GroupInvalid(1)],
            ),
        ] {
            assert_eq!(
                findings(&with(example(), key, value)),
                expected,
                "{key}={value:?}"
            );
        }
    }

    #[test]
    fn no_usage_at_all_and_other_types_are_nobodys_business() {
        let mut object = with(example(), "auth-extra-groups", "");
        for usage in ["signing", "authentication"] {
            object = with(object, &format!("usage-bootstrap-{usage}"), "");
        }
        assert_eq!(findings(&object), []);
        let mut object = with(example(), "token-id", "?");
        object.content.insert("type".into(), "Opaque".into());
        assert_eq!(findings(&object), []);
    }

    #[test]
    fn findings_are_limited_and_never_show_a_value() {
        let mut object = with(
            example(),
            "auth-extra-groups",
            &format!("{TOKEN},").repeat(100),
        );
        for key in [
            "token-id",
            "expiration",
            "usage-bootstrap-signing",
            "usage-bootstrap-x",
        ] {
            object = with(object, key, TOKEN);
        }
        let findings = findings(&object);
        assert_eq!(findings.len(), MOST);
        for finding in findings {
            let text = finding.to_string();
            assert!(!text.contains("f395accd246ae52d"), "{text}");
            assert!(!text.contains('\n'), "{text}");
        }
    }
}
