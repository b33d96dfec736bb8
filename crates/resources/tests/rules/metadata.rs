//! The rules on metadata, one refusal each.

use burgee_resources::metadata::{self, ANNOTATIONS_LIMIT};
use burgee_wire::ObjectMeta;
use serde_json::{Value, json};

use crate::testkit::{resource, texts};

fn meta(value: Value) -> ObjectMeta {
    serde_json::from_value(value).unwrap()
}

/// What is wrong with a ConfigMap's metadata, where name and namespace are good.
fn create(mut value: Value) -> Vec<String> {
    let members = value.as_object_mut().unwrap();
    members.entry("name").or_insert("c".into());
    members.entry("namespace").or_insert("n".into());
    texts(&metadata::validate_create(
        &meta(value),
        resource("configmaps"),
    ))
}

fn update(old: Value, new: Value) -> Vec<String> {
    let (old, mut new) = (meta(old), meta(new));
    new.resource_version = "1".into();
    texts(&metadata::validate_update(&new, &old))
}

#[test]
fn good_metadata_is_good() {
    let value = json!({"name": "a.b", "generateName": "a-", "namespace": "n", "generation": 1,
        "labels": {"x.y/z": "A_1", "empty": ""}, "annotations": {"X.Y/Z": "anything"},
        "finalizers": ["orphan", "example.com/hold"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": true},
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "u"}],
        "managedFields": [{"manager": "m", "operation": "Apply", "fieldsType": "FieldsV1"}]});
    assert_eq!(create(value), [""; 0]);
}

