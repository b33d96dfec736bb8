//! The time that decisions are made by.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Where a decision takes its time from.
///
/// Nothing outside this module reads the system's clock, so expiry, rotation and caching can be
/// tested to the last second without sleeping.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The civil time now. It can step backwards when the machine's clock is set.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary fixed point; it never goes backwards. For intervals such as the life
    /// of a cache entry.
    fn monotonic(&self) -> Duration;
}

/// The machine's own clock.
#[derive(Clone, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose [`Clock::monotonic`] counts from this call.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that stands still until it is told to move.
///
/// ```
/// use std::time::Duration;
/// use burgee_identity::{Clock, SettableClock};
///
/// let clock = SettableClock::at("2026-01-01T00:00:00Z".parse().unwrap());
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().to_string(), "2026-01-01T00:01:00Z");
/// assert_eq!(clock.monotonic(), Duration::from_secs(60));
/// ```
#[derive(Debug)]
pub struct SettableClock {
    state: Mutex<(Timestamp, Duration)>,
}

impl SettableClock {
    /// A clock that shows `now` and has a monotonic reading of zero.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self {
            state: Mutex::new((now, Duration::ZERO)),
        }
    }

    /// Moves both readings forward by `by`; the civil time stops at the end of representable time.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.0 = state.0.saturating_add(by).unwrap_or(Timestamp::MAX);
        state.1 = state.1.saturating_add(by);
    }

    /// Steps the civil time, as an administrator or a time server does; the monotonic reading stays.
    pub fn set(&self, now: Timestamp) {
        self.lock().0 = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Timestamp, Duration)> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for SettableClock {
    fn now(&self) -> Timestamp {
        self.lock().0
    }

    fn monotonic(&self) -> Duration {
        self.lock().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_civil_clock_leaves_the_monotonic_reading_alone() {
        let clock = SettableClock::at(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(5));
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        assert_eq!(clock.monotonic(), Duration::from_secs(5));
    }

    #[test]
    fn advancing_past_the_end_of_time_saturates() {
        let clock = SettableClock::at(Timestamp::MAX);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Timestamp::MAX);
    }

    #[test]
    fn the_system_clock_is_monotonic() {
        let clock = SystemClock::new();
        let before = clock.monotonic();
        assert!(clock.monotonic() >= before);
        assert!(clock.now() > Timestamp::UNIX_EPOCH);
    }
}
