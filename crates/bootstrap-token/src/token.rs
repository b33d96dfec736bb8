//! The token itself: its two parts, their grammar, new ones.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use burgee_identity::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::Error;
use crate::secret::NAME_PREFIX;

const ID_LEN: usize = 6;
const SECRET_LEN: usize = 16;
const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Secrets that stand in manuals, and people copy.
const WELL_KNOWN: [&str; 7] = [
    "0123456789abcdef",
    "1234567890123456",
    "3f89s0fje9f38fhf",
    "9dvwxx6ny4ef8vlq",
    "abcdef0123456789",
    "d09sbcov8ph2amjw",
    "f395accd246ae52d",
];

/// The public part of a token, six characters of `a-z0-9`: it names the token's Secret and its user,
/// and stands in logs.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TokenId([u8; ID_LEN]);

impl TokenId {
    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The name of this token's Secret.
    #[must_use]
    pub fn secret_name(self) -> String {
        format!("{NAME_PREFIX}{self}")
    }

    /// The id in the name of a token's Secret.
    #[must_use]
    pub fn from_secret_name(name: &str) -> Option<Self> {
        name.strip_prefix(NAME_PREFIX)?.parse().ok()
    }

    /// The id of a token that someone named by its id or in full: the argument of `token delete`.
    ///
    /// # Errors
    /// [`Error::TokenOrIdMalformed`].
    pub fn from_token_or_id(text: &str) -> Result<Self, Error> {
        text.parse()
            .or_else(|_| text.parse::<Token>().map(|token| token.id))
            .map_err(|_| Error::TokenOrIdMalformed)
    }
}

impl FromStr for TokenId {
    type Err = Error;

    /// Reads `\A([a-z0-9]{6})\z`.
    fn from_str(text: &str) -> Result<Self, Error> {
        match <[u8; ID_LEN]>::try_from(text.as_bytes()) {
            Ok(bytes) if is_in_alphabet(&bytes) => Ok(Self(bytes)),
            _ => Err(Error::TokenIdMalformed),
        }
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

/// The secret part of a token: sixteen characters of `a-z0-9`.
///
/// It is a password: it does not print, compares in constant time and is wiped when dropped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenSecret(Secret);

impl TokenSecret {
    /// The text itself. Do not log it, format it into an error, or keep it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Why anyone who can read cluster-info would guess it at once, where that shows.
    ///
    /// Guesses are tried against the signature without asking the server, so a secret that a person
    /// made up protects nothing. No finding does not mean that it is random.
    #[must_use]
    pub fn weakness(&self) -> Option<Weakness> {
        let text = self.expose();
        let mut symbols: Vec<u8> = text.bytes().collect();
        let rises = symbols.windows(2).all(|pair| match *pair {
            [b'9', next] => next == b'a' || next == b'0',
            [b'z', next] => next == b'a' || next == b'0',
            [one, next] => next == one + 1,
            _ => false,
        });
        symbols.sort_unstable();
        symbols.dedup();
        match symbols.len() {
            1 => Some(Weakness::SingleSymbol),
            _ if WELL_KNOWN.contains(&text) => Some(Weakness::WellKnown),
            _ if rises => Some(Weakness::AscendingRun),
            2..6 => Some(Weakness::FewSymbols),
            _ => None,
        }
    }
}

impl FromStr for TokenSecret {
    type Err = Error;

    /// Reads `\A([a-z0-9]{16})\z`.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() == SECRET_LEN && is_in_alphabet(text.as_bytes()) {
            return Ok(Self(Secret::from(text.to_owned())));
        }
        Err(Error::TokenSecretMalformed)
    }
}

/// Why a [`TokenSecret`] is visibly not random.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Weakness {
    /// Its characters count up.
    AscendingRun,
    /// It has fewer than six different characters.
    FewSymbols,
    /// It is one character all over.
    SingleSymbol,
    /// It is an example from a manual.
    WellKnown,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AscendingRun => "its characters count up",
            Self::FewSymbols => "it has fewer than six different characters",
            Self::SingleSymbol => "it repeats a single character",
            Self::WellKnown => "it is a published example",
        })
    }
}

/// A bootstrap token, `ID.SECRET`.
///
/// Upstream has two validators of the same texts (`bootstraptoken/v1`, `cluster-bootstrap/util`);
/// here is one parser. There is no `Display`, and `Debug` shows the id only; [`Token::text`] and
/// serialising are the two ways to the whole.
///
/// ```
/// use burgee_bootstrap_token::Token;
///
/// let token: Token = "07401b.f395accd246ae52d".parse()?;
/// assert_eq!(token.id().as_str(), "07401b");
/// assert_eq!(token.redacted(), "07401b.****************");
/// assert_eq!(token.text().expose(), "07401b.f395accd246ae52d");
/// assert!("07401b.f395accd246ae52d\n".parse::<Token>().is_err());
/// # Ok::<(), burgee_bootstrap_token::Error>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Token {
    id: TokenId,
    secret: TokenSecret,
}

