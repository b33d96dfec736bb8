//! The certificate authority in a ConfigMap of every namespace
//! (`pkg/controller/certificates/rootcacertpublisher`).

use std::sync::Arc;

use async_trait::async_trait;
use burgee_wire::{Object, ObjectMeta};
use serde_json::{Value, json};

use crate::kinds::{self, is_going};
use crate::worker::Reconcile;
use crate::{Client, Error, Scope, Store, Target, Verdict, View};

/// The ConfigMap, whose name programs in pods and client libraries know.
const NAME: &str = "kube-root-ca.crt";
/// Its only key.
const KEY: &str = "ca.crt";
/// The annotation that says what it is for. Upstream, too, is content with any text in it.
const DESCRIPTION: &str = "kubernetes.io/description";
const DESCRIPTION_TEXT: &str = "The certificate authorities by which the API server's certificate \
    can be verified. Meant for connections to the API server only.";

/// Publishes the certificate authority and repairs what others change. Keys are names of namespaces.
pub(crate) struct RootCa {
    pub(crate) client: Client,
    /// One or more certificates in PEM.
    pub(crate) ca_pem: String,
    pub(crate) namespaces: Arc<Store>,
    pub(crate) config_maps: Arc<Store>,
}

impl RootCa {
    /// What it needs to know of ConfigMaps.
    pub(crate) fn scope() -> Scope {
        Scope::all(kinds::config_maps(), View::Whole).named(NAME)
    }

    fn is_right(&self, object: &Object) -> bool {
        let described = object.metadata.annotations.get(DESCRIPTION);
        object.at(&["data"]) == Some(&self.data()) && described.is_some_and(|text| !text.is_empty())
    }

    fn data(&self) -> Value {
        json!({ KEY: self.ca_pem })
    }

    /// Puts right what is wrong, and leaves labels and other annotations alone.
    fn put_right(&self, object: &mut Object) {
        object.content.insert("data".into(), self.data());
        // It could hold our key, and then nothing could be written.
        object.content.remove("binaryData");
        let described = object
            .metadata
            .annotations
            .entry(DESCRIPTION.to_owned())
            .or_default();
        if described.is_empty() {
            DESCRIPTION_TEXT.clone_into(described);
        }
    }
}

#[async_trait]
impl Reconcile for RootCa {
    type Key = String;
    const NAME: &'static str = "root-ca-publisher";

    async fn reconcile(&self, namespace: &String) -> Result<Verdict, Error> {
        let open = self
            .namespaces
            .find("", namespace)
            .filter(|found| !is_going(found));
        if open.is_none() {
            return Ok(Verdict::Done);
        }
        let outcome = match self.config_maps.find(namespace, NAME) {
            Some(found) if self.is_right(&found) => return Ok(Verdict::Done),
            Some(_) => {
                let target = Target {
                    resource: kinds::config_maps(),
                    namespace,
                    name: NAME,
                };
                let mut object = self.client.get(target, View::Whole).await?;
                self.put_right(&mut object);
                self.client.update(target, "", &object).await
            }
            None => {
                let metadata = ObjectMeta {
                    name: NAME.to_owned(),
                    namespace: namespace.clone(),
                    ..ObjectMeta::default()
                };
                let mut object = Object {
                    metadata,
                    ..Object::default()
                };
                self.put_right(&mut object);
                self.client
                    .create(kinds::config_maps(), namespace, &object)
                    .await
            }
        };
        match outcome {
            // The watch will show that the namespace has gone.
            Err(error) if kinds::has_no_room(&error) => {}
            outcome => {
                outcome?;
                tracing::debug!(namespace, "published the certificate authority");
            }
        }
        Ok(Verdict::Done)
    }
}
