//! What all kinds have: selectable fields, ways to be written, rows.

use burgee_resources::Rules;
use serde_json::json;

use crate::testkit::{object, resource};

fn rules(plural: &str) -> &'static dyn Rules {
    resource(plural).rules
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
