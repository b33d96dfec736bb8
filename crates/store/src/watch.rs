//! What a watch delivers.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};

use crate::{Event, Result, Revision};

/// One step of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchItem {
    /// Every matching event of one or more complete revisions, in order. Never empty.
    Events(Vec<Event>),
    /// Every matching event up to and including this revision has been delivered.
    ///
    /// Comes at least once when a watch has caught up with the store, and later when the store moves
    /// on without a matching event; how promptly is up to the engine.
    Progress(Revision),
}

impl WatchItem {
    /// The revision up to which everything has been delivered with this item.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::Events(events) => events.last().map_or(Revision(0), Event::revision),
            Self::Progress(revision) => *revision,
        }
    }
}

/// A stream of what happens under a prefix, see [`Store::watch`](crate::Store::watch).
///
/// An error is the last item. Dropping the watch ends it.
pub struct Watch {
    items: Pin<Box<dyn Stream<Item = Result<WatchItem>> + Send>>,
    ended: bool,
}

impl Watch {
    /// A watch that delivers `items` up to the first error. For engines.
    #[must_use]
    pub fn new(items: impl Stream<Item = Result<WatchItem>> + Send + 'static) -> Self {
        Self {
            items: Box::pin(items),
            ended: false,
        }
    }

    /// The next item, `None` after an error.
    ///
    /// Dropping the future before it is ready loses nothing.
    pub async fn next(&mut self) -> Option<Result<WatchItem>> {
        StreamExt::next(self).await
    }
}

impl Stream for Watch {
    type Item = Result<WatchItem>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = self.items.as_mut().poll_next(context);
        if let Poll::Ready(None | Some(Err(_))) = item {
            self.ended = true;
        }
        item
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;
    use crate::Error;

    #[tokio::test]
    async fn nothing_follows_an_error() {
        let mut watch = Watch::new(stream::iter([
            Ok(WatchItem::Progress(Revision(1))),
            Err(Error::SlowConsumer),
            Ok(WatchItem::Progress(Revision(2))),
        ]));
        assert!(matches!(watch.next().await, Some(Ok(_))));
        assert!(matches!(watch.next().await, Some(Err(Error::SlowConsumer))));
        assert!(watch.next().await.is_none());
    }
}
