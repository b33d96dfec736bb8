//! A server with controllers, and what tests do with it.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use burgee_controllers::{
    AuthenticationTrust, Client, Controller, DeleteOptions, Error, Options, Page, Propagation,
    ResponseBody, Running, Scope, Target, Transport, View, run,
};
use burgee_identity::{SystemClock, UserInfo, names};
use burgee_jose::{Algorithm, PrivateKey, SigningKey};
use burgee_resources::Resource;
use burgee_server::{Config, LocalClient, Server, ServingCertificate};
use burgee_store::{EmbeddedOptions, EmbeddedStore, Store};
use burgee_wire::Object;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) const CA: &str = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";

/// How long a test waits for what should happen within milliseconds.
const DEADLINE: Duration = Duration::from_secs(60);

/// Requests go to whichever server runs at the moment, as one that no authorizer refuses anything.
#[derive(Default)]
struct InProcess {
    server: Mutex<Option<LocalClient>>,
}

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<ResponseBody>, Error> {
        let server = self.server.lock().unwrap().clone();
        let server = server.ok_or_else(|| Error::Transport("no server runs".into()))?;
        let user = UserInfo::named(names::API_SERVER).with_groups([names::MASTERS]);
        let response = server.send(request, Arc::new(user)).await;
        Ok(response.map(|body| body.map_err(|never| match never {}).boxed_unsync()))
    }
}

pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) running: Running,
    pub(crate) stop: CancellationToken,
    pub(crate) trusting: watch::Sender<AuthenticationTrust>,
    transport: Arc<InProcess>,
    server: Option<Server>,
    store: Arc<dyn Store>,
    _directory: tempfile::TempDir,
}

impl Cluster {
    /// A server with these controllers, when their first round is done.
    pub(crate) async fn start(controllers: &[Controller]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path(), EmbeddedOptions::default()).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let transport = Arc::new(InProcess::default());
        let server = server(&store).await;
        *transport.server.lock().unwrap() = Some(server.local_client());
        let trusting = watch::Sender::new(AuthenticationTrust::default());
        let options = Options {
            ca_pem: CA.to_owned(),
            trust: trusting.subscribe(),
            clock: Arc::new(SystemClock::new()),
            controllers: controllers.to_vec(),
        };
        let stop = CancellationToken::new();
        let running = run(Arc::clone(&transport) as Arc<dyn Transport>, options, &stop);
        let ready = tokio::time::timeout(DEADLINE, running.ready()).await;
        assert_eq!(ready, Ok(true));
        let client = Client::new(Arc::clone(&transport) as Arc<dyn Transport>, "tester");
        let server = Some(server);
        Self {
            client,
            running,
            stop,
            trusting,
            transport,
            server,
            store,
            _directory: directory,
        }
    }

    pub(crate) async fn stop_server(&mut self) {
        self.transport.server.lock().unwrap().take();
        self.server.take().unwrap().stop().await;
    }

    pub(crate) async fn start_server(&mut self) {
        let server = server(&self.store).await;
        *self.transport.server.lock().unwrap() = Some(server.local_client());
        self.server = Some(server);
    }

    pub(crate) async fn namespace(&self, name: &str) {
        self.create("namespaces", json!({"metadata": {"name": name}}))
            .await;
    }

    /// Creates an object in the namespace that it names.
    pub(crate) async fn create(&self, plural: &str, object: Value) -> Object {
        let object = Object::from_value(object).unwrap();
        let namespace = object.metadata.namespace.clone();
        self.client
            .create(resource(plural), &namespace, &object)
            .await
            .unwrap()
    }

    pub(crate) async fn find(&self, plural: &str, namespace: &str, name: &str) -> Option<Object> {
        match self
            .client
            .get(target(plural, namespace, name), View::Whole)
            .await
        {
            Err(error) if error.is_not_found() => None,
            found => Some(found.unwrap()),
        }
    }

    pub(crate) async fn count(&self, plural: &str, namespace: &str) -> usize {
        let scope = Scope::all(resource(plural), View::Metadata).within(namespace);
        let page: Page = self.client.list_page(&scope, "").await.unwrap();
        page.items.len()
    }

    pub(crate) async fn delete(&self, plural: &str, namespace: &str, name: &str) {
        let options = DeleteOptions::default();
        self.client
            .delete(target(plural, namespace, name), &options)
            .await
            .unwrap();
    }

    pub(crate) async fn delete_with(&self, plural: &str, name: &str, propagation: Propagation) {
        let options = DeleteOptions {
            propagation: Some(propagation),
            ..DeleteOptions::default()
        };
        self.client
            .delete(target(plural, "default", name), &options)
            .await
            .unwrap();
    }

    /// Changes an object by a merge patch.
    pub(crate) async fn merge(&self, plural: &str, namespace: &str, name: &str, patch: Value) {
        let kind = burgee_controllers::PatchType::Merge;
        self.client
            .patch(target(plural, namespace, name), kind, &patch)
            .await
            .unwrap();
    }

    /// Waits until an object is there and as described.
    pub(crate) async fn until(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        is_right: impl Fn(&Object) -> bool,
    ) -> Object {
        let found = async || self.find(plural, namespace, name).await.filter(&is_right);
        eventually(&format!("{plural} {namespace}/{name} is right"), found).await
    }

    /// Waits until an object is gone.
    pub(crate) async fn until_gone(&self, plural: &str, namespace: &str, name: &str) {
        let gone = async || {
            self.find(plural, namespace, name)
                .await
                .is_none()
                .then_some(())
        };
        eventually(&format!("{plural} {namespace}/{name} is gone"), gone).await;
    }
}

/// Asks again and again until there is an answer.
async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        loop {
            pause.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(DEADLINE, asking).await;
    answer.unwrap_or_else(|_| panic!("in vain waited until {what}"))
}

pub(crate) fn resource(plural: &str) -> &'static Resource {
    burgee_resources::all()
        .iter()
        .find(|resource| resource.plural == plural)
        .unwrap()
}

pub(crate) fn target<'a>(plural: &str, namespace: &'a str, name: &'a str) -> Target<'a> {
    Target {
        resource: resource(plural),
        namespace,
        name,
    }
}

async fn server(store: &Arc<dyn Store>) -> Server {
    let tls = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(tls.signing_key.serialize_der()).unwrap();
    let certificate = ServingCertificate::new(vec![tls.cert.der().clone()], key).unwrap();
    let signing_key = SigningKey::new(PrivateKey::generate(Algorithm::Es256).unwrap());
    let config = Config::new(
        Vec::new(),
        Arc::new(certificate),
        "https://kubernetes.default.svc",
        Arc::new(signing_key),
    );
    Server::start(config, Arc::clone(store), Arc::new(SystemClock::new()))
        .await
        .unwrap()
}
