//! Patching.

use serde_json::json;

use crate::support::{Case, Expect as _, says};

#[test]
fn a_merge_patch_sets_and_removes_members() {
    let case = Case::begin();
    case.config_map("a");
    let patch = json!({"data": {"k": null, "new": "1"}});
    let patched = case
        .patch("configmaps/a", "merge-patch", &patch)
        .expect(200);
    assert_eq!(patched["data"], json!({"new": "1"}));
}

#[test]
fn a_json_patch_does_one_operation_after_the_other() {
    let case = Case::begin();
    case.config_map("a");
    let patch = json!([
        {"op": "test", "path": "/data/k", "value": "v"},
        {"op": "add", "path": "/data/a~1b", "value": "1"},
        {"op": "move", "from": "/data/k", "path": "/data/moved"},
        {"op": "copy", "from": "/data/moved", "path": "/data/copied"},
        {"op": "remove", "path": "/data/moved"},
    ]);
    let status = case
        .patch("configmaps/a", "json-patch", &patch)
        .refused(422, "Invalid");
    // The operations were fine, the key is not.
    says(&status, "data[a/b]");
    let patch = json!([
        {"op": "test", "path": "/data/k", "value": "v"},
        {"op": "copy", "from": "/data/k", "path": "/data/copied"},
        {"op": "replace", "path": "/data/k", "value": "2"},
    ]);
    let patched = case.patch("configmaps/a", "json-patch", &patch).expect(200);
    assert_eq!(patched["data"], json!({"k": "2", "copied": "v"}));
}

#[test]
fn a_json_patch_whose_test_fails_changes_nothing_and_is_422() {
    let case = Case::begin();
    let created = case.config_map("a");
    for patch in [
        json!([{"op": "replace", "path": "/data/k", "value": "2"}, {"op": "test", "path": "/data/k", "value": "v"}]),
        json!([{"op": "remove", "path": "/data/none"}]),
    ] {
        case.patch("configmaps/a", "json-patch", &patch)
            .refused(422, "Invalid");
    }
    assert_eq!(case.get("configmaps/a").expect(200), created);
}

#[test]
fn a_strategic_merge_patch_merges_lists_by_their_keys() {
    let case = Case::begin();
    let secrets = json!([{"name": "one"}, {"name": "two"}]);
    let object = json!({"metadata": {"name": "sa"}, "secrets": secrets});
    case.post("serviceaccounts", &object).expect(201);
    let patch = json!({"secrets": [{"name": "three"}, {"$patch": "delete", "name": "one"}]});
    let patched = case
        .patch("serviceaccounts/sa", "strategic-merge-patch", &patch)
        .expect(200);
    let mut names: Vec<_> = patched["secrets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].to_string())
        .collect();
    names.sort();
    assert_eq!(names, [r#""three""#, r#""two""#]);
    let patch = json!({"secrets": [{"name": "four"}]});
    let patched = case
        .patch("serviceaccounts/sa", "merge-patch", &patch)
        .expect(200);
    assert_eq!(patched["secrets"], json!([{"name": "four"}]));
}

#[test]
fn a_patch_of_an_unknown_type_is_415() {
    let case = Case::begin();
    case.config_map("a");
    let headers = [("Content-Type", "application/json")];
    let path = case.path("configmaps/a");
    let answer = case.client.send("PATCH", &path, &headers, b"{}");
    answer.refused(415, "UnsupportedMediaType");
}

#[test]
fn a_patch_that_is_no_json_is_400() {
    let case = Case::begin();
    case.config_map("a");
    for kind in ["json-patch", "merge-patch", "strategic-merge-patch"] {
        let content_type = format!("application/{kind}+json");
        let headers = [("Content-Type", content_type.as_str())];
        let path = case.path("configmaps/a");
        case.client
            .send("PATCH", &path, &headers, b"{")
            .refused(400, "BadRequest");
    }
}

#[test]
fn a_patch_of_what_is_not_there_is_404() {
    let case = Case::begin();
    case.patch("configmaps/a", "merge-patch", &json!({}))
        .refused(404, "NotFound");
}

#[test]
fn a_patch_with_an_old_version_is_409() {
    let case = Case::begin();
    case.config_map("a");
    let patch = json!({"metadata": {"resourceVersion": "1"}, "data": {"k": "2"}});
    case.patch("configmaps/a", "merge-patch", &patch)
        .refused(409, "Conflict");
}

#[test]
fn patches_of_different_members_at_the_same_time_all_arrive() {
    let case = Case::begin();
    case.config_map("a");
    std::thread::scope(|scope| {
        for number in 0..6 {
            let case = &case;
            scope.spawn(move || {
                let patch = json!({"data": {format!("k{number}"): "1"}});
                case.patch("configmaps/a", "merge-patch", &patch)
                    .expect(200);
            });
        }
    });
    let data = case.get("configmaps/a").expect(200)["data"].clone();
    assert_eq!(data.as_object().unwrap().len(), 7, "{data}");
}

#[test]
fn a_patch_cannot_rename_or_move_an_object() {
    let case = Case::begin();
    case.config_map("a");
    let patch = json!({"metadata": {"name": "b"}});
    let status = case
        .patch("configmaps/a", "merge-patch", &patch)
        .refused(422, "Invalid");
    says(
        &status,
        "metadata.name: Invalid value: \"b\": field is immutable",
    );
    let patch = json!({"metadata": {"namespace": "default"}});
    case.patch("configmaps/a", "merge-patch", &patch)
        .refused(400, "BadRequest");
}
