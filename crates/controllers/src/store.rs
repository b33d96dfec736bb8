//! What a reflector knows.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use burgee_wire::Object;
use tokio::sync::watch;

/// The objects of a [`Scope`](crate::Scope) as the reflector last saw them, without `managedFields`.
#[derive(Debug)]
pub struct Store {
    objects: RwLock<BTreeMap<String, Arc<Object>>>,
    synced: watch::Sender<bool>,
}

/// What happened to one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// How it was; none when it is new.
    pub old: Option<Arc<Object>>,
    /// How it is; none when it is gone. It can be another object of the same name, with another UID.
    pub new: Option<Arc<Object>>,
}

impl Change {
    /// The object, in its last known state.
    #[must_use]
    pub fn object(&self) -> Option<&Arc<Object>> {
        self.new.as_ref().or(self.old.as_ref())
    }
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            objects: RwLock::default(),
            synced: watch::Sender::new(false),
        }
    }

    /// The object of this name. `namespace` is empty for cluster-scoped objects.
    #[must_use]
    pub fn find(&self, namespace: &str, name: &str) -> Option<Arc<Object>> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        objects.get(&key(namespace, name)).cloned()
    }

    /// Every object, sorted by namespace and name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Object>> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        objects.values().cloned().collect()
    }

    /// Waits until all objects are there that were there when the reflector began.
    pub async fn synced(&self) {
        // The sender lives as long as this.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    /// Takes over a complete list and returns the differences.
    pub(crate) fn replace(&self, items: Vec<Object>) -> Vec<Change> {
        let fresh: BTreeMap<_, _> = items.into_iter().map(keyed).collect();
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        let mut stale = std::mem::replace(&mut *objects, fresh);
        let mut changes = Vec::new();
        for (key, new) in &*objects {
            let old = stale.remove(key);
            if old.as_ref().is_none_or(|old| differ(old, new)) {
                let new = Some(Arc::clone(new));
                changes.push(Change { old, new });
            }
        }
        let gone = stale.into_values().map(|old| Change {
            old: Some(old),
            new: None,
        });
        changes.extend(gone);
        changes
    }

    /// Takes over one object.
    pub(crate) fn apply(&self, object: Object) -> Option<Change> {
        let (key, new) = keyed(object);
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        let old = objects.insert(key, Arc::clone(&new));
        let changed = old.as_ref().is_none_or(|old| differ(old, &new));
        changed.then_some(Change {
            old,
            new: Some(new),
        })
    }

    /// Forgets one object.
    pub(crate) fn remove(&self, object: &Object) -> Option<Change> {
        let key = key(&object.metadata.namespace, &object.metadata.name);
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        let old = objects.remove(&key);
        old.map(|old| Change {
            old: Some(old),
            new: None,
        })
    }

    pub(crate) fn set_synced(&self) {
        self.synced.send_replace(true);
    }
}

fn key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

fn keyed(mut object: Object) -> (String, Arc<Object>) {
    // Who owns which field is most of the metadata's size, and of no use here.
    object.metadata.managed_fields = Vec::new();
    let key = key(&object.metadata.namespace, &object.metadata.name);
    (key, Arc::new(object))
}

fn differ(old: &Object, new: &Object) -> bool {
    old.metadata.resource_version != new.metadata.resource_version
        || old.metadata.uid != new.metadata.uid
}
