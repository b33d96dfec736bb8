//! Files of a data directory: written whole or not at all, and private ones kept private.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::Error;

/// The longest file that is read. Certificates and keys are a few kilobytes.
const MAX_FILE_LEN: u64 = 1 << 20;

/// How the names of files begin that are being written. What is left of them was interrupted.
const UNFINISHED: &str = ".unfinished-";

/// Who may read a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    /// Its owner alone: mode 0600.
    Private,
    /// Everyone: mode 0644.
    Public,
}

impl Access {
    const fn mode(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Public => 0o644,
        }
    }

    /// The permission bits that a file of ours must not have.
    const fn refused(self) -> u32 {
        match self {
            Self::Private => 0o077,
            Self::Public => 0,
        }
    }

    /// The permission bits that a file which somebody else looks after must not have: its group may
    /// read a private one, as secrets that are mounted for a group are.
    const fn refused_elsewhere(self) -> u32 {
        match self {
            Self::Private => 0o027,
            Self::Public => 0,
        }
    }
}

/// A directory that is this process's alone to write, and its sub-directory `pki`.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

/// Held while files are looked at and written, so that two processes never both find none.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Directory {
    /// Creates what is missing of the directory, with mode 0700.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let path = std::path::absolute(path).map_err(Error::io("find", path))?;
        let directory = Self { path };
        let pki = directory.path("pki");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&pki)
            .map_err(Error::io("create directory", &pki))?;
        for each in [&directory.path, &pki] {
            let mode = mode(each)?;
            if mode & 0o022 != 0 {
                return Err(Error::DirectoryWritable {
                    directory: each.clone(),
                    mode,
                });
            }
        }
        sync(&directory.path)?;
        Ok(directory)
    }

    /// Where the file `name` is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Waits until no other process works in the directory, and clears away what one that was killed
    /// left unfinished.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let path = self.path("pki/lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        file.lock().map_err(Error::io("lock", &path))?;
        for directory in [&self.path, &self.path("pki")] {
            remove_unfinished(directory).map_err(Error::io("clean up", directory))?;
        }
        Ok(Lock { _file: file })
    }

    /// The contents of a file, or `None` if there is none. A private file that others may read is an
    /// error.
    pub(crate) fn read(
        &self,
        name: &str,
        access: Access,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let path = self.path(name);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
            Ok(file) => read_open(file, &path, access.refused()).map(Some),
        }
    }

    /// Writes a file that must not exist yet.
    pub(crate) fn create_file(
        &self,
        name: &str,
        contents: &[u8],
        access: Access,
    ) -> Result<(), Error> {
        self.write(name, contents, access, |temporary, path| {
            temporary.persist_noclobber(path)
        })
    }

    /// Writes a file, in place of the one that may be there.
    pub(crate) fn replace_file(
        &self,
        name: &str,
        contents: &[u8],
        access: Access,
    ) -> Result<(), Error> {
        self.write(name, contents, access, |temporary, path| {
            temporary.persist(path)
        })
    }

    /// Removes a file.
    pub(crate) fn remove_file(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        checkpoint()
            .and_then(|()| fs::remove_file(&path))
            .map_err(Error::io("remove", &path))?;
        sync(parent(&path))
    }

    fn write(
        &self,
        name: &str,
        contents: &[u8],
        access: Access,
        persist: fn(tempfile::NamedTempFile, &Path) -> Result<File, tempfile::PersistError>,
    ) -> Result<(), Error> {
        let path = self.path(name);
        let write = || {
            // The name is random and the file is created with mode 0600, whatever the umask.
            let mut temporary = tempfile::Builder::new()
                .prefix(UNFINISHED)
                .tempfile_in(parent(&path))?;
            temporary.write_all(contents)?;
            let file = temporary.as_file();
            file.set_permissions(fs::Permissions::from_mode(access.mode()))?;
            file.sync_all()?;
            checkpoint()?;
            persist(temporary, &path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(Error::io("write", &path))?;
        sync(parent(&path))
    }
}

/// Reads a private file that an operator named, such as `--service-account-signing-key-file`: at most
/// 1 MiB, which is wiped from memory when dropped.
///
/// Its group may read it, as secrets that are mounted for a group are.
///
/// # Errors
/// [`Error::KeyExposed`] if others may read it, or its group may write it; [`Error::FileTooLarge`];
/// [`Error::Io`].
pub fn read_private_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    read_elsewhere(path, Access::Private)
}

/// Reads a file outside the data directory.
pub(crate) fn read_elsewhere(path: &Path, access: Access) -> Result<Zeroizing<Vec<u8>>, Error> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    read_open(file, path, access.refused_elsewhere())
}

