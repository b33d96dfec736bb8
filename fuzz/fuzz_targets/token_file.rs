//! A token file is read or refused; what is read is known afterwards.
#![no_main]

use burgee_authn::StaticTokens;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    if let Ok(tokens) = StaticTokens::new("fuzz.csv", content) {
        assert!(tokens.reload(content).is_ok());
    }
});
