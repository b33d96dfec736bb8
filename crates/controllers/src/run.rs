//! All controllers together.

use std::pin::Pin;
use std::sync::Arc;

use burgee_identity::Clock;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::aggregation::Aggregation;
use crate::authentication_trust::{AuthenticationTrust, TrustPublisher};
use crate::default_service_account::DefaultServiceAccount;
use crate::garbage_collector::GarbageCollector;
use crate::kinds::{self, is_going};
use crate::namespace::NamespaceLifecycle;
use crate::root_ca::RootCa;
use crate::worker::{Reconcile, Workers};
use crate::{Change, Client, Error, Queue, Reflector, Scope, Store, Transport, View};

/// How many objects one controller works on at once.
const WORKERS: usize = 4;

/// A controller that [`run`] can start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Controller {
    /// Publishes whose certificates authenticate, as ConfigMap
    /// `kube-system/extension-apiserver-authentication`, for aggregated API servers.
    AuthenticationTrust,
    /// Writes the rules of ClusterRoles that gather them from others.
    ClusterRoleAggregation,
    /// Creates the ServiceAccount `default` in every namespace.
    DefaultServiceAccount,
    /// Deletes objects whose owners have gone. Only for an API that serves nothing beyond
    /// `burgee_resources`, or where nothing else is owned.
    GarbageCollector,
    /// Empties namespaces that are being deleted. Only for an API that serves nothing beyond
    /// `burgee_resources`: objects of other kinds would be left behind.
    NamespaceLifecycle,
    /// Publishes the certificate authority as ConfigMap `kube-root-ca.crt` in every namespace.
    RootCa,
}

impl Controller {
    /// Every controller, as `burgee serve` runs them.
    pub const ALL: [Self; 6] = [
        Self::AuthenticationTrust,
        Self::ClusterRoleAggregation,
        Self::DefaultServiceAccount,
        Self::GarbageCollector,
        Self::NamespaceLifecycle,
        Self::RootCa,
    ];
}

/// What controllers need to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The certificate authorities that clients of the API should trust, in PEM.
    pub ca_pem: String,
    /// Whose certificates authenticate; every new value is published.
    pub trust: watch::Receiver<AuthenticationTrust>,
    /// The time that is written into status conditions.
    pub clock: Arc<dyn Clock>,
    /// Which controllers to run.
    pub controllers: Vec<Controller>,
}

/// Controllers at work.
#[derive(Debug)]
pub struct Running {
    ready: watch::Receiver<bool>,
    task: JoinHandle<Result<(), Error>>,
}

/// Starts controllers. They work until `stop` is cancelled, whatever happens to the API meanwhile.
///
/// Must be called within a tokio runtime that has timers.
pub fn run(transport: Arc<dyn Transport>, options: Options, stop: &CancellationToken) -> Running {
    // A defect in one stops all of them, but not whoever else listens to the caller's token.
    let stop = stop.child_token();
    let mut start = Start {
        transport,
        stop: stop.clone(),
        tasks: JoinSet::new(),
        settled: Vec::new(),
    };
    start.all(options);
    let (sender, ready) = watch::channel(false);
    let Start { tasks, settled, .. } = start;
    let settled = async move {
        for each in settled {
            each.await;
        }
        sender.send_replace(true);
        tracing::debug!("the controllers have done their first round");
        // The receivers may still ask.
        sender.closed().await;
    };
    let task = tokio::spawn(supervise(tasks, settled, stop));
    Running { ready, task }
}

impl Running {
    /// Whether the first round is done: every namespace has its ServiceAccount and certificate
    /// authority, and every aggregating ClusterRole its rules.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Waits until [`Running::is_ready`]. Returns `false` if the controllers stopped before.
    pub async fn ready(&self) -> bool {
        self.ready.clone().wait_for(|ready| *ready).await.is_ok()
    }

    /// Waits until everything has stopped: each worker finishes what it is at.
    ///
    /// # Errors
    ///
    /// [`Error::Panicked`] when a defect ended a task.
    pub async fn finished(self) -> Result<(), Error> {
        self.task
            .await
            .unwrap_or_else(|error| Err(Error::Panicked(error)))
    }
}

