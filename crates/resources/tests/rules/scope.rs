//! The rules of Namespaces and Nodes.

use burgee_resources::Rules;
use serde_json::{Value, json};

use crate::testkit::{create, object, resource, update, update_status};

fn rules(plural: &str) -> &'static dyn Rules {
    resource(plural).rules
}

#[test]
fn a_new_namespace_is_active_and_holds_its_finalizer() {
    let value = json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["x.y/z"]}, "status": {"phase": "Terminating"}});
    let mut namespace = object("namespaces", value);
    rules("namespaces").prepare_create(&mut namespace);
    let expected =
        json!({"spec": {"finalizers": ["x.y/z", "kubernetes"]}, "status": {"phase": "Active"}});
    assert_eq!(Value::Object(namespace.content), expected);
    assert_eq!(
        namespace
            .metadata
            .labels
            .get("kubernetes.io/metadata.name")
            .map(String::as_str),
        Some("a")
    );
    let text = "spec.finalizers: Invalid value: \"hold\": name is neither a standard finalizer name nor is it fully qualified";
    assert_eq!(
        create("namespaces", json!({"spec": {"finalizers": ["hold"]}})),
        [text]
    );
}

#[test]
fn each_way_to_write_a_namespace_changes_its_own_part() {
    let old = object(
        "namespaces",
        json!({"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}),
    );
    let given = json!({"spec": {"finalizers": ["x.y/z"]}, "status": {"phase": "Terminating"}});
    let written = |write: &dyn Fn(&mut burgee_wire::Object)| {
        let mut new = object("namespaces", given.clone());
        write(&mut new);
        (
            new.at(&["spec", "finalizers"]).cloned(),
            new.text(&["status", "phase"]).to_owned(),
        )
    };
    let rules = rules("namespaces");
    let (old_finalizers, new_finalizers) = (Some(json!(["kubernetes"])), Some(json!(["x.y/z"])));
    let plain = written(&|new| rules.prepare_update(new, &old));
    assert_eq!(plain, (old_finalizers.clone(), "Active".into()));
    let status = written(&|new| rules.prepare_status_update("status", new, &old));
    assert_eq!(status, (old_finalizers, "Terminating".into()));
    let finalize = written(&|new| rules.prepare_status_update("finalize", new, &old));
    assert_eq!(finalize, (new_finalizers, "Active".into()));
}

#[test]
fn a_namespaces_phase_agrees_with_its_deletion() {
    let namespace = |phase: &str, deleted: bool| {
        let mut value = json!({"metadata": {"name": "a"}, "status": {"phase": phase}});
        if deleted && let Some(Value::Object(metadata)) = value.get_mut("metadata") {
            metadata.insert("deletionTimestamp".into(), "2026-01-01T00:00:00Z".into());
        }
        update_status("namespaces", "status", value.clone(), value)
    };
    assert_eq!(namespace("Active", false), [""; 0]);
    assert_eq!(namespace("Terminating", true), [""; 0]);
    assert_eq!(
        namespace("Terminating", false),
        [
            "status.phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"
        ]
    );
    assert_eq!(
        namespace("Active", true),
        [
            "status.phase: Invalid value: \"Active\": may only be 'Terminating' if `deletionTimestamp` is not empty"
        ]
    );
    let bad = json!({"spec": {"finalizers": ["x.y/z", "hold"]}});
    assert_eq!(
        update_status("namespaces", "finalize", json!({}), bad),
        [
            "spec.finalizers[1]: Invalid value: \"hold\": name is neither a standard finalizer name nor is it fully qualified"
        ]
    );
}

#[test]
fn nodes_mirror_their_first_block_and_their_capacity() {
    let node = object(
        "nodes",
        json!({"spec": {"podCIDR": "10.0.0.0/24"}, "status": {"capacity": {"cpu": "1"}}}),
    );
    assert_eq!(
        node.at(&["spec", "podCIDRs"]),
        Some(&json!(["10.0.0.0/24"]))
    );
    assert_eq!(
        node.at(&["status", "allocatable"]),
        Some(&json!({"cpu": "1"}))
    );
}

#[test]
fn nodes_are_refused_for_taints_blocks_and_amounts() {
    let taint = |key: &str, effect: &str| json!({"key": key, "effect": effect});
    let table = [
        (
            json!({"spec": {"taints": [taint("a", "")]}}),
            "metadata.taints[0].effect: Required value",
        ),
        (
            json!({"spec": {"taints": [taint("a", "No")]}}),
            "metadata.taints[0].effect: Unsupported value: \"No\": supported values: \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\"",
        ),
        (
            json!({"spec": {"taints": [taint("/a", "NoExecute")]}}),
            "metadata.taints[0].key: Invalid value: \"/a\": prefix part must be non-empty",
        ),
        (
            json!({"spec": {"taints": [taint("a", "NoExecute"), taint("a", "NoExecute")]}}),
            "metadata.taints[1]: Duplicate value: {\"effect\":\"NoExecute\",\"key\":\"a\"}: taints must be unique by key and effect pair",
        ),
        (
            json!({"spec": {"podCIDRs": ["10.0.0.0/33"]}}),
            "spec.podCIDRs[0]: Invalid value: \"10.0.0.0/33\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
        ),
        (
            json!({"spec": {"podCIDRs": ["10.0.0.0/24", "10.0.1.0/24"]}}),
            "spec.podCIDRs: Invalid value: [\"10.0.0.0/24\",\"10.0.1.0/24\"]: may specify no more than one CIDR for each IP family",
        ),
        (
            json!({"status": {"capacity": {"cpu": "-1"}, "allocatable": {"cpu": "1"}}}),
            "status.capacity.cpu: Invalid value: \"-1\": must be greater than or equal to 0",
        ),
    ];
    for (value, text) in table {
        assert_eq!(create("nodes", value), [text]);
    }
    let good = json!({"spec": {"podCIDRs": ["10.0.0.1/32", "fd00::1/128"], "taints": [taint("a", "NoExecute"), taint("a", "NoSchedule")]}});
    assert_eq!(create("nodes", good), [""; 0]);
}

#[test]
fn what_a_node_got_once_it_keeps() {
    let old = json!({"spec": {"podCIDRs": ["10.0.0.0/24"], "providerID": "p", "externalID": "e"}});
    let with = |spec: Value| update("nodes", old.clone(), json!({"spec": spec}));
    assert_eq!(
        with(
            json!({"podCIDRs": ["10.0.0.0/24"], "providerID": "p", "externalID": "e", "unschedulable": true})
        ),
        [""; 0]
    );
    assert_eq!(
        with(json!({"podCIDRs": ["10.0.1.0/24"]})),
        [
            "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid",
            "spec.providerID: Forbidden: node updates may not change providerID except from \"\" to valid",
            "spec.externalID: Forbidden: may not be updated",
        ]
    );
    assert_eq!(
        update(
            "nodes",
            json!({}),
            json!({"spec": {"podCIDRs": ["10.0.0.0/24"], "providerID": "p"}})
        ),
        [""; 0]
    );
    let twice = json!({"status": {"addresses": [{"type": "Hostname", "address": "a"}, {"type": "Hostname", "address": "a"}]}});
    assert_eq!(
        update_status("nodes", "status", json!({}), twice),
        ["status.addresses[1]: Duplicate value: {\"address\":\"a\",\"type\":\"Hostname\"}"]
    );
}

#[test]
fn a_plain_update_of_a_node_keeps_its_status_and_the_other_way_round() {
    let old = object(
        "nodes",
        json!({"spec": {"unschedulable": true}, "status": {"phase": "Running"}}),
    );
    let given = json!({"spec": {}, "status": {"phase": "Pending"}});
    let mut new = object("nodes", given.clone());
    rules("nodes").prepare_update(&mut new, &old);
    assert_eq!(
        (
            new.text(&["status", "phase"]),
            new.at(&["spec", "unschedulable"])
        ),
        ("Running", None)
    );
    let mut new = object("nodes", given);
    rules("nodes").prepare_status_update("status", &mut new, &old);
    assert_eq!(
        (
            new.text(&["status", "phase"]),
            new.at(&["spec", "unschedulable"])
        ),
        ("Pending", Some(&json!(true)))
    );
}

#[test]
fn a_nodes_row_shows_its_state_roles_and_addresses() {
    let node = object(
        "nodes",
        json!({
        "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "control-plane", "node-role.kubernetes.io/": ""}},
        "spec": {"unschedulable": true},
        "status": {"conditions": [{"type": "Ready", "status": "False"}],
            "addresses": [{"type": "Hostname", "address": "h"}, {"type": "InternalIP", "address": "10.0.0.1"}],
            "nodeInfo": {"machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "6.1", "osImage": "", "containerRuntimeVersion": "c", "kubeletVersion": "v1.36.0", "kubeProxyVersion": "", "operatingSystem": "", "architecture": ""}}}),
    );
    let cells = rules("nodes").cells(&node, jiff::Timestamp::UNIX_EPOCH);
    let expected = json!([
        "n",
        "NotReady,SchedulingDisabled",
        "control-plane,worker",
        "<unknown>",
        "v1.36.0",
        "10.0.0.1",
        "<none>",
        "<unknown>",
        "6.1",
        "c"
    ]);
    assert_eq!(Value::from(cells), expected);
}
