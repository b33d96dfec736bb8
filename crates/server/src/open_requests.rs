//! The requests of one connection, and when it has to end because nothing comes of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The requests that are under way on one connection, from their heads to the last bytes of their
/// answers.
#[derive(Clone, Debug)]
pub(crate) struct OpenRequests(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// By number; each with the time at which its answer must be sent, once that is known.
    open: BTreeMap<u64, Option<Instant>>,
    /// How many there were.
    begun: u64,
    /// Since when there is none.
    quiet_since: Instant,
}

/// How a connection is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Condition {
    /// There is a request under way, or the last one was a short time ago.
    Busy,
    /// There was no request for too long.
    Idle,
    /// The first request did not come.
    Silent,
    /// An answer is not read.
    Stuck,
}

impl OpenRequests {
    /// A new connection.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            open: BTreeMap::new(),
            begun: 0,
            quiet_since: Instant::now(),
        })))
    }

    /// One more request, until the answer is dropped.
    pub(crate) fn begin(&self) -> OpenRequest {
        let mut state = self.lock();
        state.begun += 1;
        let number = state.begun;
        state.open.insert(number, None);
        OpenRequest {
            requests: self.clone(),
            number,
        }
    }

    /// How the connection is doing, when its first request may take `first` and a pause between two
    /// may be as long as `pause`. An answer may be late by `patience`, in which its body can end by
    /// itself.
    pub(crate) fn condition(
        &self,
        first: Duration,
        pause: Duration,
        patience: Duration,
    ) -> Condition {
        let (now, state) = (Instant::now(), self.lock());
        if state.open.is_empty() {
            let quiet = now.saturating_duration_since(state.quiet_since);
            return match state.begun {
                0 if quiet >= first => Condition::Silent,
                1.. if quiet >= pause => Condition::Idle,
                _ => Condition::Busy,
            };
        }
        let mut deadlines = state.open.values().flatten();
        match deadlines.any(|deadline| now >= *deadline + patience) {
            true => Condition::Stuck,
            false => Condition::Busy,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    requests: OpenRequests,
    number: u64,
}

impl OpenRequest {
    /// Says when the answer must have been sent.
    pub(crate) fn answer_by(&self, deadline: Instant) {
        let mut state = self.requests.lock();
        state.open.insert(self.number, Some(deadline));
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let mut state = self.requests.lock();
        state.open.remove(&self.number);
        if state.open.is_empty() {
            state.quiet_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const SECOND: Duration = Duration::from_secs(1);

    fn condition(requests: &OpenRequests) -> Condition {
        requests.condition(10 * SECOND, 90 * SECOND, 5 * SECOND)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_first_request_is_silent_soon_and_a_used_one_idle_later() {
        let requests = OpenRequests::new();
        advance(9 * SECOND).await;
        assert_eq!(condition(&requests), Condition::Busy);
        advance(SECOND).await;
        assert_eq!(condition(&requests), Condition::Silent);
        let request = requests.begin();
        advance(1000 * SECOND).await;
        assert_eq!(condition(&requests), Condition::Busy);
        drop(request);
        advance(89 * SECOND).await;
        assert_eq!(condition(&requests), Condition::Busy);
        advance(SECOND).await;
        assert_eq!(condition(&requests), Condition::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_that_is_not_read_makes_a_connection_stuck() {
        let requests = OpenRequests::new();
        let (watch, list) = (requests.begin(), requests.begin());
        list.answer_by(Instant::now() + 60 * SECOND);
        advance(64 * SECOND).await;
        assert_eq!(condition(&requests), Condition::Busy);
        advance(SECOND).await;
        assert_eq!(condition(&requests), Condition::Stuck);
        drop(list);
        assert_eq!(condition(&requests), Condition::Busy);
        drop(watch);
    }
}