impl Token {
    /// The token of these parts.
    #[must_use]
    pub fn new(id: TokenId, secret: TokenSecret) -> Self {
        Self { id, secret }
    }

    /// A new token from the operating system's randomness: 31 bits of id, 82.7 bits of secret.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn generate() -> Result<Self, Error> {
        let random = SystemRandom::new();
        Self::generate_with(|buffer| random.fill(buffer))
    }

    /// A new token from bytes that `fill` provides. Each character is drawn evenly: bytes that would
    /// favour some are thrown away.
    ///
    /// # Errors
    /// [`Error::Randomness`] if `fill` fails, or goes on giving the same few bytes.
    pub fn generate_with<E>(
        mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, Error> {
        let id = draw(ID_LEN, &mut fill)?.parse()?;
        let secret = draw(SECRET_LEN, &mut fill)?.parse()?;
        Ok(Self { id, secret })
    }

    /// The public part.
    #[must_use]
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// The secret part.
    #[must_use]
    pub fn secret(&self) -> &TokenSecret {
        &self.secret
    }

    /// The whole token.
    #[must_use]
    pub fn text(&self) -> Secret {
        Secret::from(format!("{}.{}", self.id, self.secret.expose()))
    }

    /// The token with its secret part painted over.
    #[must_use]
    pub fn redacted(&self) -> String {
        format!("{}.{}", self.id, "*".repeat(SECRET_LEN))
    }
}

impl FromStr for Token {
    type Err = Error;

    /// Reads `\A([a-z0-9]{6})\.([a-z0-9]{16})\z`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (id, secret) = text.split_once('.').ok_or(Error::TokenMalformed)?;
        match (id.parse(), secret.parse()) {
            (Ok(id), Ok(secret)) => Ok(Self { id, secret }),
            _ => Err(Error::TokenMalformed),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.redacted())
    }
}

