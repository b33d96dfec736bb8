//! Tokens of service accounts, as one authenticator among others.

use std::sync::Arc;

use burgee_identity::{Authenticated, Check, Outcome, Secret};
use burgee_service_account::{NotValid, TokenValidator};

use crate::group_adder::add_authenticated_group;
use crate::{Audiences, Decision, Metrics, NoMetrics, TokenAuthenticator, Verdict};

/// Knows the tokens that a [`TokenValidator`] accepts.
///
/// It decides from memory as long as the validator's keys and objects are there; else it waits for
/// them.
#[derive(Debug)]
pub struct ServiceAccountTokens {
    validator: Arc<TokenValidator>,
    metrics: Arc<dyn Metrics>,
}

impl ServiceAccountTokens {
    /// Judges with `validator`.
    #[must_use]
    pub fn new(validator: Arc<TokenValidator>, metrics: Arc<dyn Metrics>) -> Self {
        Self { validator, metrics }
    }
}

impl ServiceAccountTokens {
    fn judge(&self, token: &str, audiences: &Audiences, metrics: Arc<dyn Metrics>) -> Decision {
        let validator = Arc::clone(&self.validator);
        let token = Secret::from(token.to_owned());
        let audiences = audiences.clone();
        Decision::from_future(async move {
            let valid = match validator
                .validate(token.expose(), audiences.as_slice())
                .await
            {
                Ok(valid) => valid,
                Err(NotValid::Foreign(reason)) => return Verdict::no_opinion(reason),
                Err(NotValid::Rejected(rejection)) => return Outcome::Rejected(rejection).into(),
            };
            for token_use in valid.uses {
                metrics.service_account_token(token_use);
            }
            let mut user = Arc::new(valid.user);
            add_authenticated_group(&mut user);
            let authenticated = Authenticated::new(user).for_audiences(valid.audiences);
            let mut verdict = Verdict::authenticated(authenticated);
            verdict.good_until = valid.good_until;
            verdict.with_annotations(valid.annotations)
        })
    }
}

impl TokenAuthenticator for ServiceAccountTokens {
    fn name(&self) -> &'static str {
        "service-account-token"
    }

    fn authenticate(&self, token: &str, audiences: &Audiences) -> Decision {
        self.judge(token, audiences, Arc::clone(&self.metrics))
    }

    fn rehearse(&self, token: &str, audiences: &Audiences) -> Decision {
        self.judge(token, audiences, Arc::new(NoMetrics))
    }

    fn examine(&self, token: &str, audiences: &Audiences) -> Decision<Vec<Check>> {
        let validator = Arc::clone(&self.validator);
        let token = Secret::from(token.to_owned());
        let audiences = audiences.clone();
        Decision::from_future(async move {
            let requested = audiences.as_slice();
            validator.examine(token.expose(), requested).await
        })
    }
}
