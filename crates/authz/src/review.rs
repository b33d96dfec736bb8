//! Access reviews: questions about access as objects (`pkg/apis/authorization/validation` and
//! `pkg/registry/authorization`).

use burgee_identity::UserInfo;
use burgee_wire::ObjectMeta;
use burgee_wire::authorization::{
    NonResourceAttributes, ResourceAttributes, SelectorAttributes, SelfSubjectAccessReview,
    SelfSubjectAccessReviewSpec, SubjectAccessReview, SubjectAccessReviewSpec,
    SubjectAccessReviewStatus,
};
use burgee_wire::field::{FieldError, Path};
use burgee_wire::rbac::SelectorRequirement;
use burgee_wire::selector::{FieldSelector, LabelSelector};
use serde_json::{Value, json};

use crate::requirement::{self, Operators};
use crate::{Attributes, Authorizer, ResourceRequest};

/// What is wrong with a `SubjectAccessReview`.
#[must_use]
pub fn validate_subject(review: &SubjectAccessReview) -> Vec<FieldError> {
    let mut errors = subject_errors(&review.spec);
    errors.extend(metadata_errors(&review.metadata, "", "must be empty"));
    errors
}

/// What is wrong with a `LocalSubjectAccessReview`, which asks about its own namespace.
#[must_use]
pub fn validate_local(review: &SubjectAccessReview) -> Vec<FieldError> {
    let SubjectAccessReview { metadata, spec, .. } = review;
    let mut errors = subject_errors(spec);
    let detail = "must be empty except for namespace";
    errors.extend(metadata_errors(metadata, &metadata.namespace, detail));
    if let Some(asked) = &spec.resource_attributes
        && asked.namespace != metadata.namespace
    {
        let path = Path::new("spec.resourceAttributes.namespace");
        let namespace = asked.namespace.as_str();
        errors.push(FieldError::invalid(
            &path,
            namespace,
            "must match metadata.namespace",
        ));
    }
    if let Some(asked) = &spec.non_resource_attributes {
        let path = Path::new("spec.nonResourceAttributes");
        let detail = "disallowed on this kind of request";
        errors.push(FieldError::invalid(&path, as_upstream(asked), detail));
    }
    errors
}

/// What is wrong with a `SelfSubjectAccessReview`.
#[must_use]
pub fn validate_self(review: &SelfSubjectAccessReview) -> Vec<FieldError> {
    let SelfSubjectAccessReviewSpec {
        resource_attributes,
        non_resource_attributes,
    } = &review.spec;
    let mut errors = Vec::from_iter(one_of(
        resource_attributes.as_ref(),
        non_resource_attributes.as_ref(),
    ));
    errors.extend(selector_errors(resource_attributes.as_ref()));
    errors.extend(metadata_errors(&review.metadata, "", "must be empty"));
    errors
}

/// Who a `SubjectAccessReview` asks about.
#[must_use]
pub fn reviewed_user(spec: &SubjectAccessReviewSpec) -> UserInfo {
    UserInfo {
        name: spec.user.clone(),
        uid: spec.uid.clone(),
        groups: spec.groups.clone(),
        extra: spec.extra.clone(),
    }
}

/// The answer to a question that was found valid.
///
/// ```
/// use burgee_authz::{PrivilegedGroup, review};
/// use burgee_wire::authorization::SubjectAccessReview;
///
/// let review: SubjectAccessReview = serde_json::from_str(r#"{"spec": {"user": "jane",
///     "groups": ["system:masters"],
///     "resourceAttributes": {"verb": "get", "resource": "pods"}}}"#).unwrap();
/// assert!(review::validate_subject(&review).is_empty());
/// let spec = review.spec;
/// let user = review::reviewed_user(&spec);
/// let status = review::answer(
///     &PrivilegedGroup::masters(),
///     &user,
///     spec.resource_attributes.as_ref(),
///     spec.non_resource_attributes.as_ref(),
/// );
/// assert!(status.allowed);
/// ```
#[must_use]
pub fn answer(
    authorizer: &dyn Authorizer,
    user: &UserInfo,
    resource: Option<&ResourceAttributes>,
    path: Option<&NonResourceAttributes>,
) -> SubjectAccessReviewStatus {
    let attributes = match (resource, path) {
        (Some(asked), _) => {
            let request = ResourceRequest {
                api_group: &asked.group,
                // Upstream asks about every version where none is given.
                api_version: match asked.version.as_str() {
                    "" => "*",
                    version => version,
                },
                resource: &asked.resource,
                subresource: &asked.subresource,
                namespace: &asked.namespace,
                name: &asked.name,
            };
            Attributes::resource(user, &asked.verb, request)
        }
        (None, Some(asked)) => Attributes::path(user, &asked.verb, &asked.path),
        (None, None) => return SubjectAccessReviewStatus::default(),
    };
    let decision = authorizer.authorize(&attributes);
    SubjectAccessReviewStatus {
        allowed: decision.is_allowed(),
        denied: decision.is_denied(),
        reason: decision.reason().to_string(),
        evaluation_error: resource.map(ignored_selectors).unwrap_or_default(),
    }
}

