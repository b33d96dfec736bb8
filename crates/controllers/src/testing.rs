//! A transport that answers from a script, for unit tests of what speaks over it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use serde_json::Value;
use tokio::sync::{Notify, mpsc};

use crate::transport::{BoxError, ResponseBody};
use crate::{Error, Transport};

/// Answers requests in the order of its script, and keeps them.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<Request<Bytes>>>,
    arrived: Notify,
}

type Answer = Result<Response<ResponseBody>, Error>;

impl Script {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// The next answer: this JSON.
    pub(crate) fn json(&self, code: u16, body: &Value) -> &Self {
        self.body(code, body_of(&[&body.to_string()]))
    }

    /// The next answer: this body.
    pub(crate) fn body(&self, code: u16, body: ResponseBody) -> &Self {
        self.answer(Ok(Response::builder().status(code).body(body).unwrap()))
    }

    /// The next answer: none, because nobody listens.
    pub(crate) fn unreachable(&self) -> &Self {
        self.answer(Err(Error::Transport("connection refused".into())))
    }

    /// The next answer: a watch whose events the test sends.
    pub(crate) fn watch(&self) -> mpsc::UnboundedSender<Result<Bytes, BoxError>> {
        let (sender, body) = open_body();
        self.body(200, body);
        sender
    }

    fn answer(&self, answer: Answer) -> &Self {
        self.answers.lock().unwrap().push_back(answer);
        self
    }

    /// `METHOD URL` of the request of this number, from 0, once it has arrived.
    pub(crate) async fn request(&self, number: usize) -> String {
        let wait = async {
            loop {
                let arrived = self.arrived.notified();
                if let Some(request) = self.requests.lock().unwrap().get(number) {
                    return format!("{} {}", request.method(), request.uri());
                }
                arrived.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(600), wait)
            .await
            .expect("the request arrives")
    }

    /// The request of this number, which must have arrived.
    pub(crate) fn raw(&self, number: usize) -> Request<Bytes> {
        self.requests.lock().unwrap()[number].clone()
    }

    /// How many requests have arrived.
    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: Request<Bytes>) -> Answer {
        let text = format!("{} {}", request.method(), request.uri());
        self.requests.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        self.arrived.notify_waiters();
        match answer {
            Some(answer) => answer,
            None => Err(Error::Transport(
                format!("{text} is not in the script").into(),
            )),
        }
    }
}

/// A body of these pieces.
pub(crate) fn body_of(pieces: &[&str]) -> ResponseBody {
    let frames = pieces
        .iter()
        .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece.as_bytes()))));
    StreamBody::new(stream::iter(frames.collect::<Vec<Result<_, BoxError>>>())).boxed_unsync()
}

/// A body whose pieces come from the sender, and which ends with it.
pub(crate) fn open_body() -> (mpsc::UnboundedSender<Result<Bytes, BoxError>>, ResponseBody) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let frames = stream::unfold(receiver, |mut receiver| async move {
        let piece: Result<Bytes, BoxError> = receiver.recv().await?;
        Some((piece.map(Frame::data), receiver))
    });
    (sender, StreamBody::new(frames).boxed_unsync())
}
