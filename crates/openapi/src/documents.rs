//! All documents of one server, generated at their first request.

use std::sync::OnceLock;

use burgee_resources::Resource;
use bytes::Bytes;

use crate::definitions::Definition;
use crate::discovery::{self, AggregatedVersion};
use crate::document::Document;
use crate::groups::{GroupVersion, Groups, meta};
use crate::operations::{self, Path};
use crate::{gnostic, v2, v3};

/// What documents say of the server.
#[derive(Clone, Debug)]
pub struct About {
    /// Version of Kubernetes that the API is that of, such as `v1.37.0`; the `info.version` of
    /// OpenAPI.
    pub version: String,
    /// Host and port by which clients reach the server, such as `192.0.2.10:6443`; what `/api`
    /// names.
    pub server_address: String,
}

/// What one API says of itself.
///
/// Each document is generated at its first request and then kept as bytes. The server chooses
/// between documents of one path by the `Accept` header and sends [`Document::etag`] along.
#[derive(Debug)]
pub struct Documents {
    groups: Groups,
    about: About,
    api_versions: OnceLock<Document>,
    api_group_list: OnceLock<Document>,
    api_groups: Vec<(&'static str, OnceLock<Document>)>,
    api_resource_lists: Vec<OnceLock<Document>>,
    aggregated: [OnceLock<Document>; 4],
    openapi_v2: OnceLock<Document>,
    openapi_v2_protobuf: OnceLock<Document>,
    openapi_v3: Vec<(String, Subject, OnceLock<Document>)>,
    openapi_v3_index: OnceLock<Document>,
}

/// What an OpenAPI v3 document is about.
#[derive(Clone, Copy, Debug)]
enum Subject {
    Api,
    Apis,
    Group(&'static str),
    Version(&'static str, &'static str),
}

impl Documents {
    /// The documents of these resources, which are sorted by group, version and plural, as
    /// `burgee_resources::all()` is. Nothing is generated yet.
    #[must_use]
    pub fn new(resources: &'static [Resource], about: About) -> Self {
        let groups = Groups::new(resources);
        let named: Vec<_> = groups.named().map(|group| group.name).collect();
        let mut subjects = vec![
            ("api".to_owned(), Subject::Api),
            ("apis".to_owned(), Subject::Apis),
        ];
        subjects.extend(
            named
                .iter()
                .map(|name| (format!("apis/{name}"), Subject::Group(name))),
        );
        subjects.extend(
            (groups.versions())
                .map(|each| (each.root(), Subject::Version(each.group, each.version))),
        );
        subjects.sort_by(|a, b| a.0.cmp(&b.0));
        Self {
            api_groups: (named.into_iter())
                .map(|name| (name, OnceLock::new()))
                .collect(),
            api_resource_lists: groups.versions().map(|_| OnceLock::new()).collect(),
            openapi_v3: (subjects.into_iter())
                .map(|(path, subject)| (path, subject, OnceLock::new()))
                .collect(),
            groups,
            about,
            api_versions: OnceLock::new(),
            api_group_list: OnceLock::new(),
            aggregated: Default::default(),
            openapi_v2: OnceLock::new(),
            openapi_v2_protobuf: OnceLock::new(),
            openapi_v3_index: OnceLock::new(),
        }
    }

    /// `/`: every path that there is, as `{"paths":[…]}`; `others` are those beside the API itself,
    /// such as `/version` and `/healthz`.
    #[must_use]
    pub fn root(&self, others: &[&str]) -> Bytes {
        discovery::root(&self.groups, others).into()
    }

    /// `/api`: an APIVersions.
    pub fn api_versions(&self) -> &Document {
        let address = &self.about.server_address;
        let write = || Document::new(discovery::api_versions(&self.groups, address));
        self.api_versions.get_or_init(write)
    }

    /// `/apis`: an APIGroupList.
    pub fn api_group_list(&self) -> &Document {
        let write = || Document::new(discovery::api_group_list(&self.groups));
        self.api_group_list.get_or_init(write)
    }

    /// `/apis/GROUP`: an APIGroup. None if there is no such group, or if it is the core group's
    /// empty name.
    pub fn api_group(&self, group: &str) -> Option<&Document> {
        let (_, document) = self.api_groups.iter().find(|(name, _)| *name == group)?;
        let group = self.groups.find(group)?;
        Some(document.get_or_init(|| Document::new(discovery::api_group(group))))
    }

    /// `/api/v1` (for the empty group) and `/apis/GROUP/VERSION`: an APIResourceList. None if there
    /// is no such version.
    pub fn api_resource_list(&self, group: &str, version: &str) -> Option<&Document> {
        let (list, document) = (self.groups.versions().zip(&self.api_resource_lists))
            .find(|(each, _)| each.group == group && each.version == version)?;
        Some(document.get_or_init(|| Document::new(discovery::api_resource_list(list))))
    }

