//! The settings of `burgee serve` as people write them: flags, and a YAML file with the same names.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// The longest configuration file that is read.
const MAX_FILE_LEN: usize = 1 << 20;

/// Each setting is written once: it becomes a flag with its description, a field of the file with
/// the flag's name, and a line of `--print-config`.
macro_rules! settings {
    ($($(#[$attribute:meta])* $name:ident: $type:ty,)*) => {
        /// The settings that were given, each by a flag or in the configuration file.
        #[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct Settings {
            $(
                $(#[$attribute])*
                #[arg(long)]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<$type>,
            )*
        }

        impl Settings {
            /// These settings, and the others' where these say nothing.
            #[must_use]
            pub fn or(self, others: Self) -> Self {
                Self { $($name: self.$name.or(others.$name),)* }
            }
        }
    };
}

settings! {
    /// Directory that holds everything which is kept: keys, certificates, objects
    /// [default: burgee in XDG_DATA_HOME or ~/.local/share]
    #[arg(value_name = "DIRECTORY")]
    data_dir: PathBuf,

    /// Addresses to listen on [default: 127.0.0.1:6443]
    #[arg(value_name = "ADDRESS:PORT", value_delimiter = ',')]
    bind: Vec<SocketAddr>,

    /// Names and addresses for the serving certificate, besides those of this machine
    #[arg(value_name = "NAME", value_delimiter = ',', help_heading = "Serving certificate")]
    tls_san: Vec<String>,

    /// Serving certificate in PEM, with those that lead up to its root, instead of an issued one
    #[arg(value_name = "FILE", help_heading = "Serving certificate")]
    tls_cert_file: PathBuf,

    /// Private key of --tls-cert-file
    #[arg(value_name = "FILE", help_heading = "Serving certificate")]
    tls_private_key_file: PathBuf,

    /// Authorities whose client certificates are accepted, besides the data directory's own
    #[arg(value_name = "FILE", help_heading = "Authentication")]
    client_ca_file: PathBuf,

    /// Certificate revocation lists in PEM: client certificates on them are refused
    #[arg(value_name = "FILE", help_heading = "Authentication")]
    client_crl_file: PathBuf,

    /// CSV file of bearer tokens: token, user name, uid, groups
    #[arg(value_name = "FILE", help_heading = "Authentication")]
    token_auth_file: PathBuf,

    /// Whether requests without credentials are made by system:anonymous [default: true]
    #[arg(
        value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        help_heading = "Authentication"
    )]
    anonymous_auth: bool,

    /// AuthenticationConfiguration: issuers of JWTs, and who may go without credentials. It is read
    /// again when it changes
    #[arg(value_name = "FILE", help_heading = "Authentication")]
    authentication_config: PathBuf,

    /// Kubeconfig of a service that judges bearer tokens (TokenReview)
    #[arg(value_name = "FILE", help_heading = "Authentication")]
    authentication_token_webhook_config_file: PathBuf,

    /// Version of the TokenReviews that are sent to it: v1 or v1beta1 [default: v1beta1]
    #[arg(value_name = "VERSION", help_heading = "Authentication")]
    authentication_token_webhook_version: String,

    /// How long its answers are remembered [default: 2m0s]
    #[arg(value_name = "DURATION", help_heading = "Authentication")]
    authentication_token_webhook_cache_ttl: Duration,

    /// How long it is remembered that it knows no such token
    /// [default: --authentication-token-webhook-cache-ttl]
    #[arg(value_name = "DURATION", help_heading = "Authentication")]
    authentication_token_webhook_failure_cache_ttl: Duration,

    /// Whether Secrets of type bootstrap.kubernetes.io/token in kube-system authenticate
    /// [default: false]
    #[arg(
        value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        help_heading = "Authentication"
    )]
    enable_bootstrap_token_auth: bool,

    /// Whether an HTTP/2 connection is closed after a request without a known user. Turn it off
    /// behind a proxy that sends many clients' requests over one connection [default: true]
    #[arg(
        value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        help_heading = "Authentication"
    )]
    unauthenticated_http2_dos_mitigation: bool,

    /// Issuer whose ID tokens are accepted, an https URL
    #[arg(value_name = "URL", help_heading = "OpenID Connect")]
    oidc_issuer_url: String,

    /// Client that the ID tokens must be for
    #[arg(value_name = "ID", help_heading = "OpenID Connect")]
    oidc_client_id: String,

    /// Authorities in PEM that the issuer's certificate leads up to [default: the host's]
    #[arg(value_name = "FILE", help_heading = "OpenID Connect")]
    oidc_ca_file: PathBuf,

    /// Claim that becomes the user name [default: sub]
    #[arg(value_name = "CLAIM", help_heading = "OpenID Connect")]
    oidc_username_claim: String,

    /// What stands in front of user names; - is nothing [default: the issuer and #, nothing for the
    /// claim email]
    #[arg(value_name = "PREFIX", allow_hyphen_values = true, help_heading = "OpenID Connect")]
    oidc_username_prefix: String,

    /// Claim that becomes the groups
    #[arg(value_name = "CLAIM", help_heading = "OpenID Connect")]
    oidc_groups_claim: String,

    /// What stands in front of groups
    #[arg(value_name = "PREFIX", allow_hyphen_values = true, help_heading = "OpenID Connect")]
    oidc_groups_prefix: String,

    /// Algorithms that ID tokens may be signed with [default: RS256]
    #[arg(value_name = "ALGORITHM", value_delimiter = ',', help_heading = "OpenID Connect")]
    oidc_signing_algs: Vec<String>,

    /// Claim that must be there with this value; repeat the flag for several
    #[arg(value_name = "KEY=VALUE", help_heading = "OpenID Connect")]
    oidc_required_claim: Vec<String>,

    /// Authorities in PEM whose client certificates may name the user in headers
    #[arg(value_name = "FILE", help_heading = "Front proxy")]
    requestheader_client_ca_file: PathBuf,

    /// Common names of those certificates [default: all]
    #[arg(value_name = "NAME", value_delimiter = ',', help_heading = "Front proxy")]
    requestheader_allowed_names: Vec<String>,

    /// Headers that name the user; the first that is there counts
    #[arg(value_name = "HEADER", value_delimiter = ',', help_heading = "Front proxy")]
    requestheader_username_headers: Vec<String>,

    /// Headers that hold the user's uid; the first that is there counts
    #[arg(value_name = "HEADER", value_delimiter = ',', help_heading = "Front proxy")]
    requestheader_uid_headers: Vec<String>,

    /// Headers that name groups
    #[arg(value_name = "HEADER", value_delimiter = ',', help_heading = "Front proxy")]
    requestheader_group_headers: Vec<String>,

    /// How headers with further attributes of the user begin
    #[arg(value_name = "PREFIX", value_delimiter = ',', help_heading = "Front proxy")]
    requestheader_extra_headers_prefix: Vec<String>,

    /// Audiences that this API answers to [default: every --service-account-issuer]
    #[arg(value_name = "AUDIENCE", value_delimiter = ',', help_heading = "Authentication")]
    api_audiences: Vec<String>,

    /// Issuer of service-account tokens. The first one signs, all are accepted
    /// [default: https://kubernetes.default.svc.cluster.local]
    #[arg(value_name = "ISSUER", help_heading = "Service accounts")]
    service_account_issuer: Vec<String>,

    /// Keys in PEM that verify service-account tokens. The data directory's own are among them
    /// while it signs [default: those of what signs]
    #[arg(value_name = "FILE", help_heading = "Service accounts")]
    service_account_key_file: Vec<PathBuf>,

    /// Private key in PEM that signs service-account tokens [default: the data directory's own]
    #[arg(value_name = "FILE", help_heading = "Service accounts")]
    service_account_signing_key_file: PathBuf,

    /// Where verifiers find the keys, if not at this server
    #[arg(value_name = "URL", help_heading = "Service accounts")]
    service_account_jwks_uri: String,

    /// Longest life of a token, between 1h and 2^32 seconds; 0 is no limit [default: 0s]
    #[arg(value_name = "DURATION", help_heading = "Service accounts")]
    service_account_max_token_expiration: Duration,

    /// Whether tokens that are injected into pods live longer than they say, for clients that do
    /// not read them again [default: true]
    #[arg(
        value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        help_heading = "Service accounts"
    )]
    service_account_extend_token_expiration: bool,

    /// Longest time that a request may take, watches excepted [default: 1m0s]
    #[arg(value_name = "DURATION", help_heading = "Time")]
    request_timeout: Duration,

    /// How long the server goes on as before when it is told to stop, but says that it is not
    /// ready, so that load balancers turn away [default: 0s]
    #[arg(value_name = "DURATION", help_heading = "Time")]
    shutdown_delay_duration: Duration,

    /// How long requests may take to finish after that [default: 30s]
    #[arg(value_name = "DURATION", help_heading = "Time")]
    shutdown_grace_period: Duration,
}

