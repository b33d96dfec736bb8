//! The files of authentication: read at the start, and again when they change.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use burgee_authn::{
    ClientCertificates, FrontProxy, FrontProxyOptions, Http2Mitigation, NoMetrics, Reload,
    StaticTokens, UidPolicy,
};
use burgee_controllers::{AuthenticationTrust, RequestHeaderTrust};
use burgee_identity::{Clock, SystemClock};
use burgee_kubeconfig::Kubeconfig;
use burgee_oidc::{
    AnonymousConfiguration, AuthenticationConfiguration, ConfigurationError, JwtAuthenticator,
    Reloader, Rules,
};
use burgee_pki::Pki;
use burgee_server::{AnonymousRequests, Config, FrontProxies, NamedFile, Reloads, TokenWebhook};
use burgee_wire::url::{Url, scheme};
use tokio::sync::watch;

use super::watch::{Watch, read};
use super::{AuthenticationConfig, FrontProxyConfig, JwtConfig, WebhookConfig};

/// An AuthenticationConfiguration that was read, for whoever follows its changes.
pub(super) struct JwtFile {
    file: NamedFile,
    rules: Rules,
    configuration: AuthenticationConfiguration,
}

/// Reads what authentication needs into the server's configuration.
pub(super) fn configure(
    server: &mut Config,
    config: &AuthenticationConfig,
    pki: &Pki,
) -> anyhow::Result<Option<JwtFile>> {
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
    let webhook = config.webhook.as_ref();
    for (setting, secret) in [
        ("token-auth-file", config.token_file.as_deref()),
        (
            "authentication-token-webhook-config-file",
            webhook.map(|webhook| webhook.file.as_path()),
        ),
    ] {
        warn_if_others_read(setting, secret);
    }
    if let Some(proxies) = &config.front_proxies {
        let path = Some(proxies.authorities.as_path());
        let client_ca = file("requestheader-client-ca-file", path)?;
        let options = front_proxy_options(proxies);
        server.front_proxies = client_ca.map(|client_ca| FrontProxies { client_ca, options });
    }
    if let Some(webhook) = &config.webhook {
        server.webhook = Some(token_webhook(webhook)?);
    }
    server.bootstrap_tokens = config.bootstrap_tokens;
    let (jwt, jwt_file) = issuers(&server.issuers, &config.jwt)?;
    server.jwt = jwt;
    for warning in burgee_oidc::warnings(&server.jwt) {
        tracing::warn!("{warning}");
    }
    let anonymous = jwt_file.as_ref();
    let anonymous = anonymous.and_then(|file| file.configuration.anonymous.as_ref());
    let anonymous = AnonymousConfiguration::effective(anonymous, config.anonymous)?;
    server.anonymous = match anonymous.conditions {
        _ if !anonymous.enabled => AnonymousRequests::Refuse,
        paths if paths.is_empty() => AnonymousRequests::Allow,
        paths => AnonymousRequests::AllowAt(paths),
    };
    server.http2_mitigation = match config.closes_http2 {
        true => Http2Mitigation::Close,
        false => Http2Mitigation::KeepOpen,
    };
    Ok(jwt_file)
}

fn front_proxy_options(config: &FrontProxyConfig) -> FrontProxyOptions {
    FrontProxyOptions {
        allowed_names: config.allowed_names.clone(),
        username_headers: config.username_headers.clone(),
        uid_headers: config.uid_headers.clone(),
        group_headers: config.group_headers.clone(),
        extra_header_prefixes: config.extra_headers_prefix.clone(),
        ..FrontProxyOptions::default()
    }
}

fn token_webhook(webhook: &WebhookConfig) -> anyhow::Result<TokenWebhook> {
    let file = webhook.file.display();
    let wrong = || format!("cannot use authentication-token-webhook-config-file {file}");
    let kubeconfig = Kubeconfig::read(&webhook.file).with_context(wrong)?;
    let access = kubeconfig.access(None).with_context(wrong)?;
    if !sends_in_secret(access.server()) {
        bail!(
            "cannot use authentication-token-webhook-config-file {file}: {} is not spoken to over TLS, so everybody on the way could read the tokens that it is asked about",
            access.server()
        );
    }
    let client = access.client(Arc::new(SystemClock::new()));
    Ok(TokenWebhook {
        client: client.with_context(wrong)?,
        version: webhook.version,
        success_ttl: webhook.cache_ttl,
        failure_ttl: webhook.failure_cache_ttl,
    })
}

/// Whether nobody between here and the server can read what it is sent.
fn sends_in_secret(server: &str) -> bool {
    let host = Url::parse(server).map(|url| url.host_name().to_owned());
    let host = host.unwrap_or_default();
    let address = host.parse::<std::net::IpAddr>();
    scheme(server) == "https"
        || host == "localhost"
        || address.is_ok_and(|address| address.is_loopback())
}

/// Issuers of JWTs. None may have the name of one of `own`, whose tokens are made here.
fn issuers(
    own: &[String],
    config: &JwtConfig,
) -> anyhow::Result<(Vec<JwtAuthenticator>, Option<JwtFile>)> {
    let rules = Rules {
        disallowed_issuers: own.to_vec(),
    };
    let path = match config {
        JwtConfig::Flags(flags) => {
            let issuer = flags.as_ref().clone().check(&rules)?;
            return Ok((issuer.into_iter().collect(), None));
        }
        JwtConfig::File(path) => path,
    };
    let name = path.display().to_string();
    let content = read(path).map_err(|error| ConfigurationError::unreadable(&name, &error))?;
    let configuration = AuthenticationConfiguration::load(&name, &content, &rules)?;
    let jwt = configuration.jwt.clone();
    let file = NamedFile {
        path: name,
        content,
    };
    let file = JwtFile {
        file,
        rules,
        configuration,
    };
    Ok((jwt, Some(file)))
}

