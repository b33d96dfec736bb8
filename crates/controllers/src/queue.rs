//! Keys of objects that want a look, each at most once at a time.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::backoff::Backoff;

/// How long a key that failed waits (client-go's default limiter grows as this does).
const RETRY: Backoff = Backoff {
    first: Duration::from_millis(50),
    limit: Duration::from_secs(60),
};

/// After so many failures in a row a key no longer counts as unsettled.
const PERSISTENT: u32 = 5;

/// A queue of keys for workers.
///
/// A key that is added twice waits once. A key that is added while a worker has it is handed out again
/// afterwards, never to two workers at once. Memory is bounded by the number of different keys, not by
/// how often they are added.
#[derive(Debug)]
pub struct Queue<K> {
    state: Mutex<State<K>>,
    /// Wakes one worker.
    work: Notify,
    /// Wakes those who wait for the queue to settle.
    finished: Notify,
}

#[derive(Debug)]
struct State<K> {
    ready: VecDeque<K>,
    delayed: BTreeSet<(Instant, K)>,
    marks: HashMap<K, Mark>,
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// In `ready`.
    ready: bool,
    /// With a worker.
    working: bool,
    /// Added while with a worker.
    again: bool,
    /// In `delayed`, under this instant.
    due: Option<Instant>,
    /// How often in a row it failed.
    failures: u32,
}

/// What becomes of a key that a worker is done with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// All is well; failures are forgotten.
    Done,
    /// All is well so far; another look is due after this time.
    Later(Duration),
    /// What it waits for has not happened yet: another look after ever longer times up to this one.
    Waiting(Duration),
    /// It failed: another look after ever longer times.
    Failed,
}

