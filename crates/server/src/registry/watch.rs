//! Watches: an endless answer of events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use burgee_store::{Revision, WatchItem};
use burgee_wire::{Status, decode, encode};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::Stream;
use serde_json::json;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::list::{ListOptions, Version};
use super::present::embed;
use super::{Registry, Result, Target, View};
use crate::cache::{Change, Entry, EventKind, Filter, ResourceCache, Watcher};
use crate::http::{Query, Shape};

/// A watch that names no time-out ends after one to two times this (upstream's `--min-request-timeout`).
const MIN_TIMEOUT: Duration = Duration::from_secs(1800);
/// How often a client that wants bookmarks gets one.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);
/// How many bytes of events are put into one piece.
const PIECE: usize = 64 * 1024;
/// Marks the bookmark that ends the initial events.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// Options of watches.
#[derive(Debug)]
pub(crate) struct WatchOptions {
    pub(crate) list: ListOptions,
    pub(crate) timeout: Duration,
    pub(crate) bookmarks: bool,
    /// Whether the objects that are there come first; unset leaves it to the resource version.
    pub(crate) initial: Option<bool>,
}

impl WatchOptions {
    /// Reads the options of a watch request.
    ///
    /// # Errors
    ///
    /// As [`ListOptions::parse`].
    pub(crate) fn parse(query: &Query, target: &Target<'_>) -> Result<Self> {
        let list = ListOptions::parse(query, target, true)?;
        let seconds = query
            .integer("timeoutSeconds")?
            .filter(|seconds| *seconds > 0);
        // Clients that connected together need not come back together.
        let spread = f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
        let timeout = match seconds {
            Some(seconds) => Duration::from_secs(seconds.unsigned_abs()),
            None => MIN_TIMEOUT.mul_f64(1.0 + spread),
        };
        let initial = query
            .first("sendInitialEvents")
            .map(|_| query.flag("sendInitialEvents"));
        Ok(Self {
            list,
            timeout,
            bookmarks: query.flag("allowWatchBookmarks"),
            initial,
        })
    }
}

impl Registry {
    /// Starts a watch. Each item of the stream is one or more complete events.
    ///
    /// # Errors
    ///
    /// 504 for a revision that lies in the future. A revision that is gone is an event of the stream.
    pub(crate) async fn watch(
        &self,
        target: &Target<'_>,
        options: WatchOptions,
        view: View,
        stop: CancellationToken,
    ) -> Result<impl Stream<Item = Bytes> + Send + use<>> {
        let cache = Arc::clone(self.cache(target.resource)?);
        let mut session = Session {
            filter: options.list.filter.clone(),
            bookmarks: options.bookmarks,
            deadline: Box::pin(tokio::time::sleep(options.timeout)),
            bookmark: Box::pin(tokio::time::sleep(BOOKMARK_INTERVAL)),
            queue: VecDeque::new(),
            named_columns: false,
            seen: Revision(0),
            source: Source::Ended,
            stop,
            caches: Arc::clone(&self.caches),
            cache,
            view,
        };
        let version = options.list.version;
        let from_now = matches!(version, Version::Any | Version::MostRecent);
        if options.initial.unwrap_or(from_now) {
            self.reach_version(version).await?;
            let ends = options.initial == Some(true);
            session.begin_with_all(ends);
        } else {
            match version {
                Version::At(revision) => self.begin_after(&mut session, revision).await?,
                Version::Any | Version::MostRecent => {
                    self.reach_version(version).await?;
                    session.join(self.caches.revision());
                }
            }
        }
        Ok(futures_util::stream::unfold(
            session,
            |mut session| async move { session.next().await.map(|piece| (piece, session)) },
        ))
    }

    /// Goes on after a revision: from the window of recent changes, or, when that does not reach back
    /// far enough, from the store's history.
    async fn begin_after(&self, session: &mut Session, revision: Revision) -> Result<()> {
        self.reach_version(Version::At(revision)).await?;
        session.seen = revision;
        let window = Watcher::after(Arc::clone(&session.cache), session.filter.clone(), revision);
        if let Ok(watcher) = window {
            session.source = Source::Window(watcher);
            return Ok(());
        }
        match self
            .store
            .watch(&session.filter.prefix, revision.next())
            .await
        {
            Ok(history) => session.source = Source::History(history),
            Err(burgee_store::Error::Compacted { oldest }) => session.expire(revision, oldest),
            Err(error) => return Err(super::unavailable(error)),
        }
        Ok(())
    }
}

