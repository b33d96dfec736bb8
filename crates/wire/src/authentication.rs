//! Typed views of the kinds of `authentication.k8s.io/v1`: tokens asked for, and whose they are.

use std::collections::BTreeMap;
use std::fmt;

use burgee_identity::UserInfo;
use serde::{Deserialize, Serialize};

use crate::rbac::or_default;
use crate::{ObjectMeta, Time};

/// The API group of tokens and their reviews.
pub const GROUP: &str = "authentication.k8s.io";

/// Asks for a token of a service account, by its `token` subresource.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenRequest {
    /// Standard metadata. In a request, name, namespace and uid may be given and must then be those
    /// of the service account.
    #[serde(deserialize_with = "or_default")]
    pub metadata: ObjectMeta,
    /// What the token should be like.
    #[serde(deserialize_with = "or_default")]
    pub spec: TokenRequestSpec,
    /// The token.
    #[serde(deserialize_with = "or_default")]
    pub status: TokenRequestStatus,
}

/// What a requested token should be like.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenRequestSpec {
    /// Whom the token is for; empty means the server itself.
    #[serde(deserialize_with = "or_default")]
    pub audiences: Vec<String>,
    /// Lifetime in seconds; absent means the server's default.
    pub expiration_seconds: Option<i64>,
    /// The object that the token dies with.
    pub bound_object_ref: Option<BoundObjectReference>,
    /// Facts that the server is to attest to, as values by key.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub attestations: BTreeMap<String, Vec<String>>,
}

/// The object that a token dies with.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BoundObjectReference {
    /// `Pod`, `Secret` or `Node`.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub kind: String,
    /// Group and version of the kind.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub api_version: String,
    /// Name of the object.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub name: String,
    /// UID of the object; when given, the present object must have it.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub uid: String,
}

/// The token that was issued.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenRequestStatus {
    /// The token itself. `Debug` does not show it.
    #[serde(deserialize_with = "or_default")]
    pub token: String,
    /// When a holder should take it to end. The token may live longer.
    pub expiration_timestamp: Option<Time>,
}

impl fmt::Debug for TokenRequestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequestStatus")
            .field("expiration_timestamp", &self.expiration_timestamp)
            .finish_non_exhaustive()
    }
}

/// Asks whose token this is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenReview {
    /// Standard metadata.
    #[serde(deserialize_with = "or_default")]
    pub metadata: ObjectMeta,
    /// The question.
    #[serde(deserialize_with = "or_default")]
    pub spec: TokenReviewSpec,
    /// The answer; the server owns all of it.
    #[serde(deserialize_with = "or_default")]
    pub status: TokenReviewStatus,
}

/// The token in question.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenReviewSpec {
    /// The token itself. `Debug` does not show it.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub token: String,
    /// Names of whoever received it; empty means the server's own.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
}

impl fmt::Debug for TokenReviewSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenReviewSpec")
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}

/// Whose token it is.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenReviewStatus {
    /// Whether it is a known user's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub authenticated: bool,
    /// The user; empty when there is none, but always written.
    #[serde(deserialize_with = "or_default")]
    pub user: UserInfo,
    /// Those of the asked audiences that the token is good for.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// Why it was refused or could not be checked.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub error: String,
}

/// Asks the server who it takes the caller for.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SelfSubjectReview {
    /// Standard metadata.
    #[serde(deserialize_with = "or_default")]
    pub metadata: ObjectMeta,
    /// The answer.
    #[serde(deserialize_with = "or_default")]
    pub status: SelfSubjectReviewStatus,
}

/// Who the server takes the caller for.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SelfSubjectReviewStatus {
    /// The caller, after impersonation if there was one.
    #[serde(deserialize_with = "or_default")]
    pub user_info: UserInfo,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::schema;
    use crate::{decode, encode};
    use serde_json::json;

    fn kind(name: &str) -> crate::schema::StructRef {
        schema()
            .find(&format!("io.k8s.api.authentication.v1.{name}"))
            .unwrap()
    }

    #[test]
    fn a_token_request_writes_what_kubelets_rely_on() {
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec!["a".into()],
                expiration_seconds: Some(3600),
                ..TokenRequestSpec::default()
            },
            status: TokenRequestStatus {
                token: "t".into(),
                expiration_timestamp: Some("2026-01-01T01:00:00Z".parse().unwrap()),
            },
            ..TokenRequest::default()
        };
        let value = serde_json::to_value(&request).unwrap();
        assert_eq!(
            encode::to_string(&value, kind("TokenRequest")),
            r#"{"metadata":{},"spec":{"audiences":["a"],"expirationSeconds":3600,"boundObjectRef":null},"status":{"token":"t","expirationTimestamp":"2026-01-01T01:00:00Z"}}"#
        );
    }

    #[test]
    fn a_token_review_always_writes_its_user() {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: "bad".into(),
                audiences: vec![],
            },
            status: TokenReviewStatus {
                error: "e".into(),
                ..TokenReviewStatus::default()
            },
            ..TokenReview::default()
        };
        let value = serde_json::to_value(&review).unwrap();
        assert_eq!(
            encode::to_string(&value, kind("TokenReview")),
            r#"{"metadata":{},"spec":{"token":"bad"},"status":{"user":{},"error":"e"}}"#
        );
    }

    #[test]
    fn what_the_schema_decodes_the_views_read() {
        let body = br#"{"spec":{"audiences":null,"expirationSeconds":null,"boundObjectRef":{"kind":"Pod","name":"p"}},"status":null}"#;
        let decoded = decode::from_slice(body, kind("TokenRequest")).unwrap();
        let request: TokenRequest = serde_json::from_value(decoded.value).unwrap();
        let reference = request.spec.bound_object_ref.unwrap();
        assert_eq!(
            (reference.kind.as_str(), reference.name.as_str()),
            ("Pod", "p")
        );
        assert_eq!(
            (
                request.spec.expiration_seconds,
                request.spec.audiences.len()
            ),
            (None, 0)
        );

        let review: SelfSubjectReview =
            serde_json::from_value(json!({"status": {"userInfo": {"username": "jane"}}})).unwrap();
        assert_eq!(review.status.user_info.name, "jane");
    }

    #[test]
    fn tokens_do_not_print() {
        let status = TokenRequestStatus {
            token: "s3cr3t".into(),
            ..TokenRequestStatus::default()
        };
        let spec = TokenReviewSpec {
            token: "s3cr3t".into(),
            ..TokenReviewSpec::default()
        };
        assert!(!format!("{status:?}{spec:?}").contains("s3cr3t"));
    }
}
