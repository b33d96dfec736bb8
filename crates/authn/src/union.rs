//! One authenticator of several.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use burgee_identity::{Outcome, Reason, Rejection, Secret};

use crate::{
    Audiences, Authenticator, Decision, IdentityHeaders, Metrics, Request, TokenAuthenticator,
    Verdict,
};

/// What a [`Union`] does when a member refuses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnRejection {
    /// Asks the next member; the rejection counts only when nobody accepts.
    Continue,
    /// Stops: the rejection is the union's answer.
    Stop,
}

/// Asks its members in order; the first identity wins.
///
/// When nobody accepts, the rejections of all become one ([`aggregate`]); without any rejection the
/// union has no opinion, like one without members.
pub struct Union<A: ?Sized> {
    members: Arc<[Arc<A>]>,
    on_rejection: OnRejection,
    metrics: Arc<dyn Metrics>,
}

impl<A: ?Sized> Union<A> {
    /// A union of `members`, in this order.
    #[must_use]
    pub fn new(
        members: impl IntoIterator<Item = Arc<A>>,
        on_rejection: OnRejection,
        metrics: Arc<dyn Metrics>,
    ) -> Self {
        Self {
            members: members.into_iter().collect(),
            on_rejection,
            metrics,
        }
    }

    fn tally(&self) -> Tally {
        Tally {
            on_rejection: self.on_rejection,
            first_rejection: None,
            further_rejections: Vec::new(),
            warnings: Vec::new(),
            reason: None,
        }
    }
}

impl<A: ?Sized + fmt::Debug> fmt::Debug for Union<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members.iter()).finish()
    }
}

impl Authenticator for Union<dyn Authenticator> {
    fn name(&self) -> &'static str {
        "union"
    }

    fn authenticate(&self, request: &Request<'_>) -> Decision {
        let (mut tally, metrics) = (self.tally(), &*self.metrics);
        for (index, member) in self.members.iter().enumerate() {
            if !member.is_addressed(request) {
                tally.reason.get_or_insert(Reason::CredentialAbsent);
                continue;
            }
            match member.authenticate(request) {
                Decision::Now(verdict) => {
                    if let ControlFlow::Break(verdict) =
                        tally.count(metrics, member.name(), verdict)
                    {
                        return Decision::Now(verdict);
                    }
                }
                Decision::Later(future) => {
                    let members = Arc::clone(&self.members);
                    let metrics = Arc::clone(&self.metrics);
                    let request = request.to_owned();
                    let name = member.name();
                    return Decision::Later(Box::pin(async move {
                        let metrics = &*metrics;
                        if let ControlFlow::Break(verdict) =
                            tally.count(metrics, name, future.await)
                        {
                            return verdict;
                        }
                        for member in members.iter().skip(index + 1) {
                            if !member.is_addressed(&request.as_request()) {
                                tally.reason.get_or_insert(Reason::CredentialAbsent);
                                continue;
                            }
                            let decision = member.authenticate(&request.as_request());
                            let verdict = decision.resolve().await;
                            if let ControlFlow::Break(verdict) =
                                tally.count(metrics, member.name(), verdict)
                            {
                                return verdict;
                            }
                        }
                        tally.finish()
                    }));
                }
            }
        }
        Decision::Now(tally.finish())
    }

    fn identity_headers(&self) -> IdentityHeaders {
        let members = self.members.iter();
        members.fold(IdentityHeaders::default(), |headers, member| {
            headers.and(&member.identity_headers())
        })
    }
}

impl TokenAuthenticator for Union<dyn TokenAuthenticator> {
    fn name(&self) -> &'static str {
        "union"
    }

    fn authenticate(&self, token: &str, audiences: &Audiences) -> Decision {
        let (mut tally, metrics) = (self.tally(), &*self.metrics);
        for (index, member) in self.members.iter().enumerate() {
            match member.authenticate(token, audiences) {
                Decision::Now(verdict) => {
                    if let ControlFlow::Break(verdict) =
                        tally.count(metrics, member.name(), verdict)
                    {
                        return Decision::Now(verdict);
                    }
                }
                Decision::Later(future) => {
                    let members = Arc::clone(&self.members);
                    let metrics = Arc::clone(&self.metrics);
                    let token = Secret::from(token.to_owned());
                    let audiences = audiences.clone();
                    let name = member.name();
                    return Decision::Later(Box::pin(async move {
                        let metrics = &*metrics;
                        if let ControlFlow::Break(verdict) =
                            tally.count(metrics, name, future.await)
                        {
                            return verdict;
                        }
                        for member in members.iter().skip(index + 1) {
                            let decision = member.authenticate(token.expose(), &audiences);
                            let verdict = decision.resolve().await;
                            if let ControlFlow::Break(verdict) =
                                tally.count(metrics, member.name(), verdict)
                            {
                                return verdict;
                            }
                        }
                        tally.finish()
                    }));
                }
            }
        }
        Decision::Now(tally.finish())
    }
}

