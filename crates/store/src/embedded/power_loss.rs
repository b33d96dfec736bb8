//! Power loss: whatever part of the writes since the last sync reached the disk, the store holds
//! every commit that was answered, and every commit entirely or not at all.
//!
//! A recording backend notes what redb writes while batches are committed. From any moment of the
//! record a disk image is made that has everything up to the last sync, and of what follows an
//! arbitrary part, torn at sector boundaries.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use redb::{Builder, Database, StorageBackend};

use super::batch::Batch;
use super::database::make_safe;
use super::writer::Intent;
use super::{EmbeddedOptions, EmbeddedStore};
use crate::{RangeRequest, Revision, Store};

const SECTOR: usize = 512;
const WRITES_PER_COMMIT: u64 = 6;

#[tokio::test]
async fn answered_commits_survive_power_loss_at_any_moment() {
    let record = record(25).await;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let directory = tempfile::tempdir().unwrap();
    let rounds = match std::env::var("BURGEE_LONG_TESTS") {
        Ok(long) if long == "1" => 2000,
        _ => 100,
    };
    for round in 0..rounds {
        let moment = random.below(record.entries.len() + 1);
        let path = directory.path().join(round.to_string());
        std::fs::create_dir(&path).unwrap();
        let answered = record.image(moment, &mut random, &path.join("store.redb"));
        check(&path, answered).await;
        std::fs::remove_dir_all(&path).unwrap();
    }
}

async fn check(path: &Path, answered: Revision) {
    let options = EmbeddedOptions {
        verify_bytes: u64::MAX,
        ..EmbeddedOptions::default()
    };
    let store = EmbeddedStore::open(path, options).unwrap();
    let page = store.range(RangeRequest::under("")).await.unwrap();
    let revision = page.revision;
    assert!(
        revision >= answered,
        "{answered} was answered, {revision} is there"
    );
    assert_eq!((revision.0 - 1) % WRITES_PER_COMMIT, 0, "half a commit");
    for kv in &page.items {
        assert_eq!(kv.value, value(kv.mod_revision));
        assert!(kv.mod_revision <= revision);
    }
    let newest = page.items.iter().map(|kv| kv.mod_revision).max();
    assert_eq!(newest.unwrap_or(Revision(1)), revision);
    store.close().await.unwrap();
}

fn value(revision: Revision) -> String {
    format!("{revision}.").repeat(1 + revision.0 as usize % 700)
}

/// A disk that was empty but for a new store, and what was done to it.
struct Record {
    initial: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
enum Entry {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
    /// Everything up to this revision was answered.
    Answer(Revision),
}

async fn record(commits: u64) -> Record {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), EmbeddedOptions::default()).unwrap();
    store.close().await.unwrap();
    let initial = std::fs::read(directory.path().join("store.redb")).unwrap();
    let disk = Disk::default();
    disk.content.lock().unwrap().clone_from(&initial);
    let database = Builder::new()
        .set_cache_size(1024 * 1024)
        .create_with_backend(disk.clone())
        .unwrap();
    for commit in 0..commits {
        let answered = write(&database, commit);
        disk.note(Entry::Answer(answered));
    }
    drop(database);
    let entries = std::mem::take(&mut *disk.entries.lock().unwrap());
    Record { initial, entries }
}

/// One commit with several writes to a few keys, and some compaction.
fn write(database: &Database, commit: u64) -> Revision {
    let mut transaction = database.begin_write().unwrap();
    make_safe(&mut transaction);
    let mut batch = Batch::open(&transaction).unwrap();
    for write in 0..WRITES_PER_COMMIT {
        let revision = Revision(2 + commit * WRITES_PER_COMMIT + write);
        let key: Arc<str> = format!("/{}", revision.0 * 7 % 23).into();
        let expected = batch.revision_of(&key);
        let intent = Intent::Put {
            value: value(revision).into(),
            expected,
        };
        batch.write(&key, &intent).unwrap();
    }
    batch
        .compact(Revision(1 + commit * WRITES_PER_COMMIT / 2))
        .unwrap();
    let applied = batch.finish().unwrap();
    assert!(applied.answers.iter().all(Result::is_ok));
    transaction.commit().unwrap();
    applied.revision
}

impl Batch<'_> {
    fn revision_of(&self, key: &Arc<str>) -> Revision {
        let found = self.find(key).unwrap();
        found.map_or(Revision(0), |kv| kv.mod_revision)
    }
}

impl Record {
    /// Writes what the disk may hold if power is lost before entry `moment`; answers what had been
    /// answered by then.
    fn image(&self, moment: usize, random: &mut Random, path: &Path) -> Revision {
        let done = &self.entries[..moment];
        let synced = done
            .iter()
            .rposition(|entry| matches!(entry, Entry::Sync))
            .unwrap_or(0);
        let mut content = self.initial.clone();
        let mut answered = Revision(1);
        for (index, entry) in done.iter().enumerate() {
            match entry {
                Entry::Write(offset, data) => {
                    for (sector, part) in data.chunks(SECTOR).enumerate() {
                        if index < synced || random.below(2) == 0 {
                            put(&mut content, *offset as usize + sector * SECTOR, part);
                        }
                    }
                }
                Entry::SetLen(len) => {
                    // A file system keeps its own order: a length is there before what lies in it.
                    content.resize(*len as usize, 0);
                }
                Entry::Answer(revision) => answered = *revision,
                Entry::Sync => {}
            }
        }
        std::fs::write(path, content).unwrap();
        answered
    }
}

fn put(content: &mut [u8], offset: usize, data: &[u8]) {
    content[offset..offset + data.len()].copy_from_slice(data);
}

/// A disk in memory that notes what is done to it.
#[derive(Clone, Debug, Default)]
struct Disk {
    content: Arc<Mutex<Vec<u8>>>,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Disk {
    fn note(&self, entry: Entry) {
        self.entries.lock().unwrap().push(entry);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = offset as usize;
        out.copy_from_slice(&self.content.lock().unwrap()[offset..offset + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.content.lock().unwrap().resize(len as usize, 0);
        self.note(Entry::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.note(Entry::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        put(&mut self.content.lock().unwrap(), offset as usize, data);
        self.note(Entry::Write(offset, data.to_vec()));
        Ok(())
    }
}

/// A small generator, so that a failure can be repeated (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}
