//! Anyone may hand a token to an explanation, also one that is none.
#![no_main]

use burgee_authn::explain::{anatomy, certificate_anatomy, certificates_from_pem};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

/// Longer than what any text of an explanation would hold by chance.
const SIGNATURE: &str = "c2lnbmF0dXJlLXRoYXQtaXMtc2VjcmV0";

fuzz_target!(|text: &str| {
    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        for token in [text.to_owned(), format!("{text}.{SIGNATURE}")] {
            let says = serde_json::to_string(&anatomy(&token, now)).unwrap();
            assert!(!says.contains(SIGNATURE), "{says}");
            // Claims of 512 values of 512 characters, of which JSON escapes each with six.
            assert!(says.len() < 4 * 1024 * 1024);
        }
        let _ = certificate_anatomy(&certificates_from_pem(text), now);
    }
});