/// One client's watch.
struct Session {
    cache: Arc<ResourceCache>,
    caches: Arc<crate::cache::Caches>,
    filter: Filter,
    view: View,
    bookmarks: bool,
    deadline: std::pin::Pin<Box<Sleep>>,
    bookmark: std::pin::Pin<Box<Sleep>>,
    /// Events that are ready to go out.
    queue: VecDeque<Bytes>,
    named_columns: bool,
    /// Everything up to here has been sent or was not wanted.
    seen: Revision,
    source: Source,
    stop: CancellationToken,
}

/// Where events come from.
enum Source {
    Window(Watcher),
    History(burgee_store::Watch),
    Ended,
}

impl Session {
    /// All objects that are there, then what happens to them.
    fn begin_with_all(&mut self, mark_the_end: bool) {
        let applied = self.caches.revision();
        let mut entries: Vec<Arc<Entry>> = Vec::new();
        let (resource, filter) = (self.cache.resource(), &self.filter);
        let changed = self.cache.scan(&filter.prefix, None, |entry| {
            if filter.matches(resource, entry) {
                entries.push(Arc::clone(entry));
            }
            true
        });
        for entry in &entries {
            self.push(EventKind::Added, entry);
        }
        self.join(applied.max(changed));
        if mark_the_end && self.bookmarks {
            self.push_bookmark(true);
        }
    }

    /// Follows the window after `revision`.
    fn join(&mut self, revision: Revision) {
        self.seen = revision;
        match Watcher::after(Arc::clone(&self.cache), self.filter.clone(), revision) {
            Ok(watcher) => self.source = Source::Window(watcher),
            Err(_) => self.expire(revision, self.caches.revision()),
        }
    }

