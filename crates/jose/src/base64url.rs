//! Base64url without padding, in its one canonical form (RFC 7515 section 2).
//!
//! Decoding refuses padding, white space, the standard alphabet and stray bits in the last
//! character, so that no two strings decode to the same bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The encoding of `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes that `text` encodes, or nothing if `text` is not the canonical encoding of any.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Appends the encoding of `bytes` to `text`.
pub(crate) fn append(text: &mut String, bytes: &[u8]) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// The length of the encoding of `len` bytes.
pub(crate) const fn encoded_len(len: usize) -> usize {
    (len * 4).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_canonical_form_decodes() {
        assert_eq!(decode("_-A").unwrap(), [0xff, 0xe0]);
        for text in [
            "_-A=", "/+A", "_-B", "_-A\n", "_\r\n-A", " _-A", "_-A.", "_", "é",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_and_has_the_computed_length(bytes: Vec<u8>) {
            let text = encode(&bytes);
            prop_assert_eq!(text.len(), encoded_len(bytes.len()));
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn what_decodes_is_the_encoding_of_its_bytes(text in "[A-Za-z0-9_=\\-]{0,12}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
