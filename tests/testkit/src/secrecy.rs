//! What must not stand in any log.

/// The first thing in a text that looks like a credential: a signed token, a bootstrap token, or a
/// private key.
#[must_use]
pub fn credential_in(text: &str) -> Option<&str> {
    if let Some(at) = text.find("PRIVATE KEY-----") {
        return text.get(at..at + "PRIVATE KEY".len());
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.split(|c| !is_part(c))
        .find(|word| is_signed_token(word) || is_bootstrap_token(word))
}

/// Three parts of base64url, of which the first is that of `{"`.
fn is_signed_token(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let [header, _, signature] = parts.as_slice() else {
        return false;
    };
    header.starts_with("eyJ") && signature.len() >= 20
}

fn is_bootstrap_token(word: &str) -> bool {
    let Some((id, secret)) = word.split_once('.') else {
        return false;
    };
    let is_of = |text: &str, length| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    // Two words with a dot between them are none: hardly any secret is without a digit.
    is_of(id, 6) && is_of(secret, 16) && secret.bytes().any(|byte| byte.is_ascii_digit())
}

#[test]
fn credentials_are_told_from_other_words() {
    let signature = "c2lnbmF0dXJlIG9mIHNvbWUgbGVuZ3Ro";
    for (text, is_credential) in [
        (
            format!("token=eyJhbGciOiJ9.eyJpc3MifQ.{signature} end"),
            true,
        ),
        (format!("\"eyJhbGciOiJ9.e30.{signature}\""), true),
        ("eyJhbGciOiJ9.eyJpc3MifQ.".to_owned(), false),
        ("Bearer abcdef.0123456789abcdef".to_owned(), true),
        ("rustls.clientconnection".to_owned(), false),
        ("abcdef.0123456789abcde".to_owned(), false),
        ("-----BEGIN EC PRIVATE KEY-----".to_owned(), true),
        (
            "https://127.0.0.1:6443/api kube-root-ca.crt".to_owned(),
            false,
        ),
    ] {
        assert_eq!(credential_in(&text).is_some(), is_credential, "{text}");
    }
}
