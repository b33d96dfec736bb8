//! Tokens that stand in a file.

use serde_json::json;

use super::{ISSUER, REVIEWS, given};
use crate::support::{Expect as _, Who, request, who};

#[test]
fn a_token_of_the_file_is_who_the_file_says() {
    let known = "system:authenticated";
    for (token, user) in [
        // Of two lines the last counts.
        (
            "good",
            json!({"username": "jane2", "uid": "u6", "groups": [known]}),
        ),
        (
            "multi",
            json!({"username": "joe", "uid": "u2", "groups": ["dev", "ops", known]}),
        ),
        (
            "nogroup",
            json!({"username": "bob", "uid": "u3", "groups": [known]}),
        ),
        // Whoever is known already, or is to be unknown, becomes no better known.
        (
            "known",
            json!({"username": "kim", "uid": "u7", "groups": [known, "dev"]}),
        ),
        (
            "unknown",
            json!({"username": "eve", "uid": "u8", "groups": ["dev", "system:unauthenticated"]}),
        ),
        (
            "nobody",
            json!({"username": "system:anonymous", "uid": "u9", "groups": ["dev"]}),
        ),
        // Whatever it looks like.
        (
            "header.claims.signature",
            json!({"username": "jim", "uid": "u10", "groups": ["more", known]}),
        ),
        (
            "abcdef.0123456789abcdef",
            json!({"username": "boot", "uid": "u11", "groups": [known]}),
        ),
    ] {
        let status = given().review(json!({"token": token}));
        let expected = json!({"authenticated": true, "user": user, "audiences": [ISSUER]});
        assert_eq!(status, expected, "{token}");
    }
}

#[test]
fn a_token_of_the_file_is_for_the_server_s_own_audiences() {
    let refused = json!({"user": {}, "error": "invalid bearer token"});
    for audiences in [json!(["vault"]), json!(["vault", "bank"]), json!([""])] {
        let status = given().review(json!({"token": "good", "audiences": audiences}));
        assert_eq!(status, refused, "{audiences}");
    }
    for (audiences, expected) in [
        (json!([ISSUER]), json!([ISSUER])),
        (json!(["vault", ISSUER]), json!([ISSUER])),
        (json!([ISSUER, ISSUER]), json!([ISSUER, ISSUER])),
    ] {
        let status = given().review(json!({"token": "good", "audiences": audiences}));
        assert_eq!(status["authenticated"], true);
        assert_eq!(status["audiences"], expected);
    }
}

#[test]
fn a_token_is_found_to_the_byte() {
    let refused = json!({"user": {}, "error": "invalid bearer token"});
    for token in [
        "bad",
        "goo",
        "goodd",
        "Good",
        "GOOD",
        "good,",
        "\"good\"",
        "good,jane2,u6",
        "jane",
        "u1",
        "good\u{301}",
        "go\u{200b}od",
    ] {
        assert_eq!(
            given().review(json!({"token": token})),
            refused,
            "{token:?}"
        );
        let bearer = [("Authorization", format!("Bearer {token}"))];
        assert_eq!(
            who(&given().anonymous(), &bearer),
            Who::Refused,
            "{token:?}"
        );
    }
}

#[test]
fn a_review_is_written_to_the_letter_as_upstream_s() {
    let answer = given().post(REVIEWS, &json!({"spec": {"token": "multi"}}));
    let expected = concat!(
        r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","metadata":{},"#,
        r#""spec":{"token":"multi"},"status":{"authenticated":true,"user":{"username":"joe","#,
        r#""uid":"u2","groups":["dev","ops","system:authenticated"]},"#,
        r#""audiences":["https://kubernetes.default.svc"]}}"#,
        "\n"
    );
    assert_eq!(answer.text(), expected);
}

#[test]
fn the_file_s_nobody_is_treated_as_such() {
    let bearer = |token: &str| [("Authorization", format!("Bearer {token}"))];
    let client = given().anonymous();
    assert_eq!(who(&client, &bearer("nobody")), Who::Anonymous);
    // The name alone is not enough for what everybody may see: a group is, and the file gives none.
    for (token, user) in [("nobody", "system:anonymous"), ("unknown", "eve")] {
        let answer = request(&client, "GET", "/api", &bearer(token), b"");
        let status = answer.refused(403, "Forbidden");
        let text = format!("forbidden: User \"{user}\" cannot get path \"/api\"");
        assert_eq!(status["message"], text);
    }
    let version = |token: &str| request(&client, "GET", "/version", &bearer(token), b"").status;
    assert_eq!((version("nobody"), version("unknown")), (403, 200));
}
