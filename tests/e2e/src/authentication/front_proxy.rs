//! A proxy in front of the server that names the user in headers.

use burgee_testkit::{Authority, CertifiedKey, Client, Credential, Server, eventually};
use serde_json::json;

use super::{
    Files, SELF_REVIEWS, STATIC, anonymous, client, name, static_tokens, unauthorized, user,
};

const CLIENTS: &str = "client-ca-file";
const PROXIES: &str = "requestheader-client-ca-file";

struct Setup {
    clients: Authority,
    proxies: Authority,
    files: Files,
    server: Server,
}

fn setup(arguments: &[&str]) -> Setup {
    let (clients, proxies) = (Authority::new("clients"), Authority::new("proxies"));
    let files = Files::new();
    let flags = [
        files.flag(CLIENTS, clients.pem()),
        files.flag(PROXIES, proxies.pem()),
        static_tokens(&files),
        "--requestheader-username-headers=X-Remote-User,X-Other-User".to_owned(),
        "--requestheader-uid-headers=X-Remote-Uid".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
    ];
    let server = Server::options()
        .arguments(flags)
        .arguments(arguments.iter().copied())
        .start();
    Setup {
        clients,
        proxies,
        files,
        server,
    }
}

impl Setup {
    fn client(&self, certificate: &CertifiedKey) -> Client {
        client(&self.server, certificate.credential())
    }

    fn proxy(&self) -> Client {
        self.client(&self.proxies.client("front-proxy", &[]))
    }
}

