//! Files that a kubeconfig names.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::Error;

/// Longer than any certificate bundle, key or token.
const MAX_FILE_LEN: u64 = 4 * 1024 * 1024;

/// Reads a file whole. What it held is wiped when dropped.
pub(crate) fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut content = Zeroizing::new(Vec::new());
    std::fs::File::open(file)
        .and_then(|opened| {
            let read = opened.take(MAX_FILE_LEN + 1).read_to_end(&mut content)?;
            if u64::try_from(read).unwrap_or(u64::MAX) > MAX_FILE_LEN {
                let message = format!("file is longer than {MAX_FILE_LEN} bytes");
                return Err(std::io::Error::other(message));
            }
            Ok(())
        })
        .map_err(|source| Error::Unreadable {
            file: file.to_owned(),
            source,
        })?;
    Ok(content)
}

/// Does what blocks on a thread that may.
pub(crate) async fn unblocked<T: Send + 'static>(
    file: &Path,
    work: impl FnOnce(PathBuf) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let file = file.to_owned();
    let failed = Error::Unreadable {
        file: file.clone(),
        source: std::io::Error::other("the runtime is shutting down"),
    };
    tokio::task::spawn_blocking(move || work(file))
        .await
        .unwrap_or(Err(failed))
}
