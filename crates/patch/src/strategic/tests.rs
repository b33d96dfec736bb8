use super::*;
use burgee_wire::schema::schema;
use proptest::prelude::*;
use serde_json::json;

fn patched(kind: &str, object: Value, patch: Value) -> Result<Value, Error> {
    let kind = schema()
        .find(&format!("io.k8s.api.core.v1.{kind}"))
        .unwrap();
    let Value::Object(patch) = patch else {
        panic!("a patch is an object")
    };
    merge(object, patch, kind)
}

fn finalizers(list: &[&str]) -> Value {
    json!({"metadata": {"finalizers": list}})
}

fn containers(list: Value) -> Value {
    json!({"spec": {"containers": list}})
}

#[test]
fn maps_merge_and_null_removes() {
    let table = [
        (
            json!({"data": {"a": "1"}}),
            json!({"data": {"b": "2"}}),
            json!({"data": {"a": "1", "b": "2"}}),
        ),
        (
            json!({"data": {"a": "1", "b": "2"}}),
            json!({"data": {"a": null}}),
            json!({"data": {"b": "2"}}),
        ),
        (
            json!({"data": {"a": "1"}}),
            json!({"data": null}),
            json!({}),
        ),
        (
            json!({}),
            json!({"data": {"a": null, "b": "2"}}),
            json!({"data": {"b": "2"}}),
        ),
        (
            json!({"data": {"a": "1"}}),
            json!({"data": {"$patch": "replace", "b": "2"}}),
            json!({"data": {"b": "2"}}),
        ),
        (
            json!({"data": {"a": "1"}}),
            json!({"data": {"$patch": "delete"}}),
            json!({"data": {}}),
        ),
        (json!({}), json!({"data": {"$patch": "delete"}}), json!({})),
        (
            json!({"immutable": true}),
            json!({"immutable": false}),
            json!({"immutable": false}),
        ),
        (
            json!({"data": {"a": "1", "b": "2"}}),
            json!({"data": {"$retainKeys": ["b", "c"], "c": "3"}}),
            json!({"data": {"b": "2", "c": "3"}}),
        ),
    ];
    for (object, patch, expected) in table {
        let merged = patched("ConfigMap", object, patch.clone()).unwrap();
        assert_eq!(merged, expected, "{patch}");
    }
}

#[test]
fn lists_of_scalars_merge() {
    let table = [
        (
            finalizers(&["a"]),
            finalizers(&["b"]),
            finalizers(&["b", "a"]),
        ),
        (
            finalizers(&["a", "b"]),
            finalizers(&["b", "c"]),
            finalizers(&["a", "b", "c"]),
        ),
        (
            finalizers(&["a", "b"]),
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
            finalizers(&["b"]),
        ),
        (
            finalizers(&["a", "b", "c"]),
            json!({"metadata": {"$setElementOrder/finalizers": ["c", "a"]}}),
            finalizers(&["b", "c", "a"]),
        ),
        (
            finalizers(&["a", "b"]),
            json!({"metadata": {"$setElementOrder/finalizers": ["c", "b"], "finalizers": ["c"],
                "$deleteFromPrimitiveList/finalizers": ["a"]}}),
            finalizers(&["c", "b"]),
        ),
        (
            json!({"metadata": {}}),
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
            json!({"metadata": {}}),
        ),
        (
            finalizers(&["a"]),
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": null}}),
            json!({"metadata": {}}),
        ),
    ];
    for (object, patch, expected) in table {
        let merged = patched("ConfigMap", object, patch.clone()).unwrap();
        assert_eq!(merged, expected, "{patch}");
    }
}

#[test]
fn lists_of_objects_merge_by_their_key() {
    let live = containers(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]));
    let table = [
        (
            json!([{"name": "b", "image": "2"}]),
            json!([{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]),
        ),
        (
            json!([{"name": "c"}]),
            json!([{"name": "c"}, {"name": "a", "image": "1"}, {"name": "b", "image": "1"}]),
        ),
        (
            json!([{"name": "a", "$patch": "delete"}, {"name": "c"}]),
            json!([{"name": "c"}, {"name": "b", "image": "1"}]),
        ),
        (
            json!([{"$patch": "replace"}, {"name": "c"}]),
            json!([{"name": "c"}]),
        ),
        (json!([{"$patch": "replace"}]), json!([])),
        (
            json!([{"name": "b", "image": null}]),
            json!([{"name": "a", "image": "1"}, {"name": "b"}]),
        ),
    ];
    for (patch, expected) in table {
        let merged = patched("Pod", live.clone(), containers(patch.clone())).unwrap();
        assert_eq!(merged, containers(expected), "{patch}");
    }
}

#[test]
fn lists_without_a_strategy_are_replaced() {
    let live = json!({"spec": {"tolerations": [{"key": "a"}]}});
    let patch = json!({"spec": {"tolerations": [{"key": "b"}]}});
    assert_eq!(patched("Pod", live, patch.clone()).unwrap(), patch);
}

