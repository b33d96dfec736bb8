//! The end of a namespace (`pkg/controller/namespace`): its content goes first.

mod conditions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use burgee_identity::Clock;
use burgee_resources::Resource;
use burgee_wire::{Object, Time};
use serde_json::{Value, json};

use crate::kinds::{self, is_going};
use crate::worker::Reconcile;
use crate::{Client, DeleteOptions, Error, Propagation, Scope, Target, Verdict, View};

/// The finalizer that stands in a namespace's `spec.finalizers` until it is empty.
const FINALIZER: &str = "kubernetes";
/// How long at most an emptied namespace's left-overs go unlooked at.
const PATIENCE: Duration = Duration::from_secs(8);

/// Empties namespaces that are being deleted, says in their status what keeps them, and lets them go.
/// Keys are names of namespaces.
///
/// It knows the resources of `burgee_resources` only: on an API that serves others, namespaces would
/// go while those still have objects.
pub(crate) struct NamespaceLifecycle {
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What is left in a namespace after an attempt to empty it.
#[derive(Debug, Default)]
struct Remains {
    /// How many objects there are, by `resource.group`.
    objects: BTreeMap<String, usize>,
    /// How many objects each finalizer holds.
    finalizers: BTreeMap<String, usize>,
    /// What could not be deleted or counted.
    failures: Vec<Error>,
}

#[async_trait]
impl Reconcile for NamespaceLifecycle {
    type Key = String;
    const NAME: &'static str = "namespace-lifecycle";

    async fn reconcile(&self, name: &String) -> Result<Verdict, Error> {
        let target = Target {
            resource: kinds::namespaces(),
            namespace: "",
            name,
        };
        let namespace = match self.client.get(target, View::Whole).await {
            Err(error) if error.is_not_found() => return Ok(Verdict::Done),
            namespace => namespace?,
        };
        if !is_going(&namespace) || !finalizers(&namespace).contains(&FINALIZER.into()) {
            return Ok(Verdict::Done);
        }
        let mut remains = self.empty(name).await;
        let namespace = self.report(target, namespace, &remains).await?;
        if let Some(failure) = remains.failures.pop() {
            return Err(failure);
        }
        if !remains.objects.is_empty() {
            return Ok(Verdict::Waiting(PATIENCE));
        }
        self.release(target, namespace).await?;
        tracing::debug!(name, "emptied a namespace");
        Ok(Verdict::Done)
    }
}

impl NamespaceLifecycle {
    /// Deletes everything in a namespace. Pods go first, and the rest waits for them, because what
    /// runs may need what it runs with (KEP-5080).
    async fn empty(&self, namespace: &str) -> Remains {
        let mut remains = Remains::default();
        let (pods, others): (Vec<_>, Vec<_>) =
            kinds::stored_in_namespaces().partition(|resource| is_pods(resource));
        for resource in pods {
            self.empty_of(resource, namespace, &mut remains).await;
        }
        if remains.objects.is_empty() && remains.failures.is_empty() {
            for resource in others {
                self.empty_of(resource, namespace, &mut remains).await;
            }
        }
        remains
    }

    async fn empty_of(&self, resource: &'static Resource, namespace: &str, remains: &mut Remains) {
        let scope = Scope::all(resource, View::Metadata).within(namespace);
        let outcome = match self.delete_all(&scope).await {
            Ok(0) => Ok(()),
            Ok(_) => self.count(&scope, remains).await,
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            remains.failures.push(error);
        }
    }

    /// Deletes page after page. Returns how many objects there were.
    async fn delete_all(&self, scope: &Scope) -> Result<usize, Error> {
        let options = DeleteOptions {
            // Nobody here stops containers, so there is nothing to wait for.
            grace_period_seconds: is_pods(scope.resource).then_some(0),
            propagation: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        let (mut found, mut continue_token) = (0, String::new());
        loop {
            let page = self
                .client
                .delete_page(scope, &options, &continue_token)
                .await?;
            found += page.items.len();
            continue_token = page.continue_token;
            if continue_token.is_empty() {
                return Ok(found);
            }
        }
    }

    /// Counts what is still there, and what holds it.
    async fn count(&self, scope: &Scope, remains: &mut Remains) -> Result<(), Error> {
        let mut continue_token = String::new();
        loop {
            let page = self.client.list_page(scope, &continue_token).await?;
            if !page.items.is_empty() {
                // The core group's name is empty, and upstream shows the dot before it.
                let label = format!("{}.{}", scope.resource.plural, scope.resource.group);
                *remains.objects.entry(label).or_default() += page.items.len();
            }
            for finalizer in page
                .items
                .into_iter()
                .flat_map(|item| item.metadata.finalizers)
            {
                *remains.finalizers.entry(finalizer).or_default() += 1;
            }
            continue_token = page.continue_token;
            if continue_token.is_empty() {
                return Ok(());
            }
        }
    }

    /// Writes into the status what remains, if that says anything new.
    async fn report(
        &self,
        target: Target<'_>,
        mut namespace: Object,
        remains: &Remains,
    ) -> Result<Object, Error> {
        let now = Time::from(self.clock.now());
        if !conditions::update(&mut namespace, remains, now) {
            return Ok(namespace);
        }
        self.client.update(target, "status", &namespace).await
    }

    /// Takes the finalizer away; without another one that is the namespace's end.
    async fn release(&self, target: Target<'_>, mut namespace: Object) -> Result<(), Error> {
        let mut kept = finalizers(&namespace);
        kept.retain(|finalizer| finalizer != FINALIZER);
        namespace
            .content
            .insert("spec".into(), json!({"finalizers": kept}));
        match self.client.update(target, "finalize", &namespace).await {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }
}

fn is_pods(resource: &Resource) -> bool {
    resource.group.is_empty() && resource.plural == "pods"
}

fn finalizers(namespace: &Object) -> Vec<Value> {
    let finalizers = namespace
        .at(&["spec", "finalizers"])
        .and_then(Value::as_array);
    finalizers.cloned().unwrap_or_default()
}
