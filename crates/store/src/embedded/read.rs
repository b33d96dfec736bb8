//! Reading one snapshot: a key, a range, a stretch of history.

use std::ops::ControlFlow;

use super::layout::{Change, ChangeKind, Fallible, Fault, Tables, Version, text};
use crate::{Error, Event, KeyValue, Page, RangeRequest, Revision};

impl Tables {
    /// The key right after `revision`, or now.
    pub(super) fn get(
        &self,
        key: &str,
        revision: Option<Revision>,
    ) -> Fallible<(Option<KeyValue>, Revision)> {
        let key = key.as_bytes();
        let at = self.resolve(revision)?;
        if let Some(record) = self.current.get(key)? {
            let version = Version::decode(record.value())?;
            if version.other <= at.0 {
                return Ok((Some(version.to_key_value(key, version.other)?), at));
            }
        }
        if at == self.revision {
            return Ok((None, at));
        }
        // The newest version up to `at`, if nothing had ended it by then.
        let newest = self.superseded.range((key, 0)..=(key, at.0))?.next_back();
        let Some(entry) = newest else {
            return Ok((None, at));
        };
        let (id, record) = entry?;
        let version = Version::decode(record.value())?;
        if version.other <= at.0 {
            return Ok((None, at));
        }
        Ok((Some(version.to_key_value(key, id.value().1)?), at))
    }

