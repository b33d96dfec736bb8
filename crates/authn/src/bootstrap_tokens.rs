//! Bootstrap tokens, as one authenticator among others.

use std::fmt;
use std::sync::Arc;

use burgee_bootstrap_token::{Token, TokenId, TokenRecord, examine, judge};
use burgee_identity::{Check, Clock, Outcome, Reason};

use crate::{Audiences, Decision, TokenAuthenticator, Verdict};

/// Where the Secrets of bootstrap tokens are found, in memory.
///
/// What is found should be as new as the watch of the namespace `kube-system` allows; the server must
/// not be ready before its first list is in.
pub trait TokenRecords: Send + Sync + fmt::Debug {
    /// The Secret [`TokenId::secret_name`] in `kube-system`, if there is one.
    fn find(&self, id: TokenId) -> Option<Arc<TokenRecord>>;
}

/// Knows the bootstrap tokens whose Secrets are in memory: upstream's
/// `--enable-bootstrap-token-auth`.
///
/// Only the Secret as it is at that moment counts, so a token that was revoked or changed is refused as
/// soon as the watch tells. [`Chain`](crate::Chain) therefore asks it without the token cache in front;
/// it compares sixteen bytes, which is quicker than the cache would be. A cache that is put there all the
/// same is told the token's end and has to be told ([`TokenCache::forget`](crate::TokenCache::forget))
/// of every change of its Secret.
///
/// It knows nothing of audiences and has an opinion about no token but the good ones. Why not the others
/// stands in the log at debug level, without anything secret.
#[derive(Debug)]
pub struct BootstrapTokens {
    records: Arc<dyn TokenRecords>,
    clock: Arc<dyn Clock>,
}

impl BootstrapTokens {
    /// Judges by these Secrets and this clock.
    #[must_use]
    pub fn new(records: Arc<dyn TokenRecords>, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock }
    }
}

