//! What every write has in common: which endpoint it went through and who made it.

use std::sync::LazyLock;

use burgee_wire::schema::StructRef;
use burgee_wire::{ManagedFieldsEntry, Time};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::managers::{Manager, Managers, Operation, Owned};
use crate::typed::{Comparison, Type, compare, reconciled};
use crate::{Error, FieldSet};

/// Fields that nobody owns, because the server or the URL sets them.
static NEVER_OWNED: LazyLock<FieldSet> = LazyLock::new(|| {
    FieldSet::of_fields(&[
        "apiVersion",
        "kind",
        "metadata",
        "metadata.clusterName",
        "metadata.creationTimestamp",
        "metadata.generation",
        "metadata.managedFields",
        "metadata.name",
        "metadata.namespace",
        "metadata.resourceVersion",
        "metadata.selfLink",
        "metadata.uid",
    ])
});

/// The endpoint that is written through.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint<'a> {
    /// Kind of the objects.
    pub kind: StructRef,
    /// Group and version, such as `v1` or `rbac.authorization.k8s.io/v1`. Ownership that is recorded
    /// in another version is dropped, as upstream does with versions that are no longer served.
    pub api_version: &'a str,
    /// Subresource such as `status`, empty for the object itself.
    pub subresource: &'a str,
    /// Fields that this endpoint leaves as they are, such as `status` of the object itself. Nobody
    /// comes to own them through it. Upstream's `GetResetFields`.
    pub reset_fields: &'a FieldSet,
}

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The field manager, or what was derived from the user agent; `unknown` if empty.
    pub name: &'a str,
    /// The time of the write.
    pub now: Timestamp,
}

impl Endpoint<'_> {
    pub(crate) fn ty(&self) -> Type<'_> {
        Type::of_kind(self.kind)
    }

    pub(crate) fn manager(&self, writer: &Writer<'_>, operation: Operation) -> Manager {
        let name = match writer.name {
            "" => "unknown",
            name => name,
        };
        Manager {
            name: name.to_owned(),
            operation,
            api_version: match operation {
                Operation::Apply => String::new(),
                Operation::Update => self.api_version.to_owned(),
            },
            subresource: self.subresource.to_owned(),
        }
    }

    /// What differs, without the fields that this endpoint leaves alone.
    pub(crate) fn compare(&self, live: &Value, new: &Value) -> Result<Comparison, Error> {
        Ok(compare(live, new, self.ty())?.without(self.reset_fields))
    }

    /// The fields that a writer through this endpoint comes to own.
    pub(crate) fn ownable(&self, fields: &FieldSet) -> FieldSet {
        fields
            .recursive_difference(self.reset_fields)
            .difference(&NEVER_OWNED)
    }

    /// The managers in the terms of this version and its schema.
    pub(crate) fn reconciled(&self, mut managers: Managers) -> Managers {
        managers
            .0
            .retain(|_, owned| owned.api_version == self.api_version);
        for owned in managers.0.values_mut() {
            owned.fields = reconciled(&owned.fields, self.ty());
        }
        managers
    }

    /// Whether a write changes no field that anybody could own.
    pub(crate) fn is_void(&self, comparison: &Comparison) -> bool {
        let sets = [&comparison.added, &comparison.modified, &comparison.removed];
        sets.into_iter()
            .all(|set| set.difference(&NEVER_OWNED).is_empty())
    }

    /// Gives the writer what a write changed and takes it from everybody else.
    pub(crate) fn record_update(
        &self,
        comparison: Comparison,
        managers: Managers,
        manager: Manager,
        now: Timestamp,
    ) -> Managers {
        let mut managers = self.reconciled(managers);
        let Comparison {
            added,
            modified,
            removed,
        } = comparison;
        let changed = added.union(&modified);
        managers.release(&changed.union(&removed));
        let own = self.ownable(&changed);
        if !own.is_empty() {
            let owned = managers.0.entry(manager).or_insert_with(|| Owned {
                api_version: self.api_version.to_owned(),
                fields: FieldSet::default(),
                time: None,
            });
            owned.fields = owned.fields.union(&own);
            owned.time = Some(Time::from(now));
        }
        managers.cap_updates();
        managers
    }
}

/// The managed-fields entries of an object; none where they do not read as such.
pub(crate) fn entries_of(object: &Value) -> Vec<ManagedFieldsEntry> {
    let entries = object.get("metadata").and_then(|m| m.get("managedFields"));
    let entries = entries.and_then(|entries| Vec::deserialize(entries).ok());
    entries.unwrap_or_default()
}

/// The object without its managed-fields entries, which nobody owns and which are no content.
pub(crate) fn without_entries(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.remove("managedFields");
    }
    object
}
