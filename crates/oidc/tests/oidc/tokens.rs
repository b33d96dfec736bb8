//! What is demanded of a token, and who it makes.

use aws_lc_rs::hmac;
use burgee_authn::{Audiences, Decision, TokenAuthenticator as _};
use burgee_cel::{Expects, Expression, Scope};
use burgee_identity::{Outcome, Reason};
use burgee_jose::{Algorithm, PrivateKey, Signer as _, SigningKey, base64url};
use burgee_oidc::{ExtraMapping, JwtAuthenticator, PrefixedMapping, Rule, UidMapping, hash_label};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::provider::{Answer, DISCOVERY, KEYS, Provider};
use crate::world::{DEADLINE, NOW, World, expression, key};

/// A token of these parts.
fn compact(header: &str, payload: &str, signature: &[u8]) -> String {
    [header.as_bytes(), payload.as_bytes(), signature]
        .map(base64url::encode)
        .join(".")
}

#[tokio::test]
async fn a_good_token_makes_a_user_until_it_ends_and_is_counted() {
    let world = World::new().await;
    let token = world.token(json!({"jti": "4711"}));
    let user = world.user(&token).await;
    assert_eq!(user.name, "jane");
    assert_eq!(user.groups, ["system:authenticated"]);
    assert_eq!(
        user.extra["authentication.kubernetes.io/credential-id"],
        ["JTI=4711"]
    );
    let verdict = world.judge(&token).await;
    assert_eq!(
        verdict.good_until,
        Some(Timestamp::from_second(NOW + 3600).unwrap())
    );
    let hash = hash_label(world.provider.url().as_bytes());
    let judged = [(hash.clone(), true), (hash.clone(), true)];
    assert_eq!(*world.metrics.judged.lock().unwrap(), judged);

    world.refusal(&world.token(json!({"exp": NOW}))).await;
    world.judge(&world.token(json!({"iss": "other"}))).await;
    let decision = world.jwt.rehearse(&token, &Audiences::ANY);
    assert!(decision.resolve().await.is_authenticated());
    let judged = [(hash.clone(), true), (hash.clone(), true), (hash, false)];
    assert_eq!(*world.metrics.judged.lock().unwrap(), judged);
}

