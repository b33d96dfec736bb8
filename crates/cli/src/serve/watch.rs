//! Files that are read again when they change.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often every file is read, whatever the system says of changes (upstream's minute).
const POLL: Duration = Duration::from_secs(60);

/// How long a change is left to settle, so that a file is not read while it is written.
const SETTLE: Duration = Duration::from_millis(100);

/// The longest file that is read: a hundred times what a hundred thousand tokens take.
const MAX_LEN: u64 = 1 << 30;

/// What gets each content of a file. It must take the same content twice.
type Take = Box<dyn FnMut(io::Result<Vec<u8>>) + Send>;

/// Reads files again when the file system tells of a change, and every minute in any case: what
/// tells of changes misses some, such as those behind symbolic links and on network file systems.
#[derive(Default)]
pub(super) struct Watch {
    files: Vec<File>,
}

struct File {
    path: PathBuf,
    stamp: Option<Stamp>,
    take: Take,
}

/// What differs when a file was changed or exchanged, nearly always.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    fn read(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Self::of)
    }
}

impl Watch {
    /// Has `take` called with what is in the file from now on.
    pub(super) fn file(
        &mut self,
        path: &Path,
        take: impl FnMut(io::Result<Vec<u8>>) + Send + 'static,
    ) {
        // A pipe would be waited for, and gives what it holds only once.
        if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            tracing::warn!(file = %path.display(), "this is no regular file and is not read again");
            return;
        }
        self.files.push(File {
            path: path.to_owned(),
            // Whatever changed since the file was read first is seen in the first round.
            stamp: None,
            take: Box::new(take),
        });
    }

    /// Watches until it is told to stop.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut files = self.files;
        if files.is_empty() {
            return;
        }
        let changed = Arc::new(Notify::new());
        // Dropping the watcher ends it.
        let _watcher = watcher(&files, &changed);
        changed.notify_one();
        let mut poll = tokio::time::interval(POLL);
        poll.tick().await;
        loop {
            let all = tokio::select! {
                () = stop.cancelled() => return,
                _ = poll.tick() => true,
                () = changed.notified() => {
                    tokio::time::sleep(SETTLE).await;
                    false
                }
            };
            let round = tokio::task::spawn_blocking(move || {
                for file in &mut files {
                    file.look(all);
                }
                files
            });
            files = match round.await {
                Ok(files) => files,
                Err(error) => {
                    tracing::error!(%error, "reading changed files broke off; no file is read again");
                    return;
                }
            };
        }
    }
}

impl File {
    fn look(&mut self, always: bool) {
        // Before the content, so that a change between the two is seen the next time.
        let stamp = Stamp::read(&self.path);
        if always || stamp != self.stamp || stamp.is_none() {
            (self.take)(read_regular(&self.path));
        }
        self.stamp = stamp;
    }
}

/// As [`read`], but does not wait for who writes into a pipe.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file any more"));
    }
    read(path)
}

/// Reads a file that is not longer than anyone needs.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let length = std::fs::metadata(path)?.len();
    if length > MAX_LEN {
        let message = format!("the file has {length} bytes, more than {MAX_LEN}");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    std::fs::read(path)
}

/// Watches the directories that the files are in: an editor or a projected volume exchanges the file
/// itself.
fn watcher(files: &[File], changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let notify = Arc::clone(changed);
    let made = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading the files is an event too.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            notify.notify_one();
        }
    });
    let mut watcher = match made {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "the system does not tell of changed files; they are read every minute");
            return None;
        }
    };
    let mut directories: Vec<&Path> = files.iter().filter_map(|file| file.path.parent()).collect();
    directories.sort_unstable();
    directories.dedup();
    for directory in directories {
        let directory = if directory.as_os_str().is_empty() {
            Path::new(".")
        } else {
            directory
        };
        if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
            tracing::warn!(
                %error,
                directory = %directory.display(),
                "cannot watch the directory; files in it are read every minute"
            );
        }
    }
    Some(watcher)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    fn watched(path: &Path) -> (mpsc::Receiver<io::Result<Vec<u8>>>, CancellationToken) {
        let (sender, receiver) = mpsc::channel();
        let mut watch = Watch::default();
        watch.file(path, move |content| {
            let _ = sender.send(content);
        });
        let stop = CancellationToken::new();
        tokio::spawn(watch.run(stop.clone()));
        (receiver, stop)
    }

    /// Waits for this content; what comes before it is an older one.
    fn expect(receiver: &mpsc::Receiver<io::Result<Vec<u8>>>, content: &[u8]) {
        loop {
            let next = receiver
                .recv_timeout(DEADLINE)
                .expect("the content arrives");
            if next.is_ok_and(|next| next == content) {
                return;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn changes_arrive_however_they_are_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.csv");
        std::fs::write(&path, "one").unwrap();
        let (receiver, stop) = watched(&path);
        expect(&receiver, b"one");
        std::fs::write(&path, "two").unwrap();
        expect(&receiver, b"two");
        let next = directory.path().join("next");
        std::fs::write(&next, "three").unwrap();
        std::fs::rename(&next, &path).unwrap();
        expect(&receiver, b"three");
        std::fs::remove_file(&path).unwrap();
        while receiver.recv_timeout(DEADLINE).unwrap().is_ok() {}
        std::fs::write(&path, "four").unwrap();
        expect(&receiver, b"four");
        stop.cancel();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_projected_volume_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (version, content) in [("..1", "one"), ("..2", "two")] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("ca.crt"), content).unwrap();
        }
        std::os::unix::fs::symlink("..1", at("..data")).unwrap();
        std::os::unix::fs::symlink("..data/ca.crt", at("ca.crt")).unwrap();
        let (receiver, stop) = watched(&at("ca.crt"));
        expect(&receiver, b"one");
        std::os::unix::fs::symlink("..2", at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        expect(&receiver, b"two");
        stop.cancel();
    }
}
