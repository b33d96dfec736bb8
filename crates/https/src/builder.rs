//! Putting a client together.

use std::fmt;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};

use crate::Error;
use crate::tls::{self, Identity, Verification};

/// The most redirects that are followed for one request.
const MAX_REDIRECTS: usize = 10;

/// Whose servers are trusted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Roots {
    /// Those that the authorities of this host vouch for (`SSL_CERT_FILE` and `SSL_CERT_DIR` are
    /// honoured).
    Host,
    /// Those that the authorities in this PEM bundle vouch for, and no others.
    Pem(Vec<u8>),
}

/// Which proxy requests go through.
#[derive(Clone, Eq, PartialEq)]
pub enum Proxy {
    /// That of the environment variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` (or in lower case), as
    /// Go reads them: never for this host itself.
    Environment,
    /// Always this one: the URL of an `http`, `https`, `socks5` or `socks5h` proxy.
    Fixed(String),
    /// None.
    None,
}

impl fmt::Debug for Proxy {
    /// A proxy's URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "Environment",
            Self::Fixed(_) => "Fixed(..)",
            Self::None => "None",
        })
    }
}

/// What happens when a server sends a request elsewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Redirects {
    /// It goes there, ten times at most and by `https` only. `Authorization` goes to no other host, and
    /// a client with a certificate does not go to another host at all.
    Follow,
    /// The answer that says so is the answer.
    Refuse,
}

/// Makes a [`reqwest::Client`].
///
/// Unless told otherwise it trusts the host's authorities, goes through the environment's proxy, follows
/// no redirects, connects within 10 seconds and is done within 30. It speaks HTTP/2 and HTTP/1.1 over TLS
/// 1.3 and 1.2, and never asks for or unpacks compressed answers.
#[must_use]
pub struct ClientBuilder {
    roots: Roots,
    identity: Option<Result<Identity, Error>>,
    server_name: Option<String>,
    skip_verification: bool,
    proxy: Proxy,
    redirects: Redirects,
    https_only: bool,
    total_timeout: Duration,
    connect_timeout: Duration,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("server_name", &self.server_name)
            .field("proxy", &self.proxy)
            .field("redirects", &self.redirects)
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// A builder with the settings above.
    pub fn new() -> Self {
        Self {
            roots: Roots::Host,
            identity: None,
            server_name: None,
            skip_verification: false,
            proxy: Proxy::Environment,
            redirects: Redirects::Refuse,
            https_only: false,
            total_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
        }
    }

    /// Whose servers are trusted.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Shows servers that ask for one this certificate, which may be followed by those above it; both are
    /// PEM.
    pub fn client_certificate(mut self, certificates: &[u8], key: &[u8]) -> Self {
        self.identity = Some(tls::identity(certificates, key));
        self
    }

    /// Verifies servers' certificates for this name instead of the host of the URL.
    ///
    /// The name that is sent in the clear for the server to choose its certificate by (SNI) stays the
    /// URL's host.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Takes every certificate, so that anyone between can answer in the server's place. Each client that
    /// is built like this is warned of in the log.
    pub fn insecure_skip_verification(mut self) -> Self {
        self.skip_verification = true;
        self
    }

    /// Which proxy requests go through.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// What happens when a server sends a request elsewhere.
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// Fails requests to anything but `https`.
    pub fn https_only(mut self) -> Self {
        self.https_only = true;
        self
    }

