//! Waiting for conditions.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take: far longer than it does, since machines that test are busy.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How often a condition that cannot announce itself is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// Looks again and again until there is a value, and answers with it.
///
/// # Panics
///
/// Says what was waited for when [`DEADLINE`] has passed.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(
            begin.elapsed() < DEADLINE,
            "waited {DEADLINE:?} in vain for {what}"
        );
        thread::sleep(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_the_first_value() {
        let mut looks = 0;
        let value = eventually("three looks", || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(value, 3);
    }
}
