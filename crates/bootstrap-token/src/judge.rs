//! Whether a presented token is good.

use std::fmt;

use burgee_identity::{Authenticated, Outcome, Reason, UserInfo};
use jiff::Timestamp;

use crate::secret::{NAMESPACE, SECRET_TYPE, keys};
use crate::{BootstrapGroup, DEFAULT_GROUP, Error, Expiration, Token, TokenId, TokenRecord};

const USER_PREFIX: &str = "system:bootstrap:";

/// Judges a presented token by the Secret of its id, as kube-apiserver's bootstrap authenticator does
/// (`plugin/pkg/auth/authenticator/token/bootstrap`).
///
/// `record` is what memory holds under [`TokenId::secret_name`] in `kube-system`. Text that is no token
/// does not come this far: the authenticator has no opinion about it
/// ([`Reason::TokenMalformed`]).
///
/// # Errors
/// [`Refusal`]: never more than "no opinion" to the outside.
///
/// ```
/// use burgee_bootstrap_token::{Token, TokenRecord, TokenSpec, Usages, judge};
/// use burgee_identity::{Outcome, Reason};
/// use jiff::Timestamp;
///
/// let token: Token = "07401b.f395accd246ae52d".parse()?;
/// let secret = TokenSpec::new(token.clone(), Usages::ALL, Vec::new())?.to_object();
/// let record = TokenRecord::from_object(&secret);
///
/// let admission = judge(&token, Some(&record), Timestamp::UNIX_EPOCH)?;
/// assert_eq!(admission.user.name, "system:bootstrap:07401b");
/// assert_eq!(admission.user.groups, ["system:bootstrappers"]);
///
/// let refusal = judge(&token, None, Timestamp::UNIX_EPOCH).unwrap_err();
/// assert_eq!(Outcome::from(refusal), Outcome::NoOpinion(Reason::TokenUnknown));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn judge(
    token: &Token,
    record: Option<&TokenRecord>,
    now: Timestamp,
) -> Result<Admission, Refusal> {
    let id = token.id();
    admit(token, record, now).map_err(|cause| Refusal { id, cause })
}

/// Who the holder of a good token is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admission {
    /// `system:bootstrap:ID` in `system:bootstrappers` and the extra groups, sorted, each once.
    pub user: UserInfo,
    /// When the token ends. Whoever remembers the admission must forget it then, and whenever the
    /// Secret changes or goes.
    pub good_until: Option<Timestamp>,
}

impl From<Admission> for Outcome {
    fn from(admission: Admission) -> Self {
        Self::Authenticated(Authenticated::new(admission.user))
    }
}

/// Why a token that is well-formed was not accepted. For those who run the server, never for the
/// client; `Display` is upstream's log line without the secret that upstream prints in one of them
/// (kubernetes issue 119630).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The id of the presented token.
    pub id: TokenId,
    /// The first condition that does not hold.
    pub cause: RefusalCause,
}

/// The conditions, in the order in which they are looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RefusalCause {
    /// There is no Secret of this name in `kube-system`.
    Absent,
    /// The Secret is being deleted.
    Terminating,
    /// The Secret has another type, or no data.
    TypeMismatch,
    /// The Secret has another secret part.
    SecretMismatch,
    /// The Secret has another id.
    IdMismatch,
    /// The token ended at this instant.
    Expired(Timestamp),
    /// The Secret's expiration is no instant.
    ExpirationMalformed,
    /// The token is not for authentication.
    UsageMissing,
    /// An extra group is invalid; the error names it.
    GroupInvalid(Error),
}

impl Refusal {
    /// The stable code. That there is such a token and that the secret part was wrong are one.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self.cause {
            RefusalCause::Absent | RefusalCause::SecretMismatch => Reason::TokenUnknown,
            RefusalCause::Terminating => Reason::TokenRevoked,
            RefusalCause::Expired(_) | RefusalCause::ExpirationMalformed => Reason::TokenExpired,
            // What a JWT says in its claims, a Secret says about a bootstrap token.
            RefusalCause::GroupInvalid(_)
            | RefusalCause::IdMismatch
            | RefusalCause::TypeMismatch
            | RefusalCause::UsageMissing => Reason::TokenClaimsInvalid,
        }
    }
}

