//! Objects go when their owners have gone (`pkg/controller/garbagecollector`).
//!
//! Watches of everything's metadata feed a graph of owners. The graph says what needs a look, and
//! that an owner is still there; that one is gone is believed only after a live read of the API, and
//! what is deleted is deleted under the condition that it is what was read.

mod graph;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use burgee_resources::Resource;
use burgee_wire::{Object, OwnerReference};
use quick_cache::sync::Cache;
use serde_json::{Value, json};

use self::graph::{Graph, Node};
use crate::kinds::{is_going, target};
use crate::worker::Reconcile;
use crate::{
    Change, Client, DeleteOptions, Error, PatchType, Propagation, Queue, Scope, Target, Verdict,
    View,
};

/// Waits until dependents that block it are gone.
const FOREGROUND: &str = "foregroundDeletion";
/// Waits until dependents no longer refer to it.
const ORPHAN: &str = "orphan";
/// How many owners are remembered to be gone, so that a thousand dependents need one read.
const MAX_ABSENT: usize = 4096;
/// When to look again at an object whose owner exists but has not been seen by a watch.
const UNSEEN_OWNER: Duration = Duration::from_secs(30);

/// Deletes what no owner needs any more. Keys are UIDs.
///
/// An owner of a kind that is not in `burgee_resources` counts as being there for ever.
pub(crate) struct GarbageCollector {
    client: Client,
    graph: Mutex<Graph>,
    absent: Cache<Absent, ()>,
    pub(crate) queue: Arc<Queue<String>>,
}

/// An owner that was looked for in vain. UIDs are never given twice, so it stays gone.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Absent {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
    uid: String,
}

/// Where an owner is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    /// Gone, or never been where a reference may point to.
    Absent,
    /// Waiting for its dependents to go first.
    Leaving,
    /// There, or nobody can tell.
    Present,
    /// There by a live read, but no watch has shown it yet.
    Unseen,
}

impl GarbageCollector {
    /// A collector that knows nothing yet.
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            graph: Mutex::default(),
            absent: Cache::new(MAX_ABSENT),
            queue: Arc::new(Queue::new()),
        }
    }

    /// What it needs to know of one resource.
    pub(crate) fn scope(resource: &'static Resource) -> Scope {
        Scope::all(resource, View::Metadata)
    }

    /// Takes over what a watch shows.
    pub(crate) fn observe(&self, resource: &'static Resource, change: &Change) {
        if let Some(new) = &change.new {
            self.absent.remove(&Absent::of(resource, new));
        } else if let Some(old) = &change.old {
            self.absent.insert(Absent::of(resource, old), ());
        }
        let looks = self.graph().observe(resource, change);
        for uid in looks {
            self.queue.add(uid);
        }
    }

    fn graph(&self) -> MutexGuard<'_, Graph> {
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Reconcile for GarbageCollector {
    type Key = String;
    const NAME: &'static str = "garbage-collector";

    async fn reconcile(&self, uid: &String) -> Result<Verdict, Error> {
        let Some(node) = self.graph().find(uid).cloned() else {
            return Ok(Verdict::Done);
        };
        if !is_going(&node.object) {
            return self.collect(&node).await;
        }
        if has_finalizer(&node.object, ORPHAN) {
            self.orphan(&node).await?;
        } else if has_finalizer(&node.object, FOREGROUND) && !self.is_blocked(&node) {
            self.remove_finalizer(&node, FOREGROUND).await?;
        }
        Ok(Verdict::Done)
    }
}

