//! What a user shows a server with each request.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burgee_identity::{Clock, Secret};
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::exec::Plugin;
use crate::{ClusterAccess, Error, files};

/// How long a token that was read from a file is used before the file is read again.
///
/// client-go counts a minute and takes ten seconds off (`k8s.io/client-go/transport/token_source.go`).
const TOKEN_FILE_PERIOD: Duration = Duration::from_secs(50);

/// A client's certificate with those above it, and its key, both PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Certificate {
    pub(crate) chain: Vec<u8>,
    pub(crate) key: Secret,
}

/// What one request shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presented {
    /// The value of the `Authorization` header.
    pub(crate) authorization: Option<HeaderValue>,
    /// A certificate that does not stand in the kubeconfig.
    pub(crate) certificate: Option<Arc<Certificate>>,
}

/// Where it comes from.
#[derive(Debug)]
pub(crate) enum Credentials {
    /// The same each time, or nothing.
    Fixed(Presented),
    /// A file that somebody keeps fresh.
    File(TokenFile),
    /// A program.
    Plugin(Plugin),
}

impl Credentials {
    /// Chooses as client-go does: a token file over a token, and a plugin only where there is nothing else.
    pub(crate) fn of(access: &ClusterAccess, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        // A secret is not sent where everyone on the way can read it.
        if !access.is_secure() {
            return Ok(Self::Fixed(Presented::default()));
        }
        let user = access.user();
        let token = user.token.as_ref().map(bearer).transpose()?;
        if let Some(path) = &user.token_file {
            return Ok(Self::File(TokenFile::new(path.clone(), token, clock)?));
        }
        let has_certificate =
            user.client_certificate.is_some() || user.client_certificate_data.is_some();
        let authorization = if user.uses_basic() {
            Some(basic(user.username.as_deref(), user.password.as_ref())?)
        } else {
            token
        };
        match &user.exec {
            Some(exec) if authorization.is_none() && !has_certificate => Ok(Self::Plugin(
                Plugin::new(exec.clone(), access.cluster(), clock)?,
            )),
            _ => Ok(Self::Fixed(Presented {
                authorization,
                certificate: None,
            })),
        }
    }

    /// What the next request shows.
    pub(crate) async fn present(&self) -> Result<Presented, Error> {
        match self {
            Self::Fixed(presented) => Ok(presented.clone()),
            Self::File(file) => Ok(Presented {
                authorization: Some(file.header().await),
                certificate: None,
            }),
            Self::Plugin(plugin) => plugin.present().await,
        }
    }

    /// The server did not take what [`Credentials::present`] gave when asked at this time: the next request
    /// does not show the same again if there is a way to have something else. What was made for the refused
    /// request itself is given a second chance, so that a plugin does not run for each request of a user
    /// that the server does not like.
    pub(crate) async fn refused(&self, asked_at: Duration) {
        match self {
            Self::Fixed(_) => {}
            Self::File(file) => file.forget_older_than(asked_at),
            Self::Plugin(plugin) => plugin.forget_older_than(asked_at).await,
        }
    }
}

/// A token in a file, read again as time passes.
#[derive(Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    header: HeaderValue,
    /// On the monotonic clock; nothing when it must be read again.
    read_at: Option<Duration>,
}

impl TokenFile {
    /// Without a token to begin with, the file must have one now.
    fn new(
        path: PathBuf,
        token: Option<HeaderValue>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let now = clock.monotonic();
        let held = match (read_token(path.clone()), token) {
            (Ok(header), _) => Held {
                header,
                read_at: Some(now),
            },
            (Err(_), Some(header)) => Held {
                header,
                read_at: None,
            },
            (Err(error), None) => return Err(error),
        };
        Ok(Self {
            path,
            clock,
            held: Mutex::new(held),
        })
    }

    /// The file's token; that of last time when the file cannot be read.
    async fn header(&self) -> HeaderValue {
        let now = self.clock.monotonic();
        {
            let mut held = self.lock();
            let fresh = |at: Duration| now.saturating_sub(at) < TOKEN_FILE_PERIOD;
            if held.read_at.is_some_and(fresh) {
                return held.header.clone();
            }
            // Whoever asks meanwhile takes the old one, and does not read the file too.
            held.read_at = Some(now);
        }
        match files::unblocked(&self.path, read_token).await {
            Ok(header) => {
                self.lock().header = header.clone();
                header
            }
            Err(error) => {
                tracing::error!(%error, "unable to rotate token");
                self.lock().header.clone()
            }
        }
    }

