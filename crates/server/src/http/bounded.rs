//! Bodies of answers as they go out: within a time, and with what they hold until the last byte.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::Body;

/// How much of a whole body is handed over at once, so that a slow reader can be cut off midway.
const PIECE_BYTES: usize = 64 * 1024;

/// An answer's body on its way to a connection.
///
/// What it holds (a permit, a count) lives until the last piece was written or thrown away, also
/// where hyper has taken it from the body and waits for the client to read. After the deadline the
/// body ends with [`Overdue`]. A body that nobody asks for the next piece cannot notice; the
/// connection has to end then, see `open_requests`.
pub(crate) struct Bounded {
    body: Body,
    deadline: Option<Instant>,
    held: Arc<dyn Any + Send + Sync>,
}

/// Some bytes of a body, which hold what the body holds.
pub(crate) struct Piece {
    bytes: Bytes,
    _held: Arc<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for Piece {
    /// Never shows the content, which can be a Secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Piece(..)")
    }
}

/// The client took too long to read the answer.
#[derive(Debug, thiserror::Error)]
#[error("the client did not read the answer in time")]
pub(crate) struct Overdue;

impl Bounded {
    /// `body`, to be sent before `deadline` if there is one.
    pub(crate) fn new(
        body: Body,
        deadline: Option<Instant>,
        held: impl Send + Sync + 'static,
    ) -> Self {
        Self {
            body,
            deadline,
            held: Arc::new(held),
        }
    }
}

impl HttpBody for Bounded {
    type Data = Piece;
    type Error = Overdue;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Overdue>>> {
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            // Nothing more comes, and what is left takes memory no longer.
            self.body = Body::empty();
            return Poll::Ready(Some(Err(Overdue)));
        }
        let bytes = match &mut self.body {
            Body::Whole(Some(whole)) if whole.len() > PIECE_BYTES => {
                Some(whole.split_to(PIECE_BYTES))
            }
            body => {
                let frame = std::task::ready!(Pin::new(body).poll_frame(context));
                frame
                    .and_then(Result::ok)
                    .and_then(|frame| frame.into_data().ok())
            }
        };
        let piece = |bytes| Piece {
            bytes,
            _held: Arc::clone(&self.held),
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(piece(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::time::Duration;

    fn held() -> (Arc<()>, std::sync::Weak<()>) {
        let held = Arc::new(());
        let seen = Arc::downgrade(&held);
        (held, seen)
    }

    #[tokio::test]
    async fn what_a_body_holds_lives_until_its_last_piece_is_gone() {
        let (held, seen) = held();
        let mut body = Bounded::new(Body::from(vec![1; PIECE_BYTES + 1]), None, held);
        assert_eq!(body.size_hint().exact(), Some(PIECE_BYTES as u64 + 1));
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let last = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((first.remaining(), last.remaining()), (PIECE_BYTES, 1));
        assert!(body.is_end_stream());
        drop((body, first));
        assert!(seen.upgrade().is_some());
        drop(last);
        assert!(seen.upgrade().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_ends_with_an_error_at_its_deadline() {
        let whole = || Body::from(vec![1; 3 * PIECE_BYTES]);
        let pieces = || {
            let pieces = std::iter::repeat_n(Bytes::from_static(b"1"), 3);
            Body::Pieces(Box::new(pieces), 3)
        };
        for body in [whole(), pieces()] {
            let deadline = Instant::now() + Duration::from_secs(60);
            let mut body = Bounded::new(body, Some(deadline), ());
            assert!(body.frame().await.unwrap().is_ok());
            tokio::time::advance(Duration::from_secs(59)).await;
            assert!(body.frame().await.unwrap().is_ok());
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(body.frame().await.unwrap().is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_without_a_deadline_goes_on() {
        let stream = futures_util::stream::repeat(Bytes::from_static(b"1"));
        let mut body = Bounded::new(Body::Endless(Box::pin(stream)), None, ());
        tokio::time::advance(Duration::from_secs(86_400)).await;
        assert!(body.frame().await.unwrap().is_ok());
    }
}
