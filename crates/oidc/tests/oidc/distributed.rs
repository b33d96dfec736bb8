//! Groups that are not in the token.

use burgee_identity::Reason;
use burgee_jose::SigningKey;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::provider::{Answer, DISCOVERY, KEYS, Provider};
use crate::world::{World, claim, key, until};

/// A world whose tokens' groups another provider may have.
async fn world(groups: &Provider) -> World {
    World::with(|configured| {
        configured.claim_mappings.groups = Some(claim("groups", "g:"));
        let authorities = configured.issuer.certificate_authority.as_mut().unwrap();
        authorities.push_str(groups.authority());
    })
    .await
}

/// What says that the groups are at `endpoint`.
fn elsewhere(endpoint: &str) -> Value {
    json!({
        "_claim_names": {"groups": "source"},
        "_claim_sources": {"source": {"endpoint": endpoint, "access_token": "hush"}},
    })
}

/// A provider of groups with its key, and what its endpoint answers.
async fn provider_of_groups() -> (Provider, SigningKey) {
    let (provider, key) = (Provider::start().await, key());
    let public = key.private_key().public_key();
    provider.answer(KEYS, Answer::keys(&[public]));
    (provider, key)
}

#[tokio::test]
async fn groups_come_from_where_the_token_says() {
    let (groups, key) = provider_of_groups().await;
    let world = world(&groups).await;
    let answer = json!({"iss": groups.url(), "groups": ["a", "b"]});
    groups.answer("/groups", Answer::ok(world.signed(&key, answer)));
    let token = world.token(elsewhere(&groups.at("/groups")));
    let user = world.user(&token).await;
    assert_eq!(user.groups, ["g:a", "g:b", "system:authenticated"]);
    assert_eq!(groups.authorization("/groups").unwrap(), "Bearer hush");
    world.user(&token).await;
    assert_eq!(groups.requests(DISCOVERY), 1);
    assert_eq!(groups.requests(KEYS), 1);
}

#[tokio::test]
async fn groups_in_the_token_itself_are_enough() {
    let (groups, _) = provider_of_groups().await;
    let world = world(&groups).await;
    let mut changes = elsewhere(&groups.at("/groups"));
    changes["groups"] = json!("c");
    let user = world.user(&world.token(changes)).await;
    assert_eq!(user.groups, ["g:c", "system:authenticated"]);
    let aggregated = json!({
        "_claim_names": {"groups": "source"},
        "_claim_sources": {"source": {"JWT": "x"}},
    });
    let user = world.user(&world.token(aggregated)).await;
    assert_eq!(user.groups, ["system:authenticated"]);
    assert_eq!(groups.requests("/groups"), 0);
}

#[tokio::test]
async fn nothing_is_fetched_unless_groups_are_mapped_from_a_claim() {
    let (groups, _) = provider_of_groups().await;
    let world = World::new().await;
    let token = world.token(elsewhere(&groups.at("/groups")));
    assert_eq!(world.user(&token).await.groups, ["system:authenticated"]);
    assert_eq!(groups.requests("/groups"), 0);
}

