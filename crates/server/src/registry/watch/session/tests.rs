use std::time::Duration;

use burgee_identity::SystemClock;
use burgee_store::{EmbeddedOptions, EmbeddedStore};
use serde_json::Value;

use super::*;
use crate::authorization::Authorization;
use crate::http::{Accept, Form, Query};
use crate::registry::admission::Admission;
use crate::registry::{ListOptions, Target};

/// Long enough for anything that these tests wait for.
const SOON: Duration = Duration::from_secs(20);

/// A registry over a store of its own.
struct Fixture {
    registry: Registry,
    _directory: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path(), EmbeddedOptions::default()).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let authorization = Arc::new(Authorization::new());
        let observer = Arc::clone(&authorization) as Arc<dyn crate::cache::Observer>;
        let (caches, _) = crate::cache::start(Arc::clone(&store), observer)
            .await
            .unwrap();
        let registry = Registry {
            store,
            caches,
            clock: Arc::new(SystemClock::new()),
            admission: Admission::new(authorization),
        };
        Self {
            registry,
            _directory: directory,
        }
    }

    fn cache(&self) -> Arc<ResourceCache> {
        Arc::clone(self.registry.caches.named("", "configmaps").unwrap())
    }

    /// Writes a config map of about `size` bytes, over what is at `expected`.
    async fn put(&self, name: &str, size: usize, expected: Revision) -> Revision {
        let text = "x".repeat(size);
        let value = format!(
            r#"{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"name":"{name}","namespace":"n","uid":"u"}},"data":{{"text":"{text}"}}}}"#
        );
        let key = format!("/registry/configmaps/n/{name}");
        let store = &self.registry.store;
        store.put(&key, value.into(), expected).await.unwrap()
    }

    async fn create(&self, name: &str) -> Revision {
        self.put(name, 1, Revision(0)).await
    }

    async fn applied(&self, revision: Revision) {
        assert!(self.registry.caches.reach(revision, SOON).await);
    }

    fn session(&self, options: WatchOptions) -> Session {
        let accept = Accept {
            form: Form::Json,
            shape: Shape::Object,
            pretty: false,
        };
        let now = self.registry.clock.now();
        let view = View::new(accept, &Query::default(), now).unwrap();
        let stop = CancellationToken::new();
        Session::new(&self.registry, self.cache(), options, view, stop)
    }
}

/// Options of a watch of the config maps in `n`.
fn options() -> WatchOptions {
    let target = Target {
        resource: burgee_resources::find("", "v1", "configmaps").unwrap(),
        namespace: "n",
        name: "",
        subresource: "",
    };
    let options = WatchOptions::parse(&Query::default(), &target).unwrap();
    assert_eq!(options.list.version, ListOptions::default().version);
    WatchOptions {
        bookmarks: true,
        ..options
    }
}

/// What the next piece says: kind of event, name or code, and revision.
async fn read(session: &mut Session) -> Vec<(String, String, u64)> {
    let piece = tokio::time::timeout(SOON, session.next()).await.unwrap();
    let piece = piece.unwrap_or_default();
    let lines = piece.split(|byte| *byte == b'\n');
    let events = lines.filter(|line| !line.is_empty()).map(|line| {
        let event: Value = serde_json::from_slice(line).unwrap();
        let object = &event["object"];
        let name = match &object["code"] {
            Value::Null => object["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            code => code.to_string(),
        };
        let revision = object["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or("0");
        let kind = event["type"].as_str().unwrap().to_owned();
        (kind, name, revision.parse().unwrap())
    });
    events.collect()
}

#[tokio::test]
async fn objects_that_wait_to_be_sent_are_the_cached_ones() {
    let fixture = Fixture::new().await;
    let revision = fixture.create("a").await;
    fixture.applied(revision).await;
    let mut session = fixture.session(options());
    session.begin_with_all(true).await.unwrap();
    let cached = fixture.cache().find("n", "a").unwrap();
    assert!(matches!(&session.queue[0], Pending::Object(_, entry) if Arc::ptr_eq(entry, &cached)));
    let expected = [
        ("ADDED".to_owned(), "a".to_owned(), revision.0),
        ("BOOKMARK".to_owned(), String::new(), revision.0),
    ];
    assert_eq!(read(&mut session).await, expected);
}

#[tokio::test]
async fn a_watch_of_the_future_begins_when_it_has_come() {
    let fixture = Fixture::new().await;
    let now = fixture.registry.store.revision().await.unwrap();
    let mut session = fixture.session(options());
    session.begin_after(now.next()).await.unwrap();
    session.tell_progress().await.unwrap();
    assert!(session.queue.is_empty(), "no bookmark of the future");
    fixture.create("a").await;
    let second = fixture.create("b").await;
    let expected = [("ADDED".to_owned(), "b".to_owned(), second.0)];
    assert_eq!(read(&mut session).await, expected);
}

#[tokio::test]
async fn a_watch_that_fell_out_of_the_window_goes_on_from_the_history() {
    let fixture = Fixture::new().await;
    let first = fixture.create("a").await;
    fixture.applied(first).await;
    let mut session = fixture.session(options());
    session.begin_after(first).await.unwrap();
    let mut last = first;
    for _ in 0..12 {
        last = fixture.put("a", 1 << 20, last).await;
    }
    fixture.applied(last).await;
    assert_eq!(fixture.cache().position_after(first), None);
    let mut seen = Vec::new();
    while seen.last() != Some(&last.0) {
        let events = read(&mut session).await;
        assert!(
            events.iter().all(|(kind, ..)| kind == "MODIFIED"),
            "{events:?}"
        );
        seen.extend(events.into_iter().map(|(_, _, revision)| revision));
    }
    let expected: Vec<_> = (first.next().0..=last.0).collect();
    assert_eq!(seen, expected);
    // From there the window serves it again.
    assert!(matches!(session.source, Source::Window(_)));
}

#[tokio::test]
async fn nothing_follows_the_error_that_ends_a_watch() {
    let fixture = Fixture::new().await;
    let first = fixture.create("a").await;
    fixture.applied(first).await;
    let mut session = fixture.session(WatchOptions {
        timeout: Duration::ZERO,
        ..options()
    });
    session.begin_after(first).await.unwrap();
    let mut last = first;
    for _ in 0..12 {
        last = fixture.put("a", 1 << 20, last).await;
    }
    fixture.applied(last).await;
    fixture.registry.store.compact(last).await.unwrap();
    let events = read(&mut session).await;
    let kinds: Vec<_> = events
        .iter()
        .map(|(kind, code, _)| (kind.as_str(), code.as_str()))
        .collect();
    assert_eq!(kinds, [("ERROR", "410")]);
    assert!(session.next().await.is_none());
}

#[tokio::test]
async fn a_watch_that_ends_in_time_says_how_far_it_got() {
    let fixture = Fixture::new().await;
    let revision = fixture.create("a").await;
    fixture.applied(revision).await;
    let mut session = fixture.session(WatchOptions {
        timeout: Duration::ZERO,
        ..options()
    });
    session.begin_after(revision).await.unwrap();
    let expected = [("BOOKMARK".to_owned(), String::new(), revision.0)];
    assert_eq!(read(&mut session).await, expected);
    assert!(session.next().await.is_none());
}
