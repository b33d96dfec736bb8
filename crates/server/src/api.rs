//! From an authenticated request to its answer.

use std::sync::Arc;
use std::time::Duration;

use burgee_authn::Chain;
use burgee_authn::explain::RecentRefusals;
use burgee_authz::{Attributes, Authorizer, ResourceRequest};
use burgee_identity::{Clock, UserInfo};
use burgee_openapi::{AggregatedVersion, Document, Documents};
use burgee_resources::{Resource, Subresource};
use burgee_service_account::TokenIssuer;
use burgee_wire::Status;
use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, LOCATION, VARY,
};
use http::{HeaderMap, Response, StatusCode, request};
use http_body::Body as HttpBody;
use tokio_util::sync::CancellationToken;

use crate::authorization::Authorization;
use crate::health::Health;
use crate::http::{
    Accept, Body, Query, RequestInfo, Verb, accepts_discovery, body_encoding, json, not_sniffed,
    patch_type, read_limited, respond, status, text, with_warnings,
};
use crate::metrics::Metrics;
use crate::oidc::OidcDocuments;
use crate::registry::{
    DeleteOptions, Deleted, ListOptions, PatchKind, Registry, Result, Target, View, WatchOptions,
    WriteOptions, Writer, Written, present, present_list,
};
use crate::reviews::Question;

/// Everything that answers requests.
pub(crate) struct Api {
    pub(crate) registry: Registry,
    pub(crate) authentication: Arc<Chain>,
    pub(crate) authorization: Arc<Authorization>,
    /// Who was refused lately, and why.
    pub(crate) refusals: RecentRefusals,
    pub(crate) issuer: TokenIssuer,
    pub(crate) documents: Documents,
    pub(crate) oidc: OidcDocuments,
    pub(crate) health: Health,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) version: serde_json::Value,
    /// How long a request that is no watch may take.
    pub(crate) request_timeout: Duration,
    /// Ends watches when the server stops.
    pub(crate) stop: CancellationToken,
}

/// A request whose sender is known.
pub(crate) struct Call<'a, B> {
    pub(crate) head: &'a request::Parts,
    pub(crate) info: &'a RequestInfo,
    pub(crate) query: &'a Query,
    pub(crate) user: &'a Arc<UserInfo>,
    pub(crate) body: B,
}

impl Api {
    /// Answers a request. Failures are answers, too.
    pub(crate) async fn answer<B>(&self, call: Call<'_, B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let (head, query) = (call.head, call.query);
        let accept = Accept::parse(&head.headers, query);
        let shown = accept
            .as_ref()
            .map_or_else(|_| Accept::fallback(&head.headers, query), |a| *a);
        if let Err(refusal) = self.authorize(call.user, call.info) {
            return not_sniffed(status(&refusal, shown));
        }
        let outcome = match call.info.is_resource {
            false => Ok(self.path(&call, shown).await),
            true => match accept {
                Ok(accept) => self.resource(call, accept).await,
                Err(refusal) => Err(refusal),
            },
        };
        outcome.unwrap_or_else(|refusal| status(&refusal, shown))
    }

    fn authorize(&self, user: &UserInfo, info: &RequestInfo) -> Result<()> {
        let attributes = match info.is_resource {
            false => Attributes::path(user, info.verb.as_str(), &info.path),
            true => {
                let request = ResourceRequest {
                    api_group: &info.group,
                    api_version: &info.version,
                    resource: &info.resource,
                    subresource: &info.subresource,
                    namespace: &info.namespace,
                    name: &info.name,
                };
                Attributes::resource(user, info.verb.as_str(), request)
            }
        };
        let decision = self.authorization.authorize(&attributes);
        if decision.is_allowed() {
            return Ok(());
        }
        Err(Box::new(
            attributes.forbidden(&decision.reason().to_string()),
        ))
    }

