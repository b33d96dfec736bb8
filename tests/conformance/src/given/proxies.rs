//! Which credential counts where a request has several: certificates of clients, the word of a
//! proxy, tokens.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use burgee_testkit::{Authority, Client, Server};
use serde_json::{Value, json};

use super::{Files, TOKENS, anonymous, given, showing};
use crate::support::jwt::from_pem;
use crate::support::{Expect as _, WHO_AM_I, Who, request, who};

const FIDO: (&str, &str) = ("X-Remote-User", "fido");
const GOOD: (&str, &str) = ("Authorization", "Bearer multi");
const BAD: (&str, &str) = ("Authorization", "Bearer bad");

/// A server that listens to a proxy, and who signs certificates for it and for clients.
struct Proxied {
    server: &'static Server,
    clients: Authority,
    proxies: Authority,
}

/// The same for all tests of a process.
fn proxied() -> &'static Proxied {
    static PROXIED: LazyLock<Proxied> = LazyLock::new(|| {
        let (clients, proxies) = (Authority::new("clients"), Authority::new("proxies"));
        let files = Files::new();
        let flags = [
            files.flag("token-auth-file", TOKENS),
            files.flag("client-ca-file", clients.pem()),
            files.flag("requestheader-client-ca-file", proxies.pem()),
            "--requestheader-allowed-names=front-proxy".to_owned(),
            "--requestheader-username-headers=X-Remote-User".to_owned(),
            "--requestheader-uid-headers=X-Remote-Uid".to_owned(),
            "--requestheader-group-headers=X-Remote-Group".to_owned(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        ];
        Proxied {
            server: Server::options().arguments(flags).start().leave_running(),
            clients,
            proxies,
        }
    });
    &PROXIED
}

impl Proxied {
    fn proxy(&self) -> Client {
        showing(self.server, &self.proxies.client("front-proxy", &[]))
    }
}

fn user(name: &str) -> Who {
    Who::User(name.to_owned())
}

/// All that a server knows of who sends these headers.
fn known(client: &Client, headers: &[(&str, &str)]) -> Value {
    let answer = request(client, "POST", WHO_AM_I, headers, b"{}");
    answer.expect(201)["status"]["userInfo"].clone()
}

#[test]
fn a_certificate_says_who_its_holder_is() {
    let certificate = given().clients.client("jane", &["devs"]);
    let client = showing(given().server, &certificate);
    let jane = known(&client, &[]);
    let groups = json!(["devs", "system:authenticated"]);
    assert_eq!(
        (&jane["username"], &jane["groups"]),
        (&json!("jane"), &groups)
    );
    let id = &jane["extra"]["authentication.kubernetes.io/credential-id"][0];
    let id = id.as_str().unwrap().strip_prefix("X509SHA256=").unwrap();
    let digest = digest(&SHA256, &from_pem(&certificate.certificate));
    let hex: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(id, hex);
    assert_eq!(jane.get("uid"), None);
}

#[test]
fn a_certificate_comes_before_a_token() {
    let clients = &given().clients;
    let jane = showing(given().server, &clients.client("jane", &[]));
    for headers in [&[][..], &[BAD], &[GOOD], &[FIDO]] {
        assert_eq!(who(&jane, headers), user("jane"), "{headers:?}");
    }
    let stranger = Authority::new("clients").client("jane", &["system:masters"]);
    let stranger = showing(given().server, &stranger);
    for (headers, expected) in [
        (&[][..], Who::Refused),
        (&[BAD], Who::Refused),
        (&[GOOD], user("joe")),
        (&[FIDO], Who::Refused),
    ] {
        assert_eq!(who(&stranger, headers), expected, "{headers:?}");
    }
    // One that is for servers says nothing of its holder.
    let server = showing(given().server, &clients.server());
    assert_eq!(who::<&str>(&server, &[]), Who::Refused);
}

#[test]
fn a_certificate_without_a_name_is_nobody_s() {
    let nameless = given().clients.client("", &["system:masters"]);
    let client = showing(given().server, &nameless);
    for (headers, expected) in [
        (&[][..], Who::Anonymous),
        (&[BAD], Who::Refused),
        (&[GOOD], user("joe")),
    ] {
        assert_eq!(who(&client, headers), expected, "{headers:?}");
    }
    // Where proxies are listened to, it is one that is none.
    let nameless = proxied().clients.client("", &["system:masters"]);
    let client = showing(proxied().server, &nameless);
    for (headers, expected) in [
        (&[][..], Who::Refused),
        (&[FIDO], Who::Refused),
        (&[GOOD], user("joe")),
    ] {
        assert_eq!(who(&client, headers), expected, "{headers:?}");
    }
}

