//! One served resource: its names, where it is stored, and the rules of its kind.

use burgee_wire::schema::{StructRef, schema};

use crate::Rules;

/// The verbs that a stored resource serves, as discovery lists them.
pub(crate) const VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// The verbs of a `status` subresource.
pub(crate) const STATUS_VERBS: &[&str] = &["get", "patch", "update"];

/// A resource that the API serves: what discovery says of it, and its [`Rules`].
pub struct Resource {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version within the group.
    pub version: &'static str,
    /// Kind of its objects.
    pub kind: &'static str,
    /// Name in URLs and RBAC rules.
    pub plural: &'static str,
    /// Name of one object, for people.
    pub singular: &'static str,
    /// Abbreviations that kubectl accepts.
    pub short_names: &'static [&'static str],
    /// Groups of resources it belongs to, such as `all`.
    pub categories: &'static [&'static str],
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it, sorted.
    pub verbs: &'static [&'static str],
    /// OpenAPI definition name of its kind.
    pub schema_name: &'static str,
    /// What hangs below its objects, sorted by name.
    pub subresources: &'static [Subresource],
    /// Defaulting, validation and presentation.
    pub rules: &'static dyn Rules,
}

/// Something below an object, such as `status`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subresource {
    /// Last segment of its URL.
    pub name: &'static str,
    /// API group of its kind; empty for the parent's.
    pub group: &'static str,
    /// Version of its kind; empty for the parent's.
    pub version: &'static str,
    /// Kind of its bodies.
    pub kind: &'static str,
    /// What can be done with it, sorted.
    pub verbs: &'static [&'static str],
}

impl Resource {
    /// What objects carry as `apiVersion`: `v1`, `rbac.authorization.k8s.io/v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Group and version.
    #[must_use]
    pub fn group_version(&self) -> (&'static str, &'static str) {
        (self.group, self.version)
    }

    /// Whether this is the resource of the core group with this name.
    #[must_use]
    pub fn is_core(&self, plural: &str) -> bool {
        self.group.is_empty() && self.plural == plural
    }

    /// Kind of a list of its objects.
    #[must_use]
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }

    /// The type of its objects.
    ///
    /// # Panics
    ///
    /// Never: a test looks every resource's type up.
    #[must_use]
    pub fn schema(&self) -> StructRef {
        match schema().find(self.schema_name) {
            Some(found) => found,
            None => unreachable!("the schema lacks {}", self.schema_name),
        }
    }

    /// Whether its objects are stored. Reviews are computed answers and are not.
    #[must_use]
    pub fn stored(&self) -> bool {
        self.verbs.contains(&"get")
    }

    /// The subresource of this name.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|each| each.name == name)
    }

    /// Where kube-apiserver keeps its objects in etcd, such as `/registry/secrets/`.
    #[must_use]
    pub fn storage_prefix(&self) -> String {
        // Nodes were once called minions, and their keys still are.
        let folder = if self.plural == "nodes" {
            "minions"
        } else {
            self.plural
        };
        format!("/registry/{folder}/")
    }

    /// The key prefix of one namespace's objects, or of all when `namespace` is empty.
    #[must_use]
    pub fn namespace_prefix(&self, namespace: &str) -> String {
        let mut prefix = self.storage_prefix();
        if self.namespaced && !namespace.is_empty() {
            prefix.push_str(namespace);
            prefix.push('/');
        }
        prefix
    }

    /// The key of one object; `namespace` does not count for cluster-scoped resources.
    #[must_use]
    pub fn key(&self, namespace: &str, name: &str) -> String {
        let mut key = self.namespace_prefix(namespace);
        key.push_str(name);
        key
    }
}

impl std::fmt::Debug for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resource({}.{})", self.plural, self.api_version())
    }
}