fn read_open(file: File, path: &Path, refused: u32) -> Result<Zeroizing<Vec<u8>>, Error> {
    let metadata = file.metadata().map_err(Error::io("read", path))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & refused != 0 {
        return Err(Error::KeyExposed {
            file: path.to_owned(),
            mode,
        });
    }
    let mut contents = Zeroizing::new(Vec::with_capacity(8 << 10));
    file.take(MAX_FILE_LEN + 1)
        .read_to_end(&mut contents)
        .map_err(Error::io("read", path))?;
    if contents.len() as u64 > MAX_FILE_LEN {
        return Err(Error::FileTooLarge {
            file: path.to_owned(),
            limit: MAX_FILE_LEN,
        });
    }
    Ok(contents)
}

fn mode(path: &Path) -> Result<u32, Error> {
    let metadata = fs::metadata(path).map_err(Error::io("read", path))?;
    Ok(metadata.permissions().mode() & 0o7777)
}

/// Makes the directory's entries durable.
fn sync(directory: &Path) -> Result<(), Error> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(Error::io("sync", directory))
}

fn remove_unfinished(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(UNFINISHED.as_bytes())
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// Where tests let the process die: before each change that others can see.
#[cfg(not(test))]
fn checkpoint() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
use faults::checkpoint;

#[cfg(test)]
pub(crate) mod faults {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static CHANGES_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// Runs `work` as if the process died after this many changes to the directory.
    pub(crate) fn dying_after<T>(changes: u32, work: impl FnOnce() -> T) -> T {
        CHANGES_LEFT.set(Some(changes));
        let result = work();
        CHANGES_LEFT.set(None);
        result
    }

    pub(super) fn checkpoint() -> io::Result<()> {
        match CHANGES_LEFT.get() {
            None => Ok(()),
            Some(0) => Err(io::Error::other("the process was killed")),
            Some(changes) => {
                CHANGES_LEFT.set(Some(changes - 1));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, Directory) {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::create(&root.path().join("data")).unwrap();
        (root, directory)
    }

    #[test]
    fn files_and_directories_get_their_modes_whatever_the_umask() {
        let (_root, directory) = directory();
        directory
            .create_file("pki/a", b"1", Access::Private)
            .unwrap();
        directory
            .create_file("pki/b", b"2", Access::Public)
            .unwrap();
        assert_eq!(mode(&directory.path("pki/a")).unwrap(), 0o600);
        assert_eq!(mode(&directory.path("pki/b")).unwrap(), 0o644);
        assert_eq!(mode(&directory.path("pki")).unwrap(), 0o700);
    }

    #[test]
    fn a_file_that_is_there_is_never_created_again() {
        let (_root, directory) = directory();
        directory
            .create_file("pki/a", b"1", Access::Private)
            .unwrap();
        directory
            .create_file("pki/a", b"2", Access::Private)
            .unwrap_err();
        assert_eq!(
            *directory.read("pki/a", Access::Private).unwrap().unwrap(),
            b"1"
        );
        directory
            .replace_file("pki/a", b"3", Access::Private)
            .unwrap();
        assert_eq!(
            *directory.read("pki/a", Access::Private).unwrap().unwrap(),
            b"3"
        );
    }

    #[test]
    fn a_private_file_that_others_may_read_is_refused_and_the_hint_mends_it() {
        let (_root, directory) = directory();
        directory
            .create_file("pki/a", b"1", Access::Private)
            .unwrap();
        let path = directory.path("pki/a");
        for exposed in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(exposed)).unwrap();
            let error = directory.read("pki/a", Access::Private).unwrap_err();
            assert!(matches!(&error, Error::KeyExposed { mode, .. } if *mode == exposed));
            assert_eq!(
                error.hint().unwrap(),
                format!("run: chmod 600 {}", path.display())
            );
            assert!(error.to_string().contains(&format!("mode {exposed:04o}")));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        read_elsewhere(&path, Access::Private).unwrap();
    }

    #[test]
    fn a_directory_that_others_may_write_is_refused() {
        let (root, directory) = directory();
        let pki = directory.path("pki");
        fs::set_permissions(&pki, fs::Permissions::from_mode(0o770)).unwrap();
        let error = Directory::create(&root.path().join("data")).unwrap_err();
        assert!(
            matches!(error, Error::DirectoryWritable { directory, mode: 0o770 } if directory == pki)
        );
    }

    #[test]
    fn what_a_killed_process_left_unfinished_is_cleared_away() {
        let (_root, directory) = directory();
        let left = [".unfinished-abc", "pki/.unfinished-def"].map(|name| directory.path(name));
        left.iter()
            .for_each(|path| fs::write(path, "half").unwrap());
        drop(directory.lock().unwrap());
        assert!(left.iter().all(|path| !path.exists()));
    }

    #[test]
    fn a_file_of_more_than_a_mebibyte_is_refused() {
        let (_root, directory) = directory();
        let long = vec![b'a'; 1 << 20];
        fs::write(directory.path("pki/a"), &long).unwrap();
        directory.read("pki/a", Access::Public).unwrap();
        fs::write(directory.path("pki/a"), [&long[..], b"a"].concat()).unwrap();
        let error = directory.read("pki/a", Access::Public).unwrap_err();
        assert!(matches!(error, Error::FileTooLarge { .. }));
    }
}
