//! Who may call, and how they prove who they are: the settings of authentication, resolved.

use std::path::PathBuf;
use std::time::Duration;

use burgee_oidc::OidcFlags;
use burgee_token_webhook::ReviewVersion;

use super::config::{Problem, Problems};
use super::settings::Settings;

/// How callers prove who they are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthenticationConfig {
    /// Authorities in PEM whose client certificates are accepted, besides the data directory's own.
    pub client_authorities: Option<PathBuf>,
    /// Revocation lists in PEM for client certificates.
    pub client_revocations: Option<PathBuf>,
    /// Front proxies, which name users in headers.
    pub front_proxies: Option<FrontProxyConfig>,
    /// The CSV file of static tokens.
    pub token_file: Option<PathBuf>,
    /// Whether bootstrap tokens are accepted.
    pub bootstrap_tokens: bool,
    /// Where issuers of JWTs are configured.
    pub jwt: JwtConfig,
    /// The service that judges tokens.
    pub webhook: Option<WebhookConfig>,
    /// Whether requests without credentials go on as `system:anonymous`, where that was said.
    /// Otherwise they do, unless the AuthenticationConfiguration says something else.
    pub anonymous: Option<bool>,
    /// Whether HTTP/2 connections end after a request of nobody known.
    pub closes_http2: bool,
}

/// Where issuers of JWTs are configured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum JwtConfig {
    /// In this AuthenticationConfiguration.
    File(PathBuf),
    /// By the settings `oidc-*`, which may all be absent.
    Flags(Box<OidcFlags>),
}

/// Front proxies, which name users in headers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FrontProxyConfig {
    /// Authorities in PEM that their certificates lead up to.
    pub authorities: PathBuf,
    /// Common names of their certificates; empty for all.
    pub allowed_names: Vec<String>,
    /// Headers that name the user.
    pub username_headers: Vec<String>,
    /// Headers that hold the user's uid.
    pub uid_headers: Vec<String>,
    /// Headers that name groups.
    pub group_headers: Vec<String>,
    /// How headers with further attributes begin.
    pub extra_headers_prefix: Vec<String>,
}

/// The service that judges tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebhookConfig {
    /// Its kubeconfig.
    pub file: PathBuf,
    /// The version of TokenReview to send.
    pub version: ReviewVersion,
    /// How long its yes is remembered.
    pub cache_ttl: Duration,
    /// How long its no is remembered.
    pub failure_cache_ttl: Duration,
}

impl AuthenticationConfig {
    pub(super) fn resolve(settings: &Settings, problems: &mut Problems) -> Self {
        let client_authorities = problems.path("client-ca-file", settings.client_ca_file.clone());
        let client_revocations = problems.path("client-crl-file", settings.client_crl_file.clone());
        let token_file = problems.path("token-auth-file", settings.token_auth_file.clone());
        Self {
            client_authorities,
            client_revocations,
            front_proxies: front_proxies(settings, problems),
            token_file,
            bootstrap_tokens: settings.enable_bootstrap_token_auth.unwrap_or_default(),
            jwt: jwt(settings, problems),
            webhook: webhook(settings, problems),
            anonymous: settings.anonymous_auth,
            closes_http2: settings
                .unauthenticated_http2_dos_mitigation
                .unwrap_or_default(),
        }
    }
}

fn front_proxies(settings: &Settings, problems: &mut Problems) -> Option<FrontProxyConfig> {
    let list = |given: &Option<Vec<String>>| given.clone().unwrap_or_default();
    // Without authorities nobody may name users, and the other settings have no effect.
    let authorities = problems.path(
        "requestheader-client-ca-file",
        settings.requestheader_client_ca_file.clone(),
    )?;
    Some(FrontProxyConfig {
        authorities,
        allowed_names: list(&settings.requestheader_allowed_names),
        username_headers: list(&settings.requestheader_username_headers),
        uid_headers: list(&settings.requestheader_uid_headers),
        group_headers: list(&settings.requestheader_group_headers),
        extra_headers_prefix: list(&settings.requestheader_extra_headers_prefix),
    })
}

