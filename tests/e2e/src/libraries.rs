//! The official client libraries of other languages.

use std::path::PathBuf;

use burgee_testkit::{Script, Server, repository};

/// A script in this package's folder `scripts`.
fn script(name: &str) -> PathBuf {
    repository().join("tests/e2e/scripts").join(name)
}

#[track_caller]
fn runs_to_its_end(name: &str) {
    let server = Server::start();
    let output = Script::new(&script(name), &server.kubeconfig()).run(&[]);
    assert_eq!(output.ok(), "done\n");
}

/// A watch sees what is created before and after the server was killed, and nothing twice.
#[track_caller]
fn survives_a_killed_server(name: &str, added: &str) {
    let mut server = Server::start();
    let script = Script::new(&script(name), &server.kubeconfig());
    let watch = script.start(&[]);
    // What was there before the watch began.
    while watch.hear() != "listed" {}
    // The controllers may write theirs at any time.
    let next = || loop {
        let line = watch.hear();
        if !line.ends_with(" kube-root-ca.crt") {
            break line;
        }
    };
    server.kubectl().run("create cm a").ok();
    assert_eq!(next(), format!("{added} a"));
    server.kill();
    server.launch();
    server.kubectl().run("create cm b").ok();
    assert_eq!(next(), format!("{added} b"));
}

#[test]
fn the_python_client_works_with_objects() {
    runs_to_its_end("objects.py");
}

#[test]
fn the_node_client_works_with_objects() {
    runs_to_its_end("objects.mjs");
}

#[test]
fn a_watch_of_the_python_client_survives_a_killed_server() {
    survives_a_killed_server("watch.py", "ADDED");
}

#[test]
fn a_watch_of_the_node_client_survives_a_killed_server() {
    survives_a_killed_server("watch.mjs", "add");
}
