//! Live watches: a bounded queue for each, filled by the writer thread.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::read::size;
use crate::{Error, Event, Result, Revision, WatchItem};

/// The most events that one item carries.
const MAX_ITEM_EVENTS: usize = 1000;

/// Every live watch of a store.
#[derive(Debug)]
pub(super) struct Hub {
    state: Mutex<HubState>,
    buffer_bytes: usize,
}

#[derive(Debug)]
struct HubState {
    published: Revision,
    subscriptions: Vec<Arc<Subscription>>,
    closed: bool,
}

impl Hub {
    /// A hub of a store at revision `published`, whose watches buffer at most `buffer_bytes` each.
    pub(super) fn new(published: Revision, buffer_bytes: usize) -> Self {
        Self {
            state: Mutex::new(HubState {
                published,
                subscriptions: Vec::new(),
                closed: false,
            }),
            buffer_bytes,
        }
    }

    /// The revision up to which watches have been told.
    pub(super) fn published(&self) -> Revision {
        self.lock().published
    }

    /// As [`Hub::published`], while the store is open.
    pub(super) fn revision(&self) -> Result<Revision> {
        let state = self.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        Ok(state.published)
    }

    /// Tells every watch what happened up to and including `revision`.
    pub(super) fn publish(&self, events: &[Event], revision: Revision) {
        let mut state = self.lock();
        state.published = revision;
        state
            .subscriptions
            .retain(|subscription| subscription.push(events, revision, self.buffer_bytes));
    }

    /// Ends every watch, those to come as well.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for subscription in state.subscriptions.drain(..) {
            subscription.end(Error::Closed);
        }
    }

    /// A subscription to everything after the revision that comes with it.
    pub(super) fn subscribe(
        self: &Arc<Self>,
        prefix: &str,
        from: Revision,
    ) -> Result<(SubscriptionGuard, Revision)> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        let subscription = Arc::new(Subscription {
            prefix: prefix.to_owned(),
            from,
            queue: Mutex::new(Queue::default()),
            filled: Notify::new(),
        });
        state.subscriptions.push(Arc::clone(&subscription));
        let guard = SubscriptionGuard {
            hub: Arc::clone(self),
            subscription,
            delivered: state.published,
        };
        Ok((guard, state.published))
    }

    fn lock(&self) -> MutexGuard<'_, HubState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The consumer's side of a subscription; dropping it ends the subscription.
#[derive(Debug)]
pub(super) struct SubscriptionGuard {
    hub: Arc<Hub>,
    subscription: Arc<Subscription>,
    delivered: Revision,
}

impl SubscriptionGuard {
    /// Waits for the next item.
    pub(super) async fn next(&mut self) -> Result<WatchItem> {
        loop {
            if let Some(item) = self.subscription.take(self.delivered)? {
                self.delivered = item.revision();
                return Ok(item);
            }
            self.subscription.filled.notified().await;
        }
    }
}

impl Drop for SubscriptionGuard {
    fn drop(&mut self) {
        self.hub
            .lock()
            .subscriptions
            .retain(|other| !Arc::ptr_eq(other, &self.subscription));
    }
}

#[derive(Debug)]
struct Subscription {
    prefix: String,
    from: Revision,
    queue: Mutex<Queue>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    bytes: usize,
    /// Everything up to this revision is in `events` or was taken.
    covered: Revision,
    ended: Option<Error>,
}

impl Subscription {
    /// Queues what matches; answers whether the subscription goes on.
    fn push(&self, events: &[Event], revision: Revision, limit: usize) -> bool {
        let mut queue = self.lock();
        queue.covered = revision;
        for event in events {
            if event.revision() >= self.from && event.key().starts_with(&self.prefix) {
                queue.bytes += size(event);
                queue.events.push_back(event.clone());
            }
        }
        // One commit may exceed the limit when nothing else waits: it is in memory anyway, and a
        // watch that keeps up must not be ended for it.
        let overflow = queue.bytes > limit && queue.events.len() > events.len();
        if overflow {
            *queue = Queue {
                ended: Some(Error::SlowConsumer),
                ..Queue::default()
            };
        }
        drop(queue);
        self.filled.notify_one();
        !overflow
    }

    fn end(&self, error: Error) {
        self.lock().ended = Some(error);
        self.filled.notify_one();
    }

    /// The next item, if there is one, for a consumer that was told up to `delivered`.
    fn take(&self, delivered: Revision) -> Result<Option<WatchItem>> {
        let mut queue = self.lock();
        if !queue.events.is_empty() {
            // Every revision of this engine has one event, so a cut is always between revisions.
            let count = queue.events.len().min(MAX_ITEM_EVENTS);
            let events: Vec<_> = queue.events.drain(..count).collect();
            queue.bytes -= events.iter().map(size).sum::<usize>();
            queue.events.shrink_to(MAX_ITEM_EVENTS);
            return Ok(Some(WatchItem::Events(events)));
        }
        if let Some(error) = &queue.ended {
            return Err(error.clone());
        }
        let covered = queue.covered;
        Ok((covered > delivered).then_some(WatchItem::Progress(covered)))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