    /// `/api` with [`AggregatedVersion::media_type`]: an APIGroupDiscoveryList of the core group.
    pub fn aggregated_api(&self, version: AggregatedVersion) -> &Document {
        let [v2, v2beta1, ..] = &self.aggregated;
        let cell = match version {
            AggregatedVersion::V2 => v2,
            AggregatedVersion::V2Beta1 => v2beta1,
        };
        let write = || Document::new(discovery::aggregated(self.groups.core(), version));
        cell.get_or_init(write)
    }

    /// `/apis` with [`AggregatedVersion::media_type`]: an APIGroupDiscoveryList of the other
    /// groups.
    pub fn aggregated_apis(&self, version: AggregatedVersion) -> &Document {
        let [.., v2, v2beta1] = &self.aggregated;
        let cell = match version {
            AggregatedVersion::V2 => v2,
            AggregatedVersion::V2Beta1 => v2beta1,
        };
        let write = || Document::new(discovery::aggregated(self.groups.named(), version));
        cell.get_or_init(write)
    }

    /// `/openapi/v2` in JSON.
    pub fn openapi_v2(&self) -> &Document {
        self.openapi_v2.get_or_init(|| {
            let mut paths = vec![operations::root_path(true), operations::root_path(false)];
            paths.extend(self.groups.named().map(operations::group_path));
            for version in self.groups.versions() {
                paths.extend(operations::version_paths(version, &self.groups));
            }
            paths.sort_by(|a, b| a.path.cmp(&b.path));
            let more = [watch_event()];
            Document::new(v2::document(
                &paths,
                &more,
                &self.groups,
                &self.about.version,
            ))
        })
    }

    /// `/openapi/v2` in protobuf, for the media types
    /// `application/com.github.proto-openapi.spec.v2@v1.0+protobuf` and
    /// `application/com.github.proto-openapi.spec.v2.v1.0+protobuf`. Upstream answers both with the
    /// latter.
    pub fn openapi_v2_protobuf(&self) -> &Document {
        self.openapi_v2_protobuf.get_or_init(|| {
            let json = self.openapi_v2();
            json.encoded_as(gnostic::encode(json.body()))
        })
    }

    /// `/openapi/v3`: where the documents of each group and version are. Generates them all, for
    /// their hashes.
    pub fn openapi_v3_index(&self) -> &Document {
        self.openapi_v3_index.get_or_init(|| {
            let documents = (self.openapi_v3.iter())
                .map(|(path, subject, cell)| (path.as_str(), self.generate(*subject, cell).hash()));
            Document::new(v3::index(documents))
        })
    }

    /// `/openapi/v3/PATH` in JSON, where `path` is what the index has, such as `api/v1` or
    /// `apis/rbac.authorization.k8s.io/v1`. None if the index does not have it.
    pub fn openapi_v3(&self, path: &str) -> Option<&Document> {
        let (_, subject, cell) = self.openapi_v3.iter().find(|(known, ..)| known == path)?;
        Some(self.generate(*subject, cell))
    }

    fn generate<'a>(&self, subject: Subject, cell: &'a OnceLock<Document>) -> &'a Document {
        cell.get_or_init(|| {
            let (paths, more) = self.contents(subject);
            Document::new(v3::document(
                &paths,
                &more,
                &self.groups,
                &self.about.version,
            ))
        })
    }

    /// The paths of a document, and definitions that no path names.
    fn contents(&self, subject: Subject) -> (Vec<Path>, Vec<Definition>) {
        match subject {
            Subject::Api => (vec![operations::root_path(true)], Vec::new()),
            Subject::Apis => (vec![operations::root_path(false)], Vec::new()),
            Subject::Group(name) => {
                let group = self.groups.find(name);
                (
                    group.map(operations::group_path).into_iter().collect(),
                    Vec::new(),
                )
            }
            Subject::Version(group, version) => {
                let same = |each: &&GroupVersion| (each.group, each.version) == (group, version);
                let Some(version) = self.groups.versions().find(same) else {
                    return Default::default();
                };
                let watchable = version
                    .resources
                    .iter()
                    .any(|each| each.verbs.contains(&"watch"));
                let more = watchable.then(watch_event).into_iter().collect();
                (operations::version_paths(version, &self.groups), more)
            }
        }
    }
}

/// What a watch streams. Answers of two types under one status code cannot be said in OpenAPI v2,
/// and upstream does not say it in v3 either, so that no operation refers to it.
fn watch_event() -> Definition {
    Definition::Struct(meta("WatchEvent"))
}
