//! What can be done with stored objects, whatever their kind (upstream's generic registry).
//!
//! Reads come from the [`Caches`]; writes go to the [`Store`] under the condition that nobody wrote in
//! between, and are answered once the caches have them, so that whoever wrote reads what it wrote.

mod admission;
mod continuation;
mod create;
mod delete;
mod input;
mod list;
mod options;
mod present;
mod update;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use burgee_identity::{Clock, UserInfo};
use burgee_resources::Resource;
use burgee_store::{Error, KeyValue, Revision, Store};
use burgee_wire::{Object, Status, decode, encode};
use bytes::Bytes;
use jiff::Timestamp;

use crate::cache::{Caches, Entry, ResourceCache};

pub(crate) use admission::Admission;
pub(crate) use delete::Deleted;
pub(crate) use input::{Expected, Input, parse_body};
pub(crate) use list::ListOptions;
pub(crate) use options::{DeleteOptions, FieldValidation, WriteOptions};
pub(crate) use present::{View, present, present_list};
pub(crate) use update::PatchKind;
pub(crate) use watch::WatchOptions;

/// A result whose error is the answer.
pub(crate) type Result<T, E = Box<Status>> = std::result::Result<T, E>;

/// How long a request waits for the caches to catch up with the store.
const CATCH_UP: Duration = Duration::from_secs(10);

/// Stored objects and what can be done with them.
pub(crate) struct Registry {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) caches: Arc<Caches>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) admission: Admission,
}

/// What a request is aimed at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) resource: &'static Resource,
    /// Empty for cluster-scoped resources and for collections across namespaces.
    pub(crate) namespace: &'a str,
    /// Empty for collections.
    pub(crate) name: &'a str,
    /// Empty for the object itself.
    pub(crate) subresource: &'a str,
}

impl Target<'_> {
    fn key(&self) -> String {
        self.resource.key(self.namespace, self.name)
    }

    /// 404 for the object.
    pub(crate) fn not_found(&self) -> Box<Status> {
        Box::new(Status::not_found(
            self.resource.group,
            self.resource.plural,
            self.name,
        ))
    }

    /// 409 because somebody else wrote.
    fn modified(&self) -> Box<Status> {
        Box::new(Status::modified(
            self.resource.group,
            self.resource.plural,
            self.name,
        ))
    }

    fn conflict(&self, why: &str) -> Box<Status> {
        Box::new(Status::conflict(
            self.resource.group,
            self.resource.plural,
            self.name,
            why,
        ))
    }

    fn invalid(&self, name: &str, errors: &[burgee_wire::field::FieldError]) -> Box<Status> {
        Box::new(Status::invalid(
            self.resource.group,
            self.resource.kind,
            name,
            errors,
        ))
    }
}

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) user: &'a UserInfo,
}

/// What a write left behind.
#[derive(Debug)]
pub(crate) struct Written {
    /// The object as it is now, or as it was last when it is gone.
    pub(crate) entry: Arc<Entry>,
    /// Whether it is new.
    pub(crate) created: bool,
    /// What the client should know.
    pub(crate) warnings: Vec<String>,
}

/// A stored object and the revision that a write must expect.
#[derive(Clone, Debug)]
struct Current {
    entry: Arc<Entry>,
    object: Object,
}

impl Current {
    fn revision(&self) -> Revision {
        self.entry.revision()
    }
}

impl Registry {
    /// The time that is written into objects.
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The cache of a resource.
    pub(crate) fn cache(&self, resource: &Resource) -> Result<&Arc<ResourceCache>> {
        self.caches
            .of(resource)
            .ok_or_else(|| Box::new(Status::unknown_path()))
    }

    /// Waits until the caches show everything that was acknowledged before this call.
    pub(crate) async fn catch_up(&self) -> Result<()> {
        let revision = self.store.revision().await.map_err(unavailable)?;
        self.reach(revision).await
    }

    async fn reach(&self, revision: Revision) -> Result<()> {
        if self.caches.reach(revision, CATCH_UP).await {
            return Ok(());
        }
        let status = Status::timeout("the server's memory has not caught up with the store");
        Err(Box::new(status))
    }

