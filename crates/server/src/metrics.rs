//! What is counted, by upstream's names, in the OpenMetrics text format.

use std::fmt;
use std::time::Duration;

use burgee_authn::{ActiveFetch, AttemptResult, CacheStatus, FetchStatus, UserLabel};
use burgee_service_account::TokenUse;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::http::{Body, RequestInfo};

/// Everything that the server counts.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<VerbLabels, Histogram, fn() -> Histogram>,
    in_flight: Family<KindLabels, Gauge>,
    attempts: Family<ResultLabels, Bare>,
    attempt_seconds: Family<ResultLabels, Histogram, fn() -> Histogram>,
    users: Family<UserLabels, Bare>,
    cache_requests: Family<StatusLabels, Counter>,
    cache_seconds: Family<StatusLabels, Histogram, fn() -> Histogram>,
    cache_fetches: Family<StatusLabels, Counter>,
    cache_waiting: Family<StatusLabels, Gauge>,
    certificate_seconds: Histogram,
    tokens_without_audience: Counter,
    tokens_stale: Counter,
    tokens_valid: Counter,
}

/// A counter whose name upstream does not end in `_total`.
#[derive(Clone, Debug, Default)]
struct Bare(Counter);

impl EncodeMetric for Bare {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.encode_gauge(&self.0.get())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Unknown
    }
}

impl prometheus_client::metrics::TypedMetric for Bare {
    const TYPE: MetricType = MetricType::Unknown;
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabels {
    code: u16,
    group: &'static str,
    resource: &'static str,
    scope: &'static str,
    subresource: &'static str,
    verb: &'static str,
    version: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct VerbLabels {
    resource: &'static str,
    verb: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct KindLabels {
    request_kind: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct StatusLabels {
    status: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct UserLabels {
    username: &'static str,
}

fn request_buckets() -> Histogram {
    Histogram::new([
        0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0,
        10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
    ])
}

fn attempt_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 15))
}

/// Remaining seconds of client certificates: from expired over days to a year.
const CERTIFICATE_BUCKETS: [f64; 14] = [
    0.0,
    1800.0,
    3600.0,
    7200.0,
    21600.0,
    43200.0,
    86400.0,
    172_800.0,
    345_600.0,
    604_800.0,
    2_592_000.0,
    7_776_000.0,
    15_552_000.0,
    31_104_000.0,
];

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let request_seconds = Family::new_with_constructor(request_buckets as fn() -> Histogram);
        let in_flight = Family::default();
        let attempts = Family::default();
        let attempt_seconds = Family::new_with_constructor(attempt_buckets as fn() -> Histogram);
        let users = Family::default();
        let cache_requests = Family::default();
        let cache_seconds = Family::new_with_constructor(attempt_buckets as fn() -> Histogram);
        let cache_fetches = Family::default();
        let cache_waiting = Family::default();
        let certificate_seconds = Histogram::new(CERTIFICATE_BUCKETS);
        let tokens_without_audience = Counter::default();
        let tokens_stale = Counter::default();
        let tokens_valid = Counter::default();
        registry.register(
            "apiserver_request",
            "Answered requests",
            Family::clone(&requests),
        );
        registry.register(
            "apiserver_request_duration_seconds",
            "Time from a request to its answer, watches left out",
            Family::clone(&request_seconds),
        );
        registry.register(
            "apiserver_current_inflight_requests",
            "Requests under way",
            Family::clone(&in_flight),
        );
        registry.register(
            "authentication_attempts",
            "Judged requests",
            Family::clone(&attempts),
        );
        registry.register(
            "authentication_duration_seconds",
            "Time that judging a request took",
            Family::clone(&attempt_seconds),
        );
        registry.register(
            "authenticated_user_requests",
            "Requests that were let through, by user",
            Family::clone(&users),
        );
        registry.register(
            "authentication_token_cache_request",
            "Questions to the token cache",
            Family::clone(&cache_requests),
        );
        registry.register(
            "authentication_token_cache_request_duration_seconds",
            "Time that an answer of the token cache took",
            Family::clone(&cache_seconds),
        );
        registry.register(
            "authentication_token_cache_fetch",
            "Tokens that the cache had to have judged",
            Family::clone(&cache_fetches),
        );
        registry.register(
            "authentication_token_cache_active_fetch_count",
            "Callers of the token cache that wait",
            Family::clone(&cache_waiting),
        );
        registry.register(
            "apiserver_client_certificate_expiration_seconds",
            "Remaining life of presented client certificates",
            certificate_seconds.clone(),
        );
        registry.register(
            "serviceaccount_legacy_tokens",
            "Accepted service-account tokens without an audience",
            tokens_without_audience.clone(),
        );
        registry.register(
            "serviceaccount_stale_tokens",
            "Accepted service-account tokens whose holder should have had a newer one",
            tokens_stale.clone(),
        );
        registry.register(
            "serviceaccount_valid_tokens",
            "Accepted service-account tokens of extended life whose holder is in time",
            tokens_valid.clone(),
        );
        Self {
            registry,
            requests,
            request_seconds,
            in_flight,
            attempts,
            attempt_seconds,
            users,
            cache_requests,
            cache_seconds,
            cache_fetches,
            cache_waiting,
            certificate_seconds,
            tokens_without_audience,
            tokens_stale,
            tokens_valid,
        }
    }

