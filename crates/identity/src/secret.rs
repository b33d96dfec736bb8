//! Text that must not be printed.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A credential or key: it does not print, compares in constant time and is wiped when dropped.
///
/// `Debug` shows only that there is a secret; there is no `Display` and no `Serialize`. The text
/// comes out through [`Secret::expose`] alone, which makes each such place easy to find.
///
/// ```
/// use burgee_identity::Secret;
///
/// let secret = Secret::from("hunter2".to_owned());
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// assert_eq!(secret, Secret::from("hunter2".to_owned()));
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// The text itself. Do not log it, format it into an error, or keep it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is any text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl PartialEq for Secret {
    /// Takes the same time wherever the texts differ; only their lengths show.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_text() {
        let shown = format!(
            "{:?} {:#?}",
            Secret::from("s3cr3t".to_owned()),
            Some(Secret::from("s3cr3t".to_owned()))
        );
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }

    #[test]
    fn secrets_of_different_length_or_text_differ() {
        let secret = Secret::from("abc".to_owned());
        assert_ne!(secret, Secret::from("abcd".to_owned()));
        assert_ne!(secret, Secret::from("abd".to_owned()));
        assert_eq!(secret, Secret::from("abc".to_owned()));
    }
}
