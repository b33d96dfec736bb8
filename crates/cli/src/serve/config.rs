//! The settings of `burgee serve`, resolved and validated.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use burgee_pki::{ServiceAccountKeyFiles, ServingSource, SubjectName};
use burgee_wire::quoted;

use super::authentication::AuthenticationConfig;
use super::settings::Settings;
use crate::go_url;

/// What `burgee serve` is going to do. Every value has been checked as far as that is possible
/// without reading files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServeConfig {
    /// Where everything is kept.
    pub data_directory: PathBuf,
    /// The addresses to listen on: at least one, none twice. Port 0 is any free port.
    pub listen: Vec<SocketAddr>,
    /// Where the serving certificate comes from.
    pub serving: ServingSource,
    /// Names for an issued serving certificate, besides the usual ones.
    pub serving_names: Vec<SubjectName>,
    /// How callers prove who they are.
    pub authentication: AuthenticationConfig,
    /// How service-account tokens are issued and accepted.
    pub service_account: ServiceAccountConfig,
    /// The longest time that a request other than a watch may take.
    pub request_timeout: Duration,
    /// How long the server goes on, not ready, after it was told to stop.
    pub shutdown_delay: Duration,
    /// How long open requests may take to finish after that.
    pub shutdown_grace_period: Duration,
}

/// How service-account tokens are issued and accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceAccountConfig {
    /// Accepted issuers, at least one; the first issues.
    pub issuers: Vec<String>,
    /// Audiences that the API answers to, at least one.
    pub api_audiences: Vec<String>,
    /// Where verifiers find the keys, if not at this server: an https URL.
    pub jwks_uri: Option<String>,
    /// The longest life of a token, if it is limited.
    pub max_token_expiration: Option<Duration>,
    /// Whether tokens that are injected into pods live longer than they say.
    pub extend_token_expiration: bool,
    /// The key that signs, if it is not the data directory's own.
    pub signing_key: Option<PathBuf>,
    /// Files of keys that verify, in the order of their publication; perhaps none.
    pub keys: Vec<PathBuf>,
}

impl ServiceAccountConfig {
    /// The file of the key that signs, and those of the keys that verify, given the data directory's
    /// own.
    ///
    /// While the data directory's key signs, its public half verifies whatever else does. A key of
    /// one's own verifies by itself unless files are named; then its public half must be in one of
    /// them, which is checked where they are read.
    #[must_use]
    pub fn key_files(&self, own: &ServiceAccountKeyFiles) -> (PathBuf, Vec<PathBuf>) {
        let mut keys = self.keys.clone();
        match &self.signing_key {
            None => {
                if !keys.contains(&own.verification) {
                    keys.push(own.verification.clone());
                }
                (own.signing.clone(), keys)
            }
            Some(signing) => {
                if keys.is_empty() {
                    keys.push(signing.clone());
                }
                (signing.clone(), keys)
            }
        }
    }
}

/// Settings that do not make a configuration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{} in the configuration", count(problems.len()))]
pub struct InvalidConfig {
    /// All that is wrong, in the order of the checks.
    pub problems: Vec<Problem>,
}

