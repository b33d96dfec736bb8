//! Many keys, old revisions, compaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::value;
use crate::{Error, KeyValue, Page, RangeRequest, Revision, Store};

pub async fn get_shows_a_key_as_it_was(store: Arc<dyn Store>) {
    let created = store.create("/a", value("1")).await.unwrap();
    let put = store.put("/a", value("2"), created).await.unwrap();
    let other = store.create("/b", value("1")).await.unwrap();
    let deleted = store.delete("/a", put).await.unwrap();
    let again = store.create("/a", value("3")).await.unwrap();
    for (revision, expected) in [
        (Revision(1), None),
        (created, Some("1")),
        (put, Some("2")),
        (other, Some("2")),
        (deleted, None),
        (again, Some("3")),
        (Revision(0), Some("3")),
    ] {
        let (kv, at) = store.get("/a", Some(revision)).await.unwrap();
        let shown = kv.as_ref().map(|kv| kv.value.clone());
        assert_eq!(
            shown.as_deref(),
            expected.map(str::as_bytes),
            "at {revision}"
        );
        let expected_at = if revision == Revision(0) {
            again
        } else {
            revision
        };
        assert_eq!(at, expected_at);
        assert!(kv.is_none_or(|kv| kv.mod_revision <= at && kv.create_revision <= at));
    }
}

pub async fn a_range_holds_its_prefix_in_byte_order(store: Arc<dyn Store>) {
    let mut keys = vec![
        "/a",
        "/a/",
        "/a/1",
        "/a/10",
        "/a/2",
        "/a/Z",
        "/a/a",
        "/a/~",
        "/a/ä",
        "/a/\u{10ffff}",
        "/a0",
        "/b/1",
        "0",
    ];
    for key in keys.iter().rev() {
        store
            .create(key, Bytes::from(key.to_string()))
            .await
            .unwrap();
    }
    keys.sort_unstable();
    for prefix in [
        "",
        "/",
        "/a",
        "/a/",
        "/a/1",
        "/a/\u{10ffff}",
        "/c",
        "0",
        "1",
    ] {
        let page = store.range(RangeRequest::under(prefix)).await.unwrap();
        let expected: Vec<_> = keys.iter().filter(|key| key.starts_with(prefix)).collect();
        assert_eq!(
            shown(&page),
            expected.iter().map(|key| **key).collect::<Vec<_>>()
        );
        assert!(page.items.iter().all(|kv| kv.value == kv.key.as_bytes()));
        assert_eq!((page.more, page.remaining), (false, None));
        let counted = store.range(RangeRequest::under(prefix).counting()).await;
        assert_eq!(counted.unwrap().remaining, Some(0));
    }
}

pub async fn pages_cover_a_range_once(store: Arc<dyn Store>) {
    fill(&*store, "/a/", 25).await;
    fill(&*store, "/b/", 5).await;
    let whole = store.range(RangeRequest::under("/a/")).await.unwrap();
    for limit in [1, 7, 24, 25, 26] {
        let pages = pages(&*store, RangeRequest::under("/a/").limit(limit)).await;
        let items: Vec<_> = pages.iter().flat_map(|page| page.items.clone()).collect();
        assert_eq!(items, whole.items, "pages of {limit}");
        let mut left = whole.items.len();
        for page in &pages {
            left -= page.items.len();
            assert_eq!((page.more, page.remaining), (left > 0, None));
        }
    }
    let unlimited = RangeRequest::under("/a/").limit(0);
    assert_eq!(store.range(unlimited).await.unwrap(), whole);
    // A continuation key need not exist, and one outside of the prefix is no harm.
    let page = store
        .range(RangeRequest::under("/a/").start_after("/a/0023x"))
        .await
        .unwrap();
    assert_eq!(shown(&page), ["/a/0024"]);
    for (start, count) in [("/", 25), ("/a/", 25), ("/z", 0)] {
        let request = RangeRequest::under("/a/").start_after(start);
        assert_eq!(store.range(request).await.unwrap().items.len(), count);
    }
}

pub async fn a_page_counts_what_its_limit_cut_off(store: Arc<dyn Store>) {
    fill(&*store, "/a/", 25).await;
    fill(&*store, "/b/", 5).await;
    let then = store.range(RangeRequest::under("/a/")).await.unwrap();
    for step in 0..9 {
        churn(&*store, 1, step).await;
    }
    let now = store.range(RangeRequest::under("/a/")).await.unwrap();
    assert_ne!(
        now.items.len(),
        then.items.len(),
        "the count tells them apart"
    );
    for whole in [then, now] {
        for limit in [1, 7, whole.items.len() - 1, whole.items.len(), 100] {
            let request = RangeRequest::under("/a/").limit(limit).at(whole.revision);
            let mut left = whole.items.len();
            for page in pages(&*store, request.counting()).await {
                left -= page.items.len();
                assert_eq!(
                    (page.more, page.remaining),
                    (left > 0, Some(left as u64)),
                    "pages of {limit} at {}",
                    whole.revision
                );
            }
        }
    }
}

pub async fn a_range_shows_the_past_with_deleted_keys(store: Arc<dyn Store>) {
    // Every revision is noted as it was, then all are read back.
    let mut expected = vec![store.range(RangeRequest::under("/")).await.unwrap()];
    for step in 0..60_u32 {
        let key = format!("/{}", step * 7 % 11);
        let found = store.get(&key, None).await.unwrap().0;
        let new = Bytes::from(step.to_string());
        match found {
            None => store.create(&key, new).await.unwrap(),
            Some(kv) if step.is_multiple_of(3) => {
                store.delete(&key, kv.mod_revision).await.unwrap()
            }
            Some(kv) => store.put(&key, new, kv.mod_revision).await.unwrap(),
        };
        expected.push(store.range(RangeRequest::under("/")).await.unwrap());
    }
    for page in &expected {
        let request = RangeRequest::under("/").at(page.revision);
        assert_eq!(&store.range(request).await.unwrap(), page);
        let limited = pages(&*store, request.limit(2)).await;
        let items: Vec<_> = limited.into_iter().flat_map(|page| page.items).collect();
        assert_eq!(items, page.items, "pages at {}", page.revision);
    }
}

