//! The embedded engine: one process, one data directory, one redb file.

mod batch;
mod database;
mod directory;
mod layout;
#[cfg(test)]
mod power_loss;
mod read;
mod replay;
mod retention;
mod subscription;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use burgee_identity::{Clock, SystemClock};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{Semaphore, oneshot};

use self::database::{DatabaseFile, is_stale};
use self::directory::{DataDirectory, from_io};
use self::layout::{Fallible, Tables};
use self::replay::Replay;
use self::retention::Retention;
use self::subscription::Hub;
use self::writer::{Command, Intent, Write, Writer};
use crate::store::{check_key, check_value};
use crate::{Error, KeyValue, Page, RangeRequest, Result, Revision, Store, Watch};

/// What waiting writes may take in memory together, in [`SHARE_BYTES`]: 16 MiB.
const QUEUE_SHARES: usize = 4096;
const SHARE_BYTES: usize = 4096;
/// How often a read is tried when the file is opened again under it.
const READ_ATTEMPTS: usize = 5;

/// How an embedded store is run. Every field has a default that suits a small machine.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// Memory for pages of the file, in bytes. Default 8 MiB.
    pub cache_bytes: usize,
    /// How long history is kept for reads at old revisions and for watches. Default 5 minutes, as
    /// kube-apiserver's `--etcd-compaction-interval`. A restart starts the period anew.
    pub history_period: Duration,
    /// The size of the history, in bytes, above which it is forgotten before its time. Default
    /// 64 MiB.
    pub history_bytes: u64,
    /// What one watch may leave waiting, in bytes, before it is ended. Default 8 MiB.
    pub watch_buffer_bytes: usize,
    /// A file of up to so many bytes is read entirely at start and checked against its checksums.
    /// Default 32 MiB; 0 never checks.
    pub verify_bytes: u64,
    /// The time that the history's age is measured by.
    pub clock: Arc<dyn Clock>,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 8 * 1024 * 1024,
            history_period: Duration::from_secs(300),
            history_bytes: 64 * 1024 * 1024,
            watch_buffer_bytes: 8 * 1024 * 1024,
            verify_bytes: 32 * 1024 * 1024,
            clock: Arc::new(SystemClock::new()),
        }
    }
}

/// A [`Store`] in one file of a data directory, `store.redb`, for one process.
///
/// Writes are durable when they are answered: they survive the process being killed and the machine
/// losing power. Concurrent writes share commits. Reads see the newest durable state and wait for no
/// write. After an I/O error or on a full disk, the file is opened again by itself as soon as the next
/// operation needs it.
///
/// Its methods need a Tokio runtime. Dropping the store commits what waits, in the background;
/// [`EmbeddedStore::close`] waits for it.
pub struct EmbeddedStore {
    engine: Arc<Engine>,
}

/// What the store shares with its watches.
struct Engine {
    database: Arc<DatabaseFile>,
    hub: Arc<Hub>,
    // Bounded by `queue`: a write enters with its share of the queue's memory.
    commands: mpsc::Sender<Command>,
    queue: Arc<Semaphore>,
}

