//! Service-account tokens.

mod claims;
mod lookup;

pub use claims::{Claims, KubernetesClaims, ObjectClaim};
pub use lookup::{BoxFuture, LookupError, ObjectFacts, ObjectKind, ObjectLookup, ObjectRef};

/// How a token that was accepted stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TokenUse {
    /// It names no audience.
    WithoutAudience,
    /// Its holder should have had a newer one by now.
    Stale,
    /// It was extended, and its holder is in time.
    Valid,
}
