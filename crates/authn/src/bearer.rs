//! The bearer token of the `Authorization` header.

use std::fmt;
use std::sync::Arc;

use burgee_identity::Reason;
use http::header::AUTHORIZATION;

use crate::chain::insist;
use crate::text::trim_white_space;
use crate::{Authenticator, Decision, Request, TokenAuthenticator, Verdict};

/// What a client gets to know whose token is ignored because of too many spaces.
pub const EXTRA_SPACE_WARNING: &str = "the provided Authorization header contains extra space before the bearer token, and is ignored";

/// kube-apiserver's text for a token that nobody knows.
pub(crate) const INVALID_BEARER_TOKEN: &str = "invalid bearer token";

/// The most bytes of a token that anyone is asked about, unless configured otherwise. Upstream has no
/// limit but that of all headers together, which is one mebibyte.
pub const LONGEST_TOKEN: usize = 64 * 1024;

/// Judges the bearer token of the first `Authorization` line with a token authenticator.
///
/// A token that nobody knows is rejected: a request that carries a bearer token never becomes
/// anonymous.
#[derive(Debug)]
pub struct BearerToken {
    tokens: Arc<dyn TokenAuthenticator>,
    longest: usize,
    only: Option<usize>,
}

impl BearerToken {
    /// Judges with `tokens`.
    #[must_use]
    pub fn new(tokens: Arc<dyn TokenAuthenticator>) -> Self {
        Self {
            tokens,
            longest: LONGEST_TOKEN,
            only: None,
        }
    }

    /// Rejects tokens of more than `bytes` without asking anyone, instead of those of more than
    /// [`LONGEST_TOKEN`].
    #[must_use]
    pub fn longest_token(mut self, bytes: usize) -> Self {
        self.longest = bytes;
        self
    }

    /// Asks about tokens of this length only, when it is known that no other is good.
    pub(crate) fn only_length(mut self, bytes: usize) -> Self {
        self.only = Some(bytes);
        self
    }
}

impl Authenticator for BearerToken {
    fn name(&self) -> &'static str {
        "bearer-token"
    }

    fn is_addressed(&self, request: &Request<'_>) -> bool {
        request.headers.contains_key(AUTHORIZATION)
    }

    fn authenticate(&self, request: &Request<'_>) -> Decision {
        let Some(value) = request.headers.get(AUTHORIZATION) else {
            return Decision::Now(Verdict::no_opinion(Reason::CredentialAbsent));
        };
        if self
            .only
            .is_some_and(|only| is_another(value.as_bytes(), only))
        {
            return Decision::Now(Verdict::rejected(
                Reason::TokenUnknown,
                INVALID_BEARER_TOKEN,
            ));
        }
        match BearerHeader::parse(value.as_bytes()) {
            BearerHeader::Absent => Decision::Now(Verdict::no_opinion(Reason::CredentialAbsent)),
            BearerHeader::ExtraSpace => Decision::Now(
                Verdict::no_opinion(Reason::CredentialMalformed).with_warning(EXTRA_SPACE_WARNING),
            ),
            BearerHeader::Token(token) => judge(&*self.tokens, token, self.longest, request),
        }
    }
}

/// Whether a glance tells that the header has a token of another length: long ones need not be
/// searched for their end.
fn is_another(value: &[u8], length: usize) -> bool {
    match BearerHeader::split(value) {
        [b' ', b' ', ..] | [b' '] => false,
        [b' ', token @ ..] => match token.split_at_checked(length) {
            Some((token, behind)) => !matches!(behind, [] | [b' ', ..]) || token.contains(&b' '),
            None => true,
        },
        _ => false,
    }
}

/// Asks `tokens` about `token`; nobody knowing it is a rejection.
///
/// Tokens are text here. One that is not UTF-8 cannot be known to anyone, so nobody is asked; nor
/// about one that is longer than `longest`.
pub(crate) fn judge(
    tokens: &dyn TokenAuthenticator,
    token: &[u8],
    longest: usize,
    request: &Request<'_>,
) -> Decision {
    let text = std::str::from_utf8(token);
    let Some(token) = text.ok().filter(|token| token.len() <= longest) else {
        let reason = Reason::CredentialMalformed;
        return Decision::Now(Verdict::rejected(reason, INVALID_BEARER_TOKEN));
    };
    tokens.authenticate(token, request.audiences).map(insist)
}

