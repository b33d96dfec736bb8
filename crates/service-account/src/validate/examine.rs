//! The rules one by one, for explanations.

use burgee_identity::{Check, Reason, Rejection};
use burgee_jose::{Error as JoseError, Jws, VerificationKey, VerificationKeys};
use burgee_wire::{Time, quoted};
use jiff::Timestamp;

use super::{
    TokenValidator, bound_objects, check_begin, check_end, check_issuance, instant, list, spelled,
    unverified_issuer,
};
use crate::Claims;

/// How many keys or issuers are named in one detail.
const NAMED: usize = 8;

impl TokenValidator {
    /// Every rule that [`TokenValidator::validate`] applies, each by itself, in the order in which they
    /// decide: the first that fails is why `validate` refuses, and the others tell what would be wrong
    /// as well. Empty for text that is no JSON Web Token.
    ///
    /// What a token says that was not verified is looked at all the same, up to finding out whether
    /// the objects that it names exist. So only those may see the answer who could look for
    /// themselves.
    pub async fn examine(&self, token: &str, requested: &[String]) -> Vec<Check> {
        let Ok(jws) = Jws::parse(token) else {
            return Vec::new();
        };
        let payload = jws.unverified_payload();
        let Some(issuer) = unverified_issuer(payload) else {
            return Vec::new();
        };
        if !self.issuers.iter().any(|known| *known == issuer) {
            let detail = format!(
                "{} is none of {}",
                quoted(&issuer),
                some(self.issuers.iter().map(|issuer| quoted(issuer)))
            );
            return vec![Check::failed("issuer", Reason::TokenIssuerForeign, detail)];
        }
        let mut checks = vec![Check::passed("issuer", quoted(&issuer))];
        let keys = self.keys_for(&jws).await;
        checks.extend(examine_signature(&jws, &keys));
        let claims = match Claims::from_json(payload) {
            Ok(claims) => claims,
            Err(error) => {
                let detail = causes(&error);
                checks.push(Check::failed("claims", Reason::TokenClaimsInvalid, detail));
                let skipped = [
                    "audience",
                    "not-before",
                    "expiry",
                    "issued-at",
                    "service account",
                ];
                checks.extend(skipped.map(|name| Check::skipped(name, "claims")));
                return checks;
            }
        };
        checks.push(match self.issuers.contains(&claims.iss) {
            true => Check::passed("claims", ""),
            // The issuer was read without care for the names' case before.
            false => Check::failed(
                "claims",
                Reason::TokenClaimsInvalid,
                format!("token issuer {} is invalid", quoted(&claims.iss)),
            ),
        });
        checks.push(match self.check_audiences(&claims, requested) {
            Ok(matching) => Check::passed("audience", list(&matching)),
            Err(rejection) => failed("audience", rejection),
        });
        let now = self.clock.now();
        checks.extend(examine_times(&claims, now));
        checks.extend(self.examine_objects(&claims, now).await);
        checks
    }

    async fn examine_objects(&self, claims: &Claims, now: Timestamp) -> Vec<Check> {
        let kubernetes = &claims.kubernetes;
        let namespace = kubernetes.namespace.as_str();
        let account = format!("{namespace}/{}", kubernetes.service_account.name);
        let outcome = self.check_account(claims, now).await;
        let mut checks = vec![outcome_of("service account", account, outcome)];
        for (kind, claim) in bound_objects(claims) {
            let outcome = self.check_bound(kind, namespace, claim, now).await;
            checks.push(outcome_of(spelled(kind), claim.name.clone(), outcome));
        }
        checks
    }
}

