//! Writes and compaction inside one transaction.

use std::sync::Arc;

use bytes::Bytes;
use redb::{ReadableTable, Table, WriteTransaction};

use super::layout::{
    CURRENT, Change, ChangeKind, Fallible, Fault, HISTORY, META, SUPERSEDED, Version, change_size,
    meta, number, superseded_size,
};
use super::writer::Intent;
use crate::{Error, Event, KeyValue, Result, Revision};

/// How many revisions one transaction forgets at most, so that writes do not wait for long.
const COMPACTION_STEP: usize = 1000;

/// A transaction that is being filled.
pub(super) struct Batch<'t> {
    current: Table<'t, &'static [u8], &'static [u8]>,
    superseded: Table<'t, (&'static [u8], u64), &'static [u8]>,
    history: Table<'t, u64, &'static [u8]>,
    meta: Table<'t, &'static str, u64>,
    applied: Applied,
}

/// What a transaction did.
pub(super) struct Applied {
    /// One for each write, in order.
    pub(super) answers: Vec<Result<Revision>>,
    /// One for each revision.
    pub(super) events: Vec<Event>,
    pub(super) revision: Revision,
    pub(super) compacted: Revision,
    pub(super) history_bytes: u64,
    /// Whether there is anything to commit.
    pub(super) changed: bool,
}

impl<'t> Batch<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Fallible<Self> {
        let meta = transaction.open_table(META)?;
        let applied = Applied {
            answers: Vec::new(),
            events: Vec::new(),
            revision: Revision(number(&meta, meta::REVISION)?),
            compacted: Revision(number(&meta, meta::COMPACTED)?),
            history_bytes: number(&meta, meta::HISTORY_BYTES)?,
            changed: false,
        };
        Ok(Self {
            current: transaction.open_table(CURRENT)?,
            superseded: transaction.open_table(SUPERSEDED)?,
            history: transaction.open_table(HISTORY)?,
            meta,
            applied,
        })
    }

    /// Applies one write, or records why it cannot be.
    pub(super) fn write(&mut self, key: &Arc<str>, intent: &Intent) -> Fallible<()> {
        let found = self.find(key)?;
        let found_revision = found.as_ref().map(|kv| kv.mod_revision);
        let conflict = Error::Conflict { current: None };
        let answer = match intent {
            Intent::Create(_) if found.is_some() => Err(Error::AlreadyExists),
            Intent::Put { expected, .. } if *expected != found_revision.unwrap_or_default() => {
                Err(conflict)
            }
            Intent::Delete { expected } if found_revision != Some(*expected) => Err(conflict),
            Intent::Create(value) | Intent::Put { value, .. } => {
                Ok(self.put(key, value.clone(), found.clone())?)
            }
            Intent::Delete { .. } => Ok(self.delete(key, found.clone())?),
        };
        self.applied
            .answers
            .push(answer.map_err(|error| match error {
                Error::Conflict { .. } => Error::Conflict { current: found },
                other => other,
            }));
        Ok(())
    }

    /// Forgets what was before `target`, or the oldest part of it.
    pub(super) fn compact(&mut self, target: Revision) -> Fallible<()> {
        if target <= self.applied.compacted || target > self.applied.revision {
            return Ok(());
        }
        let mut oldest = Vec::new();
        for entry in self.history.range(..target.0)?.take(COMPACTION_STEP) {
            let (revision, record) = entry?;
            let change = Change::decode(record.value())?;
            oldest.push((revision.value(), change.key.to_vec(), change.ended));
        }
        let mut freed = 0;
        for (revision, key, ended) in &oldest {
            self.history.remove(revision)?;
            freed += change_size(key);
            if *ended != 0 {
                let removed = self.superseded.remove((key.as_slice(), *ended))?;
                let removed = removed.ok_or(Fault::Malformed("a version is missing"))?;
                freed += superseded_size(key, Version::decode(removed.value())?.value);
            }
        }
        self.applied.compacted = match oldest.last() {
            Some((last, ..)) if oldest.len() == COMPACTION_STEP => Revision(*last).next(),
            _ => target,
        };
        self.applied.history_bytes = self.applied.history_bytes.saturating_sub(freed);
        self.applied.changed = true;
        Ok(())
    }

    /// Writes the numbers down; what is left is to commit.
    pub(super) fn finish(mut self) -> Fallible<Applied> {
        if self.applied.changed {
            self.meta.insert(meta::REVISION, self.applied.revision.0)?;
            self.meta
                .insert(meta::COMPACTED, self.applied.compacted.0)?;
            self.meta
                .insert(meta::HISTORY_BYTES, self.applied.history_bytes)?;
        }
        Ok(self.applied)
    }

    /// The key as the transaction has it so far.
    pub(super) fn find(&self, key: &Arc<str>) -> Fallible<Option<KeyValue>> {
        let Some(record) = self.current.get(key.as_bytes())? else {
            return Ok(None);
        };
        let version = Version::decode(record.value())?;
        Ok(Some(KeyValue {
            key: Arc::clone(key),
            value: Bytes::copy_from_slice(version.value),
            create_revision: Revision(version.create),
            mod_revision: Revision(version.other),
        }))
    }

    fn put(
        &mut self,
        key: &Arc<str>,
        value: Bytes,
        previous: Option<KeyValue>,
    ) -> Fallible<Revision> {
        let revision = self.record(ChangeKind::Put, key, previous.as_ref())?;
        let kv = KeyValue {
            key: Arc::clone(key),
            value,
            create_revision: previous.as_ref().map_or(revision, |kv| kv.create_revision),
            mod_revision: revision,
        };
        let version = Version {
            create: kv.create_revision.0,
            other: revision.0,
            value: &kv.value,
        };
        self.current
            .insert(key.as_bytes(), version.encode().as_slice())?;
        self.applied.events.push(Event::Put { kv, previous });
        Ok(revision)
    }

    fn delete(&mut self, key: &Arc<str>, previous: Option<KeyValue>) -> Fallible<Revision> {
        let revision = self.record(ChangeKind::Delete, key, previous.as_ref())?;
        self.current.remove(key.as_bytes())?;
        self.applied.events.push(Event::Delete {
            key: Arc::clone(key),
            revision,
            previous,
        });
        Ok(revision)
    }

    /// Takes the next revision, notes what it does and keeps the version that it ends.
    fn record(
        &mut self,
        kind: ChangeKind,
        key: &Arc<str>,
        previous: Option<&KeyValue>,
    ) -> Fallible<Revision> {
        let revision = self.applied.revision.next();
        self.applied.revision = revision;
        self.applied.changed = true;
        let key = key.as_bytes();
        let change = Change {
            kind,
            ended: previous.map_or(0, |kv| kv.mod_revision.0),
            key,
        };
        self.history
            .insert(revision.0, change.encode().as_slice())?;
        self.applied.history_bytes += change_size(key);
        if let Some(previous) = previous {
            let version = Version {
                create: previous.create_revision.0,
                other: revision.0,
                value: &previous.value,
            };
            self.superseded
                .insert((key, previous.mod_revision.0), version.encode().as_slice())?;
            self.applied.history_bytes += superseded_size(key, &previous.value);
        }
        Ok(revision)
    }
}
