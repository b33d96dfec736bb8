//! Input that no well-meaning client sends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use burgee_testkit::{Connection, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use serde_json::json;

use crate::support::{Case, Expect as _, heard, http2, long, runtime, says};

const MIB: usize = 1024 * 1024;

/// What the server says until it closes the connection.
fn rest(stream: &mut Connection) -> Option<Response> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    Response::parse(&bytes)
}

/// A request whose body is still to be sent, in chunks.
fn chunked(case: &Case) -> Connection {
    let headers = [
        ("Content-Type", "application/json"),
        ("Transfer-Encoding", "chunked"),
    ];
    let path = case.path("configmaps");
    case.client.open("POST", &path, &headers).unwrap()
}

#[test]
fn json_that_breaks_off_is_400() {
    let case = Case::begin();
    for text in [
        "",
        "{",
        r#"{"metadata":"#,
        "[]",
        "null",
        "7",
        "\u{0}",
        "{}{}",
    ] {
        let answer = case.post_text("configmaps", "application/json", text);
        assert!(
            [400, 422].contains(&answer.status),
            "{text:?}: {}",
            answer.text()
        );
    }
    let status = case
        .post_text("configmaps", "application/json", "{")
        .refused(400, "BadRequest");
    says(&status, "unexpected end of JSON input");
}

#[test]
fn json_that_is_10_000_deep_is_400() {
    let case = Case::begin();
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let text = format!(r#"{{"metadata":{{"name":"a"}},"data":{deep}}}"#);
        case.post_text("configmaps", "application/json", &text)
            .refused(400, "BadRequest");
    }
    case.get("configmaps").expect(200);
}

#[test]
fn no_depth_is_too_much_for_the_server() {
    let case = Case::begin();
    case.config_map("a");
    for depth in [20, 60, 63, 100, 126, 250, 1000, 20_000] {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        let object = format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"a","x":{deep}}},"x":{deep}}}"#
        );
        let operation = format!(r#"[{{"op":"add","path":"/metadata/x","value":{deep}}}]"#);
        for (method, path, content_type, body) in [
            ("POST", "configmaps", "application/json", &object),
            (
                "POST",
                "configmaps",
                "application/yaml",
                &object.replace("{\"a\":", "{a: "),
            ),
            ("PUT", "configmaps/a", "application/json", &object),
            (
                "PATCH",
                "configmaps/a",
                "application/merge-patch+json",
                &object,
            ),
            (
                "PATCH",
                "configmaps/a",
                "application/strategic-merge-patch+json",
                &object,
            ),
            (
                "PATCH",
                "configmaps/a",
                "application/json-patch+json",
                &operation,
            ),
            (
                "PATCH",
                "configmaps/a?fieldManager=x",
                "application/apply-patch+yaml",
                &object,
            ),
            ("DELETE", "configmaps/none", "application/json", &object),
        ] {
            let headers = [("Content-Type", content_type)];
            let path = case.path(path);
            let answer = case.client.send(method, &path, &headers, body.as_bytes());
            assert!(
                answer.status < 500,
                "{content_type} {depth}: {}",
                answer.text()
            );
        }
    }
    case.get("configmaps/a").expect(200);
}

#[test]
fn yaml_that_unfolds_without_end_is_400() {
    let case = Case::begin();
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(",");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    text.push_str("metadata: {name: a}\ndata: *a11\n");
    let begin = Instant::now();
    let answer = case.post_text("configmaps", "application/yaml", &text);
    assert!((400..500).contains(&answer.status), "{}", answer.text());
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
    let deep = format!("metadata: {{name: a}}\ndata: {}", "{a: ".repeat(10_000));
    let answer = case.post_text("configmaps", "application/yaml", &deep);
    assert_eq!(answer.status, 400, "{}", answer.text());
}

#[test]
fn secrets_are_base64() {
    let case = Case::begin();
    for data in ["%%%", "YQ", "YQ=", "Y Q=="] {
        let object = json!({"metadata": {"name": "a"}, "data": {"k": data}});
        let status = case.post("secrets", &object).refused(400, "BadRequest");
        says(&status, "illegal base64 data at input byte");
    }
}

