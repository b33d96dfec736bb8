//! What is counted, by upstream's names, in Prometheus' text format or as OpenMetrics.

mod issuers;
mod webhook;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use burgee_authn::{ActiveFetch, AttemptResult, CacheStatus, FetchStatus, UserLabel};
use burgee_identity::Reason;
use burgee_service_account::TokenUse;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use issuers::IssuerMetrics;
use webhook::WebhookMetrics;

use crate::http::{Body, RequestInfo, Verb, accepts_openmetrics};

/// Everything that the server counts.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<VerbLabels, Histogram, fn() -> Histogram>,
    in_flight: Family<KindLabels, Gauge>,
    attempts: Family<ResultLabels, Bare>,
    attempt_seconds: Family<ResultLabels, Histogram, fn() -> Histogram>,
    refusals: Family<ReasonLabels, Counter>,
    users: Family<UserLabels, Bare>,
    cache_requests: Family<StatusLabels, Counter>,
    cache_seconds: Family<StatusLabels, Histogram, fn() -> Histogram>,
    cache_fetches: Family<StatusLabels, Counter>,
    cache_waiting: Family<StatusLabels, Gauge>,
    certificate_seconds: Histogram,
    tokens_without_audience: Counter,
    tokens_stale: Counter,
    tokens_valid: Counter,
    issuers: Arc<IssuerMetrics>,
    webhook: Arc<WebhookMetrics>,
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
struct ReasonLabels {
    reason: &'static str,
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
    /// Metrics of the server with this id.
    pub(crate) fn new(server_id: &str) -> Self {
        let mut registry = Registry::default();
        let issuers = Arc::new(IssuerMetrics::new(server_id, &mut registry));
        let webhook = Arc::new(WebhookMetrics::new(&mut registry));
        let requests = Family::default();
        let request_seconds = Family::new_with_constructor(request_buckets as fn() -> Histogram);
        let in_flight = Family::default();
        let attempts = Family::default();
        let attempt_seconds = Family::new_with_constructor(attempt_buckets as fn() -> Histogram);
        let refusals = Family::default();
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
            "burgee_authentication_refusals",
            "Requests that were refused, by reason",
            Family::clone(&refusals),
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
            refusals,
            users,
            cache_requests,
            cache_seconds,
            cache_fetches,
            cache_waiting,
            certificate_seconds,
            tokens_without_audience,
            tokens_stale,
            tokens_valid,
            issuers,
            webhook,
        }
    }

    /// What is counted of the service that judges tokens.
    pub(crate) fn webhook(&self) -> Arc<WebhookMetrics> {
        Arc::clone(&self.webhook)
    }

    /// What is counted of issuers of JWTs.
    pub(crate) fn issuers(&self) -> Arc<IssuerMetrics> {
        Arc::clone(&self.issuers)
    }

    /// One request more is under way, until the answer is dropped.
    pub(crate) fn in_flight(self: &Arc<Self>, is_read: bool) -> InFlight {
        let request_kind = if is_read { "readOnly" } else { "mutating" };
        let labels = KindLabels { request_kind };
        self.in_flight.get_or_create(&labels).inc();
        InFlight {
            metrics: Arc::clone(self),
            labels,
        }
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
            verb: verb_label(info.verb),
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

    /// `/metrics`, as OpenMetrics for those who ask for it.
    pub(crate) fn render(&self, headers: &HeaderMap) -> Response<Body> {
        let mut body = String::new();
        if text::encode(&mut body, &self.registry).is_err() {
            body.clear();
        }
        let content_type = match accepts_openmetrics(headers) {
            true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            false => {
                body = classic(&body);
                "text/plain; version=0.0.4; charset=utf-8"
            }
        };
        let mut response = Response::new(Body::from(body));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}

/// A request that counts as under way. Dropping it is enough, however the request ended.
pub(crate) struct InFlight {
    metrics: Arc<Metrics>,
    labels: KindLabels,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.in_flight.get_or_create(&self.labels).dec();
    }
}

/// The verb as upstream's metrics spell it: that of HTTP where there is one.
fn verb_label(verb: Verb) -> &'static str {
    match verb {
        Verb::Create | Verb::Post => "POST",
        Verb::Delete => "DELETE",
        Verb::DeleteCollection => "DELETECOLLECTION",
        Verb::Get | Verb::Head => "GET",
        Verb::List => "LIST",
        Verb::Options | Verb::Other => "other",
        Verb::Patch => "PATCH",
        Verb::Put | Verb::Update => "PUT",
        Verb::Watch => "WATCH",
    }
}

