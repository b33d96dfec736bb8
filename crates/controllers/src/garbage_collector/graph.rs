//! Who owns whom, as the watches tell it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use burgee_resources::Resource;
use burgee_wire::{Object, OwnerReference};

use super::{FOREGROUND, has_finalizer};
use crate::Change;
use crate::kinds::is_going;

/// Every object, by UID, and the objects that name it as their owner.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: HashMap<String, Node>,
    /// UIDs of dependents by UID of the owner, whether the owner is known or not.
    dependents: HashMap<String, HashSet<String>>,
}

/// One object.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) resource: &'static Resource,
    pub(super) object: Arc<Object>,
}

impl Node {
    pub(super) fn uid(&self) -> &str {
        &self.object.metadata.uid
    }

    /// Whether its deletion waits for dependents.
    pub(super) fn is_leaving(&self) -> bool {
        is_going(&self.object) && has_finalizer(&self.object, FOREGROUND)
    }

    /// Whether this is what `reference`, standing in `dependent`, means: an owner is looked for in
    /// the dependent's own namespace only.
    pub(super) fn is_meant_by(&self, reference: &OwnerReference, dependent: &Object) -> bool {
        let meta = &self.object.metadata;
        let same_place =
            !self.resource.namespaced || meta.namespace == dependent.metadata.namespace;
        reference.uid == meta.uid
            && reference.name == meta.name
            && reference.kind == self.resource.kind
            && reference.api_version == self.resource.api_version()
            && same_place
    }
}

impl Graph {
    /// Takes a change over. Returns the UIDs of the objects that need a look because of it.
    pub(super) fn observe(&mut self, resource: &'static Resource, change: &Change) -> Vec<String> {
        let (mut old, new) = (change.old.as_ref(), change.new.as_ref());
        let mut looks = Vec::new();
        if let Some(gone) = old
            && new.is_none_or(|new| new.metadata.uid != gone.metadata.uid)
        {
            self.forget(gone, &mut looks);
            old = None;
        }
        if let Some(new) = new {
            self.learn(resource, old, new, &mut looks);
        }
        looks
    }

    /// The object of this UID.
    pub(super) fn find(&self, uid: &str) -> Option<&Node> {
        self.nodes.get(uid)
    }

    /// The objects that name `owner` as their owner and may do so, each with its reference.
    pub(super) fn dependents<'a>(
        &'a self,
        owner: &'a Node,
    ) -> impl Iterator<Item = (&'a Node, &'a OwnerReference)> {
        let uids = self.dependents.get(owner.uid()).into_iter().flatten();
        let nodes = uids.filter_map(|uid| self.nodes.get(uid));
        nodes.filter_map(|node| {
            let mut references = node.object.metadata.owner_references.iter();
            let reference = references.find(|each| owner.is_meant_by(each, &node.object))?;
            Some((node, reference))
        })
    }

    fn forget(&mut self, gone: &Object, looks: &mut Vec<String>) {
        let meta = &gone.metadata;
        self.nodes.remove(&meta.uid);
        self.disconnect(gone, &meta.owner_references);
        looks.extend(
            self.dependents
                .get(&meta.uid)
                .into_iter()
                .flatten()
                .cloned(),
        );
        self.look_at_leaving_owners(gone, looks);
    }

    fn learn(
        &mut self,
        resource: &'static Resource,
        old: Option<&Arc<Object>>,
        new: &Arc<Object>,
        looks: &mut Vec<String>,
    ) {
        let node = Node {
            resource,
            object: Arc::clone(new),
        };
        let is_leaving = node.is_leaving();
        let before = self.nodes.insert(new.metadata.uid.clone(), node);
        if old.is_some_and(|old| !matters(old, new)) {
            return;
        }
        if let Some(old) = old {
            self.disconnect(old, &old.metadata.owner_references);
            self.look_at_leaving_owners(old, looks);
        }
        for reference in &new.metadata.owner_references {
            let dependents = self.dependents.entry(reference.uid.clone()).or_default();
            dependents.insert(new.metadata.uid.clone());
        }
        self.look_at_leaving_owners(new, looks);
        if is_leaving && !before.is_some_and(|before| before.is_leaving()) {
            looks.extend(
                self.dependents
                    .get(&new.metadata.uid)
                    .into_iter()
                    .flatten()
                    .cloned(),
            );
        }
        looks.push(new.metadata.uid.clone());
    }

    fn disconnect(&mut self, dependent: &Object, references: &[OwnerReference]) {
        for reference in references {
            if let Some(dependents) = self.dependents.get_mut(&reference.uid) {
                dependents.remove(&dependent.metadata.uid);
                if dependents.is_empty() {
                    self.dependents.remove(&reference.uid);
                }
            }
        }
    }

    /// An owner that waits for its dependents may no longer have to.
    fn look_at_leaving_owners(&self, dependent: &Object, looks: &mut Vec<String>) {
        for reference in &dependent.metadata.owner_references {
            if self.nodes.get(&reference.uid).is_some_and(Node::is_leaving) {
                looks.push(reference.uid.clone());
            }
        }
    }
}

