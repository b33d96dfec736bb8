//! Which failures are worth another attempt, and when it comes.
//!
//! Two loops stand one in the other upstream, and both are here. The outer makes five attempts, with waits
//! that grow; it goes on after what looks transient. The inner belongs to client-go and repeats one attempt
//! for as long as the server names the seconds to wait in `Retry-After`, ten times at most. [`Schedule`] is
//! both as a function of failures; [`attempts`] is the loop that lives by it.

use std::time::Duration;

use tokio::time::Instant;

/// How often and when a failed question is asked again
/// (`k8s.io/apiserver/pkg/util/webhook`, `k8s.io/client-go/rest`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// How many attempts there are, the first included.
    pub attempts: u32,
    /// The wait before the second attempt.
    pub first_wait: Duration,
    /// What each wait is multiplied with to make the next.
    pub factor: f64,
    /// The part of a wait that is added at most, so that those who failed together do not come back
    /// together.
    pub jitter: f64,
    /// How often one attempt is repeated because the server says when.
    pub repeats: u32,
}

impl Default for RetryPolicy {
    /// Upstream's: 5 attempts, 0.5 s and half as much again each time, up to 20 % more, 10 repeats.
    fn default() -> Self {
        Self {
            attempts: 5,
            first_wait: Duration::from_millis(500),
            factor: 1.5,
            jitter: 0.2,
            repeats: 10,
        }
    }
}

/// What counts of a failure.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Failure {
    /// It looks as if it would pass.
    pub(crate) is_transient: bool,
    /// The server says to repeat the attempt after this.
    pub(crate) repeat_after: Option<Duration>,
}

/// The waits of one look-up.
#[derive(Debug)]
pub(crate) struct Schedule {
    policy: RetryPolicy,
    attempts_left: u32,
    repeats_left: u32,
    wait: Duration,
}

impl Schedule {
    /// The schedule of a look-up whose first attempt is about to be made.
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            attempts_left: policy.attempts.saturating_sub(1),
            repeats_left: policy.repeats,
            wait: policy.first_wait,
        }
    }

    /// How long to wait after this failure; nothing when it is final. `fraction`, from 0 to 1, is how much
    /// of the jitter there is.
    pub(crate) fn after(&mut self, failure: Failure, fraction: f64) -> Option<Duration> {
        if let Some(wait) = failure.repeat_after
            && self.repeats_left > 0
        {
            self.repeats_left -= 1;
            return Some(wait);
        }
        if !failure.is_transient || self.attempts_left == 0 {
            return None;
        }
        self.attempts_left -= 1;
        self.repeats_left = self.policy.repeats;
        let wait = self.wait;
        self.wait = multiplied(wait, self.policy.factor);
        let jitter = self.policy.jitter * fraction.clamp(0.0, 1.0);
        Some(multiplied(wait, 1.0 + jitter))
    }
}