#[test]
fn a_body_over_3_mib_is_413() {
    let case = Case::begin();
    let body = format!(
        r#"{{"metadata":{{"name":"a"}},"data":{{"k":"{}"}}}}"#,
        "x".repeat(3 * MIB)
    );
    let answer = case.post_text("configmaps", "application/json", &body);
    let status = answer.refused(413, "RequestEntityTooLarge");
    says(&status, "limit is 3145728");
}

#[test]
fn a_body_over_3_mib_that_hides_its_length_is_413() {
    let case = Case::begin();
    let mut stream = chunked(&case);
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
    for _ in 0..50 {
        stream.write_all(&chunk).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    rest(&mut stream)
        .unwrap()
        .refused(413, "RequestEntityTooLarge");
}

#[test]
fn a_chunked_body_is_read() {
    let case = Case::begin();
    let mut stream = chunked(&case);
    for piece in [r#"{"metadata":"#, r#"{"name":"a"}}"#] {
        write!(stream, "{:x}\r\n{piece}\r\n", piece.len()).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    rest(&mut stream).unwrap().expect(201);
}

#[test]
fn a_body_that_breaks_off_leaves_nothing() {
    let case = Case::begin();
    let headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", "1000"),
    ];
    let mut stream = case
        .client
        .open("POST", &case.path("configmaps"), &headers)
        .unwrap();
    stream.write_all(br#"{"metadata":{"name":"a"}}"#).unwrap();
    stream.sock.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = rest(&mut stream);
    assert!(answer.is_none_or(|answer| answer.status == 400));
    case.get("configmaps/a").refused(404, "NotFound");
}

#[test]
fn headers_over_1_mib_are_431() {
    let case = Case::begin();
    let filler = format!("X-Filler: {}\r\n", "x".repeat(8000)).repeat(180);
    let head = format!("GET /version HTTP/1.1\r\nHost: x\r\n{filler}\r\n");
    let mut stream = case.client.connect().unwrap();
    let _ = stream.write_all(head.as_bytes());
    let text = heard(&mut stream);
    assert!(text.starts_with("HTTP/1.1 431 "), "{text:?}");
    case.get("/version").expect(200);
}

#[test]
fn what_is_no_http_is_refused() {
    let case = Case::begin();
    for garbage in [
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "\u{1}\u{2}\u{3}\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = case.client.connect().unwrap();
        stream.write_all(garbage.as_bytes()).unwrap();
        stream.conn.send_close_notify();
        let _ = stream.flush();
        assert!(
            rest(&mut stream).is_none_or(|answer| answer.status >= 400),
            "{garbage:?}"
        );
    }
    let plain = TcpStream::connect(case.client.address()).unwrap();
    (&plain)
        .write_all(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut bytes = Vec::new();
    let _ = (&plain).read_to_end(&mut bytes);
    assert!(!String::from_utf8_lossy(&bytes).contains(" 200 "));
}

#[test]
fn lengths_that_contradict_each_other_are_refused() {
    let case = Case::begin();
    let path = case.path("configmaps");
    for lengths in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let mut stream = case.client.connect().unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lengths}\r\n{{}}\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.conn.send_close_notify();
        let _ = stream.flush();
        assert!(
            rest(&mut stream).is_none_or(|answer| answer.status >= 400),
            "{lengths}"
        );
    }
    assert!(case.names("configmaps").is_empty());
}

#[test]
fn clients_that_never_finish_keep_nobody_waiting() {
    let case = Case::begin();
    // Some say nothing, some shake no hands, some stop within the head, some within the body.
    let silent: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(case.client.address()).unwrap())
        .collect();
    let hello: Vec<_> = (0..50)
        .map(|_| {
            let stream = TcpStream::connect(case.client.address()).unwrap();
            (&stream).write_all(&[0x16, 0x03, 0x01, 0x02]).unwrap();
            stream
        })
        .collect();
    let heads: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = case.client.connect().unwrap();
            stream
                .write_all(b"GET /version HTTP/1.1\r\nHost: x\r\nX-Slow: ")
                .unwrap();
            stream
        })
        .collect();
    let headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", "100"),
    ];
    let bodies: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = case
                .client
                .open("POST", &case.path("configmaps"), &headers)
                .unwrap();
            stream.write_all(b"{").unwrap();
            stream
        })
        .collect();
    for name in ["a", "b", "c"] {
        let begin = Instant::now();
        case.config_map(name);
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "{:?}",
            begin.elapsed()
        );
    }
    drop((silent, hello, heads, bodies));
    case.get("configmaps/a").expect(200);
}

