//! Audiences for those who know nothing of them.

use std::sync::Arc;

use burgee_identity::{Check, Outcome, Reason};

use crate::{
    Audiences, Authenticator, Decision, IdentityHeaders, Request, TokenAuthenticator, Verdict,
};

/// Gives audiences to an authenticator that knows nothing of them: its credentials are good for the
/// server's own audiences and no others.
#[derive(Debug)]
pub struct AudienceAgnostic<A: ?Sized> {
    implicit: Audiences,
    delegate: Arc<A>,
}

impl<A: ?Sized> AudienceAgnostic<A> {
    /// Wraps `delegate`, whose credentials are good for `implicit`.
    #[must_use]
    pub fn new(implicit: Audiences, delegate: Arc<A>) -> Self {
        Self { implicit, delegate }
    }

    /// Asks the delegate, unless nothing that it could say would be for one of `audiences`.
    fn ask(&self, audiences: &Audiences, question: impl FnOnce(&A) -> Decision) -> Decision {
        if audiences.requested().is_none() {
            return question(&self.delegate);
        }
        if !self.shares_one_of(audiences) {
            return Decision::Now(Verdict::no_opinion(Reason::TokenAudienceMismatch));
        }
        match question(&self.delegate) {
            // No list is copied here: those of the server are everybody's, and counting their
            // references would have all threads wait for one another.
            Decision::Now(verdict) => Decision::Now(grant(verdict, &self.implicit, audiences)),
            Decision::Later(verdict) => {
                let (implicit, requested) = (self.implicit.clone(), audiences.clone());
                Decision::Later(Box::pin(async move {
                    grant(verdict.await, &implicit, &requested)
                }))
            }
        }
    }

    fn shares_one_of(&self, audiences: &Audiences) -> bool {
        let mut requested = audiences.as_slice().iter();
        requested.any(|one| self.implicit.as_slice().contains(one))
    }

    /// Puts the check on audiences in front of the delegate's own, because it decides first.
    fn also_check(&self, audiences: &Audiences, own: Decision<Vec<Check>>) -> Decision<Vec<Check>> {
        if audiences.requested().is_none() || self.shares_one_of(audiences) {
            return own;
        }
        let detail = format!(
            "good for {} only, {} asked for",
            go_list(self.implicit.as_slice()),
            go_list(audiences.as_slice())
        );
        own.map(|mut checks| {
            let failed = Check::failed("audience", Reason::TokenAudienceMismatch, detail);
            checks.insert(0, failed);
            checks
        })
    }
}

/// Makes an identity good for those of the requested audiences that are implied.
fn grant(verdict: Verdict, implicit: &Audiences, requested: &Audiences) -> Verdict {
    match verdict.outcome {
        Outcome::Authenticated(good) if good.audiences().is_empty() => {
            let audiences = requested.shared_with(implicit);
            let outcome = Outcome::Authenticated(good.for_audiences(audiences));
            Verdict { outcome, ..verdict }
        }
        Outcome::Authenticated(good) => {
            let listed = go_list(good.audiences());
            let message = format!(
                "audience agnostic authenticator wrapped an authenticator that returned \
                 audiences: {listed}"
            );
            Verdict::rejected(Reason::TokenAudienceMismatch, message)
        }
        outcome => Verdict { outcome, ..verdict },
    }
}

impl<A: Authenticator + ?Sized> Authenticator for AudienceAgnostic<A> {
    fn name(&self) -> &'static str {
        self.delegate.name()
    }

    fn authenticate(&self, request: &Request<'_>) -> Decision {
        self.ask(request.audiences, |delegate| delegate.authenticate(request))
    }

    fn rehearse(&self, request: &Request<'_>) -> Decision {
        self.ask(request.audiences, |delegate| delegate.rehearse(request))
    }

    fn examine(&self, request: &Request<'_>) -> Decision<Vec<Check>> {
        self.also_check(request.audiences, self.delegate.examine(request))
    }

    fn is_addressed(&self, request: &Request<'_>) -> bool {
        self.delegate.is_addressed(request)
    }

    fn identity_headers(&self) -> IdentityHeaders {
        self.delegate.identity_headers()
    }
}

impl<A: TokenAuthenticator + ?Sized> TokenAuthenticator for AudienceAgnostic<A> {
    fn name(&self) -> &'static str {
        self.delegate.name()
    }

    fn authenticate(&self, token: &str, audiences: &Audiences) -> Decision {
        self.ask(audiences, |delegate| {
            delegate.authenticate(token, audiences)
        })
    }

    fn rehearse(&self, token: &str, audiences: &Audiences) -> Decision {
        self.ask(audiences, |delegate| delegate.rehearse(token, audiences))
    }

    fn examine(&self, token: &str, audiences: &Audiences) -> Decision<Vec<Check>> {
        self.also_check(audiences, self.delegate.examine(token, audiences))
    }
}

/// A list as Go's `%q` prints it: `["a" "b"]`.
pub(crate) fn go_list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| burgee_wire::quoted(item)).collect();
    format!("[{}]", quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixed;
    use burgee_identity::{Authenticated, UserInfo};

    fn yes(name: &str) -> Outcome {
        Outcome::Authenticated(Authenticated::new(UserInfo::named(name)))
    }

    fn no() -> Outcome {
        Outcome::NoOpinion(Reason::TokenUnknown)
    }

    fn bad(message: &'static str) -> Outcome {
        Outcome::rejected(Reason::TokenExpired, message)
    }

    #[test]
    fn agnostic_authenticators_answer_for_the_servers_audiences_only() {
        let asked = |requested: &Audiences, delegate: Outcome| {
            let implicit = Audiences::of(["api", "old"]);
            let agnostic = AudienceAgnostic::new(implicit, Arc::new(Fixed::now(delegate)));
            match TokenAuthenticator::authenticate(&agnostic, "t", requested) {
                Decision::Now(verdict) => verdict.outcome,
                Decision::Later(_) => panic!("decided from memory"),
            }
        };
        let audiences = |list: &[&str]| Audiences::of(list.iter().copied());
        let proven = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(|one| (*one).to_owned()).collect();
            Outcome::Authenticated(Authenticated::new(UserInfo::named("a")).for_audiences(list))
        };
        let refused = Outcome::NoOpinion(Reason::TokenAudienceMismatch);
        for (requested, delegate, expected) in [
            (Audiences::ANY, yes("a"), yes("a")),
            (audiences(&["api"]), yes("a"), proven(&["api"])),
            (
                audiences(&["vault", "old", "api"]),
                yes("a"),
                proven(&["old", "api"]),
            ),
            (audiences(&["vault"]), yes("a"), refused.clone()),
            (audiences(&["vault"]), bad("x"), refused.clone()),
            (audiences(&[]), yes("a"), refused),
            (audiences(&["api"]), no(), no()),
            (audiences(&["api"]), bad("x"), bad("x")),
            (
                audiences(&["api"]),
                proven(&["a", "b"]),
                Outcome::rejected(
                    Reason::TokenAudienceMismatch,
                    "audience agnostic authenticator wrapped an authenticator that returned audiences: [\"a\" \"b\"]",
                ),
            ),
        ] {
            assert_eq!(asked(&requested, delegate), expected, "{requested:?}");
        }
    }
}
