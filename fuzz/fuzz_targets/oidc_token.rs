//! Claims of a provider's token: reading and mapping them never panics, and whoever comes out is someone,
//! satisfies the rules and has no attribute without values.
#![no_main]

use std::sync::LazyLock;

use burgee_cel::{Expects, Expression, Scope};
use burgee_jose::Algorithm;
use burgee_oidc::{
    ClaimMappings, Claims, ExtraMapping, Issuer, JwtAuthenticator, PrefixedMapping, RequiredClaim,
    Rule, UidMapping,
};
use libfuzzer_sys::fuzz_target;

static AUTHENTICATORS: LazyLock<[JwtAuthenticator; 2]> =
    LazyLock::new(|| [by_claims(), by_expressions()]);

fuzz_target!(|payload: &[u8]| {
    let Ok(claims) = Claims::from_json(payload) else {
        return;
    };
    for authenticator in &*AUTHENTICATORS {
        let Ok(user) = authenticator.user(&claims) else {
            continue;
        };
        assert!(!user.name.is_empty());
        assert!(!user.name.starts_with("system:"));
        assert!(user.extra.values().all(|values| !values.is_empty()));
    }
});

fn by_claims() -> JwtAuthenticator {
    let claim = |name: &str| PrefixedMapping::Claim {
        claim: name.to_owned(),
        prefix: String::new(),
    };
    let mappings = ClaimMappings {
        username: claim("email"),
        groups: Some(claim("groups")),
        uid: Some(UidMapping::Claim("sub".to_owned())),
        extra: Vec::new(),
    };
    JwtAuthenticator {
        required_claims: vec![RequiredClaim {
            claim: "hd".to_owned(),
            value: "a".to_owned(),
        }],
        ..authenticator(mappings)
    }
}

fn by_expressions() -> JwtAuthenticator {
    let expression = |text| PrefixedMapping::Expression(compile(text, Scope::Claims));
    let mappings = ClaimMappings {
        username: expression("claims.?sub.orValue('x') + claims.?email.orValue('y')"),
        groups: Some(expression("claims.?groups.orValue('')")),
        uid: Some(UidMapping::Expression(compile("string(claims.sub)", Scope::Claims))),
        extra: vec![ExtraMapping {
            key: "example.com/a".to_owned(),
            value: compile("claims.?groups", Scope::Claims),
        }],
    };
    JwtAuthenticator {
        claim_validation_rules: vec![Rule {
            expression: compile("!has(claims.x) || claims.x == claims.sub", Scope::Claims),
            message: String::new(),
        }],
        ..authenticator(mappings)
    }
}

fn authenticator(claim_mappings: ClaimMappings) -> JwtAuthenticator {
    JwtAuthenticator {
        issuer: Issuer {
            url: "https://issuer.example".to_owned(),
            discovery_url: None,
            certificate_authority: None,
            audiences: vec!["a".to_owned()],
        },
        signing_algorithms: vec![Algorithm::Es256],
        claim_mappings,
        required_claims: Vec::new(),
        claim_validation_rules: Vec::new(),
        user_validation_rules: vec![Rule {
            expression: compile("!user.username.startsWith('system:')", Scope::User),
            message: String::new(),
        }],
    }
}

fn compile(text: &str, scope: Scope) -> Expression {
    Expression::compile(text, scope, Expects::Any).expect("the expression is good")
}