    /// How long a request may take from its start until its answer was read.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = timeout;
        self
    }

    /// How long a connection may take to be there.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`Error::CertificateAuthorities`], [`Error::HostAuthorities`], [`Error::ClientCertificate`],
    /// [`Error::ServerName`], [`Error::Proxy`] or [`Error::Build`].
    pub fn build(self) -> Result<reqwest::Client, Error> {
        let verification = if self.skip_verification {
            tracing::warn!(
                "an https client does not verify servers' certificates: anyone on the way can answer"
            );
            Verification::None
        } else {
            Verification::Against(&self.roots, self.server_name.as_deref())
        };
        let has_identity = self.identity.is_some();
        let tls = tls::config(verification, self.identity.transpose()?)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("burgee/", env!("CARGO_PKG_VERSION")))
            .referer(false)
            .https_only(self.https_only)
            .redirect(match self.redirects {
                Redirects::Follow => Policy::custom(move |attempt| follow(attempt, has_identity)),
                Redirects::Refuse => Policy::none(),
            })
            .timeout(self.total_timeout)
            .connect_timeout(self.connect_timeout)
            // A connection whose other end is gone must not cost the next request its whole time.
            .http2_keep_alive_interval(Duration::from_secs(30))
            .http2_keep_alive_timeout(Duration::from_secs(15));
        let client = match &self.proxy {
            Proxy::Environment => {
                let mut client = client.no_proxy();
                for proxy in environment_proxies(|name| std::env::var(name).ok())? {
                    client = client.proxy(proxy);
                }
                client
            }
            Proxy::Fixed(url) => {
                let proxy =
                    reqwest::Proxy::all(url).map_err(|error| Error::Proxy(error.without_url()))?;
                client.no_proxy().proxy(proxy)
            }
            Proxy::None => client.no_proxy(),
        };
        client
            .build()
            .map_err(|error| Error::Build(error.without_url()))
    }
}

/// The proxies that environment variables name.
fn environment_proxies(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<reqwest::Proxy>, Error> {
    let either = |upper: &str| {
        let value = variable(upper).or_else(|| variable(&upper.to_ascii_lowercase()));
        value.filter(|value| !value.is_empty())
    };
    let direct = either("NO_PROXY").unwrap_or_default();
    let direct = reqwest::NoProxy::from_string(&format!("{direct},localhost,127.0.0.0/8,::1"));
    let mut proxies = Vec::new();
    if let Some(url) = either("HTTPS_PROXY") {
        proxies.push(reqwest::Proxy::https(url));
    }
    // Within a CGI program a client chooses this variable with its header `Proxy`.
    if let Some(url) = either("HTTP_PROXY").filter(|_| variable("REQUEST_METHOD").is_none()) {
        proxies.push(reqwest::Proxy::http(url));
    }
    let proxies = proxies.into_iter().map(|proxy| match proxy {
        Ok(proxy) => Ok(proxy.no_proxy(direct.clone())),
        Err(error) => Err(Error::Proxy(error.without_url())),
    });
    proxies.collect()
}

/// Whether the request goes where the server sent it.
fn follow(attempt: Attempt<'_>, has_identity: bool) -> reqwest::redirect::Action {
    // The first of these is the request's own.
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error("too many redirects");
    }
    if attempt.url().scheme() != "https" {
        return attempt.error("redirected to something else than https");
    }
    let origin = attempt.previous().first().map(reqwest::Url::origin);
    if has_identity && origin.is_some_and(|origin| origin != attempt.url().origin()) {
        return attempt
            .error("redirected to another host, which must not see the client certificate");
    }
    attempt.follow()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_come_from_the_environment_in_either_case() {
        let proxies = |set: &[(&str, &str)]| {
            let variable = |name: &str| {
                let found = set.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            environment_proxies(variable).map(|proxies| proxies.len())
        };
        assert_eq!(proxies(&[]).unwrap(), 0);
        assert_eq!(proxies(&[("HTTPS_PROXY", "")]).unwrap(), 0);
        assert_eq!(proxies(&[("https_proxy", "http://p:1")]).unwrap(), 1);
        let both = [("HTTPS_PROXY", "http://p:1"), ("HTTP_PROXY", "http://p:1")];
        assert_eq!(proxies(&both).unwrap(), 2);
        let within_cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://p:1")];
        assert_eq!(proxies(&within_cgi).unwrap(), 0);
        let error = proxies(&[("HTTPS_PROXY", "::hush")]).unwrap_err();
        assert!(matches!(error, Error::Proxy(_)) && !format!("{error:?}").contains("hush"));
    }
}
