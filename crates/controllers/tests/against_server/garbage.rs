//! What becomes of objects whose owners go.

use burgee_controllers::{Controller, Propagation};
use burgee_wire::Object;
use serde_json::{Value, json};

use crate::support::Cluster;

async fn cluster() -> Cluster {
    Cluster::start(&[Controller::GarbageCollector]).await
}

fn config_map(name: &str, owners: &[Value]) -> Value {
    json!({"metadata": {"name": name, "namespace": "default", "ownerReferences": owners}})
}

fn reference(kind: &str, owner: &Object) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "name": owner.metadata.name, "uid": owner.metadata.uid})
}

fn blocking(kind: &str, owner: &Object) -> Value {
    let mut reference = reference(kind, owner);
    reference["blockOwnerDeletion"] = true.into();
    reference
}

fn absent(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": "never-was"})
}

impl Cluster {
    async fn own(&self, name: &str, owners: &[Value]) -> Object {
        self.create("configmaps", config_map(name, owners)).await
    }

    async fn gone(&self, name: &str) {
        self.until_gone("configmaps", "default", name).await;
    }

    async fn there(&self, name: &str) -> Option<Object> {
        self.find("configmaps", "default", name).await
    }

    /// Waits until the collector has done what it had to do before this call.
    async fn collected(&self) {
        self.own("canary", &[absent("x")]).await;
        self.gone("canary").await;
    }

    async fn owners_of(&self, name: &str, count: usize) -> Object {
        let is_right = |found: &Object| found.metadata.owner_references.len() == count;
        self.until("configmaps", "default", name, is_right).await
    }
}

#[tokio::test]
async fn children_and_grandchildren_follow_their_owner() {
    let cluster = cluster().await;
    let owner = cluster.own("owner", &[]).await;
    let child = cluster
        .own("child", &[reference("ConfigMap", &owner)])
        .await;
    cluster
        .own("grandchild", &[reference("ConfigMap", &child)])
        .await;
    cluster.collected().await;
    assert!(cluster.there("grandchild").await.is_some());
    cluster.delete("configmaps", "default", "owner").await;
    cluster.gone("child").await;
    cluster.gone("grandchild").await;
}

#[tokio::test]
async fn one_owner_that_is_left_is_enough() {
    let cluster = cluster().await;
    let first = cluster.own("first", &[]).await;
    let second = cluster.own("second", &[]).await;
    let owners = [
        reference("ConfigMap", &first),
        reference("ConfigMap", &second),
    ];
    cluster.own("child", &owners).await;
    cluster.delete("configmaps", "default", "first").await;
    let child = cluster.owners_of("child", 1).await;
    assert_eq!(child.metadata.owner_references[0].name, "second");
    cluster.delete("configmaps", "default", "second").await;
    cluster.gone("child").await;
}

#[tokio::test]
async fn owners_of_kinds_that_are_not_served_count_as_being_there() {
    let cluster = cluster().await;
    let deployment =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "some-uid"});
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "name": "r", "uid": "u"});
    cluster
        .own("deployed", std::slice::from_ref(&deployment))
        .await;
    cluster.own("reviewed", &[review]).await;
    cluster.own("both", &[deployment, absent("x")]).await;
    let both = cluster.owners_of("both", 1).await;
    assert_eq!(both.metadata.owner_references[0].kind, "Deployment");
    cluster.collected().await;
    assert!(cluster.there("deployed").await.is_some());
    assert!(cluster.there("reviewed").await.is_some());
}

#[tokio::test]
async fn an_owner_in_another_namespace_is_none() {
    let cluster = cluster().await;
    let elsewhere = json!({"metadata": {"name": "owner", "namespace": "kube-system"}});
    let owner = cluster.create("configmaps", elsewhere).await;
    cluster
        .own("child", &[reference("ConfigMap", &owner)])
        .await;
    cluster.gone("child").await;
}

#[tokio::test]
async fn an_owner_of_the_same_name_with_another_uid_is_none() {
    let cluster = cluster().await;
    let first = cluster.own("owner", &[]).await;
    cluster.delete("configmaps", "default", "owner").await;
    cluster.own("owner", &[]).await;
    cluster
        .own("child", &[reference("ConfigMap", &first)])
        .await;
    cluster.gone("child").await;
    assert!(cluster.there("owner").await.is_some());
}

