//! Every resource that the API serves.

use crate::kinds::*;
use crate::resource::{Resource, STATUS_VERBS, Subresource, VERBS};

/// What most resources have in common.
const TEMPLATE: Resource = Resource {
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: VERBS,
    schema_name: "",
    subresources: &[],
    rules: &ReviewRules,
};

const AUTHENTICATION: Resource = Resource {
    group: "authentication.k8s.io",
    namespaced: false,
    verbs: &["create"],
    ..TEMPLATE
};

/// Burgee's own group, beside upstream's.
const EXPLANATION: Resource = Resource {
    group: "authentication.burgee.dev",
    version: "v1alpha1",
    ..AUTHENTICATION
};

const AUTHORIZATION: Resource = Resource {
    group: "authorization.k8s.io",
    ..AUTHENTICATION
};

const RBAC: Resource = Resource {
    group: "rbac.authorization.k8s.io",
    ..TEMPLATE
};

const fn status(kind: &'static str) -> Subresource {
    Subresource {
        name: "status",
        group: "",
        version: "",
        kind,
        verbs: STATUS_VERBS,
    }
}

static RESOURCES: &[Resource] = &[
    Resource {
        kind: "ConfigMap",
        plural: "configmaps",
        singular: "configmap",
        short_names: &["cm"],
        schema_name: "io.k8s.api.core.v1.ConfigMap",
        rules: &ConfigMapRules,
        ..TEMPLATE
    },
    Resource {
        kind: "Event",
        plural: "events",
        singular: "event",
        short_names: &["ev"],
        schema_name: "io.k8s.api.core.v1.Event",
        rules: &EventRules,
        ..TEMPLATE
    },
    Resource {
        kind: "Namespace",
        plural: "namespaces",
        singular: "namespace",
        short_names: &["ns"],
        namespaced: false,
        verbs: &[
            "create", "delete", "get", "list", "patch", "update", "watch",
        ],
        schema_name: "io.k8s.api.core.v1.Namespace",
        subresources: &[
            Subresource {
                name: "finalize",
                verbs: &["update"],
                ..status("Namespace")
            },
            status("Namespace"),
        ],
        rules: &NamespaceRules,
        ..TEMPLATE
    },
    Resource {
        kind: "Node",
        plural: "nodes",
        singular: "node",
        short_names: &["no"],
        namespaced: false,
        schema_name: "io.k8s.api.core.v1.Node",
        subresources: &[status("Node")],
        rules: &NodeRules,
        ..TEMPLATE
    },
    Resource {
        kind: "Pod",
        plural: "pods",
        singular: "pod",
        short_names: &["po"],
        categories: &["all"],
        schema_name: "io.k8s.api.core.v1.Pod",
        subresources: &[status("Pod")],
        rules: &PodRules,
        ..TEMPLATE
    },
    Resource {
        kind: "Secret",
        plural: "secrets",
        singular: "secret",
        schema_name: "io.k8s.api.core.v1.Secret",
        rules: &SecretRules,
        ..TEMPLATE
    },
    Resource {
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        singular: "serviceaccount",
        short_names: &["sa"],
        schema_name: "io.k8s.api.core.v1.ServiceAccount",
        subresources: &[Subresource {
            name: "token",
            group: "authentication.k8s.io",
            version: "v1",
            kind: "TokenRequest",
            verbs: &["create"],
        }],
        rules: &ServiceAccountRules,
        ..TEMPLATE
    },
    Resource {
        kind: "TokenExplanation",
        plural: "tokenexplanations",
        singular: "tokenexplanation",
        schema_name: "dev.burgee.authentication.v1alpha1.TokenExplanation",
        ..EXPLANATION
    },
    Resource {
        kind: "SelfSubjectReview",
        plural: "selfsubjectreviews",
        singular: "selfsubjectreview",
        schema_name: "io.k8s.api.authentication.v1.SelfSubjectReview",
        ..AUTHENTICATION
    },
    Resource {
        kind: "TokenReview",
        plural: "tokenreviews",
        singular: "tokenreview",
        schema_name: "io.k8s.api.authentication.v1.TokenReview",
        ..AUTHENTICATION
    },
    Resource {
        kind: "LocalSubjectAccessReview",
        plural: "localsubjectaccessreviews",
        singular: "localsubjectaccessreview",
        namespaced: true,
        schema_name: "io.k8s.api.authorization.v1.LocalSubjectAccessReview",
        ..AUTHORIZATION
    },
    Resource {
        kind: "SelfSubjectAccessReview",
        plural: "selfsubjectaccessreviews",
        singular: "selfsubjectaccessreview",
        schema_name: "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
        ..AUTHORIZATION
    },
    Resource {
        kind: "SelfSubjectRulesReview",
        plural: "selfsubjectrulesreviews",
        singular: "selfsubjectrulesreview",
        schema_name: "io.k8s.api.authorization.v1.SelfSubjectRulesReview",
        ..AUTHORIZATION
    },
    Resource {
        kind: "SubjectAccessReview",
        plural: "subjectaccessreviews",
        singular: "subjectaccessreview",
        schema_name: "io.k8s.api.authorization.v1.SubjectAccessReview",
        ..AUTHORIZATION
    },
    Resource {
        group: "coordination.k8s.io",
        kind: "Lease",
        plural: "leases",
        singular: "lease",
        schema_name: "io.k8s.api.coordination.v1.Lease",
        rules: &LeaseRules,
        ..TEMPLATE
    },
    Resource {
        kind: "ClusterRoleBinding",
        plural: "clusterrolebindings",
        singular: "clusterrolebinding",
        namespaced: false,
        schema_name: "io.k8s.api.rbac.v1.ClusterRoleBinding",
        rules: &ClusterRoleBindingRules,
        ..RBAC
    },
    Resource {
        kind: "ClusterRole",
        plural: "clusterroles",
        singular: "clusterrole",
        namespaced: false,
        schema_name: "io.k8s.api.rbac.v1.ClusterRole",
        rules: &ClusterRoleRules,
        ..RBAC
    },
    Resource {
        kind: "RoleBinding",
        plural: "rolebindings",
        singular: "rolebinding",
        schema_name: "io.k8s.api.rbac.v1.RoleBinding",
        rules: &RoleBindingRules,
        ..RBAC
    },
    Resource {
        kind: "Role",
        plural: "roles",
        singular: "role",
        schema_name: "io.k8s.api.rbac.v1.Role",
        rules: &RoleRules,
        ..RBAC
    },
];

