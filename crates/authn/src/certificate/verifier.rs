//! Chains judged against a bundle of authorities that can be exchanged while connections are open.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use burgee_identity::{Clock, Rejection};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::bundle::CaBundle;
use super::peer::{Judge, Judged, PeerCertificates};
use super::revocation::RevocationLists;
use super::time::Validity;
use super::verify;
use crate::digest::{Digest, DigestKey};
use crate::{Error, Reload, Verdict};

/// How long a refused chain is not looked at again on the same connection.
const REFUSAL_HOLDS: SignedDuration = SignedDuration::from_secs(1);

/// Whom a chain must end at, what of it was revoked, and what was last said about each connection.
#[derive(Debug)]
pub(crate) struct ChainVerifier {
    id: u64,
    name: String,
    trust: ArcSwap<Trust>,
    /// Held by whoever exchanges the trust.
    exchange: Mutex<()>,
    key: DigestKey,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What chains are judged against. Each exchange makes a new generation.
#[derive(Debug, Default)]
struct Trust {
    generation: u64,
    bundle: Option<Loaded<CaBundle>>,
    revocations: Option<Loaded<RevocationLists>>,
}

/// Something that was read from a file, and what tells whether the file changed.
#[derive(Debug)]
struct Loaded<T> {
    content: Digest,
    value: Arc<T>,
}

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        Self {
            content: self.content,
            value: Arc::clone(&self.value),
        }
    }
}

impl ChainVerifier {
    /// A verifier that trusts nobody yet. `name` stands in messages only.
    pub(crate) fn new(name: String, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        static VERIFIERS: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            id: VERIFIERS.fetch_add(1, Ordering::Relaxed),
            name,
            trust: ArcSwap::default(),
            exchange: Mutex::default(),
            key: DigestKey::random()?,
            clock,
        })
    }

    /// Trusts the certificates of this PEM text from now on.
    pub(crate) fn reload(&self, pem: &[u8]) -> Result<Reload, Error> {
        self.exchange(
            pem,
            |trust| &mut trust.bundle,
            || CaBundle::parse(&self.name, pem),
        )
    }

    /// Refuses what the revocation lists of this PEM text name from now on.
    pub(crate) fn reload_revocations(&self, name: &str, pem: &[u8]) -> Result<Reload, Error> {
        self.exchange(
            pem,
            |trust| &mut trust.revocations,
            || {
                let lists = RevocationLists::parse(name, pem)?;
                lists.warn_of_old_ones(self.clock.now());
                Ok(lists)
            },
        )
    }

    fn exchange<T>(
        &self,
        content: &[u8],
        place: impl FnOnce(&mut Trust) -> &mut Option<Loaded<T>>,
        parse: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Reload, Error> {
        // Two files that change at once must not undo each other's exchange.
        let _exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        let content = self.key.digest(content);
        let old = self.trust.load();
        let mut new = Trust {
            generation: old.generation + 1,
            bundle: old.bundle.clone(),
            revocations: old.revocations.clone(),
        };
        let place = place(&mut new);
        if place
            .as_ref()
            .is_some_and(|loaded| loaded.content == content)
        {
            return Ok(Reload::Unchanged);
        }
        let value = Arc::new(parse()?);
        *place = Some(Loaded { content, value });
        self.trust.store(Arc::new(new));
        Ok(Reload::Changed)
    }

    /// The bundle that is in force.
    pub(crate) fn bundle(&self) -> Option<Arc<CaBundle>> {
        let trust = self.trust.load();
        trust
            .bundle
            .as_ref()
            .map(|loaded| Arc::clone(&loaded.value))
    }

    /// Whether a chain is good at an instant. Without a bundle none is.
    pub(crate) fn verify(
        &self,
        chain: &[CertificateDer<'static>],
        leaf: &X509Certificate<'_>,
        at: Timestamp,
    ) -> Result<(), Rejection> {
        let trust = self.trust.load();
        let Some(bundle) = &trust.bundle else {
            return Err(verify::malformed());
        };
        let revocations = trust.revocations.as_ref().map(|loaded| &*loaded.value);
        verify::verify(&bundle.value, revocations, chain, leaf, at).map(|_| ())
    }

    /// What `identify` makes of the leaf of a chain, given whether the chain is good: from memory if
    /// that still holds. Nothing without a bundle.
    pub(crate) fn judge(
        &self,
        peer: &PeerCertificates,
        identify: impl FnOnce(&X509Certificate<'_>, Result<(), Rejection>) -> Verdict,
    ) -> Option<Judged> {
        let trust = self.trust.load();
        let bundle = &trust.bundle.as_ref()?.value;
        let revocations = trust.revocations.as_ref().map(|loaded| &*loaded.value);
        let now = self.clock.now();
        let judge = Judge {
            verifier: self.id,
            generation: trust.generation,
        };
        Some(peer.recall(judge, now).unwrap_or_else(|| {
            let verify = |leaf: &X509Certificate<'_>| {
                verify::verify(bundle, revocations, peer.chain(), leaf, now)
            };
            let judged = judge_anew(judge, peer.chain(), now, verify, identify);
            peer.remember(judged.clone());
            judged
        }))
    }
}

fn judge_anew(
    judge: Judge,
    chain: &[CertificateDer<'static>],
    now: Timestamp,
    verify: impl FnOnce(&X509Certificate<'_>) -> Result<Validity, Rejection>,
    identify: impl FnOnce(&X509Certificate<'_>, Result<(), Rejection>) -> Verdict,
) -> Judged {
    let refused = |verdict, leaf_ends| Judged {
        judge,
        from: now,
        until: now.saturating_add(REFUSAL_HOLDS).unwrap_or(Timestamp::MAX),
        leaf_ends,
        verdict,
    };
    let leaf = chain.first().map(|leaf| X509Certificate::from_der(leaf));
    let Some(Ok((_, leaf))) = leaf else {
        let Rejection { reason, message } = verify::malformed();
        return refused(Verdict::rejected(reason, message), None);
    };
    let leaf_ends = Some(Validity::of(&leaf).until);
    match verify(&leaf) {
        Ok(span) => {
            let mut verdict = identify(&leaf, Ok(()));
            verdict.good_until = Some(span.until);
            Judged {
                judge,
                from: span.from,
                until: span.until,
                leaf_ends,
                verdict,
            }
        }
        Err(rejection) => refused(identify(&leaf, Err(rejection)), leaf_ends),
    }
}
