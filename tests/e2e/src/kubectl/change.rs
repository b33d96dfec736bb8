//! Changing what is there: patch, label, annotate, edit, replace.

use burgee_testkit::{Kubectl, run};

use super::start;

fn data(kubectl: &Kubectl) -> String {
    kubectl.run("get cm paint -o jsonpath={.data}").ok()
}

#[test]
fn a_patch_may_be_of_three_types() {
    let (_server, kubectl) = start();
    kubectl.run("create cm paint --from-literal=color=red").ok();
    let patched = kubectl
        .run("patch cm paint -p '{\"data\":{\"gloss\":\"high\"}}'")
        .ok();
    assert_eq!(patched, "configmap/paint patched\n");
    assert_eq!(data(&kubectl), r#"{"color":"red","gloss":"high"}"#);

    kubectl
        .run("patch cm paint --type=merge -p '{\"data\":{\"color\":null}}'")
        .ok();
    assert_eq!(data(&kubectl), r#"{"gloss":"high"}"#);

    let operations = r#"[{"op":"test","path":"/data/gloss","value":"high"},
                         {"op":"replace","path":"/data/gloss","value":"low"}]"#;
    kubectl
        .run(&format!("patch cm paint --type=json -p '{operations}'"))
        .ok();
    assert_eq!(data(&kubectl), r#"{"gloss":"low"}"#);

    let same = kubectl
        .run("patch cm paint --type=merge -p '{\"data\":{\"gloss\":\"low\"}}'")
        .ok();
    assert_eq!(same, "configmap/paint patched (no change)\n");
}

#[test]
fn a_strategic_patch_merges_lists_by_their_key() {
    let (_server, kubectl) = start();
    kubectl.run("create sa robot").ok();
    for name in ["a", "b"] {
        let patch = format!("patch sa robot -p '{{\"secrets\":[{{\"name\":\"{name}\"}}]}}'");
        kubectl.run(&patch).ok();
    }
    let mut names = kubectl
        .run("get sa robot -o jsonpath={.secrets[*].name}")
        .ok();
    assert_eq!(
        names
            .split(' ')
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        2,
        "{names}"
    );
    kubectl
        .run("patch sa robot -p '{\"secrets\":[{\"$patch\":\"delete\",\"name\":\"a\"}]}'")
        .ok();
    names = kubectl
        .run("get sa robot -o jsonpath={.secrets[*].name}")
        .ok();
    assert_eq!(names, "b");
}

#[test]
fn a_json_patch_whose_test_fails_changes_nothing() {
    let (_server, kubectl) = start();
    kubectl.run("create cm paint --from-literal=color=red").ok();
    let operations = r#"[{"op":"replace","path":"/data/color","value":"blue"},
                         {"op":"test","path":"/data/color","value":"green"}]"#;
    let refused = kubectl
        .run(&format!("patch cm paint --type=json -p '{operations}'"))
        .fails(1);
    assert!(
        refused.contains("the server rejected our request"),
        "{refused}"
    );
    assert_eq!(data(&kubectl), r#"{"color":"red"}"#);
}

#[test]
fn labels_are_set_kept_overwritten_and_removed() {
    let (_server, kubectl) = start();
    kubectl.run("create sa robot").ok();
    assert_eq!(
        kubectl.run("label sa robot app=web").ok(),
        "serviceaccount/robot labeled\n"
    );
    assert_eq!(
        kubectl.run("label sa robot app=db").fails(1),
        "error: 'app' already has a value (web), and --overwrite is false\n"
    );
    kubectl.run("label sa robot app=db --overwrite").ok();
    assert_eq!(
        kubectl
            .run("get sa robot -o jsonpath={.metadata.labels}")
            .ok(),
        r#"{"app":"db"}"#
    );
    assert_eq!(
        kubectl.run("label sa robot app-").ok(),
        "serviceaccount/robot unlabeled\n"
    );
    assert_eq!(
        kubectl
            .run("get sa robot -o jsonpath={.metadata.labels}")
            .ok(),
        ""
    );
    let invalid = kubectl.run("label sa robot 'app=a b'").fails(1);
    assert!(
        invalid.contains("a valid label must be an empty string or consist of"),
        "{invalid}"
    );
}

#[test]
fn annotations_are_set_and_removed() {
    let (_server, kubectl) = start();
    kubectl.run("create secret generic db").ok();
    let set = kubectl.run("annotate secret db 'note=two words'").ok();
    assert_eq!(set, "secret/db annotated\n");
    let note = "get secret db -o jsonpath={.metadata.annotations.note}";
    assert_eq!(kubectl.run(note).ok(), "two words");
    kubectl.run("annotate secret db note-").ok();
    assert_eq!(kubectl.run(note).ok(), "");
}

#[test]
fn an_editor_changes_an_object() {
    let (_server, kubectl) = start();
    kubectl.run("create cm paint --from-literal=color=red").ok();
    let edit = |editor: &str| run(kubectl.command("edit cm paint").env("KUBE_EDITOR", editor));
    assert_eq!(edit("sed -i s/red/blue/").ok(), "configmap/paint edited\n");
    assert_eq!(data(&kubectl), r#"{"color":"blue"}"#);
    assert_eq!(edit("true").stderr, "Edit cancelled, no changes made.\n");
}

#[test]
fn replacing_an_older_version_is_a_conflict() {
    let (_server, kubectl) = start();
    kubectl.run("create cm paint --from-literal=color=red").ok();
    let old = kubectl.run("get cm paint -o yaml").ok();
    kubectl.run("label cm paint app=web").ok();
    let refused = kubectl
        .run_with_input("replace -f -", &old.replace("red", "blue"))
        .fails(1);
    assert!(
        refused.contains(
            "Operation cannot be fulfilled on configmaps \"paint\": the object has been modified; \
             please apply your changes to the latest version and try again"
        ),
        "{refused}"
    );
    let new = kubectl.run("get cm paint -o yaml").ok();
    let replaced = kubectl
        .run_with_input("replace -f -", &new.replace("red", "blue"))
        .ok();
    assert_eq!(replaced, "configmap/paint replaced\n");
    assert_eq!(data(&kubectl), r#"{"color":"blue"}"#);
}

#[test]
fn what_is_immutable_stays_as_it_is() {
    let (_server, kubectl) = start();
    kubectl.run("create cm paint --from-literal=color=red").ok();
    kubectl.run("patch cm paint -p '{\"immutable\":true}'").ok();
    let refused = kubectl
        .run("patch cm paint -p '{\"data\":{\"color\":\"blue\"}}'")
        .fails(1);
    let expected = "The ConfigMap \"paint\" is invalid: data: Forbidden: field is immutable when \
                    `immutable` is set\n";
    assert_eq!(refused, expected);
}
