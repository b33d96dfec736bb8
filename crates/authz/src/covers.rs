//! Whether some rules permit all that others do (`component-helpers/auth/rbac/validation`).

use std::collections::{BTreeMap, BTreeSet};

use burgee_wire::quoted;
use burgee_wire::rbac::PolicyRule;

use crate::rule::{ALL, has, has_or_all, path_matches};

/// Rules that ask for more single permissions than this are not taken apart.
///
/// The lists of a rule multiply: one object of a mebibyte could ask for 10¹³ permissions. No
/// rule that people write comes near the limit.
const MOST_PERMISSIONS: usize = 100_000;

/// The permissions among `requested` that no rule of `held` covers, each as a rule of one verb; none
/// means that all are covered.
///
/// As upstream, each permission must be covered by one rule alone, and a rule without resource names
/// is covered by no list of names. Unlike upstream, rules that come to more than 100,000 permissions
/// are returned as they are unless single rules cover them as a whole.
///
/// ```
/// use burgee_authz::{covers, describe_rules};
///
/// let held = [serde_json::from_str(
///     r#"{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["secrets"]}"#,
/// ).unwrap()];
/// let requested = [serde_json::from_str(
///     r#"{"verbs": ["get", "delete"], "apiGroups": [""], "resources": ["secrets"]}"#,
/// ).unwrap()];
/// let missing = covers(&held, &requested);
/// assert_eq!(describe_rules(&missing), r#"{APIGroups:[""], Resources:["secrets"], Verbs:["delete"]}"#);
/// assert!(covers(&held, &held).is_empty());
/// ```
#[must_use]
pub fn covers(held: &[PolicyRule], requested: &[PolicyRule]) -> Vec<PolicyRule> {
    let mut missing = Vec::new();
    let mut budget = MOST_PERMISSIONS;
    for rule in requested {
        // What one rule covers as a whole it covers in each part.
        if held.iter().any(|own| rule_covers(own, rule)) {
            continue;
        }
        match budget.checked_sub(permissions(rule)) {
            None => missing.push(rule.clone()),
            Some(rest) => {
                budget = rest;
                let parts = take_apart(rule).into_iter();
                missing.extend(parts.filter(|part| !held.iter().any(|own| rule_covers(own, part))));
            }
        }
    }
    missing
}

/// Missing permissions for people, as kube-apiserver lists them: verbs on the same resource together,
/// one rule a line, sorted.
#[must_use]
pub fn describe_rules(rules: &[PolicyRule]) -> String {
    let mut verbs_by_resource: BTreeMap<(&[String], &[String]), Vec<&String>> = BTreeMap::new();
    let mut lines = BTreeSet::new();
    for rule in rules {
        if is_simple(rule) {
            verbs_by_resource
                .entry((&rule.api_groups, &rule.resources))
                .or_default()
                .extend(&rule.verbs);
        } else {
            lines.insert(describe(rule));
        }
    }
    lines.extend(
        verbs_by_resource
            .into_iter()
            .map(|((groups, resources), verbs)| {
                describe(&PolicyRule {
                    verbs: verbs.into_iter().cloned().collect(),
                    api_groups: groups.to_vec(),
                    resources: resources.to_vec(),
                    ..PolicyRule::default()
                })
            }),
    );
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

/// Texts as Go's `%q` prints a list: `["a" "b"]`.
pub(crate) fn quoted_list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(" "))
}

/// Whether a rule is about verbs on one resource and nothing else.
fn is_simple(rule: &PolicyRule) -> bool {
    rule.api_groups.len() == 1
        && rule.resources.len() == 1
        && rule.resource_names.is_empty()
        && rule.non_resource_urls.is_empty()
}

fn describe(rule: &PolicyRule) -> String {
    let parts: Vec<String> = [
        ("APIGroups", &rule.api_groups),
        ("Resources", &rule.resources),
        ("NonResourceURLs", &rule.non_resource_urls),
        ("ResourceNames", &rule.resource_names),
        ("Verbs", &rule.verbs),
    ]
    .into_iter()
    .filter(|(_, list)| !list.is_empty())
    .map(|(name, list)| format!("{name}:{}", quoted_list(list)))
    .collect();
    format!("{{{}}}", parts.join(", "))
}

/// How many permissions a rule asks for.
fn permissions(rule: &PolicyRule) -> usize {
    let resources = rule
        .api_groups
        .len()
        .saturating_mul(rule.resources.len())
        .saturating_mul(rule.resource_names.len().max(1));
    resources
        .saturating_add(rule.non_resource_urls.len())
        .saturating_mul(rule.verbs.len())
}

