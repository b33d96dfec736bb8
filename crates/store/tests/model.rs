//! The embedded engine against a model that keeps every revision in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: a panic is the verdict"
)]

use std::collections::BTreeMap;
use std::path::Path;

use burgee_store::{
    EmbeddedOptions, EmbeddedStore, Error, Event, KeyValue, RangeRequest, Result, Revision, Store,
    WatchItem,
};
use bytes::Bytes;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 400, ..Default::default() })]

    #[test]
    fn every_sequence_of_operations_ends_as_in_the_model(steps in prop::collection::vec(step(), 1..60)) {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .unwrap()
            .block_on(run(steps));
    }
}

/// Which revision a write expects.
#[derive(Clone, Copy, Debug)]
enum Expect {
    Right,
    Zero,
    Stale,
}

#[derive(Clone, Debug)]
enum Step {
    Create(u8, Vec<u8>),
    Put(u8, Vec<u8>, Expect),
    Delete(u8, Expect),
    /// Several writes at once, which may share a commit.
    Together(Vec<(u8, Vec<u8>)>),
    /// To this part of the history, in 255ths.
    Compact(u8),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let value = || prop::collection::vec(any::<u8>(), 0..40);
    let key = || 0..8_u8;
    let expect = || {
        prop_oneof![
            4 => Just(Expect::Right),
            1 => Just(Expect::Zero),
            1 => Just(Expect::Stale)
        ]
    };
    prop_oneof![
        3 => (key(), value()).prop_map(|(key, value)| Step::Create(key, value)),
        4 => (key(), value(), expect()).prop_map(|(key, value, e)| Step::Put(key, value, e)),
        3 => (key(), expect()).prop_map(|(key, e)| Step::Delete(key, e)),
        1 => prop::collection::vec((key(), value()), 2..6).prop_map(Step::Together),
        1 => any::<u8>().prop_map(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

/// Keys that are prefixes of each other and differ in the bytes around `/`.
fn key(index: u8) -> &'static str {
    ["/a", "/a/", "/a/b", "/a/b/c", "/a0", "/b", "/ä", "/~"][usize::from(index)]
}

#[derive(Debug)]
struct Model {
    /// The state after revision 1, 2, …
    states: Vec<BTreeMap<&'static str, KeyValue>>,
    events: Vec<Event>,
    compacted: Revision,
}

impl Model {
    fn revision(&self) -> Revision {
        Revision(self.states.len() as u64)
    }

    fn now(&self) -> &BTreeMap<&'static str, KeyValue> {
        self.states.last().unwrap()
    }

    fn found(&self, key: &str) -> Revision {
        self.now()
            .get(key)
            .map_or(Revision(0), |kv| kv.mod_revision)
    }

    fn put(&mut self, key: &'static str, value: &[u8]) {
        let mut state = self.now().clone();
        let revision = self.revision().next();
        let previous = state.get(key).cloned();
        let kv = KeyValue {
            key: key.into(),
            value: Bytes::copy_from_slice(value),
            create_revision: previous.as_ref().map_or(revision, |kv| kv.create_revision),
            mod_revision: revision,
        };
        state.insert(key, kv.clone());
        self.states.push(state);
        self.events.push(Event::Put { kv, previous });
    }

    fn delete(&mut self, key: &'static str) {
        let mut state = self.now().clone();
        let revision = self.revision().next();
        let previous = state.remove(key);
        self.states.push(state);
        self.events.push(Event::Delete {
            key: key.into(),
            revision,
            previous,
        });
    }
}

async fn run(steps: Vec<Step>) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let mut model = Model {
        states: vec![BTreeMap::new()],
        events: Vec::new(),
        compacted: Revision(1),
    };
    for step in steps {
        match step {
            Step::Create(index, value) => {
                let key = key(index);
                let result = store.create(key, value.clone().into()).await;
                if model.found(key) == Revision(0) {
                    model.put(key, &value);
                    assert_eq!(result.unwrap(), model.revision());
                } else {
                    assert!(matches!(result, Err(Error::AlreadyExists)), "{result:?}");
                }
            }
            Step::Put(index, value, expect) => {
                let key = key(index);
                let expected = expected(&model, key, expect);
                let result = store.put(key, value.clone().into(), expected).await;
                if expected == model.found(key) {
                    model.put(key, &value);
                    assert_eq!(result.unwrap(), model.revision());
                } else {
                    assert_conflict(&result, &model, key);
                }
            }
            Step::Delete(index, expect) => {
                let key = key(index);
                let expected = expected(&model, key, expect);
                let result = store.delete(key, expected).await;
                if expected == model.found(key) && expected != Revision(0) {
                    model.delete(key);
                    assert_eq!(result.unwrap(), model.revision());
                } else {
                    assert_conflict(&result, &model, key);
                }
            }
            Step::Together(writes) => together(&store, &mut model, &writes).await,
            Step::Compact(part) => {
                let to = 1 + model.revision().0.saturating_sub(1) * u64::from(part) / 255;
                store.compact(Revision(to)).await.unwrap();
                model.compacted = model.compacted.max(Revision(to));
            }
            Step::Reopen => {
                store.close().await.unwrap();
                store = open(directory.path());
            }
        }
    }
    check(&store, &model).await;
}

