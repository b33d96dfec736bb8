//! Answers of a real kube-apiserver 1.25 (tests/recorded), and those of the issuer.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::sync::Arc;

use burgee_identity::SettableClock;
use burgee_jose::{Algorithm, Jws, PrivateKey, SigningKey, base64url, jwks};
use burgee_service_account::{
    BoxFuture, Claims, DiscoveryDocuments, IssuingRules, JwksUri, LookupError, ObjectFacts,
    ObjectKind, ObjectLookup, ObjectRef, TokenIssuer,
};
use burgee_wire::authentication::TokenRequest;
use serde_json::Value;

fn recorded(name: &str) -> Value {
    let path = format!("{}/tests/recorded/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The objects that were there.
#[derive(Debug)]
struct Golden;

impl ObjectLookup for Golden {
    fn cached(&self, object: ObjectRef<'_>) -> Option<ObjectFacts> {
        let (uid, service_account_name) = match (object.kind, object.namespace, object.name) {
            (ObjectKind::ServiceAccount, "golden", "builder") => {
                ("f24c9e87-1d6b-4250-87a4-8224f65b007d", "")
            }
            (ObjectKind::Pod, "golden", "web-0") => {
                ("e8881bf2-051f-4cb2-9322-b5bb76ca133b", "builder")
            }
            (ObjectKind::Secret, "golden", "s1") => ("49a25ed0-dd89-4317-a7fc-7cf680119ec9", ""),
            _ => return None,
        };
        Some(ObjectFacts {
            uid: uid.to_owned(),
            service_account_name: service_account_name.to_owned(),
            ..ObjectFacts::default()
        })
    }

    fn live<'a>(
        &'a self,
        object: ObjectRef<'a>,
    ) -> BoxFuture<'a, Result<ObjectFacts, LookupError>> {
        Box::pin(async move { self.cached(object).ok_or(LookupError::NotFound) })
    }
}

/// The claims of a token, whoever signed it, without the id that 1.25 did not give.
fn claims(token: &str) -> Claims {
    let jws = Jws::parse(token).unwrap();
    let mut claims = Claims::from_json(jws.unverified_payload()).unwrap();
    claims.jti.clear();
    claims
}

#[tokio::test]
async fn token_requests_are_answered_as_recorded() {
    let key = SigningKey::new(PrivateKey::generate(Algorithm::Es256).unwrap());
    let clock = Arc::new(SettableClock::at("2026-11-21T20:53:48Z".parse().unwrap()));
    let rules = IssuingRules::new("https://kubernetes.default.svc");
    let issuer = TokenIssuer::new(rules, Arc::new(Golden), Arc::new(key), clock);
    for name in [
        "599",
        "audiences",
        "default",
        "empty-object",
        "missing-sa",
        "name-mismatch",
        "ns-mismatch",
        "ref-bad-kind",
        "ref-missing-pod",
        "ref-pod-3607",
        "ref-pod-uid-mismatch",
        "ref-pod",
        "ref-secret",
        "too-long",
    ] {
        let record = recorded(&format!("token-{name}"));
        let account = record["request"]["path"]
            .as_str()
            .unwrap()
            .split('/')
            .nth(6)
            .unwrap();
        let request: TokenRequest =
            serde_json::from_value(record["request"]["body"].clone()).unwrap();
        let expected = &record["response"]["body"];
        let issued = match issuer.prepare("golden", account, request).await {
            Ok(prepared) => issuer.issue(prepared).await,
            Err(error) => Err(error),
        };
        match issued {
            Ok(issued) => {
                assert_eq!(record["response"]["status"], 201, "{name}");
                let response = serde_json::to_value(&issued.response).unwrap();
                assert_eq!(response["spec"], expected["spec"], "{name}");
                let token = expected["status"]["token"].as_str().unwrap();
                assert_eq!(
                    claims(&issued.response.status.token),
                    claims(token),
                    "{name}"
                );
                let field = "expirationTimestamp";
                assert_eq!(
                    response["status"][field], expected["status"][field],
                    "{name}"
                );
                for field in ["name", "namespace", "creationTimestamp"] {
                    assert_eq!(
                        response["metadata"][field], expected["metadata"][field],
                        "{name}"
                    );
                }
            }
            Err(error) => {
                let status: Value = serde_json::from_str(&error.status().to_json()).unwrap();
                assert_eq!(&status, expected, "{name}");
            }
        }
    }
}

#[test]
fn recorded_payloads_come_back_byte_for_byte() {
    for name in [
        "audiences",
        "default",
        "ref-pod-3607",
        "ref-pod",
        "ref-secret",
    ] {
        let record = recorded(&format!("token-{name}"));
        let token = record["response"]["body"]["status"]["token"]
            .as_str()
            .unwrap();
        let jws = Jws::parse(token).unwrap();
        let written = Claims::from_json(jws.unverified_payload())
            .unwrap()
            .to_json();
        let payload = token.split('.').nth(1).unwrap();
        assert_eq!(base64url::encode(written.as_bytes()), payload, "{name}");
    }
}

#[test]
fn discovery_documents_are_rendered_as_recorded() {
    let keys = recorded("discovery-openid-jwks")["response"]["body"].to_string();
    let keys = jwks::parse(keys.as_bytes())
        .unwrap()
        .keys
        .into_iter()
        .collect();
    let uri = JwksUri::External("192.0.2.10:26543".to_owned());
    let documents = DiscoveryDocuments::render("https://kubernetes.default.svc", &uri, &keys);
    let documents = documents.unwrap();
    for (name, text) in [
        ("discovery-openid-configuration", &documents.configuration),
        ("discovery-openid-jwks", &documents.jwks),
    ] {
        let response = &recorded(name)["response"];
        assert_eq!(
            serde_json::from_str::<Value>(text).unwrap(),
            response["body"],
            "{name}"
        );
        assert_eq!(
            text.len().to_string(),
            response["headers"]["content-length"].as_str().unwrap()
        );
    }
}
