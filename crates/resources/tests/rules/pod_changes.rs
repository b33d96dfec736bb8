//! What may change of pods, and how they end.

use serde_json::{Value, json};

use crate::pod::{pod, with_container};
use crate::testkit::{object, resource, update, update_status};

#[test]
fn of_a_pod_only_little_may_change() {
    let only = "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\nchanged: ";
    let toleration =
        json!({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1});
    let later =
        json!({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9});
    let table = [
        (pod(json!({})), pod(json!({"containers": [{"name": "c", "image": "j", "imagePullPolicy": "Always"}]})), vec![]),
        (pod(json!({})), pod(json!({"activeDeadlineSeconds": 9})), vec![]),
        (pod(json!({"activeDeadlineSeconds": 9})), pod(json!({"activeDeadlineSeconds": 8})), vec![]),
        (pod(json!({"tolerations": [toleration]})), pod(json!({"tolerations": [later, {"key": "b", "operator": "Exists"}]})), vec![]),
        (pod(json!({"terminationGracePeriodSeconds": -1})), pod(json!({"terminationGracePeriodSeconds": 1})), vec![]),
        (pod(json!({"schedulingGates": [{"name": "a"}], "nodeSelector": {"a": "b"}})), pod(json!({"nodeSelector": {"a": "b", "c": "d"}})), vec![]),
        (pod(json!({})), pod(json!({"nodeName": "n", "hostNetwork": true})), vec![format!("{only}`spec.hostNetwork`,`spec.nodeName`\n")]),
        (pod(json!({})), pod(json!({"serviceAccountName": "a"})), vec![format!("{only}`spec.serviceAccount`,`spec.serviceAccountName`\n")]),
        (pod(json!({})), with_container(json!({"command": ["sh"]})), vec![format!("{only}`spec.containers`\n")]),
        (pod(json!({})), pod(json!({"containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "i"}]})), vec!["spec.containers: Forbidden: pod updates may not add or remove containers".into()]),
        (pod(json!({"activeDeadlineSeconds": 8})), pod(json!({"activeDeadlineSeconds": 9})), vec!["spec.activeDeadlineSeconds: Invalid value: 9: must be less than or equal to previous value".into()]),
        (pod(json!({"activeDeadlineSeconds": 8})), pod(json!({})), vec!["spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value".into()]),
        (pod(json!({"tolerations": [toleration]})), pod(json!({})), vec!["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds".into()]),
        (pod(json!({})), pod(json!({"schedulingGates": [{"name": "a"}]})), vec!["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a'".into()]),
    ];
    for (old, new, errors) in table {
        assert_eq!(update("pods", old, new), errors);
    }
}

#[test]
fn nobody_turns_a_pod_into_a_mirror_or_back() {
    let plain = pod(json!({"nodeName": "n"}));
    let mark = |value: &str| {
        let mut marked = plain.clone();
        let annotations = json!({"kubernetes.io/config.mirror": value});
        marked
            .pointer_mut("/metadata")
            .and_then(Value::as_object_mut)
            .unwrap()
            .insert("annotations".into(), annotations);
        marked
    };
    let path = "metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not";
    assert_eq!(
        update("pods", plain.clone(), mark("x")),
        [format!("{path} add mirror pod annotation")]
    );
    assert_eq!(
        update("pods", mark("x"), plain.clone()),
        [format!("{path} remove or update mirror pod annotation")]
    );
    assert_eq!(
        update_status("pods", "status", mark("x"), mark("y")),
        [format!("{path} remove or update mirror pod annotation")]
    );
    assert_eq!(update("pods", mark("x"), mark("x")), [""; 0]);
}

#[test]
fn the_generation_counts_changes_of_the_specification() {
    let mut old = object("pods", pod(json!({})));
    old.metadata.generation = 3;
    let rules = resource("pods").rules;
    for (spec, generation) in [(json!({}), 3), (json!({"activeDeadlineSeconds": 1}), 4)] {
        let mut new = object("pods", pod(spec));
        new.metadata.generation = 3;
        rules.prepare_update(&mut new, &old);
        assert_eq!(new.metadata.generation, generation);
    }
}

#[test]
fn a_status_changes_nothing_but_the_status() {
    let old = json!({"metadata": {"name": "p", "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}]},
        "spec": {"nodeName": "n"}, "status": {"qosClass": "Burstable", "observedGeneration": 2,
        "conditions": [{"type": "Ready", "status": "False", "observedGeneration": 1}]}});
    let old = object("pods", old);
    let mut new = object(
        "pods",
        json!({"metadata": {"name": "p"}, "spec": {"nodeName": "m"}, "status": {"phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Ready", "status": "True"}]}}),
    );
    resource("pods")
        .rules
        .prepare_status_update("status", &mut new, &old);
    assert_eq!(new.text(&["spec", "nodeName"]), "n");
    assert_eq!(new.metadata.owner_references, old.metadata.owner_references);
    let status = new.content.get("status").unwrap();
    assert_eq!(
        (status.get("qosClass"), status.get("observedGeneration")),
        (Some(&json!("Burstable")), Some(&json!(2)))
    );
    assert_eq!(
        status.pointer("/conditions/0/observedGeneration"),
        Some(&json!(1))
    );
    assert_eq!(status.pointer("/conditions/1/observedGeneration"), None);
}

#[test]
fn a_status_is_refused_in_upstreams_words() {
    let ended = |code: i64| json!([{"name": "c", "state": {"terminated": {"exitCode": code}}}]);
    let running = json!([{"name": "c", "state": {"running": {}}}]);
    let gone_on = |policy: &str, list: &str, code: i64| {
        let spec = json!({"restartPolicy": policy, "initContainers": [{"name": "s", "image": "i", "restartPolicy": "Always"}]});
        update_status(
            "pods",
            "status",
            json!({"spec": spec, "status": {list: ended(code)}}),
            json!({"status": {list: running}}),
        )
    };
    assert_eq!(gone_on("Always", "containerStatuses", 0), [""; 0]);
    assert_eq!(gone_on("OnFailure", "containerStatuses", 1), [""; 0]);
    assert_eq!(gone_on("Never", "containerStatuses", 1).len(), 1);
    for (policy, list) in [
        ("OnFailure", "containerStatuses"),
        ("Never", "initContainerStatuses"),
        ("Always", "ephemeralContainerStatuses"),
    ] {
        let text = format!(
            "status.{list}[0].state: Forbidden: may not be transitioned to non-terminated state"
        );
        assert_eq!(gone_on(policy, list, 0), [text]);
    }
    let change = |old: Value, new: Value| {
        update_status(
            "pods",
            "status",
            json!({"status": old}),
            json!({"status": new}),
        )
    };
    let table = [
        (
            json!({"qosClass": "Burstable"}),
            json!({"qosClass": "Guaranteed"}),
            "status.qosClass: Invalid value: \"Guaranteed\": field is immutable",
        ),
        (
            json!({}),
            json!({"nominatedNodeName": "a."}),
            "status.nominatedNodeName: Invalid value: \"a.\": a lowercase RFC 1123 subdomain",
        ),
        (
            json!({}),
            json!({"conditions": [{"type": "/a", "status": "True"}]}),
            "metadata.conditions[0].Type: Invalid value: \"/a\": prefix part must be non-empty",
        ),
        (
            json!({}),
            json!({"podIPs": [{"ip": "10.0.0.1"}, {"ip": "x"}]}),
            "status.podIPs[1]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ),
    ];
    for (old, new, text) in table {
        let errors = change(old, new);
        assert!(
            errors.len() == 1 && errors.concat().starts_with(text),
            "{errors:?}"
        );
    }
}

#[test]
fn pods_that_run_end_gracefully() {
    let rules = resource("pods").rules;
    let table = [
        (json!({"spec": {"nodeName": "n"}}), None, 30),
        (
            json!({"spec": {"nodeName": "n", "terminationGracePeriodSeconds": 5}}),
            None,
            5,
        ),
        (json!({"spec": {"nodeName": "n"}}), Some(0), 0),
        (json!({"spec": {"nodeName": "n"}}), Some(-7), 1),
        (json!({"spec": {}}), Some(9), 0),
        (
            json!({"spec": {"nodeName": "n"}, "status": {"phase": "Failed"}}),
            Some(9),
            0,
        ),
    ];
    for (value, requested, seconds) in table {
        let pod = object("pods", value.clone());
        assert_eq!(
            rules.grace_period(&pod, requested),
            seconds,
            "{value} {requested:?}"
        );
        if requested.is_none() {
            assert_eq!(rules.grace_period(&pod, None), seconds);
        }
    }
    let secret = object("secrets", json!({}));
    assert_eq!(resource("secrets").rules.grace_period(&secret, Some(30)), 0);
}

#[test]
fn only_a_new_pod_is_warned_that_its_name_is_no_hostname() {
    let rules = resource("pods").rules;
    let dotted = object("pods", json!({"metadata": {"name": "a.b"}}));
    let warnings = rules.warnings(&dotted, None);
    assert!(
        warnings.len() == 1
            && warnings
                .concat()
                .starts_with("metadata.name: this is used in the Pod's hostname"),
        "{warnings:?}"
    );
    assert_eq!(rules.warnings(&dotted, Some(&dotted)), [""; 0]);
    assert_eq!(
        rules.warnings(&object("pods", pod(json!({}))), None),
        [""; 0]
    );
}
