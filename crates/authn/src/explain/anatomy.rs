//! What a token says by itself.

use burgee_bootstrap_token::Token;
use burgee_identity::{Check, Reason};
use burgee_jose::{Jws, MAX_TOKEN_LEN, base64url, json};
use burgee_wire::Time;
use burgee_wire::explanation::{CheckOutcome, CredentialAnatomy, TimeAnatomy};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::accidents::{damages, remarks};
use super::conceal::{Secrets, concealed};

/// How far clocks may be apart, where a rule gives leeway.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// The issuer of service-account tokens that are stored in Secrets.
const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";
/// Seconds since 1970 that are beyond any token's life (year 5138): who writes more counts milliseconds.
const TOO_MANY_SECONDS: i64 = 100_000_000_000;
/// The claims that are points in time.
const TIMES: [&str; 4] = ["iat", "nbf", "exp", "warnafter"];

/// What a token says by itself, seen from `now`. Nothing of it is verified: anyone can make a token that
/// says anything.
///
/// White space around the token is ignored. The checks are those that need no key and no object; times
/// are judged as the authenticators do that would be asked.
#[must_use]
pub fn anatomy(token: &str, now: Timestamp) -> CredentialAnatomy {
    let mut anatomy = CredentialAnatomy {
        kind: "Opaque".to_owned(),
        length: i64::try_from(token.len()).unwrap_or(i64::MAX),
        remarks: remarks(token),
        ..CredentialAnatomy::default()
    };
    let token = token.trim();
    if token.len() > MAX_TOKEN_LEN {
        let detail = format!("longer than {MAX_TOKEN_LEN} bytes");
        let check = Check::failed("length", Reason::CredentialMalformed, detail);
        anatomy.checks.push(check.into());
    } else if let Ok(token) = token.parse::<Token>() {
        "BootstrapToken".clone_into(&mut anatomy.kind);
        anatomy.token_id = token.id().to_string();
    } else if let Some(web_token) = WebToken::read(token) {
        web_token.describe(token, now, &mut anatomy);
    } else if let Some(damage) = damages(token).first() {
        let check = Check::failed("form", Reason::CredentialMalformed, *damage);
        anatomy.checks.push(check.into());
    }
    anatomy
}

/// A JSON Web Token, read without care.
struct WebToken {
    header: Map<String, Value>,
    /// Nothing in a token that is encrypted, or whose payload is no JSON object.
    claims: Option<Map<String, Value>>,
    kind: Kind,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Encrypted,
    Legacy,
    Other,
    ServiceAccount,
}

impl WebToken {
    fn read(token: &str) -> Option<Self> {
        let parts: Vec<&str> = token.split('.').take(6).collect();
        let object = |part: &str| {
            let part = part.trim_end_matches('=');
            serde_json::from_slice::<Map<String, Value>>(&base64url::decode(part)?).ok()
        };
        let header = object(parts.first()?)?;
        let claims = match parts.as_slice() {
            [_, payload] | [_, payload, _] => object(payload),
            [_, _, _, _, _] => None,
            _ => return None,
        };
        let kind = match &claims {
            _ if parts.len() == 5 => Kind::Encrypted,
            Some(claims) if claims.get("kubernetes.io").is_some_and(Value::is_object) => {
                Kind::ServiceAccount
            }
            Some(claims) if claims.get("iss").and_then(Value::as_str) == Some(LEGACY_ISSUER) => {
                Kind::Legacy
            }
            _ => Kind::Other,
        };
        Some(Self {
            header,
            claims,
            kind,
        })
    }

    fn describe(&self, token: &str, now: Timestamp, anatomy: &mut CredentialAnatomy) {
        let kind = match self.kind {
            Kind::Encrypted => "EncryptedToken",
            Kind::Legacy => "LegacyServiceAccountToken",
            Kind::Other => "JSONWebToken",
            Kind::ServiceAccount => "ServiceAccountToken",
        };
        kind.clone_into(&mut anatomy.kind);
        anatomy.header = Some(concealed(&Value::Object(self.header.clone())));
        let claims = self.claims.clone();
        anatomy.claims = claims.map(|claims| concealed(&Value::Object(claims)));
        for name in TIMES {
            let Some(seconds) = self.seconds(name) else {
                continue;
            };
            if seconds > TOO_MANY_SECONDS {
                let remark = format!("Its {name} is too large for seconds: is it in milliseconds?");
                anatomy.remarks.push(remark);
            }
            let time = Time::from(instant(seconds));
            anatomy.times.push(TimeAnatomy {
                name: name.to_owned(),
                time,
                relative: time.seen_from(now),
            });
        }
        let secrets = Secrets::of(token);
        let checks = self
            .checks(token, now)
            .into_iter()
            .map(|check| CheckOutcome {
                detail: secrets.conceal(&check.detail),
                ..check.into()
            });
        anatomy.checks = checks.collect();
    }