impl<K: Clone + Eq + Hash + Ord> Queue<K> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        let state = State {
            ready: VecDeque::new(),
            delayed: BTreeSet::new(),
            marks: HashMap::new(),
        };
        Self {
            state: Mutex::new(state),
            work: Notify::new(),
            finished: Notify::new(),
        }
    }

    /// Asks for a look at `key` now.
    pub fn add(&self, key: K) {
        let mut state = self.lock();
        let State {
            ready,
            delayed,
            marks,
        } = &mut *state;
        let mark = marks.entry(key.clone()).or_default();
        if let Some(due) = mark.due.take() {
            delayed.remove(&(due, key.clone()));
        }
        if mark.working {
            mark.again = true;
        } else if !mark.ready {
            mark.ready = true;
            ready.push_back(key);
        }
        drop(state);
        self.work.notify_one();
    }

    /// The next key. It stays reserved for the caller until [`Queue::finish`].
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&self) -> K {
        loop {
            let due = match self.lock().take(Instant::now()) {
                Taken::Key { key, more } => {
                    if more {
                        self.work.notify_one();
                    }
                    return key;
                }
                Taken::Nothing { due } => due,
            };
            match due {
                None => self.work.notified().await,
                Some(due) => {
                    tokio::select! {
                        () = self.work.notified() => {}
                        () = tokio::time::sleep_until(due) => {}
                    }
                }
            }
        }
    }

    /// Gives a key back that [`Queue::next`] handed out. Returns how often it failed in a row.
    pub fn finish(&self, key: &K, verdict: Verdict) -> u32 {
        let mut state = self.lock();
        let State {
            ready,
            delayed,
            marks,
        } = &mut *state;
        let mark = marks.entry(key.clone()).or_default();
        mark.working = false;
        mark.failures = match verdict {
            Verdict::Done | Verdict::Later(_) => 0,
            Verdict::Waiting(_) | Verdict::Failed => mark.failures.saturating_add(1),
        };
        let failures = mark.failures;
        let delay = match verdict {
            Verdict::Done => None,
            Verdict::Later(delay) => Some(delay),
            Verdict::Waiting(limit) => Some(RETRY.after(failures).min(limit)),
            Verdict::Failed => Some(RETRY.after(failures)),
        };
        if std::mem::take(&mut mark.again) {
            mark.ready = true;
            ready.push_back(key.clone());
        } else if let Some(delay) = delay {
            let due = Instant::now() + delay;
            mark.due = Some(due);
            delayed.insert((due, key.clone()));
        } else {
            marks.remove(key);
        }
        drop(state);
        self.work.notify_one();
        self.finished.notify_waiters();
        failures
    }

    /// Waits until every key that was added had its look and none is about to be tried again after a
    /// failure. A key that failed often in a row does not count, so that one broken object holds
    /// nobody up.
    pub async fn settled(&self) {
        loop {
            let finished = self.finished.notified();
            if self.lock().is_settled() {
                return;
            }
            finished.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash + Ord> Default for Queue<K> {
    fn default() -> Self {
        Self::new()
    }
}

enum Taken<K> {
    Key { key: K, more: bool },
    Nothing { due: Option<Instant> },
}

impl<K: Clone + Eq + Hash + Ord> State<K> {
    /// Takes the first key that is ready or due.
    fn take(&mut self, now: Instant) -> Taken<K> {
        while let Some((due, _)) = self.delayed.first()
            && *due <= now
            && let Some((_, key)) = self.delayed.pop_first()
        {
            let mark = self.marks.entry(key.clone()).or_default();
            mark.due = None;
            mark.ready = true;
            self.ready.push_back(key);
        }
        let Some(key) = self.ready.pop_front() else {
            let due = self.delayed.first().map(|(due, _)| *due);
            return Taken::Nothing { due };
        };
        let mark = self.marks.entry(key.clone()).or_default();
        mark.ready = false;
        mark.working = true;
        let more = !self.ready.is_empty();
        Taken::Key { key, more }
    }

    fn is_settled(&self) -> bool {
        self.marks.values().all(|mark| {
            let busy = mark.ready || mark.working;
            !busy && !(1..PERSISTENT).contains(&mark.failures)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    const SECOND: Duration = Duration::from_secs(1);

    fn take(queue: &Queue<u8>) -> Option<u8> {
        queue.next().now_or_never()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_waits_once_however_often_it_is_added() {
        let queue = Queue::new();
        for key in [1, 2, 1, 1] {
            queue.add(key);
        }
        assert_eq!(
            [take(&queue), take(&queue), take(&queue)],
            [Some(1), Some(2), None]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_added_while_with_a_worker_comes_again_afterwards() {
        let queue = Queue::new();
        queue.add(1);
        assert_eq!(take(&queue), Some(1));
        queue.add(1);
        assert_eq!(take(&queue), None);
        queue.finish(&1, Verdict::Done);
        assert_eq!(take(&queue), Some(1));
        queue.finish(&1, Verdict::Done);
        assert_eq!(take(&queue), None);
        assert!(queue.lock().marks.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_key_waits_longer_each_time_until_it_succeeds() {
        let queue = Queue::new();
        queue.add(1);
        for expected in [0, 50, 100, 200, 400] {
            let begun = Instant::now();
            assert_eq!(queue.next().await, 1);
            // The paused clock moves in whole milliseconds.
            let waited = begun.elapsed().as_millis();
            assert!((expected..=expected + 1).contains(&waited), "{waited}");
            queue.finish(&1, Verdict::Failed);
        }
        assert_eq!(queue.next().await, 1);
        queue.finish(&1, Verdict::Done);
        queue.add(1);
        assert_eq!(queue.next().await, 1);
        assert_eq!(queue.finish(&1, Verdict::Failed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_key_is_looked_at_no_more_rarely_than_asked() {
        let queue = Queue::new();
        queue.add(1);
        let mut longest = Duration::ZERO;
        for _ in 0..10 {
            let begun = Instant::now();
            assert_eq!(queue.next().await, 1);
            longest = longest.max(begun.elapsed());
            queue.finish(&1, Verdict::Waiting(SECOND));
        }
        assert!(
            longest >= SECOND && longest < SECOND + Duration::from_millis(5),
            "{longest:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn adding_a_delayed_key_brings_it_forward() {
        let queue = Queue::new();
        queue.add(1);
        assert_eq!(take(&queue), Some(1));
        queue.finish(&1, Verdict::Later(60 * SECOND));
        assert_eq!(take(&queue), None);
        queue.add(1);
        assert_eq!(take(&queue), Some(1));
        queue.finish(&1, Verdict::Done);
        tokio::time::advance(120 * SECOND).await;
        assert_eq!(take(&queue), None);
    }

    #[tokio::test(start_paused = true)]
    async fn every_waiting_worker_gets_its_share() {
        let queue = std::sync::Arc::new(Queue::new());
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let queue = std::sync::Arc::clone(&queue);
                tokio::spawn(async move { queue.next().await })
            })
            .collect();
        tokio::task::yield_now().await;
        (0..4).for_each(|key| queue.add(key));
        let mut keys = Vec::new();
        for worker in workers {
            keys.push(tokio::time::timeout(SECOND, worker).await.unwrap().unwrap());
        }
        keys.sort_unstable();
        assert_eq!(keys, [0, 1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_is_settled_once_all_keys_succeeded_or_one_fails_for_good() {
        let queue = Queue::new();
        assert!(queue.settled().now_or_never().is_some());
        queue.add(1);
        for round in 1..=PERSISTENT {
            assert!(queue.settled().now_or_never().is_none(), "round {round}");
            assert_eq!(queue.next().await, 1);
            queue.finish(&1, Verdict::Failed);
        }
        assert!(queue.settled().now_or_never().is_some());
        assert_eq!(queue.next().await, 1);
        queue.finish(&1, Verdict::Later(SECOND));
        assert!(queue.settled().now_or_never().is_some());
    }
}
