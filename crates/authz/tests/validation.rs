//! Which RBAC objects may be stored, rule by rule.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

mod testkit;

use burgee_authz::validation;
use burgee_wire::field::FieldError;
use burgee_wire::rbac::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::view;

const GROUP: &str = "rbac.authorization.k8s.io";

fn texts(errors: Vec<FieldError>) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn rules_name_resources_or_paths_but_not_both() {
    let verbs = "rules[0].verbs: Required value: verbs must contain at least one value";
    let groups =
        "rules[0].apiGroups: Required value: resource rules must supply at least one api group";
    let resources =
        "rules[0].resources: Required value: resource rules must supply at least one resource";
    let namespaced = r#"rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs"#;
    let both = r#"rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs"#;
    // A rule, what is wrong with it in a Role, and in a ClusterRole.
    let table = [
        (
            json!({"verbs": ["get"], "apiGroups": [""], "resources": ["a"]}),
            vec![],
            vec![],
        ),
        (
            json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*/s"], "resourceNames": ["n"]}),
            vec![],
            vec![],
        ),
        (
            json!({}),
            vec![verbs, groups, resources],
            vec![verbs, groups, resources],
        ),
        (
            json!({"verbs": ["get"], "resources": ["a"]}),
            vec![groups],
            vec![groups],
        ),
        (
            json!({"verbs": ["get"], "apiGroups": [""]}),
            vec![resources],
            vec![resources],
        ),
        (
            json!({"verbs": ["get"], "nonResourceURLs": ["/x"]}),
            vec![namespaced],
            vec![],
        ),
        (
            json!({"nonResourceURLs": ["/x"], "resourceNames": ["n"]}),
            vec![verbs, namespaced, both],
            vec![verbs, both],
        ),
    ];
    for (rule, in_role, in_cluster_role) in table {
        let object = json!({"metadata": {"name": "r"}, "rules": [rule]});
        let role: Role = view(object.clone());
        assert_eq!(texts(validation::role(&role)), in_role, "{rule}");
        let role: ClusterRole = view(object);
        assert_eq!(
            texts(validation::cluster_role(&role)),
            in_cluster_role,
            "{rule}"
        );
    }
}

