//! X.509 client certificates.

mod bundle;
mod peer;
mod subject;
mod time;
mod verify;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use burgee_identity::{Authenticated, Clock, Outcome, Reason, Rejection};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::authenticator::add_authenticated_group;
use crate::digest::{Digest, DigestKey};
use crate::{Authenticator, Decision, Error, Metrics, Reload, Request, Verdict};
use bundle::CaBundle;
use peer::{Judge, Judged};
use time::Validity;

pub use peer::PeerCertificates;

/// How long a refused chain is not looked at again on the same connection.
const REFUSAL_HOLDS: SignedDuration = SignedDuration::from_secs(1);

/// Takes the subject of a client certificate whose chain ends at a CA bundle: the last common name is
/// the user, the organizations are the groups.
///
/// A verdict is kept with the connection, for as long as the bundle and the whole path stay valid, so
/// that later requests cost nothing and a reload or an expiry still takes effect on open
/// connections.
///
/// Stricter than upstream in this: a CA certificate that does not itself stand in the bundle, or one
/// that is not X.509 version 3, is no client certificate.
#[derive(Debug)]
pub struct ClientCertificates {
    id: u64,
    name: String,
    uid_policy: UidPolicy,
    bundle: ArcSwapOption<Loaded>,
    generations: AtomicU64,
    key: DigestKey,
    clock: Arc<dyn Clock>,
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

#[derive(Debug)]
struct Loaded {
    content: Digest,
    generation: u64,
    bundle: CaBundle,
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
        static VERIFIERS: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            id: VERIFIERS.fetch_add(1, Ordering::Relaxed),
            name: name.into(),
            uid_policy,
            bundle: ArcSwapOption::empty(),
            generations: AtomicU64::new(0),
            key: DigestKey::random()?,
            clock,
            metrics,
        })
    }

    /// Trusts the certificates of this PEM text from now on, also on open connections.
    ///
    /// # Errors
    ///
    /// When there is no certificate or one cannot be read; the bundle stays as it was then.
    pub fn reload(&self, pem: &[u8]) -> Result<Reload, Error> {
        let content = self.key.digest(pem);
        if self
            .bundle
            .load()
            .as_ref()
            .is_some_and(|loaded| loaded.content == content)
        {
            return Ok(Reload::Unchanged);
        }
        let bundle = CaBundle::parse(&self.name, pem)?;
        let generation = self.generations.fetch_add(1, Ordering::Relaxed);
        self.bundle.store(Some(Arc::new(Loaded {
            content,
            generation,
            bundle,
        })));
        Ok(Reload::Changed)
    }

    /// The subjects of the bundle, in DER, which a TLS server tells its clients when it asks them for
    /// a certificate.
    #[must_use]
    pub fn subjects(&self) -> Vec<Vec<u8>> {
        let loaded = self.bundle.load();
        loaded
            .as_ref()
            .map(|loaded| loaded.bundle.subjects())
            .unwrap_or_default()
    }

    fn judge(&self, loaded: &Loaded, peer: &PeerCertificates) -> Verdict {
        let now = self.clock.now();
        let judge = Judge {
            verifier: self.id,
            generation: loaded.generation,
        };
        let judged = peer.recall(judge, now).unwrap_or_else(|| {
            let judged = self.judge_anew(loaded, judge, peer.chain(), now);
            peer.remember(judged.clone());
            judged
        });
        if let Some(end) = judged.leaf_ends {
            self.metrics
                .client_certificate_expiration(end.duration_since(now).as_secs_f64());
        }
        judged.verdict
    }

    fn judge_anew(
        &self,
        loaded: &Loaded,
        judge: Judge,
        chain: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Judged {
        let refused = |rejection: Rejection, leaf_ends| Judged {
            judge,
            from: now,
            until: now.saturating_add(REFUSAL_HOLDS).unwrap_or(Timestamp::MAX),
            leaf_ends,
            verdict: Outcome::Rejected(rejection).into(),
        };
        let leaf = chain.first().map(|leaf| X509Certificate::from_der(leaf));
        let Some(Ok((_, leaf))) = leaf else {
            return refused(verify::malformed(), None);
        };
        let ends = Some(Validity::of(&leaf).until);
        let span = match verify::verify(&loaded.bundle, chain, &leaf, now) {
            Ok(span) => span,
            Err(Rejection { reason, message }) => {
                let label = subject::label(&leaf);
                let text = format!("verifying certificate {label} failed: {message}");
                return refused(Rejection::new(reason, text), ends);
            }
        };
        let mut verdict = match subject::user(&leaf, self.uid_policy) {
            Ok(Some(user)) => {
                let mut user = Arc::new(user);
                add_authenticated_group(&mut user);
                Verdict::authenticated(Authenticated::new(user))
            }
            Ok(None) => Verdict::no_opinion(Reason::CertificateNameless),
            Err(rejection) => Outcome::Rejected(rejection).into(),
        };
        verdict.good_until = Some(span.until);
        Judged {
            judge,
            from: span.from,
            until: span.until,
            leaf_ends: ends,
            verdict,
        }
    }
}

impl Authenticator for ClientCertificates {
    fn name(&self) -> &'static str {
        "x509"
    }

    fn authenticate(&self, request: &Request<'_>) -> Decision {
        let peer = request
            .peer_certificates
            .filter(|peer| !peer.chain().is_empty());
        let Some(peer) = peer else {
            return Decision::Now(Verdict::no_opinion(Reason::CredentialAbsent));
        };
        let loaded = self.bundle.load();
        Decision::Now(match loaded.as_ref() {
            Some(loaded) => self.judge(loaded, peer),
            None => Verdict::no_opinion(Reason::NotConfigured),
        })
    }
}

#[cfg(test)]
mod tests;
