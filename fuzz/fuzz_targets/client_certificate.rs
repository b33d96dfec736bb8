//! A client may show any bytes as its certificates, and a file may hold any bytes as a revocation list:
//! nobody is authenticated by bytes that the authority did not sign.
#![no_main]

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use burgee_authn::{
    Audiences, Authenticator, ClientCertificates, Decision, NoMetrics, PeerCertificates, Request,
    UidPolicy,
};
use burgee_identity::SettableClock;
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

const CA: &[u8] = include_bytes!("../certificates/ca.pem");

/// Everything that the authority signed, and itself.
static SIGNED: LazyLock<Vec<CertificateDer<'static>>> = LazyLock::new(|| {
    let leaf = include_bytes!("../certificates/leaf.pem");
    let revoked = include_bytes!("../certificates/revoked.pem");
    [CA, leaf, revoked]
        .map(|pem| CertificateDer::from_pem_slice(pem).unwrap())
        .into()
});

/// Pieces, each behind its length in two bytes: first the revocation list, then the chain.
fn pieces(mut data: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        pieces.push(piece);
        data = rest;
    }
    pieces
}

fuzz_target!(|data: &[u8]| {
    let clock = Arc::new(SettableClock::at("2030-01-01T00:00:00Z".parse().unwrap()));
    let clients =
        ClientCertificates::new("fuzz", UidPolicy::FromSubject, clock, Arc::new(NoMetrics))
            .unwrap();
    clients.reload(CA).unwrap();
    let pieces = pieces(data);
    let Some((list, chain)) = pieces.split_first() else {
        return;
    };
    let list = base64::engine::general_purpose::STANDARD.encode(list);
    let list = format!("-----BEGIN X509 CRL-----\n{list}\n-----END X509 CRL-----\n");
    let _ = clients.reload_revocations("fuzz", list.as_bytes());
    let chain = chain.iter().map(|der| CertificateDer::from(der.to_vec()));
    let peer = PeerCertificates::new(chain);
    let headers = HeaderMap::new();
    let request = Request {
        headers: &headers,
        path: "/",
        peer_certificates: Some(&peer),
        audiences: &Audiences::ANY,
    };
    let Decision::Now(verdict) = clients.authenticate(&request) else {
        panic!("certificates are judged from memory")
    };
    if verdict.is_authenticated() {
        assert!(SIGNED.contains(&peer.chain()[0]));
    }
});
