//! A table for each step.

use burgee_cel::{Expects, Scope};
use burgee_jose::Algorithm;
use serde_json::json;

use super::*;
use crate::{ClaimMappings, Issuer};

fn claim(name: &str, prefix: &str) -> PrefixedMapping {
    PrefixedMapping::Claim {
        claim: name.to_owned(),
        prefix: prefix.to_owned(),
    }
}

fn expression(text: &str) -> Expression {
    Expression::compile(text, Scope::Claims, Expects::Any).unwrap()
}

fn expressed(text: &str) -> PrefixedMapping {
    PrefixedMapping::Expression(expression(text))
}

fn rule(scope: Scope, text: &str, message: &str) -> Rule {
    Rule {
        expression: Expression::compile(text, scope, Expects::Bool).unwrap(),
        message: message.to_owned(),
    }
}

/// Takes the name from `sub` and nothing else, unless changed.
fn mapping(change: impl FnOnce(&mut JwtAuthenticator)) -> JwtAuthenticator {
    let mut configured = JwtAuthenticator {
        issuer: Issuer {
            url: "https://issuer.example".to_owned(),
            discovery_url: None,
            certificate_authority: None,
            audiences: vec!["a".to_owned()],
        },
        signing_algorithms: vec![Algorithm::Es256],
        claim_mappings: ClaimMappings {
            username: claim("sub", ""),
            groups: None,
            uid: None,
            extra: Vec::new(),
        },
        required_claims: Vec::new(),
        claim_validation_rules: Vec::new(),
        user_validation_rules: Vec::new(),
    };
    change(&mut configured);
    configured
}

fn user(configured: &JwtAuthenticator, claims: Value) -> Result<UserInfo, Rejection> {
    configured.user(&Claims::from_json(claims.to_string().as_bytes())?)
}

fn error(configured: &JwtAuthenticator, claims: Value) -> (Reason, String) {
    let rejection = user(configured, claims).unwrap_err();
    (rejection.reason, rejection.message.into_owned())
}

#[test]
fn a_name_is_a_text_with_a_prefix() {
    let name = |prefix: &str, claims: Value| {
        let configured = mapping(|c| c.claim_mappings.username = claim("name", prefix));
        match user(&configured, claims) {
            Ok(user) => user.name,
            Err(rejection) => format!("{} {}", rejection.reason, rejection.message),
        }
    };
    let claims = "token.claims-invalid oidc: parse username claims \"name\": ";
    for (prefix, value, expected) in [
        ("", json!({"name": "jane"}), "jane"),
        ("idp:", json!({"name": "jane"}), "idp:jane"),
        ("idp:", json!({"name": ""}), "idp:"),
        ("idp:", json!({"name": null}), "idp:"),
        (
            "",
            json!({"name": ""}),
            "token.mapping-failed oidc: empty username is not allowed",
        ),
        ("", json!({}), &format!("{claims}claim not present")),
        (
            "",
            json!({"Name": "jane"}),
            &format!("{claims}claim not present"),
        ),
        (
            "",
            json!({"name": 7}),
            &format!("{claims}json: cannot unmarshal number into Go value of type string"),
        ),
        (
            "",
            json!({"name": ["jane"]}),
            &format!("{claims}json: cannot unmarshal array into Go value of type string"),
        ),
    ] {
        assert_eq!(name(prefix, value.clone()), expected, "{value}");
    }
}

#[test]
fn an_email_counts_unless_it_is_said_not_to_be_verified() {
    let configured = mapping(|c| c.claim_mappings.username = claim("email", "e:"));
    let claims = |verified: Value| json!({"email": "j@a.example", "email_verified": verified});
    let name = |claims| user(&configured, claims).unwrap().name;
    assert_eq!(name(json!({"email": "j@a.example"})), "e:j@a.example");
    assert_eq!(name(claims(json!(true))), "e:j@a.example");
    for verified in [json!(false), json!(null)] {
        let (reason, message) = error(&configured, claims(verified));
        assert_eq!(reason, Reason::TokenClaimRuleFailed);
        assert_eq!(message, "oidc: email not verified");
    }
    let (_, message) = error(&configured, claims(json!("true")));
    assert_eq!(
        message,
        "oidc: parse 'email_verified' claim: json: cannot unmarshal string into Go value of type bool"
    );
    let other = mapping(|c| c.claim_mappings.username = claim("mail", ""));
    let unverified = json!({"mail": "j@a.example", "email_verified": false});
    assert_eq!(user(&other, unverified).unwrap().name, "j@a.example");
}