/// A rule as its single permissions: one verb each, and one group, resource and name, or one path.
fn take_apart(rule: &PolicyRule) -> Vec<PolicyRule> {
    let mut parts = Vec::with_capacity(permissions(rule));
    for group in &rule.api_groups {
        for resource in &rule.resources {
            for verb in &rule.verbs {
                let part = PolicyRule {
                    verbs: vec![verb.clone()],
                    api_groups: vec![group.clone()],
                    resources: vec![resource.clone()],
                    ..PolicyRule::default()
                };
                if rule.resource_names.is_empty() {
                    parts.push(part);
                    continue;
                }
                parts.extend(rule.resource_names.iter().map(|name| PolicyRule {
                    resource_names: vec![name.clone()],
                    ..part.clone()
                }));
            }
        }
    }
    for url in &rule.non_resource_urls {
        parts.extend(rule.verbs.iter().map(|verb| PolicyRule {
            verbs: vec![verb.clone()],
            non_resource_urls: vec![url.clone()],
            ..PolicyRule::default()
        }));
    }
    parts
}

/// Whether one rule permits all that another does.
fn rule_covers(own: &PolicyRule, other: &PolicyRule) -> bool {
    let all_in =
        |own: &[String], others: &[String]| others.iter().all(|other| has_or_all(own, other));
    all_in(&own.verbs, &other.verbs)
        && all_in(&own.api_groups, &other.api_groups)
        && other
            .resources
            .iter()
            .all(|resource| resource_covers(&own.resources, resource))
        && other.non_resource_urls.iter().all(|url| {
            own.non_resource_urls
                .iter()
                .any(|own| path_matches(own, url))
        })
        && (own.resource_names.is_empty()
            || (!other.resource_names.is_empty()
                && other
                    .resource_names
                    .iter()
                    .all(|name| has(&own.resource_names, name))))
}