    /// What is no resource: discovery, documents, health, metrics.
    async fn path<B>(&self, call: &Call<'_, B>, accept: Accept) -> Response<Body> {
        let info = call.info;
        if !matches!(info.verb, Verb::Get | Verb::Head) {
            return status(&Status::method_not_allowed(), accept);
        }
        let headers = &call.head.headers;
        if let Some(answer) = self.health.answer(&info.path, call.query).await {
            return answer;
        }
        let path = info.path.as_str();
        match path {
            "/" => json_bytes(&self.documents.root(ROOT_PATHS), accept),
            "/version" | "/version/" => json(StatusCode::OK, self.version.to_string(), accept),
            "/metrics" => self.metrics.render(headers),
            "/openapi/v2" => self.openapi_v2(headers),
            "/openapi/v3" => {
                let index = self.documents.openapi_v3_index();
                document(index, info, (headers, call.query), accept)
            }
            burgee_service_account::CONFIGURATION_PATH => self.oidc.configuration(accept),
            burgee_service_account::JWKS_PATH => self.oidc.jwks(accept),
            _ => match self.discovery(path, headers, accept) {
                Some(answer) => answer,
                None => match path
                    .strip_prefix("/openapi/v3/")
                    .and_then(|path| self.documents.openapi_v3(path))
                {
                    Some(found) => document(found, info, (headers, call.query), accept),
                    None => text(StatusCode::NOT_FOUND, "404 page not found\n"),
                },
            },
        }
    }

    fn discovery(&self, path: &str, headers: &HeaderMap, accept: Accept) -> Option<Response<Body>> {
        let aggregated = match accepts_discovery(headers) {
            Some("v2") => Some(AggregatedVersion::V2),
            Some(_) => Some(AggregatedVersion::V2Beta1),
            None => None,
        };
        let path = path.strip_suffix('/').unwrap_or(path);
        let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
        let found = match (parts.as_slice(), aggregated) {
            (["api"], Some(version)) => {
                return Some(aggregated_document(
                    self.documents.aggregated_api(version),
                    version,
                    headers,
                ));
            }
            (["apis"], Some(version)) => {
                return Some(aggregated_document(
                    self.documents.aggregated_apis(version),
                    version,
                    headers,
                ));
            }
            (["api"], None) => Some(self.documents.api_versions()),
            (["apis"], None) => Some(self.documents.api_group_list()),
            (["api", version], _) => self.documents.api_resource_list("", version),
            (["apis", group], _) => self.documents.api_group(group),
            (["apis", group, version], _) => self.documents.api_resource_list(group, version),
            _ => None,
        };
        found.map(|found| json_bytes(found.body(), accept))
    }

    fn openapi_v2(&self, headers: &HeaderMap) -> Response<Body> {
        let accept = headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .unwrap_or_default();
        let protobuf = ["v2@v1.0+protobuf", "v2.v1.0+protobuf"]
            .iter()
            .any(|form| accept.contains(form));
        let (found, content_type) = match protobuf {
            true => (
                self.documents.openapi_v2_protobuf(),
                "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
            ),
            false => (self.documents.openapi_v2(), "application/json"),
        };
        with_etag(found, headers, || {
            let mut response = Response::new(Body::from(found.body().clone()));
            let content_type = HeaderValue::from_static(content_type);
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            response
        })
    }

