//! The server's own token, for clients inside its process.

use std::sync::Arc;

use burgee_identity::{Authenticated, Reason, Secret, UserInfo, names};

use crate::{Audiences, Decision, TokenAuthenticator, Verdict};

/// Knows exactly one token, which the process made for itself.
///
/// The identity is `system:apiserver` in `system:masters`, as upstream's.
#[derive(Debug)]
pub struct LoopbackToken {
    token: Secret,
    user: Arc<UserInfo>,
}

impl LoopbackToken {
    /// `token` is what in-process clients send; `uid` tells this process from others.
    #[must_use]
    pub fn new(token: Secret, uid: impl Into<String>) -> Self {
        let mut user =
            UserInfo::named(names::API_SERVER).with_groups([names::AUTHENTICATED, names::MASTERS]);
        user.uid = uid.into();
        Self {
            token,
            user: Arc::new(user),
        }
    }
}

impl LoopbackToken {
    /// How long the token is: no secret.
    pub(crate) fn length(&self) -> usize {
        self.token.expose().len()
    }
}

impl TokenAuthenticator for LoopbackToken {
    fn name(&self) -> &'static str {
        "loopback"
    }

    fn authenticate(&self, token: &str, _audiences: &Audiences) -> Decision {
        use subtle::ConstantTimeEq as _;
        let known = self.token.expose().as_bytes();
        if known.is_empty() || !bool::from(known.ct_eq(token.as_bytes())) {
            return Decision::Now(Verdict::no_opinion(Reason::TokenUnknown));
        }
        Decision::Now(Verdict::authenticated(Authenticated::new(Arc::clone(
            &self.user,
        ))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_known() {
        let loopback = LoopbackToken::new(Secret::from("secret".to_owned()), "u");
        for (token, expected) in [
            ("secret", true),
            ("secre", false),
            ("secrets", false),
            ("", false),
        ] {
            let Decision::Now(verdict) = loopback.authenticate(token, &Audiences::ANY) else {
                panic!()
            };
            assert_eq!(verdict.is_authenticated(), expected, "{token}");
        }
        let empty = LoopbackToken::new(Secret::from(String::new()), "u");
        let Decision::Now(verdict) = empty.authenticate("", &Audiences::ANY) else {
            panic!()
        };
        assert!(!verdict.is_authenticated());
    }
}
