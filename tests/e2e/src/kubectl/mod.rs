//! kubectl, command by command, with the kubeconfig that the server writes.

mod access;
mod apply;
mod change;
mod controllers;
mod delete;
mod describe;
mod discover;
mod get;
mod token;

use burgee_testkit::{Kubectl, Server};

/// A server, and kubectl as its administrator.
fn start() -> (Server, Kubectl) {
    let server = Server::start();
    let kubectl = server.kubectl();
    (server, kubectl)
}

/// A table's rows with single blanks, since widths follow the longest cell.
fn rows(table: &str) -> Vec<String> {
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}
