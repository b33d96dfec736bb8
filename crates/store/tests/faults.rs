//! Faults of disks and files: what an operator is told, and that nothing gets worse.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: a panic is the verdict"
)]

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burgee_store::{
    EmbeddedOptions, EmbeddedStore, Error, KeyValue, RangeRequest, Revision, Store,
};
use bytes::Bytes;

fn try_open(directory: &Path) -> Result<EmbeddedStore, Error> {
    EmbeddedStore::open(directory, EmbeddedOptions::default())
}

/// What an operator reads: the error and what caused it.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A file system of its own in memory; `None` where the tests may not mount.
struct Mount(PathBuf);

impl Mount {
    fn new(path: &Path, options: &str) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(path)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("SKIPPED: needs the right to mount a tmpfs (run as root)");
        }
        mounted.then(|| Self(path.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

/// A closed store with some keys; answers the database file and the keys.
async fn filled(directory: &Path) -> (PathBuf, Vec<KeyValue>) {
    let store = try_open(directory).unwrap();
    let keys: Vec<_> = (0..200).map(|i| format!("/key/{i:04}")).collect();
    let creates = keys
        .iter()
        .map(|key| store.create(key, Bytes::from(key.repeat(40))));
    futures_util::future::join_all(creates).await;
    let page = store.range(RangeRequest::under("")).await.unwrap();
    store.close().await.unwrap();
    (directory.join("store.redb"), page.items)
}

#[test]
fn a_directory_without_parent_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("no/data");
    let error = try_open(&missing).unwrap_err();
    assert!(matches!(&error, Error::Directory { path, .. } if *path == missing));
    assert!(
        error
            .to_string()
            .contains("parent directory does not exist"),
        "{error}"
    );
}

#[test]
fn a_file_in_place_of_the_directory_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = try_open(file.path()).unwrap_err();
    assert!(error.to_string().contains("not a directory"), "{error}");
}

#[tokio::test]
async fn a_read_only_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::new(directory.path(), "ro") else {
        return;
    };
    let error = try_open(directory.path()).unwrap_err();
    assert!(matches!(error, Error::Directory { .. }), "{error:?}");
    let text = chain(&error);
    assert!(text.contains("read-only"), "{text}");
    assert!(
        text.contains(&directory.path().display().to_string()),
        "{text}"
    );
}

#[tokio::test]
async fn what_a_crash_during_creation_left_behind_is_no_obstacle() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("store.redb.new"), b"half").unwrap();
    let store = try_open(directory.path()).unwrap();
    store.create("/a", Bytes::new()).await.unwrap();
    assert!(!directory.path().join("store.redb.new").exists());
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (file, _) = filled(directory.path()).await;
    set_format(&file, 2);
    let error = try_open(directory.path()).unwrap_err();
    assert!(matches!(
        error,
        Error::UnsupportedFormat {
            found: 2,
            supported: 1,
            ..
        }
    ));
    assert!(error.to_string().contains("store.redb"), "{error}");
    set_format(&file, 1);
    try_open(directory.path()).unwrap();
}

fn set_format(file: &Path, version: u64) {
    let database = redb::Database::open(file).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let table = redb::TableDefinition::<&str, u64>::new("meta");
        let mut meta = transaction.open_table(table).unwrap();
        meta.insert("format", version).unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    for content in [
        b"".as_slice(),
        b"{\"json\": true}",
        &[0; 8192],
        &[0xff; 8192],
    ] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("store.redb");
        std::fs::write(&file, content).unwrap();
        let error = try_open(directory.path()).unwrap_err();
        assert!(matches!(error, Error::Corrupted { .. }), "{error:?}");
        assert!(error.to_string().contains("store.redb"), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), content);
    }
}

#[tokio::test]
async fn a_truncated_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (file, _) = filled(directory.path()).await;
    let whole = std::fs::read(&file).unwrap();
    for part in [
        1,
        100,
        whole.len() / 4096 / 2 * 4096,
        whole.len() / 2 + 1,
        whole.len() - 1,
    ] {
        std::fs::write(&file, &whole[..part]).unwrap();
        let error = try_open(directory.path()).unwrap_err();
        assert!(
            matches!(error, Error::Corrupted { .. }),
            "{part} bytes: {error:?}"
        );
        assert_eq!(
            std::fs::read(&file).unwrap(),
            &whole[..part],
            "{part} bytes"
        );
    }
}

