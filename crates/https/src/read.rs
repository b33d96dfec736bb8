//! Answers with a bound.

use bytes::{Bytes, BytesMut};

use crate::Error;

/// Reads the whole body of an answer, or gives up as soon as it is longer than `limit` bytes.
///
/// The client's total timeout bounds the time.
///
/// # Errors
/// [`Error::AnswerTooLong`], [`Error::TimedOut`] or [`Error::Request`].
pub async fn read_bounded(mut answer: reqwest::Response, limit: usize) -> Result<Bytes, Error> {
    let announced = answer.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |announced| announced > limit) {
        return Err(Error::AnswerTooLong { limit });
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await? {
        if chunk.len() > limit - body.len() {
            return Err(Error::AnswerTooLong { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
