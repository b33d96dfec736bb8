//! Holds the rules against recorded answers of kube-apiserver 1.25. Each file in `fixtures` has one
//! request and its answer; of tables, the column descriptions are left out.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use burgee_resources::{Resource, by_kind, find, metadata};
use burgee_wire::field::FieldError;
use burgee_wire::{Object, Status, decode, encode};
use serde_json::{Value, json};

/// One recorded request and its answer.
struct Recording(Value);

impl Recording {
    fn read(name: &str) -> Self {
        let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        Self(serde_json::from_str(&text).unwrap())
    }

    fn sent(&self) -> Value {
        let mut body = self.0["request"]["body"].clone();
        // Where a value was too long to record, its length stands.
        for member in ["data", "stringData"] {
            let map = body.get_mut(member).and_then(Value::as_object_mut);
            for value in map.into_iter().flat_map(|map| map.values_mut()) {
                if let Some(length) = value.as_str().and_then(|text| {
                    text.strip_prefix('<')?
                        .strip_suffix(" characters>")?
                        .parse()
                        .ok()
                }) {
                    *value = "x".repeat(length).into();
                }
            }
        }
        body
    }

    fn answer(&self) -> &Value {
        &self.0["response"]["body"]
    }

    fn namespace(&self) -> &str {
        let path = self.0["request"]["path"].as_str().unwrap();
        let below = path.split_once("/namespaces/").map_or("", |(_, rest)| rest);
        below.split_once('/').map_or("", |(namespace, _)| namespace)
    }
}

fn resource(value: &Value) -> &'static Resource {
    let text = |member: &str| value[member].as_str().unwrap();
    by_kind(text("apiVersion"), text("kind")).unwrap()
}

/// Decodes and defaults an object, as a server does before anything else.
fn read(value: Value, namespace: &str) -> Object {
    let resource = resource(&value);
    let decoded = decode::conform(value, resource.schema()).unwrap();
    assert_eq!(decoded.problems, []);
    let mut object = Object::from_value(decoded.value).unwrap();
    if resource.namespaced {
        object.metadata.namespace = namespace.to_owned();
    }
    resource.rules.default(&mut object);
    object
}

fn create(recording: &Recording) -> (Object, Vec<FieldError>) {
    let resource = resource(&recording.sent());
    let mut object = read(recording.sent(), recording.namespace());
    metadata::prepare_create(&mut object.metadata);
    resource.rules.prepare_create(&mut object);
    let mut errors = metadata::validate_create(&object.metadata, resource);
    errors.extend(resource.rules.validate_create(&object));
    (object, errors)
}

/// What an update of the object that `created` answered with comes to.
fn update(created: &str, recording: &Recording) -> Vec<FieldError> {
    let resource = resource(&recording.sent());
    let old = read(
        Recording::read(created).answer().clone(),
        recording.namespace(),
    );
    let mut new = read(recording.sent(), recording.namespace());
    new.metadata
        .resource_version
        .clone_from(&old.metadata.resource_version);
    metadata::prepare_update(&mut new.metadata, &old.metadata);
    resource.rules.prepare_update(&mut new, &old);
    let mut errors = metadata::validate_update(&new.metadata, &old.metadata);
    errors.extend(resource.rules.validate_update(&new, &old));
    errors
}

fn refusal(recording: &Recording, errors: &[FieldError]) -> Value {
    let sent = recording.sent();
    let resource = resource(&sent);
    let name = sent["metadata"]["name"].as_str().unwrap_or_default();
    let status = Status::invalid(resource.group, resource.kind, name, errors);
    serde_json::from_str(&status.to_json()).unwrap()
}

/// As JSON, without what the server sets at the moment of writing.
fn shown(object: &Object, resource: &Resource) -> Value {
    let json = encode::object(
        &resource.api_version(),
        resource.kind,
        &object.to_value(),
        resource.schema(),
    );
    without_server_fields(serde_json::from_str(&json).unwrap())
}

fn without_server_fields(mut value: Value) -> Value {
    let metadata = value["metadata"].as_object_mut().unwrap();
    // Pods have had a generation since 1.33.
    for member in [
        "creationTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "uid",
    ] {
        metadata.remove(member);
    }
    value
}

#[test]
fn created_objects_are_those_of_kube_apiserver() {
    for name in [
        "cm-create",
        "event-create",
        "lease-create",
        "pod-create",
        "role-create",
        "rolebinding-create",
        "sa-create",
        "secret-create",
        "secret-create-both",
        "secret-immutable-create",
    ] {
        let recording = Recording::read(name);
        let (object, errors) = create(&recording);
        assert_eq!(errors, [], "{name}");
        let answer = without_server_fields(recording.answer().clone());
        assert_eq!(
            shown(&object, resource(&recording.sent())),
            answer,
            "{name}"
        );
    }
}

#[test]
fn a_created_namespace_is_that_of_kube_apiserver() {
    let sent = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "golden"}});
    let namespaces = resource(&sent);
    let mut object = read(sent, "");
    namespaces.rules.prepare_create(&mut object);
    let answer = without_server_fields(Recording::read("ns-get").answer().clone());
    assert_eq!(shown(&object, namespaces), answer);
}

