//! What an authorizer is asked about.

use burgee_identity::UserInfo;
use burgee_wire::{Status, StatusDetails, quoted};

/// One request, as far as authorization cares (`authorizer.Attributes`).
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a UserInfo,
    /// `get`, `list`, `create`, …; for other paths the HTTP method in lower case.
    pub verb: &'a str,
    /// What for.
    pub request: Request<'a>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Request<'a> {
    /// A URL path that is no resource, such as `/healthz`.
    Path(&'a str),
    /// A resource.
    Resource(ResourceRequest<'a>),
}

/// A request for a resource. What does not apply is empty.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ResourceRequest<'a> {
    /// API group; empty for the core group.
    pub api_group: &'a str,
    /// API version. RBAC does not look at it.
    pub api_version: &'a str,
    /// Plural resource name.
    pub resource: &'a str,
    /// Subresource, such as `token`.
    pub subresource: &'a str,
    /// Namespace; empty for the cluster scope and for all namespaces at once.
    pub namespace: &'a str,
    /// Object name; empty for collections and where the server makes the name.
    pub name: &'a str,
}

impl<'a> Attributes<'a> {
    /// A request for a resource.
    #[must_use]
    pub fn resource(user: &'a UserInfo, verb: &'a str, request: ResourceRequest<'a>) -> Self {
        Self {
            user,
            verb,
            request: Request::Resource(request),
        }
    }

    /// A request for a path that is no resource.
    #[must_use]
    pub fn path(user: &'a UserInfo, verb: &'a str, path: &'a str) -> Self {
        Self {
            user,
            verb,
            request: Request::Path(path),
        }
    }

    /// The namespace, or empty.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        match self.request {
            Request::Path(_) => "",
            Request::Resource(resource) => resource.namespace,
        }
    }

    /// What is refused, and the authorizers' `reason` if it is not empty: the part of a 403's message
    /// that follows `is forbidden: ` (`responsewriters.ForbiddenStatusError`).
    #[must_use]
    pub fn refusal(&self, reason: &str) -> String {
        let user = quoted(&self.user.name);
        let verb = self.verb;
        let refused = match self.request {
            Request::Path(path) => format!("User {user} cannot {verb} path {}", quoted(path)),
            Request::Resource(request) => {
                let resource = quoted(&request.combined_resource());
                let group = quoted(request.api_group);
                let scope = match request.namespace {
                    "" => "at the cluster scope".to_owned(),
                    namespace => format!("in the namespace {}", quoted(namespace)),
                };
                format!(
                    "User {user} cannot {verb} resource {resource} in API group {group} {scope}"
                )
            }
        };
        // The text may be shown by a browser: it must not look like HTML. The reason is the
        // authorizers' own and stays as it is, as upstream.
        let mut text = refused
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        if !reason.is_empty() {
            text.push_str(": ");
            text.push_str(reason);
        }
        text
    }

    /// The 403 that refuses the request, for `reason` if it is not empty.
    #[must_use]
    pub fn forbidden(&self, reason: &str) -> Status {
        let refusal = self.refusal(reason);
        match self.request {
            Request::Path(_) => Status::failure(403, "Forbidden", format!("forbidden: {refusal}"))
                .with_details(StatusDetails::default()),
            Request::Resource(request) => {
                let ResourceRequest {
                    api_group,
                    resource,
                    name,
                    ..
                } = request;
                Status::forbidden(api_group, resource, name, &refusal)
            }
        }
    }
}

impl ResourceRequest<'_> {
    /// `resource`, or `resource/subresource`.
    pub(crate) fn combined_resource(&self) -> String {
        match self.subresource {
            "" => self.resource.to_owned(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_subresource_group_and_scope() {
        let user = UserInfo::named("bob");
        let request = ResourceRequest {
            api_group: "apps",
            resource: "deployments",
            subresource: "scale",
            name: "d",
            ..ResourceRequest::default()
        };
        assert_eq!(
            Attributes::resource(&user, "get", request)
                .forbidden("")
                .message,
            r#"deployments.apps "d" is forbidden: User "bob" cannot get resource "deployments/scale" in API group "apps" at the cluster scope"#
        );
    }

    #[test]
    fn a_refusal_carries_the_reason_but_no_markup() {
        let user = UserInfo::named("<b>&");
        assert_eq!(
            Attributes::path(&user, "get", "/a>b")
                .forbidden("RBAC: <x>")
                .message,
            r#"forbidden: User "&lt;b&gt;&amp;" cannot get path "/a&gt;b": RBAC: <x>"#
        );
    }
}