    /// One request more, or one less, is under way.
    pub(crate) fn in_flight(&self, is_read: bool, change: i64) {
        let request_kind = if is_read { "readOnly" } else { "mutating" };
        self.in_flight
            .get_or_create(&KindLabels { request_kind })
            .inc_by(change);
    }

    /// A request was answered. A watch has no duration worth counting.
    pub(crate) fn answered(&self, info: &RequestInfo, code: StatusCode, took: Option<Duration>) {
        let found = burgee_resources::find(&info.group, &info.version, &info.resource);
        let found = found.filter(|_| info.is_resource);
        // Labels come from what is served, never from what a client made up.
        let subresource = found.and_then(|resource| resource.subresource(&info.subresource));
        let labels = RequestLabels {
            code: code.as_u16(),
            group: found.map_or("", |resource| resource.group),
            resource: found.map_or("", |resource| resource.plural),
            scope: scope(info, found.is_some()),
            subresource: subresource.map_or("", |subresource| subresource.name),
            verb: info.verb.as_str(),
            version: found.map_or("", |resource| resource.version),
        };
        if let Some(took) = took {
            let verb = VerbLabels {
                resource: labels.resource,
                verb: labels.verb,
            };
            self.request_seconds
                .get_or_create(&verb)
                .observe(took.as_secs_f64());
        }
        self.requests.get_or_create(&labels).inc();
    }

    /// `/metrics`.
    pub(crate) fn render(&self) -> Response<Body> {
        let mut body = String::new();
        if text::encode(&mut body, &self.registry).is_err() {
            body.clear();
        }
        let mut response = Response::new(Body::from(body));
        let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}

fn scope(info: &RequestInfo, known: bool) -> &'static str {
    match known {
        false => "",
        true if !info.name.is_empty() => "resource",
        true if !info.namespace.is_empty() => "namespace",
        true => "cluster",
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl burgee_authn::Metrics for Metrics {
    fn attempt(&self, result: AttemptResult, duration: Duration) {
        let labels = ResultLabels {
            result: result.as_str(),
        };
        self.attempts.get_or_create(&labels).0.inc();
        self.attempt_seconds
            .get_or_create(&labels)
            .observe(duration.as_secs_f64());
    }

    fn user(&self, label: UserLabel) {
        self.users
            .get_or_create(&UserLabels {
                username: label.as_str(),
            })
            .0
            .inc();
    }

    fn token_cache_request(&self, status: CacheStatus, duration: Duration) {
        let labels = StatusLabels {
            status: status.as_str(),
        };
        self.cache_requests.get_or_create(&labels).inc();
        self.cache_seconds
            .get_or_create(&labels)
            .observe(duration.as_secs_f64());
    }

    fn token_cache_fetch(&self, status: FetchStatus) {
        self.cache_fetches
            .get_or_create(&StatusLabels {
                status: status.as_str(),
            })
            .inc();
    }

    fn token_cache_active_fetches(&self, state: ActiveFetch, change: i64) {
        self.cache_waiting
            .get_or_create(&StatusLabels {
                status: state.as_str(),
            })
            .inc_by(change);
    }

    fn client_certificate_expiration(&self, seconds: f64) {
        self.certificate_seconds.observe(seconds);
    }

    fn service_account_token(&self, token_use: TokenUse) {
        match token_use {
            TokenUse::Stale => self.tokens_stale.inc(),
            TokenUse::Valid => self.tokens_valid.inc(),
            TokenUse::WithoutAudience => self.tokens_without_audience.inc(),
        };
    }
}
