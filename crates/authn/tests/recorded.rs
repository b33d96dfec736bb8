//! Answers of a real kube-apiserver 1.25 (tests/recorded), and those of the chain and the layer.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::sync::Arc;

use burgee_authn::{
    Anonymous, AuthenticationLayer, Chain, LoopbackToken, NoMetrics, ServiceAccountTokens,
    StaticTokens,
};
use burgee_identity::{Secret, SettableClock};
use burgee_jose::jwks;
use burgee_service_account::{
    BoxFuture, LookupError, ObjectFacts, ObjectKind, ObjectLookup, ObjectRef, StaticKeys,
    TokenValidator,
};
use burgee_wire::authentication::TokenReviewSpec;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _};

const AUDIENCE: &str = "https://kubernetes.default.svc";

fn recorded(name: &str) -> Value {
    let path = format!("{}/tests/recorded/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The service account that the recorded tokens are of.
#[derive(Debug)]
struct Builder;

impl ObjectLookup for Builder {
    fn cached(&self, object: ObjectRef<'_>) -> Option<ObjectFacts> {
        let expected = ObjectRef {
            kind: ObjectKind::ServiceAccount,
            namespace: "golden",
            name: "builder",
        };
        let uid = "f24c9e87-1d6b-4250-87a4-8224f65b007d".to_owned();
        (object == expected).then(|| ObjectFacts {
            uid,
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

fn chain() -> (Arc<Chain>, Arc<SettableClock>) {
    let clock = Arc::new(SettableClock::at("2026-11-21T20:54:00Z".parse().unwrap()));
    let keys = recorded("discovery-openid-jwks")["response"]["body"].to_string();
    let keys = jwks::parse(keys.as_bytes())
        .unwrap()
        .keys
        .into_iter()
        .collect();
    let names = vec![AUDIENCE.to_owned()];
    let keys = Arc::new(StaticKeys(Arc::new(keys)));
    let validator =
        TokenValidator::new(names.clone(), names, keys, Arc::new(Builder), clock.clone());
    let service_accounts = ServiceAccountTokens::new(Arc::new(validator), Arc::new(NoMetrics));
    let file = b"admin-static-token-0123456789abcdef,bench-admin,uid-admin,system:masters";
    let chain = Chain::builder([AUDIENCE])
        .loopback(LoopbackToken::new(
            Secret::from("not in the record".to_owned()),
            "",
        ))
        .static_tokens(Arc::new(StaticTokens::new("tokens.csv", file).unwrap()))
        .service_accounts(Arc::new(service_accounts))
        .anonymous(Anonymous::everywhere())
        .build(clock.clone(), Arc::new(NoMetrics))
        .unwrap();
    (Arc::new(chain), clock)
}

#[tokio::test]
async fn token_reviews_are_answered_as_recorded() {
    let (chain, _) = chain();
    for name in [
        "bad-signature",
        "empty",
        "garbage",
        "good",
        "good-aud",
        "static",
        "with-name",
    ] {
        let record = recorded(&format!("review-{name}"));
        let spec: TokenReviewSpec =
            serde_json::from_value(record["request"]["body"]["spec"].clone()).unwrap();
        let body = &record["response"]["body"];
        match chain.review(&spec).await {
            Ok(status) => {
                let mut expected = body["status"].clone();
                // The library moved to another organisation since.
                if name == "bad-signature" {
                    let text =
                        "[invalid bearer token, go-jose/go-jose: error in cryptographic primitive]";
                    expected["error"] = json!(text);
                }
                assert_eq!(serde_json::to_value(status).unwrap(), expected, "{name}");
            }
            Err(status) => {
                let status: Value = serde_json::from_str(&status.to_json()).unwrap();
                assert_eq!(&status, body, "{name}");
            }
        }
    }
}

async fn get(path: &str, authorization: &str) -> (u16, HeaderMap, Bytes) {
    let (chain, clock) = chain();
    let layer = AuthenticationLayer::new(chain, [AUDIENCE], clock);
    let service = layer.layer(tower::service_fn(async |_: Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let request = Request::get(path)
        .header("authorization", authorization)
        .body(())
        .unwrap();
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    (
        parts.status.as_u16(),
        parts.headers,
        body.collect().await.unwrap().to_bytes(),
    )
}

#[tokio::test]
async fn a_bad_bearer_token_is_answered_as_recorded() {
    for name in ["bad-bearer", "bad-bearer-healthz"] {
        let record = recorded(name);
        let path = record["request"]["path"].as_str().unwrap();
        let (status, headers, body) = get(path, "Bearer wrong").await;
        let response = &record["response"];
        assert_eq!(status, response["status"].as_u64().unwrap() as u16);
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap(),
            response["body"]
        );
        for (name, value) in response["headers"].as_object().unwrap() {
            assert_eq!(headers[name.as_str()], value.as_str().unwrap(), "{name}");
        }
    }
}

#[tokio::test]
async fn two_spaces_are_warned_about_as_recorded() {
    let record = recorded("two-spaces");
    let (status, headers, _) = get("/version", "Bearer  x").await;
    assert_eq!(status, 200);
    let warnings: Vec<_> = headers
        .get_all("warning")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert_eq!(json!(warnings), record["response"]["headers"]["warning"]);
}