#[test]
fn a_name_that_is_expressed_is_a_text() {
    let configured = mapping(|c| c.claim_mappings.username = expressed("claims.n"));
    assert_eq!(
        user(&configured, json!({"n": "jane"})).unwrap().name,
        "jane"
    );
    for (claims, message) in [
        (
            json!({"n": ""}),
            "oidc: empty username via CEL expression is not allowed",
        ),
        (
            json!({"n": 7}),
            "oidc: error evaluating username claim expression: username claim expression must \
             return a string",
        ),
        (
            json!({}),
            "oidc: error evaluating username claim expression: expression 'claims.n' resulted in \
             error: no such key: n",
        ),
    ] {
        let expected = (Reason::TokenMappingFailed, message.to_owned());
        assert_eq!(error(&configured, claims), expected);
    }
}

#[test]
fn groups_of_a_claim_are_one_or_several_texts() {
    let configured = mapping(|c| c.claim_mappings.groups = Some(claim("g", "idp:")));
    for (claims, groups) in [
        (json!({}), vec![]),
        (json!({"g": null}), vec![]),
        (json!({"g": []}), vec![]),
        (json!({"g": "a"}), vec!["idp:a"]),
        (
            json!({"g": ["a", "b", "a"]}),
            vec!["idp:a", "idp:b", "idp:a"],
        ),
    ] {
        let mut claims = claims;
        claims["sub"] = json!("jane");
        assert_eq!(
            user(&configured, claims.clone()).unwrap().groups,
            groups,
            "{claims}"
        );
    }
    for (value, found) in [
        (json!(7), "number"),
        (json!({}), "object"),
        (json!(true), "bool"),
        (json!(["a", 7]), "array"),
        (json!([["a"]]), "array"),
    ] {
        let message = format!(
            "oidc: parse groups claim \"g\": json: cannot unmarshal {found} into Go value of type \
             string"
        );
        let claims = json!({"sub": "jane", "g": value});
        assert_eq!(
            error(&configured, claims),
            (Reason::TokenClaimsInvalid, message)
        );
    }
}

#[test]
fn values_that_are_expressed_are_texts_and_empty_ones_are_none() {
    let configured = mapping(|c| {
        c.claim_mappings.groups = Some(expressed("claims.v"));
        c.claim_mappings.extra = vec![ExtraMapping {
            key: "example.com/v".to_owned(),
            value: expression("claims.v"),
        }];
    });
    for (value, values) in [
        (json!("a"), vec!["a"]),
        (json!(["a", "", "b"]), vec!["a", "b"]),
        (json!(""), vec![]),
        (json!([]), vec![]),
        (json!([""]), vec![]),
        (json!(null), vec![]),
    ] {
        let user = user(&configured, json!({"sub": "jane", "v": value})).unwrap();
        assert_eq!(user.groups, values);
        let extra = user.extra.get("example.com/v");
        assert_eq!(extra.is_none(), values.is_empty());
        assert_eq!(extra.map(Vec::as_slice).unwrap_or_default(), values);
    }
    for value in [json!(7), json!(true), json!({}), json!(["a", 7])] {
        let message = "oidc: error evaluating group claim expression: expression must return a \
                       string or a list of strings";
        assert_eq!(
            error(&configured, json!({"sub": "jane", "v": value})),
            (Reason::TokenMappingFailed, message.to_owned())
        );
    }
    let extra = mapping(|c| {
        c.claim_mappings.extra = vec![ExtraMapping {
            key: "example.com/v".to_owned(),
            value: expression("claims.v"),
        }];
    });
    assert_eq!(
        error(&extra, json!({"sub": "jane", "v": 7})).1,
        "oidc: error evaluating extra claim expression: claims.v: expression must return a string \
         or a list of strings"
    );
}

#[test]
fn a_uid_is_a_text_that_may_be_empty() {
    let by_claim = mapping(|c| c.claim_mappings.uid = Some(UidMapping::Claim("u".to_owned())));
    let by_expression = mapping(|c| {
        c.claim_mappings.uid = Some(UidMapping::Expression(expression("claims.u")));
    });
    for configured in [&by_claim, &by_expression] {
        for uid in ["7", ""] {
            let claims = json!({"sub": "jane", "u": uid});
            assert_eq!(user(configured, claims).unwrap().uid, uid);
        }
    }
    assert_eq!(
        error(&by_claim, json!({"sub": "jane"})).1,
        "oidc: parse uid claim \"u\": claim not present"
    );
    assert_eq!(
        error(&by_expression, json!({"sub": "jane", "u": 7})).1,
        "oidc: error evaluating uid claim expression: uid claim expression must return a string"
    );
}