#[test]
fn a_proxy_s_word_comes_first() {
    let proxy = proxied().proxy();
    for headers in [&[FIDO][..], &[FIDO, BAD], &[FIDO, GOOD], &[BAD, FIDO]] {
        assert_eq!(who(&proxy, headers), user("fido"), "{headers:?}");
    }
    // A proxy that names nobody has a certificate that is no client's.
    for (headers, expected) in [
        (&[][..], Who::Refused),
        (&[("X-Remote-User", "")], Who::Refused),
        (&[("X-Remote-Group", "dogs")], Who::Refused),
        (&[BAD], Who::Refused),
        (&[GOOD], user("joe")),
    ] {
        assert_eq!(who(&proxy, headers), expected, "{headers:?}");
    }
    // A review knows nothing of the proxy.
    let mut headers = vec![FIDO, ("X-Remote-Group", "system:masters")];
    headers.push(("Content-Type", "application/json"));
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    let review = proxy.send("POST", path, &headers, br#"{"spec":{"token":"bad"}}"#);
    let expected = json!({"user": {}, "error": "invalid bearer token"});
    assert_eq!(review.expect(201)["status"], expected);
}

#[test]
fn a_proxy_says_all_of_the_user() {
    let headers = [
        ("X-Remote-User", "fido"),
        ("X-Remote-Uid", "11"),
        ("X-Remote-Group", "dogs"),
        ("X-Remote-Group", "dachshunds"),
        ("X-Remote-Extra-Acme.com%2Fproject", "some-project"),
        ("X-Remote-Extra-Scopes", "openid"),
        ("X-Remote-Extra-Scopes", "profile"),
        ("X-Remote-Extra-Example.com%2fpercent%2520encoded", "a"),
        (
            "X-Remote-Extra-Example.com%2F%E4%BB%8A%E6%97%A5%E3%81%AF",
            "b",
        ),
        ("X-Remote-Extra-Almost%zzpercent%xxencoded", "c"),
        ("X-Remote-Extra-A+b", "d"),
        ("X-Remote-Extra-%41BC", "e"),
    ];
    let expected = json!({
        "username": "fido", "uid": "11", "groups": ["dogs", "dachshunds", "system:authenticated"],
        "extra": {
            "acme.com/project": ["some-project"],
            "scopes": ["openid", "profile"],
            "example.com/percent%20encoded": ["a"],
            "example.com/\u{4eca}\u{65e5}\u{306f}": ["b"],
            "almost%zzpercent%xxencoded": ["c"],
            "a+b": ["d"],
            "Abc": ["e"],
        },
    });
    assert_eq!(known(&proxied().proxy(), &headers), expected);
}

#[test]
fn who_is_no_proxy_names_nobody() {
    let Proxied {
        server,
        clients,
        proxies,
    } = proxied();
    let other = showing(server, &proxies.client("other-proxy", &[]));
    assert_eq!(who(&other, &[FIDO]), Who::Refused);
    assert_eq!(who(&other, &[FIDO, GOOD]), user("joe"));
    let impostor = showing(server, &clients.client("front-proxy", &[]));
    assert_eq!(who(&impostor, &[FIDO]), user("front-proxy"));
    assert_eq!(who(&anonymous(server), &[FIDO]), Who::Anonymous);
    assert_eq!(who(&anonymous(server), &[FIDO, GOOD]), user("joe"));
    assert_eq!(who(&anonymous(server), &[FIDO, BAD]), Who::Refused);
    // A client's certificate is good where proxies are listened to, too.
    let jane = showing(server, &clients.client("jane", &[]));
    assert_eq!(who(&jane, &[FIDO, BAD]), user("jane"));
}

#[test]
fn a_proxy_may_name_who_is_nobody() {
    let proxy = proxied().proxy();
    let nobody = [("X-Remote-User", "system:anonymous")];
    assert_eq!(who(&proxy, &nobody), Who::Anonymous);
    let groups = [
        ("X-Remote-User", "fido"),
        ("X-Remote-Group", "system:unauthenticated"),
    ];
    let answer = request(&proxy, "GET", "/api", &groups, b"");
    let status = answer.refused(403, "Forbidden");
    assert_eq!(
        status["message"],
        "forbidden: User \"fido\" cannot get path \"/api\""
    );
}
