use super::*;

use std::sync::Mutex;

use burgee_identity::{SettableClock, UserInfo};
use http::header::{AUTHORIZATION, CONNECTION, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use crate::testing::{Fixed, Known};
use crate::{NoMetrics, StaticTokens};
use burgee_identity::{Authenticated, Reason};

const AUDIENCE: &str = "https://kubernetes.default.svc";

/// What the certificate authenticator of a case says.
#[derive(Clone, Copy, Debug)]
enum Certificate {
    Absent,
    Bad,
    Good,
}

fn chain(certificate: Certificate, anonymous: Option<Anonymous>) -> Chain {
    let certificate = match certificate {
        Certificate::Absent => Outcome::NoOpinion(Reason::CredentialAbsent),
        Certificate::Bad => Outcome::rejected(Reason::CertificateExpired, "bad certificate"),
        Certificate::Good => Outcome::Authenticated(Authenticated::new(UserInfo::named("cert"))),
    };
    let tokens = StaticTokens::new("t.csv", b"good,jane,u1,devs\nother,joe,u2").unwrap();
    let builder = Chain::builder([AUDIENCE])
        .loopback(LoopbackToken::new(
            Secret::from("loopback".to_owned()),
            "u0",
        ))
        .client_certificates(Arc::new(Fixed::now(certificate)))
        .static_tokens(Arc::new(tokens))
        .service_accounts(Arc::new(Expired))
        .bootstrap_tokens(Known::token("boot", "system:bootstrap:abcdef"));
    let builder = match anonymous {
        Some(anonymous) => builder.anonymous(anonymous),
        None => builder,
    };
    builder.build(clock(), Arc::new(NoMetrics)).unwrap()
}

fn clock() -> Arc<SettableClock> {
    Arc::new(SettableClock::at(jiff::Timestamp::UNIX_EPOCH))
}

/// Rejects the token `expired` and knows `vault` for the audience `vault`.
#[derive(Debug)]
struct Expired;

impl TokenAuthenticator for Expired {
    fn name(&self) -> &'static str {
        "service-account-token"
    }

    fn authenticate(&self, token: &str, audiences: &Audiences) -> Decision {
        match token {
            "expired" => {
                Outcome::rejected(Reason::TokenExpired, "service account token has expired").into()
            }
            "vault" if audiences.as_slice().iter().any(|one| one == "vault") => {
                let user = Authenticated::new(UserInfo::named("vaulted"));
                Outcome::Authenticated(user.for_audiences(vec!["vault".to_owned()])).into()
            }
            "vault" => {
                Outcome::rejected(Reason::TokenAudienceMismatch, "token audiences mismatch").into()
            }
            "contradiction" => {
                let user = Authenticated::new(UserInfo::named("x"));
                Outcome::Authenticated(user.for_audiences(vec!["elsewhere".to_owned()])).into()
            }
            _ => Outcome::NoOpinion(Reason::TokenMalformed).into(),
        }
    }
}

fn headers(authorization: &str, websocket: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !authorization.is_empty() {
        headers.insert(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
    }
    if !websocket.is_empty() {
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        let value = format!("v4, base64url.bearer.authorization.k8s.io.{websocket}");
        headers.insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_str(&value).unwrap(),
        );
    }
    headers
}

fn verdict(chain: &Chain, headers: &HeaderMap, path: &str) -> Verdict {
    let audiences = chain.api_audiences();
    let request = Request {
        headers,
        path,
        peer_certificates: None,
        audiences,
    };
    match chain.authenticate(&request) {
        Decision::Now(verdict) => verdict,
        Decision::Later(_) => panic!("decided from memory"),
    }
}

/// A user's name, or an error's text, or nothing.
fn summary(verdict: &Verdict) -> Result<String, Option<String>> {
    match &verdict.outcome {
        Outcome::Authenticated(authenticated) => Ok(authenticated.user.name.clone()),
        Outcome::NoOpinion(_) => Err(None),
        Outcome::Rejected(rejection) => Err(Some(rejection.message.to_string())),
    }
}

