//! May they: role-based access control as kube-apiserver decides it, without I/O.
//!
//! An [`RbacIndex`] is kept up to date with Roles, ClusterRoles and their bindings and hands out
//! immutable [`RbacSnapshot`]s that answer requests. An [`Authorizer`] says what it thinks of
//! [`Attributes`]; [`Union`] asks several in turn. Around that stand the rules for writing RBAC
//! objects: [`defaults`], [`validation`], [`EscalationCheck`] (nobody grants what they do not hold),
//! [`aggregated_rules`]; what every server starts with: [`bootstrap`] and [`reconcile`]; and access
//! reviews: [`review`].
//!
//! ```
//! use burgee_authz::{Attributes, Authorizer, RbacIndex, ResourceRequest};
//! use burgee_identity::UserInfo;
//! use burgee_wire::rbac::{ClusterRole, ClusterRoleBinding};
//!
//! let mut index = RbacIndex::new();
//! index.upsert_cluster_role(serde_json::from_str::<ClusterRole>(r#"{
//!     "metadata": {"name": "reader"},
//!     "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
//! }"#).unwrap());
//! index.upsert_cluster_role_binding(serde_json::from_str::<ClusterRoleBinding>(r#"{
//!     "metadata": {"name": "readers"},
//!     "roleRef": {"kind": "ClusterRole", "name": "reader"},
//!     "subjects": [{"kind": "Group", "name": "devs"}]
//! }"#).unwrap());
//! let snapshot = index.snapshot();
//!
//! let jane = UserInfo::named("jane").with_groups(["devs"]);
//! let secrets = ResourceRequest { resource: "secrets", namespace: "golden", ..Default::default() };
//! let decision = snapshot.authorize(&Attributes::resource(&jane, "get", secrets));
//! assert!(decision.is_allowed());
//! assert_eq!(
//!     decision.reason().to_string(),
//!     r#"RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "reader" to Group "devs""#
//! );
//!
//! let list = Attributes::resource(&jane, "list", secrets);
//! assert!(!snapshot.authorize(&list).is_allowed());
//! assert_eq!(
//!     list.forbidden("").message,
//!     "secrets is forbidden: User \"jane\" cannot list resource \"secrets\" in API group \"\" in the namespace \"golden\""
//! );
//! ```

mod aggregation;
mod attributes;
pub mod bootstrap;
mod covers;
mod cow_map;
mod decision;
pub mod defaults;
mod error;
mod escalation;
mod index;
pub mod reconcile;
mod requirement;
pub mod review;
mod rule;
mod snapshot;
pub mod validation;

pub use aggregation::aggregated_rules;
pub use attributes::{Attributes, Request, ResourceRequest};
pub use covers::{covers, describe_rules};
pub use decision::{Authorizer, Decision, PrivilegedGroup, Reason, Union};
pub use error::Error;
pub use escalation::{EscalationCheck, Write};
pub use index::RbacIndex;
pub use rule::rule_allows;
pub use snapshot::{HeldRules, RbacSnapshot};
