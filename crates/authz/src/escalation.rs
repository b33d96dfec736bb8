//! Nobody grants what they do not hold (`pkg/registry/rbac/escalation_check.go` and the `policybased`
//! storages beside it).

use burgee_identity::{UserInfo, names};
use burgee_wire::rbac::{
    ClusterRole, ClusterRoleBinding, GROUP, PolicyRule, Role, RoleBinding, RoleRef,
};
use burgee_wire::{ObjectMeta, Status, quoted};

use crate::covers::quoted_list;
use crate::error::aggregate;
use crate::rule::ALL;
use crate::{Attributes, Authorizer, Error, RbacSnapshot, ResourceRequest, covers, describe_rules};

/// Judges writes of Roles, ClusterRoles and bindings after they were authorized as requests.
///
/// A write passes when the writer is in `system:masters`, may `escalate` the role or `bind` the
/// binding's role, holds every permission that the write grants, or changes only what garbage
/// collection and bookkeeping change.
#[derive(Clone, Copy)]
pub struct EscalationCheck<'a> {
    /// Is asked about the verbs `escalate` and `bind`.
    pub authorizer: &'a dyn Authorizer,
    /// Which roles there are, and what the writer holds. It must be as new as the request.
    pub rbac: &'a RbacSnapshot,
    /// Who writes.
    pub user: &'a UserInfo,
}

/// One write of an RBAC object, defaulted and admitted.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a, T> {
    /// What the request's path names: empty for POST.
    pub request_name: &'a str,
    /// The namespace of the request's path; empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// The object as it will be.
    pub new: &'a T,
    /// The object as it is, if it exists.
    pub old: Option<&'a T>,
}

impl std::fmt::Debug for EscalationCheck<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EscalationCheck")
            .field("user", &self.user.name)
            .finish_non_exhaustive()
    }
}