impl GarbageCollector {
    /// Deletes an object if none of its owners is there, or else forgets those that are not.
    async fn collect(&self, node: &Node) -> Result<Verdict, Error> {
        if self.has_all_owners(node) {
            return Ok(Verdict::Done);
        }
        let Some(live) = self.live(node).await?.filter(|live| !is_going(live)) else {
            // The watch will show it.
            return Ok(Verdict::Done);
        };
        let mut standings = Vec::new();
        for reference in &live.metadata.owner_references {
            standings.push(self.standing(reference, node.resource, &live).await?);
        }
        if standings.is_empty() {
            return Ok(Verdict::Done);
        }
        let is_kept =
            |standing: &Standing| matches!(standing, Standing::Present | Standing::Unseen);
        if standings.iter().any(is_kept) {
            let mut kept = standings.iter().map(is_kept);
            let mut references = live.metadata.owner_references.clone();
            references.retain(|_| kept.next().unwrap_or(true));
            self.write_references(node.resource, &live, &references)
                .await?;
            let is_unseen = standings.contains(&Standing::Unseen);
            return Ok(if is_unseen {
                Verdict::Later(UNSEEN_OWNER)
            } else {
                Verdict::Done
            });
        }
        let (live, propagation) =
            if standings.contains(&Standing::Leaving) && self.has_dependents(node) {
                // It goes before its owner, and its own dependents before it.
                (self.open_circle(node, live).await?, Propagation::Foreground)
            } else {
                let propagation = own_policy(&live);
                (live, propagation)
            };
        self.delete(node.resource, &live, propagation).await?;
        Ok(Verdict::Done)
    }

    /// Whether the watches show every owner where the object refers to, and none of them waits.
    fn has_all_owners(&self, node: &Node) -> bool {
        let graph = self.graph();
        node.object
            .metadata
            .owner_references
            .iter()
            .all(|reference| {
                let owner = graph.find(&reference.uid);
                owner.is_some_and(|owner| {
                    owner.is_meant_by(reference, &node.object) && !owner.is_leaving()
                })
            })
    }

    /// Where an owner of `dependent` is in its life, by a live read unless the watches show it.
    async fn standing(
        &self,
        reference: &OwnerReference,
        resource: &Resource,
        dependent: &Object,
    ) -> Result<Standing, Error> {
        let owner = burgee_resources::by_kind(&reference.api_version, &reference.kind);
        let Some(owner) = owner.filter(|owner| owner.stored()) else {
            return Ok(Standing::Present);
        };
        if owner.namespaced && !resource.namespaced {
            // The reference says no namespace, so there is nowhere to look (as upstream).
            return Ok(Standing::Present);
        }
        let seen = self.graph().find(&reference.uid).cloned();
        let seen = seen.filter(|seen| seen.is_meant_by(reference, dependent));
        if seen.as_ref().is_some_and(|seen| !seen.is_leaving()) {
            return Ok(Standing::Present);
        }
        let namespace = if owner.namespaced {
            &*dependent.metadata.namespace
        } else {
            ""
        };
        let absent = Absent::named(reference, namespace);
        if self.absent.get(&absent).is_some() {
            return Ok(Standing::Absent);
        }
        let place = Target {
            resource: owner,
            namespace,
            name: &reference.name,
        };
        let found = self.client.get(place, View::Metadata).await;
        let live = match found {
            Err(error) if is_gone(&error, &reference.name) => None,
            found => Some(found?).filter(|live| live.metadata.uid == reference.uid),
        };
        let Some(live) = live else {
            self.absent.insert(absent, ());
            return Ok(Standing::Absent);
        };
        Ok(if is_going(&live) && has_finalizer(&live, FOREGROUND) {
            Standing::Leaving
        } else if seen.is_some() {
            Standing::Present
        } else {
            Standing::Unseen
        })
    }

    fn has_dependents(&self, node: &Node) -> bool {
        self.graph().dependents(node).next().is_some()
    }

    /// Whether the object has to wait for a dependent that says so.
    fn is_blocked(&self, node: &Node) -> bool {
        let graph = self.graph();
        let mut dependents = graph.dependents(node);
        dependents.any(|(_, reference)| reference.block_owner_deletion == Some(true))
    }

    /// If one of an object's dependents already waits for its own, they may wait for each other:
    /// then the object no longer blocks its owners.
    async fn open_circle(&self, node: &Node, live: Object) -> Result<Object, Error> {
        let waits = |(dependent, _): (&Node, _)| dependent.is_leaving();
        if !self.graph().dependents(node).any(waits) {
            return Ok(live);
        }
        let mut references = live.metadata.owner_references.clone();
        for reference in &mut references {
            reference.block_owner_deletion = Some(false);
        }
        self.write_references(node.resource, &live, &references)
            .await
    }

