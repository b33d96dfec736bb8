//! Bodies: answers that are whole, chunked or endless, and requests that are read up to a limit.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use burgee_wire::Status;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

/// The largest request body that is read: 3 MiB, as kube-apiserver's.
pub(crate) const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;

/// How much of a body that is too large is read nevertheless, and thrown away. A client that is still
/// sending when the connection closes may never see the answer; most of them stay below this.
const MAX_DISCARDED_BYTES: usize = 4 * MAX_BODY_BYTES;

/// The body of an answer.
pub enum Body {
    /// All of it at once; nothing when it was sent or there never was any.
    Whole(Option<Bytes>),
    /// Piece by piece, of this many bytes in all.
    Pieces(Box<dyn Iterator<Item = Bytes> + Send>, u64),
    /// Piece by piece, each rendered when it is asked for. Other tasks have their turn in between.
    Rendered(Box<dyn Iterator<Item = Bytes> + Send>, Turn),
    /// Piece by piece, with no end in sight.
    Endless(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

/// Whose turn it is before the next piece of a [`Body::Rendered`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// The body's.
    Own,
    /// That of other tasks.
    Others,
}

impl Body {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self::Whole(None)
    }

    /// A body whose pieces cost time to make.
    pub(crate) fn rendered(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> Self {
        Self::Rendered(Box::new(pieces), Turn::Own)
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(whole: T) -> Self {
        Self::Whole(Some(whole.into()))
    }
}

impl std::fmt::Debug for Body {
    /// Never shows the content, which can be a Secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Body::Whole(..)",
            Self::Pieces(..) => "Body::Pieces(..)",
            Self::Rendered(..) => "Body::Rendered(..)",
            Self::Endless(_) => "Body::Endless(..)",
        })
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut *self {
            Self::Whole(whole) => whole.take(),
            Self::Pieces(pieces, left) => {
                let piece = pieces.next();
                *left = left.saturating_sub(piece.as_ref().map_or(0, |piece| piece.len() as u64));
                piece
            }
            Self::Rendered(_, turn @ Turn::Others) => {
                *turn = Turn::Own;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Self::Rendered(pieces, turn) => {
                *turn = Turn::Others;
                pieces.next()
            }
            Self::Endless(stream) => std::task::ready!(stream.as_mut().poll_next(context)),
        };
        Poll::Ready(next.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => {
                SizeHint::with_exact(whole.as_ref().map_or(0, |whole| whole.len() as u64))
            }
            Self::Pieces(_, left) => SizeHint::with_exact(*left),
            Self::Rendered(..) | Self::Endless(_) => SizeHint::default(),
        }
    }
}

/// Reads a request's body whole.
///
/// # Errors
///
/// 413 past [`MAX_BODY_BYTES`], 400 when the client breaks off.
pub(crate) async fn read_limited<B>(mut body: B) -> Result<Bytes, Box<Status>>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let too_large = || Box::new(Status::too_large(MAX_BODY_BYTES));
    let announced = body.size_hint().lower();
    if announced > MAX_BODY_BYTES as u64 {
        if announced <= MAX_DISCARDED_BYTES as u64 {
            discard(body).await;
        }
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Box::new(Status::bad_request("the request body broke off")))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + all.len() + data.len() > MAX_BODY_BYTES {
            discard(body).await;
            return Err(too_large());
        }
        // Most bodies are one frame, which then needs no copy.
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Reads on, within bounds, so that the client comes to read the answer.
async fn discard<B>(mut body: B)
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut discarded = 0;
    while discarded <= MAX_DISCARDED_BYTES {
        let Some(Ok(frame)) = body.frame().await else {
            return;
        };
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use http_body_util::{Full, StreamBody};

    #[tokio::test]
    async fn a_body_in_pieces_is_put_together() {
        let pieces =
            ["ab", "cd", ""].map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(piece))));
        let body = StreamBody::new(futures_util::stream::iter(pieces));
        assert_eq!(read_limited(body).await.unwrap(), "abcd");
    }

    #[tokio::test]
    async fn others_have_their_turn_between_rendered_pieces() {
        let pieces = ["ab", "cd"].map(Bytes::from).into_iter();
        let mut body = Body::rendered(pieces);
        let first = body.frame().now_or_never().flatten();
        assert_eq!(first.unwrap().unwrap().into_data().unwrap(), "ab");
        assert!(body.frame().now_or_never().is_none());
        let rest = body.collect().await.unwrap();
        assert_eq!(rest.to_bytes(), "cd");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_whether_or_not_it_says_its_size() {
        let big = Bytes::from(vec![b'x'; MAX_BODY_BYTES + 1]);
        assert_eq!(
            read_limited(Full::new(big.clone())).await.unwrap_err().code,
            413
        );
        let halves =
            [big.slice(..10), big.slice(10..)].map(|p| Ok::<_, Infallible>(Frame::data(p)));
        let body = StreamBody::new(futures_util::stream::iter(halves));
        assert_eq!(read_limited(body).await.unwrap_err().code, 413);
        assert_eq!(
            read_limited(Full::new(big.slice(1..))).await.unwrap().len(),
            MAX_BODY_BYTES
        );
    }
}
