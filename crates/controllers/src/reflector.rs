//! Keeps a copy of what the API has, by one list and then a watch.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::store::{Change, Store};
use crate::watch::Event;
use crate::{Client, Error, Scope};

/// How long a reflector waits after a failure.
const RETRY: Backoff = Backoff {
    first: Duration::from_millis(100),
    limit: Duration::from_secs(30),
};

/// A watch that lasts this long is no failure even if it brings nothing.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// Called with each change, after the store has it. It must not block.
pub type Handler = Box<dyn Fn(&Change) + Send + Sync>;

/// Fills a [`Store`] and keeps it up to date.
///
/// It lists once, then watches from the list's resource version on, and when a watch ends, from the
/// last event's. It lists again only when the API no longer has that version (410). Failures are
/// tried again with growing, jittered delays, so that a restart of the server goes unnoticed.
pub struct Reflector {
    client: Client,
    scope: Scope,
    store: Arc<Store>,
    handlers: Vec<Handler>,
    /// Up to where the store is complete.
    position: Option<String>,
}

impl Reflector {
    /// A reflector with an empty store.
    #[must_use]
    pub fn new(client: Client, scope: Scope) -> Self {
        Self {
            client,
            scope,
            store: Arc::new(Store::new()),
            handlers: Vec::new(),
            position: None,
        }
    }

    /// What it fills.
    #[must_use]
    pub fn store(&self) -> Arc<Store> {
        Arc::clone(&self.store)
    }

    /// Adds someone to be told of changes; of the first list, too.
    pub fn on_change(&mut self, handler: impl Fn(&Change) + Send + Sync + 'static) {
        self.handlers.push(Box::new(handler));
    }

    pub(crate) fn has_handlers(&self) -> bool {
        !self.handlers.is_empty()
    }

    /// Works until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut failures = 0;
        loop {
            let lap = tokio::select! {
                () = stop.cancelled() => return,
                lap = self.lap() => lap,
            };
            if lap.was_useful {
                failures = 0;
            }
            let Err(error) = lap.end else { continue };
            failures += 1;
            if error.is_expired() {
                self.position = None;
            }
            let delay = RETRY.with_jitter(failures);
            self.report(&error, failures, delay);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    /// Lists if need be, then follows one watch to its end.
    async fn lap(&mut self) -> Lap {
        let from = match &self.position {
            Some(position) => position.clone(),
            None => match self.list().await {
                Ok(position) => position,
                Err(error) => {
                    return Lap {
                        was_useful: false,
                        end: Err(error),
                    };
                }
            },
        };
        let begun = Instant::now();
        let mut was_useful = false;
        let end = self.follow(&from, &mut was_useful).await;
        was_useful |= begun.elapsed() >= LONG_ENOUGH && end.is_ok();
        let end = match end {
            Ok(()) if !was_useful => Err(Error::ShortWatch),
            end => end,
        };
        Lap { was_useful, end }
    }

    async fn list(&mut self) -> Result<String, Error> {
        let mut items = Vec::new();
        let mut continue_token = String::new();
        loop {
            let mut page = self.client.list_page(&self.scope, &continue_token).await?;
            // Before the pages pile up: the store has no use for these, and they are most of a page.
            for object in &mut page.items {
                object.metadata.managed_fields = Vec::new();
            }
            items.append(&mut page.items);
            if page.continue_token.is_empty() {
                for change in self.store.replace(items) {
                    self.tell(&change);
                }
                self.store.set_synced();
                self.position = Some(page.resource_version.clone());
                return Ok(page.resource_version);
            }
            continue_token = page.continue_token;
        }
    }

    async fn follow(&mut self, from: &str, was_useful: &mut bool) -> Result<(), Error> {
        let mut watch = self.client.watch(&self.scope, from).await?;
        while let Some(event) = watch.next().await? {
            *was_useful = true;
            let (position, change) = match event {
                Event::Bookmark(position) => (position, None),
                Event::Applied(object) => (
                    object.metadata.resource_version.clone(),
                    self.store.apply(object),
                ),
                Event::Deleted(object) => {
                    let change = self.store.remove(&object);
                    (object.metadata.resource_version, change)
                }
            };
            self.position = Some(position);
            if let Some(change) = change {
                self.tell(&change);
            }
        }
        Ok(())
    }

    /// A single failure is everyday life: a connection ended, or a version was compacted.
    fn report(&self, error: &Error, failures: u32, delay: Duration) {
        let resource = self.scope.resource.plural;
        let error = error as &dyn std::error::Error;
        if failures == 1 {
            tracing::debug!(
                resource,
                error,
                ?delay,
                "a watch ended, it goes on after a delay"
            );
        } else {
            tracing::warn!(
                resource,
                error,
                failures,
                ?delay,
                "cannot watch, trying again"
            );
        }
    }

    fn tell(&self, change: &Change) {
        for handler in &self.handlers {
            handler(change);
        }
    }
}

impl std::fmt::Debug for Reflector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Reflector");
        shown
            .field("scope", &self.scope)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// One list, if need be, and one watch.
struct Lap {
    /// Whether the watch worked, so that failures before it no longer count.
    was_useful: bool,
    end: Result<(), Error>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Script;
    use crate::{Transport, View};
    use burgee_wire::Status;
    use serde_json::{Value, json};
    use tokio::sync::mpsc;

