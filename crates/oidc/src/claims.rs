//! The claims of a token, and what of them every token has.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use burgee_https::explain;
use burgee_identity::{Reason, Rejection, Secret};
use burgee_jose::{base64url, json};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The longest token that is taken apart, in bytes: 16 KiB.
pub const MAX_TOKEN_LEN: usize = 16 * 1024;

/// How Google's tokens may name their issuer, and what that means.
const GOOGLE: (&str, &str) = ("accounts.google.com", "https://accounts.google.com");

/// A token's claims, read but not verified.
///
/// Names are compared exactly, and no object may repeat a member, so nobody can have read other claims in
/// the same token.
#[derive(Clone)]
pub struct Claims {
    all: Map<String, Value>,
    pub(crate) issuer: String,
    pub(crate) audience: Vec<String>,
    /// Seconds since 1970.
    pub(crate) expiry: Option<i64>,
    /// Seconds since 1970.
    pub(crate) not_before: Option<i64>,
    /// Which source has which claim.
    names: BTreeMap<String, String>,
    sources: BTreeMap<String, Source>,
}

/// Where claims are that the token does not hold itself (OpenID Connect Core 1.0, section 5.6.2).
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Empty for claims that are aggregated, not distributed.
    pub(crate) endpoint: String,
    pub(crate) access_token: Option<Secret>,
}

/// The payload of a token of three parts, decoded; nothing else is looked at.
pub(crate) fn unverified_payload(token: &str) -> Option<Vec<u8>> {
    if token.len() > MAX_TOKEN_LEN {
        return None;
    }
    let mut parts = token.split('.');
    let (_, Some(payload), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    base64url::decode(payload)
}

/// The issuer that a payload names.
pub(crate) fn unverified_issuer(payload: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Members<'a> {
        #[serde(borrow)]
        iss: Cow<'a, str>,
    }

    // An array could pass for the members of a struct.
    if payload.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let members: Members<'_> = serde_json::from_slice(payload).ok()?;
    Some(canonical_issuer(members.iss))
}

fn canonical_issuer(issuer: Cow<'_, str>) -> Cow<'_, str> {
    if issuer == GOOGLE.0 {
        GOOGLE.1.into()
    } else {
        issuer
    }
}

impl Claims {
    /// Reads the payload of a token.
    ///
    /// # Errors
    /// A rejection with the text that kube-apiserver has for a claim of a wrong type; it names the claim
    /// and the types, never the value.
    pub fn from_json(payload: &[u8]) -> Result<Self, Rejection> {
        let all: Map<String, Value> =
            json::from_slice(payload).map_err(|error| unusable(&explain(&error)))?;
        let members = Members(&all);
        for unused in ["sub", "nonce", "at_hash"] {
            members.text(unused)?;
        }
        members.time("iat")?;
        let not_before = match all.get("nbf") {
            Some(Value::Null) => None,
            _ => members.time("nbf")?,
        };
        let claims = Self {
            issuer: canonical_issuer(members.text("iss")?.into()).into_owned(),
            audience: members.audience()?,
            expiry: members.time("exp")?,
            not_before,
            names: members.names()?,
            sources: members.sources()?,
            all,
        };
        for source in claims.names.values() {
            let missing = if source.is_empty() {
                "oidc: failed to obtain source from claim name"
            } else if claims.sources.contains_key(source) {
                continue;
            } else {
                "oidc: source does not exist"
            };
            let reason = Reason::TokenDistributedClaimsFailed;
            return Err(Rejection::new(reason, missing));
        }
        Ok(claims)
    }

    /// A claim, if it is there.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.all.get(name)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &Map<String, Value> {
        &self.all
    }

    /// Where a claim is that is not here, if the token says so.
    pub(crate) fn source(&self, claim: &str) -> Option<&Source> {
        if self.all.contains_key(claim) {
            return None;
        }
        let source = self.sources.get(self.names.get(claim)?)?;
        Some(source).filter(|source| !source.endpoint.is_empty())
    }

    /// Adds a claim that was elsewhere.
    pub(crate) fn add(&mut self, claim: String, value: Value) {
        self.all.insert(claim, value);
    }

    /// Takes a claim out.
    pub(crate) fn take(&mut self, claim: &str) -> Option<Value> {
        self.all.remove(claim)
    }
}