#[tokio::test]
async fn cluster_scoped_objects_own_and_are_owned() {
    let cluster = cluster().await;
    let node = cluster
        .create("nodes", json!({"metadata": {"name": "node"}}))
        .await;
    cluster.own("of-node", &[reference("Node", &node)]).await;
    let namespace =
        json!({"metadata": {"name": "n", "ownerReferences": [reference("Node", &node)]}});
    cluster.create("namespaces", namespace).await;
    // The reference cannot say in which namespace its owner is.
    let nowhere = json!({"metadata": {"name": "kept", "ownerReferences": [absent("x")]}});
    cluster.create("nodes", nowhere).await;
    cluster.collected().await;
    assert!(cluster.there("of-node").await.is_some());
    cluster.delete("nodes", "", "node").await;
    cluster.gone("of-node").await;
    let is_going = |namespace: &Object| namespace.metadata.deletion_timestamp.is_some();
    cluster.until("namespaces", "", "n", is_going).await;
    assert!(cluster.find("nodes", "", "kept").await.is_some());
}

#[tokio::test]
async fn a_foreground_deletion_waits_for_those_that_block_it() {
    let cluster = cluster().await;
    let owner = cluster.own("owner", &[]).await;
    let mut held = config_map("held", &[blocking("ConfigMap", &owner)]);
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    cluster.create("configmaps", held).await;
    cluster.own("child", &[blocking("ConfigMap", &owner)]).await;
    cluster
        .delete_with("configmaps", "owner", Propagation::Foreground)
        .await;
    cluster.gone("child").await;
    cluster.collected().await;
    let waiting = cluster.there("owner").await.unwrap();
    assert_eq!(waiting.metadata.finalizers, ["foregroundDeletion"]);
    let release = json!({"metadata": {"finalizers": null}});
    cluster
        .merge("configmaps", "default", "held", release)
        .await;
    cluster.gone("owner").await;
}

#[tokio::test]
async fn a_foreground_deletion_goes_down_to_the_last_grandchild() {
    let cluster = cluster().await;
    let owner = cluster.own("owner", &[]).await;
    let child = cluster.own("child", &[blocking("ConfigMap", &owner)]).await;
    cluster
        .own("grandchild", &[blocking("ConfigMap", &child)])
        .await;
    cluster.collected().await;
    cluster
        .delete_with("configmaps", "owner", Propagation::Foreground)
        .await;
    cluster.gone("owner").await;
    assert!(cluster.there("child").await.is_none());
    assert!(cluster.there("grandchild").await.is_none());
}

#[tokio::test]
async fn a_foreground_deletion_leaves_what_another_owner_needs() {
    let cluster = cluster().await;
    let owner = cluster.own("owner", &[]).await;
    let other = cluster.own("other", &[]).await;
    let owners = [blocking("ConfigMap", &owner), blocking("ConfigMap", &other)];
    cluster.own("child", &owners).await;
    cluster
        .delete_with("configmaps", "owner", Propagation::Foreground)
        .await;
    cluster.gone("owner").await;
    let child = cluster.owners_of("child", 1).await;
    assert_eq!(child.metadata.owner_references[0].name, "other");
}

#[tokio::test]
async fn those_that_own_one_another_do_not_wait_for_ever() {
    let cluster = cluster().await;
    let one = cluster.own("one", &[]).await;
    let two = cluster.own("two", &[blocking("ConfigMap", &one)]).await;
    let circle = json!({"metadata": {"ownerReferences": [blocking("ConfigMap", &two)]}});
    cluster.merge("configmaps", "default", "one", circle).await;
    cluster.collected().await;
    cluster
        .delete_with("configmaps", "one", Propagation::Foreground)
        .await;
    cluster.gone("one").await;
    cluster.gone("two").await;
}

#[tokio::test]
async fn orphans_stay_and_forget_their_owner() {
    let cluster = cluster().await;
    let owner = cluster.own("owner", &[]).await;
    let other = cluster.own("other", &[]).await;
    cluster
        .own("child", &[reference("ConfigMap", &owner)])
        .await;
    let owners = [
        reference("ConfigMap", &owner),
        reference("ConfigMap", &other),
    ];
    cluster.own("shared", &owners).await;
    cluster.collected().await;
    cluster
        .delete_with("configmaps", "owner", Propagation::Orphan)
        .await;
    cluster.gone("owner").await;
    cluster.collected().await;
    let child = cluster.there("child").await.unwrap();
    assert_eq!(child.metadata.owner_references, []);
    let shared = cluster.there("shared").await.unwrap();
    assert_eq!(shared.metadata.owner_references[0].name, "other");
}