    /// Frees the dependents of an object that leaves them behind.
    async fn orphan(&self, node: &Node) -> Result<(), Error> {
        let dependents: Vec<Node> = self
            .graph()
            .dependents(node)
            .map(|(dependent, _)| dependent.clone())
            .collect();
        for dependent in dependents {
            let Some(live) = self.live(&dependent).await? else {
                continue;
            };
            let mut references = live.metadata.owner_references.clone();
            references.retain(|reference| reference.uid != node.uid());
            self.write_references(dependent.resource, &live, &references)
                .await?;
        }
        self.remove_finalizer(node, ORPHAN).await
    }

    /// The metadata of an object as it is now; none when it, or one of this UID, is gone.
    async fn live(&self, node: &Node) -> Result<Option<Object>, Error> {
        let place = target(node.resource, &node.object);
        match self.client.get(place, View::Metadata).await {
            Err(error) if error.is_not_found() => Ok(None),
            found => Ok(Some(found?).filter(|live| live.metadata.uid == node.uid())),
        }
    }

    /// Writes owner references that differ from those that are there.
    async fn write_references(
        &self,
        resource: &'static Resource,
        live: &Object,
        references: &[OwnerReference],
    ) -> Result<Object, Error> {
        if live.metadata.owner_references == references {
            return Ok(live.clone());
        }
        self.patch(resource, live, "ownerReferences", json!(references))
            .await
    }

    async fn remove_finalizer(&self, node: &Node, finalizer: &str) -> Result<(), Error> {
        let Some(live) = self
            .live(node)
            .await?
            .filter(|live| has_finalizer(live, finalizer))
        else {
            return Ok(());
        };
        let mut kept = live.metadata.finalizers.clone();
        kept.retain(|own| own != finalizer);
        match self
            .patch(node.resource, &live, "finalizers", json!(kept))
            .await
        {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }

    /// Replaces one member of the metadata, if the object is still as it was read.
    async fn patch(
        &self,
        resource: &'static Resource,
        live: &Object,
        member: &str,
        value: Value,
    ) -> Result<Object, Error> {
        let meta = &live.metadata;
        let patch = json!({"metadata": {
            "uid": meta.uid, "resourceVersion": meta.resource_version, member: value,
        }});
        self.client
            .patch(target(resource, live), PatchType::Merge, &patch)
            .await
    }

    /// Deletes an object, if it is still as it was read.
    async fn delete(
        &self,
        resource: &'static Resource,
        live: &Object,
        propagation: Propagation,
    ) -> Result<(), Error> {
        let options = DeleteOptions {
            propagation: Some(propagation),
            uid: Some(live.metadata.uid.clone()),
            resource_version: Some(live.metadata.resource_version.clone()),
            ..DeleteOptions::default()
        };
        let place = target(resource, live);
        match self.client.delete(place, &options).await {
            Err(error) if error.is_not_found() => {}
            outcome => outcome?,
        }
        let Target {
            namespace, name, ..
        } = place;
        tracing::debug!(
            resource = resource.plural,
            namespace,
            name,
            ?propagation,
            "deleted what its owners left"
        );
        Ok(())
    }
}

impl Absent {
    fn of(resource: &Resource, object: &Object) -> Self {
        let meta = &object.metadata;
        Self {
            api_version: resource.api_version(),
            kind: resource.kind.to_owned(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
        }
    }

    fn named(reference: &OwnerReference, namespace: &str) -> Self {
        Self {
            api_version: reference.api_version.clone(),
            kind: reference.kind.clone(),
            namespace: namespace.to_owned(),
            name: reference.name.clone(),
            uid: reference.uid.clone(),
        }
    }
}

fn has_finalizer(object: &Object, finalizer: &str) -> bool {
    object
        .metadata
        .finalizers
        .iter()
        .any(|own| own == finalizer)
}

/// The policy that the object's own finalizers ask for.
fn own_policy(object: &Object) -> Propagation {
    if has_finalizer(object, ORPHAN) {
        Propagation::Orphan
    } else if has_finalizer(object, FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    }
}

/// Whether the API said that the object of this name is not there. A 404 of anything else, such as
/// of a path that some proxy does not know, is no reason to delete.
fn is_gone(error: &Error, name: &str) -> bool {
    let Error::Refused(status) = error else {
        return false;
    };
    let named = status
        .details
        .as_ref()
        .is_some_and(|details| details.name == name);
    status.code == 404 && status.reason == "NotFound" && named
}
