use std::sync::Mutex;

use burgee_identity::{Authenticated, Clock, SettableClock};
use burgee_wire::explanation::CheckOutcome;

use super::*;
use crate::{
    AttemptResult, CacheStatus, Decision, Metrics, NoMetrics, StaticTokens, TokenAuthenticator,
};

const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2kiLCJleHAiOjF9.c2lnbmF0dXJl";

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// Says what it was told to, and remembers having been asked.
#[derive(Debug)]
struct Scripted {
    name: &'static str,
    outcome: Outcome,
    checks: Vec<Check>,
    asked: Mutex<Vec<&'static str>>,
}

impl Scripted {
    fn new(name: &'static str, outcome: Outcome, checks: Vec<Check>) -> Arc<Self> {
        Arc::new(Self {
            name,
            outcome,
            checks,
            asked: Mutex::default(),
        })
    }
}

impl TokenAuthenticator for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn authenticate(&self, _token: &str, _audiences: &Audiences) -> Decision {
        self.asked.lock().unwrap().push("authenticate");
        self.outcome.clone().into()
    }

    fn rehearse(&self, _token: &str, _audiences: &Audiences) -> Decision {
        self.asked.lock().unwrap().push("rehearse");
        self.outcome.clone().into()
    }

    fn examine(&self, _token: &str, _audiences: &Audiences) -> Decision<Vec<Check>> {
        Decision::Now(self.checks.clone())
    }
}

fn no_opinion(reason: Reason) -> Outcome {
    Outcome::NoOpinion(reason)
}

fn good() -> Outcome {
    let authenticated = Authenticated::new(UserInfo::named("jane"));
    Outcome::Authenticated(authenticated.for_audiences(vec!["api".into()]))
}

struct World {
    accounts: Arc<Scripted>,
    webhook: Arc<Scripted>,
}

impl World {
    fn new(accounts: Outcome, checks: Vec<Check>, webhook: Outcome) -> Self {
        Self {
            accounts: Scripted::new("service-account-token", accounts, checks),
            webhook: Scripted::new("webhook", webhook, Vec::new()),
        }
    }

    fn chain(&self, metrics: Arc<dyn Metrics>) -> Chain {
        let clock: Arc<dyn Clock> = Arc::new(SettableClock::at(now()));
        let tokens = StaticTokens::new("tokens.csv", b"sesame,ali-baba,u1").unwrap();
        Chain::builder(["api"])
            .static_tokens(Arc::new(tokens))
            .service_accounts(Arc::clone(&self.accounts) as _)
            .webhook(Arc::clone(&self.webhook) as _)
            .build(clock, metrics)
            .unwrap()
    }

    async fn explain(&self, token: &str) -> TokenExplanationStatus {
        let chain = self.chain(Arc::new(NoMetrics));
        let credential = Credential::Token(token);
        chain.explain(credential, &Audiences::ANY, now()).await
    }
}

fn results(status: &TokenExplanationStatus) -> Vec<(&str, &str, &str)> {
    let outcomes = status.authenticators.iter();
    outcomes
        .map(|one| (one.name.as_str(), one.result.as_str(), one.reason.as_str()))
        .collect()
}

