//! The connections to a server, made anew when the certificates for them change.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use burgee_https::{ClientBuilder, Proxy, Roots};
use burgee_identity::{Clock, Secret};

use crate::credentials::Certificate;
use crate::{ClusterAccess, Error, files};

/// How often the files of certificates and keys are looked at.
const FILES_PERIOD: Duration = Duration::from_secs(60);

/// A [`reqwest::Client`] for the certificates of the moment.
#[derive(Debug)]
pub(crate) struct Transport {
    access: ClusterAccess,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    client: reqwest::Client,
    material: Material,
    /// When the files were last looked at, on the monotonic clock.
    looked_at: Duration,
}

/// What is in the files, and what a plugin gave.
#[derive(Clone, Debug, Default, PartialEq)]
struct Material {
    authorities: Option<Vec<u8>>,
    certificate: Option<Arc<Certificate>>,
}

impl Transport {
    pub(crate) fn new(access: ClusterAccess, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let looked_at = clock.monotonic();
        let material = Material::read(&access)?;
        let client = material.client(&access)?;
        Ok(Self {
            access,
            clock,
            state: Mutex::new(State {
                client,
                material,
                looked_at,
            }),
        })
    }

    /// The client to use now, which shows `certificate` where there is none in the kubeconfig.
    pub(crate) async fn client(
        &self,
        certificate: Option<Arc<Certificate>>,
    ) -> Result<reqwest::Client, Error> {
        let now = self.clock.monotonic();
        let (due, present) = {
            let mut state = self.lock();
            let due =
                self.access.names_files() && now.saturating_sub(state.looked_at) >= FILES_PERIOD;
            if due {
                // Whoever asks meanwhile takes the old ones.
                state.looked_at = now;
            }
            if !due && (certificate.is_none() || certificate == state.material.certificate) {
                return Ok(state.client.clone());
            }
            (due, state.material.clone())
        };
        let mut material = if due {
            self.look(present).await
        } else {
            present
        };
        if certificate.is_some() {
            material.certificate = certificate;
        }
        let mut state = self.lock();
        if state.material != material {
            match material.client(&self.access) {
                Ok(client) => {
                    state.client = client;
                    state.material = material;
                }
                // A certificate and its key are two files, so for a moment they need not match.
                Err(error) if due => {
                    tracing::error!(%error, "changed certificates are not used");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(state.client.clone())
    }

    /// What is in the files now; what is in use when they cannot be read.
    async fn look(&self, present: Material) -> Material {
        let access = self.access.clone();
        match files::unblocked(Path::new("kubeconfig"), move |_| Material::read(&access)).await {
            Ok(mut material) => {
                // That of a plugin stays.
                material.certificate = material.certificate.or(present.certificate);
                material
            }
            Err(error) => {
                tracing::error!(%error, "certificates are not read again");
                present
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Material {
    /// Reads what the kubeconfig names or holds. Data stands over files.
    fn read(access: &ClusterAccess) -> Result<Self, Error> {
        if !access.is_secure() {
            return Ok(Self::default());
        }
        let (cluster, user) = (access.cluster(), access.user());
        let authorities = match (
            &cluster.certificate_authority_data,
            &cluster.certificate_authority,
        ) {
            (Some(data), _) => Some(data.clone()),
            (None, Some(file)) => Some(files::read(file)?.to_vec()),
            (None, None) => None,
        };
        let chain = match (&user.client_certificate_data, &user.client_certificate) {
            (Some(data), _) => Some(data.clone()),
            (None, Some(file)) => Some(files::read(file)?.to_vec()),
            (None, None) => None,
        };
        let key = match (&user.client_key_data, &user.client_key) {
            (Some(data), _) => Some(data.clone()),
            (None, Some(file)) => Some(read_key(file)?),
            (None, None) => None,
        };
        let certificate = chain
            .zip(key)
            .map(|(chain, key)| Arc::new(Certificate { chain, key }));
        Ok(Self {
            authorities,
            certificate,
        })
    }

    fn client(&self, access: &ClusterAccess) -> Result<reqwest::Client, Error> {
        let cluster = access.cluster();
        let mut builder = ClientBuilder::new();
        if let Some(authorities) = &self.authorities {
            builder = builder.roots(Roots::Pem(authorities.clone()));
        }
        if let Some(certificate) = &self.certificate {
            let key = certificate.key.expose().as_bytes();
            builder = builder.client_certificate(&certificate.chain, key);
        }
        if let Some(name) = &cluster.tls_server_name {
            builder = builder.server_name(name);
        }
        // Without TLS nothing can be verified, and the host need not have authorities for that.
        if cluster.insecure_skip_tls_verify || !access.is_secure() {
            builder = builder.insecure_skip_verification();
        }
        if let Some(proxy) = &cluster.proxy_url {
            builder = builder.proxy(Proxy::Fixed(proxy.expose().to_owned()));
        }
        Ok(builder.build()?)
    }
}

fn read_key(file: &Path) -> Result<Secret, Error> {
    let content = files::read(file)?;
    match std::str::from_utf8(&content) {
        Ok(text) => Ok(Secret::from(text.to_owned())),
        Err(_) => Err(Error::Credential(format!(
            "client-key {} is not PEM",
            file.display()
        ))),
    }
}

impl ClusterAccess {
    /// Whether certificates or keys come from files that may change.
    fn names_files(&self) -> bool {
        let (cluster, user) = (self.cluster(), self.user());
        self.is_secure()
            && [
                &cluster.certificate_authority,
                &user.client_certificate,
                &user.client_key,
            ]
            .iter()
            .any(|file| file.is_some())
    }
}