/// What an `Authorization` header says about a bearer token.
///
/// `Debug` does not show the token.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum BearerHeader<'a> {
    /// Nothing: another scheme, or no token.
    Absent,
    /// There is more than one space before the token, so that it is not seen as one.
    ExtraSpace,
    /// This token, verbatim.
    Token(&'a [u8]),
}

impl<'a> BearerHeader<'a> {
    /// Reads a header value: white space around it is ignored, then single spaces separate the scheme
    /// `bearer` (in any case), the token and anything else.
    ///
    /// ```
    /// use burgee_authn::BearerHeader;
    /// assert_eq!(BearerHeader::parse(b"Bearer tok rest"), BearerHeader::Token(b"tok"));
    /// assert_eq!(BearerHeader::parse(b"Bearer  tok"), BearerHeader::ExtraSpace);
    /// assert_eq!(BearerHeader::parse(b"Basic dXNlcg=="), BearerHeader::Absent);
    /// ```
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Self {
        match Self::split(value) {
            [b' ', b' ', ..] => Self::ExtraSpace,
            [b' ', token @ ..] => {
                let end = memchr::memchr(b' ', token).unwrap_or(token.len());
                Self::Token(token.get(..end).unwrap_or_default())
            }
            _ => Self::Absent,
        }
    }

    /// What stands behind the scheme; nothing where it is another.
    fn split(value: &'a [u8]) -> &'a [u8] {
        match trim_white_space(value).split_at_checked("bearer".len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"bearer") => rest,
            _ => &[],
        }
    }
}

