//! Server-side apply.

use burgee_wire::{ManagedFieldsEntry, Time, decode};
use serde_json::{Map, Value};

use crate::managers::{Manager, Managers, Operation, Owned, same_but_for_times};
use crate::ownership::{entries_of, without_entries};
use crate::typed::{self, Comparison};
use crate::{Conflict, Endpoint, Error, FieldSet, Writer, last_applied};

/// Name under which the fields of an object that was never tracked are recorded at the first apply.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// What to do about fields that somebody else owns and that would change.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnConflict {
    /// Refuse with [`Error::Conflicts`].
    #[default]
    Refuse,
    /// Take them over.
    Force,
}

/// What comes of an apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The object in canonical form, without `managedFields`.
    pub object: Value,
    /// Its managed-fields entries.
    pub managed_fields: Vec<ManagedFieldsEntry>,
}

/// Applies a configuration: the fields that the writer wants, and no others.
///
/// They become as the configuration says; fields that the writer applied before and that are missing
/// now are removed, unless others own them, too. `live` is the object in canonical form, without
/// `kind` and `apiVersion`, with its `managedFields`; `None` creates it. `configuration` is the JSON
/// as the client sent it, with `kind` and `apiVersion`: an empty list or map in it is a field that
/// the writer owns, so it must not be brought into canonical form.
///
/// The manager `kubectl` is special, as upstream: it takes over without conflicts what its client-side
/// apply put there, and an annotation that records a client-side apply is brought up to date.
///
/// Upstream: `k8s.io/apimachinery/pkg/util/managedfields`, `FieldManager.Apply`, over
/// `sigs.k8s.io/structured-merge-diff`.
///
/// # Errors
///
/// - [`Error::Conflicts`] when other managers own fields that would change.
/// - [`Error::Malformed`] when the configuration is of another kind or has `managedFields`.
/// - [`Error::Invalid`] when it is not of the kind: unknown members, wrong types, list items without
///   their keys or with the same ones.
pub fn apply(
    live: Option<&Value>,
    configuration: &Value,
    endpoint: &Endpoint<'_>,
    writer: &Writer<'_>,
    on_conflict: OnConflict,
) -> Result<Applied, Error> {
    let applied = checked(configuration, endpoint)?;
    let in_live = live.map(entries_of).unwrap_or_default();
    let zero = decode::zero(endpoint.kind);
    let live = live.map_or_else(|| zero.clone(), without_entries);

    let mut managers = Managers::read(&in_live)?;
    if managers.0.is_empty() {
        let before = Writer {
            name: BEFORE_FIRST_APPLY,
            now: writer.now,
        };
        let manager = endpoint.manager(&before, Operation::Update);
        let comparison = endpoint.compare(&zero, &live)?;
        managers = endpoint.record_update(comparison, managers, manager, writer.now);
    }
    let apply = Apply {
        live: &live,
        applied: &applied,
        endpoint,
        manager: endpoint.manager(writer, Operation::Apply),
    };
    let (object, managers) = match apply.run(managers.clone(), writer, on_conflict) {
        Err(Error::Conflicts(conflicts)) if writer.name == last_applied::KUBECTL => {
            let conflicts = last_applied::unresolved(conflicts, &live, endpoint);
            if !conflicts.is_empty() {
                return Err(Error::Conflicts(conflicts));
            }
            apply.run(managers, writer, OnConflict::Force)?
        }
        result => result?,
    };

    let conformed = decode::conform(object, endpoint.kind);
    let mut object = match conformed {
        Ok(decoded) => decoded.value,
        Err(error) => {
            let what = "failed to convert new typed object";
            return Err(refused(what, &applied, endpoint, &error));
        }
    };
    if writer.name == last_applied::KUBECTL {
        last_applied::refresh(&mut object, configuration);
    }
    let mut managed_fields = managers.into_entries();
    // Applying again what is there already must not write.
    if object == live && same_but_for_times(&in_live, &managed_fields) {
        managed_fields = in_live;
    }
    Ok(Applied {
        object,
        managed_fields,
    })
}

struct Apply<'a> {
    live: &'a Value,
    applied: &'a Value,
    endpoint: &'a Endpoint<'a>,
    manager: Manager,
}

