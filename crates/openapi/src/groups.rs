//! The served resources, by group and version.

use burgee_resources::{Resource, Subresource};
use burgee_wire::schema::{Struct, StructRef, schema};

/// The definition prefix of the types that all groups share.
pub(crate) const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// Upstream's order of the groups that it has too (kube-aggregator's group priorities). Others come
/// behind them.
const ORDER: &[&str] = &[
    "",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "rbac.authorization.k8s.io",
    "coordination.k8s.io",
];

/// One API group.
#[derive(Debug)]
pub(crate) struct Group {
    /// Its name; empty for the core group.
    pub(crate) name: &'static str,
    /// Its versions, the preferred one first.
    pub(crate) versions: Vec<GroupVersion>,
}

/// One version of a group.
#[derive(Debug)]
pub(crate) struct GroupVersion {
    /// Name of the group; empty for the core group.
    pub(crate) group: &'static str,
    /// Version, such as `v1`.
    pub(crate) version: &'static str,
    /// Its resources, sorted by plural.
    pub(crate) resources: &'static [Resource],
}

impl GroupVersion {
    fn new(resources: &'static [Resource]) -> Option<Self> {
        let first = resources.first()?;
        Some(Self {
            group: first.group,
            version: first.version,
            resources,
        })
    }

    /// `v1`, `rbac.authorization.k8s.io/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `api/v1`, `apis/rbac.authorization.k8s.io/v1`.
    pub(crate) fn root(&self) -> String {
        let root = if self.group.is_empty() { "api" } else { "apis" };
        format!("{root}/{}", self.api_version())
    }
}

/// A kind with its group and version.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
}

/// All groups, in the order in which discovery lists them: the core group first.
#[derive(Debug)]
pub(crate) struct Groups(pub(crate) Vec<Group>);

impl Groups {
    /// Groups `resources`, which are sorted by group, version and plural.
    pub(crate) fn new(resources: &'static [Resource]) -> Self {
        let mut groups: Vec<_> = (resources.chunk_by(|a, b| a.group == b.group))
            .filter_map(|group| {
                let versions = group.chunk_by(|a, b| a.version == b.version);
                Some(Group {
                    name: group.first()?.group,
                    versions: versions.filter_map(GroupVersion::new).collect(),
                })
            })
            .collect();
        groups.sort_by_key(|group| {
            let place = ORDER.iter().position(|name| *name == group.name);
            (place.unwrap_or(ORDER.len()), group.name)
        });
        Self(groups)
    }

    /// The group of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Group> {
        self.0.iter().find(|group| group.name == name)
    }

    /// The core group.
    pub(crate) fn core(&self) -> impl Iterator<Item = &Group> {
        self.0.iter().filter(|group| group.name.is_empty())
    }

    /// Every group but the core group.
    pub(crate) fn named(&self) -> impl Iterator<Item = &Group> {
        self.0.iter().filter(|group| !group.name.is_empty())
    }

    /// Every version of every group.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &GroupVersion> {
        self.0.iter().flat_map(|group| &group.versions)
    }

    /// The kinds that a type stands for, as `x-kubernetes-group-version-kind` lists them, sorted.
    pub(crate) fn kinds_of(&self, definition: &Struct) -> Vec<Kind> {
        let kind = definition.short_name();
        let of = |group, version| Kind {
            group,
            version,
            kind,
        };
        let prefix = prefix(definition.name);
        // These two are registered in every group and version upstream, for their use in all of
        // them.
        if prefix == META && matches!(kind, "DeleteOptions" | "WatchEvent") {
            let mut kinds: Vec<_> =
                (self.versions().map(|each| of(each.group, each.version))).collect();
            kinds.sort_unstable();
            return kinds;
        }
        if !definition.type_meta {
            return Vec::new();
        }
        if prefix == META {
            return vec![of("", "v1")];
        }
        let version = self.versions().find(|version| {
            (version.resources.iter()).any(|each| self::prefix(each.schema_name) == prefix)
        });
        (version.map(|each| of(each.group, each.version)).into_iter()).collect()
    }

    /// The kind of a subresource's bodies, and their type.
    pub(crate) fn body_of(&self, resource: &Resource, below: &Subresource) -> (Kind, StructRef) {
        let (group, version) = if below.version.is_empty() {
            resource.group_version()
        } else {
            (below.group, below.version)
        };
        let kind = Kind {
            group,
            version,
            kind: below.kind,
        };
        let same = |each: &&GroupVersion| each.group == group && each.version == version;
        let definition = (self.versions().find(same))
            .and_then(|each| each.resources.first())
            .map(|each| format!("{}.{}", prefix(each.schema_name), below.kind))
            .and_then(|name| schema().find(&name));
        // A test looks every subresource's type up.
        (kind, definition.unwrap_or_else(|| resource.schema()))
    }
}

/// A type that all groups share, by its short name.
pub(crate) fn meta(name: &str) -> StructRef {
    match schema().find(&format!("{META}.{name}")) {
        Some(found) => found,
        None => unreachable!("the schema lacks {META}.{name}"),
    }
}

fn prefix(definition: &str) -> &str {
    definition.rsplit_once('.').map_or("", |(prefix, _)| prefix)
}
