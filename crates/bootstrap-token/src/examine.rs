//! The conditions of a presented token one by one, for explanations.

use burgee_identity::Check;
use burgee_wire::Time;
use jiff::Timestamp;

use crate::secret::NAMESPACE;
use crate::{BootstrapGroup, Expiration, Refusal, RefusalCause, Token, TokenId, TokenRecord};

/// Every condition that [`judge`](crate::judge) has, each by itself, in the order in which they decide:
/// the first that fails is why `judge` refuses, and the others tell what is wrong as well.
///
/// This tells whether a token of that id exists, and whether it is only the secret part that is wrong.
/// So only those may see it who could read the Secret.
#[must_use]
pub fn examine(token: &Token, record: Option<&TokenRecord>, now: Timestamp) -> Vec<Check> {
    let id = token.id();
    let check = |name, holds: bool, detail: String, cause: RefusalCause| {
        if holds {
            return Check::passed(name, detail);
        }
        let refusal = Refusal { id, cause };
        Check::failed(name, refusal.reason(), refusal.to_string())
    };
    let record = record
        .filter(|record| record.namespace == NAMESPACE)
        .filter(|record| TokenId::from_secret_name(&record.name) == Some(id));
    let name = format!("{NAMESPACE}/{}", id.secret_name());
    let existence = check("object", record.is_some(), name, RefusalCause::Absent);
    let Some(record) = record else {
        return vec![existence];
    };
    let (end, cause) = match record.expiration {
        Expiration::At(end) => (
            format!("ends {}", Time::from(end).seen_from(now)),
            RefusalCause::Expired(end),
        ),
        Expiration::Malformed => (String::new(), RefusalCause::ExpirationMalformed),
        Expiration::Never => ("never ends".to_owned(), RefusalCause::ExpirationMalformed),
    };
    let ended = record.expiration.is_expired(now);
    let same_secret = record.secret.is(token.secret().expose());
    let (group_list, groups) = match BootstrapGroup::parse_list(&record.groups) {
        Ok(_) => (record.groups.clone(), None),
        Err(error) => (String::new(), Some(RefusalCause::GroupInvalid(error))),
    };
    let none = String::new;
    vec![
        existence,
        check(
            "deletion",
            !record.is_terminating,
            none(),
            RefusalCause::Terminating,
        ),
        check(
            "type",
            record.is_bootstrap,
            none(),
            RefusalCause::TypeMismatch,
        ),
        check(
            "token-secret",
            same_secret,
            none(),
            RefusalCause::SecretMismatch,
        ),
        check(
            "token-id",
            record.id == id.as_str(),
            none(),
            RefusalCause::IdMismatch,
        ),
        check("expiration", !ended, end, cause),
        check(
            "usage",
            record.authenticates(),
            none(),
            RefusalCause::UsageMissing,
        ),
        match groups {
            None => Check::passed("groups", group_list),
            Some(cause) => check("groups", false, none(), cause),
        },
    ]
}

#[cfg(test)]
mod tests {
    use burgee_identity::{CheckResult, Reason};

    use super::*;
    use crate::testing::{TOKEN, example, now, record, token, with};

    fn failures(checks: &[Check]) -> Vec<(&'static str, Reason)> {
        let failed = checks.iter().filter_map(|check| match check.result {
            CheckResult::Failed(reason) => Some((check.name, reason)),
            CheckResult::Passed | CheckResult::Skipped => None,
        });
        failed.collect()
    }

    #[test]
    fn a_good_token_passes_every_check() {
        let checks = examine(&token(), Some(&record(&example())), now());
        assert_eq!((checks.len(), failures(&checks).len()), (8, 0));
        assert_eq!(checks[5].detail, "ends in 1d 3h");
    }

    #[test]
    fn each_condition_fails_by_itself_and_nothing_secret_is_shown() {
        let mut object = example();
        for (key, value) in [
            ("token-id", "abcdef"),
            ("token-secret", "0123456789abcdef"),
            ("expiration", "2025-12-31T23:00:00Z"),
            ("usage-bootstrap-authentication", "false"),
            ("auth-extra-groups", "system:masters"),
        ] {
            object = with(object, key, value);
        }
        object.content.insert("type".into(), "Opaque".into());
        object.metadata.deletion_timestamp = Some(now().into());
        let checks = examine(&token(), Some(&record(&object)), now());
        assert_eq!(
            failures(&checks),
            [
                ("deletion", Reason::TokenRevoked),
                ("type", Reason::TokenClaimsInvalid),
                ("token-secret", Reason::TokenUnknown),
                ("token-id", Reason::TokenClaimsInvalid),
                ("expiration", Reason::TokenExpired),
                ("usage", Reason::TokenClaimsInvalid),
                ("groups", Reason::TokenClaimsInvalid),
            ]
        );
        let shown = format!("{checks:?}");
        for secret in [TOKEN, "f395accd246ae52d", "0123456789abcdef"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn without_an_object_there_is_nothing_else_to_check() {
        let checks = examine(&token(), None, now());
        assert_eq!(failures(&checks), [("object", Reason::TokenUnknown)]);
    }
}
