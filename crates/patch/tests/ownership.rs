//! Who owns what after whatever people do to an object.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use burgee_patch::{
    Endpoint, Error, FieldSet, OnConflict, Writer, apply, resets_managed_fields, update,
};
use burgee_wire::ManagedFieldsEntry;
use burgee_wire::decode::conform;
use burgee_wire::schema::{StructRef, schema};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One object on a server, and a clock that ticks with every write.
#[derive(Clone)]
struct World {
    kind: StructRef,
    live: Option<Value>,
    reset_fields: FieldSet,
    second: i64,
}

impl World {
    fn new(kind: &str) -> Self {
        Self {
            kind: schema()
                .find(&format!("io.k8s.api.core.v1.{kind}"))
                .unwrap(),
            live: None,
            reset_fields: FieldSet::default(),
            second: 0,
        }
    }

    fn config_map() -> Self {
        Self::new("ConfigMap")
    }

    fn endpoint<'a>(&'a self, subresource: &'a str) -> Endpoint<'a> {
        Endpoint {
            kind: self.kind,
            api_version: "v1",
            subresource,
            reset_fields: &self.reset_fields,
        }
    }

    fn writer<'a>(&mut self, name: &'a str) -> Writer<'a> {
        self.second += 1;
        let now = jiff::Timestamp::from_second(self.second).unwrap();
        Writer { name, now }
    }

    fn put(&mut self, manager: &str, object: Value) -> &mut Self {
        self.put_through("", manager, object)
    }

    fn put_through(&mut self, subresource: &str, manager: &str, object: Value) -> &mut Self {
        let mut object = conform(object, self.kind).unwrap().value;
        let writer = self.writer(manager);
        let entries = update(
            self.live.as_ref(),
            &object,
            &self.endpoint(subresource),
            &writer,
        );
        set_entries(&mut object, entries);
        self.live = Some(object);
        self
    }

    fn try_apply(
        &mut self,
        manager: &str,
        mut object: Value,
        on_conflict: OnConflict,
    ) -> Result<&mut Self, Error> {
        object["kind"] = json!(self.kind.short_name());
        object["apiVersion"] = json!("v1");
        let writer = self.writer(manager);
        let endpoint = self.endpoint("");
        let applied = apply(self.live.as_ref(), &object, &endpoint, &writer, on_conflict)?;
        let mut object = applied.object;
        set_entries(&mut object, applied.managed_fields);
        self.live = Some(object);
        Ok(self)
    }

    fn apply(&mut self, manager: &str, object: Value) -> &mut Self {
        self.try_apply(manager, object, OnConflict::Refuse).unwrap()
    }

    fn force(&mut self, manager: &str, object: Value) -> &mut Self {
        self.try_apply(manager, object, OnConflict::Force).unwrap()
    }

    /// The text of the refusal of an apply.
    fn refusal(&mut self, manager: &str, object: Value) -> String {
        let refused = self.try_apply(manager, object, OnConflict::Refuse).err();
        refused.unwrap().to_string()
    }

    fn object(&self) -> &Value {
        self.live.as_ref().unwrap()
    }

    fn entries(&self) -> Vec<ManagedFieldsEntry> {
        let entries = &self.object()["metadata"]["managedFields"];
        serde_json::from_value(entries.clone()).unwrap_or_default()
    }

    /// `manager: path path`, a line per entry.
    fn owners(&self) -> Vec<String> {
        let line = |entry: ManagedFieldsEntry| {
            let fields = FieldSet::from_value(&entry.fields_v1).unwrap();
            let paths: Vec<_> = fields.paths().iter().map(ToString::to_string).collect();
            format!("{} {}: {}", entry.operation, entry.manager, paths.join(" "))
        };
        self.entries().into_iter().map(line).collect()
    }
}

fn set_entries(object: &mut Value, entries: Vec<ManagedFieldsEntry>) {
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.remove("managedFields");
    if !entries.is_empty() {
        metadata.insert(
            "managedFields".into(),
            serde_json::to_value(entries).unwrap(),
        );
    }
}

fn data(data: Value) -> Value {
    json!({"metadata": {"name": "c"}, "data": data})
}

