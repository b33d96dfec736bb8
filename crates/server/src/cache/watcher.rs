//! One client's view of a resource's changes.

use std::sync::Arc;

use burgee_resources::Resource;
use burgee_store::Revision;
use burgee_wire::selector::{FieldSelector, LabelSelector};
use tokio::sync::watch;

use super::{Change, Entry, ResourceCache};

/// How many changes are looked at in one go, so that one watcher does not hold the lock for long.
const BATCH: usize = 256;

/// Which objects a list or watch wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Keys under this prefix.
    pub(crate) prefix: String,
    /// Objects with these labels.
    pub(crate) labels: LabelSelector,
    /// Objects with these field values.
    pub(crate) fields: FieldSelector,
}

impl Filter {
    /// Whether an object is wanted.
    pub(crate) fn matches(&self, resource: &Resource, entry: &Entry) -> bool {
        entry.key().starts_with(&self.prefix)
            && self.labels.matches(entry.labels())
            && self.fields.matches(|field| entry.field(resource, field))
    }

    /// What a change is to someone who sees only what matches: an object can come into view or leave
    /// it.
    pub(crate) fn see(
        &self,
        resource: &Resource,
        change: &Change,
    ) -> Option<(EventKind, Arc<Entry>)> {
        let wanted = |entry: &&Arc<Entry>| self.matches(resource, entry);
        let before = change.before.as_ref().filter(wanted);
        let after = change.after.as_ref().filter(wanted);
        match (before, after) {
            (None, None) => None,
            (None, Some(after)) => Some((EventKind::Added, Arc::clone(after))),
            (Some(_), Some(after)) => Some((EventKind::Modified, Arc::clone(after))),
            (Some(before), None) => Some((
                EventKind::Deleted,
                Arc::new(before.deleted_at(change.revision)),
            )),
        }
    }
}

/// What a change is to a client that sees only some objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EventKind {
    Added,
    Deleted,
    Modified,
}

impl EventKind {
    /// As watch events spell it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Deleted => "DELETED",
            Self::Modified => "MODIFIED",
        }
    }
}

/// Follows the window of a [`ResourceCache`] at its own pace, without a queue of its own.
#[derive(Debug)]
pub(crate) struct Watcher {
    cache: Arc<ResourceCache>,
    filter: Filter,
    /// Changes up to this revision are known already.
    after: Revision,
    reached: Revision,
    next: u64,
    latest: watch::Receiver<u64>,
}

/// The watcher is so far behind that changes it has not seen are forgotten.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct TooOld;

impl Watcher {
    /// Follows from the change after `revision`, which the cache need not have reached.
    pub(crate) fn after(
        cache: Arc<ResourceCache>,
        filter: Filter,
        revision: Revision,
    ) -> Result<Self, TooOld> {
        let latest = cache.latest();
        let next = cache.position_after(revision).ok_or(TooOld)?;
        Ok(Self {
            cache,
            filter,
            after: revision,
            reached: revision,
            next,
            latest,
        })
    }

    /// Every change up to this revision was taken or is not wanted.
    pub(crate) fn reached(&self) -> Revision {
        self.reached
    }

    /// The changes that are there and wanted, in order; none when there are no new ones. Everything up
    /// to `applied` is in the cache.
    pub(crate) fn take(
        &mut self,
        applied: Revision,
    ) -> Result<Vec<(EventKind, Arc<Entry>)>, TooOld> {
        let mut events = Vec::new();
        loop {
            let (resource, filter, after) = (self.cache.resource(), &self.filter, self.after);
            let replayed = self.cache.replay(self.next, BATCH, |change| {
                if change.revision > after {
                    events.extend(filter.see(resource, change));
                }
            });
            let replayed = replayed.ok_or(TooOld)?;
            self.next = replayed.next;
            self.reached = self.reached.max(replayed.reached);
            if replayed.is_all {
                self.reached = self.reached.max(applied);
            }
            if replayed.is_all || events.len() >= BATCH {
                return Ok(events);
            }
        }
    }

    /// Waits until there may be new changes.
    pub(crate) async fn changed(&mut self) {
        let next = self.next;
        // The sender lives as long as the cache, which this watcher holds.
        let _ = self.latest.wait_for(|latest| *latest >= next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::resource::tests::{cache, delete, put};
    use super::*;

    fn events(watcher: &mut Watcher) -> Vec<(EventKind, String, u64)> {
        let events = watcher.take(Revision(0)).unwrap().into_iter();
        events
            .map(|(kind, entry)| (kind, entry.name().to_owned(), entry.revision().0))
            .collect()
    }

    fn filter(labels: &str) -> Filter {
        let labels = LabelSelector::parse(labels).unwrap();
        Filter {
            prefix: "/registry/configmaps/n/".into(),
            labels,
            ..Filter::default()
        }
    }

    #[test]
    fn objects_come_into_view_and_leave_it() {
        let cache = Arc::new(cache());
        let mut watcher = Watcher::after(Arc::clone(&cache), filter("a=1"), Revision(1)).unwrap();
        put(&cache, "x", r#"{"a":"1"}"#, 2);
        put(&cache, "y", r#"{"a":"2"}"#, 3);
        put(&cache, "y", r#"{"a":"1"}"#, 4);
        put(&cache, "x", r#"{"a":"2"}"#, 5);
        put(&cache, "y", r#"{"a":"1","b":"1"}"#, 6);
        delete(&cache, "y", 7);
        let expected = [
            (EventKind::Added, "x".to_owned(), 2),
            (EventKind::Added, "y".to_owned(), 4),
            (EventKind::Deleted, "x".to_owned(), 5),
            (EventKind::Modified, "y".to_owned(), 6),
            (EventKind::Deleted, "y".to_owned(), 7),
        ];
        assert_eq!(events(&mut watcher), expected);
        assert_eq!(events(&mut watcher), []);
    }

    #[tokio::test]
    async fn a_waiting_watcher_is_woken_by_the_next_change() {
        let cache = Arc::new(cache());
        put(&cache, "x", "{}", 2);
        let mut watcher = Watcher::after(Arc::clone(&cache), filter(""), Revision(2)).unwrap();
        assert_eq!(events(&mut watcher), []);
        let writer = tokio::spawn(async move { put(&cache, "x", "{}", 3) });
        watcher.changed().await;
        assert_eq!(
            events(&mut watcher),
            [(EventKind::Modified, "x".to_owned(), 3)]
        );
        writer.await.unwrap();
    }

    #[test]
    fn changes_that_reach_the_cache_later_but_are_known_already_are_not_shown_again() {
        let cache = Arc::new(cache());
        put(&cache, "x", "{}", 2);
        let mut watcher = Watcher::after(Arc::clone(&cache), filter(""), Revision(4)).unwrap();
        put(&cache, "x", "{}", 3);
        put(&cache, "y", "{}", 4);
        assert_eq!(events(&mut watcher), []);
        assert_eq!(watcher.reached(), Revision(4));
        put(&cache, "y", "{}", 5);
        let expected = [(EventKind::Modified, "y".to_owned(), 5)];
        assert_eq!(events(&mut watcher), expected);
    }

    #[test]
    fn a_watcher_of_nothing_that_is_wanted_comes_as_far_as_the_caches() {
        let cache = Arc::new(cache());
        put(&cache, "x", "{}", 2);
        let mut watcher = Watcher::after(Arc::clone(&cache), filter("a=1"), Revision(2)).unwrap();
        assert!(watcher.take(Revision(9)).unwrap().is_empty());
        assert_eq!(watcher.reached(), Revision(9));
    }
}