/// What is wrong with one setting. Where kube-apiserver checks the same, the text is the same.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Problem {
    /// Issuers of JWTs are configured in two places.
    #[error("authentication-config file and oidc-* flags are mutually exclusive")]
    AuthenticationConfigAndOidc,
    /// An address to listen on was given twice.
    #[error("bind {0} is already specified")]
    BindDuplicate(SocketAddr),
    /// There is no address to listen on.
    #[error("bind needs at least one address")]
    BindMissing,
    /// No data directory was given, and there is no home directory to have one in.
    #[error("data-dir is required where neither XDG_DATA_HOME nor HOME is an absolute path")]
    DataDirectoryUnknown,
    /// A list or text has to say something.
    #[error("{0} should not be an empty string")]
    Empty(&'static str),
    /// An issuer was given twice.
    #[error("service-account-issuer {} is already specified", quoted(.0))]
    IssuerDuplicate(String),
    /// An issuer with a colon is no URL.
    #[error(
        "service-account-issuer {} contained a ':' but was not a valid URL: {reason}",
        quoted(issuer)
    )]
    IssuerInvalid {
        /// The issuer.
        issuer: String,
        /// What Go's parser would say.
        reason: String,
    },
    /// There is no issuer.
    #[error("service-account-issuer is a required flag")]
    IssuerMissing,
    /// The address of the keys is no URL.
    #[error("service-account-jwks-uri must be a valid URL: {0}")]
    JwksUriInvalid(String),
    /// The address of the keys is a URL, but not https.
    #[error("service-account-jwks-uri requires https scheme, parsed as: {0}")]
    JwksUriNotHttps(String),
    /// The longest life of tokens is outside what is possible.
    #[error("the service-account-max-token-expiration must be between 1 hour and 2^32 seconds")]
    MaxTokenExpiration,
    /// No request could ever be answered.
    #[error("request-timeout must be longer than 0s")]
    RequestTimeoutZero,
    /// A name for the serving certificate is neither a DNS name nor an address.
    #[error("tls-san {} is not a DNS name or IP address", quoted(.0))]
    SubjectNameInvalid(String),
    /// A serving certificate without its key, or the key without its certificate.
    #[error("tls-cert-file and tls-private-key-file must be specified together")]
    TlsFilesIncomplete,
    /// Names were given for a certificate that is not issued here.
    #[error("tls-san has no effect on the certificate in tls-cert-file")]
    TlsNamesUnused,
    /// The webhook is to be spoken to in a version that does not exist.
    #[error(
        "unsupported authentication webhook version {}, supported versions are \"v1\", \"v1beta1\"",
        quoted(.0)
    )]
    WebhookVersion(String),
}

impl ServeConfig {
    /// Resolves and validates settings; what they do not say is as [`Settings::defaults`].
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn resolve(settings: Settings) -> Result<Self, InvalidConfig> {
        let settings = settings.or(Settings::defaults());
        let mut problems = Problems::default();

        let service_account = service_account(&settings, &mut problems);
        let authentication = AuthenticationConfig::resolve(&settings, &mut problems);
        let (serving, serving_names) = serving(&settings, &mut problems);
        let listen = settings.bind.unwrap_or_default();
        if listen.is_empty() {
            problems.add(Problem::BindMissing);
        }
        for address in duplicates(&listen) {
            // Port 0 is another port each time.
            if address.port() != 0 {
                problems.add(Problem::BindDuplicate(*address));
            }
        }
        let request_timeout = settings.request_timeout.unwrap_or_default().0;
        if request_timeout.is_zero() {
            problems.add(Problem::RequestTimeoutZero);
        }
        let data_directory = problems.path("data-dir", settings.data_dir);
        if data_directory.is_none() {
            problems.add(Problem::DataDirectoryUnknown);
        }
        let config = Self {
            data_directory: data_directory.unwrap_or_default(),
            listen,
            serving,
            serving_names,
            authentication,
            service_account,
            request_timeout,
            shutdown_delay: settings.shutdown_delay_duration.unwrap_or_default().0,
            shutdown_grace_period: settings.shutdown_grace_period.unwrap_or_default().0,
        };
        if problems.0.is_empty() {
            Ok(config)
        } else {
            Err(InvalidConfig {
                problems: problems.0,
            })
        }
    }
}