#[tokio::test]
async fn flipped_bytes_are_noticed_or_harmless() {
    let directory = tempfile::tempdir().unwrap();
    let (file, keys) = filled(directory.path()).await;
    let whole = std::fs::read(&file).unwrap();
    let mut noticed = 0;
    for page in 0..whole.len() / 4096 {
        let offset = page * 4096 + (page * 997) % 4096;
        std::fs::write(&file, &whole).unwrap();
        let flipped = [whole[offset] ^ 0x5a];
        let handle = OpenOptions::new().write(true).open(&file).unwrap();
        handle.write_all_at(&flipped, offset as u64).unwrap();
        match try_open(directory.path()) {
            Ok(store) => {
                let page = store.range(RangeRequest::under("")).await.unwrap();
                assert_eq!(page.items, keys, "wrong data after a flip at {offset}");
                store.close().await.unwrap();
            }
            Err(error) => {
                noticed += 1;
                assert!(matches!(error, Error::Corrupted { .. }), "{error:?}");
                let now = std::fs::read(&file).unwrap();
                let same =
                    now[..offset] == whole[..offset] && now[offset + 1..] == whole[offset + 1..];
                assert!(
                    same && now[offset] == flipped[0],
                    "changed after a flip at {offset}"
                );
            }
        }
    }
    assert!(noticed > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_writes_only_and_only_while_it_is_full() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::new(directory.path(), "size=32m,mode=0700") else {
        return;
    };
    let store = try_open(directory.path()).unwrap();
    let mut watch = store.watch("/", Revision(2)).await.unwrap();
    let kept = store.create("/kept", "1".into()).await.unwrap();
    let ballast = directory.path().join("ballast");
    let mut answered = vec![(String::from("/kept"), kept)];
    for round in 0..5 {
        // Something else fills the disk, and what is free inside of the file is used up.
        fill(&ballast);
        let error = loop {
            let key = format!("/{round}/{}", answered.len());
            match store.create(&key, Bytes::from(vec![7; 64 * 1024])).await {
                Ok(revision) => answered.push((key, revision)),
                Err(error) => break error,
            }
            assert!(answered.len() < 1000, "the disk does not fill up");
        };
        assert!(
            matches!(error, Error::StorageFull { .. }),
            "{}",
            chain(&error)
        );
        assert!(chain(&error).contains("store.redb"), "{}", chain(&error));
        // Reads go on, during and after.
        for (key, revision) in &answered {
            let (kv, _) = store.get(key, None).await.unwrap();
            assert_eq!(kv.unwrap().mod_revision, *revision);
        }
        store.range(RangeRequest::under("/")).await.unwrap();
        // There is space again: nothing needs a restart.
        std::fs::remove_file(&ballast).unwrap();
        for (key, revision) in answered.drain(1..) {
            store.delete(&key, revision).await.unwrap();
        }
        store
            .compact(store.revision().await.unwrap())
            .await
            .unwrap();
    }
    // The watch was told everything that stayed, once and in order.
    let end = store.create("/end", "1".into()).await.unwrap();
    let mut last = Revision(1);
    while last < end {
        if let burgee_store::WatchItem::Events(events) = watch.next().await.unwrap().unwrap() {
            for event in events {
                assert_eq!(event.revision(), last.next());
                last = event.revision();
            }
        }
    }
    store.close().await.unwrap();
    let store = try_open(directory.path()).unwrap();
    let (kv, _) = store.get("/kept", None).await.unwrap();
    assert_eq!(kv.unwrap().mod_revision, kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_and_watches_do_not_notice_that_writes_keep_failing() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::new(directory.path(), "size=8m,mode=0700") else {
        return;
    };
    let (_, keys) = filled(directory.path()).await;
    let store = Arc::new(try_open(directory.path()).unwrap());
    fill(&directory.path().join("ballast"));
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|reader| {
            let (store, stop, keys) = (Arc::clone(&store), Arc::clone(&stop), keys.clone());
            tokio::spawn(async move {
                let mut reads = 0;
                while !stop.load(Ordering::Relaxed) {
                    let key = &keys[(reads + reader) % keys.len()];
                    assert_eq!(
                        store.get(&key.key, None).await.unwrap().0.as_ref(),
                        Some(key)
                    );
                    let page = store.range(RangeRequest::under("/key/")).await.unwrap();
                    assert_eq!(page.items, keys);
                    let mut watch = store.watch("/key/", Revision(2)).await.unwrap();
                    watch.next().await.unwrap().unwrap();
                    reads += 1;
                }
                reads
            })
        })
        .collect();
    let mut failures = 0;
    for i in 0..400 {
        let written = store
            .create(&format!("/x/{i}"), Bytes::from(vec![7; 64 * 1024]))
            .await;
        failures += usize::from(written.is_err());
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    assert!(failures > 200, "{failures} writes failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_opens_and_reads_on_a_full_disk() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::new(directory.path(), "size=8m,mode=0700") else {
        return;
    };
    let (_, keys) = filled(directory.path()).await;
    fill(&directory.path().join("ballast"));
    let store = try_open(directory.path()).unwrap();
    let page = store.range(RangeRequest::under("")).await.unwrap();
    assert_eq!(page.items, keys);
}

/// Writes a file until the file system is full.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
}