/// Whether a change can mean anything to the collector; most, such as a lease's renewal, do not.
fn matters(old: &Object, new: &Object) -> bool {
    let (old, new) = (&old.metadata, &new.metadata);
    old.owner_references != new.owner_references
        || old.finalizers != new.finalizers
        || old.deletion_timestamp.is_some() != new.deletion_timestamp.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn object(uid: &str, more: Value) -> Arc<Object> {
        let mut metadata = json!({"name": uid, "namespace": "n", "uid": uid});
        metadata
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        Arc::new(Object::from_value(json!({ "metadata": metadata })).unwrap())
    }

    fn owned(uid: &str, owner: &str) -> Arc<Object> {
        object(uid, json!({"ownerReferences": [reference(owner)]}))
    }

    fn reference(owner: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": owner})
    }

    fn leaving(uid: &str) -> Arc<Object> {
        object(
            uid,
            json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [FOREGROUND]}),
        )
    }

    fn observe(
        graph: &mut Graph,
        old: Option<&Arc<Object>>,
        new: Option<&Arc<Object>>,
    ) -> Vec<String> {
        let resource = crate::kinds::config_maps();
        let mut looks = graph.observe(
            resource,
            &Change {
                old: old.cloned(),
                new: new.cloned(),
            },
        );
        looks.sort();
        looks
    }

    #[test]
    fn an_owners_end_is_its_dependents_business() {
        let mut graph = Graph::default();
        let (owner, child) = (object("o", json!({})), owned("c", "o"));
        assert_eq!(observe(&mut graph, None, Some(&child)), ["c"]);
        assert_eq!(observe(&mut graph, None, Some(&owner)), ["o"]);
        assert_eq!(graph.dependents(graph.find("o").unwrap()).count(), 1);
        assert_eq!(observe(&mut graph, Some(&owner), None), ["c"]);
        assert!(graph.find("o").is_none());
        assert!(observe(&mut graph, Some(&child), None).is_empty());
        assert!(graph.dependents.is_empty() && graph.nodes.is_empty());
    }

    #[test]
    fn a_successor_of_the_same_name_is_not_the_owner() {
        let mut graph = Graph::default();
        let (owner, child) = (object("o", json!({})), owned("c", "o"));
        observe(&mut graph, None, Some(&owner));
        observe(&mut graph, None, Some(&child));
        let successor = object("o", json!({"uid": "o2"}));
        assert_eq!(
            observe(&mut graph, Some(&owner), Some(&successor)),
            ["c", "o2"]
        );
        assert_eq!(graph.dependents(graph.find("o2").unwrap()).count(), 0);
    }

    #[test]
    fn what_begins_to_leave_concerns_its_dependents_once_and_they_concern_it() {
        let mut graph = Graph::default();
        let (owner, child) = (object("o", json!({})), owned("c", "o"));
        observe(&mut graph, None, Some(&owner));
        observe(&mut graph, None, Some(&child));
        let gone = leaving("o");
        assert_eq!(observe(&mut graph, Some(&owner), Some(&gone)), ["c", "o"]);
        assert!(observe(&mut graph, Some(&gone), Some(&gone)).is_empty());
        let freed = object("c", json!({}));
        assert_eq!(observe(&mut graph, Some(&child), Some(&freed)), ["c", "o"]);
        assert_eq!(graph.dependents(graph.find("o").unwrap()).count(), 0);
    }

    #[test]
    fn changes_of_anything_else_need_no_look() {
        let mut graph = Graph::default();
        let child = owned("c", "o");
        observe(&mut graph, None, Some(&child));
        let renewed = object(
            "c",
            json!({"ownerReferences": [reference("o")], "labels": {"a": "b"}}),
        );
        assert!(observe(&mut graph, Some(&child), Some(&renewed)).is_empty());
        assert_eq!(graph.find("c").unwrap().object.metadata.labels.len(), 1);
    }

    #[test]
    fn a_reference_means_an_owner_in_its_own_namespace_and_of_its_own_kind() {
        let owner = Node {
            resource: crate::kinds::config_maps(),
            object: object("o", json!({})),
        };
        let dependent = owned("c", "o");
        let meant = &dependent.metadata.owner_references[0];
        assert!(owner.is_meant_by(meant, &dependent));
        let elsewhere = object("c", json!({"namespace": "other"}));
        assert!(!owner.is_meant_by(meant, &elsewhere));
        for (member, value) in [
            ("kind", "Secret"),
            ("name", "x"),
            ("apiVersion", "v2"),
            ("uid", "x"),
        ] {
            let mut wrong = reference("o");
            wrong[member] = value.into();
            let wrong: OwnerReference = serde_json::from_value(wrong).unwrap();
            assert!(!owner.is_meant_by(&wrong, &dependent), "{member}");
        }
        let cluster = Node {
            resource: crate::kinds::namespaces(),
            object: object("o", json!({"namespace": ""})),
        };
        let mut reference = reference("o");
        reference["kind"] = "Namespace".into();
        assert!(cluster.is_meant_by(&serde_json::from_value(reference).unwrap(), &dependent));
    }
}