/// Which key the token names, and whether it verifies the token; if it does not, whether another does.
fn examine_signature(jws: &Jws<'_>, keys: &VerificationKeys) -> [Check; 2] {
    let key_id = jws.header().key_id();
    let key = match key_id {
        None => Check::passed(
            "key",
            format!("the token names none, so all {} are tried", keys.len()),
        ),
        Some(id) if keys.contains(id) => Check::passed("key", id.to_owned()),
        Some(id) => {
            let known = keys.iter().map(name_of);
            let detail = format!("{id} is none of {}", some(known));
            Check::failed("key", Reason::TokenKeyUnknown, detail)
        }
    };
    let signature = match keys.verify(jws) {
        Ok(verified) => {
            let algorithm = jws.header().algorithm_name();
            let detail = format!("{algorithm} by {}", name_of(verified.key));
            Check::passed("signature", detail)
        }
        Err(JoseError::UnknownKey) if keys.is_empty() => {
            Check::failed("signature", Reason::TokenKeyUnknown, "there are no keys")
        }
        Err(error) => {
            let fitting = keys.iter().find(|key| key.key.verify(jws).is_ok());
            match (fitting, &error) {
                (Some(other), _) => {
                    let detail = format!("{} would verify it, but is not named", name_of(other));
                    Check::failed("signature", reason_of(&error), detail)
                }
                (None, JoseError::UnknownKey) => Check::failed(
                    "signature",
                    Reason::TokenSignatureInvalid,
                    "no other key verifies it either",
                ),
                (None, JoseError::AlgorithmMismatch) => {
                    let named = quoted(jws.header().algorithm_name());
                    let fitting = keys.find(key_id).map(|key| key.key.algorithm().as_str());
                    let detail = format!("{named} is not the key's algorithm: {}", some(fitting));
                    Check::failed("signature", Reason::TokenSignatureInvalid, detail)
                }
                (None, _) => Check::failed(
                    "signature",
                    Reason::TokenSignatureInvalid,
                    error.to_string(),
                ),
            }
        }
    };
    [key, signature]
}

fn reason_of(error: &JoseError) -> Reason {
    match error {
        JoseError::UnknownKey => Reason::TokenKeyUnknown,
        _ => Reason::TokenSignatureInvalid,
    }
}

fn examine_times(claims: &Claims, now: Timestamp) -> [Check; 3] {
    let at = |seconds: Option<i64>| {
        let Some(seconds) = seconds else {
            return "not limited".to_owned();
        };
        let time = Time::from(instant(seconds));
        format!("{time}, {}", time.seen_from(now))
    };
    let late = claims.kubernetes.warnafter.filter(|seconds| *seconds != 0);
    let end = match late.map(instant) {
        Some(threshold) if now > threshold => format!(
            "{}; should have been replaced by a newer token {}",
            at(claims.exp),
            Time::from(threshold).seen_from(now)
        ),
        _ => at(claims.exp),
    };
    [
        outcome_of("not-before", at(claims.nbf), check_begin(claims, now)),
        outcome_of("expiry", end, check_end(claims, now)),
        outcome_of("issued-at", at(claims.iat), check_issuance(claims, now)),
    ]
}

/// A rule that passed with this detail, or failed with its rejection and the detail behind it.
fn outcome_of(name: &'static str, detail: String, outcome: Result<(), Rejection>) -> Check {
    match outcome {
        Ok(()) => Check::passed(name, detail),
        Err(rejection) => {
            let detail = format!("{} ({detail})", rejection.message);
            Check::failed(name, rejection.reason, detail)
        }
    }
}

fn failed(name: &'static str, rejection: Rejection) -> Check {
    Check::failed(name, rejection.reason, rejection.message)
}

fn name_of(key: &VerificationKey) -> &str {
    key.key_id
        .as_ref()
        .map_or("a key without id", |id| id.as_str())
}

/// The first few of a list, and how many more there are.
fn some<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let mut items = items.into_iter();
    let first: Vec<T> = items.by_ref().take(NAMED).collect();
    let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
    match (first.as_slice(), items.count()) {
        ([], _) => "none".to_owned(),
        (first, 0) => first.join(", "),
        (first, more) => format!("{} and {more} more", first.join(", ")),
    }
}

