//! Discovery documents: reading one never panics, and keys are only ever fetched by https.
#![no_main]

use burgee_oidc::DiscoveryDocument;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    if let Ok(document) = DiscoveryDocument::parse("https://issuer.example", document) {
        assert!(document.jwks_uri.starts_with("https://"));
    }
});
