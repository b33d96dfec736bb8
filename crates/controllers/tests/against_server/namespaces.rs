//! The end of namespaces.

use burgee_controllers::Controller;
use burgee_wire::Object;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::support::Cluster;

fn object(namespace: &str, name: &str, finalizers: &[&str]) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace, "finalizers": finalizers}})
}

fn pod(namespace: &str, name: &str, finalizers: &[&str]) -> Value {
    let mut pod = object(namespace, name, finalizers);
    // A pod on a node is given time to end; a namespace's end is not that patient.
    pod["spec"] = json!({"nodeName": "node", "containers": [{"name": "c", "image": "i"}]});
    pod
}

/// The reason of the condition of this type.
fn reason(namespace: &Object, kind: &str) -> String {
    let conditions = namespace
        .at(&["status", "conditions"])
        .and_then(Value::as_array);
    let found = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == kind);
    found
        .map(|condition| condition["reason"].as_str().unwrap().to_owned())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_namespace_with_thousands_of_objects_goes_and_takes_all_of_them_along() {
    let cluster = Cluster::start(&Controller::ALL).await;
    cluster.namespace("n").await;
    let names: Vec<_> = (0..2000).map(|number| format!("o{number}")).collect();
    let plurals = ["configmaps", "secrets"];
    futures_util::stream::iter(&names)
        .enumerate()
        .map(|(number, name)| cluster.create(plurals[number % 2], object("n", name, &[])))
        .buffer_unordered(64)
        .for_each(|_| async {})
        .await;
    cluster.create("pods", pod("n", "p", &[])).await;
    let role_ref = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"});
    let mut binding = object("n", "b", &[]);
    binding["roleRef"] = role_ref;
    cluster.create("rolebindings", binding).await;
    cluster.create("leases", object("n", "l", &[])).await;
    cluster.namespace("untouched").await;
    cluster
        .create("configmaps", object("untouched", "c", &[]))
        .await;

    cluster.delete("namespaces", "", "n").await;
    cluster.until_gone("namespaces", "", "n").await;
    for plural in [
        "configmaps",
        "secrets",
        "pods",
        "rolebindings",
        "leases",
        "serviceaccounts",
    ] {
        assert_eq!(cluster.count(plural, "n").await, 0, "{plural}");
    }
    assert!(cluster.find("configmaps", "untouched", "c").await.is_some());
}

#[tokio::test]
async fn a_namespace_waits_for_finalizers_and_says_so() {
    let cluster = Cluster::start(&[Controller::NamespaceLifecycle]).await;
    cluster.namespace("n").await;
    cluster
        .create("configmaps", object("n", "held", &["example.com/hold"]))
        .await;
    cluster.create("configmaps", object("n", "free", &[])).await;
    cluster.delete("namespaces", "", "n").await;
    let told = cluster
        .until("namespaces", "", "n", |namespace| {
            !reason(namespace, "NamespaceFinalizersRemaining").is_empty()
        })
        .await;
    assert_eq!(told.text(&["status", "phase"]), "Terminating");
    assert_eq!(
        reason(&told, "NamespaceFinalizersRemaining"),
        "SomeFinalizersRemain"
    );
    assert_eq!(
        reason(&told, "NamespaceContentRemaining"),
        "SomeResourcesRemain"
    );
    assert_eq!(
        reason(&told, "NamespaceDeletionContentFailure"),
        "ContentDeleted"
    );
    assert!(cluster.find("configmaps", "n", "free").await.is_none());

    let release = json!({"metadata": {"finalizers": null}});
    cluster.merge("configmaps", "n", "held", release).await;
    cluster.until_gone("namespaces", "", "n").await;
}

#[tokio::test]
async fn pods_go_before_anything_else() {
    let cluster = Cluster::start(&[Controller::NamespaceLifecycle]).await;
    cluster.namespace("n").await;
    cluster
        .create("pods", pod("n", "p", &["example.com/hold"]))
        .await;
    cluster.create("secrets", object("n", "s", &[])).await;
    cluster.delete("namespaces", "", "n").await;
    let is_told = |namespace: &Object| !reason(namespace, "NamespaceContentRemaining").is_empty();
    cluster.until("namespaces", "", "n", is_told).await;
    assert!(cluster.find("secrets", "n", "s").await.is_some());
    cluster
        .merge("pods", "n", "p", json!({"metadata": {"finalizers": null}}))
        .await;
    cluster.until_gone("namespaces", "", "n").await;
}

#[tokio::test]
async fn a_namespace_that_others_hold_too_is_emptied_and_stays() {
    let cluster = Cluster::start(&Controller::ALL).await;
    let mut namespace = json!({"metadata": {"name": "n"}});
    namespace["spec"] = json!({"finalizers": ["example.com/audit", "kubernetes"]});
    cluster.create("namespaces", namespace).await;
    cluster.delete("namespaces", "", "n").await;
    let others = json!(["example.com/audit"]);
    let is_released = |namespace: &Object| namespace.at(&["spec", "finalizers"]) == Some(&others);
    cluster.until("namespaces", "", "n", is_released).await;
    assert_eq!(cluster.count("configmaps", "n").await, 0);
    assert_eq!(cluster.count("serviceaccounts", "n").await, 0);
}
