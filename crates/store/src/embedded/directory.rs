//! The data directory: its checks, its lock, its file names.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Error, Result};

const DATABASE: &str = "store.redb";
const UNFINISHED_DATABASE: &str = "store.redb.new";
const LOCK: &str = "store.lock";
const PROBE_CHUNK: usize = 64 * 1024;

/// A data directory that belongs to this process until it is dropped.
#[derive(Debug)]
pub(super) struct DataDirectory {
    path: PathBuf,
    lock: File,
}

impl DataDirectory {
    /// Takes the directory for this process; creates it, readable by its owner only, if only the
    /// last component of its path is missing.
    pub(super) fn acquire(path: &Path) -> Result<Self> {
        create_if_missing(path)?;
        let lock = lock(path)?;
        Ok(Self {
            path: path.to_owned(),
            lock,
        })
    }

    /// Where the database is.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Where a new database is prepared, so that a crash half way leaves no broken one. What such a
    /// crash left behind is removed.
    pub(super) fn unfinished_database(&self) -> Result<PathBuf> {
        let path = self.path.join(UNFINISHED_DATABASE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(from_io("remove", &path, error))
            }
            _ => Ok(path),
        }
    }

    /// Puts the prepared database in its place, for good.
    pub(super) fn finish_database(&self) -> Result<()> {
        let (from, to) = (self.path.join(UNFINISHED_DATABASE), self.database());
        std::fs::rename(&from, &to)
            .and_then(|()| File::open(&self.path)?.sync_all())
            .map_err(|error| from_io("create", &to, error))
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        // Closing the file is not enough: while another thread starts a program, the child holds a
        // copy of it for a moment, and the lock with it.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(directory = %self.path.display(), %error, "cannot unlock");
        }
    }
}

/// Opens a file for reading and writing that its owner alone can read.
pub(super) fn open_private(path: &Path, create: bool) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| from_io("open", path, error))?;
    let metadata = file
        .metadata()
        .map_err(|error| from_io("open", path, error))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(file = %path.display(), "file was accessible to others, making it private");
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(|error| from_io("change the mode of", path, error))?;
    }
    Ok(file)
}

/// An operating system's error in terms of what an operator can do about it.
pub(super) fn from_io(operation: &'static str, file: &Path, error: io::Error) -> Error {
    let file = file.to_owned();
    let source = Arc::new(error);
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            Error::StorageFull { file, source }
        }
        _ => Error::Io {
            operation,
            file,
            source,
        },
    }
}

/// Checks by trying that a file beside `database` could grow by so many bytes.
pub(super) fn probe_space(database: &Path, bytes: usize) -> Result<()> {
    let path = database.with_extension("probe");
    let written = open_private(&path, true).and_then(|mut file| {
        let zeros = io::repeat(0).take(bytes as u64);
        io::copy(&mut BufReader::with_capacity(PROBE_CHUNK, zeros), &mut file)
            .map_err(|error| from_io("write", database, error))
    });
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), %error, "cannot remove the file");
        }
        _ => {}
    }
    written.map(|_| ())
}

fn create_if_missing(path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_dir() => Err(unusable(
            path,
            "it is not a directory; name a directory",
            None,
        )),
        Ok(metadata) => {
            if metadata.permissions().mode() & 0o022 != 0 {
                tracing::warn!(directory = %path.display(), "data directory is writable by others");
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => DirBuilder::new()
            .mode(0o700)
            .create(path)
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => unusable(
                    path,
                    "its parent directory does not exist; create it",
                    Some(error),
                ),
                _ => unusable(path, "it cannot be created", Some(error)),
            }),
        Err(error) => Err(unusable(path, "it cannot be accessed", Some(error))),
    }
}

fn lock(directory: &Path) -> Result<File> {
    let path = directory.join(LOCK);
    let mut file = open_private(&path, true).map_err(|error| match error {
        Error::Io { source, .. } => {
            let problem = match source.kind() {
                ErrorKind::ReadOnlyFilesystem => {
                    "its file system is read-only; remount it or choose another directory"
                }
                ErrorKind::PermissionDenied => {
                    "it is not writable; change its owner or choose another directory"
                }
                _ => "its lock file cannot be opened",
            };
            Error::Directory {
                path: directory.to_owned(),
                problem,
                source: Some(source),
            }
        }
        other => other,
    })?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::InUse {
                path: directory.to_owned(),
                holder: read_holder(&mut file),
            });
        }
        Err(TryLockError::Error(error)) => return Err(from_io("lock", &path, error)),
    }
    // The process id only helps people; a full disk must not keep the store from being read.
    if let Err(error) = write_holder(&mut file) {
        tracing::warn!(file = %path.display(), %error, "cannot note the process id");
    }
    Ok(file)
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

fn read_holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn unusable(path: &Path, problem: &'static str, error: Option<io::Error>) -> Error {
    Error::Directory {
        path: path.to_owned(),
        problem,
        source: error.map(Arc::new),
    }
}