    /// The next piece of the answer; `None` ends it.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.piece() {
                return Some(piece);
            }
            let waited = tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                () = &mut self.deadline => return self.farewell(),
                () = &mut self.bookmark, if self.bookmarks => Waited::Bookmark,
                waited = self.source.wait() => waited,
            };
            match waited {
                Waited::Bookmark => {
                    self.bookmark
                        .as_mut()
                        .reset(Instant::now() + BOOKMARK_INTERVAL);
                    self.catch_up();
                    self.push_bookmark(false);
                }
                Waited::Window => self.catch_up(),
                Waited::History(Some(Ok(item))) => self.recall(item),
                Waited::History(Some(Err(burgee_store::Error::Compacted { oldest }))) => {
                    self.expire(self.seen, oldest);
                }
                Waited::History(_) => self.join(self.seen),
                Waited::Ended => return None,
            }
        }
    }

    /// Puts waiting events together up to a size.
    fn piece(&mut self) -> Option<Bytes> {
        let first = self.queue.pop_front()?;
        if self.queue.is_empty() {
            return Some(first);
        }
        let mut piece = BytesMut::with_capacity(PIECE);
        piece.put(first);
        while piece.len() < PIECE
            && let Some(event) = self.queue.pop_front()
        {
            piece.put(event);
        }
        Some(piece.freeze())
    }

    /// A client that understands bookmarks is told how far it got before the watch ends.
    fn farewell(&mut self) -> Option<Bytes> {
        if matches!(self.source, Source::Ended) || !self.bookmarks {
            return None;
        }
        self.catch_up();
        self.push_bookmark(false);
        self.source = Source::Ended;
        self.bookmarks = false;
        let now = Instant::now();
        self.deadline.as_mut().reset(now);
        self.piece()
    }

    /// Takes what is new from the window.
    fn catch_up(&mut self) {
        let Source::Window(watcher) = &mut self.source else {
            return;
        };
        let applied = self.caches.revision();
        match watcher.take() {
            Ok(events) => {
                for (kind, entry) in &events {
                    self.push(*kind, entry);
                }
                let last = events
                    .last()
                    .map_or(Revision(0), |(_, entry)| entry.revision());
                // A full batch may have left wanted changes behind.
                self.seen = if events.len() < 256 {
                    applied.max(last)
                } else {
                    last.max(self.seen)
                };
            }
            Err(_) => self.expire(self.seen, self.caches.revision()),
        }
    }

    /// Takes a piece of the store's history, and joins the window as soon as that is possible.
    fn recall(&mut self, item: WatchItem) {
        let resource = self.cache.resource();
        let reached = item.revision();
        if let WatchItem::Events(events) = item {
            for event in events {
                let prepare =
                    |kv: &burgee_store::KeyValue| Entry::new(resource, kv).ok().map(Arc::new);
                let change = Change {
                    revision: event.revision(),
                    before: event.previous().and_then(prepare),
                    after: match &event {
                        burgee_store::Event::Put { kv, .. } => prepare(kv),
                        burgee_store::Event::Delete { .. } => None,
                    },
                };
                if let Some((kind, entry)) = self.filter.see(resource, &change) {
                    self.push(kind, &entry);
                }
            }
        }
        self.seen = self.seen.max(reached);
        let window = Watcher::after(Arc::clone(&self.cache), self.filter.clone(), self.seen);
        if let Ok(watcher) = window {
            self.source = Source::Window(watcher);
        }
    }

    fn push(&mut self, kind: EventKind, entry: &Entry) {
        let object = embed(
            self.cache.resource(),
            entry,
            &self.view,
            !self.named_columns,
        );
        self.named_columns = true;
        self.queue.push_back(event(kind.as_str(), &object));
    }

    fn push_bookmark(&mut self, ends_initial: bool) {
        let resource = self.cache.resource();
        let mut metadata = json!({"resourceVersion": self.seen.to_string()});
        if ends_initial && let Some(members) = metadata.as_object_mut() {
            members.insert("annotations".into(), json!({INITIAL_EVENTS_END: "true"}));
        }
        let object = match self.view.accept.shape {
            Shape::Object => {
                let mut value = decode::zero(resource.schema());
                if let Some(members) = value.as_object_mut() {
                    members.insert("metadata".into(), metadata);
                }
                encode::object(
                    &resource.api_version(),
                    resource.kind,
                    &value,
                    resource.schema(),
                )
            }
            Shape::Metadata | Shape::Table => {
                let type_meta = encode::type_meta("meta.k8s.io/v1", "PartialObjectMetadata");
                let partial = format!("{{{type_meta},\"metadata\":{}}}", encode::any(&metadata));
                match self.view.accept.shape {
                    Shape::Table => {
                        let type_meta = encode::type_meta("meta.k8s.io/v1", "Table");
                        let revision = self.seen;
                        format!(
                            "{{{type_meta},\"metadata\":{{\"resourceVersion\":\"{revision}\"}},\"columnDefinitions\":null,\"rows\":[{{\"cells\":[],\"object\":{partial}}}]}}"
                        )
                    }
                    _ => partial,
                }
            }
        };
        self.queue.push_back(event("BOOKMARK", object.as_bytes()));
    }

    /// Tells the client to list again.
    fn expire(&mut self, revision: Revision, oldest: Revision) {
        let status = Status::expired(format!("too old resource version: {revision} ({oldest})"));
        self.queue
            .push_back(event("ERROR", status.to_json().as_bytes()));
        self.source = Source::Ended;
    }
}

enum Waited {
    Bookmark,
    Ended,
    History(Option<burgee_store::Result<WatchItem>>),
    Window,
}

impl Source {
    async fn wait(&mut self) -> Waited {
        match self {
            Self::Window(watcher) => {
                watcher.changed().await;
                Waited::Window
            }
            Self::History(history) => Waited::History(history.next().await),
            Self::Ended => Waited::Ended,
        }
    }
}

fn event(kind: &str, object: &[u8]) -> Bytes {
    let mut event = BytesMut::with_capacity(object.len() + 32);
    event.put_slice(b"{\"type\":\"");
    event.put_slice(kind.as_bytes());
    event.put_slice(b"\",\"object\":");
    event.put_slice(object);
    event.put_slice(b"}\n");
    event.freeze()
}