/// Saturates instead of panicking: factors come from whoever sets the policy.
fn multiplied(wait: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(wait.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

/// Makes attempts until one succeeds, a failure is final, or the next one would come after the deadline.
///
/// Whoever loses interest drops the future, and there are no further attempts.
pub(crate) async fn attempts<T, E, F>(
    policy: RetryPolicy,
    deadline: Instant,
    jitter: impl Fn() -> f64,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E>
where
    E: AsRef<Failure>,
    F: Future<Output = Result<T, E>>,
{
    let mut schedule = Schedule::new(policy);
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let Some(wait) = schedule.after(*error.as_ref(), jitter()) else {
            return Err(error);
        };
        match Instant::now().checked_add(wait) {
            Some(next) if next < deadline => tokio::time::sleep_until(next).await,
            _ => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRANSIENT: Failure = Failure {
        is_transient: true,
        repeat_after: None,
    };
    const FINAL: Failure = Failure {
        is_transient: false,
        repeat_after: None,
    };

    impl AsRef<Failure> for Failure {
        fn as_ref(&self) -> &Failure {
            self
        }
    }

    /// Every wait of a look-up that always fails like this, in milliseconds with fractions.
    fn waits(failure: Failure, fraction: f64) -> Vec<f64> {
        let mut schedule = Schedule::new(RetryPolicy::default());
        let wait = || schedule.after(failure, fraction);
        std::iter::from_fn(wait)
            .map(|wait| wait.as_secs_f64() * 1000.0)
            .collect()
    }

    fn told(seconds: u64, is_transient: bool) -> Failure {
        Failure {
            is_transient,
            repeat_after: Some(Duration::from_secs(seconds)),
        }
    }

    #[test]
    fn waits_are_upstreams() {
        assert_eq!(waits(TRANSIENT, 0.0), [500.0, 750.0, 1125.0, 1687.5]);
        assert_eq!(waits(TRANSIENT, 1.0), [600.0, 900.0, 1350.0, 2025.0]);
        assert!(waits(FINAL, 0.5).is_empty());
    }

    #[test]
    fn a_server_that_says_when_is_asked_ten_times_more_in_each_attempt() {
        let waits = waits(told(1, true), 0.0);
        assert_eq!(waits.len(), 4 + 5 * 10);
        assert_eq!(waits.iter().filter(|wait| **wait == 1000.0).count(), 50);
        assert_eq!(waits[10], 500.0);
        assert_eq!(super::tests::waits(told(1, false), 0.0).len(), 10);
    }

    /// A look-up with upstream's schedule and 30 seconds, whose attempts end like this.
    async fn look_up(attempt: impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
        let (mut attempt, deadline) = (attempt, Instant::now() + Duration::from_secs(30));
        let attempt = || std::future::ready(attempt());
        attempts(RetryPolicy::default(), deadline, || 0.0, attempt).await
    }

    #[tokio::test(start_paused = true)]
    async fn five_attempts_take_the_time_of_four_waits() {
        let (start, mut calls) = (Instant::now(), 0);
        let outcome = look_up(|| {
            calls += 1;
            Err(TRANSIENT)
        });
        assert_eq!(outcome.await, Err(TRANSIENT));
        assert_eq!(calls, 5);
        let took = start.elapsed().as_secs_f64();
        assert!((4.0625..4.08).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_succeeds_ends_it() {
        let mut calls = 0;
        let outcome = look_up(|| {
            calls += 1;
            if calls < 3 { Err(TRANSIENT) } else { Ok(()) }
        });
        assert_eq!(outcome.await, Ok(()));
        assert_eq!(calls, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_waited_for_that_would_come_too_late() {
        let start = Instant::now();
        let outcome = look_up(|| Err(told(3600, true))).await;
        assert_eq!(outcome, Err(told(3600, true)));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_leaves_stops_the_attempts() {
        let calls = std::cell::Cell::new(0);
        let all = look_up(|| {
            calls.set(calls.get() + 1);
            Err(TRANSIENT)
        });
        let left = tokio::time::timeout(Duration::from_millis(600), all).await;
        assert!(left.is_err());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(calls.get(), 2);
    }

    proptest! {
        #[test]
        fn a_schedule_ends_and_never_panics(
            attempts in 0..20u32, first_wait in any::<u64>(), factor in any::<f64>(),
            jitter in any::<f64>(), fraction in any::<f64>(), repeats in 0..20u32,
            is_transient in any::<bool>(), repeat_after in proptest::option::of(any::<u64>()),
        ) {
            let first_wait = Duration::from_secs(first_wait);
            let policy = RetryPolicy { attempts, first_wait, factor, jitter, repeats };
            let mut schedule = Schedule::new(policy);
            let failure = Failure {
                is_transient,
                repeat_after: repeat_after.map(Duration::from_secs),
            };
            let calls = std::iter::from_fn(|| schedule.after(failure, fraction)).count();
            prop_assert!(calls <= 19 + 20 * 20);
        }
    }
}
