//! Who is calling: the chain of authenticators as it was configured, and what can be exchanged in it
//! while requests flow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use burgee_authn::{
    Anonymous, BootstrapTokens, CachePolicy, Chain, ClientCertificates, FrontProxy,
    FrontProxyOptions, NoMetrics, PeerCertificates, Reload, ServiceAccountTokens, StaticTokens,
    TokenCache, UidPolicy,
};
use burgee_identity::Clock;
use burgee_kubeconfig::Client;
use burgee_oidc::JwtAuthenticators;
use burgee_service_account::TokenValidator;
use burgee_token_webhook::{ReviewVersion, Settings, WebhookTokens};

use crate::lookups::Lookups;
use crate::metrics::Metrics;
use crate::tls::Tls;
use crate::{AnonymousRequests, Config, Error, NamedFile};

/// Front proxies: whose certificates they have, and in which headers they name users.
#[derive(Clone, Debug)]
pub struct FrontProxies {
    /// The authorities of their certificates: the file's name and its PEM text.
    pub client_ca: NamedFile,
    /// Names and headers.
    pub options: FrontProxyOptions,
}

/// A service that is asked about tokens that nobody else knows.
#[derive(Clone, Debug)]
pub struct TokenWebhook {
    /// Its address, and how to prove to it who is asking.
    pub client: Client,
    /// The version of `TokenReview` to speak.
    pub version: ReviewVersion,
    /// How long its yes is remembered.
    pub success_ttl: Duration,
    /// How long its no is remembered.
    pub failure_ttl: Duration,
}

/// What the chain is made from besides the configuration.
pub(crate) struct Parts<'a> {
    pub(crate) audiences: Vec<String>,
    pub(crate) service_accounts: Arc<TokenValidator>,
    pub(crate) lookups: Arc<Lookups>,
    pub(crate) metrics: &'a Arc<Metrics>,
    pub(crate) clock: &'a Arc<dyn Clock>,
}

/// The chain, and the parts of it that can be exchanged.
pub(crate) struct Authenticators {
    pub(crate) chain: Arc<Chain>,
    clients: Option<ClientAuthorities>,
    proxies: Option<ProxyAuthority>,
    static_tokens: Option<Arc<StaticTokens>>,
    pub(crate) jwt: Arc<JwtAuthenticators>,
    /// One exchange at a time: bundles of authorities are checked against one another.
    exchange: Mutex<()>,
}

impl Authenticators {
    pub(crate) fn new(config: &Config, parts: Parts<'_>) -> Result<Self, Error> {
        let Parts { metrics, clock, .. } = parts;
        let counted = || Arc::clone(metrics) as Arc<dyn burgee_authn::Metrics>;
        let audiences = parts.audiences;
        let mut builder = Chain::builder(audiences.clone());

        let accounts = ServiceAccountTokens::new(parts.service_accounts, counted());
        builder = builder.service_accounts(Arc::new(accounts));
        let clients = ClientAuthorities::new(config, clock, counted())?;
        if let Some(clients) = &clients {
            builder = builder.client_certificates(Arc::clone(&clients.certificates) as _);
        }
        let proxies = ProxyAuthority::new(config, clients.as_ref(), clock)?;
        if let Some(proxies) = &proxies {
            builder = builder.front_proxy(Arc::clone(&proxies.proxy) as _);
        }
        let static_tokens = match &config.static_tokens {
            None => None,
            Some(NamedFile { path, content }) => {
                let tokens = StaticTokens::new(path.clone(), content);
                let path = path.clone();
                Some(Arc::new(
                    tokens.map_err(|source| Error::TokenFile { path, source })?,
                ))
            }
        };
        if let Some(tokens) = &static_tokens {
            builder = builder.static_tokens(Arc::clone(tokens) as _);
        }
        if config.bootstrap_tokens {
            let tokens = BootstrapTokens::new(parts.lookups, Arc::clone(clock));
            builder = builder.bootstrap_tokens(Arc::new(tokens));
        }
        // It is there without issuers too: they may come with a changed configuration.
        let issuers = config.jwt.iter().cloned();
        let jwt = JwtAuthenticators::start(issuers, Arc::clone(clock), metrics.issuers())?;
        let jwt = Arc::new(jwt);
        builder = builder.jwt(Arc::clone(&jwt) as _);
        if let Some(webhook) = &config.webhook {
            let webhook = webhook_tokens(webhook, &audiences, metrics, clock)?;
            builder = builder.webhook(Arc::new(webhook));
        }
        match &config.anonymous {
            AnonymousRequests::Allow => builder = builder.anonymous(Anonymous::everywhere()),
            AnonymousRequests::AllowAt(paths) => {
                builder = builder.anonymous(Anonymous::on_paths(paths.iter().cloned()));
            }
            AnonymousRequests::Refuse => {}
        }
        Ok(Self {
            chain: Arc::new(builder.build(Arc::clone(clock), counted())?),
            clients,
            proxies,
            static_tokens,
            jwt,
            exchange: Mutex::new(()),
        })
    }

