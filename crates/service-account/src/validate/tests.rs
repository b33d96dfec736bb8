use super::*;

use std::sync::Mutex;

use burgee_identity::{Check, CheckResult, SettableClock};
use burgee_jose::{Algorithm, PrivateKey, Signer as _, SigningKey, VerificationKeys};
use proptest::prelude::*;

use crate::testing::{
    ACCOUNT_UID, ISSUER, K1, NODE_UID, POD_UID, World, clock, facts, pod, public_key, signing_key,
};
use crate::{BoxFuture, KubernetesClaims, StaticKeys};

/// The specification's token A.
const TOKEN_A: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6IlM4VjR4elJhVmRLQkU3dnoxMDROeDc0NTVnakZSQ010VzVPZjIwMHVZbE0ifQ.eyJhdWQiOlsiaHR0cHM6Ly9rdWJlcm5ldGVzLmRlZmF1bHQuc3ZjLmNsdXN0ZXIubG9jYWwiXSwiZXhwIjoxNzY3MjI5MjAwLCJpYXQiOjE3NjcyMjU2MDAsImlzcyI6Imh0dHBzOi8va3ViZXJuZXRlcy5kZWZhdWx0LnN2Yy5jbHVzdGVyLmxvY2FsIiwianRpIjoiMWYwYzdhNTItNmExZS00YTUzLTlkN2UtMGM2ZjJmMWY3YjNhIiwia3ViZXJuZXRlcy5pbyI6eyJuYW1lc3BhY2UiOiJ0ZWFtLWEiLCJzZXJ2aWNlYWNjb3VudCI6eyJuYW1lIjoiYnVpbGRlciIsInVpZCI6IjhhM2IxYzVlLTVhMGUtNGI0My05YTNlLTZhNmY4YjBmMmQxMSJ9fSwibmJmIjoxNzY3MjI1NjAwLCJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6dGVhbS1hOmJ1aWxkZXIifQ.vUFdcuBkL21MSZTCwIag15gCHRtGz4keylKTSh5y2ZGCZCxV5sj4VS4l6MWcn41pJd7Hnu5wH6ZwUpU1W_hipA";

/// When token A was issued.
const ISSUED: i64 = 1_767_225_600;

struct Subject {
    world: Arc<World>,
    clock: Arc<SettableClock>,
    issuers: Vec<String>,
    audiences: Vec<String>,
}

impl Subject {
    fn new() -> Self {
        Self {
            world: World::example(),
            clock: clock(),
            issuers: vec![ISSUER.into(), "https://old".into()],
            audiences: vec![ISSUER.into()],
        }
    }

    fn at(self, seconds: i64, nanoseconds: i32) -> Self {
        self.clock
            .set(Timestamp::new(seconds, nanoseconds).unwrap());
        self
    }

    fn with_keys(&self, keys: Arc<dyn KeySource>) -> TokenValidator {
        let (issuers, audiences) = (self.issuers.clone(), self.audiences.clone());
        TokenValidator::new(
            issuers,
            audiences,
            keys,
            self.world.clone(),
            self.clock.clone(),
        )
    }

    async fn validate(&self, token: &str, requested: &[&str]) -> Result<ValidToken, NotValid> {
        let keys: VerificationKeys = [public_key(K1)].into_iter().collect();
        let requested: Vec<String> = requested.iter().map(|one| (*one).to_owned()).collect();
        let validator = self.with_keys(Arc::new(StaticKeys(Arc::new(keys))));
        let result = validator.validate(token, &requested).await;
        let reads = self.world.live_reads.lock().unwrap().clone();
        let checks = validator.examine(token, &requested).await;
        *self.world.live_reads.lock().unwrap() = reads;
        assert_agreement(&result, &checks);
        result
    }

    async fn claims(&self, claims: &Claims) -> Result<ValidToken, NotValid> {
        self.validate(
            &signing_key(K1).sign(claims.to_json().as_bytes()).unwrap(),
            &[],
        )
        .await
    }

    async fn refusal(&self, claims: &Claims) -> (Reason, String) {
        rejected(self.claims(claims).await)
    }
}

/// Every validation here is explained as well: the first check that fails must be why.
fn assert_agreement(result: &Result<ValidToken, NotValid>, checks: &[Check]) {
    let failure = checks.iter().find_map(|check| match check.result {
        CheckResult::Failed(reason) => Some(reason),
        CheckResult::Passed | CheckResult::Skipped => None,
    });
    let expected = match result {
        Ok(_) => None,
        Err(NotValid::Foreign(Reason::TokenMalformed)) => {
            assert!(checks.is_empty(), "{checks:?}");
            None
        }
        Err(NotValid::Foreign(reason)) => Some(*reason),
        Err(NotValid::Rejected(rejection)) => Some(rejection.reason),
    };
    assert_eq!(failure, expected, "{checks:?}");
}

