//! Whether one rule permits one request (`pkg/apis/rbac/v1/evaluation_helpers.go`).

use burgee_wire::rbac::PolicyRule;

use crate::attributes::{Attributes, Request, ResourceRequest};

/// What stands for every verb, group, resource and path.
pub(crate) const ALL: &str = "*";

/// Whether `rule` permits the request. Whom the rule is for is not looked at.
///
/// ```
/// use burgee_authz::{Attributes, rule_allows};
/// use burgee_identity::UserInfo;
///
/// let rule = serde_json::from_str(r#"{"verbs": ["get"], "nonResourceURLs": ["/apis/*"]}"#).unwrap();
/// let jane = UserInfo::named("jane");
/// assert!(rule_allows(&rule, &Attributes::path(&jane, "get", "/apis/apps")));
/// assert!(!rule_allows(&rule, &Attributes::path(&jane, "get", "/apis")));
/// ```
#[must_use]
pub fn rule_allows(rule: &PolicyRule, attributes: &Attributes<'_>) -> bool {
    has_or_all(&rule.verbs, attributes.verb)
        && match &attributes.request {
            Request::Path(path) => rule
                .non_resource_urls
                .iter()
                .any(|pattern| path_matches(pattern, path)),
            Request::Resource(request) => {
                has_or_all(&rule.api_groups, request.api_group)
                    && rule
                        .resources
                        .iter()
                        .any(|pattern| resource_matches(pattern, request))
                    && (rule.resource_names.is_empty() || has(&rule.resource_names, request.name))
            }
        }
}

/// Whether the path pattern of a rule covers `path`, which may be a pattern itself. `*` at its end,
/// or several, stands for any rest.
pub(crate) fn path_matches(pattern: &str, path: &str) -> bool {
    pattern == path || (pattern.ends_with('*') && path.starts_with(pattern.trim_end_matches('*')))
}

/// Whether `item` is in `list`.
pub(crate) fn has(list: &[String], item: &str) -> bool {
    list.iter().any(|own| own == item)
}

/// Whether `item` or `*` is in `list`.
pub(crate) fn has_or_all(list: &[String], item: &str) -> bool {
    list.iter().any(|own| own == ALL || own == item)
}

/// `*` is everything, `*/subresource` that subresource of anything; else `resource` or
/// `resource/subresource` must be met exactly. `resource/*` is no pattern.
fn resource_matches(pattern: &str, request: &ResourceRequest<'_>) -> bool {
    if pattern == ALL {
        return true;
    }
    if request.subresource.is_empty() {
        return pattern == request.resource;
    }
    pattern
        .strip_suffix(request.subresource)
        .and_then(|head| head.strip_suffix('/'))
        .is_some_and(|head| head == ALL || head == request.resource)
}

#[cfg(test)]
mod tests {
    use burgee_identity::UserInfo;

    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn resources_match_exactly_or_by_star() {
        // Rule's resources, requested resource and subresource, whether it matches.
        let table: &[(&[&str], &str, &str, bool)] = &[
            (&["pods"], "pods", "", true),
            (&["pods"], "pods", "log", false),
            (&["pods/log"], "pods", "log", true),
            (&["pods/log"], "pods", "", false),
            (&["pods/*"], "pods", "log", false),
            (&["pods/*"], "pods", "", false),
            (&["*"], "pods", "log", true),
            (&["*/scale"], "deployments", "scale", true),
            (&["*/scale"], "deployments", "status", false),
            (&["*/scale"], "scale", "", false),
            (&["*/*"], "pods", "log", false),
            (&["secrets", "pods"], "pods", "", true),
            (&[], "pods", "", false),
        ];
        let user = UserInfo::named("jane");
        for (resources, resource, subresource, expected) in table {
            let rule = PolicyRule {
                verbs: strings(&["get"]),
                api_groups: strings(&[""]),
                resources: strings(resources),
                ..PolicyRule::default()
            };
            let request = ResourceRequest {
                resource,
                subresource,
                ..ResourceRequest::default()
            };
            let attributes = Attributes::resource(&user, "get", request);
            assert_eq!(
                rule_allows(&rule, &attributes),
                *expected,
                "{rule:?} {request:?}"
            );
        }
    }

    #[test]
    fn verbs_groups_and_names_must_all_match() {
        // Rule's verbs, groups and names, whether it permits `get` of `a` in group `apps`.
        type Texts = &'static [&'static str];
        let table: &[(Texts, Texts, Texts, bool)] = &[
            (&["get"], &["apps"], &[], true),
            (&["*"], &["*"], &[], true),
            (&["list"], &["apps"], &[], false),
            (&["get"], &[""], &[], false),
            (&["get"], &["apps"], &["a"], true),
            (&["get"], &["apps"], &["b", "a"], true),
            (&["get"], &["apps"], &["*"], false),
            (&[], &["apps"], &[], false),
            (&["get"], &[], &[], false),
        ];
        let user = UserInfo::named("jane");
        for (verbs, groups, names, expected) in table {
            let rule = PolicyRule {
                verbs: strings(verbs),
                api_groups: strings(groups),
                resources: strings(&["x"]),
                resource_names: strings(names),
                ..PolicyRule::default()
            };
            let request = ResourceRequest {
                api_group: "apps",
                resource: "x",
                name: "a",
                ..ResourceRequest::default()
            };
            let attributes = Attributes::resource(&user, "get", request);
            assert_eq!(rule_allows(&rule, &attributes), *expected, "{rule:?}");
        }
    }

    #[test]
    fn paths_match_exactly_or_by_a_star_at_the_end() {
        // Pattern, path, whether it matches.
        let table = [
            ("*", "/", true),
            ("/api", "/api", true),
            ("/api", "/api/", false),
            ("/api/*", "/api/v1", true),
            ("/api/*", "/api", false),
            ("/api*", "/apis", true),
            ("/api/**", "/api/v1", true),
            ("/*/v1", "/api/v1", false),
            ("", "", true),
        ];
        for (pattern, path, expected) in table {
            assert_eq!(path_matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_rule_for_resources_permits_no_path_and_the_other_way_round() {
        let user = UserInfo::named("jane");
        let mut rule = PolicyRule {
            verbs: strings(&["*"]),
            api_groups: strings(&["*"]),
            resources: strings(&["*"]),
            ..PolicyRule::default()
        };
        let path = Attributes::path(&user, "get", "/api");
        let resource = Attributes::resource(&user, "get", ResourceRequest::default());
        assert!(rule_allows(&rule, &resource) && !rule_allows(&rule, &path));
        rule = PolicyRule {
            verbs: strings(&["*"]),
            non_resource_urls: strings(&["*"]),
            ..PolicyRule::default()
        };
        assert!(!rule_allows(&rule, &resource) && rule_allows(&rule, &path));
    }
}
