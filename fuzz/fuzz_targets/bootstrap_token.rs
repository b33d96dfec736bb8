//! Tokens and ids: what reads is exactly what was given, and the error cannot repeat it.

#![no_main]

use burgee_bootstrap_token::{BootstrapGroup, Error, Expiration, Token, TokenId, TokenSecret};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match text.parse::<Token>() {
        Ok(token) => {
            assert_eq!(token.text().expose(), text);
            assert_eq!(TokenId::from_token_or_id(text), Ok(token.id()));
            assert!(!format!("{token:?}").contains(token.secret().expose()));
        }
        // This one has no place for the text.
        Err(error) => assert_eq!(error, Error::TokenMalformed),
    }
    if let Ok(secret) = text.parse::<TokenSecret>() {
        let _ = secret.weakness();
    }
    // The other texts in a token's Secret.
    let _ = Expiration::parse(text);
    if let Ok(groups) = BootstrapGroup::parse_list(text) {
        let names: Vec<_> = groups.iter().map(BootstrapGroup::as_str).collect();
        assert_eq!(names.join(","), text);
    }
});
