//! May they: RBAC over what the caches hold, always as new as the caches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use burgee_authz::{Attributes, Authorizer, Decision, PrivilegedGroup, RbacIndex, RbacSnapshot};
use burgee_identity::UserInfo;
use burgee_resources::Resource;
use burgee_wire::authorization::SubjectRulesReviewStatus;
use burgee_wire::rbac::GROUP;
use serde::de::DeserializeOwned;

use crate::cache::{Caches, Change, Entry, Observer};

/// Members of `system:masters` may do everything, the rest what RBAC grants them.
///
/// It observes the caches: a binding that was acknowledged is in force for the next request.
pub(crate) struct Authorization {
    masters: PrivilegedGroup,
    index: Mutex<RbacIndex>,
    snapshot: ArcSwap<RbacSnapshot>,
    /// Whether the index changed since the snapshot was taken.
    is_stale: AtomicBool,
}

impl Authorization {
    pub(crate) fn new() -> Self {
        Self {
            masters: PrivilegedGroup::masters(),
            index: Mutex::default(),
            snapshot: ArcSwap::default(),
            is_stale: AtomicBool::new(false),
        }
    }

    /// RBAC as of now.
    pub(crate) fn rbac(&self) -> Arc<RbacSnapshot> {
        self.snapshot.load_full()
    }

    /// What a user may do in a namespace, as far as RBAC knows.
    pub(crate) fn rules_for(&self, user: &UserInfo, namespace: &str) -> SubjectRulesReviewStatus {
        self.rbac().rules_for(user, namespace)
    }

    fn with_index<T>(&self, change: impl FnOnce(&mut RbacIndex) -> T) -> T {
        self.is_stale.store(true, Ordering::Relaxed);
        change(&mut self.index.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Authorizer for Authorization {
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        match self.masters.authorize(attributes) {
            Decision::NoOpinion(_) => self.snapshot.load().authorize(attributes),
            decided => decided,
        }
    }
}

impl Observer for Authorization {
    fn reset(&self, caches: &Caches) {
        let mut fresh = RbacIndex::new();
        for cache in caches.all().filter(|cache| cache.resource().group == GROUP) {
            cache.scan("", None, |entry| {
                upsert(&mut fresh, cache.resource(), entry);
                true
            });
        }
        self.with_index(|index| *index = fresh);
        self.settle();
    }

    fn observe(&self, resource: &'static Resource, change: &Change) {
        if resource.group != GROUP {
            return;
        }
        self.with_index(|index| match (&change.after, &change.before) {
            (Some(after), _) => upsert(index, resource, after),
            (None, Some(before)) => remove(index, resource, before),
            (None, None) => {}
        });
    }

    fn settle(&self) {
        // One task tells of changes and settles them.
        if !self.is_stale.load(Ordering::Relaxed) {
            return;
        }
        let snapshot = self.with_index(|index| index.snapshot());
        self.snapshot.store(Arc::new(snapshot));
        self.is_stale.store(false, Ordering::Relaxed);
    }
}

fn upsert(index: &mut RbacIndex, resource: &Resource, entry: &Entry) {
    fn read<T: DeserializeOwned>(entry: &Entry) -> Option<T> {
        let read = serde_json::from_slice(entry.json());
        read.inspect_err(|error| {
            tracing::error!(key = %entry.key(), %error, "an RBAC object cannot be read and grants nothing");
        })
        .ok()
    }
    match resource.plural {
        "roles" => read(entry).map(|role| index.upsert_role(role)),
        "clusterroles" => read(entry).map(|role| index.upsert_cluster_role(role)),
        "rolebindings" => read(entry).map(|binding| index.upsert_role_binding(binding)),
        "clusterrolebindings" => {
            read(entry).map(|binding| index.upsert_cluster_role_binding(binding))
        }
        _ => None,
    };
}

fn remove(index: &mut RbacIndex, resource: &Resource, entry: &Entry) {
    let (namespace, name) = (entry.namespace(resource), entry.name());
    match resource.plural {
        "roles" => index.delete_role(namespace, name),
        "clusterroles" => index.delete_cluster_role(name),
        "rolebindings" => index.delete_role_binding(namespace, name),
        "clusterrolebindings" => index.delete_cluster_role_binding(name),
        _ => {}
    }
}
