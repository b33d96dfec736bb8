//! Every check by itself.

use burgee_authn::{Audiences, TokenAuthenticator as _};
use burgee_cel::{Expects, Expression, Scope};
use burgee_identity::{Check, CheckResult, Reason};
use burgee_oidc::{RequiredClaim, Rule};
use serde_json::{Value, json};

use crate::provider::Provider;
use crate::world::{NOW, World, claim, expression, key};

impl World {
    async fn examine(&self, token: &str) -> Vec<Check> {
        self.jwt.examine(token, &Audiences::ANY).resolve().await
    }

    /// The names of the checks that failed, and why.
    async fn failures(&self, token: &str) -> Vec<(&'static str, Reason)> {
        let checks = self.examine(token).await.into_iter();
        checks
            .filter_map(|check| match check.result {
                CheckResult::Failed(reason) => Some((check.name, reason)),
                _ => None,
            })
            .collect()
    }
}

async fn ruled() -> World {
    World::with(|configured| {
        configured.claim_mappings.groups = Some(claim("groups", "g:"));
        configured.required_claims = vec![RequiredClaim {
            claim: "hd".to_owned(),
            value: "example.com".to_owned(),
        }];
        configured.claim_validation_rules = vec![Rule {
            expression: expression("claims.mfa == true"),
            message: "no second factor".to_owned(),
        }];
        configured.user_validation_rules = vec![Rule {
            expression: Expression::compile("user.username != 'root'", Scope::User, Expects::Bool)
                .unwrap(),
            message: "not root".to_owned(),
        }];
    })
    .await
}

fn good(world: &World) -> String {
    world.token(json!({"hd": "example.com", "mfa": true, "groups": ["a"], "jti": "1"}))
}

#[tokio::test]
async fn a_good_token_passes_every_check() {
    let world = ruled().await;
    let checks = world.examine(&good(&world)).await;
    let names: Vec<_> = checks.iter().map(|check| check.name).collect();
    assert_eq!(
        names,
        [
            "issuer",
            "provider",
            "claims",
            "audience",
            "expiry",
            "not-before",
            "algorithm",
            "key",
            "signature",
            "username",
            "groups",
            "uid",
            "credential-id",
            "required-claim",
            "claim-rule",
            "user-rule",
        ]
    );
    assert!(
        checks
            .iter()
            .all(|check| check.result == CheckResult::Passed),
        "{checks:?}"
    );
    let detail = |name: &str| {
        let check = checks.iter().find(|check| check.name == name).unwrap();
        check.detail.clone()
    };
    assert_eq!(detail("expiry"), "2026-01-01 01:00:00 +0000 UTC");
    let id = world.key.private_key().key_id().as_str();
    assert_eq!(detail("key"), format!("\"{id}\""));
    assert_eq!(detail("groups"), r#"["g:a"]"#);
    assert!(world.metrics.judged.lock().unwrap().is_empty());
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once() {
    let world = ruled().await;
    let changes = json!({
        "aud": "other", "exp": NOW, "nbf": NOW + 999, "sub": "root", "groups": 7, "mfa": false,
    });
    let token = world.signed(&key(), changes);
    assert_eq!(
        world.failures(&token).await,
        [
            ("audience", Reason::TokenAudienceMismatch),
            ("expiry", Reason::TokenExpired),
            ("not-before", Reason::TokenNotYetValid),
            ("key", Reason::TokenKeyUnknown),
            ("signature", Reason::TokenSignatureInvalid),
            ("groups", Reason::TokenClaimsInvalid),
            ("required-claim", Reason::TokenClaimRuleFailed),
            ("claim-rule", Reason::TokenClaimRuleFailed),
        ]
    );
    let shown = format!("{:?}", world.examine(&token).await);
    for part in token.split('.') {
        assert!(!shown.contains(part), "{shown}");
    }
}

#[tokio::test]
async fn a_rule_on_the_user_is_checked_although_others_fail() {
    let world = ruled().await;
    let token = world.token(json!({"sub": "root"}));
    let failures = world.failures(&token).await;
    assert!(failures.contains(&("user-rule", Reason::TokenUserRuleFailed)));
    assert!(failures.contains(&("required-claim", Reason::TokenClaimRuleFailed)));
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_told() {
    let world = World::start(Provider::stopped().await, |_| {});
    let token = world.token(json!({"exp": NOW}));
    assert_eq!(
        world.failures(&token).await,
        [
            ("provider", Reason::AuthenticatorNotReady),
            ("expiry", Reason::TokenExpired),
        ]
    );
}

#[tokio::test]
async fn a_foreign_token_is_told_whose_would_be_good() {
    let world = World::new().await;
    let checks = world
        .examine(&world.token(json!({"iss": "https://other.example"})))
        .await;
    let detail = format!("configured are {}", world.provider.url());
    assert_eq!(
        checks,
        [Check::failed("issuer", Reason::TokenIssuerForeign, detail)]
    );
    assert_eq!(world.examine("opaque").await, []);
    let broken = world
        .failures(&world.token(Value::from_iter([("sub", 1)])))
        .await;
    assert_eq!(broken, [("claims", Reason::TokenClaimsInvalid)]);
}
