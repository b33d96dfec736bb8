use super::*;

use std::time::Duration;

use burgee_identity::SettableClock;
use burgee_wire::authentication::TokenRequestSpec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::BoxFuture;
use crate::testing::{
    ACCOUNT_UID, ISSUER, K1, K2, NODE_UID, POD_UID, World, clock, pod, signing_key,
};

/// Hands out the payload itself, so that tests can read it.
#[derive(Debug)]
struct Payload;

impl TokenSigner for Payload {
    fn sign<'a>(&'a self, payload: &'a str) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(std::future::ready(Ok(payload.to_owned())))
    }
}

struct Subject {
    world: Arc<World>,
    clock: Arc<SettableClock>,
    rules: IssuingRules,
}

impl Subject {
    fn new() -> Self {
        Self {
            world: World::example(),
            clock: clock(),
            rules: IssuingRules::new(ISSUER),
        }
    }

    fn issuer(&self) -> TokenIssuer {
        let (world, clock) = (self.world.clone(), self.clock.clone());
        TokenIssuer::new(self.rules.clone(), world, Arc::new(Payload), clock)
    }

    async fn request(&self, request: Value) -> Result<Issued, Error> {
        let request: TokenRequest = serde_json::from_value(request).unwrap();
        let issuer = self.issuer();
        let prepared = issuer.prepare("team-a", "builder", request).await?;
        issuer.issue(prepared).await
    }

    async fn claims(&self, request: Value) -> Claims {
        let token = self.request(request).await.unwrap().response.status.token;
        Claims::from_json(token.as_bytes()).unwrap()
    }

    async fn refusal(&self, request: Value) -> Value {
        let status = self.request(request).await.unwrap_err().status();
        serde_json::from_str(&status.to_json()).unwrap()
    }
}

fn bound(kind: &str, name: &str, uid: &str) -> Value {
    json!({"spec": {"boundObjectRef": {"kind": kind, "apiVersion": "v1", "name": name, "uid": uid}}})
}

fn bound_for(seconds: i64) -> Value {
    json!({"spec": {"expirationSeconds": seconds, "boundObjectRef": {"kind": "Pod", "name": "web-0"}}})
}

#[test]
fn the_worked_examples_are_written_byte_for_byte() {
    let subject = Subject::new();
    let audiences = [ISSUER.to_owned()];
    let contents = |bound, seconds, id: &str| Contents {
        namespace: "team-a",
        service_account: ObjectClaim::new("builder", ACCOUNT_UID),
        audiences: &audiences,
        seconds,
        bound,
        now: "2026-01-01T00:00:00.9Z".parse().unwrap(),
        id: id.to_owned(),
    };
    let claims = |contents| subject.issuer().claims(contents).to_json();
    let a = claims(contents(
        Bound::default(),
        3600,
        "1f0c7a52-6a1e-4a53-9d7e-0c6f2f1f7b3a",
    ));
    assert_eq!(
        a,
        r#"{"aud":["https://kubernetes.default.svc.cluster.local"],"exp":1767229200,"iat":1767225600,"iss":"https://kubernetes.default.svc.cluster.local","jti":"1f0c7a52-6a1e-4a53-9d7e-0c6f2f1f7b3a","kubernetes.io":{"namespace":"team-a","serviceaccount":{"name":"builder","uid":"8a3b1c5e-5a0e-4b43-9a3e-6a6f8b0f2d11"}},"nbf":1767225600,"sub":"system:serviceaccount:team-a:builder"}"#
    );
    let pod = Bound {
        pod: Some(ObjectClaim::new("web-0", POD_UID)),
        node: Some(ObjectClaim::new("node-1", NODE_UID)),
        secret: None,
    };
    let b = claims(contents(pod, 3607, "5d1e3a0c-93a4-4f5f-8f0b-7b9a3c1d2e4f"));
    let token = burgee_jose::Signer::sign(&signing_key(K2), b.as_bytes()).unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    assert_eq!(
        (token.len(), digest.as_ref()[..4].to_vec()),
        (1142, vec![0xc7, 0x1d, 0x5f, 0xbc])
    );
    assert_eq!(
        b,
        r#"{"aud":["https://kubernetes.default.svc.cluster.local"],"exp":1798761600,"iat":1767225600,"iss":"https://kubernetes.default.svc.cluster.local","jti":"5d1e3a0c-93a4-4f5f-8f0b-7b9a3c1d2e4f","kubernetes.io":{"namespace":"team-a","node":{"name":"node-1","uid":"d00d0000-0000-4000-8000-000000000002"},"pod":{"name":"web-0","uid":"c0ffee00-0000-4000-8000-000000000001"},"serviceaccount":{"name":"builder","uid":"8a3b1c5e-5a0e-4b43-9a3e-6a6f8b0f2d11"},"warnafter":1767229207},"nbf":1767225600,"sub":"system:serviceaccount:team-a:builder"}"#
    );
}

