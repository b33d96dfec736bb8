//! Making output comparable: what differs from run to run becomes a word for what it is.

/// Replaces uids by `UID`, times by `TIME`, and ages and resource versions where they are named as
/// such by `AGE` and `VERSION`.
#[must_use]
pub fn normalize(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.len() - rest.trim_start_matches(|c: char| is_word(c)).len();
        if word == 0 {
            let next = rest.chars().next().map_or(1, char::len_utf8);
            normal.push_str(&rest[..next]);
            rest = &rest[next..];
            continue;
        }
        let (word, after) = rest.split_at(word);
        normal.push_str(name(word, &normal));
        rest = after;
    }
    normal
}

/// What uids, times, ages and versions are made of.
fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | ':' | '.')
}

/// The word for a word, given what stands before it.
fn name<'a>(word: &'a str, before: &str) -> &'a str {
    let bytes = word.as_bytes();
    let shape = |pattern: &str, len: usize| {
        bytes.len() >= len
            && pattern.bytes().zip(bytes).all(|(kind, byte)| match kind {
                b'x' => byte.is_ascii_hexdigit(),
                b'9' => byte.is_ascii_digit(),
                kind => kind == *byte,
            })
    };
    if bytes.len() == 36 && shape("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", 36) {
        return "UID";
    }
    if shape("9999-99-99T99:99:99", 20) && word.ends_with('Z') {
        return "TIME";
    }
    let line = before.rsplit('\n').next().unwrap_or_default();
    let is_number = bytes.iter().all(u8::is_ascii_digit);
    if is_number
        && line
            .trim_end_matches([' ', '"', ':'])
            .ends_with("resourceVersion")
    {
        return "VERSION";
    }
    // A table's last column.
    let is_age = word.len() > 1 && word.ends_with(['s', 'm', 'h', 'd']) && {
        let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
        !digits.is_empty()
            && digits
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"smh".contains(&byte))
    };
    if is_age && line.ends_with("   ") {
        "AGE"
    } else {
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_named() {
        let cases = [
            ("uid: 0b9f8a52-6a1c-4a37-9c2b-2f6b0f5d8c11\n", "uid: UID\n"),
            (
                "at 2026-11-21T22:12:00Z, or 2026-11-21T22:12:00.123456Z",
                "at TIME, or TIME",
            ),
            (
                "  resourceVersion: \"42\"\n",
                "  resourceVersion: \"VERSION\"\n",
            ),
            (
                "default   Active   15s\nother   Active   2m3s\n",
                "default   Active   AGE\nother   Active   AGE\n",
            ),
            ("port 6443 in 15s is kept", "port 6443 in 15s is kept"),
            ("name: robot-5d\n", "name: robot-5d\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(normalize(text), expected);
        }
    }
}