    fn forget_older_than(&self, time: Duration) {
        let mut held = self.lock();
        if held.read_at.is_some_and(|at| at < time) {
            held.read_at = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_token(path: PathBuf) -> Result<HeaderValue, Error> {
    let content = files::read(&path)?;
    let text = std::str::from_utf8(&content).unwrap_or("\n").trim();
    if text.is_empty() {
        let path = crate::error::quoted(&path.to_string_lossy());
        return Err(Error::Credential(format!(
            "read empty token from file {path}"
        )));
    }
    bearer(&Secret::from(text.to_owned()))
}

/// `Bearer TOKEN`.
pub(crate) fn bearer(token: &Secret) -> Result<HeaderValue, Error> {
    header(&format!("Bearer {}", token.expose()))
}

/// `Basic …`.
fn basic(username: Option<&str>, password: Option<&Secret>) -> Result<HeaderValue, Error> {
    let password = password.map_or("", Secret::expose);
    let pair = Zeroizing::new(format!("{}:{password}", username.unwrap_or_default()));
    header(&format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

fn header(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Error::Credential("token cannot stand in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use burgee_identity::SettableClock;
    use jiff::Timestamp;

    use super::*;

    fn clock() -> Arc<SettableClock> {
        Arc::new(SettableClock::at(Timestamp::UNIX_EPOCH))
    }

    async fn shown(file: &TokenFile) -> String {
        file.header().await.to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_token_file_is_read_again_within_a_minute_and_not_at_each_request() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let (clock, write) = (clock(), |text: &str| std::fs::write(&path, text).unwrap());
        write("one\n");
        let file = TokenFile::new(path.clone(), None, clock.clone()).unwrap();
        write("two");
        clock.advance(Duration::from_secs(49));
        assert_eq!(shown(&file).await, "Bearer one");
        clock.advance(Duration::from_secs(1));
        assert_eq!(shown(&file).await, "Bearer two");
        write("three");
        assert_eq!(shown(&file).await, "Bearer two");
    }

    #[tokio::test]
    async fn a_refused_token_is_read_again_at_once_unless_it_is_newer_than_the_refusal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let clock = clock();
        clock.advance(Duration::from_secs(10));
        std::fs::write(&path, "one").unwrap();
        let file = TokenFile::new(path.clone(), None, clock.clone()).unwrap();
        std::fs::write(&path, "two").unwrap();
        file.forget_older_than(Duration::from_secs(9));
        assert_eq!(shown(&file).await, "Bearer one");
        file.forget_older_than(Duration::from_secs(11));
        assert_eq!(shown(&file).await, "Bearer two");
    }

    #[tokio::test]
    async fn a_token_outlives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let clock = clock();
        std::fs::write(&path, "one").unwrap();
        let file = TokenFile::new(path.clone(), None, clock.clone()).unwrap();
        std::fs::remove_file(&path).unwrap();
        clock.advance(Duration::from_secs(100));
        assert_eq!(shown(&file).await, "Bearer one");
        let error = TokenFile::new(path.clone(), None, clock.clone()).unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }));
        let token = bearer(&Secret::from("zero".to_owned())).unwrap();
        let file = TokenFile::new(path.clone(), Some(token), clock.clone()).unwrap();
        assert_eq!(shown(&file).await, "Bearer zero");
        std::fs::write(&path, " \n").unwrap();
        let error = TokenFile::new(path, None, clock).unwrap_err().to_string();
        assert!(error.starts_with("read empty token from file"), "{error}");
    }

    #[test]
    fn basic_credentials_are_encoded_and_marked_as_secret() {
        let value = basic(Some("jane"), Some(&Secret::from("p:w".to_owned()))).unwrap();
        assert_eq!(value.to_str().unwrap(), "Basic amFuZTpwOnc=");
        assert!(value.is_sensitive());
        assert!(bearer(&Secret::from("a\nb".to_owned())).is_err());
    }
}