    fn checks(&self, token: &str, now: Timestamp) -> Vec<Check> {
        if self.kind == Kind::Encrypted {
            let detail = "encrypted tokens are read by nobody here";
            return vec![Check::failed("form", Reason::TokenMalformed, detail)];
        }
        let mut checks = Vec::new();
        match Jws::parse(token) {
            Err(error) => {
                checks.push(Check::failed(
                    "form",
                    Reason::TokenMalformed,
                    causes(&error),
                ));
            }
            Ok(jws) => {
                checks.push(Check::passed("form", ""));
                let algorithm = jws.header().algorithm_name();
                checks.push(if jws.header().algorithm().is_none() {
                    let detail = match algorithm {
                        "" => "the header names none".to_owned(),
                        other => format!("{} is accepted of nobody", burgee_wire::quoted(other)),
                    };
                    Check::failed("algorithm", Reason::TokenAlgorithmUnsupported, detail)
                } else if jws.header().is_critical() {
                    let detail = "the header demands extensions (crit)";
                    Check::failed("algorithm", Reason::TokenSignatureInvalid, detail)
                } else {
                    Check::passed("algorithm", algorithm.to_owned())
                });
                let strict = json::from_slice::<Map<String, Value>>(jws.unverified_payload());
                checks.push(match strict {
                    Ok(_) => Check::passed("claims", ""),
                    Err(error) => {
                        Check::failed("claims", Reason::TokenClaimsInvalid, causes(&error))
                    }
                });
            }
        }
        checks.extend(self.time_checks(now));
        checks
    }

    /// What the authenticator would say that tokens of this kind are for.
    fn time_checks(&self, now: Timestamp) -> Vec<Check> {
        let (later, earlier) = (shifted(now, LEEWAY), shifted(now, -LEEWAY));
        let (begin, end, issued) = match self.kind {
            Kind::Encrypted | Kind::Legacy => return Vec::new(),
            Kind::ServiceAccount => (Some(later), earlier, Some(later)),
            // OpenID Connect: no leeway at the end, and nobody asks when it was issued.
            Kind::Other => (Some(later), now, None),
        };
        let seen = |time: Timestamp| Time::from(time).seen_from(now);
        let at = |name| self.seconds(name).map(instant);
        let mut checks = Vec::new();
        if let (Some(time), Some(limit)) = (at("nbf"), begin) {
            checks.push(match time <= limit {
                true => Check::passed("not-before", seen(time)),
                false => Check::failed("not-before", Reason::TokenNotYetValid, seen(time)),
            });
        }
        checks.push(match at("exp") {
            Some(time) if time > end || (self.kind == Kind::ServiceAccount && time == end) => {
                Check::passed("expiry", seen(time))
            }
            Some(time) => Check::failed("expiry", Reason::TokenExpired, seen(time)),
            None if self.kind == Kind::ServiceAccount => Check::passed("expiry", "not limited"),
            None => Check::failed("expiry", Reason::TokenExpired, "there is no exp"),
        });
        if let (Some(time), Some(limit)) = (at("iat"), issued) {
            checks.push(match time <= limit {
                true => Check::passed("issued-at", seen(time)),
                false => Check::failed("issued-at", Reason::TokenIssuedInFuture, seen(time)),
            });
        }
        checks
    }