#[tokio::test]
async fn every_authenticator_is_asked_in_order_until_one_accepts() {
    let world = World::new(good(), vec![], no_opinion(Reason::TokenUnknown));
    let status = world.explain("opaque").await;
    assert_eq!(
        results(&status),
        [
            ("loopback", "NoOpinion", "token.unknown"),
            ("static-token", "NoOpinion", "token.unknown"),
            ("service-account-token", "Authenticated", ""),
            ("webhook", "NotAsked", ""),
        ]
    );
    assert!(status.authenticated && status.credential.unwrap().verified);
    assert_eq!(status.user.unwrap().groups, ["system:authenticated"]);
    assert_eq!(status.audiences, ["api"]);
    assert!(world.webhook.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_tells_what_a_review_tells_and_every_check() {
    let checks = vec![
        Check::passed("signature", "ES256 by k1"),
        Check::failed("audience", Reason::TokenAudienceMismatch, "d"),
        Check::failed("expiry", Reason::TokenExpired, "d"),
        Check::skipped("pod", "claims"),
    ];
    let expired = Outcome::rejected(Reason::TokenAudienceMismatch, "for others");
    let world = World::new(expired, checks, no_opinion(Reason::TokenUnknown));
    let status = world.explain(TOKEN).await;
    assert!(!status.authenticated);
    assert_eq!(status.error, "[invalid bearer token, for others]");
    assert_eq!(status.reason, "token.audience-mismatch");
    assert_eq!(status.advice, Reason::TokenAudienceMismatch.advice());
    let accounts = &status.authenticators[2];
    let failed: Vec<_> = accounts
        .checks
        .iter()
        .map(|check| check.result.as_str())
        .collect();
    assert_eq!(failed, ["Passed", "Failed", "Failed", "Skipped"]);
    let review = burgee_wire::authentication::TokenReviewSpec {
        token: TOKEN.to_owned(),
        audiences: vec![],
    };
    let review = world
        .chain(Arc::new(NoMetrics))
        .review(&review)
        .await
        .unwrap();
    assert_eq!(review.error, status.error);
    // Somebody did sign these claims.
    assert!(status.credential.unwrap().verified);
}

#[tokio::test]
async fn of_many_who_have_no_opinion_the_most_telling_counts() {
    for (accounts, webhook, expected) in [
        (
            Reason::TokenIssuerForeign,
            Reason::TokenUnknown,
            "token.issuer-foreign",
        ),
        (
            Reason::TokenMalformed,
            Reason::TokenUnknown,
            "token.unknown",
        ),
        (
            Reason::TokenMalformed,
            Reason::TokenExpired,
            "token.expired",
        ),
    ] {
        let world = World::new(no_opinion(accounts), vec![], no_opinion(webhook));
        let status = world.explain(TOKEN).await;
        assert_eq!(status.reason, expected);
        assert_eq!(status.error, "invalid bearer token");
        assert!(!status.credential.unwrap().verified);
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_read_is_malformed_and_not_unknown() {
    let world = World::new(
        no_opinion(Reason::TokenMalformed),
        vec![],
        no_opinion(Reason::TokenUnknown),
    );
    let padded = format!("{TOKEN}==");
    assert_eq!(world.explain(&padded).await.reason, "token.malformed");
    assert_eq!(world.explain("opaque").await.reason, "token.unknown");
}

#[tokio::test]
async fn white_space_around_a_token_is_remarked_on_and_within_it_ends_the_matter() {
    let world = World::new(good(), vec![], no_opinion(Reason::TokenUnknown));
    let status = world.explain("sesame\n").await;
    assert_eq!(status.user.unwrap().name, "ali-baba");
    assert_eq!(status.credential.unwrap().remarks.len(), 1);
    for token in ["Bearer sesame", "", "a\u{0}b"] {
        let status = world.explain(token).await;
        assert_eq!(status.reason, "credential.malformed", "{token:?}");
        assert!(status.authenticators.is_empty());
    }
}

#[tokio::test]
async fn a_token_for_other_audiences_is_refused_by_those_who_know_of_none() {
    let world = World::new(
        no_opinion(Reason::TokenMalformed),
        vec![],
        no_opinion(Reason::TokenUnknown),
    );
    let chain = world.chain(Arc::new(NoMetrics));
    let audiences = Audiences::of(["vault"]);
    let status = chain
        .explain(Credential::Token("sesame"), &audiences, now())
        .await;
    assert_eq!(status.reason, "token.audience-mismatch");
    let checks: &[CheckOutcome] = &status.authenticators[1].checks;
    assert_eq!(
        checks[0].detail,
        r#"good for ["api"] only, ["vault"] asked for"#
    );
}

#[tokio::test]
async fn others_messages_are_cut_and_do_not_repeat_the_token() {
    let message = format!("cannot read {TOKEN}: {}", "x".repeat(10_000));
    let checks = vec![Check::failed(
        "answer",
        Reason::WebhookRefused,
        message.clone(),
    )];
    let refused = Outcome::rejected(Reason::WebhookRefused, message);
    let world = World::new(refused, checks, no_opinion(Reason::TokenUnknown));
    let status = world.explain(TOKEN).await;
    let shown = serde_json::to_string(&status).unwrap();
    assert!(
        !shown.contains("c2lnbmF0dXJl") && shown.len() < 8_000,
        "{shown}"
    );
    assert!(shown.contains("cannot read (not shown)"));
}

/// Counts whatever it is told.
#[derive(Debug, Default)]
struct Counting(Mutex<Vec<String>>);

impl Metrics for Counting {
    fn attempt(&self, result: AttemptResult, _took: std::time::Duration) {
        self.0.lock().unwrap().push(format!("{result:?}"));
    }

    fn decided(&self, name: &'static str, _outcome: &Outcome) {
        self.0.lock().unwrap().push(name.to_owned());
    }

    fn token_cache_request(&self, status: CacheStatus, _took: std::time::Duration) {
        self.0.lock().unwrap().push(format!("{status:?}"));
    }
}

#[tokio::test]
async fn explaining_leaves_no_trace() {
    let world = World::new(good(), vec![], no_opinion(Reason::TokenUnknown));
    let metrics = Arc::new(Counting::default());
    let chain = world.chain(Arc::clone(&metrics) as _);
    for token in ["opaque", "sesame", TOKEN] {
        chain
            .explain(Credential::Token(token), &Audiences::ANY, now())
            .await;
    }
    assert!(metrics.0.lock().unwrap().is_empty());
    assert_eq!(
        *world.accounts.asked.lock().unwrap(),
        ["rehearse", "rehearse"]
    );
    let spec = burgee_wire::authentication::TokenReviewSpec {
        token: "opaque".to_owned(),
        audiences: vec![],
    };
    chain.review(&spec).await.unwrap();
    // Nothing was in the cache, so that the authenticator itself was asked.
    assert_eq!(
        world.accounts.asked.lock().unwrap().last(),
        Some(&"authenticate")
    );
    assert!(!metrics.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn certificates_are_explained_by_those_who_judge_connections() {
    let world = World::new(good(), vec![], good());
    let chain = world.chain(Arc::new(NoMetrics));
    let certificates = [CertificateDer::from(vec![1, 2, 3])];
    let credential = Credential::Certificates(&certificates);
    let status = chain.explain(credential, &Audiences::ANY, now()).await;
    assert_eq!(
        (status.reason.as_str(), status.authenticators.len()),
        ("not-configured", 0)
    );
    assert_eq!(format!("{credential:?}"), "Certificates(..)");

    let clock: Arc<dyn Clock> = Arc::new(SettableClock::at(now()));
    let x509 = crate::ClientCertificates::new(
        "ca",
        crate::UidPolicy::FromSubject,
        Arc::clone(&clock),
        Arc::new(NoMetrics),
    );
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "jane");
    let trusted = params.self_signed(&key).unwrap();
    let x509 = x509.unwrap();
    x509.reload(trusted.pem().as_bytes()).unwrap();
    let chain = Chain::builder(["api"])
        .client_certificates(Arc::new(x509))
        .build(clock, Arc::new(NoMetrics))
        .unwrap();
    let good = [trusted.der().clone()];
    let status = chain
        .explain(Credential::Certificates(&good), &Audiences::ANY, now())
        .await;
    assert_eq!(results(&status), [("x509", "Authenticated", "")]);
    assert_eq!(status.user.unwrap().name, "jane");

    let other = params
        .self_signed(&rcgen::KeyPair::generate().unwrap())
        .unwrap();
    let other = [other.der().clone()];
    let status = chain
        .explain(Credential::Certificates(&other), &Audiences::ANY, now())
        .await;
    assert_eq!(
        results(&status),
        [("x509", "Rejected", "certificate.authority-unknown")]
    );
    assert!(
        status.error.contains("unknown authority"),
        "{}",
        status.error
    );
}
