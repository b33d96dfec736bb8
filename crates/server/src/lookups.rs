//! What token rules need to know of objects, from the caches and, failing that, from the store.

use std::sync::Arc;

use burgee_authn::TokenRecords;
use burgee_bootstrap_token::{TokenId, TokenRecord};
use burgee_service_account::{BoxFuture, LookupError, ObjectFacts, ObjectLookup, ObjectRef};
use burgee_store::Store;
use serde::Deserialize;

use crate::cache::{Caches, Entry};

/// Where the Secrets of bootstrap tokens are.
const SYSTEM_NAMESPACE: &str = "kube-system";

/// Finds service accounts, pods, secrets and nodes.
pub(crate) struct Lookups {
    pub(crate) caches: Arc<Caches>,
    pub(crate) store: Arc<dyn Store>,
}

impl std::fmt::Debug for Lookups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lookups")
    }
}

impl ObjectLookup for Lookups {
    fn cached(&self, object: ObjectRef<'_>) -> Option<ObjectFacts> {
        let cache = self.caches.named("", object.kind.resource())?;
        let entry = cache.find(object.namespace, object.name)?;
        facts(&entry)
    }

    fn live<'a>(
        &'a self,
        object: ObjectRef<'a>,
    ) -> BoxFuture<'a, Result<ObjectFacts, LookupError>> {
        Box::pin(async move {
            let failed = |text: String| LookupError::Failed(text);
            let cache = self.caches.named("", object.kind.resource());
            let resource = cache
                .ok_or_else(|| failed("unknown kind".into()))?
                .resource();
            if object.name.is_empty() || object.name.contains('/') || object.namespace.contains('/')
            {
                return Err(LookupError::NotFound);
            }
            let key = resource.key(object.namespace, object.name);
            let (found, _) = self
                .store
                .get(&key, None)
                .await
                .map_err(|error| failed(error.to_string()))?;
            let found = found.ok_or(LookupError::NotFound)?;
            let entry = Entry::new(resource, &found).map_err(|error| failed(error.to_string()))?;
            facts(&entry)
                .ok_or_else(|| failed(format!("the stored {} cannot be read", resource.kind)))
        })
    }
}

impl TokenRecords for Lookups {
    fn find(&self, id: TokenId) -> Option<Arc<TokenRecord>> {
        let cache = self.caches.named("", "secrets")?;
        let entry = cache.find(SYSTEM_NAMESPACE, &id.secret_name())?;
        let object = entry.object().ok()?;
        Some(Arc::new(TokenRecord::from_object(&object)))
    }
}

/// The members that the rules look at, read without the rest of the object.
fn facts(entry: &Entry) -> Option<ObjectFacts> {
    #[derive(Deserialize)]
    struct Peek {
        metadata: Metadata,
        #[serde(default)]
        spec: Spec,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        uid: String,
        deletion_timestamp: Option<burgee_wire::Time>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Spec {
        service_account_name: String,
        node_name: String,
    }
    let peek: Peek = serde_json::from_slice(entry.json()).ok()?;
    Some(ObjectFacts {
        uid: peek.metadata.uid,
        deletion_timestamp: peek
            .metadata
            .deletion_timestamp
            .map(|time| time.timestamp()),
        service_account_name: peek.spec.service_account_name,
        node_name: peek.spec.node_name,
    })
}
