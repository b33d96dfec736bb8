//! The answer to a credential that is no good, which says nothing but that.

use burgee_testkit::{Authority, Client, DEADLINE, Kubeconfig, Response, Subject};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use serde_json::json;

use crate::support::{Case, Expect as _, Robot, http2, receive, request, runtime, send};

const COMPACT: &str = concat!(
    r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
    r#""message":"Unauthorized","reason":"Unauthorized","code":401}"#,
    "\n"
);

const INDENTED: &str = r#"{
  "kind": "Status",
  "apiVersion": "v1",
  "metadata": {},
  "status": "Failure",
  "message": "Unauthorized",
  "reason": "Unauthorized",
  "code": 401
}"#;

/// The answer to a bad token, and to a request that is otherwise like this.
fn refused(path: &str, headers: &[(&str, &str)]) -> Response {
    let client = Client::anonymous(&Subject::chosen().kubeconfig());
    let mut headers = headers.to_vec();
    headers.push(("Authorization", "Bearer garbage"));
    let answer = request(&client, "GET", path, &headers, b"");
    assert_eq!(answer.status, 401, "{path} {headers:?}");
    answer
}

#[test]
fn the_answer_names_no_reason_no_scheme_and_cannot_be_kept() {
    let answer = refused("/api", &[]);
    assert_eq!(answer.text(), COMPACT);
    assert_eq!(answer.headers["content-length"], "129");
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["cache-control"], "no-cache, private");
    assert!(!answer.headers.contains_key("www-authenticate"));
    assert!(!answer.headers.contains_key("warning"));
}

#[test]
fn every_answer_has_an_audit_id_of_its_own_or_the_client_s() {
    let id = |headers: &[(&str, &str)]| refused("/api", headers).headers["audit-id"].clone();
    let (one, two) = (id(&[]), id(&[]));
    assert_ne!(one, two);
    for id in [one, two] {
        assert_eq!(
            id.split('-').map(str::len).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12],
            "{id}"
        );
    }
    assert_eq!(id(&[("Audit-ID", "mine")]), "mine");
}

#[test]
fn it_is_indented_for_who_wants_to_read_it() {
    for query in [
        "pretty=true",
        "pretty=1",
        "pretty=t",
        "pretty=TRUE",
        "a=b&pretty=True",
    ] {
        let answer = refused(&format!("/api?{query}"), &[]);
        assert_eq!(answer.text(), INDENTED, "{query}");
        assert_eq!(answer.headers["content-length"], "157", "{query}");
    }
    for agent in [
        "curl/8.5.0",
        "Wget/1.21",
        "Mozilla/5.0 (X11; Linux)",
        "curl",
    ] {
        let agent = [("User-Agent", agent)];
        for path in ["/api", "/api?pretty="] {
            assert_eq!(refused(path, &agent).text(), INDENTED, "{path} {agent:?}");
        }
        for query in ["pretty=false", "pretty=0", "pretty=no"] {
            let answer = refused(&format!("/api?{query}"), &agent);
            assert_eq!(answer.text(), COMPACT, "{query} {agent:?}");
        }
    }
    for agent in ["kubectl/v1.37.1", "Curl/8", "Mozilla/4.0", "my curl"] {
        let agent = [("User-Agent", agent)];
        assert_eq!(refused("/api", &agent).text(), COMPACT, "{agent:?}");
    }
}

#[test]
fn it_is_yaml_for_who_accepts_that() {
    let answer = refused("/api", &[("Accept", "application/yaml")]);
    assert_eq!(answer.headers["content-type"], "application/yaml");
    let lines = [
        "apiVersion: v1",
        "code: 401",
        "kind: Status",
        "message: Unauthorized",
        "metadata: {}",
        "reason: Unauthorized",
        "status: Failure",
        "",
    ];
    assert_eq!(answer.text(), lines.join("\n"));
    let either = [("Accept", "application/json;q=0.1, application/yaml;q=0.9")];
    assert_eq!(refused("/api", &either).status, 401);
}

#[test]
fn it_stays_401_for_who_accepts_nothing() {
    for accept in ["image/png", "application/xml", "text/html;q=0.9"] {
        let answer = refused("/api", &[("Accept", accept)]);
        assert_eq!(answer.text(), INDENTED, "{accept}");
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}

#[test]
fn it_is_the_same_for_every_path_and_method() {
    let client = Client::with_token(&Subject::chosen().kubeconfig(), "garbage");
    for path in [
        "/",
        "/api",
        "/apis/authentication.k8s.io/v1/tokenreviews",
        "/healthz",
        "/livez",
        "/readyz?verbose",
        "/metrics",
        "/nope",
        "/openapi/v2",
        "/openid/v1/jwks",
        "/version",
        "/.well-known/openid-configuration",
        "/api/v1/namespaces/default/configmaps?watch=true",
    ] {
        let answer = client.get(path);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (401, COMPACT),
            "{path}"
        );
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let path = "/api/v1/namespaces/default/configmaps";
        let answer = client.send(method, path, &[], b"no JSON");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (401, COMPACT),
            "{method}"
        );
    }
}

#[test]
fn it_is_the_same_for_every_bad_credential() {
    let robot = Robot::begin();
    let config = Subject::chosen().kubeconfig();
    let forged = Authority::new("kubernetes-ca").client("kubernetes-admin", &["system:masters"]);
    let stranger = Client::new(&Kubeconfig {
        credential: forged.credential(),
        ..config.clone()
    });
    let token = |token: &str| Client::with_token(&config, token);
    let elsewhere = robot.case.token("robot", json!({"audiences": ["vault"]}));
    let forged = format!("{}AAAA", &robot.token[..robot.token.len() - 4]);
    for client in [
        stranger,
        token("garbage"),
        token("abcdef.0123456789abcdef"),
        token(&elsewhere),
        token(&forged),
    ] {
        let answer = client.get("/api");
        assert_eq!((answer.status, answer.text().as_str()), (401, COMPACT));
        let names: Vec<_> = answer
            .fields
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(
            !names.iter().any(|name| name.starts_with("x-")),
            "{names:?}"
        );
    }
}

