//! Requests on objects of any kind.

use std::sync::Arc;
use std::time::Duration;

use burgee_resources::Resource;
use burgee_wire::{Object, Status};
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::backoff::random_fraction;
use crate::request::{DeleteOptions, List, Page, PatchType, Scope, Target, View};
use crate::transport::ResponseBody;
use crate::url::Url;
use crate::watch::Watch;
use crate::{Error, Transport};

/// How long an answer that is no watch may take, body included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// A watch is asked to end after one to two times this, so that watches do not all end together.
const WATCH_TIMEOUT: Duration = Duration::from_secs(300);
/// How long after that the client ends it, should the server not.
const WATCH_GRACE: Duration = Duration::from_secs(30);
/// The largest answer that is read. A page of the largest objects that Kubernetes stores fits in.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;
/// The largest refusal that is read.
const MAX_STATUS_BYTES: usize = 1024 * 1024;

/// A client of one Kubernetes API.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    manager: &'static str,
}

impl Client {
    /// A client that writes in the name of `manager`, which stands in `managedFields` and in the user
    /// agent.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, manager: &'static str) -> Self {
        Self { transport, manager }
    }

    /// Reads one object.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] when there is none, and whatever [`Error`] describes.
    pub async fn get(&self, target: Target<'_>, view: View) -> Result<Object, Error> {
        let request = self.request(Method::GET, &Url::object(target), view.accept_object());
        self.object(request.body(Bytes::new())).await
    }

    /// Reads one page of a list: the first, or the one that `continue_token` leads to.
    ///
    /// # Errors
    ///
    /// [`Error::is_expired`] when the token is too old.
    pub async fn list_page(&self, scope: &Scope, continue_token: &str) -> Result<Page, Error> {
        let url = scope
            .url()
            .parameter("limit", &scope.page().to_string())
            .parameter_if_any("continue", continue_token);
        let request = self.request(Method::GET, &url, scope.accept_list());
        let list: List = self.answer(request.body(Bytes::new())).await?;
        list.try_into()
    }

    /// Begins to watch what happens after `resource_version`.
    ///
    /// # Errors
    ///
    /// [`Error::is_expired`] when that version is too old, here or as the watch's first item.
    pub async fn watch(&self, scope: &Scope, resource_version: &str) -> Result<Watch, Error> {
        let timeout = WATCH_TIMEOUT.mul_f64(1.0 + random_fraction());
        let url = scope
            .url()
            .parameter("watch", "true")
            .parameter("allowWatchBookmarks", "true")
            .parameter("resourceVersion", resource_version)
            .parameter("timeoutSeconds", &timeout.as_secs().to_string());
        let accept = scope.view.accept_object();
        let request = self.request(Method::GET, &url, accept).body(Bytes::new());
        let deadline = tokio::time::Instant::now() + timeout + WATCH_GRACE;
        let response = in_time(self.send(request)).await?;
        Ok(Watch::new(response.into_body(), deadline))
    }

    /// Creates an object and returns what became of it.
    ///
    /// # Errors
    ///
    /// [`Error::is_already_exists`], [`Error::is_namespace_terminating`] and others.
    pub async fn create(
        &self,
        resource: &'static Resource,
        namespace: &str,
        object: &Object,
    ) -> Result<Object, Error> {
        let url = self.managed(Url::collection(resource, namespace));
        let request = self.request(Method::POST, &url, View::Whole.accept_object());
        let body = whole(resource, object);
        self.object(request.header(CONTENT_TYPE, "application/json").body(body))
            .await
    }

    /// Replaces an object, or one of its subresources when `subresource` is not empty.
    ///
    /// # Errors
    ///
    /// [`Error::is_conflict`] when the object's version is not the newest.
    pub async fn update(
        &self,
        target: Target<'_>,
        subresource: &str,
        object: &Object,
    ) -> Result<Object, Error> {
        let url = self.managed(Url::object(target).segment_if_any(subresource));
        let request = self.request(Method::PUT, &url, View::Whole.accept_object());
        let body = whole(target.resource, object);
        self.object(request.header(CONTENT_TYPE, "application/json").body(body))
            .await
    }

    /// Changes a part of an object.
    ///
    /// # Errors
    ///
    /// [`Error::is_conflict`] when the patch names a UID or version that is not the object's.
    pub async fn patch(
        &self,
        target: Target<'_>,
        patch_type: PatchType,
        patch: &Value,
    ) -> Result<Object, Error> {
        let url = self.managed(Url::object(target));
        let (url, content_type) = match patch_type {
            PatchType::Apply => (
                url.parameter("force", "true"),
                "application/apply-patch+yaml",
            ),
            PatchType::Merge => (url, "application/merge-patch+json"),
        };
        let request = self.request(Method::PATCH, &url, View::Whole.accept_object());
        let body = Bytes::from(patch.to_string());
        self.object(request.header(CONTENT_TYPE, content_type).body(body))
            .await
    }

    /// Deletes an object, or begins to.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`], or [`Error::is_conflict`] when a precondition does not hold.
    pub async fn delete(&self, target: Target<'_>, options: &DeleteOptions) -> Result<(), Error> {
        let url = Url::object(target);
        let request = self.request(Method::DELETE, &url, View::Metadata.accept_object());
        let request = request.header(CONTENT_TYPE, "application/json");
        let _: Value = self.answer(request.body(options.to_body())).await?;
        Ok(())
    }

    /// Deletes one page of what a list finds, or begins to, and returns that page. The next one is
    /// deleted with its `continue_token`.
    ///
    /// # Errors
    ///
    /// [`Error::is_expired`] when the token is too old.
    pub async fn delete_page(
        &self,
        scope: &Scope,
        options: &DeleteOptions,
        continue_token: &str,
    ) -> Result<Page, Error> {
        let url = scope
            .url()
            .parameter("limit", &scope.page().to_string())
            .parameter_if_any("continue", continue_token);
        let request = self.request(Method::DELETE, &url, scope.accept_list());
        let request = request.header(CONTENT_TYPE, "application/json");
        let list: List = self.answer(request.body(options.to_body())).await?;
        list.try_into()
    }

    fn managed(&self, url: Url) -> Url {
        url.parameter("fieldManager", self.manager)
    }

    fn request(&self, method: Method, url: &Url, accept: &str) -> http::request::Builder {
        let agent = concat!("/", env!("CARGO_PKG_VERSION"));
        Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(ACCEPT, accept)
            .header(USER_AGENT, format!("{}{agent}", self.manager))
    }

    async fn object(&self, request: http::Result<Request<Bytes>>) -> Result<Object, Error> {
        let value: Value = self.answer(request).await?;
        Object::from_value(value).map_err(Error::Malformed)
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        request: http::Result<Request<Bytes>>,
    ) -> Result<T, Error> {
        let body = in_time(async {
            let response = self.send(request).await?;
            read(response.into_body(), MAX_ANSWER_BYTES).await
        });
        serde_json::from_slice(&body.await?).map_err(Error::Malformed)
    }

    /// Sends a request and turns a refusal into an error.
    async fn send(
        &self,
        request: http::Result<Request<Bytes>>,
    ) -> Result<Response<ResponseBody>, Error> {
        let request = request.map_err(|error| Error::Transport(error.into()))?;
        let response = self.transport.send(request).await?;
        let code = response.status();
        if code.is_success() {
            return Ok(response);
        }
        let body = read(response.into_body(), MAX_STATUS_BYTES).await?;
        let status = serde_json::from_slice(&body).unwrap_or_else(|_| {
            // Something between the client and the API answered.
            let reason = code.canonical_reason().unwrap_or_default();
            Status::failure(code.as_u16(), reason, "the answer is no Kubernetes status")
        });
        Err(Error::Refused(Box::new(status)))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Client");
        shown
            .field("manager", &self.manager)
            .finish_non_exhaustive()
    }
}

