//! Several issuers, and others in their place.

use std::time::Duration;

use burgee_authn::Decision;
use burgee_identity::{Outcome, Reason};
use burgee_oidc::hash_label;
use serde_json::json;

use crate::provider::{Answer, DISCOVERY, KEYS, Provider};
use crate::world::{DEADLINE, World, claim, configured, until};

#[tokio::test]
async fn a_new_set_judges_from_the_moment_it_is_put_in_force() {
    let world = World::new().await;
    let old = world.token(json!({}));
    world.user(&old).await;

    let other = Provider::start().await;
    let public = world.key.private_key().public_key();
    other.answer(KEYS, Answer::keys(&[public]));
    let new = world.token(json!({"iss": other.url()}));
    let prepared = world.jwt.prepare([configured(&other)]).unwrap();
    assert!(prepared.wait_until_healthy(DEADLINE).await);
    assert!(prepared.health().iter().all(|health| health.result.is_ok()));
    let foreign = Outcome::NoOpinion(Reason::TokenIssuerForeign);
    assert_eq!(world.judge(&new).await.outcome, foreign);

    world.jwt.replace(prepared);
    world.user(&new).await;
    assert_eq!(world.judge(&old).await.outcome, foreign);
    assert_eq!(
        *world.metrics.removed.lock().unwrap(),
        [hash_label(world.provider.url().as_bytes())]
    );
}

#[tokio::test]
async fn an_issuer_that_stays_keeps_its_keys_while_its_provider_is_away() {
    let mut world = World::new().await;
    let token = world.token(json!({}));
    world.user(&token).await;
    world.provider.stop().await;

    let mut changed = configured(&world.provider);
    changed.issuer.audiences.push("other".to_owned());
    changed.claim_mappings.username = claim("sub", "new:");
    let prepared = world.jwt.prepare([changed]).unwrap();
    assert!(prepared.wait_until_healthy(Duration::ZERO).await);
    world.jwt.replace(prepared);
    assert_eq!(world.user(&token).await.name, "new:jane");
    assert_eq!(world.fetches(), 1);
    assert_eq!(world.provider.requests(DISCOVERY), 1);
}

#[tokio::test]
async fn an_issuer_that_is_found_in_another_way_has_to_be_found_again() {
    let world = World::new().await;
    let stranger = Provider::start().await;
    let mut elsewhere = configured(&world.provider);
    elsewhere.issuer.discovery_url = Some(world.provider.at("/elsewhere"));
    let mut unknown = configured(&world.provider);
    unknown.issuer.certificate_authority = Some(stranger.authority().to_owned());
    for changed in [elsewhere, unknown] {
        let prepared = world.jwt.prepare([changed]).unwrap();
        assert!(prepared.health()[0].result.is_err());
    }
}

#[tokio::test]
async fn a_token_that_waits_is_judged_by_the_set_that_it_came_to() {
    let world = World::new().await;
    let token = world.token(json!({}));
    let Decision::Later(judging) = world.decide(&token) else {
        panic!("decided without keys")
    };
    world.jwt.replace(world.jwt.prepare([]).unwrap());
    assert!(judging.await.is_authenticated());
    assert_eq!(
        world.judge(&token).await.outcome,
        Outcome::NoOpinion(Reason::NotConfigured)
    );
}

#[tokio::test]
async fn a_set_that_is_given_up_stops_looking_for_its_providers() {
    let world = World::new().await;
    let lost = Provider::start().await;
    lost.answer(DISCOVERY, Answer::status(500));
    let prepared = world.jwt.prepare([configured(&lost)]).unwrap();
    until("two attempts", || lost.requests(DISCOVERY) >= 2).await;
    assert!(!prepared.wait_until_healthy(Duration::ZERO).await);
    let runtime = tokio::runtime::Handle::current();
    let tasks = runtime.metrics().num_alive_tasks();
    drop(prepared);
    until("the end of the search", || {
        runtime.metrics().num_alive_tasks() < tasks
    })
    .await;
}

#[tokio::test]
async fn each_issuer_judges_its_own_tokens() {
    let world = World::new().await;
    let broken = Provider::start().await;
    broken.answer(DISCOVERY, Answer::status(500));
    let both = [configured(&broken), configured(&world.provider)];
    world.jwt.replace(world.jwt.prepare(both).unwrap());
    let health = world.jwt.health();
    assert_eq!(health[0].issuer, broken.url());
    until("the provider", || world.jwt.health()[1].result.is_ok()).await;
    world.user(&world.token(json!({}))).await;
    let token = world.token(json!({"iss": broken.url()}));
    assert_eq!(world.refusal(&token).await.0, Reason::AuthenticatorNotReady);
}

#[tokio::test]
async fn an_unusable_authority_is_told_at_once() {
    let world = World::new().await;
    let mut broken = configured(&world.provider);
    broken.issuer.certificate_authority = Some("no certificate".to_owned());
    let error = world.jwt.prepare([broken]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no client for issuer {}", world.provider.url())
    );
}
