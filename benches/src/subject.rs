//! The servers that are measured: `burgee serve`, and the bare one beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use burgee_testkit::{Credential as Found, Kubeconfig};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;
use tempfile::TempDir;

use crate::client::{Client, Credential};
use crate::process::{Process, program};

/// The static token of a user who may do everything by an RBAC rule, not by a privileged group.
const TOKEN: &str = "a-token-that-opens-nothing-else";
const USER: &str = "bench";

/// A `burgee serve` with a data directory of its own, both gone when dropped.
pub(crate) struct Subject {
    // Before the directory, because fields are dropped in their order.
    process: Option<Process>,
    directory: TempDir,
}

impl Subject {
    /// Starts a server in a new data directory.
    pub(crate) async fn start() -> Result<Self> {
        let directory = scratch()?;
        let line = format!("{TOKEN},{USER},{USER}\n");
        fs::write(directory.path().join("tokens.csv"), line)?;
        let mut subject = Self {
            process: None,
            directory,
        };
        subject.launch().await?;
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": USER},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}],
        });
        let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
        subject.create(path, &binding).await?;
        Ok(subject)
    }

    /// Starts it on its data directory as it is, and answers how long that took until `/readyz` said
    /// yes.
    pub(crate) async fn launch(&mut self) -> Result<Duration> {
        let mut command = Command::new(program("burgee")?);
        command
            .arg("serve")
            .arg("--data-dir")
            .arg(self.data_directory())
            .args(["--bind", "127.0.0.1:0", "--token-auth-file"])
            .arg(self.directory.path().join("tokens.csv"));
        let begin = Instant::now();
        let process = Process::start(command, &self.directory.path().join("log"))?;
        self.process = Some(process);
        let client = self.anonymous()?;
        let empty = Bytes::new();
        client
            .once(Method::GET, "/readyz", empty, StatusCode::OK)
            .await?;
        Ok(begin.elapsed())
    }

    /// Ends it in order; [`Subject::launch`] starts it again.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), Process::stop)
    }

    /// The running process.
    pub(crate) fn process(&self) -> Result<&Process> {
        self.process.as_ref().context("the server is not running")
    }

    /// A client with the static token.
    pub(crate) fn with_token(&self) -> Result<Client> {
        self.client(Credential::Token(TOKEN))
    }

    /// A client with the administrator's certificate.
    pub(crate) fn with_certificate(&self) -> Result<Client> {
        let kubeconfig = Kubeconfig::read(&self.data_directory().join("admin.kubeconfig"));
        let Found::Certificate { certificates, key } = kubeconfig.credential else {
            anyhow::bail!("the administrator has no certificate");
        };
        self.client(Credential::Certificate {
            certificates: &certificates,
            key: &key,
        })
    }

    /// Creates an object in a collection.
    pub(crate) async fn create(&self, path: &str, object: &serde_json::Value) -> Result<Bytes> {
        let body = Bytes::from(object.to_string());
        let client = self.with_certificate()?;
        client
            .once(Method::POST, path, body, StatusCode::CREATED)
            .await
    }

    /// A bare server with the same certificate, whose answers have `bytes` bytes.
    pub(crate) async fn hello(&self, bytes: usize) -> Result<(Process, Client, Duration)> {
        let pki = self.data_directory().join("pki");
        let mut command = Command::new(program("burgee-bench-hello")?);
        command
            .arg(pki.join("serving.crt"))
            .arg(pki.join("serving.key"))
            .arg(bytes.to_string());
        let begin = Instant::now();
        let process = Process::start(command, &self.directory.path().join("hello-log"))?;
        let authority = fs::read(pki.join("ca.crt"))?;
        let client = Client::new(process.address(), &authority, Credential::None)?;
        client
            .once(Method::GET, "/", Bytes::new(), StatusCode::OK)
            .await?;
        Ok((process, client, begin.elapsed()))
    }

    fn anonymous(&self) -> Result<Client> {
        self.client(Credential::None)
    }

    fn client(&self, credential: Credential<'_>) -> Result<Client> {
        let authority = fs::read(self.data_directory().join("pki/ca.crt"))?;
        Client::new(self.process()?.address(), &authority, credential)
    }

    fn data_directory(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

/// A directory on the disk on which the programs stand: `/tmp` may be memory, which is no disk to
/// measure.
pub(crate) fn scratch() -> Result<TempDir> {
    let own = std::env::current_exe().context("asking where this program stands")?;
    let place = own.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    Ok(builder.prefix("bench-").tempdir_in(place)?)
}

/// A ConfigMap of a usual size.
pub(crate) fn config_map(name: &str) -> serde_json::Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": "bench"}},
        "data": {"settings.yaml": "retries: 3\n".repeat(20)},
    })
}
