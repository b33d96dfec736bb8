//! Single keys: writes, their conditions, their revisions.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{is_conflict, value};
use crate::{Error, MAX_KEY_BYTES, MAX_VALUE_BYTES, RangeRequest, Revision, Store};

pub async fn a_new_store_is_empty_at_revision_one(store: Arc<dyn Store>) {
    assert_eq!(store.revision().await.unwrap(), Revision(1));
    assert_eq!(store.get("/a", None).await.unwrap(), (None, Revision(1)));
    let page = store.range(RangeRequest::under("")).await.unwrap();
    assert!(page.items.is_empty() && !page.more);
    assert_eq!((page.revision, page.more), (Revision(1), false));
}

pub async fn every_write_gets_the_next_revision(store: Arc<dyn Store>) {
    assert_eq!(store.create("/a", value("1")).await.unwrap(), Revision(2));
    assert_eq!(store.create("/b", value("1")).await.unwrap(), Revision(3));
    let put = store.put("/a", value("2"), Revision(2)).await.unwrap();
    assert_eq!(put, Revision(4));
    assert_eq!(store.delete("/b", Revision(3)).await.unwrap(), Revision(5));
    assert_eq!(store.revision().await.unwrap(), Revision(5));

    let (kv, revision) = store.get("/a", None).await.unwrap();
    let kv = kv.unwrap();
    assert_eq!(revision, Revision(5));
    assert_eq!((&*kv.key, &*kv.value), ("/a", b"2".as_slice()));
    assert_eq!((kv.create_revision, kv.mod_revision), (Revision(2), put));
}

pub async fn a_key_is_created_once(store: Arc<dyn Store>) {
    store.create("/a", value("1")).await.unwrap();
    let again = store.create("/a", value("2")).await;
    assert!(matches!(again, Err(Error::AlreadyExists)), "{again:?}");
    let (kv, _) = store.get("/a", None).await.unwrap();
    assert_eq!(kv.unwrap().value, "1");
}

pub async fn put_replaces_only_the_expected_revision(store: Arc<dyn Store>) {
    let first = store.create("/a", value("1")).await.unwrap();
    let second = store.put("/a", value("2"), first).await.unwrap();
    let stale = store.put("/a", value("3"), first).await;
    assert!(is_conflict(&stale, Some(second)), "{stale:?}");
    let future = store.put("/a", value("3"), second.next()).await;
    assert!(is_conflict(&future, Some(second)), "{future:?}");
    let missing = store.put("/b", value("3"), second).await;
    assert!(is_conflict(&missing, None), "{missing:?}");
    let Err(Error::Conflict { current: Some(kv) }) = stale else {
        panic!("{stale:?}");
    };
    assert_eq!(kv.value, "2");
}

pub async fn put_at_revision_zero_creates(store: Arc<dyn Store>) {
    let created = store.put("/a", value("1"), Revision(0)).await.unwrap();
    let (kv, _) = store.get("/a", None).await.unwrap();
    assert_eq!(kv.unwrap().create_revision, created);
    let again = store.put("/a", value("2"), Revision(0)).await;
    assert!(is_conflict(&again, Some(created)), "{again:?}");
}

pub async fn delete_removes_only_the_expected_revision(store: Arc<dyn Store>) {
    let first = store.create("/a", value("1")).await.unwrap();
    let second = store.put("/a", value("2"), first).await.unwrap();
    let stale = store.delete("/a", first).await;
    assert!(is_conflict(&stale, Some(second)), "{stale:?}");
    for expected in [Revision(0), first] {
        let missing = store.delete("/b", expected).await;
        assert!(is_conflict(&missing, None), "{missing:?}");
    }
    store.delete("/a", second).await.unwrap();
    assert_eq!(store.get("/a", None).await.unwrap().0, None);
    let again = store.delete("/a", second).await;
    assert!(is_conflict(&again, None), "{again:?}");
}

pub async fn a_key_created_again_counts_anew(store: Arc<dyn Store>) {
    let first = store.create("/a", value("1")).await.unwrap();
    store.delete("/a", first).await.unwrap();
    let second = store.create("/a", value("2")).await.unwrap();
    let kv = store.get("/a", None).await.unwrap().0.unwrap();
    assert_eq!((kv.create_revision, kv.mod_revision), (second, second));
    let stale = store.put("/a", value("3"), first).await;
    assert!(is_conflict(&stale, Some(second)), "{stale:?}");
}

pub async fn refused_writes_move_nothing(store: Arc<dyn Store>) {
    let created = store.create("/a", value("1")).await.unwrap();
    store.create("/a", value("2")).await.unwrap_err();
    store.put("/a", value("2"), Revision(1)).await.unwrap_err();
    store.delete("/a", Revision(1)).await.unwrap_err();
    store.delete("/b", Revision(1)).await.unwrap_err();
    assert_eq!(store.revision().await.unwrap(), created);
}

