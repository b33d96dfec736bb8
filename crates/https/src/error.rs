//! What can go wrong with a client and its requests.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io::ErrorKind;

/// Why a client could not be built, or a request failed.
///
/// No variant holds a URL, a header or a body.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The answer goes on beyond what is read of it.
    #[error("answer is longer than {limit} bytes")]
    AnswerTooLong {
        /// How many bytes would have been read.
        limit: usize,
    },

    /// The client could not be put together from what was asked for.
    #[error("https client cannot be built")]
    Build(#[source] reqwest::Error),

    /// The bundle of authorities has no certificate, or one that cannot be an authority.
    #[error("certificate authorities are unusable")]
    CertificateAuthorities(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// The client's certificate or key is no PEM of that kind, or they do not belong together.
    #[error("client certificate or key is unusable")]
    ClientCertificate(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// The host's own certificate authorities cannot be read, or there are none.
    #[error("certificate authorities of this host cannot be read")]
    HostAuthorities(#[source] Option<rustls_native_certs::Error>),

    /// The URL of a proxy cannot be used: `http`, `https`, `socks5` and `socks5h` can.
    #[error("proxy is unusable")]
    Proxy(#[source] reqwest::Error),

    /// A request was not answered, or not to its end.
    #[error("request failed")]
    Request(#[source] reqwest::Error),

    /// The name to verify the server's certificate for is neither a host name nor an address.
    #[error("server name is invalid")]
    ServerName,

    /// A request took longer than it may.
    #[error("request timed out")]
    TimedOut(#[source] reqwest::Error),

    /// The TLS library refuses the settings.
    #[error("tls settings are unusable")]
    Tls(#[source] rustls::Error),
}

impl Error {
    /// Whether time ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut(_))
    }

    /// Whether a connection that was there broke before the answer was: it was reset, or closed by a server
    /// that went away. A request that can be repeated may be answered the next time.
    #[must_use]
    pub fn is_connection_lost(&self) -> bool {
        let Self::Request(error) = self else {
            return false;
        };
        std::iter::successors(error.source(), |&error| error.source())
            .any(|cause| !error.is_connect() && is_loss(cause))
    }
}

fn is_loss(error: &(dyn StdError + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        return matches!(
            error.kind(),
            ErrorKind::BrokenPipe
                | ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
                | ErrorKind::UnexpectedEof
        );
    }
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        return error.is_go_away() || error.get_io().is_some_and(|error| is_loss(error));
    }
    error
        .downcast_ref::<hyper::Error>()
        .is_some_and(|error| error.is_incomplete_message() || error.is_closed())
}

impl From<reqwest::Error> for Error {
    /// What became of a request, without its URL.
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            Self::TimedOut(error)
        } else {
            Self::Request(error)
        }
    }
}

/// An error and all its sources in one line: `request failed: error sending request: connection refused`.
#[must_use]
pub fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a string does not fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
