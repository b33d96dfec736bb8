use burgee_identity::Reason;
use burgee_wire::explanation::{
    AuthenticatorOutcome, CheckOutcome, RecordedRefusal, RefusalReason,
};
use clap::Parser;

use super::*;

/// Issued at 2026-01-01T00:00:00Z for an hour, with a made-up signature.
const TOKEN: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJhdWQiOlsiYXBpIl0sImV4cCI6MTc2NzIyOTIwMCwiaWF0IjoxNzY3MjI1NjAwLCJpc3MiOiJodHRwczovL2kiLCJrdWJlcm5ldGVzLmlvIjp7Im5hbWVzcGFjZSI6ImEifSwic3ViIjoiYlx1MDAxYlsyS1x1MjAyZSJ9.c2lnbmF0dXJl";

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    arguments: Arguments,
}

fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
    let arguments = ["explain"].iter().chain(arguments);
    Program::try_parse_from(arguments).map(|program| program.arguments)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn offline(token: &str, now: &str) -> Explained {
    let subject = Subject::Token(token.to_owned());
    alone(&subject, Source::Alone("--offline was given"), at(now)).unwrap()
}

fn shown(explained: &Explained) -> String {
    render::text(explained, &Subject::Token(String::new()))
}

#[test]
fn exactly_one_thing_is_explained() {
    for good in [
        &["t"][..],
        &["-"],
        &["--file", "f"],
        &["--cert", "c", "--offline"],
        &["--audit-id", "i", "--context", "c"],
        &["t", "--audience", "a", "--audience", "b", "-o", "json"],
    ] {
        assert!(parse(good).is_ok(), "{good:?}");
    }
    for bad in [
        &[][..],
        &["t", "--file", "f"],
        &["--file", "f", "--cert", "c"],
        &["--audit-id", "i", "--offline"],
        &["t", "--offline", "--context", "c"],
        &["t", "-o", "table"],
    ] {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_token_by_itself() {
    let explained = offline(&format!("{TOKEN}\n"), "2026-01-01T00:50:00Z");
    assert!(is_good(&explained, &Subject::Token(String::new())));
    assert_eq!(
        shown(&explained),
        r#"No server was asked (--offline was given): this is what the credential says by itself, and anyone could have written that.

Nothing is wrong with what it says.

What the credential says by itself (not verified):
  kind       ServiceAccountToken, 218 bytes
  header
    alg: "ES256"
    kid: "k1"
  claims
    aud: ["api"]
    exp: 1767229200
    iat: 1767225600
    iss: "https://i"
    kubernetes.io: {"namespace":"a"}
    sub: "b\u001b[2K\u{202e}"
  iat        2026-01-01T00:00:00Z  50m ago
  exp        2026-01-01T01:00:00Z  in 10m
  ok    form
  ok    algorithm  ES256
  ok    claims
  ok    expiry     in 10m
  ok    issued-at  50m ago
  remark     There is white space around it, such as a line's end.
"#
    );
}

#[test]
fn an_expired_token_by_itself_is_refused() {
    let explained = offline(TOKEN, "2026-01-01T02:30:00Z");
    assert!(!is_good(&explained, &Subject::Token(String::new())));
    let text = shown(&explained);
    assert!(text.contains("Refused: token.expired\n"), "{text}");
    assert!(text.contains("  FAIL  expiry     1h 30m ago\n"), "{text}");
}

/// What a server says.
fn status() -> TokenExplanationStatus {
    let failed = |name: &str, reason: Reason, detail: &str| CheckOutcome {
        name: name.into(),
        result: "Failed".into(),
        reason: reason.code().into(),
        detail: detail.into(),
        advice: reason.advice().into(),
    };
    let passed = |name: &str, detail: &str| CheckOutcome {
        name: name.into(),
        result: "Passed".into(),
        detail: detail.into(),
        ..CheckOutcome::default()
    };
    TokenExplanationStatus {
        reason: "token.audience-mismatch".into(),
        error: "[invalid bearer token, token audiences]".into(),
        advice: Reason::TokenAudienceMismatch.advice().into(),
        authenticators: vec![
            AuthenticatorOutcome {
                name: "loopback".into(),
                result: "NoOpinion".into(),
                reason: "token.unknown".into(),
                ..AuthenticatorOutcome::default()
            },
            AuthenticatorOutcome {
                name: "service-account-token".into(),
                result: "Rejected".into(),
                reason: "token.audience-mismatch".into(),
                message: "token audiences".into(),
                checks: vec![
                    passed("signature", "ES256 by k1"),
                    failed("audience", Reason::TokenAudienceMismatch, "token audiences"),
                    failed("expiry", Reason::TokenExpired, "1h ago"),
                ],
                ..AuthenticatorOutcome::default()
            },
        ],
        ..TokenExplanationStatus::default()
    }
}

#[test]
fn what_a_server_says() {
    let explained = Explained {
        status: status(),
        source: Source::Burgee("https://api.example".into()),
    };
    assert_eq!(
        shown(&explained),
        "https://api.example explains:

Refused: token.audience-mismatch
  message    [invalid bearer token, token audiences]
  to do      Get a token for one of the audiences that the server asks for.

Authenticators, in the order in which they are asked:
  loopback               no opinion  token.unknown
  service-account-token  REFUSES     token.audience-mismatch: token audiences
    ok    signature  ES256 by k1
    FAIL  audience   token audiences
          token.audience-mismatch: Get a token for one of the audiences that the server asks for.
    FAIL  expiry     1h ago
          token.expired: Get a new token; if its end has not come yet, set the clock of the server or of the issuer.
"
    );
}

#[test]
fn an_accepted_credential_shows_its_user() {
    let mut user = burgee_identity::UserInfo::named("jane").with_groups(["devs", "ops"]);
    user.extra
        .insert("key".into(), vec!["a".into(), "b".into()]);
    let explained = Explained {
        status: TokenExplanationStatus {
            authenticated: true,
            user: Some(user),
            audiences: vec!["api".into()],
            ..TokenExplanationStatus::default()
        },
        source: Source::Other("https://api.example".into()),
    };
    let text = shown(&explained);
    let end = "Accepted.\n  user       jane\n  groups     devs, ops\n  extra      key: a, b\n  audiences  api\n";
    assert!(text.ends_with(end), "{text}");
    assert!(is_good(&explained, &Subject::Token(String::new())));
}

#[test]
fn refused_requests_are_listed() {
    let mut explained = Explained {
        status: TokenExplanationStatus {
            refusals: vec![RecordedRefusal {
                time: "2026-01-01T00:00:00Z".parse().unwrap(),
                audit_id: "id".into(),
                address: "192.0.2.1:4".into(),
                method: "GET".into(),
                path: "/api".into(),
                attempted: vec!["bearer".into(), "x509".into()],
                reasons: vec![RefusalReason::new(Reason::TokenExpired, "expired\x1b[31m")],
            }],
            ..TokenExplanationStatus::default()
        },
        source: Source::Burgee("https://api.example".into()),
    };
    let subject = Subject::AuditId("id".into());
    assert!(is_good(&explained, &subject));
    assert_eq!(
        render::text(&explained, &subject),
        r"https://api.example explains:

Refused with audit id id, the latest first:
  2026-01-01T00:00:00Z  GET /api  from 192.0.2.1:4
    presented  bearer, x509
    reason     token.expired
    message    expired\u{1b}[31m
    to do      Get a new token; if its end has not come yet, set the clock of the server or of the issuer.
"
    );
    explained.status.refusals.clear();
    assert!(!is_good(&explained, &subject));
}

#[test]
fn no_form_of_output_shows_the_token_or_its_signature() {
    for (token, secret) in [
        (TOKEN, "c2lnbmF0dXJl"),
        ("07401b.f395accd246ae52d", "f395accd246ae52d"),
        ("opaque-token", "opaque-token"),
    ] {
        let explained = offline(token, "2026-01-01T00:00:00Z");
        let document = Document::new(&explained.status);
        let json = serde_json::to_string_pretty(&document).unwrap();
        let yaml = serde_saphyr::to_string(&document).unwrap();
        for output in [shown(&explained), json, yaml] {
            assert!(!output.contains(secret), "{output}");
        }
    }
}

#[test]
fn documents_are_objects_that_kubectl_knows() {
    let explained = offline("07401b.f395accd246ae52d", "2026-01-01T00:00:00Z");
    let document = serde_json::to_value(Document::new(&explained.status)).unwrap();
    assert_eq!(document["kind"], "TokenExplanation");
    assert_eq!(document["apiVersion"], "authentication.burgee.dev/v1alpha1");
    assert_eq!(document["status"]["credential"]["tokenID"], "07401b");
}

#[test]
fn a_server_without_tls_is_not_shown_credentials() {
    let config = Kubeconfig::parse(
        br#"{"clusters":[{"name":"c","cluster":{"server":"http://127.0.0.1:1"}}],
             "contexts":[{"name":"x","context":{"cluster":"c"}}],"current-context":"x"}"#,
    )
    .unwrap();
    assert!(matches!(Server::new(&config, None), Err(Failure::Usage(_))));
}
