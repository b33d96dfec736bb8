//! The token in the `Authorization` header, byte by byte.

use std::io::Write as _;

use burgee_testkit::Client;
use bytes::Bytes;
use http_body_util::Full;
use serde_json::json;

use crate::support::{
    Expect as _, Robot, WHO_AM_I, Who, heard, http2, receive, request, runtime, send,
    upstream_only, who,
};

const EXTRA_SPACE: &str = "299 - \"the provided Authorization header contains extra space before the bearer token, and is ignored\"";

/// The codes of answers over HTTP/2 to `GET /api` with these lines of `Authorization`, each on a
/// connection of its own.
fn over_http_2(client: &Client, lines: &[&[&str]]) -> Vec<u16> {
    runtime().block_on(async {
        let mut codes = Vec::new();
        for values in lines {
            let (mut sender, connection) = http2(client).await;
            let mut request = http::Request::get(format!("https://{}/api", client.address()));
            for value in *values {
                request = request.header("Authorization", *value);
            }
            let request = request.body(Full::new(Bytes::new())).unwrap();
            let answer = sender.send_request(request).await.unwrap();
            codes.push(answer.status().as_u16());
            connection.abort();
        }
        codes
    })
}

/// The values of all `Warning` headers.
fn warnings(fields: &[(String, String)]) -> Vec<&str> {
    let warnings = fields.iter().filter(|(name, _)| name == "warning");
    warnings.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn the_scheme_is_written_in_any_case_and_what_follows_the_token_is_ignored() {
    let robot = Robot::begin();
    let token = &robot.token;
    for value in [
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER {token}"),
        format!("bEaReR {token}"),
        format!("  Bearer {token} "),
        format!("\tBearer {token}\t"),
        format!("Bearer {token} a b c"),
        format!("Bearer {token}   a"),
        format!("Bearer {token} Bearer garbage"),
    ] {
        assert_eq!(
            robot.who(&[("Authorization", &value)]),
            robot.user(),
            "{value:?}"
        );
    }
    let lower = [("authorization", format!("bearer {token}"))];
    assert_eq!(robot.who(&lower), robot.user());
}

#[test]
fn white_space_of_all_the_world_around_the_value_is_ignored() {
    let robot = Robot::begin();
    for space in [
        "\u{a0}",
        "\u{85}",
        "\u{2003}",
        "\u{3000}",
        "\u{2028} \u{a0}",
    ] {
        for value in [
            format!("{space}Bearer {}", robot.token),
            format!("Bearer {}{space}", robot.token),
        ] {
            assert_eq!(
                robot.who(&[("Authorization", &value)]),
                robot.user(),
                "{value:?}"
            );
        }
    }
}

#[test]
fn what_is_no_bearer_token_is_no_credential() {
    let robot = Robot::begin();
    let token = &robot.token;
    for value in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer  ".to_owned(),
        "bearer\u{a0}".to_owned(),
        "Basic 123".to_owned(),
        "Basic YTpi".to_owned(),
        "Digest username=\"a\"".to_owned(),
        "Negotiate YII=".to_owned(),
        token.clone(),
        format!("Bearer\t{token}"),
        format!("Bearer\u{a0}{token}"),
        format!("Bearer: {token}"),
        format!("Bearer,{token}"),
        format!("bear {token}"),
        format!("Bearers {token}"),
        format!("\"Bearer {token}\""),
        format!("Basic {token}, Bearer {token}"),
    ] {
        let headers = [("Authorization", &value)];
        assert_eq!(robot.who(&headers), Who::Anonymous, "{value:?}");
        let answer = request(&robot.client, "GET", "/version", &headers, b"");
        assert_eq!(answer.status, 200, "{value:?}");
        assert_eq!(warnings(&answer.fields), [""; 0], "{value:?}");
    }
}