impl From<Refusal> for Outcome {
    /// No opinion, always: other authenticators are asked as well.
    fn from(refusal: Refusal) -> Self {
        Self::NoOpinion(refusal.reason())
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.id.secret_name();
        let secret = format!("Bootstrap secret {NAMESPACE}/{name} matching bearer token");
        let invalid = "has invalid value for key";
        match &self.cause {
            RefusalCause::Absent => {
                write!(
                    f,
                    "No secret of name {name} to match bootstrap bearer token"
                )
            }
            RefusalCause::Terminating => {
                write!(f, "{secret} is deleted and awaiting removal")
            }
            RefusalCause::TypeMismatch => {
                write!(f, "{secret} has invalid type, expected {SECRET_TYPE}.")
            }
            RefusalCause::SecretMismatch => {
                write!(f, "{secret} {invalid} {}.", keys::TOKEN_SECRET)
            }
            RefusalCause::IdMismatch => write!(
                f,
                "{secret} {invalid} {}, expected {}.",
                keys::TOKEN_ID,
                self.id
            ),
            RefusalCause::Expired(end) => {
                write!(
                    f,
                    "Expired bootstrap token in {NAMESPACE}/{name} Secret: {end}"
                )
            }
            RefusalCause::ExpirationMalformed => write!(
                f,
                "Unparseable expiration time in {NAMESPACE}/{name} Secret. Treating as expired."
            ),
            RefusalCause::UsageMissing => {
                write!(
                    f,
                    "{secret} not marked usage-bootstrap-authentication=true."
                )
            }
            RefusalCause::GroupInvalid(error) => {
                write!(f, "{secret} {invalid} {}: {error}.", keys::EXTRA_GROUPS)
            }
        }
    }
}

fn admit(
    token: &Token,
    record: Option<&TokenRecord>,
    now: Timestamp,
) -> Result<Admission, RefusalCause> {
    let id = token.id();
    // A look-up that confused names or namespaces must not let anyone in.
    let record = record
        .filter(|record| record.namespace == NAMESPACE)
        .filter(|record| TokenId::from_secret_name(&record.name) == Some(id))
        .ok_or(RefusalCause::Absent)?;
    if record.is_terminating {
        return Err(RefusalCause::Terminating);
    }
    if !record.is_bootstrap {
        return Err(RefusalCause::TypeMismatch);
    }
    if !record.secret.is(token.secret().expose()) {
        return Err(RefusalCause::SecretMismatch);
    }
    if record.id != id.as_str() {
        return Err(RefusalCause::IdMismatch);
    }
    if record.expiration.is_expired(now) {
        return Err(match record.expiration {
            Expiration::At(end) => RefusalCause::Expired(end),
            Expiration::Malformed | Expiration::Never => RefusalCause::ExpirationMalformed,
        });
    }
    if !record.authenticates() {
        return Err(RefusalCause::UsageMissing);
    }
    let extra = BootstrapGroup::parse_list(&record.groups).map_err(RefusalCause::GroupInvalid)?;
    let mut groups: Vec<String> = extra.into_iter().map(String::from).collect();
    groups.push(DEFAULT_GROUP.to_owned());
    groups.sort_unstable();
    groups.dedup();
    Ok(Admission {
        user: UserInfo::named(format!("{USER_PREFIX}{id}")).with_groups(groups),
        good_until: record.expiration.instant(),
    })
}

#[cfg(test)]
mod tests {
    use burgee_identity::{Check, CheckResult};
    use burgee_wire::Object;

    use super::*;
    use crate::testing::{TOKEN, example, now, record, token, with};

    fn judged(object: &Object) -> Result<Admission, Refusal> {
        let judged = judge(&token(), Some(&record(object)), now());
        assert_agreement(&judged, object);
        judged
    }

    /// Every judgement here is explained as well: the first check that fails must be why.
    fn assert_agreement(judged: &Result<Admission, Refusal>, object: &Object) {
        let checks = crate::examine(&token(), Some(&record(object)), now());
        let failed = |check: &&Check| matches!(check.result, CheckResult::Failed(_));
        let failure = checks.iter().find(failed).map(|check| &*check.detail);
        let refusal = judged.as_ref().err().map(ToString::to_string);
        assert_eq!(failure, refusal.as_deref());
    }

    /// The log line and the code.
    fn refused(object: &Object) -> (String, Reason) {
        let refusal = judged(object).unwrap_err();
        assert_eq!(
            Outcome::from(refusal.clone()),
            Outcome::NoOpinion(refusal.reason())
        );
        (refusal.to_string(), refusal.reason())
    }

    fn renamed(change: impl FnOnce(&mut Object)) -> Object {
        let mut object = example();
        change(&mut object);
        object
    }

    #[test]
    fn a_good_token_is_an_identity_until_it_ends() {
        let admission = judged(&example()).unwrap();
        assert_eq!(
            admission.good_until.unwrap().to_string(),
            "2026-01-02T03:04:05Z"
        );
        let Outcome::Authenticated(authenticated) = Outcome::from(admission) else {
            panic!("not authenticated")
        };
        let expected = UserInfo::named("system:bootstrap:07401b")
            .with_groups([DEFAULT_GROUP, crate::NODE_GROUP]);
        assert_eq!(*authenticated.user, expected);
        assert!(authenticated.audiences().is_empty());
    }