#[test]
fn a_body_that_nobody_reads_is_no_hindrance() {
    let client = Client::with_token(&Subject::chosen().kubeconfig(), "garbage");
    let path = "/api/v1/namespaces/default/configmaps";
    let answer = client.send("POST", path, &[], &vec![b' '; 2 * 1024 * 1024]);
    answer.refused(401, "Unauthorized");
}

#[test]
fn a_certificate_of_a_stranger_is_worth_less_than_none() {
    let robot = Robot::begin();
    let stranger = Authority::new("another").client("jane", &["system:masters"]);
    let client = Client::new(&Kubeconfig {
        credential: stranger.credential(),
        ..Subject::chosen().kubeconfig()
    });
    for path in ["/version", "/healthz", "/api"] {
        client.get(path).refused(401, "Unauthorized");
    }
    // A good token makes up for it, and a bad one does not make it worse.
    let bearer = |token: &str| [("Authorization", format!("Bearer {token}"))];
    assert_eq!(
        crate::support::who(&client, &bearer(&robot.token)),
        robot.user()
    );
    let answer = request(&client, "GET", "/api", &bearer("garbage"), b"");
    answer.refused(401, "Unauthorized");
    let basic = [("Authorization", "Basic YTpi")];
    request(&client, "GET", "/version", &basic, b"").refused(401, "Unauthorized");
}

#[test]
fn an_http_1_connection_goes_on_after_it() {
    let robot = Robot::begin();
    let mut stream = robot.client.connect().unwrap();
    let good = format!("Bearer {}", robot.token);
    for (authorization, path, status) in [
        ("Bearer garbage", "/healthz", 401),
        ("", "/healthz", 200),
        ("", "/api", 403),
        (good.as_str(), "/api", 200),
        ("Bearer garbage", "/api", 401),
        (good.as_str(), "/version", 200),
    ] {
        let headers = [("Authorization", authorization)];
        send(&mut stream, "GET", path, &headers, b"");
        let answer = receive(&mut stream).expect("an answer on the same connection");
        assert_eq!(answer.status, status, "{path}");
        assert_ne!(
            answer.headers.get("connection").map(String::as_str),
            Some("close")
        );
    }
}

/// The codes of the answers to requests on one HTTP/2 connection, each a path and an `Authorization`.
fn on_one_http_2_connection(client: &Client, requests: &[(&str, &str)], then: Then) -> Vec<u16> {
    runtime().block_on(async {
        let (mut sender, connection) = http2(client).await;
        let mut codes = Vec::new();
        for (path, authorization) in requests {
            let mut request = http::Request::get(format!("https://{}{path}", client.address()));
            if !authorization.is_empty() {
                request = request.header("Authorization", *authorization);
            }
            sender.ready().await.unwrap();
            let request = request.body(Full::new(Bytes::new())).unwrap();
            let answer = sender.send_request(request).await.unwrap();
            codes.push(answer.status().as_u16());
            answer.into_body().collect().await.unwrap();
        }
        match then {
            Then::Open => connection.abort(),
            Then::Ended => {
                let end = tokio::time::timeout(DEADLINE, connection).await;
                end.expect("the server ends the connection")
                    .unwrap()
                    .unwrap();
            }
        }
        codes
    })
}

/// What becomes of a connection after its last answer.
enum Then {
    Open,
    Ended,
}

#[test]
fn an_http_2_connection_ends_after_it_and_after_who_shows_nothing() {
    let robot = Robot::begin();
    let good = format!("Bearer {}", robot.token);
    for (path, authorization, code) in [
        ("/api", "Bearer garbage", 401),
        ("/healthz", "Bearer garbage", 401),
        ("/version", "", 200),
        ("/api", "", 403),
        ("/version", "Basic YTpi", 200),
    ] {
        let first = ("/api", good.as_str());
        let requests = [first, first, (path, authorization)];
        let codes = on_one_http_2_connection(&robot.client, &requests, Then::Ended);
        assert_eq!(codes, [200, 200, code], "{path} {authorization}");
    }
}

#[test]
fn an_http_2_connection_goes_on_for_who_is_known() {
    let robot = Robot::begin();
    let good = format!("Bearer {}", robot.token);
    let paths = ["/version", "/api/v1/secrets", "/api/v1/secrets", "/api"];
    let requests = paths.map(|path| (path, good.as_str()));
    let codes = on_one_http_2_connection(&robot.client, &requests, Then::Open);
    assert_eq!(codes, [200, 403, 403, 200]);
}

#[test]
fn who_is_nobody_may_look_at_little() {
    let case = Case::begin();
    let client = Client::anonymous(&Subject::chosen().kubeconfig());
    for path in ["/version", "/healthz", "/livez", "/readyz"] {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    for path in [
        "/",
        "/api",
        "/apis",
        "/metrics",
        "/openapi/v2",
        "/openid/v1/jwks",
        "/nope",
    ] {
        let status = client.get(path).refused(403, "Forbidden");
        let text = format!("forbidden: User \"system:anonymous\" cannot get path \"{path}\"");
        assert_eq!(status["message"], text);
    }
    let status = client
        .get(&case.path("configmaps"))
        .refused(403, "Forbidden");
    let text = format!(
        "configmaps is forbidden: User \"system:anonymous\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"{}\"",
        case.namespace
    );
    assert_eq!(status["message"], text);
}