/// Whether a resource of a rule is among others: as itself, through `*`, or through `*/subresource`.
fn resource_covers(own: &[String], resource: &str) -> bool {
    has_or_all(own, resource)
        || resource.split_once('/').is_some_and(|(_, subresource)| {
            own.iter().any(|own| {
                own.strip_prefix(ALL)
                    .and_then(|rest| rest.strip_prefix('/'))
                    == Some(subresource)
            })
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rules(value: serde_json::Value) -> Vec<PolicyRule> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn permissions_are_covered_one_by_one() {
        // Held, requested, what is missing.
        let table = [
            (
                json!([{"apiGroups": ["v1"], "verbs": ["get"], "resources": ["*/scale"]}]),
                json!([{"apiGroups": ["v1"], "verbs": ["get"], "resources": ["foo/scale"]}]),
                json!([]),
            ),
            (
                json!([{"apiGroups": ["v1"], "verbs": ["get"], "resources": ["*/scale"]}]),
                json!([{"apiGroups": ["v1"], "verbs": ["get"], "resources": ["foo/status", "foo"]}]),
                json!([
                    {"apiGroups": ["v1"], "verbs": ["get"], "resources": ["foo/status"]},
                    {"apiGroups": ["v1"], "verbs": ["get"], "resources": ["foo"]},
                ]),
            ),
            (
                // Each half is held by another rule.
                json!([
                    {"apiGroups": ["v1"], "verbs": ["delete"], "resources": ["deployments"]},
                    {"apiGroups": ["v1"], "verbs": ["delete"], "resources": ["builds"]},
                    {"apiGroups": ["v1"], "verbs": ["update"], "resources": ["builds"]},
                ]),
                json!([{"apiGroups": ["v1"], "verbs": ["delete", "update"], "resources": ["builds", "deployments"]}]),
                json!([{"apiGroups": ["v1"], "verbs": ["update"], "resources": ["deployments"]}]),
            ),
            (
                // Everything covers every single thing, and nothing single covers everything.
                json!([{"apiGroups": ["*"], "verbs": ["*"], "resources": ["*"]}]),
                json!([{"apiGroups": ["", "x"], "verbs": ["get", "*"], "resources": ["a", "a/b", "*"], "resourceNames": ["n"]}]),
                json!([]),
            ),
            (
                json!([{"apiGroups": ["x"], "verbs": ["get"], "resources": ["a"]}]),
                json!([{"apiGroups": ["*"], "verbs": ["get"], "resources": ["a"]}]),
                json!([{"apiGroups": ["*"], "verbs": ["get"], "resources": ["a"]}]),
            ),
            (
                // One name is less than every name.
                json!([{"apiGroups": [""], "verbs": ["get"], "resources": ["a"], "resourceNames": ["n", "m"]}]),
                json!([{"apiGroups": [""], "verbs": ["get"], "resources": ["a"], "resourceNames": ["n", "o"]},
                       {"apiGroups": [""], "verbs": ["get"], "resources": ["a"]}]),
                json!([{"apiGroups": [""], "verbs": ["get"], "resources": ["a"], "resourceNames": ["o"]},
                       {"apiGroups": [""], "verbs": ["get"], "resources": ["a"]}]),
            ),
            (
                json!([{"verbs": ["get"], "nonResourceURLs": ["/api/*", "/x"]}]),
                json!([{"verbs": ["get"], "nonResourceURLs": ["/api/v1", "/api/*", "/x", "/x/y", "*"]}]),
                json!([{"verbs": ["get"], "nonResourceURLs": ["/x/y"]}, {"verbs": ["get"], "nonResourceURLs": ["*"]}]),
            ),
            (
                // Resources do not cover paths.
                json!([{"apiGroups": ["*"], "verbs": ["*"], "resources": ["*"]}]),
                json!([{"verbs": ["get"], "nonResourceURLs": ["/"]}]),
                json!([{"verbs": ["get"], "nonResourceURLs": ["/"]}]),
            ),
        ];
        for (held, requested, missing) in table {
            let found = covers(&rules(held.clone()), &rules(requested.clone()));
            assert_eq!(found, rules(missing), "{held} {requested}");
        }
    }

    #[test]
    fn a_rule_of_too_many_permissions_is_not_taken_apart() {
        let many = |prefix: &str| {
            (0..1000)
                .map(|i| format!("{prefix}{i}"))
                .collect::<Vec<_>>()
        };
        let huge = PolicyRule {
            verbs: many("v"),
            api_groups: many("g"),
            resources: many("r"),
            resource_names: many("n"),
            non_resource_urls: Vec::new(),
        };
        let huge = [huge];
        assert_eq!(covers(&[], &huge), huge);
        let all = rules(json!([{"apiGroups": ["*"], "verbs": ["*"], "resources": ["*"]}]));
        assert!(covers(&all, &huge).is_empty());
    }

    #[test]
    fn missing_rules_are_described_by_resource() {
        let missing = rules(json!([
            {"verbs": ["get"], "nonResourceURLs": ["/x"]},
            {"apiGroups": [""], "verbs": ["get"], "resources": ["secrets"]},
            {"apiGroups": [""], "verbs": ["get"], "resources": ["a"], "resourceNames": ["n"]},
            {"apiGroups": [""], "verbs": ["delete"], "resources": ["secrets"]},
        ]));
        assert_eq!(
            describe_rules(&missing),
            [
                r#"{APIGroups:[""], Resources:["a"], ResourceNames:["n"], Verbs:["get"]}"#,
                r#"{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}"#,
                r#"{NonResourceURLs:["/x"], Verbs:["get"]}"#,
            ]
            .join("\n")
        );
    }

    fn texts(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
        let text = proptest::sample::select(of).prop_map(ToOwned::to_owned);
        proptest::collection::vec(text, 0..3)
    }

    fn any_rules() -> impl Strategy<Value = Vec<PolicyRule>> {
        let rule = (
            texts(&["get", "list", "*"]),
            texts(&["", "apps", "*"]),
            texts(&["a", "a/s", "*/s", "*"]),
            texts(&["n", "m"]),
            texts(&["/", "/a", "/a/*", "*"]),
        )
            .prop_map(
                |(verbs, api_groups, resources, resource_names, non_resource_urls)| PolicyRule {
                    verbs,
                    api_groups,
                    resources,
                    resource_names,
                    non_resource_urls,
                },
            );
        proptest::collection::vec(rule, 0..4)
    }

    proptest! {
        #[test]
        fn rules_cover_themselves(rules in any_rules()) {
            prop_assert_eq!(covers(&rules, &rules), []);
        }

        #[test]
        fn holding_more_never_covers_less(held in any_rules(), more in any_rules(), requested in any_rules()) {
            let both: Vec<_> = held.iter().chain(&more).cloned().collect();
            let missing = covers(&held, &requested);
            for rule in covers(&both, &requested) {
                prop_assert!(missing.contains(&rule));
            }
        }

        #[test]
        fn what_is_missing_is_all_that_has_to_be_added(held in any_rules(), requested in any_rules()) {
            let missing = covers(&held, &requested);
            let both: Vec<_> = held.into_iter().chain(missing).collect();
            prop_assert_eq!(covers(&both, &requested), []);
        }
    }
}
