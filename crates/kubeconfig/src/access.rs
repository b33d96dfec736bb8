//! From a context to what a client needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burgee_identity::{Clock, Secret};
use reqwest::Url;

use crate::error::quoted;
use crate::{Client, Cluster, Error, Kubeconfig, User};

/// The namespace of requests that name none, where the context has none either.
const DEFAULT_NAMESPACE: &str = "default";

/// Where a pod finds what it needs to talk to its cluster.
const POD_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A cluster, who one is there, and in which namespace: checked, and enough for a [`Client`].
#[derive(Clone, Debug)]
pub struct ClusterAccess {
    cluster: Cluster,
    user: User,
    namespace: String,
    url: Url,
}

impl Kubeconfig {
    /// What the current context, or the one of this name, leads to.
    ///
    /// A configuration without contexts may have one cluster and one user without names.
    ///
    /// # Errors
    /// [`Error::ContextUnknown`], or [`Error::Invalid`] with everything that client-go would find wrong,
    /// and some things more: a context whose user does not exist (client-go would go on as nobody), a
    /// cluster with two contradicting ways to trust it, and a server that is no `http` or `https` URL.
    pub fn access(&self, context: Option<&str>) -> Result<ClusterAccess, Error> {
        let mut problems = Vec::new();
        let name = context.unwrap_or(&self.current_context);
        let context = match (self.contexts.get(name), context) {
            (Some(found), _) => found.clone(),
            (None, Some(name)) => return Err(Error::ContextUnknown(name.to_owned())),
            (None, None) => {
                if !name.is_empty() {
                    problems.push(format!(
                        "context was not found for specified context: {name}"
                    ));
                }
                crate::Context::default()
            }
        };
        let user = self.users.get(&context.user).cloned();
        if user.is_none() && !context.user.is_empty() {
            let (user, context) = (quoted(&context.user), quoted(name));
            problems.push(format!("user {user} was not found for context {context}"));
        }
        let user = user.unwrap_or_default();
        user.validate(&context.user, &mut problems);
        let Some(cluster) = self.clusters.get(&context.cluster).cloned() else {
            if problems.is_empty() {
                problems.push(match context.cluster.as_str() {
                    "" => "no configuration has been provided".to_owned(),
                    cluster => format!(
                        "no configuration has been provided: cluster {} was not found for context {}",
                        quoted(cluster),
                        quoted(name)
                    ),
                });
            } else {
                problems.push("cluster has no server defined".to_owned());
            }
            return Err(Error::Invalid(problems));
        };
        if cluster == Cluster::default() && problems.is_empty() {
            problems.push("no configuration has been provided".to_owned());
            return Err(Error::Invalid(problems));
        }
        let url = cluster.validate(&context.cluster, &mut problems);
        match url {
            Some(url) if problems.is_empty() => Ok(ClusterAccess {
                cluster,
                user,
                namespace: context.namespace.unwrap_or(DEFAULT_NAMESPACE.to_owned()),
                url,
            }),
            _ => Err(Error::Invalid(problems)),
        }
    }
}

