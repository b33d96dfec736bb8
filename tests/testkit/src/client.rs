//! A plain HTTPS client, for requests and answers to the letter.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;

use crate::{Credential, DEADLINE, Kubeconfig};

/// Speaks HTTP/1.1 to one server, one connection per request, and changes nothing on the way.
#[derive(Clone)]
pub struct Client {
    address: String,
    host: String,
    tls: Arc<ClientConfig>,
    bearer: Option<String>,
}

/// A connection of a [`Client`]. Reading from it gives up after [`DEADLINE`].
pub type Connection = StreamOwned<ClientConnection, TcpStream>;

/// What a server answered.
#[derive(Clone, Debug)]
#[must_use]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers by their names in lower case; the last of each.
    pub headers: BTreeMap<String, String>,
    /// All headers in their order, names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Client {
    /// The server and the user of a kubeconfig.
    ///
    /// # Panics
    ///
    /// If what the kubeconfig holds cannot be used.
    #[must_use]
    pub fn new(config: &Kubeconfig) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&config.authority) {
            roots
                .add(certificate.expect("authorities are PEM"))
                .expect("authorities can be used");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS")
            .with_root_certificates(roots);
        let (tls, bearer) = match &config.credential {
            Credential::Anonymous => (builder.with_no_client_auth(), None),
            Credential::Bearer(token) => (builder.with_no_client_auth(), Some(token.clone())),
            Credential::Certificate { certificates, key } => {
                let chain = CertificateDer::pem_slice_iter(certificates)
                    .collect::<Result<_, _>>()
                    .expect("client certificates are PEM");
                let key = PrivateKeyDer::from_pem_slice(key).expect("client keys are PEM");
                (
                    builder
                        .with_client_auth_cert(chain, key)
                        .expect("key and certificate match"),
                    None,
                )
            }
        };
        let address = config
            .server
            .strip_prefix("https://")
            .expect("API servers speak https");
        let address = address.trim_end_matches('/').to_owned();
        let host = address
            .rsplit_once(':')
            .map_or(address.as_str(), |(host, _)| host);
        Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            address,
            tls: Arc::new(tls),
            bearer,
        }
    }

    /// The same server as somebody else.
    #[must_use]
    pub fn with_token(config: &Kubeconfig, token: &str) -> Self {
        Self::new(&Kubeconfig {
            credential: Credential::Bearer(token.to_owned()),
            ..config.clone()
        })
    }

    /// The same server without a credential.
    #[must_use]
    pub fn anonymous(config: &Kubeconfig) -> Self {
        Self::new(&Kubeconfig {
            credential: Credential::Anonymous,
            ..config.clone()
        })
    }

    /// Sends `GET`.
    ///
    /// # Panics
    ///
    /// As [`Client::send`].
    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }

    /// Sends an object as JSON.
    ///
    /// # Panics
    ///
    /// As [`Client::send`].
    pub fn post(&self, path: &str, object: &Value) -> Response {
        let headers = [("Content-Type", "application/json")];
        self.send("POST", path, &headers, object.to_string().as_bytes())
    }

    /// Sends a request.
    ///
    /// # Panics
    ///
    /// If no answer comes back.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.try_send(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Sends a request to a server that may be unreachable.
    ///
    /// # Errors
    ///
    /// What the connection or TLS said.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Response> {
        let length = body.len().to_string();
        let mut headers = headers.to_vec();
        if !body.is_empty() || method != "GET" {
            headers.push(("Content-Length", &length));
        }
        let mut stream = self.open(method, path, &headers)?;
        // A server that refuses the head need not read the body.
        let refused = stream.write_all(body).is_err();

        let mut bytes = Vec::new();
        let read = match refused {
            false => stream.read_to_end(&mut bytes).map(drop),
            true => read_on(&mut stream, &mut bytes),
        };
        match read {
            // The answer's own length says whether all of it came.
            Err(error) if bytes.is_empty() => return Err(error),
            _ => {}
        }
        Response::parse(&bytes)
            .ok_or_else(|| std::io::Error::other("the answer is no whole HTTP response"))
    }

    /// Sends the head of a request, and leaves the rest of the conversation to the caller.
    ///
    /// # Errors
    ///
    /// What the connection or TLS said.
    pub fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> std::io::Result<Connection> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        head.push_str("Connection: close\r\n");
        if let Some(token) = &self.bearer {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut stream = self.connect()?;
        stream.write_all(head.as_bytes())?;
        Ok(stream)
    }

    /// Connects, and sends nothing.
    ///
    /// # Errors
    ///
    /// What the connection said.
    pub fn connect(&self) -> std::io::Result<Connection> {
        let name = ServerName::try_from(self.host.clone()).expect("the server has a valid name");
        let connection =
            ClientConnection::new(Arc::clone(&self.tls), name).map_err(std::io::Error::other)?;
        let socket = TcpStream::connect(&self.address)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        Ok(StreamOwned::new(connection, socket))
    }

    /// The server, as `ADDRESS:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How it speaks TLS: whom it trusts, and what it shows of itself.
    #[must_use]
    pub fn tls(&self) -> &ClientConfig {
        &self.tls
    }
}

impl Response {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}: {}", self.status, self.text()))
    }

    /// Reads an HTTP/1.1 answer; none if it is not whole.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let fields: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let headers: BTreeMap<_, _> = fields.iter().cloned().collect();
        let rest = &bytes[end + 4..];
        let body = match headers.get("content-length") {
            Some(length) => rest.get(..length.parse().ok()?)?.to_vec(),
            None if headers
                .get("transfer-encoding")
                .is_some_and(|coding| coding == "chunked") =>
            {
                dechunk(rest)?
            }
            None => rest.to_vec(),
        };
        Some(Self {
            status,
            headers,
            fields,
            body,
        })
    }
}

/// Reads to the end from a server that no longer reads, and writes nothing.
fn read_on(stream: &mut Connection, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let state = stream.conn.process_new_packets();
        let state = state.map_err(std::io::Error::other)?;
        let there = bytes.len() + state.plaintext_bytes_to_read();
        bytes.resize(there, 0);
        let start = there - state.plaintext_bytes_to_read();
        stream.conn.reader().read_exact(&mut bytes[start..])?;
        if state.peer_has_closed() || stream.conn.read_tls(&mut stream.sock)? == 0 {
            return Ok(());
        }
    }
}

/// The content of a chunked body (RFC 9112 section 7.1); none if its end is missing.
fn dechunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..end]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        bytes = &bytes[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_by_their_length_or_in_chunks() {
        let fixed = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}";
        let response = Response::parse(fixed).unwrap();
        assert_eq!((response.status, response.text().as_str()), (404, "{}"));

        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        assert_eq!(Response::parse(chunked).unwrap().text(), "abcd");
    }

    #[test]
    fn an_answer_that_broke_off_is_none() {
        assert!(Response::parse(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").is_none());
        assert!(
            Response::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
                .is_none()
        );
    }
}
