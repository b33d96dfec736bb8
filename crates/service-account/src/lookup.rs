//! What the rules need to know of other objects.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use burgee_wire::Status;
use jiff::Timestamp;

/// A boxed future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Kinds of objects that tokens are bound to, and the service account itself.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ObjectKind {
    /// A node.
    Node,
    /// A pod.
    Pod,
    /// A secret.
    Secret,
    /// A service account.
    ServiceAccount,
}

impl ObjectKind {
    /// The resource of the core group, such as `pods`.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::Node => "nodes",
            Self::Pod => "pods",
            Self::Secret => "secrets",
            Self::ServiceAccount => "serviceaccounts",
        }
    }
}

/// Names one object.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ObjectRef<'a> {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its namespace; empty for a node.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// What the rules need to know of an object that exists.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ObjectFacts {
    /// Its uid.
    pub uid: String,
    /// When it was, or is going to be, deleted.
    pub deletion_timestamp: Option<Timestamp>,
    /// `spec.serviceAccountName` of a pod; empty for anything else.
    pub service_account_name: String,
    /// `spec.nodeName` of a pod; empty for anything else and for a pod that is not scheduled.
    pub node_name: String,
}

/// Why there are no facts about an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LookupError {
    /// The store could not be asked; the text says why.
    Failed(String),
    /// There is no such object.
    NotFound,
}

impl LookupError {
    /// What an API server answers about it.
    #[must_use]
    pub fn status(&self, object: ObjectRef<'_>) -> Status {
        match self {
            Self::Failed(message) => Status::internal(message),
            Self::NotFound => Status::not_found("", object.kind.resource(), object.name),
        }
    }
}

/// Finds objects, first in memory and, where that does not know one, in the store.
pub trait ObjectLookup: Send + Sync + fmt::Debug {
    /// The object as memory has it, or nothing when memory does not have it (yet).
    fn cached(&self, object: ObjectRef<'_>) -> Option<ObjectFacts>;

    /// The object as the store has it now. Asked only where [`ObjectLookup::cached`] does not settle
    /// the matter.
    fn live<'a>(&'a self, object: ObjectRef<'a>)
    -> BoxFuture<'a, Result<ObjectFacts, LookupError>>;
}

/// From memory if it is there, else live.
pub(crate) async fn find(
    objects: &dyn ObjectLookup,
    object: ObjectRef<'_>,
) -> Result<ObjectFacts, LookupError> {
    match objects.cached(object) {
        Some(facts) => Ok(facts),
        None => objects.live(object).await,
    }
}

/// From memory if it is there with this uid, else live: an object that was deleted and made again may
/// not have reached memory yet.
pub(crate) async fn find_uid(
    objects: &dyn ObjectLookup,
    object: ObjectRef<'_>,
    uid: &str,
) -> Result<ObjectFacts, LookupError> {
    match objects.cached(object) {
        Some(facts) if facts.uid == uid => Ok(facts),
        _ => objects.live(object).await,
    }
}