#[test]
fn clients_that_never_finish_are_not_waited_for() {
    if !long() {
        return;
    }
    let case = Case::begin();
    let closed = |mut stream: TcpStream, within: u64| {
        stream
            .set_read_timeout(Some(Duration::from_secs(within)))
            .unwrap();
        let begin = Instant::now();
        let mut byte = [0];
        let read = stream.read(&mut byte);
        assert!(
            matches!(read, Ok(0)),
            "{read:?} after {:?}",
            begin.elapsed()
        );
    };
    closed(TcpStream::connect(case.client.address()).unwrap(), 15);
    let mut head = case.client.connect().unwrap();
    head.write_all(b"GET /version HTTP/1.1\r\nX-Slow: ")
        .unwrap();
    let begin = Instant::now();
    let _ = rest(&mut head);
    assert!(
        begin.elapsed() < Duration::from_secs(45),
        "{:?}",
        begin.elapsed()
    );
    let headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", "100"),
    ];
    let mut body = case
        .client
        .open("POST", &case.path("configmaps"), &headers)
        .unwrap();
    body.sock
        .set_read_timeout(Some(Duration::from_secs(90)))
        .unwrap();
    body.write_all(b"{").unwrap();
    rest(&mut body).unwrap().refused(504, "Timeout");
}

#[test]
fn http_2_is_spoken_as_well() {
    let case = Case::begin();
    let codes = runtime().block_on(async {
        let address = case.client.address();
        let (mut sender, connection) = http2(&case.client).await;
        let mut codes = Vec::new();
        // As many at once as one connection may have, and a body that is too large.
        let request = |method: &str, path: &str, body: Vec<u8>| {
            let url = format!("https://{address}{path}");
            let request = http::Request::builder().method(method).uri(url);
            request
                .header("Content-Type", "application/json")
                .body(Full::new(Bytes::from(body)))
                .unwrap()
        };
        let mut pending = Vec::new();
        for _ in 0..40 {
            sender.ready().await.unwrap();
            pending.push(sender.send_request(request("GET", "/version", Vec::new())));
        }
        for response in pending {
            let response = response.await.unwrap();
            codes.push(response.status().as_u16());
            response.into_body().collect().await.unwrap();
        }
        let large = request("POST", &case.path("configmaps"), vec![b' '; 3 * MIB + 1]);
        codes.push(sender.send_request(large).await.unwrap().status().as_u16());
        connection.abort();
        codes
    });
    assert_eq!(codes[..40], [200; 40]);
    assert_eq!(codes[40], 413);
}

#[test]
fn requests_on_one_connection_are_answered_in_order() {
    let case = Case::begin();
    let mut stream = case.client.connect().unwrap();
    let first = "GET /version HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream
        .write_all(format!("{first}{last}").as_bytes())
        .unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let (version, health) = (
        text.find("gitVersion").unwrap(),
        text.find("\r\n\r\nok").unwrap(),
    );
    assert!(version < health, "{text}");
}

#[test]
fn paths_that_try_to_climb_find_nothing() {
    let case = Case::begin();
    for path in [
        "/api//v1",
        "/api/v1/namespaces/default/secrets/..",
        "/api/v1/namespaces/default/secrets/a%2Fb",
        "/api/v1/namespaces/default/secrets/%00",
    ] {
        let answer = case.client.get(path);
        assert!(
            (300..500).contains(&answer.status),
            "{path}: {}",
            answer.text()
        );
    }
}