#[tokio::test]
async fn an_empty_request_gets_the_defaults() {
    let issued = Subject::new().request(json!({})).await.unwrap();
    let response = issued.response;
    assert_eq!(
        (&*response.metadata.name, &*response.metadata.namespace),
        ("builder", "team-a")
    );
    assert_eq!(response.metadata.uid, ACCOUNT_UID);
    assert_eq!(
        response.metadata.creation_timestamp.unwrap().to_string(),
        "2026-01-01T00:00:00Z"
    );
    let expected = TokenRequestSpec {
        audiences: vec![ISSUER.into()],
        expiration_seconds: Some(3600),
        ..TokenRequestSpec::default()
    };
    assert_eq!(response.spec, expected);
    assert_eq!(
        response.status.expiration_timestamp.unwrap().to_string(),
        "2026-01-01T01:00:00Z"
    );
    let claims = Claims::from_json(response.status.token.as_bytes()).unwrap();
    assert_eq!((claims.jti.len(), claims.jti.as_bytes()[14]), (36, b'4'));
    assert_eq!(
        issued.annotations,
        [(
            "authentication.kubernetes.io/issued-credential-id",
            format!("JTI={}", claims.jti)
        )]
    );
    assert!(issued.warnings.is_empty());
}

#[tokio::test]
async fn what_the_client_says_of_itself_is_echoed_and_what_the_server_owns_is_not() {
    let request = json!({
        "metadata": {"name": "builder", "namespace": "team-a", "uid": ACCOUNT_UID, "labels": {"a": "b"}},
        "spec": {"audiences": ["vault", "vault", "x "], "expirationSeconds": 600,
                 "boundObjectRef": {"kind": "Pod", "apiVersion": "v7", "name": "web-0"}},
        "status": {"token": "mine"},
    });
    let response = Subject::new().request(request).await.unwrap().response;
    assert!(response.metadata.labels.is_empty());
    assert_eq!(response.spec.audiences, ["vault", "vault", "x "]);
    let reference = response.spec.bound_object_ref.unwrap();
    assert_eq!((&*reference.api_version, &*reference.uid), ("v7", ""));
    let claims = Claims::from_json(response.status.token.as_bytes()).unwrap();
    assert_eq!(claims.aud, ["vault", "vault", "x "]);
    assert_eq!(
        claims.kubernetes.pod,
        Some(ObjectClaim::new("web-0", POD_UID))
    );
}

