//! The rules of each kind.

use crate::Rules;

macro_rules! rules {
    ($($name:ident,)*) => { $(
        /// The rules of one kind.
        pub(crate) struct $name;
        impl Rules for $name {}
    )* };
}

rules! {
    ConfigMapRules,
    EventRules,
    NamespaceRules,
    NodeRules,
    PodRules,
    SecretRules,
    ServiceAccountRules,
    LeaseRules,
    ClusterRoleRules,
    ClusterRoleBindingRules,
    RoleRules,
    RoleBindingRules,
    ReviewRules,
}