    /// The subjects of every authority whose certificates count, in DER.
    pub(crate) fn authorities(&self) -> Vec<Vec<u8>> {
        let clients = self.clients.iter();
        let clients = clients.flat_map(|clients| clients.certificates.subjects());
        let proxies = self.proxies.iter();
        let proxies = proxies.flat_map(|proxies| proxies.proxy.subjects());
        clients.chain(proxies).collect()
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a connection is one of a front proxy.
    pub(crate) fn is_front_proxy(&self, peer: &PeerCertificates) -> bool {
        let proxies = self.proxies.as_ref();
        proxies.is_some_and(|proxies| proxies.proxy.trusts(peer))
    }
}

fn webhook_tokens(
    webhook: &TokenWebhook,
    audiences: &[String],
    metrics: &Arc<Metrics>,
    clock: &Arc<dyn Clock>,
) -> Result<TokenCache, Error> {
    let own = CachePolicy::default();
    let settings = Settings {
        version: webhook.version,
        api_audiences: audiences.to_vec(),
        ..Settings::default()
    };
    let policy = CachePolicy {
        success: webhook.success_ttl,
        failure: webhook.failure_ttl,
        ..own
    };
    let (client, clock) = (webhook.client.clone(), Arc::clone(clock));
    let tokens = WebhookTokens::new(client, settings, Arc::clone(&clock), metrics.webhook())?;
    Ok(tokens.cached(policy, clock, Arc::clone(metrics) as _)?)
}

/// Front proxies, and what it takes to look at other authorities for them.
struct ProxyAuthority {
    proxy: Arc<FrontProxy>,
    name: String,
    options: FrontProxyOptions,
    clock: Arc<dyn Clock>,
}

impl ProxyAuthority {
    fn new(
        config: &Config,
        clients: Option<&ClientAuthorities>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Self>, Error> {
        let Some(FrontProxies { client_ca, options }) = &config.front_proxies else {
            return Ok(None);
        };
        for warning in options.warnings() {
            tracing::warn!("{warning}");
        }
        let name = format!("request-header::{}", client_ca.path);
        let proxy = FrontProxy::new(name.clone(), options, Arc::clone(clock))?;
        let proxies = Self {
            proxy: Arc::new(proxy),
            name,
            options: options.clone(),
            clock: Arc::clone(clock),
        };
        proxies.reload(&client_ca.content, clients)?;
        if let Some(file) = &config.client_crl {
            proxies
                .proxy
                .reload_revocations(&file.path, &file.content)?;
        }
        Ok(Some(proxies))
    }

    /// Believes proxies of other authorities, unless an ordinary client could then pass for one.
    fn reload(&self, pem: &[u8], clients: Option<&ClientAuthorities>) -> Result<Reload, Error> {
        if let Some(clients) = clients {
            let (name, clock) = (self.name.clone(), Arc::clone(&self.clock));
            let next = FrontProxy::new(name, &self.options, clock)?;
            next.reload(pem)?;
            next.check_overlap(&clients.certificates)?;
        }
        Ok(self.proxy.reload(pem)?)
    }
}

/// Client certificates, and the files of authorities that count for them together.
struct ClientAuthorities {
    certificates: Arc<ClientCertificates>,
    files: Mutex<Vec<NamedFile>>,
    clock: Arc<dyn Clock>,
}

impl ClientAuthorities {
    fn new(
        config: &Config,
        clock: &Arc<dyn Clock>,
        metrics: Arc<dyn burgee_authn::Metrics>,
    ) -> Result<Option<Self>, Error> {
        let Some(last) = config.client_ca.last() else {
            return Ok(None);
        };
        for file in &config.client_ca {
            bundle(&bundle_name(&file.path), &file.content, clock)?;
        }
        let name = bundle_name(&last.path);
        let certificates =
            ClientCertificates::new(name, UidPolicy::FromSubject, Arc::clone(clock), metrics)?;
        certificates.reload(&joined(&config.client_ca))?;
        if let Some(file) = &config.client_crl {
            certificates.reload_revocations(&file.path, &file.content)?;
        }
        Ok(Some(Self {
            certificates: Arc::new(certificates),
            files: Mutex::new(config.client_ca.clone()),
            clock: Arc::clone(clock),
        }))
    }

