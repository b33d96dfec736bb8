//! What requests are about, and what they carry.

use burgee_resources::Resource;
use burgee_wire::Object;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::url::Url;

/// How many objects a page of a list has.
const PAGE: usize = 100;
/// How many objects a page of a list of metadata has.
const METADATA_PAGE: usize = 500;

/// Which objects a list or watch is about, and how much of them is wanted.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Their resource.
    pub resource: &'static Resource,
    /// Their namespace; empty for all namespaces and for cluster-scoped resources.
    pub namespace: String,
    /// Only those with these fields, such as `metadata.name=default`; empty for all.
    pub field_selector: String,
    /// How much of each.
    pub view: View,
}

/// How much of an object is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum View {
    /// Its metadata.
    Metadata,
    /// All of it.
    Whole,
}

impl Scope {
    /// Every object of a resource.
    #[must_use]
    pub fn all(resource: &'static Resource, view: View) -> Self {
        Self {
            resource,
            namespace: String::new(),
            field_selector: String::new(),
            view,
        }
    }

    /// Those of one name, in whichever namespace.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.field_selector = format!("metadata.name={name}");
        self
    }

    /// Those of one namespace.
    #[must_use]
    pub fn within(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.namespace);
        self
    }

    pub(crate) fn url(&self) -> Url {
        let url = Url::collection(self.resource, &self.namespace);
        url.parameter_if_any("fieldSelector", &self.field_selector)
    }

    pub(crate) fn page(&self) -> usize {
        match self.view {
            View::Metadata => METADATA_PAGE,
            View::Whole => PAGE,
        }
    }

    pub(crate) fn accept_list(&self) -> &'static str {
        match self.view {
            View::Metadata => "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            View::Whole => "application/json",
        }
    }
}

impl View {
    pub(crate) fn accept_object(self) -> &'static str {
        match self {
            Self::Metadata => "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
            Self::Whole => "application/json",
        }
    }
}

/// One object, or the place for one.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its resource.
    pub resource: &'static Resource,
    /// Its namespace; empty for cluster-scoped resources.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// The objects.
    pub items: Vec<Object>,
    /// As of when.
    pub resource_version: String,
    /// What brings the next page; empty on the last one.
    pub continue_token: String,
}

/// How a patch is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PatchType {
    /// Server-side apply, taking over fields that others own.
    Apply,
    /// JSON Merge Patch (RFC 7396).
    Merge,
}

/// What is to become of an object's dependents.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Propagation {
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// How to delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds that the object has left; unset leaves it to the server.
    pub grace_period_seconds: Option<i64>,
    /// What is to become of dependents; unset leaves it to the server.
    pub propagation: Option<Propagation>,
    /// Only the object with this UID.
    pub uid: Option<String>,
    /// Only the object as it is at this version.
    pub resource_version: Option<String>,
}

impl DeleteOptions {
    pub(crate) fn to_body(&self) -> Bytes {
        let body = DeleteBody {
            kind: "DeleteOptions",
            api_version: "v1",
            grace_period_seconds: self.grace_period_seconds,
            propagation_policy: self.propagation.map(|propagation| match propagation {
                Propagation::Background => "Background",
                Propagation::Foreground => "Foreground",
                Propagation::Orphan => "Orphan",
            }),
            preconditions: Preconditions {
                uid: self.uid.as_deref(),
                resource_version: self.resource_version.as_deref(),
            },
        };
        // Texts and numbers cannot fail to serialise.
        serde_json::to_vec(&body).unwrap_or_default().into()
    }
}

/// `metav1.DeleteOptions`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteBody<'a> {
    kind: &'static str,
    api_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_period_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    propagation_policy: Option<&'static str>,
    preconditions: Preconditions<'a>,
}

/// `metav1.Preconditions`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Preconditions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<&'a str>,
}

/// A list of any kind.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct List {
    metadata: ListMeta,
    items: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    resource_version: String,
    r#continue: String,
}

impl TryFrom<List> for Page {
    type Error = Error;

    fn try_from(list: List) -> Result<Self, Error> {
        let items = list
            .items
            .unwrap_or_default()
            .into_iter()
            .map(Object::from_value);
        Ok(Self {
            items: items.collect::<Result<_, _>>().map_err(Error::Malformed)?,
            resource_version: list.metadata.resource_version,
            continue_token: list.metadata.r#continue,
        })
    }
}
