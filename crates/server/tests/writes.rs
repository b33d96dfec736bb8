//! Who may write what, and what writes leave behind, through the server's whole stack but the socket.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::sync::Arc;

use burgee_identity::{SystemClock, UserInfo};
use burgee_jose::{Algorithm, PrivateKey, SigningKey};
use burgee_server::{Config, Server, ServingCertificate};
use burgee_store::{EmbeddedOptions, EmbeddedStore};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// A server without clients.
struct Cluster {
    server: Server,
    _directory: tempfile::TempDir,
}

impl Cluster {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path(), EmbeddedOptions::default()).unwrap();
        let tls = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(tls.signing_key.serialize_der());
        let certificate = ServingCertificate::new(vec![tls.cert.der().clone()], key.unwrap());
        let signing_key = SigningKey::new(PrivateKey::generate(Algorithm::Es256).unwrap());
        let issuer = "https://kubernetes.default.svc";
        let certificate = Arc::new(certificate.unwrap());
        let config = Config::new(Vec::new(), certificate, issuer, Arc::new(signing_key));
        let clock = Arc::new(SystemClock::new());
        let server = Server::start(config, Arc::new(store), clock).await.unwrap();
        Self {
            server,
            _directory: directory,
        }
    }

    async fn send(&self, user: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
        let kind = match method {
            Method::PATCH if path.contains("fieldManager") => "application/apply-patch+yaml",
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request::builder().method(method).uri(path);
        let request = request
            .header("content-type", kind)
            .body(body.into())
            .unwrap();
        let groups: &[&str] = if user == "admin" {
            &["system:masters"]
        } else {
            &[]
        };
        let user = UserInfo::named(user).with_groups(groups.iter().copied());
        let answer = self
            .server
            .local_client()
            .send(request, Arc::new(user))
            .await;
        let code = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn admin(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.send("admin", method, path, body).await
    }

    /// Lets a user do this in a namespace.
    async fn allow(&self, user: &str, namespace: &str, rule: Value) {
        let roles = format!("{RBAC}/namespaces/{namespace}/roles");
        let role = json!({"metadata": {"name": user}, "rules": [rule]});
        assert_eq!(self.admin(Method::POST, &roles, role).await.0, 201);
        let bindings = format!("{RBAC}/namespaces/{namespace}/rolebindings");
        let binding = json!({"metadata": {"name": user},
            "subjects": [{"kind": "User", "name": user}], "roleRef": {"kind": "Role", "name": user}});
        assert_eq!(self.admin(Method::POST, &bindings, binding).await.0, 201);
    }
}

#[tokio::test]
async fn a_grant_in_one_namespace_reaches_no_other_through_a_nested_path() {
    let cluster = Cluster::start().await;
    let everything = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
    cluster.allow("owner", "default", everything).await;
    let nested = "/api/v1/namespaces/default/namespaces";
    let table = [
        (Method::GET, String::new(), Value::Null),
        (Method::GET, "?watch=1&timeoutSeconds=1".into(), Value::Null),
        (Method::GET, "/kube-public".into(), Value::Null),
        (
            Method::POST,
            String::new(),
            json!({"metadata": {"name": "mine"}}),
        ),
        (
            Method::PATCH,
            "/kube-public".into(),
            json!({"metadata": {"labels": {"a": "b"}}}),
        ),
        (
            Method::PUT,
            "/kube-public/finalize".into(),
            json!({"metadata": {"name": "kube-public"}}),
        ),
        (Method::DELETE, "/kube-node-lease".into(), Value::Null),
        (Method::DELETE, "/default".into(), Value::Null),
    ];
    for (method, rest, body) in table {
        let (code, _) = cluster
            .send("owner", method.clone(), &format!("{nested}{rest}"), body)
            .await;
        assert_eq!(code, 404, "{method} {rest}");
    }
    let (code, _) = cluster
        .send(
            "owner",
            Method::GET,
            "/api/v1/namespaces/default",
            Value::Null,
        )
        .await;
    assert_eq!(code, 200);
}

#[tokio::test]
async fn leave_to_patch_or_update_is_no_leave_to_create() {
    let cluster = Cluster::start().await;
    let rule = json!({"apiGroups": ["", "coordination.k8s.io"], "resources": ["configmaps", "leases"],
        "verbs": ["patch", "update"]});
    cluster.allow("patcher", "default", rule).await;
    let path = format!("{CONFIG_MAPS}/new?fieldManager=me");
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}});
    let (code, status) = cluster
        .send("patcher", Method::PATCH, &path, body.clone())
        .await;
    assert_eq!(code, 403, "{status}");
    let expected = r#"configmaps "new" is forbidden: User "patcher" cannot create resource "configmaps" in API group "" in the namespace "default""#;
    assert_eq!(status["message"], expected);

    let lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/new";
    let (code, _) = cluster
        .send(
            "patcher",
            Method::PUT,
            lease,
            json!({"metadata": {"name": "new"}}),
        )
        .await;
    assert_eq!(code, 403);

    // What is there may be changed.
    assert_eq!(
        cluster.admin(Method::PATCH, &path, body.clone()).await.0,
        201
    );
    assert_eq!(
        cluster.send("patcher", Method::PATCH, &path, body).await.0,
        200
    );
}

