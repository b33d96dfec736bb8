//! Who owns which fields: the entries of `metadata.managedFields`, taken apart and put together.

use std::collections::BTreeMap;

use burgee_wire::{ManagedFieldsEntry, Time};
use serde_json::Value;

use crate::{Error, FieldSet};

/// Number of `Update` entries that an object keeps, as upstream.
const MAX_UPDATE_MANAGERS: usize = 10;

/// Name under which the oldest of too many `Update` entries are put together.
const ANCIENT_CHANGES: &str = "ancient-changes";

/// How a manager wrote the fields.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By a create, an update or another patch.
    Update,
}

impl Operation {
    /// The name in a managed-fields entry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// Whose an entry is. Two entries of an object never have the same.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Manager {
    /// Name of the program.
    pub name: String,
    /// How it wrote.
    pub operation: Operation,
    /// Version that it wrote in; empty for appliers, who keep their entry when they change the version.
    pub api_version: String,
    /// Subresource that it wrote, empty for the object itself.
    pub subresource: String,
}

impl std::fmt::Display for Manager {
    /// As conflicts name it: `"alice"`, `"bob" with subresource "status" using v1`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&burgee_wire::quoted(&self.name))?;
        if !self.subresource.is_empty() {
            let subresource = burgee_wire::quoted(&self.subresource);
            write!(f, " with subresource {subresource}")?;
        }
        match self.operation {
            Operation::Apply => Ok(()),
            Operation::Update => write!(f, " using {}", self.api_version),
        }
    }
}

/// What one manager owns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owned {
    pub(crate) api_version: String,
    pub(crate) fields: FieldSet,
    pub(crate) time: Option<Time>,
}

/// All managers of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Managers(pub(crate) BTreeMap<Manager, Owned>);

impl Managers {
    /// Reads the entries of an object.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] for an entry without a known operation, an API version or a field set.
    pub(crate) fn read(entries: &[ManagedFieldsEntry]) -> Result<Self, Error> {
        let mut managers = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let operation = match entry.operation.as_str() {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return Err(malformed("operation must be `Apply` or `Update`")),
            };
            if entry.api_version.is_empty() {
                return Err(malformed("apiVersion must not be empty"));
            }
            match entry.fields_type.as_str() {
                "FieldsV1" => {}
                "" => {
                    let text = format!("missing fieldsType in managed fields entry {index}");
                    return Err(Error::Malformed(text));
                }
                other => {
                    let other = burgee_wire::quoted(other);
                    let text =
                        format!("invalid fieldsType {other} in managed fields entry {index}");
                    return Err(Error::Malformed(text));
                }
            }
            let fields = match &entry.fields_v1 {
                Value::Null => FieldSet::default(),
                fields => FieldSet::from_value(fields)?,
            };
            let manager = Manager {
                name: entry.manager.clone(),
                operation,
                api_version: match operation {
                    Operation::Apply => String::new(),
                    Operation::Update => entry.api_version.clone(),
                },
                subresource: entry.subresource.clone(),
            };
            let owned = Owned {
                api_version: entry.api_version.clone(),
                fields,
                time: entry.time,
            };
            managers.insert(manager, owned);
        }
        Ok(Self(managers))
    }

    /// The entries, appliers first, then by time and name.
    pub(crate) fn into_entries(self) -> Vec<ManagedFieldsEntry> {
        let mut entries: Vec<_> = self.0.into_iter().collect();
        entries.sort_by(|(a, of_a), (b, of_b)| {
            let key = |manager: &Manager, owned: &Owned| (manager.operation, seconds(owned.time));
            key(a, of_a)
                .cmp(&key(b, of_b))
                .then_with(|| a.name.cmp(&b.name))
                .then_with(|| of_a.api_version.cmp(&of_b.api_version))
                .then_with(|| a.subresource.cmp(&b.subresource))
        });
        let entry = |(manager, owned): (Manager, Owned)| ManagedFieldsEntry {
            manager: manager.name,
            operation: manager.operation.as_str().to_owned(),
            api_version: owned.api_version,
            time: owned.time,
            fields_type: "FieldsV1".to_owned(),
            fields_v1: owned.fields.to_value(),
            subresource: manager.subresource,
        };
        entries.into_iter().map(entry).collect()
    }

    /// Puts the oldest `Update` entries together, per API version, until there are no more than ten.
    pub(crate) fn cap_updates(&mut self) {
        let is_update = |manager: &&Manager| manager.operation == Operation::Update;
        let mut updates: Vec<_> = self.0.keys().filter(is_update).cloned().collect();
        let mut excess = updates.len().saturating_sub(MAX_UPDATE_MANAGERS);
        updates.sort_by_cached_key(|manager| {
            let time = self.0.get(manager).and_then(|owned| owned.time);
            (seconds(time), manager.clone())
        });
        // The first entry of a version moves only when a second one joins it.
        let mut first_of_version: BTreeMap<String, Manager> = BTreeMap::new();
        for manager in updates {
            if excess == 0 {
                break;
            }
            let Some(owned) = self.0.get(&manager).cloned() else {
                continue;
            };
            let Some(first) = first_of_version.get(&owned.api_version).cloned() else {
                first_of_version.insert(owned.api_version, manager);
                continue;
            };
            let bucket = Manager {
                name: ANCIENT_CHANGES.to_owned(),
                operation: Operation::Update,
                api_version: owned.api_version.clone(),
                subresource: String::new(),
            };
            if !self.0.contains_key(&bucket)
                && let Some(moved) = self.0.remove(&first)
            {
                self.0.insert(bucket.clone(), moved);
            }
            if manager == bucket {
                continue;
            }
            self.0.remove(&manager);
            if let Some(ancient) = self.0.get_mut(&bucket) {
                ancient.fields = ancient.fields.union(&owned.fields);
                ancient.time = owned.time;
            }
            excess -= 1;
        }
    }

    /// Takes these fields from every manager, and lets go of managers who own nothing.
    pub(crate) fn release(&mut self, fields: &FieldSet) {
        if fields.is_empty() {
            return self.drop_empty();
        }
        for owned in self.0.values_mut() {
            owned.fields = owned.fields.difference(fields);
        }
        self.drop_empty();
    }

    /// Lets go of managers who own nothing.
    pub(crate) fn drop_empty(&mut self) {
        self.0.retain(|_, owned| !owned.fields.is_empty());
    }
}