/// Who the server says that somebody with these headers is; none if it is nobody.
fn user_of(client: &Client, headers: &[(&str, &str)]) -> Option<serde_json::Value> {
    let answer = client.send("POST", SELF_REVIEWS, headers, b"{}");
    match answer.status {
        201 => Some(answer.json()["status"]["userInfo"].clone()),
        401 => {
            unauthorized(&answer);
            None
        }
        _ => panic!("{}", answer.text()),
    }
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn a_proxy_says_who_the_user_is() {
    let setup = setup(&["--requestheader-allowed-names=front-proxy,other-proxy"]);
    let proxy = setup.proxy();
    let headers = [
        JSON,
        ("X-Remote-User", ""),
        ("x-remote-user", "unseen"),
        ("X-Other-User", "jane"),
        ("X-Remote-Uid", "u1"),
        ("X-Remote-Group", "dev"),
        ("x-remote-group", "a,b"),
        ("X-Remote-Group", ""),
        ("X-Remote-Extra-Acme.com%2Fproject", "p1"),
        ("X-Remote-Extra-acme.com%2fproject", "p2"),
        ("X-Remote-Extra-Almost%zz", "q"),
        // The proxy's word is enough.
        ("Authorization", "Bearer nobody-knows-this"),
    ];
    assert_eq!(
        user_of(&proxy, &headers).unwrap(),
        json!({
            "username": "jane", "uid": "u1", "groups": ["dev", "a,b", "system:authenticated"],
            "extra": {"acme.com/project": ["p1", "p2"], "almost%zz": ["q"]},
        })
    );
    // Without a user there is only a certificate, and that of a proxy is nobody's.
    assert_eq!(user_of(&proxy, &[JSON, ("X-Remote-Group", "dev")]), None);
    let token = format!("Bearer {STATIC}");
    let robot = user_of(&proxy, &[JSON, ("Authorization", &token)]).unwrap();
    assert_eq!(robot["username"], "robot");
}

#[test]
fn only_a_proxy_may_say_who_the_user_is() {
    let setup = setup(&["--requestheader-allowed-names=front-proxy"]);
    let headers = [
        JSON,
        ("X-Remote-User", "root"),
        ("X-Remote-Group", "system:masters"),
    ];
    let who = |client: &Client, headers: &[_]| {
        user_of(client, headers).map(|user| user["username"].as_str().unwrap().to_owned())
    };
    assert_eq!(who(&setup.proxy(), &headers).as_deref(), Some("root"));
    // A certificate of the proxies' authority with another name, and one that names no proxy.
    let other = setup.client(&setup.proxies.client("other-proxy", &[]));
    assert_eq!(who(&other, &headers), None);
    // Clients are who they are.
    let jane = setup.client(&setup.clients.client("jane", &["dev"]));
    assert_eq!(who(&jane, &headers).as_deref(), Some("jane"));
    let impostor = setup.client(&setup.clients.client("front-proxy", &[]));
    assert_eq!(who(&impostor, &headers).as_deref(), Some("front-proxy"));
    assert_eq!(
        who(&setup.server.client(), &headers).as_deref(),
        Some("kubernetes-admin")
    );
    let self_signed = setup.client(&Authority::new("front-proxy").client("front-proxy", &[]));
    assert_eq!(who(&self_signed, &headers), None);
    // And nobody is nobody.
    let answer = anonymous(&setup.server).send("GET", "/api/v1/secrets", &headers, b"");
    assert_eq!(answer.status, 403);
    assert!(
        answer.text().contains("system:anonymous"),
        "{}",
        answer.text()
    );
    let token = client(&setup.server, Credential::Bearer(STATIC.to_owned()));
    assert_eq!(who(&token, &headers).as_deref(), Some("robot"));
}

#[test]
fn the_proxies_authority_is_changed_while_the_server_runs() {
    let setup = setup(&[]);
    let headers = [JSON, ("X-Remote-User", "jane")];
    let proxy = setup.proxy();
    assert!(user_of(&proxy, &headers).is_some());
    let next = Authority::new("next-proxies");
    let next_proxy = setup.client(&next.client("any-name", &[]));
    assert_eq!(user_of(&next_proxy, &headers), None);

    setup.files.replace(PROXIES, "no certificate");
    eventually("the bad file to be noticed", || {
        setup.server.log().contains("is of no use").then_some(())
    });
    assert!(user_of(&proxy, &headers).is_some());
    setup.files.replace(PROXIES, next.pem());
    eventually("the new authority to be in force", || {
        user_of(&next_proxy, &headers)
    });
    assert_eq!(user_of(&proxy, &headers), None);
}

#[test]
fn others_can_read_whom_to_trust() {
    let setup = setup(&["--requestheader-allowed-names=front-proxy"]);
    let path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
    let admin = setup.server.client();
    let data = || {
        let answer = admin.get(path);
        (answer.status == 200).then(|| answer.json()["data"].clone())
    };
    let published = eventually("the configuration to be published", data);
    assert_eq!(
        published["requestheader-client-ca-file"],
        setup.proxies.pem()
    );
    assert!(
        published["client-ca-file"]
            .as_str()
            .unwrap()
            .contains(setup.clients.pem().trim())
    );
    for (key, expected) in [
        ("requestheader-allowed-names", json!(["front-proxy"])),
        (
            "requestheader-username-headers",
            json!(["X-Remote-User", "X-Other-User"]),
        ),
        ("requestheader-uid-headers", json!(["X-Remote-Uid"])),
        ("requestheader-group-headers", json!(["X-Remote-Group"])),
        (
            "requestheader-extra-headers-prefix",
            json!(["X-Remote-Extra-"]),
        ),
    ] {
        let list: serde_json::Value =
            serde_json::from_str(published[key].as_str().unwrap()).unwrap();
        assert_eq!(list, expected, "{key}");
    }
    let next = Authority::new("next-proxies");
    setup.files.replace(PROXIES, next.pem());
    eventually("the new authority to be published", || {
        (data()?["requestheader-client-ca-file"] == next.pem()).then_some(())
    });
    assert_eq!(name(&admin), "kubernetes-admin");
    assert_eq!(user(&admin)["groups"][1], "system:authenticated");
}

#[test]
fn what_others_can_read_is_no_key() {
    let setup = setup(&[]);
    let key = setup.proxies.client("any", &[]).key;
    for (file, authority) in [(CLIENTS, &setup.clients), (PROXIES, &setup.proxies)] {
        let both = format!("# changed\n{key}{}", authority.pem());
        setup.files.replace(file, both);
    }
    let changed = |file: &str| setup.server.log().contains(&format!("{file} has changed"));
    eventually("both files to be in force", || {
        (changed(CLIENTS) && changed(PROXIES)).then_some(())
    });
    let path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
    let published = eventually("the trust to be published", || {
        let answer = setup.server.client().get(path);
        (answer.status == 200).then(|| answer.text())
    });
    assert!(published.contains("BEGIN CERTIFICATE"), "{published}");
    assert!(!published.contains("PRIVATE"), "{published}");
}

#[test]
fn a_revoked_proxy_is_believed_no_more() {
    let proxies = Authority::new("proxies");
    let files = Files::new();
    let (revoked, good) = (proxies.client("one", &[]), proxies.client("two", &[]));
    let flags = [
        files.flag(PROXIES, proxies.pem()),
        files.flag("client-crl-file", proxies.revocation_list(&[&revoked])),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
    ];
    let server = Server::options().arguments(flags).start();
    let headers = [JSON, ("X-Remote-User", "jane")];
    let [revoked_client, good_client] =
        [&revoked, &good].map(|key| client(&server, key.credential()));
    assert_eq!(user_of(&revoked_client, &headers), None);
    assert!(user_of(&good_client, &headers).is_some());
    files.replace("client-crl-file", proxies.revocation_list(&[&good]));
    eventually("the new list to be in force", || {
        user_of(&revoked_client, &headers)
    });
    assert_eq!(user_of(&good_client, &headers), None);
}
