//! Programs that give credentials: `client.authentication.k8s.io`.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burgee_identity::{Clock, Secret};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::credentials::{Certificate, Presented, bearer};
use crate::{Cluster, Error, ExecPlugin, InteractiveMode, files};

/// Longer than any credential.
const MAX_OUTPUT_LEN: u64 = 1024 * 1024;

/// Runs a plugin when there is need of a credential, one run at a time, and keeps what it gave until that
/// ends.
#[derive(Debug)]
pub(crate) struct Plugin {
    exec: ExecPlugin,
    /// What the plugin is told of the cluster; null for nothing.
    cluster: serde_json::Value,
    clock: Arc<dyn Clock>,
    /// Held while the plugin runs: it may talk to a person, who must not be asked twice.
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    presented: Presented,
    /// On the monotonic clock.
    given_at: Duration,
    ends: Option<Timestamp>,
}

/// `ExecCredential`, as far as plugins fill it in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<Timestamp>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Plugin {
    pub(crate) fn new(
        exec: ExecPlugin,
        cluster: &Cluster,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let cluster = match exec.provide_cluster_info {
            true => cluster_info(cluster)?,
            false => serde_json::Value::Null,
        };
        Ok(Self {
            exec,
            cluster,
            clock,
            held: Mutex::default(),
        })
    }

    /// The credential that there is, or a new one.
    pub(crate) async fn present(&self) -> Result<Presented, Error> {
        let mut held = self.held.lock().await;
        let now = self.clock.now();
        if let Some(held) = &*held
            && held.ends.is_none_or(|ends| now <= ends)
        {
            return Ok(held.presented.clone());
        }
        let (presented, ends) = self.run().await?;
        *held = Some(Held {
            presented: presented.clone(),
            given_at: self.clock.monotonic(),
            ends,
        });
        Ok(presented)
    }

    pub(crate) async fn forget_older_than(&self, time: Duration) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| held.given_at <= time) {
            *held = None;
        }
    }

    async fn run(&self) -> Result<(Presented, Option<Timestamp>), Error> {
        let interactive = self.is_interactive(std::io::stdin().is_terminal())?;
        let mut command = Command::new(&self.exec.command);
        command
            .args(&self.exec.args)
            .envs(
                self.exec
                    .env
                    .iter()
                    .map(|(name, value)| (OsString::from(name), OsString::from(value.expose()))),
            )
            .env("KUBERNETES_EXEC_INFO", self.question(interactive))
            .stdin(match interactive {
                true => Stdio::inherit(),
                false => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
        let mut output = Zeroizing::new(Vec::new());
        if let Some(stdout) = child.stdout.take() {
            let mut stdout = stdout.take(MAX_OUTPUT_LEN + 1);
            let read = stdout.read_to_end(&mut output).await;
            let length = read.map_err(|error| failed(&error))?;
            if u64::try_from(length).unwrap_or(u64::MAX) > MAX_OUTPUT_LEN {
                return Err(Error::Plugin(format!(
                    "decoding stdout: longer than {MAX_OUTPUT_LEN} bytes"
                )));
            }
        }
        let status = child.wait().await.map_err(|error| failed(&error))?;
        if !status.success() {
            return Err(Error::Plugin(format!(
                "exec: executable {} failed with exit code {}",
                self.exec.command,
                status.code().unwrap_or(-1)
            )));
        }
        self.read_answer(&output)
    }

    /// Whether the plugin gets standard input.
    fn is_interactive(&self, is_terminal: bool) -> Result<bool, Error> {
        match self.exec.interactive_mode {
            Some(InteractiveMode::Always) if !is_terminal => Err(Error::Plugin(
                "exec plugin cannot support interactive mode: standard input is not a terminal"
                    .to_owned(),
            )),
            Some(InteractiveMode::Always) => Ok(true),
            Some(InteractiveMode::IfAvailable) => Ok(is_terminal),
            Some(InteractiveMode::Never) | None => Ok(false),
        }
    }

    /// What the plugin is told, as client-go writes it.
    fn question(&self, interactive: bool) -> String {
        let mut spec = json!({ "interactive": interactive });
        if let (Some(spec), false) = (spec.as_object_mut(), self.cluster.is_null()) {
            spec.insert("cluster".to_owned(), self.cluster.clone());
        }
        json!({
            "apiVersion": self.exec.api_version,
            "kind": "ExecCredential",
            "spec": spec,
        })
        .to_string()
    }

    fn read_answer(&self, output: &[u8]) -> Result<(Presented, Option<Timestamp>), Error> {
        let refuse = |text: &str| Err(Error::Plugin(text.to_owned()));
        let answer: Answer = match serde_json::from_slice(output) {
            Ok(answer) => answer,
            // The parser's own message could quote the output.
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                return refuse(&format!(
                    "decoding stdout: not an ExecCredential (line {line}, column {column})"
                ));
            }
        };
        if answer.kind != "ExecCredential" {
            return refuse("decoding stdout: not an ExecCredential");
        }
        if answer.api_version != self.exec.api_version {
            return refuse(&format!(
                "exec plugin is configured to use API version {}, plugin returned version {}",
                self.exec.api_version, answer.api_version
            ));
        }
        let Some(status) = answer.status else {
            return refuse("exec plugin didn't return a status field");
        };
        let some = |text: Option<String>| text.filter(|text| !text.is_empty()).map(Secret::from);
        let token = some(status.token);
        let certificate = match (
            some(status.client_certificate_data),
            some(status.client_key_data),
        ) {
            (None, None) if token.is_none() => {
                return refuse("exec plugin didn't return a token or cert/key pair");
            }
            (None, None) => None,
            (Some(chain), Some(key)) => Some(Arc::new(Certificate {
                chain: chain.expose().as_bytes().to_vec(),
                key,
            })),
            _ => return refuse("exec plugin returned only certificate or key, not both"),
        };
        let authorization = token.as_ref().map(bearer).transpose()?;
        Ok((
            Presented {
                authorization,
                certificate,
            },
            status.expiration_timestamp,
        ))
    }

    fn not_started(&self, error: &std::io::Error) -> Error {
        if error.kind() != std::io::ErrorKind::NotFound {
            return failed(error);
        }
        let mut text = format!("exec: executable {} not found", self.exec.command);
        if let Some(hint) = &self.exec.install_hint {
            text.push_str("\n\n");
            // It comes from a file that may be somebody else's, and goes to a terminal.
            text.extend(
                hint.chars()
                    .filter(|c| !c.is_control() || matches!(c, '\n' | '\t')),
            );
        }
        Error::Plugin(text)
    }
}

