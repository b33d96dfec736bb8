//! Tokens: reading one never panics, what reads is canonical, and its payload reads as strict JSON or not
//! at all.

#![no_main]

use burgee_jose::{Jws, base64url, json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|token: &str| {
    let Ok(jws) = Jws::parse(token) else {
        return;
    };
    // No other text is the same token.
    let (header, _) = token.split_once('.').unwrap();
    let again = format!(
        "{header}.{}.{}",
        base64url::encode(jws.unverified_payload()),
        base64url::encode(jws.signature()),
    );
    assert_eq!(token, again);
    let payload = jws.unverified_payload();
    if let Ok(claims) = json::from_slice::<serde_json::Value>(payload) {
        // Not compared: numbers with fractions may change in their last digit.
        let written = json::to_string(&claims).unwrap();
        assert!(json::from_slice::<serde_json::Value>(written.as_bytes()).is_ok());
    }
});
