//! One finished document.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA512, digest};
use bytes::Bytes;

/// A generated document and its hash.
#[derive(Clone, Debug)]
pub struct Document {
    body: Bytes,
    hash: String,
}

impl Document {
    pub(crate) fn new(body: Vec<u8>) -> Self {
        let hash = hash(&body);
        Self {
            body: body.into(),
            hash,
        }
    }

    /// The same document in another encoding. It keeps its hash, as upstream does: `Vary: Accept`
    /// tells the two apart.
    pub(crate) fn encoded_as(&self, body: Vec<u8>) -> Self {
        Self {
            body: body.into(),
            hash: self.hash.clone(),
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// SHA-512 of its JSON in upper-case hexadecimal, as the `hash` parameter of OpenAPI v3 URLs
    /// has it (`kube-openapi/pkg/handler3`).
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The value of its `ETag` header: the hash in quotation marks.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.hash)
    }
}

fn hash(body: &[u8]) -> String {
    let digest = digest(&SHA512, body);
    let mut hex = String::with_capacity(2 * digest.as_ref().len());
    for byte in digest.as_ref() {
        let _ = write!(hex, "{byte:02X}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_512_in_upper_case() {
        let document = Document::new(b"abc".to_vec());
        assert!(
            document
                .hash()
                .starts_with("DDAF35A193617ABACC417349AE204131")
        );
        assert_eq!(document.etag().len(), 130);
        assert_eq!(document.encoded_as(vec![1]).hash(), document.hash());
    }
}