impl Apply<'_> {
    fn run(
        &self,
        managers: Managers,
        writer: &Writer<'_>,
        on_conflict: OnConflict,
    ) -> Result<(Value, Managers), Error> {
        let ty = self.endpoint.ty();
        let mut managers = self.endpoint.reconciled(managers);
        let merged = typed::merge(self.live, self.applied, ty)?;
        let fields = typed::field_set(self.applied, ty)?;
        let fields = fields.recursive_difference(self.endpoint.reset_fields);

        let owned = Owned {
            api_version: self.endpoint.api_version.to_owned(),
            fields: fields.clone(),
            time: None,
        };
        let last = managers.0.insert(self.manager.clone(), owned);
        let object = match &last {
            Some(last) if !last.fields.difference(&fields).is_empty() => {
                self.pruned(&merged, &managers, &last.fields)?
            }
            // The manager applies all that it did, so that nothing goes.
            _ => merged,
        };
        self.settle(&object, &mut managers, on_conflict)?;

        let changed = !crate::literal::equal(self.live, &object);
        if let Some(owned) = managers.0.get_mut(&self.manager) {
            owned.fields = self.endpoint.ownable(&owned.fields);
            owned.time = if changed {
                Some(Time::from(writer.now))
            } else {
                last.and_then(|last| last.time)
            };
        }
        managers.drop_empty();
        Ok((object, managers))
    }

    /// Removes what the manager applied last time, does not apply any more, and nobody else owns.
    fn pruned(&self, merged: &Value, managers: &Managers, last: &FieldSet) -> Result<Value, Error> {
        let ty = self.endpoint.ty();
        let named = |set: &FieldSet| typed::with_named_parents(set, ty);
        let last = named(last);
        let of_merged = named(&typed::field_set(merged, ty)?);

        let pruned = typed::remove_items(merged, &last, ty);
        let of_pruned = named(&typed::field_set(&pruned, ty)?);
        // Back come the fields that anybody owns, the manager's present ones among them …
        let owned = managers
            .0
            .values()
            .fold(FieldSet::default(), |all, owned| all.union(&owned.fields));
        let removed = of_merged.difference(&of_pruned.union(&named(&owned)));
        let pruned = typed::remove_items(merged, &removed, ty);
        // … and those that went with a parent although the manager never applied them.
        let of_pruned = named(&typed::field_set(&pruned, ty)?);
        let removed = of_merged.difference(&of_pruned).intersection(&last);
        Ok(match typed::remove_items(merged, &removed, ty) {
            Value::Null => Value::Object(Map::new()),
            object => object,
        })
    }

    /// Finds the conflicts with other managers, and takes from these what the apply changes.
    fn settle(
        &self,
        object: &Value,
        managers: &mut Managers,
        on_conflict: OnConflict,
    ) -> Result<(), Error> {
        let Comparison {
            added,
            modified,
            removed,
        } = self.endpoint.compare(self.live, object)?;
        let changed = added.union(&modified);
        let mut conflicts = Vec::new();
        for (manager, owned) in &mut managers.0 {
            if *manager == self.manager {
                continue;
            }
            let taken = owned.fields.intersection(&changed);
            conflicts.extend(taken.paths().into_iter().map(|path| Conflict {
                manager: manager.clone(),
                path,
            }));
            owned.fields = owned.fields.difference(&taken.union(&removed));
        }
        if on_conflict == OnConflict::Refuse && !conflicts.is_empty() {
            return Err(Error::Conflicts(conflicts));
        }
        managers.drop_empty();
        Ok(())
    }
}

/// The configuration without `kind` and `apiVersion`, if it is one of this endpoint's kind.
fn checked(configuration: &Value, endpoint: &Endpoint<'_>) -> Result<Value, Error> {
    let mut applied = configuration.clone();
    let Value::Object(members) = &mut applied else {
        return Err(Error::Malformed(
            "error decoding patch: not an object".to_owned(),
        ));
    };
    let mut take = |name: &str| match members.remove(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let (kind, version) = (take("kind"), take("apiVersion"));
    if kind != endpoint.kind.short_name() || version != endpoint.api_version {
        let found = group_version_kind(&version, &kind);
        return Err(Error::Malformed(format!("invalid object type: {found}")));
    }
    let entries = applied.get("metadata").and_then(|m| m.get("managedFields"));
    if entries.is_some_and(Value::is_array) {
        let text = "metadata.managedFields must be nil".to_owned();
        return Err(Error::Malformed(text));
    }
    match typed::validate(&applied, endpoint.ty()) {
        Ok(()) => Ok(applied),
        Err(error) => Err(refused(
            "failed to create typed patch object",
            &applied,
            endpoint,
            &error,
        )),
    }
}

fn refused(
    what: &str,
    applied: &Value,
    endpoint: &Endpoint<'_>,
    why: &impl std::fmt::Display,
) -> Error {
    let text = |name: &str| {
        let text = applied.get("metadata").and_then(|m| m.get(name));
        text.and_then(Value::as_str).unwrap_or_default()
    };
    let (namespace, name) = (text("namespace"), text("name"));
    let kind = group_version_kind(endpoint.api_version, endpoint.kind.short_name());
    Error::Invalid(format!("{what} ({namespace}/{name}; {kind}): {why}"))
}

/// As Go prints it: `rbac.authorization.k8s.io/v1, Kind=Role`, `/v1, Kind=Secret`.
fn group_version_kind(api_version: &str, kind: &str) -> String {
    match api_version.contains('/') {
        true => format!("{api_version}, Kind={kind}"),
        false => format!("/{api_version}, Kind={kind}"),
    }
}
