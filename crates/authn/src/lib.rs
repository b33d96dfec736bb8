//! Who is calling: the authenticators of a Kubernetes API server, and a tower layer that applies them.
//!
//! An [`Authenticator`] looks at a request, a [`TokenAuthenticator`] at one token; both come to a
//! [`Verdict`], nearly always from memory ([`Decision`]). [`Chain`] puts them together in upstream's
//! order and answers TokenReviews; [`AuthenticationLayer`] stands in front of a service. The parts:
//!
//! | credential | judged by |
//! | --- | --- |
//! | `Authorization: Bearer …` | [`BearerToken`] |
//! | a WebSocket subprotocol | [`WebSocketToken`] |
//! | headers of a trusted proxy | [`FrontProxy`] |
//! | a client certificate | [`ClientCertificates`] |
//! | a token of a file | [`StaticTokens`] |
//! | a token of a service account | [`ServiceAccountTokens`] |
//! | a bootstrap token | [`BootstrapTokens`] |
//! | the process's own token | [`LoopbackToken`] |
//! | none at all | [`Anonymous`] |
//!
//! [`Union`], [`GroupAdder`], [`AudienceAgnostic`] and [`TokenCache`] make one authenticator of others.
//! No secret is kept where a keyed digest will do, none is printed, and none is compared in a way that
//! tells how much of it was right.
//!
//! ```
//! use std::sync::Arc;
//! use burgee_authn::{Audiences, Decision, StaticTokens, TokenAuthenticator};
//!
//! let tokens = StaticTokens::new("tokens.csv", b"sesame,ali-baba,u1,\"thieves,heirs\"")?;
//! let Decision::Now(verdict) = tokens.authenticate("sesame", &Audiences::ANY) else { unreachable!() };
//! assert_eq!(verdict.outcome.user().unwrap().name, "ali-baba");
//! # Ok::<(), burgee_authn::Error>(())
//! ```

mod anonymous;
mod audience_agnostic;
mod authenticator;
mod bearer;
mod bootstrap_tokens;
mod certificate;
mod chain;
mod csv;
mod decision;
mod digest;
mod error;
pub mod explain;
mod front_proxy;
mod group_adder;
mod identity_headers;
mod layer;
mod loopback;
mod metrics;
mod request;
mod service_accounts;
mod static_tokens;
#[cfg(test)]
mod testing;
mod text;
mod token_cache;
mod union;
mod websocket;

pub use anonymous::Anonymous;
pub use audience_agnostic::AudienceAgnostic;
pub use authenticator::{Authenticator, TokenAuthenticator};
pub use bearer::{BearerHeader, BearerToken, EXTRA_SPACE_WARNING, LONGEST_TOKEN};
pub use bootstrap_tokens::{BootstrapTokens, TokenRecords};
#[cfg(feature = "rustls")]
pub use certificate::PossessionOnly;
pub use certificate::{ClientCertificates, PeerCertificates, UidPolicy};
pub use chain::{Chain, ChainBuilder};
pub use csv::{CsvError, CsvProblem};
pub use decision::{Decision, Verdict};
pub use error::Error;
pub use front_proxy::{FrontProxy, FrontProxyOptions, FrontProxyProblem, RemoteUid};
pub use group_adder::{GroupAdder, add_authenticated_group};
pub use identity_headers::IdentityHeaders;
pub use layer::{
    Attempted, AuditAnnotations, Authentication, AuthenticationBody, AuthenticationFuture,
    AuthenticationLayer, CloseConnection, Http2Exempt, Http2Mitigation, Refusal,
    UnauthorizedResponder,
};
pub use loopback::LoopbackToken;
pub use metrics::{
    ActiveFetch, AttemptResult, CacheStatus, FetchStatus, Metrics, NoMetrics, UserLabel,
};
pub use request::{Audiences, OwnedRequest, Request};
pub use service_accounts::ServiceAccountTokens;
pub use static_tokens::StaticTokens;
pub use token_cache::{CachePolicy, TokenCache};
pub use union::{OnRejection, Union, aggregate};
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
