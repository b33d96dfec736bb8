//! Tokens of service accounts, as `kubectl create token` gets them.

use burgee_testkit::{Kubectl, claims, eventually};
use serde_json::json;

use super::start;

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Waits until a token that was good is not: what was found out about it holds for ten seconds.
#[track_caller]
fn is_refused(kubectl: &Kubectl) {
    eventually("the token to be refused", || {
        let output = kubectl.run("auth whoami");
        (output.code == 1 && output.stderr.contains("Unauthorized")).then_some(())
    });
}

#[test]
fn a_token_says_who_it_is_for_and_opens_the_server() {
    let (_server, kubectl) = start();
    assert_eq!(
        kubectl.run("create sa robot").ok(),
        "serviceaccount/robot created\n"
    );
    let uid = kubectl.run("get sa robot -o jsonpath={.metadata.uid}").ok();
    let token = kubectl.run("create token robot").ok();
    let claims = claims(&token);
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["aud"], json!([ISSUER]));
    assert_eq!(claims["sub"], "system:serviceaccount:default:robot");
    assert_eq!(
        claims["kubernetes.io"],
        json!({"namespace": "default", "serviceaccount": {"name": "robot", "uid": uid}})
    );
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        3600
    );

    let robot = kubectl.with_token(token.trim());
    let name = robot
        .run("auth whoami -o jsonpath={.status.userInfo.username}")
        .ok();
    assert_eq!(name, "system:serviceaccount:default:robot");
}

#[test]
fn audience_and_duration_are_the_caller_s() {
    let (_server, kubectl) = start();
    kubectl.run("create sa robot").ok();
    let create = "create token robot --audience=vault --audience=registry --duration=30m";
    let token = kubectl.run(create).ok();
    let claims = claims(&token);
    assert_eq!(claims["aud"], json!(["vault", "registry"]));
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        1800
    );

    // It is for others: this server does not take it.
    let refused = kubectl.with_token(token.trim()).run("auth whoami").fails(1);
    assert_eq!(
        refused,
        "error: You must be logged in to the server (Unauthorized)\n"
    );
}

#[test]
fn a_token_shorter_than_ten_minutes_is_refused() {
    let (_server, kubectl) = start();
    kubectl.run("create sa robot").ok();
    let refused = kubectl.run("create token robot --duration=9m").fails(1);
    let because = "spec.expirationSeconds: Invalid value: 540: may not specify a duration less than \
                   10 minutes";
    assert!(refused.contains(because), "{refused}");
}

#[test]
fn a_bound_token_dies_with_what_it_is_bound_to() {
    let (_server, kubectl) = start();
    kubectl.run("create sa robot").ok();
    kubectl.run("create secret generic leash").ok();
    let uid = kubectl
        .run("get secret leash -o jsonpath={.metadata.uid}")
        .ok();
    let bound = "--bound-object-kind=Secret --bound-object-name=leash";
    let token = kubectl
        .run(&format!(
            "create token robot {bound} --bound-object-uid={uid}"
        ))
        .ok();
    assert_eq!(
        claims(&token)["kubernetes.io"]["secret"],
        json!({"name": "leash", "uid": uid})
    );

    let robot = kubectl.with_token(token.trim());
    robot.run("auth whoami").ok();
    kubectl.run("delete secret leash").ok();
    is_refused(&robot);
    let gone = kubectl.run(&format!("create token robot {bound}")).fails(1);
    assert!(gone.contains("secrets \"leash\" not found"), "{gone}");
}

#[test]
fn tokens_die_with_their_service_account_and_stay_dead() {
    let (_server, kubectl) = start();
    kubectl.run("create sa robot").ok();
    let token = kubectl.run("create token robot").ok();
    let robot = kubectl.with_token(token.trim());
    robot.run("auth whoami").ok();
    kubectl.run("delete sa robot").ok();
    is_refused(&robot);
    // Another account of the same name is another account.
    kubectl.run("create sa robot").ok();
    robot.run("auth whoami").fails(1);
}

#[test]
fn a_token_for_nobody_is_refused() {
    let (_server, kubectl) = start();
    let refused = kubectl.run("create token nobody").fails(1);
    let expected = "error: failed to create token: serviceaccounts \"nobody\" not found\n";
    assert_eq!(refused, expected);
}