fn rejected(result: Result<ValidToken, NotValid>) -> (Reason, String) {
    match result {
        Err(NotValid::Rejected(rejection)) => (rejection.reason, rejection.message.into_owned()),
        other => panic!("{other:?}"),
    }
}

fn sign(payload: &str) -> String {
    signing_key(K1).sign(payload.as_bytes()).unwrap()
}

/// Claims like those of token A.
fn claims() -> Claims {
    Claims {
        aud: vec![ISSUER.into()],
        exp: Some(ISSUED + 3600),
        iat: Some(ISSUED),
        iss: ISSUER.into(),
        jti: "j".into(),
        nbf: Some(ISSUED),
        sub: "system:serviceaccount:team-a:builder".into(),
        kubernetes: KubernetesClaims {
            namespace: "team-a".into(),
            service_account: ObjectClaim::new("builder", ACCOUNT_UID),
            ..KubernetesClaims::default()
        },
    }
}

fn bound(change: impl FnOnce(&mut KubernetesClaims)) -> Claims {
    let mut claims = claims();
    change(&mut claims.kubernetes);
    claims
}

fn pod_bound() -> Claims {
    bound(|kubernetes| {
        kubernetes.pod = Some(ObjectClaim::new("web-0", POD_UID));
        kubernetes.node = Some(ObjectClaim::new("node-1", NODE_UID));
    })
}

fn secret_bound() -> Claims {
    bound(|kubernetes| kubernetes.secret = Some(ObjectClaim::new("s1", "s-uid")))
}

fn node_bound() -> Claims {
    bound(|kubernetes| kubernetes.node = Some(ObjectClaim::new("node-1", NODE_UID)))
}

#[tokio::test]
async fn the_worked_example_is_who_it_says() {
    let valid = Subject::new().validate(TOKEN_A, &[]).await.unwrap();
    assert_eq!(valid.user.name, "system:serviceaccount:team-a:builder");
    assert_eq!(valid.user.uid, ACCOUNT_UID);
    assert_eq!(
        valid.user.groups,
        ["system:serviceaccounts", "system:serviceaccounts:team-a"]
    );
    let credential = "JTI=1f0c7a52-6a1e-4a53-9d7e-0c6f2f1f7b3a".to_owned();
    let extra = [(
        "authentication.kubernetes.io/credential-id".to_owned(),
        vec![credential],
    )];
    assert_eq!(valid.user.extra, extra.into());
    assert_eq!(valid.audiences, [ISSUER]);
    assert_eq!(
        valid.good_until,
        Some(Timestamp::from_second(ISSUED + 3660).unwrap())
    );
    assert!(valid.uses.is_empty() && valid.annotations.is_empty());
}

#[tokio::test]
async fn times_have_a_leeway_of_a_minute_with_both_ends() {
    for (seconds, nanoseconds, expected) in [
        (ISSUED + 3660, 0, None),
        (
            ISSUED + 3660,
            1,
            Some((Reason::TokenExpired, "service account token has expired")),
        ),
        (ISSUED - 60, 0, None),
        (
            ISSUED - 61,
            999_999_999,
            Some((
                Reason::TokenNotYetValid,
                "service account token is not valid yet",
            )),
        ),
    ] {
        let result = Subject::new()
            .at(seconds, nanoseconds)
            .validate(TOKEN_A, &[])
            .await;
        match expected {
            None => assert!(result.is_ok(), "{result:?}"),
            Some((reason, text)) => assert_eq!(rejected(result), (reason, text.to_owned())),
        }
    }
}