#[test]
fn the_chain_follows_upstreams_table() {
    use Certificate::{Absent, Bad, Good};
    const GOOD: &str = "Z29vZA";
    const WRONG: &str = "d3Jvbmc";
    let error = |text: &str| Err(Some(text.to_owned()));
    let user = |name: &str| Ok(name.to_owned());
    for (certificate, authorization, websocket, anonymous, expected) in [
        (Good, "Bearer wrong", "", true, user("cert")),
        (Bad, "Bearer good", "", true, user("jane")),
        (Bad, "", "", true, error("bad certificate")),
        (
            Absent,
            "Bearer wrong",
            "",
            true,
            error("invalid bearer token"),
        ),
        (
            Absent,
            "Bearer wrong",
            "",
            false,
            error("invalid bearer token"),
        ),
        (
            Absent,
            "Bearer expired",
            "",
            true,
            error("[invalid bearer token, service account token has expired]"),
        ),
        (
            Bad,
            "Bearer expired",
            "",
            true,
            error("[invalid bearer token, bad certificate, service account token has expired]"),
        ),
        (Absent, "Bearer good", WRONG, true, user("jane")),
        (Absent, "Bearer wrong", GOOD, true, user("jane")),
        (Absent, "", GOOD, true, user("jane")),
        (Absent, "", WRONG, true, error("invalid bearer token")),
        (
            Absent,
            "Basic Zm9vOmJhcg==",
            "",
            true,
            user("system:anonymous"),
        ),
        (Absent, "Basic Zm9vOmJhcg==", "", false, Err(None)),
        (Absent, "", "", true, user("system:anonymous")),
        (Absent, "", "", false, Err(None)),
        (Good, "Bearer loopback", "", true, user("system:apiserver")),
        (
            Absent,
            "Bearer boot",
            "",
            false,
            user("system:bootstrap:abcdef"),
        ),
        (Absent, "Bearer other", "", false, user("joe")),
    ] {
        let chain = chain(certificate, anonymous.then(Anonymous::everywhere));
        let verdict = verdict(&chain, &headers(authorization, websocket), "/healthz");
        assert_eq!(
            summary(&verdict),
            expected,
            "{certificate:?} {authorization} {websocket}"
        );
    }
}

/// Notes what it was asked, and knows nothing.
#[derive(Debug)]
struct Asked(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl TokenAuthenticator for Asked {
    fn name(&self) -> &'static str {
        self.0
    }

    fn authenticate(&self, _token: &str, _audiences: &Audiences) -> Decision {
        self.1.lock().unwrap().push(self.0);
        Outcome::NoOpinion(Reason::TokenUnknown).into()
    }
}

#[test]
fn tokens_are_judged_by_those_who_need_no_connection_first() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let asked = |name| Arc::new(Asked(name, Arc::clone(&order)));
    let chain = Chain::builder([AUDIENCE])
        .webhook(asked("webhook"))
        .jwt(asked("jwt"))
        .bootstrap_tokens(asked("bootstrap"))
        .service_accounts(asked("service account"))
        .static_tokens(asked("static"))
        .build(clock(), Arc::new(NoMetrics))
        .unwrap();
    let refused = verdict(&chain, &headers("Bearer x", ""), "/");
    assert_eq!(
        summary(&refused),
        Err(Some("invalid bearer token".to_owned()))
    );
    let expected = ["static", "bootstrap", "service account", "jwt", "webhook"];
    assert_eq!(*order.lock().unwrap(), expected);
}

#[tokio::test]
async fn only_those_who_know_of_audiences_are_asked_about_foreign_ones() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let asked = |name| Arc::new(Asked(name, Arc::clone(&order)));
    let chain = Chain::builder([AUDIENCE])
        .webhook(asked("webhook"))
        .jwt(asked("jwt"))
        .bootstrap_tokens(asked("bootstrap"))
        .service_accounts(asked("service account"))
        .static_tokens(asked("static"))
        .build(clock(), Arc::new(NoMetrics))
        .unwrap();
    let spec = TokenReviewSpec {
        token: "x".to_owned(),
        audiences: vec!["vault".to_owned()],
    };
    chain.review(&spec).await.unwrap();
    assert_eq!(*order.lock().unwrap(), ["service account", "webhook"]);
}