/// Every resource, sorted by group, version and plural, as discovery lists them.
#[must_use]
pub fn all() -> &'static [Resource] {
    RESOURCES
}

/// The resource that a URL names.
#[must_use]
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    let same =
        |each: &&Resource| each.plural == plural && each.group == group && each.version == version;
    all().iter().find(same)
}

/// The resource that an object's `apiVersion` and `kind` name.
#[must_use]
pub fn by_kind(api_version: &str, kind: &str) -> Option<&'static Resource> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let same =
        |each: &&Resource| each.kind == kind && each.group == group && each.version == version;
    all().iter().find(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_sorted_and_unique() {
        let names: Vec<_> = all().iter().map(|each| (each.group, each.plural)).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn every_resource_has_a_schema_and_is_found() {
        for each in all() {
            assert_eq!(each.schema().short_name(), each.kind);
            let (group, version) = each.group_version();
            assert_eq!(find(group, version, each.plural).unwrap().kind, each.kind);
            assert_eq!(
                by_kind(&each.api_version(), each.kind).unwrap().plural,
                each.plural
            );
            assert!(each.verbs.is_sorted() && each.subresources.is_sorted_by_key(|s| s.name));
        }
        assert!(find("", "v2", "secrets").is_none() && by_kind("apps/v1", "Secret").is_none());
    }

    #[test]
    fn keys_are_laid_out_as_kube_apiserver_does() {
        let table = [
            ("", "secrets", "/registry/secrets/n/x"),
            ("", "serviceaccounts", "/registry/serviceaccounts/n/x"),
            ("", "nodes", "/registry/minions/x"),
            ("", "namespaces", "/registry/namespaces/x"),
            ("coordination.k8s.io", "leases", "/registry/leases/n/x"),
            (
                "rbac.authorization.k8s.io",
                "clusterroles",
                "/registry/clusterroles/x",
            ),
        ];
        for (group, plural, key) in table {
            assert_eq!(find(group, "v1", plural).unwrap().key("n", "x"), key);
        }
        let secrets = find("", "v1", "secrets").unwrap();
        assert_eq!(secrets.namespace_prefix(""), "/registry/secrets/");
        assert_eq!(secrets.namespace_prefix("n"), "/registry/secrets/n/");
    }

    #[test]
    fn reviews_are_not_stored() {
        let not_stored = all().iter().filter(|each| !each.stored()).count();
        assert_eq!(not_stored, 7);
    }
}