fn subject_errors(spec: &SubjectAccessReviewSpec) -> Vec<FieldError> {
    let resource = spec.resource_attributes.as_ref();
    let mut errors = Vec::from_iter(one_of(resource, spec.non_resource_attributes.as_ref()));
    if spec.user.is_empty() && spec.groups.is_empty() {
        let detail = "at least one of user or group must be specified";
        errors.push(FieldError::invalid(&Path::new("spec.user"), "", detail));
    }
    errors.extend(selector_errors(resource));
    errors
}

/// Exactly one of the two must be there.
fn one_of(
    resource: Option<&ResourceAttributes>,
    path: Option<&NonResourceAttributes>,
) -> Option<FieldError> {
    match (resource, path) {
        (Some(_), Some(asked)) => {
            let path = Path::new("spec.nonResourceAttributes");
            let detail = "cannot be specified in combination with resourceAttributes";
            Some(FieldError::invalid(&path, as_upstream(asked), detail))
        }
        (None, None) => {
            let path = Path::new("spec.resourceAttributes");
            let detail =
                "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            Some(FieldError::invalid(&path, Value::Null, detail))
        }
        _ => None,
    }
}

/// A review is no stored object: all its metadata may hold is a namespace, where it is local.
fn metadata_errors(metadata: &ObjectMeta, namespace: &str, detail: &str) -> Option<FieldError> {
    let bare = ObjectMeta {
        namespace: namespace.to_owned(),
        managed_fields: metadata.managed_fields.clone(),
        ..ObjectMeta::default()
    };
    let path = Path::new("metadata");
    (*metadata != bare).then(|| FieldError::invalid(&path, metadata.to_value(), detail))
}

fn selector_errors(resource: Option<&ResourceAttributes>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let Some(resource) = resource else {
        return errors;
    };
    let path = Path::new("spec.resourceAttributes");
    if let Some(selector) = &resource.field_selector {
        let path = path.child("fieldSelector");
        form_errors(selector, &path, &mut errors);
        for (index, requirement) in selector.requirements.iter().enumerate() {
            let path = path.child("requirements").index(index);
            requirement::field(requirement, &path, &mut errors);
        }
    }
    if let Some(selector) = &resource.label_selector {
        let path = path.child("labelSelector");
        form_errors(selector, &path, &mut errors);
        for (index, requirement) in selector.requirements.iter().enumerate() {
            let path = path.child("requirements").index(index);
            requirement::label(requirement, Operators::Any, &path, &mut errors);
        }
    }
    errors
}

/// A selector is either raw or parsed.
fn form_errors(selector: &SelectorAttributes, path: &Path, errors: &mut Vec<FieldError>) {
    let raw = selector.raw_selector.as_str();
    match (raw.is_empty(), selector.requirements.is_empty()) {
        (false, false) => {
            let detail = "may not specified at the same time as requirements";
            errors.push(FieldError::invalid(&path.child("rawSelector"), raw, detail));
        }
        (true, true) => {
            let detail =
                format!("when {path} is specified, requirements or rawSelector is required");
            errors.push(FieldError::required(&path.child("requirements"), detail));
        }
        _ => {}
    }
}

/// What is said of selectors that could not be understood, as a whole or in part. They are no reason
/// to refuse: without them a question is only wider.
fn ignored_selectors(asked: &ResourceAttributes) -> String {
    let fields = asked.field_selector.as_ref().and_then(|selector| {
        let parses = FieldSelector::parse(&selector.raw_selector).is_ok();
        ignored("fieldSelector", selector, parses, |requirement| {
            matches!(requirement.operator.as_str(), "In" | "NotIn") && requirement.values.len() == 1
        })
    });
    let labels = asked.label_selector.as_ref().and_then(|selector| {
        let parses = LabelSelector::parse(&selector.raw_selector).is_ok();
        ignored("labelSelector", selector, parses, |requirement| {
            matches!(
                requirement.operator.as_str(),
                "In" | "NotIn" | "Exists" | "DoesNotExist"
            )
        })
    });
    match (fields, labels) {
        (None, None) => String::new(),
        (Some(only), None) | (None, Some(only)) => only,
        (Some(fields), Some(labels)) => format!("[{fields}, {labels}]"),
    }
}

fn ignored(
    member: &str,
    selector: &SelectorAttributes,
    raw_parses: bool,
    is_understood: impl Fn(&SelectorRequirement) -> bool,
) -> Option<String> {
    let understood = selector
        .requirements
        .iter()
        .filter(|each| is_understood(each))
        .count();
    let partially = match (understood, selector.requirements.len()) {
        (_, 0) if raw_parses => return None,
        (understood, all) if understood == all && all > 0 => return None,
        (0, _) => "",
        _ => "partially ",
    };
    Some(format!(
        "spec.resourceAttributes.{member} {partially}ignored due to parse error"
    ))
}

/// The value as upstream prints its own type, whose members have Go's names.
fn as_upstream(asked: &NonResourceAttributes) -> Value {
    json!({"Path": asked.path, "Verb": asked.verb})
}
