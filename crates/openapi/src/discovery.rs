//! Discovery: which groups, versions and resources there are.
//!
//! Members, their order and what is left out are those of
//! `k8s.io/apiserver/pkg/endpoints/discovery`; the aggregated form is that of
//! `apidiscovery.k8s.io`.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burgee_resources::{Resource, Subresource};

use crate::groups::{Group, GroupVersion, Groups};
use crate::json::{Array, Object, object};

/// A version of the aggregated discovery format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AggregatedVersion {
    /// `apidiscovery.k8s.io/v2`.
    V2,
    /// `apidiscovery.k8s.io/v2beta1`, which clients before Kubernetes 1.30 ask for.
    V2Beta1,
}

impl AggregatedVersion {
    /// The version as it stands in `apiVersion` and in media types.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V2Beta1 => "v2beta1",
        }
    }

    /// The media type of documents in this version.
    ///
    /// ```
    /// use burgee_openapi::AggregatedVersion;
    ///
    /// let media_type = AggregatedVersion::V2.media_type();
    /// let parameters = "g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    /// assert_eq!(media_type, format!("application/json;{parameters}"));
    /// ```
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::V2 => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            Self::V2Beta1 => {
                "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
            }
        }
    }
}

/// `/api`: an APIVersions. Like `/api/v1` it has no `apiVersion`, for it is older than that.
pub(crate) fn api_versions(groups: &Groups, server_address: &str) -> Vec<u8> {
    let versions: Vec<_> = (groups.core().flat_map(|group| &group.versions))
        .map(|version| version.version)
        .collect();
    object(|out| {
        out.value("kind", "APIVersions");
        out.value("versions", versions);
        out.array("serverAddressByClientCIDRs", |addresses| {
            addresses.object(|out| {
                out.value("clientCIDR", "0.0.0.0/0");
                out.value("serverAddress", server_address);
            });
        });
    })
}

/// `/apis`: an APIGroupList.
pub(crate) fn api_group_list(groups: &Groups) -> Vec<u8> {
    object(|out| {
        out.value("kind", "APIGroupList");
        out.value("apiVersion", "v1");
        out.array("groups", |list| {
            for group in groups.named() {
                list.object(|out| group_members(out, group));
            }
        });
    })
}

/// `/apis/GROUP`: an APIGroup.
pub(crate) fn api_group(group: &Group) -> Vec<u8> {
    object(|out| {
        out.value("kind", "APIGroup");
        out.value("apiVersion", "v1");
        group_members(out, group);
    })
}

/// `/api/v1` and `/apis/GROUP/VERSION`: an APIResourceList.
pub(crate) fn api_resource_list(version: &GroupVersion) -> Vec<u8> {
    object(|out| {
        out.value("kind", "APIResourceList");
        if !version.group.is_empty() {
            out.value("apiVersion", "v1");
        }
        out.value("groupVersion", version.api_version());
        out.array("resources", |list| {
            for resource in version.resources {
                list.object(|out| resource_members(out, resource));
                for below in resource.subresources {
                    list.object(|out| subresource_members(out, resource, below));
                }
            }
        });
    })
}

/// `/api` and `/apis` in aggregated form: an APIGroupDiscoveryList.
pub(crate) fn aggregated<'a>(
    groups: impl Iterator<Item = &'a Group>,
    version: AggregatedVersion,
) -> Vec<u8> {
    object(|out| {
        out.value("kind", "APIGroupDiscoveryList");
        out.value(
            "apiVersion",
            format!("apidiscovery.k8s.io/{}", version.as_str()),
        );
        out.object("metadata", |_| ());
        out.array("items", |items| {
            for group in groups {
                items.object(|out| {
                    out.object("metadata", |out| out.text("name", group.name));
                    out.array("versions", |versions| {
                        for version in &group.versions {
                            versions.object(|out| {
                                out.value("version", version.version);
                                out.array("resources", |list| aggregated_resources(list, version));
                                out.value("freshness", "Current");
                            });
                        }
                    });
                });
            }
        });
    })
}

/// `/`: every path there is, `others` being those that are no API groups.
pub(crate) fn root(groups: &Groups, others: &[&str]) -> Vec<u8> {
    let fixed = [
        "/api",
        "/apis",
        "/apis/",
        "/openapi/v2",
        "/openapi/v3",
        "/openapi/v3/",
    ];
    let mut paths: Vec<String> = (fixed.iter().chain(others))
        .map(|path| (*path).to_owned())
        .chain(groups.named().map(|group| format!("/apis/{}", group.name)))
        .chain(
            groups
                .versions()
                .map(|version| format!("/{}", version.root())),
        )
        .collect();
    paths.sort_unstable();
    paths.dedup();
    object(|out| out.value("paths", paths))
}

/// Upstream's opaque hash of the version that a kind is stored in.
fn storage_version_hash(resource: &Resource) -> String {
    let Resource {
        group,
        version,
        kind,
        ..
    } = resource;
    let hash = digest(&SHA256, format!("{group}/{version}/{kind}").as_bytes());
    let (first, _) = hash.as_ref().split_at(8);
    STANDARD.encode(first)
}

fn group_members(out: &mut Object<'_>, group: &Group) {
    let members = |out: &mut Object<'_>, version: &GroupVersion| {
        out.value("groupVersion", version.api_version());
        out.value("version", version.version);
    };
    out.value("name", group.name);
    out.array("versions", |versions| {
        for version in &group.versions {
            versions.object(|out| members(out, version));
        }
    });
    if let Some(preferred) = group.versions.first() {
        out.object("preferredVersion", |out| members(out, preferred));
    }
}

fn resource_members(out: &mut Object<'_>, resource: &Resource) {
    out.value("name", resource.plural);
    out.value("singularName", resource.singular);
    out.value("namespaced", resource.namespaced);
    out.value("kind", resource.kind);
    out.value("verbs", resource.verbs);
    out.list("shortNames", resource.short_names);
    out.list("categories", resource.categories);
    if resource.stored() {
        out.value("storageVersionHash", storage_version_hash(resource));
    }
}

fn subresource_members(out: &mut Object<'_>, resource: &Resource, below: &Subresource) {
    out.value("name", format!("{}/{}", resource.plural, below.name));
    out.value("singularName", "");
    out.value("namespaced", resource.namespaced);
    out.text("group", below.group);
    out.text("version", below.version);
    out.value("kind", below.kind);
    out.value("verbs", below.verbs);
}

fn aggregated_resources(list: &mut Array<'_>, version: &GroupVersion) {
    for resource in version.resources {
        list.object(|out| {
            out.value("resource", resource.plural);
            response_kind(out, "", "", resource.kind);
            let scope = if resource.namespaced {
                "Namespaced"
            } else {
                "Cluster"
            };
            out.value("scope", scope);
            out.value("singularResource", resource.singular);
            out.value("verbs", resource.verbs);
            out.list("shortNames", resource.short_names);
            out.list("categories", resource.categories);
            if resource.subresources.is_empty() {
                return;
            }
            out.array("subresources", |list| {
                for below in resource.subresources {
                    list.object(|out| {
                        out.value("subresource", below.name);
                        response_kind(out, below.group, below.version, below.kind);
                        out.value("verbs", below.verbs);
                    });
                }
            });
        });
    }
}

/// Group and version are empty where they are those of the list, as upstream has it.
fn response_kind(out: &mut Object<'_>, group: &str, version: &str, kind: &str) {
    out.object("responseKind", |out| {
        out.value("group", group);
        out.value("version", version);
        out.value("kind", kind);
    });
}
