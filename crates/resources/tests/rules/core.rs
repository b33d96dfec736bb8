//! The rules of the core kinds but pods, and of leases, one refusal each.

use burgee_resources::Rules;
use serde_json::{Value, json};

use crate::testkit::{create, object, resource, update, update_status};

fn rules(plural: &str) -> &'static dyn Rules {
    resource(plural).rules
}

#[test]
fn string_data_of_secrets_is_merged_once_and_not_kept() {
    let secret = object(
        "secrets",
        json!({"data": {"a": "MQ==", "b": "Mg=="}, "stringData": {"b": "x", "c": ""}}),
    );
    let expected = json!({"type": "Opaque", "data": {"a": "MQ==", "b": "eA==", "c": ""}});
    assert_eq!(Value::Object(secret.content), expected);
    let empty = object("secrets", json!({"stringData": {}}));
    assert_eq!(Value::Object(empty.content), json!({"type": "Opaque"}));
}

#[test]
fn secrets_are_refused_for_their_keys_and_content() {
    let with = |kind: &str, data: Value| create("secrets", json!({"type": kind, "data": data}));
    let redacted = "Invalid value: \"<secret contents redacted>\"";
    let table = [
        (
            "kubernetes.io/dockercfg",
            json!({}),
            "data[.dockercfg]: Required value".to_owned(),
        ),
        (
            "kubernetes.io/dockercfg",
            json!({".dockercfg": "W10="}),
            format!(
                "data[.dockercfg]: {redacted}: json: cannot unmarshal array into Go value of type map[string]interface {{}}"
            ),
        ),
        (
            "kubernetes.io/dockerconfigjson",
            json!({}),
            "data[.dockerconfigjson]: Required value".to_owned(),
        ),
        (
            "kubernetes.io/dockerconfigjson",
            json!({".dockerconfigjson": "e3g="}),
            format!("data[.dockerconfigjson]: {redacted}: invalid character in JSON input"),
        ),
        (
            "kubernetes.io/ssh-auth",
            json!({"ssh-privatekey": ""}),
            "data[ssh-privatekey]: Required value".to_owned(),
        ),
        (
            "kubernetes.io/tls",
            json!({"tls.crt": ""}),
            "data[tls.key]: Required value".to_owned(),
        ),
        (
            "any",
            json!({"..": ""}),
            "data[..]: Invalid value: \"..\": must not be '..'".to_owned(),
        ),
    ];
    for (kind, data, text) in table {
        assert_eq!(with(kind, data), [text]);
    }
    for (kind, data) in [
        ("kubernetes.io/basic-auth", json!({"password": ""})),
        ("kubernetes.io/dockercfg", json!({".dockercfg": "e30="})),
        (
            "kubernetes.io/dockerconfigjson",
            json!({".dockerconfigjson": "bnVsbA=="}),
        ),
        ("kubernetes.io/ssh-auth", json!({"ssh-privatekey": "eA=="})),
        ("any", json!({"anything": ""})),
    ] {
        assert_eq!(with(kind, data), [""; 0], "{kind}");
    }
    let token = json!({"type": "kubernetes.io/service-account-token",
        "metadata": {"annotations": {"kubernetes.io/service-account.name": "a"}}});
    assert_eq!(create("secrets", token), [""; 0]);
}

#[test]
fn no_error_shows_what_a_secret_holds() {
    let data = json!({".dockerconfigjson": "InBhc3N3b3JkLTEyMyI="});
    let errors = create(
        "secrets",
        json!({"type": "kubernetes.io/dockerconfigjson", "data": data}),
    );
    assert!(
        errors.len() == 1 && !errors.concat().contains("password"),
        "{errors:?}"
    );
}

#[test]
fn an_immutable_object_keeps_its_data_and_stays_immutable() {
    let detail = "Forbidden: field is immutable when `immutable` is set";
    let old = json!({"immutable": true, "data": {"a": "b"}, "binaryData": {"c": "MQ=="}});
    let table = [
        (old.clone(), vec![]),
        (
            json!({"immutable": true, "data": {"a": "b"}, "binaryData": {"c": "MQ=="}, "metadata": {"labels": {"a": "b"}}}),
            vec![],
        ),
        (
            json!({"immutable": false, "data": {"a": "b"}, "binaryData": {"c": "MQ=="}}),
            vec!["immutable"],
        ),
        (
            json!({"immutable": true, "data": {"a": "c"}, "binaryData": {"c": "MQ=="}}),
            vec!["data"],
        ),
        (
            json!({"immutable": true, "data": {"a": "b"}}),
            vec!["binaryData"],
        ),
        (json!({}), vec!["immutable", "data", "binaryData"]),
    ];
    for (new, members) in table {
        let texts: Vec<_> = members
            .iter()
            .map(|member| format!("{member}: {detail}"))
            .collect();
        assert_eq!(update("configmaps", old.clone(), new), texts);
    }
    let mutable = json!({"immutable": false, "data": {"a": "b"}});
    assert_eq!(update("configmaps", mutable, old), [""; 0]);
}

