//! Where counts and durations go.

use std::fmt;
use std::time::Duration;

use burgee_identity::{Outcome, Reason};

/// Receives what is worth counting. Every method does nothing unless it is implemented.
///
/// Labels are closed types. The names in the comments are kube-apiserver's.
pub trait Metrics: Send + Sync + fmt::Debug {
    /// A request was judged: `authentication_attempts`, `authentication_duration_seconds`.
    fn attempt(&self, _result: AttemptResult, _duration: Duration) {}

    /// A request was refused, for this reason. Upstream counts no reasons.
    fn refused(&self, _reason: Reason) {}

    /// A request was let through as this user: `authenticated_user_requests`.
    fn user(&self, _label: UserLabel) {}

    /// One member of a union was asked and answered. Upstream counts nothing here.
    fn decided(&self, _authenticator: &'static str, _outcome: &Outcome) {}

    /// The token cache was asked: `authentication_token_cache_request_total`,
    /// `authentication_token_cache_request_duration_seconds`. A hit is said to take no time: it is far
    /// below what the histogram tells apart.
    fn token_cache_request(&self, _status: CacheStatus, _duration: Duration) {}

    /// The token cache asked its delegate: `authentication_token_cache_fetch_total`.
    fn token_cache_fetch(&self, _status: FetchStatus) {}

    /// So many more (or fewer) callers of the token cache wait:
    /// `authentication_token_cache_active_fetch_count`.
    fn token_cache_active_fetches(&self, _state: ActiveFetch, _change: i64) {}

    /// A client certificate was presented that has so many seconds left (negative: it is past its
    /// end): `apiserver_client_certificate_expiration_seconds`.
    fn client_certificate_expiration(&self, _seconds: f64) {}

    /// A service-account token was accepted: `serviceaccount_legacy_tokens_total`,
    /// `serviceaccount_stale_tokens_total`, `serviceaccount_valid_tokens_total`.
    fn service_account_token(&self, _use: burgee_service_account::TokenUse) {}
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl Metrics for NoMetrics {}

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The label's text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

labels! {
    /// How the judging of a request ended: label `result`.
    AttemptResult {
        /// A credential was refused, or is for other audiences.
        Error = "error",
        /// There was no credential that anyone knew.
        Failure = "failure",
        /// An identity, also the anonymous one.
        Success = "success",
    }
}

labels! {
    /// Whether the cache knew: label `status`.
    CacheStatus {
        /// It did.
        Hit = "hit",
        /// It did not.
        Miss = "miss",
    }
}

labels! {
    /// How the delegate answered: label `status`.
    FetchStatus {
        /// It refused.
        Error = "error",
        /// Anything else.
        Ok = "ok",
    }
}

labels! {
    /// What a caller waits for: label `status`.
    ActiveFetch {
        /// Someone else's question to the delegate.
        Blocked = "blocked",
        /// Its own.
        InFlight = "in_flight",
    }
}

labels! {
    /// A user, as far as a metric may name it: label `username`.
    UserLabel {
        /// `admin`
        Admin = "admin",
        /// `client`
        Client = "client",
        /// `system:serviceaccount:kube-system:default`
        DefaultServiceAccount = "system:serviceaccount:kube-system:default",
        /// Any name with an `@`.
        EmailId = "email_id",
        /// `kube_proxy`
        KubeProxy = "kube_proxy",
        /// `kubelet`
        Kubelet = "kubelet",
        /// Any other.
        Other = "other",
    }
}

impl UserLabel {
    /// The label of a user's name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let known = Self::ALL.iter().find(|label| label.as_str() == name);
        match known {
            Some(label) if !matches!(label, Self::EmailId | Self::Other) => *label,
            _ if name.contains('@') => Self::EmailId,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_compressed_as_upstream_does() {
        for (name, label) in [
            ("admin", "admin"),
            ("client", "client"),
            ("kube_proxy", "kube_proxy"),
            ("kubelet", "kubelet"),
            (
                "system:serviceaccount:kube-system:default",
                "system:serviceaccount:kube-system:default",
            ),
            ("jane@example.com", "email_id"),
            ("email_id", "other"),
            ("jane", "other"),
            ("", "other"),
        ] {
            assert_eq!(UserLabel::of(name).as_str(), label, "{name}");
        }
    }
}
