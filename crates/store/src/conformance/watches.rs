//! Watches.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::ranges::{churn, fill};
use super::{soon, take_events, take_until, value};
use crate::{Error, Event, KeyValue, RangeRequest, Revision, Store, WatchItem};

pub async fn a_watch_tells_what_happened_with_what_was_before(store: Arc<dyn Store>) {
    let mut watch = store.watch("/", Revision(0)).await.unwrap();
    let created = store.create("/a", value("1")).await.unwrap();
    let put = store.put("/a", value("2"), created).await.unwrap();
    let deleted = store.delete("/a", put).await.unwrap();
    let first = key_value("/a", "1", created, created);
    let second = key_value("/a", "2", created, put);
    let expected = [
        Event::Put {
            kv: first.clone(),
            previous: None,
        },
        Event::Put {
            kv: second.clone(),
            previous: Some(first),
        },
        Event::Delete {
            key: "/a".into(),
            revision: deleted,
            previous: Some(second),
        },
    ];
    assert_eq!(take_events(&mut watch, 3).await, expected);
    // The same from the past.
    let mut replay = store.watch("/", Revision(1)).await.unwrap();
    assert_eq!(take_events(&mut replay, 3).await, expected);
}

pub async fn a_watch_sees_only_its_prefix(store: Arc<dyn Store>) {
    let mut live = store.watch("/a/", Revision(1)).await.unwrap();
    for key in ["/a", "/a/1", "/a0", "/b/1", "/a/2"] {
        store.create(key, value("1")).await.unwrap();
    }
    let mut replay = store.watch("/a/", Revision(1)).await.unwrap();
    for watch in [&mut live, &mut replay] {
        let events = take_events(watch, 2).await;
        let keys: Vec<_> = events.iter().map(|event| &**event.key()).collect();
        assert_eq!(keys, ["/a/1", "/a/2"]);
    }
}

pub async fn a_watch_replays_the_past_then_goes_live(store: Arc<dyn Store>) {
    let last = fill(&*store, "/", 20).await;
    let mut watch = store.watch("/", Revision(12)).await.unwrap();
    let replayed = take_until(&mut watch, last).await;
    assert_eq!(revisions(&replayed), (12..=21).collect::<Vec<_>>());
    store.create("/live", value("1")).await.unwrap();
    assert_eq!(revisions(&take_events(&mut watch, 1).await), [22]);
}

pub async fn a_watch_from_zero_begins_now(store: Arc<dyn Store>) {
    let last = fill(&*store, "/", 3).await;
    let mut watch = store.watch("/", Revision(0)).await.unwrap();
    store.create("/live", value("1")).await.unwrap();
    let events = take_events(&mut watch, 1).await;
    assert_eq!(events[0].revision(), last.next());
}

pub async fn a_watch_from_the_future_waits(store: Arc<dyn Store>) {
    let last = fill(&*store, "/past/", 3).await;
    let mut watch = store.watch("/", Revision(last.0 + 3)).await.unwrap();
    fill(&*store, "/live/", 5).await;
    let events = take_events(&mut watch, 3).await;
    assert_eq!(events[0].revision(), Revision(last.0 + 3));
}

pub async fn a_watch_from_a_compacted_revision_is_refused(store: Arc<dyn Store>) {
    let last = fill(&*store, "/", 10).await;
    store.compact(last).await.unwrap();
    let refused = store.watch("/", Revision(last.0 - 1)).await;
    match refused {
        Err(Error::Compacted { oldest }) => assert_eq!(oldest, last),
        // An engine that learns of it only from the stream.
        Ok(mut watch) => {
            let item = soon("the refusal", watch.next()).await;
            assert!(
                matches!(item, Some(Err(Error::Compacted { oldest })) if oldest == last),
                "{item:?}"
            );
            assert!(soon("the end", watch.next()).await.is_none());
        }
        Err(error) => panic!("{error}"),
    }
}

pub async fn a_watch_from_the_compacted_revision_itself_tells_previous_values(
    store: Arc<dyn Store>,
) {
    let first = store.create("/a", value("1")).await.unwrap();
    let second = store.put("/a", value("2"), first).await.unwrap();
    let third = store.put("/a", value("3"), second).await.unwrap();
    store.compact(second).await.unwrap();
    let mut watch = store.watch("/", second).await.unwrap();
    let events = take_events(&mut watch, 2).await;
    assert_eq!(revisions(&events), [second.0, third.0]);
    // etcd has forgotten what was before the compacted revision, an engine may know it still.
    let previous = events[0].previous().map(|kv| kv.value.clone());
    assert!(previous.is_none_or(|value| value == "1"));
    assert_eq!(events[1].previous().unwrap().value, "2");
}

