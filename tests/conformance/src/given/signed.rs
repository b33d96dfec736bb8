//! Tokens of service accounts, signed with the server's own key: what is wrong with them is what
//! they say.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use burgee_testkit::claims;
use serde_json::{Value, json};

use super::{ISSUER, given};
use crate::support::jwt::{decoded, signed};
use crate::support::{Expect as _, Who, who};

/// A service account, and a token of it to be changed.
struct Account {
    namespace: String,
    header: Value,
    claims: Value,
}

impl Account {
    fn begin() -> Self {
        static ACCOUNTS: AtomicU32 = AtomicU32::new(0);
        let namespace = format!("signed-{}", ACCOUNTS.fetch_add(1, Ordering::Relaxed));
        let object = json!({"metadata": {"name": namespace}});
        given().post("/api/v1/namespaces", &object).expect(201);
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        let object = json!({"metadata": {"name": "robot"}});
        given().post(&accounts, &object).expect(201);
        let path = format!("{accounts}/robot/token");
        let token = given().post(&path, &json!({"spec": {}})).expect(201);
        let token = token["status"]["token"].as_str().unwrap();
        let header = token.split('.').next().unwrap();
        Self {
            namespace,
            header: serde_json::from_slice(&decoded(header)).unwrap(),
            claims: claims(token),
        }
    }

    fn name(&self) -> String {
        format!("system:serviceaccount:{}:robot", self.namespace)
    }

    /// A token that says something else.
    fn saying(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims.clone();
        change(&mut claims);
        self.token(&self.header.to_string(), claims.to_string())
    }

    /// A token under another header.
    fn under(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header.clone();
        change(&mut header);
        self.token(&header.to_string(), self.claims.to_string())
    }

    fn token(&self, header: &str, claims: String) -> String {
        signed(header, claims, |message| given().key.sign(message))
    }

    #[track_caller]
    fn accepted(&self, token: &str) {
        let status = given().review(json!({"token": token}));
        assert_eq!(status["authenticated"], true, "{status}");
        assert_eq!(status["user"]["username"], self.name());
        let bearer = [("Authorization", format!("Bearer {token}"))];
        assert_eq!(who(&given().anonymous(), &bearer), Who::User(self.name()));
    }
}

