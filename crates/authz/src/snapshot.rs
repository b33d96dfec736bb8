//! RBAC at one moment: who holds which rules.

use std::fmt;
use std::sync::Arc;

use burgee_identity::UserInfo;
use burgee_wire::authorization::{NonResourceRule, ResourceRule, SubjectRulesReviewStatus};
use burgee_wire::quoted;
use burgee_wire::rbac::{PolicyRule, RoleRef, Subject};

use crate::cow_map::CowMap;
use crate::error::aggregate;
use crate::{Attributes, Authorizer, Decision, Error, Reason, rule_allows};

/// What separates a namespace from a name in the maps' keys; no name holds it.
const SEPARATOR: char = '/';

/// RBAC at one moment. It never changes, copies are cheap, and a decision looks only at the bindings
/// of the user and of the user's groups, however many others there are.
///
/// It comes from an [`RbacIndex`](crate::RbacIndex).
#[derive(Clone, Debug, Default)]
pub struct RbacSnapshot {
    pub(crate) cluster_roles: CowMap<Arc<[PolicyRule]>>,
    /// By `namespace/name`.
    pub(crate) roles: CowMap<Arc<[PolicyRule]>>,
    /// By [`user_key`] or [`group_key`]; in the order of the bindings' names.
    pub(crate) bindings: CowMap<Vec<Arc<Binding>>>,
}

/// A RoleBinding, or, without a namespace, a ClusterRoleBinding.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Binding {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) role_ref: RoleRef,
    pub(crate) subjects: Vec<Subject>,
}

/// The rules that someone holds in a namespace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeldRules {
    /// Those that could be found: first of ClusterRoleBindings, then of RoleBindings, each in the
    /// order of the bindings' names.
    pub rules: Vec<PolicyRule>,
    /// Why others could not.
    pub errors: Vec<Error>,
}

impl RbacSnapshot {
    /// The rules that `user` holds in `namespace`, or in the whole cluster where that is empty
    /// (`AuthorizationRuleResolver.RulesFor`).
    #[must_use]
    pub fn held_rules(&self, user: &UserInfo, namespace: &str) -> HeldRules {
        let mut held = HeldRules::default();
        for (binding, _) in self.bindings_of(user, namespace) {
            match self.role_rules(&binding.role_ref, namespace) {
                Ok(rules) => held.rules.extend_from_slice(rules),
                Err(error) => held.errors.push(error),
            }
        }
        held
    }

    /// The same as the answer to a `SelfSubjectRulesReview`.
    #[must_use]
    pub fn rules_for(&self, user: &UserInfo, namespace: &str) -> SubjectRulesReviewStatus {
        let held = self.held_rules(user, namespace);
        let mut status = SubjectRulesReviewStatus {
            evaluation_error: aggregate(&held.errors, ToString::to_string),
            ..SubjectRulesReviewStatus::default()
        };
        for rule in held.rules {
            if !rule.non_resource_urls.is_empty() {
                status.non_resource_rules.push(NonResourceRule {
                    verbs: rule.verbs.clone(),
                    non_resource_urls: rule.non_resource_urls,
                });
            }
            if !rule.resources.is_empty() {
                status.resource_rules.push(ResourceRule {
                    verbs: rule.verbs,
                    api_groups: rule.api_groups,
                    resources: rule.resources,
                    resource_names: rule.resource_names,
                });
            }
        }
        status
    }

    /// The rules of the role that a binding in `namespace` refers to; a ClusterRoleBinding's is empty.
    ///
    /// # Errors
    ///
    /// When there is no such role.
    pub fn role_rules(&self, role_ref: &RoleRef, namespace: &str) -> Result<&[PolicyRule], Error> {
        let name = &role_ref.name;
        match role_ref.kind.as_str() {
            "ClusterRole" => self
                .cluster_roles
                .get(name)
                .map(AsRef::as_ref)
                .ok_or_else(|| Error::ClusterRoleNotFound { name: name.clone() }),
            "Role" => self
                .roles
                .get(&role_key(namespace, name))
                .map(AsRef::as_ref)
                .ok_or_else(|| Error::RoleNotFound { name: name.clone() }),
            kind => Err(Error::UnsupportedRoleKind { kind: kind.into() }),
        }
    }

    /// The bindings that apply to `user` in `namespace`, each with the number of its first subject that
    /// does.
    fn bindings_of(&self, user: &UserInfo, namespace: &str) -> Vec<(&Arc<Binding>, usize)> {
        let mut found = Vec::new();
        self.collect(user, "", &mut found);
        if !namespace.is_empty() {
            self.collect(user, namespace, &mut found);
        }
        found
    }

