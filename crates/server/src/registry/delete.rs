//! Deletions.

use std::sync::Arc;

use burgee_wire::{Object, Status, Time};
use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};

use super::list::{ListOptions, Listed};
use super::options::Propagation;
use super::update::is_finished;
use super::{Current, DeleteOptions, Registry, Result, Target, unavailable};
use crate::cache::Entry;

/// How many objects of a collection are deleted at once.
const CONCURRENT_DELETIONS: usize = 32;
/// How often a deletion is tried again when somebody wrote in between.
const TRIES: usize = 8;
/// Waits until the object's dependents are no longer bound to it.
const ORPHAN: &str = "orphan";
/// Waits until the object's dependents are gone.
const FOREGROUND: &str = "foregroundDeletion";

/// What a deletion did.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// The object is gone; this is how it was.
    Gone(Arc<Entry>),
    /// The object is on its way out.
    Going(Arc<Entry>),
}

impl Registry {
    /// Deletes an object, or begins to.
    ///
    /// # Errors
    ///
    /// 403 for what may not go, 404 for what is not there, 409 for preconditions that do not hold.
    pub(crate) async fn delete(
        &self,
        target: &Target<'_>,
        options: &DeleteOptions,
    ) -> Result<Deleted> {
        self.admission.deletion(target)?;
        let entry = self.get(target).await?;
        let mut current = self.current(target, entry)?;
        for _ in 0..TRIES {
            check_preconditions(target, options, &current)?;
            let going = self.going(target, &current.object, options);
            let at = current.revision();
            let outcome = if is_finished(&going) {
                let gone = Deleted::Gone(Arc::clone(&current.entry));
                if options.dry_run {
                    return Ok(gone);
                }
                self.store
                    .delete(&target.key(), at)
                    .await
                    .map(|revision| (revision, gone))
            } else {
                let value = self.encode(target, &going)?;
                let same = self.entry_of(target, target.name, value.clone(), at)?;
                if same.json() == current.entry.json() || options.dry_run {
                    return Ok(Deleted::Going(same));
                }
                match self.store.put(&target.key(), value.clone(), at).await {
                    Ok(revision) => {
                        let entry = self.entry_of(target, target.name, value, revision)?;
                        Ok((revision, Deleted::Going(entry)))
                    }
                    Err(error) => Err(error),
                }
            };
            match outcome {
                Ok((revision, deleted)) => {
                    self.reach(revision).await?;
                    return Ok(deleted);
                }
                Err(burgee_store::Error::Conflict {
                    current: Some(newer),
                }) => {
                    current = self.current_of(target, &newer)?;
                }
                Err(burgee_store::Error::Conflict { current: None }) => {
                    return Err(target.not_found());
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(target.modified())
    }

    /// Deletes every object that a list with these options finds.
    ///
    /// # Errors
    ///
    /// Those of the list, and the first of a deletion other than that the object is already gone.
    pub(crate) async fn delete_collection(
        &self,
        target: &Target<'_>,
        list: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<Listed> {
        let listed = self.list(target, list).await?;
        let deletions = listed.entries.iter().map(|entry| async move {
            let one = Target {
                namespace: entry.namespace(target.resource),
                name: entry.name(),
                ..*target
            };
            match self.delete(&one, options).await {
                Ok(_) => Ok(()),
                Err(status) if status.code == 404 => Ok(()),
                Err(status) => Err(status),
            }
        });
        // Those that are under way together share the store's commits.
        futures_util::stream::iter(deletions.map(Ok))
            .try_for_each_concurrent(CONCURRENT_DELETIONS, |deletion| deletion)
            .await?;
        Ok(listed)
    }

    /// Seconds that a deletion takes. Nobody would end a pod gracefully on a node that is not there.
    fn grace(&self, target: &Target<'_>, object: &Object, requested: Option<i64>) -> i64 {
        let is_pod = target.resource.is_core("pods");
        let nodes = self.caches.named("", "nodes").filter(|_| is_pod);
        match nodes.map(|nodes| nodes.find("", object.text(&["spec", "nodeName"]))) {
            Some(None) => 0,
            _ => target.resource.rules.grace_period(object, requested),
        }
    }

    /// The object as it is from now on: deleted, with what it still has to wait for.
    fn going(&self, target: &Target<'_>, object: &Object, options: &DeleteOptions) -> Object {
        let mut going = object.clone();
        let grace = self.grace(target, object, options.grace_period_seconds);
        let meta = &mut going.metadata;
        let now = self.now();
        match (
            meta.deletion_timestamp,
            meta.deletion_grace_period_seconds.unwrap_or_default(),
        ) {
            (None, _) => {
                meta.deletion_timestamp = Some(after(now, grace));
                meta.deletion_grace_period_seconds = Some(grace);
            }
            // A second deletion can only make it sooner.
            (Some(deadline), left) if options.grace_period_seconds.is_some() && grace < left => {
                let begun = deadline.timestamp().saturating_sub(seconds(left));
                let latest = now.saturating_sub(seconds(grace));
                let begun = begun.unwrap_or(now).max(latest.unwrap_or(now));
                meta.deletion_timestamp = Some(after(begun, grace));
                meta.deletion_grace_period_seconds = Some(grace);
            }
            (Some(_), _) => {}
        }
        let kept = match options.propagation {
            None => None,
            Some(Propagation::Background) => Some(""),
            Some(Propagation::Foreground) => Some(FOREGROUND),
            Some(Propagation::Orphan) => Some(ORPHAN),
        };
        if let Some(kept) = kept {
            meta.finalizers
                .retain(|own| !matches!(own.as_str(), ORPHAN | FOREGROUND));
            if !kept.is_empty() {
                meta.finalizers.push(kept.to_owned());
            }
        }
        let is_namespace = target.resource.is_core("namespaces");
        if is_namespace {
            // A namespace waits for its content, not for a grace period.
            going.metadata.deletion_grace_period_seconds = None;
            going.content.insert("status".into(), terminating(&going));
        }
        going
    }
}

fn terminating(namespace: &Object) -> serde_json::Value {
    let mut status = namespace
        .content
        .get("status")
        .cloned()
        .unwrap_or_else(|| serde_json::json!({}));
    if let Some(members) = status.as_object_mut() {
        members.insert("phase".into(), "Terminating".into());
    }
    status
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn after(begin: Timestamp, grace: i64) -> Time {
    begin
        .saturating_add(seconds(grace))
        .unwrap_or(Timestamp::MAX)
        .into()
}

fn check_preconditions(
    target: &Target<'_>,
    options: &DeleteOptions,
    current: &Current,
) -> Result<()> {
    let meta = &current.object.metadata;
    let why = match (&options.uid, &options.resource_version) {
        (Some(uid), _) if *uid != meta.uid => format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
            meta.uid
        ),
        (_, Some(version)) if *version != current.revision().to_string() => format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). The object might have been modified",
            current.revision()
        ),
        _ => return Ok(()),
    };
    let resource = target.resource;
    Err(Box::new(Status::conflict(
        resource.group,
        resource.kind,
        target.name,
        &why,
    )))
}