/// An error and what is behind it.
fn causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", causes(source)),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burgee_identity::CheckResult;
    use burgee_jose::{Signer as _, VerificationKeys};

    use super::*;
    use crate::testing::{ACCOUNT_UID, ISSUER, K1, K2, World, clock, public_key, signing_key};
    use crate::{KubernetesClaims, ObjectClaim, StaticKeys};

    fn validator(keys: VerificationKeys) -> TokenValidator {
        let names = vec![ISSUER.to_owned()];
        let keys = Arc::new(StaticKeys(Arc::new(keys)));
        TokenValidator::new(names.clone(), names, keys, World::example(), clock())
    }

    async fn examine(keys: VerificationKeys, token: &str) -> Vec<Check> {
        validator(keys).examine(token, &[]).await
    }

    fn failures(checks: &[Check]) -> Vec<(&'static str, Reason)> {
        let failed = checks.iter().filter_map(|check| match check.result {
            CheckResult::Failed(reason) => Some((check.name, reason)),
            CheckResult::Passed | CheckResult::Skipped => None,
        });
        failed.collect()
    }

    /// Expired, for others, of an account that is not there and a pod that is another one.
    fn wrong_in_every_way() -> Claims {
        Claims {
            aud: vec!["vault".into()],
            exp: Some(1_767_200_000),
            iss: ISSUER.into(),
            kubernetes: KubernetesClaims {
                namespace: "team-a".into(),
                service_account: ObjectClaim::new("gone", ACCOUNT_UID),
                pod: Some(ObjectClaim::new("web-0", "another")),
                ..KubernetesClaims::default()
            },
            ..Claims::default()
        }
    }

    #[tokio::test]
    async fn each_rule_fails_by_itself() {
        let payload = wrong_in_every_way().to_json();
        let token = signing_key(K2).sign(payload.as_bytes()).unwrap();
        let checks = examine([public_key(K1)].into_iter().collect(), &token).await;
        assert_eq!(
            failures(&checks),
            [
                ("key", Reason::TokenKeyUnknown),
                ("signature", Reason::TokenSignatureInvalid),
                ("audience", Reason::TokenAudienceMismatch),
                ("expiry", Reason::TokenExpired),
                ("service account", Reason::ServiceAccountGone),
                ("pod", Reason::BoundObjectReplaced),
            ]
        );
        let names: Vec<_> = checks.iter().map(|check| check.name).collect();
        assert_eq!(names.first(), Some(&"issuer"));
        let expiry = checks.iter().find(|check| check.name == "expiry").unwrap();
        assert_eq!(
            expiry.detail,
            "service account token has expired (2025-12-31T16:53:20Z, 7h 6m ago)"
        );
        let signature = token.rsplit('.').next().unwrap();
        assert!(checks.iter().all(|check| !check.detail.contains(signature)));
    }

    #[tokio::test]
    async fn a_key_that_would_verify_the_token_is_named() {
        let claims = format!("{{\"iss\":{ISSUER:?}}}");
        let token = signing_key(K1).sign(claims.as_bytes()).unwrap();
        let renamed = VerificationKey {
            key_id: Some(burgee_jose::KeyId::new("old-name").unwrap()),
            key: public_key(K1),
        };
        let checks = examine(VerificationKeys::new(vec![renamed]), &token).await;
        assert_eq!(
            checks[2].detail,
            "old-name would verify it, but is not named"
        );
        assert_eq!(
            checks[2].result,
            CheckResult::Failed(Reason::TokenKeyUnknown)
        );
    }

    #[tokio::test]
    async fn claims_that_cannot_be_read_skip_what_they_are_needed_for() {
        let claims = format!("{{\"iss\":{ISSUER:?},\"aud\":1}}");
        let token = signing_key(K1).sign(claims.as_bytes()).unwrap();
        let checks = examine([public_key(K1)].into_iter().collect(), &token).await;
        assert_eq!(failures(&checks), [("claims", Reason::TokenClaimsInvalid)]);
        let skipped = checks
            .iter()
            .filter(|check| check.result == CheckResult::Skipped);
        assert_eq!(skipped.count(), 5);
    }

    #[tokio::test]
    async fn other_issuers_are_told_from_ours_and_other_texts_are_not_looked_at() {
        let token = signing_key(K1)
            .sign(b"{\"iss\":\"https://other\"}")
            .unwrap();
        let checks = examine(VerificationKeys::default(), &token).await;
        assert_eq!(failures(&checks), [("issuer", Reason::TokenIssuerForeign)]);
        assert_eq!(
            checks[0].detail,
            format!("\"https://other\" is none of {ISSUER:?}")
        );
        for other in ["", "a.b", "07401b.f395accd246ae52d", "a.b.c"] {
            assert!(examine(VerificationKeys::default(), other).await.is_empty());
        }
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(some(Vec::<String>::new()), "none");
        assert_eq!(some(["a", "b"]), "a, b");
        assert_eq!(some(["k"; 10]), "k, k, k, k, k, k, k, k and 2 more");
    }
}