impl fmt::Debug for Claims {
    /// Claims are about people, and may hold tokens for other places: only their names are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all.keys()).finish()
    }
}

/// The name that Go's decoder has for the type of a value.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "array",
        Value::Bool(_) => "bool",
        Value::Null => "null",
        Value::Number(_) => "number",
        Value::Object(_) => "object",
        Value::String(_) => "string",
    }
}

/// What Go's decoder says of a value of a wrong type.
pub(crate) fn cannot_unmarshal(value: &Value, into: &str) -> String {
    let found = type_name(value);
    format!("json: cannot unmarshal {found} into Go value of type {into}")
}

fn unusable(what: &str) -> Rejection {
    let message = format!("oidc: failed to unmarshal claims: {what}");
    Rejection::new(Reason::TokenClaimsInvalid, message)
}

fn wrong_type(claim: &str, value: &Value, wanted: &str) -> Rejection {
    let found = type_name(value);
    unusable(&format!(
        "json: cannot unmarshal {found} into Go struct field idToken.{claim} of type {wanted}"
    ))
}

/// The members that are looked at in every token.
struct Members<'a>(&'a Map<String, Value>);

impl Members<'_> {
    /// Empty when it is not there, or null.
    fn text(&self, claim: &str) -> Result<String, Rejection> {
        match self.0.get(claim) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(wrong_type(claim, other, "string")),
        }
    }

    fn audience(&self) -> Result<Vec<String>, Rejection> {
        let element = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            other => Err(wrong_type("aud", other, "string")),
        };
        match self.0.get("aud") {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(element).collect(),
            Some(one) => Ok(vec![element(one)?]),
        }
    }

    /// Seconds since 1970: a number whose fraction is cut off, or one in quotes.
    fn time(&self, claim: &str) -> Result<Option<i64>, Rejection> {
        let Some(value) = self.0.get(claim) else {
            return Ok(None);
        };
        let number = match value {
            Value::Number(number) => Some(number.clone()),
            Value::String(text) => serde_json::from_str(text).ok(),
            _ => None,
        };
        match number.as_ref().and_then(whole_seconds) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(wrong_type(claim, value, "oidc.jsonTime")),
        }
    }

    fn names(&self) -> Result<BTreeMap<String, String>, Rejection> {
        const CLAIM: &str = "_claim_names";
        let mut names = BTreeMap::new();
        for (name, source) in self.object(CLAIM)?.into_iter().flatten() {
            match source {
                Value::Null => names.insert(name.clone(), String::new()),
                Value::String(source) => names.insert(name.clone(), source.clone()),
                other => return Err(wrong_type(CLAIM, other, "string")),
            };
        }
        Ok(names)
    }

    fn sources(&self) -> Result<BTreeMap<String, Source>, Rejection> {
        const CLAIM: &str = "_claim_sources";
        let mut sources = BTreeMap::new();
        for (name, source) in self.object(CLAIM)?.into_iter().flatten() {
            let empty = Map::new();
            let members = Members(match source {
                Value::Null => &empty,
                Value::Object(members) => members,
                other => return Err(wrong_type(CLAIM, other, "oidc.claimSource")),
            });
            let access_token = members.text("access_token")?;
            let source = Source {
                endpoint: members.text("endpoint")?,
                access_token: Some(Secret::from(access_token)).filter(|token| !token.is_empty()),
            };
            sources.insert(name.clone(), source);
        }
        Ok(sources)
    }

    fn object(&self, claim: &str) -> Result<Option<&Map<String, Value>>, Rejection> {
        match self.0.get(claim) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(other) => Err(wrong_type(claim, other, "map[string]string")),
        }
    }
}