#[test]
fn a_change_moves_a_field_to_the_one_who_changed_it() {
    let mut world = World::config_map();
    world.put("a", data(json!({"x": "1", "y": "1"})));
    world.put("b", data(json!({"x": "1", "y": "2", "z": "1"})));
    assert_eq!(
        world.owners(),
        ["Update a: .data .data.x", "Update b: .data.y .data.z"]
    );
}

#[test]
fn nobody_owns_what_was_removed_and_entries_without_fields_vanish() {
    let mut world = World::config_map();
    world.put("a", data(json!({"x": "1"})));
    world.put("b", data(json!({"x": "1", "y": "1"})));
    world.put("a", data(json!({"x": "1"})));
    assert_eq!(world.owners(), ["Update a: .data .data.x"]);
}

#[test]
fn an_entry_has_the_time_of_the_last_change() {
    let mut world = World::config_map();
    world.put("a", data(json!({"x": "1"})));
    world.put("a", data(json!({"x": "1"})));
    assert_eq!(world.entries()[0].time.unwrap().timestamp().as_second(), 1);
    world.put("a", data(json!({"x": "2"})));
    assert_eq!(world.entries()[0].time.unwrap().timestamp().as_second(), 3);
}

#[test]
fn what_the_server_sets_is_nobodys() {
    let mut world = World::config_map();
    world.put(
        "a",
        json!({"metadata": {"name": "c", "namespace": "n", "uid": "u", "resourceVersion": "1",
            "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"l": "1"}}}),
    );
    assert_eq!(
        world.owners(),
        ["Update a: .metadata.labels .metadata.labels.l"]
    );
}

#[test]
fn an_empty_entry_forgets_all_owners_until_the_next_apply() {
    let mut world = World::config_map();
    world.put("a", data(json!({"x": "1"})));
    let reset = json!({"metadata": {"name": "c", "managedFields": [{}]}, "data": {"x": "1"}});
    assert!(resets_managed_fields(&reset));
    world.put("a", reset);
    assert_eq!(world.owners(), [""; 0]);
    world.put("a", data(json!({"x": "2"})));
    assert_eq!(world.owners(), [""; 0]);
    world.apply("b", data(json!({"y": "1"})));
    let expected = [
        "Apply b: .data.y",
        "Update before-first-apply: .data .data.x",
    ];
    assert_eq!(world.owners(), expected);
}

#[test]
fn only_an_empty_list_or_an_empty_entry_asks_to_forget() {
    let body = |entries: Value| json!({"metadata": {"managedFields": entries}});
    assert!(resets_managed_fields(&body(json!([]))));
    assert!(resets_managed_fields(&body(json!([{}]))));
    for other in [json!(null), json!([{"manager": "a"}]), json!([{}, {}])] {
        assert!(!resets_managed_fields(&body(other)));
    }
    assert!(!resets_managed_fields(&json!({})));
}

#[test]
fn a_client_can_send_entries_but_not_through_a_subresource() {
    let own = json!([{"manager": "me", "operation": "Update", "apiVersion": "v1",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:x": {}}}}]);
    let sent = json!({"metadata": {"name": "c", "managedFields": own}, "data": {"x": "1"}});
    let mut world = World::config_map();
    world.put("a", data(json!({"x": "1"})));
    let mut through_status = world.clone();
    world.put("a", sent.clone());
    assert_eq!(world.owners(), ["Update me: .data.x"]);
    through_status.put_through("status", "a", sent);
    assert_eq!(through_status.owners(), ["Update a: .data .data.x"]);
}

#[test]
fn entries_that_make_no_sense_are_ignored() {
    let mut world = World::config_map();
    world.put("a", data(json!({"x": "1"})));
    world.put(
        "a",
        json!({"metadata": {"managedFields": [{"manager": "me"}]}, "data": {"x": "1"}}),
    );
    assert_eq!(world.owners(), ["Update a: .data .data.x"]);
}

#[test]
fn entries_in_a_version_that_is_not_served_are_dropped() {
    let old = json!([{"manager": "old", "operation": "Apply", "apiVersion": "v1beta1",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}]);
    let mut world = World::config_map();
    world.live = Some(json!({"metadata": {"managedFields": old}, "data": {"x": "1"}}));
    world.put("a", data(json!({"x": "2"})));
    assert_eq!(world.owners(), ["Update a: .data.x"]);
}

#[test]
fn fields_that_have_become_one_whole_are_owned_as_such() {
    let old = json!([{"manager": "old", "operation": "Update", "apiVersion": "v1",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:involvedObject": {".": {}, "f:kind": {}}}}]);
    let mut world = World::new("Event");
    let event = json!({"metadata": {"managedFields": old}, "involvedObject": {"kind": "Pod"}});
    world.live = Some(conform(event, world.kind).unwrap().value);
    world.put(
        "a",
        json!({"involvedObject": {"kind": "Pod"}, "reason": "r"}),
    );
    assert_eq!(
        world.owners(),
        ["Update old: .involvedObject", "Update a: .reason"]
    );
}

#[test]
fn fields_that_an_endpoint_resets_are_nobodys() {
    let mut world = World::new("Pod");
    world.reset_fields = FieldSet::of_fields(&["status"]);
    let pod = json!({"spec": {"nodeName": "n"}, "status": {"phase": "Running"}});
    world.put("a", pod.clone());
    world.apply(
        "b",
        json!({"metadata": {"labels": {"l": "1"}}, "status": {"phase": "Failed"}}),
    );
    let expected = ["Apply b: .metadata.labels.l", "Update a: .spec.nodeName"];
    assert_eq!(world.owners(), expected);
}

#[test]
fn appliers_share_what_they_agree_on() {
    let mut world = World::config_map();
    world.apply("a", data(json!({"x": "1", "y": "1"})));
    world.apply("b", data(json!({"x": "1"})));
    assert_eq!(
        world.owners(),
        ["Apply b: .data.x", "Apply a: .data.x .data.y"]
    );
    world.apply("a", json!({}));
    assert_eq!(world.owners(), ["Apply b: .data.x"]);
    assert_eq!(world.object()["data"], json!({"x": "1"}));
}

#[test]
fn conflicts_name_every_owner_and_field() {
    let mut world = World::config_map();
    world.put("u", data(json!({"x": "1"})));
    world.apply("a", data(json!({"y": "1", "z": "1"})));
    let refusal = world.refusal("b", data(json!({"x": "2", "y": "2", "z": "2"})));
    let expected = "Apply failed with 3 conflicts: conflicts with \"a\":\n- .data.y\n- .data.z\nconflicts with \"u\" using v1:\n- .data.x";
    assert_eq!(refusal, expected);
    world.force("b", data(json!({"x": "2", "y": "2", "z": "2"})));
    assert_eq!(
        world.owners(),
        ["Apply b: .data.x .data.y .data.z", "Update u: .data"]
    );
}

#[test]
fn a_conflict_names_the_subresource() {
    let mut world = World::new("Pod");
    world.put_through("status", "kubelet", json!({"status": {"phase": "Running"}}));
    let refusal = world.refusal("b", json!({"status": {"phase": "Failed"}}));
    let expected = r#"Apply failed with 1 conflict: conflict with "kubelet" with subresource "status" using v1: .status.phase"#;
    assert_eq!(refusal, expected);
}

#[test]
fn an_applier_who_no_longer_says_a_field_removes_it_unless_others_own_it() {
    let mut world = World::config_map();
    world.apply("a", data(json!({"x": "1", "y": "1"})));
    world.put("u", data(json!({"x": "1", "y": "1", "u": "1"})));
    world.apply("a", data(json!({"y": "1"})));
    assert_eq!(world.object()["data"], json!({"y": "1", "u": "1"}));
    assert_eq!(world.owners(), ["Apply a: .data.y", "Update u: .data.u"]);
}

#[test]
fn an_update_takes_a_field_from_its_applier_who_then_meets_a_conflict() {
    let mut world = World::config_map();
    world.apply("a", data(json!({"x": "1"})));
    world.put("u", data(json!({"x": "2"})));
    assert_eq!(world.owners(), ["Update u: .data.x"]);
    let refusal = world.refusal("a", data(json!({"x": "1"})));
    assert!(
        refusal.ends_with(r#"conflict with "u" using v1: .data.x"#),
        "{refusal}"
    );
}

#[test]
fn items_of_lists_are_owned_one_by_one() {
    let containers = |list: Value| json!({"spec": {"containers": list}});
    let mut world = World::new("Pod");
    let ports = json!([{"containerPort": 80}]);
    world.apply(
        "a",
        containers(json!([{"name": "x", "image": "1", "ports": ports}])),
    );
    world.apply(
        "b",
        containers(json!([{"name": "y", "image": "1"}, {"name": "x", "tty": true}])),
    );
    world.apply("a", containers(json!([{"name": "x", "image": "2"}])));
    let expected = json!([{"name": "x", "image": "2", "tty": true, "resources": {}},
        {"name": "y", "image": "1", "resources": {}}]);
    let mut found = world.object()["spec"]["containers"]
        .as_array()
        .unwrap()
        .clone();
    found.sort_by_key(|container| container["name"].to_string());
    assert_eq!(Value::Array(found), expected);
    world.apply("b", json!({}));
    let x = json!([{"name": "x", "image": "2", "resources": {}}]);
    assert_eq!(world.object()["spec"]["containers"], x);
    let owned = r#"Apply a: .spec.containers[name="x"] .spec.containers[name="x"].image .spec.containers[name="x"].name"#;
    assert_eq!(world.owners(), [owned]);
}

#[test]
fn items_of_sets_are_owned_one_by_one() {
    let finalizers = |list: &[&str]| json!({"metadata": {"finalizers": list}});
    let mut world = World::config_map();
    world.put("u", finalizers(&["u"]));
    world.apply("a", finalizers(&["a", "b"]));
    world.apply("a", finalizers(&["b"]));
    assert_eq!(world.object()["metadata"]["finalizers"], json!(["u", "b"]));
    let mine = r#"Apply a: .metadata.finalizers[="b"]"#;
    let theirs = r#"Update u: .metadata.finalizers .metadata.finalizers[="u"]"#;
    assert_eq!(world.owners(), [mine, theirs]);
}

#[test]
fn an_atomic_value_is_owned_as_a_whole() {
    let tolerations = |keys: &[&str]| {
        let list: Vec<_> = keys.iter().map(|key| json!({"key": key})).collect();
        json!({"spec": {"tolerations": list}})
    };
    let mut world = World::new("Pod");
    world.apply("a", tolerations(&["x"]));
    let refusal = world.refusal("b", tolerations(&["x", "y"]));
    assert!(
        refusal.ends_with(r#"conflict with "a": .spec.tolerations"#),
        "{refusal}"
    );
    world.force("b", tolerations(&["y"]));
    assert_eq!(world.owners(), ["Apply b: .spec.tolerations"]);
}

#[test]
fn what_cannot_be_applied_is_refused() {
    let table = [
        (
            json!({"metadata": {"managedFields": []}}),
            400,
            "metadata.managedFields must be nil",
        ),
        (
            json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"colour": 1}}),
            422,
            "failed to create typed patch object (n/p; /v1, Kind=Pod): .spec.colour: field not declared in schema",
        ),
        (
            json!({"spec": {"volumes": [{"name": "a"}, {"name": "a"}]}}),
            422,
            r#"failed to create typed patch object (/; /v1, Kind=Pod): .spec.volumes: duplicate entries for key [name="a"]"#,
        ),
        (
            json!({"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "lots"}}}]}}),
            422,
            "failed to convert new typed object (/; /v1, Kind=Pod): quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ];
    for (object, code, text) in table {
        let mut world = World::new("Pod");
        let error = world
            .try_apply("a", object, OnConflict::Refuse)
            .err()
            .unwrap();
        assert_eq!(
            (error.to_string().as_str(), error.status().code),
            (text, code)
        );
    }
}

#[test]
fn a_configuration_of_another_kind_is_refused() {
    let world = World::config_map();
    let writer = Writer {
        name: "a",
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let table = [
        (
            json!({"kind": "Secret", "apiVersion": "v1"}),
            "invalid object type: /v1, Kind=Secret",
        ),
        (
            json!({"kind": "ConfigMap", "apiVersion": "apps/v1"}),
            "invalid object type: apps/v1, Kind=ConfigMap",
        ),
        (json!([]), "error decoding patch: not an object"),
    ];
    for (object, text) in table {
        let refused = apply(
            None,
            &object,
            &world.endpoint(""),
            &writer,
            OnConflict::Refuse,
        );
        assert_eq!(refused.unwrap_err().to_string(), text);
    }
}

#[test]
fn kubectl_takes_over_what_its_client_side_apply_put_there() {
    let last = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"x":"1","y":"1"}}"#;
    let name = "kubectl.kubernetes.io/last-applied-configuration";
    let mut world = World::config_map();
    let object = json!({"metadata": {"name": "c", "annotations": {name: last}}, "data": {"x": "1", "y": "other"}});
    world.put("kubectl-client-side-apply", object);
    let refusal = world.refusal("someone", data(json!({"x": "2"})));
    assert!(
        refusal.starts_with("Apply failed with 1 conflict"),
        "{refusal}"
    );
    let refusal = world.refusal("kubectl", data(json!({"x": "2", "y": "2"})));
    assert!(
        refusal.ends_with(".data.y") && !refusal.contains(".data.x"),
        "{refusal}"
    );
    world.apply("kubectl", data(json!({"x": "2"})));
    assert_eq!(world.object()["data"]["x"], "2");
    let recorded = &world.object()["metadata"]["annotations"][name];
    let expected =
        r#"{"apiVersion":"v1","data":{"x":"2"},"kind":"ConfigMap","metadata":{"name":"c"}}"#;
    assert_eq!(recorded, &json!(format!("{expected}\n")));
}

/// Small config maps, so that two of them often overlap.
fn config_map() -> impl Strategy<Value = Value> {
    let data = prop::collection::btree_map("[a-d]", "[0-2]", 0..4);
    let labels = prop::collection::btree_map("[a-c]", "[0-1]", 0..3);
    let finalizers = prop::collection::btree_set("[a-c]", 0..3);
    (data, labels, finalizers).prop_map(|(data, labels, finalizers)| {
        json!({"metadata": {"labels": labels, "finalizers": finalizers}, "data": data})
    })
}

proptest! {
    #[test]
    fn applying_twice_is_applying_once(live in config_map(), applied in config_map()) {
        let mut world = World::config_map();
        world.put("u", live).force("a", applied.clone());
        let once = world.object().clone();
        world.apply("a", applied);
        prop_assert_eq!(world.object(), &once);
    }

    #[test]
    fn applying_nothing_removes_what_was_applied_and_is_not_shared(live in config_map(), applied in config_map()) {
        let mut world = World::config_map();
        world.put("u", live.clone()).force("a", applied.clone()).apply("a", json!({}));
        let members = |object: &Value, path: &str| {
            object.pointer(path).and_then(Value::as_object).cloned().unwrap_or_default()
        };
        for path in ["/data", "/metadata/labels"] {
            let applied = members(&applied, path);
            let mut expected = members(&live, path);
            expected.retain(|name, value| applied.get(name).is_none_or(|other| other == value));
            prop_assert_eq!(members(world.object(), path), expected);
        }
        let finalizers = |object: &Value| object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        let (mut left, mut expected) = (finalizers(world.object()), finalizers(&live));
        left.sort_by_key(Value::to_string);
        expected.sort_by_key(Value::to_string);
        prop_assert_eq!(left, expected);
        prop_assert!(world.entries().iter().all(|entry| entry.manager == "u"));
    }

    #[test]
    fn writing_what_is_there_changes_nothing(one in config_map(), two in config_map()) {
        let mut world = World::config_map();
        world.put("a", one).put("b", two.clone());
        let before = world.entries();
        world.put("c", two);
        prop_assert_eq!(world.entries(), before);
    }

    #[test]
    fn a_field_has_one_updater_and_exists(steps in prop::collection::vec((0..4_usize, config_map()), 1..6)) {
        let mut world = World::config_map();
        for (manager, mut object) in steps {
            // Without any field at its creation, an object would not be tracked.
            object["metadata"]["annotations"] = json!({"kept": ""});
            world.put(["a", "b", "c", "d"][manager], object);
        }
        let mut seen = FieldSet::default();
        for entry in world.entries() {
            let fields = FieldSet::from_value(&entry.fields_v1).unwrap();
            prop_assert!(fields.intersection(&seen).is_empty());
            seen = seen.union(&fields);
        }
        for name in world.object()["data"].as_object().into_iter().flatten().map(|(name, _)| name) {
            let path = FieldSet::of_fields(&[&format!("data.{name}")]).paths().remove(0);
            prop_assert!(seen.has(&path));
        }
    }
}