fn service_account(settings: &Settings, problems: &mut Problems) -> ServiceAccountConfig {
    const HOUR: Duration = Duration::from_secs(60 * 60);
    const LONGEST: Duration = Duration::from_secs(1 << 32);

    let max_token_expiration = settings
        .service_account_max_token_expiration
        .unwrap_or_default()
        .0;
    if !max_token_expiration.is_zero() && !(HOUR..=LONGEST).contains(&max_token_expiration) {
        problems.add(Problem::MaxTokenExpiration);
    }

    let issuers = settings.service_account_issuer.clone().unwrap_or_default();
    if issuers.is_empty() {
        problems.add(Problem::IssuerMissing);
    }
    for (position, issuer) in issuers.iter().enumerate() {
        if issuer.is_empty() {
            problems.add(Problem::Empty("service-account-issuer"));
        } else if issuers
            .iter()
            .take(position)
            .any(|earlier| earlier == issuer)
        {
            problems.add(Problem::IssuerDuplicate(issuer.clone()));
        } else if issuer.contains(':')
            && let Err(reason) = go_url::check(issuer)
        {
            let issuer = issuer.clone();
            problems.add(Problem::IssuerInvalid { issuer, reason });
        }
    }

    let jwks_uri = settings
        .service_account_jwks_uri
        .clone()
        .filter(|uri| !uri.is_empty());
    if let Some(uri) = &jwks_uri {
        if let Err(reason) = go_url::check(uri) {
            problems.add(Problem::JwksUriInvalid(reason));
        } else if go_url::scheme(uri) != "https" {
            problems.add(Problem::JwksUriNotHttps(uri.clone()));
        }
    }

    let audiences = settings
        .api_audiences
        .clone()
        .filter(|audiences| !audiences.is_empty());
    if audiences.iter().flatten().any(String::is_empty) {
        problems.add(Problem::Empty("api-audiences"));
    }
    let signing_key = settings.service_account_signing_key_file.clone();
    let keys = settings
        .service_account_key_file
        .clone()
        .unwrap_or_default();
    ServiceAccountConfig {
        api_audiences: audiences.unwrap_or_else(|| issuers.clone()),
        issuers,
        jwks_uri,
        max_token_expiration: Some(max_token_expiration).filter(|limit| !limit.is_zero()),
        extend_token_expiration: settings
            .service_account_extend_token_expiration
            .unwrap_or_default(),
        signing_key: problems.path("service-account-signing-key-file", signing_key),
        keys: keys
            .into_iter()
            .filter_map(|file| problems.path("service-account-key-file", Some(file)))
            .collect(),
    }
}

fn serving(settings: &Settings, problems: &mut Problems) -> (ServingSource, Vec<SubjectName>) {
    let mut names = Vec::new();
    for text in settings.tls_san.iter().flatten() {
        match text.parse() {
            Ok(name) => names.push(name),
            Err(_) => problems.add(Problem::SubjectNameInvalid(text.clone())),
        }
    }
    let certificates = problems.path("tls-cert-file", settings.tls_cert_file.clone());
    let key = problems.path(
        "tls-private-key-file",
        settings.tls_private_key_file.clone(),
    );
    let source = match (certificates, key) {
        (Some(certificates), Some(key)) => {
            if !names.is_empty() {
                problems.add(Problem::TlsNamesUnused);
            }
            ServingSource::Files { certificates, key }
        }
        (None, None) => ServingSource::Issued,
        _ => {
            problems.add(Problem::TlsFilesIncomplete);
            ServingSource::Issued
        }
    };
    (source, names)
}

#[derive(Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// The path, unless it is empty.
    pub(super) fn path(&mut self, setting: &'static str, path: Option<PathBuf>) -> Option<PathBuf> {
        let path = path?;
        if path.as_os_str().is_empty() {
            self.add(Problem::Empty(setting));
        }
        Some(path)
    }
}

fn duplicates<T: PartialEq>(items: &[T]) -> impl Iterator<Item = &T> {
    let is_repeated =
        |(position, item): &(usize, &T)| items.iter().take(*position).any(|other| other == *item);
    items
        .iter()
        .enumerate()
        .filter(is_repeated)
        .map(|(_, item)| item)
}