impl EscalationCheck<'_> {
    /// Judges a write of a Role.
    ///
    /// # Errors
    ///
    /// The 403 that says what the writer does not hold.
    pub fn role(&self, write: &Write<'_, Role>) -> Result<(), Box<Status>> {
        let Write { new, old, .. } = write;
        if self.is_master()
            || self.may_escalate("roles", write.request_name, write.namespace)
            || old.is_some_and(|old| {
                same_metadata(&new.metadata, &old.metadata) && new.rules == old.rules
            })
        {
            return Ok(());
        }
        self.confirm(&new.rules, write.namespace)
            .map_err(|why| forbidden("roles", &new.metadata, &why))
    }

    /// Judges a write of a ClusterRole. One that gathers rules can come to permit anything, so that
    /// writing one takes every permission.
    ///
    /// # Errors
    ///
    /// The 403 that says what the writer does not hold.
    pub fn cluster_role(&self, write: &Write<'_, ClusterRole>) -> Result<(), Box<Status>> {
        let Write { new, old, .. } = write;
        if self.is_master()
            || self.may_escalate("clusterroles", write.request_name, "")
            || old.is_some_and(|old| {
                same_metadata(&new.metadata, &old.metadata)
                    && new.rules == old.rules
                    && new.aggregation_rule == old.aggregation_rule
            })
        {
            return Ok(());
        }
        let forbidden = |why: &str| forbidden("clusterroles", &new.metadata, why);
        self.confirm(&new.rules, "")
            .map_err(|why| forbidden(&why))?;
        if (gathers(new) || old.is_some_and(gathers))
            && self.confirm(&full_authority(), "").is_err()
        {
            return Err(forbidden(
                "must have cluster-admin privileges to use the aggregationRule",
            ));
        }
        Ok(())
    }

    /// Judges a write of a RoleBinding.
    ///
    /// # Errors
    ///
    /// The 403 that says what the writer does not hold, or the 404 of the role.
    pub fn role_binding(&self, write: &Write<'_, RoleBinding>) -> Result<(), Box<Status>> {
        let Write { new, old, .. } = write;
        let unchanged = old.is_some_and(|old| {
            same_metadata(&new.metadata, &old.metadata)
                && new.subjects == old.subjects
                && new.role_ref == old.role_ref
        });
        if unchanged {
            return Ok(());
        }
        self.binding(
            "rolebindings",
            &new.metadata,
            &new.role_ref,
            write.namespace,
        )
    }

    /// Judges a write of a ClusterRoleBinding.
    ///
    /// # Errors
    ///
    /// The 403 that says what the writer does not hold, or the 404 of the role.
    pub fn cluster_role_binding(
        &self,
        write: &Write<'_, ClusterRoleBinding>,
    ) -> Result<(), Box<Status>> {
        let Write { new, old, .. } = write;
        let unchanged = old.is_some_and(|old| {
            same_metadata(&new.metadata, &old.metadata)
                && new.subjects == old.subjects
                && new.role_ref == old.role_ref
        });
        if unchanged {
            return Ok(());
        }
        self.binding("clusterrolebindings", &new.metadata, &new.role_ref, "")
    }

    fn binding(
        &self,
        resource: &str,
        metadata: &ObjectMeta,
        role_ref: &RoleRef,
        namespace: &str,
    ) -> Result<(), Box<Status>> {
        if self.is_master() || self.may_bind(role_ref, namespace) {
            return Ok(());
        }
        let rules = self.rbac.role_rules(role_ref, namespace).map_err(|error| {
            Box::new(match &error {
                Error::ClusterRoleNotFound { name } => {
                    Status::not_found(GROUP, "clusterroles", name)
                }
                Error::RoleNotFound { name } => Status::not_found(GROUP, "roles", name),
                Error::UnsupportedRoleKind { .. } => Status::internal(&error.to_string()),
            })
        })?;
        self.confirm(rules, namespace)
            .map_err(|why| forbidden(resource, metadata, &why))
    }

    fn is_master(&self) -> bool {
        self.user.in_group(names::MASTERS)
    }

    fn may_escalate(&self, resource: &str, name: &str, namespace: &str) -> bool {
        self.may("escalate", GROUP, resource, name, namespace)
    }

    fn may_bind(&self, role_ref: &RoleRef, namespace: &str) -> bool {
        let resource = match role_ref.kind.as_str() {
            "ClusterRole" => "clusterroles",
            "Role" => "roles",
            _ => return false,
        };
        self.may(
            "bind",
            &role_ref.api_group,
            resource,
            &role_ref.name,
            namespace,
        )
    }

    fn may(&self, verb: &str, group: &str, resource: &str, name: &str, namespace: &str) -> bool {
        let request = ResourceRequest {
            api_group: group,
            api_version: ALL,
            resource,
            name,
            namespace,
            subresource: "",
        };
        let attributes = Attributes::resource(self.user, verb, request);
        self.authorizer.authorize(&attributes).is_allowed()
    }

    /// Whether the writer holds all of `rules` in `namespace`; else what is missing, for people.
    fn confirm(&self, rules: &[PolicyRule], namespace: &str) -> Result<(), String> {
        let held = self.rbac.held_rules(self.user, namespace);
        let missing = covers(&held.rules, rules);
        if missing.is_empty() {
            return Ok(());
        }
        let mut why = format!(
            "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
            quoted(&self.user.name),
            quoted_list(&self.user.groups),
            describe_rules(&missing),
        );
        if !held.errors.is_empty() {
            // The list in the list is upstream's: an aggregate is one of the errors that are printed.
            let errors = aggregate(&held.errors, Error::of_store);
            why.push_str(&format!("; resolution errors: [{errors}]"));
        }
        Err(why)
    }
}

fn forbidden(resource: &str, metadata: &ObjectMeta, why: &str) -> Box<Status> {
    Box::new(Status::forbidden(GROUP, resource, &metadata.name, why))
}

fn gathers(role: &ClusterRole) -> bool {
    role.aggregation_rule
        .as_ref()
        .is_some_and(|rule| !rule.cluster_role_selectors.is_empty())
}

/// Every verb on every resource and every path.
fn full_authority() -> [PolicyRule; 2] {
    let all = || vec![ALL.to_owned()];
    [
        PolicyRule {
            verbs: all(),
            api_groups: all(),
            resources: all(),
            ..PolicyRule::default()
        },
        PolicyRule {
            verbs: all(),
            non_resource_urls: all(),
            ..PolicyRule::default()
        },
    ]
}

/// Whether metadata differ only in what garbage collection (owners, finalizers) and bookkeeping
/// (managed fields, resource version) change.
///
/// Upstream compares bookkeeping too and so may refuse a garbage collector's write; labels count for
/// both because aggregation goes by them.
fn same_metadata(new: &ObjectMeta, old: &ObjectMeta) -> bool {
    let comparable = |metadata: &ObjectMeta| ObjectMeta {
        owner_references: Vec::new(),
        finalizers: Vec::new(),
        managed_fields: Vec::new(),
        resource_version: String::new(),
        ..metadata.clone()
    };
    comparable(new) == comparable(old)
}
