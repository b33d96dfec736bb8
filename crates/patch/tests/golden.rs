//! What a kube-apiserver 1.25 recorded, computed here: `tests/fixtures` has its requests and answers.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use burgee_patch::{
    Endpoint, Error, FieldSet, OnConflict, Patch, PatchType, Writer, apply, update,
};
use burgee_wire::ManagedFieldsEntry;
use burgee_wire::decode::conform;
use burgee_wire::schema::{StructRef, schema};
use serde_json::{Value, json};

/// A recorded request with its answer.
struct Golden {
    request: Value,
    answer: Value,
}

impl Golden {
    fn read(name: &str) -> Self {
        let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        Self {
            request: golden["request"].clone(),
            answer: golden["response"]["body"].clone(),
        }
    }

    fn body(&self) -> String {
        match &self.request["body"] {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        }
    }

    fn kind(&self) -> StructRef {
        kind_of(&self.answer)
    }

    fn api_version(&self) -> &str {
        self.answer["apiVersion"].as_str().unwrap()
    }

    /// The answer as an object in canonical form.
    fn object(&self) -> Value {
        conform(self.answer.clone(), self.kind()).unwrap().value
    }

    fn entries(&self) -> Vec<ManagedFieldsEntry> {
        serde_json::from_value(self.answer["metadata"]["managedFields"].clone()).unwrap()
    }

    /// When the answer's latest entry was written.
    fn now(&self) -> jiff::Timestamp {
        let times = self.entries().into_iter().filter_map(|entry| entry.time);
        times.max().unwrap().timestamp()
    }
}

fn kind_of(object: &Value) -> StructRef {
    let version = object["apiVersion"].as_str().unwrap();
    let kind = object["kind"].as_str().unwrap();
    let package = match version.split_once('/') {
        None => format!("core.{version}"),
        Some((group, version)) => format!("{}.{version}", group.split('.').next().unwrap()),
    };
    schema()
        .find(&format!("io.k8s.api.{package}.{kind}"))
        .unwrap()
}

/// Writes `new` over `live` as the recorded request did.
fn written(golden: &Golden, live: Option<&Value>, new: &Value) -> Vec<ManagedFieldsEntry> {
    let endpoint = Endpoint {
        kind: golden.kind(),
        api_version: golden.api_version(),
        subresource: "",
        reset_fields: &FieldSet::of_fields(&["status"]),
    };
    let writer = Writer {
        name: "unknown",
        now: golden.now(),
    };
    update(live, new, &endpoint, &writer)
}

/// The object that a create had made when ownership was decided: the recorded one without what the
/// server set before storing it and what admission added.
fn before_admission(golden: &Golden) -> Value {
    let mut object = golden.object();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for name in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "managedFields",
    ] {
        metadata.remove(name);
    }
    let added = ["tolerations", "priority", "preemptionPolicy", "finalizers"];
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|name, _| !added.contains(&name.as_str()));
    }
    object
}

#[test]
fn a_creator_owns_what_the_recorded_one_does() {
    let names = [
        "cm-create",
        "event-create",
        "lease-create",
        "ns-get",
        "pod-create",
        "role-create",
        "rolebinding-create",
        "secret-create",
        "secret-create-both",
    ];
    for name in names {
        let golden = Golden::read(name);
        let entries = written(&golden, None, &before_admission(&golden));
        assert_eq!(entries, golden.entries(), "{name}");
    }
}

#[test]
fn an_update_that_changes_nothing_leaves_the_entries_alone() {
    let (before, noop) = (
        Golden::read("cm-put-unconditional"),
        Golden::read("cm-put-noop"),
    );
    let new = conform(noop.request["body"].clone(), noop.kind())
        .unwrap()
        .value;
    let mut live = before.object();
    live["metadata"]["managedFields"][0]["time"] = json!("2001-01-01T00:00:00Z");
    let entries = written(&noop, Some(&live), &new);
    assert_eq!(
        serde_json::to_value(entries).unwrap(),
        live["metadata"]["managedFields"]
    );
}

