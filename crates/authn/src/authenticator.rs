//! The two contracts, and the authenticators made of other authenticators.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use burgee_identity::{Outcome, Reason, Rejection, Secret, UserInfo, names};

use crate::{Audiences, Decision, Metrics, Request, Verdict};

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
            metrics: Arc::clone(&self.metrics),
            rejections: Vec::new(),
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
        let mut tally = self.tally();
        for (index, member) in self.members.iter().enumerate() {
            match member.authenticate(request) {
                Decision::Now(verdict) => {
                    if let ControlFlow::Break(verdict) = tally.count(member.name(), verdict) {
                        return Decision::Now(verdict);
                    }
                }
                Decision::Later(future) => {
                    let members = Arc::clone(&self.members);
                    let request = request.to_owned();
                    let name = member.name();
                    return Decision::Later(Box::pin(async move {
                        if let ControlFlow::Break(verdict) = tally.count(name, future.await) {
                            return verdict;
                        }
                        for member in members.iter().skip(index + 1) {
                            let decision = member.authenticate(&request.as_request());
                            let verdict = decision.resolve().await;
                            if let ControlFlow::Break(verdict) = tally.count(member.name(), verdict)
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

impl TokenAuthenticator for Union<dyn TokenAuthenticator> {
    fn name(&self) -> &'static str {
        "union"
    }

    fn authenticate(&self, token: &str, audiences: &Audiences) -> Decision {
        let mut tally = self.tally();
        for (index, member) in self.members.iter().enumerate() {
            match member.authenticate(token, audiences) {
                Decision::Now(verdict) => {
                    if let ControlFlow::Break(verdict) = tally.count(member.name(), verdict) {
                        return Decision::Now(verdict);
                    }
                }
                Decision::Later(future) => {
                    let members = Arc::clone(&self.members);
                    let token = Secret::from(token.to_owned());
                    let audiences = audiences.clone();
                    let name = member.name();
                    return Decision::Later(Box::pin(async move {
                        if let ControlFlow::Break(verdict) = tally.count(name, future.await) {
                            return verdict;
                        }
                        for member in members.iter().skip(index + 1) {
                            let decision = member.authenticate(token.expose(), &audiences);
                            let verdict = decision.resolve().await;
                            if let ControlFlow::Break(verdict) = tally.count(member.name(), verdict)
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
    metrics: Arc<dyn Metrics>,
    rejections: Vec<Rejection>,
    warnings: Vec<std::borrow::Cow<'static, str>>,
    reason: Option<Reason>,
}

impl Tally {
    fn count(&mut self, name: &'static str, mut verdict: Verdict) -> ControlFlow<Verdict> {
        self.metrics.decided(name, &verdict.outcome);
        let warnings = std::mem::take(&mut verdict.warnings);
        self.warnings.extend(warnings);
        match &verdict.outcome {
            Outcome::Authenticated(_) => {
                verdict.warnings = std::mem::take(&mut self.warnings);
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
            }
            Outcome::Rejected(rejection) => {
                if verdict.rejections.is_empty() {
                    self.rejections.push(rejection.clone());
                } else {
                    self.rejections.append(&mut verdict.rejections);
                }
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
        let mut verdict = match aggregate(std::mem::take(&mut self.rejections)) {
            Some(rejected) => rejected,
            None => Verdict::no_opinion(self.reason.unwrap_or(Reason::NotConfigured)),
        };
        verdict.warnings = std::mem::take(&mut self.warnings);
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
    let mut verdict = Verdict::rejected(reason, format!("[{}]", messages.join(", ")));
    verdict.rejections = distinct;
    Some(verdict)
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
    let anonymous = user.name == names::ANONYMOUS;
    if !anonymous && !user.in_group(names::AUTHENTICATED) && !user.in_group(names::UNAUTHENTICATED)
    {
        Arc::make_mut(user)
            .groups
            .push(names::AUTHENTICATED.to_owned());
    }
}

/// Gives audiences to a token authenticator that knows nothing of them: its tokens are good for the
/// server's own audiences and no others.
#[derive(Debug)]
pub struct AudienceAgnostic {
    implicit: Audiences,
    delegate: Arc<dyn TokenAuthenticator>,
}

impl AudienceAgnostic {
    /// Wraps `delegate`, whose tokens are good for `implicit`.
    #[must_use]
    pub fn new(implicit: Audiences, delegate: Arc<dyn TokenAuthenticator>) -> Self {
        Self { implicit, delegate }
    }
}

impl TokenAuthenticator for AudienceAgnostic {
    fn name(&self) -> &'static str {
        self.delegate.name()
    }

    fn authenticate(&self, token: &str, audiences: &Audiences) -> Decision {
        if audiences.requested().is_none() {
            return self.delegate.authenticate(token, audiences);
        }
        // In the order of the requested list (upstream's Intersect).
        let proven = audiences.intersection(self.implicit.as_slice());
        if proven.is_empty() {
            return Decision::Now(Verdict::no_opinion(Reason::TokenAudienceMismatch));
        }
        self.delegate.authenticate(token, audiences).map(move |mut verdict| {
            if let Outcome::Authenticated(authenticated) = &mut verdict.outcome {
                if !authenticated.audiences.is_empty() {
                    let listed = go_list(&authenticated.audiences);
                    let message = format!(
                        "audience agnostic authenticator wrapped an authenticator that returned \
                         audiences: {listed}"
                    );
                    return Verdict::rejected(Reason::TokenAudienceMismatch, message);
                }
                authenticated.audiences = proven;
            }
            verdict
        })
    }
}

/// A list as Go's `%q` prints it: `["a" "b"]`.
pub(crate) fn go_list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| burgee_wire::quoted(item)).collect();
    format!("[{}]", quoted.join(" "))
}