impl TokenAuthenticator for BootstrapTokens {
    fn name(&self) -> &'static str {
        "bootstrap-token"
    }

    fn authenticate(&self, token: &str, _audiences: &Audiences) -> Decision {
        let Ok(token) = token.parse::<Token>() else {
            return Decision::Now(Verdict::no_opinion(Reason::TokenMalformed));
        };
        let record = self.records.find(token.id());
        match judge(&token, record.as_deref(), self.clock.now()) {
            Ok(admission) => {
                let good_until = admission.good_until;
                let verdict = Outcome::from(admission).into();
                Decision::Now(Verdict {
                    good_until,
                    ..verdict
                })
            }
            Err(refusal) => {
                tracing::debug!("{refusal}");
                Outcome::from(refusal).into()
            }
        }
    }

    fn examine(&self, token: &str, _audiences: &Audiences) -> Decision<Vec<Check>> {
        let Ok(token) = token.parse::<Token>() else {
            return Decision::Now(Vec::new());
        };
        let record = self.records.find(token.id());
        Decision::Now(examine(&token, record.as_deref(), self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use burgee_bootstrap_token::{TokenSpec, Usages};
    use burgee_identity::{CheckResult, SettableClock};
    use burgee_wire::authentication::{TokenReviewSpec, TokenReviewStatus};
    use http::HeaderMap;
    use http::header::AUTHORIZATION;
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::testing::request;
    use crate::{Authenticator as _, Chain, NoMetrics};

    const TOKEN: &str = "07401b.f395accd246ae52d";

    /// The one Secret that there is, or none.
    #[derive(Debug, Default)]
    struct Stored(Mutex<Option<Arc<TokenRecord>>>);

    impl Stored {
        fn put(&self, usages: Usages) {
            let spec = TokenSpec::new(TOKEN.parse().unwrap(), usages, Vec::new()).unwrap();
            let spec = spec.expiring_after(Timestamp::UNIX_EPOCH, SignedDuration::from_secs(3600));
            let record = TokenRecord::from_object(&spec.unwrap().to_object());
            *self.0.lock().unwrap() = Some(Arc::new(record));
        }

        fn delete(&self) {
            *self.0.lock().unwrap() = None;
        }
    }

    impl TokenRecords for Stored {
        fn find(&self, id: TokenId) -> Option<Arc<TokenRecord>> {
            let record = self.0.lock().unwrap().clone();
            record.filter(|record| record.name() == id.secret_name())
        }
    }

    struct World {
        stored: Arc<Stored>,
        clock: Arc<SettableClock>,
        chain: Chain,
    }

    impl World {
        fn new() -> Self {
            let stored = Arc::new(Stored::default());
            let clock = Arc::new(SettableClock::at(Timestamp::UNIX_EPOCH));
            let tokens = BootstrapTokens::new(Arc::clone(&stored) as _, Arc::clone(&clock) as _);
            let chain = Chain::builder(["api"])
                .bootstrap_tokens(Arc::new(tokens))
                .build(Arc::clone(&clock) as _, Arc::new(NoMetrics))
                .unwrap();
            stored.put(Usages::ALL);
            Self {
                stored,
                clock,
                chain,
            }
        }

        /// The groups of who presents this token, or why there is nobody.
        fn present(&self, token: &str) -> Result<Vec<String>, Reason> {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            let Decision::Now(verdict) = self.chain.authenticate(&request(&headers)) else {
                panic!("not decided from memory")
            };
            match verdict.outcome {
                Outcome::Authenticated(good) => Ok(good.user.groups.clone()),
                other => Err(other.reason().unwrap()),
            }
        }

        async fn review(&self, audiences: &[&str]) -> TokenReviewStatus {
            let spec = TokenReviewSpec {
                token: TOKEN.to_owned(),
                audiences: audiences.iter().map(|one| (*one).to_owned()).collect(),
            };
            self.chain.review(&spec).await.unwrap()
        }
    }

    #[test]
    fn a_good_token_is_a_bootstrapper_and_authenticated() {
        let groups = ["system:bootstrappers", "system:authenticated"];
        assert_eq!(World::new().present(TOKEN).unwrap(), groups);
    }

    #[test]
    fn any_other_token_is_rejected_as_a_bearer_token() {
        for other in [
            "07401b.f395accd246ae52e",
            "07401c.f395accd246ae52d",
            "07401b",
            "x",
        ] {
            assert!(World::new().present(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_deleted_token_is_refused_at_once() {
        let world = World::new();
        assert!(world.present(TOKEN).is_ok());
        world.stored.delete();
        assert!(world.present(TOKEN).is_err());
        world.stored.put(Usages::ALL);
        assert!(world.present(TOKEN).is_ok());
    }

    #[test]
    fn a_token_that_may_not_authenticate_any_more_is_refused_at_once() {
        let world = World::new();
        assert!(world.present(TOKEN).is_ok());
        world.stored.put(Usages::default());
        assert!(world.present(TOKEN).is_err());
    }

    #[test]
    fn a_token_is_refused_from_its_end_on_and_a_cache_is_told() {
        let world = World::new();
        world.clock.advance(Duration::from_millis(3_599_999));
        assert!(world.present(TOKEN).is_ok());
        world.clock.advance(Duration::from_millis(1));
        assert!(world.present(TOKEN).is_err());

        world.clock.set(Timestamp::UNIX_EPOCH);
        let tokens = BootstrapTokens::new(world.stored, world.clock);
        let Decision::Now(verdict) = tokens.authenticate(TOKEN, &Audiences::ANY) else {
            panic!("not decided from memory")
        };
        assert_eq!(verdict.good_until, Timestamp::from_second(3600).ok());
    }

    #[test]
    fn its_conditions_are_checked_one_by_one() {
        let world = World::new();
        world.clock.advance(Duration::from_secs(3600));
        let tokens = BootstrapTokens::new(world.stored, world.clock);
        let examine = |token| match tokens.examine(token, &Audiences::ANY) {
            Decision::Now(checks) => checks,
            Decision::Later(_) => panic!("not decided from memory"),
        };
        let failed: Vec<_> = examine("07401b.f395accd246ae52e")
            .into_iter()
            .filter(|check| matches!(check.result, CheckResult::Failed(_)))
            .map(|check| check.name)
            .collect();
        assert_eq!(failed, ["token-secret", "expiration"]);
        assert!(examine("eyJ.e30.x").is_empty());
    }

    #[test]
    fn it_has_no_opinion_about_what_it_refuses() {
        let world = World::new();
        let tokens = BootstrapTokens::new(world.stored, world.clock);
        for (token, reason) in [
            ("eyJ.e30.x", Reason::TokenMalformed),
            ("07401b.f395accd246ae52e", Reason::TokenUnknown),
        ] {
            let Decision::Now(verdict) = tokens.authenticate(token, &Audiences::ANY) else {
                panic!("not decided from memory")
            };
            assert_eq!(verdict.outcome, Outcome::NoOpinion(reason));
        }
    }

    #[tokio::test]
    async fn a_review_asks_for_the_servers_own_audiences() {
        let world = World::new();
        let good = world.review(&["vault", "api"]).await;
        assert_eq!(
            (good.authenticated, good.audiences),
            (true, vec!["api".to_owned()])
        );
        assert_eq!(good.user.name, "system:bootstrap:07401b");
        assert_eq!(
            good.user.groups,
            ["system:bootstrappers", "system:authenticated"]
        );
        assert!(!world.review(&["vault"]).await.authenticated);
    }
}
