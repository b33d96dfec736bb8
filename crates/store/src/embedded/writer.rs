//! The one thread that writes.
//!
//! Writes that wait while a commit is being made durable go into the next one together, so many
//! writers share the price of one. Each still gets its own revision, and nobody, neither the caller
//! nor a reader nor a watch, sees it before the commit is durable.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use burgee_identity::Clock;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::batch::{Applied, Batch};
use super::database::DatabaseFile;
use super::directory::probe_space;
use super::read::ChunkLimits;
use super::retention::Retention;
use super::subscription::Hub;
use crate::{Error, Result, Revision};

/// The most writes in one commit. More would make the first of them wait longer than it must.
const MAX_BATCH_WRITES: usize = 1024;
/// The most bytes of values in one commit; one value more than this may come.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How long a commit waits for one more write when the one before had several. Writers that were
/// just answered write again at once; without this, they would be split over two commits in turn.
const LINGER: Duration = Duration::from_micros(50);
/// What a disk that was full must have free, beside what is to be written, before a commit is tried.
const PROBE_BYTES: usize = 256 * 1024;
/// How often an idle store looks whether history has grown old.
const IDLE_TICK: Duration = Duration::from_secs(10);

/// What the thread is asked to do.
pub(super) enum Command {
    Write(Write),
    Compact {
        revision: Revision,
        reply: oneshot::Sender<Result<()>>,
    },
    /// Open the database again if it is still the generation in which a reader met a failure.
    Reopen {
        generation: u64,
        reply: oneshot::Sender<Result<()>>,
    },
    Close {
        reply: oneshot::Sender<Result<()>>,
    },
}

/// One write that waits for its commit.
pub(super) struct Write {
    pub(super) key: Arc<str>,
    pub(super) intent: Intent,
    pub(super) reply: oneshot::Sender<Result<Revision>>,
    /// The write's share of the queue's memory, given back when it is answered.
    pub(super) _share: OwnedSemaphorePermit,
}

/// What a write wants.
#[derive(Debug)]
pub(super) enum Intent {
    Create(Bytes),
    Put { value: Bytes, expected: Revision },
    Delete { expected: Revision },
}

impl Intent {
    pub(super) fn value_bytes(&self) -> usize {
        match self {
            Self::Create(value) | Self::Put { value, .. } => value.len(),
            Self::Delete { .. } => 0,
        }
    }
}

/// An error with its causes, as one value of a log line.
fn chain(error: &Error) -> &(dyn std::error::Error + 'static) {
    error
}

/// The state of the thread.
pub(super) struct Writer {
    pub(super) database: Arc<DatabaseFile>,
    pub(super) hub: Arc<Hub>,
    pub(super) commands: Receiver<Command>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) retention: Retention,
    /// How many writes the commit before had.
    pub(super) last_batch: usize,
    /// The database cannot be written before it was opened again.
    pub(super) failed: bool,
    /// The disk was full at the last commit.
    pub(super) full: bool,
    /// Where explicit compactions go to, and who waits for them.
    pub(super) compactions: Vec<(Revision, oneshot::Sender<Result<()>>)>,
}

impl Writer {
    /// Works until the store is closed or forgotten.
    pub(super) fn run(mut self) {
        while let Some(command) = self.next_command() {
            let mut writes = Vec::new();
            let other = match command {
                Some(Command::Write(write)) => self.collect(write, &mut writes),
                command => command,
            };
            self.commit(writes);
            match other {
                Some(Command::Compact { revision, reply }) => {
                    self.begin_compaction(revision, reply)
                }
                Some(Command::Reopen { generation, reply }) => {
                    // A reply that nobody waits for any more is no failure, here and below.
                    let _ = reply.send(self.reopen(generation));
                }
                Some(Command::Close { reply }) => {
                    self.finish();
                    let _ = reply.send(self.database.close());
                    return;
                }
                Some(Command::Write(_)) | None => {}
            }
        }
        self.finish();
        if let Err(error) = self.database.close() {
            tracing::warn!(%error, "closing the store");
        }
    }

