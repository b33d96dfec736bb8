//! Paths and parameters of requests.

use burgee_resources::Resource;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::request::Target;

/// What stands in a path segment or parameter as it is. A colon does, for names such as
/// `system:node`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

/// A path with parameters, in origin form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Url {
    text: String,
    has_parameters: bool,
}

impl Url {
    /// All objects of a resource, in one namespace if it is not empty.
    pub(crate) fn collection(resource: &Resource, namespace: &str) -> Self {
        let root = if resource.group.is_empty() {
            "/api"
        } else {
            "/apis"
        };
        let url = Self {
            text: root.to_owned(),
            has_parameters: false,
        };
        let url = url
            .segment_if_any(resource.group)
            .segment_if_any(resource.version);
        let url = if resource.namespaced && !namespace.is_empty() {
            url.segment_if_any("namespaces").segment_if_any(namespace)
        } else {
            url
        };
        url.segment_if_any(resource.plural)
    }

    /// One object.
    pub(crate) fn object(target: Target<'_>) -> Self {
        Self::collection(target.resource, target.namespace).segment_if_any(target.name)
    }

    /// Appends a segment unless it is empty.
    pub(crate) fn segment_if_any(mut self, segment: &str) -> Self {
        if !segment.is_empty() {
            self.text.push('/');
            self.text.extend(utf8_percent_encode(segment, ESCAPED));
        }
        self
    }

    /// Appends a parameter.
    pub(crate) fn parameter(mut self, name: &str, value: &str) -> Self {
        self.text.push(if self.has_parameters { '&' } else { '?' });
        self.has_parameters = true;
        self.text.push_str(name);
        self.text.push('=');
        self.text.extend(utf8_percent_encode(value, ESCAPED));
        self
    }

    /// Appends a parameter unless its value is empty.
    pub(crate) fn parameter_if_any(self, name: &str, value: &str) -> Self {
        if value.is_empty() {
            return self;
        }
        self.parameter(name, value)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burgee_resources::find;

    #[test]
    fn paths_are_those_of_the_kubernetes_api() {
        let rbac = "rbac.authorization.k8s.io";
        let target = |group, plural, namespace, name| Target {
            resource: find(group, "v1", plural).unwrap(),
            namespace,
            name,
        };
        let table = [
            (
                target("", "secrets", "n", "a b"),
                "/api/v1/namespaces/n/secrets/a%20b",
            ),
            (target("", "secrets", "", ""), "/api/v1/secrets"),
            (target("", "namespaces", "n", "n"), "/api/v1/namespaces/n"),
            (
                target(rbac, "clusterroles", "", "system:node/../x"),
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node%2F..%2Fx",
            ),
            (
                target(rbac, "roles", "n", "r"),
                "/apis/rbac.authorization.k8s.io/v1/namespaces/n/roles/r",
            ),
        ];
        for (target, path) in table {
            assert_eq!(Url::object(target).as_str(), path);
        }
    }

    #[test]
    fn parameters_are_escaped() {
        let url = Url::collection(find("", "v1", "pods").unwrap(), "");
        let url = url
            .parameter("fieldSelector", "metadata.name=a&b")
            .parameter_if_any("continue", "");
        assert_eq!(
            url.parameter("limit", "1").as_str(),
            "/api/v1/pods?fieldSelector=metadata.name%3Da%26b&limit=1"
        );
    }
}