#[test]
fn a_front_proxy_is_believed_before_every_other_credential() {
    let fido = Outcome::Authenticated(Authenticated::new(UserInfo::named("fido")));
    let chain = Chain::builder([AUDIENCE])
        .front_proxy(Arc::new(Fixed::now(fido)))
        .client_certificates(Arc::new(Fixed::now(Outcome::Authenticated(
            Authenticated::new(UserInfo::named("cert")),
        ))))
        .static_tokens(Arc::new(
            StaticTokens::new("t.csv", b"good,jane,u1").unwrap(),
        ))
        .build(clock(), Arc::new(NoMetrics))
        .unwrap();
    let Outcome::Authenticated(fido) = verdict(&chain, &headers("Bearer good", ""), "/").outcome
    else {
        panic!()
    };
    assert_eq!(
        (&*fido.user.name, &*fido.user.groups, fido.audiences()),
        (
            "fido",
            &["system:authenticated".to_owned()][..],
            &[AUDIENCE.to_owned()][..]
        )
    );
}

/// What becomes of a request whose connection is judged so, without any other credential.
fn connection(
    front_proxy: Option<Outcome>,
    certificate: Outcome,
) -> Result<String, Option<String>> {
    let builder = Chain::builder([AUDIENCE])
        .client_certificates(Arc::new(Fixed::now(certificate)))
        .anonymous(Anonymous::everywhere());
    let builder = match front_proxy {
        Some(outcome) => builder.front_proxy(Arc::new(Fixed::now(outcome))),
        None => builder,
    };
    let chain = builder.build(clock(), Arc::new(NoMetrics)).unwrap();
    summary(&verdict(&chain, &HeaderMap::new(), "/"))
}

#[test]
fn a_proxy_that_speaks_for_nobody_is_a_client_with_a_foreign_certificate() {
    let foreign = Outcome::rejected(Reason::CertificateAuthorityUnknown, "foreign");
    let silent = Outcome::NoOpinion(Reason::CredentialAbsent);
    let refused = connection(Some(silent), foreign);
    assert_eq!(refused, Err(Some("foreign".to_owned())));
}

#[test]
fn a_client_without_a_name_is_anonymous_unless_it_could_be_a_proxy() {
    let nameless = || Outcome::NoOpinion(Reason::CertificateNameless);
    let anonymous = Ok("system:anonymous".to_owned());
    assert_eq!(connection(None, nameless()), anonymous);
    let foreign = Outcome::rejected(Reason::CertificateAuthorityUnknown, "foreign");
    let refused = connection(Some(foreign), nameless());
    assert_eq!(refused, Err(Some("foreign".to_owned())));
}

#[test]
fn a_client_that_is_no_proxy_is_a_client() {
    let foreign = Outcome::rejected(Reason::CertificateAuthorityUnknown, "foreign");
    let jane = Outcome::Authenticated(Authenticated::new(UserInfo::named("jane")));
    assert_eq!(connection(Some(foreign), jane), Ok("jane".to_owned()));
}

#[tokio::test]
async fn who_answers_later_is_waited_for_before_anyone_is_anonymous() {
    for (outcome, expected) in [
        (
            Outcome::NoOpinion(Reason::CredentialAbsent),
            Ok("system:anonymous".to_owned()),
        ),
        (
            Outcome::rejected(Reason::CertificateExpired, "late"),
            Err(Some("late".to_owned())),
        ),
    ] {
        let chain = Chain::builder([AUDIENCE])
            .client_certificates(Arc::new(Fixed::later(outcome)))
            .anonymous(Anonymous::everywhere())
            .build(clock(), Arc::new(NoMetrics))
            .unwrap();
        let headers = HeaderMap::new();
        let decision = chain.authenticate(&crate::testing::request(&headers));
        assert!(matches!(decision, Decision::Later(_)));
        assert_eq!(summary(&decision.resolve().await), expected);
    }
}

#[tokio::test]
async fn no_token_of_any_length_is_reviewed() {
    let long = "x".repeat(crate::LONGEST_TOKEN + 1);
    let answer = review(&long, &[]).await.unwrap();
    assert_eq!(answer["error"], "invalid bearer token");
}