/// Reads every file of authentication as a start would, and finds the same faults.
pub(super) fn validate(
    config: &AuthenticationConfig,
    own_issuers: &[String],
) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let clients = ClientCertificates::new(
        config
            .client_authorities
            .as_deref()
            .map_or_else(String::new, |file| {
                format!("client-ca-bundle::{}", file.display())
            }),
        UidPolicy::FromSubject,
        Arc::clone(&clock),
        Arc::new(NoMetrics),
    )?;
    if let Some(bundle) = file("client-ca-file", config.client_authorities.as_deref())? {
        clients.reload(&bundle.content)?;
    }
    if let Some(lists) = file("client-crl-file", config.client_revocations.as_deref())? {
        clients.reload_revocations(&lists.path, &lists.content)?;
    }
    if let Some(proxies) = &config.front_proxies {
        let name = format!("request-header::{}", proxies.authorities.display());
        let proxy = FrontProxy::new(name, &front_proxy_options(proxies), clock)?;
        let path = Some(proxies.authorities.as_path());
        if let Some(bundle) = file("requestheader-client-ca-file", path)? {
            proxy.reload(&bundle.content)?;
        }
        proxy.check_overlap(&clients)?;
    }
    if let Some(NamedFile { path, content }) =
        file("token-auth-file", config.token_file.as_deref())?
    {
        let wrong = format!("cannot use token-auth-file {path}");
        StaticTokens::new(path, &content).context(wrong)?;
    }
    if let Some(webhook) = &config.webhook {
        token_webhook(webhook)?;
    }
    let (jwt, file) = issuers(own_issuers, &config.jwt)?;
    for warning in burgee_oidc::warnings(&jwt) {
        tracing::warn!("{warning}");
    }
    let anonymous = file
        .as_ref()
        .and_then(|file| file.configuration.anonymous.as_ref());
    AnonymousConfiguration::effective(anonymous, config.anonymous)?;
    Ok(())
}

/// What other servers should trust to know callers as this one does.
pub(super) fn trust(
    reloads: &Reloads,
    front_proxies: Option<&FrontProxyConfig>,
) -> AuthenticationTrust {
    let request_header = front_proxies.map(|proxies| RequestHeaderTrust {
        client_ca: reloads.trusted_proxies().unwrap_or_default(),
        allowed_names: proxies.allowed_names.clone(),
        username_headers: proxies.username_headers.clone(),
        uid_headers: proxies.uid_headers.clone(),
        group_headers: proxies.group_headers.clone(),
        extra_headers_prefix: proxies.extra_headers_prefix.clone(),
    });
    AuthenticationTrust {
        client_ca: reloads.trusted_clients(),
        request_header,
    }
}

/// Brings every changed file into force.
pub(super) fn follow(
    watch: &mut Watch,
    config: &AuthenticationConfig,
    reloads: &Reloads,
    trust: &watch::Sender<AuthenticationTrust>,
) {
    let publish = {
        let (reloads, trust) = (reloads.clone(), trust.clone());
        let proxies = config.front_proxies.clone();
        move || {
            let next = self::trust(&reloads, proxies.as_ref());
            trust.send_if_modified(|trust| {
                let is_new = *trust != next;
                *trust = next;
                is_new
            });
        }
    };
    if let Some(file) = &config.client_authorities {
        let (reloads, publish) = (reloads.clone(), publish.clone());
        let name = file.display().to_string();
        add(watch, "client-ca-file", file, move |pem| {
            let reload = reloads.client_ca(&name, &pem)?;
            publish();
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
    if let Some(proxies) = &config.front_proxies {
        let reloads = reloads.clone();
        let (setting, file) = ("requestheader-client-ca-file", &proxies.authorities);
        add(watch, setting, file, move |pem| {
            let reload = reloads.front_proxy_ca(&pem)?;
            publish();
            Ok(reload)
        });
    }
    if let Some(file) = &config.token_file {
        let reloads = reloads.clone();
        add(watch, "token-auth-file", file, move |csv| {
            reloads.static_tokens(&csv)
        });
    }
}

/// Brings a changed AuthenticationConfiguration into force, once its issuers were found.
pub(super) fn follow_issuers(
    watch: &mut Watch,
    read: JwtFile,
    reloads: &Reloads,
    clock: Arc<dyn Clock>,
) -> Reloader {
    let JwtFile {
        file,
        rules,
        configuration,
    } = read;
    let (name, jwt) = (&file.path, reloads.jwt());
    let reloader = Reloader::new(name, &file.content, &configuration, rules, jwt, clock);
    let offers = reloader.offers();
    watch.file(Path::new(name), move |content| offers.offer(content));
    reloader
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

/// Says so when a file with credentials is open to others. kube-apiserver takes such files, and so they
/// are taken here.
fn warn_if_others_read(setting: &str, file: Option<&Path>) {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(file) = file else { return };
    let mode = std::fs::metadata(file).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o007 != 0 {
        tracing::warn!(
            file = %file.display(),
            "{setting} can be read by every user of this machine; chmod o= takes that away"
        );
    }
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
