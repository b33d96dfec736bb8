//! The bearer token that browsers put into a WebSocket subprotocol, having no other place for it.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use burgee_identity::{Reason, Secret};
use http::header::{CONNECTION, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderMap, HeaderValue};

use crate::bearer::{LONGEST_TOKEN, judge};
use crate::text::trim_white_space;
use crate::{Authenticator, Decision, Request, TokenAuthenticator, Verdict};

/// What a subprotocol starts with whose rest is a token in base64url.
pub const TOKEN_PROTOCOL_PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

/// Judges the token in the subprotocols of a WebSocket handshake with a token authenticator.
///
/// After success the token's item is taken out of the header, so that the handshake never echoes it.
#[derive(Debug)]
pub struct WebSocketToken {
    tokens: Arc<dyn TokenAuthenticator>,
    longest: usize,
}

impl WebSocketToken {
    /// Judges with `tokens`.
    #[must_use]
    pub fn new(tokens: Arc<dyn TokenAuthenticator>) -> Self {
        Self {
            tokens,
            longest: LONGEST_TOKEN,
        }
    }

    /// Rejects tokens of more than `bytes`, decoded, without asking anyone, instead of those of more
    /// than [`LONGEST_TOKEN`].
    #[must_use]
    pub fn longest_token(mut self, bytes: usize) -> Self {
        self.longest = bytes;
        self
    }

    /// Takes all tokens out of the subprotocols, whoever they are for. After success the layer takes
    /// out the one that was judged; another stays when the request was let through because of some
    /// other credential. A service that hands requests on to someone else calls this first.
    pub fn remove_from(headers: &mut HeaderMap) {
        let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let items = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        let (tokens, others): (Vec<&[u8]>, Vec<&[u8]>) = items
            .map(trim_white_space)
            .partition(|item| item.starts_with(TOKEN_PROTOCOL_PREFIX.as_bytes()));
        if tokens.is_empty() {
            return;
        }
        match HeaderValue::from_bytes(&others.join(&b',')) {
            Ok(rest) if !others.is_empty() => {
                headers.insert(SEC_WEBSOCKET_PROTOCOL, rest);
            }
            _ => {
                headers.remove(SEC_WEBSOCKET_PROTOCOL);
            }
        }
    }
}

impl Authenticator for WebSocketToken {
    fn name(&self) -> &'static str {
        "websocket-token"
    }

    fn is_addressed(&self, request: &Request<'_>) -> bool {
        request.headers.contains_key(UPGRADE)
    }

    fn authenticate(&self, request: &Request<'_>) -> Decision {
        if !is_websocket_upgrade(request.headers) {
            return Decision::Now(Verdict::no_opinion(Reason::CredentialAbsent));
        }
        let lines = request.headers.get_all(SEC_WEBSOCKET_PROTOCOL);
        let protocols = match WebSocketProtocols::parse(lines.iter().map(HeaderValue::as_bytes)) {
            Ok(protocols) => protocols,
            Err(error) => {
                let reason = Reason::CredentialMalformed;
                return Decision::Now(Verdict::rejected(reason, error.message()));
            }
        };
        if protocols.token.is_empty() {
            return Decision::Now(Verdict::no_opinion(Reason::CredentialAbsent));
        }
        let rest = HeaderValue::from_bytes(&protocols.others.join(&b','));
        let token = protocols.token.expose().as_bytes();
        judge(&*self.tokens, token, self.longest, request).map(|verdict| {
            // The items come from header values, so that they make one again.
            match rest {
                Ok(rest) if verdict.is_authenticated() => {
                    verdict.with_rewrite(SEC_WEBSOCKET_PROTOCOL, rest)
                }
                _ => verdict,
            }
        })
    }
}

fn is_websocket_upgrade(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(UPGRADE).map(HeaderValue::as_bytes);
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))
        && headers.get_all(CONNECTION).iter().any(|value| {
            value
                .as_bytes()
                .windows(7)
                .any(|part| part.eq_ignore_ascii_case(b"upgrade"))
        })
}

/// The items of `Sec-WebSocket-Protocol`, with the token set apart. `Debug` does not show them.
#[derive(Clone, Eq, PartialEq)]
pub struct WebSocketProtocols<'a> {
    /// The decoded token; empty when there is none.
    token: Secret,
    /// Every other item, in order. An empty item is one too.
    others: Vec<&'a [u8]>,
}

