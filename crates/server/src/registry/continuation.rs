//! Continue tokens of chunked lists, in upstream's format.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use burgee_store::Revision;
use burgee_wire::Status;
use serde::{Deserialize, Serialize};

use super::Result;

/// Where a chunked list goes on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Continuation {
    /// The revision of the list; `None` goes on with whatever is there now.
    pub(super) revision: Option<Revision>,
    /// The last key that was delivered, without the list's prefix.
    pub(super) last: String,
}

#[derive(Deserialize, Serialize)]
struct Token {
    v: String,
    rv: i64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    start: String,
}

impl Continuation {
    /// The opaque text that clients send back.
    pub(super) fn encode(&self) -> String {
        let token = Token {
            v: "meta.k8s.io/v1".to_owned(),
            rv: self
                .revision
                .map_or(-1, |revision| i64::try_from(revision.0).unwrap_or(-1)),
            // The first possible key after the last one.
            start: format!("{}\0", self.last),
        };
        URL_SAFE_NO_PAD.encode(serde_json::to_string(&token).unwrap_or_default())
    }

    /// Reads what a client sent back.
    ///
    /// # Errors
    ///
    /// 400 when it is none of ours.
    pub(super) fn decode(text: &str) -> Result<Self> {
        let fail = |why: String| {
            Box::new(Status::bad_request(format!(
                "invalid continue token: {why}"
            )))
        };
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
        let bytes = bytes.or_else(|_| URL_SAFE.decode(text));
        let bytes = bytes.map_err(|error| fail(format!("continue key is not valid: {error}")))?;
        let token: Token = serde_json::from_slice(&bytes)
            .map_err(|error| fail(format!("continue key is not valid: {error}")))?;
        if token.v != "meta.k8s.io/v1" {
            let version = burgee_wire::quoted(&token.v);
            return Err(fail(format!(
                "server does not recognize this encoded version {version}"
            )));
        }
        let revision = match token.rv {
            0 => {
                return Err(fail(
                    "incorrect encoded start resourceVersion (version meta.k8s.io/v1)".into(),
                ));
            }
            rv if rv < 0 => None,
            rv => Some(Revision(rv.unsigned_abs())),
        };
        if token.start.is_empty() {
            return Err(fail(
                "continue key is not valid: encoded start key empty (version meta.k8s.io/v1)"
                    .into(),
            ));
        }
        if token.start.split('/').any(|part| part == "..") || token.start.starts_with('/') {
            return Err(fail(format!(
                "continue key is not valid: {}",
                burgee_wire::quoted(&token.start)
            )));
        }
        let last = token
            .start
            .strip_suffix('\0')
            .unwrap_or(&token.start)
            .to_owned();
        Ok(Self { revision, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_upstreams() {
        let ours = Continuation {
            revision: Some(Revision(209)),
            last: "page-1".into(),
        };
        let recorded = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjA5LCJzdGFydCI6InBhZ2UtMVx1MDAwMCJ9";
        assert_eq!(ours.encode(), recorded);
        assert_eq!(Continuation::decode(recorded).unwrap(), ours);
    }

    #[test]
    fn what_is_none_of_ours_is_refused() {
        let encoded = |json: &str| URL_SAFE_NO_PAD.encode(json);
        for bad in [
            "garbage".to_owned(),
            "%%%".to_owned(),
            encoded(r#"{"v":"v9","rv":1,"start":"a"}"#),
            encoded(r#"{"v":"meta.k8s.io/v1","rv":0,"start":"a"}"#),
            encoded(r#"{"v":"meta.k8s.io/v1","rv":1}"#),
            encoded(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"../secrets/x"}"#),
        ] {
            let error = Continuation::decode(&bad).unwrap_err();
            assert_eq!(error.code, 400);
            assert!(
                error.message.starts_with("invalid continue token: "),
                "{}",
                error.message
            );
        }
    }
}
