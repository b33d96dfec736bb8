//! Keys of a provider come and go while people work.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use burgee_testkit::{Server, eventually};
use serde_json::json;

use super::oidc::{issuer, knows, prefixed};
use super::provider::{ES256, Provider, RS256};
use super::{Files, bearer, name, refusal, says};

/// A token whose key nobody has.
const STRANGER: &str = "stranger";

/// Waits until the server has asked for the keys again, which it does when a token names an unknown
/// one, though not at the rate at which such tokens come.
fn refresh(server: &Server, provider: &Provider, token: &str) {
    let before = provider.count("jwks");
    let mut tokens = 0;
    eventually("another look at the keys", || {
        let unknown = with_key_id(token, &format!("{STRANGER}-{before}-{tokens}"));
        tokens += 1;
        assert_eq!(bearer(server, &unknown).get("/api").status, 401);
        (provider.count("jwks") > before).then_some(())
    });
    assert_eq!(provider.count("jwks"), before + 1, "{tokens} tokens");
}

/// The token as if another key had signed it.
fn with_key_id(token: &str, key_id: &str) -> String {
    use base64::Engine as _;
    let header = json!({"alg": "RS256", "kid": key_id}).to_string();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header);
    let (_, rest) = token.split_once('.').unwrap();
    format!("{header}.{rest}")
}

#[test]
fn keys_rotate_and_no_good_token_is_refused() {
    let (provider, files) = (Provider::start(), Files::new());
    let file = files.flag("authentication-config", issuer(&provider, prefixed("")));
    let server = Server::options().arguments([file]).start();
    let token = |client: &str, sub: &str| provider.id_token(client, json!({"sub": sub}));
    let old = token(RS256, "old");
    let unused = token(RS256, "unused");
    knows(&server, &old);

    let (ends, requests) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let traffic = |token: String, expected: &'static str| {
            let (server, ends, requests) = (&server, &ends, &requests);
            scope.spawn(move || {
                let client = bearer(server, &token);
                while !ends.load(Ordering::Relaxed) {
                    assert_eq!(name(&client), expected);
                    requests.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        // From the first key and through the change to the second.
        let first = traffic(old.clone(), "old");
        provider.publish_keys();
        refresh(&server, &provider, &old);
        provider.sign_with_newest();
        let second = traffic(token(RS256, "new"), "new");
        let third = traffic(token(ES256, "newer"), "newer");
        // New tokens and old ones side by side, none of them remembered from before.
        for number in 0..20 {
            let sub = format!("new-{number}");
            assert_eq!(name(&bearer(&server, &token(RS256, &sub))), sub);
        }
        assert_eq!(name(&bearer(&server, &unused)), "unused");
        ends.store(true, Ordering::Relaxed);
        for thread in [first, second, third] {
            thread.join().unwrap();
        }
    });
    assert!(requests.into_inner() > 100);
}

#[test]
fn a_withdrawn_key_is_refused_as_soon_as_the_server_knows() {
    let (provider, files) = (Provider::start(), Files::new());
    let file = files.flag("authentication-config", issuer(&provider, prefixed("")));
    let server = Server::options().arguments([file]).start();
    let token = |sub: &str| provider.id_token(RS256, json!({"sub": sub}));
    let (old, unused) = (token("old"), token("unused"));
    knows(&server, &old);

    provider.publish_keys();
    provider.sign_with_newest();
    provider.withdraw_keys();
    // Not announced beforehand: known some seconds later, when the server may ask again.
    let new = token("new");
    knows(&server, &new);
    says(&refusal(&server, &unused), "failed to verify signature");
    // What was remembered of the other lasts ten seconds at most.
    eventually("the end of what was remembered", || {
        (bearer(&server, &old).get("/api").status == 401).then_some(())
    });
    assert_eq!(name(&bearer(&server, &new)), "new");
}
