//! X.509 client certificates.

mod bundle;
mod examine;
mod peer;
#[cfg(feature = "rustls")]
mod possession;
mod revocation;
mod subject;
mod time;
mod verifier;
mod verify;

use std::sync::Arc;

use burgee_identity::{Authenticated, Check, Clock, Outcome, Reason, Rejection};
use x509_parser::certificate::X509Certificate;

use crate::group_adder::add_authenticated_group;
use crate::{Authenticator, Decision, Error, Metrics, NoMetrics, Reload, Request, Verdict};

pub(crate) use bundle::CaBundle;
pub use peer::PeerCertificates;
#[cfg(feature = "rustls")]
pub use possession::PossessionOnly;
pub(crate) use subject::common_name;
pub(crate) use verifier::ChainVerifier;

/// Takes the subject of a client certificate whose chain ends at a CA bundle: the last common name is
/// the user, the organizations are the groups.
///
/// A verdict is kept with the connection, for as long as the bundle and the whole path stay valid, so
/// that later requests cost nothing and a reload, a revocation or an expiry still takes effect on open
/// connections.
///
/// Stricter than upstream in this: a CA certificate that does not itself stand in the bundle, or one
/// that is not X.509 version 3, is no client certificate; and there may be no more than six
/// intermediates on the path.
#[derive(Debug)]
pub struct ClientCertificates {
    verifier: ChainVerifier,
    uid_policy: UidPolicy,
    metrics: Arc<dyn Metrics>,
}

/// Where a certificate user's uid comes from (upstream's gate `AllowParsingUserUIDFromCertAuth`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum UidPolicy {
    /// From the subject attribute 1.3.6.1.4.1.57683.2.
    #[default]
    FromSubject,
    /// Nowhere: it stays empty.
    Ignore,
}

impl ClientCertificates {
    /// An authenticator without a bundle: it has no opinion until [`ClientCertificates::reload`].
    ///
    /// `name` is purpose and path, such as `client-ca-bundle::/etc/kubernetes/ca.crt`; it stands in
    /// messages only.
    ///
    /// # Errors
    ///
    /// When the operating system has no random bytes.
    pub fn new(
        name: impl Into<String>,
        uid_policy: UidPolicy,
        clock: Arc<dyn Clock>,
        metrics: Arc<dyn Metrics>,
    ) -> Result<Self, Error> {
        Ok(Self {
            verifier: ChainVerifier::new(name.into(), clock)?,
            uid_policy,
            metrics,
        })
    }

    /// Trusts the certificates of this PEM text from now on, also on open connections.
    ///
    /// # Errors
    ///
    /// When there is no certificate or one cannot be read; the bundle stays as it was then.
    pub fn reload(&self, pem: &[u8]) -> Result<Reload, Error> {
        self.verifier.reload(pem)
    }

    /// Refuses the certificates that are on the revocation lists of this PEM text, and those issued
    /// by a certificate that is, from now on, also on open connections. `name` is the file; it stands
    /// in messages only.
    ///
    /// Every authority may have any number of lists there. Certificates of one that has none are not
    /// affected, and neither is a certificate that itself stands in the CA bundle: it is taken back by
    /// taking it out. A list that should have been replaced by now is used, with a warning in the log.
    /// Upstream knows no revocation lists.
    ///
    /// # Errors
    ///
    /// When there is no list, one cannot be read, or one is of a kind that cannot be used alone (delta,
    /// indirect, version 1); the lists stay as they were then.
    pub fn reload_revocations(&self, name: &str, pem: &[u8]) -> Result<Reload, Error> {
        self.verifier.reload_revocations(name, pem)
    }

    /// The subjects of the bundle, in DER, which a TLS server tells its clients when it asks them for
    /// a certificate.
    #[must_use]
    pub fn subjects(&self) -> Vec<Vec<u8>> {
        let bundle = self.verifier.bundle();
        bundle.map(|bundle| bundle.subjects()).unwrap_or_default()
    }

    /// The certificates of the CA bundle in PEM, each once, and nothing else that its file held; empty
    /// without a bundle.
    #[must_use]
    pub fn trusted(&self) -> String {
        let bundle = self.verifier.bundle();
        bundle.map(|bundle| bundle.to_pem()).unwrap_or_default()
    }

    pub(crate) fn bundle(&self) -> Option<Arc<CaBundle>> {
        self.verifier.bundle()
    }

    fn judge(&self, request: &Request<'_>, metrics: &dyn Metrics) -> Verdict {
        let peer = request
            .peer_certificates
            .filter(|peer| !peer.chain().is_empty());
        let Some(peer) = peer else {
            return Verdict::no_opinion(Reason::CredentialAbsent);
        };
        let judged = self
            .verifier
            .judge(peer, |leaf, chain| self.identify(leaf, chain));
        let Some(judged) = judged else {
            return Verdict::no_opinion(Reason::NotConfigured);
        };
        if let Some(end) = judged.leaf_ends {
            let left = end.duration_since(self.verifier.clock.now());
            metrics.client_certificate_expiration(left.as_secs_f64());
        }
        judged.verdict
    }

    fn identify(&self, leaf: &X509Certificate<'_>, chain: Result<(), Rejection>) -> Verdict {
        if let Err(Rejection { reason, message }) = chain {
            let label = subject::label(leaf);
            let text = format!("verifying certificate {label} failed: {message}");
            return Verdict::rejected(reason, text);
        }
        match subject::user(leaf, self.uid_policy) {
            Ok(Some(user)) => {
                let mut user = Arc::new(user);
                add_authenticated_group(&mut user);
                Verdict::authenticated(Authenticated::new(user))
            }
            Ok(None) => Verdict::no_opinion(Reason::CertificateNameless),
            Err(rejection) => Outcome::Rejected(rejection).into(),
        }
    }
}

impl Authenticator for ClientCertificates {
    fn name(&self) -> &'static str {
        "x509"
    }

    fn is_addressed(&self, request: &Request<'_>) -> bool {
        request.peer_certificates.is_some()
    }

    fn authenticate(&self, request: &Request<'_>) -> Decision {
        Decision::Now(self.judge(request, &*self.metrics))
    }

    fn rehearse(&self, request: &Request<'_>) -> Decision {
        Decision::Now(self.judge(request, &NoMetrics))
    }

    fn examine(&self, request: &Request<'_>) -> Decision<Vec<Check>> {
        let chain = request.peer_certificates.map(PeerCertificates::chain);
        let chain = chain.unwrap_or_default();
        if chain.is_empty() || self.verifier.bundle().is_none() {
            return Decision::Now(Vec::new());
        }
        Decision::Now(self.checks(chain, self.verifier.clock.now()))
    }
}

#[cfg(test)]
mod tests;
