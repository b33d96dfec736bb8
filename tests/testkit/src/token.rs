//! Looking into tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The claims of a JSON Web Token, without any check of it.
///
/// # Panics
///
/// If it is none.
#[must_use]
pub fn claims(token: &str) -> Value {
    let payload = token
        .trim()
        .split('.')
        .nth(1)
        .unwrap_or_else(|| panic!("no token: {token}"));
    let json = URL_SAFE_NO_PAD
        .decode(payload)
        .expect("a token's payload is base64url");
    serde_json::from_slice(&json).expect("a token's payload is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_read() {
        assert_eq!(claims("e30.eyJzdWIiOiJhIn0.c2ln\n")["sub"], "a");
    }
}