#[test]
fn aggregation_needs_selectors_that_can_be_understood() {
    let path = "aggregationRule.clusterRoleSelectors";
    let unusable = format!("{path}[0]: Invalid value: null: invalid label selector.");
    let expression =
        |expression: Value| json!({"clusterRoleSelectors": [{"matchExpressions": [expression]}]});
    let at = |rest: &str| format!("{path}[0].matchExpressions[0].{rest}");
    let table = [
        (
            json!({"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}),
            vec![],
        ),
        (json!({"clusterRoleSelectors": [{}]}), vec![]),
        (
            json!({"clusterRoleSelectors": []}),
            vec![format!(
                "{path}: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"
            )],
        ),
        (
            expression(json!({"key": "a", "operator": "In"})),
            vec![
                at("values: Required value: must be specified when `operator` is 'In' or 'NotIn'"),
                unusable.clone(),
            ],
        ),
        (
            expression(json!({"key": "a", "operator": "Exists", "values": ["b"]})),
            vec![
                at(
                    "values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                ),
                unusable.clone(),
            ],
        ),
        (
            expression(json!({"key": "a", "operator": "Is"})),
            vec![
                at(r#"operator: Invalid value: "Is": not a valid selector operator"#),
                unusable.clone(),
            ],
        ),
    ];
    for (rule, expected) in table {
        let role: ClusterRole = view(json!({"aggregationRule": rule}));
        assert_eq!(texts(validation::cluster_role(&role)), expected, "{rule}");
    }
    // The grammar of labels has long texts; that the right fields are named is enough here.
    let rule = json!({"clusterRoleSelectors": [{"matchLabels": {"-": "b-"},
        "matchExpressions": [{"key": "", "operator": "In", "values": ["ok", "-"]}]}]});
    let role: ClusterRole = view(json!({"aggregationRule": rule}));
    let paths: Vec<_> = validation::cluster_role(&role)
        .iter()
        .map(|error| error.path.to_string())
        .collect();
    assert!(
        paths.contains(&format!("{path}[0].matchLabels")),
        "{paths:?}"
    );
    assert!(
        paths.contains(&at("key")) && paths.contains(&at("values[1]")),
        "{paths:?}"
    );
    assert!(!paths.contains(&at("values[0]")), "{paths:?}");
}

#[test]
fn a_binding_refers_to_a_role_of_its_own_kind() {
    let table = [
        (
            json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": "system:x"}),
            vec![],
            vec![],
        ),
        (
            json!({"apiGroup": GROUP, "kind": "Role", "name": "r"}),
            vec![],
            vec![r#"roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole""#],
        ),
        (
            json!({"apiGroup": "x", "kind": "Robot", "name": ""}),
            vec![
                r#"roleRef.apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io""#,
                r#"roleRef.kind: Unsupported value: "Robot": supported values: "Role", "ClusterRole""#,
                "roleRef.name: Required value",
            ],
            vec![
                r#"roleRef.apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io""#,
                r#"roleRef.kind: Unsupported value: "Robot": supported values: "ClusterRole""#,
                "roleRef.name: Required value",
            ],
        ),
        (
            json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": "a/b"}),
            vec![r#"roleRef.name: Invalid value: "a/b": may not contain '/'"#],
            vec![r#"roleRef.name: Invalid value: "a/b": may not contain '/'"#],
        ),
    ];
    for (role_ref, in_role_binding, in_cluster_role_binding) in table {
        let object = json!({"metadata": {"name": "b"}, "roleRef": role_ref});
        let binding: RoleBinding = view(object.clone());
        assert_eq!(
            texts(validation::role_binding(&binding)),
            in_role_binding,
            "{role_ref}"
        );
        let binding: ClusterRoleBinding = view(object);
        let found = texts(validation::cluster_role_binding(&binding));
        assert_eq!(found, in_cluster_role_binding, "{role_ref}");
    }
}

#[test]
fn subjects_are_of_three_kinds() {
    let not_supported = |member, value, supported| {
        format!(
            r#"subjects[0].{member}: Unsupported value: "{value}": supported values: {supported}"#
        )
    };
    let name = "subjects[0].name: Required value".to_owned();
    // A subject, and what is wrong with it in a RoleBinding.
    let table = [
        (
            json!({"kind": "User", "name": "jane", "apiGroup": GROUP}),
            vec![],
        ),
        (
            json!({"kind": "Group", "name": "any thing/at: all", "apiGroup": GROUP}),
            vec![],
        ),
        (
            json!({"kind": "ServiceAccount", "name": "sa", "namespace": "ns"}),
            vec![],
        ),
        (
            json!({"kind": "User", "apiGroup": GROUP}),
            vec![name.clone()],
        ),
        (
            json!({"kind": "User", "name": "jane"}),
            vec![not_supported(
                "apiGroup",
                "",
                r#""rbac.authorization.k8s.io""#,
            )],
        ),
        (
            json!({"kind": "ServiceAccount", "name": "sa", "namespace": "ns", "apiGroup": GROUP}),
            vec![not_supported("apiGroup", GROUP, r#""""#)],
        ),
        (
            json!({"kind": "Robot"}),
            vec![
                name,
                not_supported("kind", "Robot", r#""ServiceAccount", "User", "Group""#),
            ],
        ),
    ];
    let binding = |subject: &Value| {
        json!({"metadata": {"name": "b"}, "subjects": [subject],
            "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "r"}})
    };
    for (subject, expected) in table {
        let role_binding: RoleBinding = view(binding(&subject));
        assert_eq!(
            texts(validation::role_binding(&role_binding)),
            expected,
            "{subject}"
        );
        let cluster: ClusterRoleBinding = view(binding(&subject));
        assert_eq!(
            texts(validation::cluster_role_binding(&cluster)),
            expected,
            "{subject}"
        );
    }
    let wrong = binding(&json!({"kind": "ServiceAccount", "name": "A_B"}));
    let found = texts(validation::role_binding(&view(wrong.clone())));
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with(r#"subjects[0].name: Invalid value: "A_B": a lowercase RFC 1123 subdomain"#)),
        "{found:?}"
    );
    // Where there is no namespace to default to, it must be named.
    let found = texts(validation::cluster_role_binding(&view(wrong)));
    assert_eq!(found[1], "subjects[0].namespace: Required value");
}

#[test]
fn names_only_have_to_fit_into_a_path() {
    assert!(validation::name("system:node: A b").is_empty());
    assert_eq!(validation::name(".."), ["may not be '..'"]);
    assert_eq!(
        validation::name("a%/"),
        ["may not contain '/'", "may not contain '%'"]
    );
}

#[test]
fn only_a_changed_role_is_an_error_of_an_update() {
    let binding = |name: &str| -> ClusterRoleBinding {
        view(json!({"roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}}))
    };
    let update = validation::cluster_role_binding_update;
    assert_eq!(update(&binding("a"), &binding("a")), []);
    assert_eq!(
        texts(update(&binding("b"), &binding("a"))),
        [
            r#"roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"ClusterRole","Name":"b"}: cannot change roleRef"#
        ]
    );
}

proptest! {
    #[test]
    fn no_text_makes_validation_panic(texts in proptest::collection::vec(".{0,20}", 8)) {
        let role: ClusterRole = view(json!({
            "rules": [{"verbs": [texts[0]], "nonResourceURLs": [texts[1]], "resources": [texts[2]]}],
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {&texts[3]: texts[4]},
                "matchExpressions": [{"key": texts[5], "operator": texts[6], "values": [texts[7]]}]}]},
        }));
        for error in validation::cluster_role(&role) {
            prop_assert!(!error.to_string().is_empty());
        }
        let binding: RoleBinding = view(json!({
            "roleRef": {"apiGroup": texts[0], "kind": texts[1], "name": texts[2]},
            "subjects": [{"kind": texts[3], "name": texts[4], "namespace": texts[5], "apiGroup": texts[6]}],
        }));
        prop_assert!(!validation::role_binding(&binding).is_empty());
    }
}
