//! Declaring: apply on either side, its conflicts, diff and dry runs.

use super::start;

const RED: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: paint
data:
  color: red
  gloss: high
";

const BLUE: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: paint
data:
  color: blue
";

#[test]
fn apply_creates_leaves_alone_and_changes() {
    let (_server, kubectl) = start();
    kubectl.file("red.yaml", RED);
    kubectl.file("blue.yaml", BLUE);
    assert_eq!(
        kubectl.run("apply -f red.yaml").ok(),
        "configmap/paint created\n"
    );
    assert_eq!(
        kubectl.run("apply -f red.yaml").ok(),
        "configmap/paint unchanged\n"
    );
    assert_eq!(
        kubectl.run("apply -f blue.yaml").ok(),
        "configmap/paint configured\n"
    );
    // What the newer manifest no longer names is gone, what others added stays.
    let data = kubectl.run("get cm paint -o jsonpath={.data}").ok();
    assert_eq!(data, r#"{"color":"blue"}"#);
}

#[test]
fn apply_keeps_what_others_added() {
    let (_server, kubectl) = start();
    kubectl.run_with_input("apply -f -", RED).ok();
    kubectl
        .run("patch cm paint -p '{\"data\":{\"size\":\"xl\"}}'")
        .ok();
    kubectl.run_with_input("apply -f -", BLUE).ok();
    let data = kubectl.run("get cm paint -o jsonpath={.data}").ok();
    assert_eq!(data, r#"{"color":"blue","size":"xl"}"#);
}

#[test]
fn apply_works_for_every_kind_that_people_keep_in_files() {
    let (_server, kubectl) = start();
    kubectl.file(
        "all.yaml",
        "\
apiVersion: v1
kind: Namespace
metadata: {name: work}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: work}
secrets: [{name: a}]
---
apiVersion: v1
kind: Secret
metadata: {name: a, namespace: work}
data: {password: czNjcjN0}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: work}
rules: [{apiGroups: [''], resources: [secrets], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: work}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: robot, namespace: work}]
",
    );
    let first = kubectl.run("apply -f all.yaml").ok();
    assert_eq!(first.matches(" created\n").count(), 5, "{first}");
    let second = kubectl.run("apply -f all.yaml").ok();
    assert_eq!(second.matches(" unchanged\n").count(), 5, "{second}");
    let password = kubectl
        .run("get secret a -n work -o jsonpath={.data.password}")
        .ok();
    assert_eq!(password, "czNjcjN0");
}

#[test]
fn two_managers_conflict_until_one_of_them_insists() {
    let (_server, kubectl) = start();
    kubectl.file("red.yaml", RED);
    kubectl.file("blue.yaml", BLUE);
    let applied = "configmap/paint serverside-applied\n";
    assert_eq!(kubectl.run("apply --server-side -f red.yaml").ok(), applied);
    let other = "apply --server-side --field-manager=other -f blue.yaml";
    let refused = kubectl.run(other).fails(1);
    let conflict = "error: Apply failed with 1 conflict: conflict with \"kubectl\": .data.color\n";
    assert!(refused.starts_with(conflict), "{refused}");
    assert_eq!(
        kubectl.run(&format!("{other} --force-conflicts")).ok(),
        applied
    );
    let data = kubectl.run("get cm paint -o jsonpath={.data}").ok();
    assert_eq!(data, r#"{"color":"blue","gloss":"high"}"#);
}

#[test]
fn managed_fields_say_who_wrote_what() {
    let (_server, kubectl) = start();
    kubectl.run_with_input("apply --server-side -f -", RED).ok();
    kubectl.run("label cm paint app=web").ok();
    let entries = "{range .metadata.managedFields[*]}{.manager} {.operation}{\"\\n\"}{end}";
    let get = format!("get cm paint --show-managed-fields -o 'jsonpath={entries}'");
    assert_eq!(
        kubectl.run(&get).ok(),
        "kubectl Apply\nkubectl-label Update\n"
    );
}

#[test]
fn client_side_apply_hands_over_to_server_side_apply() {
    let (_server, kubectl) = start();
    kubectl.run_with_input("apply -f -", RED).ok();
    kubectl
        .run_with_input("apply --server-side -f -", BLUE)
        .ok();
    let data = kubectl.run("get cm paint -o jsonpath={.data}").ok();
    assert_eq!(data, r#"{"color":"blue"}"#);
}

#[test]
fn diff_shows_what_apply_would_change() {
    let (_server, kubectl) = start();
    kubectl.file("red.yaml", RED);
    kubectl.file("blue.yaml", BLUE);
    kubectl.run("apply -f red.yaml").ok();
    assert_eq!(kubectl.run("diff -f red.yaml").ok(), "");
    let diff = kubectl.run("diff -f blue.yaml");
    assert_eq!(diff.code, 1, "{diff:?}");
    for line in ["-  color: red", "-  gloss: high", "+  color: blue"] {
        assert!(
            diff.stdout.lines().any(|found| found == line),
            "no {line} in {}",
            diff.stdout
        );
    }
    assert_eq!(
        kubectl.run("apply -f red.yaml").ok(),
        "configmap/paint unchanged\n"
    );
}

#[test]
fn a_dry_run_of_the_server_checks_all_and_keeps_nothing() {
    let (_server, kubectl) = start();
    let created = kubectl.run("create cm ghost --dry-run=server").ok();
    assert_eq!(created, "configmap/ghost created (server dry run)\n");
    let applied = kubectl
        .run_with_input("apply --dry-run=server -f -", RED)
        .ok();
    assert_eq!(applied, "configmap/paint created (server dry run)\n");
    kubectl
        .run("get cm ghost")
        .fails(1)
        .contains("NotFound")
        .then_some(())
        .unwrap();

    kubectl.run("create cm real").ok();
    let taken = kubectl.run("create cm real --dry-run=server").fails(1);
    assert_eq!(
        taken,
        "error: failed to create configmap: configmaps \"real\" already exists\n"
    );
    kubectl.run("delete cm real --dry-run=server").ok();
    kubectl.run("get cm real").ok();
}

#[test]
fn what_is_wrong_in_a_manifest_is_named() {
    let (_server, kubectl) = start();
    let unknown = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, date: {}}";
    let error = kubectl.run_with_input("apply -f -", unknown).fails(1);
    assert!(
        error.contains("strict decoding error: unknown field \"date\""),
        "{error}"
    );

    let name = "{apiVersion: v1, kind: ConfigMap, metadata: {name: A_b}}";
    let error = kubectl.run_with_input("apply -f -", name).fails(1);
    let invalid = "The ConfigMap \"A_b\" is invalid: metadata.name: Invalid value: \"A_b\": a \
                   lowercase RFC 1123 subdomain must consist of";
    assert!(error.starts_with(invalid), "{error}");

    let kind = "{apiVersion: v1, kind: Gadget, metadata: {name: a}}";
    let error = kubectl.run_with_input("apply -f -", kind).fails(1);
    assert!(
        error.contains("no matches for kind \"Gadget\" in version \"v1\""),
        "{error}"
    );
}