#[tokio::test]
async fn an_update_brings_no_deleted_object_back() {
    let cluster = Cluster::start().await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let (_, lease) = cluster
        .admin(Method::POST, leases, json!({"metadata": {"name": "l"}}))
        .await;
    let path = format!("{leases}/l");
    assert_eq!(
        cluster.admin(Method::DELETE, &path, Value::Null).await.0,
        200
    );
    let (code, status) = cluster.admin(Method::PUT, &path, lease).await;
    assert_eq!(code, 409, "{status}");
    // Without a claim to be the old one it is a new one.
    assert_eq!(
        cluster
            .admin(Method::PUT, &path, json!({"metadata": {"name": "l"}}))
            .await
            .0,
        201
    );
}

#[tokio::test]
async fn appliers_that_create_at_the_same_time_all_succeed() {
    let cluster = Cluster::start().await;
    let apply = |manager: usize| {
        let cluster = &cluster;
        async move {
            let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"},
                "data": {(format!("k{manager}")): "v"}});
            let path = format!("{CONFIG_MAPS}/shared?fieldManager=m{manager}");
            cluster.admin(Method::PATCH, &path, body).await
        }
    };
    let answers = futures_util::future::join_all((0..8).map(apply)).await;
    let codes: Vec<_> = answers.iter().map(|(code, _)| *code).collect();
    assert!(
        codes.iter().all(|code| matches!(code, 200 | 201)),
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == 201).count(),
        1,
        "{codes:?}"
    );
    let (_, object) = cluster
        .admin(Method::GET, &format!("{CONFIG_MAPS}/shared"), Value::Null)
        .await;
    assert_eq!(object["data"].as_object().unwrap().len(), 8);
}

#[tokio::test]
async fn a_pod_with_an_endless_grace_period_can_still_be_deleted() {
    let cluster = Cluster::start().await;
    let (_, _) = cluster
        .admin(
            Method::POST,
            "/api/v1/nodes",
            json!({"metadata": {"name": "n"}}),
        )
        .await;
    let pods = "/api/v1/namespaces/default/pods";
    let pod = json!({"metadata": {"name": "p"},
        "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}});
    assert_eq!(cluster.admin(Method::POST, pods, pod).await.0, 201);
    let path = format!("{pods}/p");
    let endless = json!({"gracePeriodSeconds": i64::MAX});
    assert_eq!(cluster.admin(Method::DELETE, &path, endless).await.0, 200);
    let (code, gone) = cluster
        .admin(Method::DELETE, &path, json!({"gracePeriodSeconds": 0}))
        .await;
    assert_eq!((code, gone["kind"].as_str()), (200, Some("Pod")));
    assert_eq!(cluster.admin(Method::GET, &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_pod_on_a_node_that_is_not_there_goes_at_once() {
    let cluster = Cluster::start().await;
    let pods = "/api/v1/namespaces/default/pods";
    let pod = json!({"metadata": {"name": "p"},
        "spec": {"nodeName": "nowhere", "containers": [{"name": "c", "image": "i"}]}});
    assert_eq!(cluster.admin(Method::POST, pods, pod).await.0, 201);
    let path = format!("{pods}/p");
    assert_eq!(
        cluster.admin(Method::DELETE, &path, Value::Null).await.0,
        200
    );
    assert_eq!(cluster.admin(Method::GET, &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn deleting_a_terminating_namespace_again_changes_nothing() {
    let cluster = Cluster::start().await;
    let namespace = json!({"metadata": {"name": "n"}});
    assert_eq!(
        cluster
            .admin(Method::POST, "/api/v1/namespaces", namespace)
            .await
            .0,
        201
    );
    let (_, first) = cluster
        .admin(Method::DELETE, "/api/v1/namespaces/n", Value::Null)
        .await;
    let (_, again) = cluster
        .admin(Method::DELETE, "/api/v1/namespaces/n", Value::Null)
        .await;
    assert_eq!(first["metadata"], again["metadata"]);
    assert_eq!(again["status"]["phase"], "Terminating");
}

#[tokio::test]
async fn patches_that_interfere_are_repeated_unless_they_name_a_version() {
    let cluster = Cluster::start().await;
    let (_, object) = cluster
        .admin(
            Method::POST,
            CONFIG_MAPS,
            json!({"metadata": {"name": "c"}}),
        )
        .await;
    let patch = |key: usize| {
        let cluster = &cluster;
        let body = json!({"data": {(format!("k{key}")): "v"}});
        async move {
            cluster
                .admin(Method::PATCH, &format!("{CONFIG_MAPS}/c"), body)
                .await
                .0
        }
    };
    let codes = futures_util::future::join_all((0..6).map(patch)).await;
    assert_eq!(codes, [200; 6]);
    let stale = json!({"metadata": {"resourceVersion": object["metadata"]["resourceVersion"]}, "data": {"x": "y"}});
    let (code, _) = cluster
        .admin(Method::PATCH, &format!("{CONFIG_MAPS}/c"), stale)
        .await;
    assert_eq!(code, 409);
}
