//! Who is calling: the chain of authenticators as it was configured, and what can be exchanged in it
//! while requests flow.

use std::sync::{Arc, Mutex, PoisonError};

use burgee_authn::{
    Anonymous, BootstrapTokens, Chain, ClientCertificates, Reload, ServiceAccountTokens,
    StaticTokens, UidPolicy,
};
use burgee_identity::Clock;
use burgee_service_account::TokenValidator;

use crate::lookups::Lookups;
use crate::metrics::Metrics;
use crate::tls::Tls;
use crate::{AnonymousRequests, Config, Error, NamedFile};

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
    static_tokens: Option<Arc<StaticTokens>>,
}

impl Authenticators {
    pub(crate) fn new(config: &Config, parts: Parts<'_>) -> Result<Self, Error> {
        let Parts { metrics, clock, .. } = parts;
        let counted = || Arc::clone(metrics) as Arc<dyn burgee_authn::Metrics>;
        let mut builder = Chain::builder(parts.audiences);

        let accounts = ServiceAccountTokens::new(parts.service_accounts, counted());
        builder = builder.service_accounts(Arc::new(accounts));
        let clients = ClientAuthorities::new(config, clock, counted())?;
        if let Some(clients) = &clients {
            builder = builder.client_certificates(Arc::clone(&clients.certificates) as _);
        }
        let static_tokens = match &config.static_tokens {
            None => None,
            Some(file) => Some(Arc::new(StaticTokens::new(
                file.path.clone(),
                &file.content,
            )?)),
        };
        if let Some(tokens) = &static_tokens {
            builder = builder.static_tokens(Arc::clone(tokens) as _);
        }
        if config.bootstrap_tokens {
            let tokens = BootstrapTokens::new(parts.lookups, Arc::clone(clock));
            builder = builder.bootstrap_tokens(Arc::new(tokens));
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
            static_tokens,
        })
    }

    /// The subjects of every authority whose certificates count, in DER.
    pub(crate) fn authorities(&self) -> Vec<Vec<u8>> {
        let clients = self.clients.iter();
        let subjects: Vec<_> = clients
            .flat_map(|clients| clients.certificates.subjects())
            .collect();
        subjects
    }
}

/// Client certificates, and the files of authorities that count for them together.
struct ClientAuthorities {
    certificates: Arc<ClientCertificates>,
    files: Mutex<Vec<NamedFile>>,
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
        }))
    }

    /// Exchanges one file. The others go on to count.
    fn reload(&self, path: &str, pem: &[u8]) -> Result<Reload, Error> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = files.clone();
        let file = next.iter_mut().find(|file| file.path == path);
        let file = file.ok_or(Error::NotConfigured("this file of authorities"))?;
        file.content = pem.to_vec();
        let reload = self.certificates.reload(&joined(&next))?;
        *files = next;
        Ok(reload)
    }
}

/// The name by which upstream's messages call a file of authorities of clients.
fn bundle_name(path: &str) -> String {
    format!("client-ca-bundle::{path}")
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
    /// When there is no certificate in it, or the server was started without this file.
    pub fn client_ca(&self, path: &str, pem: &[u8]) -> Result<Reload, Error> {
        let clients = self.authenticators.clients.as_ref();
        let clients = clients.ok_or(Error::NotConfigured("client certificates"))?;
        self.bundle_changed(clients.reload(path, pem)?)
    }

    /// All authorities (PEM) whose client certificates are accepted at the moment, if any are.
    #[must_use]
    pub fn trusted_clients(&self) -> Option<Vec<u8>> {
        let clients = self.authenticators.clients.as_ref()?;
        let files = clients.files.lock().unwrap_or_else(PoisonError::into_inner);
        Some(joined(&files))
    }

    /// Refuses client certificates that these lists (PEM) revoke.
    ///
    /// # Errors
    ///
    /// When a list cannot be read, or the server was started without client certificates.
    pub fn client_crl(&self, path: &str, pem: &[u8]) -> Result<Reload, Error> {
        let clients = self.authenticators.clients.as_ref();
        let clients = clients.ok_or(Error::NotConfigured("client certificates"))?;
        Ok(clients.certificates.reload_revocations(path, pem)?)
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
