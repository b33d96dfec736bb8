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
    let managers = managers_of(&in_live, &entries_of(new), endpoint);
    if managers.0.is_empty() && live.is_some() {
        // Whose the fields are was never recorded, or is to be forgotten.
        return Vec::new();
    }
    let manager = endpoint.manager(writer, Operation::Update);
    let recorded = match live {
        Some(live) => endpoint.record_update(live, new, managers, manager, writer.now),
        None => {
            let zero = decode::zero(endpoint.kind);
            endpoint.record_update(&zero, new, managers, manager, writer.now)
        }
    };
    // Objects that upstream could not compare either, such as lists whose items lack their keys.
    recorded.map_or(in_live, Managers::into_entries)
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
