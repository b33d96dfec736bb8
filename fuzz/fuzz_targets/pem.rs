//! Key files: reading one never panics, and what reads can be written and read again.

#![no_main]

use burgee_jose::{PrivateKey, PublicKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    for key in PublicKey::all_from_pem(file).unwrap_or_default() {
        let again = PublicKey::all_from_pem(key.to_pem().as_bytes()).unwrap();
        assert_eq!(again, [key]);
    }
    if let Ok(key) = PrivateKey::from_pem(file) {
        let again = PrivateKey::from_pem(key.to_pem().unwrap().expose().as_bytes()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
    }
    // The same bytes as what stands inside a block.
    let _ = PublicKey::from_der(file);
    let _ = PrivateKey::from_der(file);
});
