//! The two contracts, and the authenticators made of other authenticators.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use burgee_identity::{Check, Outcome, Reason, Rejection, Secret, UserInfo, names};

use crate::{Audiences, Decision, IdentityHeaders, Metrics, Request, Verdict};

/// Judges a request by any credential that it carries (upstream's `authenticator.Request`).
///
/// "No opinion" means that there is no credential of its kind; a credential that is there and wrong
/// is rejected.
pub trait Authenticator: Send + Sync + fmt::Debug {
    /// A short name for metrics and explanations, such as `x509`.
    fn name(&self) -> &'static str;

    /// Decides. What is [`Decision::Later`] must keep a copy of what it needs
    /// ([`Request::to_owned`]).
    fn authenticate(&self, request: &Request<'_>) -> Decision;

    /// Decides as [`Authenticator::authenticate`] would, but leaves no trace: nothing is counted. For
    /// explanations.
    fn rehearse(&self, request: &Request<'_>) -> Decision {
        self.authenticate(request)
    }

    /// Every check that the credential has to pass, each made by itself as far as that is possible, in
    /// the order in which they decide. For explanations, never on the way of a request.
    fn examine(&self, request: &Request<'_>) -> Decision<Vec<Check>> {
        let _ = request;
        Decision::Now(Vec::new())
    }

    /// Whether the request carries a credential of its kind at all, as far as a glance tells. Where it
    /// does not, [`Authenticator::authenticate`] is not called: it would have no opinion.
    fn is_addressed(&self, request: &Request<'_>) -> bool {
        let _ = request;
        true
    }

    /// The headers from which it takes identities besides the standard ones, if any. They are taken
    /// out of every request that is let through.
    fn identity_headers(&self) -> IdentityHeaders {
        IdentityHeaders::default()
    }
}

/// Judges one opaque token (upstream's `authenticator.Token`).
///
/// "No opinion" means that the token is none of its own; a token of its own that is wrong is rejected.
pub trait TokenAuthenticator: Send + Sync + fmt::Debug {
    /// A short name for metrics and explanations, such as `static-token`.
    fn name(&self) -> &'static str;

    /// Decides. An authenticator that knows of audiences returns those of `audiences` that the token
    /// is good for; one that does not returns none and is wrapped in [`AudienceAgnostic`].
    fn authenticate(&self, token: &str, audiences: &Audiences) -> Decision;

    /// Decides as [`TokenAuthenticator::authenticate`] would, but leaves no trace: nothing is counted,
    /// and nothing remembered. For explanations.
    fn rehearse(&self, token: &str, audiences: &Audiences) -> Decision {
        self.authenticate(token, audiences)
    }

    /// Every check that the token has to pass, each made by itself as far as that is possible, in the
    /// order in which they decide. For explanations, never on the way of a request. Empty when the
    /// token is of another form than its own, or when there is nothing to take apart.
    fn examine(&self, token: &str, audiences: &Audiences) -> Decision<Vec<Check>> {
        let _ = (token, audiences);
        Decision::Now(Vec::new())
    }
}

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
    use crate::NoMetrics;
    use crate::testing::{Fixed, request};
    use burgee_identity::Authenticated;
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
