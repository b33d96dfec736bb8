//! What each authenticator of a chain says of a credential.

use std::sync::Arc;

use burgee_identity::{Check, CheckResult, Outcome, Reason, Rejection, UserInfo};
use burgee_wire::explanation::{
    AuthenticatorOutcome, CheckOutcome, CredentialAnatomy, TokenExplanationStatus,
};
use http::HeaderMap;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;

use super::conceal::Secrets;
use super::{anatomy, certificate_anatomy};
use crate::bearer::INVALID_BEARER_TOKEN;
use crate::chain::serves;
use crate::group_adder::add_authenticated_group;
use crate::{Audiences, Chain, PeerCertificates, Request, Verdict, aggregate};

/// A credential to explain. `Debug` does not show it.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// A bearer token. White space around it does not count.
    Token(&'a str),
    /// A client's certificate and those that lead from it to an authority.
    Certificates(&'a [CertificateDer<'static>]),
}

impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(..)",
            Self::Certificates(_) => "Certificates(..)",
        })
    }
}

impl Chain {
    /// Tells what a request with this credential, and no other, would come to at `now`, and why: what
    /// each authenticator says, in the order in which they are asked, and every check that it makes.
    ///
    /// Nothing is counted or remembered, and the token cache is not asked. Authenticators behind the
    /// one that accepts the credential are not asked, as they would not be for a request: the token
    /// goes to nobody that it would not have gone to. `audiences` are those that a token must be for
    /// one of; none means the server's own.
    ///
    /// The answer tells more than a client may know; guard it.
    pub async fn explain(
        &self,
        credential: Credential<'_>,
        audiences: &Audiences,
        now: Timestamp,
    ) -> TokenExplanationStatus {
        let audiences = audiences.clone().or(self.api_audiences());
        match credential {
            Credential::Token(token) => self.explain_token(token, &audiences, now).await,
            Credential::Certificates(chain) => {
                self.explain_certificates(chain, &audiences, now).await
            }
        }
    }

    async fn explain_token(
        &self,
        token: &str,
        audiences: &Audiences,
        now: Timestamp,
    ) -> TokenExplanationStatus {
        let mut explanation = Explanation::of(anatomy(token, now), audiences);
        let token = token.trim();
        // What stands behind white space is not part of a token in a header.
        if token.is_empty() || token.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let malformed = Rejection::new(Reason::CredentialMalformed, INVALID_BEARER_TOKEN);
            explanation.rejections.push(malformed);
            return explanation.finish();
        }
        let secrets = Secrets::of(token);
        // The text that the chain has for a token that the first authenticator does not know.
        let unknown = Rejection::new(Reason::TokenUnknown, INVALID_BEARER_TOKEN);
        explanation.rejections.push(unknown);
        for member in &self.token_members {
            let name = member.name();
            if explanation.is_decided() {
                explanation.skip(name);
                continue;
            }
            let verdict = member.rehearse(token, audiences).resolve().await;
            let checks = member.examine(token, audiences).resolve().await;
            explanation.add(name, verdict, checks, &secrets);
        }
        explanation.finish()
    }

    async fn explain_certificates(
        &self,
        chain: &[CertificateDer<'static>],
        audiences: &Audiences,
        now: Timestamp,
    ) -> TokenExplanationStatus {
        let mut explanation = Explanation::of(certificate_anatomy(chain, now), audiences);
        let headers = HeaderMap::new();
        let peer = PeerCertificates::new(chain.iter().cloned());
        let request = Request {
            headers: &headers,
            path: "/",
            peer_certificates: Some(&peer),
            audiences,
        };
        for member in &self.request_members {
            let name = member.name();
            if explanation.is_decided() {
                explanation.skip(name);
                continue;
            }
            let verdict = member.rehearse(&request).resolve().await;
            let checks = member.examine(&request).resolve().await;
            explanation.add(name, verdict, checks, &Secrets::default());
        }
        explanation.finish()
    }
}

/// An explanation in the making.
struct Explanation<'a> {
    status: TokenExplanationStatus,
    audiences: &'a Audiences,
    rejections: Vec<Rejection>,
    /// The most telling reason of those who had no opinion.
    no_opinion: Option<Reason>,
}

impl<'a> Explanation<'a> {
    fn of(anatomy: CredentialAnatomy, audiences: &'a Audiences) -> Self {
        Self {
            status: TokenExplanationStatus {
                credential: Some(anatomy),
                ..TokenExplanationStatus::default()
            },
            audiences,
            rejections: Vec::new(),
            no_opinion: None,
        }
    }

    fn is_decided(&self) -> bool {
        self.status.authenticated
    }