#[test]
fn refused_objects_are_refused_in_the_same_words() {
    for name in [
        "cm-create-key-invalid",
        "cm-create-too-large",
        "ns-create-badname",
        "ns-create-noname",
        "role-create-invalid",
        "secret-too-large",
        "secret-type-basic-auth",
        "secret-type-dockerconfigjson",
        "secret-type-service-account-token",
        "secret-type-ssh-auth",
        "secret-type-tls",
    ] {
        let recording = Recording::read(name);
        let (_, errors) = create(&recording);
        assert_eq!(refusal(&recording, &errors), *recording.answer(), "{name}");
    }
}

#[test]
fn refused_updates_are_refused_in_the_same_words() {
    for (name, created) in [
        ("secret-immutable-change", "secret-immutable-create"),
        ("secret-immutable-unset", "secret-immutable-create"),
    ] {
        let recording = Recording::read(name);
        let errors = update(created, &recording);
        assert_eq!(refusal(&recording, &errors), *recording.answer(), "{name}");
    }
    let recording = Recording::read("secret-type-change");
    let errors = update("secret-create", &recording);
    assert_eq!(refusal(&recording, &errors), *recording.answer());
}

#[test]
fn a_changed_role_reference_is_refused_in_the_words_of_newer_releases() {
    let recording = Recording::read("rolebinding-roleref-change");
    let errors = update("rolebinding-create", &recording);
    let causes = &recording.answer()["details"]["causes"];
    assert_eq!(errors.len(), causes.as_array().unwrap().len());
    assert_eq!(
        errors[0].path.to_string(),
        causes[0]["field"].as_str().unwrap()
    );
    // 1.25 printed a Go value where newer releases print JSON.
    assert_eq!(
        errors[0].body(),
        r#"Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"other"}: cannot change roleRef"#
    );
}

#[test]
fn a_finalizer_too_late_is_refused_in_the_same_words() {
    let recording = Recording::read("cm-put-while-terminating-add-finalizer");
    let mut old = Object::default().metadata;
    old.name = "fin".into();
    old.resource_version = "1".into();
    old.finalizers = vec!["example.com/hold".into()];
    old.deletion_timestamp = "2026-11-21T20:53:49Z".parse().ok();
    let mut new = old.clone();
    new.finalizers.push("example.com/two".into());
    let errors = metadata::validate_update(&new, &old);
    let status = Status::invalid("", "ConfigMap", "fin", &errors);
    assert_eq!(status.message, recording.answer()["message"]);
}

/// The objects that stood in the tables, as far as the tables show them.
fn object_of_row(table: &str, row: &Value) -> Value {
    let name = row["object"]["metadata"]["name"].as_str().unwrap();
    let rest = match table {
        "cm-table" => json!({"data": {"k": "v"}}),
        "lease-table" => json!({"spec": {"holderIdentity": "a"}}),
        "ns-table" => json!({"status": {"phase": "Active"}}),
        "pod-table" => json!({"spec": {"nodeName": "golden-node", "containers": [{"name": "c"}]},
            "status": {"phase": "Pending"}}),
        "rbac-tables-clusterrolebindings" => {
            let group = match name {
                "cluster-admin" => "system:masters",
                _ => "system:authenticated",
            };
            json!({"roleRef": {"kind": "ClusterRole", "name": name},
                "subjects": [{"kind": "Group", "name": group}]})
        }
        "rbac-tables-rolebindings" => json!({"roleRef": {"kind": "Role", "name": "r"},
            "subjects": [{"kind": "ServiceAccount", "name": "builder", "namespace": "golden"}]}),
        "secret-table" => json!({"type": "Opaque", "data": {"a": "MQ=="}}),
        _ => json!({}),
    };
    let mut object = rest;
    object["metadata"] = row["object"]["metadata"].clone();
    object
}

#[test]
fn tables_have_the_columns_and_cells_of_kube_apiserver() {
    let rbac = "rbac.authorization.k8s.io";
    for (table, group, plural) in [
        ("cm-table", "", "configmaps"),
        ("lease-table", "coordination.k8s.io", "leases"),
        ("node-table", "", "nodes"),
        ("ns-table", "", "namespaces"),
        ("pod-table", "", "pods"),
        (
            "rbac-tables-clusterrolebindings",
            rbac,
            "clusterrolebindings",
        ),
        ("rbac-tables-clusterroles", rbac, "clusterroles"),
        ("rbac-tables-rolebindings", rbac, "rolebindings"),
        ("rbac-tables-roles", rbac, "roles"),
        ("secret-table", "", "secrets"),
    ] {
        let recording = Recording::read(table);
        let rules = find(group, "v1", plural).unwrap().rules;
        let columns: Vec<_> = rules
            .columns()
            .iter()
            .map(|c| json!({"name": c.name, "type": c.kind, "format": c.format, "priority": c.priority}))
            .collect();
        assert_eq!(
            json!(columns),
            recording.answer()["columnDefinitions"],
            "{table}"
        );
        for row in recording.answer()["rows"].as_array().unwrap() {
            let object = Object::from_value(object_of_row(table, row)).unwrap();
            let cells = row["cells"].as_array().unwrap();
            let age = rules
                .columns()
                .iter()
                .position(|column| column.name == "Age");
            let seconds = age.map_or(0, |age| {
                cells[age]
                    .as_str()
                    .unwrap()
                    .strip_suffix('s')
                    .unwrap()
                    .parse()
                    .unwrap()
            });
            let created = object.metadata.creation_timestamp.unwrap().timestamp();
            let now = created + jiff::SignedDuration::from_secs(seconds);
            assert_eq!(rules.cells(&object, now), *cells, "{table}");
        }
    }
}
