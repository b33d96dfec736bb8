//! Typed views of the kinds of `authentication.burgee.dev/v1alpha1`: why a credential counts, or does
//! not.
//!
//! What the members mean stands in `schema/explanation.schema`, which is also what `kubectl explain`
//! shows. Results and kinds are texts here, so that an older client can show what a newer server says.

use std::fmt;

use burgee_identity::{Check, CheckResult, Reason, UserInfo};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rbac::or_default;
use crate::{ObjectMeta, Time};

/// The API group of explanations.
pub const GROUP: &str = "authentication.burgee.dev";

/// The version of the API group.
pub const VERSION: &str = "v1alpha1";

/// Where explanations are asked for.
pub const PATH: &str = "/apis/authentication.burgee.dev/v1alpha1/tokenexplanations";

/// Asks why a credential is accepted or refused.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenExplanation {
    /// Standard metadata.
    #[serde(deserialize_with = "or_default")]
    pub metadata: ObjectMeta,
    /// The question.
    #[serde(deserialize_with = "or_default")]
    pub spec: TokenExplanationSpec,
    /// The answer; the server owns all of it.
    #[serde(deserialize_with = "or_default")]
    pub status: TokenExplanationStatus,
}

/// The credential in question: exactly one of token, certificate and audit id. `Debug` shows none.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenExplanationSpec {
    /// A bearer token.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub token: String,
    /// A chain of certificates in PEM, the client's first.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub certificate: String,
    /// The audit id of a request that was refused.
    #[serde(
        rename = "auditID",
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub audit_id: String,
    /// Audiences of which the token must be for one; empty means the server's own.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
}

impl fmt::Debug for TokenExplanationSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenExplanationSpec")
            .field("audit_id", &self.audit_id)
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}

/// Why a credential is accepted or refused. Holds no credential.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenExplanationStatus {
    /// Whether a request with it would be authenticated.
    pub authenticated: bool,
    /// Who its holder is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserInfo>,
    /// Those of the asked audiences that it is good for.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// The code of a `burgee_identity::Reason`, if it is refused.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub reason: String,
    /// Why it is refused, as a TokenReview says it.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub error: String,
    /// What to do about it.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub advice: String,
    /// What it says by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialAnatomy>,
    /// What each authenticator says, in the order in which they are asked.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub authenticators: Vec<AuthenticatorOutcome>,
    /// The refused requests with the audit id, the latest first.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<RecordedRefusal>,
}

/// What one authenticator says.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthenticatorOutcome {
    /// Its name.
    pub name: String,
    /// `Authenticated`, `NoOpinion`, `Rejected` or `NotAsked`.
    pub result: String,
    /// The code of why not.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub reason: String,
    /// Why not, in the words of the log.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub message: String,
    /// What to do about it.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub advice: String,
    /// Whom it takes the credential for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserInfo>,
    /// Those of the asked audiences that the credential is good for.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// Its checks, in the order in which they decide.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckOutcome>,
}

/// How one check went.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckOutcome {
    /// What is checked.
    pub name: String,
    /// `Passed`, `Failed` or `Skipped`.
    pub result: String,
    /// The code of a failure.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub reason: String,
    /// What was found.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub detail: String,
    /// What to do about a failure.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub advice: String,
}

impl From<Check> for CheckOutcome {
    fn from(check: Check) -> Self {
        let (result, reason) = match check.result {
            CheckResult::Passed => ("Passed", None),
            CheckResult::Failed(reason) => ("Failed", Some(reason)),
            CheckResult::Skipped => ("Skipped", None),
        };
        Self {
            name: check.name.to_owned(),
            result: result.to_owned(),
            reason: reason.map(Reason::code).unwrap_or_default().to_owned(),
            detail: check.detail.into_owned(),
            advice: reason.map(Reason::advice).unwrap_or_default().to_owned(),
        }
    }
}

/// What a credential says by itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CredentialAnatomy {
    /// What it is, such as `ServiceAccountToken`.
    pub kind: String,
    /// Whether it was verified who says all this.
    pub verified: bool,
    /// Its length in bytes.
    pub length: i64,
    /// The header of a JSON Web Token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<Value>,
    /// The claims of a JSON Web Token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Value>,
    /// The points in time that it names.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<TimeAnatomy>,
    /// The public part of a bootstrap token.
    #[serde(
        rename = "tokenID",
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub token_id: String,
    /// The certificates, the client's first.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateAnatomy>,
    /// What can be checked without knowing any key or object.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckOutcome>,
    /// What looks like an accident on its way here.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// A point in time that a credential names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TimeAnatomy {
    /// The claim or member that names it.
    pub name: String,
    /// The instant.
    pub time: Time,
    /// The instant seen from now.
    pub relative: String,
}

/// What a certificate says.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateAnatomy {
    /// Whom it is for.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The number that the issuer gave it, in hexadecimal digits.
    pub serial_number: String,
    /// SHA-256 of the whole, in hexadecimal digits.
    pub fingerprint: String,
    /// What it may be used for; empty for anything.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub usages: Vec<String>,
    /// Whether it may sign other certificates.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub authority: bool,
    /// When it begins and ends.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<TimeAnatomy>,
}

