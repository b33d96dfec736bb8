//! kube-rs.

use burgee_testkit::{DEADLINE, Server, claims};
use futures_util::{Stream, StreamExt as _};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Api, Client, Config, Error, ResourceExt as _};
use serde_json::json;

async fn client(server: &Server) -> Client {
    let file = Kubeconfig::read_from(server.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

/// What happened next, passing over broken connections, which the watcher mends itself.
async fn next(
    events: &mut (impl Stream<Item = Result<Event<ConfigMap>, watcher::Error>> + Unpin),
) -> Event<ConfigMap> {
    let next = async {
        loop {
            if let Ok(event) = events.next().await.expect("a watch does not end") {
                return event;
            }
        }
    };
    tokio::time::timeout(DEADLINE, next)
        .await
        .expect("something happens in time")
}

#[tokio::test]
async fn objects_are_created_read_changed_and_deleted() {
    let server = Server::start();
    let client = client(&server).await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let paint: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "paint"}, "data": {"color": "red"}}))
            .unwrap();
    let created = maps.create(&PostParams::default(), &paint).await.unwrap();
    assert!(created.uid().is_some());
    match maps.create(&PostParams::default(), &paint).await {
        Err(Error::Api(status)) => {
            assert_eq!((status.code, &*status.reason), (409, "AlreadyExists"))
        }
        other => panic!("{other:?}"),
    }
    let merge = Patch::Merge(json!({"data": {"gloss": "high"}}));
    let patched = maps
        .patch("paint", &PatchParams::default(), &merge)
        .await
        .unwrap();
    assert_eq!(patched.data.unwrap().len(), 2);
    match maps
        .replace("paint", &PostParams::default(), &created)
        .await
    {
        Err(Error::Api(status)) => assert_eq!((status.code, &*status.reason), (409, "Conflict")),
        other => panic!("{other:?}"),
    }
    maps.delete("paint", &DeleteParams::default())
        .await
        .unwrap();
    assert!(maps.get_opt("paint").await.unwrap().is_none());
    let namespaces: Api<Namespace> = Api::all(client);
    assert_eq!(
        namespaces
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        4
    );
}

#[tokio::test]
async fn a_manifest_is_applied_with_its_manager() {
    let server = Server::start();
    let maps: Api<ConfigMap> = Api::default_namespaced(client(&server).await);
    let manifest = |color: &str| {
        Patch::Apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "paint"}, "data": {"color": color},
        }))
    };
    let one = PatchParams::apply("one");
    let applied = maps.patch("paint", &one, &manifest("red")).await.unwrap();
    assert_eq!(applied.managed_fields()[0].manager.as_deref(), Some("one"));
    let two = PatchParams::apply("two");
    match maps.patch("paint", &two, &manifest("blue")).await {
        Err(Error::Api(status)) => assert_eq!((status.code, &*status.reason), (409, "Conflict")),
        other => panic!("{other:?}"),
    }
    let forced = maps
        .patch("paint", &two.force(), &manifest("blue"))
        .await
        .unwrap();
    assert_eq!(forced.data.unwrap()["color"], "blue");
}

#[tokio::test]
async fn a_token_is_requested() {
    let server = Server::start();
    let accounts: Api<ServiceAccount> = Api::default_namespaced(client(&server).await);
    let robot = serde_json::from_value(json!({"metadata": {"name": "robot"}})).unwrap();
    accounts
        .create(&PostParams::default(), &robot)
        .await
        .unwrap();
    let request: TokenRequest =
        serde_json::from_value(json!({"spec": {"audiences": ["vault"]}})).unwrap();
    let issued = accounts
        .create_token_request("robot", &PostParams::default(), &request)
        .await
        .unwrap();
    let claims = claims(&issued.status.unwrap().token.unwrap());
    assert_eq!(claims["aud"], json!(["vault"]));
}

#[tokio::test]
async fn a_watcher_lists_watches_and_survives_a_killed_server() {
    let mut server = Server::start();
    let maps: Api<ConfigMap> = Api::default_namespaced(client(&server).await);
    let config = watcher::Config::default().labels("app=web");
    let backoff = watcher::DefaultBackoff::default();
    let mut events = std::pin::pin!(watch(maps, config).backoff(backoff));
    let create = |server: &Server, name: &str| {
        let manifest = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"app": "web"}},
        });
        server
            .kubectl()
            .run_with_input("create -f -", &manifest.to_string())
            .ok();
    };
    create(&server, "a");
    assert!(matches!(next(&mut events).await, Event::Init));
    assert!(matches!(next(&mut events).await, Event::InitApply(map) if map.name_any() == "a"));
    assert!(matches!(next(&mut events).await, Event::InitDone));
    create(&server, "b");
    assert!(matches!(next(&mut events).await, Event::Apply(map) if map.name_any() == "b"));

    server.kill();
    server.launch();
    create(&server, "c");
    assert!(matches!(next(&mut events).await, Event::Apply(map) if map.name_any() == "c"));
    server.kubectl().run("delete cm a").ok();
    assert!(matches!(next(&mut events).await, Event::Delete(map) if map.name_any() == "a"));
}

#[tokio::test]
async fn a_watch_can_begin_with_what_is_there() {
    let server = Server::start();
    server.kubectl().run("create cm a").ok();
    let maps: Api<ConfigMap> = Api::default_namespaced(client(&server).await);
    let config = watcher::Config::default()
        .fields("metadata.name=a")
        .streaming_lists();
    let mut events = std::pin::pin!(watch(maps, config));
    assert!(matches!(next(&mut events).await, Event::Init));
    assert!(matches!(next(&mut events).await, Event::InitApply(map) if map.name_any() == "a"));
    assert!(matches!(next(&mut events).await, Event::InitDone));
}