#[test]
fn each_rule_refuses_in_upstreams_words() {
    let subdomain = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"});
    let controller = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": "u", "controller": true});
    let table = [
        (json!({"name": ""}), "metadata.name: Required value: name or generateName is required".to_owned()),
        (json!({"name": "A"}), format!("metadata.name: Invalid value: \"A\": {subdomain}")),
        (json!({"generateName": "Ab-"}), format!("metadata.generateName: Invalid value: \"Ab-\": {subdomain}")),
        (json!({"namespace": ""}), "metadata.namespace: Required value".to_owned()),
        (json!({"generation": -1}), "metadata.generation: Invalid value: -1: must be greater than or equal to 0".to_owned()),
        (json!({"labels": {"/a": "b"}}), "metadata.labels: Invalid value: \"/a\": prefix part must be non-empty".to_owned()),
        (json!({"finalizers": ["hold"]}), "metadata.finalizers[0]: Invalid value: \"hold\": name is neither a standard finalizer name nor is it fully qualified".to_owned()),
        (json!({"finalizers": ["orphan", "foregroundDeletion"]}), "metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\"]: finalizer orphan and foregroundDeletion cannot be both set".to_owned()),
        (json!({"ownerReferences": [{"apiVersion": "", "kind": "Pod", "name": "p", "uid": "u"}]}), "metadata.ownerReferences[0].apiVersion: Required value: must not be empty".to_owned()),
        (json!({"ownerReferences": [{"apiVersion": "a/b/c", "kind": "Pod", "name": "p", "uid": "u"}]}), "metadata.ownerReferences[0].apiVersion: Invalid value: \"a/b/c\": must be <group>/<version> or <version>".to_owned()),
        (json!({"ownerReferences": [{"apiVersion": "apps/", "kind": "Pod", "name": "p", "uid": "u"}]}), "metadata.ownerReferences[0].apiVersion: Invalid value: \"apps/\": must be <group>/<version> or <version>".to_owned()),
        (json!({"ownerReferences": [owner, {"apiVersion": "v1", "kind": "", "name": "p", "uid": "u"}]}), "metadata.ownerReferences[1].kind: Required value: must not be empty".to_owned()),
        (json!({"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "", "uid": "u"}]}), "metadata.ownerReferences[0].name: Required value: must not be empty".to_owned()),
        (json!({"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}]}), "metadata.ownerReferences[0].uid: Required value: must not be empty".to_owned()),
        (json!({"ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "p", "uid": "u"}]}), "metadata.ownerReferences[0]: Invalid value: {\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"p\",\"uid\":\"u\"}: /v1, Kind=Event is disallowed from being an owner".to_owned()),
        (json!({"managedFields": [{"manager": "m"}]}), "metadata.managedFields[0].operation: Required value: must not be empty".to_owned()),
        (json!({"managedFields": [{"operation": "Patch"}]}), "metadata.managedFields[0].operation: Unsupported value: \"Patch\": supported values: \"Apply\", \"Update\"".to_owned()),
        (json!({"managedFields": [{"operation": "Apply", "fieldsType": "V2"}]}), "metadata.managedFields[0].fieldsType: Invalid value: \"V2\": must be `FieldsV1`".to_owned()),
        (json!({"managedFields": [{"operation": "Apply", "subresource": "s".repeat(257)}]}), "metadata.managedFields[0].subresource: Too long: must have at most 256 bytes".to_owned()),
    ];
    for (value, text) in table {
        assert_eq!(create(value), [text]);
    }
    let two = create(json!({"ownerReferences": [controller("a"), controller("b")]}));
    assert!(two.len() == 1 && two.iter().all(|text| text.ends_with("Only one reference can have Controller set to true. Found \"true\" in references for Pod/a and Pod/b")), "{two:?}");
}

#[test]
fn annotations_have_a_common_limit_of_256_kib() {
    let filled = |size: usize| json!({"annotations": {"a": "x".repeat(size - 1)}});
    assert_eq!(create(filled(ANNOTATIONS_LIMIT)), [""; 0]);
    let text = "metadata.annotations: Too long: must have at most 262144 bytes";
    assert_eq!(create(filled(ANNOTATIONS_LIMIT + 1)), [text]);
}

#[test]
fn cluster_scoped_objects_have_no_namespace() {
    let meta = meta(json!({"name": "a", "namespace": "n"}));
    let errors = metadata::validate_create(&meta, resource("nodes"));
    assert_eq!(
        texts(&errors),
        ["metadata.namespace: Forbidden: not allowed on this type"]
    );
}

#[test]
fn names_follow_the_kind() {
    let table = [
        ("namespaces", "a.b", false),
        ("namespaces", "a-b", true),
        ("roles", "system:node", true),
        ("roles", "a/b", false),
        ("clusterrolebindings", "..", false),
        ("events", "Any Name", true),
        ("secrets", "a.b", true),
        ("secrets", "a_b", false),
    ];
    for (plural, name, good) in table {
        assert_eq!(
            resource(plural).rules.name_problems(name).is_empty(),
            good,
            "{plural} {name}"
        );
    }
}

#[test]
fn prefixes_of_generated_names_may_end_where_names_may_not() {
    let table = [
        ("secrets", "a-", true),
        ("secrets", "a--", true),
        ("secrets", "-", false),
        ("secrets", "a.", false),
        ("roles", ".", true),
        ("roles", "a/", false),
    ];
    for (plural, prefix, good) in table {
        let problems = resource(plural).rules.generate_name_problems(prefix);
        assert_eq!(problems.is_empty(), good, "{plural} {prefix}");
    }
}

#[test]
fn generated_names_are_labels_and_differ() {
    let names: std::collections::BTreeSet<_> = (0..100)
        .map(|_| metadata::generate_name(&"a".repeat(70)))
        .collect();
    assert!(names.len() > 90);
    assert!(
        names
            .iter()
            .all(|name| name.len() == 63 && name.starts_with(&"a".repeat(58)))
    );
    let (_, random) = names.first().unwrap().split_at(58);
    assert!(
        random
            .chars()
            .all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c)),
        "{random}"
    );
}

#[test]
fn an_update_cannot_change_what_names_the_object() {
    let old = json!({"name": "a", "namespace": "n", "uid": "u", "generation": 2,
        "creationTimestamp": "2026-01-01T00:00:00Z"});
    let changed = |member: &str, value: Value| {
        let mut new = old.clone();
        new.as_object_mut()
            .unwrap()
            .insert(member.to_owned(), value);
        update(old.clone(), new)
    };
    let table = [
        (
            "name",
            json!("b"),
            "metadata.name: Invalid value: \"b\": field is immutable",
        ),
        (
            "namespace",
            json!("m"),
            "metadata.namespace: Invalid value: \"m\": field is immutable",
        ),
        (
            "uid",
            json!("v"),
            "metadata.uid: Invalid value: \"v\": field is immutable",
        ),
        (
            "generation",
            json!(1),
            "metadata.generation: Invalid value: 1: must not be decremented",
        ),
        (
            "creationTimestamp",
            json!("2026-01-01T00:00:01Z"),
            "metadata.creationTimestamp: Invalid value: \"2026-01-01T00:00:01Z\": field is immutable",
        ),
        (
            "deletionTimestamp",
            json!("2026-01-01T00:00:01Z"),
            "metadata.deletionTimestamp: Invalid value: \"2026-01-01T00:00:01Z\": field is immutable",
        ),
        (
            "deletionGracePeriodSeconds",
            json!(1),
            "metadata.deletionGracePeriodSeconds: Invalid value: 1: field is immutable",
        ),
    ];
    for (member, value, text) in table {
        assert_eq!(changed(member, value), [text]);
    }
    assert_eq!(changed("labels", json!({"a": "b"})), [""; 0]);
    assert_eq!(changed("labels", json!({"a": "-"})).len(), 1);
}

#[test]
fn an_update_says_which_version_it_replaces() {
    let meta = meta(json!({"name": "a"}));
    let text = "metadata.resourceVersion: Invalid value: \"\": must be specified for an update";
    assert_eq!(texts(&metadata::validate_update(&meta, &meta)), [text]);
}

#[test]
fn finalizers_may_go_but_not_come_while_an_object_is_deleted() {
    let old = json!({"name": "a", "finalizers": ["x.y/a", "x.y/b"], "deletionTimestamp": "2026-01-01T00:00:00Z"});
    let with = |finalizers: Value| {
        let mut new = old.clone();
        new.as_object_mut()
            .unwrap()
            .insert("finalizers".into(), finalizers);
        update(old.clone(), new)
    };
    assert_eq!(with(json!(["x.y/b"])), [""; 0]);
    let text = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"x.y/c\", \"x.y/d\"}";
    assert_eq!(with(json!(["x.y/a", "x.y/d", "x.y/c", "x.y/d"])), [text]);
}

#[test]
fn what_only_the_server_sets_is_neither_taken_nor_lost() {
    let mut new = meta(
        json!({"name": "a", "uid": "forged", "creationTimestamp": "2026-01-01T00:00:00Z",
        "deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 3}),
    );
    metadata::prepare_create(&mut new);
    assert_eq!(new, meta(json!({"name": "a"})));

    let old = meta(
        json!({"name": "a", "uid": "u", "generation": 4, "creationTimestamp": "2026-01-01T00:00:00Z",
        "deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 3}),
    );
    let mut new = meta(json!({"name": "a", "generation": 9}));
    metadata::prepare_update(&mut new, &old);
    assert_eq!(new, old);
}
