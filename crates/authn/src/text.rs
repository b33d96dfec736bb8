//! Text as Go's standard library treats it.

/// Cuts Unicode white space off both ends, as Go's `TrimSpace` does; bytes that are no UTF-8 are no
/// white space.
pub(crate) fn trim_white_space(mut bytes: &[u8]) -> &[u8] {
    while let [b'\t'..=b'\r' | b' ', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b'\t'..=b'\r' | b' '] = bytes {
        bytes = rest;
    }
    match bytes {
        // Tokens are long and nearly always end so: nothing in between has to be decoded.
        [] | [0..0x80] | [0..0x80, .., 0..0x80] => bytes,
        _ => trim_decoded(bytes),
    }
}

fn trim_decoded(mut bytes: &[u8]) -> &[u8] {
    let start = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let cut = start.len() - start.trim_start().len();
    bytes = bytes.get(cut..).unwrap_or_default();
    let end = match bytes.utf8_chunks().last() {
        Some(chunk) if chunk.invalid().is_empty() => chunk.valid(),
        _ => "",
    };
    let cut = end.len() - end.trim_end().len();
    bytes.get(..bytes.len() - cut).unwrap_or_default()
}

/// A truth value as Go's `ParseBool` reads it; anything else is false.
pub(crate) fn parse_bool(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// The first value of `name` in a URL query, decoded.
pub(crate) fn query_value(query: &str, name: &str) -> Option<String> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced)
            .decode_utf8_lossy()
            .into_owned()
    };
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key) == name).then(|| decode(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_unicodes_and_broken_bytes_stop_the_trimming() {
        for (input, expected) in [
            (&b""[..], &b""[..]),
            (b"  ", b""),
            (b" a ", b"a"),
            (b" \xff ", b"\xff"),
            (b"\xff a", b"\xff a"),
            (b"a \xff", b"a \xff"),
            ("\u{3000}a\u{2028}".as_bytes(), b"a"),
            (" \u{3000} \ta\u{2028} \n".as_bytes(), b"a"),
            (b"\x0b\x0ca\r\n", b"a"),
            (b"\x1fa\x1c", b"\x1fa\x1c"),
            ("\u{200b}a".as_bytes(), "\u{200b}a".as_bytes()),
        ] {
            assert_eq!(trim_white_space(input), expected, "{input:?}");
        }
    }

    #[test]
    fn the_first_value_of_a_query_parameter_counts() {
        assert_eq!(
            query_value("a=1&pretty=tr%75e&pretty=0", "pretty").as_deref(),
            Some("true")
        );
        assert_eq!(query_value("prett%79", "pretty").as_deref(), Some(""));
        assert_eq!(query_value("a=1", "pretty"), None);
    }
}
