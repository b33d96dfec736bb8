//! Any bytes may stand in the headers of a front proxy; whatever they say, nothing of them is left.
#![no_main]

use std::sync::{Arc, LazyLock};

use burgee_authn::{
    Audiences, Authenticator, Decision, FrontProxy, FrontProxyOptions, PeerCertificates, Request,
};
use burgee_identity::SettableClock;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

const CA: &[u8] = include_bytes!("../certificates/ca.pem");
const LEAF: &[u8] = include_bytes!("../certificates/leaf.pem");

static PROXY: LazyLock<(FrontProxy, PeerCertificates)> = LazyLock::new(|| {
    let list = |name: &str| vec![name.to_owned()];
    let options = FrontProxyOptions {
        username_headers: list("X-Remote-User"),
        uid_headers: list("X-Remote-Uid"),
        group_headers: list("X-Remote-Group"),
        extra_header_prefixes: list("X-Remote-Extra-"),
        ..FrontProxyOptions::default()
    };
    let clock = Arc::new(SettableClock::at("2030-01-01T00:00:00Z".parse().unwrap()));
    let proxy = FrontProxy::new("fuzz", &options, clock).unwrap();
    proxy.reload(CA).unwrap();
    let leaf = CertificateDer::from_pem_slice(LEAF).unwrap();
    (proxy, PeerCertificates::new([leaf]))
});

fuzz_target!(|lines: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    let (proxy, peer) = &*PROXY;
    assert!(proxy.trusts(peer));
    let request = Request {
        headers: &headers,
        path: "/",
        peer_certificates: Some(peer),
        audiences: &Audiences::ANY,
    };
    let Decision::Now(verdict) = proxy.authenticate(&request) else {
        panic!("headers are judged from memory")
    };
    if let Some(user) = verdict.outcome.user() {
        assert!(!user.name.is_empty() && !user.groups.contains(&String::new()));
    }
    proxy.identity_headers().remove_from(&mut headers);
    assert!(
        headers
            .keys()
            .all(|name| !name.as_str().starts_with("x-remote-extra-"))
    );
    assert!(!headers.contains_key("x-remote-user"));
});