/// Why the items of `Sec-WebSocket-Protocol` are refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WebSocketProtocolsError {
    /// The token's text is not base64url without padding.
    Encoding,
    /// There is a token but nothing that the handshake could choose.
    NoOtherProtocol,
    /// The decoded token is not UTF-8.
    NotText,
    /// There is more than one token.
    SeveralTokens,
}

impl WebSocketProtocolsError {
    /// kube-apiserver's text.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Encoding => "invalid base64.bearer.authorization token encoding",
            Self::NoOtherProtocol => "missing additional subprotocol",
            Self::NotText => "invalid base64.bearer.authorization token",
            Self::SeveralTokens => "multiple base64.bearer.authorization tokens specified",
        }
    }
}

impl<'a> WebSocketProtocols<'a> {
    /// Reads all lines of the header.
    ///
    /// # Errors
    ///
    /// When the token cannot be read, is not the only one, or stands alone.
    pub fn parse(
        lines: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, WebSocketProtocolsError> {
        let mut token = None;
        let mut others = Vec::new();
        let items = lines
            .into_iter()
            .flat_map(|line| line.split(|byte| *byte == b','));
        for item in items.map(trim_white_space) {
            let Some(encoded) = item.strip_prefix(TOKEN_PROTOCOL_PREFIX.as_bytes()) else {
                others.push(item);
                continue;
            };
            if token.is_some() {
                return Err(WebSocketProtocolsError::SeveralTokens);
            }
            let decoded = BASE64
                .decode(encoded)
                .map_err(|_| WebSocketProtocolsError::Encoding)?;
            token = Some(String::from_utf8(decoded).map_err(|_| WebSocketProtocolsError::NotText)?);
        }
        let token = Secret::from(token.unwrap_or_default());
        if !token.is_empty() && others.is_empty() {
            return Err(WebSocketProtocolsError::NoOtherProtocol);
        }
        Ok(Self { token, others })
    }
}

impl fmt::Debug for WebSocketProtocols<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketProtocols").finish_non_exhaustive()
    }
}

