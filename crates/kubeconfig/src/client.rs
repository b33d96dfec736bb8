//! Requests to the server of a context.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use burgee_https::read_bounded;
use burgee_identity::Clock;
use burgee_wire::Status;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::Url;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::credentials::Credentials;
use crate::transport::Transport;
use crate::{ClusterAccess, Error, User};

/// How long an answer may be unless the request says otherwise.
const DEFAULT_LIMIT: usize = 16 * 1024 * 1024;

/// How long a request may take unless it says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// An answer that is read as it comes has no end of its own; reqwest wants one.
const STREAM_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Sends requests to one server as one user. Copies share connections and credentials.
///
/// Redirects are not followed, and nothing is sent twice.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    access: ClusterAccess,
    clock: Arc<dyn Clock>,
    credentials: Credentials,
    /// Whom to act as.
    impersonation: HeaderMap,
    transport: Transport,
}

/// A request on its way to be sent.
#[must_use]
pub struct Request {
    client: Client,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Result<Option<Bytes>, Error>,
    limit: usize,
    timeout: Duration,
}

/// An answer of any status, read whole. `Debug` shows no body: it may hold a token.
#[derive(Clone)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its header lines.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Client {
    pub(crate) fn new(access: ClusterAccess, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Ok(Self(Arc::new(Inner {
            credentials: Credentials::of(&access, Arc::clone(&clock))?,
            impersonation: match access.is_secure() {
                true => impersonation(access.user())?,
                false => HeaderMap::new(),
            },
            transport: Transport::new(access.clone(), Arc::clone(&clock))?,
            access,
            clock,
        })))
    }

    /// The server's URL, as written.
    #[must_use]
    pub fn server(&self) -> &str {
        self.0.access.server()
    }

    /// The namespace of requests that name none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0.access.namespace()
    }

    /// A request. The path goes below the server's own; it begins with a slash and may have a query. An
    /// empty path asks for the server's URL exactly as it is written.
    pub fn request(&self, method: Method, path: &str) -> Request {
        Request {
            client: self.clone(),
            method,
            url: below(self.0.access.url(), path),
            headers: HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]),
            body: Ok(None),
            limit: DEFAULT_LIMIT,
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// Asks for an object.
    ///
    /// # Errors
    /// [`Error::Refused`] with the server's own words, [`Error::Answer`], or those of [`Request::send`].
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let answer = self.request(Method::GET, path).send().await?;
        answer.ok()?.json()
    }

    /// Sends an object, and decodes the one that comes back.
    ///
    /// # Errors
    /// Those of [`Client::get_json`], and [`Error::Body`].
    pub async fn send_json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        object: &impl Serialize,
    ) -> Result<T, Error> {
        let answer = self.request(method, path).json(object).send().await?;
        answer.ok()?.json()
    }
}

impl Request {
    /// Adds a header line, instead of those of the same name.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// What is sent, and its media type.
    pub fn body(mut self, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        self.headers.insert(CONTENT_TYPE, content_type);
        self.body = Ok(Some(body.into()));
        self
    }

    /// Sends an object as JSON.
    pub fn json(mut self, object: &impl Serialize) -> Self {
        match serde_json::to_vec(object) {
            Ok(body) => self.body(HeaderValue::from_static("application/json"), body),
            Err(error) => {
                self.body = Err(Error::Body(error));
                self
            }
        }
    }

    /// How many bytes the answer may have; 16 MiB unless this says otherwise.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// How long it may take from now until the answer is read; 30 seconds unless this says otherwise. The
    /// time that a credential plugin takes does not count.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends it, and reads the answer, of whatever status.
    ///
    /// # Errors
    /// [`Error::Https`] when there is no answer or too long a one; [`Error::Credential`],
    /// [`Error::Plugin`] or [`Error::Body`] when there was nothing to send.
    pub async fn send(self) -> Result<Response, Error> {
        let (limit, timeout) = (self.limit, self.timeout);
        let answer = self.start(timeout).await?;
        Ok(Response {
            status: answer.status(),
            headers: answer.headers().clone(),
            body: read_bounded(answer, limit).await?,
        })
    }

    /// Sends it, and leaves the body to be read as it comes, without limits of time and length: for
    /// watches.
    ///
    /// # Errors
    /// Those of [`Request::send`].
    pub async fn open(self) -> Result<reqwest::Response, Error> {
        self.start(STREAM_TIMEOUT).await
    }