/// Why a configuration file cannot be used.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is no configuration: broken YAML, a field that does not exist or stands there twice, or a
    /// value of the wrong kind.
    #[error("configuration file {} is not valid: {problem}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What is wrong, with line and column.
        problem: String,
    },

    /// It cannot be read.
    #[error("cannot read configuration file {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the operating system answered.
        source: std::io::Error,
    },
}

impl Settings {
    /// The defaults that do not depend on where the program runs.
    #[must_use]
    pub fn defaults() -> Self {
        Self {
            bind: Some(vec![SocketAddr::from(([127, 0, 0, 1], 6443))]),
            authentication_token_webhook_version: Some("v1beta1".to_owned()),
            authentication_token_webhook_cache_ttl: Some(Duration::from_secs(120)),
            enable_bootstrap_token_auth: Some(false),
            unauthenticated_http2_dos_mitigation: Some(true),
            service_account_issuer: Some(vec![
                "https://kubernetes.default.svc.cluster.local".to_owned(),
            ]),
            service_account_max_token_expiration: Some(Duration::default()),
            service_account_extend_token_expiration: Some(true),
            request_timeout: Some(Duration::from_secs(60)),
            shutdown_delay_duration: Some(Duration::default()),
            shutdown_grace_period: Some(Duration::from_secs(30)),
            ..Self::default()
        }
    }