#[tokio::test]
async fn refusals_are_upstreams_byte_for_byte() {
    let subject = Subject::new();
    subject.world.store(
        ObjectKind::Pod,
        "other",
        ObjectFacts {
            service_account_name: "else".into(),
            ..pod()
        },
    );
    let name = json!({"name": "builder", "group": "authentication.k8s.io", "kind": "TokenRequest"});
    let cause = |message: &str, field: &str| json!([{"reason": "FieldValueInvalid", "message": message, "field": field}]);
    let replaced = "the UID in the bound object reference (abc) does not match the UID in record. The object might have been deleted and then recreated";
    for (request, code, reason, message, details) in [
        (json!({"metadata": {"namespace": "other", "name": "other"}}), 400, "BadRequest",
         "the namespace of the provided object does not match the namespace sent on the request".to_owned(), Value::Null),
        (json!({"metadata": {"name": "other"}}), 422, "Invalid",
         "TokenRequest.authentication.k8s.io \"builder\" is invalid: metadata.name: Invalid value: \"other\": must match the service account name if specified".into(),
         json!({"name": "builder", "group": "authentication.k8s.io", "kind": "TokenRequest",
                "causes": cause("Invalid value: \"other\": must match the service account name if specified", "metadata.name")})),
        (json!({"metadata": {"uid": "u"}}), 409, "Conflict",
         format!("Operation cannot be fulfilled on TokenRequest.authentication.k8s.io \"builder\": the UID in the token request (u) does not match the UID of the service account ({ACCOUNT_UID})"), name),
        (json!({"spec": {"expirationSeconds": 599}}), 422, "Invalid",
         "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes".into(),
         json!({"group": "authentication.k8s.io", "kind": "TokenRequest",
                "causes": cause("Invalid value: 599: may not specify a duration less than 10 minutes", "spec.expirationSeconds")})),
        (json!({"spec": {"expirationSeconds": 4_294_967_297_i64}}), 422, "Invalid",
         "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds".into(),
         json!({"group": "authentication.k8s.io", "kind": "TokenRequest",
                "causes": cause("Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds", "spec.expirationSeconds")})),
        (bound("Pod", "none", ""), 404, "NotFound", "pods \"none\" not found".into(), json!({"name": "none", "kind": "pods"})),
        (bound("Secret", "none", ""), 404, "NotFound", "secrets \"none\" not found".into(), json!({"name": "none", "kind": "secrets"})),
        (bound("Node", "none", ""), 404, "NotFound", "nodes \"none\" not found".into(), json!({"name": "none", "kind": "nodes"})),
        (bound("Pod", "", ""), 404, "NotFound", "pods \"\" not found".into(), json!({"kind": "pods"})),
        (bound("Pod", "other", "abc"), 400, "BadRequest",
         "cannot bind token for serviceaccount \"builder\" to pod running with different serviceaccount name.".into(), Value::Null),
        (bound("Pod", "web-0", "abc"), 409, "Conflict",
         format!("Operation cannot be fulfilled on Pod \"web-0\": {replaced}"), json!({"name": "web-0", "kind": "Pod"})),
        (bound("Node", "node-1", "abc"), 409, "Conflict",
         format!("Operation cannot be fulfilled on Node \"node-1\": {replaced}"), json!({"name": "node-1", "kind": "Node"})),
        (bound("ConfigMap", "x", ""), 400, "BadRequest", "cannot bind token to object of type /v1, Kind=ConfigMap".into(), Value::Null),
        (json!({"spec": {"boundObjectRef": {}}}), 400, "BadRequest", "cannot bind token to object of type /, Kind=".into(), Value::Null),
        (json!({"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "apps/v1", "name": "web-0"}}}), 400, "BadRequest",
         "cannot bind token to object of type apps/v1, Kind=Pod".into(), Value::Null),
    ] {
        let mut expected = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "details": details, "code": code});
        if details.is_null() {
            expected.as_object_mut().unwrap().remove("details");
        }
        assert_eq!(subject.refusal(request.clone()).await, expected, "{request}");
    }
}

#[tokio::test]
async fn a_missing_service_account_is_not_found() {
    let subject = Subject::new();
    let prepared = subject
        .issuer()
        .prepare("team-a", "missing", TokenRequest::default())
        .await;
    let status = prepared.unwrap_err().status();
    assert_eq!(
        (status.code, &*status.message),
        (404, "serviceaccounts \"missing\" not found")
    );
    assert_eq!(status.details.unwrap().kind, "serviceaccounts");
}