#[test]
fn the_tokens_id_is_kept_if_it_is_a_text() {
    let extra = |claims: Value| user(&mapping(|_| {}), claims).unwrap().extra;
    assert_eq!(
        extra(json!({"sub": "jane", "jti": "7"}))[names::CREDENTIAL_ID],
        ["JTI=7"]
    );
    for id in [json!(""), json!(7), json!(null), json!(["7"])] {
        assert!(extra(json!({"sub": "jane", "jti": id})).is_empty());
    }
}

#[test]
fn required_claims_are_there_and_equal() {
    let configured = mapping(|c| {
        c.required_claims = vec![RequiredClaim {
            claim: "hd".to_owned(),
            value: "b".to_owned(),
        }];
    });
    assert!(user(&configured, json!({"sub": "jane", "hd": "b"})).is_ok());
    for (claims, reason, message) in [
        (
            json!({"sub": "jane"}),
            Reason::TokenClaimRuleFailed,
            "oidc: required claim hd not present in ID token",
        ),
        (
            json!({"sub": "jane", "hd": "a"}),
            Reason::TokenClaimRuleFailed,
            "oidc: required claim hd value does not match. Got = a, want = b",
        ),
        (
            json!({"sub": "jane", "hd": ["b"]}),
            Reason::TokenClaimsInvalid,
            "oidc: parse claim hd: json: cannot unmarshal array into Go value of type string",
        ),
    ] {
        assert_eq!(error(&configured, claims), (reason, message.to_owned()));
    }
    let empty = mapping(|c| {
        c.required_claims = vec![RequiredClaim {
            claim: "hd".to_owned(),
            value: String::new(),
        }];
    });
    assert!(user(&empty, json!({"sub": "jane", "hd": ""})).is_ok());
    assert!(user(&empty, json!({"sub": "jane"})).is_err());
}

#[test]
fn rules_have_to_be_true_and_the_first_step_that_fails_is_told() {
    let configured = mapping(|c| {
        c.required_claims = vec![RequiredClaim {
            claim: "hd".to_owned(),
            value: "b".to_owned(),
        }];
        c.claim_validation_rules = vec![
            rule(Scope::Claims, "claims.mfa == true", "no second factor"),
            rule(Scope::Claims, "claims.level == 2", ""),
        ];
        c.user_validation_rules = vec![rule(
            Scope::User,
            "!user.groups.exists(g, g.startsWith('system:'))",
            "reserved group",
        )];
        c.claim_mappings.groups = Some(claim("g", ""));
    });
    let mut claims = json!({"sub": 7});
    let mut expect = |change: Value, reason: Reason, message: &str| {
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let found = error(&configured, claims.clone());
        assert_eq!(found, (reason, message.to_owned()), "{claims}");
    };
    let rule = "oidc: error evaluating claim validation expression: ";
    expect(
        json!({"sub": "jane", "g": 7}),
        Reason::TokenClaimsInvalid,
        "oidc: parse groups claim \"g\": json: cannot unmarshal number into Go value of type string",
    );
    expect(
        json!({"g": "system:masters"}),
        Reason::TokenClaimRuleFailed,
        "oidc: required claim hd not present in ID token",
    );
    expect(
        json!({"hd": "b"}),
        Reason::TokenClaimRuleFailed,
        &format!("{rule}expression 'claims.mfa == true' resulted in error: no such key: mfa"),
    );
    expect(
        json!({"mfa": "true"}),
        Reason::TokenClaimRuleFailed,
        &format!("{rule}validation expression 'claims.mfa == true' failed: no second factor"),
    );
    expect(
        json!({"mfa": true, "level": 1}),
        Reason::TokenClaimRuleFailed,
        &format!("{rule}validation expression 'claims.level == 2' failed: "),
    );
    expect(
        json!({"level": 2}),
        Reason::TokenUserRuleFailed,
        "oidc: error evaluating user info validation rule: validation expression \
         '!user.groups.exists(g, g.startsWith('system:'))' failed: reserved group",
    );
    claims["g"] = json!("admins");
    assert_eq!(user(&configured, claims).unwrap().groups, ["admins"]);
}

#[test]
fn claims_are_compared_by_their_whole_names() {
    let configured = mapping(|c| {
        c.claim_mappings.username = claim("https://a.example/name", "");
        c.claim_mappings.groups = Some(expressed("claims['https://a.example/groups']"));
    });
    let claims = json!({"https://a.example/name": "jane", "https://a.example/groups": ["a"]});
    let user = user(&configured, claims).unwrap();
    assert_eq!(
        (user.name.as_str(), user.groups),
        ("jane", vec!["a".to_owned()])
    );
}
