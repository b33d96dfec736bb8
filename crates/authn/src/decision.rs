//! What an authenticator answers, at once or later.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use burgee_identity::{Authenticated, Outcome, Reason, Rejection};
use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;

/// An answer that is there at once, or a future that will bring it.
///
/// Nearly every request is decided from memory, and then no future is made, boxed or polled. An
/// authenticator that must ask someone else answers [`Decision::Later`]; its future owns all it
/// needs, so that it may outlive the request that caused it (the token cache relies on that).
pub enum Decision<T = Verdict> {
    /// Decided from memory.
    Now(T),
    /// To be awaited.
    Later(BoxFuture<'static, T>),
}

impl<T: Send + 'static> Decision<T> {
    /// Polls `future` once: one that does not wait for anything is a decision from memory.
    pub fn from_future(future: impl Future<Output = T> + Send + 'static) -> Self {
        let mut future: BoxFuture<'static, T> = Box::pin(future);
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut future).poll(&mut context) {
            Poll::Ready(value) => Self::Now(value),
            Poll::Pending => Self::Later(future),
        }
    }

    /// Applies `change` to the answer when it is there.
    #[must_use]
    pub fn map<U: Send + 'static>(
        self,
        change: impl FnOnce(T) -> U + Send + 'static,
    ) -> Decision<U> {
        match self {
            Self::Now(value) => Decision::Now(change(value)),
            Self::Later(future) => Decision::Later(Box::pin(async move { change(future.await) })),
        }
    }

    /// Waits for the answer.
    pub async fn resolve(self) -> T {
        match self {
            Self::Now(value) => value,
            Self::Later(future) => future.await,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Decision<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(value) => f.debug_tuple("Now").field(value).finish(),
            Self::Later(_) => f.write_str("Later(..)"),
        }
    }
}

impl From<Outcome> for Decision {
    fn from(outcome: Outcome) -> Self {
        Self::Now(outcome.into())
    }
}

/// An [`Outcome`] and what the HTTP layer must do because of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// The decision itself. When several authenticators refused, its rejection carries the
    /// aggregate text of all.
    pub outcome: Outcome,
    /// Every distinct rejection behind an aggregate, flattened; empty when there is one or none.
    pub rejections: Vec<Rejection>,
    /// Warnings for the client that hold whatever the outcome is.
    pub warnings: Vec<Cow<'static, str>>,
    /// Audit annotations, key and value.
    pub annotations: Vec<(&'static str, String)>,
    /// When the credential itself ends, where that is known. No cache keeps the verdict longer.
    pub good_until: Option<Timestamp>,
    /// A header that gets this value, instead of all its lines, when the verdict is final: the way
    /// in which a credential that shares its header with other things is taken out.
    pub rewrite: Option<(HeaderName, HeaderValue)>,
}

impl Verdict {
    /// Good: this is who it is.
    #[must_use]
    pub fn authenticated(authenticated: Authenticated) -> Self {
        Outcome::Authenticated(authenticated).into()
    }

    /// No opinion, and why.
    #[must_use]
    pub fn no_opinion(reason: Reason) -> Self {
        Outcome::NoOpinion(reason).into()
    }

    /// Refused, and why.
    #[must_use]
    pub fn rejected(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Outcome::rejected(reason, message).into()
    }

    /// The same verdict with one more warning for the client.
    #[must_use]
    pub fn with_warning(mut self, warning: impl Into<Cow<'static, str>>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// Whether this is an identity.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        matches!(self.outcome, Outcome::Authenticated(_))
    }
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            rejections: Vec::new(),
            warnings: Vec::new(),
            annotations: Vec::new(),
            good_until: None,
            rewrite: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_that_waits_for_nothing_is_a_decision_from_memory() {
        assert!(matches!(
            Decision::from_future(async { 1 }),
            Decision::Now(1)
        ));
    }

    #[tokio::test]
    async fn a_future_that_waits_is_resolved_later() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let decision = Decision::from_future(async { receiver.await.unwrap_or(0) }).map(|n| n + 1);
        assert!(matches!(decision, Decision::Later(_)));
        sender.send(41).unwrap();
        assert_eq!(decision.resolve().await, 42);
    }
}