    fn skip(&mut self, name: &str) {
        self.status.authenticators.push(AuthenticatorOutcome {
            name: name.to_owned(),
            result: "NotAsked".to_owned(),
            ..AuthenticatorOutcome::default()
        });
    }

    fn add(&mut self, name: &str, mut verdict: Verdict, checks: Vec<Check>, secrets: &Secrets<'_>) {
        // Of a token, or of a chain of certificates.
        let verified = checks.iter().any(|check| {
            matches!(check.name, "chain" | "signature") && check.result == CheckResult::Passed
        });
        let mut outcome = AuthenticatorOutcome {
            name: name.to_owned(),
            ..AuthenticatorOutcome::default()
        };
        let checks = checks.into_iter().map(|check| CheckOutcome {
            detail: secrets.conceal(&check.detail),
            ..check.into()
        });
        outcome.checks = checks.collect();
        let refuse = |outcome: &mut AuthenticatorOutcome, reason: Reason| {
            reason.code().clone_into(&mut outcome.reason);
            reason.advice().clone_into(&mut outcome.advice);
        };
        let rejections = verdict.take_rejections();
        match verdict.outcome {
            Outcome::Authenticated(mut good) if serves(good.audiences(), self.audiences) => {
                add_authenticated_group(&mut good.user);
                "Authenticated".clone_into(&mut outcome.result);
                outcome.audiences = good.audiences().to_vec();
                let user: UserInfo = Arc::unwrap_or_clone(good.user);
                outcome.user = Some(user.clone());
                self.status.authenticated = true;
                self.status.user = Some(user);
                self.status.audiences.clone_from(&outcome.audiences);
            }
            // The filter in front of the service would refuse it.
            Outcome::Authenticated(_) => {
                let reason = Reason::TokenAudienceMismatch;
                "Rejected".clone_into(&mut outcome.result);
                refuse(&mut outcome, reason);
                let message = "unable to match the audience";
                self.rejections.push(Rejection::new(reason, message));
            }
            Outcome::NoOpinion(reason) => {
                "NoOpinion".clone_into(&mut outcome.result);
                refuse(&mut outcome, reason);
                let known = self.no_opinion;
                if known.is_none_or(|known| weight(known) < weight(reason)) {
                    self.no_opinion = Some(reason);
                }
            }
            Outcome::Rejected(rejection) => {
                "Rejected".clone_into(&mut outcome.result);
                refuse(&mut outcome, rejection.reason);
                outcome.message = secrets.conceal(&rejection.message);
                let all = if rejections.is_empty() {
                    vec![rejection]
                } else {
                    rejections
                };
                let concealed = all.into_iter().map(|rejection| {
                    Rejection::new(rejection.reason, secrets.conceal(&rejection.message))
                });
                self.rejections.extend(concealed);
            }
        }
        if let Some(anatomy) = &mut self.status.credential {
            anatomy.verified |= verified || self.status.authenticated;
        }
        self.status.authenticators.push(outcome);
    }

    /// Why the credential is of no form that anyone reads, if that is so.
    fn unreadable(&self) -> Option<Reason> {
        let checks = &self.status.credential.as_ref()?.checks;
        let form = checks.iter().find(|check| check.name == "form")?;
        Reason::from_code(&form.reason)
    }

    fn finish(mut self) -> TokenExplanationStatus {
        if self.status.authenticated {
            return self.status;
        }
        // What cannot be read cannot be known either, and says more.
        let no_opinion = match self.no_opinion {
            Some(reason) if weight(reason) <= weight(Reason::TokenUnknown) => {
                self.unreadable().or(Some(reason))
            }
            other => other,
        };
        let no_opinion = no_opinion.unwrap_or(Reason::NotConfigured);
        let (reason, message) = match aggregate(self.rejections).map(|verdict| verdict.outcome) {
            Some(Outcome::Rejected(rejection)) if rejection.reason == Reason::TokenUnknown => {
                (no_opinion, rejection.message)
            }
            Some(Outcome::Rejected(rejection)) => (rejection.reason, rejection.message),
            _ => (no_opinion, "".into()),
        };
        reason.code().clone_into(&mut self.status.reason);
        reason.advice().clone_into(&mut self.status.advice);
        self.status.error = message.into_owned();
        self.status
    }
}

/// How much a reason for having no opinion tells of what is wrong.
fn weight(reason: Reason) -> u8 {
    match reason {
        Reason::CredentialAbsent | Reason::NotConfigured => 0,
        Reason::TokenMalformed => 1,
        // Said by whoever knows of no audience, whatever the token is.
        Reason::TokenAudienceMismatch | Reason::TokenUnknown => 2,
        Reason::TokenIssuerForeign => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests;
