//! Who owns the fields after an ordinary write: a create, an update, or any patch but apply.

use burgee_wire::{ManagedFieldsEntry, decode};
use serde_json::Value;

use crate::managers::{Managers, Operation};
use crate::ownership::entries_of;
use crate::{Endpoint, Writer};

/// The managed-fields entries of an object after an ordinary write.
///
/// The writer comes to own what it added or changed, nobody owns what it removed, and everything else
/// stays as it is: a write that changes nothing leaves the entries alone. Both objects are in the
/// canonical form of [`burgee_wire::decode`], without `kind` and `apiVersion`; `live` is `None` for a
/// create. Compute it before admission and what the server fills in by itself (not defaults, which
/// belong to the writer).
///
/// Entries that the client sends in `new` count instead of those in `live`, unless they make no sense
/// or the write goes through a subresource. One empty entry removes all of them. An empty list does,
/// too, but canonical objects do not have it: see [`resets_managed_fields`].
///
/// Upstream: `k8s.io/apimachinery/pkg/util/managedfields`, `FieldManager.UpdateNoErrors`.
#[must_use]
pub fn update(
    live: Option<&Value>,
    new: &Value,
    endpoint: &Endpoint<'_>,
    writer: &Writer<'_>,
) -> Vec<ManagedFieldsEntry> {
    let in_live = live.map(entries_of).unwrap_or_default();
    let comparison = match live {
        Some(live) => endpoint.compare(live, new),
        None => endpoint.compare(&decode::zero(endpoint.kind), new),
    };
    let Ok(comparison) = comparison else {
        // Upstream could not compare them either: lists whose items lack their keys, for example.
        return in_live;
    };
    let in_new = entries_of(new);
    let keeps_entries = in_new.is_empty() || in_new == in_live;
    if live.is_some() && keeps_entries && endpoint.is_void(&comparison) {
        return in_live;
    }
    let managers = managers_of(&in_live, &in_new, endpoint);
    if managers.0.is_empty() && live.is_some() {
        // Whose the fields are was never recorded, or is to be forgotten.
        return Vec::new();
    }
    let manager = endpoint.manager(writer, Operation::Update);
    let managers = endpoint.record_update(comparison, managers, manager, writer.now);
    managers.into_entries()
}

/// Whether a body asks to forget who owns its fields: `managedFields` is an empty list, or has one
/// empty entry. Look at the body as the client sent it, or at the outcome of its patch, and then set
/// `managedFields` of the canonical object to one empty entry.
#[must_use]
pub fn resets_managed_fields(body: &Value) -> bool {
    let entries = body.get("metadata").and_then(|m| m.get("managedFields"));
    match entries.and_then(Value::as_array).map(Vec::as_slice) {
        Some([]) => true,
        Some([Value::Object(entry)]) => entry.is_empty(),
        _ => false,
    }
}

fn managers_of(
    live: &[ManagedFieldsEntry],
    new: &[ManagedFieldsEntry],
    endpoint: &Endpoint<'_>,
) -> Managers {
    let in_live = || Managers::read(live).unwrap_or_default();
    if !endpoint.subresource.is_empty() {
        return in_live();
    }
    if let [one] = new
        && *one == ManagedFieldsEntry::default()
    {
        return Managers::default();
    }
    match Managers::read(new) {
        Ok(managers) if !managers.0.is_empty() => managers,
        // Clients that know nothing of these entries must not remove them by accident.
        _ => in_live(),
    }
}
