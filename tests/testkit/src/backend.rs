//! A service that the server under test depends on.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

use crate::{CertifiedKey, DEADLINE};

/// An HTTPS server at 127.0.0.1 that answers as a test tells it to, one request per connection.
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<Listening>,
}

/// A request that a [`Backend`] got.
#[derive(Clone, Debug)]
pub struct Received {
    /// Such as `POST`.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Headers by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// What a [`Backend`] does with a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Says this.
    Reply {
        /// The status code.
        status: u16,
        /// Headers besides those on length and connection.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Says nothing until the other side gives up.
    Hang,
    /// Resets the connection.
    Reset,
}

type Respond = dyn Fn(&Received) -> Answer + Send + Sync;

struct Shared {
    tls: Arc<ServerConfig>,
    respond: Mutex<Arc<Respond>>,
    received: Mutex<Vec<Received>>,
}

struct Listening {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Backend {
    /// Starts one that answers by this function.
    ///
    /// # Panics
    ///
    /// If the certificate cannot be used, or there is no free port.
    #[must_use]
    pub fn start(
        identity: &CertifiedKey,
        respond: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.expect("certificates are PEM")],
                key.expect("keys are PEM"),
            )
            .expect("key and certificate match");
        let mut backend = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            shared: Arc::new(Shared {
                tls: Arc::new(tls),
                respond: Mutex::new(Arc::new(respond)),
                received: Mutex::default(),
            }),
            listening: None,
        };
        backend.launch();
        backend
    }

    /// Where it is, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Has it answer by another function from now on.
    ///
    /// # Panics
    ///
    /// If the function before panicked.
    pub fn respond(&self, respond: impl Fn(&Received) -> Answer + Send + Sync + 'static) {
        *self.shared.respond.lock().unwrap() = Arc::new(respond);
    }

    /// What it got so far, in this order.
    ///
    /// # Panics
    ///
    /// Never in practice: no thread panics while it adds a request.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// Closes its port: connections are refused until [`Backend::launch`].
    ///
    /// # Panics
    ///
    /// If it does not listen.
    pub fn stop(&mut self) {
        let listening = self.listening.take().expect("the backend listens");
        listening.ends.store(true, Ordering::SeqCst);
        // Whoever waits for a connection has to get one in order to look.
        let _ = TcpStream::connect(self.address);
        listening.thread.join().expect("no answer panicked");
    }

    /// Opens its port again.
    ///
    /// # Panics
    ///
    /// If it listens already, or somebody else took the port.
    pub fn launch(&mut self) {
        assert!(self.listening.is_none(), "the backend listens");
        let listener = TcpListener::bind(self.address).expect("the port is free");
        self.address = listener.local_addr().expect("a listener has an address");
        let ends = Arc::new(AtomicBool::new(false));
        let (end, shared) = (Arc::clone(&ends), Arc::clone(&self.shared));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.serve(stream));
            }
        });
        self.listening = Some(Listening { ends, thread });
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if self.listening.is_some() {
            self.stop();
        }
    }
}

impl Answer {
    /// An object as JSON, with status 200.
    #[must_use]
    pub fn json(object: &Value) -> Self {
        Self::Reply {
            status: 200,
            headers: vec![("Content-Type", "application/json".to_owned())],
            body: object.to_string().into_bytes(),
        }
    }

    /// A status, and a text that nobody expects.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Reply {
            status,
            headers: Vec::new(),
            body: b"a text".to_vec(),
        }
    }
}

impl Received {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(&self.body)))
    }
}

impl Shared {
    /// Whatever goes wrong with a connection is the business of the other side.
    fn serve(&self, socket: TcpStream) {
        let _ = socket.set_read_timeout(Some(DEADLINE));
        let connection = ServerConnection::new(Arc::clone(&self.tls)).expect("the setting is good");
        let mut stream = StreamOwned::new(connection, socket);
        let Some(received) = receive(&mut stream) else {
            return;
        };
        self.received.lock().unwrap().push(received.clone());
        let respond = Arc::clone(&self.respond.lock().unwrap());
        match respond(&received) {
            Answer::Reply {
                status,
                headers,
                body,
            } => {
                let mut head = format!(
                    "HTTP/1.1 {status} Status\r\nConnection: close\r\nContent-Length: {}\r\n",
                    body.len()
                );
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str("\r\n");
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
            Answer::Hang => {
                let _ = stream.read_to_end(&mut Vec::new());
            }
            Answer::Reset => {
                let _ = set_socket_linger(&stream.sock, Some(Duration::ZERO));
            }
        }
    }
}

/// Reads one request; none if it breaks off.
fn receive(stream: &mut StreamOwned<ServerConnection, TcpStream>) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        read_some(stream, &mut bytes)?;
    };
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = match headers.get("content-length") {
        Some(length) => length.parse().ok()?,
        None => 0,
    };
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        read_some(stream, &mut body)?;
    }
    Some(Received {
        method,
        path,
        headers,
        body,
    })
}

/// Adds what comes next; none at the end.
fn read_some(
    stream: &mut StreamOwned<ServerConnection, TcpStream>,
    bytes: &mut Vec<u8>,
) -> Option<()> {
    let mut buffer = [0; 4096];
    let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
    bytes.extend_from_slice(&buffer[..read]);
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Authority, Client, Credential, Kubeconfig};

    #[test]
    fn it_does_what_it_is_told() {
        let authority = Authority::new("test");
        let mut backend = Backend::start(&authority.server(), |request| {
            Answer::json(&json!({"heard": request.json()}))
        });
        let client = Client::new(&Kubeconfig {
            server: backend.url(),
            authority: authority.pem().as_bytes().to_vec(),
            credential: Credential::Anonymous,
        });
        let answer = client.post("/a?b", &json!({"c": 1}));
        assert_eq!(answer.json(), json!({"heard": {"c": 1}}));
        assert_eq!(backend.received()[0].path, "/a?b");

        backend.respond(|_| Answer::Reset);
        assert!(client.try_send("GET", "/", &[], b"").is_err());
        backend.stop();
        assert!(client.try_send("GET", "/", &[], b"").is_err());
        backend.respond(|_| Answer::status(503));
        backend.launch();
        assert_eq!(client.get("/").status, 503);
        assert_eq!(backend.received().len(), 3);
    }
}
