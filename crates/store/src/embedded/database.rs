//! The database file: opening it, opening it again after a failure, and what its errors mean.
//!
//! redb refuses every access after an I/O error until the database is closed and opened again: what
//! it has in memory may no longer match the file. The writer thread does that (see
//! [`super::writer`]); readers that meet the failure ask it to and try once more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::directory::{DataDirectory, from_io, open_private};
use super::layout::{
    CURRENT, FORMAT_VERSION, Fallible, Fault, HISTORY, META, SUPERSEDED, Tables, meta, number,
};
use crate::{Error, Result};

/// The database of a data directory.
pub(super) struct DatabaseFile {
    file: PathBuf,
    cache_bytes: usize,
    slot: RwLock<Slot>,
}

struct Slot {
    /// `None` after a failed attempt to open it again, and after closing.
    database: Option<Database>,
    /// Counts how often it was opened, so that several readers that meet one failure have it opened
    /// again once.
    generation: u64,
    /// Held until the database is closed.
    directory: Option<DataDirectory>,
}

impl DatabaseFile {
    /// Opens the database of the directory, creates it in an empty one.
    ///
    /// Every page of a file of up to `verify_bytes` is checked against its checksum first.
    pub(super) fn open(
        directory: DataDirectory,
        cache_bytes: usize,
        verify_bytes: u64,
    ) -> Result<Self> {
        let file = directory.database();
        match std::fs::metadata(&file) {
            Ok(metadata) if metadata.len() == 0 => {
                return Err(Error::Corrupted {
                    file,
                    detail: "it is empty".into(),
                });
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                create(&directory, cache_bytes)?;
            }
            Err(error) => return Err(from_io("open", &file, error)),
        }
        let size = std::fs::metadata(&file).map_err(|error| from_io("open", &file, error))?;
        let database = open_file(&file, cache_bytes, size.len() <= verify_bytes).or_else(
            |error| match error {
                // The check ends with a commit, which takes space that reading does not need.
                Error::StorageFull { .. } => open_file(&file, cache_bytes, false),
                other => Err(other),
            },
        )?;
        let this = Self {
            file,
            cache_bytes,
            slot: RwLock::new(Slot {
                database: Some(database),
                generation: 0,
                directory: Some(directory),
            }),
        };
        let (transaction, _) = this.begin_read()?;
        this.guard(|| check_format(&this.file, &transaction))?;
        Ok(this)
    }

    /// The path of the file, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    /// A snapshot of what is durable, and which opening of the file it belongs to.
    pub(super) fn begin_read(&self) -> Result<(ReadTransaction, u64)> {
        let slot = self.read_slot();
        let database = slot.database()?;
        let transaction = self.guard(|| Ok(database.begin_read()?))?;
        Ok((transaction, slot.generation))
    }

    /// Reads one snapshot.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Tables) -> Fallible<T>) -> Result<T> {
        let (transaction, _) = self.begin_read()?;
        self.guard(|| read(&Tables::open(&transaction)?))
    }

    /// A transaction whose commit survives power loss, and after which opening needs no repair that
    /// would read the whole file.
    pub(super) fn begin_write(&self) -> Result<WriteTransaction> {
        let slot = self.read_slot();
        let database = slot.database()?;
        self.guard(|| {
            let mut transaction = database.begin_write()?;
            make_safe(&mut transaction);
            Ok(transaction)
        })
    }

    /// Which opening of the file is the present one.
    pub(super) fn generation(&self) -> u64 {
        self.read_slot().generation
    }

    /// Closes the database and opens it again, which drops whatever a failure left in memory.
    pub(super) fn reopen(&self) -> Result<()> {
        let mut slot = self.write_slot();
        slot.generation += 1;
        if let Some(database) = slot.database.take() {
            // What failed has been reported; closing after it may fail again and says nothing new.
            let _ = self.guard(|| Ok(database.close()?));
        }
        slot.database = Some(open_file(&self.file, self.cache_bytes, false)?);
        Ok(())
    }

    /// Flushes and closes the file and gives the directory free. Reads fail from here on.
    pub(super) fn close(&self) -> Result<()> {
        let mut slot = self.write_slot();
        slot.generation += 1;
        let directory = slot.directory.take();
        let closed = match slot.database.take() {
            Some(database) => self.guard(|| Ok(database.close()?)),
            None => Ok(()),
        };
        drop(directory);
        closed
    }

    /// Runs an access to the database and turns whatever goes wrong into our error.
    ///
    /// A damaged file can make redb panic. That is caught, because it must end one request with a
    /// clear message, not the process.
    pub(super) fn guard<T>(&self, access: impl FnOnce() -> Fallible<T>) -> Result<T> {
        guard(&self.file, access)
    }

    fn read_slot(&self) -> RwLockReadGuard<'_, Slot> {
        self.slot.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_slot(&self) -> RwLockWriteGuard<'_, Slot> {
        self.slot.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for DatabaseFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseFile")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Whether opening the file again may help.
