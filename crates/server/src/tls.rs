//! TLS: what the server shows, and what it asks of clients.

use std::sync::Arc;

use arc_swap::ArcSwap;
use burgee_authn::PossessionOnly;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// The certificate that the server shows. It can be exchanged while connections are served.
#[derive(Debug)]
pub struct ServingCertificate {
    current: ArcSwap<CertifiedKey>,
    provider: Arc<CryptoProvider>,
}

impl ServingCertificate {
    /// A certificate chain, leaf first, and the leaf's private key.
    ///
    /// # Errors
    ///
    /// When the key is of an unsupported kind or does not belong to the leaf.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let current = ArcSwap::from_pointee(CertifiedKey::from_der(chain, key, &provider)?);
        Ok(Self { current, provider })
    }

    /// Shows this certificate from the next handshake on.
    ///
    /// # Errors
    ///
    /// As [`ServingCertificate::new`]; the old certificate stays then.
    pub fn replace(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), rustls::Error> {
        let next = CertifiedKey::from_der(chain, key, &self.provider)?;
        self.current.store(Arc::new(next));
        Ok(())
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// The server's side of TLS 1.2 and 1.3, for HTTP/2 and HTTP/1.1.
///
/// A client certificate is asked for, naming the authorities that count, but never required.
pub(crate) struct Tls {
    certificate: Arc<ServingCertificate>,
    current: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Shows `certificate`, and names the authorities with these subjects (DER) to clients.
    pub(crate) fn new(
        certificate: Arc<ServingCertificate>,
        authorities: Vec<Vec<u8>>,
    ) -> Result<Self, rustls::Error> {
        let current = ArcSwap::from_pointee(config(Arc::clone(&certificate), authorities)?);
        Ok(Self {
            certificate,
            current,
        })
    }

    /// Names these authorities from the next handshake on.
    pub(crate) fn name_authorities(&self, authorities: Vec<Vec<u8>>) -> Result<(), rustls::Error> {
        let next = config(Arc::clone(&self.certificate), authorities)?;
        self.current.store(Arc::new(next));
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

fn config(
    certificate: Arc<ServingCertificate>,
    authorities: Vec<Vec<u8>>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::clone(&certificate.provider);
    let verifier = PossessionOnly::new(&provider, authorities);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
