//! TLS: what the server shows, and what it asks of clients.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use tokio_rustls::TlsAcceptor;

/// The longest client certificate chain that is looked at; upstream's verifier has the same bound.
const MAX_CHAIN: usize = 10;

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
    hints: Vec<Vec<u8>>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::clone(&certificate.provider);
    let verifier = PossessionOnly {
        hints: hints.into_iter().map(DistinguishedName::from).collect(),
        algorithms: provider.signature_verification_algorithms,
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Proves that the client holds the key of its certificate, and judges nothing else.
///
/// An unknown, expired or foreign certificate must not end the handshake: the x509 authenticator
/// judges it at each request, and another credential may be good.
#[derive(Debug)]
struct PossessionOnly {
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for PossessionOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if intermediates.len() >= MAX_CHAIN {
            return Err(rustls::Error::General(
                "the client's certificate chain is too long".into(),
            ));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
