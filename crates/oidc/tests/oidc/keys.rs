//! An issuer's keys: fetched, kept, renewed.

use burgee_authn::Decision;
use burgee_identity::Reason;
use burgee_jose::{SigningKey, base64url, jwks};
use burgee_oidc::hash_label;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::provider::{Answer, DISCOVERY, KEYS};
use crate::world::{World, key, until};

impl World {
    /// A token that names a key which does not exist.
    fn naming(&self, key_id: &str) -> String {
        let header = json!({"alg": "ES256", "kid": key_id}).to_string();
        let payload = self.claims(json!({})).to_string();
        let parts = [header.as_bytes(), payload.as_bytes(), &[7; 64]];
        parts.map(base64url::encode).join(".")
    }

    /// A token with this header.
    fn headed(&self, header: &Value, key: &SigningKey) -> String {
        let payload = self.claims(json!({}));
        let input = [header, &payload].map(|part| base64url::encode(part.to_string().as_bytes()));
        let input = input.join(".");
        let signature = key.private_key().sign_bytes(input.as_bytes()).unwrap();
        format!("{input}.{}", base64url::encode(&signature))
    }

    /// The provider has this key alone, and calls it so.
    fn publish_as(&self, id: &str, key: &SigningKey) {
        let public = key.private_key().public_key().clone().into();
        let mut set: Value = serde_json::from_str(&jwks::render([&public])).unwrap();
        set["keys"][0]["kid"] = json!(id);
        self.provider.answer(KEYS, Answer::ok(set.to_string()));
    }

    fn is_decided_now(&self, token: &str) -> bool {
        matches!(self.decide(token), Decision::Now(_))
    }
}

#[tokio::test]
async fn the_first_token_fetches_the_keys_and_later_ones_need_no_network() {
    let mut world = World::new().await;
    assert_eq!(world.fetches(), 0);
    let token = world.token(json!({}));
    assert!(matches!(world.decide(&token), Decision::Later(_)));
    world.user(&token).await;
    assert_eq!(world.fetches(), 1);
    world.provider.stop().await;
    for _ in 0..3 {
        let Decision::Now(verdict) = world.decide(&token) else {
            panic!("not decided from memory")
        };
        assert!(verdict.is_authenticated());
    }
    assert_eq!(*world.metrics.fetched.lock().unwrap(), [true]);
    let public = burgee_jose::VerificationKey::from(world.key.private_key().public_key().clone());
    let document = jwks::render([&public]);
    assert_eq!(
        *world.metrics.in_use.lock().unwrap(),
        [hash_label(document.as_bytes())]
    );
}

#[tokio::test]
async fn tokens_that_come_together_share_one_request() {
    let world = World::new().await;
    let token = world.token(json!({}));
    let verdicts = join_all((0..50).map(|_| world.judge(&token))).await;
    assert!(verdicts.iter().all(burgee_authn::Verdict::is_authenticated));
    assert_eq!(world.fetches(), 1);
}

#[tokio::test]
async fn a_request_goes_on_when_nobody_waits_for_it_any_more() {
    let world = World::new().await;
    let token = world.token(json!({}));
    drop(world.decide(&token));
    until("the keys", || world.is_decided_now(&token)).await;
    assert_eq!(world.fetches(), 1);
}