/// What a review says of a token that opens nothing.
#[track_caller]
fn refused(token: &str) -> String {
    let bearer = [("Authorization", format!("Bearer {token}"))];
    assert_eq!(who(&given().anonymous(), &bearer), Who::Refused, "{token}");
    let status = given().review(json!({"token": token}));
    assert!(status["authenticated"].is_null(), "{status}");
    assert_eq!(status["user"], json!({}));
    let error = status["error"].as_str().expect("an error").to_owned();
    match error.strip_prefix("[invalid bearer token, ") {
        Some(rest) => rest.strip_suffix(']').expect("a list").to_owned(),
        None => error,
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

#[test]
fn what_the_server_says_itself_is_accepted() {
    let account = Account::begin();
    account.accepted(&account.saying(|_| {}));
}

#[test]
fn clocks_may_differ_by_a_minute() {
    let account = Account::begin();
    for (claim, offset) in [
        ("exp", -30),
        ("nbf", 30),
        ("iat", 30),
        ("nbf", -1000),
        ("iat", 0),
    ] {
        account.accepted(&account.saying(|claims| claims[claim] = json!(now() + offset)));
    }
    for (claim, offset, error) in [
        ("exp", -90, "service account token has expired"),
        ("exp", -100_000_000, "service account token has expired"),
        ("nbf", 120, "service account token is not valid yet"),
        ("iat", 120, "service account token is issued in the future"),
    ] {
        let token = account.saying(|claims| claims[claim] = json!(now() + offset));
        assert_eq!(refused(&token), error);
    }
}

#[test]
fn the_first_thing_that_is_wrong_is_told() {
    let account = Account::begin();
    let (past, future) = (now() - 1000, now() + 1000);
    let gone = |claims: &mut Value| {
        claims["kubernetes.io"]["serviceaccount"]["name"] = json!("nobody");
    };
    let expired = "service account token has expired";
    let early = "service account token is not valid yet";
    let nobody = "serviceaccounts \"nobody\" not found";
    assert_eq!(refused(&account.saying(gone)), nobody);
    let token = account.saying(|claims| {
        claims["exp"] = json!(past);
        gone(claims);
    });
    assert_eq!(refused(&token), expired);
    let token = account.saying(|claims| {
        claims["exp"] = json!(past);
        claims["iat"] = json!(future);
    });
    assert_eq!(refused(&token), expired);
    let token = account.saying(|claims| {
        claims["exp"] = json!(past);
        claims["nbf"] = json!(future);
    });
    assert_eq!(refused(&token), early);
    let token = account.saying(|claims| {
        claims["exp"] = json!(past);
        claims["aud"] = json!(["vault"]);
    });
    let audience =
        format!("token audiences [\"vault\"] is invalid for the target audiences [\"{ISSUER}\"]");
    assert_eq!(refused(&token), audience);
}

#[test]
fn times_are_numbers_if_they_are_there() {
    let account = Account::begin();
    for claim in ["exp", "nbf", "iat"] {
        let without = account.saying(|claims| {
            claims.as_object_mut().unwrap().remove(claim);
        });
        account.accepted(&without);
        for value in [json!("1"), json!(true), json!([now()]), json!({})] {
            refused(&account.saying(|claims| claims[claim] = value));
        }
    }
    let fraction = account.saying(|claims| claims["exp"] = json!(now() as f64 + 600.5));
    account.accepted(&fraction);
    let past = account.saying(|claims| claims["exp"] = json!(now() as f64 - 600.5));
    assert_eq!(refused(&past), "service account token has expired");
}

#[test]
fn audiences_are_a_text_or_a_list_or_the_server_s() {
    let account = Account::begin();
    let text = account.saying(|claims| claims["aud"] = json!(ISSUER));
    account.accepted(&text);
    let list = account.saying(|claims| claims["aud"] = json!(["vault", ISSUER]));
    account.accepted(&list);
    let none = account.saying(|claims| {
        claims.as_object_mut().unwrap().remove("aud");
    });
    account.accepted(&none);
    let status = given().review(json!({"token": none, "audiences": ["vault"]}));
    let error = format!(
        "[invalid bearer token, token audiences [\"{ISSUER}\"] is invalid for the target audiences [\"vault\"]]"
    );
    assert_eq!(status, json!({"user": {}, "error": error}));
    for audiences in [json!(7), json!([7]), json!({"a": 1}), json!([ISSUER, 7])] {
        refused(&account.saying(|claims| claims["aud"] = audiences));
    }
}

#[test]
fn the_account_is_what_kubernetes_calls_it() {
    let account = Account::begin();
    // Nobody reads the subject.
    let other = account.saying(|claims| claims["sub"] = json!("system:serviceaccount:a:b"));
    account.accepted(&other);
    let uid = account.claims["kubernetes.io"]["serviceaccount"]["uid"].clone();
    let replaced = account.saying(|claims| {
        claims["kubernetes.io"]["serviceaccount"]["uid"] = json!("other");
    });
    let text = format!(
        "service account UID ({}) does not match claim (other)",
        uid.as_str().unwrap()
    );
    assert_eq!(refused(&replaced), text);
    let elsewhere = account.saying(|claims| {
        claims["kubernetes.io"]["namespace"] = json!("nowhere");
    });
    assert_eq!(refused(&elsewhere), "serviceaccounts \"robot\" not found");
    let bound = account.saying(|claims| {
        claims["kubernetes.io"]["pod"] = json!({"name": "p", "uid": "u"});
    });
    assert_eq!(
        refused(&bound),
        "service account token has been invalidated"
    );
    let nameless = account.saying(|claims| {
        claims.as_object_mut().unwrap().remove("kubernetes.io");
    });
    refused(&nameless);
    // Groups are not the token's to say.
    let grand = account.saying(|claims| {
        claims["groups"] = json!(["system:masters"]);
        claims["kubernetes.io"]["groups"] = json!(["system:masters"]);
    });
    account.accepted(&grand);
    let status = given().review(json!({"token": grand}));
    let own = format!("system:serviceaccounts:{}", account.namespace);
    let groups = json!(["system:serviceaccounts", own, "system:authenticated"]);
    assert_eq!(status["user"]["groups"], groups);
}

#[test]
fn a_good_signature_does_not_make_up_for_another_issuer() {
    let account = Account::begin();
    for issuer in [
        json!("https://issuer.example.test"),
        json!(format!("{ISSUER}/")),
        json!(""),
        json!(7),
        Value::Null,
    ] {
        let token = account.saying(|claims| claims["iss"] = issuer);
        assert_eq!(refused(&token), "invalid bearer token");
    }
}

#[test]
fn a_good_signature_does_not_make_up_for_a_header_that_is_not_understood() {
    let account = Account::begin();
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("alg", json!("ES384")),
        ("alg", json!("RS256")),
        ("alg", json!("HS256")),
        ("alg", json!("none")),
        ("alg", json!("es256")),
        ("alg", Value::Null),
        ("kid", json!(7)),
    ] {
        refused(&account.under(|header| header[name] = value));
    }
    let unknown = account.under(|header| header["kid"] = json!("nobody"));
    assert_eq!(refused(&unknown), "invalid signature, no keys found");
}

#[test]
fn what_a_header_may_say_besides_does_not_matter() {
    let account = Account::begin();
    let jwk = crate::support::jwt::Es256::generate().jwk();
    for (name, value) in [
        ("typ", json!("JWT")),
        ("cty", json!("x")),
        ("kid", json!("")),
        ("jwk", jwk),
        ("jku", json!("https://127.0.0.1:1/keys")),
    ] {
        account.accepted(&account.under(|header| header[name] = value));
    }
    // Without the name of a key all are tried.
    let nameless = account.under(|header| {
        header.as_object_mut().unwrap().remove("kid");
    });
    account.accepted(&nameless);
}

#[test]
fn what_is_said_twice_is_not_said() {
    let account = Account::begin();
    let claims = account.claims.to_string();
    let header = account.header.to_string();
    let twice = |text: &str, member: &str| {
        let rest = text.strip_prefix('{').unwrap();
        format!("{{{member},{rest}")
    };
    for member in [
        r#""exp":4102444800"#,
        r#""aud":["vault"]"#,
        r#""sub":"a""#,
        r#""iss":"https://kubernetes.default.svc""#,
        r#""x":1,"x":1"#,
        r#""kubernetes.io":{}"#,
    ] {
        refused(&account.token(&header, twice(&claims, member)));
    }
    for member in [r#""alg":"ES256""#, r#""alg":"none""#, r#""kid":"a""#] {
        refused(&account.token(&twice(&header, member), claims.clone()));
    }
}

#[test]
fn claims_that_are_no_object_are_none() {
    let account = Account::begin();
    let header = account.header.to_string();
    for claims in ["", "null", "[]", "7", "\"a\"", "{", "{}", "{}{}"] {
        refused(&account.token(&header, claims.to_owned()));
    }
    let claims = format!("{} trailing", account.claims);
    refused(&account.token(&header, claims));
}