    async fn start(self, timeout: Duration) -> Result<reqwest::Response, Error> {
        let inner = &self.client.0;
        let body = self.body?;
        let asked_at = inner.clock.monotonic();
        let presented = inner.credentials.present().await?;
        let client = inner.transport.client(presented.certificate).await?;
        let mut request = client
            .request(self.method, self.url)
            .timeout(timeout)
            .headers(inner.impersonation.clone())
            .headers(self.headers);
        if let Some(authorization) = presented.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await.map_err(burgee_https::Error::from)?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            inner.credentials.refused(asked_at).await;
        }
        Ok(answer)
    }
}

impl Response {
    /// Itself if its status says success.
    ///
    /// # Errors
    /// [`Error::Refused`] with what the server says, or, if it says nothing that can be read, with client-go's
    /// words for that.
    pub fn ok(self) -> Result<Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(Error::Refused(Box::new(self.refusal())))
    }

    /// The object in its body.
    ///
    /// # Errors
    /// [`Error::Answer`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(Error::Answer)
    }

    fn refusal(&self) -> Status {
        let code = self.status.as_u16();
        let said = self.json::<Status>().ok();
        said.filter(|status| status.kind == "Status" && status.status == "Failure")
            .unwrap_or_else(|| {
                Status::failure(
                    code,
                    "",
                    format!(
                        "the server responded with the status code {code} but did not return more information"
                    ),
                )
            })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.url.path())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The URL of a path below a server's own.
fn below(server: &Url, path: &str) -> Url {
    let mut url = server.clone();
    if path.is_empty() {
        return url;
    }
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let own = server.path().trim_end_matches('/');
    url.set_path(&format!("{own}/{}", path.trim_start_matches('/')));
    url.set_query(query);
    url.set_fragment(None);
    url
}

/// The headers of `as` and its companions.
fn impersonation(user: &User) -> Result<HeaderMap, Error> {
    let unfit = |_| Error::Credential("impersonated user cannot stand in a header".to_owned());
    let value = |text: &str| HeaderValue::from_str(text).map_err(unfit);
    let mut headers = HeaderMap::new();
    if let Some(name) = &user.impersonate {
        headers.insert("impersonate-user", value(name)?);
    }
    if let Some(uid) = &user.impersonate_uid {
        headers.insert("impersonate-uid", value(uid)?);
    }
    for group in &user.impersonate_groups {
        headers.append("impersonate-group", value(group)?);
    }
    for (key, values) in &user.impersonate_extra {
        let name = format!("impersonate-extra-{}", escape_key(key));
        let name = HeaderName::try_from(name)
            .map_err(|_| Error::Credential("impersonated user cannot stand in a header".into()))?;
        for text in values {
            headers.append(name.clone(), value(text)?);
        }
    }
    Ok(headers)
}

/// Percent-encodes what must not stand in a header's name, as client-go does.
fn escape_key(key: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte);
        if plain {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn paths_go_below_the_servers_own_and_an_empty_one_changes_nothing() {
        for (server, path, expected) in [
            ("https://a", "/version", "https://a/version"),
            (
                "https://a/b/",
                "/api/v1/pods?watch=1",
                "https://a/b/api/v1/pods?watch=1",
            ),
            ("https://a/b?c=d", "", "https://a/b?c=d"),
            ("https://a/b?c=d", "/e", "https://a/b/e"),
            ("https://a/b/", "", "https://a/b/"),
            ("https://a", "/x/%2Fy", "https://a/x/%2Fy"),
        ] {
            let url = below(&Url::parse(server).unwrap(), path);
            assert_eq!(url.as_str(), expected, "{server} {path}");
        }
    }

    #[test]
    fn impersonation_becomes_headers() {
        let user = User {
            impersonate: Some("jane".into()),
            impersonate_groups: vec!["a".into(), "b".into()],
            impersonate_extra: BTreeMap::from([("example.com/team".into(), vec!["x".into()])]),
            ..User::default()
        };
        let headers = impersonation(&user).unwrap();
        assert_eq!(headers["impersonate-user"], "jane");
        assert_eq!(headers.get_all("impersonate-group").iter().count(), 2);
        assert_eq!(headers["impersonate-extra-example.com%2fteam"], "x");
    }

    #[test]
    fn a_refusal_has_the_servers_words_or_client_gos() {
        let answer = |body: &'static str| Response {
            status: StatusCode::FORBIDDEN,
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
        };
        let said = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no","reason":"Forbidden","code":403}"#;
        assert_eq!(answer(said).ok().unwrap_err().to_string(), "no");
        assert_eq!(
            answer("<html>").ok().unwrap_err().to_string(),
            "the server responded with the status code 403 but did not return more information"
        );
        assert!(!format!("{:?}", answer("s3cr3t")).contains("s3cr3t"));
    }
}