    /// The newest state of one object.
    ///
    /// # Errors
    ///
    /// 404 when there is none.
    pub(crate) async fn get(&self, target: &Target<'_>) -> Result<Arc<Entry>> {
        self.catch_up().await?;
        self.peek(target)?.ok_or_else(|| target.not_found())
    }

    /// One object at least as new as the `resourceVersion` parameter asks for.
    ///
    /// # Errors
    ///
    /// 404 when there is none, 504 for a version that lies in the future.
    pub(crate) async fn get_at(&self, target: &Target<'_>, version: &str) -> Result<Arc<Entry>> {
        self.reach_version(list::version(version)?).await?;
        self.peek(target)?.ok_or_else(|| target.not_found())
    }

    /// The state of one object that the cache has, which may lag behind other servers' writes.
    pub(crate) fn peek(&self, target: &Target<'_>) -> Result<Option<Arc<Entry>>> {
        Ok(self
            .cache(target.resource)?
            .find(target.namespace, target.name))
    }

    /// A cached object in the form that writes work on.
    fn current(&self, target: &Target<'_>, entry: Arc<Entry>) -> Result<Current> {
        let object = entry.object().map_err(|error| damaged(target, &error))?;
        Ok(Current { entry, object })
    }

    /// The stored object behind a conflict.
    fn current_of(&self, target: &Target<'_>, kv: &KeyValue) -> Result<Current> {
        let entry = Entry::new(target.resource, kv).map_err(|error| damaged(target, &error))?;
        self.current(target, Arc::new(entry))
    }

    /// The bytes that are stored for an object: canonical JSON without a resource version.
    fn encode(&self, target: &Target<'_>, object: &Object) -> Result<Bytes> {
        let resource = target.resource;
        let mut object = object.clone();
        object.metadata.resource_version = String::new();
        let decoded = decode::conform(object.into_value(), resource.schema());
        let decoded = decoded.map_err(|error| Box::new(Status::internal(&error.to_string())))?;
        let json = encode::object(
            &resource.api_version(),
            resource.kind,
            &decoded.value,
            resource.schema(),
        );
        Ok(json.into())
    }

    /// What the client sees of bytes that were, or would be, stored at this revision.
    fn entry_of(
        &self,
        target: &Target<'_>,
        name: &str,
        value: Bytes,
        at: Revision,
    ) -> Result<Arc<Entry>> {
        let key = target.resource.key(target.namespace, name).into();
        let kv = KeyValue {
            key,
            value,
            create_revision: at,
            mod_revision: at,
        };
        let entry = Entry::new(target.resource, &kv).map_err(|error| damaged(target, &error))?;
        Ok(Arc::new(entry))
    }
}

fn damaged(target: &Target<'_>, error: &decode::Error) -> Box<Status> {
    let plural = target.resource.plural;
    tracing::error!(resource = plural, name = target.name, %error, "a stored object cannot be read");
    let text = format!(
        "the stored {} {} cannot be read",
        target.resource.kind, target.name
    );
    Box::new(Status::internal(&text))
}

/// What a failing store looks like to a client. The cause is for the log.
fn unavailable(error: Error) -> Box<Status> {
    let is_clients_doing = matches!(
        error,
        Error::ValueTooLarge { .. } | Error::InvalidKey { .. } | Error::Compacted { .. }
    );
    if !is_clients_doing {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
    }
    Box::new(match error {
        Error::StorageFull { .. } => Status::failure(
            507,
            "InsufficientStorage",
            "the server's disk is full, nothing was changed for certain; free space and try again",
        ),
        Error::ValueTooLarge { size, limit } => Status::failure(
            413,
            "RequestEntityTooLarge",
            format!("the object has {size} bytes when stored, the limit is {limit}"),
        ),
        Error::InvalidKey { reason } => {
            Status::bad_request(format!("the name cannot be stored: {reason}"))
        }
        Error::Compacted { .. } => {
            Status::expired("The resourceVersion for the provided list is too old.")
        }
        _ => Status::unavailable("the store cannot answer at the moment, try again"),
    })
}