    const PATH: &str = "GET /api/v1/configmaps?";
    const LIST: &str = "GET /api/v1/configmaps?limit=100";

    fn object(name: &str, version: u32) -> Value {
        json!({"metadata": {"name": name, "namespace": "n", "uid": name,
            "resourceVersion": version.to_string(), "managedFields": [{"manager": "m"}]}})
    }

    fn list(version: u32, token: &str, items: &[Value]) -> Value {
        json!({"metadata": {"resourceVersion": version.to_string(), "continue": token}, "items": items})
    }

    fn event(kind: &str, object: &Value) -> Result<bytes::Bytes, crate::BoxError> {
        Ok(format!("{}\n", json!({"type": kind, "object": object})).into())
    }

    /// A reflector at work, and the changes that it told.
    struct Subject {
        store: Arc<Store>,
        told: mpsc::UnboundedReceiver<String>,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    fn start(script: &Arc<Script>) -> Subject {
        let client = Client::new(Arc::clone(script) as Arc<dyn Transport>, "tester");
        let resource = burgee_resources::find("", "v1", "configmaps").unwrap();
        let mut reflector = Reflector::new(client, Scope::all(resource, View::Whole));
        let (sink, told) = mpsc::unbounded_channel();
        reflector.on_change(move |change| {
            let sign = match (&change.old, &change.new) {
                (None, _) => '+',
                (_, None) => '-',
                _ => '~',
            };
            let name = &change.object().unwrap().metadata.name;
            sink.send(format!("{sign}{name}")).unwrap();
        });
        let (store, stop) = (reflector.store(), CancellationToken::new());
        let task = tokio::spawn(reflector.run(stop.clone()));
        Subject {
            store,
            told,
            stop,
            task,
        }
    }

    impl Subject {
        /// The next changes that are told.
        async fn told(&mut self, count: usize) -> Vec<String> {
            let mut told = Vec::new();
            while told.len() < count {
                let next = tokio::time::timeout(Duration::from_secs(600), self.told.recv());
                told.push(next.await.expect("a change is told").unwrap());
            }
            told
        }
    }

