//! An `AuthenticationConfiguration` that changes while the server runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use burgee_testkit::{Server, eventually, metric};
use serde_json::{Value, json};

use super::oidc::{issuer, knows, prefixed};
use super::provider::{Provider, RS256};
use super::{Files, bearer, configuration, name, refusal, says, unauthorized};

const FILE: &str = "authentication-config";
const RELOADS: &str = "apiserver_authentication_config_controller_automatic_reloads_total";
const INFO: &str = "apiserver_authentication_config_controller_last_config_info";

/// How often a changed file was taken, or was not.
#[track_caller]
fn reloads(server: &Server, status: &str) -> f64 {
    let label = format!("status=\"{status}\"");
    metric(&server.client(), RELOADS, &[&label]).unwrap_or_default()
}

/// Writes a new configuration and waits until the server has taken or refused it.
#[track_caller]
fn change(server: &Server, files: &Files, configuration: &str, status: &str) {
    let before = reloads(server, status);
    files.replace(FILE, configuration);
    eventually("the server to read the changed file", || {
        (reloads(server, status) > before).then_some(())
    });
}

fn start(provider: &Provider, files: &Files, rest: Value) -> Server {
    let flag = files.flag(FILE, issuer(provider, rest));
    let server = Server::options().arguments([flag]).start();
    knows(&server, &provider.id_token(RS256, json!({"sub": "first"})));
    server
}

#[test]
fn a_changed_file_is_in_force_without_a_restart() {
    let (provider, files) = (Provider::start(), Files::new());
    let server = start(&provider, &files, prefixed("a:"));
    let who = |sub: &str| {
        name(&bearer(
            &server,
            &provider.id_token(RS256, json!({"sub": sub})),
        ))
    };
    assert_eq!(who("jane"), "a:jane");
    assert_eq!(reloads(&server, "success"), 0.0);
    assert_eq!(reloads(&server, "failure"), 0.0);

    change(
        &server,
        &files,
        &issuer(&provider, prefixed("b:")),
        "success",
    );
    assert_eq!(who("joe"), "b:joe");
    assert_eq!(
        metric(&server.client(), INFO, &["hash=\"sha256:"]),
        Some(1.0)
    );

    // The same bytes again are no change.
    files.replace(FILE, issuer(&provider, prefixed("b:")));
    // Nor is what cannot be used, which is said.
    let cases = [
        ("", "empty config data"),
        ("{", ""),
        (
            "apiVersion: apiserver.config.k8s.io/v1\nkind: Nothing\n",
            "Nothing",
        ),
        (
            &configuration(json!([{"issuer": {"url": "http://a", "audiences": ["a"]}}])),
            "jwt[0].issuer.url: Invalid value: \"http://a\": URL scheme must be https",
        ),
        (
            &issuer(&provider, prefixed("c:")).replacen(
                '{',
                "{\"anonymous\":{\"enabled\":false},",
                1,
            ),
            "anonymous: Forbidden: changed from initial configuration file",
        ),
    ];
    for (number, (text, reason)) in cases.into_iter().enumerate() {
        change(&server, &files, text, "failure");
        assert_eq!(who(&format!("bad-{number}")), format!("b:bad-{number}"));
        eventually("the reason in the log", || {
            server.log().contains(reason).then_some(())
        });
    }
    assert_eq!(server.client().get("/readyz").status, 200);
    assert_eq!(reloads(&server, "success"), 1.0);

    change(
        &server,
        &files,
        &issuer(&provider, prefixed("d:")),
        "success",
    );
    assert_eq!(who("last"), "d:last");
}

#[test]
fn an_issuer_that_is_taken_out_lets_nobody_in() {
    let (provider, files) = (Provider::start(), Files::new());
    let server = start(&provider, &files, prefixed(""));
    // Not shown before, so that nothing is remembered of it.
    let unused = provider.id_token(RS256, json!({"sub": "unused"}));
    change(&server, &files, &configuration(json!([])), "success");
    says(&refusal(&server, &unused), "invalid bearer token");
    change(&server, &files, &issuer(&provider, prefixed("")), "success");
    assert_eq!(name(&bearer(&server, &unused)), "unused");
}

#[test]
fn nobody_is_refused_while_files_change() {
    let (provider, files) = (Provider::start(), Files::new());
    let server = start(&provider, &files, prefixed("0:"));
    let ends = AtomicBool::new(false);
    let tokens: Vec<_> = (0..20)
        .map(|number| provider.id_token(RS256, json!({"sub": format!("user-{number}")})))
        .collect();
    thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            let mut names = 0;
            while !ends.load(Ordering::Relaxed) {
                for token in &tokens {
                    says(&name(&bearer(&server, token)), ":user-");
                    names += 1;
                }
            }
            names
        });
        for round in 1..=5 {
            let configuration = issuer(&provider, prefixed(&format!("{round}:")));
            change(&server, &files, &configuration, "success");
            let sub = format!("round-{round}");
            let token = provider.id_token(RS256, json!({"sub": sub}));
            assert_eq!(name(&bearer(&server, &token)), format!("{round}:{sub}"));
        }
        ends.store(true, Ordering::Relaxed);
        assert!(traffic.join().unwrap() > 20);
    });
}

#[test]
fn anonymous_requests_get_where_the_file_says() {
    let files = Files::new();
    let text = json!({
        "apiVersion": "apiserver.config.k8s.io/v1beta1", "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": true, "conditions": [{"path": "/livez"}]},
    });
    let flag = files.flag(FILE, text.to_string());
    let server = Server::options().arguments([flag]).start();
    let nobody = super::anonymous(&server);
    assert_eq!(nobody.get("/livez?verbose").status, 200);
    for path in ["/livez/", "/readyz", "/version", "/api", "/LIVEZ"] {
        unauthorized(&nobody.get(path));
    }
    assert_eq!(name(&server.client()), "kubernetes-admin");
}
