//! Headers that no well-meaning client sends.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use burgee_testkit::{Client, Response, Server};

use super::{Files, STATIC, anonymous, name, static_tokens, unauthorized, with_headers};

fn server() -> (Server, Files) {
    let files = Files::new();
    let server = Server::options().arguments([static_tokens(&files)]).start();
    (server, files)
}

/// Who one is with these headers; none for somebody who may not ask.
fn who(client: &Client, headers: &[u8]) -> Option<String> {
    let answer = with_headers(client, headers);
    match answer.status {
        201 => Some(
            answer.json()["status"]["userInfo"]["username"]
                .as_str()?
                .to_owned(),
        ),
        401 => {
            unauthorized(&answer);
            None
        }
        403 => {
            assert!(
                answer.text().contains("system:anonymous"),
                "{}",
                answer.text()
            );
            Some("system:anonymous".to_owned())
        }
        _ => panic!("{}", answer.text()),
    }
}

#[test]
fn the_first_authorization_line_counts() {
    let (server, _files) = server();
    let client = anonymous(&server);
    let robot = Some("robot".to_owned());
    let nobody = Some("system:anonymous".to_owned());
    let line = |value: &str| format!("Authorization: {value}\r\n");
    let good = line(&format!("Bearer {STATIC}"));
    let bad = line("Bearer unknown");
    let basic = line("Basic YTpi");
    let cases = [
        ([&*good, &bad].concat(), robot.clone()),
        ([&*bad, &good].concat(), None),
        ([&*basic, &good].concat(), nobody.clone()),
        ([&*line(""), &good].concat(), nobody.clone()),
        ([&*good, &good].concat(), robot.clone()),
        (line(&format!("bEaReR {STATIC} and more")), robot.clone()),
        (line(&format!("Bearer {STATIC}, Bearer unknown")), None),
        (line(&format!("Bearer  {STATIC}")), nobody.clone()),
        (line(&format!("Bearer\t{STATIC}")), nobody.clone()),
        (
            format!("X-Auth-Token: {STATIC}\r\nCookie: token={STATIC}\r\n"),
            nobody.clone(),
        ),
        (format!("Proxy-Authorization: Bearer {STATIC}\r\n"), nobody),
    ];
    for (headers, expected) in cases {
        assert_eq!(who(&client, headers.as_bytes()), expected, "{headers:?}");
    }
}

#[test]
fn a_token_that_is_no_text_is_refused() {
    let (server, _files) = server();
    let client = anonymous(&server);
    for token in [
        &b"\xff\xfe"[..],
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"a\x80b",
        &[STATIC.as_bytes(), b"\xff"].concat(),
    ] {
        let header = [b"Authorization: Bearer ", token, b"\r\n"].concat();
        assert_eq!(who(&client, &header), None, "{token:?}");
    }
    // Text, but nobody's: what is not ASCII is a token like any other.
    assert_eq!(
        who(&client, "Authorization: Bearer tökén\r\n".as_bytes()),
        None
    );
    // A no-break space belongs around the value, and to the token within it.
    let around = format!("Authorization: \u{a0}Bearer {STATIC}\u{a0}\r\n");
    assert_eq!(who(&client, around.as_bytes()).as_deref(), Some("robot"));
    let within = format!("Authorization: Bearer \u{a0}{STATIC}\r\n");
    assert_eq!(who(&client, within.as_bytes()), None);
}

#[test]
fn what_breaks_a_line_breaks_the_request() {
    let (server, _files) = server();
    let client = anonymous(&server);
    for header in [
        format!("Authorization: Bearer {STATIC}\0\r\n"),
        format!("Authorization: Bearer \r {STATIC}\r\n"),
        format!("Authorization:\r\n Bearer {STATIC}\r\n"),
        format!("Author\0ization: Bearer {STATIC}\r\n"),
        format!("Authorization : Bearer {STATIC}\r\n"),
    ] {
        let mut stream = client.connect().unwrap();
        let request = format!("GET /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = Response::parse(&answer);
        assert!(
            answer.is_none_or(|answer| answer.status == 400),
            "{header:?}"
        );
    }
}

#[test]
fn a_token_of_any_length_is_answered() {
    let (server, _files) = server();
    let client = anonymous(&server);
    let jwt = |length: usize| {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
        let claims = format!(r#"{{"iss":"https://a","sub":"{}"}}"#, "x".repeat(length));
        format!(
            "{header}.{}.{}",
            URL_SAFE_NO_PAD.encode(claims),
            "A".repeat(342)
        )
    };
    for token in [
        "x".repeat(60 << 10),
        "x".repeat(70 << 10),
        "x".repeat(300 << 10),
        jwt(10 << 10),
        jwt(30 << 10),
        ".".repeat(100 << 10),
        "{".repeat(100 << 10),
    ] {
        let header = format!("Authorization: Bearer {token}\r\n");
        let answer = with_headers(&client, header.as_bytes());
        assert!(
            [401, 431].contains(&answer.status),
            "{} {}",
            token.len(),
            answer.text()
        );
        assert!(!answer.text().contains(&token[..20]), "{}", answer.text());
    }
    assert_eq!(name(&server.client()), "kubernetes-admin");
    assert!(!server.log().contains(&"x".repeat(20)));
}

#[test]
fn a_websocket_shows_its_token_as_a_protocol() {
    let (server, _files) = server();
    let client = anonymous(&server);
    let item = |token: &[u8]| {
        format!(
            "base64url.bearer.authorization.k8s.io.{}",
            URL_SAFE_NO_PAD.encode(token)
        )
    };
    let (good, bad) = (item(STATIC.as_bytes()), item(b"unknown"));
    let padded = format!("{}=", item(b"ab"));
    let standard = STANDARD.encode(b"\xfb\xff\xfe");
    let standard = format!("base64url.bearer.authorization.k8s.io.{standard}");
    let robot = Some("robot".to_owned());
    let nobody = Some("system:anonymous".to_owned());
    let cases = [
        (format!("{good}, v4.channel.k8s.io"), robot.clone()),
        (format!("v4.channel.k8s.io,{good}"), robot),
        (format!("{bad}, v4.channel.k8s.io"), None),
        // There has to be something left to choose.
        (good.clone(), None),
        (format!("{good}, {good}, v4.channel.k8s.io"), None),
        (format!("{padded}, v4.channel.k8s.io"), None),
        (format!("{standard}, v4.channel.k8s.io"), None),
        (format!("{}, v4.channel.k8s.io", item(b"\xff")), None),
        ("v4.channel.k8s.io".to_owned(), nobody.clone()),
        (format!("{}, v4.channel.k8s.io", item(b"")), nobody.clone()),
    ];
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    for (protocols, expected) in cases {
        let protocols = format!("Sec-WebSocket-Protocol: {protocols}\r\n");
        let headers = format!("{upgrade}{protocols}");
        assert_eq!(who(&client, headers.as_bytes()), expected, "{protocols}");
        // Without the wish to change to another protocol these are words like others.
        assert_eq!(who(&client, protocols.as_bytes()), nobody, "{protocols}");
    }
    let both =
        format!("{upgrade}Authorization: Bearer unknown\r\nSec-WebSocket-Protocol: {good}, a\r\n");
    assert_eq!(who(&client, both.as_bytes()).as_deref(), Some("robot"));
}
