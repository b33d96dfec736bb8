//! In which form the client wants the answer, and in which it sent its body.

use burgee_patch::PatchType;
use burgee_wire::Status;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};

use super::Query;

/// The formats that are written.
const WRITTEN: &str = "application/json, application/yaml";
/// The formats that are read.
const READ: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// How the answer is to look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Accept {
    /// Text format.
    pub(crate) form: Form,
    /// What of the object is wanted.
    pub(crate) shape: Shape,
    /// Whether JSON is indented for people.
    pub(crate) pretty: bool,
}

/// A format of answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Json,
    Yaml,
}

/// A format of requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encoding {
    Json,
    Protobuf,
    Yaml,
}

/// What of an object is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// Its metadata (`PartialObjectMetadata`).
    Metadata,
    /// All of it.
    Object,
    /// A row for people (`Table`).
    Table,
}

impl Accept {
    /// Reads the `Accept` header: the first acceptable clause in the client's order of preference.
    ///
    /// # Errors
    ///
    /// 406 when none of the clauses can be served.
    pub(crate) fn parse(headers: &HeaderMap, query: &Query) -> Result<Self, Box<Status>> {
        let pretty = wants_pretty(headers, query);
        let found = |(form, shape)| Self {
            form,
            shape,
            pretty,
        };
        let Some(accept) = headers
            .get(ACCEPT)
            .map(|value| value.to_str().unwrap_or("invalid"))
        else {
            return Ok(found((Form::Json, Shape::Object)));
        };
        if accept.trim().is_empty() {
            return Ok(found((Form::Json, Shape::Object)));
        }
        let clause = clauses(accept)
            .into_iter()
            .find_map(|clause| serve(&clause));
        clause.map(found).ok_or_else(|| {
            let message = format!("406: Not Acceptable\n\nAvailable representations: {WRITTEN}");
            Box::new(Status::not_acceptable(message).with_details(Default::default()))
        })
    }

    /// What an error is shown in when the header itself was the error.
    pub(crate) fn fallback(headers: &HeaderMap, query: &Query) -> Self {
        Self {
            form: Form::Json,
            shape: Shape::Object,
            pretty: wants_pretty(headers, query),
        }
    }
}

/// Whether the client asked for aggregated discovery; the answer is the content type to name.
pub(crate) fn accepts_discovery(headers: &HeaderMap) -> Option<&'static str> {
    let accept = headers.get(ACCEPT)?.to_str().ok()?;
    clauses(accept).into_iter().find_map(|clause| {
        let is_aggregated = clause.media == "application/json"
            && clause.parameter("g") == Some("apidiscovery.k8s.io")
            && clause.parameter("as") == Some("APIGroupDiscoveryList");
        match clause.parameter("v") {
            Some("v2") if is_aggregated => Some("v2"),
            Some("v2beta1") if is_aggregated => Some("v2beta1"),
            _ => None,
        }
    })
}

/// Whether the client would rather have OpenMetrics than Prometheus' older text format.
pub(crate) fn accepts_openmetrics(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let wanted = |clause: Clause<'_>| match clause.media {
        "application/openmetrics-text" => Some(true),
        "text/plain" | "text/*" | "*/*" => Some(false),
        _ => None,
    };
    accept.is_some_and(|accept| clauses(accept).into_iter().find_map(wanted) == Some(true))
}

/// One media range of an `Accept` header.
struct Clause<'a> {
    media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Clause<'a> {
    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, value)| *value)
    }
}

/// The clauses, most wanted first; those of equal quality keep their order.
fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<(Clause<'_>, f32)> = accept
        .split(',')
        .map(|clause| {
            let mut parts = clause.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let parameters: Vec<_> = parts.filter_map(|part| part.split_once('=')).collect();
            let clause = Clause { media, parameters };
            let quality = clause
                .parameter("q")
                .and_then(|q| q.parse().ok())
                .unwrap_or(1.0);
            (clause, quality)
        })
        .filter(|(_, quality)| *quality > 0.0)
        .collect();
    clauses.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    clauses.into_iter().map(|(clause, _)| clause).collect()
}

fn serve(clause: &Clause<'_>) -> Option<(Form, Shape)> {
    let form = match clause.media {
        "application/json" | "*/*" | "application/*" => Form::Json,
        "application/yaml" => Form::Yaml,
        _ => return None,
    };
    let shape = match clause.parameter("as") {
        None => Shape::Object,
        Some(kind) => {
            let version = clause.parameter("v");
            if clause.parameter("g") != Some("meta.k8s.io")
                || !matches!(version, Some("v1" | "v1beta1"))
            {
                return None;
            }
            match kind {
                "Table" => Shape::Table,
                "PartialObjectMetadata" | "PartialObjectMetadataList" => Shape::Metadata,
                _ => return None,
            }
        }
    };
    Some((form, shape))
}

