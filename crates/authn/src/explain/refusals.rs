//! The requests that were refused lately.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use burgee_identity::{Clock, Reason};
use burgee_wire::Time;
use burgee_wire::explanation::{RecordedRefusal, RefusalReason};

use super::conceal::cut;
use crate::{Attempted, Refusal};

/// How many refusals are remembered.
const CAPACITY: usize = 1024;
/// How many refusals are taken in within one second.
const PER_SECOND: u32 = 100;
/// The longest audit id, path and method that are kept, in characters.
const MAX_AUDIT_ID: usize = 64;
const MAX_PATH: usize = 256;
const MAX_METHOD: usize = 16;
/// How many reasons are kept of one refusal, and how many characters of each one's message.
const MAX_REASONS: usize = 8;
const MAX_MESSAGE: usize = 512;

/// How many refusals are found for one audit id at most.
pub const MAX_FOUND: usize = 16;

/// Remembers why requests were refused, for a while and within bounds: at most 1,024 of them, the oldest
/// of which makes room, and no more than 100 in a second, so that a flood costs nothing and takes ten
/// seconds at least to wash everything out. No credential is among what is kept.
///
/// Refusals are found by the audit id of the answer. Clients may choose that, so one id can stand for
/// several requests, of several clients: [`RecentRefusals::find`] tells them all.
///
/// ```
/// use std::sync::Arc;
/// use burgee_authn::explain::{RecentRefusals, RefusedRequest};
/// use burgee_authn::Refusal;
/// use burgee_identity::{Reason, SystemClock};
///
/// let refusals = RecentRefusals::new(Arc::new(SystemClock::new()));
/// let request = RefusedRequest {
///     audit_id: "0b2a", address: None, method: "GET", path: "/api",
/// };
/// let refusal = Refusal { reason: Reason::CredentialAbsent, rejections: vec![], attempted: vec![] };
/// refusals.record(request, &refusal);
/// assert_eq!(refusals.find("0b2a")[0].reasons[0].reason, "credential.absent");
/// ```
pub struct RecentRefusals {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    recorded: VecDeque<Recorded>,
    /// The second that is counted in.
    second: Duration,
    count: u32,
    dropped: u64,
}

struct Recorded {
    time: Time,
    audit_id: String,
    address: Option<SocketAddr>,
    method: String,
    path: String,
    attempted: Vec<Attempted>,
    reasons: Vec<(Reason, String)>,
}

/// What is kept of a refused request.
#[derive(Clone, Copy, Debug)]
pub struct RefusedRequest<'a> {
    /// The audit id of the answer.
    pub audit_id: &'a str,
    /// Where the request came from.
    pub address: Option<SocketAddr>,
    /// The HTTP method.
    pub method: &'a str,
    /// The path of the URL, without the query.
    pub path: &'a str,
}

impl RecentRefusals {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// Remembers a refusal, unless there were too many within this second.
    pub fn record(&self, request: RefusedRequest<'_>, refusal: &Refusal) {
        let second = Duration::from_secs(self.clock.monotonic().as_secs());
        let mut state = self.lock();
        if state.second != second {
            state.second = second;
            state.count = 0;
        }
        if state.count >= PER_SECOND {
            state.dropped += 1;
            return;
        }
        state.count += 1;
        if state.recorded.len() >= CAPACITY {
            state.recorded.pop_front();
        }
        let recorded = Recorded::new(self.clock.now().into(), request, refusal);
        state.recorded.push_back(recorded);
    }

    /// The refused requests whose answers carried this audit id, the latest first; [`MAX_FOUND`] at
    /// most.
    #[must_use]
    pub fn find(&self, audit_id: &str) -> Vec<RecordedRefusal> {
        let state = self.lock();
        let latest_first = state.recorded.iter().rev();
        latest_first
            .filter(|recorded| recorded.audit_id == audit_id)
            .take(MAX_FOUND)
            .map(Recorded::tell)
            .collect()
    }

    /// How many refusals were not remembered because there were too many at once.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// When the oldest remembered refusal was.
    #[must_use]
    pub fn oldest(&self) -> Option<Time> {
        self.lock().recorded.front().map(|recorded| recorded.time)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RecentRefusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("RecentRefusals")
            .field("recorded", &state.recorded.len())
            .field("dropped", &state.dropped)
            .finish_non_exhaustive()
    }
}

