//! What every namespace gets.

use burgee_controllers::{AuthenticationTrust, Controller, RequestHeaderTrust};
use serde_json::json;

use crate::support::{CA, Cluster};

const CONTROLLERS: &[Controller] = &[Controller::DefaultServiceAccount, Controller::RootCa];
const DATA: [&str; 2] = ["data", "ca.crt"];

#[tokio::test]
async fn when_ready_every_namespace_has_its_service_account_and_certificate_authority() {
    let cluster = Cluster::start(CONTROLLERS).await;
    for namespace in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        assert!(
            cluster
                .find("serviceaccounts", namespace, "default")
                .await
                .is_some()
        );
        let published = cluster
            .find("configmaps", namespace, "kube-root-ca.crt")
            .await
            .unwrap();
        assert_eq!(published.text(&DATA), CA);
        assert!(
            published
                .metadata
                .annotations
                .contains_key("kubernetes.io/description")
        );
    }
}

#[tokio::test]
async fn a_new_namespace_gets_both() {
    let cluster = Cluster::start(CONTROLLERS).await;
    cluster.namespace("n").await;
    cluster
        .until("serviceaccounts", "n", "default", |_| true)
        .await;
    cluster
        .until("configmaps", "n", "kube-root-ca.crt", |_| true)
        .await;
}

#[tokio::test]
async fn what_is_deleted_comes_back() {
    let cluster = Cluster::start(CONTROLLERS).await;
    for (plural, name) in [
        ("serviceaccounts", "default"),
        ("configmaps", "kube-root-ca.crt"),
    ] {
        let first = cluster.find(plural, "default", name).await.unwrap();
        cluster.delete(plural, "default", name).await;
        let is_new = |object: &burgee_wire::Object| object.metadata.uid != first.metadata.uid;
        cluster.until(plural, "default", name, is_new).await;
    }
}

#[tokio::test]
async fn a_changed_certificate_authority_is_put_right_and_labels_stay() {
    let cluster = Cluster::start(CONTROLLERS).await;
    let change = json!({
        "metadata": {"labels": {"mine": "yes"}, "annotations": {"kubernetes.io/description": null}},
        "data": {"ca.crt": null, "other": "x"},
        "binaryData": {"ca.crt": "AA=="},
    });
    cluster
        .merge("configmaps", "default", "kube-root-ca.crt", change)
        .await;
    let right = cluster
        .until("configmaps", "default", "kube-root-ca.crt", |found| {
            found.text(&DATA) == CA
        })
        .await;
    assert_eq!(right.at(&["data"]), Some(&json!({"ca.crt": CA})));
    assert_eq!(right.metadata.labels["mine"], "yes");
    assert!(!right.metadata.annotations["kubernetes.io/description"].is_empty());
}

#[tokio::test]
async fn what_authentication_trusts_is_published_followed_and_put_right() {
    const NAME: &str = "extension-apiserver-authentication";
    let cluster = Cluster::start(&[Controller::AuthenticationTrust]).await;
    let published = cluster.find("configmaps", "kube-system", NAME).await;
    assert_eq!(published.unwrap().at(&["data"]), None);

    cluster.trusting.send_replace(AuthenticationTrust {
        client_ca: Some(CA.to_owned()),
        request_header: Some(RequestHeaderTrust {
            client_ca: "proxies".to_owned(),
            username_headers: vec!["X-Remote-User".to_owned()],
            ..RequestHeaderTrust::default()
        }),
    });
    let expected = json!({
        "client-ca-file": CA,
        "requestheader-allowed-names": "[]",
        "requestheader-client-ca-file": "proxies",
        "requestheader-extra-headers-prefix": "[]",
        "requestheader-group-headers": "[]",
        "requestheader-uid-headers": "[]",
        "requestheader-username-headers": "[\"X-Remote-User\"]",
    });
    let is_expected = |found: &burgee_wire::Object| found.at(&["data"]) == Some(&expected);
    cluster
        .until("configmaps", "kube-system", NAME, is_expected)
        .await;

    let change = json!({"data": {"client-ca-file": "mine", "requestheader-allowed-names": null}});
    cluster
        .merge("configmaps", "kube-system", NAME, change)
        .await;
    cluster
        .until("configmaps", "kube-system", NAME, is_expected)
        .await;
    cluster.delete("configmaps", "kube-system", NAME).await;
    cluster
        .until("configmaps", "kube-system", NAME, is_expected)
        .await;

    cluster
        .trusting
        .send_replace(AuthenticationTrust::default());
    let is_empty = |found: &burgee_wire::Object| found.at(&["data"]).is_none();
    cluster
        .until("configmaps", "kube-system", NAME, is_empty)
        .await;
}
