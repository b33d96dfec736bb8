//! One client's watch.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use burgee_store::{Error, Event, KeyValue, Revision, Store, WatchItem};
use burgee_wire::{Status, decode, encode};
use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::json;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::WatchOptions;
use crate::cache::{Caches, Change, Entry, EventKind, Filter, ResourceCache, TooOld, Watcher};
use crate::http::Shape;
use crate::registry::present::embed;
use crate::registry::{Registry, View};

/// How often a client that wants bookmarks gets one, and a watch finds out how far it got.
const TICK: Duration = Duration::from_secs(60);
/// How many bytes of events are put into one piece.
const PIECE: usize = 64 * 1024;
/// How many bytes of objects are rendered for one piece, however little comes out.
const MAX_READ: usize = 4 * PIECE;
/// How many waiting events a watch keeps room for.
const ROOM: usize = 256;
/// Marks the bookmark that ends the initial events.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// One client's watch.
pub(super) struct Session {
    store: Arc<dyn Store>,
    caches: Arc<Caches>,
    cache: Arc<ResourceCache>,
    filter: Filter,
    view: View,
    bookmarks: bool,
    deadline: Pin<Box<Sleep>>,
    tick: Pin<Box<Sleep>>,
    stop: CancellationToken,
    /// What goes out next. Objects are shared with the cache and written out only when the client is
    /// ready for them.
    queue: VecDeque<Pending>,
    named_columns: bool,
    /// Everything up to here is in the queue, has been sent, or was not wanted.
    seen: Revision,
    source: Source,
}

/// An event that waits to be sent.
enum Pending {
    Bookmark {
        revision: Revision,
        ends_initial: bool,
    },
    Expired(Box<Status>),
    Object(EventKind, Arc<Entry>),
}

/// Where events come from.
enum Source {
    Ended,
    History(burgee_store::Watch),
    Window(Watcher),
}