fn open(directory: &Path) -> EmbeddedStore {
    EmbeddedStore::open(directory, EmbeddedOptions::default()).unwrap()
}

fn expected(model: &Model, key: &str, expect: Expect) -> Revision {
    match expect {
        Expect::Right => model.found(key),
        Expect::Zero => Revision(0),
        Expect::Stale => Revision(model.found(key).0 + 1),
    }
}

fn assert_conflict(result: &Result<Revision>, model: &Model, key: &str) {
    let Err(Error::Conflict { current }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(current.as_ref(), model.now().get(key));
}

/// Writes whatever is there; the revisions that they got tell the model their order.
async fn together(store: &EmbeddedStore, model: &mut Model, writes: &[(u8, Vec<u8>)]) {
    let results = futures_util::future::join_all(writes.iter().map(|(index, value)| {
        let expected = model.found(key(*index));
        store.put(key(*index), value.clone().into(), expected)
    }))
    .await;
    let mut done = BTreeMap::new();
    for (write, result) in writes.iter().zip(results) {
        match result {
            Ok(revision) => assert!(done.insert(revision, write).is_none()),
            // Two of the writes were for one key.
            Err(Error::Conflict { current }) => assert!(current.is_some()),
            Err(error) => panic!("{error}"),
        }
    }
    for (revision, (index, value)) in done {
        model.put(key(*index), value);
        assert_eq!(revision, model.revision());
    }
}

/// Compares everything that can be seen.
async fn check(store: &EmbeddedStore, model: &Model) {
    assert_eq!(store.revision().await.unwrap(), model.revision());
    for (at, state) in (1..).map(Revision).zip(&model.states) {
        if at < model.compacted {
            let refused = store.range(RangeRequest::under("").at(at)).await;
            assert!(
                matches!(refused, Err(Error::Compacted { oldest }) if oldest == model.compacted)
            );
            continue;
        }
        for prefix in ["", "/a", "/a/", "/b"] {
            let request = RangeRequest::under(prefix).at(at);
            let expected: Vec<_> = state
                .iter()
                .filter(|(key, _)| key.starts_with(prefix))
                .map(|(_, kv)| kv.clone())
                .collect();
            assert_eq!(
                store.range(request).await.unwrap().items,
                expected,
                "at {at}"
            );
            let request = request.limit(2).start_after("/a/");
            let page = store.range(request).await.unwrap();
            let after: Vec<_> = expected.iter().filter(|kv| &*kv.key > "/a/").collect();
            assert_eq!(
                page.items.iter().collect::<Vec<_>>(),
                after[..after.len().min(2)]
            );
            assert_eq!((page.more, page.remaining), (after.len() > 2, None));
            let counted = store.range(request.counting()).await.unwrap();
            assert_eq!(counted.items, page.items);
            let cut_off = after.len().saturating_sub(2) as u64;
            assert_eq!(
                (counted.more, counted.remaining),
                (cut_off > 0, Some(cut_off))
            );
        }
        for index in 0..8 {
            let (kv, _) = store.get(key(index), Some(at)).await.unwrap();
            assert_eq!(kv.as_ref(), state.get(key(index)), "{} at {at}", key(index));
        }
    }
    let mut watch = store.watch("", model.compacted).await.unwrap();
    let mut events = Vec::new();
    while let WatchItem::Events(more) = watch.next().await.unwrap().unwrap() {
        events.extend(more);
    }
    let kept: Vec<_> = model
        .events
        .iter()
        .filter(|event| event.revision() >= model.compacted)
        .cloned()
        .collect();
    assert_eq!(events, kept);
}
