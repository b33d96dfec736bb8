//! What a restart leaves as it was.

use burgee_testkit::{Server, eventually};

#[test]
fn objects_and_tokens_outlive_a_killed_server() {
    let mut server = Server::start();
    let kubectl = server.kubectl();
    kubectl.run("create sa robot").ok();
    kubectl
        .run("create secret generic db --from-literal=password=s3cr3t")
        .ok();
    let token = kubectl.run("create token robot").ok();
    let before = kubectl.run("get sa/robot secret/db -o yaml").ok();
    server.kill();
    server.launch();
    assert_eq!(kubectl.run("get sa/robot secret/db -o yaml").ok(), before);
    kubectl.with_token(token.trim()).run("auth whoami").ok();
}

#[test]
fn asked_to_end_it_ends_well_and_says_so_to_watchers() {
    let mut server = Server::start();
    let kubectl = server.kubectl();
    let watch = kubectl.start("get ns -w -o name");
    while watch.hear() != "namespace/kube-system" {}
    assert!(server.stop().success(), "{}", server.log());
    // The watch ended properly, so kubectl does too.
    assert_eq!(watch.finish(), 0);
}

#[test]
fn the_second_start_changes_nothing() {
    let mut server = Server::start();
    let kubectl = server.kubectl();
    let read = || {
        let kinds = "ns,sa,cm,clusterroles,clusterrolebindings,roles,rolebindings";
        kubectl.run(&format!("get {kinds} -A -o yaml")).ok()
    };
    // The controllers of the first start have done their work when nothing changes any more.
    let mut before = read();
    eventually("the first start to settle", || {
        let previous = std::mem::replace(&mut before, read());
        let published = before.matches("name: kube-root-ca.crt").count() == 4;
        (published && previous == before).then_some(())
    });
    server.stop();
    server.launch();
    assert_eq!(read(), before);
}