#[tokio::test]
async fn tokens_of_nobody_here_are_none_of_its_own() {
    let world = World::new().await;
    let issuer = world.provider.url();
    let signed = |payload: &str| world.key.sign(payload.as_bytes()).unwrap();
    for (token, reason) in [
        (String::new(), Reason::TokenMalformed),
        ("opaque".to_owned(), Reason::TokenMalformed),
        ("07401b.f395accd246ae52d".to_owned(), Reason::TokenMalformed),
        (signed("{}"), Reason::TokenMalformed),
        (signed(&format!("[\"{issuer}\"]")), Reason::TokenMalformed),
        (signed(r#"{"iss":["x"]}"#), Reason::TokenMalformed),
        (
            signed(&format!(r#"{{"iss":"{issuer}","iss":"{issuer}"}}"#)),
            Reason::TokenMalformed,
        ),
        (
            signed(&format!(r#"{{"iss":"{issuer}/"}}"#)),
            Reason::TokenIssuerForeign,
        ),
        (
            world.token(json!({"padding": "x".repeat(16 * 1024)})),
            Reason::TokenMalformed,
        ),
        (
            format!("{}.x", world.token(json!({}))),
            Reason::TokenMalformed,
        ),
        (
            format!(r#"{{"payload":"{}"}}"#, base64url::encode(b"{}")),
            Reason::TokenMalformed,
        ),
    ] {
        let Decision::Now(verdict) = world.decide(&token) else {
            panic!("{token}")
        };
        assert_eq!(verdict.outcome, Outcome::NoOpinion(reason), "{token}");
    }
    assert_eq!(world.fetches(), 0);
}

#[tokio::test]
async fn the_first_rule_that_a_token_breaks_is_told() {
    let world = World::with(|configured| {
        configured.signing_algorithms = vec![Algorithm::Es256, Algorithm::Rs256];
    })
    .await;
    let bad = key();
    for (changes, reason, message) in [
        (
            json!({"sub": 7, "aud": "other"}),
            Reason::TokenClaimsInvalid,
            "oidc: failed to unmarshal claims: json: cannot unmarshal number into Go struct field \
             idToken.sub of type string",
        ),
        (
            json!({"_claim_names": {"groups": "nowhere"}, "aud": "other"}),
            Reason::TokenDistributedClaimsFailed,
            "oidc: source does not exist",
        ),
        (
            json!({"aud": ["a", "b"], "exp": NOW - 1}),
            Reason::TokenAudienceMismatch,
            r#"oidc: expected audience "kubernetes" got ["a" "b"]"#,
        ),
        (
            json!({"aud": null}),
            Reason::TokenAudienceMismatch,
            r#"oidc: expected audience "kubernetes" got []"#,
        ),
        (
            json!({"exp": NOW, "nbf": NOW + 61}),
            Reason::TokenExpired,
            "oidc: token is expired (Token Expiry: 2026-01-01 00:00:00 +0000 UTC)",
        ),
        (
            json!({"exp": null}),
            Reason::TokenExpired,
            "oidc: token is expired (Token Expiry: 0001-01-01 00:00:00 +0000 UTC)",
        ),
        (
            json!({"nbf": NOW + 61}),
            Reason::TokenNotYetValid,
            "oidc: current time 2026-01-01 00:00:00 +0000 UTC before the nbf (not before) time: \
             2026-01-01 00:01:01 +0000 UTC",
        ),
        (
            json!({}),
            Reason::TokenKeyUnknown,
            "failed to verify signature: failed to verify id token signature",
        ),
    ] {
        let token = world.signed(&bad, changes.clone());
        assert_eq!(
            world.refusal(&token).await,
            (reason, format!("oidc: verify token: {message}")),
            "{changes}"
        );
    }
}

#[tokio::test]
async fn times_count_to_the_second() {
    let world = World::new().await;
    for changes in [
        json!({"exp": NOW + 1, "nbf": NOW + 60}),
        json!({"exp": (NOW + 1) as f64 + 0.75}),
        json!({"exp": (NOW + 1).to_string(), "iat": NOW + 9999}),
        json!({"exp": 99_999_999_999_999_i64}),
    ] {
        world.user(&world.token(changes)).await;
    }
    let token = world.token(json!({"exp": NOW + 1}));
    world.clock.advance(std::time::Duration::from_millis(999));
    world.user(&token).await;
    world.clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(world.refusal(&token).await.0, Reason::TokenExpired);
}

#[tokio::test]
async fn any_of_several_audiences_will_do() {
    let world = World::with(|configured| {
        configured.issuer.audiences = vec!["y".to_owned(), "x".to_owned()];
    })
    .await;
    world
        .user(&world.token(json!({"aud": ["other", "x"]})))
        .await;
    world.user(&world.token(json!({"aud": "y"}))).await;
    assert_eq!(
        world.refusal(&world.token(json!({}))).await,
        (
            Reason::TokenAudienceMismatch,
            r#"oidc: verify token: oidc: expected audience in ["x" "y"] got ["kubernetes"]"#
                .to_owned()
        )
    );
    // The signature comes first.
    let token = world.signed(&key(), json!({}));
    assert_eq!(world.refusal(&token).await.0, Reason::TokenKeyUnknown);
}

#[tokio::test]
async fn only_configured_algorithms_count_whatever_a_header_says() {
    let world = World::with(|configured| {
        configured.signing_algorithms = vec![Algorithm::Rs256, Algorithm::Es256];
    })
    .await;
    world.user(&world.token(json!({}))).await;
    let payload = world.claims(json!({})).to_string();
    let public = world.key.private_key().public_key();
    let id = public.key_id().as_str();
    for (algorithm, signature) in [
        (json!("none"), Vec::new()),
        (json!("none"), vec![1; 64]),
        (json!("NONE"), Vec::new()),
        (json!(""), Vec::new()),
        (json!("es256"), vec![1; 64]),
        (json!("ES384"), vec![1; 96]),
        (json!("EdDSA"), vec![1; 64]),
    ] {
        let header = json!({"alg": algorithm, "kid": id}).to_string();
        let refusal = world.refusal(&compact(&header, &payload, &signature)).await;
        let message = format!(
            "oidc: verify token: oidc: id token signed with unsupported algorithm, expected \
             [\"RS256\" \"ES256\"] got {algorithm}"
        );
        assert_eq!(refusal, (Reason::TokenAlgorithmUnsupported, message));
    }

    // The public key as the secret of an HMAC, in each of the forms in which it is published.
    for secret in [public.to_pem().into_bytes(), public.spki_der().to_vec()] {
        let header = json!({"alg": "HS256", "kid": id}).to_string();
        let input = [&header, &payload].map(|part| base64url::encode(part.as_bytes()));
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let signature = hmac::sign(&secret, input.join(".").as_bytes());
        let token = compact(&header, &payload, signature.as_ref());
        assert_eq!(
            world.refusal(&token).await.0,
            Reason::TokenAlgorithmUnsupported
        );
    }

    // An accepted algorithm, but not that of the key.
    let token = compact(
        &json!({"alg": "RS256", "kid": id}).to_string(),
        &payload,
        &[1; 64],
    );
    assert_eq!(world.refusal(&token).await.0, Reason::TokenSignatureInvalid);
}

#[tokio::test]
async fn keys_that_a_header_brings_along_are_ignored() {
    let world = World::new().await;
    let own = key();
    let public = own.private_key().public_key().clone();
    let set: Value = serde_json::from_str(&burgee_jose::jwks::render([&public.into()])).unwrap();
    world.provider.answer("/evil", Answer::ok(set.to_string()));
    let payload = world.claims(json!({})).to_string();
    for header in [
        json!({"alg": "ES256", "jwk": set["keys"][0]}),
        json!({"alg": "ES256", "jku": world.provider.at("/evil")}),
        json!({"alg": "ES256", "x5u": world.provider.at("/evil"), "x5c": ["AA"]}),
        json!({"alg": "ES256", "kid": world.provider.at("/evil")}),
        json!({"alg": "ES256", "kid": "../../evil"}),
    ] {
        let header = header.to_string();
        let input = [&header, &payload].map(|part| base64url::encode(part.as_bytes()));
        let signature = own
            .private_key()
            .sign_bytes(input.join(".").as_bytes())
            .unwrap();
        let token = compact(&header, &payload, &signature);
        let (reason, _) = world.refusal(&token).await;
        assert!(
            matches!(
                reason,
                Reason::TokenKeyUnknown | Reason::TokenSignatureInvalid
            ),
            "{reason}"
        );
    }
    assert_eq!(world.provider.requests("/evil"), 0);
}

#[tokio::test]
async fn what_is_not_strict_is_refused() {
    let world = World::new().await;
    world.user(&world.token(json!({}))).await;
    let payload = world.claims(json!({})).to_string();
    let sign = |header: &str, payload: &str| {
        let input = [header, payload].map(|part| base64url::encode(part.as_bytes()));
        let key = world.key.private_key();
        let signature = key.sign_bytes(input.join(".").as_bytes()).unwrap();
        compact(header, payload, &signature)
    };
    let id = world.key.private_key().key_id().as_str();
    let header = json!({"alg": "ES256", "kid": id}).to_string();
    world.user(&sign(&header, &payload)).await;

    let repeated = payload.replacen('{', r#"{"x":1,"x":2,"#, 1);
    assert_eq!(
        world.refusal(&sign(&header, &repeated)).await.0,
        Reason::TokenClaimsInvalid
    );
    let repeated = payload.replacen('{', r#"{"sub":"root","s\u0075b":"root","#, 1);
    assert_eq!(
        world.refusal(&sign(&header, &repeated)).await.0,
        Reason::TokenClaimsInvalid
    );
    let repeated = format!(r#"{{"alg":"ES256","alg":"ES256","kid":"{id}"}}"#);
    assert_eq!(
        world.refusal(&sign(&repeated, &payload)).await.0,
        Reason::TokenMalformed
    );
    let critical = json!({"alg": "ES256", "kid": id, "crit": ["b64"], "b64": false});
    assert_eq!(
        world
            .refusal(&sign(&critical.to_string(), &payload))
            .await
            .0,
        Reason::TokenSignatureInvalid
    );
    let token = sign(&header, &payload);
    for other in [
        format!("{token}="),
        format!("{token}\n"),
        format!("{token} "),
    ] {
        assert_eq!(world.refusal(&other).await.0, Reason::TokenMalformed);
    }
    let (unsigned, _) = token.rsplit_once('.').unwrap();
    let (reason, message) = world.refusal(&format!("{unsigned}.")).await;
    assert_eq!(reason, Reason::TokenMalformed);
    assert_eq!(message, "oidc: verify token: oidc: id token not signed");
}

#[tokio::test]
async fn rsa_keys_verify() {
    let world = World::new().await;
    let rsa = SigningKey::new(PrivateKey::generate(Algorithm::Rs256).unwrap());
    world.publish(&[&world.key, &rsa]);
    world.user(&world.signed(&rsa, json!({}))).await;
}

#[tokio::test]
async fn googles_issuer_has_two_names() {
    let google = Provider::start().await;
    let document = json!({
        "issuer": "https://accounts.google.com",
        "jwks_uri": google.at(KEYS),
    });
    google.answer(DISCOVERY, Answer::ok(document.to_string()));
    let world = World::start(google, |configured| {
        let issuer = &mut configured.issuer;
        issuer.discovery_url = Some(format!("{}{DISCOVERY}", issuer.url));
        issuer.url = "https://accounts.google.com".to_owned();
    });
    assert!(world.jwt.wait_until_healthy(DEADLINE).await);
    for issuer in ["accounts.google.com", "https://accounts.google.com"] {
        let token = world.token(json!({"iss": issuer}));
        assert_eq!(world.user(&token).await.name, "jane");
    }
}

/// A token that independent tools made and verified, and the key for it.
mod example {
    pub(super) const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig",
        "kid":"OOHDEIymFc2JjGdSeeDiGu8-x-gTvqVBFkXQL7JiLJ8",
        "x":"2--louQXSFVB-Col84tdrgVELkLyDKiXnO88-Wh3EuY",
        "y":"QNzZGCuV6X6mQd8fLxIWlZLwkFrAPWLjMEk7p8zdzoQ"}]}"#;
    pub(super) const TOKEN: &str = concat!(
        "eyJhbGciOiJFUzI1NiIsImtpZCI6Ik9PSERFSXltRmMySmpHZFNlZURpR3U4LXgtZ1R2cVZCRmtYUUw3SmlMSjgi",
        "LCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLnRlc3QiLCJhdWQiOlsia3ViZXJu",
        "ZXRlcyIsIm90aGVyIl0sInN1YiI6ImF1dGgiLCJleHAiOjQxMDI0NDQ4MDAsIm5iZiI6MTcwNDA2NzIwMCwiaWF0",
        "IjoxNzA0MDY3MjAwLCJqdGkiOiJlYTI4ZWQ0OS0yZTExLTQyODAtOWVjNS1iYzNkMWQ4NDY2MWEiLCJ1c2VybmFt",
        "ZSI6ImZvbyIsInJvbGVzIjoidXNlcixhZG1pbiIsInRlbmFudCI6IjcyZjk4OGJmIn0.U4PflF5Aq9hp6WdLLyb",
        "fSuAkAtH547JL6kePEOZ1jWeQoKRhkMgcyv-mo9S1dnRg4gsfaGnkvBx1aF4R0yOczg",
    );
}

const ISSUER: &str = "https://issuer.example.test";

async fn example(change: impl FnOnce(&mut JwtAuthenticator)) -> World {
    example_of(ISSUER, change).await
}

async fn example_of(url: &str, change: impl FnOnce(&mut JwtAuthenticator)) -> World {
    let provider = Provider::start().await;
    let document = json!({"issuer": url, "jwks_uri": provider.at("/k")});
    provider.answer(DISCOVERY, Answer::ok(document.to_string()));
    provider.answer("/k", Answer::ok(example::KEYS));
    let world = World::start(provider, |configured| {
        let issuer = &mut configured.issuer;
        issuer.discovery_url = Some(format!("{}{DISCOVERY}", issuer.url));
        issuer.url = url.to_owned();
        let mappings = &mut configured.claim_mappings;
        mappings.username =
            PrefixedMapping::Expression(expression(r#"claims.username + ":external-user""#));
        mappings.groups = Some(PrefixedMapping::Expression(expression(
            r#"claims.roles.split(",")"#,
        )));
        mappings.uid = Some(UidMapping::Claim("sub".to_owned()));
        mappings.extra = vec![ExtraMapping {
            key: "example.com/tenant".to_owned(),
            value: expression("claims.tenant"),
        }];
        configured.claim_validation_rules = vec![tenant("72f988bf")];
        let reserved = "!user.username.startsWith('system:')";
        configured.user_validation_rules = vec![Rule {
            expression: Expression::compile(reserved, Scope::User, Expects::Bool).unwrap(),
            message: "reserved name".to_owned(),
        }];
        change(configured);
    });
    assert!(world.jwt.wait_until_healthy(DEADLINE).await);
    world
}

fn tenant(value: &str) -> Rule {
    Rule {
        expression: expression(&format!(r#"claims.tenant == "{value}""#)),
        message: "wrong tenant".to_owned(),
    }
}

#[tokio::test]
async fn the_worked_example_makes_its_user() {
    let user = example(|_| {}).await.user(example::TOKEN).await;
    assert_eq!(user.name, "foo:external-user");
    assert_eq!(user.uid, "auth");
    assert_eq!(user.groups, ["user", "admin", "system:authenticated"]);
    let extra = serde_json::to_value(&user.extra).unwrap();
    assert_eq!(
        extra,
        json!({
            "example.com/tenant": ["72f988bf"],
            "authentication.kubernetes.io/credential-id":
                ["JTI=ea28ed49-2e11-4280-9ec5-bc3d1d84661a"],
        })
    );
}

#[tokio::test]
async fn the_worked_example_is_refused_when_its_configuration_differs() {
    type Change = fn(&mut JwtAuthenticator);
    let cases: [(Change, &str); 6] = [
        (
            |configured| configured.issuer.audiences = vec!["nope".to_owned()],
            r#"oidc: verify token: oidc: expected audience "nope" got ["kubernetes" "other"]"#,
        ),
        (
            |configured| configured.issuer.audiences = vec!["x".to_owned(), "y".to_owned()],
            r#"oidc: verify token: oidc: expected audience in ["x" "y"] got ["kubernetes" "other"]"#,
        ),
        (
            |configured| configured.signing_algorithms = vec![Algorithm::Rs256],
            "oidc: verify token: oidc: id token signed with unsupported algorithm, expected \
             [\"RS256\"] got \"ES256\"",
        ),
        (
            |configured| configured.claim_validation_rules = vec![tenant("x")],
            "oidc: error evaluating claim validation expression: validation expression \
             'claims.tenant == \"x\"' failed: wrong tenant",
        ),
        (
            |configured| {
                let groups = PrefixedMapping::Expression(expression("claims.groups"));
                configured.claim_mappings.groups = Some(groups);
            },
            "oidc: error evaluating group claim expression: expression 'claims.groups' resulted in \
             error: no such key: groups",
        ),
        (
            |configured| {
                let name = PrefixedMapping::Expression(expression("'system:' + claims.username"));
                configured.claim_mappings.username = name;
            },
            "oidc: error evaluating user info validation rule: validation expression \
             '!user.username.startsWith('system:')' failed: reserved name",
        ),
    ];
    for (change, message) in cases {
        let world = example(change).await;
        assert_eq!(world.refusal(example::TOKEN).await.1, message);
    }
}

#[tokio::test]
async fn the_worked_example_is_refused_when_it_was_changed() {
    let world = example(|_| {}).await;
    let ending = |last: &str| {
        let (token, _) = example::TOKEN.split_at(example::TOKEN.len() - 1);
        format!("{token}{last}")
    };
    let invalid =
        "oidc: verify token: failed to verify signature: failed to verify id token signature";
    let first = example::TOKEN.replace(".U4Pfl", ".V4Pfl");
    for token in [ending("w"), first] {
        assert_eq!(world.refusal(&token).await.1, invalid);
    }
    let (reason, _) = world.refusal(&ending("h")).await;
    assert_eq!(
        reason,
        Reason::TokenMalformed,
        "unused bits are no second form"
    );

    let other = example_of(&format!("{ISSUER}/"), |_| {}).await;
    assert_eq!(
        other.judge(example::TOKEN).await.outcome,
        Outcome::NoOpinion(Reason::TokenIssuerForeign)
    );
}

#[tokio::test]
async fn the_worked_example_as_flags_would_have_it() {
    let world = example(|configured| {
        configured.signing_algorithms = vec![Algorithm::Rs256, Algorithm::Es256];
        let mappings = &mut configured.claim_mappings;
        mappings.username = crate::world::claim("sub", "https://issuer.example.test#");
        (mappings.groups, mappings.uid) = (None, None);
        mappings.extra.clear();
        configured.claim_validation_rules.clear();
        configured.user_validation_rules.clear();
    })
    .await;
    let user = world.user(example::TOKEN).await;
    assert_eq!(user.name, "https://issuer.example.test#auth");
    assert_eq!(user.groups, ["system:authenticated"]);
}

#[tokio::test]
async fn what_is_told_of_a_token_has_a_bound() {
    let world = World::new().await;
    let many: Vec<_> = (0..1000).map(|n| format!("ä{n}")).collect();
    let (reason, message) = world.refusal(&world.token(json!({"aud": many}))).await;
    assert_eq!(reason, Reason::TokenAudienceMismatch);
    let start = "oidc: verify token: oidc: expected audience \"kubernetes\" got [\"ä0\" \"ä1\"";
    assert!(message.starts_with(start), "{message}");
    assert_eq!(message.chars().count(), 513);
    assert!(message.ends_with('…'));
}
