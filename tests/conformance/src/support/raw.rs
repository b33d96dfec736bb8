//! Requests to the byte, and who a server takes their sender for.

use std::io::{Read as _, Write as _};

use burgee_testkit::{Client, Connection, Response, Subject};
use serde_json::Value;

use super::{Case, Expect as _};

/// Where one asks who one is.
pub(crate) const WHO_AM_I: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// Who a server takes the sender of a request for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Who {
    /// Somebody with a bad credential (401).
    Refused,
    /// Somebody without any.
    Anonymous,
    /// The user of this name.
    User(String),
}

/// Asks a server who it takes the sender of these headers for.
pub(crate) fn who<V: AsRef<[u8]>>(client: &Client, headers: &[(&str, V)]) -> Who {
    Who::of(request(client, "POST", WHO_AM_I, headers, b"{}"))
}

impl Who {
    /// What the answer to a question at [`WHO_AM_I`] says.
    #[track_caller]
    pub(crate) fn of(answer: Response) -> Self {
        match answer.status {
            201 => {
                let name = &answer.json()["status"]["userInfo"]["username"];
                Self::User(name.as_str().unwrap().to_owned())
            }
            401 => Self::Refused,
            // Everybody may ask, but for who is nobody.
            _ => {
                let status = answer.refused(403, "Forbidden");
                super::says(&status, "User \"system:anonymous\" cannot create resource");
                Self::Anonymous
            }
        }
    }
}

/// Sends a request whose header values may be any bytes, on a connection of its own.
pub(crate) fn request<V: AsRef<[u8]>>(
    client: &Client,
    method: &str,
    path: &str,
    headers: &[(&str, V)],
    body: &[u8],
) -> Response {
    let mut stream = client.connect().unwrap();
    send(&mut stream, method, path, headers, body);
    receive(&mut stream).expect("a whole answer")
}

/// Sends a request on a connection that stays open.
pub(crate) fn send<V: AsRef<[u8]>>(
    stream: &mut Connection,
    method: &str,
    path: &str,
    headers: &[(&str, V)],
    body: &[u8],
) {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend([name.as_bytes(), b": ", value.as_ref(), b"\r\n"].concat());
    }
    if !body.is_empty() {
        let length = body.len();
        bytes.extend(
            format!("Content-Type: application/json\r\nContent-Length: {length}\r\n").as_bytes(),
        );
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    stream.write_all(&bytes).unwrap();
}

/// Reads one answer; none if the connection ends before it is whole.
pub(crate) fn receive(stream: &mut Connection) -> Option<Response> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        if let Some(answer) = Response::parse(&bytes) {
            return Some(answer);
        }
    }
}

/// What has come from a server that may have stopped reading; writes nothing.
pub(crate) fn heard(stream: &mut Connection) -> String {
    let mut text = Vec::new();
    loop {
        let Ok(state) = stream.conn.process_new_packets() else {
            break;
        };
        let mut there = vec![0; state.plaintext_bytes_to_read()];
        stream.conn.reader().read_exact(&mut there).unwrap();
        text.extend(there);
        if state.peer_has_closed() || !matches!(stream.conn.read_tls(&mut stream.sock), Ok(1..)) {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// A service account whose token is shown in whatever way a case wants.
pub(crate) struct Robot {
    pub(crate) case: Case,
    /// Its user name.
    pub(crate) name: String,
    pub(crate) token: String,
    /// Shows nothing by itself.
    pub(crate) client: Client,
}

impl Robot {
    pub(crate) fn begin() -> Self {
        let case = Case::begin();
        case.service_account("robot");
        Self {
            name: format!("system:serviceaccount:{}:robot", case.namespace),
            token: case.token("robot", Value::Null),
            client: Client::anonymous(&Subject::chosen().kubeconfig()),
            case,
        }
    }

    /// Who it is for a server that sees these headers.
    pub(crate) fn who<V: AsRef<[u8]>>(&self, headers: &[(&str, V)]) -> Who {
        who(&self.client, headers)
    }

    /// Itself.
    pub(crate) fn user(&self) -> Who {
        Who::User(self.name.clone())
    }
}
