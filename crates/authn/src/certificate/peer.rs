//! The certificates of a connection.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;

use crate::Verdict;

/// The certificates that a TLS client presented, leaf first.
///
/// The server makes one per connection and puts a copy into the extensions of each request; copies
/// share the chain and what was last decided about it. TLS proves that the client holds the leaf's
/// key; whether anyone trusts the chain is decided per request.
#[derive(Clone)]
pub struct PeerCertificates(Arc<Shared>);

struct Shared {
    chain: Vec<CertificateDer<'static>>,
    judged: Mutex<Vec<Judged>>,
}

impl PeerCertificates {
    /// Wraps a chain as it came over the wire.
    #[must_use]
    pub fn new(chain: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        Self(Arc::new(Shared {
            chain: chain.into_iter().collect(),
            judged: Mutex::default(),
        }))
    }

    /// The chain, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.chain
    }

    /// What `judge` last decided, if that still holds.
    pub(crate) fn recall(&self, judge: Judge, now: Timestamp) -> Option<Judged> {
        let judged = self.lock();
        let found = judged.iter().find(|known| known.judge == judge)?;
        (found.from <= now && now <= found.until).then(|| found.clone())
    }

    /// Remembers a decision in place of the same verifier's last one.
    pub(crate) fn remember(&self, judged: Judged) {
        let mut all = self.lock();
        all.retain(|known| known.judge.verifier != judged.judge.verifier);
        all.push(judged);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Judged>> {
        self.0.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PeerCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerCertificates({})", self.0.chain.len())
    }
}

/// Who decided: one verifier, with one generation of its CA bundle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Judge {
    pub(crate) verifier: u64,
    pub(crate) generation: u64,
}

/// A decision about a chain, and the span of time in which it is sure not to change.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) judge: Judge,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// When the leaf ends, where that could be read.
    pub(crate) leaf_ends: Option<Timestamp>,
    pub(crate) verdict: Verdict,
}