    /// Where a watch begins.
    async fn watched_from(script: &Script, number: usize) -> String {
        let request = script.request(number).await;
        let rest = request.split_once("resourceVersion=").expect(&request).1;
        rest.split('&').next().unwrap().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn pages_become_one_list_and_events_change_it() {
        let script = Script::new();
        script.json(200, &list(5, "more", &[object("a", 1)]));
        script.json(200, &list(5, "", &[object("b", 2)]));
        let watch = script.watch();
        let mut subject = start(&script);
        subject.store.synced().await;
        assert_eq!(script.request(0).await, LIST);
        assert_eq!(script.request(1).await, format!("{LIST}&continue=more"));
        assert_eq!(watched_from(&script, 2).await, "5");
        assert_eq!(subject.told(2).await, ["+a", "+b"]);

        watch.send(event("MODIFIED", &object("a", 6))).unwrap();
        watch.send(event("MODIFIED", &object("a", 6))).unwrap();
        watch.send(event("DELETED", &object("b", 7))).unwrap();
        watch.send(event("ADDED", &object("c", 8))).unwrap();
        assert_eq!(subject.told(3).await, ["~a", "-b", "+c"]);
        let known = subject.store.find("n", "a").unwrap();
        assert_eq!(known.metadata.resource_version, "6");
        assert_eq!(known.metadata.managed_fields, []);
        assert!(subject.store.find("n", "b").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_ends_or_breaks_goes_on_where_it_was() {
        let script = Script::new();
        script.json(200, &list(5, "", &[]));
        let first = script.watch();
        script.unreachable().unreachable();
        let second = script.watch();
        let third = script.watch();
        let mut subject = start(&script);
        first.send(event("ADDED", &object("a", 6))).unwrap();
        subject.told(1).await;
        // The server dies, is away for two attempts, and comes back.
        first.send(Err("connection reset".into())).unwrap();
        for number in 2..5 {
            assert_eq!(watched_from(&script, number).await, "6");
        }
        second
            .send(event(
                "BOOKMARK",
                &json!({"metadata": {"resourceVersion": "9"}}),
            ))
            .unwrap();
        drop(second);
        assert_eq!(watched_from(&script, 5).await, "9");
        third.send(event("ADDED", &object("b", 10))).unwrap();
        assert_eq!(subject.told(1).await, ["+b"]);
        assert_eq!(script.count(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_version_leads_to_a_new_list_that_tells_what_was_missed() {
        let script = Script::new();
        script.json(
            200,
            &list(5, "", &[object("a", 1), object("b", 2), object("c", 3)]),
        );
        let watch = script.watch();
        script.json(
            200,
            &list(9, "", &[object("a", 1), object("b", 8), object("d", 9)]),
        );
        script.watch();
        let mut subject = start(&script);
        subject.told(3).await;
        let expired = serde_json::to_value(Status::expired("too old")).unwrap();
        watch.send(event("ERROR", &expired)).unwrap();
        assert_eq!(subject.told(3).await, ["~b", "+d", "-c"]);
        assert_eq!(script.request(2).await, LIST);
        assert_eq!(watched_from(&script, 3).await, "9");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_was_set_back_is_listed_again() {
        let script = Script::new();
        script.json(200, &list(50, "", &[object("a", 40)]));
        let too_large = Status::resource_version_too_large(50, 7);
        script.json(504, &serde_json::to_value(too_large).unwrap());
        script.json(200, &list(7, "", &[object("a", 3)]));
        script.watch();
        let subject = start(&script);
        assert_eq!(watched_from(&script, 3).await, "7");
        assert_eq!(
            subject
                .store
                .find("n", "a")
                .unwrap()
                .metadata
                .resource_version,
            "3"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn watches_that_end_at_once_do_not_make_a_busy_loop() {
        let script = Script::new();
        script.json(200, &list(5, "", &[]));
        for _ in 0..6 {
            drop(script.watch());
        }
        let subject = start(&script);
        let begun = Instant::now();
        script.request(6).await;
        // 100, 200, 400, 800 and 1600 ms, each at most doubled by jitter.
        let waited = begun.elapsed().as_millis();
        assert!((3100..=6300).contains(&waited), "{waited}");
        assert!(script.request(6).await.starts_with(PATH));
        drop(subject);
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_when_told_even_in_the_middle_of_a_watch() {
        let script = Script::new();
        script.json(200, &list(5, "", &[]));
        let watch = script.watch();
        let subject = start(&script);
        script.request(1).await;
        subject.stop.cancel();
        subject.task.await.unwrap();
        assert!(watch.is_closed());
    }
}
