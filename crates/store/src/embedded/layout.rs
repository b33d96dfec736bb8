//! How revisions lie in the database's tables.
//!
//! - `current`: key → create revision, mod revision, value. Reading now is one look-up.
//! - `superseded`: (key, mod revision) → create revision, the revision that ended it, value. The
//!   version was the key's value from its mod revision until just before the one that ended it.
//! - `history`: revision → what happened, the key, the mod revision of the version that it ended.
//!   One record for each revision inside the compaction window.
//! - `meta`: the numbers below.
//!
//! A value is written once and moves to `superseded` when it is replaced. Integers in records are
//! big-endian.

use bytes::Bytes;
use redb::{ReadTransaction, ReadableTable, TableDefinition};

use crate::{KeyValue, Revision};

pub(super) const CURRENT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("current");
pub(super) const SUPERSEDED: TableDefinition<'_, (&[u8], u64), &[u8]> =
    TableDefinition::new("superseded");
pub(super) const HISTORY: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("history");
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// The version of this layout. A database of a newer one is refused.
pub(super) const FORMAT_VERSION: u64 = 1;

/// Names in `meta`.
pub(super) mod meta {
    /// [`super::FORMAT_VERSION`] when the database was created.
    pub(in super::super) const FORMAT: &str = "format";
    /// The newest revision.
    pub(in super::super) const REVISION: &str = "revision";
    /// The oldest revision that can be read.
    pub(in super::super) const COMPACTED: &str = "compacted";
    /// Roughly how many bytes `superseded` and `history` take.
    pub(in super::super) const HISTORY_BYTES: &str = "history-bytes";
}

/// Why stored bytes could not be understood, or not be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// The contract's own answer.
    Answer(crate::Error),
    /// The database failed.
    Database(redb::Error),
    /// A record is not what this version writes.
    Malformed(&'static str),
}

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

pub(super) type Fallible<T> = std::result::Result<T, Fault>;

/// The read side of the tables in one snapshot.
pub(super) struct Tables {
    pub(super) current: redb::ReadOnlyTable<&'static [u8], &'static [u8]>,
    pub(super) superseded: redb::ReadOnlyTable<(&'static [u8], u64), &'static [u8]>,
    pub(super) history: redb::ReadOnlyTable<u64, &'static [u8]>,
    pub(super) revision: Revision,
    pub(super) compacted: Revision,
    pub(super) history_bytes: u64,
}

impl Tables {
    pub(super) fn open(transaction: &ReadTransaction) -> Fallible<Self> {
        let meta = transaction.open_table(META)?;
        Ok(Self {
            current: transaction.open_table(CURRENT)?,
            superseded: transaction.open_table(SUPERSEDED)?,
            history: transaction.open_table(HISTORY)?,
            revision: Revision(number(&meta, meta::REVISION)?),
            compacted: Revision(number(&meta, meta::COMPACTED)?),
            history_bytes: number(&meta, meta::HISTORY_BYTES)?,
        })
    }
}

/// A number of `meta`.
pub(super) fn number(
    table: &impl ReadableTable<&'static str, u64>,
    name: &'static str,
) -> Fallible<u64> {
    let record = table.get(name)?;
    Ok(record
        .ok_or(Fault::Malformed("a number is missing in meta"))?
        .value())
}

/// A record of `current`, or of `superseded`, which has the same form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Version<'a> {
    pub(super) create: u64,
    /// The mod revision in `current`, the revision that ended the version in `superseded`.
    pub(super) other: u64,
    pub(super) value: &'a [u8],
}

impl<'a> Version<'a> {
    pub(super) fn decode(record: &'a [u8]) -> Fallible<Self> {
        let malformed = Fault::Malformed("a version is too short");
        let Some((create, rest)) = record.split_first_chunk() else {
            return Err(malformed);
        };
        let Some((other, value)) = rest.split_first_chunk() else {
            return Err(malformed);
        };
        Ok(Self {
            create: u64::from_be_bytes(*create),
            other: u64::from_be_bytes(*other),
            value,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(16 + self.value.len());
        record.extend_from_slice(&self.create.to_be_bytes());
        record.extend_from_slice(&self.other.to_be_bytes());
        record.extend_from_slice(self.value);
        record
    }

    /// The version as callers see it.
    pub(super) fn to_key_value(&self, key: &[u8], mod_revision: u64) -> Fallible<KeyValue> {
        Ok(KeyValue {
            key: text(key)?.into(),
            value: Bytes::copy_from_slice(self.value),
            create_revision: Revision(self.create),
            mod_revision: Revision(mod_revision),
        })
    }
}

/// A record of `history`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change<'a> {
    pub(super) kind: ChangeKind,
    /// The mod revision of the version that the change ended, 0 if there was none.
    pub(super) ended: u64,
    pub(super) key: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeKind {
    Put,
    Delete,
}

impl<'a> Change<'a> {
    pub(super) fn decode(record: &'a [u8]) -> Fallible<Self> {
        let Some((kind, rest)) = record.split_first() else {
            return Err(Fault::Malformed("a change is empty"));
        };
        let Some((ended, key)) = rest.split_first_chunk() else {
            return Err(Fault::Malformed("a change is too short"));
        };
        Ok(Self {
            kind: match kind {
                1 => ChangeKind::Put,
                2 => ChangeKind::Delete,
                _ => return Err(Fault::Malformed("a change has an unknown kind")),
            },
            ended: u64::from_be_bytes(*ended),
            key,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(9 + self.key.len());
        record.push(match self.kind {
            ChangeKind::Put => 1,
            ChangeKind::Delete => 2,
        });
        record.extend_from_slice(&self.ended.to_be_bytes());
        record.extend_from_slice(self.key);
        record
    }
}

/// What a record of `history` with this key counts, with what the tree adds to it.
pub(super) fn change_size(key: &[u8]) -> u64 {
    (64 + key.len()) as u64
}

/// What a record of `superseded` counts, with what the tree adds to it.
pub(super) fn superseded_size(key: &[u8], value: &[u8]) -> u64 {
    (64 + key.len() + value.len()) as u64
}

pub(super) fn text(key: &[u8]) -> Fallible<&str> {
    std::str::from_utf8(key).map_err(|_| Fault::Malformed("a key is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_version_survives_its_record(create: u64, other: u64, value: Vec<u8>) {
            let version = Version { create, other, value: &value };
            let record = version.encode();
            prop_assert_eq!(Version::decode(&record).unwrap(), version);
        }

        #[test]
        fn a_change_survives_its_record(put: bool, ended: u64, key: Vec<u8>) {
            let kind = if put { ChangeKind::Put } else { ChangeKind::Delete };
            let change = Change { kind, ended, key: &key };
            let record = change.encode();
            prop_assert_eq!(Change::decode(&record).unwrap(), change);
        }

        #[test]
        fn no_record_makes_a_decoder_panic(record: Vec<u8>) {
            let _ = Version::decode(&record);
            let _ = Change::decode(&record);
        }
    }
}
