//! Deleting.

use serde_json::json;

use crate::support::{Case, Expect as _, says, upstream_only, version};

#[test]
fn a_deletion_answers_with_what_is_gone() {
    let case = Case::begin();
    let created = case.config_map("a");
    let status = case.delete("configmaps/a").expect(200);
    assert_eq!(status["status"], "Success");
    let details = json!({"name": "a", "kind": "configmaps", "uid": created["metadata"]["uid"]});
    assert_eq!(status["details"], details);
    case.get("configmaps/a").refused(404, "NotFound");
    case.delete("configmaps/a").refused(404, "NotFound");
}

#[test]
fn preconditions_that_do_not_hold_are_409() {
    let case = Case::begin();
    let created = case.config_map("a");
    let other = "00000000-0000-0000-0000-000000000000";
    let answer = case.delete_with("configmaps/a", json!({"preconditions": {"uid": other}}));
    says(
        &answer.refused(409, "Conflict"),
        "does not match the UID in record",
    );
    let answer = case.delete_with(
        "configmaps/a",
        json!({"preconditions": {"resourceVersion": "1"}}),
    );
    says(
        &answer.refused(409, "Conflict"),
        "does not match the ResourceVersion in record",
    );
    let both = json!({"uid": created["metadata"]["uid"], "resourceVersion": version(&created)});
    case.delete_with("configmaps/a", json!({"preconditions": both}))
        .expect(200);
}

#[test]
fn finalizers_keep_an_object_until_the_last_one_is_gone() {
    let case = Case::begin();
    case.config_map_with(json!({"name": "a", "finalizers": ["example.com/a", "example.com/b"]}));
    let going = case.delete("configmaps/a").expect(200);
    assert!(
        going["metadata"]["deletionTimestamp"].is_string(),
        "{going}"
    );
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 0);
    let again = case.delete("configmaps/a").expect(200);
    assert_eq!(version(&again), version(&going));
    let one = json!({"metadata": {"finalizers": ["example.com/b"]}});
    case.patch("configmaps/a", "merge-patch", &one).expect(200);
    case.get("configmaps/a").expect(200);
    let none = json!({"metadata": {"finalizers": null}});
    case.patch("configmaps/a", "merge-patch", &none).expect(200);
    case.get("configmaps/a").refused(404, "NotFound");
}

#[test]
fn what_is_going_takes_no_new_finalizers() {
    let case = Case::begin();
    case.config_map_with(json!({"name": "a", "finalizers": ["example.com/a"]}));
    case.delete("configmaps/a").expect(200);
    let two = json!({"metadata": {"finalizers": ["example.com/a", "example.com/b"]}});
    let status = case
        .patch("configmaps/a", "merge-patch", &two)
        .refused(422, "Invalid");
    says(
        &status,
        "no new finalizers can be added if the object is being deleted",
    );
    case.patch(
        "configmaps/a",
        "merge-patch",
        &json!({"metadata": {"finalizers": []}}),
    )
    .expect(200);
    case.get("configmaps/a").refused(404, "NotFound");
}

#[test]
fn a_dry_run_deletes_nothing() {
    let case = Case::begin();
    let created = case.config_map("a");
    case.delete("configmaps/a?dryRun=All").expect(200);
    case.delete_with("configmaps/a", json!({"dryRun": ["All"]}))
        .expect(200);
    assert_eq!(case.get("configmaps/a").expect(200), created);
}

fn pod(case: &Case, name: &str, node: &str) {
    let spec = json!({"nodeName": node, "containers": [{"name": "c", "image": "i"}]});
    case.post("pods", &json!({"metadata": {"name": name}, "spec": spec}))
        .expect(201);
}

#[test]
fn a_pod_on_a_node_has_its_time_to_go() {
    let case = Case::begin();
    let node = &case.namespace;
    case.post("/api/v1/nodes", &json!({"metadata": {"name": node}}))
        .expect(201);
    pod(&case, "p", node);
    let going = case.delete("pods/p").expect(200);
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 30);
    let shorter = case.delete("pods/p?gracePeriodSeconds=5").expect(200);
    assert_eq!(shorter["metadata"]["deletionGracePeriodSeconds"], 5);
    case.delete("pods/p?gracePeriodSeconds=0").expect(200);
    case.get("pods/p").refused(404, "NotFound");
    case.delete(&format!("/api/v1/nodes/{node}")).expect(200);
}

