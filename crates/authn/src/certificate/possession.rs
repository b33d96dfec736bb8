//! What a TLS server asks of its clients, so that their certificates can be judged request by request.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};

/// The longest client certificate chain that is looked at; upstream's verifier has the same bound.
const MAX_CHAIN: usize = 10;

/// Asks clients of a rustls server for a certificate, proves that they hold its key, and judges nothing
/// else.
///
/// An unknown, expired or foreign certificate must not end the handshake:
/// [`ClientCertificates`](crate::ClientCertificates) judges it at each request, and another credential may be
/// good. Put what the connection has ([`PeerCertificates`](crate::PeerCertificates)) among the extensions of
/// its requests.
#[derive(Debug)]
pub struct PossessionOnly {
    authorities: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PossessionOnly {
    /// Checks signatures with `provider`, and names to clients the authorities with these subjects (DER),
    /// so that they know which certificate to send.
    #[must_use]
    pub fn new(
        provider: &CryptoProvider,
        authorities: impl IntoIterator<Item = Vec<u8>>,
    ) -> Arc<Self> {
        let authorities = authorities.into_iter().map(DistinguishedName::from);
        Arc::new(Self {
            authorities: authorities.collect(),
            algorithms: provider.signature_verification_algorithms,
        })
    }
}

impl ClientCertVerifier for PossessionOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.authorities
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
