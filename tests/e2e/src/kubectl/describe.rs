//! `kubectl describe`, which reads several kinds to show one.

use super::{rows, start};

#[test]
fn a_role_is_described_rule_by_rule() {
    let (_server, kubectl) = start();
    kubectl
        .run("create role reader --verb=get,list --resource=secrets")
        .ok();
    assert_eq!(
        kubectl.run("describe role reader").ok(),
        "Name:         reader\n\
         Labels:       <none>\n\
         Annotations:  <none>\n\
         PolicyRule:\n  \
           Resources  Non-Resource URLs  Resource Names  Verbs\n  \
           ---------  -----------------  --------------  -----\n  \
           secrets    []                 []              [get list]\n"
    );
}

#[test]
fn a_secret_is_described_without_its_contents() {
    let (_server, kubectl) = start();
    kubectl
        .run("create secret generic db --from-literal=password=s3cr3t")
        .ok();
    let text = kubectl.run("describe secret db").ok();
    assert!(text.contains("password:  6 bytes\n"), "{text}");
    assert!(
        !text.contains("s3cr3t") && !text.contains("czNjcjN0"),
        "{text}"
    );
}

#[test]
fn service_accounts_config_maps_and_namespaces_are_described() {
    let (_server, kubectl) = start();
    kubectl.run("create sa robot").ok();
    kubectl.run("create cm paint --from-literal=color=red").ok();
    let account = rows(&kubectl.run("describe sa robot").ok());
    assert_eq!(account[..2], ["Name: robot", "Namespace: default"]);
    let text = kubectl.run("describe cm paint").ok();
    assert!(text.contains("color:\n----\nred\n"), "{text}");
    let namespace = rows(&kubectl.run("describe ns default").ok());
    assert_eq!(namespace[0], "Name: default");
    assert!(
        namespace.contains(&"Status: Active".to_owned()),
        "{namespace:?}"
    );
}
