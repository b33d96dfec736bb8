//! Client certificates and token files while what judges them changes.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use burgee_testkit::{Authority, Client, Server, eventually};

use super::{Files, STATIC, bearer, client, name, static_tokens, unauthorized, user};

const CLIENTS: &str = "client-ca-file";
const REVOKED: &str = "client-crl-file";
const TOKENS: &str = "token-auth-file";

/// Asks `/api` on a connection that stays open.
fn asks(connection: &mut burgee_testkit::Connection) -> u16 {
    connection
        .write_all(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let read = connection.read(&mut buffer).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..read]);
        if let Some(answer) = burgee_testkit::Response::parse(&answer) {
            return answer.status;
        }
    }
}

#[test]
fn a_revoked_certificate_is_refused_on_open_connections_too() {
    let (authority, files) = (Authority::new("clients"), Files::new());
    let (jane, joe) = (
        authority.client("jane", &["dev"]),
        authority.client("joe", &[]),
    );
    let flags = [
        files.flag(CLIENTS, authority.pem()),
        files.flag(REVOKED, authority.revocation_list(&[&joe])),
    ];
    let server = Server::options().arguments(flags).start();
    let [jane, joe] = [&jane, &joe].map(|key| (client(&server, key.credential()), key));
    let groups = user(&jane.0)["groups"].clone();
    assert_eq!(groups, serde_json::json!(["dev", "system:authenticated"]));
    unauthorized(&joe.0.get("/api"));
    let mut open = jane.0.connect().unwrap();
    assert_eq!(asks(&mut open), 200);

    // A list that cannot be read changes nothing.
    files.replace(
        REVOKED,
        "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    );
    eventually("the bad list to be noticed", || {
        server.log().contains("is of no use").then_some(())
    });
    assert_eq!(asks(&mut open), 200);
    unauthorized(&joe.0.get("/api"));

    files.replace(REVOKED, authority.revocation_list(&[jane.1]));
    eventually("the new list to be in force", || {
        (asks(&mut open) == 401).then_some(())
    });
    unauthorized(&jane.0.get("/api"));
    assert_eq!(name(&joe.0), "joe");
    // The data directory's own authority has no list, and its certificates none to be on.
    assert_eq!(name(&server.client()), "kubernetes-admin");
}

#[test]
fn files_change_in_the_middle_of_traffic() {
    let (old, new, files) = (Authority::new("old"), Authority::new("new"), Files::new());
    let tokens = |more: &str| format!("{STATIC},robot,r1,\"machines\"\n{more}");
    let flags = [files.flag(CLIENTS, old.pem()), static_tokens(&files)];
    let server = Server::options().arguments(flags).start();
    let jane = client(&server, old.client("jane", &[]).credential());
    let joe = client(&server, new.client("joe", &[]).credential());
    let late = bearer(&server, "late-token");
    let mut open = jane.connect().unwrap();
    assert_eq!(asks(&mut open), 200);
    unauthorized(&joe.get("/api"));
    unauthorized(&late.get("/api"));

    let (ends, requests) = (AtomicBool::new(false), AtomicU64::new(0));
    let is_let_in = |client: &Client| (client.get("/api").status == 200).then_some(());
    thread::scope(|scope| {
        let mut traffic = Vec::new();
        for (client, expected) in [
            (server.client(), "kubernetes-admin"),
            (bearer(&server, STATIC), "robot"),
        ] {
            let (ends, requests) = (&ends, &requests);
            traffic.push(scope.spawn(move || {
                while !ends.load(Ordering::Relaxed) {
                    assert_eq!(name(&client), expected);
                    requests.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        // Both authorities, then a broken file, then the new one alone.
        files.replace(CLIENTS, [old.pem(), new.pem()].concat());
        eventually("the new authority to be in force", || is_let_in(&joe));
        assert_eq!(asks(&mut open), 200);
        files.replace(CLIENTS, "");
        eventually("the bad bundle to be noticed", || {
            server
                .log()
                .contains("client-ca-file has changed and is of no use")
                .then_some(())
        });
        assert_eq!((asks(&mut open), name(&joe).as_str()), (200, "joe"));
        files.replace(CLIENTS, new.pem());
        eventually("the old authority to be gone", || {
            (asks(&mut open) == 401).then_some(())
        });
        unauthorized(&jane.get("/api"));

        files.replace(TOKENS, tokens("late-token,late,l1\n"));
        eventually("the new token to be known", || is_let_in(&late));
        files.replace(TOKENS, tokens("late-token,late,l1\nonly,two\n"));
        eventually("the bad file to be noticed", || {
            server
                .log()
                .contains("token-auth-file has changed and is of no use")
                .then_some(())
        });
        assert_eq!(name(&late), "late");
        files.replace(TOKENS, tokens(""));
        eventually("the token to be gone", || {
            (late.get("/api").status == 401).then_some(())
        });

        ends.store(true, Ordering::Relaxed);
        for thread in traffic {
            thread.join().unwrap();
        }
    });
    assert!(requests.into_inner() > 20);
    assert!(!server.log().contains("late-token"));
}