fn count(problems: usize) -> String {
    if problems == 1 {
        "1 problem".to_owned()
    } else {
        format!("{problems} problems")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Option<Vec<String>> {
        Some(texts.iter().map(|&text| text.to_owned()).collect())
    }

    fn minimal() -> Settings {
        Settings {
            data_dir: Some("/data".into()),
            ..Settings::default()
        }
    }

    fn problems(settings: Settings) -> Vec<String> {
        let invalid = ServeConfig::resolve(settings).unwrap_err();
        invalid.problems.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn the_defaults_serve_on_loopback_with_what_the_data_directory_holds() {
        let config = ServeConfig::resolve(minimal()).unwrap();
        assert_eq!(config.listen, ["127.0.0.1:6443".parse().unwrap()]);
        assert_eq!(config.serving, ServingSource::Issued);
        assert_eq!(config.request_timeout, Duration::from_secs(60));
        assert!(config.service_account.extend_token_expiration);
        assert_eq!(config.service_account.max_token_expiration, None);
    }

    #[test]
    fn audiences_are_the_issuers_unless_they_are_given() {
        let issuers = strings(&["https://a", "b"]);
        let config = ServeConfig::resolve(Settings {
            service_account_issuer: issuers,
            ..minimal()
        });
        assert_eq!(
            config.unwrap().service_account.api_audiences,
            ["https://a", "b"]
        );
        let config = ServeConfig::resolve(Settings {
            api_audiences: strings(&["c"]),
            ..minimal()
        });
        assert_eq!(config.unwrap().service_account.api_audiences, ["c"]);
    }

    #[test]
    fn every_problem_is_told_at_once_in_upstreams_words() {
        let settings = Settings {
            bind: Some(vec!["127.0.0.1:1".parse().unwrap(); 2]),
            tls_san: strings(&["a b"]),
            tls_cert_file: Some("a.crt".into()),
            token_auth_file: Some("".into()),
            service_account_issuer: strings(&["", "x", "x", "http://[::1]:namedport"]),
            service_account_jwks_uri: Some("http://keys".to_owned()),
            service_account_max_token_expiration: Some(crate::Duration::from_secs(3599)),
            request_timeout: Some(crate::Duration::default()),
            ..Settings::default()
        };
        assert_eq!(
            problems(settings),
            [
                "the service-account-max-token-expiration must be between 1 hour and 2^32 seconds",
                "service-account-issuer should not be an empty string",
                "service-account-issuer \"x\" is already specified",
                "service-account-issuer \"http://[::1]:namedport\" contained a ':' but was not a valid \
                 URL: parse \"http://[::1]:namedport\": invalid port \":namedport\" after host",
                "service-account-jwks-uri requires https scheme, parsed as: http://keys",
                "token-auth-file should not be an empty string",
                "tls-san \"a b\" is not a DNS name or IP address",
                "tls-cert-file and tls-private-key-file must be specified together",
                "bind 127.0.0.1:1 is already specified",
                "request-timeout must be longer than 0s",
                "data-dir is required where neither XDG_DATA_HOME nor HOME is an absolute path",
            ]
        );
    }

    #[test]
    fn lists_that_must_not_be_empty_are_not() {
        let settings = Settings {
            bind: Some(Vec::new()),
            service_account_issuer: Some(Vec::new()),
            api_audiences: strings(&["a", ""]),
            ..minimal()
        };
        assert_eq!(
            problems(settings),
            [
                "service-account-issuer is a required flag",
                "api-audiences should not be an empty string",
                "bind needs at least one address",
            ]
        );
    }

    #[test]
    fn the_longest_life_of_tokens_has_both_its_limits() {
        let resolve = |seconds| {
            let limit = Some(crate::Duration::from_secs(seconds));
            ServeConfig::resolve(Settings {
                service_account_max_token_expiration: limit,
                ..minimal()
            })
        };
        for (seconds, is_good) in [
            (0, true),
            (3599, false),
            (3600, true),
            (1 << 32, true),
            ((1 << 32) + 1, false),
        ] {
            assert_eq!(resolve(seconds).is_ok(), is_good, "{seconds}");
        }
    }

    #[test]
    fn names_for_a_certificate_that_is_not_issued_here_are_a_mistake() {
        let settings = Settings {
            tls_san: strings(&["api.example.com"]),
            tls_cert_file: Some("a.crt".into()),
            tls_private_key_file: Some("a.key".into()),
            ..minimal()
        };
        assert_eq!(
            problems(settings),
            ["tls-san has no effect on the certificate in tls-cert-file"]
        );
    }

    #[test]
    fn what_signs_always_verifies_unless_files_for_a_foreign_key_are_named() {
        let own = ServiceAccountKeyFiles {
            signing: "sa.key".into(),
            verification: "sa.pub".into(),
        };
        let cases = [
            ("", "", "sa.key", "sa.pub"),
            ("", "old.pub", "sa.key", "old.pub sa.pub"),
            ("", "sa.pub old.pub", "sa.key", "sa.pub old.pub"),
            ("my.key", "", "my.key", "my.key"),
            ("my.key", "my.pub", "my.key", "my.pub"),
        ];
        let paths = |texts: &str| -> Vec<_> {
            texts
                .split(' ')
                .filter(|t| !t.is_empty())
                .map(PathBuf::from)
                .collect()
        };
        for (signing_key, given, signs, verify) in cases {
            let config = ServeConfig::resolve(Settings {
                service_account_signing_key_file: paths(signing_key).pop(),
                service_account_key_file: Some(paths(given)),
                ..minimal()
            });
            let files = config.unwrap().service_account.key_files(&own);
            assert_eq!(files, (signs.into(), paths(verify)));
        }
    }
}