impl EmbeddedStore {
    /// Opens the store in `directory`; creates an empty one where there is none.
    ///
    /// Blocks while the file is read. The directory itself is created too, but not its parents.
    ///
    /// # Errors
    /// [`Error::Directory`], [`Error::InUse`], [`Error::Corrupted`], [`Error::UnsupportedFormat`],
    /// [`Error::StorageFull`] and [`Error::Io`], each naming what to do.
    pub fn open(directory: impl AsRef<Path>, options: EmbeddedOptions) -> Result<Self> {
        let directory = DataDirectory::acquire(directory.as_ref())?;
        let database = Arc::new(DatabaseFile::open(
            directory,
            options.cache_bytes,
            options.verify_bytes,
        )?);
        let (revision, compacted, history_bytes) = database
            .read(|tables| Ok((tables.revision, tables.compacted, tables.history_bytes)))?;
        let hub = Arc::new(Hub::new(revision, options.watch_buffer_bytes));
        let (commands, receiver) = mpsc::channel();
        let writer = Writer {
            database: Arc::clone(&database),
            hub: Arc::clone(&hub),
            commands: receiver,
            clock: options.clock,
            retention: Retention::new(
                options.history_period,
                options.history_bytes,
                compacted,
                history_bytes,
            ),
            last_batch: 0,
            failed: false,
            full: false,
            compactions: Vec::new(),
        };
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run())
            .map_err(|error| from_io("start the writer of", database.path(), error))?;
        Ok(Self {
            engine: Arc::new(Engine {
                database,
                hub,
                commands,
                queue: Arc::new(Semaphore::new(QUEUE_SHARES)),
            }),
        })
    }

    /// Commits the writes that wait, ends every watch, flushes and closes the file and gives the
    /// directory free. Every later operation ends in [`Error::Closed`].
    ///
    /// # Errors
    /// [`Error::Io`] and the like if the file could not be flushed; [`Error::Closed`] the second
    /// time.
    pub async fn close(&self) -> Result<()> {
        self.engine.ask(|reply| Command::Close { reply }).await
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        // Watches may outlive the store and keep the channel open. After `close` nobody listens.
        let (reply, _) = oneshot::channel();
        let _ = self.engine.commands.send(Command::Close { reply });
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("file", &self.engine.database.path())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn get(
        &self,
        key: &str,
        revision: Option<Revision>,
    ) -> Result<(Option<KeyValue>, Revision)> {
        self.engine.read(|tables| tables.get(key, revision)).await
    }

    async fn range(&self, request: RangeRequest<'_>) -> Result<Page> {
        let prefix = request.prefix.to_owned();
        let start_after = request.start_after.map(str::to_owned);
        let RangeRequest {
            limit,
            revision,
            count,
            ..
        } = request;
        self.engine
            .read_much(move |tables| {
                tables.range(RangeRequest {
                    prefix: &prefix,
                    start_after: start_after.as_deref(),
                    limit,
                    revision,
                    count,
                })
            })
            .await
    }

    async fn create(&self, key: &str, value: Bytes) -> Result<Revision> {
        check_value(&value)?;
        self.engine.write(key, Intent::Create(value)).await
    }

    async fn put(&self, key: &str, value: Bytes, expected: Revision) -> Result<Revision> {
        check_value(&value)?;
        self.engine
            .write(key, Intent::Put { value, expected })
            .await
    }

    async fn delete(&self, key: &str, expected: Revision) -> Result<Revision> {
        self.engine.write(key, Intent::Delete { expected }).await
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch> {
        if from > Revision(0) {
            self.engine.read(|tables| tables.check_kept(from)).await?;
        }
        let replay = Replay::new(Arc::clone(&self.engine), prefix, from)?;
        Ok(Watch::new(stream::unfold(replay, async |mut replay| {
            let item = replay.next().await;
            Some((item, replay))
        })))
    }

    async fn revision(&self) -> Result<Revision> {
        // Known without the file: a write is published before it is answered.
        self.engine.hub.revision()
    }

    async fn compact(&self, revision: Revision) -> Result<()> {
        self.engine
            .ask(|reply| Command::Compact { revision, reply })
            .await
    }
}

impl Engine {
    async fn write(&self, key: &str, intent: Intent) -> Result<Revision> {
        check_key(key)?;
        let shares = 1 + intent.value_bytes() / SHARE_BYTES;
        let share = Arc::clone(&self.queue)
            .acquire_many_owned(u32::try_from(shares).unwrap_or(u32::MAX))
            .await
            .map_err(|_| Error::Closed)?;
        self.ask(|reply| {
            Command::Write(Write {
                key: key.into(),
                intent,
                reply,
                _share: share,
            })
        })
        .await
    }

    /// Hands the writer thread a command and waits for its answer.
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T>>) -> Command,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Runs a read of a few keys right here: a microsecond, less than handing it to another thread.
    async fn read<T>(&self, read: impl Fn(&Tables) -> Fallible<T>) -> Result<T> {
        for _ in 1..READ_ATTEMPTS {
            let generation = self.database.generation();
            match self.database.read(&read) {
                Err(error) if is_stale(&error) => self.reopen(generation).await?,
                answer => return answer,
            }
        }
        self.database.read(&read)
    }

    /// Runs a read of many keys where it holds up no other task.
    async fn read_much<T: Send + 'static>(
        &self,
        read: impl Fn(&Tables) -> Fallible<T> + Send + Sync + 'static,
    ) -> Result<T> {
        let read = Arc::new(read);
        for _ in 1..READ_ATTEMPTS {
            let generation = self.database.generation();
            match self.read_elsewhere(&read).await {
                Err(error) if is_stale(&error) => self.reopen(generation).await?,
                answer => return answer,
            }
        }
        self.read_elsewhere(&read).await
    }

    async fn read_elsewhere<T: Send + 'static>(
        &self,
        read: &Arc<impl Fn(&Tables) -> Fallible<T> + Send + Sync + 'static>,
    ) -> Result<T> {
        let (database, read) = (Arc::clone(&self.database), Arc::clone(read));
        tokio::task::spawn_blocking(move || database.read(&*read))
            .await
            .map_err(|error| Error::Unavailable {
                reason: error.to_string(),
            })?
    }

    async fn reopen(&self, generation: u64) -> Result<()> {
        self.ask(|reply| Command::Reopen { generation, reply })
            .await
    }
}
