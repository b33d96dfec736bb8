//! What a service-account token says.

use std::fmt;

use burgee_jose::json;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The claims of a bound service-account token.
///
/// The order of the members is the byte order of their names, at every level, which is the order that
/// kube-apiserver writes them in.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Claims {
    /// Whom the token is for. May be a single text instead of a list when read.
    #[serde(
        deserialize_with = "one_or_many",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub aud: Vec<String>,
    /// End, in seconds since 1970.
    #[serde(deserialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// When it was issued, in seconds since 1970.
    #[serde(deserialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Who issued it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub iss: String,
    /// The token's own id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub jti: String,
    /// What Kubernetes adds.
    #[serde(rename = "kubernetes.io")]
    pub kubernetes: KubernetesClaims,
    /// Beginning, in seconds since 1970.
    #[serde(deserialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// The user name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub: String,
}

/// The claim `kubernetes.io`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct KubernetesClaims {
    /// Namespace of the service account.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The node that the token is bound to, or that its pod runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<ObjectClaim>,
    /// The pod that the token is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<ObjectClaim>,
    /// The secret that the token is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<ObjectClaim>,
    /// The service account.
    #[serde(rename = "serviceaccount")]
    pub service_account: ObjectClaim,
    /// From when on whoever uses the token should have had a newer one.
    #[serde(deserialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub warnafter: Option<i64>,
}

/// An object as a token names it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct ObjectClaim {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its uid; unknown when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

impl ObjectClaim {
    /// An object by name and uid.
    #[must_use]
    pub fn new(name: impl Into<String>, uid: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            uid: uid.into(),
        }
    }
}

impl Claims {
    /// The payload of a token: compact JSON as Go writes it.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, integers and structs of them cannot fail to serialise.
        json::to_string(self).unwrap_or_default()
    }

    /// Reads the payload of a token whose signature was verified.
    ///
    /// # Errors
    ///
    /// When it is no JSON by the strict rules of [`json::from_slice`], or a claim has a wrong type.
    pub fn from_json(payload: &[u8]) -> Result<Self, burgee_jose::Error> {
        json::from_slice(payload)
    }

    /// The user name of a service account.
    #[must_use]
    pub fn subject(namespace: &str, name: &str) -> String {
        format!("system:serviceaccount:{namespace}:{name}")
    }
}

/// A list of texts, or one text.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Texts;

    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of texts")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }

    deserializer.deserialize_any(Texts)
}

/// A number of seconds, of which the fraction is dropped.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    struct Seconds;

    impl Visitor<'_> for Seconds {
        type Value = Option<i64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of seconds")
        }

        fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
            Ok(Some(value))
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
            i64::try_from(value).map(Some).map_err(E::custom)
        }

        #[allow(
            clippy::cast_possible_truncation,
            reason = "the range is checked, the fraction goes"
        )]
        fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
            // 2^63 is the first number beyond; every smaller double fits.
            const END: f64 = 9_223_372_036_854_775_808.0;
            if (-END..END).contains(&value) {
                Ok(Some(value.trunc() as i64))
            } else {
                Err(E::custom("number of seconds out of range"))
            }
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOKEN_A: &str = r#"{"aud":["https://kubernetes.default.svc.cluster.local"],"exp":1767229200,"iat":1767225600,"iss":"https://kubernetes.default.svc.cluster.local","jti":"1f0c7a52-6a1e-4a53-9d7e-0c6f2f1f7b3a","kubernetes.io":{"namespace":"team-a","serviceaccount":{"name":"builder","uid":"8a3b1c5e-5a0e-4b43-9a3e-6a6f8b0f2d11"}},"nbf":1767225600,"sub":"system:serviceaccount:team-a:builder"}"#;
    const TOKEN_B: &str = r#"{"aud":["https://kubernetes.default.svc.cluster.local"],"exp":1798761600,"iat":1767225600,"iss":"https://kubernetes.default.svc.cluster.local","jti":"5d1e3a0c-93a4-4f5f-8f0b-7b9a3c1d2e4f","kubernetes.io":{"namespace":"team-a","node":{"name":"node-1","uid":"d00d0000-0000-4000-8000-000000000002"},"pod":{"name":"web-0","uid":"c0ffee00-0000-4000-8000-000000000001"},"serviceaccount":{"name":"builder","uid":"8a3b1c5e-5a0e-4b43-9a3e-6a6f8b0f2d11"},"warnafter":1767229207},"nbf":1767225600,"sub":"system:serviceaccount:team-a:builder"}"#;

    fn parse(text: &str) -> Result<Claims, burgee_jose::Error> {
        Claims::from_json(text.as_bytes())
    }

    #[test]
    fn the_worked_examples_come_back_byte_for_byte() {
        for text in [TOKEN_A, TOKEN_B] {
            let claims = parse(text).unwrap();
            assert_eq!(claims.to_json(), text);
        }
    }

    #[test]
    fn characters_that_html_gives_a_meaning_are_escaped_as_in_go() {
        let claims = Claims {
            aud: vec!["<a>&\u{2028}\u{2029}é\"".into()],
            ..Claims::default()
        };
        let json = claims.to_json();
        assert!(
            json.starts_with(r#"{"aud":["\u003ca\u003e\u0026\u2028\u2029é\""],"#),
            "{json}"
        );
    }

    #[test]
    fn audiences_are_a_text_or_a_list_and_times_are_any_number() {
        assert_eq!(parse(r#"{"aud":"a"}"#).unwrap().aud, ["a"]);
        assert_eq!(parse(r#"{"aud":["a","b"]}"#).unwrap().aud, ["a", "b"]);
        assert!(parse(r#"{"aud":1}"#).is_err() && parse(r#"{"aud":["a",1]}"#).is_err());
        for (text, expected) in [
            ("1767225600", Some(1_767_225_600)),
            ("1767225600.9", Some(1_767_225_600)),
            ("-1.5", Some(-1)),
            ("1e3", Some(1000)),
            ("null", None),
        ] {
            assert_eq!(
                parse(&format!(r#"{{"exp":{text}}}"#)).unwrap().exp,
                expected,
                "{text}"
            );
        }
        for text in ["\"1\"", "1e300", "true", "[]", "18446744073709551615"] {
            assert!(parse(&format!(r#"{{"exp":{text}}}"#)).is_err(), "{text}");
        }
    }

    #[test]
    fn repeated_and_otherwise_spelled_members_do_not_count() {
        assert!(parse(r#"{"iss":"a","iss":"b"}"#).is_err());
        assert!(parse(r#"{"x":{"y":1,"y":1}}"#).is_err());
        assert_eq!(parse(r#"{"ISS":"a"}"#).unwrap().iss, "");
    }

    proptest! {
        #[test]
        fn claims_survive_their_json(aud: Vec<String>, iss: String, exp: Option<i64>, name: String, pod: Option<(String, String)>) {
            let claims = Claims {
                aud, iss, exp,
                kubernetes: KubernetesClaims {
                    pod: pod.map(|(name, uid)| ObjectClaim { name, uid }),
                    service_account: ObjectClaim::new(name, ""),
                    ..KubernetesClaims::default()
                },
                ..Claims::default()
            };
            let json = claims.to_json();
            prop_assert!(!json.contains(['<', '>', '&']));
            prop_assert_eq!(parse(&json).unwrap(), claims);
        }
    }
}
