//! The resources that controllers work on, and what they ask of every object.

use burgee_resources::Resource;
use burgee_wire::Object;

use crate::{Error, Target};

/// Namespaces.
pub(crate) fn namespaces() -> &'static Resource {
    known("", "namespaces")
}

/// ConfigMaps.
pub(crate) fn config_maps() -> &'static Resource {
    known("", "configmaps")
}

/// ServiceAccounts.
pub(crate) fn service_accounts() -> &'static Resource {
    known("", "serviceaccounts")
}

/// ClusterRoles.
pub(crate) fn cluster_roles() -> &'static Resource {
    known(burgee_wire::rbac::GROUP, "clusterroles")
}

/// Everything that is stored, and therefore can own and be owned.
pub(crate) fn stored() -> impl Iterator<Item = &'static Resource> {
    burgee_resources::all()
        .iter()
        .filter(|resource| resource.stored())
}

/// Everything that is stored in namespaces.
pub(crate) fn stored_in_namespaces() -> impl Iterator<Item = &'static Resource> {
    stored().filter(|resource| resource.namespaced)
}

/// Whether the object is being deleted.
pub(crate) fn is_going(object: &Object) -> bool {
    object.metadata.deletion_timestamp.is_some()
}

/// Where an object is found.
pub(crate) fn target<'a>(resource: &'static Resource, object: &'a Object) -> Target<'a> {
    Target {
        resource,
        namespace: &object.metadata.namespace,
        name: &object.metadata.name,
    }
}

/// Whether a write failed because its namespace, or the object itself, is gone or about to go.
pub(crate) fn has_no_room(error: &Error) -> bool {
    error.is_not_found() || error.is_namespace_terminating()
}

fn known(group: &str, plural: &str) -> &'static Resource {
    match burgee_resources::find(group, "v1", plural) {
        Some(resource) => resource,
        None => unreachable!("{plural} is not registered"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_that_is_named_here_is_registered() {
        let named = [
            namespaces(),
            config_maps(),
            service_accounts(),
            cluster_roles(),
        ];
        assert!(named.iter().all(|resource| resource.stored()));
    }

    #[test]
    fn reviews_are_not_stored_and_nodes_are_in_no_namespace() {
        let plurals = |all: &mut dyn Iterator<Item = &'static Resource>| -> Vec<_> {
            all.map(|resource| resource.plural).collect()
        };
        let (all, some) = (plurals(&mut stored()), plurals(&mut stored_in_namespaces()));
        assert!(all.contains(&"nodes") && !all.contains(&"tokenreviews"));
        assert!(some.contains(&"pods") && !some.contains(&"nodes"));
    }
}
