//! A provider that cannot be reached, from the start or later.

use std::thread;
use std::time::{Duration, Instant};

use burgee_testkit::Server;
use serde_json::json;

use super::oidc::{issuer, knows, prefixed};
use super::provider::{Provider, RS256};
use super::{Files, STATIC, bearer, name, refusal, says, static_tokens};

/// Others are served as if nothing was wrong.
#[track_caller]
fn others_are_served(server: &Server) {
    let begin = Instant::now();
    assert_eq!(name(&bearer(server, STATIC)), "robot");
    assert_eq!(name(&server.client()), "kubernetes-admin");
    assert_eq!(server.client().get("/readyz").status, 200);
    assert!(
        begin.elapsed() < Duration::from_secs(3),
        "{:?}",
        begin.elapsed()
    );
}

/// A server that starts while its provider answers like this, and then well.
fn starts_without_the_provider(how: &str) {
    let (provider, files) = (Provider::start(), Files::new());
    let token = provider.id_token(RS256, json!({"sub": "jane"}));
    provider.answer(how);
    let configuration = files.flag("authentication-config", issuer(&provider, prefixed("")));
    let server = Server::options()
        .arguments([configuration, static_tokens(&files)])
        .start();
    says(
        &refusal(&server, &token),
        "oidc: authenticator not initialized",
    );
    others_are_served(&server);
    provider.answer("well");
    knows(&server, &token);
    assert_eq!(name(&bearer(&server, &token)), "jane");
}

#[test]
fn a_provider_that_is_away_at_the_start_is_found_later() {
    thread::scope(|scope| {
        for how in ["refuse", "503", "garbage", "never"] {
            scope.spawn(move || starts_without_the_provider(how));
        }
    });
}

#[test]
fn keys_that_are_known_outlive_the_provider() {
    let (provider, files) = (Provider::start(), Files::new());
    let configuration = files.flag("authentication-config", issuer(&provider, prefixed("")));
    let server = Server::options()
        .arguments([configuration, static_tokens(&files)])
        .start();
    let token = |sub: &str| provider.id_token(RS256, json!({"sub": sub}));
    let known = ["refuse", "503", "garbage", "never"].map(|how| (how, token(how)));
    knows(&server, &token("first"));
    provider.publish_keys();
    provider.sign_with_newest();
    let unknown = token("unknown");
    for (how, known) in known {
        provider.answer(how);
        assert_eq!(name(&bearer(&server, &known)), how);
        // Whoever needs what the provider does not say may have to wait; nobody else has to.
        thread::scope(|scope| {
            let refused = scope.spawn(|| refusal(&server, &unknown));
            others_are_served(&server);
            if how == "never" {
                provider.answer("well");
            }
            says(&refused.join().unwrap(), "failed to verify signature");
        });
    }
    knows(&server, &unknown);
}
