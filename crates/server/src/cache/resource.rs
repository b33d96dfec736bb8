//! The objects of one resource and what lately happened to them.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use burgee_resources::Resource;
use burgee_store::Revision;
use tokio::sync::watch;

use super::Entry;

/// How many changes are kept for watchers that are behind.
const MAX_CHANGES: usize = 8192;
/// How many bytes of JSON the kept changes may hold on to.
const MAX_CHANGED_BYTES: usize = 16 * 1024 * 1024;

/// Something that happened to an object.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The revision at which it happened.
    pub(crate) revision: Revision,
    /// The object before; `None` when it was created.
    pub(crate) before: Option<Arc<Entry>>,
    /// The object after; `None` when it was deleted.
    pub(crate) after: Option<Arc<Entry>>,
}

impl Change {
    fn bytes(&self) -> usize {
        let size =
            |entry: &Option<Arc<Entry>>| entry.as_ref().map_or(0, |entry| entry.json().len());
        size(&self.before) + size(&self.after)
    }
}

/// The objects of one resource in key order, and a window of recent changes.
#[derive(Debug)]
pub(crate) struct ResourceCache {
    resource: &'static Resource,
    head: usize,
    state: RwLock<State>,
    /// The number of the last change, for watchers to wait on.
    latest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<Arc<str>, Arc<Entry>>,
    window: VecDeque<Change>,
    window_bytes: usize,
    /// The number of the first change in the window; changes are numbered from 1.
    first: u64,
    /// Changes after this revision are all in the window. No store stands at 0, so 0 means that nothing
    /// was loaded yet.
    complete_from: Revision,
    /// The revision of the last change, in the window or not, or of the last load.
    revision: Revision,
}

impl ResourceCache {
    /// A cache that nothing was loaded into yet.
    pub(crate) fn new(resource: &'static Resource) -> Self {
        let head = burgee_wire::encode::type_meta(&resource.api_version(), resource.kind).len() + 2;
        let state = RwLock::new(State {
            first: 1,
            ..State::default()
        });
        Self {
            resource,
            head,
            state,
            latest: watch::Sender::new(0),
        }
    }