impl fmt::Debug for BearerHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::ExtraSpace => "ExtraSpace",
            Self::Token(_) => "Token(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Known, request};
    use burgee_identity::Outcome;
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    fn token(text: &str) -> BearerHeader<'_> {
        BearerHeader::Token(text.as_bytes())
    }

    #[test]
    fn the_header_is_read_byte_for_byte_as_upstream_does() {
        for (value, expected) in [
            ("Bearer tok", token("tok")),
            ("bearer tok", token("tok")),
            ("BEARER tok", token("tok")),
            ("bEaReR tok", token("tok")),
            (" Bearer tok ", token("tok")),
            ("\u{a0}Bearer tok\u{2003}", token("tok")),
            ("\u{85}\u{b}\u{c}\r\n\tBearer tok", token("tok")),
            ("Bearer \u{a0}tok", token("\u{a0}tok")),
            ("Bearer tok a b c", token("tok")),
            ("Bearer tok   a", token("tok")),
            ("Bearer tok, Bearer two", token("tok,")),
            ("Bearer  tok", BearerHeader::ExtraSpace),
            ("Bearer   tok", BearerHeader::ExtraSpace),
            ("Bearer", BearerHeader::Absent),
            ("Bearer ", BearerHeader::Absent),
            ("Bearer  ", BearerHeader::Absent),
            ("Bearer\ttok", BearerHeader::Absent),
            ("Bearer \ttok", token("\ttok")),
            ("Bearer: tok", BearerHeader::Absent),
            ("bear tok", BearerHeader::Absent),
            ("Bearer,tok", BearerHeader::Absent),
            ("Basic 123", BearerHeader::Absent),
            ("", BearerHeader::Absent),
            ("   ", BearerHeader::Absent),
        ] {
            assert_eq!(BearerHeader::parse(value.as_bytes()), expected, "{value:?}");
        }
    }

    #[test]
    fn one_that_knows_tokens_of_one_length_answers_as_if_it_looked_at_all() {
        let (any, some) = (
            BearerToken::new(Known::token("good", "jane")),
            BearerToken::new(Known::token("good", "jane")).only_length(4),
        );
        for value in [
            "Bearer good",
            "Bearer good x",
            "Bearer goo",
            "Bearer goods",
            "Bearer go od",
            "Bearer g",
            "Bearer nope",
            "Bearer  good",
            "Bearer",
            "Bearer ",
            "Basic good",
            "",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            let [any, some] =
                [&any, &some].map(|bearer| match bearer.authenticate(&request(&headers)) {
                    Decision::Now(verdict) => verdict,
                    Decision::Later(_) => panic!("decided from memory"),
                });
            assert_eq!(any, some, "{value}");
        }
    }

    #[test]
    fn nobody_is_asked_about_a_token_that_is_too_long() {
        let long = "x".repeat(LONGEST_TOKEN);
        let known: &'static str = Box::leak(long.clone().into_boxed_str());
        for (token, limit, expected) in [
            (long.clone(), LONGEST_TOKEN, true),
            (long.clone(), LONGEST_TOKEN - 1, false),
            (long.clone() + "x", LONGEST_TOKEN, false),
        ] {
            let bearer = BearerToken::new(Known::token(known, "jane")).longest_token(limit);
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            headers.insert(AUTHORIZATION, value);
            let Decision::Now(verdict) = bearer.authenticate(&request(&headers)) else {
                panic!()
            };
            assert_eq!(verdict.is_authenticated(), expected);
            if !expected {
                let refused = Outcome::rejected(Reason::CredentialMalformed, INVALID_BEARER_TOKEN);
                assert_eq!(verdict.outcome, refused);
            }
        }
    }

    #[test]
    fn a_token_does_not_print() {
        assert_eq!(format!("{:?}", token("s3cr3t")), "Token(..)");
    }

    #[test]
    fn only_the_first_authorization_line_counts() {
        let bearer = BearerToken::new(Known::token("good", "jane"));
        let mut headers = HeaderMap::new();
        headers.append(
            AUTHORIZATION,
            HeaderValue::from_static("Basic Zm9vOmJhcg=="),
        );
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer good"));
        let verdict = bearer.authenticate(&request(&headers));
        assert!(
            matches!(verdict, Decision::Now(v) if v.outcome == Outcome::NoOpinion(Reason::CredentialAbsent))
        );
    }

    #[test]
    fn a_known_token_is_an_identity_and_an_unknown_one_is_rejected() {
        let bearer = BearerToken::new(Known::token("good", "jane"));
        for (value, user, text) in [
            (&b"Bearer good"[..], Some("jane"), None),
            (b"Bearer bad", None, Some("invalid bearer token")),
            (b"Bearer \xff\xfe", None, Some("invalid bearer token")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
            let Decision::Now(verdict) = bearer.authenticate(&request(&headers)) else {
                panic!()
            };
            assert_eq!(verdict.outcome.user().map(|user| user.name.as_str()), user);
            let message = match &verdict.outcome {
                Outcome::Rejected(rejection) => Some(rejection.message.as_ref()),
                _ => None,
            };
            assert_eq!(message, text);
        }
    }

    #[test]
    fn a_token_behind_two_spaces_is_ignored_with_a_warning() {
        let bearer = BearerToken::new(Known::token("good", "jane"));
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer  good"));
        let Decision::Now(verdict) = bearer.authenticate(&request(&headers)) else {
            panic!()
        };
        assert!(matches!(verdict.outcome, Outcome::NoOpinion(_)));
        assert_eq!(verdict.warnings(), [EXTRA_SPACE_WARNING]);
    }

    proptest! {
        #[test]
        fn a_token_is_never_empty_and_never_holds_a_space(value: Vec<u8>) {
            if let BearerHeader::Token(token) = BearerHeader::parse(&value) {
                prop_assert!(!token.is_empty() && !token.contains(&b' '));
            }
        }

        #[test]
        fn any_text_without_white_space_survives_as_a_token(text in "[^\\s\\p{Z}\\p{Cc}]{1,40}") {
            let value = format!("Bearer {text}");
            prop_assert_eq!(BearerHeader::parse(value.as_bytes()), token(&text));
        }
    }
}
