//! Reading: tables, other formats, selection, pages, watching.

use burgee_testkit::normalize;

use super::{rows, start};

#[test]
fn a_new_server_has_the_namespaces_of_every_cluster() {
    let (_server, kubectl) = start();
    assert_eq!(
        normalize(&kubectl.run("get ns").ok()),
        "NAME              STATUS   AGE\n\
         default           Active   AGE\n\
         kube-node-lease   Active   AGE\n\
         kube-public       Active   AGE\n\
         kube-system       Active   AGE\n"
    );
}

#[test]
fn every_type_that_can_be_listed_is_listed_in_all_namespaces() {
    let (_server, kubectl) = start();
    let types = kubectl.run("api-resources --verbs=list -o name").ok();
    let types: Vec<_> = types.lines().collect();
    for expected in [
        "configmaps",
        "secrets",
        "serviceaccounts",
        "roles.rbac.authorization.k8s.io",
    ] {
        assert!(
            types.contains(&expected),
            "{expected} is not among {types:?}"
        );
    }
    let all = kubectl
        .run(&format!("get {} -A --show-kind", types.join(",")))
        .ok();
    assert!(all.contains("namespace/default"), "{all}");
    assert!(
        all.contains("clusterrole.rbac.authorization.k8s.io/cluster-admin"),
        "{all}"
    );
}

#[test]
fn service_accounts_stand_in_their_table() {
    let (_server, kubectl) = start();
    kubectl.run("create ns work").ok();
    kubectl.run("create sa robot -n work").ok();
    assert_eq!(
        normalize(&kubectl.run("get sa robot -n work").ok()),
        "NAME    AGE\nrobot   AGE\n"
    );
    let wide = kubectl
        .run("get sa robot -n work -o wide --show-labels")
        .ok();
    assert_eq!(
        rows(&normalize(&wide)),
        ["NAME AGE LABELS", "robot AGE <none>"]
    );
}

#[test]
fn a_secret_is_written_and_read_back_whole() {
    let (_server, kubectl) = start();
    let created = kubectl
        .run("create secret generic db --from-literal=password=s3cr3t")
        .ok();
    assert_eq!(created, "secret/db created\n");
    assert_eq!(
        normalize(&kubectl.run("get secret db -o yaml").ok()),
        "apiVersion: v1\n\
         data:\n  \
           password: czNjcjN0\n\
         kind: Secret\n\
         metadata:\n  \
           creationTimestamp: \"TIME\"\n  \
           name: db\n  \
           namespace: default\n  \
           resourceVersion: \"VERSION\"\n  \
           uid: UID\n\
         type: Opaque\n"
    );
    let table = normalize(&kubectl.run("get secret db").ok());
    assert_eq!(rows(&table), ["NAME TYPE DATA AGE", "db Opaque 1 AGE"]);
}

#[test]
fn a_docker_registry_secret_has_its_type() {
    let (_server, kubectl) = start();
    let create = "create secret docker-registry pull --docker-username=u --docker-password=p";
    kubectl.run(create).ok();
    let kind = kubectl.run("get secret pull -o jsonpath={.type}").ok();
    assert_eq!(kind, "kubernetes.io/dockerconfigjson");
}

#[test]
fn output_can_have_any_form() {
    let (_server, kubectl) = start();
    kubectl
        .run("create cm settings --from-literal=color=red")
        .ok();
    let get = |form: &str| kubectl.run(&format!("get cm settings {form}")).ok();
    assert_eq!(get("-o name"), "configmap/settings\n");
    assert_eq!(get("-o jsonpath={.data.color}"), "red");
    assert_eq!(get("-o go-template={{.metadata.namespace}}"), "default");
    assert_eq!(
        get("-o custom-columns=N:.metadata.name --no-headers"),
        "settings\n"
    );
    assert_eq!(
        rows(&normalize(&get("-o wide"))),
        ["NAME DATA AGE", "settings 1 AGE"]
    );
    let json: serde_json::Value = serde_json::from_str(&get("-o json")).unwrap();
    assert_eq!(json["kind"], "ConfigMap");
}

#[test]
fn lists_are_selected_sorted_and_read_in_pages() {
    let (_server, kubectl) = start();
    for (name, app) in [("c", "web"), ("a", "web"), ("b", "db")] {
        kubectl.run(&format!("create cm {name}")).ok();
        kubectl.run(&format!("label cm {name} app={app}")).ok();
    }
    let get = |how: &str| kubectl.run(&format!("get cm {how} -o name")).ok();
    assert_eq!(get("-l app=web"), "configmap/a\nconfigmap/c\n");
    assert_eq!(get("-l 'app notin (web),app'"), "configmap/b\n");
    assert_eq!(get("--field-selector metadata.name=c"), "configmap/c\n");
    assert_eq!(
        get("-l app --chunk-size=1"),
        "configmap/a\nconfigmap/b\nconfigmap/c\n"
    );
    let sorted = get("-l app --sort-by={.metadata.creationTimestamp}");
    assert_eq!(sorted.lines().count(), 3);
}

#[test]
fn what_is_not_there_is_said_to_be_not_there() {
    let (_server, kubectl) = start();
    assert_eq!(
        kubectl.run("get cm nothing").fails(1),
        "Error from server (NotFound): configmaps \"nothing\" not found\n"
    );
    assert_eq!(
        kubectl.run("get nothing").fails(1),
        "error: the server doesn't have a resource type \"nothing\"\n"
    );
    let empty = kubectl.run("get roles");
    assert_eq!(empty.stderr, "No resources found in default namespace.\n");
}

#[test]
fn a_watch_shows_what_happens() {
    let (_server, kubectl) = start();
    let watch = kubectl.start("get cm -l app=web -w --output-watch-events --no-headers");
    let manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {app: web}}}";
    kubectl.run_with_input("create -f -", manifest).ok();
    assert_eq!(rows(&normalize(&watch.hear())), ["ADDED a 0 AGE"]);
    kubectl.run("patch cm a -p '{\"data\":{\"k\":\"v\"}}'").ok();
    assert_eq!(rows(&normalize(&watch.hear())), ["MODIFIED a 1 AGE"]);
    // What no longer matches is gone, as seen through the selector.
    kubectl.run("label cm a app=db --overwrite").ok();
    assert_eq!(rows(&normalize(&watch.hear())), ["DELETED a 1 AGE"]);
    kubectl.run("label cm a app=web --overwrite").ok();
    assert_eq!(rows(&normalize(&watch.hear())), ["ADDED a 1 AGE"]);
    kubectl.run("delete cm a").ok();
    assert_eq!(rows(&normalize(&watch.hear())), ["DELETED a 1 AGE"]);
}

#[test]
fn wait_ends_when_its_condition_holds() {
    let (_server, kubectl) = start();
    kubectl.run("create cm job --from-literal=state=new").ok();
    let wait = kubectl.start("wait cm/job --for=jsonpath={.data.state}=done --timeout=60s");
    kubectl
        .run("patch cm job -p '{\"data\":{\"state\":\"done\"}}'")
        .ok();
    assert_eq!(wait.hear(), "configmap/job condition met");
    assert_eq!(wait.finish(), 0);
}
