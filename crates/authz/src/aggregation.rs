//! Which rules an aggregating ClusterRole gathers (`pkg/controller/clusterroleaggregation`).

use burgee_wire::rbac::{ClusterRole, PolicyRule};
use burgee_wire::selector::{Error, LabelSelector};
use serde_json::json;

/// The rules that `role` should have, given all ClusterRoles; `None` when it gathers none.
///
/// For one selector after the other, the rules of the roles that it selects are taken in the order of
/// the roles' names, each rule once. A role does not gather from itself.
///
/// # Errors
///
/// When a selector cannot be understood; validation keeps such ones out.
///
/// ```
/// use burgee_wire::rbac::ClusterRole;
///
/// let admin: ClusterRole = serde_json::from_str(r#"{
///     "metadata": {"name": "admin"},
///     "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to-admin": "true"}}]}
/// }"#).unwrap();
/// let part: ClusterRole = serde_json::from_str(r#"{
///     "metadata": {"name": "part", "labels": {"to-admin": "true"}},
///     "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]
/// }"#).unwrap();
/// let rules = burgee_authz::aggregated_rules(&admin, [&admin, &part]).unwrap();
/// assert_eq!(rules, Some(part.rules.clone()));
/// ```
pub fn aggregated_rules<'a>(
    role: &ClusterRole,
    all: impl IntoIterator<Item = &'a ClusterRole>,
) -> Result<Option<Vec<PolicyRule>>, Error> {
    let Some(aggregation) = &role.aggregation_rule else {
        return Ok(None);
    };
    let mut others: Vec<&ClusterRole> = all
        .into_iter()
        .filter(|other| other.metadata.name != role.metadata.name)
        .collect();
    others.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));

    let mut rules: Vec<PolicyRule> = Vec::new();
    for selector in &aggregation.cluster_role_selectors {
        let selector = LabelSelector::from_value(&json!(selector))?;
        for other in others
            .iter()
            .filter(|other| selector.matches(&other.metadata.labels))
        {
            for rule in &other.rules {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    Ok(Some(rules))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(value: serde_json::Value) -> ClusterRole {
        serde_json::from_value(value).unwrap()
    }

    fn rule(verb: &str) -> serde_json::Value {
        json!({"verbs": [verb], "apiGroups": [""], "resources": ["a"]})
    }

    fn verbs(rules: Option<Vec<PolicyRule>>) -> Vec<String> {
        rules
            .unwrap()
            .into_iter()
            .flat_map(|rule| rule.verbs)
            .collect()
    }

    #[test]
    fn rules_come_by_selector_then_by_name_each_once() {
        let gathering = role(
            json!({"metadata": {"name": "x", "labels": {"a": "1"}}, "rules": [rule("own")],
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"b": "1"}}, {"matchLabels": {"a": "1"}}]}}),
        );
        let first = role(
            json!({"metadata": {"name": "1", "labels": {"a": "1"}}, "rules": [rule("c"), rule("b")]}),
        );
        let second = role(
            json!({"metadata": {"name": "2", "labels": {"a": "1", "b": "1"}}, "rules": [rule("b"), rule("a")]}),
        );
        let third = role(json!({"metadata": {"name": "3"}, "rules": [rule("z")]}));
        let rules = aggregated_rules(&gathering, [&third, &second, &gathering, &first]).unwrap();
        assert_eq!(verbs(rules), ["b", "a", "c"]);
        assert_eq!(aggregated_rules(&first, [&second]).unwrap(), None);
    }

    #[test]
    fn every_operator_selects() {
        // The one expression of the selector, names of the roles that it selects.
        let table = [
            (
                json!({"key": "a", "operator": "In", "values": ["1", "2"]}),
                vec!["one"],
            ),
            (
                json!({"key": "a", "operator": "NotIn", "values": ["1"]}),
                vec!["none", "three"],
            ),
            (
                json!({"key": "a", "operator": "Exists"}),
                vec!["one", "three"],
            ),
            (
                json!({"key": "a", "operator": "DoesNotExist"}),
                vec!["none"],
            ),
        ];
        let named = |name: &str, labels| {
            role(json!({"metadata": {"name": name, "labels": labels}, "rules": [rule(name)]}))
        };
        let all = [
            named("none", json!({})),
            named("one", json!({"a": "1"})),
            named("three", json!({"a": "3"})),
        ];
        for (expression, expected) in table {
            let gathering = role(json!({"metadata": {"name": "x"},
                "aggregationRule": {"clusterRoleSelectors": [{"matchExpressions": [expression]}]}}));
            assert_eq!(
                verbs(aggregated_rules(&gathering, &all).unwrap()),
                expected,
                "{expression}"
            );
        }
    }

    #[test]
    fn an_empty_selector_selects_all_and_an_unknown_operator_is_an_error() {
        let gathering = |selector: serde_json::Value| {
            role(
                json!({"metadata": {"name": "x"}, "aggregationRule": {"clusterRoleSelectors": [selector]}}),
            )
        };
        let other = role(json!({"metadata": {"name": "y"}, "rules": [rule("get")]}));
        assert_eq!(
            verbs(aggregated_rules(&gathering(json!({})), [&other]).unwrap()),
            ["get"]
        );
        let wrong = gathering(json!({"matchExpressions": [{"key": "a", "operator": "Is"}]}));
        assert!(aggregated_rules(&wrong, [&other]).is_err());
    }
}