    /// Reads a configuration file. An empty one sets nothing.
    ///
    /// # Errors
    /// [`FileError`], for files over 1 MiB as well.
    pub fn from_file(file: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(file).map_err(|source| FileError::Read {
            file: file.to_owned(),
            source,
        })?;
        Self::from_yaml(&text).map_err(|problem| FileError::Invalid {
            file: file.to_owned(),
            problem,
        })
    }

    fn from_yaml(text: &str) -> Result<Self, String> {
        if text.len() > MAX_FILE_LEN {
            return Err(format!("it is longer than {MAX_FILE_LEN} bytes"));
        }
        let options = serde_saphyr::options! {
            duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
            strict_booleans: true,
        };
        serde_saphyr::from_str_with_options::<Option<Self>>(text, options)
            .map(Option::unwrap_or_default)
            .map_err(|error| error.without_snippet().to_string())
    }

    /// The settings as a configuration file.
    ///
    /// # Errors
    /// When a path is not UTF-8, which YAML has no way to write.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        serde_saphyr::to_string(self)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        settings: Settings,
    }

    fn flags(arguments: &[&str]) -> Settings {
        Flags::parse_from([&["serve"], arguments].concat()).settings
    }

    /// A value for every setting.
    const FULL: &str = "\
data-dir: /data
bind:
- 10.0.0.7:6443
- '[::1]:6443'
tls-san:
- api.example.com
tls-cert-file: /tls/serving.crt
tls-private-key-file: /tls/serving.key
client-ca-file: /tls/clients.crt
client-crl-file: /tls/clients.crl
token-auth-file: /tokens.csv
anonymous-auth: false
authentication-config: /authentication.yaml
authentication-token-webhook-config-file: /webhook.kubeconfig
authentication-token-webhook-version: v1
authentication-token-webhook-cache-ttl: 30s
authentication-token-webhook-failure-cache-ttl: 5s
enable-bootstrap-token-auth: true
unauthenticated-http2-dos-mitigation: false
oidc-issuer-url: https://issuer.example.com
oidc-client-id: kubernetes
oidc-ca-file: /tls/issuer.crt
oidc-username-claim: email
oidc-username-prefix: '-'
oidc-groups-claim: groups
oidc-groups-prefix: 'oidc:'
oidc-signing-algs:
- RS256
- ES256
oidc-required-claim:
- hd=example.com
requestheader-client-ca-file: /tls/proxies.crt
requestheader-allowed-names:
- front-proxy
requestheader-username-headers:
- X-Remote-User
requestheader-uid-headers:
- X-Remote-Uid
requestheader-group-headers:
- X-Remote-Group
requestheader-extra-headers-prefix:
- X-Remote-Extra-
api-audiences:
- api
service-account-issuer:
- https://one.example.com
- https://two.example.com
service-account-key-file:
- /keys/one.pub
- /keys/two.pub
service-account-signing-key-file: /keys/one.key
service-account-jwks-uri: https://one.example.com/keys
service-account-max-token-expiration: 24h0m0s
service-account-extend-token-expiration: false
request-timeout: 30s
shutdown-delay-duration: 5s
shutdown-grace-period: 1m30s
";

    #[test]
    fn the_file_and_the_flags_have_the_same_names_and_values() {
        let from_flags = flags(&[
            "--data-dir=/data",
            "--bind=10.0.0.7:6443,[::1]:6443",
            "--tls-san=api.example.com",
            "--tls-cert-file=/tls/serving.crt",
            "--tls-private-key-file=/tls/serving.key",
            "--client-ca-file=/tls/clients.crt",
            "--client-crl-file=/tls/clients.crl",
            "--token-auth-file=/tokens.csv",
            "--anonymous-auth=false",
            "--authentication-config=/authentication.yaml",
            "--authentication-token-webhook-config-file=/webhook.kubeconfig",
            "--authentication-token-webhook-version=v1",
            "--authentication-token-webhook-cache-ttl=30s",
            "--authentication-token-webhook-failure-cache-ttl=5s",
            "--enable-bootstrap-token-auth",
            "--unauthenticated-http2-dos-mitigation=false",
            "--oidc-issuer-url=https://issuer.example.com",
            "--oidc-client-id=kubernetes",
            "--oidc-ca-file=/tls/issuer.crt",
            "--oidc-username-claim=email",
            "--oidc-username-prefix=-",
            "--oidc-groups-claim=groups",
            "--oidc-groups-prefix=oidc:",
            "--oidc-signing-algs=RS256,ES256",
            "--oidc-required-claim=hd=example.com",
            "--requestheader-client-ca-file=/tls/proxies.crt",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-uid-headers=X-Remote-Uid",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--api-audiences=api",
            "--service-account-issuer=https://one.example.com",
            "--service-account-issuer=https://two.example.com",
            "--service-account-key-file=/keys/one.pub",
            "--service-account-key-file=/keys/two.pub",
            "--service-account-signing-key-file=/keys/one.key",
            "--service-account-jwks-uri=https://one.example.com/keys",
            "--service-account-max-token-expiration=24h",
            "--service-account-extend-token-expiration=false",
            "--request-timeout=30s",
            "--shutdown-delay-duration=5s",
            "--shutdown-grace-period=90s",
        ]);
        assert_eq!(Settings::from_yaml(FULL).unwrap(), from_flags);
    }

    #[test]
    fn every_flag_is_a_field_of_the_file_and_every_field_a_flag() {
        let command = <Flags as clap::CommandFactory>::command();
        let flags: Vec<_> = command
            .get_arguments()
            .filter_map(|flag| flag.get_long())
            .collect();
        let fields = serde_json::to_value(Settings::from_yaml(FULL).unwrap()).unwrap();
        let fields: Vec<_> = fields.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            fields.len(),
            flags.len(),
            "the sample has a value for every setting"
        );
        assert!(
            flags
                .iter()
                .all(|flag| fields.iter().any(|field| field == flag))
        );
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for settings in [
            Settings::from_yaml(FULL).unwrap(),
            Settings::defaults(),
            Settings::default(),
        ] {
            let yaml = settings.to_yaml().unwrap();
            assert_eq!(Settings::from_yaml(&yaml).unwrap(), settings, "{yaml}");
        }
    }

    #[test]
    fn flags_override_the_file_and_the_file_the_defaults() {
        let file = Settings::from_yaml("bind: ['127.0.0.1:1']\nrequest-timeout: 5s\n").unwrap();
        let merged = flags(&["--request-timeout=7s"])
            .or(file)
            .or(Settings::defaults());
        assert_eq!(merged.request_timeout, Some(Duration::from_secs(7)));
        assert_eq!(merged.bind, Some(vec!["127.0.0.1:1".parse().unwrap()]));
        assert_eq!(merged.enable_bootstrap_token_auth, Some(false));
    }

    #[test]
    fn a_switch_without_a_value_is_on_and_never_eats_what_follows() {
        assert_eq!(flags(&["--anonymous-auth"]).anonymous_auth, Some(true));
        assert!(Flags::try_parse_from(["serve", "--anonymous-auth", "false"]).is_err());
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_with_line_and_column() {
        let cases = [
            ("bind: []\nbnid: []\n", "unknown field `bnid`", "line 2"),
            ("bind: []\ndata-dir: /a\nbind: []\n", "bind", "line 3"),
            ("\nanonymous-auth: yes\n", "bool", "line 2"),
            ("request-timeout: 60\n", "not a duration", "line 1"),
            ("bind: [localhost]\n", "socket address", "line 1"),
            ("bind: 127.0.0.1:6443\n", "", "line 1"),
            ("tls-san: [a\n", "", "line"),
            ("data-dir: /a\n---\ndata-dir: /b\n", "", "line"),
            ("- a\n", "", "line 1"),
        ];
        for (yaml, what, place) in cases {
            let problem = Settings::from_yaml(yaml).unwrap_err();
            assert!(
                problem.contains(what) && problem.contains(place),
                "{yaml}: {problem}"
            );
            assert!(problem.contains("column"), "{yaml}: {problem}");
        }
    }

    #[test]
    fn a_file_that_says_nothing_sets_nothing_and_one_that_is_too_long_is_refused() {
        for yaml in ["", "# nothing\n", "{}\n", "---\n"] {
            assert_eq!(
                Settings::from_yaml(yaml).unwrap(),
                Settings::default(),
                "{yaml:?}"
            );
        }
        assert!(Settings::from_yaml(&"#".repeat(MAX_FILE_LEN + 1)).is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Settings::from_file(Path::new("/nowhere.yaml")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read configuration file /nowhere.yaml"
        );
    }
}