#[tokio::test]
async fn every_time_may_be_absent_and_not_before_comes_first() {
    let subject = Subject::new();
    let with = |nbf, exp, iat| Claims {
        nbf,
        exp,
        iat,
        ..claims()
    };
    let valid = subject.claims(&with(None, None, None)).await.unwrap();
    assert_eq!(valid.good_until, None);
    let (late, early) = (Some(ISSUED + 61), Some(ISSUED - 61));
    for (claims, text) in [
        (
            with(late, early, late),
            "service account token is not valid yet",
        ),
        (with(None, early, late), "service account token has expired"),
        (
            with(None, None, late),
            "service account token is issued in the future",
        ),
    ] {
        assert_eq!(subject.refusal(&claims).await.1, text);
    }
    assert!(
        subject
            .claims(&with(
                Some(ISSUED + 60),
                Some(ISSUED - 60),
                Some(ISSUED + 60)
            ))
            .await
            .is_ok()
    );
    assert!(
        subject
            .claims(&with(Some(i64::MIN), Some(i64::MAX), None))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn tokens_of_others_are_left_to_others() {
    let subject = Subject::new();
    for (token, reason) in [
        ("", Reason::TokenMalformed),
        ("opaque", Reason::TokenMalformed),
        ("{\"a\":1}", Reason::TokenMalformed),
        ("a.b", Reason::TokenMalformed),
        ("a.b.c.d", Reason::TokenMalformed),
        ("e30.e30.", Reason::TokenIssuerForeign),
        (&sign("[\"https://old\"]"), Reason::TokenMalformed),
        (&sign("\"x\""), Reason::TokenMalformed),
        (&sign(r#"{"iss":1}"#), Reason::TokenMalformed),
        (
            &sign(r#"{"iss":"https://foreign"}"#),
            Reason::TokenIssuerForeign,
        ),
        (&sign("{}"), Reason::TokenIssuerForeign),
        (&format!(" {TOKEN_A}"), Reason::TokenMalformed),
        (&format!("{TOKEN_A}="), Reason::TokenMalformed),
    ] {
        let result = subject.validate(token, &[]).await;
        assert_eq!(result, Err(NotValid::Foreign(reason)), "{token}");
    }
}

#[tokio::test]
async fn a_bad_signature_is_refused_before_anything_else_is_looked_at() {
    let subject = Subject::new().at(0, 0);
    let forged = TOKEN_A.replace("vUFd", "vUFe");
    let opaque = (
        Reason::TokenSignatureInvalid,
        "go-jose/go-jose: error in cryptographic primitive".to_owned(),
    );
    assert_eq!(
        rejected(subject.validate(&forged, &["nobody"]).await),
        opaque
    );
    let stranger = SigningKey::new(PrivateKey::generate(Algorithm::Es256).unwrap());
    let token = stranger.sign(claims().to_json().as_bytes()).unwrap();
    let unknown = (
        Reason::TokenKeyUnknown,
        "invalid signature, no keys found".to_owned(),
    );
    assert_eq!(rejected(subject.validate(&token, &[]).await), unknown);
    assert!(subject.world.live_reads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn claims_are_read_strictly_once_they_are_signed() {
    let subject = Subject::new();
    for payload in [
        format!(r#"{{"iss":"{ISSUER}","exp":"1"}}"#),
        format!(r#"{{"iss":"{ISSUER}","aud":1}}"#),
        format!(r#"{{"iss":"{ISSUER}","x":{{"y":1,"y":2}}}}"#),
        format!(r#"{{"iss":"{ISSUER}","kubernetes.io":[]}}"#),
    ] {
        let (reason, _) = rejected(subject.validate(&sign(&payload), &[]).await);
        assert_eq!(reason, Reason::TokenClaimsInvalid, "{payload}");
    }
}

#[tokio::test]
async fn the_audience_comes_before_the_times_and_keeps_the_requested_order() {
    let expired = Subject::new().at(ISSUED + 1_000_000, 0);
    let text = format!(
        "token audiences [\"{ISSUER}\"] is invalid for the target audiences [\"nobody\" \"x\"]"
    );
    let result = expired.validate(TOKEN_A, &["nobody", "x"]).await;
    assert_eq!(rejected(result), (Reason::TokenAudienceMismatch, text));

    let subject = Subject::new();
    let many = Claims {
        aud: vec!["a".into(), "b".into()],
        ..claims()
    };
    let token = sign(&many.to_json());
    assert_eq!(
        subject
            .validate(&token, &["b", "x", "a"])
            .await
            .unwrap()
            .audiences,
        ["b", "a"]
    );
    assert_eq!(
        rejected(subject.validate(&token, &[]).await).0,
        Reason::TokenAudienceMismatch
    );
}

#[tokio::test]
async fn a_token_without_audience_is_for_the_server_and_noted() {
    let subject = Subject::new();
    let valid = subject
        .claims(&Claims {
            aud: vec![],
            ..claims()
        })
        .await
        .unwrap();
    assert_eq!(valid.audiences, [ISSUER]);
    assert_eq!(valid.uses, [TokenUse::WithoutAudience]);
    let subject_name = "system:serviceaccount:team-a:builder".to_owned();
    assert_eq!(
        valid.annotations,
        [("authentication.k8s.io/legacy-token", subject_name)]
    );
}

#[tokio::test]
async fn a_server_without_audiences_accepts_any() {
    let mut subject = Subject::new();
    subject.audiences.clear();
    assert!(
        subject
            .validate(TOKEN_A, &[])
            .await
            .unwrap()
            .audiences
            .is_empty()
    );
}

#[tokio::test]
async fn the_service_account_must_be_the_same_and_alive() {
    let gone = |text: &str| (Reason::ServiceAccountGone, text.to_owned());
    let subject = Subject::new();
    subject
        .world
        .store(ObjectKind::ServiceAccount, "builder", facts("other"));
    let text = format!("service account UID (other) does not match claim ({ACCOUNT_UID})");
    assert_eq!(
        subject.refusal(&claims()).await,
        (Reason::ServiceAccountReplaced, text)
    );
    subject.world.delete(ObjectKind::ServiceAccount, "builder");
    assert_eq!(
        subject.refusal(&claims()).await,
        gone("serviceaccounts \"builder\" not found")
    );
    subject
        .world
        .fail(ObjectKind::ServiceAccount, "builder", "store is gone");
    let failed = (Reason::BoundObjectLookupFailed, "store is gone".to_owned());
    assert_eq!(subject.refusal(&claims()).await, failed);
    let deletion_timestamp = Some(Timestamp::from_second(ISSUED - 61).unwrap());
    subject.world.store(
        ObjectKind::ServiceAccount,
        "builder",
        ObjectFacts {
            deletion_timestamp,
            ..facts(ACCOUNT_UID)
        },
    );
    assert_eq!(
        subject.refusal(&claims()).await,
        gone("service account team-a/builder has been deleted")
    );
}

#[tokio::test]
async fn bound_objects_must_be_the_same_and_alive() {
    for (kind, name, good, claims, spelled, uid) in [
        (ObjectKind::Pod, "web-0", pod(), pod_bound(), "pod", POD_UID),
        (
            ObjectKind::Secret,
            "s1",
            facts("s-uid"),
            secret_bound(),
            "secret",
            "s-uid",
        ),
        (
            ObjectKind::Node,
            "node-1",
            facts(NODE_UID),
            node_bound(),
            "node",
            NODE_UID,
        ),
    ] {
        let subject = Subject::new();
        assert!(subject.claims(&claims).await.is_ok());
        subject.world.store(
            kind,
            name,
            ObjectFacts {
                uid: "new".into(),
                ..good.clone()
            },
        );
        let text = format!(
            "{spelled} UID (new) does not match service account {spelled} ref claim ({uid})"
        );
        assert_eq!(
            subject.refusal(&claims).await,
            (Reason::BoundObjectReplaced, text)
        );
        for (deleted, expected) in [(60, true), (61, false), (-30, true)] {
            let deletion_timestamp = Some(Timestamp::from_second(ISSUED - deleted).unwrap());
            subject.world.store(
                kind,
                name,
                ObjectFacts {
                    deletion_timestamp,
                    ..good.clone()
                },
            );
            assert_eq!(
                subject.claims(&claims).await.is_ok(),
                expected,
                "{kind:?} {deleted}"
            );
        }
        subject.world.delete(kind, name);
        let gone = (Reason::BoundObjectGone, INVALIDATED.to_owned());
        assert_eq!(subject.refusal(&claims).await, gone);
        subject.world.fail(kind, name, "x");
        let failed = (Reason::BoundObjectLookupFailed, INVALIDATED.to_owned());
        assert_eq!(subject.refusal(&claims).await, failed);
    }
}

#[tokio::test]
async fn the_node_of_a_pod_is_copied_and_never_checked() {
    let subject = Subject::new();
    subject.world.delete(ObjectKind::Node, "node-1");
    let extra = subject.claims(&pod_bound()).await.unwrap().user.extra;
    let value = |key: &str| extra[&format!("authentication.kubernetes.io/{key}")].clone();
    assert_eq!(value("pod-name"), ["web-0"]);
    assert_eq!(value("pod-uid"), [POD_UID]);
    assert_eq!(value("node-name"), ["node-1"]);
    assert_eq!(value("node-uid"), [NODE_UID]);
    assert_eq!(value("credential-id"), ["JTI=j"]);
    assert_eq!(extra.len(), 5);
}

#[tokio::test]
async fn extra_keys_are_there_only_with_something_to_say() {
    let subject = Subject::new();
    let extra = |valid: ValidToken| valid.user.extra.into_keys().collect::<Vec<_>>();
    assert!(
        extra(
            subject
                .claims(&Claims {
                    jti: String::new(),
                    ..secret_bound()
                })
                .await
                .unwrap()
        )
        .is_empty()
    );
    let nameless = bound(|kubernetes| {
        kubernetes.pod = Some(ObjectClaim::new("web-0", POD_UID));
        kubernetes.node = Some(ObjectClaim::new("node-1", ""));
    });
    let keys = extra(subject.claims(&nameless).await.unwrap());
    assert!(
        !keys.iter().any(|key| key.ends_with("node-uid")) && keys.len() == 4,
        "{keys:?}"
    );
}

#[tokio::test]
async fn extended_tokens_are_counted_and_the_late_ones_noted() {
    let extended = bound(|kubernetes| kubernetes.warnafter = Some(ISSUED + 3607));
    let extended = Claims {
        exp: Some(ISSUED + 31_536_000),
        ..extended
    };
    let in_time = Subject::new()
        .at(ISSUED + 3607, 0)
        .claims(&extended)
        .await
        .unwrap();
    assert_eq!(
        (in_time.uses, in_time.annotations.len()),
        (vec![TokenUse::Valid], 0)
    );
    let late = Subject::new()
        .at(ISSUED + 7200, 0)
        .claims(&extended)
        .await
        .unwrap();
    assert_eq!(late.uses, [TokenUse::Stale]);
    let text =
        "subject: system:serviceaccount:team-a:builder, seconds after warning threshold: 3593";
    assert_eq!(
        late.annotations,
        [("authentication.k8s.io/stale-token", text.to_owned())]
    );
    let never = bound(|kubernetes| kubernetes.warnafter = Some(0));
    assert!(Subject::new().claims(&never).await.unwrap().uses.is_empty());
}

#[tokio::test]
async fn memory_answers_unless_it_disagrees_with_the_token() {
    let subject = Subject::new();
    subject
        .world
        .cache(ObjectKind::ServiceAccount, "builder", facts(ACCOUNT_UID));
    subject.world.cache(ObjectKind::Pod, "web-0", pod());
    assert!(subject.claims(&pod_bound()).await.is_ok());
    assert!(subject.world.live_reads.lock().unwrap().is_empty());
    subject
        .world
        .cache(ObjectKind::Pod, "web-0", facts("of-the-pod-before"));
    assert!(subject.claims(&pod_bound()).await.is_ok());
    assert_eq!(*subject.world.live_reads.lock().unwrap(), ["pods/web-0"]);
}

/// Learns a key only when asked for it.
#[derive(Debug, Default)]
struct Lazy {
    asked: Mutex<Vec<String>>,
}

impl KeySource for Lazy {
    fn keys(&self) -> Arc<VerificationKeys> {
        let known = !self.asked.lock().unwrap().is_empty();
        Arc::new(known.then(|| public_key(K1)).into_iter().collect())
    }

    fn refresh(&self, key_id: &str) -> Option<BoxFuture<'_, ()>> {
        let key_id = key_id.to_owned();
        Some(Box::pin(
            async move { self.asked.lock().unwrap().push(key_id) },
        ))
    }
}

#[tokio::test]
async fn a_key_that_is_not_known_is_asked_for_once() {
    let subject = Subject::new();
    let keys = Arc::new(Lazy::default());
    let validator = subject.with_keys(keys.clone());
    for _ in 0..2 {
        assert!(validator.validate(TOKEN_A, &[]).await.is_ok());
    }
    assert_eq!(
        *keys.asked.lock().unwrap(),
        ["S8V4xzRaVdKBE7vz104Nx7455gjFRCMtW5Of200uYlM"]
    );
}

#[tokio::test]
async fn an_issuer_that_only_the_lenient_reading_shows_is_refused() {
    // Nothing but the two readers' rules can make them differ, so only the foreign case is left.
    let result = Subject::new()
        .validate(&sign(&format!(r#"{{"ISS":"{ISSUER}"}}"#)), &[])
        .await;
    assert_eq!(result, Err(NotValid::Foreign(Reason::TokenIssuerForeign)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_change_of_a_byte_makes_another_good_token(position in 0..TOKEN_A.len(), byte in 33_u8..127) {
        let mut bytes = TOKEN_A.as_bytes().to_vec();
        prop_assume!(bytes[position] != byte);
        bytes[position] = byte;
        let token = String::from_utf8(bytes).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        prop_assert!(runtime.block_on(Subject::new().validate(&token, &[])).is_err());
    }

    #[test]
    fn no_text_panics(token in "\\PC*") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        prop_assert!(runtime.block_on(Subject::new().validate(&token, &[])).is_err());
    }
}
