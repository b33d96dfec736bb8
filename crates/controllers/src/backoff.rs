//! How long to wait after a failure.

use std::time::Duration;

/// A delay that doubles with each failure in a row, up to a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) limit: Duration,
}

impl Backoff {
    /// The delay after the given number of failures in a row; the first failure is number one.
    pub(crate) fn after(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.limit)
    }

    /// The same, made longer by up to its own length, so that those who failed together do not come
    /// back together.
    pub(crate) fn with_jitter(&self, failures: u32) -> Duration {
        self.after(failures).mul_f64(1.0 + random_fraction())
    }
}

/// A random number from 0 to 1.
pub(crate) fn random_fraction() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_millis(100),
        limit: Duration::from_secs(1),
    };

    #[test]
    fn delays_double_up_to_the_limit() {
        let delays: Vec<_> = (1..7).map(|n| BACKOFF.after(n).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(BACKOFF.after(0).as_millis(), 100);
        assert_eq!(BACKOFF.after(u32::MAX).as_secs(), 1);
    }

    #[test]
    fn jitter_at_most_doubles_a_delay() {
        for _ in 0..100 {
            let delay = BACKOFF.with_jitter(2).as_millis();
            assert!((200..=400).contains(&delay), "{delay}");
        }
    }
}