/// Whether the entries say the same, whenever it was written.
///
/// A write that changes nothing else is none: keep the live entries then, and store nothing.
/// Upstream: `IgnoreManagedFieldsTimestampsTransformer`.
#[must_use]
pub fn same_but_for_times(one: &[ManagedFieldsEntry], other: &[ManagedFieldsEntry]) -> bool {
    let timeless = |entries: &[ManagedFieldsEntry]| {
        let managers = Managers::read(entries).ok()?;
        let owned = managers.0.into_iter().map(|(manager, owned)| {
            let owned = Owned {
                time: None,
                ..owned
            };
            (manager, owned)
        });
        Some(owned.collect::<BTreeMap<_, _>>())
    };
    match (timeless(one), timeless(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

fn seconds(time: Option<Time>) -> i64 {
    time.map_or(0, |time| time.timestamp().as_second())
}

fn malformed(text: &str) -> Error {
    Error::Malformed(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn update(name: &str, second: i64, version: &str, fields: &[&str]) -> (Manager, Owned) {
        let manager = Manager {
            name: name.to_owned(),
            operation: Operation::Update,
            api_version: version.to_owned(),
            subresource: String::new(),
        };
        let time = jiff::Timestamp::from_second(second).unwrap();
        let owned = Owned {
            api_version: version.to_owned(),
            fields: FieldSet::of_fields(fields),
            time: Some(time.into()),
        };
        (manager, owned)
    }

    #[test]
    fn the_oldest_updates_beyond_ten_become_one_entry() {
        let mut managers = Managers::default();
        for (index, name) in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"]
            .iter()
            .enumerate()
        {
            let field = format!("data.{name}");
            let second = i64::try_from(index).unwrap();
            managers.0.extend([update(name, second, "v1", &[&field])]);
        }
        managers.cap_updates();
        let entries = managers.into_entries();
        assert_eq!(entries.len(), 10);
        let ancient = entries.first().unwrap();
        assert_eq!(ancient.manager, "ancient-changes");
        assert_eq!(ancient.time.unwrap().to_string(), "1970-01-01T00:00:02Z");
        assert_eq!(
            ancient.fields_v1,
            json!({"f:data": {"f:a": {}, "f:b": {}, "f:c": {}}})
        );
    }

    #[test]
    fn ten_updates_stay_and_later_ones_join_the_ancient_one() {
        let mut managers = Managers::default();
        managers
            .0
            .extend([update("ancient-changes", 1, "v1", &["data.a"])]);
        for second in 2..12 {
            let name = format!("m{second:02}");
            managers
                .0
                .extend([update(&name, second, "v1", &[&format!("data.{name}")])]);
        }
        managers.cap_updates();
        assert_eq!(managers.0.len(), 10);
        let before = managers.clone();
        managers.cap_updates();
        assert_eq!(managers, before);
        let entries = managers.into_entries();
        assert_eq!(
            entries[0].fields_v1,
            json!({"f:data": {"f:a": {}, "f:m02": {}}})
        );
    }

    #[test]
    fn entries_stand_by_operation_time_and_name() {
        let mut managers = Managers::default();
        managers
            .0
            .extend([update("b", 1, "v1", &["a"]), update("a", 1, "v1", &["a"])]);
        managers.0.extend([update("c", 0, "v1", &["a"])]);
        let (mut applier, owned) = update("z", 9, "v1", &["a"]);
        applier.operation = Operation::Apply;
        managers.0.insert(applier, owned);
        let names: Vec<_> = managers
            .into_entries()
            .into_iter()
            .map(|e| e.manager)
            .collect();
        assert_eq!(names, ["z", "c", "a", "b"]);
    }

    #[test]
    fn an_entry_that_says_nothing_sensible_is_refused() {
        let entry =
            |operation: &str, version: &str, kind: &str, fields: Value| ManagedFieldsEntry {
                operation: operation.to_owned(),
                api_version: version.to_owned(),
                fields_type: kind.to_owned(),
                fields_v1: fields,
                ..ManagedFieldsEntry::default()
            };
        let table = [
            (
                entry("", "v1", "FieldsV1", json!({})),
                "operation must be `Apply` or `Update`",
            ),
            (
                entry("Apply", "", "FieldsV1", json!({})),
                "apiVersion must not be empty",
            ),
            (
                entry("Apply", "v1", "", json!({})),
                "missing fieldsType in managed fields entry 0",
            ),
            (
                entry("Apply", "v1", "V2", json!({})),
                "invalid fieldsType \"V2\" in managed fields entry 0",
            ),
            (
                entry("Apply", "v1", "FieldsV1", json!([])),
                "a field set is an object",
            ),
        ];
        for (entry, text) in table {
            assert_eq!(Managers::read(&[entry]).unwrap_err().to_string(), text);
        }
    }
}
