//! The rules of Events and Leases.

use serde_json::{Value, json};

use crate::testkit::{create, object, resource, update};

#[test]
fn events_are_about_objects_of_their_namespace() {
    let event = |namespace: &str, involved: &str| {
        create(
            "events",
            json!({"metadata": {"namespace": namespace}, "involvedObject": {"namespace": involved}}),
        )
    };
    for (namespace, involved) in [("n", "n"), ("default", "")] {
        assert_eq!(event(namespace, involved), [""; 0]);
    }
    for (namespace, involved) in [("n", "m"), ("n", ""), ("kube-system", "")] {
        let text = format!(
            "involvedObject.namespace: Invalid value: \"{involved}\": does not match event.namespace"
        );
        assert_eq!(event(namespace, involved), [text]);
    }
}

#[test]
fn events_with_a_time_say_who_reports_what() {
    let time = "2026-01-01T00:00:00.000000Z";
    let event = |change: Value| {
        let mut event = json!({"metadata": {"namespace": "n"}, "involvedObject": {"namespace": "m"}, "eventTime": time,
            "reportingComponent": "x.y/z", "reportingInstance": "i", "action": "a", "reason": "r"});
        for (member, value) in change.as_object().into_iter().flatten() {
            event
                .as_object_mut()
                .and_then(|event| event.insert(member.clone(), value.clone()));
        }
        create("events", event)
    };
    assert_eq!(event(json!({})), [""; 0]);
    let table = [
        (
            json!({"involvedObject": {}}),
            "involvedObject.namespace: Invalid value: \"\": does not match event.namespace",
        ),
        (
            json!({"reportingComponent": "/z"}),
            "reportingController: Invalid value: \"/z\": prefix part must be non-empty",
        ),
        (
            json!({"reportingInstance": ""}),
            "reportingInstance: Required value",
        ),
        (
            json!({"reportingInstance": "i".repeat(129)}),
            "reportingInstance: Invalid value: \"\": can have at most 128 characters",
        ),
        (json!({"action": ""}), "action: Required value"),
        (
            json!({"reason": "r".repeat(129)}),
            "reason: Invalid value: \"\": can have at most 128 characters",
        ),
        (
            json!({"message": "m".repeat(1025)}),
            "message: Invalid value: \"\": can have at most 1024 characters",
        ),
    ];
    for (change, text) in table {
        assert_eq!(event(change), [text]);
    }
}

#[test]
fn an_events_row_shows_its_series_or_its_times() {
    let now = "2026-01-01T01:00:00Z".parse().unwrap_or_default();
    let base = json!({"metadata": {"name": "e"}, "involvedObject": {"kind": "Secret", "name": "s", "fieldPath": "f"},
        "reason": "R", "message": " m\n", "type": "Normal", "source": {"component": "c", "host": "h"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:59:00Z"});
    let row = |change: Value| {
        let mut event = base.clone();
        for (member, value) in change.as_object().into_iter().flatten() {
            event
                .as_object_mut()
                .and_then(|event| event.insert(member.clone(), value.clone()));
        }
        Value::from(
            resource("events")
                .rules
                .cells(&object("events", event), now),
        )
    };
    assert_eq!(
        row(json!({"count": 3})),
        json!([
            "60s", "Normal", "R", "secret/s", "f", "c, h", "m", "60m", 3, "e"
        ])
    );
    assert_eq!(
        row(
            json!({"series": {"count": 7, "lastObservedTime": "2026-01-01T00:59:30.000000Z"}, "source": {}, "reportingComponent": "r"})
        ),
        json!([
            "30s", "Normal", "R", "secret/s", "f", "r", "m", "60m", 7, "e"
        ])
    );
    assert_eq!(
        row(
            json!({"firstTimestamp": null, "lastTimestamp": null, "eventTime": "2026-01-01T00:59:50.000000Z", "involvedObject": {"kind": "Node"}})
        ),
        json!(["10s", "Normal", "R", "node", "", "c, h", "m", "10s", 1, "e"])
    );
}

#[test]
fn leases_are_refused_for_their_numbers_and_strategy() {
    let table = [
        (
            json!({"leaseDurationSeconds": 0}),
            "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        ),
        (
            json!({"leaseTransitions": -1}),
            "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            json!({"strategy": "Mine"}),
            "spec.strategy.strategy: Unsupported value: \"Mine\": supported values: \"OldestEmulationVersion\"",
        ),
        (
            json!({"strategy": "/mine"}),
            "spec.strategy.strategy: Invalid value: \"/mine\": prefix part must be non-empty",
        ),
        (
            json!({"preferredHolder": "a"}),
            "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined",
        ),
    ];
    for (spec, text) in table {
        assert_eq!(create("leases", json!({"spec": spec.clone()})), [text]);
        assert_eq!(update("leases", json!({}), json!({"spec": spec})), [text]);
    }
    let good = json!({"leaseDurationSeconds": 1, "leaseTransitions": 0, "strategy": "x.y/z", "preferredHolder": "a"});
    assert_eq!(create("leases", json!({"spec": good})), [""; 0]);
}