#[tokio::test]
async fn nothing_is_fetched_before_the_token_is_verified() {
    let (groups, _) = provider_of_groups().await;
    let world = world(&groups).await;
    let token = world.signed(&key(), elsewhere(&groups.at("/groups")));
    assert_eq!(world.refusal(&token).await.0, Reason::TokenKeyUnknown);
    assert_eq!(groups.requests("/groups"), 0);
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_secrets() {
    let (groups, key) = provider_of_groups().await;
    let world = world(&groups).await;
    let issuer = groups.url();
    let signed = |changes: Value| Answer::ok(world.signed(&key, changes));
    for (answer, error) in [
        (
            Answer::status(403),
            "while getting distributed claim \"groups\": error while getting distributed claim JWT: \
             403 Forbidden"
                .to_owned(),
        ),
        (
            Answer::ok(r#"{"value":["a"]}"#).with_header("content-type", "application/json"),
            "while getting distributed claim \"groups\": the endpoint answers JSON where a JWT is \
             needed"
                .to_owned(),
        ),
        (
            Answer::redirect("http://127.0.0.1:1/"),
            "while getting distributed claim \"groups\": request failed: error following redirect"
                .to_owned(),
        ),
        (
            Answer::ok("a.b.c"),
            format!(
                "getting untrusted issuer from endpoint {issuer}/groups failed for claim \"groups\""
            ),
        ),
        (
            signed(json!({"iss": "http://issuer.example", "groups": ["a"]})),
            "verifying untrusted issuer http://issuer.example failed: it is no https URL"
                .to_owned(),
        ),
        (
            signed(json!({"iss": issuer, "aud": "other", "groups": ["a"]})),
            "verify distributed claim token: oidc: expected audience \"kubernetes\" got [\"other\"]"
                .to_owned(),
        ),
        (
            signed(json!({"iss": issuer})),
            format!(
                "jwt returned by distributed claim endpoint \"{issuer}/groups\" did not contain \
                 claim: groups"
            ),
        ),
    ] {
        groups.answer("/groups", answer);
        let token = world.token(elsewhere(&groups.at("/groups?secret=hush")));
        let (reason, message) = world.refusal(&token).await;
        assert_eq!(reason, Reason::TokenDistributedClaimsFailed);
        let start = format!("oidc: could not expand distributed claims: {error}");
        assert!(message.starts_with(&start), "{message}");
        assert!(!message.contains("hush"), "{message}");
    }
}

#[tokio::test]
async fn endpoints_are_asked_by_https_only() {
    let (groups, _) = provider_of_groups().await;
    let world = world(&groups).await;
    for endpoint in [
        "http://127.0.0.1:1/",
        "file:///etc/passwd",
        "groups",
        "https://",
    ] {
        let (reason, message) = world.refusal(&world.token(elsewhere(endpoint))).await;
        assert_eq!(reason, Reason::TokenDistributedClaimsFailed);
        assert!(
            message.contains("while getting distributed claim \"groups\": request failed"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn only_so_many_issuers_of_claims_are_known_and_for_a_while() {
    let (groups, key) = provider_of_groups().await;
    let world = world(&groups).await;
    for tenant in 0..17 {
        let issuer = groups.at(&format!("/{tenant}"));
        let document = json!({"issuer": issuer, "jwks_uri": groups.at(KEYS)}).to_string();
        groups.answer(&format!("/{tenant}{DISCOVERY}"), Answer::ok(document));
        let answer = json!({"iss": issuer, "groups": ["a"]});
        groups.answer(
            &format!("/{tenant}/groups"),
            Answer::ok(world.signed(&key, answer)),
        );
    }
    let token = |tenant: u32| world.token(elsewhere(&groups.at(&format!("/{tenant}/groups"))));
    for tenant in 0..16 {
        world.user(&token(tenant)).await;
    }
    let (_, message) = world.refusal(&token(16)).await;
    assert!(
        message.ends_with("16 other issuers of claims are known already"),
        "{message}"
    );
    world.user(&token(0)).await;
    world.pass(3599);
    world
        .clock
        .set(jiff::Timestamp::from_second(crate::world::NOW).unwrap());
    world.user(&token(0)).await;
    assert!(world.judge(&token(16)).await.outcome.user().is_none());
    world.pass(1);
    world
        .clock
        .set(jiff::Timestamp::from_second(crate::world::NOW).unwrap());
    world.user(&token(16)).await;
}

#[tokio::test]
async fn issuers_that_are_not_found_make_room_for_others() {
    let (groups, key) = provider_of_groups().await;
    let world = world(&groups).await;
    let tenant = |tenant: u32, discovery: Answer| {
        groups.answer(&format!("/{tenant}{DISCOVERY}"), discovery);
        let answer = json!({"iss": groups.at(&format!("/{tenant}")), "groups": ["a"]});
        let answer = Answer::ok(world.signed(&key, answer));
        groups.answer(&format!("/{tenant}/groups"), answer);
        world.token(elsewhere(&groups.at(&format!("/{tenant}/groups"))))
    };
    let mut waiting = JoinSet::new();
    for number in 0..16 {
        let token = tenant(number, Answer::Hang);
        waiting.spawn(world.decide(&token).resolve());
        let discovery = format!("/{number}{DISCOVERY}");
        until("the search", || groups.requests(&discovery) == 1).await;
        world.pass(1);
    }
    let issuer = groups.at("/16");
    let document = json!({"issuer": issuer, "jwks_uri": groups.at(KEYS)}).to_string();
    let token = tenant(16, Answer::ok(document));
    world.user(&token).await;
    world.user(&token).await;
    assert_eq!(groups.requests(&format!("/16{DISCOVERY}")), 1);

    // The first is looked for anew, the last still is.
    for (number, searches) in [(15, 1), (0, 2)] {
        let token = world.token(elsewhere(&groups.at(&format!("/{number}/groups"))));
        waiting.spawn(world.decide(&token).resolve());
        let (endpoint, discovery) = (format!("/{number}/groups"), format!("/{number}{DISCOVERY}"));
        until("the answer", || groups.requests(&endpoint) == 2).await;
        until("the search", || groups.requests(&discovery) == searches).await;
    }
    assert_eq!(groups.requests(&format!("/15{DISCOVERY}")), 1);
}
