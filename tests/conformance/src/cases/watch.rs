//! Watching.

use serde_json::{Value, json};

use crate::support::{Case, Expect as _, Watch, version};

fn pair(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), name.to_owned())
}

#[test]
fn a_watch_from_now_begins_with_what_is_there_and_goes_on_with_changes() {
    let case = Case::begin();
    case.config_map("a");
    let mut watch = case.watch("configmaps?watch=true");
    assert_eq!(watch.next(), pair("ADDED", "a"));
    case.config_map("b");
    assert_eq!(watch.next(), pair("ADDED", "b"));
    case.patch("configmaps/a", "merge-patch", &json!({"data": {"k": "2"}}))
        .expect(200);
    assert_eq!(watch.next(), pair("MODIFIED", "a"));
    case.delete("configmaps/b").expect(200);
    assert_eq!(watch.next(), pair("DELETED", "b"));
}

#[test]
fn a_watch_from_a_revision_has_each_change_after_it_once_and_in_order() {
    let case = Case::begin();
    let from = version(&case.config_map("a"));
    case.config_map("b");
    case.delete("configmaps/a").expect(200);
    let mut watch = case.watch(&format!("configmaps?watch=true&resourceVersion={from}"));
    assert_eq!(watch.next(), pair("ADDED", "b"));
    assert_eq!(watch.next(), pair("DELETED", "a"));
    case.config_map("c");
    assert_eq!(watch.next(), pair("ADDED", "c"));
}

#[test]
fn a_watch_from_0_begins_with_what_is_there() {
    let case = Case::begin();
    case.config_map("a");
    let mut watch = case.watch("configmaps?watch=true&resourceVersion=0");
    assert_eq!(watch.next(), pair("ADDED", "a"));
}

#[test]
fn a_watch_that_follows_a_list_misses_nothing_between() {
    let case = Case::begin();
    let list = case.get("configmaps").expect(200);
    case.config_map("between");
    let from = version(&list);
    let mut watch = case.watch(&format!("configmaps?watch=true&resourceVersion={from}"));
    assert_eq!(watch.next(), pair("ADDED", "between"));
}

#[test]
fn a_deletion_shows_the_last_state_at_a_revision_of_its_own() {
    let case = Case::begin();
    let created = case.config_map("a");
    let from = version(&created);
    case.delete("configmaps/a").expect(200);
    // Controllers may be about to write others of the namespace.
    let mut watch = case.watch(&format!(
        "configmaps?watch=true&fieldSelector=metadata.name%3Da&resourceVersion={from}"
    ));
    let event = watch.event();
    assert_eq!(
        (&event["type"], &event["object"]["data"]),
        (&json!("DELETED"), &created["data"])
    );
    assert!(version(&event["object"]).parse::<u64>().unwrap() > from.parse().unwrap());
}

#[test]
fn objects_come_into_the_view_of_a_selector_and_leave_it() {
    let case = Case::begin();
    let from = version(&case.config_map("a"));
    let path = format!("configmaps?watch=true&labelSelector=on&resourceVersion={from}");
    let mut watch = case.watch(&path);
    let label = |value: Value| {
        let patch = json!({"metadata": {"labels": {"on": value}}});
        case.patch("configmaps/a", "merge-patch", &patch)
            .expect(200);
    };
    label(json!("1"));
    assert_eq!(watch.next(), pair("ADDED", "a"));
    label(json!("2"));
    assert_eq!(watch.next(), pair("MODIFIED", "a"));
    label(Value::Null);
    let event = watch.event();
    assert_eq!(event["type"], "DELETED");
    // As it was when it was last in view.
    assert_eq!(event["object"]["metadata"]["labels"]["on"], "2");
}

#[test]
fn a_watch_of_one_name_shows_that_object_alone() {
    let case = Case::begin();
    let from = version(&case.config_map("a"));
    let path =
        format!("configmaps?watch=true&fieldSelector=metadata.name%3Db&resourceVersion={from}");
    let mut watch = case.watch(&path);
    case.config_map("c");
    case.config_map("b");
    assert_eq!(watch.next(), pair("ADDED", "b"));
}

#[test]
fn a_watch_ends_after_the_seconds_that_it_asked_for() {
    let case = Case::begin();
    case.config_map("a");
    let watch =
        case.watch("configmaps?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Da");
    assert_eq!(watch.rest().len(), 1);
}

#[test]
fn the_end_of_the_initial_events_is_marked_for_who_asks() {
    let case = Case::begin();
    case.config_map("a");
    let path = "configmaps?watch=true&sendInitialEvents=true&allowWatchBookmarks=true\
                &resourceVersionMatch=NotOlderThan&fieldSelector=metadata.name%3Da";
    let mut watch = case.watch(path);
    assert_eq!(watch.next(), pair("ADDED", "a"));
    let mark = watch.event();
    assert_eq!(mark["type"], "BOOKMARK");
    let object = &mark["object"];
    assert_eq!(
        object["metadata"]["annotations"],
        json!({"k8s.io/initial-events-end": "true"})
    );
    assert_eq!(
        (&object["kind"], &object["apiVersion"]),
        (&json!("ConfigMap"), &json!("v1"))
    );
    version(object);
}

#[test]
fn initial_events_without_their_conditions_are_422() {
    let case = Case::begin();
    for query in [
        "sendInitialEvents=true",
        "resourceVersionMatch=NotOlderThan",
    ] {
        let path = format!("configmaps?watch=true&{query}");
        case.get(&path).refused(422, "Invalid");
    }
}

#[test]
fn a_watch_from_a_revision_can_leave_out_what_is_there() {
    let case = Case::begin();
    case.config_map("a");
    let path = "configmaps?watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan";
    let mut watch = case.watch(&format!(
        "{path}&resourceVersion={}",
        version(&case.get("configmaps").expect(200))
    ));
    case.config_map("b");
    assert_eq!(watch.next(), pair("ADDED", "b"));
}

#[test]
fn a_watch_as_table_describes_its_columns_once() {
    let case = Case::begin();
    case.config_map("a");
    case.config_map("b");
    let path = case.path("configmaps?watch=true&fieldSelector=metadata.name!%3Dkube-root-ca.crt");
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let mut watch = Watch::open(&case.client, &path, accept);
    let (first, second) = (
        watch.event()["object"].clone(),
        watch.event()["object"].clone(),
    );
    assert_eq!(first["kind"], "Table");
    assert_eq!(first["columnDefinitions"][0]["name"], "Name");
    assert!(second["columnDefinitions"].is_null(), "{second}");
    let mut cells = [
        first["rows"][0]["cells"][0].clone(),
        second["rows"][0]["cells"][0].clone(),
    ];
    cells.sort_by_key(Value::to_string);
    assert_eq!(cells, [json!("a"), json!("b")]);
}

#[test]
fn a_watch_over_all_namespaces_sees_each() {
    let case = Case::begin();
    let from = version(&case.get("configmaps").expect(200));
    let selector = format!("labelSelector=all%3D{}", case.namespace);
    let mut watch = case.watch(&format!(
        "/api/v1/configmaps?watch=true&{selector}&resourceVersion={from}"
    ));
    let labels = json!({"all": case.namespace});
    case.config_map_with(json!({"name": "a", "labels": labels}));
    assert_eq!(watch.next(), pair("ADDED", "a"));
}
