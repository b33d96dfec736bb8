//! Reading one snapshot: a key, a range, a stretch of history.

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
            remaining: 0,
        };
        let mut add = |key: &[u8], mod_revision: u64, version: &Version<'_>| -> Fallible<()> {
            if page.items.len() >= limit {
                page.remaining += 1;
            } else {
                page.items.push(version.to_key_value(key, mod_revision)?);
            }
            Ok(())
        };
        if at == self.revision {
            self.each_current(request, at, &mut add)?;
        } else {
            self.each_past(request, at, &mut add)?;
        }
        page.more = page.remaining > 0;
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

    /// Versions in `current` that were there at `at`.
    fn each_current(
        &self,
        request: RangeRequest<'_>,
        at: Revision,
        add: &mut impl FnMut(&[u8], u64, &Version<'_>) -> Fallible<()>,
    ) -> Fallible<()> {
        let prefix = request.prefix.as_bytes();
        for entry in self.current.range(first_key(&request)..)? {
            let (key, record) = entry?;
            if !key.value().starts_with(prefix) {
                break;
            }
            let version = Version::decode(record.value())?;
            if request.is_after_start(key.value()) && version.other <= at.0 {
                add(key.value(), version.other, &version)?;
            }
        }
        Ok(())
    }

    /// Versions of both tables that were there at `at`: the two are merged by key. A key has at most
    /// one such version.
    fn each_past(
        &self,
        request: RangeRequest<'_>,
        at: Revision,
        add: &mut impl FnMut(&[u8], u64, &Version<'_>) -> Fallible<()>,
    ) -> Fallible<()> {
        let prefix = request.prefix.as_bytes();
        let first = first_key(&request);
        let mut superseded = self.superseded.range((first, 0)..)?;
        let mut next_ended = || -> Fallible<_> {
            for entry in superseded.by_ref() {
                let (id, record) = entry?;
                let (key, mod_revision) = id.value();
                if !key.starts_with(prefix) {
                    return Ok(None);
                }
                let ended = Version::decode(record.value())?.other;
                if request.is_after_start(key) && mod_revision <= at.0 && at.0 < ended {
                    return Ok(Some((id, record)));
                }
            }
            Ok(None)
        };
        let mut ended = next_ended()?;
        self.each_current(request, at, &mut |key, mod_revision, version| {
            while let Some((id, record)) = &ended {
                let (ended_key, ended_mod) = id.value();
                if ended_key >= key {
                    break;
                }
                add(ended_key, ended_mod, &Version::decode(record.value())?)?;
                ended = next_ended()?;
            }
            add(key, mod_revision, version)
        })?;
        while let Some((id, record)) = &ended {
            let (ended_key, ended_mod) = id.value();
            add(ended_key, ended_mod, &Version::decode(record.value())?)?;
            ended = next_ended()?;
        }
        Ok(())
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
