//! Why a credential is refused: by `burgee explain`, by kubectl, and for nobody who is not entitled.

use std::path::Path;
use std::process::Command;

use burgee_testkit::{
    Answer, Authority, Backend, Client, Kubeconfig, Output, Server, burgee, run, run_with_input,
};
use serde_json::{Value, json};

const PATH: &str = "/apis/authentication.burgee.dev/v1alpha1/tokenexplanations";

fn explain(kubeconfig: &Path, arguments: &[&str]) -> Command {
    let mut command = burgee();
    command
        .arg("explain")
        .args(arguments)
        .env("KUBECONFIG", kubeconfig);
    command
}

/// A server with an account, and a token of it.
fn start() -> (Server, String) {
    let server = Server::start();
    server.kubectl().run("create sa robot").ok();
    let token = server.kubectl().run("create token robot").ok();
    let token = token.trim().to_owned();
    (server, token)
}

/// The token with another signature, made up.
fn forged(token: &str) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", "c2lnbmF0dXJl".repeat(7) + "cQ")
}

fn signature(token: &str) -> &str {
    token.rsplit('.').next().unwrap()
}

fn assert_concealed(output: &Output, token: &str) {
    let Output { stdout, stderr, .. } = output;
    for text in [stdout, stderr] {
        assert!(!text.contains(signature(token)), "{text}");
    }
}

#[test]
fn a_good_token_is_explained_and_the_exit_code_says_so() {
    let (server, token) = start();
    let config = server.kubeconfig();
    let output = run_with_input(&mut explain(&config, &["-"]), &format!("{token}\n"));
    assert_concealed(&output, &token);
    let text = output.ok();
    assert!(
        text.contains("Accepted.\n  user       system:serviceaccount:default:robot\n"),
        "{text}"
    );
    assert!(
        text.contains("    ok    signature        ES256 by "),
        "{text}"
    );
    assert!(!text.contains("remark"), "{text}");
}

#[test]
fn everything_that_is_wrong_with_a_token_is_told_at_once() {
    let (server, token) = start();
    server.kubectl().run("delete sa robot").ok();
    let forged = forged(&token);
    let arguments = ["-", "--audience", "vault", "-o", "json"];
    let mut command = explain(&server.kubeconfig(), &arguments);
    let output = run_with_input(&mut command, &forged);
    assert_concealed(&output, &forged);
    assert_eq!(output.code, 1, "{output:?}");
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    let status = &answer["status"];
    assert_eq!(status["reason"], "token.signature-invalid");
    assert_eq!(status["credential"]["verified"], false);
    let accounts = status["authenticators"].as_array().unwrap().iter();
    let accounts: Vec<_> = accounts
        .filter(|one| one["name"] == "service-account-token")
        .collect();
    let checks = accounts[0]["checks"].as_array().unwrap().iter();
    let failed: Vec<_> = checks
        .filter(|check| check["result"] == "Failed")
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["signature", "audience", "service account"]);
}