impl Session {
    /// A watch that has yet to begin.
    pub(super) fn new(
        registry: &Registry,
        cache: Arc<ResourceCache>,
        options: WatchOptions,
        view: View,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store: Arc::clone(&registry.store),
            caches: Arc::clone(&registry.caches),
            cache,
            filter: options.list.filter,
            view,
            bookmarks: options.bookmarks,
            deadline: Box::pin(tokio::time::sleep(options.timeout)),
            tick: Box::pin(tokio::time::sleep(TICK)),
            stop,
            queue: VecDeque::new(),
            named_columns: false,
            seen: Revision(0),
            source: Source::Ended,
        }
    }

    /// All objects that are there, then what happens to them.
    pub(super) async fn begin_with_all(&mut self, mark_the_end: bool) -> burgee_store::Result<()> {
        let applied = self.caches.revision();
        let (resource, filter, queue) = (self.cache.resource(), &self.filter, &mut self.queue);
        let changed = self.cache.scan(&filter.prefix, None, |entry| {
            if filter.matches(resource, entry) {
                queue.push_back(Pending::Object(EventKind::Added, Arc::clone(entry)));
            }
            true
        });
        let revision = applied.max(changed);
        if mark_the_end && self.bookmarks {
            self.queue.push_back(Pending::Bookmark {
                revision,
                ends_initial: true,
            });
        }
        self.begin_after(revision).await
    }

    /// What happens after a revision, which may lie in the future.
    pub(super) async fn begin_after(&mut self, revision: Revision) -> burgee_store::Result<()> {
        self.seen = revision;
        self.resume().await
    }

    /// The next piece of the answer; `None` ends it.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.piece() {
                // Copying bytes is quick; rendering many objects leaves others their turn.
                if self.view.accept.shape != Shape::Object && !self.queue.is_empty() {
                    tokio::task::yield_now().await;
                }
                return Some(piece);
            }
            if matches!(self.source, Source::Ended) {
                return None;
            }
            let waited = tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                () = &mut self.deadline => Waited::Deadline,
                () = &mut self.tick => Waited::Tick,
                waited = self.source.wait() => waited,
            };
            if let Err(error) = self.proceed(waited).await {
                let resource = self.cache.resource().plural;
                tracing::warn!(resource, %error, "a watch ends because the store cannot be read");
                self.source = Source::Ended;
            }
        }
    }

    async fn proceed(&mut self, waited: Waited) -> burgee_store::Result<()> {
        match waited {
            Waited::Changed => self.catch_up().await,
            Waited::Deadline => {
                // A client that understands bookmarks is told how far it got before the watch ends.
                let told = self.tell_progress().await;
                self.source = Source::Ended;
                told
            }
            Waited::History(Some(Ok(item))) => {
                self.recall(item);
                Ok(())
            }
            Waited::History(Some(Err(Error::Compacted { oldest }))) => {
                self.expire(oldest);
                Ok(())
            }
            Waited::History(Some(Err(Error::SlowConsumer))) => self.resume().await,
            Waited::History(Some(Err(error))) => Err(error),
            Waited::History(None) => Err(Error::Closed),
            Waited::Tick => {
                self.tick.as_mut().reset(Instant::now() + TICK);
                self.tell_progress().await
            }
        }
    }

    /// Goes on after `seen`: from the window of recent changes, or, when that does not reach back far
    /// enough, from the store's history.
    async fn resume(&mut self) -> burgee_store::Result<()> {
        if self.join().is_ok() {
            return Ok(());
        }
        let from = self.seen.next();
        match self.store.watch(&self.filter.prefix, from).await {
            Ok(history) => self.source = Source::History(history),
            Err(Error::Compacted { oldest }) => self.expire(oldest),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Follows the window after `seen`.
    fn join(&mut self) -> Result<(), TooOld> {
        let (cache, filter) = (Arc::clone(&self.cache), self.filter.clone());
        self.source = Source::Window(Watcher::after(cache, filter, self.seen)?);
        Ok(())
    }

    /// Takes what is new from the window.
    async fn catch_up(&mut self) -> burgee_store::Result<()> {
        let Source::Window(watcher) = &mut self.source else {
            return Ok(());
        };
        match watcher.take(self.caches.revision()) {
            Ok(events) => {
                self.seen = watcher.reached();
                let events = events.into_iter();
                self.queue
                    .extend(events.map(|(kind, entry)| Pending::Object(kind, entry)));
                Ok(())
            }
            Err(TooOld) => self.resume().await,
        }
    }

    /// Takes a piece of the store's history, and joins the window as soon as that is possible.
    fn recall(&mut self, item: WatchItem) {
        let resource = self.cache.resource();
        let reached = item.revision();
        if let WatchItem::Events(events) = item {
            for event in &events {
                let prepare = |kv: &KeyValue| Entry::new(resource, kv).ok().map(Arc::new);
                let change = Change {
                    revision: event.revision(),
                    before: event.previous().and_then(prepare),
                    after: match event {
                        Event::Put { kv, .. } => prepare(kv),
                        Event::Delete { .. } => None,
                    },
                };
                let seen = self.filter.see(resource, &change);
                self.queue
                    .extend(seen.map(|(kind, entry)| Pending::Object(kind, entry)));
            }
        }
        self.seen = self.seen.max(reached);
        // Where the window does not reach back to yet, the history goes on.
        let _ = self.join();
    }

    /// Finds out how far this watch got, and tells a client that wants to know.
    async fn tell_progress(&mut self) -> burgee_store::Result<()> {
        self.catch_up().await?;
        let is_over = matches!(self.source, Source::Ended);
        // A client that waits for the future has been told nothing yet.
        if self.bookmarks && !is_over && self.seen <= self.caches.revision() {
            self.queue.push_back(Pending::Bookmark {
                revision: self.seen,
                ends_initial: false,
            });
        }
        Ok(())
    }

    /// Tells the client to list again.
    fn expire(&mut self, oldest: Revision) {
        let message = format!("too old resource version: {} ({oldest})", self.seen);
        let status = Box::new(Status::expired(message));
        self.queue.push_back(Pending::Expired(status));
        self.source = Source::Ended;
    }

    /// Writes out waiting events up to a size.
    fn piece(&mut self) -> Option<Bytes> {
        let mut piece = BytesMut::new();
        let mut read = 0;
        while piece.len() < PIECE
            && read < MAX_READ
            && let Some(pending) = self.queue.pop_front()
        {
            match pending {
                Pending::Bookmark {
                    revision,
                    ends_initial,
                } => {
                    let object = self.bookmark(revision, ends_initial);
                    write_event(&mut piece, "BOOKMARK", object.as_bytes());
                }
                Pending::Expired(status) => {
                    write_event(&mut piece, "ERROR", status.to_json().as_bytes());
                }
                Pending::Object(kind, entry) => {
                    let names_columns = !std::mem::replace(&mut self.named_columns, true);
                    let resource = self.cache.resource();
                    let object = embed(resource, &entry, &self.view, names_columns);
                    write_event(&mut piece, kind.as_str(), &object);
                    read += entry.json().len();
                }
            }
        }
        if self.queue.is_empty() {
            // The room that all initial objects took is not needed again.
            self.queue.shrink_to(ROOM);
        }
        (!piece.is_empty()).then(|| piece.freeze())
    }

    fn bookmark(&self, revision: Revision, ends_initial: bool) -> String {
        let resource = self.cache.resource();
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if ends_initial && let Some(members) = metadata.as_object_mut() {
            members.insert("annotations".into(), json!({INITIAL_EVENTS_END: "true"}));
        }
        let partial = || {
            let type_meta = encode::type_meta("meta.k8s.io/v1", "PartialObjectMetadata");
            format!("{{{type_meta},\"metadata\":{}}}", encode::any(&metadata))
        };
        match self.view.accept.shape {
            Shape::Metadata => partial(),
            Shape::Object => {
                let mut value = decode::zero(resource.schema());
                if let Some(members) = value.as_object_mut() {
                    members.insert("metadata".into(), metadata);
                }
                let api_version = resource.api_version();
                encode::object(&api_version, resource.kind, &value, resource.schema())
            }
            Shape::Table => {
                let type_meta = encode::type_meta("meta.k8s.io/v1", "Table");
                let partial = partial();
                format!(
                    "{{{type_meta},\"metadata\":{{\"resourceVersion\":\"{revision}\"}},\"columnDefinitions\":null,\"rows\":[{{\"cells\":[],\"object\":{partial}}}]}}"
                )
            }
        }
    }
}

enum Waited {
    Changed,
    Deadline,
    History(Option<burgee_store::Result<WatchItem>>),
    Tick,
}

impl Source {
    /// Waits for something new. Dropping the future before it is ready loses nothing.
    async fn wait(&mut self) -> Waited {
        match self {
            Self::Ended => std::future::pending().await,
            Self::History(history) => Waited::History(history.next().await),
            Self::Window(watcher) => {
                watcher.changed().await;
                Waited::Changed
            }
        }
    }
}

fn write_event(piece: &mut BytesMut, kind: &str, object: &[u8]) {
    piece.reserve(object.len() + 32);
    piece.put_slice(b"{\"type\":\"");
    piece.put_slice(kind.as_bytes());
    piece.put_slice(b"\",\"object\":");
    piece.put_slice(object);
    piece.put_slice(b"}\n");
}

#[cfg(test)]
mod tests;
