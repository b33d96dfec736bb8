//! Headers by which a proxy says who somebody is, sent by somebody who is no such proxy.

use burgee_testkit::{Authority, Client, Kubeconfig, Subject};
use serde_json::{Value, json};

use crate::support::{Expect as _, Robot, WHO_AM_I, Who, request};

/// What would make anybody an administrator.
const CLAIMS: [(&str, &str); 9] = [
    ("X-Remote-User", "kubernetes-admin"),
    ("X-Remote-Uid", "11"),
    ("X-Remote-Group", "system:masters"),
    ("x-remote-group", "system:authenticated"),
    ("X-REMOTE-GROUP", "dogs"),
    ("X-Remote-Group-1", "cats"),
    ("X-Remote-Extra-Scopes", "openid"),
    ("X-Remote-Extra-Acme.com%2Fproject", "some-project"),
    ("X_Remote_User", "kubernetes-admin"),
];

/// What the server knows of who sends these headers.
fn user(client: &Client, headers: &[(&str, &str)]) -> Value {
    let answer = request(client, "POST", WHO_AM_I, headers, b"{}");
    answer.expect(201)["status"]["userInfo"].clone()
}

#[test]
fn nobody_becomes_somebody_by_them() {
    let robot = Robot::begin();
    assert_eq!(robot.who(&CLAIMS), Who::Anonymous);
    for header in CLAIMS {
        assert_eq!(robot.who(&[header]), Who::Anonymous, "{header:?}");
    }
    let path = "/api/v1/secrets";
    request(&robot.client, "GET", path, &CLAIMS, b"").refused(403, "Forbidden");
}

#[test]
fn somebody_stays_who_they_are() {
    let robot = Robot::begin();
    let bearer = format!("Bearer {}", robot.token);
    let own = [("Authorization", bearer.as_str())];
    let with_claims = [&own[..], &CLAIMS].concat();
    assert_eq!(user(&robot.client, &own), user(&robot.client, &with_claims));
    let path = "/api/v1/secrets";
    request(&robot.client, "GET", path, &with_claims, b"").refused(403, "Forbidden");

    let admin = &robot.case.client;
    let json = [("Content-Type", "application/json")];
    let mine = admin.send("POST", WHO_AM_I, &json, b"{}").expect(201);
    let with_claims = [&json[..], &CLAIMS].concat();
    let claimed = admin
        .send("POST", WHO_AM_I, &with_claims, b"{}")
        .expect(201);
    assert_eq!(mine["status"], claimed["status"]);
}

#[test]
fn they_do_not_mend_a_bad_credential() {
    let robot = Robot::begin();
    let bad = [&CLAIMS[..], &[("Authorization", "Bearer garbage")]].concat();
    assert_eq!(robot.who(&bad), Who::Refused);
    // Nobody trusts a proxy that vouches for itself.
    let proxy = Authority::new("front-proxy-ca").client("front-proxy-client", &[]);
    let client = Client::new(&Kubeconfig {
        credential: proxy.credential(),
        ..Subject::chosen().kubeconfig()
    });
    assert_eq!(crate::support::who(&client, &CLAIMS), Who::Refused);
}

#[test]
fn they_say_nothing_in_a_handshake_either() {
    let robot = Robot::begin();
    let handshake = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Protocol", "v5.channel.k8s.io"),
    ];
    assert_eq!(
        robot.who(&[&handshake[..], &CLAIMS].concat()),
        Who::Anonymous
    );
}

#[test]
fn a_token_review_does_not_hear_of_them() {
    let robot = Robot::begin();
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    let headers = [&[("Content-Type", "application/json")][..], &CLAIMS].concat();
    let review = |token: &str| {
        let body = json!({"spec": {"token": token}}).to_string();
        let answer = robot
            .case
            .client
            .send("POST", path, &headers, body.as_bytes());
        answer.expect(201)["status"].clone()
    };
    assert_eq!(review(&robot.token)["user"]["username"], robot.name);
    let garbage = json!({"user": {}, "error": "invalid bearer token"});
    assert_eq!(review("garbage"), garbage);
}

#[test]
fn headers_that_pretend_to_come_from_the_server_itself_say_nothing() {
    let robot = Robot::begin();
    for header in [
        ("X-Forwarded-User", "kubernetes-admin"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1"),
        ("X-Client-Cert", "CN=kubernetes-admin"),
        ("X-SSL-Client-S-DN", "CN=kubernetes-admin,O=system:masters"),
        ("Remote-User", "kubernetes-admin"),
        ("Remote-Groups", "system:masters"),
        ("X-Real-IP", "127.0.0.1"),
    ] {
        assert_eq!(robot.who(&[header]), Who::Anonymous, "{header:?}");
    }
}
