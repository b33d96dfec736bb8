//! The question and the answer: `TokenReview`, in both of its versions.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use burgee_authn::Audiences;
use burgee_identity::{Authenticated, Outcome, Reason, UserInfo};
use burgee_wire::decode;
use burgee_wire::encode::write_text;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::Error;

/// How much is kept of a text that the service wrote.
const MAX_MESSAGE_LEN: usize = 4096;

/// A version of `TokenReview`. Both look alike; a service speaks the one that it was set up for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ReviewVersion {
    /// `authentication.k8s.io/v1`.
    V1,
    /// `authentication.k8s.io/v1beta1`, the default of `--authentication-token-webhook-version`.
    #[default]
    V1beta1,
}

impl ReviewVersion {
    /// The version as flags have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1beta1 => "v1beta1",
        }
    }

    /// Group and version.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "authentication.k8s.io/v1",
            Self::V1beta1 => "authentication.k8s.io/v1beta1",
        }
    }

    /// Where an API server takes reviews of this version.
    #[must_use]
    pub const fn api_path(self) -> &'static str {
        match self {
            Self::V1 => "/apis/authentication.k8s.io/v1/tokenreviews",
            Self::V1beta1 => "/apis/authentication.k8s.io/v1beta1/tokenreviews",
        }
    }
}

impl FromStr for ReviewVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "v1" => Ok(Self::V1),
            "v1beta1" => Ok(Self::V1beta1),
            other => Err(Error::VersionUnsupported(other.to_owned())),
        }
    }
}