pub async fn pages_at_one_revision_ignore_writes_in_between(store: Arc<dyn Store>) {
    fill(&*store, "/a/", 50).await;
    let whole = store.range(RangeRequest::under("/a/")).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            tokio::spawn(async move {
                for step in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    churn(&*store, writer, step).await;
                }
            })
        })
        .collect();
    for limit in [3, 10, 49] {
        let request = RangeRequest::under("/a/").limit(limit).at(whole.revision);
        let pages = pages(&*store, request).await;
        let items: Vec<_> = pages.into_iter().flat_map(|page| page.items).collect();
        assert_eq!(items, whole.items, "pages of {limit}");
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
}

pub async fn revisions_of_the_future_cannot_be_read(store: Arc<dyn Store>) {
    let current = store.create("/a", value("1")).await.unwrap();
    let future = current.next();
    let get = store.get("/a", Some(future)).await;
    assert!(matches!(get, Err(Error::FutureRevision { current: c }) if c == current));
    let range = store.range(RangeRequest::under("/").at(future)).await;
    assert!(matches!(range, Err(Error::FutureRevision { current: c }) if c == current));
}

pub async fn compaction_forgets_what_was_before(store: Arc<dyn Store>) {
    let first = store.create("/a", value("1")).await.unwrap();
    let second = store.put("/a", value("2"), first).await.unwrap();
    let third = store.put("/a", value("3"), second).await.unwrap();
    store.compact(second).await.unwrap();
    let get = store.get("/a", Some(first)).await;
    assert!(
        matches!(get, Err(Error::Compacted { oldest }) if oldest == second),
        "{get:?}"
    );
    let range = store.range(RangeRequest::under("/").at(first)).await;
    assert!(matches!(range, Err(Error::Compacted { oldest }) if oldest == second));
    let (kv, _) = store.get("/a", Some(second)).await.unwrap();
    assert_eq!(kv.unwrap().value, "2");
    let (kv, _) = store.get("/a", Some(third)).await.unwrap();
    assert_eq!(kv.unwrap().value, "3");
}

pub async fn compaction_keeps_what_is_current(store: Arc<dyn Store>) {
    fill(&*store, "/old/", 20).await;
    let gone = store.create("/gone", value("1")).await.unwrap();
    store.delete("/gone", gone).await.unwrap();
    let before = store.range(RangeRequest::under("")).await.unwrap();
    store.compact(before.revision).await.unwrap();
    let after = store.range(RangeRequest::under("")).await.unwrap();
    assert_eq!(after, before, "compaction is no write");
    let at = store
        .range(RangeRequest::under("").at(before.revision))
        .await
        .unwrap();
    assert_eq!(at, before);
    let kv = &before.items[0];
    store.delete(&kv.key, kv.mod_revision).await.unwrap();
    let at = store
        .range(RangeRequest::under("").at(before.revision))
        .await
        .unwrap();
    assert_eq!(at, before, "what ended after the compaction is kept");
}

pub async fn compaction_goes_only_forward_and_not_into_the_future(store: Arc<dyn Store>) {
    let current = fill(&*store, "/", 10).await;
    let future = store.compact(current.next()).await;
    assert!(
        matches!(future, Err(Error::FutureRevision { .. })),
        "{future:?}"
    );
    store.compact(Revision(5)).await.unwrap();
    store.compact(Revision(5)).await.unwrap();
    store.compact(Revision(3)).await.unwrap();
    store.get("/0001", Some(Revision(5))).await.unwrap();
    store.get("/0001", Some(Revision(4))).await.unwrap_err();
    store.compact(current).await.unwrap();
    store.get("/0001", Some(current)).await.unwrap();
}

/// Creates so many keys; answers the last revision.
pub(super) async fn fill(store: &dyn Store, prefix: &str, count: usize) -> Revision {
    let mut last = Revision(0);
    for i in 0..count {
        let key = format!("{prefix}{i:04}");
        last = store
            .create(&key, Bytes::from(i.to_string()))
            .await
            .unwrap();
    }
    last
}

/// One step of a writer that changes, deletes and creates keys of its own under `/a/`.
pub(super) async fn churn(store: &dyn Store, writer: usize, step: usize) {
    let key = format!("/a/{:04}", step % 13 * 4 + writer);
    let found: Option<KeyValue> = store.get(&key, None).await.unwrap().0;
    let new = Bytes::from(format!("{writer}-{step}"));
    match found {
        None => store.create(&key, new).await.unwrap(),
        Some(kv) if step.is_multiple_of(3) => store.delete(&key, kv.mod_revision).await.unwrap(),
        Some(kv) => store.put(&key, new, kv.mod_revision).await.unwrap(),
    };
}

async fn pages(store: &dyn Store, request: RangeRequest<'_>) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    loop {
        let request = match pages.last() {
            Some(page) => RangeRequest {
                start_after: page.items.last().map(|kv| &*kv.key),
                revision: Some(page.revision),
                ..request
            },
            None => request,
        };
        let page = store.range(request).await.unwrap();
        let more = page.more;
        pages.push(page);
        if !more {
            return pages;
        }
    }
}

fn shown(page: &Page) -> Vec<&str> {
    page.items.iter().map(|kv| &*kv.key).collect()
}
