//! ClusterRoles that gather their rules.

use burgee_controllers::Controller;
use burgee_wire::Object;
use serde_json::{Value, json};

use crate::support::Cluster;

/// Whether a role permits something on this resource.
fn covers(role: &Object, resource: &str) -> bool {
    let rules = role.content.get("rules").and_then(Value::as_array);
    let mut resources = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule["resources"].as_array());
    resources.any(|resources| resources.contains(&resource.into()))
}

#[tokio::test]
async fn when_ready_the_default_roles_have_their_rules() {
    let cluster = Cluster::start(&[Controller::ClusterRoleAggregation]).await;
    let table = [
        ("view", "configmaps"),
        ("edit", "secrets"),
        ("admin", "rolebindings"),
    ];
    for (name, resource) in table {
        let role = cluster.find("clusterroles", "", name).await.unwrap();
        assert!(covers(&role, resource), "{name} lacks {resource}");
        let managers: Vec<_> = role
            .metadata
            .managed_fields
            .iter()
            .map(|entry| &*entry.manager)
            .collect();
        assert!(
            managers.contains(&"clusterrole-aggregation-controller"),
            "{managers:?}"
        );
    }
}

#[tokio::test]
async fn a_part_reaches_every_role_that_gathers_it_and_leaves_with_it() {
    let cluster = Cluster::start(&[Controller::ClusterRoleAggregation]).await;
    let part = json!({
        "metadata": {"name": "part", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get"]}],
    });
    cluster.create("clusterroles", part).await;
    for name in ["view", "edit", "admin"] {
        cluster
            .until("clusterroles", "", name, |role| covers(role, "widgets"))
            .await;
    }
    cluster.delete("clusterroles", "", "part").await;
    for name in ["view", "edit", "admin"] {
        cluster
            .until("clusterroles", "", name, |role| !covers(role, "widgets"))
            .await;
    }
}

#[tokio::test]
async fn rules_that_somebody_wrote_into_a_gathering_role_are_replaced() {
    let cluster = Cluster::start(&[Controller::ClusterRoleAggregation]).await;
    let rules = json!({"rules": [{"apiGroups": [""], "resources": ["widgets"], "verbs": ["get"]}]});
    cluster.merge("clusterroles", "", "view", rules).await;
    cluster
        .until("clusterroles", "", "view", |role| {
            covers(role, "configmaps") && !covers(role, "widgets")
        })
        .await;
}