#[test]
fn patches_lead_to_the_recorded_objects() {
    let chain = [
        ("cm-put-unconditional", PatchType::Json),
        ("cm-patch-merge", PatchType::Merge),
        ("cm-patch-strategic", PatchType::StrategicMerge),
        ("cm-patch-json", PatchType::Json),
    ];
    for pair in chain.windows(2) {
        let (live, golden) = (Golden::read(pair[0].0), Golden::read(pair[1].0));
        let patch = Patch::parse(pair[1].1, golden.body().as_bytes()).unwrap();
        let patched = patch.apply(live.answer.clone(), golden.kind()).unwrap();
        let mut new = conform(patched, golden.kind()).unwrap().value;
        let entries = written(&golden, Some(&live.object()), &new);
        assert_eq!(entries, golden.entries(), "{}", pair[1].0);
        new["metadata"]["managedFields"] = serde_json::to_value(entries).unwrap();
        new["metadata"]["resourceVersion"] = golden.answer["metadata"]["resourceVersion"].clone();
        assert_eq!(new, golden.object(), "{}", pair[1].0);
    }
}

#[test]
fn a_removed_finalizer_is_nobodys() {
    let (live, golden) = (
        Golden::read("cm-delete-again"),
        Golden::read("cm-remove-finalizer"),
    );
    let patch = Patch::parse(PatchType::Merge, golden.body().as_bytes()).unwrap();
    let patched = patch.apply(live.answer.clone(), golden.kind()).unwrap();
    let new = conform(patched, golden.kind()).unwrap().value;
    assert_eq!(
        written(&golden, Some(&live.object()), &new),
        golden.entries()
    );
}

#[test]
fn patches_that_do_not_apply_are_answered_as_recorded() {
    let live = Golden::read("cm-patch-strategic");
    for name in ["cm-patch-json-bad-path", "cm-patch-json-test-fails"] {
        let golden = Golden::read(name);
        let patch = Patch::parse(PatchType::Json, golden.body().as_bytes()).unwrap();
        let refused = patch.apply(live.answer.clone(), live.kind()).unwrap_err();
        assert_eq!(as_json(&refused), golden.answer, "{name}");
    }
    let golden = Golden::read("cm-patch-malformed");
    let refused = Patch::parse(PatchType::Merge, golden.body().as_bytes()).unwrap_err();
    assert_eq!(as_json(&refused), golden.answer);
}

#[test]
fn applies_lead_to_the_recorded_objects() {
    let steps = [
        ("cm-apply-create", "alice", OnConflict::Refuse),
        ("cm-apply-conflict", "bob", OnConflict::Refuse),
        ("cm-apply-force", "bob", OnConflict::Force),
        ("cm-apply-remove", "alice", OnConflict::Refuse),
    ];
    let mut live: Option<Value> = None;
    for (name, manager, on_conflict) in steps {
        let golden = Golden::read(name);
        let configuration: Value = serde_json::from_str(&golden.body()).unwrap();
        let endpoint = Endpoint {
            kind: kind_of(&configuration),
            api_version: "v1",
            subresource: "",
            reset_fields: &FieldSet::default(),
        };
        let writer = Writer {
            name: manager,
            now: "2026-11-21T20:53:41Z".parse().unwrap(),
        };
        let applied = apply(
            live.as_ref(),
            &configuration,
            &endpoint,
            &writer,
            on_conflict,
        );
        if golden.answer["kind"] == "Status" {
            assert_eq!(as_json(&applied.unwrap_err()), golden.answer);
            continue;
        }
        let applied = applied.unwrap();
        assert_eq!(applied.managed_fields, golden.entries(), "{name}");
        // What the server adds before it stores the object.
        let mut object = applied.object;
        object["metadata"] = golden.object()["metadata"].clone();
        assert_eq!(object, golden.object(), "{name}");
        live = Some(object);
    }
}

fn as_json(error: &Error) -> Value {
    serde_json::from_str(&error.status().to_json()).unwrap()
}