#[test]
fn every_identity_but_the_anonymous_is_in_the_authenticated_group_once() {
    let chain = chain(Certificate::Absent, Some(Anonymous::everywhere()));
    for (authorization, expected) in [
        ("Bearer good", &["devs", "system:authenticated"][..]),
        ("Bearer boot", &["system:authenticated"]),
        (
            "Bearer loopback",
            &["system:authenticated", "system:masters"],
        ),
        ("", &["system:unauthenticated"]),
    ] {
        let verdict = verdict(&chain, &headers(authorization, ""), "/");
        assert_eq!(
            verdict.outcome.user().unwrap().groups,
            expected,
            "{authorization}"
        );
    }
}

#[test]
fn anonymous_may_be_limited_to_paths() {
    let chain = chain(Certificate::Absent, Some(Anonymous::on_paths(["/livez"])));
    assert!(verdict(&chain, &HeaderMap::new(), "/livez").is_authenticated());
    assert!(!verdict(&chain, &HeaderMap::new(), "/livez/x").is_authenticated());
}

#[test]
fn a_token_behind_two_spaces_is_anonymous_with_a_warning() {
    let chain = chain(Certificate::Absent, Some(Anonymous::everywhere()));
    let verdict = verdict(&chain, &headers("Bearer  good", ""), "/");
    assert_eq!(summary(&verdict), Ok("system:anonymous".to_owned()));
    assert!(
        verdict
            .warnings()
            .iter()
            .all(|warning| warning == crate::EXTRA_SPACE_WARNING)
    );
    assert!(!verdict.warnings().is_empty());
}

async fn review(token: &str, audiences: &[&str]) -> Result<Value, (u16, String)> {
    let chain = chain(Certificate::Good, Some(Anonymous::everywhere()));
    let spec = TokenReviewSpec {
        token: token.to_owned(),
        audiences: audiences.iter().map(|one| (*one).to_owned()).collect(),
    };
    match chain.review(&spec).await {
        Ok(status) => Ok(serde_json::to_value(status).unwrap()),
        Err(status) => Err((status.code, status.message)),
    }
}

#[tokio::test]
async fn reviews_follow_upstreams_table() {
    use serde_json::json;
    let jane = json!({"username": "jane", "uid": "u1", "groups": ["devs", "system:authenticated"]});
    let error = |text: &str| json!({"user": {}, "error": text});
    for (token, audiences, expected) in [
        (
            "good",
            &[][..],
            json!({"authenticated": true, "user": jane, "audiences": [AUDIENCE]}),
        ),
        (
            "good",
            &["vault", AUDIENCE],
            json!({"authenticated": true, "user": jane, "audiences": [AUDIENCE]}),
        ),
        ("good", &["vault"], error("invalid bearer token")),
        ("bad", &[], error("invalid bearer token")),
        (
            "expired",
            &[],
            error("[invalid bearer token, service account token has expired]"),
        ),
        (
            "vault",
            &[],
            error("[invalid bearer token, token audiences mismatch]"),
        ),
        (
            "vault",
            &["vault"],
            json!({"authenticated": true,
            "user": {"username": "vaulted", "groups": ["system:authenticated"]}, "audiences": ["vault"]}),
        ),
        (
            "loopback",
            &[],
            json!({"authenticated": true, "audiences": [AUDIENCE],
            "user": {"username": "system:apiserver", "uid": "u0", "groups": ["system:authenticated", "system:masters"]}}),
        ),
        (" ", &["vault"], error("invalid bearer token")),
        (" good", &[], error("invalid bearer token")),
        ("good x", &[], error("invalid bearer token")),
        ("good ", &[], error("invalid bearer token")),
        ("good\n", &[], error("invalid bearer token")),
        ("go\u{7f}od", &[], error("invalid bearer token")),
    ] {
        assert_eq!(
            review(token, audiences).await,
            Ok(expected),
            "{token:?} {audiences:?}"
        );
    }
}

#[tokio::test]
async fn a_review_without_a_token_or_with_a_contradiction_is_an_error() {
    let missing = "token is required for TokenReview in authentication".to_owned();
    assert_eq!(review("", &[]).await, Err((400, missing)));
    let contradiction = "Internal error occurred: error validating audiences".to_owned();
    assert_eq!(
        review("contradiction", &[]).await,
        Err((500, contradiction))
    );
}