/// Base64url without padding; trailing bits that encode nothing may be set, as in Go's decoder.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Known, request};
    use proptest::prelude::*;

    const P: &str = TOKEN_PROTOCOL_PREFIX;

    fn parse(lines: &[&str]) -> Result<(String, String), &'static str> {
        WebSocketProtocols::parse(lines.iter().map(|line| line.as_bytes()))
            .map(|p| {
                (
                    p.token.expose().to_owned(),
                    String::from_utf8(p.others.join(&b',')).unwrap(),
                )
            })
            .map_err(WebSocketProtocolsError::message)
    }

    #[test]
    fn tokens_are_taken_out_of_the_protocols() {
        for (lines, token, rest) in [
            (vec![format!("{P}bXl0b2tlbg, v4")], "mytoken", "v4"),
            (vec![format!("{P}bXl0b2tlbh,v4")], "mytoken", "v4"),
            (
                vec![format!("{P}dG9rZW4"), "dummy, dummy2".into()],
                "token",
                "dummy,dummy2",
            ),
            (
                vec![format!("v5.channel.k8s.io, {P}Z29vZA")],
                "good",
                "v5.channel.k8s.io",
            ),
            (vec![format!("{P}YT9iPmN-w78,x")], "a?b>c~ÿ", "x"),
            (vec![format!("{P}Z29vZA,")], "good", ""),
            (vec![format!("{P},x")], "", "x"),
            (vec!["a,b".into()], "", "a,b"),
            (
                vec![P.to_uppercase() + "Z29vZA"],
                "",
                "BASE64URL.BEARER.AUTHORIZATION.K8S.IO.Z29vZA",
            ),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(
                parse(&lines),
                Ok((token.to_owned(), rest.to_owned())),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn broken_tokens_are_refused_with_upstreams_words() {
        for (line, message) in [
            (
                format!("{P}Z29vZA,{P}Z29vZA,x"),
                "multiple base64.bearer.authorization tokens specified",
            ),
            (
                format!("{P},{P}Z29vZA,x"),
                "multiple base64.bearer.authorization tokens specified",
            ),
            (
                format!("{P}Z29vZA==,x"),
                "invalid base64.bearer.authorization token encoding",
            ),
            (
                format!("{P}a+b/,x"),
                "invalid base64.bearer.authorization token encoding",
            ),
            (
                format!("{P}Z29 vZA,x"),
                "invalid base64.bearer.authorization token encoding",
            ),
            (
                format!("{P}Z,x"),
                "invalid base64.bearer.authorization token encoding",
            ),
            (
                format!("{P}_w,x"),
                "invalid base64.bearer.authorization token",
            ),
            (format!("{P}Z29vZA"), "missing additional subprotocol"),
        ] {
            assert_eq!(parse(&[&line]), Err(message), "{line}");
        }
    }

    fn handshake(upgrade: &'static str, connection: &[&'static str], protocol: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(UPGRADE, HeaderValue::from_static(upgrade));
        for value in connection {
            headers.append(CONNECTION, HeaderValue::from_static(value));
        }
        headers.insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_str(protocol).unwrap(),
        );
        headers
    }

    #[test]
    fn the_token_counts_only_in_a_websocket_handshake() {
        let authenticator = WebSocketToken::new(Known::token("good", "jane"));
        let protocol = format!("v4,{P}Z29vZA");
        for (upgrade, connection, expected) in [
            ("websocket", &["Upgrade"][..], true),
            ("WebSocket", &["keep-alive", "xUPGRADEx"], true),
            ("h2c", &["Upgrade"], false),
            ("websocket", &["keep-alive"], false),
        ] {
            let headers = handshake(upgrade, connection, &protocol);
            let Decision::Now(verdict) = authenticator.authenticate(&request(&headers)) else {
                panic!()
            };
            assert_eq!(
                verdict.is_authenticated(),
                expected,
                "{upgrade} {connection:?}"
            );
            let rewrite =
                expected.then(|| (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("v4")));
            assert_eq!(verdict.rewrite(), rewrite.as_ref());
        }
    }

    #[test]
    fn nobody_is_asked_about_a_token_that_is_too_long() {
        let protocol = format!("v4,{P}Z29vZA");
        let headers = handshake("websocket", &["Upgrade"], &protocol);
        for (longest, expected) in [(4, true), (3, false)] {
            let known = WebSocketToken::new(Known::token("good", "jane")).longest_token(longest);
            let Decision::Now(verdict) = known.authenticate(&request(&headers)) else {
                panic!()
            };
            assert_eq!(verdict.is_authenticated(), expected);
        }
    }

    #[test]
    fn all_tokens_can_be_taken_out_of_a_handshake() {
        for (protocols, expected) in [
            (vec![format!("v4, {P}Z29vZA")], Some("v4")),
            (
                vec![format!("{P}a,{P}b"), "v5, v4".to_owned()],
                Some("v5,v4"),
            ),
            (vec![format!("{P}a")], None),
            (vec!["v4, v5".to_owned()], Some("v4, v5")),
            (vec![], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in &protocols {
                headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(line).unwrap());
            }
            WebSocketToken::remove_from(&mut headers);
            let left = headers.get(SEC_WEBSOCKET_PROTOCOL);
            assert_eq!(
                left.map(|value| value.to_str().unwrap()),
                expected,
                "{protocols:?}"
            );
        }
    }

    #[test]
    fn an_unknown_token_is_rejected_and_the_header_stays() {
        let authenticator = WebSocketToken::new(Known::token("other", "jane"));
        let headers = handshake("websocket", &["Upgrade"], &format!("v4,{P}Z29vZA"));
        let Decision::Now(verdict) = authenticator.authenticate(&request(&headers)) else {
            panic!()
        };
        assert_eq!(
            verdict.outcome,
            burgee_identity::Outcome::rejected(Reason::TokenUnknown, "invalid bearer token")
        );
        assert_eq!(verdict.rewrite(), None);
    }

    proptest! {
        #[test]
        fn any_text_survives_encoding(token in "\\PC{1,60}") {
            let line = format!("{P}{},v4", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&token));
            prop_assert_eq!(parse(&[&line]), Ok((token, "v4".to_owned())));
        }

        #[test]
        fn no_bytes_panic(lines: Vec<Vec<u8>>) {
            let _ = WebSocketProtocols::parse(lines.iter().map(Vec::as_slice));
        }
    }
}
