//! Keeping explanations short, and credentials out of them.

use burgee_bootstrap_token::Token;
use burgee_jose::base64url;
use serde_json::{Map, Value};

/// The longest text of a detail or message, in characters.
const MAX_TEXT: usize = 1024;
/// The longest text within a claim, in characters.
const MAX_VALUE: usize = 512;
/// The most members of an object, and items of a list.
const MAX_MEMBERS: usize = 64;
/// The most values in all.
const MAX_VALUES: usize = 512;
/// How deeply values nest.
const MAX_DEPTH: usize = 6;
/// Shorter parts of a token are not looked for in texts: they could be anything.
const MIN_SECRET: usize = 8;

const CONCEALED: &str = "(not shown)";

/// Members that hold credentials wherever they stand: those of OAuth 2 and OpenID Connect (the sources
/// of distributed claims have an access token), and the private parts of a JSON Web Key (RFC 7518
/// section 6) under a name of more than one or two letters.
const SECRET_MEMBERS: [&str; 8] = [
    "JWT",
    "access_token",
    "assertion",
    "client_secret",
    "id_token",
    "password",
    "refresh_token",
    "secret",
];

/// The private parts of a key in a header (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
const PRIVATE_KEY_MEMBERS: [&str; 8] = ["d", "dp", "dq", "k", "oth", "p", "q", "qi"];

/// The first characters of a text, with a mark where something is missing.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// The parts of a credential that no text of an explanation may hold.
#[derive(Default)]
pub(super) struct Secrets<'a>(Vec<&'a str>);

impl<'a> Secrets<'a> {
    pub(super) fn of(token: &'a str) -> Self {
        let mut secrets = vec![token];
        let last = token.rsplit_once('.').map(|(_, last)| last);
        // A payload says nothing secret, but whoever has the signature has the token.
        secrets.extend(last);
        secrets.retain(|secret| secret.len() >= MIN_SECRET);
        Self(secrets)
    }

    /// The text, cut and without any secret: others' messages may repeat what they were sent.
    pub(super) fn conceal(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            if text.contains(secret) {
                text = text.replace(secret, CONCEALED);
            }
        }
        cut(&text, MAX_TEXT)
    }
}

/// A decoded header or payload, cut and without credentials.
pub(super) fn concealed(value: &Value) -> Value {
    Concealer {
        left: MAX_VALUES,
        depth: MAX_DEPTH,
    }
    .value(value)
}

struct Concealer {
    left: usize,
    depth: usize,
}

impl Concealer {
    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) if is_credential(text) => CONCEALED.into(),
            Value::String(text) => cut(text, MAX_VALUE).into(),
            Value::Array(_) | Value::Object(_) if self.depth == 0 || self.left == 0 => "…".into(),
            Value::Array(items) => {
                self.depth -= 1;
                let shown = items.iter().take(MAX_MEMBERS.min(self.left));
                self.left -= shown.len();
                let mut list: Vec<Value> = shown.map(|item| self.value(item)).collect();
                if list.len() < items.len() {
                    list.push(format!("… {} more", items.len() - list.len()).into());
                }
                self.depth += 1;
                list.into()
            }
            Value::Object(members) => {
                self.depth -= 1;
                let count = members.len().min(MAX_MEMBERS).min(self.left);
                self.left -= count;
                let mut object = Map::new();
                for (name, value) in members.iter().take(count) {
                    object.insert(cut(name, MAX_VALUE), self.member(name, value));
                }
                if count < members.len() {
                    let more = format!("{} more", members.len() - count);
                    object.insert("…".to_owned(), more.into());
                }
                self.depth += 1;
                object.into()
            }
            Value::Bool(_) | Value::Null | Value::Number(_) => value.clone(),
        }
    }

    fn member(&mut self, name: &str, value: &Value) -> Value {
        if SECRET_MEMBERS.contains(&name) && value.is_string() {
            return CONCEALED.into();
        }
        let mut shown = self.value(value);
        if name == "jwk"
            && let Some(key) = shown.as_object_mut()
        {
            for (name, value) in key.iter_mut() {
                if PRIVATE_KEY_MEMBERS.contains(&name.as_str()) {
                    *value = CONCEALED.into();
                }
            }
        }
        shown
    }
}

/// Whether a claim's value is itself a token.
fn is_credential(text: &str) -> bool {
    if text.parse::<Token>().is_ok() {
        return true;
    }
    let Some((header, rest)) = text.split_once('.') else {
        return false;
    };
    let is_header = || {
        let json = base64url::decode(header)?;
        serde_json::from_slice::<Map<String, Value>>(&json).ok()
    };
    rest.contains('.') && is_header().is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

    #[test]
    fn credentials_within_claims_are_not_shown() {
        let claims = json!({
            "sub": "jane",
            "_claim_sources": {"s": {"endpoint": "https://e", "access_token": "hunter2"}},
            "nested": [{"JWT": "hunter2"}],
            "act": TOKEN,
            "bootstrap": "07401b.f395accd246ae52d",
            "version": "1.2.3",
        });
        let shown = concealed(&claims);
        assert_eq!(shown["sub"], "jane");
        assert_eq!(shown["version"], "1.2.3");
        assert_eq!(shown["_claim_sources"]["s"]["endpoint"], "https://e");
        for secret in ["hunter2", TOKEN, "f395accd246ae52d"] {
            assert!(!shown.to_string().contains(secret), "{shown}");
        }
        let header = json!({"alg": "ES256", "jwk": {"kty": "EC", "x": "public", "d": "private"}});
        let shown = concealed(&header).to_string();
        assert!(shown.contains("public") && !shown.contains("private"));
    }

    #[test]
    fn what_is_long_wide_or_deep_is_cut() {
        let long = json!({"a": "x".repeat(10_000)});
        assert!(concealed(&long).to_string().len() < 600);
        let wide = json!(vec![1; 10_000]);
        assert_eq!(concealed(&wide)[MAX_MEMBERS], "… 9936 more");
        let members: Map<String, Value> =
            (0..100).map(|n| (format!("m{n:03}"), n.into())).collect();
        assert_eq!(concealed(&Value::Object(members))["…"], "36 more");
        let mut deep = json!("x");
        for _ in 0..100 {
            deep = json!([deep]);
        }
        assert_eq!(concealed(&deep), json!([[[[[["…"]]]]]]));
    }

    #[test]
    fn messages_lose_the_token_and_its_signature() {
        let secrets = Secrets::of(TOKEN);
        let shown = secrets.conceal(&format!("bad token {TOKEN}, signature c2lnbmF0dXJl"));
        assert_eq!(shown, "bad token (not shown), signature (not shown)");
        let secrets = Secrets::of("07401b.f395accd246ae52d");
        assert_eq!(secrets.conceal("f395accd246ae52d"), CONCEALED);
        assert_eq!(Secrets::of("a.b").conceal("b or a.b"), "b or a.b");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
            Just(Value::from(TOKEN)),
        ];
        leaf.prop_recursive(8, 2000, 100, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..100).prop_map(Value::from),
                prop::collection::vec((".{0,10}", inner), 0..100)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_makes_a_long_answer(value in any_json()) {
            let shown = concealed(&value).to_string();
            prop_assert!(shown.len() < MAX_VALUES * MAX_VALUE * 4, "{}", shown.len());
            prop_assert!(!shown.contains(TOKEN));
        }
    }
}
