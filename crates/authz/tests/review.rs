//! Questions about access, and their answers.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

mod testkit;

use burgee_authz::{Attributes, Authorizer, Decision, Reason, Request, review};
use burgee_identity::UserInfo;
use burgee_wire::authorization::{SelfSubjectAccessReview, SubjectAccessReview};
use burgee_wire::field::FieldError;
use serde_json::{Value, json};
use testkit::{fixture, view};

fn texts(errors: Vec<FieldError>) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_review_asks_about_someone_and_one_thing() {
    let (resource, path) = (json!({"verb": "get"}), json!({"path": "/", "verb": "get"}));
    let neither = "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified";
    let both = r#"spec.nonResourceAttributes: Invalid value: {"Path":"/","Verb":"get"}: cannot be specified in combination with resourceAttributes"#;
    let nobody = r#"spec.user: Invalid value: "": at least one of user or group must be specified"#;
    let metadata = r#"metadata: Invalid value: {"name":"x"}: must be empty"#;
    let table = [
        (
            json!({"spec": {"user": "jane", "resourceAttributes": resource}}),
            vec![],
        ),
        (
            json!({"spec": {"groups": ["devs"], "nonResourceAttributes": path}}),
            vec![],
        ),
        (json!({"spec": {}}), vec![neither, nobody]),
        (
            json!({"spec": {"user": "jane", "resourceAttributes": resource, "nonResourceAttributes": path}}),
            vec![both],
        ),
        (
            json!({"metadata": {"name": "x"}, "spec": {"user": "jane", "resourceAttributes": resource}}),
            vec![metadata],
        ),
    ];
    for (object, expected) in table {
        let review: SubjectAccessReview = view(object.clone());
        assert_eq!(
            texts(review::validate_subject(&review)),
            expected,
            "{object}"
        );
    }
    // The recorded words, but for how later releases print what is not there.
    let recorded = fixture("sar-invalid.json");
    let review: SubjectAccessReview = view(recorded["request"]["body"].clone());
    let causes: Vec<Value> = review::validate_subject(&review)
        .iter()
        .map(|error| json!(error.cause()))
        .collect();
    let expected = recorded["response"]["body"]["details"]["causes"].to_string();
    let expected: Value = serde_json::from_str(&expected.replace(r#"\"null\""#, "null")).unwrap();
    assert_eq!(Value::from(causes), expected);

    let review: SelfSubjectAccessReview = view(json!({"spec": {}}));
    assert_eq!(texts(review::validate_self(&review)), [neither]);
}

#[test]
fn a_local_review_asks_about_its_own_namespace() {
    let asked = |namespace: &str| json!({"verb": "get", "namespace": namespace});
    let metadata = json!({"namespace": "ns"});
    let table = [
        (
            json!({"metadata": metadata, "spec": {"user": "jane", "resourceAttributes": asked("ns")}}),
            vec![],
        ),
        (
            json!({"metadata": metadata, "spec": {"user": "jane", "resourceAttributes": asked("")}}),
            vec![
                r#"spec.resourceAttributes.namespace: Invalid value: "": must match metadata.namespace"#,
            ],
        ),
        (
            json!({"metadata": {"namespace": "ns", "name": "x"},
                "spec": {"user": "jane", "nonResourceAttributes": {"path": "/"}}}),
            vec![
                r#"metadata: Invalid value: {"name":"x","namespace":"ns"}: must be empty except for namespace"#,
                r#"spec.nonResourceAttributes: Invalid value: {"Path":"/","Verb":""}: disallowed on this kind of request"#,
            ],
        ),
    ];
    for (object, expected) in table {
        let review: SubjectAccessReview = view(object.clone());
        assert_eq!(texts(review::validate_local(&review)), expected, "{object}");
    }
}

#[test]
fn selectors_are_raw_or_parsed() {
    let path = "spec.resourceAttributes.labelSelector";
    let table = [
        (json!({"rawSelector": "a=b"}), vec![]),
        // Newer clients may know more operators.
        (
            json!({"requirements": [{"key": "a", "operator": "Like", "values": ["b"]}]}),
            vec![],
        ),
        (
            json!({}),
            vec![format!(
                "{path}.requirements: Required value: when {path} is specified, requirements or rawSelector is required"
            )],
        ),
        (
            json!({"rawSelector": "a", "requirements": [{"key": "a", "operator": "In"}]}),
            vec![
                format!(
                    r#"{path}.rawSelector: Invalid value: "a": may not specified at the same time as requirements"#
                ),
                format!(
                    "{path}.requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
                ),
            ],
        ),
    ];
    for (selector, expected) in table {
        let object = json!({"spec": {"resourceAttributes": {"labelSelector": selector}}});
        let review: SelfSubjectAccessReview = view(object);
        assert_eq!(
            texts(review::validate_self(&review)),
            expected,
            "{selector}"
        );
    }
    let object = json!({"spec": {"resourceAttributes": {"fieldSelector": {
        "requirements": [{"key": "", "operator": "Exists", "values": ["x"]}]}}}});
    let path = "spec.resourceAttributes.fieldSelector.requirements[0]";
    assert_eq!(
        texts(review::validate_self(&view(object))),
        [
            format!("{path}.key: Required value: must be specified"),
            format!(
                "{path}.values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            ),
        ]
    );
}

/// Says what it was asked.
struct Echo;

impl Authorizer for Echo {
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let Attributes {
            user,
            verb,
            request,
        } = attributes;
        let asked = match request {
            Request::Path(path) => format!("{} {verb} {path}", user.name),
            Request::Resource(asked) => format!("{} {verb} {asked:?}", user.name),
        };
        match *verb {
            "deny" => Decision::Deny(Reason::from(asked)),
            _ => Decision::Allow(Reason::from(asked)),
        }
    }
}

#[test]
fn the_question_reaches_the_authorizer_whole() {
    let jane = UserInfo::named("jane");
    let asked = view(
        json!({"verb": "get", "group": "g", "resource": "r", "subresource": "s",
        "namespace": "ns", "name": "n"}),
    );
    let status = review::answer(&Echo, &jane, Some(&asked), None);
    assert!(status.allowed && !status.denied);
    assert_eq!(
        status.reason,
        r#"jane get ResourceRequest { api_group: "g", api_version: "*", resource: "r", subresource: "s", namespace: "ns", name: "n" }"#
    );
    let asked = view(json!({"verb": "deny", "path": "/x"}));
    let status = review::answer(&Echo, &jane, None, Some(&asked));
    assert!(!status.allowed && status.denied);
    assert_eq!(status.reason, "jane deny /x");
}

#[test]
fn selectors_that_are_not_understood_are_named_and_ignored() {
    let requirement = |operator: &str| json!({"key": "a", "operator": operator, "values": ["b"]});
    let ignored = |what: &str| format!("spec.resourceAttributes.{what} due to parse error");
    let table = [
        (json!({}), String::new()),
        (
            json!({"labelSelector": {"rawSelector": "a=b"}}),
            String::new(),
        ),
        (
            json!({"labelSelector": {"requirements": [requirement("In")]}}),
            String::new(),
        ),
        (
            json!({"labelSelector": {"rawSelector": "a in"}}),
            ignored("labelSelector ignored"),
        ),
        (
            json!({"labelSelector": {"requirements": [requirement("In"), requirement("Like")]}}),
            ignored("labelSelector partially ignored"),
        ),
        (
            json!({"fieldSelector": {"requirements": [requirement("Exists")]},
                "labelSelector": {"requirements": [requirement("Like")]}}),
            format!(
                "[{}, {}]",
                ignored("fieldSelector ignored"),
                ignored("labelSelector ignored")
            ),
        ),
    ];
    let jane = UserInfo::named("jane");
    for (asked, expected) in table {
        let status = review::answer(&Echo, &jane, Some(&view(asked.clone())), None);
        assert_eq!(status.evaluation_error, expected, "{asked}");
        assert!(status.allowed);
    }
}
