//! Reading watches event by event.

use std::io::{BufRead as _, BufReader, Read as _};

use burgee_testkit::{Client, Connection};
use serde_json::Value;

/// An open watch.
pub(crate) struct Watch {
    stream: BufReader<Connection>,
    status: u16,
    text: Vec<u8>,
}

impl Watch {
    /// Opens a watch; `watch=true` stands in the path already.
    #[track_caller]
    pub(crate) fn open(client: &Client, path: &str, accept: &str) -> Self {
        let watch = Self::try_open(client, path, accept).expect("the server answers");
        assert_eq!(watch.status, 200, "{path}");
        watch
    }

    /// Opens a watch at a server that may be unreachable.
    pub(crate) fn try_open(client: &Client, path: &str, accept: &str) -> std::io::Result<Self> {
        let stream = client.open("GET", path, &[("Accept", accept)])?;
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| std::io::Error::other("no answer"))?;
        while !line.trim().is_empty() {
            line.clear();
            stream.read_line(&mut line)?;
        }
        let text = Vec::new();
        Ok(Self {
            stream,
            status,
            text,
        })
    }

    /// The next event; none when the watch has ended properly.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub(crate) fn try_next(&mut self) -> std::io::Result<Option<Value>> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            let mut size = String::new();
            if self.stream.read_line(&mut size)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let size = usize::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
            if size == 0 {
                assert!(self.text.is_empty(), "events end with a line feed");
                return Ok(None);
            }
            let start = self.text.len();
            self.text.resize(start + size, 0);
            self.stream.read_exact(&mut self.text[start..])?;
            let mut end = [0; 2];
            self.stream.read_exact(&mut end)?;
        }
    }

    /// The next event.
    #[track_caller]
    pub(crate) fn event(&mut self) -> Value {
        let event = self.try_next().expect("the watch goes on");
        event.expect("the watch has not ended")
    }

    /// The next event's type and the name of its object, less those of what controllers make.
    #[track_caller]
    pub(crate) fn next(&mut self) -> (String, String) {
        loop {
            let event = self.event();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let name = text(&event["object"]["metadata"]["name"]);
            if !["default", "kube-root-ca.crt"].contains(&name.as_str()) {
                return (text(&event["type"]), name);
            }
        }
    }

    /// All events until the watch ends.
    #[track_caller]
    pub(crate) fn rest(mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.try_next().expect("the watch ends properly") {
            events.push(event);
        }
        events
    }
}
