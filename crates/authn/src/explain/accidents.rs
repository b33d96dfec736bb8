//! What befalls tokens on their way from one person or file to another.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burgee_jose::MAX_TOKEN_LEN;
use serde_json::Value;

/// What looks like an accident, a sentence for each. None repeats any of the text.
pub(super) fn remarks(text: &str) -> Vec<String> {
    let mut remarks: Vec<String> = damages(text.trim())
        .into_iter()
        .map(str::to_owned)
        .collect();
    if text.trim().len() != text.len() && !text.trim().is_empty() {
        remarks.push("There is white space around it, such as a line's end.".to_owned());
    }
    remarks
}

/// The accidents after which a text is no token any more.
pub(super) fn damages(inner: &str) -> Vec<&'static str> {
    let mut remarks = Vec::new();
    let mut add = |remark| remarks.push(remark);
    if inner.len() > MAX_TOKEN_LEN {
        add("It is longer than any token may be.");
        return remarks;
    }
    if inner.is_empty() {
        add("It is empty.");
        return remarks;
    }
    if inner.starts_with("-----BEGIN ") {
        add("It is a PEM block, not a token; a certificate is explained as a certificate.");
        return remarks;
    }
    if inner.starts_with('{') {
        add(match serde_json::from_str::<Value>(inner) {
            Ok(object) if object.pointer("/status/token").is_some() => {
                "It is a JSON object that holds a token at status.token."
            }
            _ => "It is a JSON object, not a token.",
        });
        return remarks;
    }
    let scheme = inner.split(' ').next().unwrap_or_default();
    let with_scheme = scheme.len() < inner.len() && scheme.eq_ignore_ascii_case("bearer");
    if with_scheme {
        add("It begins with the scheme of the header: the token is what follows \"Bearer\".");
    } else if inner.contains(char::is_whitespace) {
        add("There is white space in it: it was wrapped, or is more than a token.");
    }
    if inner.contains(|c: char| c.is_control() && !c.is_whitespace()) {
        add("There are control characters in it.");
    }
    if inner.starts_with(['"', '\'']) || inner.ends_with(['"', '\'']) {
        add("There are quotation marks around it.");
    }
    if inner.contains("...") || inner.contains('…') {
        add("Its middle or end was replaced by an ellipsis: whoever showed it has cut it.");
    }
    if is_encoded_twice(inner) {
        add("It is encoded in base64 once too often, as the data of a Secret is.");
    }
    let parts: Vec<&str> = inner.split('.').collect();
    if parts.len() == 3 && inner.starts_with("eyJ") {
        if parts.iter().any(|part| part.contains(['+', '/'])) {
            add("Its parts are in base64, but must be in base64url (- and _ for + and /).");
        }
        if inner.contains('=') {
            add("Its parts are padded with =, which tokens are not.");
        }
    } else if parts.len() == 2 && inner.starts_with("eyJ") {
        add("Its third part, the signature, is missing.");
    }
    remarks
}

fn is_encoded_twice(text: &str) -> bool {
    let Ok(decoded) = STANDARD.decode(text) else {
        return false;
    };
    let dots = decoded.iter().filter(|byte| **byte == b'.').count();
    decoded.starts_with(b"eyJ") && dots == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

    #[test]
    fn good_tokens_are_not_remarked_on() {
        for token in [TOKEN, "07401b.f395accd246ae52d", "opaque-token"] {
            assert_eq!(remarks(token), Vec::<String>::new(), "{token}");
        }
    }

    #[test]
    fn each_accident_is_recognised() {
        let encoded = STANDARD.encode(TOKEN);
        let padded = TOKEN.replace("In0", "In0=");
        let unsigned = TOKEN.rsplit_once('.').unwrap().0;
        for (text, expected) in [
            ("", "empty"),
            (" \n", "empty"),
            (&format!("{TOKEN}\n"), "around it"),
            (&format!("Bearer {TOKEN}"), "scheme"),
            (&format!("bearer {TOKEN}"), "scheme"),
            ("eyJh bGci", "white space in it"),
            ("a\u{0}b", "control"),
            (&format!("\"{TOKEN}\""), "quotation"),
            ("eyJhbGciOi...", "ellipsis"),
            (&encoded, "once too often"),
            (&padded, "padded"),
            (&format!("{TOKEN}/+"), "base64url"),
            (unsigned, "signature, is missing"),
            ("-----BEGIN CERTIFICATE-----", "PEM"),
            (r#"{"status":{"token":"t"}}"#, "status.token"),
            ("{", "JSON object"),
            (&"a".repeat(MAX_TOKEN_LEN + 1), "longer"),
        ] {
            let remarks = remarks(text);
            assert!(
                remarks.len() == 1 && remarks[0].contains(expected),
                "{text:.60}: {remarks:?}"
            );
        }
    }
}