    /// A claim that is a number of seconds, or text of one. The fraction is dropped.
    fn seconds(&self, name: &str) -> Option<i64> {
        let claims = self.claims.as_ref()?;
        let value = match name {
            "warnafter" => claims.get("kubernetes.io")?.get(name)?,
            _ => claims.get(name)?,
        };
        match value {
            Value::Number(number) => number
                .as_i64()
                .or_else(|| number.as_f64().and_then(truncated)),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the range is checked, the fraction goes"
)]
fn truncated(number: f64) -> Option<i64> {
    // 2^63 is the first number beyond.
    const END: f64 = 9_223_372_036_854_775_808.0;
    (-END..END).contains(&number).then_some(number as i64)
}

/// An instant in seconds since 1970; what is beyond all time stands at its ends.
fn instant(seconds: i64) -> Timestamp {
    let beyond = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(beyond)
}

fn shifted(time: Timestamp, by: SignedDuration) -> Timestamp {
    let beyond = if by.is_negative() {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    time.saturating_add(by).unwrap_or(beyond)
}

/// An error and what is behind it.
fn causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", causes(source)),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const SIGNATURE: &str = "c2lnbmF0dXJlLXRoYXQtaXMtc2VjcmV0";

    fn token(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| base64url::encode(value.to_string().as_bytes());
        format!("{}.{}.{SIGNATURE}", part(header), part(claims))
    }

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn seconds() -> i64 {
        now().as_second()
    }

    fn failures(anatomy: &CredentialAnatomy) -> Vec<(&str, &str)> {
        let failed = anatomy
            .checks
            .iter()
            .filter(|check| check.result == "Failed");
        failed
            .map(|check| (check.name.as_str(), check.reason.as_str()))
            .collect()
    }

    fn web(claims: Value) -> CredentialAnatomy {
        anatomy(
            &token(&json!({"alg": "ES256", "kid": "k1"}), &claims),
            now(),
        )
    }

    #[test]
    fn a_service_account_token_is_taken_apart() {
        let says = web(json!({
            "iss": "https://i", "sub": "system:serviceaccount:a:b", "aud": ["api"],
            "iat": seconds() - 3000, "nbf": seconds() - 3000, "exp": seconds() + 600,
            "kubernetes.io": {"namespace": "a", "warnafter": seconds() - 60},
        }));
        assert_eq!(says.kind, "ServiceAccountToken");
        assert!(!says.verified);
        assert_eq!(says.header, Some(json!({"alg": "ES256", "kid": "k1"})));
        assert_eq!(says.claims.as_ref().unwrap()["aud"], json!(["api"]));
        let times: Vec<_> = says
            .times
            .iter()
            .map(|time| (time.name.as_str(), time.relative.as_str()))
            .collect();
        assert_eq!(
            times,
            [
                ("iat", "50m ago"),
                ("nbf", "50m ago"),
                ("exp", "in 10m"),
                ("warnafter", "1m ago")
            ]
        );
        assert_eq!(failures(&says), []);
    }

    #[test]
    fn kinds_are_told_apart() {
        let header = json!({"alg": "dir", "enc": "A256GCM"}).to_string();
        let encrypted = format!("{}.a.b.c.d", base64url::encode(header.as_bytes()));
        for (text, kind) in [
            (
                token(&json!({}), &json!({"iss": LEGACY_ISSUER})),
                "LegacyServiceAccountToken",
            ),
            (
                token(&json!({"alg": "RS256"}), &json!({"iss": "x"})),
                "JSONWebToken",
            ),
            (token(&json!({"alg": "RS256"}), &json!([1])), "JSONWebToken"),
            (encrypted, "EncryptedToken"),
            ("07401b.f395accd246ae52d".to_owned(), "BootstrapToken"),
            ("07401b.f395accd246ae52D".to_owned(), "Opaque"),
            ("a.b.c".to_owned(), "Opaque"),
            (String::new(), "Opaque"),
        ] {
            assert_eq!(anatomy(&text, now()).kind, kind, "{text}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let header = json!({"alg": "HS256"});
        let says = anatomy(
            &token(&header, &json!({"nbf": seconds() + 61, "exp": seconds()})),
            now(),
        );
        assert_eq!(
            failures(&says),
            [
                ("algorithm", "token.algorithm-unsupported"),
                ("not-before", "token.not-yet-valid"),
                ("expiry", "token.expired"),
            ]
        );
        assert!(
            says.checks
                .iter()
                .all(|check| { check.advice.is_empty() == (check.result == "Passed") })
        );
    }

    #[test]
    fn only_service_account_tokens_get_leeway_at_their_end() {
        let bound = |exp: i64| failures_of(json!({"exp": exp, "kubernetes.io": {}}));
        let other = |exp: i64| failures_of(json!({"exp": exp}));
        fn failures_of(claims: Value) -> usize {
            failures(&web(claims)).len()
        }
        assert_eq!((bound(seconds() - 60), bound(seconds() - 61)), (0, 1));
        assert_eq!((other(seconds() + 1), other(seconds())), (0, 1));
        assert_eq!(failures_of(json!({})), 1);
        assert_eq!(failures_of(json!({"kubernetes.io": {}})), 0);
        assert_eq!(
            failures_of(json!({"kubernetes.io": {}, "iat": seconds() + 61})),
            1
        );
        assert_eq!(
            failures_of(json!({"exp": seconds() + 9, "iat": seconds() + 61})),
            0
        );
    }

    #[test]
    fn repeated_members_are_shown_and_refused() {
        let payload = base64url::encode(br#"{"sub":"a","sub":"b","exp":9999999999}"#);
        let header = base64url::encode(br#"{"alg":"ES256"}"#);
        let says = anatomy(&format!("{header}.{payload}.{SIGNATURE}"), now());
        assert_eq!(failures(&says), [("claims", "token.claims-invalid")]);
        assert_eq!(says.claims.unwrap()["sub"], "b");
    }

    #[test]
    fn times_are_read_in_every_form_and_milliseconds_are_remarked_on() {
        for (value, expected) in [
            (json!(1_767_225_600), "now"),
            (json!(1_767_225_600.9), "now"),
            (json!("1767225600"), "now"),
            (json!(1_767_225_600_000_i64), "in 9999y"),
        ] {
            let says = web(json!({"exp": value}));
            let seen = &says.times[0].relative;
            assert!(
                seen == expected || (says.remarks.len() == 1 && seen.starts_with("in ")),
                "{seen}"
            );
        }
        for value in [json!(null), json!(true), json!(1e300), json!("soon")] {
            assert!(web(json!({"exp": value})).times.is_empty());
        }
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        let web_token = token(&json!({"alg": "ES256"}), &json!({"sub": "jane"}));
        for (text, secret) in [
            (web_token.as_str(), SIGNATURE),
            ("07401b.f395accd246ae52d", "f395accd246ae52d"),
            ("an-opaque-token", "opaque"),
        ] {
            let says = anatomy(text, now());
            let shown = serde_json::to_string(&says).unwrap();
            assert!(!shown.contains(secret) && !shown.contains(text), "{shown}");
            assert!(!format!("{says:?}").contains(secret));
        }
        assert_eq!(anatomy("07401b.f395accd246ae52d", now()).token_id, "07401b");
    }

    #[test]
    fn what_cannot_be_a_token_any_more_fails_and_what_says_nothing_does_not() {
        let twice = token(&json!({"alg": "ES256"}), &json!({}));
        let twice = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, twice);
        for (text, expected) in [
            ("opaque-token", 0),
            ("opaque-token\n", 0),
            ("Bearer opaque", 1),
            (twice.as_str(), 1),
        ] {
            assert_eq!(failures(&anatomy(text, now())).len(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_read() {
        let says = web(json!({"sub": "x".repeat(MAX_TOKEN_LEN)}));
        assert_eq!((says.kind.as_str(), says.claims), ("Opaque", None));
        assert_eq!(says.checks[0].reason, "credential.malformed");
    }

    fn assert_concealed(token: &str, now: Timestamp) -> Result<(), TestCaseError> {
        let shown = serde_json::to_string(&anatomy(token, now)).unwrap();
        prop_assert!(!shown.contains(SIGNATURE), "{}", shown);
        prop_assert!(shown.len() < 20_000, "{}", shown.len());
        Ok(())
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart(text in ".{0,200}", seconds in -9_999_999_999_i64..99_999_999_999) {
            let now = Timestamp::from_second(seconds).unwrap();
            assert_concealed(&format!("{text}{SIGNATURE}"), now)?;
        }

        #[test]
        fn any_claims_are_taken_apart(header in "\\PC{0,40}", payload in "\\PC{0,80}", exp: i64) {
            let payload = [payload, format!("{{\"exp\":{exp}}}")];
            for payload in &payload {
                let [header, payload] = [&header, payload].map(|part| base64url::encode(part.as_bytes()));
                assert_concealed(&format!("{header}.{payload}.{SIGNATURE}"), Timestamp::MAX)?;
                let token = format!("eyJhbGciOiJub25lIn0.{payload}.{SIGNATURE}");
                assert_concealed(&token, Timestamp::MIN)?;
            }
        }
    }
}
