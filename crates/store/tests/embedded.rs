//! What the embedded engine promises beyond the contract.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: a panic is the verdict"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use burgee_identity::SettableClock;
use burgee_store::{
    EmbeddedOptions, EmbeddedStore, Error, RangeRequest, Revision, Store, Watch, WatchItem,
};
use bytes::Bytes;

fn open(directory: &Path) -> EmbeddedStore {
    EmbeddedStore::open(directory, EmbeddedOptions::default()).unwrap()
}

/// The next item, or a failed test instead of one that hangs.
async fn next(watch: &mut Watch) -> Option<burgee_store::Result<WatchItem>> {
    tokio::time::timeout(Duration::from_secs(60), watch.next())
        .await
        .expect("the watch says something")
}

/// The oldest revision that can still be watched from.
async fn oldest(store: &EmbeddedStore) -> Revision {
    match store.watch("/", Revision(1)).await {
        Ok(_) => Revision(1),
        Err(Error::Compacted { oldest }) => oldest,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn the_directory_and_its_files_are_private() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let store = open(&directory);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_database_that_others_can_read_is_made_private() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store.redb");
    open(directory.path()).close().await.unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let _store = open(directory.path());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_second_opening_names_the_directory_and_the_holder() {
    let directory = tempfile::tempdir().unwrap();
    let _store = open(directory.path());
    match EmbeddedStore::open(directory.path(), EmbeddedOptions::default()) {
        Err(Error::InUse { path, holder }) => {
            assert_eq!(path, directory.path());
            assert_eq!(holder, Some(std::process::id()));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn close_commits_what_waits_and_frees_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()));
    let writes: Vec<_> = (0..100)
        .map(|i| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.create(&format!("/{i}"), Bytes::new()).await })
        })
        .collect();
    store.close().await.unwrap();
    let again = open(directory.path());
    let mut answered = 0;
    for write in writes {
        match write.await.unwrap() {
            Ok(_) => answered += 1,
            Err(error) => assert!(matches!(error, Error::Closed), "{error}"),
        }
    }
    let page = again.range(RangeRequest::under("/")).await.unwrap();
    assert_eq!(page.items.len(), answered);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut watch = store.watch("/", Revision(0)).await.unwrap();
    assert!(next(&mut watch).await.unwrap().is_ok());
    store.close().await.unwrap();
    let closed = |error: Error| assert!(matches!(error, Error::Closed), "{error}");
    closed(next(&mut watch).await.unwrap().unwrap_err());
    closed(store.create("/a", Bytes::new()).await.unwrap_err());
    closed(store.get("/a", None).await.unwrap_err());
    closed(store.range(RangeRequest::under("/")).await.unwrap_err());
    closed(store.revision().await.unwrap_err());
    closed(store.compact(Revision(1)).await.unwrap_err());
    closed(store.watch("/", Revision(0)).await.unwrap_err());
    closed(store.watch("/", Revision(1)).await.unwrap_err());
    closed(store.close().await.unwrap_err());
}

#[tokio::test]
async fn a_dropped_store_ends_its_watches() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut watch = store.watch("/", Revision(0)).await.unwrap();
    drop(store);
    while let Some(item) = next(&mut watch).await {
        assert!(matches!(
            item,
            Ok(WatchItem::Progress(_)) | Err(Error::Closed)
        ));
    }
}

#[tokio::test]
async fn history_is_kept_for_its_period_and_then_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SettableClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let options = EmbeddedOptions {
        clock: clock.clone(),
        history_period: Duration::from_secs(300),
        ..EmbeddedOptions::default()
    };
    let store = EmbeddedStore::open(directory.path(), options).unwrap();
    let first = store.create("/a", "1".into()).await.unwrap();
    let second = store.put("/a", "2".into(), first).await.unwrap();
    clock.advance(Duration::from_secs(299));
    let third = store.put("/a", "3".into(), second).await.unwrap();
    assert_eq!(oldest(&store).await, Revision(1));
    clock.advance(Duration::from_secs(2));
    store.put("/a", "4".into(), third).await.unwrap();
    // What the first write found has grown old, and that is revision 1.
    assert_eq!(oldest(&store).await, Revision(1));
    clock.advance(Duration::from_secs(301));
    // Now it is what the third write found.
    store.create("/b", "1".into()).await.unwrap();
    assert_eq!(oldest(&store).await, second);
    let (kv, _) = store.get("/a", None).await.unwrap();
    assert_eq!(kv.unwrap().value, "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_does_not_outgrow_its_limit() {
    const LIMIT: u64 = 256 * 1024;
    let directory = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions {
        history_bytes: LIMIT,
        ..EmbeddedOptions::default()
    };
    let store = EmbeddedStore::open(directory.path(), options).unwrap();
    let value = Bytes::from(vec![7; 16 * 1024]);
    let mut revision = store.create("/a", value.clone()).await.unwrap();
    for _ in 0..200 {
        revision = store.put("/a", value.clone(), revision).await.unwrap();
    }
    // 3.2 MiB went through; what a watch can replay is near the limit.
    let mut watch = store.watch("/", oldest(&store).await).await.unwrap();
    let mut bytes = 0;
    while let WatchItem::Events(events) = next(&mut watch).await.unwrap().unwrap() {
        bytes += events.len() * value.len();
    }
    assert!(
        bytes as u64 <= LIMIT + LIMIT / 4,
        "{bytes} bytes of history"
    );
}