#[test]
fn a_space_too_many_hides_the_token_and_is_told_once() {
    let robot = Robot::begin();
    for value in [
        format!("Bearer  {}", robot.token),
        format!("bearer   {}", robot.token),
        "Bearer  garbage".to_owned(),
        "Bearer  garbage more".to_owned(),
    ] {
        let headers = [("Authorization", &value)];
        assert_eq!(robot.who(&headers), Who::Anonymous, "{value:?}");
        for (path, status) in [("/version", 200), ("/healthz", 200), ("/api", 403)] {
            let answer = request(&robot.client, "GET", path, &headers, b"");
            assert_eq!(answer.status, status, "{value:?}");
            assert_eq!(warnings(&answer.fields), [EXTRA_SPACE], "{value:?} {path}");
        }
    }
}

#[test]
fn a_space_too_many_is_told_with_a_refusal_too() {
    let robot = Robot::begin();
    let protocols = "v5, base64url.bearer.authorization.k8s.io.Z2FyYmFnZQ";
    let headers = [
        ("Authorization", "Bearer  two"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Protocol", protocols),
    ];
    let answer = request(&robot.client, "GET", "/healthz", &headers, b"");
    assert_eq!(warnings(&answer.fields), [EXTRA_SPACE]);
    answer.refused(401, "Unauthorized");
}

#[test]
fn a_token_is_taken_to_the_byte() {
    let robot = Robot::begin();
    let token = &robot.token;
    for value in [
        format!("Bearer {token},"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer {token};"),
        format!("Bearer \t{token}"),
        format!("Bearer \u{a0}{token}"),
        format!("Bearer {token}\tx"),
        format!("Bearer {token}\u{a0}x"),
        format!("Bearer \"{token}\""),
        format!("Bearer {token}="),
        format!("Bearer token={token}"),
        format!("Bearer {}", token.to_uppercase()),
        "Bearer null".to_owned(),
        "Bearer undefined".to_owned(),
        "Bearer Bearer".to_owned(),
    ] {
        assert_eq!(
            robot.who(&[("Authorization", &value)]),
            Who::Refused,
            "{value:?}"
        );
    }
}

#[test]
fn of_several_authorization_lines_the_first_counts() {
    let robot = Robot::begin();
    let good = format!("Bearer {}", robot.token);
    for (first, second, expected) in [
        (good.as_str(), "Bearer garbage", robot.user()),
        (good.as_str(), "Basic Zm9vOmJhcg==", robot.user()),
        ("Basic Zm9vOmJhcg==", good.as_str(), Who::Anonymous),
        ("", good.as_str(), Who::Anonymous),
        ("Bearer  two", good.as_str(), Who::Anonymous),
        ("Bearer garbage", good.as_str(), Who::Refused),
    ] {
        let headers = [("Authorization", first), ("authorization", second)];
        assert_eq!(robot.who(&headers), expected, "{first:?} {second:?}");
    }
}

#[test]
fn http_2_makes_no_difference() {
    let robot = Robot::begin();
    let good = format!("Bearer {}", robot.token);
    let lines: [&[&str]; 8] = [
        &[&good],
        &[&good, "Bearer garbage"],
        &["Bearer garbage", &good],
        &["Basic YTpi", &good],
        &["Bearer  two"],
        &["Bearer garbage"],
        &[&good, &good],
        &[],
    ];
    let codes = over_http_2(&robot.client, &lines);
    assert_eq!(codes, [200, 200, 401, 403, 403, 401, 200, 403]);
}

#[test]
fn a_token_anywhere_else_is_no_credential() {
    let robot = Robot::begin();
    let token = &robot.token;
    for (name, value) in [
        ("Proxy-Authorization", format!("Bearer {token}")),
        ("X-Authorization", format!("Bearer {token}")),
        ("X-Forwarded-Authorization", format!("Bearer {token}")),
        ("X-Auth-Token", token.clone()),
        ("X-Access-Token", token.clone()),
        ("Cookie", format!("token={token}; access_token={token}")),
        ("Sec-WebSocket-Protocol", format!("Bearer {token}")),
    ] {
        assert_eq!(robot.who(&[(name, &value)]), Who::Anonymous, "{name}");
    }
    for query in ["access_token", "token", "bearer_token"] {
        let path = format!("/api?{query}={token}");
        robot.client.get(&path).refused(403, "Forbidden");
        // Nor does it harm who has said who they are already.
        let path = format!("/api?{query}=garbage");
        robot.case.get(&path).expect(200);
    }
}

#[test]
fn bytes_that_are_no_text_are_no_good_token() {
    let robot = Robot::begin();
    let token = robot.token.as_bytes();
    for (value, expected) in [
        (b"Bearer \xff\xfe".to_vec(), Who::Refused),
        ([b"Bearer ", token, b"\xff"].concat(), Who::Refused),
        ([b"Bearer \xc3", token].concat(), Who::Refused),
        ([b"Bearer ", token, b" \xff\xfe"].concat(), robot.user()),
        (b"\xff\xfe".to_vec(), Who::Anonymous),
        (b"Basic \xff\xfe".to_vec(), Who::Anonymous),
        ([b"\xffBearer ", token].concat(), Who::Anonymous),
    ] {
        let shown = String::from_utf8_lossy(&value).into_owned();
        assert_eq!(robot.who(&[("Authorization", value)]), expected, "{shown}");
    }
}

#[test]
fn a_token_may_be_long_and_is_refused_all_the_same() {
    let robot = Robot::begin();
    for length in [8 * 1024, 16 * 1024 + 1, 64 * 1024, 64 * 1024 + 1, 500_000] {
        for token in [
            "x".repeat(length),
            format!("{}.", robot.token).repeat(length / 800),
        ] {
            let headers = [("Authorization", format!("Bearer {token}"))];
            let answer = request(&robot.client, "GET", "/healthz", &headers, b"");
            answer.refused(401, "Unauthorized");
        }
    }
    // Whatever follows the good token is no part of it.
    let headers = [(
        "Authorization",
        format!("Bearer {} {}", robot.token, "x".repeat(100_000)),
    )];
    assert_eq!(robot.who(&headers), robot.user());
}

#[test]
fn a_token_of_more_than_1_mib_is_431() {
    let robot = Robot::begin();
    let mut stream = robot.client.connect().unwrap();
    let token = "x".repeat(3 * 1024 * 1024);
    let head = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let text = heard(&mut stream);
    assert!(text.starts_with("HTTP/1.1 431 "), "{text:?}");
    robot.case.get("/version").expect(200);
}

#[test]
fn control_bytes_in_the_header_are_400() {
    let robot = Robot::begin();
    for middle in [&b"\0"[..], b"\x01", b"\x0b", b"\x7f", b"\r"] {
        let value = [b"Bearer ", robot.token.as_bytes(), middle, b"x"].concat();
        let headers = [("Authorization", value)];
        let mut stream = robot.client.connect().unwrap();
        send(&mut stream, "GET", "/version", &headers, b"");
        let answer = receive(&mut stream).expect("a whole answer");
        assert_eq!(answer.status, 400, "{middle:?}");
    }
}

#[test]
fn a_header_that_goes_on_in_the_next_line_is_400() {
    // Upstream joins the lines.
    if upstream_only() {
        return;
    }
    let robot = Robot::begin();
    let value = format!("Bearer\r\n {}", robot.token);
    let answer = request(
        &robot.client,
        "GET",
        "/version",
        &[("Authorization", value)],
        b"",
    );
    assert_eq!(answer.status, 400);
}

#[test]
fn who_has_shown_who_they_are_is_not_asked_for_a_token() {
    let robot = Robot::begin();
    let admin: &Client = &robot.case.client;
    let Who::User(name) = Who::of(admin.post(WHO_AM_I, &json!({}))) else {
        panic!("an administrator is a user");
    };
    assert_ne!(name, robot.name);
    for value in [
        format!("Bearer {}", robot.token),
        "Bearer garbage".to_owned(),
        "Bearer  two".to_owned(),
        "Basic YTpi".to_owned(),
    ] {
        let headers = [
            ("Authorization", value.as_str()),
            ("Content-Type", "application/json"),
        ];
        let answer = admin.send("POST", WHO_AM_I, &headers, b"{}");
        assert_eq!(Who::of(answer), Who::User(name.clone()), "{value}");
    }
    // A blank too many is told all the same.
    let answer = admin.send("GET", "/api", &[("Authorization", "Bearer  two")], b"");
    assert_eq!(warnings(&answer.fields), [EXTRA_SPACE]);
    assert_eq!(who::<&str>(&robot.client, &[]), Who::Anonymous);
}
