//! What must hold beyond an object's own rules: its namespace is there and open, nobody grants what
//! they do not hold, and the namespaces that the server needs stay.

use std::sync::Arc;

use burgee_authz::{Attributes, Authorizer, EscalationCheck, ResourceRequest, Write};
use burgee_resources::Resource;
use burgee_wire::{Object, Status, StatusCause, quoted};
use serde::de::DeserializeOwned;

use super::{Result, Target, Writer};
use crate::authorization::Authorization;
use crate::cache::Caches;

/// Namespaces that cannot be deleted.
const PROTECTED: [&str; 3] = ["default", "kube-public", "kube-system"];

/// The checks that writes pass after they were authorized.
pub(crate) struct Admission {
    authorization: Arc<Authorization>,
}

impl Admission {
    pub(crate) fn new(authorization: Arc<Authorization>) -> Self {
        Self { authorization }
    }

    /// Whether an object may come to be in its namespace.
    ///
    /// # Errors
    ///
    /// 404 when the namespace does not exist, 403 when it is on its way out.
    pub(crate) fn namespace(&self, caches: &Caches, target: &Target<'_>, name: &str) -> Result<()> {
        if !target.resource.namespaced {
            return Ok(());
        }
        let namespace = target.namespace;
        let found = caches
            .named("", "namespaces")
            .and_then(|cache| cache.find("", namespace));
        let Some(found) = found else {
            return Err(Box::new(Status::not_found("", "namespaces", namespace)));
        };
        let phase = found.object().map(|object| {
            object.metadata.deletion_timestamp.is_some()
                || object.text(&["status", "phase"]) == "Terminating"
        });
        if !phase.unwrap_or(true) {
            return Ok(());
        }
        let Resource { group, plural, .. } = target.resource;
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let mut status = Status::forbidden(group, plural, name, &why);
        if let Some(details) = &mut status.details {
            details.causes.push(StatusCause {
                reason: "NamespaceTerminating".to_owned(),
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".to_owned(),
            });
        }
        Err(Box::new(status))
    }

    /// Whether the writer may create the object that its update or apply would bring about.
    ///
    /// # Errors
    ///
    /// 403: leave to change objects is no leave to make them.
    pub(crate) fn creation(&self, target: &Target<'_>, writer: &Writer<'_>) -> Result<()> {
        let request = ResourceRequest {
            api_group: target.resource.group,
            api_version: target.resource.version,
            resource: target.resource.plural,
            subresource: target.subresource,
            namespace: target.namespace,
            name: target.name,
        };
        let attributes = Attributes::resource(writer.user, "create", request);
        let decision = self.authorization.authorize(&attributes);
        if decision.is_allowed() {
            return Ok(());
        }
        Err(Box::new(
            attributes.forbidden(&decision.reason().to_string()),
        ))
    }

    /// Whether a namespace may go.
    ///
    /// # Errors
    ///
    /// 403 for the namespaces that the server needs.
    pub(crate) fn deletion(&self, target: &Target<'_>) -> Result<()> {
        let is_namespace = target.resource.is_core("namespaces");
        if is_namespace && PROTECTED.contains(&target.name) {
            let why = "this namespace may not be deleted";
            return Err(Box::new(Status::forbidden(
                "",
                "namespaces",
                target.name,
                why,
            )));
        }
        Ok(())
    }

    /// Whether the writer may grant what an RBAC object grants.
    ///
    /// # Errors
    ///
    /// 403 that names what the writer does not hold.
    pub(crate) fn escalation(
        &self,
        target: &Target<'_>,
        writer: &Writer<'_>,
        new: &Object,
        old: Option<&Object>,
    ) -> Result<()> {
        if target.resource.group != burgee_wire::rbac::GROUP {
            return Ok(());
        }
        let snapshot = self.authorization.rbac();
        let check = EscalationCheck {
            authorizer: &*self.authorization as &dyn Authorizer,
            rbac: &snapshot,
            user: writer.user,
        };
        match target.resource.plural {
            "roles" => check.role(&typed(target, new, old)?.as_write(target)),
            "clusterroles" => check.cluster_role(&typed(target, new, old)?.as_write(target)),
            "rolebindings" => check.role_binding(&typed(target, new, old)?.as_write(target)),
            "clusterrolebindings" => {
                check.cluster_role_binding(&typed(target, new, old)?.as_write(target))
            }
            _ => Ok(()),
        }
    }
}

/// The two states of an object, typed.
struct Typed<T> {
    new: T,
    old: Option<T>,
}

impl<T> Typed<T> {
    fn as_write<'a>(&'a self, target: &Target<'a>) -> Write<'a, T> {
        Write {
            request_name: target.name,
            namespace: target.namespace,
            new: &self.new,
            old: self.old.as_ref(),
        }
    }
}

fn typed<T: DeserializeOwned>(
    target: &Target<'_>,
    new: &Object,
    old: Option<&Object>,
) -> Result<Typed<T>> {
    let read = |object: &Object| {
        serde_json::from_value(object.to_value()).map_err(|error| {
            let kind = quoted(target.resource.kind);
            Box::new(Status::internal(&format!(
                "cannot read the {kind} to be checked: {error}"
            )))
        })
    };
    Ok(Typed {
        new: read(new)?,
        old: old.map(read).transpose()?,
    })
}