pub async fn a_watch_learns_of_progress_elsewhere(store: Arc<dyn Store>) {
    let mut watch = store.watch("/a/", Revision(1)).await.unwrap();
    assert!(take_until(&mut watch, Revision(1)).await.is_empty());
    let last = fill(&*store, "/b/", 3).await;
    assert!(take_until(&mut watch, last).await.is_empty());
}

pub async fn watches_miss_and_repeat_nothing_while_writers_go_on(store: Arc<dyn Store>) {
    const WRITERS: usize = 4;
    const STEPS: usize = 100;
    let end = Revision(1 + (WRITERS * STEPS) as u64);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for step in 0..STEPS {
                    churn(&*store, writer, step).await;
                }
            })
        })
        .collect();
    // Watches begin all the time, at the beginning, in the middle and at the present.
    let mut watches = Vec::new();
    loop {
        let current = store.revision().await.unwrap();
        for from in [Revision(1), Revision(1 + current.0 / 2), current] {
            let store = Arc::clone(&store);
            watches.push(tokio::spawn(async move {
                let mut watch = store.watch("/", from).await.unwrap();
                let events = take_until(&mut watch, end).await;
                let expected: Vec<_> = (from.0.max(2)..=end.0).collect();
                assert_eq!(revisions(&events), expected, "from {from}");
                (from, events)
            }));
        }
        if current == end {
            break;
        }
        tokio::task::yield_now().await;
        if watches.len() > 300 {
            soon("the writers", wait_for(&*store, end)).await;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let now = store.range(RangeRequest::under("/")).await.unwrap().items;
    for watch in watches {
        let (from, events) = watch.await.unwrap();
        if from == Revision(1) {
            assert_eq!(replayed(&events), now);
        }
    }
}

pub async fn a_read_after_an_event_shows_it(store: Arc<dyn Store>) {
    let mut watch = store.watch("/", Revision(0)).await.unwrap();
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { fill(&*store, "/", 50).await })
    };
    for _ in 0..50 {
        let item = soon("an event", watch.next()).await.unwrap().unwrap();
        let told = item.revision();
        assert!(store.revision().await.unwrap() >= told);
        if let WatchItem::Events(events) = item {
            for event in events {
                let (kv, at) = store.get(event.key(), None).await.unwrap();
                assert!(kv.is_some() && at >= event.revision());
            }
        }
        if told == Revision(51) {
            break;
        }
    }
    writer.await.unwrap();
}

pub async fn a_slow_watch_holds_up_nobody_and_never_skips(store: Arc<dyn Store>) {
    let mut watch = store.watch("/", Revision(1)).await.unwrap();
    let mut expected = Revision(2);
    soon("the first item", watch.next()).await.unwrap().unwrap();
    // 48 MiB: more than any engine should hold for one watch.
    let large = Bytes::from(vec![7; 256 * 1024]);
    for i in 0..192 {
        let key = format!("/{i:04}");
        let created = store.create(&key, large.clone());
        soon("a write beside a slow watch", created).await.unwrap();
    }
    let end = store.revision().await.unwrap();
    loop {
        match soon("the watch", watch.next()).await {
            Some(Ok(WatchItem::Events(events))) => {
                for event in events {
                    assert_eq!(event.revision(), expected, "a skipped event");
                    expected = expected.next();
                }
            }
            Some(Ok(WatchItem::Progress(told))) => {
                assert!(told < expected, "progress beyond what was told");
            }
            // Told clearly, and for good.
            Some(Err(Error::SlowConsumer)) => {
                assert!(soon("the end", watch.next()).await.is_none());
                break;
            }
            Some(Err(error)) => panic!("{error}"),
            None => panic!("the watch ended without a word"),
        }
        if expected > end {
            break;
        }
    }
}

async fn wait_for(store: &dyn Store, revision: Revision) {
    let mut watch = store.watch("/", revision).await.unwrap();
    take_until(&mut watch, revision).await;
}

fn revisions(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.revision().0).collect()
}

/// What a consumer has that keeps a copy; checks that every event fits what was told before.
fn replayed(events: &[Event]) -> Vec<KeyValue> {
    let mut copy: BTreeMap<Arc<str>, KeyValue> = BTreeMap::new();
    for event in events {
        assert_eq!(copy.get(event.key()), event.previous());
        match event {
            Event::Put { kv, .. } => copy.insert(Arc::clone(&kv.key), kv.clone()),
            Event::Delete { key, .. } => copy.remove(key),
        };
    }
    copy.into_values().collect()
}

fn key_value(key: &str, value: &'static str, create: Revision, modified: Revision) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Bytes::from_static(value.as_bytes()),
        create_revision: create,
        mod_revision: modified,
    }
}
