//! The token in a WebSocket subprotocol, which browsers use for want of another place.
//!
//! Whether what follows is a WebSocket does not matter here: only who asks does.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::support::{Case, Expect as _, Robot, WHO_AM_I, Who, request, who};

const PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

/// The item that carries a token.
fn item(token: impl AsRef<[u8]>) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(token))
}

/// The headers of a handshake with these lines of subprotocols.
fn handshake<'a>(lines: &[&'a str]) -> Vec<(&'static str, &'a str)> {
    let mut headers = vec![
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    headers.extend(lines.iter().map(|line| ("Sec-WebSocket-Protocol", *line)));
    headers
}

#[test]
fn a_token_stands_among_the_subprotocols() {
    let robot = Robot::begin();
    let token = item(&robot.token);
    for lines in [
        &[format!("v5.channel.k8s.io, {token}")][..],
        &[format!("{token}, v5.channel.k8s.io")],
        &[format!("v4.channel.k8s.io,{token},v5.channel.k8s.io")],
        &[format!("\t {token} \t,\u{a0}v5")],
        &[token.clone(), "dummy, dummy2".to_owned()],
        &["dummy".to_owned(), token.clone(), "dummy2".to_owned()],
        // An empty item is another protocol, too.
        &[format!("{token},")],
        &[format!(",{token}")],
        &[token.clone(), String::new()],
    ] {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(robot.who(&handshake(&lines)), robot.user(), "{lines:?}");
    }
}

#[test]
fn a_handshake_is_one_in_any_case_and_among_other_options() {
    let robot = Robot::begin();
    let protocols = format!("v5,{}", item(&robot.token));
    for (connection, upgrade) in [
        (&["Upgrade"][..], "websocket"),
        (&["upgrade"], "WebSocket"),
        (&["keep-alive, Upgrade"], "WEBSOCKET"),
        (&["keep-alive", "UPGRADE"], "websocket"),
    ] {
        let mut headers = vec![
            ("Upgrade", upgrade),
            ("Sec-WebSocket-Protocol", protocols.as_str()),
        ];
        headers.extend(connection.iter().map(|value| ("Connection", *value)));
        assert_eq!(robot.who(&headers), robot.user(), "{headers:?}");
    }
}

#[test]
fn without_a_handshake_a_subprotocol_is_no_credential() {
    let robot = Robot::begin();
    for token in [&robot.token, "garbage"] {
        let protocols = format!("v5,{}", item(token));
        for headers in [
            &[][..],
            &[("Connection", "Upgrade")],
            &[("Upgrade", "websocket")],
            &[("Upgrade", "websocket"), ("Connection", "keep-alive")],
            &[("Upgrade", "websockets"), ("Connection", "Upgrade")],
            &[
                ("Upgrade", "other"),
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
            ],
        ] {
            let mut headers = headers.to_vec();
            headers.push(("Sec-WebSocket-Protocol", protocols.as_str()));
            assert_eq!(robot.who(&headers), Who::Anonymous, "{headers:?}");
        }
    }
}

#[test]
fn a_subprotocol_that_is_no_token_is_no_credential() {
    let robot = Robot::begin();
    let encoded = URL_SAFE_NO_PAD.encode(&robot.token);
    for line in [
        String::new(),
        "v5.channel.k8s.io".to_owned(),
        format!("v5,{PREFIX}"),
        PREFIX.to_owned(),
        format!("v5,{}", PREFIX.trim_end_matches('.')),
        format!("v5,{}{encoded}", PREFIX.to_uppercase()),
        format!("v5,Base64url.bearer.authorization.k8s.io.{encoded}"),
        format!("v5,base64.bearer.authorization.k8s.io.{encoded}"),
        format!("v5,x{PREFIX}{encoded}"),
    ] {
        assert_eq!(robot.who(&handshake(&[&line])), Who::Anonymous, "{line}");
    }
}

#[test]
fn a_token_that_is_wrong_in_any_way_is_401() {
    let robot = Robot::begin();
    let good = item(&robot.token);
    let encoded = URL_SAFE_NO_PAD.encode(&robot.token);
    // Three bytes more than a multiple of three are padded.
    let padded = URL_SAFE.encode("ab");
    let slashed = STANDARD.encode("a?b>c~\u{ff}?>");
    assert!(padded.contains('=') && slashed.contains(['+', '/']));
    for line in [
        good.clone(),
        format!("{good},{good}"),
        format!("v5,{good},{good}"),
        format!("v5,{good},{}", item("garbage")),
        format!("v5,{}", item("garbage")),
        format!("v5,{}", item("good x")),
        format!("v5,{}", item(b"\xff\xfe")),
        format!("v5,{}", item([robot.token.as_bytes(), b"\xff"].concat())),
        format!("v5,{PREFIX}{padded}"),
        format!("v5,{PREFIX}{slashed}"),
        format!("v5,{PREFIX}{encoded}="),
        format!("v5,{PREFIX}{encoded}=="),
        format!("v5,{PREFIX}{} {}", &encoded[..8], &encoded[8..]),
        format!("v5,{PREFIX}{}", robot.token),
        format!("v5,{PREFIX}A"),
        format!("v5,{PREFIX}%41"),
        format!("v5,{PREFIX}\u{e9}"),
    ] {
        assert_eq!(robot.who(&handshake(&[&line])), Who::Refused, "{line}");
    }
    let lines = [good.as_str(), "v5", good.as_str()];
    assert_eq!(robot.who(&handshake(&lines)), Who::Refused);
}

#[test]
fn bits_that_encode_nothing_do_not_matter() {
    let case = Case::begin();
    let anonymous = Robot::begin().client;
    // A token whose last group is not full.
    let names = ["robot", "robot-2", "robot-33", "robot-444"];
    let (name, token) = names
        .iter()
        .map(|name| {
            case.service_account(name);
            (name, case.token(name, json!({})))
        })
        .find(|(_, token)| token.len() % 3 != 0)
        .expect("not all lengths are multiples of three");
    let user = Who::User(format!("system:serviceaccount:{}:{name}", case.namespace));
    let mut encoded = URL_SAFE_NO_PAD.encode(token);
    let last = encoded.pop().unwrap();
    assert!("AEIMQUYcgkosw048".contains(last), "its last bits are none");
    let next = char::from(last as u8 + 1);
    for last in [last, next] {
        let line = format!("v5,{PREFIX}{encoded}{last}");
        assert_eq!(who(&anonymous, &handshake(&[&line])), user, "{last}");
    }
}

#[test]
fn of_two_tokens_the_authorization_header_s_is_the_first_and_a_good_one_will_do() {
    let robot = Robot::begin();
    let other = Robot::begin();
    let bearer = |token: &str| format!("Bearer {token}");
    let protocol = |token: &str| format!("v5,{}", item(token));
    for (authorization, protocols, expected) in [
        (bearer(&robot.token), protocol(&other.token), robot.user()),
        (bearer(&robot.token), protocol("garbage"), robot.user()),
        (bearer(&robot.token), item("alone"), robot.user()),
        (bearer("garbage"), protocol(&other.token), other.user()),
        (
            "Basic YTpi".to_owned(),
            protocol(&other.token),
            other.user(),
        ),
        (
            "Bearer  two".to_owned(),
            protocol(&other.token),
            other.user(),
        ),
        ("Basic YTpi".to_owned(), protocol("garbage"), Who::Refused),
        (bearer("garbage"), protocol("garbage"), Who::Refused),
        (bearer("garbage"), "v5".to_owned(), Who::Refused),
    ] {
        let mut headers = handshake(&[&protocols]);
        headers.push(("Authorization", &authorization));
        assert_eq!(robot.who(&headers), expected, "{headers:?}");
    }
}

#[test]
fn a_handshake_is_answered_without_the_token() {
    let robot = Robot::begin();
    let good = item(&robot.token);
    for (path, protocols, status) in [
        ("/api", format!("v5,{good}"), 200),
        ("/api/v1/secrets", format!("v5,{good}"), 403),
        ("/api", format!("v5,{}", item("garbage")), 401),
        ("/healthz", format!("v5,{}", item("garbage")), 401),
    ] {
        let headers = handshake(&[&protocols]);
        let answer = request(&robot.client, "GET", path, &headers, b"");
        assert_eq!(answer.status, status, "{path}");
        let shown = format!("{:?}{}", answer.fields, answer.text());
        assert!(!shown.contains(PREFIX), "{shown}");
    }
}

#[test]
fn a_bad_subprotocol_is_nothing_to_who_has_shown_who_they_are() {
    let robot = Robot::begin();
    let protocols = format!("v5,{}", item("garbage"));
    let mut headers = handshake(&[&protocols]);
    headers.push(("Content-Type", "application/json"));
    let admin = &robot.case.client;
    admin.send("POST", WHO_AM_I, &headers, b"{}").expect(201);
}
