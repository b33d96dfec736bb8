//! RBAC.
use crate::Rules;
pub(crate) struct RoleRules;
impl Rules for RoleRules {}
pub(crate) struct ClusterRoleRules;
impl Rules for ClusterRoleRules {}
pub(crate) struct RoleBindingRules;
impl Rules for RoleBindingRules {}
pub(crate) struct ClusterRoleBindingRules;
impl Rules for ClusterRoleBindingRules {}
