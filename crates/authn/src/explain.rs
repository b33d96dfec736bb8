//! Why a credential counts, or does not: for those who run the server, and those whom they let ask.
//!
//! [`Chain::explain`] asks every authenticator of a chain in order and has each take the credential
//! apart. [`anatomy`] and [`certificate_anatomy`] tell what a credential says by itself, which takes no
//! chain and proves nothing. [`RecentRefusals`] remembers why requests were refused, to be found by the
//! audit id of the answer.
//!
//! Nothing here shows a token, the secret part of one or a signature, and everything is cut to a length.
//!
//! ```
//! use burgee_authn::explain::anatomy;
//!
//! let now = "2026-01-01T00:00:00Z".parse()?;
//! let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqYW5lIiwiZXhwIjoxNzY3MjE4NDAwfQ.";
//! let says = anatomy(token, now);
//! assert_eq!(says.kind, "JSONWebToken");
//! assert_eq!(says.claims.unwrap()["sub"], "jane");
//! assert_eq!(says.times[0].relative, "2h ago");
//! assert!(!says.verified);
//! # Ok::<(), jiff::Error>(())
//! ```

mod accidents;
mod anatomy;
mod certificate;
mod chain;
mod conceal;
mod refusals;

pub use anatomy::anatomy;
pub use certificate::{certificate_anatomy, certificates_from_pem};
pub use chain::Credential;
pub(crate) use conceal::cut;
pub use refusals::{MAX_FOUND, RecentRefusals, RefusedRequest};

#[cfg(doc)]
use crate::Chain;
