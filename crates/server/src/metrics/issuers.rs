//! What is counted of issuers of JWTs and of their configuration.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use burgee_oidc::hash_label;
use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// A gauge of seconds since 1970.
type Seconds = Gauge<f64, AtomicU64>;

/// Counts for [`burgee_oidc`], by upstream's names.
pub(crate) struct IssuerMetrics {
    server: String,
    latency: Family<JudgedLabels, Histogram, fn() -> Histogram>,
    fetched: Family<FetchLabels, Seconds>,
    key_sets: Family<KeySetLabels, Gauge>,
    /// The key set of each issuer that `key_sets` shows.
    shown_key_sets: Mutex<HashMap<String, KeySetLabels>>,
    reloads: Family<ReloadLabels, Counter>,
    reloaded: Family<ReloadLabels, Seconds>,
    configurations: Family<ConfigurationLabels, Gauge>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct JudgedLabels {
    result: &'static str,
    jwt_issuer_hash: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct FetchLabels {
    result: &'static str,
    jwt_issuer_hash: String,
    apiserver_id_hash: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct KeySetLabels {
    jwt_issuer_hash: String,
    apiserver_id_hash: String,
    hash: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ReloadLabels {
    status: &'static str,
    apiserver_id_hash: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ConfigurationLabels {
    apiserver_id_hash: String,
    hash: String,
}

const RESULTS: [&str; 2] = ["success", "failure"];

fn result(success: bool) -> &'static str {
    let [yes, no] = RESULTS;
    if success { yes } else { no }
}

fn latency_buckets() -> Histogram {
    Histogram::new([
        0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ])
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since 1970 fit into a double for a long time"
)]
fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

impl IssuerMetrics {
    /// Metrics of the server with this id, which tells apart the servers of one cluster.
    pub(crate) fn new(server_id: &str, registry: &mut Registry) -> Self {
        let metrics = Self {
            server: hash_label(server_id.as_bytes()),
            latency: Family::new_with_constructor(latency_buckets as fn() -> Histogram),
            fetched: Family::default(),
            key_sets: Family::default(),
            shown_key_sets: Mutex::default(),
            reloads: Family::default(),
            reloaded: Family::default(),
            configurations: Family::default(),
        };
        registry.register(
            "apiserver_authentication_jwt_authenticator_latency_seconds",
            "Time that judging a token of a configured issuer took",
            Family::clone(&metrics.latency),
        );
        registry.register(
            "apiserver_authentication_jwt_authenticator_jwks_fetch_last_timestamp_seconds",
            "When an issuer's keys were asked for last",
            Family::clone(&metrics.fetched),
        );
        registry.register(
            "apiserver_authentication_jwt_authenticator_jwks_fetch_last_key_set_info",
            "The keys of an issuer that are in use",
            Family::clone(&metrics.key_sets),
        );
        registry.register(
            "apiserver_authentication_config_controller_automatic_reloads",
            "Changed authentication configurations that were read",
            Family::clone(&metrics.reloads),
        );
        registry.register(
            "apiserver_authentication_config_controller_automatic_reload_last_timestamp_seconds",
            "When a changed authentication configuration was read last",
            Family::clone(&metrics.reloaded),
        );
        registry.register(
            "apiserver_authentication_config_controller_last_config_info",
            "The authentication configuration that is in force",
            Family::clone(&metrics.configurations),
        );
        metrics
    }

    fn show_key_set(&self, issuer: &str, labels: Option<KeySetLabels>) {
        let mut shown = self
            .shown_key_sets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = match &labels {
            Some(labels) => shown.insert(issuer.to_owned(), labels.clone()),
            None => shown.remove(issuer),
        };
        if let Some(before) = before.filter(|before| Some(before) != labels.as_ref()) {
            self.key_sets.remove(&before);
        }
        if let Some(labels) = labels {
            self.key_sets.get_or_create(&labels).set(1);
        }
    }
}

impl fmt::Debug for IssuerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IssuerMetrics")
    }
}

impl burgee_oidc::Metrics for IssuerMetrics {
    fn judged(&self, issuer_hash: &str, success: bool, duration: Duration) {
        let labels = JudgedLabels {
            result: result(success),
            jwt_issuer_hash: issuer_hash.to_owned(),
        };
        self.latency
            .get_or_create(&labels)
            .observe(duration.as_secs_f64());
    }

    fn key_set_fetched(&self, issuer_hash: &str, success: bool, at: Timestamp) {
        let labels = FetchLabels {
            result: result(success),
            jwt_issuer_hash: issuer_hash.to_owned(),
            apiserver_id_hash: self.server.clone(),
        };
        self.fetched.get_or_create(&labels).set(seconds(at));
    }

    fn key_set_in_use(&self, issuer_hash: &str, key_set_hash: &str) {
        let labels = KeySetLabels {
            jwt_issuer_hash: issuer_hash.to_owned(),
            apiserver_id_hash: self.server.clone(),
            hash: key_set_hash.to_owned(),
        };
        self.show_key_set(issuer_hash, Some(labels));
    }

    fn issuers_removed(&self, issuer_hashes: &[String]) {
        for issuer in issuer_hashes {
            for result in RESULTS {
                self.latency.remove(&JudgedLabels {
                    result,
                    jwt_issuer_hash: issuer.clone(),
                });
                self.fetched.remove(&FetchLabels {
                    result,
                    jwt_issuer_hash: issuer.clone(),
                    apiserver_id_hash: self.server.clone(),
                });
            }
            self.show_key_set(issuer, None);
        }
    }

    fn configuration_reloaded(&self, success: bool, at: Timestamp) {
        let labels = ReloadLabels {
            status: result(success),
            apiserver_id_hash: self.server.clone(),
        };
        self.reloads.get_or_create(&labels).inc();
        self.reloaded.get_or_create(&labels).set(seconds(at));
    }

    fn configuration_in_force(&self, configuration_hash: &str) {
        self.configurations.clear();
        let labels = ConfigurationLabels {
            apiserver_id_hash: self.server.clone(),
            hash: configuration_hash.to_owned(),
        };
        self.configurations.get_or_create(&labels).set(1);
    }
}

#[cfg(test)]
mod tests {
    use burgee_oidc::Metrics as _;
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn lines(registry: &Registry) -> Vec<String> {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn what_is_gone_is_not_shown_any_more() {
        let mut registry = Registry::default();
        let metrics = IssuerMetrics::new("apiserver-0", &mut registry);
        let server = "apiserver_id_hash=\"sha256:8b1f2bdf4877cd31ba537f0d2e650b5e61be6285fc12d81f053ead5814177170\"";

        metrics.key_set_in_use("a", "one");
        metrics.key_set_in_use("a", "two");
        metrics.configuration_in_force("first");
        metrics.configuration_in_force("second");
        let prefix = "apiserver_authentication_";
        assert_eq!(
            lines(&registry),
            [
                format!(
                    "{prefix}jwt_authenticator_jwks_fetch_last_key_set_info\
                     {{jwt_issuer_hash=\"a\",{server},hash=\"two\"}} 1"
                ),
                format!("{prefix}config_controller_last_config_info{{{server},hash=\"second\"}} 1"),
            ]
        );
        metrics.key_set_fetched("a", true, Timestamp::UNIX_EPOCH);
        metrics.judged("a", false, Duration::from_millis(3));
        metrics.issuers_removed(&["a".to_owned()]);
        assert_eq!(lines(&registry).len(), 1);
    }
}
