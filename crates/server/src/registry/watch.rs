//! Watches: an endless answer of events.

mod session;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio_util::sync::CancellationToken;

use super::list::{ListOptions, Version};
use super::{Registry, Result, Target, View, unavailable};
use crate::http::Query;
use session::Session;

/// A watch that names no time-out ends after one to two times this (upstream's `--min-request-timeout`).
const MIN_TIMEOUT: Duration = Duration::from_secs(1800);

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
    /// 504 when the objects that are there are wanted as of a revision that lies in the future; without
    /// them such a revision is waited for. A revision that is gone is an event of the stream.
    pub(crate) async fn watch(
        &self,
        target: &Target<'_>,
        options: WatchOptions,
        view: View,
        stop: CancellationToken,
    ) -> Result<impl Stream<Item = Bytes> + Send + use<>> {
        let version = options.list.version;
        let from_now = matches!(version, Version::Any | Version::MostRecent);
        let (initial, ends) = (
            options.initial.unwrap_or(from_now),
            options.initial == Some(true),
        );
        let cache = Arc::clone(self.cache(target.resource)?);
        let mut session = Session::new(self, cache, options, view, stop);
        let began = if initial {
            self.reach_version(version).await?;
            session.begin_with_all(ends).await
        } else {
            let revision = match version {
                Version::At(revision) => revision,
                Version::Any | Version::MostRecent => {
                    self.reach_version(version).await?;
                    self.caches.revision()
                }
            };
            session.begin_after(revision).await
        };
        began.map_err(unavailable)?;
        Ok(futures_util::stream::unfold(
            session,
            |mut session| async move { session.next().await.map(|piece| (piece, session)) },
        ))
    }
}
