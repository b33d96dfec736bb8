//! What the entries of a kubeconfig say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burgee_identity::Secret;
use serde_json::Value;

/// How a server is reached, and how it is told from an impostor.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cluster {
    /// The server's URL, as written.
    pub server: String,
    /// The name that the server's certificate must have, instead of the URL's host.
    pub tls_server_name: Option<String>,
    /// Takes any certificate of the server.
    pub insecure_skip_tls_verify: bool,
    /// A PEM file of authorities, instead of the host's.
    pub certificate_authority: Option<PathBuf>,
    /// Authorities in PEM, instead of the host's.
    pub certificate_authority_data: Option<Vec<u8>>,
    /// URL of the proxy to go through, instead of that of the environment. It may hold a password.
    pub proxy_url: Option<Secret>,
    /// What a credential plugin is to know of this cluster: the extension
    /// `client.authentication.k8s.io/exec`.
    pub exec_config: Option<Value>,
}

/// A cluster, a user, and the namespace to work in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Context {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the user.
    pub user: String,
    /// Namespace of requests that name none.
    pub namespace: Option<String>,
}

/// How a client proves who it is. `Debug` shows no secret.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct User {
    /// A PEM file with the client's certificate and those above it.
    pub client_certificate: Option<PathBuf>,
    /// The client's certificate and those above it, in PEM.
    pub client_certificate_data: Option<Vec<u8>>,
    /// A PEM file with the certificate's key.
    pub client_key: Option<PathBuf>,
    /// The certificate's key in PEM.
    pub client_key_data: Option<Secret>,
    /// A bearer token.
    pub token: Option<Secret>,
    /// A file with a bearer token, read again as it changes.
    pub token_file: Option<PathBuf>,
    /// Name for basic authentication.
    pub username: Option<String>,
    /// Password for basic authentication.
    pub password: Option<Secret>,
    /// The user to act as.
    pub impersonate: Option<String>,
    /// The UID of the user to act as.
    pub impersonate_uid: Option<String>,
    /// The groups to act in.
    pub impersonate_groups: Vec<String>,
    /// The extra facts to act with.
    pub impersonate_extra: BTreeMap<String, Vec<String>>,
    /// A credential provider that was built into older clients. No client has them any more.
    pub auth_provider: Option<AuthProvider>,
    /// A program that gives credentials.
    pub exec: Option<ExecPlugin>,
}

/// The name of a credential provider that was built into older clients.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuthProvider {
    /// Such as `gcp` or `oidc`.
    pub name: String,
}

/// A program that gives credentials, by the contract `client.authentication.k8s.io`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ExecPlugin {
    /// The program: a path, or a name that is looked up in `PATH`.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Environment variables on top of this process's own. Values are often credentials.
    pub env: Vec<(String, Secret)>,
    /// The contract's version: `client.authentication.k8s.io/v1` or `…/v1beta1`.
    pub api_version: String,
    /// What to do when there is no such program, for people.
    pub install_hint: Option<String>,
    /// Whether the plugin is told of the cluster.
    pub provide_cluster_info: bool,
    /// Whether the plugin talks to whoever sits at the terminal; must be said in `v1`.
    pub interactive_mode: Option<InteractiveMode>,
}

/// What a credential plugin does with standard input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InteractiveMode {
    /// Needs it: without a terminal the plugin is not run.
    Always,
    /// Uses it if it is a terminal.
    IfAvailable,
    /// Never uses it.
    Never,
}

impl Cluster {
    /// Makes relative paths relative to `folder`.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        resolve(&mut self.certificate_authority, folder);
    }
}

impl User {
    /// Makes relative paths relative to `folder`. A plugin's name without a slash is no path.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        resolve(&mut self.client_certificate, folder);
        resolve(&mut self.client_key, folder);
        resolve(&mut self.token_file, folder);
        if let Some(exec) = &mut self.exec
            && exec.command.contains('/')
            && let Some(command) = folder.join(&exec.command).to_str()
        {
            exec.command = command.to_owned();
        }
    }
}

fn resolve(path: &mut Option<PathBuf>, folder: &Path) {
    if let Some(path) = path {
        // An absolute path stays what it is.
        *path = folder.join(&*path);
    }
}