    async fn resource<B>(&self, call: Call<'_, B>, accept: Accept) -> Result<Response<Body>>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let info = call.info;
        if let Some(answer) = no_custom_resources(info, accept) {
            return Ok(answer);
        }
        let resource = burgee_resources::find(&info.group, &info.version, &info.resource);
        let resource = resource.ok_or_else(|| Box::new(Status::unknown_path()))?;
        let is_namespaces = info.group.is_empty() && info.resource == "namespaces";
        // A namespace's own URL names it as namespace and as object. Where it stands inside another
        // one, there is nothing: authorization was asked about that other one.
        let namespace = match is_namespaces && !info.is_nested {
            true => "",
            false => info.namespace.as_str(),
        };
        if info.is_deeper || (!resource.namespaced && !namespace.is_empty()) {
            return Err(Box::new(Status::unknown_path()));
        }
        let is_collection = matches!(info.verb, Verb::DeleteCollection | Verb::List | Verb::Watch);
        let name = if is_collection {
            ""
        } else {
            info.name.as_str()
        };
        let subresource = match info.subresource.as_str() {
            "" => None,
            name => Some(
                resource
                    .subresource(name)
                    .ok_or_else(|| Box::new(Status::unknown_path()))?,
            ),
        };
        let target = Target {
            resource,
            namespace,
            name,
            subresource: &info.subresource,
        };
        check_verb(info, &target, subresource)?;
        let view = View::new(accept, call.query, self.clock.now())?;
        match info.verb {
            Verb::Get => {
                let version = call.query.text("resourceVersion");
                let entry = self.registry.get_at(&target, version).await?;
                present(StatusCode::OK, resource, &entry, &view)
            }
            Verb::List => {
                let options = ListOptions::parse(call.query, &target, false)?;
                let listed = self.registry.list(&target, &options).await?;
                present_list(self.registry.cache(resource)?, listed, &view).await
            }
            Verb::Watch => {
                let options = WatchOptions::parse(call.query, &target)?;
                let events = self
                    .registry
                    .watch(&target, options, view, self.stop.clone())
                    .await?;
                let body = Body::Endless(Box::pin(events));
                Ok(respond(StatusCode::OK, "application/json", body))
            }
            Verb::Create => self.create(call, &target, &view).await,
            Verb::Update => {
                let encoding = body_encoding(&call.head.headers)?;
                let options = write_options("UpdateOptions", &call, false)?;
                let body = read_limited(call.body).await?;
                let writer = Writer { user: call.user };
                let written = self
                    .registry
                    .replace(&target, &body, encoding, &options, &writer)
                    .await?;
                answer_write(resource, &written, &view)
            }
            Verb::Patch => {
                let kind = patch_type(&call.head.headers)?;
                let options = write_options("PatchOptions", &call, kind.is_none())?;
                let kind = kind.map_or(PatchKind::Apply, PatchKind::Patch);
                let body = read_limited(call.body).await?;
                let writer = Writer { user: call.user };
                let written = self
                    .registry
                    .patch(&target, kind, &body, &options, &writer)
                    .await?;
                answer_write(resource, &written, &view)
            }
            Verb::Delete => {
                let options = delete_options(call).await?;
                match self.registry.delete(&target, &options).await? {
                    Deleted::Going(entry) => present(StatusCode::OK, resource, &entry, &view),
                    Deleted::Gone(entry) if resource.rules.returns_deleted() => {
                        present(StatusCode::OK, resource, &entry, &view)
                    }
                    Deleted::Gone(entry) => {
                        let uid = entry
                            .object()
                            .map(|object| object.metadata.uid)
                            .unwrap_or_default();
                        let done = Status::deleted(resource.group, resource.plural, name, &uid);
                        Ok(status(&done, accept))
                    }
                }
            }
            Verb::DeleteCollection => {
                let list = ListOptions::parse(call.query, &target, false)?;
                let options = delete_options(call).await?;
                let listed = self
                    .registry
                    .delete_collection(&target, &list, &options)
                    .await?;
                present_list(self.registry.cache(resource)?, listed, &view).await
            }
            Verb::Head | Verb::Options | Verb::Other | Verb::Post | Verb::Put => {
                Err(Box::new(Status::method_not_allowed()))
            }
        }
    }

    async fn create<B>(
        &self,
        call: Call<'_, B>,
        target: &Target<'_>,
        view: &View,
    ) -> Result<Response<Body>>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let encoding = body_encoding(&call.head.headers)?;
        let options = write_options("CreateOptions", &call, false)?;
        let user = call.user;
        let body = read_limited(call.body).await?;
        if target.subresource.is_empty() && target.resource.stored() {
            let writer = Writer { user };
            let written = self
                .registry
                .create(target, &body, encoding, &options, &writer)
                .await?;
            return answer_write(target.resource, &written, view);
        }
        let question = Question {
            target: *target,
            body: &body,
            encoding,
            options: &options,
            user,
        };
        let reviewed = match target.subresource {
            "token" => self.token_request(question).await?,
            _ => self.review(question).await?,
        };
        let response = json(StatusCode::CREATED, reviewed.json, view.accept);
        Ok(with_warnings(response, reviewed.warnings))
    }
}

/// Paths that are no resources, for `/`.
const ROOT_PATHS: &[&str] = &[
    "/.well-known/openid-configuration",
    "/healthz",
    "/livez",
    "/metrics",
    "/openapi/v2",
    "/openapi/v3",
    "/openid/v1/jwks",
    "/readyz",
    "/version",
];

