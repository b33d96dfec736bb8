//! The files of authentication: read at the start, and again when they change.

use std::path::Path;

use anyhow::Context as _;
use burgee_authn::{Http2Mitigation, Reload};
use burgee_controllers::AuthenticationTrust;
use burgee_pki::Pki;
use burgee_server::{AnonymousRequests, Config, NamedFile, Reloads};
use tokio::sync::watch;

use super::AuthenticationConfig;
use super::watch::{Watch, read};

/// Reads what authentication needs into the server's configuration.
pub(super) fn configure(
    server: &mut Config,
    config: &AuthenticationConfig,
    pki: &Pki,
) -> anyhow::Result<()> {
    // The data directory's own authority vouches for the administrator.
    server.client_ca = vec![NamedFile {
        path: pki.authority_file().display().to_string(),
        content: pki.authority().to_vec(),
    }];
    server.client_ca.extend(file(
        "client-ca-file",
        config.client_authorities.as_deref(),
    )?);
    server.client_crl = file("client-crl-file", config.client_revocations.as_deref())?;
    server.static_tokens = file("token-auth-file", config.token_file.as_deref())?;
    server.bootstrap_tokens = config.bootstrap_tokens;
    server.anonymous = match config.anonymous.unwrap_or(true) {
        true => AnonymousRequests::Allow,
        false => AnonymousRequests::Refuse,
    };
    server.http2_mitigation = match config.closes_http2 {
        true => Http2Mitigation::Close,
        false => Http2Mitigation::KeepOpen,
    };
    Ok(())
}

/// What other servers should trust to know callers as this one does.
pub(super) fn trust(reloads: &Reloads) -> AuthenticationTrust {
    let text = |pem: Vec<u8>| String::from_utf8_lossy(&pem).into_owned();
    AuthenticationTrust {
        client_ca: reloads.trusted_clients().map(text),
        request_header: None,
    }
}

/// Brings every changed file into force.
pub(super) fn follow(
    watch: &mut Watch,
    config: &AuthenticationConfig,
    reloads: &Reloads,
    trust: &watch::Sender<AuthenticationTrust>,
) {
    if let Some(file) = &config.client_authorities {
        let (reloads, trust) = (reloads.clone(), trust.clone());
        let name = file.display().to_string();
        add(watch, "client-ca-file", file, move |pem| {
            let reload = reloads.client_ca(&name, &pem)?;
            trust.send_if_modified(|trust| {
                let all = reloads.trusted_clients();
                let all = all.map(|pem| String::from_utf8_lossy(&pem).into_owned());
                let is_new = trust.client_ca != all;
                trust.client_ca = all;
                is_new
            });
            Ok(reload)
        });
    }
    if let Some(file) = &config.client_revocations {
        let reloads = reloads.clone();
        let name = file.display().to_string();
        add(watch, "client-crl-file", file, move |pem| {
            reloads.client_crl(&name, &pem)
        });
    }
    if let Some(file) = &config.token_file {
        let reloads = reloads.clone();
        add(watch, "token-auth-file", file, move |csv| {
            reloads.static_tokens(&csv)
        });
    }
}

/// Has `take` bring each content of a file into force, and tells what came of it, once.
fn add(
    watch: &mut Watch,
    setting: &'static str,
    file: &Path,
    mut take: impl FnMut(Vec<u8>) -> Result<Reload, burgee_server::Error> + Send + 'static,
) {
    let name = file.display().to_string();
    let mut told = String::new();
    watch.file(file, move |content| {
        let taken = content
            .map_err(anyhow::Error::from)
            .and_then(|content| Ok(take(content)?));
        match taken {
            Ok(Reload::Unchanged) => told.clear(),
            Ok(Reload::Changed) => {
                told.clear();
                tracing::info!(file = name, "{setting} has changed and is in force");
            }
            Err(error) => {
                let error = format!("{error:#}");
                if told != error {
                    tracing::error!(
                        file = name,
                        error,
                        "{setting} has changed and is of no use; what it held before stays in force"
                    );
                    told = error;
                }
            }
        }
    });
}

/// Reads a file that a flag, or the setting of that name, names.
fn file(setting: &str, file: Option<&Path>) -> anyhow::Result<Option<NamedFile>> {
    let Some(file) = file else {
        return Ok(None);
    };
    let content =
        read(file).with_context(|| format!("cannot read {setting} {}", file.display()))?;
    Ok(Some(NamedFile {
        path: file.display().to_string(),
        content,
    }))
}
