//! What a request is about, read from its method and path alone (upstream's `RequestInfo`).

use http::Method;
use percent_encoding::percent_decode_str;

use super::Query;

/// What authorization and dispatch know of a request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct RequestInfo {
    /// The decoded path.
    pub(crate) path: String,
    /// What is to be done.
    pub(crate) verb: Verb,
    /// Whether it is about a resource; otherwise only the path counts.
    pub(crate) is_resource: bool,
    /// API group; empty for the core group.
    pub(crate) group: String,
    /// API version.
    pub(crate) version: String,
    /// Namespace; empty across all, or for cluster-scoped resources.
    pub(crate) namespace: String,
    /// Plural resource name.
    pub(crate) resource: String,
    /// What comes after the object's name, such as `status`.
    pub(crate) subresource: String,
    /// The object's name; empty for collections.
    pub(crate) name: String,
    /// Whether the path goes on after the subresource.
    pub(crate) is_deeper: bool,
    /// Whether the resource stands inside a namespace: in `namespaces/x/namespaces/y` the second one
    /// does, the first one does not.
    pub(crate) is_nested: bool,
}

/// A Kubernetes verb.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) enum Verb {
    Create,
    Delete,
    DeleteCollection,
    #[default]
    Get,
    Head,
    List,
    Options,
    /// A method that Kubernetes has no verb for.
    Other,
    Patch,
    Post,
    Put,
    Update,
    Watch,
}

impl Verb {
    /// As rules and metrics spell it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Get => "get",
            Self::Head => "head",
            Self::List => "list",
            Self::Options => "options",
            Self::Other => "",
            Self::Patch => "patch",
            Self::Post => "post",
            Self::Put => "put",
            Self::Update => "update",
            Self::Watch => "watch",
        }
    }

    /// The verb of a request that is about no resource: its method.
    fn of_method(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            Method::OPTIONS => Self::Options,
            _ => Self::Other,
        }
    }

    fn of_resource_method(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Get,
            Method::POST => Self::Create,
            Method::PUT => Self::Update,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            _ => Self::Other,
        }
    }
}

impl RequestInfo {
    /// Reads a request line. Never fails: what is no resource path is a path.
    pub(crate) fn parse(method: &Method, raw_path: &str, query: &Query) -> Self {
        let path = match raw_path.contains('%') {
            true => percent_decode_str(raw_path)
                .decode_utf8_lossy()
                .into_owned(),
            false => raw_path.to_owned(),
        };
        let mut info = Self {
            verb: Verb::of_method(method),
            ..Self::default()
        };
        {
            let mut parts = path.trim_matches('/').split('/');
            let rest = match parts.next() {
                Some("api") => Some(String::new()),
                Some("apis") => parts.next().map(str::to_owned),
                _ => None,
            };
            let version = parts.next().filter(|version| !version.is_empty());
            let first = parts.next().filter(|first| !first.is_empty());
            if let (Some(group), Some(version), Some(first)) = (rest, version, first) {
                info.verb = Verb::of_resource_method(method);
                info.is_resource = true;
                info.group = group;
                version.clone_into(&mut info.version);
                info.read_resource(first, parts, query);
            }
        }
        info.path = path;
        info
    }