    #[test]
    fn groups_are_sorted_and_each_there_once() {
        let (foo, bar) = ("system:bootstrappers:foo", "system:bootstrappers:bar");
        let object = with(
            example(),
            "auth-extra-groups",
            &format!("{foo},{bar},{foo}"),
        );
        assert_eq!(
            judged(&object).unwrap().user.groups,
            [DEFAULT_GROUP, bar, foo]
        );
        let object = with(example(), "auth-extra-groups", "");
        assert_eq!(judged(&object).unwrap().user.groups, [DEFAULT_GROUP]);
    }

    #[test]
    fn a_token_without_end_is_good_until_nothing() {
        let object = with(example(), "expiration", "");
        assert_eq!(judged(&object).unwrap().good_until, None);
    }

    #[test]
    fn signing_is_not_needed_to_authenticate() {
        assert!(judged(&with(example(), "usage-bootstrap-signing", "")).is_ok());
    }

    #[test]
    fn no_secret_means_no_opinion() {
        let refusal = judge(&token(), None, now()).unwrap_err();
        assert_eq!(refusal.cause, RefusalCause::Absent);
        assert_eq!(
            refusal.to_string(),
            "No secret of name bootstrap-token-07401b to match bootstrap bearer token"
        );
    }

    #[test]
    fn a_secret_of_another_name_or_namespace_is_none() {
        for object in [
            renamed(|o| o.metadata.namespace = "default".into()),
            renamed(|o| o.metadata.namespace = String::new()),
            renamed(|o| o.metadata.name = "bootstrap-token-abcdef".into()),
            renamed(|o| o.metadata.name = "07401b".into()),
        ] {
            assert_eq!(judged(&object).unwrap_err().cause, RefusalCause::Absent);
        }
    }

    #[test]
    fn the_first_condition_that_fails_is_told() {
        let prefix = "Bootstrap secret kube-system/bootstrap-token-07401b matching bearer token";
        // From the last condition to the first: each new flaw hides the ones before.
        let mut object = example();
        for (key, value, text, reason) in [
            (
                "auth-extra-groups",
                "system:bootstrappers",
                format!(
                    r#"{prefix} has invalid value for key auth-extra-groups: bootstrap group "system:bootstrappers" is invalid (must match \Asystem:bootstrappers:[a-z0-9:-]{{0,255}}[a-z0-9]\z)."#
                ),
                Reason::TokenClaimsInvalid,
            ),
            (
                "usage-bootstrap-authentication",
                "True",
                format!("{prefix} not marked usage-bootstrap-authentication=true."),
                Reason::TokenClaimsInvalid,
            ),
            (
                "expiration",
                "soon",
                "Unparseable expiration time in kube-system/bootstrap-token-07401b Secret. Treating as expired.".into(),
                Reason::TokenExpired,
            ),
            (
                "expiration",
                "2026-01-01T00:00:00Z",
                "Expired bootstrap token in kube-system/bootstrap-token-07401b Secret: 2026-01-01T00:00:00Z".into(),
                Reason::TokenExpired,
            ),
            (
                "token-id",
                "abcdef",
                format!("{prefix} has invalid value for key token-id, expected 07401b."),
                Reason::TokenClaimsInvalid,
            ),
            (
                "token-secret",
                "f395accd246ae52e",
                format!("{prefix} has invalid value for key token-secret."),
                Reason::TokenUnknown,
            ),
        ] {
            object = with(object, key, value);
            assert_eq!(refused(&object), (text, reason), "{key}");
        }
        object.content.insert("type".into(), "Opaque".into());
        let text = format!("{prefix} has invalid type, expected bootstrap.kubernetes.io/token.");
        assert_eq!(refused(&object), (text, Reason::TokenClaimsInvalid));
        object.metadata.deletion_timestamp = Some(now().into());
        let text = format!("{prefix} is deleted and awaiting removal");
        assert_eq!(refused(&object), (text, Reason::TokenRevoked));
    }

    #[test]
    fn a_secret_without_data_has_the_wrong_type() {
        for data in [serde_json::Value::Null, serde_json::json!({})] {
            let object = renamed(|o| {
                o.content.insert("data".into(), data);
            });
            assert_eq!(
                judged(&object).unwrap_err().cause,
                RefusalCause::TypeMismatch
            );
        }
    }

    #[test]
    fn secrets_of_any_other_bytes_do_not_match() {
        for stored in [
            "",
            "f395accd246ae52",
            "f395accd246ae52d\n",
            "F395ACCD246AE52D",
            TOKEN,
        ] {
            let refusal = judged(&with(example(), "token-secret", stored)).unwrap_err();
            assert_eq!(refusal.cause, RefusalCause::SecretMismatch, "{stored:?}");
            assert!(!refusal.to_string().contains("f395accd246ae52"));
        }
    }
}
