//! A watch: first the past from disk, then live.

use std::sync::Arc;

use super::Engine;
use super::read::ChunkLimits;
use super::subscription::SubscriptionGuard;
use crate::{Result, Revision, WatchItem};

/// How much of the history is read at a time.
const CHUNK: ChunkLimits = ChunkLimits {
    changes: 1000,
    bytes: 1024 * 1024,
};

/// The state of one watch.
///
/// While far behind, it reads chunks of the history at the consumer's pace and buffers nothing. Once
/// the rest is one chunk, it subscribes to what comes after the newest published revision, reads the
/// history up to that revision, and goes on with the subscription.
pub(super) struct Replay {
    engine: Arc<Engine>,
    prefix: Arc<str>,
    from: Revision,
    /// The first revision that has not been delivered yet.
    next: Revision,
    live: Option<Live>,
}

/// What follows the history.
struct Live {
    subscription: SubscriptionGuard,
    /// The history is read up to here.
    until: Revision,
    /// The consumer has been told that it has caught up.
    announced: bool,
}

impl Replay {
    pub(super) fn new(engine: Arc<Engine>, prefix: &str, from: Revision) -> Result<Self> {
        let mut replay = Self {
            engine,
            prefix: prefix.into(),
            from,
            next: from,
            live: None,
        };
        if from == Revision(0) {
            let published = replay.subscribe()?;
            replay.next = published.next();
        }
        Ok(replay)
    }

    pub(super) async fn next(&mut self) -> Result<WatchItem> {
        loop {
            let until = match &mut self.live {
                Some(live) if self.next <= live.until => live.until,
                Some(live) if live.announced => return live.subscription.next().await,
                Some(live) => {
                    live.announced = true;
                    return Ok(WatchItem::Progress(live.until));
                }
                None => {
                    let published = self.engine.hub.published();
                    if published.0.saturating_sub(self.next.0) < CHUNK.changes as u64 {
                        self.subscribe()?;
                        continue;
                    }
                    published
                }
            };
            let (prefix, from) = (Arc::clone(&self.prefix), self.next);
            let (events, next) = self
                .engine
                .read_much(move |tables| tables.events(&prefix, from, until, CHUNK))
                .await?;
            self.next = next;
            if !events.is_empty() {
                return Ok(WatchItem::Events(events));
            }
        }
    }

    /// Answers the revision after which the subscription begins.
    fn subscribe(&mut self) -> Result<Revision> {
        let (subscription, until) = self.engine.hub.subscribe(&self.prefix, self.from)?;
        self.live = Some(Live {
            subscription,
            until,
            announced: false,
        });
        Ok(until)
    }
}