    fn read_resource<'a>(
        &mut self,
        first: &'a str,
        mut parts: impl Iterator<Item = &'a str>,
        query: &Query,
    ) {
        let mut resource = first;
        let mut name = parts.next();
        let mut subresource = parts.next();
        if resource == "namespaces"
            && let Some(namespace) = name.filter(|name| !name.is_empty())
        {
            namespace.clone_into(&mut self.namespace);
            // `namespaces/x/status` is about the namespace, `namespaces/x/secrets` is not.
            if let Some(inner) = subresource.filter(|s| !matches!(*s, "" | "status" | "finalize")) {
                self.is_nested = true;
                resource = inner;
                name = parts.next();
                subresource = parts.next();
            }
        }
        resource.clone_into(&mut self.resource);
        name.unwrap_or_default().clone_into(&mut self.name);
        subresource
            .unwrap_or_default()
            .clone_into(&mut self.subresource);
        self.is_deeper = parts.any(|part| !part.is_empty());
        if self.name.is_empty() {
            match self.verb {
                Verb::Get => {
                    self.verb = if query.flag("watch") {
                        Verb::Watch
                    } else {
                        Verb::List
                    };
                    // Lets a rule that names one object allow listing or watching just that one.
                    let selector = query.text("fieldSelector");
                    let selector = burgee_wire::selector::FieldSelector::parse(selector);
                    if let Some(name) = selector
                        .ok()
                        .as_ref()
                        .and_then(|s| s.required("metadata.name"))
                    {
                        name.clone_into(&mut self.name);
                    }
                }
                Verb::Delete => self.verb = Verb::DeleteCollection,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &Method, url: &str) -> RequestInfo {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        RequestInfo::parse(method, path, &Query::parse(query))
    }

    fn shown(info: &RequestInfo) -> String {
        let RequestInfo {
            group,
            version,
            namespace,
            resource,
            subresource,
            name,
            ..
        } = info;
        format!(
            "{} {group}/{version} {namespace}:{resource}/{name}/{subresource}",
            info.verb.as_str()
        )
    }

    #[test]
    fn resource_paths_are_read_as_upstream() {
        let table = [
            (Method::GET, "/api/v1/namespaces", "list /v1 :namespaces//"),
            (
                Method::GET,
                "/api/v1/namespaces/a",
                "get /v1 a:namespaces/a/",
            ),
            (
                Method::PUT,
                "/api/v1/namespaces/a/status",
                "update /v1 a:namespaces/a/status",
            ),
            (
                Method::PUT,
                "/api/v1/namespaces/a/finalize",
                "update /v1 a:namespaces/a/finalize",
            ),
            (
                Method::GET,
                "/api/v1/namespaces/a/secrets",
                "list /v1 a:secrets//",
            ),
            (
                Method::GET,
                "/api/v1/namespaces/a/secrets?watch=1",
                "watch /v1 a:secrets//",
            ),
            (
                Method::GET,
                "/api/v1/secrets?fieldSelector=metadata.name%3Dx",
                "list /v1 :secrets/x/",
            ),
            (
                Method::POST,
                "/api/v1/namespaces/a/serviceaccounts/b/token",
                "create /v1 a:serviceaccounts/b/token",
            ),
            (
                Method::DELETE,
                "/apis/rbac.authorization.k8s.io/v1/clusterroles",
                "deletecollection rbac.authorization.k8s.io/v1 :clusterroles//",
            ),
            (
                Method::PATCH,
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
                "patch rbac.authorization.k8s.io/v1 :clusterroles/system:node/",
            ),
        ];
        for (method, url, expected) in table {
            let info = read(&method, url);
            assert_eq!(shown(&info), expected, "{url}");
            assert!(info.is_resource);
        }
    }

    #[test]
    fn what_is_no_resource_path_is_a_path() {
        for path in [
            "/",
            "/api",
            "/api/v1",
            "/apis",
            "/apis/x",
            "/apis/x/v1",
            "/healthz",
            "//",
            "/api//x",
        ] {
            let info = read(&Method::GET, path);
            assert!(!info.is_resource, "{path}");
            assert_eq!((info.path.as_str(), info.verb), (path, Verb::Get));
        }
    }

    #[test]
    fn namespaces_inside_a_namespace_are_told_from_the_namespace_itself() {
        for own in ["/api/v1/namespaces/a", "/api/v1/namespaces/a/finalize"] {
            assert!(!read(&Method::GET, own).is_nested, "{own}");
        }
        for inner in [
            "/api/v1/namespaces/a/namespaces",
            "/api/v1/namespaces/a/namespaces/a",
        ] {
            assert!(read(&Method::GET, inner).is_nested, "{inner}");
        }
    }

    #[test]
    fn a_path_that_goes_on_is_noticed() {
        assert!(read(&Method::GET, "/api/v1/namespaces/a/secrets/b/c/d").is_deeper);
        assert!(!read(&Method::GET, "/api/v1/namespaces/a/secrets/b/c/").is_deeper);
    }
}
