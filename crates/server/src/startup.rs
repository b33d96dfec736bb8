//! What every server makes sure of before it is ready: the namespaces of the system and the default
//! RBAC objects.

use burgee_authz::bootstrap;
use burgee_authz::reconcile::{self, Action};
use burgee_identity::{UserInfo, names};
use burgee_wire::Status;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::http::Encoding;
use crate::registry::{DeleteOptions, Registry, Result, Target, WriteOptions, Writer};

/// How often an object is looked at again that another server changed meanwhile.
const TRIES: usize = 5;

/// The namespaces that are always there.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// Creates what is missing and brings what is outdated up to date.
///
/// # Errors
///
/// The first write that failed, other than because another server was faster.
pub(crate) async fn reconcile(registry: &Registry) -> Result<()> {
    let user = UserInfo::named(names::API_SERVER).with_groups([names::MASTERS]);
    let startup = Startup { registry, user };
    for namespace in NAMESPACES {
        startup.namespace(namespace).await?;
    }
    let policy = bootstrap::policy();
    for role in policy.cluster_roles {
        startup
            .settle(
                "clusterroles",
                "",
                &role.metadata.name.clone(),
                role,
                reconcile::cluster_role,
            )
            .await?;
    }
    for binding in policy.cluster_role_bindings {
        let name = binding.metadata.name.clone();
        startup
            .settle(
                "clusterrolebindings",
                "",
                &name,
                binding,
                reconcile::cluster_role_binding,
            )
            .await?;
    }
    for role in policy.roles {
        let (namespace, name) = (role.metadata.namespace.clone(), role.metadata.name.clone());
        startup
            .settle("roles", &namespace, &name, role, reconcile::role)
            .await?;
    }
    for binding in policy.role_bindings {
        let (namespace, name) = (
            binding.metadata.namespace.clone(),
            binding.metadata.name.clone(),
        );
        startup
            .settle(
                "rolebindings",
                &namespace,
                &name,
                binding,
                reconcile::role_binding,
            )
            .await?;
    }
    Ok(())
}

struct Startup<'a> {
    registry: &'a Registry,
    user: UserInfo,
}

impl Startup<'_> {
    async fn namespace(&self, name: &str) -> Result<()> {
        let target = target("", "namespaces", "", "")?;
        let existing = self.registry.peek(&Target { name, ..target })?;
        if existing.is_some() {
            return Ok(());
        }
        let namespace = json!({"metadata": {"name": name}});
        match self.create(&target, &namespace).await {
            Err(status) if status.code == 409 => Ok(()),
            created => created,
        }
    }

    /// Reconciles one RBAC object.
    async fn settle<T: Clone + Serialize + DeserializeOwned>(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        expected: T,
        decide: impl Fn(Option<&T>, T) -> Action<T>,
    ) -> Result<()> {
        let target = target(burgee_wire::rbac::GROUP, plural, namespace, name)?;
        for _ in 0..TRIES {
            match self.settle_once(&target, expected.clone(), &decide).await {
                // Another server that starts at the same time does the same; see what is left to do.
                Err(status) if matches!(status.code, 404 | 409) => {}
                settled => return settled,
            }
        }
        Err(Box::new(Status::internal(&format!(
            "{plural} {name} kept changing"
        ))))
    }

    async fn settle_once<T: Serialize + DeserializeOwned>(
        &self,
        target: &Target<'_>,
        expected: T,
        decide: impl Fn(Option<&T>, T) -> Action<T>,
    ) -> Result<()> {
        let existing = self.registry.peek(target)?;
        let existing: Option<T> = match &existing {
            Some(entry) => Some(serde_json::from_slice(entry.json()).map_err(unreadable)?),
            None => None,
        };
        let collection = Target {
            name: "",
            ..*target
        };
        match decide(existing.as_ref(), expected) {
            Action::Nothing => Ok(()),
            Action::Create(object) => self.create(&collection, &object).await,
            Action::Recreate(object) => {
                let options = DeleteOptions::default();
                self.registry.delete(target, &options).await?;
                self.create(&collection, &object).await
            }
            Action::Update(object) => {
                let body = serde_json::to_vec(&object).map_err(unreadable)?;
                let writer = self.writer();
                let written = self
                    .registry
                    .replace(target, &body, Encoding::Json, &options(), &writer)
                    .await;
                written.map(|_| ())
            }
        }
    }

    async fn create<T: Serialize>(&self, target: &Target<'_>, object: &T) -> Result<()> {
        let body = serde_json::to_vec(object).map_err(unreadable)?;
        let written = self
            .registry
            .create(target, &body, Encoding::Json, &options(), &self.writer())
            .await;
        written.map(|_| ())
    }

    fn writer(&self) -> Writer<'_> {
        Writer { user: &self.user }
    }
}

fn options() -> WriteOptions {
    WriteOptions {
        field_manager: "burgee".to_owned(),
        ..WriteOptions::default()
    }
}

fn target<'a>(group: &str, plural: &str, namespace: &'a str, name: &'a str) -> Result<Target<'a>> {
    let resource = burgee_resources::find(group, "v1", plural);
    let resource = resource.ok_or_else(|| Box::new(Status::unknown_path()))?;
    Ok(Target {
        resource,
        namespace,
        name,
        subresource: "",
    })
}

fn unreadable(error: serde_json::Error) -> Box<Status> {
    Box::new(Status::internal(&error.to_string()))
}