/// A request that was answered with 401.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedRefusal {
    /// When it was refused.
    pub time: Time,
    /// The audit id that the answer carried.
    #[serde(rename = "auditID")]
    pub audit_id: String,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The HTTP method.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The kinds of credentials that it carried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempted: Vec<String>,
    /// Why each was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<RefusalReason>,
}

/// Why a credential was refused.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusalReason {
    /// The code of the reason.
    pub reason: String,
    /// The words of the log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

impl RefusalReason {
    /// A reason with its words and advice.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason: reason.code().to_owned(),
            message: message.into(),
            advice: reason.advice().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::schema;
    use crate::{decode, encode};

    fn example() -> TokenExplanation {
        let time: Time = "2026-01-01T00:00:00Z".parse().unwrap();
        let times = vec![TimeAnatomy {
            name: "exp".into(),
            time,
            relative: "in 59m".into(),
        }];
        let check = CheckOutcome {
            name: "expiry".into(),
            result: "Failed".into(),
            reason: "token.expired".into(),
            detail: "d".into(),
            advice: "a".into(),
        };
        TokenExplanation {
            metadata: ObjectMeta::default(),
            spec: TokenExplanationSpec {
                audit_id: "id".into(),
                audiences: vec!["api".into()],
                ..TokenExplanationSpec::default()
            },
            status: TokenExplanationStatus {
                authenticated: true,
                user: Some(UserInfo::named("jane")),
                audiences: vec!["api".into()],
                reason: "token.expired".into(),
                error: "e".into(),
                advice: "a".into(),
                credential: Some(CredentialAnatomy {
                    kind: "JSONWebToken".into(),
                    verified: true,
                    length: 3,
                    header: Some(serde_json::json!({"alg": "ES256"})),
                    claims: Some(serde_json::json!({"aud": ["api"]})),
                    times: times.clone(),
                    token_id: "07401b".into(),
                    certificates: vec![CertificateAnatomy {
                        subject: "CN=jane".into(),
                        issuer: "CN=ca".into(),
                        serial_number: "01".into(),
                        fingerprint: "ab".into(),
                        usages: vec!["client authentication".into()],
                        authority: true,
                        times,
                    }],
                    checks: vec![check.clone()],
                    remarks: vec!["r".into()],
                }),
                authenticators: vec![AuthenticatorOutcome {
                    name: "x509".into(),
                    result: "Rejected".into(),
                    reason: "token.expired".into(),
                    message: "m".into(),
                    advice: "a".into(),
                    user: Some(UserInfo::named("jane")),
                    audiences: vec!["api".into()],
                    checks: vec![check],
                }],
                refusals: vec![RecordedRefusal {
                    time,
                    audit_id: "id".into(),
                    address: "192.0.2.1:4".into(),
                    method: "GET".into(),
                    path: "/api".into(),
                    attempted: vec!["bearer".into()],
                    reasons: vec![RefusalReason {
                        reason: "token.expired".into(),
                        message: "m".into(),
                        advice: "a".into(),
                    }],
                }],
            },
        }
    }

    #[test]
    fn the_views_and_the_schema_have_the_same_members() {
        let kind = schema()
            .find("dev.burgee.authentication.v1alpha1.TokenExplanation")
            .unwrap();
        let value = serde_json::to_value(example()).unwrap();
        let decoded = decode::conform(value.clone(), kind).unwrap();
        assert!(decoded.problems.is_empty(), "{:?}", decoded.problems);
        let json = encode::to_string(&decoded.value, kind);
        let read: TokenExplanation = serde_json::from_str(&json).unwrap();
        assert_eq!(read, example());
    }

    #[test]
    fn a_failed_check_comes_with_advice() {
        let failed = CheckOutcome::from(Check::failed("expiry", Reason::TokenExpired, "late"));
        assert_eq!(
            (failed.result.as_str(), failed.reason.as_str()),
            ("Failed", "token.expired")
        );
        assert_eq!(failed.advice, Reason::TokenExpired.advice());
        let passed = CheckOutcome::from(Check::passed("expiry", ""));
        assert_eq!(
            (passed.result.as_str(), passed.advice.as_str()),
            ("Passed", "")
        );
    }

    #[test]
    fn a_question_has_no_answer_yet() {
        let read: TokenExplanation =
            serde_json::from_str(r#"{"spec":{"token":"t","audiences":null},"status":null}"#)
                .unwrap();
        assert_eq!(read.spec.token, "t");
        assert_eq!(read.status, TokenExplanationStatus::default());
    }

    #[test]
    fn credentials_do_not_print() {
        let spec = TokenExplanationSpec {
            token: "s3cr3t".into(),
            certificate: "s3cr3t".into(),
            ..TokenExplanationSpec::default()
        };
        assert!(!format!("{spec:?}").contains("s3cr3t"));
    }
}
