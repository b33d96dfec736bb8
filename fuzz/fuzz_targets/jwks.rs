//! Key sets: reading one never panics, and what reads can be rendered and read again.

#![no_main]

use burgee_jose::jwks;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    let Ok(set) = jwks::parse(document) else {
        return;
    };
    let again = jwks::parse(jwks::render(&set.keys).as_bytes()).unwrap();
    assert_eq!(again.keys, set.keys);
    assert!(again.skipped.is_empty());
});
