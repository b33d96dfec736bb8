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
    /// Changes after this revision are all in the window.
    complete_from: Revision,
    /// The revision of the last change, in the window or not.
    revision: Revision,
}

impl ResourceCache {
    pub(super) fn new(resource: &'static Resource) -> Self {
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
    pub(super) fn position_after(&self, revision: Revision) -> Option<u64> {
        let state = self.read();
        if revision < state.complete_from {
            return None;
        }
        let behind = state
            .window
            .partition_point(|change| change.revision <= revision);
        Some(state.first + behind as u64)
    }

    /// Calls `each` for the changes from number `from` on, at most `limit`; the next number, or `None`
    /// when the window has moved past `from`.
    pub(super) fn replay(
        &self,
        from: u64,
        limit: usize,
        mut each: impl FnMut(&Change),
    ) -> Option<u64> {
        let state = self.read();
        let skip = usize::try_from(from.checked_sub(state.first)?).ok()?;
        let mut next = from;
        for change in state.window.iter().skip(skip).take(limit) {
            each(change);
            next += 1;
        }
        Some(next)
    }

    /// Applies one event. What it changed is returned for observers.
    pub(super) fn apply(
        &self,
        key: &Arc<str>,
        after: Option<Arc<Entry>>,
        revision: Revision,
    ) -> Change {
        let mut state = self.write();
        let before = match &after {
            Some(entry) => state.objects.insert(Arc::clone(key), Arc::clone(entry)),
            None => state.objects.remove(key),
        };
        let change = Change {
            revision,
            before,
            after,
        };
        state.revision = revision;
        state.window_bytes += change.bytes();
        state.window.push_back(change.clone());
        while state.window.len() > MAX_CHANGES
            || (state.window_bytes > MAX_CHANGED_BYTES && state.window.len() > 1)
        {
            let Some(oldest) = state.window.pop_front() else {
                break;
            };
            state.window_bytes -= oldest.bytes();
            state.first += 1;
            state.complete_from = oldest.revision;
        }
        change
    }

    /// Wakes the watchers after changes were applied.
    pub(super) fn announce(&self) {
        let state = self.read();
        let last = state.first + state.window.len() as u64 - 1;
        drop(state);
        self.latest
            .send_if_modified(|latest| std::mem::replace(latest, last) != last);
    }

    /// Replaces everything by what a fresh read of the store found. What differs becomes changes, so
    /// that watchers go on.
    pub(super) fn replace(&self, fresh: BTreeMap<Arc<str>, Arc<Entry>>, revision: Revision) {
        let known = self.read().objects.clone();
        if known.is_empty() && self.read().window.is_empty() {
            let mut state = self.write();
            state.objects = fresh;
            state.complete_from = revision;
            state.revision = revision;
            return;
        }
        let mut changes: Vec<(Revision, Arc<str>, Option<Arc<Entry>>)> = Vec::new();
        for (key, entry) in &fresh {
            if known
                .get(key)
                .is_none_or(|own| own.revision() != entry.revision())
            {
                changes.push((entry.revision(), Arc::clone(key), Some(Arc::clone(entry))));
            }
        }
        // The store does not tell when a vanished object was deleted, only that it was by now.
        let gone = known.keys().filter(|key| !fresh.contains_key(*key));
        changes.extend(gone.map(|key| (revision, Arc::clone(key), None)));
        changes.sort_by_key(|(revision, ..)| *revision);
        for (revision, key, after) in changes {
            self.apply(&key, after, revision);
        }
        self.announce();
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use burgee_store::KeyValue;

    pub(crate) fn cache() -> ResourceCache {
        ResourceCache::new(burgee_resources::find("", "v1", "configmaps").unwrap())
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

    #[test]
    fn a_replacement_becomes_changes_for_what_differs() {
        let (cache, fresh) = (cache(), cache());
        put(&cache, "gone", "{}", 2);
        put(&cache, "same", "{}", 3);
        put(&fresh, "same", "{}", 3);
        put(&fresh, "new", "{}", 5);
        let objects = fresh.read().objects.clone();
        cache.replace(objects, Revision(6));
        let mut seen = Vec::new();
        cache.replay(3, 10, |change| {
            seen.push((change.revision, change.after.is_some()))
        });
        assert_eq!(seen, [(Revision(5), true), (Revision(6), false)]);
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