/// The answers of a union's members so far.
struct Tally {
    on_rejection: OnRejection,
    /// The loopback token refuses every bearer token of others, so one rejection is the rule. It
    /// needs no list.
    first_rejection: Option<Rejection>,
    further_rejections: Vec<Rejection>,
    warnings: Vec<std::borrow::Cow<'static, str>>,
    reason: Option<Reason>,
}

impl Tally {
    fn count(
        &mut self,
        metrics: &dyn Metrics,
        name: &'static str,
        mut verdict: Verdict,
    ) -> ControlFlow<Verdict> {
        metrics.decided(name, &verdict.outcome);
        match &verdict.outcome {
            Outcome::Authenticated(_) => {
                verdict.warn_first(std::mem::take(&mut self.warnings));
                return ControlFlow::Break(verdict);
            }
            Outcome::NoOpinion(reason) => {
                // "There is none" says less than "there is one that I do not know".
                if self
                    .reason
                    .is_none_or(|known| known == Reason::CredentialAbsent)
                {
                    self.reason = Some(*reason);
                }
                self.warnings.append(&mut verdict.take_warnings());
            }
            Outcome::Rejected(rejection) => {
                let several = !verdict.rejections().is_empty();
                if several || self.first_rejection.is_some() {
                    let rejection = (!several).then(|| rejection.clone());
                    self.further_rejections.extend(rejection);
                    self.further_rejections
                        .append(&mut verdict.take_rejections());
                } else {
                    self.first_rejection = Some(rejection.clone());
                }
                self.warnings.append(&mut verdict.take_warnings());
                if self.on_rejection == OnRejection::Stop {
                    return ControlFlow::Break(self.take());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn finish(mut self) -> Verdict {
        self.take()
    }

    fn take(&mut self) -> Verdict {
        let further = std::mem::take(&mut self.further_rejections);
        let mut verdict = match self.first_rejection.take() {
            Some(only) if further.is_empty() => Outcome::Rejected(only).into(),
            first => aggregate(first.into_iter().chain(further).collect()).unwrap_or_else(|| {
                Verdict::no_opinion(self.reason.unwrap_or(Reason::NotConfigured))
            }),
        };
        verdict.warn_first(std::mem::take(&mut self.warnings));
        verdict
    }
}

/// One verdict of several rejections, or nothing of none.
///
/// Repeated messages count once, where they first stood. One message stays as it is; several become
/// `[first, second]`. The reason is that of the first rejection that says more than that a token is
/// not known.
#[must_use]
pub fn aggregate(rejections: Vec<Rejection>) -> Option<Verdict> {
    let mut distinct: Vec<Rejection> = Vec::with_capacity(rejections.len());
    for rejection in rejections {
        if !distinct
            .iter()
            .any(|known| known.message == rejection.message)
        {
            distinct.push(rejection);
        }
    }
    let telling = distinct
        .iter()
        .find(|rejection| rejection.reason != Reason::TokenUnknown);
    let reason = telling.or(distinct.first())?.reason;
    if let [only] = distinct.as_slice() {
        return Some(Verdict::rejected(reason, only.message.clone()));
    }
    let messages: Vec<&str> = distinct
        .iter()
        .map(|rejection| rejection.message.as_ref())
        .collect();
    let verdict = Verdict::rejected(reason, format!("[{}]", messages.join(", ")));
    Some(verdict.with_rejections(distinct))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoMetrics;
    use crate::testing::{Fixed, request};
    use burgee_identity::{Authenticated, UserInfo};
    use http::HeaderMap;
    use proptest::prelude::*;

    fn yes(name: &str) -> Outcome {
        Outcome::Authenticated(Authenticated::new(UserInfo::named(name)))
    }

    fn no() -> Outcome {
        Outcome::NoOpinion(Reason::TokenUnknown)
    }

    fn bad(message: &'static str) -> Outcome {
        Outcome::rejected(Reason::TokenExpired, message)
    }

    fn token_union(
        members: Vec<Fixed>,
        on_rejection: OnRejection,
    ) -> Union<dyn TokenAuthenticator> {
        let members = members
            .into_iter()
            .map(|member| Arc::new(member) as Arc<dyn TokenAuthenticator>);
        Union::new(members, on_rejection, Arc::new(NoMetrics))
    }

    async fn tokens(members: Vec<Fixed>, on_rejection: OnRejection) -> Verdict {
        token_union(members, on_rejection)
            .authenticate("t", &Audiences::ANY)
            .resolve()
            .await
    }

    async fn requests(members: Vec<Fixed>, on_rejection: OnRejection) -> Verdict {
        let members = members
            .into_iter()
            .map(|member| Arc::new(member) as Arc<dyn Authenticator>);
        let union = Union::new(members, on_rejection, Arc::new(NoMetrics));
        let decision = union.authenticate(&request(&HeaderMap::new()));
        decision.resolve().await
    }

    #[tokio::test]
    async fn unions_follow_the_truth_table_whether_members_answer_now_or_later() {
        use OnRejection::{Continue, Stop};
        for (outcomes, on_rejection, expected) in [
            (vec![], Continue, Outcome::NoOpinion(Reason::NotConfigured)),
            (vec![no()], Continue, no()),
            (vec![no(), no()], Stop, no()),
            (vec![no(), yes("a"), yes("b")], Continue, yes("a")),
            (vec![bad("x"), yes("a")], Continue, yes("a")),
            (vec![bad("x"), yes("a")], Stop, bad("x")),
            (vec![yes("a"), bad("x")], Stop, yes("a")),
            (vec![bad("x"), no()], Continue, bad("x")),
            (vec![bad("x"), bad("y"), no()], Continue, bad("[x, y]")),
            (vec![bad("x"), bad("y"), bad("x")], Continue, bad("[x, y]")),
            (vec![bad("x"), bad("x")], Continue, bad("x")),
        ] {
            for pattern in 0..1 << outcomes.len() {
                let members = || -> Vec<Fixed> {
                    let later = |index: usize| pattern & (1 << index) != 0;
                    let members = outcomes.iter().cloned().enumerate();
                    members
                        .map(|(index, outcome)| Fixed {
                            outcome,
                            later: later(index),
                        })
                        .collect()
                };
                assert_eq!(
                    tokens(members(), on_rejection).await.outcome,
                    expected,
                    "{outcomes:?}"
                );
                assert_eq!(
                    requests(members(), on_rejection).await.outcome,
                    expected,
                    "{outcomes:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn members_that_answer_now_make_a_union_that_answers_now() {
        let union = token_union(
            vec![Fixed::now(no()), Fixed::now(yes("a"))],
            OnRejection::Continue,
        );
        assert!(matches!(
            union.authenticate("t", &Audiences::ANY),
            Decision::Now(_)
        ));
        let union = token_union(
            vec![Fixed::now(no()), Fixed::later(yes("a"))],
            OnRejection::Continue,
        );
        assert!(matches!(
            union.authenticate("t", &Audiences::ANY),
            Decision::Later(_)
        ));
    }

    #[tokio::test]
    async fn aggregates_within_aggregates_are_flattened() {
        let inner = token_union(
            vec![Fixed::now(bad("y, [z]")), Fixed::now(bad("x"))],
            OnRejection::Continue,
        );
        let first = Fixed::now(Outcome::rejected(Reason::TokenUnknown, "x"));
        let members: Vec<Arc<dyn TokenAuthenticator>> = vec![Arc::new(first), Arc::new(inner)];
        let outer = Union::new(members, OnRejection::Continue, Arc::new(NoMetrics));
        let verdict = outer.authenticate("t", &Audiences::ANY).resolve().await;
        assert_eq!(verdict.outcome, bad("[x, y, [z]]"));
        assert_eq!(verdict.rejections().len(), 2);
    }

    proptest! {
        #[test]
        fn an_aggregate_names_every_distinct_message_once(messages: Vec<String>) {
            let rejections = messages.iter().cloned().map(|m| Rejection::new(Reason::TokenUnknown, m));
            let mut distinct: Vec<&String> = Vec::new();
            for message in &messages {
                if !distinct.contains(&message) {
                    distinct.push(message);
                }
            }
            let verdict = aggregate(rejections.collect());
            prop_assert_eq!(verdict.is_none(), messages.is_empty());
            if let Some(verdict) = verdict {
                let expected = if distinct.len() == 1 { 0 } else { distinct.len() };
                prop_assert_eq!(verdict.rejections().len(), expected);
            }
        }
    }
}
