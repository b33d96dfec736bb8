//! Running the plan.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use burgee_controllers::Controller;
use burgee_identity::{Clock, SystemClock};
use burgee_jose::{PrivateKey, PublicKey, SigningKey, VerificationKeys};
use burgee_pki::{Options, Pki, ServingMaterial, read_private_file};
use burgee_server::{Config, Server, ServingCertificate};
use burgee_service_account::{EXTENDED_SECONDS, Extension};
use burgee_store::{EmbeddedOptions, EmbeddedStore};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::authenticators::JwtFile;
use super::local_transport::LocalTransport;
use super::watch::Watch;
use super::{Arguments, DataHome, ServeConfig, authenticators, bind, greeting, watch};
use crate::failure::Failure;
use crate::output;

/// How often the serving certificate's remaining life is looked at.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the greeting waits for the controllers' first round.
const FIRST_ROUND: Duration = Duration::from_secs(5);

/// The folder of the data directory that the store has for itself.
const STORE: &str = "store";

impl Arguments {
    /// Serves until a signal says to stop.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let settings = self.settings(&DataHome::from_environment());
        let settings = settings.map_err(|error| Failure::Usage(error.into()))?;
        let config = ServeConfig::resolve(settings.clone());
        let config = config.map_err(|error| Failure::Usage(error.into()))?;
        if self.print_config() {
            output::print(&settings.to_yaml()?)?;
            return Ok(());
        }
        if self.validate_config() {
            let own_issuers = &config.service_account.issuers;
            authenticators::validate(&config.authentication, own_issuers)?;
            output::print("The settings and the files of authentication are in order.\n")?;
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.context("cannot start the runtime")?;
        runtime.block_on(serve(config))?;
        Ok(())
    }
}

async fn serve(config: ServeConfig) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let mut signals = Signals::new()?;

    // The store's lock comes first: it tells a second server in the same directory so, before
    // anything is written or any port is taken.
    let directory = &config.data_directory;
    create_private(directory)?;
    let options = EmbeddedOptions {
        clock: Arc::clone(&clock),
        ..EmbeddedOptions::default()
    };
    let store = Arc::new(EmbeddedStore::open(directory.join(STORE), options)?);

    let listeners = bind(&config.listen)?;
    let listen: Result<Vec<_>, _> = listeners
        .iter()
        .map(|listener| listener.local_addr())
        .collect();
    let identity = Options {
        listen: listen.context("cannot tell the addresses that are listened on")?,
        names: config.serving_names.clone(),
        serving: config.serving.clone(),
    };
    let pki = Pki::open_or_create(directory, identity, &*clock)?;
    let certificate = Arc::new(ServingCertificate::new(
        pki.serving().certificates.clone(),
        pki.serving().key.clone_key(),
    )?);
    let (server_config, jwt_file) = server_config(&config, &pki, &certificate, listeners)?;

    let mut server =
        Server::start(server_config, Arc::clone(&store) as _, Arc::clone(&clock)).await?;
    let stop = CancellationToken::new();
    let reloads = server.reloads();
    let trust = {
        let proxies = config.authentication.front_proxies.as_ref();
        tokio::sync::watch::Sender::new(authenticators::trust(&reloads, proxies))
    };
    let options = burgee_controllers::Options {
        ca_pem: String::from_utf8_lossy(pki.trusted()).into_owned(),
        trust: trust.subscribe(),
        clock: Arc::clone(&clock),
        controllers: Controller::ALL.to_vec(),
    };
    let transport = Arc::new(LocalTransport::new(server.local_client()));
    let controllers = burgee_controllers::run(transport, options, &stop);
    // The commands that the greeting proposes need what controllers make.
    if tokio::time::timeout(FIRST_ROUND, controllers.ready()).await != Ok(true) {
        tracing::warn!("the controllers are still busy with their first round");
    }
    let mut files = Watch::default();
    authenticators::follow(&mut files, &config.authentication, &reloads, &trust);
    let reloading = jwt_file.map(|read| {
        let clock = Arc::clone(&clock);
        let reloader = authenticators::follow_issuers(&mut files, read, &reloads, clock);
        tokio::spawn(reloader.run(stop.clone()))
    });
    let following = tokio::spawn(files.run(stop.clone()));
    // Nobody has to read it.
    let _ = output::print(&greeting(&pki));
    let pki = Arc::new(pki);
    let renewing = tokio::spawn(renew(certificate, pki, Arc::clone(&clock), stop.clone()));

    let broken = tokio::select! {
        () = signals.wait() => None,
        error = server.broken() => Some(error),
    };
    match &broken {
        None => tracing::info!("stopping; a second signal stops at once"),
        Some(error) => tracing::error!(%error, "stopping"),
    }
    let stopped = async {
        server.begin_stop();
        if broken.is_none() {
            tokio::time::sleep(config.shutdown_delay).await;
        }
        stop.cancel();
        if let Err(error) = controllers.finished().await {
            tracing::error!(%error, "the controllers ended badly");
        }
        server.stop().await;
        let _ = renewing.await;
        let _ = following.await;
        if let Some(reloading) = reloading {
            let _ = reloading.await;
        }
        store.close().await
    };
    tokio::select! {
        closed = stopped => closed.context("the store did not close in order")?,
        () = signals.wait() => bail!("stopped before everything was in order; nothing acknowledged is lost"),
    }
    // A supervisor has to see that this end was none of its doing.
    broken.map_or(Ok(()), |error| Err(error.into()))
}