    /// Exchanges one file. The others go on to count.
    fn reload(
        &self,
        path: &str,
        pem: &[u8],
        proxies: Option<&ProxyAuthority>,
    ) -> Result<Reload, Error> {
        bundle(&bundle_name(path), pem, &self.clock)?;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = files.clone();
        let file = next.iter_mut().find(|file| file.path == path);
        let file = file.ok_or(Error::NotConfigured("this file of authorities"))?;
        file.content = pem.to_vec();
        if let Some(proxies) = proxies {
            let next = bundle(&bundle_name(path), &joined(&next), &self.clock)?;
            proxies.proxy.check_overlap(&next)?;
        }
        let reload = self.certificates.reload(&joined(&next))?;
        *files = next;
        Ok(reload)
    }
}

/// The name by which upstream's messages call a file of authorities of clients.
fn bundle_name(path: &str) -> String {
    format!("client-ca-bundle::{path}")
}

/// A bundle that counts for nobody yet: what is wrong with it shows before it is put in force.
fn bundle(name: &str, pem: &[u8], clock: &Arc<dyn Clock>) -> Result<ClientCertificates, Error> {
    let (policy, metrics) = (UidPolicy::FromSubject, Arc::new(NoMetrics));
    let bundle = ClientCertificates::new(name, policy, Arc::clone(clock), metrics)?;
    bundle.reload(pem)?;
    Ok(bundle)
}

/// The files as one, in which every certificate begins on a line of its own.
fn joined(files: &[NamedFile]) -> Vec<u8> {
    let contents: Vec<&[u8]> = files.iter().map(|file| file.content.as_slice()).collect();
    contents.join(&b'\n')
}

/// Exchanges parts of a running server's configuration. What is in force stays so when the new
/// content is of no use.
#[derive(Clone)]
pub struct Reloads {
    authenticators: Arc<Authenticators>,
    tls: Arc<Tls>,
}

impl Reloads {
    pub(crate) fn new(authenticators: Arc<Authenticators>, tls: Arc<Tls>) -> Self {
        Self {
            authenticators,
            tls,
        }
    }

    pub(crate) fn tls(&self) -> &Arc<Tls> {
        &self.tls
    }

    /// Accepts client certificates of these authorities (PEM) instead of those that the file of this
    /// name held before, also on connections that are open.
    ///
    /// # Errors
    ///
    /// When there is no certificate in it, when clients could then pass for front proxies, or when the
    /// server was started without this file.
    pub fn client_ca(&self, path: &str, pem: &[u8]) -> Result<Reload, Error> {
        let _alone = self.authenticators.alone();
        let clients = self.authenticators.clients.as_ref();
        let clients = clients.ok_or(Error::NotConfigured("client certificates"))?;
        let proxies = self.authenticators.proxies.as_ref();
        self.bundle_changed(clients.reload(path, pem, proxies)?)
    }

    /// The authorities whose client certificates are accepted at the moment, if any are: certificates in
    /// PEM, without anything else that the files held.
    #[must_use]
    pub fn trusted_clients(&self) -> Option<String> {
        let clients = self.authenticators.clients.as_ref()?;
        Some(clients.certificates.trusted())
    }

    /// The same of front proxies.
    #[must_use]
    pub fn trusted_proxies(&self) -> Option<String> {
        let proxies = self.authenticators.proxies.as_ref()?;
        Some(proxies.proxy.trusted())
    }

    /// Refuses certificates that these lists (PEM) revoke, those of clients and those of front proxies.
    ///
    /// # Errors
    ///
    /// When a list cannot be read, or the server was started without client certificates.
    pub fn client_crl(&self, path: &str, pem: &[u8]) -> Result<Reload, Error> {
        let _alone = self.authenticators.alone();
        let clients = self.authenticators.clients.as_ref();
        let clients = clients.ok_or(Error::NotConfigured("client certificates"))?;
        let reload = clients.certificates.reload_revocations(path, pem)?;
        if let Some(proxies) = &self.authenticators.proxies {
            proxies.proxy.reload_revocations(path, pem)?;
        }
        Ok(reload)
    }

    /// Accepts front proxies with certificates of these authorities (PEM).
    ///
    /// # Errors
    ///
    /// When there is no certificate in it, when clients could then pass for front proxies, or when the
    /// server was started without front proxies.
    pub fn front_proxy_ca(&self, pem: &[u8]) -> Result<Reload, Error> {
        let _alone = self.authenticators.alone();
        let proxies = self.authenticators.proxies.as_ref();
        let proxies = proxies.ok_or(Error::NotConfigured("front proxies"))?;
        let clients = self.authenticators.clients.as_ref();
        self.bundle_changed(proxies.reload(pem, clients)?)
    }

    /// Knows the tokens of this file (CSV) and no others.
    ///
    /// # Errors
    ///
    /// When the file is broken, or the server was started without one.
    pub fn static_tokens(&self, csv: &[u8]) -> Result<Reload, Error> {
        let tokens = self.authenticators.static_tokens.as_ref();
        let tokens = tokens.ok_or(Error::NotConfigured("static tokens"))?;
        Ok(tokens.reload(csv)?)
    }

    /// The issuers of JWTs.
    #[must_use]
    pub fn jwt(&self) -> Arc<JwtAuthenticators> {
        Arc::clone(&self.authenticators.jwt)
    }

    /// Clients are told of the authorities that count, so that they know which certificate to send.
    fn bundle_changed(&self, reload: Reload) -> Result<Reload, Error> {
        if reload == Reload::Changed {
            self.tls
                .name_authorities(self.authenticators.authorities())?;
        }
        Ok(reload)
    }
}

impl std::fmt::Debug for Reloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reloads")
    }
}
