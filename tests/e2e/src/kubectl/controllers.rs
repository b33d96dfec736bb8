//! What happens without being asked for: the controllers that identity needs.

use std::fs;

use burgee_testkit::{Kubectl, eventually};

use super::start;

/// What kubectl prints once it succeeds.
#[track_caller]
fn once_there(kubectl: &Kubectl, line: &str) -> String {
    eventually(line, || {
        let output = kubectl.run(line);
        (output.code == 0 && !output.stdout.is_empty()).then_some(output.stdout)
    })
}

/// Waits until an object is no longer there.
#[track_caller]
fn until_gone(kubectl: &Kubectl, object: &str) {
    eventually("an object to go", || {
        let output = kubectl.run(&format!("get {object}"));
        output.stderr.contains("(NotFound)").then_some(())
    });
}

/// Creates a ConfigMap that another one owns.
fn create_owned(kubectl: &Kubectl, name: &str, owner: &str) {
    let uid = kubectl
        .run(&format!("get cm {owner} -o jsonpath={{.metadata.uid}}"))
        .ok();
    let manifest = format!(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, ownerReferences: [\
         {{apiVersion: v1, kind: ConfigMap, name: {owner}, uid: {uid}, blockOwnerDeletion: true}}]}}}}"
    );
    kubectl.run_with_input("create -f -", &manifest).ok();
}

#[test]
fn every_namespace_has_a_service_account_and_the_authority() {
    let (server, kubectl) = start();
    let authority = fs::read_to_string(server.data_directory().join("pki/ca.crt")).unwrap();
    kubectl.run("create ns work").ok();
    for namespace in ["default", "kube-system", "work"] {
        once_there(&kubectl, &format!("get sa default -n {namespace}"));
        let map =
            format!("get cm kube-root-ca.crt -n {namespace} -o 'jsonpath={{.data.ca\\.crt}}'");
        assert_eq!(once_there(&kubectl, &map), authority);
    }
}

#[test]
fn what_is_always_there_comes_back() {
    let (_server, kubectl) = start();
    let uid = "get sa default -o jsonpath={.metadata.uid}";
    let first = once_there(&kubectl, uid);
    kubectl.run("delete sa default").ok();
    assert_ne!(once_there(&kubectl, uid), first);
    once_there(&kubectl, "get cm kube-root-ca.crt");
    kubectl.run("delete cm kube-root-ca.crt").ok();
    once_there(&kubectl, "get cm kube-root-ca.crt");
}

#[test]
fn a_role_that_says_so_is_aggregated() {
    let (_server, kubectl) = start();
    kubectl
        .run("create clusterrole gadgets --verb=list --resource=leases.coordination.k8s.io")
        .ok();
    kubectl
        .run("label clusterrole gadgets rbac.authorization.k8s.io/aggregate-to-view=true")
        .ok();
    let can = "auth can-i list leases.coordination.k8s.io --as=jane";
    kubectl
        .run("create clusterrolebinding jane --clusterrole=view --user=jane")
        .ok();
    eventually("the rule to be aggregated", || {
        (kubectl.run(can).stdout == "yes\n").then_some(())
    });
    kubectl.run("delete clusterrole gadgets").ok();
    eventually("the rule to go", || {
        (kubectl.run(can).stdout == "no\n").then_some(())
    });
}

#[test]
fn what_an_object_owns_goes_with_it() {
    let (_server, kubectl) = start();
    kubectl.run("create cm parent").ok();
    create_owned(&kubectl, "child", "parent");
    create_owned(&kubectl, "grandchild", "child");
    kubectl.run("delete cm parent").ok();
    until_gone(&kubectl, "cm child");
    until_gone(&kubectl, "cm grandchild");
}

#[test]
fn in_the_foreground_the_owner_goes_last() {
    let (_server, kubectl) = start();
    kubectl.run("create cm parent").ok();
    create_owned(&kubectl, "child", "parent");
    kubectl.run("delete cm parent --cascade=foreground").ok();
    // kubectl waited for the owner, so what it owned has gone before.
    kubectl.run("get cm child").fails(1);
}

#[test]
fn orphans_stay_and_forget_their_owner() {
    let (_server, kubectl) = start();
    kubectl.run("create cm parent").ok();
    create_owned(&kubectl, "child", "parent");
    kubectl.run("delete cm parent --cascade=orphan").ok();
    let owners = "get cm child -o jsonpath={.metadata.ownerReferences}";
    assert_eq!(kubectl.run(owners).ok(), "");
}

#[test]
fn what_names_an_owner_that_never_was_is_removed() {
    let (_server, kubectl) = start();
    let orphan = "{apiVersion: v1, kind: ConfigMap, metadata: {name: lost, ownerReferences: [{apiVersion: \
                  v1, kind: ConfigMap, name: nobody, uid: 00000000-0000-4000-8000-000000000000}]}}";
    kubectl.run_with_input("create -f -", orphan).ok();
    until_gone(&kubectl, "cm lost");
}