fn failed(error: &std::io::Error) -> Error {
    Error::Plugin(format!("exec: {error}"))
}

/// A cluster as plugins see it. Authorities always come as data.
fn cluster_info(cluster: &Cluster) -> Result<serde_json::Value, Error> {
    let mut info = serde_json::Map::new();
    info.insert("server".to_owned(), json!(cluster.server));
    if let Some(name) = &cluster.tls_server_name {
        info.insert("tls-server-name".to_owned(), json!(name));
    }
    if cluster.insecure_skip_tls_verify {
        info.insert("insecure-skip-tls-verify".to_owned(), json!(true));
    }
    let authorities = match (
        &cluster.certificate_authority_data,
        &cluster.certificate_authority,
    ) {
        (Some(data), _) => Some(STANDARD.encode(data)),
        (None, Some(file)) => Some(STANDARD.encode(&*files::read(file)?)),
        (None, None) => None,
    };
    if let Some(authorities) = authorities {
        info.insert("certificate-authority-data".to_owned(), json!(authorities));
    }
    if let Some(proxy) = &cluster.proxy_url {
        info.insert("proxy-url".to_owned(), json!(proxy.expose()));
    }
    info.insert("config".to_owned(), json!(cluster.exec_config));
    Ok(serde_json::Value::Object(info))
}

#[cfg(test)]
mod tests {
    use burgee_identity::SettableClock;

    use super::*;

    const V1: &str = "client.authentication.k8s.io/v1";

    fn shell(script: &str) -> ExecPlugin {
        ExecPlugin {
            command: "/bin/sh".to_owned(),
            args: vec!["-c".to_owned(), script.to_owned()],
            api_version: V1.to_owned(),
            interactive_mode: Some(InteractiveMode::Never),
            ..ExecPlugin::default()
        }
    }