impl ClusterAccess {
    /// What a pod is given: the server in the environment, its authority and the token of the pod's service
    /// account in files.
    ///
    /// # Errors
    /// [`Error::NotInCluster`] or [`Error::Unreadable`].
    pub fn in_cluster() -> Result<Self, Error> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::of_pod(
            variable("KUBERNETES_SERVICE_HOST"),
            variable("KUBERNETES_SERVICE_PORT"),
            Path::new(POD_FOLDER),
        )
    }

    fn of_pod(host: Option<String>, port: Option<String>, folder: &Path) -> Result<Self, Error> {
        let (Some(host), Some(port)) = (host, port) else {
            return Err(Error::NotInCluster(
                "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined",
            ));
        };
        let host = match host.parse() {
            Ok(std::net::IpAddr::V6(address)) => format!("[{address}]"),
            _ => host,
        };
        let namespace = folder.join("namespace");
        let cluster = Cluster {
            server: format!("https://{host}:{port}"),
            certificate_authority: Some(folder.join("ca.crt")),
            ..Cluster::default()
        };
        let user = User {
            token_file: Some(folder.join("token")),
            ..User::default()
        };
        let namespace = std::fs::read_to_string(namespace).ok();
        let namespace = namespace
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        Self::new(cluster, user, namespace)
    }

    /// Without a kubeconfig: this cluster, as this user.
    ///
    /// # Errors
    /// [`Error::Invalid`], as [`Kubeconfig::access`].
    pub fn new(cluster: Cluster, user: User, namespace: Option<String>) -> Result<Self, Error> {
        let mut problems = Vec::new();
        user.validate("default", &mut problems);
        let url = cluster.validate("default", &mut problems);
        match url {
            Some(url) if problems.is_empty() => Ok(Self {
                cluster,
                user,
                namespace: namespace.unwrap_or(DEFAULT_NAMESPACE.to_owned()),
                url,
            }),
            _ => Err(Error::Invalid(problems)),
        }
    }

    /// The same cluster as somebody else: with a token of one's own, or as nobody with
    /// [`User::default`].
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is something wrong with the user.
    pub fn with_user(self, user: User) -> Result<Self, Error> {
        Self::new(self.cluster, user, Some(self.namespace))
    }

    /// The server's URL, as written.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.cluster.server
    }

    /// The namespace of requests that name none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// How the server is reached.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Who one is there.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.user
    }

    /// A client. It reads the files that it needs now, and again as they change; `clock` says when to look.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::Credential`], or [`Error::Https`] when certificates or keys are
    /// unusable.
    pub fn client(&self, clock: Arc<dyn Clock>) -> Result<Client, Error> {
        Client::new(self.clone(), clock)
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Whether the server is spoken to over TLS. Only then does it get to see credentials.
    pub(crate) fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl Cluster {
    /// Notes everything that is wrong with the cluster of this name.
    fn validate(&self, name: &str, problems: &mut Vec<String>) -> Option<Url> {
        let url = self.parse_server(name, problems);
        if let Some(proxy) = &self.proxy_url
            && let Err(problem) = check_proxy(proxy)
        {
            problems.push(format!(
                "invalid 'proxy-url' for cluster {}: {problem}",
                quoted(name)
            ));
        }
        if self.certificate_authority.is_some() && self.certificate_authority_data.is_some() {
            problems.push(format!(
                "certificate-authority-data and certificate-authority are both specified for {name}. certificate-authority-data will override."
            ));
        }
        let authorities =
            self.certificate_authority.is_some() || self.certificate_authority_data.is_some();
        if self.insecure_skip_tls_verify && authorities {
            problems.push(
                "specifying a root certificates file with the insecure flag is not allowed"
                    .to_owned(),
            );
        }
        check_readable(
            "certificate-authority",
            &self.certificate_authority,
            name,
            problems,
        );
        url
    }

    fn parse_server(&self, name: &str, problems: &mut Vec<String>) -> Option<Url> {
        if self.server.is_empty() {
            problems.push(match name {
                "" => "default cluster has no server defined".to_owned(),
                _ => format!("no server found for cluster {}", quoted(name)),
            });
            return None;
        }
        let url = Url::parse(&self.server)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        match &url {
            None => problems.push(format!(
                "server of cluster {} is not an http or https URL",
                quoted(name)
            )),
            // A URL is shown in many places where a password must not be.
            Some(url) if !url.username().is_empty() || url.password().is_some() => {
                problems.push(format!(
                    "server of cluster {} must not hold a user name or password",
                    quoted(name)
                ));
            }
            Some(_) => {}
        }
        url
    }
}

impl User {
    /// Notes everything that is wrong with the user of this name.
    fn validate(&self, name: &str, problems: &mut Vec<String>) {
        let certificate =
            self.client_certificate.is_some() || self.client_certificate_data.is_some();
        if certificate {
            if self.client_certificate.is_some() && self.client_certificate_data.is_some() {
                problems.push(format!(
                    "client-cert-data and client-cert are both specified for {name}. client-cert-data will override."
                ));
            }
            match (&self.client_key, &self.client_key_data) {
                (Some(_), Some(_)) => problems.push(format!(
                    "client-key-data and client-key are both specified for {name}; client-key-data will override"
                )),
                (None, None) => problems.push(format!(
                    "client-key-data or client-key must be specified for {name} to use the clientCert authentication method."
                )),
                _ => {}
            }
            check_readable("client-cert", &self.client_certificate, name, problems);
            check_readable("client-key", &self.client_key, name, problems);
        }
        if let Some(exec) = &self.exec {
            if self.auth_provider.is_some() {
                problems.push(format!(
                    "authProvider cannot be provided in combination with an exec plugin for {name}"
                ));
            }
            exec.validate(name, problems);
        } else if let Some(provider) = &self.auth_provider {
            problems.push(format!(
                "no Auth Provider found for name {}",
                quoted(&provider.name)
            ));
        }
        if self.token.is_some() && self.uses_basic() {
            problems.push(format!(
                "more than one authentication method found for {name}; found [token basicAuth], only one is allowed"
            ));
        }
        let acts = self.impersonate_uid.is_some()
            || !self.impersonate_groups.is_empty()
            || !self.impersonate_extra.is_empty();
        if acts && self.impersonate.is_none() {
            problems.push(format!(
                "requesting uid, groups or user-extra for {name} without impersonating a user"
            ));
        }
    }

    /// Whether there is a name or a password for basic authentication.
    pub(crate) fn uses_basic(&self) -> bool {
        self.username.is_some() || self.password.is_some()
    }
}

impl crate::ExecPlugin {
    fn validate(&self, name: &str, problems: &mut Vec<String>) {
        let mut required = |field: &str| {
            problems.push(format!(
                "{field} must be specified for {name} to use exec authentication plugin"
            ));
        };
        if self.command.is_empty() {
            required("command");
        }
        if self.api_version.is_empty() {
            required("apiVersion");
        }
        for (variable, _) in &self.env {
            if variable.is_empty() {
                required("env variable name");
            }
        }
        if self.interactive_mode.is_none() {
            problems.push(format!(
                "interactiveMode must be specified for {name} to use exec authentication plugin"
            ));
        }
        if !matches!(self.contract(), Some("v1" | "v1beta1")) && !self.api_version.is_empty() {
            problems.push(format!(
                "exec plugin: invalid apiVersion {}",
                quoted(&self.api_version)
            ));
        }
    }

    /// The version of the contract, where the group is the contract's.
    fn contract(&self) -> Option<&str> {
        self.api_version
            .strip_prefix("client.authentication.k8s.io/")
    }
}

/// Says what is wrong with a proxy's URL, without the URL: it may hold a password.
fn check_proxy(proxy: &Secret) -> Result<(), String> {
    let url = Url::parse(proxy.expose()).map_err(|_| "could not parse".to_owned())?;
    match url.scheme() {
        "http" | "https" | "socks5" => Ok(()),
        scheme => Err(format!(
            "unsupported scheme {}, must be http, https, or socks5",
            quoted(scheme)
        )),
    }
}

fn check_readable(what: &str, file: &Option<PathBuf>, name: &str, problems: &mut Vec<String>) {
    if let Some(file) = file
        && let Err(error) = std::fs::File::open(file)
    {
        let file = file.display();
        problems.push(format!(
            "unable to read {what} {file} for {name} due to {error}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(text: &str, context: Option<&str>) -> Result<ClusterAccess, Error> {
        Kubeconfig::parse(text.as_bytes()).unwrap().access(context)
    }

    /// The problems with a user, in an otherwise good configuration.
    fn user_problem(user: &str) -> String {
        let text = format!(
            "clusters: [{{name: '', cluster: {{server: https://a}}}}]\nusers: [{{name: u, user: {user}}}]\ncontexts: [{{name: x, context: {{user: u}}}}]\ncurrent-context: x"
        );
        access(&text, None).unwrap_err().to_string()
    }

    /// The problems with a cluster, in an otherwise good configuration.
    fn cluster_problem(cluster: &str) -> String {
        let text = format!(
            "clusters: [{{name: c, cluster: {cluster}}}]\ncontexts: [{{name: x, context: {{cluster: c}}}}]\ncurrent-context: x"
        );
        access(&text, None).unwrap_err().to_string()
    }

    #[test]
    fn without_a_usable_cluster_the_text_is_client_gos() {
        for text in [
            "",
            "clusters: [{name: c, cluster: {server: https://a}}]",
            "clusters: [{cluster: {}}]",
            "contexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x",
        ] {
            let error = access(text, None).unwrap_err().to_string();
            let expected = "invalid configuration: no configuration has been provided";
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_single_cluster_without_a_name_needs_no_context() {
        let text = "clusters: [{cluster: {server: https://a/b?c}}]\nusers: [{user: {token: t}}]";
        let access = access(text, None).unwrap();
        assert_eq!(
            (access.server(), access.namespace()),
            ("https://a/b?c", "default")
        );
        assert_eq!(access.user().token, Some(Secret::from("t".to_owned())));
    }

    #[test]
    fn a_context_can_be_chosen_and_must_exist() {
        let text = "clusters: [{name: c, cluster: {server: https://c}}, {name: d, cluster: {server: https://d}}]
contexts: [{name: x, context: {cluster: c}}, {name: z, context: {cluster: d, namespace: dev}}]
current-context: x";
        assert_eq!(access(text, None).unwrap().server(), "https://c");
        let chosen = access(text, Some("z")).unwrap();
        assert_eq!((chosen.server(), chosen.namespace()), ("https://d", "dev"));
        let error = access(text, Some("w")).unwrap_err();
        assert_eq!(error.to_string(), r#"context "w" does not exist"#);
        let text = text.replace("current-context: x", "current-context: w");
        assert_eq!(
            access(&text, None).unwrap_err().to_string(),
            "invalid configuration: [context was not found for specified context: w, cluster has no server defined]"
        );
    }

    #[test]
    fn what_is_wrong_with_a_user_is_said_in_client_gos_words() {
        for (user, expected) in [
            (
                "{token: s3cr3t, username: a}",
                "more than one authentication method found for u; found [token basicAuth], only one is allowed",
            ),
            (
                "{client-certificate-data: cGVt}",
                "client-key-data or client-key must be specified for u to use the clientCert authentication method.",
            ),
            (
                "{client-certificate-data: cGVt, client-key: /nowhere/k}",
                "unable to read client-key /nowhere/k for u due to No such file or directory (os error 2)",
            ),
            (
                "{auth-provider: {name: gcp}}",
                r#"no Auth Provider found for name "gcp""#,
            ),
            (
                "{as-groups: [g]}",
                "requesting uid, groups or user-extra for u without impersonating a user",
            ),
            (
                "{exec: {command: a, apiVersion: client.authentication.k8s.io/v1}}",
                "interactiveMode must be specified for u to use exec authentication plugin",
            ),
            (
                "{exec: {command: a, interactiveMode: Never, apiVersion: client.authentication.k8s.io/v1alpha1}}",
                r#"exec plugin: invalid apiVersion "client.authentication.k8s.io/v1alpha1""#,
            ),
            (
                "{exec: {interactiveMode: Never, env: [{value: x}]}}",
                "[command must be specified for u to use exec authentication plugin, apiVersion must be specified for u to use exec authentication plugin, env variable name must be specified for u to use exec authentication plugin]",
            ),
        ] {
            assert_eq!(
                user_problem(user),
                format!("invalid configuration: {expected}")
            );
        }
    }

    #[test]
    fn a_context_of_an_unknown_user_is_refused() {
        let text = "clusters: [{name: '', cluster: {server: https://a}}]\ncontexts: [{name: x, context: {user: u}}]\ncurrent-context: x";
        let error = access(text, None).unwrap_err().to_string();
        assert_eq!(
            error,
            r#"invalid configuration: user "u" was not found for context "x""#
        );
    }

    #[test]
    fn what_is_wrong_with_a_cluster_is_said_in_client_gos_words_where_it_has_any() {
        for (cluster, expected) in [
            ("{tls-server-name: a}", r#"no server found for cluster "c""#),
            (
                "{server: https://a, proxy-url: 'ftp://jane:s3cr3t@b'}",
                r#"invalid 'proxy-url' for cluster "c": unsupported scheme "ftp", must be http, https, or socks5"#,
            ),
            (
                "{server: https://a, insecure-skip-tls-verify: true, certificate-authority-data: cGVt}",
                "specifying a root certificates file with the insecure flag is not allowed",
            ),
            (
                "{server: https://a, certificate-authority: /nowhere/ca}",
                "unable to read certificate-authority /nowhere/ca for c due to No such file or directory (os error 2)",
            ),
            (
                "{server: 'localhost:8080'}",
                r#"server of cluster "c" is not an http or https URL"#,
            ),
            (
                "{server: 'https://jane:s3cr3t@a'}",
                r#"server of cluster "c" must not hold a user name or password"#,
            ),
        ] {
            assert_eq!(
                cluster_problem(cluster),
                format!("invalid configuration: {expected}")
            );
        }
    }

    #[test]
    fn the_same_cluster_can_be_asked_as_somebody_else() {
        let text = "clusters: [{cluster: {server: https://a}}]\nusers: [{user: {token: t}}]";
        let access = access(text, None).unwrap();
        let token = Some(Secret::from("mine".to_owned()));
        let user = User {
            token: token.clone(),
            ..User::default()
        };
        let other = access.with_user(user).unwrap();
        assert_eq!((other.server(), &other.user().token), ("https://a", &token));
        let basic = User {
            username: Some("jane".into()),
            ..other.user().clone()
        };
        assert!(matches!(other.with_user(basic), Err(Error::Invalid(_))));
    }

    #[test]
    fn a_pod_finds_its_cluster() {
        let folder = tempfile::tempdir().unwrap();
        let some = |text: &str| Some(text.to_owned());
        let in_pod = || ClusterAccess::of_pod(some("fd00::1"), some("443"), folder.path());
        assert!(matches!(in_pod(), Err(Error::Invalid(_))), "no authority");
        std::fs::write(folder.path().join("ca.crt"), "pem").unwrap();
        assert_eq!(in_pod().unwrap().namespace(), "default");
        std::fs::write(folder.path().join("namespace"), "kube-system\n").unwrap();
        let access = in_pod().unwrap();
        assert_eq!(access.server(), "https://[fd00::1]:443");
        assert_eq!(access.namespace(), "kube-system");
        let outside = ClusterAccess::of_pod(None, some("443"), folder.path());
        assert!(matches!(outside, Err(Error::NotInCluster(_))));
    }
}
