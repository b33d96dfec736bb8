//! What aggregated API servers have to trust to know callers as this server does: the ConfigMap
//! `kube-system/extension-apiserver-authentication`
//! (`pkg/controlplane/controller/clusterauthenticationtrust`).

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use burgee_wire::{Object, ObjectMeta};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::kinds;
use crate::worker::Reconcile;
use crate::{Client, Error, Scope, Store, Target, Verdict, View};

/// The namespace of the ConfigMap.
const NAMESPACE: &str = "kube-system";
/// The ConfigMap, whose name servers that delegate authentication know.
const NAME: &str = "extension-apiserver-authentication";

/// Whose certificates the server accepts, for other servers that should do likewise.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuthenticationTrust {
    /// Authorities of client certificates in PEM.
    pub client_ca: Option<String>,
    /// Front proxies.
    pub request_header: Option<RequestHeaderTrust>,
}

/// Who may name users in headers, and in which.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RequestHeaderTrust {
    /// Authorities of the proxies' certificates in PEM.
    pub client_ca: String,
    /// Common names of those certificates; empty for all.
    pub allowed_names: Vec<String>,
    /// Headers that name the user.
    pub username_headers: Vec<String>,
    /// Headers that hold the user's uid.
    pub uid_headers: Vec<String>,
    /// Headers that name groups.
    pub group_headers: Vec<String>,
    /// How headers with further attributes begin.
    pub extra_headers_prefix: Vec<String>,
}

impl AuthenticationTrust {
    /// Every key of the ConfigMap that this controller has a say in, and its value if there is one.
    fn data(&self) -> BTreeMap<&'static str, Option<String>> {
        let proxies = self.request_header.as_ref();
        let list = |of: fn(&RequestHeaderTrust) -> &Vec<String>| {
            proxies.map(|proxies| json!(of(proxies)).to_string())
        };
        BTreeMap::from([
            ("client-ca-file", self.client_ca.clone()),
            (
                "requestheader-allowed-names",
                list(|proxies| &proxies.allowed_names),
            ),
            (
                "requestheader-client-ca-file",
                proxies.map(|proxies| proxies.client_ca.clone()),
            ),
            (
                "requestheader-extra-headers-prefix",
                list(|proxies| &proxies.extra_headers_prefix),
            ),
            (
                "requestheader-group-headers",
                list(|proxies| &proxies.group_headers),
            ),
            (
                "requestheader-uid-headers",
                list(|proxies| &proxies.uid_headers),
            ),
            (
                "requestheader-username-headers",
                list(|proxies| &proxies.username_headers),
            ),
        ])
    }
}

/// Publishes what the server trusts and repairs what others change.
///
/// Upstream merges with what it finds, because each of its servers may trust other authorities; here
/// the servers of a cluster are configured alike, and an authority that was taken away is taken away.
pub(crate) struct TrustPublisher {
    pub(crate) client: Client,
    pub(crate) trust: watch::Receiver<AuthenticationTrust>,
    pub(crate) config_maps: Arc<Store>,
}

impl TrustPublisher {
    /// What it needs to know of ConfigMaps.
    pub(crate) fn scope() -> Scope {
        Scope::all(kinds::config_maps(), View::Whole).named(NAME)
    }

    fn is_right(&self, object: &Object) -> bool {
        let data = self.trust.borrow().data();
        data.iter()
            .all(|(key, value)| object.text(&["data", key]) == value.as_deref().unwrap_or_default())
    }

    /// Puts right what is wrong, and leaves other keys alone.
    fn put_right(&self, object: &mut Object) {
        let data = object.content.entry("data").or_insert(Value::Null);
        if !data.is_object() {
            *data = json!({});
        }
        let Some(data) = data.as_object_mut() else {
            return;
        };
        for (key, value) in self.trust.borrow().data() {
            match value {
                Some(value) => data.insert(key.to_owned(), Value::String(value)),
                None => data.remove(key),
            };
        }
        // It could hold one of our keys, and then nothing could be written.
        object.content.remove("binaryData");
    }
}

#[async_trait]
impl Reconcile for TrustPublisher {
    type Key = ();
    const NAME: &'static str = "cluster-authentication-trust";

    async fn reconcile(&self, (): &()) -> Result<Verdict, Error> {
        let resource = kinds::config_maps();
        let outcome = match self.config_maps.find(NAMESPACE, NAME) {
            Some(found) if self.is_right(&found) => return Ok(Verdict::Done),
            Some(_) => {
                let target = Target {
                    resource,
                    namespace: NAMESPACE,
                    name: NAME,
                };
                let mut object = self.client.get(target, View::Whole).await?;
                self.put_right(&mut object);
                self.client.update(target, "", &object).await
            }
            None => {
                let metadata = ObjectMeta {
                    name: NAME.to_owned(),
                    namespace: NAMESPACE.to_owned(),
                    ..ObjectMeta::default()
                };
                let mut object = Object {
                    metadata,
                    ..Object::default()
                };
                self.put_right(&mut object);
                self.client.create(resource, NAMESPACE, &object).await
            }
        };
        match outcome {
            Err(error) if kinds::has_no_room(&error) => {}
            outcome => {
                outcome?;
                tracing::debug!("published what authentication trusts");
            }
        }
        Ok(Verdict::Done)
    }
}
