//! What one authenticator, or a chain of them, decided.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{Reason, UserInfo};

/// The decision about one credential.
///
/// A decision is a value, not an error path: a chain of authenticators reads like the truth table
/// that it is (kube-apiserver's `authenticator.Request` contract).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The credential is present and good.
    Authenticated(Authenticated),
    /// There is no credential of this authenticator's kind, or it does not know this one. Another
    /// authenticator may.
    NoOpinion(Reason),
    /// The credential is of this authenticator's kind and wrong, or it could not be checked.
    Rejected(Rejection),
}

impl Outcome {
    /// The identity, where there is one.
    #[must_use]
    pub fn user(&self) -> Option<&UserInfo> {
        match self {
            Self::Authenticated(authenticated) => Some(&authenticated.user),
            Self::NoOpinion(_) | Self::Rejected(_) => None,
        }
    }

    /// Why not, where there is no identity.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Authenticated(_) => None,
            Self::NoOpinion(reason) => Some(*reason),
            Self::Rejected(rejection) => Some(rejection.reason),
        }
    }

    /// Shorthand for [`Outcome::Rejected`].
    #[must_use]
    pub fn rejected(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Rejected(Rejection::new(reason, message))
    }
}

/// A good credential: who holds it and what it is good for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authenticated {
    /// Who holds the credential. Shared, so that a cached identity is handed out without a copy.
    pub user: Arc<UserInfo>,
    /// Nothing when the authenticator knows nothing of audiences. Shared like the user.
    audiences: Option<Arc<[String]>>,
    /// Warnings for the client, each sent as a `Warning: 299 - "…"` header.
    pub warnings: Vec<Cow<'static, str>>,
}

impl Authenticated {
    /// An identity without audiences or warnings.
    #[must_use]
    pub fn new(user: impl Into<Arc<UserInfo>>) -> Self {
        Self {
            user: user.into(),
            audiences: None,
            warnings: Vec::new(),
        }
    }

    /// The same identity, good for these audiences.
    #[must_use]
    pub fn for_audiences(mut self, audiences: impl Into<Arc<[String]>>) -> Self {
        self.audiences = Some(audiences.into()).filter(|audiences| !audiences.is_empty());
        self
    }

    /// A copy that shares nothing with this one. Threads that hand out copies of their own do not
    /// wait for one another to count references.
    #[must_use]
    pub fn unshared(&self) -> Self {
        Self {
            user: Arc::new(UserInfo::clone(&self.user)),
            audiences: self.audiences.as_deref().map(Arc::from),
            warnings: self.warnings.clone(),
        }
    }

    /// The requested audiences that the credential is good for, in requested order; empty when the
    /// authenticator knows nothing of audiences.
    #[must_use]
    pub fn audiences(&self) -> &[String] {
        self.audiences.as_deref().unwrap_or_default()
    }
}

/// Why a credential was refused: a stable [`Reason`] and the sentence that kube-apiserver has for it.
///
/// The sentence appears in `TokenReview.status.error`, in logs and in explanations; never in the body
/// of a 401. It never holds a credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rejection {
    /// The stable, documented reason.
    pub reason: Reason,
    /// kube-apiserver's text. Most are constant and cost no allocation.
    pub message: Cow<'static, str>,
}

impl Rejection {
    /// A refusal with its sentence.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_identity_has_a_user_and_only_the_rest_have_a_reason() {
        let yes = Outcome::Authenticated(Authenticated::new(UserInfo::named("a")));
        assert_eq!(
            (yes.user().map(|u| u.name.as_str()), yes.reason()),
            (Some("a"), None)
        );
        let no = Outcome::rejected(Reason::TokenExpired, "late");
        assert_eq!((no.user(), no.reason()), (None, Some(Reason::TokenExpired)));
        let abstain = Outcome::NoOpinion(Reason::CredentialAbsent);
        assert_eq!(
            (abstain.user(), abstain.reason()),
            (None, Some(Reason::CredentialAbsent))
        );
    }
}
