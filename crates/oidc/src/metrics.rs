//! Where counts and durations go.

use std::fmt::{self, Write as _};
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;

/// Receives what is worth counting. Every method does nothing unless it is implemented.
///
/// The names in the comments are kube-apiserver's, without their common beginning
/// `apiserver_authentication_`. Issuers, key sets and files are named by [`hash_label`].
pub trait Metrics: Send + Sync + fmt::Debug {
    /// A token of this issuer was judged: `jwt_authenticator_latency_seconds`. Tokens of nobody here are
    /// not counted.
    fn judged(&self, _issuer_hash: &str, _success: bool, _duration: Duration) {}

    /// An issuer's keys were asked for: `jwt_authenticator_jwks_fetch_last_timestamp_seconds`.
    fn key_set_fetched(&self, _issuer_hash: &str, _success: bool, _at: Timestamp) {}

    /// These keys of an issuer are in use now: `jwt_authenticator_jwks_fetch_last_key_set_info`.
    fn key_set_in_use(&self, _issuer_hash: &str, _key_set_hash: &str) {}

    /// These issuers are not configured any more; what was counted for them may be forgotten.
    fn issuers_removed(&self, _issuer_hashes: &[String]) {}

    /// A changed configuration was read, and put in force or not:
    /// `config_controller_automatic_reloads_total`,
    /// `config_controller_automatic_reload_last_timestamp_seconds`.
    fn configuration_reloaded(&self, _success: bool, _at: Timestamp) {}

    /// This configuration is in force now: `config_controller_last_config_info`.
    fn configuration_in_force(&self, _configuration_hash: &str) {}
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl Metrics for NoMetrics {}

/// How metrics name an issuer, a key set or a file: `sha256:` and the digest in hexadecimal; nothing for
/// nothing.
///
/// ```
/// assert_eq!(
///     burgee_oidc::hash_label(b"https://issuer.example.test"),
///     "sha256:44b5379855afd5af9cfa2950bfdd6cfce1a5d20e054eb4f5d7391da9130d81f8"
/// );
/// ```
#[must_use]
pub fn hash_label(content: &[u8]) -> String {
    if content.is_empty() {
        return String::new();
    }
    let mut label = String::from("sha256:");
    for byte in digest::digest(&digest::SHA256, content).as_ref() {
        // Writing to a string does not fail.
        let _ = write!(label, "{byte:02x}");
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_upstreams() {
        assert_eq!(
            hash_label(b"apiserver-0"),
            "sha256:8b1f2bdf4877cd31ba537f0d2e650b5e61be6285fc12d81f053ead5814177170"
        );
        assert_eq!(hash_label(b""), "");
    }
}