/// Waits for the end of all tasks, and ends all if one ends by a panic.
async fn supervise(
    mut tasks: JoinSet<()>,
    settled: impl Future<Output = ()>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let mut settled = std::pin::pin!(settled);
    let mut is_watched = true;
    let mut outcome = Ok(());
    loop {
        let ended = tokio::select! {
            ended = tasks.join_next() => ended,
            () = &mut settled, if is_watched => {
                is_watched = false;
                continue;
            }
        };
        match ended {
            None => return outcome,
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::error!(%error, "a controller stopped because of a defect, stopping all");
                outcome = Err(Error::Panicked(error));
                stop.cancel();
            }
        }
    }
}

/// Controllers while they are put together.
struct Start {
    transport: Arc<dyn Transport>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    settled: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Start {
    fn all(&mut self, options: Options) {
        let wants = |controller| options.controllers.contains(&controller);
        // Three controllers look at namespaces, of which the metadata is enough.
        let client = self.client("namespace-controller");
        let mut namespaces =
            Reflector::new(client, Scope::all(kinds::namespaces(), View::Metadata));
        if wants(Controller::DefaultServiceAccount) {
            self.default_service_account(&mut namespaces);
        }
        if wants(Controller::RootCa) {
            self.root_ca(&mut namespaces, options.ca_pem.clone());
        }
        if wants(Controller::NamespaceLifecycle) {
            self.namespace_lifecycle(&mut namespaces, Arc::clone(&options.clock));
        }
        if namespaces.has_handlers() {
            self.reflect(namespaces);
        }
        if wants(Controller::AuthenticationTrust) {
            self.authentication_trust(options.trust.clone());
        }
        if wants(Controller::ClusterRoleAggregation) {
            self.aggregation();
        }
        if wants(Controller::GarbageCollector) {
            self.garbage_collector();
        }
    }

    fn default_service_account(&mut self, namespaces: &mut Reflector) {
        let client = self.client("service-account-controller");
        let mut own = Reflector::new(client.clone(), DefaultServiceAccount::scope());
        let queue = Arc::new(Queue::new());
        add_open_namespaces(namespaces, &queue);
        add_namespace_of(&mut own, &queue);
        let reconciler = DefaultServiceAccount {
            client,
            namespaces: namespaces.store(),
            service_accounts: own.store(),
        };
        let stores = vec![namespaces.store(), own.store()];
        self.reflect(own);
        self.ready_when_settled(&stores, &queue);
        self.work(reconciler, queue, stores, WORKERS);
    }

    fn root_ca(&mut self, namespaces: &mut Reflector, ca_pem: String) {
        let client = self.client("root-ca-cert-publisher");
        let mut own = Reflector::new(client.clone(), RootCa::scope());
        let queue = Arc::new(Queue::new());
        add_open_namespaces(namespaces, &queue);
        add_namespace_of(&mut own, &queue);
        let reconciler = RootCa {
            client,
            ca_pem,
            namespaces: namespaces.store(),
            config_maps: own.store(),
        };
        let stores = vec![namespaces.store(), own.store()];
        self.reflect(own);
        self.ready_when_settled(&stores, &queue);
        self.work(reconciler, queue, stores, WORKERS);
    }

    fn authentication_trust(&mut self, trust: watch::Receiver<AuthenticationTrust>) {
        let client = self.client("cluster-authentication-trust-controller");
        let mut own = Reflector::new(client.clone(), TrustPublisher::scope());
        let queue = Arc::new(Queue::new());
        let added = Arc::clone(&queue);
        own.on_change(move |_| added.add(()));
        // The ConfigMap may not be there yet, and then nothing changes.
        queue.add(());
        let (added, mut changed) = (Arc::clone(&queue), trust.clone());
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            while let Some(Ok(())) = stop.run_until_cancelled(changed.changed()).await {
                added.add(());
            }
        });
        let reconciler = TrustPublisher {
            client,
            trust,
            config_maps: own.store(),
        };
        let stores = vec![own.store()];
        self.reflect(own);
        self.ready_when_settled(&stores, &queue);
        self.work(reconciler, queue, stores, 1);
    }

    fn namespace_lifecycle(&mut self, namespaces: &mut Reflector, clock: Arc<dyn Clock>) {
        let queue = Arc::new(Queue::new());
        let added = Arc::clone(&queue);
        namespaces.on_change(move |change| {
            if let Some(namespace) = change.new.as_ref().filter(|namespace| is_going(namespace)) {
                added.add(namespace.metadata.name.clone());
            }
        });
        let reconciler = NamespaceLifecycle {
            client: self.client("namespace-controller"),
            clock,
        };
        self.work(reconciler, queue, vec![namespaces.store()], WORKERS);
    }

    fn aggregation(&mut self) {
        // The name that upstream's server-side apply leaves in `managedFields`.
        let client = self.client("clusterrole-aggregation-controller");
        let mut cluster_roles = Reflector::new(client.clone(), Aggregation::scope());
        let queue = Arc::new(Queue::new());
        let added = Arc::clone(&queue);
        cluster_roles.on_change(move |_| added.add(()));
        let reconciler = Aggregation {
            client,
            cluster_roles: cluster_roles.store(),
        };
        let stores = vec![cluster_roles.store()];
        self.reflect(cluster_roles);
        self.ready_when_settled(&stores, &queue);
        self.work(reconciler, queue, stores, 1);
    }

    fn garbage_collector(&mut self) {
        let client = self.client("generic-garbage-collector");
        let collector = Arc::new(GarbageCollector::new(client.clone()));
        let mut stores = Vec::new();
        for resource in kinds::stored() {
            let mut reflector = Reflector::new(client.clone(), GarbageCollector::scope(resource));
            let observer = Arc::clone(&collector);
            reflector.on_change(move |change| observer.observe(resource, change));
            stores.push(reflector.store());
            self.reflect(reflector);
        }
        let queue = Arc::clone(&collector.queue);
        let workers = Workers {
            reconciler: collector,
            queue,
            stores,
            count: WORKERS,
        };
        workers.spawn(&mut self.tasks, &self.stop);
    }

    fn client(&self, manager: &'static str) -> Client {
        Client::new(Arc::clone(&self.transport), manager)
    }

    fn reflect(&mut self, reflector: Reflector) {
        self.tasks.spawn(reflector.run(self.stop.clone()));
    }

    fn work<R: Reconcile>(
        &mut self,
        reconciler: R,
        queue: Arc<Queue<R::Key>>,
        stores: Vec<Arc<Store>>,
        count: usize,
    ) {
        let workers = Workers {
            reconciler: Arc::new(reconciler),
            queue,
            stores,
            count,
        };
        workers.spawn(&mut self.tasks, &self.stop);
    }

    /// Readiness waits for the first look at every key.
    fn ready_when_settled<K>(&mut self, stores: &[Arc<Store>], queue: &Arc<Queue<K>>)
    where
        K: Clone + Eq + std::hash::Hash + Ord + Send + Sync + 'static,
    {
        let (stores, queue) = (stores.to_vec(), Arc::clone(queue));
        self.settled.push(Box::pin(async move {
            for store in stores {
                store.synced().await;
            }
            queue.settled().await;
        }));
    }
}

/// A namespace that is there and stays needs a look.
fn add_open_namespaces(namespaces: &mut Reflector, queue: &Arc<Queue<String>>) {
    let queue = Arc::clone(queue);
    namespaces.on_change(move |change| {
        if let Some(namespace) = change.new.as_ref().filter(|namespace| !is_going(namespace)) {
            queue.add(namespace.metadata.name.clone());
        }
    });
}

/// A namespace needs a look when something in it has changed.
fn add_namespace_of(reflector: &mut Reflector, queue: &Arc<Queue<String>>) {
    let queue = Arc::clone(queue);
    reflector.on_change(move |change: &Change| {
        if let Some(object) = change.object() {
            queue.add(object.metadata.namespace.clone());
        }
    });
}