/// OpenMetrics text in the older text format (version 0.0.4), which names the samples of a counter
/// where OpenMetrics names their family, calls the unknown untyped, and knows neither units nor an
/// end.
fn classic(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    // The description comes before the type, which decides what both lines are about.
    let mut description = None;
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            description = rest.split_once(' ');
        } else if let Some((name, kind)) = type_line(line) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            if let Some((_, description)) = description.take() {
                text.push_str(&format!("# HELP {name}{suffix} {description}\n"));
            }
            text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn type_line(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("# TYPE ")?.split_once(' ')
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

    fn refused(&self, reason: Reason) {
        let reason = reason.code();
        self.refusals.get_or_create(&ReasonLabels { reason }).inc();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Query;
    use http::Method;
    use http::header::ACCEPT;
    use http_body_util::BodyExt as _;

    async fn rendered(metrics: &Metrics, accept: Option<&'static str>) -> (String, String) {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        let response = metrics.render(&headers);
        let content_type = response.headers()[CONTENT_TYPE]
            .to_str()
            .unwrap()
            .to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (content_type, String::from_utf8(body.to_vec()).unwrap())
    }

    fn answered(metrics: &Metrics, method: &Method, path: &str, query: &str) {
        let info = RequestInfo::parse(method, path, &Query::parse(query));
        metrics.answered(&info, StatusCode::OK, Some(Duration::from_millis(30)));
    }

    #[tokio::test]
    async fn the_older_text_format_names_samples() {
        let metrics = Metrics::new("apiserver-0");
        answered(&metrics, &Method::GET, "/api/v1/secrets", "");
        burgee_authn::Metrics::user(&metrics, UserLabel::Admin);
        let (content_type, text) = rendered(&metrics, None).await;
        assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
        let sample = "apiserver_request_total{code=\"200\",group=\"\",resource=\"secrets\",scope=\"cluster\",subresource=\"\",verb=\"LIST\",version=\"v1\"} 1";
        for line in [
            "# HELP apiserver_request_total Answered requests.",
            "# TYPE apiserver_request_total counter",
            sample,
            "# TYPE apiserver_request_duration_seconds histogram",
            "# TYPE authenticated_user_requests untyped",
            "authenticated_user_requests{username=\"admin\"} 1",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in {text}");
        }
        assert!(
            !text.contains("# EOF") && !text.contains("# UNIT"),
            "{text}"
        );
        // Every sample belongs to the family whose type was said last.
        let mut family = "";
        for line in text.lines() {
            match type_line(line) {
                Some((name, _)) => family = name,
                None => assert!(
                    line.trim_start_matches("# HELP ").starts_with(family)
                        || line.starts_with("# HELP"),
                    "{line}"
                ),
            }
        }
    }

    #[tokio::test]
    async fn openmetrics_goes_to_those_who_ask_for_it() {
        let metrics = Metrics::new("apiserver-0");
        answered(&metrics, &Method::GET, "/api/v1/secrets", "");
        let prometheus =
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let (content_type, text) = rendered(&metrics, Some(prometheus)).await;
        assert_eq!(
            content_type,
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        );
        assert!(text.contains("# TYPE apiserver_request counter\n") && text.ends_with("# EOF\n"));
        for accept in [
            "text/plain",
            "*/*",
            "application/json",
            "text/plain, application/openmetrics-text;q=0.5",
        ] {
            let (content_type, _) = rendered(&metrics, Some(accept)).await;
            assert!(content_type.starts_with("text/plain"), "{accept}");
        }
    }

    #[test]
    fn verbs_are_spelled_as_upstream() {
        let one = "/api/v1/namespaces/a/secrets/b";
        let all = "/api/v1/namespaces/a/secrets";
        let table = [
            (Method::GET, one, "", "GET"),
            (Method::HEAD, one, "", "GET"),
            (Method::GET, all, "", "LIST"),
            (Method::GET, all, "watch=1", "WATCH"),
            (Method::POST, all, "", "POST"),
            (Method::PUT, one, "", "PUT"),
            (Method::PATCH, one, "", "PATCH"),
            (Method::DELETE, one, "", "DELETE"),
            (Method::DELETE, all, "", "DELETECOLLECTION"),
            (Method::GET, "/healthz", "", "GET"),
            (Method::TRACE, "/healthz", "", "other"),
        ];
        for (method, path, query, expected) in table {
            let info = RequestInfo::parse(&method, path, &Query::parse(query));
            assert_eq!(verb_label(info.verb), expected, "{method} {path}?{query}");
        }
    }

    #[test]
    fn a_request_counts_as_under_way_until_it_is_dropped() {
        let metrics = Arc::new(Metrics::new("apiserver-0"));
        let reads = KindLabels {
            request_kind: "readOnly",
        };
        let under_way = || metrics.in_flight.get_or_create(&reads).get();
        let (first, second) = (metrics.in_flight(true), metrics.in_flight(true));
        assert_eq!(under_way(), 2);
        drop(first);
        assert_eq!(under_way(), 1);
        drop(second);
        assert_eq!(under_way(), 0);
    }
}
