//! Deleting: with and without finalizers, many at once, whole namespaces.

use burgee_testkit::{Kubectl, eventually};

use super::start;

const HELD: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: held
  finalizers: [example.com/hold]
";

fn is_being_deleted(kubectl: &Kubectl) -> Option<()> {
    let time = kubectl
        .run("get cm held -o jsonpath={.metadata.deletionTimestamp}")
        .ok();
    (!time.is_empty()).then_some(())
}

#[test]
fn what_is_deleted_is_gone() {
    let (_server, kubectl) = start();
    kubectl.run("create cm a").ok();
    assert_eq!(
        kubectl.run("delete cm a").ok(),
        "configmap \"a\" deleted from default namespace\n"
    );
    let again = kubectl.run("delete cm a").fails(1);
    assert_eq!(
        again,
        "Error from server (NotFound): configmaps \"a\" not found\n"
    );
    assert_eq!(kubectl.run("delete cm a --ignore-not-found").ok(), "");
}

#[test]
fn a_finalizer_holds_an_object_until_it_is_removed() {
    let (_server, kubectl) = start();
    kubectl.run_with_input("create -f -", HELD).ok();
    let delete = kubectl.start("delete cm held --wait");
    eventually("the deletion to begin", || is_being_deleted(&kubectl));
    kubectl
        .run("patch cm held --type=merge -p '{\"metadata\":{\"finalizers\":null}}'")
        .ok();
    assert_eq!(delete.finish(), 0);
    kubectl
        .run("get cm held")
        .fails(1)
        .contains("NotFound")
        .then_some(())
        .unwrap();
}

#[test]
fn without_waiting_the_object_is_marked_and_wait_sees_its_end() {
    let (_server, kubectl) = start();
    kubectl.run_with_input("create -f -", HELD).ok();
    kubectl.run("delete cm held --wait=false").ok();
    is_being_deleted(&kubectl).expect("it is marked");
    let wait = kubectl.start("wait cm/held --for=delete --timeout=60s");
    kubectl.run("patch cm held --type=json -p '[{\"op\":\"remove\",\"path\":\"/metadata/finalizers\"}]'").ok();
    assert_eq!(wait.finish(), 0);
}

#[test]
fn many_are_deleted_by_a_selector() {
    let (_server, kubectl) = start();
    for name in ["a", "b", "c"] {
        kubectl.run(&format!("create secret generic {name}")).ok();
    }
    kubectl.run("label secret a b app=web").ok();
    let deleted = kubectl.run("delete secret -l app=web").ok();
    assert_eq!(deleted.lines().count(), 2, "{deleted}");
    assert_eq!(kubectl.run("get secret -o name").ok(), "secret/c\n");
}

#[test]
fn a_namespace_is_deleted_with_everything_in_it() {
    let (_server, kubectl) = start();
    assert_eq!(
        kubectl.run("create ns work").ok(),
        "namespace/work created\n"
    );
    for object in [
        "cm a",
        "sa robot",
        "secret generic b",
        "role r --verb=get --resource=secrets",
    ] {
        kubectl.run(&format!("create {object} -n work")).ok();
    }
    assert_eq!(
        kubectl.run("delete ns work").ok(),
        "namespace \"work\" deleted\n"
    );
    kubectl
        .run("get ns work")
        .fails(1)
        .contains("NotFound")
        .then_some(())
        .unwrap();

    // A namespace of the same name begins empty.
    kubectl.run("create ns work").ok();
    for kind in ["cm/a", "sa/robot", "secret/b", "role/r"] {
        kubectl.run(&format!("get {kind} -n work")).fails(1);
    }
}

#[test]
fn a_namespace_that_is_being_deleted_takes_nothing_new() {
    let (_server, kubectl) = start();
    kubectl.run("create ns work").ok();
    kubectl.run_with_input("create -n work -f -", HELD).ok();
    kubectl.run("delete ns work --wait=false").ok();
    let refused = kubectl.run("create cm late -n work").fails(1);
    let because = "is forbidden: unable to create new content in namespace work because it is being \
                   terminated";
    assert!(refused.contains(because), "{refused}");
    let phase = kubectl.run("get ns work -o jsonpath={.status.phase}").ok();
    assert_eq!(phase, "Terminating");

    let wait = kubectl.start("wait ns/work --for=delete --timeout=60s");
    kubectl
        .run("patch cm held -n work --type=merge -p '{\"metadata\":{\"finalizers\":null}}'")
        .ok();
    assert_eq!(wait.finish(), 0);
}

#[test]
fn nothing_is_created_in_a_namespace_that_is_not_there() {
    let (_server, kubectl) = start();
    let refused = kubectl.run("create sa robot -n nowhere").fails(1);
    let expected = "error: failed to create serviceaccount: namespaces \"nowhere\" not found\n";
    assert_eq!(refused, expected);
}

#[test]
fn the_namespaces_of_the_system_stay() {
    let (_server, kubectl) = start();
    let refused = kubectl.run("delete ns default").fails(1);
    let because = "namespaces \"default\" is forbidden: this namespace may not be deleted";
    assert!(refused.contains(because), "{refused}");
}
