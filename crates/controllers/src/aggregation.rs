//! The rules of ClusterRoles that gather them from others (`pkg/controller/clusterroleaggregation`).

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use burgee_authz::aggregated_rules;
use burgee_wire::Object;
use burgee_wire::rbac::{ClusterRole, PolicyRule};
use serde_json::{Value, json};

use crate::kinds;
use crate::worker::Reconcile;
use crate::{Client, Error, PatchType, Scope, Store, Target, Verdict, View};

/// Writes the rules of aggregating ClusterRoles.
///
/// There is only one key: one look computes all of them, because roles gather from roles that gather.
pub(crate) struct Aggregation {
    pub(crate) client: Client,
    pub(crate) cluster_roles: Arc<Store>,
}

impl Aggregation {
    /// What it needs to know of ClusterRoles.
    pub(crate) fn scope() -> Scope {
        Scope::all(kinds::cluster_roles(), View::Whole)
    }

    /// Writes one role's rules by server-side apply, as upstream does.
    async fn write(&self, name: &str, rules: &[PolicyRule]) -> Result<(), Error> {
        let resource = kinds::cluster_roles();
        let configuration = json!({
            "apiVersion": resource.api_version(),
            "kind": resource.kind,
            "metadata": {"name": name},
            "rules": rules,
        });
        let target = Target {
            resource,
            namespace: "",
            name,
        };
        self.client
            .patch(target, PatchType::Apply, &configuration)
            .await?;
        tracing::debug!(
            name,
            rules = rules.len(),
            "wrote a cluster role's aggregated rules"
        );
        Ok(())
    }
}

#[async_trait]
impl Reconcile for Aggregation {
    type Key = ();
    const NAME: &'static str = "clusterrole-aggregation";

    async fn reconcile(&self, (): &()) -> Result<Verdict, Error> {
        let roles = self.cluster_roles.list();
        let roles: Vec<_> = roles.iter().filter_map(|role| read(role)).collect();
        let mut failure = None;
        for (name, rules) in outdated(roles) {
            // One role that cannot be written does not keep the others from it.
            if let Err(error) = self.write(&name, &rules).await {
                failure = Some(error);
            }
        }
        failure.map_or(Ok(Verdict::Done), Err)
    }
}

/// The aggregating roles whose rules are not what they should be, with those they should have.
fn outdated(stored: Vec<ClusterRole>) -> Vec<(String, Vec<PolicyRule>)> {
    let mut roles: BTreeMap<String, ClusterRole> = stored
        .into_iter()
        .map(|role| (role.metadata.name.clone(), role))
        .collect();
    let aggregating: Vec<_> = roles
        .values()
        .filter(|role| role.aggregation_rule.is_some())
        .cloned()
        .collect();
    // Each lap carries rules one role further; those that gather from one another in a circle get no
    // more than all there are.
    for _ in 0..=aggregating.len() {
        let mut changed = false;
        for role in &aggregating {
            let name = &role.metadata.name;
            let rules = match aggregated_rules(role, roles.values()) {
                Ok(rules) => rules.unwrap_or_default(),
                Err(error) => {
                    tracing::warn!(name, %error, "an aggregation rule cannot be understood");
                    continue;
                }
            };
            if let Some(own) = roles.get_mut(name)
                && own.rules != rules
            {
                own.rules = rules;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let differing = aggregating.into_iter().filter_map(|stored| {
        let name = stored.metadata.name;
        let rules = roles.remove(&name)?.rules;
        (rules != stored.rules).then_some((name, rules))
    });
    differing.collect()
}

fn read(object: &Object) -> Option<ClusterRole> {
    let mut content = object.content.clone();
    let rules = content.remove("rules").unwrap_or(Value::Null);
    let aggregation = content.remove("aggregationRule").unwrap_or(Value::Null);
    let value = json!({
        "metadata": {"name": object.metadata.name, "labels": object.metadata.labels},
        "rules": rules,
        "aggregationRule": aggregation,
    });
    let role = serde_json::from_value(value);
    role.inspect_err(|error| {
        let name = &object.metadata.name;
        tracing::warn!(name, %error, "a cluster role cannot be read");
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str, labels: &[&str], gathers: &str, verbs: &[&str]) -> ClusterRole {
        let labels: BTreeMap<_, _> = labels.iter().map(|label| (*label, "true")).collect();
        let rules: Vec<_> = verbs
            .iter()
            .map(|verb| json!({"verbs": [verb], "apiGroups": [""], "resources": ["r"]}))
            .collect();
        let mut value = json!({"metadata": {"name": name, "labels": labels}, "rules": rules});
        if !gathers.is_empty() {
            value["aggregationRule"] =
                json!({"clusterRoleSelectors": [{"matchLabels": {gathers: "true"}}]});
        }
        serde_json::from_value(value).unwrap()
    }

    fn verbs(outdated: Vec<(String, Vec<PolicyRule>)>) -> Vec<(String, String)> {
        let joined = |rules: Vec<PolicyRule>| -> Vec<_> {
            rules.into_iter().flat_map(|rule| rule.verbs).collect()
        };
        outdated
            .into_iter()
            .map(|(name, rules)| (name, joined(rules).join(" ")))
            .collect()
    }

    #[test]
    fn rules_reach_the_role_at_the_end_of_a_chain_at_once() {
        let roles = vec![
            role("admin", &[], "to-admin", &[]),
            role("edit", &["to-admin"], "to-edit", &["stale"]),
            role("part", &["to-view"], "", &["get", "list"]),
            role("view", &["to-edit"], "to-view", &[]),
        ];
        let expected =
            ["admin", "edit", "view"].map(|name| (name.to_owned(), "get list".to_owned()));
        assert_eq!(verbs(outdated(roles)), expected);
    }

    #[test]
    fn what_is_right_is_left_alone() {
        let roles = vec![
            role("part", &["a"], "", &["get"]),
            role("whole", &[], "a", &["get"]),
        ];
        assert_eq!(outdated(roles), []);
        let nothing = vec![role("whole", &[], "a", &[])];
        assert_eq!(outdated(nothing), []);
    }

    #[test]
    fn a_role_that_lost_its_last_part_loses_its_rules() {
        let roles = vec![role("whole", &[], "a", &["get"])];
        assert_eq!(
            verbs(outdated(roles)),
            [("whole".to_owned(), String::new())]
        );
    }

    #[test]
    fn roles_that_gather_from_one_another_come_to_rest() {
        let mut roles = vec![
            role("one", &["a"], "b", &[]),
            role("part", &["a", "b"], "", &["get"]),
            role("two", &["b"], "a", &["old"]),
        ];
        for _ in 0..3 {
            for (name, rules) in outdated(roles.clone()) {
                roles
                    .iter_mut()
                    .find(|role| role.metadata.name == name)
                    .unwrap()
                    .rules = rules;
            }
        }
        assert_eq!(outdated(roles), []);
    }

    #[test]
    fn an_object_is_read_with_null_members() {
        let object = Object::from_value(json!({"metadata": {"name": "r"}, "rules": null})).unwrap();
        assert_eq!(read(&object).unwrap().rules, []);
    }
}
