//! Keeps an RBAC snapshot up to date, object by object.

use std::collections::HashMap;
use std::sync::Arc;

use burgee_wire::rbac::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef, Subject};

use crate::RbacSnapshot;
use crate::snapshot::{Binding, role_key};

/// All Roles, ClusterRoles and bindings, indexed for decisions.
///
/// A change costs about as much as the object that changes; [`RbacIndex::snapshot`] costs next to
/// nothing. In which order objects arrive does not matter. The server feeds it from its watch and
/// puts each snapshot where requests read it.
#[derive(Debug, Default)]
pub struct RbacIndex {
    current: RbacSnapshot,
    /// By namespace, which is empty for ClusterRoleBindings, and name: to find what a change replaces.
    bindings: HashMap<(String, String), Arc<Binding>>,
}

impl RbacIndex {
    /// An index of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// RBAC as it stands now.
    #[must_use]
    pub fn snapshot(&self) -> RbacSnapshot {
        self.current.clone()
    }

    /// Adds a Role, or replaces the one of the same namespace and name.
    pub fn upsert_role(&mut self, role: Role) {
        let key = role_key(&role.metadata.namespace, &role.metadata.name);
        self.current.roles.insert(&key, role.rules.into());
    }

    /// Removes a Role, if it is there.
    pub fn delete_role(&mut self, namespace: &str, name: &str) {
        self.current.roles.remove(&role_key(namespace, name));
    }

    /// Adds a ClusterRole, or replaces the one of the same name.
    pub fn upsert_cluster_role(&mut self, role: ClusterRole) {
        self.current
            .cluster_roles
            .insert(&role.metadata.name, role.rules.into());
    }

    /// Removes a ClusterRole, if it is there.
    pub fn delete_cluster_role(&mut self, name: &str) {
        self.current.cluster_roles.remove(name);
    }

    /// Adds a RoleBinding, or replaces the one of the same namespace and name.
    pub fn upsert_role_binding(&mut self, binding: RoleBinding) {
        let RoleBinding {
            metadata,
            subjects,
            role_ref,
        } = binding;
        // Without a namespace it would act like a ClusterRoleBinding.
        if !metadata.namespace.is_empty() {
            self.upsert(metadata.namespace, metadata.name, role_ref, subjects);
        }
    }

    /// Removes a RoleBinding, if it is there.
    pub fn delete_role_binding(&mut self, namespace: &str, name: &str) {
        if !namespace.is_empty() {
            self.delete(namespace, name);
        }
    }

    /// Adds a ClusterRoleBinding, or replaces the one of the same name.
    pub fn upsert_cluster_role_binding(&mut self, binding: ClusterRoleBinding) {
        let ClusterRoleBinding {
            metadata,
            subjects,
            role_ref,
        } = binding;
        self.upsert(String::new(), metadata.name, role_ref, subjects);
    }

    /// Removes a ClusterRoleBinding, if it is there.
    pub fn delete_cluster_role_binding(&mut self, name: &str) {
        self.delete("", name);
    }

    fn upsert(
        &mut self,
        namespace: String,
        name: String,
        role_ref: RoleRef,
        subjects: Vec<Subject>,
    ) {
        self.delete(&namespace, &name);
        let id = (namespace.clone(), name.clone());
        let binding = Arc::new(Binding {
            name,
            namespace,
            role_ref,
            subjects,
        });
        for key in binding.keys() {
            let same_key = self.current.bindings.entry(&key);
            let place = same_key.partition_point(|other| other.name < binding.name);
            same_key.insert(place, Arc::clone(&binding));
        }
        self.bindings.insert(id, binding);
    }

    fn delete(&mut self, namespace: &str, name: &str) {
        let id = (namespace.to_owned(), name.to_owned());
        let Some(binding) = self.bindings.remove(&id) else {
            return;
        };
        for key in binding.keys() {
            let same_key = self.current.bindings.entry(&key);
            same_key.retain(|other| other.name != name);
            if same_key.is_empty() {
                self.current.bindings.remove(&key);
            }
        }
    }
}