impl Serialize for Token {
    /// The whole token in one string, as kubeadm's configuration and output have it: a credential.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text().expose())
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Token;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a bootstrap token")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Token, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

fn is_in_alphabet(bytes: &[u8]) -> bool {
    let legal = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    bytes.iter().all(legal)
}

/// `count` characters of the alphabet.
fn draw<E>(
    count: usize,
    fill: &mut impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<Zeroizing<String>, Error> {
    // A buffer is nearly always enough. A source that is still at it after so many is broken.
    const BUFFERS: usize = 32;
    let mut text = Zeroizing::new(String::with_capacity(count));
    let mut buffer = Zeroizing::new([0; 32]);
    for _ in 0..BUFFERS {
        fill(buffer.as_mut_slice()).map_err(|_| Error::Randomness)?;
        let missing = count - text.len();
        text.extend(buffer.iter().filter_map(|byte| symbol(*byte)).take(missing));
        if text.len() == count {
            return Ok(text);
        }
    }
    Err(Error::Randomness)
}

/// The character that a random byte stands for: none for the last four, which would otherwise make
/// the first four characters likelier than the rest.
fn symbol(byte: u8) -> Option<char> {
    let even = u8::MAX - u8::MAX % 36;
    if byte >= even {
        return None;
    }
    ALPHABET
        .get(usize::from(byte % 36))
        .map(|symbol| char::from(*symbol))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn weakness(secret: &str) -> Option<Weakness> {
        secret.parse::<TokenSecret>().unwrap().weakness()
    }

    #[test]
    fn tokens_are_read_and_refused_as_upstream_does() {
        for good in [
            "abcdef.1234567890123456",
            "123456.aabbccddeeffgghh",
            "abcdef.abcdef0123456789",
            "123456.1234560123456789",
        ] {
            let token: Token = good.parse().unwrap();
            assert_eq!(token.text().expose(), good);
        }
        for bad in [
            "",
            ".",
            "123456.",
            ".1234567890123456",
            "1234567890123456789012",
            "12345.1234567890123456",
            "f.s",
            "foo.bar",
            "abcdef:1234567890123456",
            "123456:1234567890.123456",
            "Abcdef.1234567890123456",
            "ABCDEF.abcdef0123456789",
            "123456.AABBCCDDEEFFGGHH",
            "123456.AABBCCD-EEFFGGHH",
            "abc*ef.1234567890123456",
            "abcdef.123456789012345é",
            "abcdef..123456789012345",
        ] {
            assert_eq!(bad.parse::<Token>(), Err(Error::TokenMalformed), "{bad:?}");
        }
    }

    #[test]
    fn any_byte_more_or_less_is_no_token() {
        let good = "abcdef.1234567890123456";
        for byte in 0..=127_u8 {
            let byte = char::from(byte);
            assert!(format!("{byte}{good}").parse::<Token>().is_err());
            assert!(format!("{good}{byte}").parse::<Token>().is_err());
        }
        for end in 0..good.len() {
            assert!(good[..end].parse::<Token>().is_err());
        }
    }

    #[test]
    fn errors_and_debug_show_the_pattern_and_never_the_text() {
        let error = "123456.SECRETSECRETSECR".parse::<Token>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"the bootstrap token was not of the form "\\A([a-z0-9]{6})\\.([a-z0-9]{16})\\z""#
        );
        let token: Token = "07401b.f395accd246ae52d".parse().unwrap();
        assert_eq!(format!("{token:?}"), "Token(07401b.****************)");
        assert_eq!(format!("{:?}", token.secret()), "TokenSecret(Secret(..))");
    }

    #[test]
    fn json_is_one_string() {
        let token: Token = serde_json::from_str(r#""07401b.f395accd246ae52d""#).unwrap();
        assert_eq!(
            serde_json::to_string(&token).unwrap(),
            r#""07401b.f395accd246ae52d""#
        );
        for bad in [r#""""#, "null", "1", r#""07401b.f395accd246ae52D""#] {
            assert!(serde_json::from_str::<Token>(bad).is_err(), "{bad}");
        }
        assert_eq!(serde_json::from_str::<Option<Token>>("null").unwrap(), None);
    }

    #[test]
    fn a_token_is_named_by_its_id_or_in_full() {
        for text in ["07401b", "07401b.f395accd246ae52d"] {
            let id = TokenId::from_token_or_id(text).unwrap();
            assert_eq!(id.secret_name(), "bootstrap-token-07401b");
        }
        let error = TokenId::from_token_or_id("07401b.f").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"given token didn't match pattern "\\A([a-z0-9]{6})\\.([a-z0-9]{16})\\z" or "\\A([a-z0-9]{6})\\z""#
        );
    }

    #[test]
    fn names_of_secrets_hold_ids() {
        let id = |name| TokenId::from_secret_name(name).map(|id| id.to_string());
        assert_eq!(id("bootstrap-token-07401b"), Some("07401b".into()));
        for other in [
            "bootstrap-token-",
            "bootstrap-token-07401b0",
            "07401b",
            "bootstrap-token-07401B",
        ] {
            assert_eq!(id(other), None, "{other}");
        }
    }

    #[test]
    fn every_symbol_is_drawn_by_as_many_bytes() {
        let mut drawn = BTreeMap::new();
        for symbol in (0..=u8::MAX).filter_map(symbol) {
            *drawn.entry(symbol).or_insert(0) += 1;
        }
        assert_eq!(drawn.len(), 36);
        assert!(drawn.values().all(|count| *count == 7));
    }

    #[test]
    fn generated_tokens_differ() {
        let tokens: std::collections::BTreeSet<_> = (0..64)
            .map(|_| Token::generate().unwrap().text().expose().to_owned())
            .collect();
        assert_eq!(tokens.len(), 64);
    }

    #[test]
    fn a_source_that_fails_or_repeats_itself_makes_no_token() {
        let failing = Token::generate_with(|_| Err(()));
        assert_eq!(failing, Err(Error::Randomness));
        let stuck = Token::generate_with(|buffer| {
            buffer.fill(0xff);
            Ok::<(), ()>(())
        });
        assert_eq!(stuck, Err(Error::Randomness));
    }

    #[test]
    fn secrets_that_people_make_up_are_told() {
        assert_eq!(weakness("aaaaaaaaaaaaaaaa"), Some(Weakness::SingleSymbol));
        assert_eq!(weakness("0123456789abcdef"), Some(Weakness::WellKnown));
        assert_eq!(weakness("f395accd246ae52d"), Some(Weakness::WellKnown));
        assert_eq!(weakness("ghijklmnopqrstuv"), Some(Weakness::AscendingRun));
        assert_eq!(weakness("5678901234567890"), Some(Weakness::AscendingRun));
        assert_eq!(weakness("abcabcabcdeabcab"), Some(Weakness::FewSymbols));
        assert_eq!(weakness("k3x9q0zv7b2mf8ra"), None);
    }

    proptest! {
        #[test]
        fn what_matches_the_pattern_is_a_token_and_survives(text in "[a-z0-9]{6}\\.[a-z0-9]{16}") {
            let again = text.parse::<Token>().unwrap().text();
            prop_assert_eq!(again.expose(), text);
        }

        #[test]
        fn what_is_read_is_exactly_what_the_pattern_says(text in "[a-zA-Z0-9.]{20,25}|\\PC*") {
            let parts = text.split_once('.');
            let expected = parts.is_some_and(|(id, secret)| {
                id.len() == 6 && secret.len() == 16 && (id.to_owned() + secret).chars()
                    .all(|c| "0123456789abcdefghijklmnopqrstuvwxyz".contains(c))
            });
            prop_assert_eq!(text.parse::<Token>().is_ok(), expected);
        }

        #[test]
        fn any_random_bytes_make_a_token_or_fail(seed: [u8; 32]) {
            let made = Token::generate_with(|buffer| {
                buffer.copy_from_slice(&seed);
                Ok::<(), ()>(())
            });
            if let Ok(token) = made {
                prop_assert!(token.text().expose().parse::<Token>().is_ok());
            }
        }
    }
}
