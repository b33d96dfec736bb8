//! How tables show pods.

use burgee_wire::Object;
use serde_json::{Value, json};

use crate::testkit::resource;

/// The cells for readiness, state and restarts.
fn row(spec: Value, status: Value, deleted: bool) -> (String, String, String) {
    let mut metadata = json!({"name": "p"});
    if deleted {
        metadata
            .as_object_mut()
            .unwrap()
            .insert("deletionTimestamp".into(), "2026-01-01T00:00:00Z".into());
    }
    let pod =
        Object::from_value(json!({"metadata": metadata, "spec": spec, "status": status})).unwrap();
    let cells = resource("pods")
        .rules
        .cells(&pod, "2026-01-01T01:00:00Z".parse().unwrap());
    let text = |index: usize| cells.get(index).and_then(Value::as_str).unwrap().to_owned();
    (text(1), text(2), text(3))
}

#[test]
fn a_pods_row_says_what_keeps_it_from_running() {
    let two = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    let init = json!({"containers": [{"name": "a"}], "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}]});
    let running = |name: &str| json!({"name": name, "ready": true, "restartCount": 0, "state": {"running": {}}});
    let state = |name: &str, state: Value| {
        json!({"name": name, "ready": false, "restartCount": 2, "state": state,
        "lastState": {"terminated": {"finishedAt": "2026-01-01T00:55:00Z", "exitCode": 1}}})
    };
    let ready = json!([{"type": "Ready", "status": "True"}]);
    let table = [
        (
            &two,
            json!({"phase": "Running", "containerStatuses": [running("a"), running("b")]}),
            false,
            "2/2 Running 0",
        ),
        (
            &two,
            json!({"phase": "Running", "containerStatuses": [running("a"), state("b", json!({"waiting": {"reason": "CrashLoopBackOff"}}))]}),
            false,
            "1/2 CrashLoopBackOff 2 (5m ago)",
        ),
        (
            &two,
            json!({"phase": "Running", "containerStatuses": [state("a", json!({"terminated": {"exitCode": 3}})), running("b")]}),
            false,
            "1/2 ExitCode:3 2 (5m ago)",
        ),
        (
            &two,
            json!({"phase": "Running", "containerStatuses": [state("a", json!({"terminated": {"signal": 9, "exitCode": 0}})), running("b")]}),
            false,
            "1/2 Signal:9 2 (5m ago)",
        ),
        (
            &two,
            json!({"phase": "Running", "conditions": ready, "containerStatuses": [state("a", json!({"terminated": {"reason": "Completed"}})), running("b")]}),
            false,
            "1/2 Running 2 (5m ago)",
        ),
        (
            &two,
            json!({"phase": "Running", "containerStatuses": [state("a", json!({"terminated": {"reason": "Completed"}})), running("b")]}),
            false,
            "1/2 NotReady 2 (5m ago)",
        ),
        (
            &two,
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}),
            false,
            "0/2 SchedulingGated 0",
        ),
        (
            &two,
            json!({"phase": "Failed", "reason": "Evicted"}),
            false,
            "0/2 Evicted 0",
        ),
        (&two, json!({"phase": "Running"}), true, "0/2 Terminating 0"),
        (&two, json!({"phase": "Succeeded"}), true, "0/2 Succeeded 0"),
        (
            &two,
            json!({"phase": "Running", "reason": "NodeLost"}),
            true,
            "0/2 Unknown 0",
        ),
        (
            &init,
            json!({"phase": "Pending", "initContainerStatuses": [state("i", json!({"running": {}}))]}),
            false,
            "0/2 Init:0/2 2 (5m ago)",
        ),
        (
            &init,
            json!({"phase": "Pending", "initContainerStatuses": [state("i", json!({"waiting": {"reason": "ErrImagePull"}}))]}),
            false,
            "0/2 Init:ErrImagePull 2 (5m ago)",
        ),
        (
            &init,
            json!({"phase": "Pending", "initContainerStatuses": [state("i", json!({"waiting": {"reason": "PodInitializing"}}))]}),
            false,
            "0/2 Init:0/2 2 (5m ago)",
        ),
        (
            &init,
            json!({"phase": "Pending", "initContainerStatuses": [state("i", json!({"terminated": {"exitCode": 1, "reason": "Error"}}))]}),
            false,
            "0/2 Init:Error 2 (5m ago)",
        ),
        (
            &init,
            json!({"phase": "Running", "containerStatuses": [running("a")], "initContainerStatuses": [state("i", json!({"terminated": {"exitCode": 0}})),
            {"name": "s", "ready": true, "started": true, "restartCount": 1, "state": {"running": {}}}]}),
            false,
            "2/2 Running 1",
        ),
    ];
    for (spec, status, deleted, expected) in table {
        let (ready, reason, restarts) = row(spec.clone(), status.clone(), deleted);
        assert_eq!(format!("{ready} {reason} {restarts}"), expected, "{status}");
    }
}

#[test]
fn a_wide_row_shows_where_a_pod_is_and_its_gates() {
    let value = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n", "readinessGates": [{"conditionType": "x/a"}, {"conditionType": "x/b"}]},
        "status": {"podIPs": [{"ip": "10.0.0.1"}], "nominatedNodeName": "m", "conditions": [{"type": "x/a", "status": "True"}, {"type": "x/b", "status": "False"}]}});
    let pod = Object::from_value(value).unwrap();
    let cells = resource("pods")
        .rules
        .cells(&pod, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(
        cells.get(5..),
        Some(&[json!("10.0.0.1"), json!("n"), json!("m"), json!("1/2")][..])
    );
}
