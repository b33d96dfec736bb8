//! Starting, stopping, and a server that does either meanwhile.

use std::time::Duration;

use burgee_controllers::Controller;
use serde_json::json;

use crate::support::Cluster;

#[tokio::test]
async fn controllers_go_on_when_the_server_was_restarted() {
    let mut cluster = Cluster::start(&Controller::ALL).await;
    let owner = json!({"metadata": {"name": "owner", "namespace": "default"}});
    let owner = cluster.create("configmaps", owner).await;
    cluster.stop_server().await;
    cluster.start_server().await;
    cluster.namespace("after").await;
    cluster
        .until("serviceaccounts", "after", "default", |_| true)
        .await;
    cluster
        .until("configmaps", "after", "kube-root-ca.crt", |_| true)
        .await;
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid});
    let child = json!({"metadata": {"name": "child", "namespace": "default", "ownerReferences": [reference]}});
    cluster.create("configmaps", child).await;
    cluster.delete("configmaps", "default", "owner").await;
    cluster.until_gone("configmaps", "default", "child").await;
    cluster.delete("namespaces", "", "after").await;
    cluster.until_gone("namespaces", "", "after").await;
}

#[tokio::test]
async fn they_stop_when_told() {
    let cluster = Cluster::start(&Controller::ALL).await;
    assert!(cluster.running.is_ready());
    cluster.stop.cancel();
    let finished = tokio::time::timeout(Duration::from_secs(60), cluster.running.finished()).await;
    finished
        .expect("they stop")
        .expect("none of them is defective");
}

#[tokio::test]
async fn they_stop_even_when_there_is_no_server() {
    let mut cluster = Cluster::start(&Controller::ALL).await;
    cluster.stop_server().await;
    cluster.stop.cancel();
    let finished = tokio::time::timeout(Duration::from_secs(60), cluster.running.finished()).await;
    finished
        .expect("they stop")
        .expect("none of them is defective");
}
