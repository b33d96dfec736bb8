//! Who is calling.

mod anonymous;
mod authenticator;
mod bearer;
mod certificate;
mod csv;
mod decision;
mod digest;
mod error;
mod loopback;
mod metrics;
mod request;
mod static_tokens;
#[cfg(test)]
mod testing;
mod text;
mod websocket;

pub use anonymous::Anonymous;
pub use authenticator::{
    AudienceAgnostic, Authenticator, GroupAdder, OnRejection, TokenAuthenticator, Union,
    add_authenticated_group, aggregate,
};
pub use bearer::{BearerHeader, BearerToken, EXTRA_SPACE_WARNING};
pub use certificate::{ClientCertificates, PeerCertificates, UidPolicy};
pub use csv::{CsvError, CsvProblem};
pub use decision::{Decision, Verdict};
pub use error::Error;
pub use loopback::LoopbackToken;
pub use metrics::{
    ActiveFetch, AttemptResult, CacheStatus, FetchStatus, Metrics, NoMetrics, UserLabel,
};
pub use request::{Audiences, OwnedRequest, Request};
pub use static_tokens::StaticTokens;
pub use websocket::{
    TOKEN_PROTOCOL_PREFIX, WebSocketProtocols, WebSocketProtocolsError, WebSocketToken,
};

/// What reading a configuration again did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reload {
    /// The new content is in force.
    Changed,
    /// It is the same content as before.
    Unchanged,
}
