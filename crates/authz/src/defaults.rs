//! What the server fills in where a writer left it out (`pkg/apis/rbac/v1/defaults.go`).

use burgee_wire::rbac::{ClusterRoleBinding, GROUP, RoleBinding, RoleRef, Subject};

/// Fills in API groups of a RoleBinding's subjects and role.
pub fn role_binding(binding: &mut RoleBinding) {
    fill_in(&mut binding.role_ref, &mut binding.subjects);
}

/// Fills in API groups of a ClusterRoleBinding's subjects and role.
pub fn cluster_role_binding(binding: &mut ClusterRoleBinding) {
    fill_in(&mut binding.role_ref, &mut binding.subjects);
}

fn fill_in(role_ref: &mut RoleRef, subjects: &mut [Subject]) {
    if role_ref.api_group.is_empty() {
        role_ref.api_group = GROUP.into();
    }
    for subject in subjects {
        if subject.api_group.is_empty() && matches!(subject.kind.as_str(), "User" | "Group") {
            subject.api_group = GROUP.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_absent_groups_are_filled_in_and_never_those_of_service_accounts() {
        let given = json!({"metadata": {}, "roleRef": {"kind": "Role", "name": "r"}, "subjects": [
            {"kind": "User", "name": "u"},
            {"kind": "Group", "name": "g", "apiGroup": "other"},
            {"kind": "ServiceAccount", "name": "s"},
            {"kind": "Robot", "name": "r"},
        ]});
        let mut binding: RoleBinding = serde_json::from_value(given.clone()).unwrap();
        role_binding(&mut binding);
        let groups: Vec<_> = binding
            .subjects
            .iter()
            .map(|s| s.api_group.as_str())
            .collect();
        assert_eq!(groups, [GROUP, "other", "", ""]);
        assert_eq!(binding.role_ref.api_group, GROUP);

        let mut cluster: ClusterRoleBinding = serde_json::from_value(given).unwrap();
        cluster_role_binding(&mut cluster);
        assert_eq!(cluster.subjects, binding.subjects);
        assert_eq!(cluster.role_ref, binding.role_ref);
    }
}
