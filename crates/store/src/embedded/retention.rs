//! When history is old, or large, enough to be forgotten.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Revision;

/// How many times during the retention period the present revision is noted.
const SAMPLES: u32 = 10;
/// How many revisions are forgotten at a time while history is too large.
const SIZE_STEP: u64 = 1000;

/// Decides how far history is forgotten: what is older than a period, and more where it takes too
/// much space.
#[derive(Debug)]
pub(super) struct Retention {
    period: Duration,
    max_bytes: u64,
    /// When which revision was the newest, oldest first.
    samples: VecDeque<(Duration, Revision)>,
    compacted: Revision,
    history_bytes: u64,
    due: Revision,
    paused_until: Duration,
}

impl Retention {
    pub(super) fn new(
        period: Duration,
        max_bytes: u64,
        compacted: Revision,
        history_bytes: u64,
    ) -> Self {
        Self {
            period,
            max_bytes,
            samples: VecDeque::new(),
            compacted,
            history_bytes,
            due: compacted,
            paused_until: Duration::ZERO,
        }
    }

    /// The oldest revision that is kept.
    pub(super) fn compacted(&self) -> Revision {
        self.compacted
    }

    /// Takes note of what the database holds now.
    pub(super) fn set_history(&mut self, compacted: Revision, bytes: u64) {
        self.compacted = compacted;
        self.history_bytes = bytes;
    }

    /// Whether there is more to forget already, without waiting for time to pass.
    pub(super) fn has_work(&self) -> bool {
        self.due > self.compacted
    }

    /// Stops asking for a while after a commit failed, so that a full disk is not tried in a loop.
    pub(super) fn pause(&mut self, now: Duration) {
        self.due = self.compacted;
        self.paused_until = now.saturating_add(self.sample_interval());
    }

    /// The revision to compact to at monotonic time `now`, if there is anything to forget.
    pub(super) fn target(&mut self, now: Duration, current: Revision) -> Option<Revision> {
        let last = self.samples.back().map(|(time, _)| *time);
        if last.is_none_or(|last| now.saturating_sub(last) >= self.sample_interval()) {
            self.samples.push_back((now, current));
        }
        if now < self.paused_until {
            return None;
        }
        while let Some((time, revision)) = self.samples.front().copied() {
            if now.saturating_sub(time) < self.period {
                break;
            }
            self.due = self.due.max(revision);
            self.samples.pop_front();
        }
        if self.history_bytes > self.max_bytes {
            let step = Revision(self.compacted.0.saturating_add(SIZE_STEP));
            self.due = self.due.max(step.min(current));
        }
        self.has_work().then_some(self.due)
    }

    fn sample_interval(&self) -> Duration {
        self.period / SAMPLES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_revision_is_kept_for_the_whole_period() {
        let mut retention = Retention::new(PERIOD, u64::MAX, Revision(1), 0);
        assert_eq!(retention.target(at(0), Revision(10)), None);
        assert_eq!(retention.target(at(299), Revision(20)), None);
        assert_eq!(retention.target(at(300), Revision(30)), Some(Revision(10)));
    }

    #[test]
    fn work_is_done_when_the_database_has_followed() {
        let mut retention = Retention::new(PERIOD, u64::MAX, Revision(1), 0);
        retention.target(at(0), Revision(10));
        retention.target(at(300), Revision(10));
        assert!(retention.has_work());
        retention.set_history(Revision(10), 0);
        assert!(!retention.has_work());
        assert_eq!(retention.target(at(301), Revision(10)), None);
    }

    #[test]
    fn history_that_is_too_large_is_forgotten_early_but_never_beyond_the_present() {
        let mut retention = Retention::new(PERIOD, 100, Revision(1), 101);
        assert_eq!(
            retention.target(at(0), Revision(5000)),
            Some(Revision(1001))
        );
        assert_eq!(retention.target(at(0), Revision(50)), Some(Revision(1001)));
        let mut retention = Retention::new(PERIOD, 100, Revision(1), 101);
        assert_eq!(retention.target(at(0), Revision(50)), Some(Revision(50)));
    }

    #[test]
    fn after_a_failure_it_waits() {
        let mut retention = Retention::new(PERIOD, 100, Revision(1), 101);
        retention.pause(at(0));
        assert!(!retention.has_work());
        assert_eq!(retention.target(at(29), Revision(50)), None);
        assert_eq!(retention.target(at(30), Revision(50)), Some(Revision(50)));
    }

    #[test]
    fn the_samples_are_few() {
        let mut retention = Retention::new(PERIOD, u64::MAX, Revision(1), 0);
        for second in 0..3000 {
            retention.target(at(second), Revision(second));
            assert!(retention.samples.len() <= SAMPLES as usize + 1);
        }
    }
}