    /// The next command; `Some(None)` when it is time to look after history instead, `None` at the
    /// end.
    #[allow(
        clippy::option_option,
        reason = "three outcomes that the loop above reads as such"
    )]
    fn next_command(&mut self) -> Option<Option<Command>> {
        if self.has_compaction_work() {
            return match self.commands.try_recv() {
                Ok(command) => Some(Some(command)),
                Err(TryRecvError::Empty) => Some(None),
                Err(TryRecvError::Disconnected) => None,
            };
        }
        match self.commands.recv_timeout(IDLE_TICK) {
            Ok(command) => Some(Some(command)),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Takes the writes that wait behind the first one; answers the command that ended them.
    fn collect(&mut self, first: Write, writes: &mut Vec<Write>) -> Option<Command> {
        let mut bytes = first.intent.value_bytes();
        writes.push(first);
        let linger = if self.last_batch > 1 {
            LINGER
        } else {
            Duration::ZERO
        };
        let mut next = None;
        while writes.len() < MAX_BATCH_WRITES && bytes < MAX_BATCH_BYTES {
            match self.commands.recv_timeout(linger) {
                Ok(Command::Write(write)) => {
                    bytes += write.intent.value_bytes();
                    writes.push(write);
                }
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        self.last_batch = writes.len();
        next
    }

    /// Applies the writes and a step of compaction in one durable commit, then tells everyone.
    fn commit(&mut self, writes: Vec<Write>) {
        let compact_to = self.compaction_target();
        if writes.is_empty() && compact_to.is_none() {
            return;
        }
        match self.apply(&writes, compact_to) {
            Ok(applied) => {
                self.retention
                    .set_history(applied.compacted, applied.history_bytes);
                // Watches first: who has the answer to a write may expect that events are on the way.
                if applied.revision > self.hub.published() {
                    self.hub.publish(&applied.events, applied.revision);
                }
                for (write, answer) in writes.into_iter().zip(applied.answers) {
                    let _ = write.reply.send(answer);
                }
                self.answer_compactions(applied.compacted);
            }
            Err(error) => {
                tracing::error!(
                    error = chain(&error),
                    writes = writes.len(),
                    "a commit failed"
                );
                for write in writes {
                    let _ = write.reply.send(Err(error.clone()));
                }
                for (_, reply) in self.compactions.drain(..) {
                    let _ = reply.send(Err(error.clone()));
                }
                self.retention.pause(self.clock.monotonic());
            }
        }
    }

    fn apply(&mut self, writes: &[Write], compact_to: Option<Revision>) -> Result<Applied> {
        if self.full {
            self.probe_space(writes)?;
        }
        if self.failed {
            self.recover()?;
        }
        let applied = self.apply_now(writes, compact_to);
        self.full = matches!(applied, Err(Error::StorageFull { .. }));
        if applied.is_err() {
            self.failed = true;
            // If this fails, the next operation tries again.
            let _ = self.recover();
        }
        applied
    }

    /// Finds out at small cost whether a full disk has space again. Trying a commit would interrupt
    /// every reader with opening the file again, for each write that fails. Deletions are tried
    /// nevertheless: the file itself may have the space, and they make more.
    fn probe_space(&self, writes: &[Write]) -> Result<()> {
        let bytes: usize = writes.iter().map(|write| write.intent.value_bytes()).sum();
        let only_deletions = writes
            .iter()
            .all(|write| matches!(write.intent, Intent::Delete { .. }));
        if only_deletions {
            return Ok(());
        }
        probe_space(self.database.path(), PROBE_BYTES + 2 * bytes)
    }

    fn apply_now(&self, writes: &[Write], compact_to: Option<Revision>) -> Result<Applied> {
        let transaction = self.database.begin_write()?;
        self.database.guard(|| {
            let mut batch = Batch::open(&transaction)?;
            for write in writes {
                batch.write(&write.key, &write.intent)?;
            }
            if let Some(target) = compact_to {
                batch.compact(target)?;
            }
            let applied = batch.finish()?;
            if applied.changed {
                transaction.commit()?;
            } else {
                transaction.abort()?;
            }
            Ok(applied)
        })
    }

    /// Opens the database again after a failure and tells watches of what turns out to have become
    /// durable although its commit failed.
    fn recover(&mut self) -> Result<()> {
        let recovered = self.database.reopen().and_then(|()| self.publish_found());
        match &recovered {
            Ok(()) => self.failed = false,
            Err(error) => tracing::error!(
                error = chain(error),
                "cannot open the store again after a failure"
            ),
        }
        recovered
    }

    fn publish_found(&self) -> Result<()> {
        // At most the one commit that failed.
        let limits = ChunkLimits {
            changes: MAX_BATCH_WRITES,
            bytes: usize::MAX,
        };
        let published = self.hub.published();
        let (events, revision) = self.database.read(|tables| {
            let found = if tables.revision > published {
                tables
                    .events("", published.next(), tables.revision, limits)?
                    .0
            } else {
                Vec::new()
            };
            Ok((found, tables.revision))
        })?;
        if revision > published {
            self.hub.publish(&events, revision);
        }
        Ok(())
    }

    fn reopen(&mut self, generation: u64) -> Result<()> {
        if self.database.generation() == generation {
            self.failed = true;
        }
        if self.failed { self.recover() } else { Ok(()) }
    }

    fn begin_compaction(&mut self, revision: Revision, reply: oneshot::Sender<Result<()>>) {
        let current = self.hub.published();
        if revision > current {
            let _ = reply.send(Err(Error::FutureRevision { current }));
        } else if revision <= self.retention.compacted() {
            let _ = reply.send(Ok(()));
        } else {
            self.compactions.push((revision, reply));
        }
    }

    fn has_compaction_work(&self) -> bool {
        !self.compactions.is_empty() || self.retention.has_work()
    }

    fn compaction_target(&mut self) -> Option<Revision> {
        let asked = self.compactions.iter().map(|(revision, _)| *revision).max();
        let due = self
            .retention
            .target(self.clock.monotonic(), self.hub.published());
        asked.max(due)
    }

    fn answer_compactions(&mut self, compacted: Revision) {
        let (done, open) = std::mem::take(&mut self.compactions)
            .into_iter()
            .partition(|(revision, _)| *revision <= compacted);
        self.compactions = open;
        for (_, reply) in done {
            let _ = reply.send(Ok(()));
        }
    }

    /// Ends what still waits when the store closes.
    fn finish(&mut self) {
        self.hub.close();
        for (_, reply) in self.compactions.drain(..) {
            let _ = reply.send(Err(Error::Closed));
        }
    }
}
