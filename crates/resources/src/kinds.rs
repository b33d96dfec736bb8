//! The rules of each kind.

mod config_map;
mod data;
mod event;
mod lease;
mod namespace;
mod node;
mod pod;
mod rbac;
mod review;
mod secret;
mod service_account;

pub(crate) use config_map::ConfigMapRules;
pub(crate) use event::EventRules;
pub(crate) use lease::LeaseRules;
pub(crate) use namespace::NamespaceRules;
pub(crate) use node::NodeRules;
pub(crate) use pod::PodRules;
pub(crate) use rbac::{ClusterRoleBindingRules, ClusterRoleRules, RoleBindingRules, RoleRules};
pub(crate) use review::ReviewRules;
pub(crate) use secret::SecretRules;
pub(crate) use service_account::ServiceAccountRules;