/// kubectl lists custom resource definitions before it sends a kind that has no PATCH in OpenAPI, and
/// gives up without an answer. There are none.
fn no_custom_resources(info: &RequestInfo, accept: Accept) -> Option<Response<Body>> {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let json = r#"{"kind":"CustomResourceDefinitionList","apiVersion":"apiextensions.k8s.io/v1","metadata":{"resourceVersion":"1"},"items":[]}"#;
    let asked = info.verb == Verb::List && info.path == path;
    asked.then(|| self::json(StatusCode::OK, json.to_owned(), accept))
}

/// Whether the URL that was asked for takes the verb.
fn check_verb(
    info: &RequestInfo,
    target: &Target<'_>,
    subresource: Option<&'static Subresource>,
) -> Result<()> {
    let verbs = subresource.map_or(target.resource.verbs, |subresource| subresource.verbs);
    let has_name = !target.name.is_empty();
    let across_namespaces = target.resource.namespaced && target.namespace.is_empty();
    let fits = match info.verb {
        Verb::Create => subresource.is_some() == has_name && !across_namespaces,
        Verb::List | Verb::Watch => true,
        Verb::DeleteCollection => !across_namespaces,
        _ => has_name && !across_namespaces,
    };
    if across_namespaces && has_name {
        return Err(Box::new(Status::unknown_path()));
    }
    if fits && verbs.contains(&info.verb.as_str()) {
        return Ok(());
    }
    Err(Box::new(Status::method_not_allowed()))
}

fn write_options<B>(kind: &str, call: &Call<'_, B>, apply: bool) -> Result<WriteOptions> {
    WriteOptions::parse(kind, call.query, &call.head.headers, apply)
}

async fn delete_options<B>(call: Call<'_, B>) -> Result<DeleteOptions>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let body = read_limited(call.body).await?;
    if body.is_empty() {
        return DeleteOptions::parse(call.query, None);
    }
    let encoding = body_encoding(&call.head.headers)?;
    DeleteOptions::parse(call.query, Some((&body, encoding)))
}

fn answer_write(resource: &Resource, written: &Written, view: &View) -> Result<Response<Body>> {
    let code = if written.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let response = present(code, resource, &written.entry, view)?;
    Ok(with_warnings(response, &written.warnings))
}

fn json_bytes(bytes: &Bytes, accept: Accept) -> Response<Body> {
    json(
        StatusCode::OK,
        String::from_utf8_lossy(bytes).into_owned(),
        accept,
    )
}

/// An OpenAPI v3 document. A client that names its hash may keep it; one that names another is sent to
/// the right address.
fn document(
    found: &Document,
    info: &RequestInfo,
    call: (&HeaderMap, &Query),
    accept: Accept,
) -> Response<Body> {
    let (headers, query) = call;
    let named = query.first("hash");
    if named.is_some_and(|hash| hash != found.hash()) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
        let location = format!("{}?hash={}", info.path, found.hash());
        if let Ok(location) = HeaderValue::from_str(&location) {
            response.headers_mut().insert(LOCATION, location);
        }
        return response;
    }
    with_etag(found, headers, || {
        let mut response = json_bytes(found.body(), accept);
        if named.is_some() {
            let keep = HeaderValue::from_static("public, immutable");
            response.headers_mut().insert(CACHE_CONTROL, keep);
        }
        response
    })
}

fn aggregated_document(
    found: &Document,
    version: AggregatedVersion,
    headers: &HeaderMap,
) -> Response<Body> {
    with_etag(found, headers, || {
        let mut response = Response::new(Body::from(found.body().clone()));
        let content_type = HeaderValue::from_static(version.media_type());
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response
    })
}

/// 304 when the client has the document already.
fn with_etag(
    found: &Document,
    headers: &HeaderMap,
    full: impl FnOnce() -> Response<Body>,
) -> Response<Body> {
    let etag = found.etag();
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|tag| tag.as_bytes() == etag.as_bytes());
    let mut response = match known {
        true => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        false => full(),
    };
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("public"));
    response
}
