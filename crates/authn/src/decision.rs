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
    /// When the credential itself ends, where that is known. No cache keeps the verdict longer.
    pub good_until: Option<Timestamp>,
    /// What few verdicts have: they are handed on by value many times, so that size is time.
    pub(crate) rarities: Option<Box<Rarities>>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Rarities {
    rejections: Vec<Rejection>,
    warnings: Vec<Cow<'static, str>>,
    annotations: Vec<(&'static str, String)>,
    rewrite: Option<(HeaderName, HeaderValue)>,
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
        self.rarities().warnings.push(warning.into());
        self
    }

    /// The same verdict with these audit annotations, key and value, instead of those it had.
    #[must_use]
    pub fn with_annotations(mut self, annotations: Vec<(&'static str, String)>) -> Self {
        if !annotations.is_empty() || self.rarities.is_some() {
            self.rarities().annotations = annotations;
        }
        self
    }

    /// The same verdict with a header that gets this value, instead of all its lines, when the verdict
    /// is final: the way in which a credential that shares its header with other things is taken out.
    #[must_use]
    pub fn with_rewrite(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.rarities().rewrite = Some((name, value));
        self
    }

    /// The same verdict with the rejections that it is an aggregate of.
    pub(crate) fn with_rejections(mut self, rejections: Vec<Rejection>) -> Self {
        self.rarities().rejections = rejections;
        self
    }

    /// Whether this is an identity.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        matches!(self.outcome, Outcome::Authenticated(_))
    }

    /// Every distinct rejection behind an aggregate, flattened; empty when there is one or none.
    #[must_use]
    pub fn rejections(&self) -> &[Rejection] {
        let rarities = self.rarities.as_deref();
        rarities.map_or(&[], |rarities| &rarities.rejections)
    }

    /// Warnings for the client that hold whatever the outcome is.
    #[must_use]
    pub fn warnings(&self) -> &[Cow<'static, str>] {
        let rarities = self.rarities.as_deref();
        rarities.map_or(&[], |rarities| &rarities.warnings)
    }

    /// Audit annotations, key and value.
    #[must_use]
    pub fn annotations(&self) -> &[(&'static str, String)] {
        let rarities = self.rarities.as_deref();
        rarities.map_or(&[], |rarities| &rarities.annotations)
    }

    /// The header that [`Verdict::with_rewrite`] gave, and its value.
    #[must_use]
    pub fn rewrite(&self) -> Option<&(HeaderName, HeaderValue)> {
        let rarities = self.rarities.as_deref();
        rarities.and_then(|rarities| rarities.rewrite.as_ref())
    }

    pub(crate) fn take_rejections(&mut self) -> Vec<Rejection> {
        let rarities = self.rarities.as_deref_mut();
        rarities.map_or_else(Vec::new, |own| std::mem::take(&mut own.rejections))
    }

    pub(crate) fn take_warnings(&mut self) -> Vec<Cow<'static, str>> {
        let rarities = self.rarities.as_deref_mut();
        rarities.map_or_else(Vec::new, |own| std::mem::take(&mut own.warnings))
    }

    pub(crate) fn take_annotations(&mut self) -> Vec<(&'static str, String)> {
        let rarities = self.rarities.as_deref_mut();
        rarities.map_or_else(Vec::new, |own| std::mem::take(&mut own.annotations))
    }

    /// Puts `warnings` in front of those that there are.
    pub(crate) fn warn_first(&mut self, mut warnings: Vec<Cow<'static, str>>) {
        if !warnings.is_empty() {
            let own = &mut self.rarities().warnings;
            warnings.append(own);
            *own = warnings;
        }
    }

    fn rarities(&mut self) -> &mut Rarities {
        self.rarities.get_or_insert_default()
    }
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            good_until: None,
            rarities: None,
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