/// Indented for those who ask for it, and for programs that people look at.
fn wants_pretty(headers: &HeaderMap, query: &Query) -> bool {
    if let Some(pretty) = query.first("pretty").filter(|value| !value.is_empty()) {
        return matches!(pretty, "1" | "t" | "T" | "true" | "TRUE" | "True");
    }
    let agent = headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    ["curl", "Wget", "Mozilla/5.0"]
        .iter()
        .any(|person| agent.starts_with(person))
}

/// The format of a request's body; none says JSON.
///
/// # Errors
///
/// 415 for anything but JSON, YAML and Kubernetes protobuf.
pub(crate) fn body_encoding(headers: &HeaderMap) -> Result<Encoding, Box<Status>> {
    match content_type(headers) {
        "" | "application/json" => Ok(Encoding::Json),
        "application/yaml" => Ok(Encoding::Yaml),
        burgee_wire::protobuf::MEDIA_TYPE => Ok(Encoding::Protobuf),
        _ => Err(Box::new(Status::unsupported_media_type(format!(
            "the body of the request was in an unknown format - accepted media types include: {READ}"
        )))),
    }
}

/// The patch type that the content type names; `None` stands for an apply.
///
/// # Errors
///
/// 415 for anything else.
pub(crate) fn patch_type(headers: &HeaderMap) -> Result<Option<PatchType>, Box<Status>> {
    let media_type = content_type(headers);
    if matches!(
        media_type,
        "application/apply-patch+yaml" | "application/apply-patch+json"
    ) {
        return Ok(None);
    }
    PatchType::of_media_type(media_type)
        .map(Some)
        .ok_or_else(|| {
            let message = "415: Unsupported Media Type";
            Box::new(Status::unsupported_media_type(message).with_details(Default::default()))
        })
}

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(CONTENT_TYPE)
        .map_or(Some(""), |value| value.to_str().ok());
    value
        .unwrap_or("invalid")
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(header: &str) -> Option<(Form, Shape)> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, header.parse().unwrap());
        Accept::parse(&headers, &Query::default())
            .ok()
            .map(|accept| (accept.form, accept.shape))
    }

    #[test]
    fn the_first_clause_that_can_be_served_wins() {
        let table_v1 = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let table = [
            ("application/json", Some((Form::Json, Shape::Object))),
            ("*/*", Some((Form::Json, Shape::Object))),
            ("application/yaml", Some((Form::Yaml, Shape::Object))),
            (
                "application/vnd.kubernetes.protobuf,application/json",
                Some((Form::Json, Shape::Object)),
            ),
            (
                "application/json;q=0.5, application/yaml",
                Some((Form::Yaml, Shape::Object)),
            ),
            (
                "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
                Some((Form::Json, Shape::Metadata)),
            ),
            (
                "application/json;as=Nonsense;g=meta.k8s.io;v=v1,application/json",
                Some((Form::Json, Shape::Object)),
            ),
            (table_v1, Some((Form::Json, Shape::Table))),
            ("text/csv", None),
            ("application/vnd.kubernetes.protobuf", None),
            ("application/json;q=0", None),
        ];
        for (header, expected) in table {
            assert_eq!(accept(header), expected, "{header}");
        }
    }

    #[test]
    fn json_is_pretty_for_curl_unless_the_query_says_otherwise() {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, "curl/8.0".parse().unwrap());
        assert!(wants_pretty(&headers, &Query::default()));
        assert!(!wants_pretty(&headers, &Query::parse("pretty=false")));
        assert!(wants_pretty(
            &HeaderMap::new(),
            &Query::parse("pretty=true")
        ));
        assert!(!wants_pretty(&HeaderMap::new(), &Query::default()));
    }

    #[test]
    fn unknown_content_types_are_refused() {
        let mut headers = HeaderMap::new();
        assert_eq!(body_encoding(&headers).unwrap(), Encoding::Json);
        headers.insert(
            CONTENT_TYPE,
            "application/yaml; charset=utf-8".parse().unwrap(),
        );
        assert_eq!(body_encoding(&headers).unwrap(), Encoding::Yaml);
        headers.insert(CONTENT_TYPE, "text/csv".parse().unwrap());
        assert_eq!(body_encoding(&headers).unwrap_err().code, 415);
        headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        assert_eq!(patch_type(&headers).unwrap_err().code, 415);
    }
}