#[test]
fn config_maps_are_refused_for_their_keys_and_size() {
    let both = json!({"data": {"k": "v"}, "binaryData": {"k": "MQ==", "a b": ""}});
    let errors = create("configmaps", both);
    assert_eq!(
        errors.first().map(String::as_str),
        Some("data[k]: Invalid value: \"k\": duplicate of key present in binaryData")
    );
    assert!(
        errors.len() == 2
            && errors
                .concat()
                .contains("binaryData[a b]: Invalid value: \"a b\": a valid config key"),
        "{errors:?}"
    );

    let half = 512 * 1024;
    let of_size = |text: usize| json!({"data": {"a": "x".repeat(text)}, "binaryData": {"b": "AAAA".repeat(half / 3) + "AAA="}});
    // 512 KiB are two bytes more than a multiple of three.
    assert_eq!(create("configmaps", of_size(half)), [""; 0]);
    assert_eq!(
        create("configmaps", of_size(half + 1)),
        ["[]: Too long: must have at most 1048576 bytes"]
    );
}

#[test]
fn service_accounts_refer_to_secrets_by_name_only() {
    let value =
        json!({"secrets": [{"name": "a", "namespace": "n", "kind": "Secret", "uid": "u"}, {}]});
    let mut account = object("serviceaccounts", value);
    rules("serviceaccounts").prepare_create(&mut account);
    assert_eq!(
        Value::Object(account.content),
        json!({"secrets": [{"name": "a"}, {}]})
    );
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
    let good = json!({"spec": {"podCIDRs": ["10.0.0.0/24", "fd00::/64"], "taints": [taint("a", "NoExecute"), taint("a", "NoSchedule")]}});
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
        Value::from(rules("events").cells(&object("events", event), now))
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

#[test]
fn field_selectors_see_what_upstream_lets_them_see() {
    let table = [
        ("secrets", "type", json!({}), "Opaque"),
        (
            "namespaces",
            "name",
            json!({"metadata": {"name": "a"}}),
            "a",
        ),
        ("namespaces", "status.phase", json!({}), "Active"),
        ("nodes", "spec.unschedulable", json!({}), "false"),
        (
            "nodes",
            "spec.unschedulable",
            json!({"spec": {"unschedulable": true}}),
            "true",
        ),
        ("pods", "spec.hostNetwork", json!({}), "false"),
        (
            "pods",
            "spec.serviceAccountName",
            json!({"spec": {"serviceAccount": "a"}}),
            "a",
        ),
        (
            "events",
            "involvedObject.kind",
            json!({"involvedObject": {"kind": "Pod"}}),
            "Pod",
        ),
        (
            "events",
            "source",
            json!({"source": {"component": "c"}, "reportingComponent": "r"}),
            "c",
        ),
        ("events", "source", json!({"reportingComponent": "r"}), "r"),
    ];
    for (plural, field, value, expected) in table {
        let rules = rules(plural);
        assert!(rules.selectable_fields().contains(&field));
        assert_eq!(
            rules.field_value(&object(plural, value), field),
            expected,
            "{plural} {field}"
        );
    }
    let config_map = object(
        "configmaps",
        json!({"metadata": {"name": "c", "namespace": "n"}}),
    );
    let value = |field: &str| {
        rules("configmaps")
            .field_value(&config_map, field)
            .to_owned()
    };
    assert_eq!(
        (value("metadata.name"), value("metadata.namespace")),
        ("c".into(), "n".into())
    );
    assert!(rules("configmaps").selectable_fields().is_empty());
}

#[test]
fn some_kinds_are_created_by_updates_and_leases_name_their_version() {
    let creating: Vec<_> = burgee_resources::all()
        .iter()
        .filter(|each| each.rules.allow_create_on_update())
        .map(|each| each.plural)
        .collect();
    assert_eq!(
        creating,
        [
            "events",
            "leases",
            "clusterrolebindings",
            "clusterroles",
            "rolebindings",
            "roles"
        ]
    );
    let unconditional = |plural: &str| rules(plural).allow_unconditional_update();
    assert!(unconditional("secrets") && !unconditional("leases"));
}

#[test]
fn bindings_get_the_group_of_rbac() {
    let binding = object(
        "rolebindings",
        json!({"roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]}),
    );
    let group = "rbac.authorization.k8s.io";
    assert_eq!(binding.text(&["roleRef", "apiGroup"]), group);
    let expected = json!([{"apiGroup": group, "kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]);
    assert_eq!(binding.at(&["subjects"]), Some(&expected));
}

#[test]
fn every_row_has_a_cell_for_every_column() {
    for each in burgee_resources::all() {
        let cells = each
            .rules
            .cells(&object(each.plural, json!({})), jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(cells.len(), each.rules.columns().len(), "{}", each.plural);
    }
}