pub(super) fn is_stale(error: &Error) -> bool {
    matches!(
        error,
        Error::Io { .. } | Error::StorageFull { .. } | Error::Unavailable { .. }
    )
}

impl Slot {
    fn database(&self) -> Result<&Database> {
        match (&self.database, &self.directory) {
            (Some(database), _) => Ok(database),
            (None, None) => Err(Error::Closed),
            (None, Some(_)) => Err(Error::Unavailable {
                reason: "its file could not be opened again after a failure".into(),
            }),
        }
    }
}

fn guard<T>(file: &Path, access: impl FnOnce() -> Fallible<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(access)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(fault)) => Err(explain(file, fault)),
        Err(_) => Err(Error::Corrupted {
            file: file.to_owned(),
            detail: "reading it ended in a panic".into(),
        }),
    }
}

fn explain(file: &Path, fault: Fault) -> Error {
    let corrupted = |detail: String| Error::Corrupted {
        file: file.to_owned(),
        detail,
    };
    match fault {
        Fault::Answer(answer) => answer,
        Fault::Malformed(detail) => corrupted(detail.to_owned()),
        Fault::Database(redb::Error::Io(error)) => match error.kind() {
            // What redb says of a file that is not its own, and of one that was cut short.
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => {
                corrupted(error.to_string())
            }
            _ => from_io("access", file, error),
        },
        Fault::Database(redb::Error::Corrupted(detail)) => corrupted(detail),
        Fault::Database(redb::Error::PreviousIo | redb::Error::DatabaseClosed) => {
            Error::Unavailable {
                reason: "its file is being opened again after a failure".into(),
            }
        }
        Fault::Database(redb::Error::DatabaseAlreadyOpen) => Error::Unavailable {
            reason: "its file is locked by another program".into(),
        },
        Fault::Database(redb::Error::UpgradeRequired(version)) => {
            corrupted(format!("it has the database format {version}"))
        }
        Fault::Database(
            error @ (redb::Error::TableDoesNotExist(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableIsMultimap(_)),
        ) => corrupted(error.to_string()),
        Fault::Database(error) => Error::Unavailable {
            reason: error.to_string(),
        },
    }
}

/// Makes the commit survive power loss at any moment, and makes opening after that quick.
pub(super) fn make_safe(transaction: &mut WriteTransaction) {
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
}

fn open_file(path: &Path, cache_bytes: usize, verify: bool) -> Result<Database> {
    let file = open_private(path, false)?;
    guard(path, || {
        Ok(Builder::new()
            .set_cache_size(cache_bytes)
            .set_check_integrity_on_open(verify)
            .create_with_backend(FileBackend::new(file)?)?)
    })
}

/// Prepares an empty database beside its place and moves it there when it is durable.
fn create(directory: &DataDirectory, cache_bytes: usize) -> Result<()> {
    let path = directory.unfinished_database()?;
    let file = open_private(&path, true)?;
    guard(&path, || {
        let database = Builder::new()
            .set_cache_size(cache_bytes)
            .create_with_backend(FileBackend::new(file)?)?;
        let mut transaction = database.begin_write()?;
        make_safe(&mut transaction);
        transaction.open_table(CURRENT)?;
        transaction.open_table(SUPERSEDED)?;
        transaction.open_table(HISTORY)?;
        {
            let mut table = transaction.open_table(META)?;
            table.insert(meta::FORMAT, FORMAT_VERSION)?;
            table.insert(meta::REVISION, 1)?;
            table.insert(meta::COMPACTED, 1)?;
            table.insert(meta::HISTORY_BYTES, 0)?;
        }
        transaction.commit()?;
        Ok(database.close()?)
    })?;
    directory.finish_database()
}

fn check_format(file: &Path, transaction: &ReadTransaction) -> Fallible<()> {
    let found = number(&transaction.open_table(META)?, meta::FORMAT)?;
    match found {
        0 => Err(Fault::Malformed("its format version is 0")),
        FORMAT_VERSION => Ok(()),
        found if found > FORMAT_VERSION => Err(Fault::Answer(Error::UnsupportedFormat {
            file: file.to_owned(),
            found,
            supported: FORMAT_VERSION,
        })),
        _ => Err(Fault::Malformed("its format version is unknown")),
    }
}