#[tokio::test]
async fn a_new_key_is_accepted_soon_whatever_the_provider_says_of_its_age() {
    let world = World::new().await;
    let publish = |keys: &[&burgee_jose::SigningKey]| {
        world.publish(keys);
        let keys: Vec<_> = keys
            .iter()
            .map(|key| key.private_key().public_key())
            .collect();
        let answer = Answer::keys(&keys).with_header("cache-control", "public, max-age=3600");
        world.provider.answer(KEYS, answer);
    };
    publish(&[&world.key]);
    world.user(&world.token(json!({}))).await;

    let new = key();
    publish(&[&world.key, &new]);
    let token = world.signed(&new, json!({}));
    let (reason, message) = world.refusal(&token).await;
    assert_eq!(reason, Reason::TokenKeyUnknown);
    assert_eq!(
        message,
        "oidc: verify token: failed to verify signature: failed to verify id token signature"
    );
    assert_eq!(world.fetches(), 1, "too soon after the last request");
    world.pass(5);
    world.user(&token).await;
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn a_key_that_takes_the_id_of_another_is_accepted() {
    let world = World::new().await;
    world.user(&world.token(json!({}))).await;
    let new = key();
    let id = world.key.private_key().key_id().as_str();
    world.publish_as(id, &new);
    world.pass(5);
    let header = json!({"alg": "ES256", "kid": id});
    world.user(&world.headed(&header, &new)).await;
}

#[tokio::test]
async fn a_forged_token_does_not_delay_a_new_key() {
    let world = World::new().await;
    world.user(&world.token(json!({}))).await;
    let id = world.key.private_key().key_id().as_str();
    for header in [json!({"alg": "ES256", "kid": id}), json!({"alg": "ES256"})] {
        world.pass(5);
        let forged = world.headed(&header, &key());
        assert!(!world.is_decided_now(&forged));
        world.refusal(&forged).await;
        let new = key();
        world.publish_as(id, &new);
        world.pass(5);
        world.user(&world.headed(&header, &new)).await;
    }
}

#[tokio::test]
async fn a_key_that_was_withdrawn_is_refused_when_the_keys_have_lived_their_time() {
    let world = World::new().await;
    let token = world.token(json!({}));
    world.user(&token).await;
    world.publish(&[&key()]);
    world.pass(239);
    assert!(world.is_decided_now(&token));
    assert_eq!(world.fetches(), 1);

    // Four fifths of five minutes: asked for in the background.
    world.pass(1);
    assert!(world.is_decided_now(&token));
    until("the new keys", || {
        world.metrics.fetched.lock().unwrap().len() == 2
    })
    .await;
    until("their use", || world.is_decided_now(&token)).await;
    let (reason, _) = world.refusal(&token).await;
    assert_eq!(reason, Reason::TokenKeyUnknown);
}

#[tokio::test]
async fn a_key_that_was_withdrawn_while_nobody_came_is_refused_at_once() {
    let world = World::new().await;
    let token = world.token(json!({}));
    world.user(&token).await;
    world.publish(&[&key()]);
    world.pass(3000);
    let (reason, _) = world.refusal(&token).await;
    assert_eq!(reason, Reason::TokenKeyUnknown);
}

#[tokio::test]
async fn the_lifetime_that_a_provider_names_has_bounds() {
    for (header, alive, stale) in [
        ("max-age=1", 47, 48),
        ("no-store", 47, 48),
        ("Max-Age=\"600\"", 479, 480),
        ("private, max-age=86400", 2879, 2880),
        ("max-age=soon", 239, 240),
    ] {
        let world = World::new().await;
        let public = world.key.private_key().public_key();
        let answer = Answer::keys(&[public]).with_header("cache-control", header);
        world.provider.answer(KEYS, answer);
        let token = world.token(json!({}));
        world.user(&token).await;
        world.pass(alive);
        world.user(&token).await;
        assert_eq!(world.fetches(), 1, "{header}");
        world.pass(stale - alive);
        world.user(&token).await;
        until(header, || world.fetches() == 2).await;
    }
}

#[tokio::test]
async fn a_flood_of_unknown_keys_makes_few_requests() {
    let world = World::new().await;
    world.user(&world.token(json!({}))).await;
    world.pass(5);
    for round in 0..3 {
        let tokens: Vec<_> = (0..200)
            .map(|n| world.naming(&format!("{round}-{n}")))
            .collect();
        let verdicts = join_all(tokens.iter().map(|token| world.judge(token))).await;
        assert!(verdicts.iter().all(|verdict| !verdict.is_authenticated()));
        assert_eq!(world.fetches(), 2 + round);
        world.pass(5);
    }
    assert!(world.is_decided_now(&world.token(json!({}))));
}

#[tokio::test]
async fn a_flood_of_bad_signatures_makes_few_requests() {
    let world = World::new().await;
    world.user(&world.token(json!({}))).await;
    world.pass(5);
    let id = world.key.private_key().key_id().as_str().to_owned();
    for _ in 0..20 {
        let (reason, _) = world.refusal(&world.naming(&id)).await;
        assert_eq!(reason, Reason::TokenSignatureInvalid);
    }
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn a_key_that_the_provider_did_not_have_is_not_asked_for_again_at_once() {
    let world = World::new().await;
    world.user(&world.token(json!({}))).await;
    world.pass(5);
    let token = world.naming("a");
    world.refusal(&token).await;
    assert_eq!(world.fetches(), 2);
    world.pass(20);
    assert!(world.is_decided_now(&token));
    world.pass(10);
    world.refusal(&token).await;
    assert_eq!(world.fetches(), 3);
}

#[tokio::test]
async fn keys_stay_in_use_while_they_cannot_be_had() {
    let world = World::new().await;
    let token = world.token(json!({}));
    world.user(&token).await;
    world.provider.answer(KEYS, Answer::status(503));
    world.pass(3000);
    world.user(&token).await;
    assert_eq!(world.fetches(), 2);
    assert!(
        world.is_decided_now(&token),
        "nobody waits for a second failure"
    );
    assert_eq!(*world.metrics.fetched.lock().unwrap(), [true, false]);

    let (reason, message) = world.refusal(&world.naming("a")).await;
    assert_eq!(reason, Reason::TokenKeySetUnavailable);
    assert_eq!(
        message,
        "oidc: verify token: failed to verify signature: fetching keys oidc: get keys failed: \
         503 Service Unavailable"
    );
}

#[tokio::test]
async fn keys_stay_in_use_while_their_provider_has_none_that_is_usable() {
    let world = World::new().await;
    let token = world.token(json!({}));
    world.user(&token).await;
    for set in [r#"{"keys":[]}"#, r#"{"keys":[{"kty":"unheard-of"}]}"#] {
        world.provider.answer(KEYS, Answer::ok(set));
        world.pass(1000);
        world.user(&token).await;
        let (reason, message) = world.refusal(&world.naming("a")).await;
        assert_eq!(reason, Reason::TokenKeySetUnavailable);
        assert!(
            message.ends_with("oidc: get keys failed: none of the provider's keys is usable"),
            "{message}"
        );
    }
    assert_eq!(*world.metrics.fetched.lock().unwrap(), [true, false, false]);
}

#[tokio::test]
async fn keys_stay_in_use_while_their_provider_hangs() {
    let world = World::new().await;
    let token = world.token(json!({}));
    world.user(&token).await;
    world.provider.answer(KEYS, Answer::Hang);
    world.pass(3000);
    assert!(!world.is_decided_now(&token), "newer keys may come");
    world.pass(5);
    assert!(world.is_decided_now(&token), "they did not come soon");
}

#[tokio::test]
async fn without_keys_a_failure_is_told_and_not_repeated_at_once() {
    let world = World::new().await;
    let token = world.token(json!({}));
    for (answer, error) in [
        (Answer::status(404), "oidc: get keys failed: 404 Not Found"),
        (
            Answer::ok(vec![b' '; (1 << 20) + 1]),
            "oidc: get keys failed: answer is longer than 1048576 bytes",
        ),
        (
            Answer::ok("hush"),
            "oidc: failed to decode keys: json is not acceptable",
        ),
        (
            Answer::redirect("http://127.0.0.1:1/"),
            "oidc: get keys failed: request failed: error following redirect",
        ),
    ] {
        world.provider.answer(KEYS, answer);
        let (reason, message) = world.refusal(&token).await;
        assert_eq!(reason, Reason::TokenKeySetUnavailable);
        assert!(message.contains(error), "{message}");
        assert!(!message.contains("hush"), "{message}");
        let fetches = world.fetches();
        assert!(world.is_decided_now(&token));
        assert_eq!(world.fetches(), fetches);
        world.pass(5);
    }
    world.publish(&[&world.key]);
    world.user(&token).await;
}

#[tokio::test]
async fn keys_that_moved_are_found_again() {
    let world = World::new().await;
    world.user(&world.token(json!({}))).await;
    let new = key();
    world.provider.answer(KEYS, Answer::status(404));
    let public = new.private_key().public_key();
    world.provider.answer("/moved", Answer::keys(&[public]));
    let document = json!({"issuer": world.provider.url(), "jwks_uri": world.provider.at("/moved")});
    world
        .provider
        .answer(DISCOVERY, Answer::ok(document.to_string()));
    let token = world.signed(&new, json!({}));
    world.pass(5);
    assert_eq!(
        world.refusal(&token).await.0,
        Reason::TokenKeySetUnavailable
    );
    world.pass(5);
    world.user(&token).await;
}

#[tokio::test]
async fn keys_that_cannot_be_used_do_not_spoil_the_others() {
    let world = World::new().await;
    let encrypting = key();
    let render = |key: &burgee_jose::SigningKey| {
        let public = key.private_key().public_key().clone().into();
        let set: Value = serde_json::from_str(&jwks::render([&public])).unwrap();
        set["keys"][0].clone()
    };
    let mut enc = render(&encrypting);
    enc["use"] = json!("enc");
    let set = json!({"keys": [
        {"kty": "unheard-of"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "ed"},
        {"kty": "oct", "k": "AAAA", "kid": "symmetric"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        7,
        enc,
        render(&world.key),
    ]});
    world.provider.answer(KEYS, Answer::ok(set.to_string()));
    world.user(&world.token(json!({}))).await;
    let token = world.signed(&encrypting, json!({}));
    assert_eq!(world.refusal(&token).await.0, Reason::TokenKeyUnknown);
}

#[tokio::test]
async fn a_token_that_names_no_key_is_tried_with_all() {
    let world = World::new().await;
    world.publish(&[&key(), &world.key, &key()]);
    let token = world.headed(&json!({"alg": "ES256"}), &world.key);
    world.user(&token).await;
}

#[tokio::test]
async fn thousands_of_keys_are_not_read() {
    let world = World::new().await;
    let public = world.key.private_key().public_key();
    world
        .provider
        .answer(KEYS, Answer::keys(&vec![public; 3000]));
    let (reason, message) = world.refusal(&world.token(json!({}))).await;
    assert_eq!(reason, Reason::TokenKeySetUnavailable);
    assert!(message.ends_with("more than 256 keys"), "{message}");
}

#[tokio::test]
async fn only_so_many_tokens_wait() {
    let world = World::new().await;
    world.provider.answer(KEYS, Answer::Hang);
    let token = world.token(json!({}));
    let mut waiting: Vec<_> = (0..512).map(|_| Box::pin(world.judge(&token))).collect();
    for future in &mut waiting {
        assert!(futures_util::poll!(future).is_pending());
    }
    let (reason, _) = world.refusal(&token).await;
    assert_eq!(reason, Reason::AuthenticatorUnavailable);
    drop(waiting);
    assert!(futures_util::poll!(Box::pin(world.judge(&token))).is_pending());
}

#[tokio::test]
async fn when_too_many_wait_for_newer_keys_the_others_make_do_with_the_old_ones() {
    let world = World::new().await;
    let token = world.token(json!({}));
    world.user(&token).await;
    world.provider.answer(KEYS, Answer::Hang);
    world.pass(3000);
    let mut waiting: Vec<_> = (0..512).map(|_| Box::pin(world.judge(&token))).collect();
    for future in &mut waiting {
        assert!(futures_util::poll!(future).is_pending());
    }
    world.user(&token).await;
    let (reason, _) = world.refusal(&world.naming("a")).await;
    assert_eq!(reason, Reason::AuthenticatorUnavailable);
}
