//! What several test modules share.

pub(crate) mod certificates;

use std::sync::Arc;

use burgee_identity::{Authenticated, Outcome, Reason, UserInfo};
use http::HeaderMap;

use crate::{Audiences, Authenticator, Decision, Request, TokenAuthenticator};

/// A request with these headers and nothing else.
pub(crate) fn request(headers: &HeaderMap) -> Request<'_> {
    Request {
        headers,
        path: "/",
        peer_certificates: None,
        audiences: &Audiences::ANY,
    }
}

/// Knows one token.
#[derive(Debug)]
pub(crate) struct Known {
    token: &'static str,
    user: Arc<UserInfo>,
}

impl Known {
    pub(crate) fn token(token: &'static str, user: &str) -> Arc<dyn TokenAuthenticator> {
        Arc::new(Self {
            token,
            user: Arc::new(UserInfo::named(user)),
        })
    }
}

impl TokenAuthenticator for Known {
    fn name(&self) -> &'static str {
        "known"
    }

    fn authenticate(&self, token: &str, _audiences: &Audiences) -> Decision {
        if token == self.token {
            Outcome::Authenticated(Authenticated::new(Arc::clone(&self.user))).into()
        } else {
            Outcome::NoOpinion(Reason::TokenUnknown).into()
        }
    }
}

/// Always gives the same outcome, at once or after having been polled twice.
#[derive(Debug)]
pub(crate) struct Fixed {
    pub(crate) outcome: Outcome,
    pub(crate) later: bool,
}

impl Fixed {
    pub(crate) fn now(outcome: Outcome) -> Self {
        Self {
            outcome,
            later: false,
        }
    }

    pub(crate) fn later(outcome: Outcome) -> Self {
        Self {
            outcome,
            later: true,
        }
    }

    fn answer(&self) -> Decision {
        let outcome = self.outcome.clone();
        if !self.later {
            return outcome.into();
        }
        Decision::Later(Box::pin(async move {
            tokio::task::yield_now().await;
            outcome.into()
        }))
    }
}

impl TokenAuthenticator for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn authenticate(&self, _token: &str, _audiences: &Audiences) -> Decision {
        self.answer()
    }
}

impl Authenticator for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn authenticate(&self, _request: &Request<'_>) -> Decision {
        self.answer()
    }
}