    fn plugin(exec: ExecPlugin) -> (Plugin, Arc<SettableClock>) {
        let clock = Arc::new(SettableClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let plugin = Plugin::new(exec, &Cluster::default(), clock.clone()).unwrap();
        (plugin, clock)
    }

    /// A plugin that answers with this status.
    fn answering(status: &str) -> Plugin {
        let script =
            format!(r#"echo '{{"apiVersion":"{V1}","kind":"ExecCredential","status":{status}}}'"#);
        plugin(shell(&script)).0
    }

    async fn token(plugin: &Plugin) -> String {
        let presented = plugin.present().await.unwrap();
        presented
            .authorization
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    }

    /// A plugin that counts its runs in a file, and gives the count as token.
    fn counting(folder: &std::path::Path, ends: &str) -> (Plugin, Arc<SettableClock>) {
        let script = format!(
            r#"echo x >> {0}; echo "{{\"apiVersion\":\"{V1}\",\"kind\":\"ExecCredential\",\"status\":{{\"token\":\"run-$(wc -l < {0} | tr -d ' ')\"{ends}}}}}""#,
            folder.join("runs").display()
        );
        plugin(shell(&script))
    }

    #[tokio::test]
    async fn a_credential_is_kept_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let ends = r#",\"expirationTimestamp\":\"2026-01-01T01:00:00Z\""#;
        let (plugin, clock) = counting(folder.path(), ends);
        assert_eq!(token(&plugin).await, "Bearer run-1");
        clock.advance(Duration::from_secs(3600));
        assert_eq!(token(&plugin).await, "Bearer run-1");
        clock.advance(Duration::from_secs(1));
        assert_eq!(token(&plugin).await, "Bearer run-2");
    }

    #[tokio::test]
    async fn a_credential_that_was_refused_is_not_shown_again() {
        let folder = tempfile::tempdir().unwrap();
        let (plugin, clock) = counting(folder.path(), "");
        clock.advance(Duration::from_secs(10));
        assert_eq!(token(&plugin).await, "Bearer run-1");
        plugin.forget_older_than(Duration::from_secs(9)).await;
        assert_eq!(token(&plugin).await, "Bearer run-1");
        plugin.forget_older_than(Duration::from_secs(10)).await;
        assert_eq!(token(&plugin).await, "Bearer run-2");
    }

    #[tokio::test]
    async fn a_plugin_is_told_of_the_cluster_and_given_its_variables() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("info");
        let script = format!(
            r#"printf %s "$KUBERNETES_EXEC_INFO" > {}; echo "{{\"apiVersion\":\"{V1}\",\"kind\":\"ExecCredential\",\"status\":{{\"token\":\"$SECRET\"}}}}""#,
            file.display()
        );
        let exec = ExecPlugin {
            env: vec![("SECRET".to_owned(), Secret::from("s3cr3t".to_owned()))],
            provide_cluster_info: true,
            ..shell(&script)
        };
        let cluster = Cluster {
            server: "https://a".to_owned(),
            certificate_authority_data: Some(b"pem".to_vec()),
            exec_config: Some(json!({"audience": "x"})),
            ..Cluster::default()
        };
        let clock = Arc::new(SettableClock::at(Timestamp::UNIX_EPOCH));
        let plugin = Plugin::new(exec, &cluster, clock).unwrap();
        assert_eq!(token(&plugin).await, "Bearer s3cr3t");
        let told: serde_json::Value =
            serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(
            told,
            json!({"apiVersion": V1, "kind": "ExecCredential", "spec": {
                "interactive": false,
                "cluster": {"server": "https://a", "certificate-authority-data": "cGVt", "config": {"audience": "x"}},
            }})
        );
        assert!(!format!("{plugin:?}").contains("s3cr3t"));
    }

    #[tokio::test]
    async fn what_a_plugin_does_wrong_is_said_in_client_gos_words() {
        for (script, expected) in [
            ("exit 3", "exec: executable /bin/sh failed with exit code 3"),
            (
                "echo s3cr3t",
                "decoding stdout: not an ExecCredential (line 1, column 1)",
            ),
            ("echo '{}'", "decoding stdout: not an ExecCredential"),
            (
                r#"echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"}'"#,
                "exec plugin is configured to use API version client.authentication.k8s.io/v1, plugin returned version client.authentication.k8s.io/v1beta1",
            ),
            (
                "head -c 2000000 /dev/zero",
                "decoding stdout: longer than 1048576 bytes",
            ),
        ] {
            let error = plugin(shell(script)).0.present().await.unwrap_err();
            assert_eq!(error.to_string(), expected, "{script}");
        }
        for (status, expected) in [
            ("null", "exec plugin didn't return a status field"),
            ("{}", "exec plugin didn't return a token or cert/key pair"),
            (
                r#"{"clientKeyData":"k"}"#,
                "exec plugin returned only certificate or key, not both",
            ),
        ] {
            let error = answering(status).present().await.unwrap_err();
            assert_eq!(error.to_string(), expected, "{status}");
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_comes_with_the_hint_and_without_escape_sequences() {
        let exec = ExecPlugin {
            command: "/nowhere/plugin".to_owned(),
            install_hint: Some("brew install \u{1b}[1mplugin".to_owned()),
            ..shell("")
        };
        let error = plugin(exec).0.present().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "exec: executable /nowhere/plugin not found\n\nbrew install [1mplugin"
        );
    }

    #[test]
    fn standard_input_is_given_as_the_mode_says() {
        let of = |mode| ExecPlugin {
            interactive_mode: Some(mode),
            ..shell("")
        };
        let asks = |mode, terminal| plugin(of(mode)).0.is_interactive(terminal).ok();
        assert_eq!(asks(InteractiveMode::Always, true), Some(true));
        assert_eq!(asks(InteractiveMode::Always, false), None);
        assert_eq!(asks(InteractiveMode::IfAvailable, true), Some(true));
        assert_eq!(asks(InteractiveMode::IfAvailable, false), Some(false));
        assert_eq!(asks(InteractiveMode::Never, true), Some(false));
    }

    #[tokio::test]
    async fn a_certificate_of_a_plugin_comes_with_its_key() {
        let plugin = answering(r#"{"clientCertificateData":"c","clientKeyData":"k"}"#);
        let presented = plugin.present().await.unwrap();
        let certificate = presented.certificate.unwrap();
        assert_eq!(certificate.chain, b"c");
        assert_eq!(certificate.key, Secret::from("k".to_owned()));
        assert!(presented.authorization.is_none());
    }
}
