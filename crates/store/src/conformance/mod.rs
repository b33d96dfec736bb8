//! The cases that every engine must pass.
//!
//! Each case is an async function over a fresh, empty store that panics where the engine breaks the
//! contract. [`conformance_tests!`](crate::conformance_tests) makes one test of each:
//!
//! ```
//! use burgee_store::conformance::Subject;
//! use burgee_store::{EmbeddedOptions, EmbeddedStore};
//!
//! async fn fresh() -> Subject {
//!     let directory = tempfile::tempdir().unwrap();
//!     let store = EmbeddedStore::open(directory.path(), EmbeddedOptions::default()).unwrap();
//!     Subject::new(store, directory)
//! }
//!
//! burgee_store::conformance_tests!(fresh);
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test suite: a panic is its verdict, and a case's name is the sentence it proves"
)]

mod ranges;
mod watches;
mod writes;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use self::ranges::*;
pub use self::watches::*;
pub use self::writes::*;
use crate::{Error, Event, Revision, Store, Watch, WatchItem};

/// How long a case waits for what must come.
const DEADLINE: Duration = Duration::from_secs(60);

/// The store under test, with whatever must live as long as it does.
pub struct Subject {
    store: Arc<dyn Store>,
    _keep: Box<dyn Any + Send>,
}

impl Subject {
    /// A subject that keeps `keep`, such as its temporary directory, until the case is over.
    pub fn new(store: impl Store, keep: impl Any + Send) -> Self {
        Self {
            store: Arc::new(store),
            _keep: Box::new(keep),
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").finish_non_exhaustive()
    }
}

/// One `#[tokio::test]` for each case of the [`conformance`](crate::conformance) suite, over what
/// the given async function, `async fn() -> Subject`, makes. The calling crate needs `tokio` with
/// `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! conformance_tests {
    ($fresh:path) => {
        $crate::conformance_tests! { @each $fresh:
            a_new_store_is_empty_at_revision_one
            every_write_gets_the_next_revision
            a_key_is_created_once
            put_replaces_only_the_expected_revision
            put_at_revision_zero_creates
            delete_removes_only_the_expected_revision
            a_key_created_again_counts_anew
            refused_writes_move_nothing
            keys_and_values_beyond_the_limits_are_refused
            of_concurrent_creates_one_wins
            concurrent_compare_and_put_loses_nothing
            concurrent_writes_get_revisions_without_gap_or_duplicate
            a_read_after_an_answer_shows_the_write
            get_shows_a_key_as_it_was
            a_range_holds_its_prefix_in_byte_order
            pages_cover_a_range_once
            a_page_counts_what_its_limit_cut_off
            a_range_shows_the_past_with_deleted_keys
            pages_at_one_revision_ignore_writes_in_between
            revisions_of_the_future_cannot_be_read
            compaction_forgets_what_was_before
            compaction_keeps_what_is_current
            compaction_goes_only_forward_and_not_into_the_future
            a_watch_tells_what_happened_with_what_was_before
            a_watch_sees_only_its_prefix
            a_watch_replays_the_past_then_goes_live
            a_watch_from_zero_begins_now
            a_watch_from_the_future_waits
            a_watch_from_a_compacted_revision_is_refused
            a_watch_from_the_compacted_revision_itself_tells_previous_values
            a_watch_learns_of_progress_elsewhere
            watches_miss_and_repeat_nothing_while_writers_go_on
            a_read_after_an_event_shows_it
            a_slow_watch_holds_up_nobody_and_never_skips
        }
    };
    (@each $fresh:path: $($case:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let subject = $fresh().await;
                $crate::conformance::$case(subject.store()).await;
            }
        )+
    };
}

/// Short values are written as text.
fn value(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// Waits for what must come; panics with `what` if it does not.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Takes events from a watch until there are `count`; checks that revisions ascend.
async fn take_events(watch: &mut Watch, count: usize) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    while events.len() < count {
        match soon("events", watch.next())
            .await
            .expect("the watch goes on")
        {
            Ok(WatchItem::Events(more)) => {
                assert!(!more.is_empty(), "an item without events");
                events.extend(more);
            }
            Ok(WatchItem::Progress(revision)) => {
                let told = events.last().map_or(Revision(0), Event::revision);
                assert!(told <= revision, "progress behind what was told");
            }
            Err(error) => panic!("the watch ended: {error}"),
        }
    }
    assert_eq!(events.len(), count, "more events than expected");
    assert!(
        events.is_sorted_by(|a, b| a.revision() < b.revision()),
        "revisions out of order"
    );
    events
}

/// Takes items until the watch has told everything up to `revision`.
async fn take_until(watch: &mut Watch, revision: Revision) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let item = soon("progress", watch.next())
            .await
            .expect("the watch goes on");
        let item = item.expect("the watch goes on");
        let told = item.revision();
        if let WatchItem::Events(more) = item {
            events.extend(more);
        }
        if told >= revision {
            return events;
        }
    }
}

fn is_conflict(result: &crate::Result<Revision>, current: Option<Revision>) -> bool {
    matches!(result, Err(Error::Conflict { current: kv })
        if kv.as_ref().map(|kv| kv.mod_revision) == current)
}