/// An object with its `kind` and `apiVersion`.
fn whole(resource: &Resource, object: &Object) -> Bytes {
    let mut value = object.to_value();
    if let Some(members) = value.as_object_mut() {
        members.insert("kind".into(), resource.kind.into());
        members.insert("apiVersion".into(), resource.api_version().into());
    }
    value.to_string().into()
}

async fn in_time<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let timed = tokio::time::timeout(ANSWER_TIMEOUT, answer).await;
    timed.unwrap_or(Err(Error::Timeout(ANSWER_TIMEOUT)))
}

/// Reads a body whole, up to a limit.
async fn read(mut body: ResponseBody, limit: usize) -> Result<Bytes, Error> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Error::Body)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if all.len() + data.len() > limit {
            return Err(Error::TooLarge(limit));
        }
        all.extend_from_slice(data);
    }
    Ok(all.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Propagation;
    use crate::testing::{Script, body_of, open_body};
    use burgee_resources::find;
    use serde_json::json;

    fn client(script: &Arc<Script>) -> Client {
        Client::new(Arc::clone(script) as Arc<dyn Transport>, "tester")
    }

    fn config_map() -> Target<'static> {
        let resource = find("", "v1", "configmaps").unwrap();
        Target {
            resource,
            namespace: "n",
            name: "c",
        }
    }

    fn object() -> Value {
        json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c", "namespace": "n"}})
    }

    #[tokio::test]
    async fn writes_name_their_manager_and_carry_whole_objects() {
        let script = Script::new();
        script
            .json(201, &object())
            .json(200, &object())
            .json(200, &object());
        let client = client(&script);
        let read = Object::from_value(object()).unwrap();
        client
            .create(config_map().resource, "n", &read)
            .await
            .unwrap();
        client.update(config_map(), "", &read).await.unwrap();
        client
            .patch(config_map(), PatchType::Apply, &object())
            .await
            .unwrap();
        let path = "/api/v1/namespaces/n/configmaps";
        assert_eq!(
            script.request(0).await,
            format!("POST {path}?fieldManager=tester")
        );
        assert_eq!(
            script.request(1).await,
            format!("PUT {path}/c?fieldManager=tester")
        );
        assert_eq!(
            script.request(2).await,
            format!("PATCH {path}/c?fieldManager=tester&force=true")
        );
        let sent: Value = serde_json::from_slice(script.raw(0).body()).unwrap();
        assert_eq!(sent, object());
        assert!(
            script.raw(0).headers()[USER_AGENT]
                .to_str()
                .unwrap()
                .starts_with("tester/")
        );
    }

    #[tokio::test]
    async fn a_deletion_carries_its_preconditions() {
        let script = Script::new();
        script.json(200, &json!({"kind": "Status", "status": "Success"}));
        let options = DeleteOptions {
            grace_period_seconds: Some(0),
            propagation: Some(Propagation::Foreground),
            uid: Some("u".into()),
            resource_version: Some("7".into()),
        };
        client(&script)
            .delete(config_map(), &options)
            .await
            .unwrap();
        let sent: Value = serde_json::from_slice(script.raw(0).body()).unwrap();
        let expected = json!({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0,
            "propagationPolicy": "Foreground", "preconditions": {"uid": "u", "resourceVersion": "7"}});
        assert_eq!(sent, expected);
    }

    #[tokio::test]
    async fn refusals_are_errors_whoever_sends_them() {
        let script = Script::new();
        let status = serde_json::to_value(Status::not_found("", "configmaps", "c")).unwrap();
        script
            .json(404, &status)
            .body(502, body_of(&["<html>"]))
            .unreachable();
        let client = client(&script);
        assert!(
            client
                .get(config_map(), View::Whole)
                .await
                .unwrap_err()
                .is_not_found()
        );
        let error = client.get(config_map(), View::Whole).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the api answered 502 Bad Gateway: the answer is no Kubernetes status"
        );
        let error = client.get(config_map(), View::Whole).await.unwrap_err();
        assert!(matches!(error, Error::Transport(_)));
    }

    #[tokio::test]
    async fn a_refusal_of_any_length_is_not_read() {
        let script = Script::new();
        let piece = "x".repeat(MAX_STATUS_BYTES / 2 + 1);
        script.body(500, body_of(&[&piece, &piece]));
        let error = client(&script)
            .get(config_map(), View::Whole)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::TooLarge(MAX_STATUS_BYTES)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_given_up() {
        let script = Script::new();
        let (_sender, body) = open_body();
        script.body(200, body);
        let error = client(&script)
            .get(config_map(), View::Whole)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Timeout(_)));
    }

    #[tokio::test]
    async fn metadata_is_asked_for_by_its_media_types() {
        let script = Script::new();
        script.json(
            200,
            &json!({"metadata": {"resourceVersion": "3", "continue": "t"}, "items": null}),
        );
        script.body(200, body_of(&[]));
        let scope = Scope::all(config_map().resource, View::Metadata)
            .within("n")
            .named("c");
        let page = client(&script).list_page(&scope, "s").await.unwrap();
        assert_eq!((page.items.len(), page.continue_token.as_str()), (0, "t"));
        client(&script).watch(&scope, "3").await.unwrap();
        let path = "GET /api/v1/namespaces/n/configmaps?fieldSelector=metadata.name%3Dc";
        assert_eq!(
            script.request(0).await,
            format!("{path}&limit=500&continue=s")
        );
        let watch =
            format!("{path}&watch=true&allowWatchBookmarks=true&resourceVersion=3&timeoutSeconds=");
        assert!(script.request(1).await.starts_with(&watch));
        let accept = |number| {
            script.raw(number).headers()[ACCEPT]
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            accept(0),
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
        );
        assert_eq!(
            accept(1),
            "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
        );
    }
}