/// Shows a renewed certificate as soon as there is one.
async fn renew(
    certificate: Arc<ServingCertificate>,
    pki: Arc<Pki>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut shown = pki.serving().clone();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RENEWAL_INTERVAL) => {}
        }
        let (files, time, current) = (Arc::clone(&pki), Arc::clone(&clock), shown.clone());
        let renewed = tokio::task::spawn_blocking(move || files.renew_serving(&current, &*time));
        let renewed = match renewed.await {
            Ok(Ok(None)) => continue,
            Ok(Ok(Some(renewed))) => renewed,
            Ok(Err(error)) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::error!(error, "cannot renew the serving certificate");
                continue;
            }
            Err(error) => {
                tracing::error!(%error, "renewing the serving certificate broke off");
                continue;
            }
        };
        show(&certificate, &mut shown, renewed);
    }
}

/// Shows what was renewed. What cannot be shown does not count as shown, so that it is tried again.
fn show(certificate: &ServingCertificate, shown: &mut ServingMaterial, renewed: ServingMaterial) {
    match certificate.replace(renewed.certificates.clone(), renewed.key.clone_key()) {
        Ok(()) => {
            tracing::info!("showing a renewed serving certificate");
            *shown = renewed;
        }
        Err(error) => tracing::error!(%error, "cannot show the renewed serving certificate"),
    }
}

fn server_config(
    config: &ServeConfig,
    pki: &Pki,
    certificate: &Arc<ServingCertificate>,
    listeners: Vec<std::net::TcpListener>,
) -> anyhow::Result<(Config, Option<JwtFile>)> {
    let accounts = &config.service_account;
    let (signing, verification) = accounts.key_files(pki.service_account());
    let signing_key = PrivateKey::from_pem(&read_private_file(&signing)?).with_context(|| {
        format!(
            "cannot use the service-account signing key {}",
            signing.display()
        )
    })?;
    let mut keys = Vec::new();
    for file in &verification {
        let found = PublicKey::all_from_pem(&read("service-account-key-file", file)?);
        keys.extend(found.with_context(|| {
            format!("cannot use the service-account key file {}", file.display())
        })?);
    }
    let mut issuers = accounts.issuers.iter().cloned();
    let first = issuers
        .next()
        .context("service-account-issuer is a required flag")?;
    let signing_key = Arc::new(SigningKey::new(signing_key));
    let mut server = Config::new(listeners, Arc::clone(certificate), first, signing_key);
    server.issuers.extend(issuers);
    server.verification_keys = VerificationKeys::from_iter(keys);
    server.api_audiences.clone_from(&accounts.api_audiences);
    server.jwks_uri.clone_from(&accounts.jwks_uri);
    server.external_address = external_address(pki);
    server.max_token_expiration_seconds = accounts
        .max_token_expiration
        .and_then(|longest| i64::try_from(longest.as_secs()).ok());
    server.extension = match accounts.extend_token_expiration {
        true => Extension::Seconds(EXTENDED_SECONDS),
        false => Extension::Off,
    };
    let jwt_file = authenticators::configure(&mut server, &config.authentication, pki)?;
    server.request_timeout = config.request_timeout;
    server.shutdown_grace = config.shutdown_grace_period;
    Ok((server, jwt_file))
}

/// Host and port of the address in the kubeconfig.
fn external_address(pki: &Pki) -> String {
    let url = pki.server_url();
    url.strip_prefix("https://").unwrap_or(url).to_owned()
}

/// Reads a file that a flag, or the setting of that name, names.
fn read(flag: &str, file: &Path) -> anyhow::Result<Vec<u8>> {
    watch::read(file).with_context(|| format!("cannot read {flag} {}", file.display()))
}

/// Creates the data directory for its owner alone.
fn create_private(directory: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(directory)
        .with_context(|| format!("cannot create the data directory {}", directory.display()))
}

/// The signals that ask to stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn material() -> ServingMaterial {
        let directory = tempfile::tempdir().unwrap();
        let clock = SystemClock::new();
        let identity = Options {
            listen: vec!["127.0.0.1:6443".parse().unwrap()],
            ..Options::default()
        };
        let pki = Pki::open_or_create(directory.path(), identity, &clock).unwrap();
        pki.serving().clone()
    }

    #[test]
    fn a_certificate_that_cannot_be_shown_is_tried_again() {
        let (first, second) = (material(), material());
        let certificate =
            ServingCertificate::new(first.certificates.clone(), first.key.clone_key()).unwrap();
        let mut shown = first.clone();
        let mismatched = ServingMaterial {
            certificates: second.certificates.clone(),
            key: first.key.clone_key(),
        };
        show(&certificate, &mut shown, mismatched);
        assert_eq!(shown, first);
        show(&certificate, &mut shown, second.clone());
        assert_eq!(shown, second);
    }
}
