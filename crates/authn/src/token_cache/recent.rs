//! What this thread was just told: its own copies of answers, which it shares with no other thread.
//!
//! A cache for all threads makes them wait for one another twice: to enter it, and to count the
//! references to what they all hand out. The few tokens that make up most requests are answered from
//! here instead.

use std::cell::RefCell;
use std::time::Duration;

use burgee_identity::Outcome;

use super::Entry;
use crate::Verdict;
use crate::digest::Digest;

/// How many answers a thread keeps.
const SLOTS: usize = 64;

/// What an answer must come from to be used: one cache, and one generation of its invalidations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Origin {
    pub(super) cache: u64,
    pub(super) generation: u64,
}

struct Slot {
    origin: Origin,
    digest: Digest,
    /// Nothing until the same question comes a second time.
    answer: Option<Entry>,
}

thread_local! {
    static RECENT: RefCell<[Option<Slot>; SLOTS]> = const { RefCell::new([const { None }; SLOTS]) };
}

/// The thread's own answer, if it still holds.
pub(super) fn recall(origin: Origin, digest: &Digest, now: Duration) -> Option<Verdict> {
    RECENT.with_borrow(|slots| {
        let slot = slots.get(place(digest))?.as_ref()?;
        let entry = slot.answer.as_ref()?;
        (slot.digest == *digest && slot.origin == origin && now < entry.until)
            .then(|| entry.verdict.clone())
    })
}

/// Takes an answer of the shared cache over. The first time only the question is noted: copying what
/// is asked for once would cost more than it saves.
pub(super) fn note(origin: Origin, digest: &Digest, entry: &Entry) {
    RECENT.with_borrow_mut(|slots| {
        let Some(slot) = slots.get_mut(place(digest)) else {
            return;
        };
        let known = slot.as_ref();
        let again = known.is_some_and(|known| known.digest == *digest && known.origin == origin);
        *slot = Some(Slot {
            origin,
            digest: *digest,
            answer: again.then(|| unshared(entry)),
        });
    });
}

fn unshared(entry: &Entry) -> Entry {
    let mut entry = entry.clone();
    if let Outcome::Authenticated(good) = &mut entry.verdict.outcome {
        *good = good.unshared();
    }
    entry
}

/// Digests are keyed, so nobody can choose questions that meet in one place.
fn place(digest: &Digest) -> usize {
    usize::from(digest[0]) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use burgee_identity::{Authenticated, UserInfo};
    use std::sync::Arc;

    fn entry() -> Entry {
        Entry {
            verdict: Verdict::authenticated(Authenticated::new(UserInfo::named("jane"))),
            until: Duration::from_secs(10),
        }
    }

    fn origin(generation: u64) -> Origin {
        let cache = u64::MAX;
        Origin { cache, generation }
    }

    #[test]
    fn an_answer_is_taken_over_the_second_time_and_shares_nothing() {
        let (digest, entry, now) = ([1; 32], entry(), Duration::ZERO);
        note(origin(0), &digest, &entry);
        assert_eq!(recall(origin(0), &digest, now), None);
        note(origin(0), &digest, &entry);
        let own = recall(origin(0), &digest, now).unwrap();
        assert_eq!(own, entry.verdict);
        let user = |verdict: &Verdict| match &verdict.outcome {
            Outcome::Authenticated(good) => Arc::clone(&good.user),
            other => panic!("{other:?}"),
        };
        assert!(!Arc::ptr_eq(&user(&own), &user(&entry.verdict)));
    }

    #[test]
    fn an_answer_holds_for_its_question_its_cache_its_generation_and_its_time() {
        let (digest, entry) = ([2; 32], entry());
        note(origin(7), &digest, &entry);
        note(origin(7), &digest, &entry);
        let soon = Duration::from_secs(9);
        assert!(recall(origin(7), &digest, soon).is_some());
        assert_eq!(recall(origin(7), &digest, Duration::from_secs(10)), None);
        assert_eq!(recall(origin(8), &digest, soon), None);
        let mut neighbour = digest;
        neighbour[31] = 3;
        assert_eq!(recall(origin(7), &neighbour, soon), None);
        let cache = u64::MAX - 1;
        let elsewhere = Origin { cache, ..origin(7) };
        assert_eq!(recall(elsewhere, &digest, soon), None);
    }
}