#[tokio::test]
async fn the_first_failure_wins() {
    let subject = Subject::new();
    subject.world.delete(ObjectKind::ServiceAccount, "builder");
    let request =
        json!({"metadata": {"name": "other", "uid": "u"}, "spec": {"expirationSeconds": 1}});
    assert_eq!(subject.refusal(request).await["code"], 422);
    let request = json!({"metadata": {"uid": "u"}, "spec": {"expirationSeconds": 1}});
    assert_eq!(subject.refusal(request).await["code"], 404);
    let subject = Subject::new();
    let request = json!({"metadata": {"uid": "u"}, "spec": {"expirationSeconds": 1}});
    assert_eq!(subject.refusal(request).await["code"], 409);
    let request = json!({"spec": {"expirationSeconds": 1, "boundObjectRef": {"kind": "X"}}});
    assert_eq!(subject.refusal(request).await["code"], 422);
}

#[tokio::test]
async fn the_range_of_lifetimes_includes_both_ends() {
    let subject = Subject::new();
    for seconds in [600, 1 << 32] {
        let claims = subject
            .claims(json!({"spec": {"expirationSeconds": seconds}}))
            .await;
        assert_eq!(claims.exp.unwrap() - claims.iat.unwrap(), seconds);
    }
    for seconds in [0, -1, i64::MIN, i64::MAX] {
        assert!(
            subject
                .request(json!({"spec": {"expirationSeconds": seconds}}))
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn what_a_token_is_bound_to_stands_in_its_claims() {
    let subject = Subject::new();
    let node = Some(ObjectClaim::new("node-1", NODE_UID));
    let secret = subject
        .claims(bound("Secret", "s1", "s-uid"))
        .await
        .kubernetes;
    assert_eq!(secret.secret, Some(ObjectClaim::new("s1", "s-uid")));
    assert_eq!((secret.pod, secret.node), (None, None));
    let on_node = subject.claims(bound("Node", "node-1", "")).await.kubernetes;
    assert_eq!((on_node.node.clone(), on_node.pod), (node.clone(), None));
    assert_eq!(
        subject
            .claims(bound("Pod", "web-0", POD_UID))
            .await
            .kubernetes
            .node,
        node
    );

    subject.world.delete(ObjectKind::Node, "node-1");
    let without = subject.claims(bound("Pod", "web-0", "")).await.kubernetes;
    assert_eq!(without.node, Some(ObjectClaim::new("node-1", "")));
    subject.world.store(
        ObjectKind::Pod,
        "web-0",
        ObjectFacts {
            node_name: String::new(),
            ..pod()
        },
    );
    assert_eq!(
        subject
            .claims(bound("Pod", "web-0", ""))
            .await
            .kubernetes
            .node,
        None
    );
}

#[tokio::test]
async fn a_node_that_cannot_be_looked_up_fails_the_request() {
    let subject = Subject::new();
    subject
        .world
        .fail(ObjectKind::Node, "node-1", "store is gone");
    let status = subject.refusal(bound("Pod", "web-0", "")).await;
    assert_eq!(status["message"], "Internal error occurred: store is gone");
    assert_eq!(
        status["details"],
        json!({"causes": [{"message": "store is gone"}]})
    );
}

#[tokio::test]
async fn a_terminating_object_may_still_be_bound() {
    let subject = Subject::new();
    let deletion_timestamp = Some("2020-01-01T00:00:00Z".parse().unwrap());
    subject.world.store(
        ObjectKind::Pod,
        "web-0",
        ObjectFacts {
            deletion_timestamp,
            ..pod()
        },
    );
    assert!(subject.request(bound("Pod", "web-0", "")).await.is_ok());
}

#[tokio::test]
async fn the_maximum_shortens_with_a_warning_and_never_refuses() {
    let mut subject = Subject::new();
    subject.rules.max_expiration_seconds = Some(3600);
    let issued = subject
        .request(json!({"spec": {"expirationSeconds": 7200}}))
        .await
        .unwrap();
    assert_eq!(
        issued.warnings,
        ["requested expiration of 7200 seconds shortened to 3600 seconds"]
    );
    assert_eq!(issued.response.spec.expiration_seconds, Some(3600));
    assert_eq!(
        issued
            .response
            .status
            .expiration_timestamp
            .unwrap()
            .to_string(),
        "2026-01-01T01:00:00Z"
    );
    let unbound = json!({"spec": {"expirationSeconds": 7200, "boundObjectRef": {"kind": "X"}}});
    assert_eq!(subject.refusal(unbound).await["code"], 400);
}

#[tokio::test]
async fn tokens_that_pods_get_without_asking_are_extended() {
    let warn_after = Some(1_767_225_600 + 3607);
    for (max, extension, request, lifetime, warnafter) in [
        (
            None,
            Extension::Seconds(EXTENDED_SECONDS),
            bound_for(3607),
            EXTENDED_SECONDS,
            warn_after,
        ),
        (
            Some(86400),
            Extension::Seconds(EXTENDED_SECONDS),
            bound_for(3607),
            EXTENDED_SECONDS,
            warn_after,
        ),
        (
            Some(7200),
            Extension::Seconds(7200),
            bound_for(3607),
            7200,
            warn_after,
        ),
        (
            Some(3600),
            Extension::Seconds(3600),
            bound_for(3607),
            3600,
            None,
        ),
        (None, Extension::Off, bound_for(3607), 3607, None),
        (
            None,
            Extension::Seconds(EXTENDED_SECONDS),
            bound_for(3608),
            3608,
            None,
        ),
        (
            None,
            Extension::Seconds(EXTENDED_SECONDS),
            json!({"spec": {"expirationSeconds": 3607}}),
            3607,
            None,
        ),
        (
            None,
            Extension::Seconds(EXTENDED_SECONDS),
            json!({"spec": {"expirationSeconds": 3607, "boundObjectRef": {"kind": "Node", "name": "node-1"}}}),
            3607,
            None,
        ),
        (
            None,
            Extension::Seconds(EXTENDED_SECONDS),
            json!({"spec": {"audiences": [ISSUER, "vault"], "expirationSeconds": 3607, "boundObjectRef": {"kind": "Pod", "name": "web-0"}}}),
            3607,
            None,
        ),
        (
            None,
            Extension::Seconds(EXTENDED_SECONDS),
            json!({"spec": {"audiences": [ISSUER, ISSUER], "expirationSeconds": 3607, "boundObjectRef": {"kind": "Pod", "name": "web-0"}}}),
            EXTENDED_SECONDS,
            warn_after,
        ),
    ] {
        let mut subject = Subject::new();
        subject.rules.max_expiration_seconds = max;
        subject.rules.extension = extension;
        let issued = subject.request(request.clone()).await.unwrap();
        let claims = Claims::from_json(issued.response.status.token.as_bytes()).unwrap();
        assert_eq!(
            claims.exp.unwrap() - claims.iat.unwrap(),
            lifetime,
            "{request}"
        );
        assert_eq!(claims.kubernetes.warnafter, warnafter, "{request}");
        let spec = issued.response.spec.expiration_seconds.unwrap();
        assert_eq!(
            spec,
            max.unwrap_or(i64::MAX)
                .min(request["spec"]["expirationSeconds"].as_i64().unwrap())
        );
    }
}

#[tokio::test]
async fn a_foreign_uid_is_only_a_warning_where_the_check_is_off() {
    let mut subject = Subject::new();
    subject.rules.uid_check = UidCheck::Warn;
    let issued = subject
        .request(json!({"metadata": {"uid": "u"}}))
        .await
        .unwrap();
    let mismatch = format!(
        "the UID in the token request (u) does not match the UID of the service account ({ACCOUNT_UID})"
    );
    assert_eq!(
        issued.warnings,
        [format!(
            "{mismatch} but TokenRequestServiceAccountUIDValidation is not enabled. In the future, this will return a conflict error"
        )]
    );
    assert_eq!(
        issued.annotations[0],
        ("authentication.k8s.io/token-request-uid-mismatch", mismatch)
    );
    assert_eq!(issued.response.metadata.uid, "u");
    let claims = Claims::from_json(issued.response.status.token.as_bytes()).unwrap();
    assert_eq!(claims.kubernetes.service_account.uid, ACCOUNT_UID);
}

#[tokio::test]
async fn the_answers_expiry_is_never_after_the_tokens() {
    let subject = Subject::new();
    let issuer = subject.issuer();
    let prepared = issuer
        .prepare("team-a", "builder", TokenRequest::default())
        .await
        .unwrap();
    subject.clock.advance(Duration::from_secs(3));
    let response = issuer.issue(prepared).await.unwrap().response;
    let claims = Claims::from_json(response.status.token.as_bytes()).unwrap();
    let told = response
        .status
        .expiration_timestamp
        .unwrap()
        .timestamp()
        .as_second();
    assert_eq!(claims.exp.unwrap() - told, 3);
}

#[tokio::test]
async fn a_dry_run_checks_everything_and_signs_nothing() {
    let subject = Subject::new();
    let issuer = subject.issuer();
    let prepared = issuer
        .prepare("team-a", "builder", TokenRequest::default())
        .await
        .unwrap();
    let issued = issuer.dry_run(prepared).await.unwrap();
    assert_eq!(issued.response.status.token, "");
    assert!(issued.response.status.expiration_timestamp.is_some() && issued.annotations.is_empty());
    let request = serde_json::from_value(bound("Pod", "none", "")).unwrap();
    let prepared = issuer.prepare("team-a", "builder", request).await.unwrap();
    assert_eq!(
        issuer.dry_run(prepared).await.unwrap_err().status().code,
        404
    );
}

#[test]
fn a_signer_that_fails_or_is_late_is_upstreams_500_or_504() {
    let failed = Error::Signing("while signing jwt: x".into()).status();
    assert_eq!(
        (failed.code, &*failed.message),
        (
            500,
            "Internal error occurred: failed to generate token: while signing jwt: x"
        )
    );
    assert_eq!(
        failed.details.unwrap().causes[0].message,
        "failed to generate token: while signing jwt: x"
    );
    let late = Error::Timeout.status();
    assert_eq!((late.code, &*late.reason), (504, "Timeout"));
    assert_eq!(
        late.message,
        "Timeout: request did not complete within requested timeout - context deadline exceeded"
    );
}

#[tokio::test]
async fn a_key_at_hand_signs_at_once() {
    let key = signing_key(K1);
    let token = TokenSigner::sign(&key, "{}").await.unwrap();
    assert!(token.starts_with("eyJhbGciOiJFUzI1NiIsImtpZCI6IlM4VjR4elJhVmRLQkU3dnoxMDROeDc0NTVnakZSQ010VzVPZjIwMHVZbE0ifQ.e30."));
}

#[test]
fn operators_hear_of_limits_that_contradict_the_extension() {
    let mut rules = IssuingRules::new(ISSUER);
    assert!(rules.warnings().is_empty());
    rules.max_expiration_seconds = Some(3600);
    assert!(rules.warnings()[0].contains("never extended"));
    rules.max_expiration_seconds = Some(86400);
    assert!(rules.warnings()[0].contains("beyond the maximum"));
    rules.extension = Extension::Seconds(86400);
    assert!(rules.warnings().is_empty());
}

proptest! {
    #[test]
    fn every_lifetime_is_refused_or_kept_within_the_maximum(seconds: i64, max in 3600_i64..1 << 32) {
        let mut subject = Subject::new();
        subject.rules.max_expiration_seconds = Some(max);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let issued = runtime.block_on(subject.request(json!({"spec": {"expirationSeconds": seconds}})));
        match issued {
            Ok(issued) => {
                prop_assert!((600..=1 << 32).contains(&seconds));
                prop_assert_eq!(issued.response.spec.expiration_seconds, Some(seconds.min(max)));
            }
            Err(_) => prop_assert!(!(600..=1 << 32).contains(&seconds)),
        }
    }
}
