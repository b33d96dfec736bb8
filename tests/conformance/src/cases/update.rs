//! Replacing.

use serde_json::json;

use crate::support::{Case, Expect as _, says, version};

#[test]
fn an_update_with_an_old_version_is_409() {
    let case = Case::begin();
    let mut object = case.config_map("a");
    object["data"]["k"] = json!("2");
    case.put("configmaps/a", &object).expect(200);
    object["data"]["k"] = json!("3");
    let status = case.put("configmaps/a", &object).refused(409, "Conflict");
    says(
        &status,
        "the object has been modified; please apply your changes to the latest version and try again",
    );
    assert_eq!(case.get("configmaps/a").expect(200)["data"]["k"], "2");
}

#[test]
fn an_update_without_version_replaces_whatever_is_there() {
    let case = Case::begin();
    case.config_map_with(json!({"name": "a", "labels": {"l": "1"}}));
    let object = json!({"metadata": {"name": "a"}, "data": {"other": "1"}});
    let updated = case.put("configmaps/a", &object).expect(200);
    assert_eq!(updated["data"], json!({"other": "1"}));
    assert!(updated["metadata"]["labels"].is_null());
}

#[test]
fn uid_and_creation_time_outlive_updates() {
    let case = Case::begin();
    let created = case.config_map("a");
    let object = json!({"metadata": {"name": "a", "creationTimestamp": null}, "data": {"k": "2"}});
    let updated = case.put("configmaps/a", &object).expect(200);
    for field in ["uid", "creationTimestamp"] {
        assert_eq!(updated["metadata"][field], created["metadata"][field]);
    }
    assert_ne!(version(&updated), version(&created));
}

#[test]
fn an_update_of_another_incarnation_is_409() {
    let case = Case::begin();
    case.config_map("a");
    let metadata = json!({"name": "a", "uid": "00000000-0000-0000-0000-000000000000"});
    let answer = case.put("configmaps/a", &json!({"metadata": metadata}));
    says(
        &answer.refused(409, "Conflict"),
        "UID in precondition: 00000000-0000-0000-0000-000000000000",
    );
}

#[test]
fn an_update_under_another_name_is_400() {
    let case = Case::begin();
    case.config_map("a");
    let answer = case.put("configmaps/a", &json!({"metadata": {"name": "b"}}));
    let status = answer.refused(400, "BadRequest");
    assert_eq!(
        status["message"],
        "the name of the object (b) does not match the name on the URL (a)"
    );
}

#[test]
fn an_update_of_what_is_not_there_is_404() {
    let case = Case::begin();
    case.put("configmaps/a", &json!({"metadata": {"name": "a"}}))
        .refused(404, "NotFound");
}

#[test]
fn an_update_that_changes_nothing_keeps_the_version() {
    let case = Case::begin();
    let created = case.config_map("a");
    let updated = case.put("configmaps/a", &created).expect(200);
    assert_eq!(version(&updated), version(&created));
    let patched = case
        .patch("configmaps/a", "merge-patch", &json!({"data": {"k": "v"}}))
        .expect(200);
    assert_eq!(version(&patched), version(&created));
}

#[test]
fn a_dry_run_of_an_update_changes_nothing() {
    let case = Case::begin();
    let created = case.config_map("a");
    let object = json!({"metadata": {"name": "a"}, "data": {"k": "2"}});
    let shown = case.put("configmaps/a?dryRun=All", &object).expect(200);
    assert_eq!(shown["data"]["k"], "2");
    assert_eq!(case.get("configmaps/a").expect(200), created);
}

#[test]
fn what_is_immutable_stays_as_it_is() {
    let case = Case::begin();
    let object = json!({"metadata": {"name": "a"}, "immutable": true, "data": {"k": "v"}});
    case.post("configmaps", &object).expect(201);
    let status = case
        .put(
            "configmaps/a",
            &json!({"metadata": {"name": "a"}, "immutable": true, "data": {"k": "2"}}),
        )
        .refused(422, "Invalid");
    says(
        &status,
        "data: Forbidden: field is immutable when `immutable` is set",
    );
    let status = case
        .put(
            "configmaps/a",
            &json!({"metadata": {"name": "a"}, "data": {"k": "v"}}),
        )
        .refused(422, "Invalid");
    says(
        &status,
        "immutable: Forbidden: field is immutable when `immutable` is set",
    );
    let labels = json!({"metadata": {"labels": {"l": "1"}}});
    case.patch("configmaps/a", "merge-patch", &labels)
        .expect(200);
}

#[test]
fn the_type_of_a_secret_cannot_change() {
    let case = Case::begin();
    case.post("secrets", &json!({"metadata": {"name": "a"}}))
        .expect(201);
    let object = json!({"metadata": {"name": "a"}, "type": "example.com/t"});
    let status = case.put("secrets/a", &object).refused(422, "Invalid");
    assert_eq!(status["details"]["causes"][0]["field"], "type");
}

#[test]
fn of_many_writers_with_one_version_one_wins() {
    let case = Case::begin();
    let object = case.config_map("a");
    let codes: Vec<u16> = std::thread::scope(|scope| {
        let put = |number: usize| {
            let mut object = object.clone();
            object["data"]["k"] = json!(number.to_string());
            let case = &case;
            scope.spawn(move || case.put("configmaps/a", &object).status)
        };
        let threads: Vec<_> = (0..8).map(put).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        codes.iter().filter(|code| **code == 200).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == 409).count(),
        7,
        "{codes:?}"
    );
}

#[test]
fn status_is_written_through_its_own_path_alone() {
    let case = Case::begin();
    let pod = json!({
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
        "status": {"message": "mine"},
    });
    let created = case.post("pods", &pod).expect(201);
    assert!(created["status"]["message"].is_null(), "{created}");
    let patch = json!({"status": {"message": "from here"}, "metadata": {"labels": {"l": "1"}}});
    let patched = case
        .patch("pods/p/status", "merge-patch", &patch)
        .expect(200);
    assert_eq!(patched["status"]["message"], "from here");
    let patch = json!({"status": {"message": "from there"}});
    let patched = case.patch("pods/p", "merge-patch", &patch).expect(200);
    assert_eq!(patched["status"]["message"], "from here");
    case.get("pods/p/status").expect(200);
}

#[test]
fn the_finalizers_of_a_namespace_are_written_through_finalize() {
    let case = Case::begin();
    let path = format!("/api/v1/namespaces/{}", case.namespace);
    let mut namespace = case.get(&path).expect(200);
    assert_eq!(namespace["spec"]["finalizers"], json!(["kubernetes"]));
    namespace["spec"]["finalizers"] = json!(["kubernetes", "example.com/hold"]);
    let plain = case.put(&path, &namespace).expect(200);
    assert_eq!(plain["spec"]["finalizers"], json!(["kubernetes"]));
    namespace["metadata"]["resourceVersion"] = plain["metadata"]["resourceVersion"].clone();
    let finalized = case
        .put(&format!("{path}/finalize"), &namespace)
        .expect(200);
    assert_eq!(
        finalized["spec"]["finalizers"],
        json!(["kubernetes", "example.com/hold"])
    );
    let mut namespace = case.get(&path).expect(200);
    namespace["spec"]["finalizers"] = json!(["kubernetes"]);
    case.put(&format!("{path}/finalize"), &namespace)
        .expect(200);
}