    fn collect<'s>(
        &'s self,
        user: &UserInfo,
        namespace: &str,
        found: &mut Vec<(&'s Arc<Binding>, usize)>,
    ) {
        let mut candidates: Vec<&Arc<Binding>> = Vec::new();
        let mut key = String::new();
        user_key(namespace, &user.name, &mut key);
        candidates.extend(self.bindings.get(&key).into_iter().flatten());
        for group in &user.groups {
            group_key(namespace, group, &mut key);
            candidates.extend(self.bindings.get(&key).into_iter().flatten());
        }
        candidates.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        candidates.dedup_by(|a, b| Arc::ptr_eq(a, b));
        found.extend(candidates.into_iter().filter_map(|binding| {
            let applies = |subject: &Subject| subject_is(subject, user, namespace);
            let subject = binding.subjects.iter().position(applies)?;
            Some((binding, subject))
        }));
    }
}

impl Authorizer for RbacSnapshot {
    /// Allows what a rule permits that the user holds; else has no opinion, because of the roles that
    /// could not be found.
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let namespace = attributes.namespace();
        let mut errors = Vec::new();
        for (binding, subject) in self.bindings_of(attributes.user, namespace) {
            match self.role_rules(&binding.role_ref, namespace) {
                Ok(rules) => {
                    if rules.iter().any(|rule| rule_allows(rule, attributes)) {
                        return Decision::Allow(Reason::grant(Arc::clone(binding), subject));
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        Decision::NoOpinion(if errors.is_empty() {
            Reason::NONE
        } else {
            Reason::from(format!("RBAC: {}", aggregate(&errors, ToString::to_string)))
        })
    }
}

impl Binding {
    /// The keys that the binding is found by, sorted and each once.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys = Vec::with_capacity(self.subjects.len());
        for subject in &self.subjects {
            let mut key = String::new();
            match subject.kind.as_str() {
                "User" => user_key(&self.namespace, &subject.name, &mut key),
                "Group" => group_key(&self.namespace, &subject.name, &mut key),
                "ServiceAccount" => {
                    let namespace = service_account_namespace(subject, &self.namespace);
                    let user = format!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{}", subject.name);
                    user_key(&self.namespace, &user, &mut key);
                }
                _ => continue,
            }
            keys.push(key);
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Writes `ClusterRoleBinding "b" of ClusterRole "r" to Group "g"`. Upstream writes what is in a
    /// namespace as `name/namespace`.
    pub(crate) fn describe(&self, subject: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = |name: &str, namespace: &str| quoted(&format!("{name}/{namespace}"));
        if self.namespace.is_empty() {
            write!(f, "ClusterRoleBinding {}", quoted(&self.name))?;
        } else {
            write!(f, "RoleBinding {}", within(&self.name, &self.namespace))?;
        }
        let RoleRef { kind, name, .. } = &self.role_ref;
        write!(f, " of {kind} {} to ", quoted(name))?;
        let Some(subject) = self.subjects.get(subject) else {
            return Ok(());
        };
        let name = match subject.kind.as_str() {
            "ServiceAccount" => within(
                &subject.name,
                service_account_namespace(subject, &self.namespace),
            ),
            _ => quoted(&subject.name),
        };
        write!(f, "{} {name}", subject.kind)
    }
}

/// What a service account's user name starts with; its namespace, `:` and its name follow.
const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";

pub(crate) fn role_key(namespace: &str, name: &str) -> String {
    format!("{namespace}{SEPARATOR}{name}")
}

fn user_key(namespace: &str, name: &str, key: &mut String) {
    write_key(namespace, 'u', name, key);
}

fn group_key(namespace: &str, name: &str, key: &mut String) {
    write_key(namespace, 'g', name, key);
}

fn write_key(namespace: &str, kind: char, name: &str, key: &mut String) {
    key.clear();
    key.push_str(namespace);
    key.push(SEPARATOR);
    key.push(kind);
    key.push_str(name);
}

/// Whether `subject` of a binding in `namespace` is `user`, or a group that `user` is in.
fn subject_is(subject: &Subject, user: &UserInfo, namespace: &str) -> bool {
    match subject.kind.as_str() {
        "User" => subject.name == user.name,
        "Group" => user.in_group(&subject.name),
        "ServiceAccount" => {
            let namespace = service_account_namespace(subject, namespace);
            !namespace.is_empty()
                && user
                    .name
                    .strip_prefix(SERVICE_ACCOUNT_PREFIX)
                    .and_then(|rest| rest.strip_prefix(namespace))
                    .and_then(|rest| rest.strip_prefix(':'))
                    .is_some_and(|rest| rest == subject.name)
        }
        _ => false,
    }
}

/// The namespace of a service account that a binding names: that of the binding unless it says so.
fn service_account_namespace<'a>(subject: &'a Subject, binding: &'a str) -> &'a str {
    match subject.namespace.as_str() {
        "" => binding,
        namespace => namespace,
    }
}