#[test]
fn a_pod_on_no_node_goes_at_once() {
    let case = Case::begin();
    pod(&case, "p", "");
    case.delete("pods/p").expect(200);
    case.get("pods/p").refused(404, "NotFound");
}

#[test]
fn a_pod_on_a_node_that_is_not_there_goes_at_once() {
    if upstream_only() {
        return;
    }
    let case = Case::begin();
    pod(&case, "p", "not-there");
    case.delete("pods/p").expect(200);
    case.get("pods/p").refused(404, "NotFound");
}

#[test]
fn options_that_are_none_are_refused() {
    let case = Case::begin();
    case.config_map("a");
    let status = case
        .delete("configmaps/a?propagationPolicy=Odd")
        .refused(422, "Invalid");
    says(&status, "propagationPolicy: Unsupported value: \"Odd\"");
    case.delete_with(
        "configmaps/a",
        json!({"orphanDependents": true, "propagationPolicy": "Orphan"}),
    )
    .refused(422, "Invalid");
    case.delete_with("configmaps/a", json!({"gracePeriodSeconds": "soon"}))
        .refused(400, "BadRequest");
    case.get("configmaps/a").expect(200);
}

#[test]
fn a_collection_is_deleted_as_far_as_it_is_selected() {
    let case = Case::begin();
    for (name, label) in [("a", "1"), ("b", "2"), ("c", "1")] {
        case.config_map_with(json!({"name": name, "labels": {"l": label}}));
    }
    let deleted = case
        .delete("configmaps?labelSelector=l%3D1&dryRun=All")
        .expect(200);
    assert_eq!(crate::support::names(&deleted), ["a", "c"]);
    assert_eq!(case.names("configmaps").concat(), "abc");
    let deleted = case.delete("configmaps?labelSelector=l%3D1").expect(200);
    assert_eq!(deleted["kind"], "ConfigMapList");
    assert_eq!(case.names("configmaps"), ["b"]);
}

#[test]
fn the_systems_namespaces_cannot_be_deleted() {
    let case = Case::begin();
    for name in ["default", "kube-system", "kube-public"] {
        let path = format!("/api/v1/namespaces/{name}");
        let status = case
            .client
            .send("DELETE", &path, &[], b"")
            .refused(403, "Forbidden");
        says(&status, "this namespace may not be deleted");
    }
}

#[test]
fn a_namespace_that_is_deleted_takes_everything_in_it_along() {
    let case = Case::begin();
    case.config_map("a");
    case.post("secrets", &json!({"metadata": {"name": "a"}}))
        .expect(201);
    case.post(
        &case.path_of("coordination.k8s.io/v1", "leases"),
        &json!({"metadata": {"name": "a"}}),
    )
    .expect(201);
    let path = format!("/api/v1/namespaces/{}", case.namespace);
    let going = case.client.send("DELETE", &path, &[], b"").expect(200);
    assert_eq!(going["status"]["phase"], "Terminating");
    case.gone(&path);
    case.get("configmaps/a").refused(404, "NotFound");
    assert!(case.names("secrets").is_empty());
}

#[test]
fn a_namespace_waits_for_what_has_finalizers() {
    let case = Case::begin();
    case.config_map_with(json!({"name": "held", "finalizers": ["example.com/hold"]}));
    case.config_map("free");
    let path = format!("/api/v1/namespaces/{}", case.namespace);
    case.client.send("DELETE", &path, &[], b"").expect(200);
    case.gone("configmaps/free");
    case.get(&path).expect(200);
    case.patch(
        "configmaps/held",
        "merge-patch",
        &json!({"metadata": {"finalizers": null}}),
    )
    .expect(200);
    case.gone(&path);
}