/// Cuts a fraction off. Numbers that are no time at all are nothing.
fn whole_seconds(number: &serde_json::Number) -> Option<i64> {
    if let Some(seconds) = number.as_i64() {
        return Some(seconds);
    }
    let seconds = number.as_f64()?.trunc();
    // Beyond this, floating-point numbers are not whole seconds any more.
    let exact = seconds.abs() <= 9_007_199_254_740_992.0;
    // The value is a whole number within the range of the target.
    #[allow(clippy::cast_possible_truncation)]
    exact.then_some(seconds as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claims(json: &str) -> Result<Claims, Rejection> {
        Claims::from_json(json.as_bytes())
    }

    #[test]
    fn only_a_token_of_three_short_parts_has_a_payload() {
        assert_eq!(unverified_payload("a.e30.b").unwrap(), b"{}");
        for token in [
            "",
            "e30",
            "a.e30",
            "a.e30.b.c",
            "....",
            "a.e30=.b",
            "a.e31.b",
        ] {
            assert_eq!(unverified_payload(token), None, "{token}");
        }
        let long = format!("a.e30.{}", "b".repeat(MAX_TOKEN_LEN));
        assert_eq!(unverified_payload(&long), None);
    }

    #[test]
    fn the_issuer_is_found_without_reading_the_rest() {
        let issuer = |json: &'static str| unverified_issuer(json.as_bytes());
        assert_eq!(issuer(r#"{"a":{"b":[1]},"iss":"x"}"#).unwrap(), "x");
        assert_eq!(issuer(r#" {"iss":"\u0078"}"#).unwrap(), "x");
        assert_eq!(
            issuer(r#"{"iss":"accounts.google.com"}"#).unwrap(),
            "https://accounts.google.com"
        );
        for json in [
            "",
            "{}",
            r#"["x"]"#,
            r#""x""#,
            r#"{"iss":1}"#,
            r#"{"iss":["x"]}"#,
            r#"{"ISS":"x"}"#,
            r#"{"iss":"x","iss":"y"}"#,
            r#"{"iss":"x"} {}"#,
        ] {
            assert_eq!(issuer(json), None, "{json}");
        }
    }

    #[test]
    fn times_are_numbers_with_or_without_fraction_or_quotes() {
        for (json, seconds) in [
            ("12", 12),
            ("12.9", 12),
            ("-1.5", -1),
            ("1.2e1", 12),
            (r#""12""#, 12),
            (r#""12.9""#, 12),
            ("0", 0),
            ("9223372036854775807", i64::MAX),
        ] {
            let read = claims(&format!(r#"{{"exp":{json},"nbf":{json}}}"#)).unwrap();
            assert_eq!(read.expiry, Some(seconds), "{json}");
            assert_eq!(read.not_before, Some(seconds), "{json}");
        }
        for json in [
            "null",
            "true",
            "[]",
            "{}",
            r#""""#,
            r#""x""#,
            r#""1 2""#,
            r#""null""#,
            "1e300",
            "-1e300",
            "9223372036854775808",
        ] {
            let error = claims(&format!(r#"{{"exp":{json}}}"#)).unwrap_err();
            assert_eq!(error.reason, Reason::TokenClaimsInvalid, "{json}");
        }
        assert_eq!(claims(r#"{"nbf":null}"#).unwrap().not_before, None);
        assert!(claims(r#"{"iat":"x"}"#).is_err());
    }

    #[test]
    fn audiences_are_one_or_several() {
        for (json, expected) in [
            (r#"{"aud":"a"}"#, vec!["a"]),
            (r#"{"aud":["a","b"]}"#, vec!["a", "b"]),
            (r#"{"aud":[]}"#, vec![]),
            (r#"{"aud":null}"#, vec![]),
            (r#"{"AUD":"a"}"#, vec![]),
            ("{}", vec![]),
        ] {
            assert_eq!(claims(json).unwrap().audience, expected, "{json}");
        }
    }

    #[test]
    fn wrong_types_are_told_without_their_values() {
        for (json, message) in [
            (
                r#"{"iss":4711}"#,
                "json: cannot unmarshal number into Go struct field idToken.iss of type string",
            ),
            (
                r#"{"sub":["4711"]}"#,
                "json: cannot unmarshal array into Go struct field idToken.sub of type string",
            ),
            (
                r#"{"aud":["a",4711]}"#,
                "json: cannot unmarshal number into Go struct field idToken.aud of type string",
            ),
            (
                r#"{"exp":"4711x"}"#,
                "json: cannot unmarshal string into Go struct field idToken.exp of type oidc.jsonTime",
            ),
            (
                r#"{"_claim_names":{"groups":4711}}"#,
                "json: cannot unmarshal number into Go struct field idToken._claim_names of type string",
            ),
        ] {
            let error = claims(json).unwrap_err();
            assert_eq!(
                error.message,
                format!("oidc: failed to unmarshal claims: {message}")
            );
        }
    }

    #[test]
    fn repeated_members_and_other_json_than_objects_are_refused() {
        for json in [
            "",
            "[]",
            r#"{"sub":"a","sub":"a"}"#,
            r#"{"x":{"y":1,"y":2}}"#,
            "{}{}",
        ] {
            let error = claims(json).unwrap_err();
            assert!(
                error
                    .message
                    .starts_with("oidc: failed to unmarshal claims: "),
                "{json}"
            );
        }
    }

    #[test]
    fn sources_of_distributed_claims_have_to_be_there() {
        let found = claims(
            r#"{"_claim_names":{"groups":"s","aggregated":"t"},
                "_claim_sources":{"s":{"endpoint":"https://a.example","access_token":"hush"},"t":{"JWT":"x"}}}"#,
        )
        .unwrap();
        let source = found.source("groups").unwrap();
        assert_eq!(source.endpoint, "https://a.example");
        assert_eq!(source.access_token.as_ref().unwrap().expose(), "hush");
        assert!(!format!("{source:?}").contains("hush"));
        assert!(found.source("aggregated").is_none());
        assert!(found.source("other").is_none());

        let here = r#"{"groups":null,"_claim_names":{"groups":"s"},"_claim_sources":{"s":{"endpoint":"https://a"}}}"#;
        assert!(claims(here).unwrap().source("groups").is_none());

        for (json, message) in [
            (
                r#"{"_claim_names":{"groups":""}}"#,
                "oidc: failed to obtain source from claim name",
            ),
            (
                r#"{"_claim_names":{"groups":"s"}}"#,
                "oidc: source does not exist",
            ),
        ] {
            let error = claims(json).unwrap_err();
            assert_eq!(error.message, message);
            assert_eq!(error.reason, Reason::TokenDistributedClaimsFailed);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics_and_never_has_an_issuer_that_claims_do_not_have(
            text in r#"[\[\]{}:,"0-9aisu\\ -]{0,32}"#,
        ) {
            let (issuer, claims) = (unverified_issuer(text.as_bytes()), claims(&text));
            if let (Some(issuer), Ok(claims)) = (issuer, claims) {
                prop_assert_eq!(issuer.as_ref(), claims.issuer);
            }
        }

        #[test]
        fn whole_seconds_are_read_as_they_are(seconds: i64) {
            for json in [seconds.to_string(), format!("\"{seconds}\"")] {
                let read = claims(&format!(r#"{{"exp":{json}}}"#)).unwrap();
                prop_assert_eq!(read.expiry, Some(seconds));
            }
        }

        #[test]
        fn an_issuer_is_the_same_before_and_after_all_claims_are_read(issuer: String) {
            let json = serde_json::json!({"a": {"iss": "other"}, "iss": issuer}).to_string();
            let found = unverified_issuer(json.as_bytes()).unwrap();
            prop_assert_eq!(found.as_ref(), claims(&json).unwrap().issuer);
        }
    }
}