#[tokio::test]
async fn a_watch_beyond_its_buffer_is_ended_and_can_begin_again() {
    let directory = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions {
        watch_buffer_bytes: 64 * 1024,
        ..EmbeddedOptions::default()
    };
    let store = EmbeddedStore::open(directory.path(), options).unwrap();
    let mut slow = store.watch("/", Revision(0)).await.unwrap();
    let mut elsewhere = store.watch("/elsewhere", Revision(0)).await.unwrap();
    assert!(next(&mut slow).await.unwrap().is_ok());
    for i in 0..20 {
        let value = Bytes::from(vec![7; 8 * 1024]);
        store.create(&format!("/{i}"), value).await.unwrap();
    }
    let ended = next(&mut slow).await.unwrap();
    assert!(matches!(ended, Err(Error::SlowConsumer)), "{ended:?}");
    assert!(next(&mut slow).await.is_none());
    assert!(next(&mut elsewhere).await.unwrap().is_ok());

    let page = store.range(RangeRequest::under("/")).await.unwrap();
    let mut again = store.watch("/", page.revision.next()).await.unwrap();
    store.create("/again", Bytes::new()).await.unwrap();
    loop {
        if let WatchItem::Events(events) = next(&mut again).await.unwrap().unwrap() {
            assert_eq!(&**events[0].key(), "/again");
            break;
        }
    }
}

#[tokio::test]
async fn a_watch_that_keeps_up_may_see_values_larger_than_its_buffer() {
    let directory = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions {
        watch_buffer_bytes: 1024,
        ..EmbeddedOptions::default()
    };
    let store = EmbeddedStore::open(directory.path(), options).unwrap();
    let mut watch = store.watch("/", Revision(0)).await.unwrap();
    for i in 0..3 {
        let value = Bytes::from(vec![7; 8 * 1024]);
        let created = store.create(&format!("/{i}"), value).await.unwrap();
        while next(&mut watch).await.unwrap().unwrap().revision() < created {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_replayed_while_its_consumer_takes_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions {
        watch_buffer_bytes: 1024,
        ..EmbeddedOptions::default()
    };
    let store = EmbeddedStore::open(directory.path(), options).unwrap();
    let keys: Vec<_> = (0..5000).map(|i| format!("/{i}")).collect();
    let creates = keys.iter().map(|key| store.create(key, Bytes::new()));
    futures_util::future::join_all(creates).await;
    let mut watch = store.watch("/", Revision(1)).await.unwrap();
    let mut expected = Revision(2);
    while expected < Revision(5002) {
        if let WatchItem::Events(events) = next(&mut watch).await.unwrap().unwrap() {
            assert!(events.len() <= 1000);
            for event in events {
                assert_eq!(event.revision(), expected);
                expected = expected.next();
            }
        }
    }
}

#[tokio::test]
async fn a_write_whose_caller_went_away_disturbs_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for i in 0..50 {
        let key = format!("/{i}");
        let write = store.create(&key, Bytes::new());
        // Polled once, so that it is on its way, then dropped.
        assert!(
            futures_util::future::select(write, std::future::ready(()))
                .await
                .is_right()
        );
    }
    let last = store.create("/last", Bytes::new()).await.unwrap();
    assert_eq!(store.revision().await.unwrap(), last);
    assert_eq!(last, Revision(52));
}

trait IsRight {
    fn is_right(&self) -> bool;
}

impl<A, B> IsRight for futures_util::future::Either<A, B> {
    fn is_right(&self) -> bool {
        matches!(self, Self::Right(_))
    }
}