impl Recorded {
    fn new(time: Time, request: RefusedRequest<'_>, refusal: &Refusal) -> Self {
        let rejections = refusal.rejections.iter().take(MAX_REASONS);
        let mut reasons: Vec<_> = rejections
            .map(|rejection| (rejection.reason, cut(&rejection.message, MAX_MESSAGE)))
            .collect();
        if reasons.is_empty() {
            reasons.push((refusal.reason, String::new()));
        }
        Self {
            time,
            audit_id: cut(request.audit_id, MAX_AUDIT_ID),
            address: request.address,
            method: cut(request.method, MAX_METHOD),
            path: cut(request.path, MAX_PATH),
            attempted: refusal.attempted.clone(),
            reasons,
        }
    }

    fn tell(&self) -> RecordedRefusal {
        let address = self.address.map(|address| address.to_string());
        let attempted = self.attempted.iter().map(|kind| kind.as_str().to_owned());
        let reasons = self.reasons.iter();
        RecordedRefusal {
            time: self.time,
            audit_id: self.audit_id.clone(),
            address: address.unwrap_or_default(),
            method: self.method.clone(),
            path: self.path.clone(),
            attempted: attempted.collect(),
            reasons: reasons
                .map(|(reason, message)| RefusalReason::new(*reason, message.as_str()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use burgee_identity::{Rejection, SettableClock};
    use jiff::Timestamp;

    use super::*;

    fn refusals() -> (RecentRefusals, Arc<SettableClock>) {
        let clock = Arc::new(SettableClock::at(Timestamp::UNIX_EPOCH));
        (RecentRefusals::new(Arc::clone(&clock) as _), clock)
    }

    fn request<'a>(audit_id: &'a str, path: &'a str) -> RefusedRequest<'a> {
        RefusedRequest {
            audit_id,
            address: "192.0.2.1:4".parse().ok(),
            method: "GET",
            path,
        }
    }

    fn refusal(messages: &[&str]) -> Refusal {
        let rejections = messages
            .iter()
            .map(|message| Rejection::new(Reason::TokenExpired, (*message).to_owned()));
        Refusal {
            reason: Reason::TokenExpired,
            rejections: rejections.collect(),
            attempted: vec![Attempted::Bearer, Attempted::X509],
        }
    }

    #[test]
    fn a_refusal_is_found_by_its_audit_id() {
        let (refusals, _) = refusals();
        refusals.record(request("one", "/api"), &refusal(&["expired", "other"]));
        refusals.record(request("two", "/version"), &refusal(&[]));
        let [found] = refusals.find("one").try_into().unwrap();
        assert_eq!(found.path, "/api");
        assert_eq!(found.address, "192.0.2.1:4");
        assert_eq!(found.attempted, ["bearer", "x509"]);
        assert_eq!(found.time.to_string(), "1970-01-01T00:00:00Z");
        let messages: Vec<_> = found.reasons.iter().map(|reason| &reason.message).collect();
        assert_eq!(messages, ["expired", "other"]);
        assert_eq!(found.reasons[0].advice, Reason::TokenExpired.advice());
        assert_eq!(refusals.find("two")[0].reasons[0].reason, "token.expired");
        assert!(refusals.find("three").is_empty());
    }

    #[test]
    fn requests_that_share_an_audit_id_are_all_told_the_latest_first() {
        let (refusals, _) = refusals();
        for number in 0..20 {
            refusals.record(request("same", &format!("/{number}")), &refusal(&[]));
        }
        let found = refusals.find("same");
        assert_eq!((found.len(), found[0].path.as_str()), (MAX_FOUND, "/19"));
    }

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let (refusals, clock) = refusals();
        for _ in 0..150 {
            refusals.record(request("flood", "/"), &refusal(&[]));
        }
        assert_eq!(refusals.dropped(), 50);
        clock.advance(Duration::from_secs(1));
        refusals.record(request("later", "/"), &refusal(&[]));
        assert_eq!((refusals.dropped(), refusals.find("later").len()), (50, 1));
    }

    #[test]
    fn the_oldest_make_room() {
        let (refusals, clock) = refusals();
        for number in 0..CAPACITY + 10 {
            clock.advance(Duration::from_millis(100));
            refusals.record(request(&format!("{number}"), "/"), &refusal(&[]));
        }
        assert!(refusals.find("9").is_empty());
        assert_eq!(refusals.find("10").len(), 1);
        assert_eq!(
            refusals.oldest().unwrap().to_string(),
            "1970-01-01T00:00:01Z"
        );
        assert_eq!(refusals.dropped(), 0);
    }

    #[test]
    fn what_is_long_is_cut() {
        let (refusals, _) = refusals();
        let long = "x".repeat(100_000);
        let refusal = refusal(&[long.as_str(); 100]);
        refusals.record(request("id", &long), &refusal);
        let found = &refusals.find("id")[0];
        assert_eq!(found.reasons.len(), MAX_REASONS);
        assert!(found.path.len() < 300 && found.reasons[0].message.len() < 600);
    }
}
