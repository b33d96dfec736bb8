//! A ServiceAccount `default` in every namespace (`pkg/controller/serviceaccount`).

use std::sync::Arc;

use async_trait::async_trait;
use burgee_wire::{Object, ObjectMeta};

use crate::kinds::{self, is_going};
use crate::worker::Reconcile;
use crate::{Client, Error, Scope, Store, Verdict, View};

/// The ServiceAccount that pods run as when they name none.
const DEFAULT: &str = "default";

/// Creates the ServiceAccount `default` where it is missing. Keys are names of namespaces.
pub(crate) struct DefaultServiceAccount {
    pub(crate) client: Client,
    pub(crate) namespaces: Arc<Store>,
    pub(crate) service_accounts: Arc<Store>,
}

impl DefaultServiceAccount {
    /// What it needs to know of ServiceAccounts.
    pub(crate) fn scope() -> Scope {
        Scope::all(kinds::service_accounts(), View::Metadata).named(DEFAULT)
    }
}

#[async_trait]
impl Reconcile for DefaultServiceAccount {
    type Key = String;
    const NAME: &'static str = "default-service-account";

    async fn reconcile(&self, namespace: &String) -> Result<Verdict, Error> {
        let open = self
            .namespaces
            .find("", namespace)
            .filter(|found| !is_going(found));
        if open.is_none() || self.service_accounts.find(namespace, DEFAULT).is_some() {
            return Ok(Verdict::Done);
        }
        let metadata = ObjectMeta {
            name: DEFAULT.to_owned(),
            namespace: namespace.clone(),
            ..ObjectMeta::default()
        };
        let object = Object {
            metadata,
            ..Object::default()
        };
        match self
            .client
            .create(kinds::service_accounts(), namespace, &object)
            .await
        {
            // The watch will show it, or that the namespace has gone.
            Err(error) if error.is_already_exists() || kinds::has_no_room(&error) => {}
            outcome => {
                outcome?;
                tracing::debug!(namespace, "created the default service account");
            }
        }
        Ok(Verdict::Done)
    }
}