    /// The resource whose objects these are.
    pub(crate) fn resource(&self) -> &'static Resource {
        self.resource
    }

    /// The length of `{"kind":…,"apiVersion":…,`, which every object's JSON begins with.
    pub(crate) fn head(&self) -> usize {
        self.head
    }

    /// The object with this key.
    pub(crate) fn get(&self, key: &str) -> Option<Arc<Entry>> {
        self.read().objects.get(key).cloned()
    }

    /// The object of this name.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<Arc<Entry>> {
        self.get(&self.resource.key(namespace, name))
    }

    /// Shows the objects under `prefix` that come after the key `after`, in key order, as long as
    /// `take` wants more. Returns the revision of the last change to any of the resource's objects
    /// that was visible.
    pub(crate) fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        mut take: impl FnMut(&Arc<Entry>) -> bool,
    ) -> Revision {
        let start = match after {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let state = self.read();
        for (key, entry) in state.objects.range::<str, _>((start, Bound::Unbounded)) {
            if !key.starts_with(prefix) || !take(entry) {
                break;
            }
        }
        state.revision
    }

    /// A signal that shows the number of the last change.
    pub(super) fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// The number of the first change after `revision`, or `None` when the window does not reach that
    /// far back.
    pub(crate) fn position_after(&self, revision: Revision) -> Option<u64> {
        let state = self.read();
        if revision < state.complete_from {
            return None;
        }
        let behind = state
            .window
            .partition_point(|change| change.revision <= revision);
        Some(state.first + behind as u64)
    }

    /// Calls `each` for the changes from number `from` on, at most `limit`; `None` when the window has
    /// moved past `from`.
    pub(super) fn replay(
        &self,
        from: u64,
        limit: usize,
        mut each: impl FnMut(&Change),
    ) -> Option<Replayed> {
        let state = self.read();
        let skip = usize::try_from(from.checked_sub(state.first)?).ok()?;
        let mut next = from;
        for change in state.window.iter().skip(skip).take(limit) {
            each(change);
            next += 1;
        }
        let rest = state.window.get(skip.saturating_add(limit));
        Some(Replayed {
            next,
            reached: match rest {
                None => state.revision,
                // What a reload found differs from the store's history: only all of it together is
                // the state at a revision.
                Some(rest) if rest.revision <= state.complete_from => Revision(0),
                Some(rest) => Revision(rest.revision.0 - 1),
            },
            is_all: rest.is_none(),
        })
    }

    /// Applies one event. What it changed is returned for observers.
    pub(super) fn apply(
        &self,
        key: &Arc<str>,
        after: Option<Arc<Entry>>,
        revision: Revision,
    ) -> Change {
        self.write().apply(key, after, revision)
    }

    /// Wakes the watchers after changes were applied.
    pub(super) fn announce(&self) {
        let state = self.read();
        let last = state.first + state.window.len() as u64 - 1;
        drop(state);
        self.latest
            .send_if_modified(|latest| std::mem::replace(latest, last) != last);
    }

    /// Replaces everything by what a read of the store at `revision` found. After the first time, what
    /// differs becomes changes, so that watchers go on.
    pub(super) fn replace(&self, fresh: BTreeMap<Arc<str>, Arc<Entry>>, revision: Revision) {
        let mut state = self.write();
        if state.complete_from == Revision(0) {
            state.objects = fresh;
        } else {
            // All under one lock: nobody sees some of the changes without the others.
            for (revision, key, after) in state.differences(fresh, revision) {
                state.apply(&key, after, revision);
            }
        }
        // What happened and was undone meanwhile is not in the window.
        state.complete_from = revision;
        state.revision = revision;
        drop(state);
        self.announce();
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a replay got.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Replayed {
    /// The number of the first change that was not shown.
    pub(super) next: u64,
    /// Every change up to this revision was shown.
    pub(super) reached: Revision,
    /// Whether there are no more changes at the moment.
    pub(super) is_all: bool,
}

impl State {
    fn apply(&mut self, key: &Arc<str>, after: Option<Arc<Entry>>, revision: Revision) -> Change {
        let before = match &after {
            Some(entry) => self.objects.insert(Arc::clone(key), Arc::clone(entry)),
            None => self.objects.remove(key),
        };
        let change = Change {
            revision,
            before,
            after,
        };
        self.revision = revision;
        self.window_bytes += change.bytes();
        self.window.push_back(change.clone());
        while self.window.len() > MAX_CHANGES
            || (self.window_bytes > MAX_CHANGED_BYTES && self.window.len() > 1)
        {
            let Some(oldest) = self.window.pop_front() else {
                break;
            };
            self.window_bytes -= oldest.bytes();
            self.first += 1;
            self.complete_from = self.complete_from.max(oldest.revision);
        }
        change
    }

    /// What has to be applied, in order, to get to what is `fresh` as of `revision`.
    fn differences(
        &self,
        fresh: BTreeMap<Arc<str>, Arc<Entry>>,
        revision: Revision,
    ) -> Vec<(Revision, Arc<str>, Option<Arc<Entry>>)> {
        // The store does not tell when a vanished object was deleted, only that it was by now.
        let gone = self.objects.keys().filter(|key| !fresh.contains_key(*key));
        let mut differences: Vec<_> = gone.map(|key| (revision, Arc::clone(key), None)).collect();
        let written = fresh.into_iter().filter(|(key, entry)| {
            let known = self.objects.get(key);
            known.is_none_or(|known| known.revision() != entry.revision())
        });
        differences.extend(written.map(|(key, entry)| (entry.revision(), key, Some(entry))));
        differences.sort_by_key(|(revision, ..)| *revision);
        differences
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use burgee_store::KeyValue;

    /// An empty cache of a store at revision 1.
    pub(crate) fn cache() -> ResourceCache {
        let cache = ResourceCache::new(burgee_resources::find("", "v1", "configmaps").unwrap());
        cache.replace(BTreeMap::new(), Revision(1));
        cache
    }

    pub(crate) fn put(cache: &ResourceCache, name: &str, labels: &str, revision: u64) -> Change {
        let stored = format!(
            r#"{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"name":"{name}","namespace":"n","uid":"u","labels":{labels}}}}}"#
        );
        let key: Arc<str> = format!("/registry/configmaps/n/{name}").into();
        let kv = KeyValue {
            key: Arc::clone(&key),
            value: stored.into(),
            create_revision: Revision(revision),
            mod_revision: Revision(revision),
        };
        let entry = Arc::new(Entry::new(cache.resource(), &kv).unwrap());
        let change = cache.apply(&key, Some(entry), Revision(revision));
        cache.announce();
        change
    }

    pub(crate) fn delete(cache: &ResourceCache, name: &str, revision: u64) -> Change {
        let key: Arc<str> = format!("/registry/configmaps/n/{name}").into();
        let change = cache.apply(&key, None, Revision(revision));
        cache.announce();
        change
    }

    #[test]
    fn changes_carry_what_was_before() {
        let cache = cache();
        assert!(put(&cache, "a", "{}", 2).before.is_none());
        assert_eq!(
            put(&cache, "a", "{}", 3).before.unwrap().revision(),
            Revision(2)
        );
        let gone = delete(&cache, "a", 4);
        assert_eq!(
            (gone.before.unwrap().revision(), gone.after.is_none()),
            (Revision(3), true)
        );
        assert!(cache.find("n", "a").is_none());
    }

    #[test]
    fn the_window_tells_where_a_revision_stands_and_when_it_is_gone() {
        let cache = cache();
        for revision in 2..=5 {
            put(&cache, "a", "{}", revision);
        }
        assert_eq!(cache.position_after(Revision(3)), Some(3));
        assert_eq!(cache.position_after(Revision(9)), Some(5));
        for revision in 6..=(6 + MAX_CHANGES as u64) {
            put(&cache, "a", "{}", revision);
        }
        assert_eq!(cache.position_after(Revision(3)), None);
        assert_eq!(cache.replay(1, 10, |_| {}), None);
    }

    /// What a read of the store finds.
    fn stored(objects: &[(&str, u64)]) -> BTreeMap<Arc<str>, Arc<Entry>> {
        let fresh = cache();
        for (name, revision) in objects {
            put(&fresh, name, "{}", *revision);
        }
        let state = fresh.read();
        state.objects.clone()
    }

    #[test]
    fn a_replacement_becomes_changes_for_what_differs() {
        let cache = cache();
        put(&cache, "gone", "{}", 2);
        put(&cache, "same", "{}", 3);
        cache.replace(stored(&[("same", 3), ("new", 5)]), Revision(6));
        let mut seen = Vec::new();
        cache.replay(3, 10, |change| {
            seen.push((change.revision, change.after.is_some()))
        });
        assert_eq!(seen, [(Revision(5), true), (Revision(6), false)]);
    }

    #[test]
    fn what_a_replacement_adds_to_an_empty_cache_is_a_change() {
        let cache = cache();
        let next = cache.position_after(Revision(1)).unwrap();
        cache.replace(stored(&[("a", 2)]), Revision(4));
        let mut seen = Vec::new();
        cache.replay(next, 10, |change| seen.push(change.revision));
        assert_eq!(seen, [Revision(2)]);
    }

    #[test]
    fn the_window_does_not_pretend_to_know_what_came_before_a_replacement() {
        let cache = cache();
        put(&cache, "a", "{}", 2);
        cache.replace(stored(&[("a", 2), ("b", 5), ("c", 6)]), Revision(8));
        // What was created at 3 and deleted at 4 is nowhere.
        assert_eq!(cache.position_after(Revision(2)), None);
        assert_eq!(cache.position_after(Revision(7)), None);
        assert_eq!(cache.position_after(Revision(8)), Some(4));
        for revision in 9..(9 + MAX_CHANGES as u64) {
            put(&cache, "a", "{}", revision);
        }
        assert_eq!(cache.position_after(Revision(7)), None);
        assert!(cache.position_after(Revision(8)).is_some());
    }

    #[test]
    fn a_replay_tells_up_to_which_revision_it_showed_everything() {
        let cache = cache();
        put(&cache, "a", "{}", 2);
        put(&cache, "b", "{}", 5);
        let reached = |limit| cache.replay(1, limit, |_| {}).map(|part| part.reached);
        assert_eq!(reached(1), Some(Revision(4)));
        assert_eq!(reached(2), Some(Revision(5)));
        cache.replace(stored(&[("c", 7)]), Revision(8));
        // "a" and "b" were deleted at an unknown revision before 8, which has to come first.
        assert_eq!(reached(3), Some(Revision(0)));
        assert_eq!(reached(5), Some(Revision(8)));
    }

    #[test]
    fn scans_stay_under_their_prefix_and_start_after_a_key() {
        let cache = cache();
        for name in ["a", "b", "c"] {
            put(&cache, name, "{}", 2);
        }
        let mut names = Vec::new();
        cache.scan(
            "/registry/configmaps/n/",
            Some("/registry/configmaps/n/a"),
            |entry| {
                names.push(entry.name().to_owned());
                true
            },
        );
        assert_eq!(names, ["b", "c"]);
    }
}
