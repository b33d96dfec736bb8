//! What is counted of the service that judges tokens.

use std::fmt;
use std::time::Duration;

use burgee_token_webhook::RequestCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Counts for [`burgee_token_webhook`], by upstream's names.
pub(crate) struct WebhookMetrics {
    requests: Family<CodeLabels, Counter>,
    seconds: Family<CodeLabels, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct CodeLabels {
    code: String,
}

fn buckets() -> Histogram {
    Histogram::new([0.25, 0.5, 0.7, 1.0, 1.5, 3.0, 5.0, 10.0])
}

impl WebhookMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(buckets as fn() -> Histogram),
        };
        registry.register(
            "apiserver_delegated_authn_request",
            "Questions to the service that judges tokens",
            Family::clone(&metrics.requests),
        );
        registry.register(
            "apiserver_delegated_authn_request_duration_seconds",
            "Time that its answers took",
            Family::clone(&metrics.seconds),
        );
        metrics
    }
}

impl fmt::Debug for WebhookMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookMetrics")
    }
}

impl burgee_token_webhook::Metrics for WebhookMetrics {
    fn request(&self, code: RequestCode, duration: Duration) {
        let labels = CodeLabels {
            code: code.to_string(),
        };
        self.requests.get_or_create(&labels).inc();
        self.seconds
            .get_or_create(&labels)
            .observe(duration.as_secs_f64());
    }
}
