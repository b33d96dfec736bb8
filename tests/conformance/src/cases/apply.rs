//! Server-side apply.

use serde_json::{Value, json};

use crate::support::{Case, Expect as _, says, version};

/// Who owns which member of `data`.
fn owners(object: &Value) -> Vec<(String, Vec<String>)> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let owned = entries.iter().map(|entry| {
        let data = entry["fieldsV1"]["f:data"].as_object();
        let members = data.into_iter().flatten().map(|(key, _)| key.clone());
        let members = members.filter(|key| key != ".").collect();
        (entry["manager"].as_str().unwrap().to_owned(), members)
    });
    owned.collect()
}

#[test]
fn apply_creates_what_is_not_there() {
    let case = Case::begin();
    let created = case.apply("a", "alice", json!({"x": "1"})).expect(201);
    assert_eq!(
        owners(&created),
        [("alice".to_owned(), vec!["f:x".to_owned()])]
    );
    assert_eq!(
        created["metadata"]["managedFields"][0]["operation"],
        "Apply"
    );
}

#[test]
fn apply_of_the_same_again_changes_nothing() {
    let case = Case::begin();
    let created = case.apply("a", "alice", json!({"x": "1"})).expect(201);
    let again = case.apply("a", "alice", json!({"x": "1"})).expect(200);
    assert_eq!(version(&again), version(&created));
}

#[test]
fn what_another_owns_is_a_conflict_per_field() {
    let case = Case::begin();
    case.apply("a", "alice", json!({"x": "1", "y": "1"}))
        .expect(201);
    let status = case
        .apply("a", "bob", json!({"x": "2", "y": "2"}))
        .refused(409, "Conflict");
    says(&status, "Apply failed with 2 conflicts");
    let cause = json!({"reason": "FieldManagerConflict", "message": "conflict with \"alice\"", "field": ".data.x"});
    assert_eq!(status["details"]["causes"][0], cause);
}

#[test]
fn force_takes_fields_over() {
    let case = Case::begin();
    case.apply("a", "alice", json!({"x": "1", "y": "1"}))
        .expect(201);
    let forced = case
        .apply("a", "bob&force=true", json!({"x": "2"}))
        .expect(200);
    assert_eq!(forced["data"], json!({"x": "2", "y": "1"}));
    let expected = [("alice", "f:y"), ("bob", "f:x")];
    assert_eq!(
        owners(&forced),
        expected.map(|(who, what)| (who.to_owned(), vec![what.to_owned()]))
    );
}

#[test]
fn what_a_manager_no_longer_applies_is_removed() {
    let case = Case::begin();
    case.apply("a", "alice", json!({"x": "1", "y": "1"}))
        .expect(201);
    let applied = case.apply("a", "alice", json!({"x": "1"})).expect(200);
    assert_eq!(applied["data"], json!({"x": "1"}));
}

#[test]
fn what_two_own_stays_until_neither_applies_it() {
    let case = Case::begin();
    case.apply("a", "alice", json!({"x": "1"})).expect(201);
    case.apply("a", "bob", json!({"x": "1", "y": "1"}))
        .expect(200);
    let left = case.apply("a", "alice", json!({})).expect(200);
    assert_eq!(left["data"], json!({"x": "1", "y": "1"}));
    let left = case.apply("a", "bob", json!({"y": "1"})).expect(200);
    assert_eq!(left["data"], json!({"y": "1"}));
}

#[test]
fn an_update_takes_over_what_it_changes() {
    let case = Case::begin();
    case.apply("a", "alice", json!({"x": "1", "y": "1"}))
        .expect(201);
    let patch = json!({"data": {"x": "2"}});
    case.patch("configmaps/a?fieldManager=carol", "merge-patch", &patch)
        .expect(200);
    let status = case
        .apply("a", "alice", json!({"x": "1", "y": "1"}))
        .refused(409, "Conflict");
    says(&status, "conflict with \"carol\"");
}

#[test]
fn apply_needs_a_manager_and_force_belongs_to_apply() {
    let case = Case::begin();
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let status = case
        .patch("configmaps/a", "apply-patch", &object)
        .refused(422, "Invalid");
    says(
        &status,
        "fieldManager: Required value: is required for apply patch",
    );
    case.config_map("a");
    let status = case
        .patch("configmaps/a?force=true", "merge-patch", &json!({}))
        .refused(422, "Invalid");
    says(
        &status,
        "force: Forbidden: may not be specified for non-apply patch",
    );
}

#[test]
fn apply_without_kind_is_400() {
    let case = Case::begin();
    let object = json!({"metadata": {"name": "a"}});
    case.patch("configmaps/a?fieldManager=x", "apply-patch", &object)
        .refused(400, "BadRequest");
}

#[test]
fn a_dry_run_of_apply_leaves_nothing() {
    let case = Case::begin();
    case.apply("a", "alice&dryRun=All", json!({"x": "1"}))
        .expect(201);
    case.get("configmaps/a").refused(404, "NotFound");
}