fn jwt(settings: &Settings, problems: &mut Problems) -> JwtConfig {
    let flags = OidcFlags {
        issuer_url: settings.oidc_issuer_url.clone(),
        client_id: settings.oidc_client_id.clone(),
        ca_file: problems.path("oidc-ca-file", settings.oidc_ca_file.clone()),
        username_claim: settings.oidc_username_claim.clone(),
        username_prefix: settings.oidc_username_prefix.clone(),
        groups_claim: settings.oidc_groups_claim.clone(),
        groups_prefix: settings.oidc_groups_prefix.clone(),
        signing_algs: settings.oidc_signing_algs.clone(),
        required_claims: settings.oidc_required_claim.clone(),
    };
    let file = settings.authentication_config.clone();
    match problems.path("authentication-config", file) {
        Some(file) => {
            if flags.any() {
                problems.add(Problem::AuthenticationConfigAndOidc);
            }
            JwtConfig::File(file)
        }
        None => JwtConfig::Flags(Box::new(flags)),
    }
}

fn webhook(settings: &Settings, problems: &mut Problems) -> Option<WebhookConfig> {
    let version = settings.authentication_token_webhook_version.as_deref();
    let cache_ttl = settings.authentication_token_webhook_cache_ttl;
    let cache_ttl = cache_ttl.unwrap_or_default().0;
    let failure_cache_ttl = settings.authentication_token_webhook_failure_cache_ttl;
    let file = problems.path(
        "authentication-token-webhook-config-file",
        settings.authentication_token_webhook_config_file.clone(),
    )?;
    let version = version.unwrap_or_default();
    let version = version.parse().unwrap_or_else(|_| {
        problems.add(Problem::WebhookVersion(version.to_owned()));
        ReviewVersion::default()
    });
    Some(WebhookConfig {
        file,
        version,
        cache_ttl,
        failure_cache_ttl: failure_cache_ttl.map_or(cache_ttl, |ttl| ttl.0),
    })
}

#[cfg(test)]
mod tests {
    use super::super::ServeConfig;
    use super::*;

    fn resolve(settings: Settings) -> Result<AuthenticationConfig, Vec<String>> {
        let settings = Settings {
            data_dir: Some("/data".into()),
            ..settings
        };
        match ServeConfig::resolve(settings) {
            Ok(config) => Ok(config.authentication),
            Err(invalid) => Err(invalid.problems.iter().map(Problem::to_string).collect()),
        }
    }

    #[test]
    fn by_default_there_are_certificates_and_service_accounts_only() {
        let config = resolve(Settings::default()).unwrap();
        assert_eq!(config.jwt, JwtConfig::Flags(Box::default()));
        assert!(config.closes_http2 && !config.bootstrap_tokens);
        assert_eq!((config.anonymous, config.webhook), (None, None));
        assert_eq!((config.front_proxies, config.token_file), (None, None));
    }

    #[test]
    fn issuers_are_configured_in_one_place() {
        let problems = resolve(Settings {
            authentication_config: Some("/a.yaml".into()),
            oidc_username_claim: Some("sub".to_owned()),
            ..Settings::default()
        });
        assert_eq!(
            problems.unwrap_err(),
            ["authentication-config file and oidc-* flags are mutually exclusive"]
        );
    }

    #[test]
    fn headers_without_authorities_for_proxies_have_no_effect() {
        let headers = Some(vec!["X-Remote-User".to_owned()]);
        let settings = Settings {
            requestheader_username_headers: headers.clone(),
            ..Settings::default()
        };
        assert_eq!(resolve(settings.clone()).unwrap().front_proxies, None);
        let settings = Settings {
            requestheader_client_ca_file: Some("/proxies.crt".into()),
            ..settings
        };
        let proxies = resolve(settings).unwrap().front_proxies.unwrap();
        assert_eq!(Some(proxies.username_headers), headers);
        assert!(proxies.allowed_names.is_empty());
    }

    #[test]
    fn a_webhook_speaks_one_of_two_versions() {
        let settings = |version: Option<&str>| Settings {
            authentication_token_webhook_config_file: Some("/webhook".into()),
            authentication_token_webhook_version: version.map(str::to_owned),
            ..Settings::default()
        };
        let webhook = resolve(settings(None)).unwrap().webhook.unwrap();
        assert_eq!(webhook.version, ReviewVersion::V1beta1);
        assert_eq!(webhook.cache_ttl, Duration::from_secs(120));
        assert_eq!(webhook.failure_cache_ttl, webhook.cache_ttl);
        assert_eq!(
            resolve(settings(Some("x"))).unwrap_err(),
            [
                "unsupported authentication webhook version \"x\", supported versions are \"v1\", \"v1beta1\""
            ]
        );
    }
}
