//! The blocks of a PEM file (RFC 7468).
//!
//! Text between blocks, header lines as OpenSSL once wrote them and blocks that are broken are
//! stepped over, because kube-apiserver reads key files so.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::Error;

/// The longest key file that is read: room for hundreds of keys and certificates.
pub(crate) const MAX_FILE_LEN: usize = 1 << 20;

/// The most blocks of one file that are looked at.
pub(crate) const MAX_BLOCKS: usize = 1024;

const DASHES: &str = "-----";

/// What stands between a BEGIN line and its END line.
pub(crate) struct Block<'a> {
    pub(crate) label: &'a str,
    /// Wiped when dropped: it may be a private key.
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// Every block of the file whose frame and base64 are whole, in order.
///
/// # Errors
/// [`Error::InputTooLarge`] or [`Error::TooManyKeys`]. Bytes that are no text hold no block.
pub(crate) fn blocks(file: &[u8]) -> Result<Vec<Block<'_>>, Error> {
    if file.len() > MAX_FILE_LEN {
        return Err(Error::InputTooLarge {
            limit: MAX_FILE_LEN,
        });
    }
    let mut blocks = Vec::new();
    let mut lines = file
        .split(|byte| *byte == b'\n')
        .map(|line| str::from_utf8(line).unwrap_or_default().trim_end())
        .peekable();
    while let Some(line) = lines.next() {
        let Some(label) = boundary(line, "BEGIN ") else {
            continue;
        };
        let mut base64 = Zeroizing::new(String::new());
        // A line that begins another block means that this one was cut off.
        while let Some(line) = lines.next_if(|line| boundary(line, "BEGIN ").is_none()) {
            if let Some(end) = boundary(line, "END ") {
                if end == label
                    && let Ok(der) = STANDARD.decode(base64.as_bytes())
                {
                    blocks.push(Block {
                        label,
                        der: der.into(),
                    });
                }
                break;
            }
            if !line.contains(':') {
                append(&mut base64, line);
            }
        }
        if blocks.len() > MAX_BLOCKS {
            return Err(Error::TooManyKeys { limit: MAX_BLOCKS });
        }
    }
    Ok(blocks)
}

/// A block with lines of 64 characters, ending in a line feed.
pub(crate) fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    // Reserved in full, so that growing leaves no copy behind.
    let mut file = Zeroizing::new(String::with_capacity(
        base64.len() + base64.len() / 64 + 2 * label.len() + 64,
    ));
    for piece in [DASHES, "BEGIN ", label, DASHES, "\n"] {
        file.push_str(piece);
    }
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        file.push_str(line);
        file.push('\n');
        rest = after;
    }
    for piece in [DASHES, "END ", label, DASHES, "\n"] {
        file.push_str(piece);
    }
    file
}

fn boundary<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    line.strip_prefix(DASHES)?
        .strip_prefix(kind)?
        .strip_suffix(DASHES)
}

/// Adds the line without white space, leaving no copy behind when the buffer grows.
fn append(buffer: &mut Zeroizing<String>, line: &str) {
    if buffer.capacity() - buffer.len() < line.len() {
        let mut grown = Zeroizing::new(String::with_capacity(2 * buffer.len() + line.len() + 2048));
        grown.push_str(buffer);
        *buffer = grown;
    }
    buffer.extend(line.split_ascii_whitespace());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels_and_bytes(file: &str) -> Vec<(String, Vec<u8>)> {
        blocks(file.as_bytes())
            .unwrap()
            .into_iter()
            .map(|block| (block.label.to_owned(), block.der.to_vec()))
            .collect()
    }

    #[test]
    fn text_around_blocks_and_windows_line_ends_do_not_matter() {
        let file = "hello\r\n-----BEGIN A-----\r\nAQID\r\nBA==\r\n-----END A-----\r\nbye\n\
                    -----BEGIN B-----\n  Bw==  \n-----END B-----";
        let expected = [("A".into(), vec![1, 2, 3, 4]), ("B".into(), vec![7])];
        assert_eq!(labels_and_bytes(file), expected);
    }

    #[test]
    fn broken_blocks_are_skipped_and_the_next_one_is_found() {
        for broken in [
            "-----BEGIN A-----\nAQ==\n",
            "-----BEGIN A-----\nAQ==\n-----END B-----\n",
            "-----BEGIN A-----\n!!!!\n-----END A-----\n",
            "-----BEGIN A----\nAQ==\n-----END A-----\n",
            "-----END A-----\n",
        ] {
            let file = format!("{broken}-----BEGIN B-----\nBw==\n-----END B-----\n");
            assert_eq!(labels_and_bytes(&file), [("B".into(), vec![7])], "{broken}");
        }
    }

    #[test]
    fn header_lines_are_skipped() {
        let file = "-----BEGIN A-----\nProc-Type: 4,X\n\nAQ==\n-----END A-----\n";
        assert_eq!(labels_and_bytes(file), [("A".into(), vec![1])]);
    }

    #[test]
    fn bytes_that_are_no_text_hide_no_block() {
        let file = [b"\xff\xfe\n".as_slice(), &encode_bytes("A", &[9])].concat();
        assert_eq!(blocks(&file).unwrap().len(), 1);
    }

    #[test]
    fn files_and_block_counts_are_limited() {
        let file = vec![b'x'; MAX_FILE_LEN + 1];
        assert!(matches!(
            blocks(&file),
            Err(Error::InputTooLarge {
                limit: MAX_FILE_LEN
            })
        ));
        let file = "-----BEGIN A-----\n-----END A-----\n".repeat(MAX_BLOCKS + 1);
        assert!(matches!(
            blocks(file.as_bytes()),
            Err(Error::TooManyKeys { limit: MAX_BLOCKS })
        ));
    }

    fn encode_bytes(label: &str, der: &[u8]) -> Vec<u8> {
        encode(label, der).as_bytes().to_vec()
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_found(der: Vec<u8>, label in "[A-Z]{1,8}( [A-Z]{1,8})?") {
            let file = encode_bytes(&label, &der);
            prop_assert!(file.split(|byte| *byte == b'\n').all(|line| line.len() <= 64));
            let text = String::from_utf8(file).unwrap();
            prop_assert_eq!(labels_and_bytes(&text), [(label, der)]);
        }

        #[test]
        fn arbitrary_bytes_never_panic(file: Vec<u8>) {
            let _ = blocks(&file);
        }

        #[test]
        fn arbitrary_frames_never_panic(
            file in "((-----(BEGIN|END) [AB]-----|[A-Za-z0-9+/=]{0,8}|a: b)(\n|\r\n)){0,12}"
        ) {
            let _ = blocks(file.as_bytes());
        }
    }
}
