//! The events of a watch.

use burgee_wire::{Object, Status};
use bytes::{Buf as _, BytesMut};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::Error;
use crate::transport::ResponseBody;

/// The largest event that is read. The largest object that Kubernetes stores fits in.
const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// One event of a watch.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The object is new, or has changed.
    Applied(Object),
    /// The watch has brought everything up to this resource version.
    Bookmark(String),
    /// The object is gone; this is its last state.
    Deleted(Object),
}

/// A watch under way. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    body: ResponseBody,
    deadline: Instant,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
}

impl Watch {
    pub(crate) fn new(body: ResponseBody, deadline: Instant) -> Self {
        Self {
            body,
            deadline,
            buffer: BytesMut::new(),
            searched: 0,
        }
    }

    /// The next event; `None` when the server ended the watch, which may go on with the last event's
    /// resource version.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] for an error that the server reports among the events, and others; the watch
    /// is of no use after any of them.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(line) = self.line() {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return parse(&line).map(Some);
            }
            if self.buffer.len() > MAX_EVENT_BYTES {
                return Err(Error::TooLarge(MAX_EVENT_BYTES));
            }
            match tokio::time::timeout_at(self.deadline, self.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
                Ok(Some(Err(error))) => return Err(Error::Body(error)),
                // What is left in the buffer is an event that broke off; it will come again.
                Ok(None) | Err(_) => return Ok(None),
            }
        }
    }

    /// Takes a whole line out of the buffer.
    fn line(&mut self) -> Option<BytesMut> {
        let rest = self.buffer.get(self.searched..)?;
        match rest.iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                let line = self.buffer.split_to(self.searched + at);
                self.buffer.advance(1);
                self.searched = 0;
                Some(line)
            }
            None => {
                self.searched = self.buffer.len();
                None
            }
        }
    }
}

fn parse(line: &[u8]) -> Result<Event, Error> {
    #[derive(Deserialize)]
    struct Raw<'a> {
        r#type: &'a str,
        #[serde(borrow)]
        object: &'a RawValue,
    }
    let raw: Raw<'_> = serde_json::from_slice(line).map_err(Error::Malformed)?;
    let text = raw.object.get();
    if raw.r#type == "ERROR" {
        let status: Status = serde_json::from_str(text).map_err(Error::Malformed)?;
        return Err(Error::Refused(Box::new(status)));
    }
    let value: Value = serde_json::from_str(text).map_err(Error::Malformed)?;
    let object = Object::from_value(value).map_err(Error::Malformed)?;
    Ok(match raw.r#type {
        "BOOKMARK" => Event::Bookmark(object.metadata.resource_version),
        "DELETED" => Event::Deleted(object),
        _ => Event::Applied(object),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::body_of;
    use std::time::Duration;

    fn watch(pieces: &[&str]) -> Watch {
        Watch::new(body_of(pieces), Instant::now() + Duration::from_secs(60))
    }

    const ADDED: &str =
        r#"{"type":"ADDED","object":{"kind":"A","metadata":{"name":"a","resourceVersion":"5"}}}"#;
    const BOOKMARK: &str = r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}"#;

    #[tokio::test]
    async fn events_are_found_however_the_answer_is_cut() {
        let text = format!("{ADDED}\n\n{BOOKMARK}\n");
        for size in [1, 7, text.len()] {
            let pieces: Vec<_> = text
                .as_bytes()
                .chunks(size)
                .map(|piece| str::from_utf8(piece).unwrap())
                .collect();
            let mut watch = watch(&pieces);
            let Some(Event::Applied(object)) = watch.next().await.unwrap() else {
                panic!("no object");
            };
            assert_eq!(object.metadata.name, "a");
            assert_eq!(
                watch.next().await.unwrap(),
                Some(Event::Bookmark("9".into()))
            );
            assert_eq!(watch.next().await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn an_event_that_broke_off_is_not_delivered() {
        let mut watch = watch(&[ADDED]);
        assert_eq!(watch.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_error_among_the_events_is_an_error() {
        let status = Status::expired("too old resource version: 1 (5)").to_json();
        let line = format!("{{\"type\":\"ERROR\",\"object\":{status}}}\n");
        assert!(watch(&[&line]).next().await.unwrap_err().is_expired());
        assert!(matches!(
            watch(&["nonsense\n"]).next().await,
            Err(Error::Malformed(_))
        ));
    }

    #[tokio::test]
    async fn an_endless_event_is_refused() {
        let piece = "x".repeat(MAX_EVENT_BYTES / 2 + 1);
        assert!(matches!(
            watch(&[&piece, &piece]).next().await,
            Err(Error::TooLarge(_))
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_falls_silent_ends_at_its_deadline() {
        let (_sender, body) = crate::testing::open_body();
        let mut watch = Watch::new(body, Instant::now() + Duration::from_secs(330));
        let begun = Instant::now();
        assert_eq!(watch.next().await.unwrap(), None);
        assert!(begun.elapsed() >= Duration::from_secs(330));
    }
}
