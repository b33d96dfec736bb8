//! Who someone is, what was decided about a credential and why.
//!
//! This crate is the ground floor: values without I/O that every other crate speaks in.
//! [`UserInfo`] is an authenticated identity, [`Outcome`] what one authenticator decided, [`Reason`]
//! why, [`Clock`] the time that the decision was made by, and [`Secret`] text that must never be
//! printed.
//!
//! ```
//! use burgee_identity::{Authenticated, Outcome, Reason, Rejection, UserInfo};
//!
//! fn judge(token: &str) -> Outcome {
//!     match token {
//!         "sesame" => Outcome::Authenticated(Authenticated::new(UserInfo::named("ali-baba"))),
//!         "thieves" => Outcome::Rejected(Rejection::new(Reason::TokenRevoked, "token is revoked")),
//!         _ => Outcome::NoOpinion(Reason::TokenUnknown),
//!     }
//! }
//!
//! assert_eq!(judge("sesame").user().unwrap().name, "ali-baba");
//! assert_eq!(judge("thieves").reason(), Some(Reason::TokenRevoked));
//! assert_eq!(Reason::TokenRevoked.code(), "token.revoked");
//! ```

mod check;
mod clock;
mod outcome;
mod reason;
mod secret;
mod user;

pub use check::{Check, CheckResult};
pub use clock::{Clock, SettableClock, SystemClock};
pub use outcome::{Authenticated, Outcome, Rejection};
pub use reason::Reason;
pub use secret::Secret;
pub use user::{UserInfo, names};