#[test]
fn an_order_directive_orders_objects_and_keeps_others_where_they_were() {
    let live = containers(json!([{"name": "a"}, {"name": "x"}, {"name": "b"}]));
    let patch = json!({"spec": {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}, {"name": "c"}],
        "containers": [{"name": "a", "image": "2"}, {"name": "c"}],
    }});
    let expected =
        json!([{"name": "x"}, {"name": "b"}, {"name": "a", "image": "2"}, {"name": "c"}]);
    assert_eq!(patched("Pod", live, patch).unwrap(), containers(expected));
}

#[test]
fn retained_keys_switch_between_members_that_exclude_each_other() {
    let volume = |value: Value| json!({"spec": {"volumes": [value]}});
    let live = volume(json!({"name": "v", "emptyDir": {}}));
    let patch = volume(
        json!({"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}),
    );
    let expected = volume(json!({"name": "v", "secret": {"secretName": "s"}}));
    assert_eq!(patched("Pod", live, patch).unwrap(), expected);
}

#[test]
fn what_is_no_such_patch_is_refused_with_its_code() {
    let live = json!({"metadata": {"finalizers": ["a"]}, "spec": {"containers": [{"name": "a"}]}});
    let table = [
        (json!({"$patch": "merge"}), 422, "unknown patch type: merge"),
        (
            json!({"spec": {"$patch": 1}}),
            422,
            "unknown patch type: of another type",
        ),
        (
            json!({"spec": {"$retainKeys": 1}}),
            400,
            "invalid patch format of retainKeys",
        ),
        (
            json!({"spec": {"$retainKeys": [], "a": 1}}),
            400,
            "invalid patch format of retainKeys",
        ),
        (
            json!({"metadata": {"$deleteFromPrimitiveList": []}}),
            400,
            "invalid patch format of primitive list",
        ),
        (
            json!({"metadata": {"$setElementOrder": []}}),
            400,
            "invalid patch format of setElementOrder list",
        ),
        (
            containers(json!([{"image": "x"}])),
            422,
            "map does not contain declared merge key: name",
        ),
        (
            containers(json!([{"name": "a", "$patch": "merge"}])),
            422,
            "merging lists cannot yet be specified in the patch",
        ),
        (
            json!({"metadata": {"finalizers": [1]}}),
            422,
            "list element types are not identical",
        ),
        (
            json!({"metadata": {"$setElementOrder/finalizers": ["b"], "finalizers": ["c"]}}),
            422,
            "the order in the patch list doesn't match the $setElementOrder list",
        ),
        (
            json!({"spec": {"$setElementOrder/colours": ["b"]}}),
            422,
            "unable to find api field in struct PodSpec for the json field \"colours\"",
        ),
    ];
    for (patch, code, text) in table {
        let error = patched("Pod", live.clone(), patch).unwrap_err();
        assert_eq!(
            (error.status().code, error.to_string().as_str()),
            (code, text)
        );
    }
}

#[test]
fn lists_of_lists_are_not_told_apart_further() {
    let error = patched(
        "Pod",
        finalizers(&["a"]),
        json!({"metadata": {"finalizers": [[]]}}),
    );
    assert_eq!(
        error.unwrap_err().status().message,
        Error::Unprocessable(String::new()).status().message
    );
}

/// The patch that leads from one config map to another, as kubectl computes it.
fn diff(old: &Value, new: &Value) -> Value {
    let data = |object: &Value| object["data"].as_object().cloned().unwrap_or_default();
    let list = |object: &Value| {
        object["metadata"]["finalizers"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let mut changes: Map<String, Value> = data(old)
        .into_iter()
        .map(|(name, _)| (name, Value::Null))
        .collect();
    changes.extend(data(new));
    let gone = list(old)
        .into_iter()
        .filter(|item| !list(new).contains(item));
    json!({"data": changes, "metadata": {
        "finalizers": list(new),
        "$deleteFromPrimitiveList/finalizers": gone.collect::<Vec<_>>(),
        "$setElementOrder/finalizers": list(new),
    }})
}

fn config_map() -> impl Strategy<Value = Value> {
    let data = prop::collection::btree_map("[a-d]", "[0-2]", 0..4);
    let finalizers = Just(["a", "b", "c", "d"]).prop_shuffle();
    (data, finalizers, 0..4_usize).prop_map(|(data, finalizers, count)| {
        json!({"data": data, "metadata": {"finalizers": finalizers[..count]}})
    })
}

proptest! {
    #[test]
    fn a_diff_leads_from_one_object_to_the_other(old in config_map(), new in config_map()) {
        let merged = patched("ConfigMap", old.clone(), diff(&old, &new)).unwrap();
        prop_assert_eq!(merged, new);
    }
}
