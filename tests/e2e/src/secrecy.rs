//! What must not be seen: credentials in logs, private files in others' hands.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use burgee_testkit::{Client, Kubeconfig, Server};
use serde_json::json;

#[test]
fn no_credential_reaches_the_log_even_at_its_most_talkative() {
    let server = Server::options().arguments(["--log-level=trace"]).start();
    let kubectl = server.kubectl();
    kubectl.run("create sa robot").ok();
    kubectl
        .run("create secret generic db --from-literal=password=tell-nobody")
        .ok();
    let token = kubectl.run("create token robot").ok();
    let config = Kubeconfig::read(&server.kubeconfig());
    assert_eq!(Client::with_token(&config, &token).get("/api").status, 200);
    let (forged, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{forged}.c2lnbmF0dXJl");
    assert_eq!(Client::with_token(&config, &forged).get("/api").status, 401);
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token},
    });
    let _ = server
        .client()
        .post("/apis/authentication.k8s.io/v1/tokenreviews", &review);

    let log = server.log();
    assert!(
        log.contains("TRACE"),
        "the log is not at its most talkative: {log}"
    );
    let (_, signature) = token.rsplit_once('.').unwrap();
    let payload = token.split('.').nth(1).unwrap();
    for secret in [
        signature,
        payload,
        "tell-nobody",
        "dGVsbC1ub2JvZHk=",
        "PRIVATE KEY",
    ] {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
}

#[test]
fn private_files_are_their_owner_s_alone() {
    let server = Server::start();
    let data = server.data_directory();
    assert_eq!(mode(&data), 0o700);
    let pki = fs::read_dir(data.join("pki"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let keys: Vec<_> = pki
        .filter(|file| file.extension().is_some_and(|end| end == "key"))
        .collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    for file in keys
        .iter()
        .chain([&server.kubeconfig(), &data.join("store/store.redb")])
    {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}
