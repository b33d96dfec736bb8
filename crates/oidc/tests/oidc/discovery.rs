//! Finding a provider.

use std::time::Duration;

use burgee_authn::Decision;
use burgee_identity::{Outcome, Reason};
use serde_json::json;

use crate::provider::{Answer, DISCOVERY, KEYS, Provider};
use crate::world::{World, until};

impl World {
    fn health(&self) -> Result<(), String> {
        self.jwt.health().remove(0).result
    }

    async fn unhealthy(&self, with: &str) {
        let end = format!("is not healthy: {with}");
        until(&end, || {
            self.health().is_err_and(|error| error.ends_with(&end))
        })
        .await;
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_keeps_its_own_tokens_waiting_and_no_others() {
    let world = World::start(Provider::stopped().await, |_| {});
    let issuer = world.provider.url();
    assert_eq!(
        world.health().unwrap_err(),
        format!(
            "oidc: authenticator for issuer \"{issuer}\" is not healthy: oidc: authenticator for \
             issuer \"{issuer}\" is not initialized"
        )
    );
    let Decision::Now(verdict) = world.decide(&world.token(json!({}))) else {
        panic!("not decided at once")
    };
    assert_eq!(
        verdict.outcome,
        Outcome::rejected(
            Reason::AuthenticatorNotReady,
            "oidc: authenticator not initialized"
        )
    );
    let foreign = world.token(json!({"iss": "https://other.example"}));
    assert_eq!(
        world.judge(&foreign).await.outcome,
        Outcome::NoOpinion(Reason::TokenIssuerForeign)
    );
    assert!(!world.jwt.wait_until_healthy(Duration::ZERO).await);
}

#[tokio::test]
async fn a_provider_is_found_once_it_is_there() {
    let mut world = World::start(Provider::stopped().await, |_| {});
    until("the first attempt", || {
        world
            .health()
            .is_err_and(|error| error.contains("request failed"))
    })
    .await;
    world.provider.launch().await;
    assert!(world.jwt.wait_until_healthy(crate::world::DEADLINE).await);
    assert_eq!(world.health(), Ok(()));
    assert_eq!(world.user(&world.token(json!({}))).await.name, "jane");
}

#[tokio::test]
async fn whatever_is_wrong_with_a_discovery_document_is_told_and_asked_for_again() {
    let provider = Provider::start().await;
    provider.answer(DISCOVERY, Answer::status(500));
    let (url, good) = (
        provider.url(),
        json!({"issuer": provider.url(), "jwks_uri": provider.at(KEYS)}),
    );
    let world = World::start(provider, |_| {});
    world
        .unhealthy("provider answered 500 Internal Server Error")
        .await;
    let answer = |answer| world.provider.answer(DISCOVERY, answer);

    let other = json!({"issuer": format!("{url}/"), "jwks_uri": "https://a.example"});
    answer(Answer::ok(other.to_string()));
    world
        .unhealthy(&format!(
            "oidc: issuer did not match the issuer returned by provider, expected \"{url}\" got \"{url}/\""
        ))
        .await;
    answer(Answer::ok(json!({"issuer": url}).to_string()));
    world.unhealthy("provider did not return JWKS URL").await;
    answer(Answer::ok(good.to_string()));
    assert!(world.jwt.wait_until_healthy(crate::world::DEADLINE).await);
}

#[tokio::test]
async fn documents_are_bounded() {
    let provider = Provider::start().await;
    provider.answer(DISCOVERY, Answer::ok(vec![b' '; (1 << 20) + 1]));
    let world = World::start(provider, |_| {});
    world.unhealthy("answer is longer than 1048576 bytes").await;
}

#[tokio::test]
async fn garbage_is_no_document() {
    let provider = Provider::start().await;
    provider.answer(DISCOVERY, Answer::ok("<html>".repeat(100)));
    let world = World::start(provider, |_| {});
    until("the failure", || {
        world.health().is_err_and(|error| {
            error.contains("oidc: failed to decode provider discovery object: ")
        })
    })
    .await;
}

#[tokio::test]
async fn redirects_are_followed_but_not_without_tls_or_end() {
    let provider = Provider::start().await;
    let document = json!({"issuer": provider.url(), "jwks_uri": provider.at(KEYS)});
    provider.answer("/moved", Answer::ok(document.to_string()));
    provider.answer(DISCOVERY, Answer::redirect("http://127.0.0.1:1/"));
    let world = World::start(provider, |_| {});
    until("the failure", || {
        world
            .health()
            .is_err_and(|error| error.ends_with("redirected to something else than https"))
    })
    .await;
    world
        .provider
        .answer(DISCOVERY, Answer::redirect(DISCOVERY));
    until("the failure", || {
        world
            .health()
            .is_err_and(|error| error.ends_with("too many redirects"))
    })
    .await;
    world.provider.answer(DISCOVERY, Answer::redirect("/moved"));
    assert!(world.jwt.wait_until_healthy(crate::world::DEADLINE).await);
}

#[tokio::test]
async fn a_provider_that_hangs_keeps_nobody_from_starting() {
    let provider = Provider::start().await;
    provider.answer(DISCOVERY, Answer::Hang);
    let world = World::start(provider, |_| {});
    until("the request", || world.provider.requests(DISCOVERY) == 1).await;
    assert!(
        !world
            .jwt
            .wait_until_healthy(Duration::from_millis(50))
            .await
    );
    let (reason, _) = world.refusal(&world.token(json!({}))).await;
    assert_eq!(reason, Reason::AuthenticatorNotReady);
}

#[tokio::test]
async fn a_provider_of_an_unknown_authority_is_not_believed() {
    let stranger = Provider::start().await;
    let world = World::start(Provider::start().await, |configured| {
        configured.issuer.certificate_authority = Some(stranger.authority().to_owned());
    });
    until("the failure", || {
        world
            .health()
            .is_err_and(|error| error.contains("invalid peer certificate"))
    })
    .await;
}

#[tokio::test]
async fn the_document_may_be_elsewhere() {
    let elsewhere = Provider::start().await;
    let document = json!({
        "issuer": "https://issuer.example.test",
        "jwks_uri": elsewhere.at(KEYS),
    });
    elsewhere.answer("/internal/document", Answer::ok(document.to_string()));
    let world = World::start(elsewhere, |configured| {
        configured.issuer.discovery_url =
            Some(configured.issuer.url.clone() + "/internal/document");
        configured.issuer.url = "https://issuer.example.test".to_owned();
    });
    assert!(world.jwt.wait_until_healthy(crate::world::DEADLINE).await);
    let token = world.token(json!({"iss": "https://issuer.example.test"}));
    assert_eq!(world.user(&token).await.name, "jane");
    assert_eq!(world.provider.requests(DISCOVERY), 0);
}
