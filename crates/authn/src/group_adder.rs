//! The group of everybody with good credentials.

use std::sync::Arc;

use burgee_identity::{Outcome, UserInfo, names};

use crate::{Audiences, Authenticator, Decision, IdentityHeaders, Request, TokenAuthenticator};

/// Adds the group `system:authenticated` to every identity of its delegate.
///
/// Identities that carry it already, and anonymous ones, stay as they are. An identity that others
/// hold too is copied, never changed under them.
#[derive(Debug)]
pub struct GroupAdder<A: ?Sized>(Arc<A>);

impl<A: ?Sized> GroupAdder<A> {
    /// Wraps `delegate`.
    #[must_use]
    pub fn new(delegate: Arc<A>) -> Self {
        Self(delegate)
    }
}

impl<A: Authenticator + ?Sized> Authenticator for GroupAdder<A> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn authenticate(&self, request: &Request<'_>) -> Decision {
        add_group_to_decision(self.0.authenticate(request))
    }

    fn identity_headers(&self) -> IdentityHeaders {
        self.0.identity_headers()
    }
}

impl<A: TokenAuthenticator + ?Sized> TokenAuthenticator for GroupAdder<A> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn authenticate(&self, token: &str, audiences: &Audiences) -> Decision {
        add_group_to_decision(self.0.authenticate(token, audiences))
    }
}

fn add_group_to_decision(decision: Decision) -> Decision {
    decision.map(|mut verdict| {
        if let Outcome::Authenticated(authenticated) = &mut verdict.outcome {
            add_authenticated_group(&mut authenticated.user);
        }
        verdict
    })
}

/// Appends `system:authenticated` where [`GroupAdder`] would. Authenticators that keep identities
/// call this when they make one, so that the adder has nothing to copy later.
pub fn add_authenticated_group(user: &mut Arc<UserInfo>) {
    // Where it was added before, it stands last: nothing else has to be looked at.
    if user
        .groups
        .last()
        .is_some_and(|last| last == names::AUTHENTICATED)
    {
        return;
    }
    let anonymous = user.name == names::ANONYMOUS;
    if !anonymous && !user.in_group(names::AUTHENTICATED) && !user.in_group(names::UNAUTHENTICATED)
    {
        Arc::make_mut(user)
            .groups
            .push(names::AUTHENTICATED.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixed;
    use burgee_identity::Authenticated;

    fn yes(name: &str) -> Outcome {
        Outcome::Authenticated(Authenticated::new(UserInfo::named(name)))
    }

    #[test]
    fn the_group_is_added_last_once_and_never_to_the_unauthenticated() {
        for (name, groups, expected) in [
            ("jane", &["devs"][..], &["devs", "system:authenticated"][..]),
            ("jane", &[], &["system:authenticated"]),
            (
                "jane",
                &["system:authenticated", "devs"],
                &["system:authenticated", "devs"],
            ),
            (
                "jane",
                &["system:unauthenticated"],
                &["system:unauthenticated"],
            ),
            ("system:anonymous", &["x"], &["x"]),
        ] {
            let mut user = Arc::new(UserInfo::named(name).with_groups(groups.iter().copied()));
            add_authenticated_group(&mut user);
            assert_eq!(user.groups, expected);
        }
    }

    #[test]
    fn an_identity_that_others_hold_is_not_changed_under_them() {
        let fixed = Arc::new(Fixed::now(yes("jane")));
        let adder = GroupAdder::new(fixed.clone());
        for _ in 0..2 {
            let Decision::Now(verdict) =
                TokenAuthenticator::authenticate(&adder, "t", &Audiences::ANY)
            else {
                panic!()
            };
            assert_eq!(
                verdict.outcome.user().unwrap().groups,
                ["system:authenticated"]
            );
        }
        assert!(fixed.outcome.user().unwrap().groups.is_empty());
    }
}