pub async fn keys_and_values_beyond_the_limits_are_refused(store: Arc<dyn Store>) {
    let longest = "k".repeat(MAX_KEY_BYTES);
    let largest = Bytes::from(vec![7; MAX_VALUE_BYTES]);
    store.create(&longest, largest.clone()).await.unwrap();
    let (kv, _) = store.get(&longest, None).await.unwrap();
    assert_eq!(kv.unwrap().value, largest);

    for key in ["", &format!("{longest}k"), "/a\0b"] {
        let refused = store.create(key, value("1")).await;
        assert!(matches!(refused, Err(Error::InvalidKey { .. })), "{key:?}");
    }
    let too_large = Bytes::from(vec![7; MAX_VALUE_BYTES + 1]);
    let refused = store.create("/a", too_large.clone()).await;
    assert!(matches!(refused, Err(Error::ValueTooLarge { .. })));
    let refused = store.put("/a", too_large, Revision(0)).await;
    assert!(matches!(refused, Err(Error::ValueTooLarge { .. })));
    store.create("/empty", Bytes::new()).await.unwrap();
    let (kv, _) = store.get("/empty", None).await.unwrap();
    assert!(kv.unwrap().value.is_empty());
}

pub async fn of_concurrent_creates_one_wins(store: Arc<dyn Store>) {
    for round in 0..10 {
        let key = format!("/lock/{round}");
        let creates = (0..8).map(|_| store.create(&key, value("mine")));
        let results = futures_util::future::join_all(creates).await;
        let won = results.iter().filter(|result| result.is_ok()).count();
        let lost = results
            .iter()
            .filter(|result| matches!(result, Err(Error::AlreadyExists)))
            .count();
        assert_eq!((won, lost), (1, 7), "{results:?}");
    }
}

pub async fn concurrent_compare_and_put_loses_nothing(store: Arc<dyn Store>) {
    const WRITERS: usize = 8;
    const INCREMENTS: usize = 25;
    store.create("/counter", value("0")).await.unwrap();
    let writers = (0..WRITERS).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for _ in 0..INCREMENTS {
                increment(&*store).await;
            }
        })
    });
    for done in futures_util::future::join_all(writers).await {
        done.unwrap();
    }
    let (kv, revision) = store.get("/counter", None).await.unwrap();
    assert_eq!(kv.unwrap().value, (WRITERS * INCREMENTS).to_string());
    assert_eq!(revision, Revision(2 + (WRITERS * INCREMENTS) as u64));
}

async fn increment(store: &dyn Store) {
    let mut kv = store.get("/counter", None).await.unwrap().0.unwrap();
    loop {
        let count: usize = std::str::from_utf8(&kv.value).unwrap().parse().unwrap();
        let next = Bytes::from((count + 1).to_string());
        match store.put("/counter", next, kv.mod_revision).await {
            Ok(_) => return,
            Err(Error::Conflict { current: Some(now) }) => kv = now,
            Err(error) => panic!("{error}"),
        }
    }
}

pub async fn concurrent_writes_get_revisions_without_gap_or_duplicate(store: Arc<dyn Store>) {
    let keys: Vec<_> = (0..200).map(|i| format!("/key/{i}")).collect();
    let creates = keys.iter().map(|key| store.create(key, value("1")));
    let revisions: BTreeSet<_> = futures_util::future::join_all(creates)
        .await
        .into_iter()
        .map(|result| result.unwrap())
        .collect();
    let expected: BTreeSet<_> = (2..202).map(Revision).collect();
    assert_eq!(revisions, expected);
    for key in &keys {
        let kv = store.get(key, None).await.unwrap().0.unwrap();
        assert!(revisions.contains(&kv.mod_revision));
    }
}

pub async fn a_read_after_an_answer_shows_the_write(store: Arc<dyn Store>) {
    let writers = (0..8).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for i in 0..25 {
                let key = format!("/{writer}/{i}");
                let written = store.create(&key, value("1")).await.unwrap();
                let (kv, at) = store.get(&key, None).await.unwrap();
                assert_eq!(kv.unwrap().mod_revision, written);
                assert!(at >= written, "read at {at} after the answer {written}");
                assert!(store.revision().await.unwrap() >= at);
                let page = store.range(RangeRequest::under(&key)).await.unwrap();
                assert_eq!(page.items[0].mod_revision, written);
            }
        })
    });
    for done in futures_util::future::join_all(writers).await {
        done.unwrap();
    }
}
