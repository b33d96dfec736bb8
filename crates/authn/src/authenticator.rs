//! The two contracts.

use std::fmt;

use burgee_identity::Check;

use crate::{Audiences, Decision, IdentityHeaders, Request};

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