    /// The keys under a prefix right after one revision, or now.
    pub(super) fn range(&self, request: RangeRequest<'_>) -> Fallible<Page> {
        let at = self.resolve(request.revision)?;
        let limit = request.limit.filter(|limit| *limit > 0);
        let limit = limit.unwrap_or(usize::MAX);
        let mut page = Page {
            items: Vec::new(),
            revision: at,
            more: false,
            remaining: request.count.then_some(0),
        };
        self.each_version(request, at, |key, mod_revision, version| {
            if page.items.len() < limit {
                page.items.push(version.to_key_value(key, mod_revision)?);
                return Ok(ControlFlow::Continue(()));
            }
            page.more = true;
            let Some(remaining) = &mut page.remaining else {
                return Ok(ControlFlow::Break(()));
            };
            *remaining += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(page)
    }

    /// The events under `prefix` from revision `from` to `until`, both included: as many as fit the
    /// limits of one chunk, and the revision to go on from.
    pub(super) fn events(
        &self,
        prefix: &str,
        from: Revision,
        until: Revision,
        limits: ChunkLimits,
    ) -> Fallible<(Vec<Event>, Revision)> {
        self.check_kept(from)?;
        let mut events = Vec::new();
        let (mut scanned, mut bytes) = (0, 0);
        for entry in self.history.range(from.0..=until.0)? {
            let (revision, record) = entry?;
            let revision = Revision(revision.value());
            if scanned >= limits.changes || bytes >= limits.bytes {
                return Ok((events, revision));
            }
            scanned += 1;
            let change = Change::decode(record.value())?;
            if change.key.starts_with(prefix.as_bytes()) {
                let event = self.event(revision, &change)?;
                bytes += size(&event);
                events.push(event);
            }
        }
        Ok((events, until.next()))
    }

    /// Refuses a revision that has been compacted away.
    pub(super) fn check_kept(&self, revision: Revision) -> Fallible<()> {
        if revision < self.compacted {
            return Err(Fault::Answer(Error::Compacted {
                oldest: self.compacted,
            }));
        }
        Ok(())
    }

    fn resolve(&self, revision: Option<Revision>) -> Fallible<Revision> {
        match revision {
            None | Some(Revision(0)) => Ok(self.revision),
            Some(at) if at > self.revision => Err(Fault::Answer(Error::FutureRevision {
                current: self.revision,
            })),
            Some(at) => self.check_kept(at).map(|()| at),
        }
    }

    /// Hands over the versions that were there at `at`, by key, until `visit` has enough. A key has
    /// at most one.
    ///
    /// The two tables are merged one record at a time: neither is read beyond the key that ends the
    /// visit, whatever lies there, so that pages together cost as much as one range of it all.
    fn each_version(
        &self,
        request: RangeRequest<'_>,
        at: Revision,
        mut visit: impl FnMut(&[u8], u64, &Version<'_>) -> Fallible<ControlFlow<()>>,
    ) -> Fallible<()> {
        let first = first_key(&request);
        let wanted = |key: &[u8]| key.starts_with(request.prefix.as_bytes());
        let mut current = self.current.range(first..)?;
        let mut next_live = || -> Fallible<_> {
            let next = current.next().transpose()?;
            Ok(next.filter(|(key, _)| wanted(key.value())))
        };
        // Nothing that has ended is there now.
        let mut superseded = if at == self.revision {
            None
        } else {
            Some(self.superseded.range((first, 0)..)?)
        };
        let mut next_ended = || -> Fallible<_> {
            let next = superseded.as_mut().and_then(Iterator::next).transpose()?;
            Ok(next.filter(|(id, _)| wanted(id.value().0)))
        };
        let mut offer = |key: &[u8], mod_revision: u64, version: &Version<'_>, there: bool| {
            if there && request.is_after_start(key) {
                visit(key, mod_revision, version)
            } else {
                Ok(ControlFlow::Continue(()))
            }
        };
        let (mut live, mut ended) = (next_live()?, next_ended()?);
        loop {
            let flow = match (&live, &ended) {
                (live, Some((id, record)))
                    if live
                        .as_ref()
                        .is_none_or(|(key, _)| id.value().0 <= key.value()) =>
                {
                    let (key, mod_revision) = id.value();
                    let version = Version::decode(record.value())?;
                    let there = mod_revision <= at.0 && at.0 < version.other;
                    let flow = offer(key, mod_revision, &version, there)?;
                    ended = next_ended()?;
                    flow
                }
                (Some((key, record)), _) => {
                    let version = Version::decode(record.value())?;
                    let there = version.other <= at.0;
                    let flow = offer(key.value(), version.other, &version, there)?;
                    live = next_live()?;
                    flow
                }
                (None, _) => return Ok(()),
            };
            if flow.is_break() {
                return Ok(());
            }
        }
    }

    fn event(&self, revision: Revision, change: &Change<'_>) -> Fallible<Event> {
        let previous = match change.ended {
            0 => None,
            ended => Some(self.version(change.key, ended)?),
        };
        Ok(match change.kind {
            ChangeKind::Put => Event::Put {
                kv: self.version(change.key, revision.0)?,
                previous,
            },
            ChangeKind::Delete => Event::Delete {
                key: text(change.key)?.into(),
                revision,
                previous,
            },
        })
    }

    /// The version that revision `mod_revision` wrote.
    fn version(&self, key: &[u8], mod_revision: u64) -> Fallible<KeyValue> {
        if let Some(record) = self.current.get(key)? {
            let version = Version::decode(record.value())?;
            if version.other == mod_revision {
                return version.to_key_value(key, mod_revision);
            }
        }
        let record = self
            .superseded
            .get((key, mod_revision))?
            .ok_or(Fault::Malformed("a version of the history is missing"))?;
        Version::decode(record.value())?.to_key_value(key, mod_revision)
    }
}

/// How much of the history one chunk of a replay reads, so that it stays short and small.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkLimits {
    /// Changes looked at, whether they match or not.
    pub(super) changes: usize,
    /// Bytes of events; one event more than this may come.
    pub(super) bytes: usize,
}

/// Roughly what an event takes in memory.
pub(super) fn size(event: &Event) -> usize {
    let value = match event {
        Event::Put { kv, .. } => kv.value.len(),
        Event::Delete { .. } => 0,
    };
    let previous = event.previous().map_or(0, |kv| kv.value.len());
    256 + event.key().len() + value + previous
}

/// The first key that a range can hold.
fn first_key<'a>(request: &RangeRequest<'a>) -> &'a [u8] {
    request
        .prefix
        .as_bytes()
        .max(request.start_after.unwrap_or_default().as_bytes())
}

impl RangeRequest<'_> {
    fn is_after_start(&self, key: &[u8]) -> bool {
        self.start_after.is_none_or(|start| key > start.as_bytes())
    }
}
