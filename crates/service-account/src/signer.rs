//! Who signs tokens, and whose signatures count.

use std::fmt;
use std::sync::Arc;

use burgee_jose::VerificationKeys;

use crate::{BoxFuture, Error};

/// Makes a token of claims: with a key at hand, or by asking someone who has one.
pub trait TokenSigner: Send + Sync + fmt::Debug {
    /// The token with this payload, which is JSON.
    ///
    /// # Errors
    ///
    /// [`Error::Signing`], or [`Error::Timeout`] when the request's time is over.
    fn sign<'a>(&'a self, payload: &'a str) -> BoxFuture<'a, Result<String, Error>>;
}

impl<S: burgee_jose::Signer + Send + Sync + fmt::Debug> TokenSigner for S {
    fn sign<'a>(&'a self, payload: &'a str) -> BoxFuture<'a, Result<String, Error>> {
        let token = burgee_jose::Signer::sign(self, payload.as_bytes());
        Box::pin(std::future::ready(
            token.map_err(|error| Error::Signing(error.to_string())),
        ))
    }
}

/// Where the keys come from that tokens are verified with.
pub trait KeySource: Send + Sync + fmt::Debug {
    /// The keys that are known now.
    fn keys(&self) -> Arc<VerificationKeys>;

    /// Looks for newer keys because a token names one that is not known. Nothing, where looking is
    /// of no use. Callers are not authenticated, so whoever implements this limits how often it
    /// does anything.
    fn refresh(&self, _key_id: &str) -> Option<BoxFuture<'_, ()>> {
        None
    }
}

/// Keys that never change.
#[derive(Clone, Debug, Default)]
pub struct StaticKeys(pub Arc<VerificationKeys>);

impl KeySource for StaticKeys {
    fn keys(&self) -> Arc<VerificationKeys> {
        Arc::clone(&self.0)
    }
}
