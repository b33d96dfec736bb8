//! A server that lets nobody in who shows nothing.

use std::sync::LazyLock;

use burgee_testkit::Server;

use super::{Files, TOKENS, anonymous};
use crate::support::{Expect as _, Who, request, who};

/// The same for all tests of a process.
fn server() -> &'static Server {
    static SERVER: LazyLock<&Server> = LazyLock::new(|| {
        let files = Files::new();
        let flags = [
            files.flag("token-auth-file", TOKENS),
            "--anonymous-auth=false".to_owned(),
        ];
        Server::options().arguments(flags).start().leave_running()
    });
    *SERVER
}

#[test]
fn who_shows_nothing_is_401_everywhere() {
    let client = anonymous(server());
    for path in ["/version", "/healthz", "/livez", "/readyz", "/api", "/nope"] {
        let answer = client.get(path);
        assert_eq!(answer.headers["cache-control"], "no-cache, private");
        assert!(!answer.headers.contains_key("www-authenticate"));
        answer.refused(401, "Unauthorized");
    }
}

#[test]
fn who_shows_something_else_shows_nothing() {
    let client = anonymous(server());
    for value in ["", "Basic Zm9vOmJhcg==", "Bearer", "good", "Bearer\tgood"] {
        let headers = [("Authorization", value)];
        assert_eq!(who(&client, &headers), Who::Refused, "{value:?}");
    }
    let two = [
        ("Authorization", "Basic Zm9vOmJhcg=="),
        ("Authorization", "Bearer good"),
    ];
    assert_eq!(who(&client, &two), Who::Refused);
    let remote = [
        ("X-Remote-User", "jane"),
        ("X-Remote-Group", "system:masters"),
    ];
    assert_eq!(who(&client, &remote), Who::Refused);
    let acting = [("Impersonate-User", "jane")];
    assert_eq!(who(&client, &acting), Who::Refused);
}

#[test]
fn a_space_too_many_is_told_with_the_401() {
    let client = anonymous(server());
    let headers = [("Authorization", "Bearer  good")];
    let answer = request(&client, "GET", "/version", &headers, b"");
    let warnings = answer.fields.iter().filter(|(name, _)| name == "warning");
    assert_eq!(warnings.count(), 1);
    assert!(answer.headers["warning"].contains("extra space before the bearer token"));
    answer.refused(401, "Unauthorized");
}

#[test]
fn who_shows_who_they_are_comes_in() {
    let client = anonymous(server());
    let good = [("Authorization", "Bearer good")];
    assert_eq!(who(&client, &good), Who::User("jane2".to_owned()));
    let bad = [("Authorization", "Bearer bad")];
    assert_eq!(who(&client, &bad), Who::Refused);
    server().client().get("/api").expect(200);
}