#[test]
fn a_client_certificate_is_explained_and_its_key_stays_at_home() {
    let server = Server::start();
    let config = Kubeconfig::read(&server.kubeconfig());
    let burgee_testkit::Credential::Certificate { certificates, key } = config.credential else {
        panic!("the administrator has a certificate")
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("both.pem");
    std::fs::write(&file, [key, certificates].concat()).unwrap();
    let file = file.to_str().unwrap();
    let text = run(&mut explain(&server.kubeconfig(), &["--cert", file])).ok();
    assert!(text.contains("user       kubernetes-admin\n"), "{text}");
    let stranger = Authority::new("elsewhere").client("jane", &[]);
    let pem = directory.path().join("jane.pem");
    let burgee_testkit::Credential::Certificate { certificates, .. } = stranger.credential() else {
        panic!("it is a certificate")
    };
    std::fs::write(&pem, certificates).unwrap();
    let pem = pem.to_str().unwrap();
    let output = run(&mut explain(&server.kubeconfig(), &["--file", pem]));
    assert!(
        output
            .stdout
            .contains("Refused: certificate.authority-unknown\n"),
        "{output:?}"
    );
    assert_eq!(output.code, 1);
}

#[test]
fn a_refused_request_is_found_by_the_audit_id_of_its_answer() {
    let (server, token) = start();
    let config = Kubeconfig::read(&server.kubeconfig());
    let forged = forged(&token);
    let answer = Client::with_token(&config, &forged).get("/api?access_token=hunter2");
    assert_eq!(answer.status, 401);
    let id = answer.headers["audit-id"].as_str();
    let output = run(&mut explain(&server.kubeconfig(), &["--audit-id", id]));
    assert_concealed(&output, &forged);
    let text = output.ok();
    for part in [
        "GET /api  from 127.0.0.1:",
        "presented  bearer, access_token\n",
        "reason     token.signature-invalid\n",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    let unknown = run(&mut explain(
        &server.kubeconfig(),
        &["--audit-id", "unknown"],
    ));
    assert_eq!(unknown.code, 1);
    assert!(unknown.stdout.contains("is remembered"), "{unknown:?}");
}

#[test]
fn only_those_who_are_entitled_learn_why() {
    let (server, token) = start();
    let config = Kubeconfig::read(&server.kubeconfig());
    let robot = Client::with_token(&config, &token);
    let question = json!({"spec": {"token": token}});
    assert_eq!(robot.post(PATH, &question).status, 403);
    assert_eq!(Client::anonymous(&config).post(PATH, &question).status, 403);
    let kubectl = server.kubectl();
    let role = "tokenexplanations.authentication.burgee.dev";
    kubectl
        .run(&format!(
            "create clusterrole explainer --verb=create --resource={role}"
        ))
        .ok();
    kubectl
        .run("create clusterrolebinding robot --clusterrole=explainer --serviceaccount=default:robot")
        .ok();
    let answer = robot.post(PATH, &question);
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert!(!answer.text().contains(signature(&token)));
    assert_eq!(answer.json()["spec"], json!({}));
}

#[test]
fn kubectl_knows_explanations() {
    let (server, token) = start();
    let kubectl = server.kubectl();
    let question = format!(
        "apiVersion: authentication.burgee.dev/v1alpha1\nkind: TokenExplanation\nspec:\n  token: {token}\n"
    );
    let answer = kubectl
        .run_with_input("create -o json -f -", &question)
        .ok();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["status"]["authenticated"], true);
    assert!(answer["spec"].get("token").is_none());
    let dry = kubectl.run_with_input("create --dry-run=server -o name -f -", &question);
    assert!(
        dry.ok()
            .starts_with("tokenexplanation.authentication.burgee.dev/")
    );
    let both = format!("{question}  auditID: x\n");
    let refused = kubectl.run_with_input("create -f -", &both).fails(1);
    assert!(refused.contains("may have only one of"), "{refused}");

    let described = kubectl
        .run("explain tokenexplanation.status.credential")
        .ok();
    assert!(described.contains("  claims\t<"), "{described}");
    let listed = kubectl.run("api-resources --api-group=authentication.burgee.dev --no-headers");
    let listed = listed.ok();
    let words: Vec<_> = listed.split_whitespace().collect();
    assert_eq!(
        words,
        [
            "tokenexplanations",
            "authentication.burgee.dev/v1alpha1",
            "false",
            "TokenExplanation"
        ]
    );
}

#[test]
fn a_server_that_cannot_explain_is_asked_for_a_review() {
    let authority = Authority::new("elsewhere");
    let backend = Backend::start(&authority.server(), |request| {
        if request.path.contains("tokenreviews") {
            return Answer::json(&json!({
                "kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1",
                "status": {"error": "[invalid bearer token, too old]"},
            }));
        }
        Answer::status(404)
    });
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config");
    std::fs::write(directory.path().join("ca.crt"), authority.pem()).unwrap();
    let text = json!({
        "clusters": [{"name": "c", "cluster": {"server": backend.url(), "certificate-authority": "ca.crt"}}],
        "users": [{"name": "u", "user": {"token": "own-token"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    });
    std::fs::write(&config, text.to_string()).unwrap();
    let output = run_with_input(&mut explain(&config, &["-"]), "07401b.f395accd246ae52d\n");
    assert_eq!(output.code, 1, "{output:?}");
    for part in [
        "is no Burgee and cannot explain",
        "message    [invalid bearer token, too old]\n",
        "token id   07401b\n",
    ] {
        assert!(
            output.stdout.contains(part),
            "no {part:?} in {}",
            output.stdout
        );
    }
    assert!(!output.stdout.contains("f395accd246ae52d"));
}

#[test]
fn without_a_server_a_token_speaks_for_itself() {
    let nowhere = tempfile::tempdir().unwrap();
    let file = nowhere.path().join("token");
    std::fs::write(&file, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqYW5lIn0.\n").unwrap();
    let mut command = burgee();
    command
        .args(["explain", "--file"])
        .arg(&file)
        .env("HOME", nowhere.path());
    let output = run(&mut command);
    assert_eq!(output.code, 1, "{output:?}");
    for part in [
        "(there is no kubeconfig)",
        "sub: \"jane\"",
        "token.algorithm-unsupported",
    ] {
        assert!(
            output.stdout.contains(part),
            "no {part:?} in {}",
            output.stdout
        );
    }
    let offline = run(burgee().args(["explain", "--offline", "07401b.f395accd246ae52d"]));
    assert!(offline.ok().contains("kind       BootstrapToken"));
}