impl fmt::Display for ReviewVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The body that asks whose token this is, byte for byte as kube-apiserver writes it.
pub(crate) fn question(version: ReviewVersion, token: &str, audiences: &Audiences) -> String {
    // Room for all of it, so that growing leaves no copy of the token behind.
    let mut body = String::with_capacity(token.len() * 6 + 1024);
    body.push_str(r#"{"kind":"TokenReview","apiVersion":""#);
    body.push_str(version.api_version());
    body.push_str(r#"","metadata":{},"spec":{"#);
    if !token.is_empty() {
        body.push_str(r#""token":"#);
        write_text(&mut body, token);
    }
    for (index, audience) in audiences.as_slice().iter().enumerate() {
        body.push_str(match index {
            0 if token.is_empty() => r#""audiences":["#,
            0 => r#","audiences":["#,
            _ => ",",
        });
        write_text(&mut body, audience);
    }
    if !audiences.as_slice().is_empty() {
        body.push(']');
    }
    body.push_str("},\"status\":{\"user\":{}}}\n");
    body
}

/// What the service says of a token. Fields that are null are the same as absent.
#[derive(Clone, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub(crate) struct Judgement {
    #[serde(deserialize_with = "nullable")]
    authenticated: bool,
    #[serde(deserialize_with = "nullable")]
    user: User,
    #[serde(deserialize_with = "nullable")]
    audiences: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    error: String,
}

#[derive(Clone, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
struct User {
    #[serde(deserialize_with = "nullable")]
    username: String,
    #[serde(deserialize_with = "nullable")]
    uid: String,
    #[serde(deserialize_with = "nullable")]
    groups: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    extra: BTreeMap<String, Option<Vec<String>>>,
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads an answer, which must be a review of the version that was asked with. One that does not say what
/// it is is taken for that, as upstream does.
///
/// # Errors
/// A sentence that holds nothing of the answer but its kind.
pub(crate) fn read_answer(version: ReviewVersion, body: &[u8]) -> Result<Judgement, String> {
    let other = || "the answer is not a TokenReview".to_owned();
    // The parser's own message could quote the answer.
    let (value, doubled) = decode::parse(body).map_err(|_| other())?;
    let mut answer = match value {
        Value::Object(members) if doubled.is_empty() => members,
        _ => return Err(other()),
    };
    let mut text = |name| match answer.remove(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(other()),
    };
    let (kind, api_version) = (text("kind")?, text("apiVersion")?);
    let is_kind = matches!(kind.as_str(), "" | "TokenReview");
    if !is_kind || !(api_version.is_empty() || api_version == version.api_version()) {
        return Err(format!(
            "the answer is a {} of version {}, but a TokenReview of version {} was expected",
            burgee_wire::quoted(&shortened(kind, 64)),
            burgee_wire::quoted(&shortened(api_version, 64)),
            burgee_wire::quoted(version.api_version()),
        ));
    }
    let status = match answer.remove("status") {
        None | Some(Value::Null) => return Ok(Judgement::default()),
        Some(status) => status,
    };
    // To serde a list is as good a struct as an object is.
    let is_object = |value: &Value| value.is_null() || value.is_object();
    if !status.is_object() || !status.get("user").is_none_or(is_object) {
        return Err(other());
    }
    serde_json::from_value(status).map_err(|_| other())
}

impl Judgement {
    /// What it means for a caller that asks for these audiences. `own` are those of this server: what a
    /// service that knows nothing of audiences speaks for.
    pub(crate) fn decide(self, token: &str, wanted: &Audiences, own: &[String]) -> Outcome {
        let mut audiences = Vec::new();
        if let Some(wanted) = wanted.requested() {
            let got = match self.audiences.as_slice() {
                [] => own,
                got => got,
            };
            audiences.extend(got.iter().filter(|one| wanted.contains(one)).cloned());
            // Nothing else is looked at, not even why the token was refused.
            if audiences.is_empty() {
                return Outcome::NoOpinion(Reason::TokenAudienceMismatch);
            }
        }
        if !self.authenticated {
            return match self.error {
                error if error.is_empty() => Outcome::NoOpinion(Reason::TokenUnknown),
                error => Outcome::rejected(Reason::WebhookRefused, harmless(error, token)),
            };
        }
        let extra = self.user.extra.into_iter();
        let user = UserInfo {
            name: self.user.username,
            uid: self.user.uid,
            groups: self.user.groups,
            extra: extra
                .map(|(key, values)| (key, values.unwrap_or_default()))
                .collect(),
        };
        Outcome::Authenticated(Authenticated::new(user).for_audiences(audiences))
    }
}

/// A text of the service that may be shown: not with the token in it, and not of any length.
pub(crate) fn harmless(text: String, token: &str) -> String {
    if !token.is_empty() && text.contains(token) {
        return "the webhook's message is not shown because it holds the token".to_owned();
    }
    shortened(text, MAX_MESSAGE_LEN)
}

fn shortened(mut text: String, len: usize) -> String {
    let mut end = len.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANY: Audiences = Audiences::ANY;

    #[test]
    fn questions_are_upstreams_byte_for_byte() {
        assert_eq!(
            question(
                ReviewVersion::V1,
                "t<&>",
                &Audiences::of(["https://a", "b"])
            ),
            concat!(
                r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","metadata":{},"#,
                r#""spec":{"token":"t\u003c\u0026\u003e","audiences":["https://a","b"]},"#,
                r#""status":{"user":{}}}"#,
                "\n"
            )
        );
        assert_eq!(
            question(ReviewVersion::V1beta1, "t", &ANY),
            concat!(
                r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1beta1","metadata":{},"#,
                r#""spec":{"token":"t"},"status":{"user":{}}}"#,
                "\n"
            )
        );
        for audiences in [Audiences::ANY, Audiences::of(["a"])] {
            let body = question(ReviewVersion::V1, "", &audiences);
            assert!(
                serde_json::from_str::<serde_json::Value>(&body).is_ok(),
                "{body}"
            );
        }
    }

    #[test]
    fn a_version_that_does_not_exist_is_refused_in_upstreams_words() {
        assert_eq!("v1".parse::<ReviewVersion>().unwrap(), ReviewVersion::V1);
        assert_eq!(ReviewVersion::default(), "v1beta1".parse().unwrap());
        let error = "v2".parse::<ReviewVersion>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"unsupported authentication webhook version "v2", supported versions are "v1", "v1beta1""#
        );
    }

    fn decide(status: &str, wanted: &Audiences, own: &[&str]) -> Outcome {
        let body = format!(r#"{{"status":{status}}}"#);
        let own: Vec<String> = own.iter().map(|one| (*one).to_owned()).collect();
        read_answer(ReviewVersion::V1, body.as_bytes())
            .unwrap()
            .decide("tok3n", wanted, &own)
    }

    fn no_opinion(reason: Reason) -> Outcome {
        Outcome::NoOpinion(reason)
    }

    fn jane(audiences: &[&str]) -> Outcome {
        let audiences: Vec<String> = audiences.iter().map(|one| (*one).to_owned()).collect();
        let authenticated = Authenticated::new(UserInfo::named("jane"));
        Outcome::Authenticated(authenticated.for_audiences(audiences))
    }

    #[test]
    fn answers_mean_what_upstream_makes_of_them() {
        let yes = r#"{"authenticated":true,"user":{"username":"jane"}}"#;
        let aware =
            r#"{"authenticated":true,"user":{"username":"jane"},"audiences":["c","b","a"]}"#;
        let error = r#"{"error":"expired"}"#;
        let (mismatch, unknown) = (Reason::TokenAudienceMismatch, Reason::TokenUnknown);
        let refused = Outcome::rejected(Reason::WebhookRefused, "expired");
        let none = Audiences::of(Vec::<String>::new());
        let of = |audiences: &[&str]| Audiences::of(audiences.iter().copied());
        let table = [
            // Nobody asks for audiences: the service's and the server's do not matter.
            (yes, ANY, vec![], jane(&[])),
            (aware, ANY, vec!["z"], jane(&[])),
            (error, ANY, vec![], refused.clone()),
            ("{}", ANY, vec![], no_opinion(unknown)),
            ("null", ANY, vec![], no_opinion(unknown)),
            (
                r#"{"authenticated":false}"#,
                ANY,
                vec![],
                no_opinion(unknown),
            ),
            // The service knows of audiences: its order counts.
            (aware, of(&["a", "b"]), vec!["z"], jane(&["b", "a"])),
            (aware, of(&["x"]), vec!["x"], no_opinion(mismatch)),
            // It does not: the server's own count.
            (yes, of(&["a"]), vec!["b", "a"], jane(&["a"])),
            (yes, of(&["a"]), vec!["b"], no_opinion(mismatch)),
            (yes, of(&["a"]), vec![], no_opinion(mismatch)),
            // The audience is looked at before the error is.
            (error, of(&["a"]), vec!["a"], refused),
            (error, of(&["a"]), vec!["b"], no_opinion(mismatch)),
            // An empty list is a list.
            (yes, none, vec!["a"], no_opinion(mismatch)),
        ];
        for (status, wanted, own, expected) in table {
            assert_eq!(
                decide(status, &wanted, &own),
                expected,
                "{status} {wanted:?} {own:?}"
            );
        }
    }

    #[test]
    fn the_user_is_copied_as_it_is() {
        let status = r#"{"authenticated":true,"user":{"username":"","uid":"u","groups":["b","a","a"],"extra":{"K":["2","1"],"n":null},"colour":"red"},"shape":1}"#;
        let outcome = decide(status, &ANY, &[]);
        let user = outcome.user().unwrap();
        assert_eq!((user.name.as_str(), user.uid.as_str()), ("", "u"));
        assert_eq!(user.groups, ["b", "a", "a"]);
        assert_eq!(user.extra["K"], ["2", "1"]);
        assert!(user.extra["n"].is_empty());
        let nulls = r#"{"authenticated":true,"user":{"username":"a","uid":null,"groups":null,"extra":null},"audiences":null,"error":null}"#;
        assert_eq!(decide(nulls, &ANY, &[]).user().unwrap().name, "a");
    }

    #[test]
    fn an_answer_of_another_kind_or_version_is_none() {
        let table = [
            (
                r#"{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview"}"#,
                true,
            ),
            ("{}", true),
            (
                r#"{"apiVersion":"authentication.k8s.io/v1beta1","kind":"TokenReview"}"#,
                false,
            ),
            (
                r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SubjectAccessReview"}"#,
                false,
            ),
            (
                r#"{"apiVersion":"v1","kind":"Status","status":"Success"}"#,
                false,
            ),
            (r#"{"status":{"authenticated":"yes"}}"#, false),
            (
                r#"{"status":{"authenticated":false},"status":{"authenticated":true}}"#,
                false,
            ),
            (r#"{"status":{"authenticated":true}} x"#, false),
            (r#"{"status":[true]}"#, false),
            (
                r#"{"status":{"user":["jane"],"authenticated":true}}"#,
                false,
            ),
            (r#"{"kind":1}"#, false),
            ("[]", false),
            ("null", false),
            ("", false),
        ];
        for (body, good) in table {
            let answer = read_answer(ReviewVersion::V1, body.as_bytes());
            assert_eq!(answer.is_ok(), good, "{body}");
        }
    }

    #[test]
    fn what_the_service_writes_is_shown_within_bounds_and_without_the_token() {
        let refused = decide(r#"{"error":"no: tok3n is bad"}"#, &ANY, &[]);
        assert_eq!(refused.reason(), Some(Reason::WebhookRefused));
        assert!(!format!("{refused:?}").contains("tok3n"));
        let long = harmless("é".repeat(10_000), "tok3n");
        assert_eq!(long.len(), MAX_MESSAGE_LEN);
        let error = read_answer(ReviewVersion::V1, br#"{"status":"s3cr3t"}"#);
        assert!(!error.err().unwrap().contains("s3cr3t"));
    }

    proptest! {
        #[test]
        fn questions_are_json_that_says_what_was_asked(
            token in ".*", audiences in proptest::collection::vec(".*", 0..4),
        ) {
            let body = question(ReviewVersion::V1, &token, &Audiences::of(audiences.clone()));
            let value: Value = serde_json::from_str(&body).unwrap();
            let spec: burgee_wire::authentication::TokenReviewSpec =
                serde_json::from_value(value["spec"].clone()).unwrap();
            prop_assert_eq!((spec.token, spec.audiences), (token, audiences));
        }

        #[test]
        fn no_answer_says_yes_without_saying_so(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(judgement) = read_answer(ReviewVersion::V1, &body) {
                let outcome = judgement.decide("t", &ANY, &[]);
                let says_so = body.windows(4).any(|four| four == b"true");
                prop_assert!(says_so || outcome.user().is_none());
            }
        }
    }
}
