//! Whether a token is its issuer's, for us, of now, and unchanged.

use std::borrow::Cow;

use burgee_identity::{Reason, Rejection};
use burgee_jose::{Algorithm, Error as JoseError, Jws, Malformed};
use burgee_wire::quoted;
use jiff::{SignedDuration, Timestamp};

use crate::Claims;
use crate::claims::MAX_TOKEN_LEN;
use crate::key_set::{Attempt, KeySet, NotVerified, Wait};

/// How many characters of what is wrong with something are told. What nobody vouches for may be part of it.
const MAX_MESSAGE: usize = 512;

/// How far ahead of us the clock of a token's issuer may be.
const NOT_BEFORE_LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// Go's zero time, 1 January of the year 1: when a token ends that does not say.
const YEAR_ONE: i64 = -62_135_596_800;

/// What tokens of one issuer have to be like. Texts are those of kube-apiserver.
#[derive(Clone, Debug)]
pub(crate) struct Expectations {
    /// The issuer.
    pub(crate) issuer: String,
    /// At least one.
    pub(crate) audiences: Vec<String>,
    /// The algorithms that are accepted.
    pub(crate) algorithms: Vec<Algorithm>,
}

/// Why a token was not verified.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It is wrong.
    Rejected(Rejection),
    /// Newer keys may help: await them and try again.
    Wait(Wait),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl Expectations {
    /// Verifies a token with this payload. The first rule that it breaks decides.
    pub(crate) fn verify(
        &self,
        token: &str,
        payload: &[u8],
        keys: &KeySet,
        now: Timestamp,
        attempt: Attempt,
    ) -> Result<Claims, Stop> {
        let claims = Claims::from_json(payload)?;
        self.issuer(&claims)?;
        if let [only] = self.audiences.as_slice() {
            one_audience(only, &claims)?;
        }
        expiry(&claims, now)?;
        not_before(&claims, now)?;
        let jws = parse(token)?;
        self.algorithm(&jws)?;
        match keys.verify(&jws, attempt) {
            Ok(()) => {}
            Err(NotVerified::Wait(wait)) => return Err(Stop::Wait(wait)),
            Err(other) => return Err(signature(other).into()),
        }
        self.any_audience(&claims)?;
        Ok(claims)
    }

    /// The token is from the issuer.
    pub(crate) fn issuer(&self, claims: &Claims) -> Result<(), Rejection> {
        if claims.issuer == self.issuer {
            return Ok(());
        }
        let [expected, found] = [&self.issuer, &claims.issuer].map(|issuer| quoted(issuer));
        Err(Rejection::new(
            Reason::TokenIssuerForeign,
            format!(
                "oidc: id token issued by a different provider, expected {expected} got {found}"
            ),
        ))
    }

    /// The token is for one of the audiences.
    pub(crate) fn audience(&self, claims: &Claims) -> Result<(), Rejection> {
        match self.audiences.as_slice() {
            [only] => one_audience(only, claims),
            _ => self.any_audience(claims),
        }
    }

    /// The token's algorithm is one of those that are accepted.
    pub(crate) fn algorithm(&self, jws: &Jws<'_>) -> Result<Algorithm, Rejection> {
        let header = jws.header();
        let algorithm = header.algorithm();
        if let Some(accepted) = algorithm.filter(|algorithm| self.algorithms.contains(algorithm)) {
            return Ok(accepted);
        }
        let expected = list(self.algorithms.iter().map(|algorithm| algorithm.as_str()));
        let found = quoted(header.algorithm_name());
        Err(Rejection::new(
            Reason::TokenAlgorithmUnsupported,
            format!(
                "oidc: id token signed with unsupported algorithm, expected {expected} got {found}"
            ),
        ))
    }

    fn any_audience(&self, claims: &Claims) -> Result<(), Rejection> {
        let mut audiences: Vec<&str> = self.audiences.iter().map(String::as_str).collect();
        if audiences
            .iter()
            .any(|audience| claims.audience.iter().any(|found| found == audience))
        {
            return Ok(());
        }
        audiences.sort_unstable();
        Err(Rejection::new(
            Reason::TokenAudienceMismatch,
            format!(
                "oidc: expected audience in {} got {}",
                list(audiences),
                list(claims.audience.iter().map(String::as_str))
            ),
        ))
    }
}

/// The token is not past its end, without any leeway.
pub(crate) fn expiry(claims: &Claims, now: Timestamp) -> Result<i64, Rejection> {
    let expiry = claims.expiry.unwrap_or(YEAR_ONE);
    // `now` is past the second that it began.
    if expiry > now.as_second() {
        return Ok(expiry);
    }
    Err(Rejection::new(
        Reason::TokenExpired,
        format!(
            "oidc: token is expired (Token Expiry: {})",
            go_time(seconds(expiry))
        ),
    ))
}

/// The token has begun, or will within a minute.
pub(crate) fn not_before(claims: &Claims, now: Timestamp) -> Result<Option<i64>, Rejection> {
    let Some(not_before) = claims.not_before else {
        return Ok(None);
    };
    let latest = now
        .saturating_add(NOT_BEFORE_LEEWAY)
        .unwrap_or(Timestamp::MAX);
    if not_before <= latest.as_second() {
        return Ok(Some(not_before));
    }
    Err(Rejection::new(
        Reason::TokenNotYetValid,
        format!(
            "oidc: current time {} before the nbf (not before) time: {}",
            go_time(now),
            go_time(seconds(not_before))
        ),
    ))
}

/// Takes a token apart.
pub(crate) fn parse(token: &str) -> Result<Jws<'_>, Rejection> {
    let rejected = |message: Cow<'static, str>| Rejection::new(Reason::TokenMalformed, message);
    let jws = Jws::parse_within(MAX_TOKEN_LEN, token).map_err(|error| {
        let what = match &error {
            JoseError::Malformed(Malformed::Header(_)) => "header is no acceptable JSON object",
            JoseError::Malformed(Malformed::HeaderEncoding) => "header is not base64url",
            JoseError::Malformed(Malformed::SignatureEncoding) => "signature is not base64url",
            _ => "it has not three parts in base64url",
        };
        rejected(format!("oidc: malformed jwt: {what}").into())
    })?;
    // A token without an algorithm is told so by the next check.
    if jws.signature().is_empty() && jws.header().algorithm().is_some() {
        return Err(rejected("oidc: id token not signed".into()));
    }
    Ok(jws)
}

/// What is told of a signature that was not verified.
pub(crate) fn signature(failure: NotVerified) -> Rejection {
    const INVALID: &str = "failed to verify signature: failed to verify id token signature";
    match failure {
        NotVerified::KeyUnknown => Rejection::new(Reason::TokenKeyUnknown, INVALID),
        NotVerified::SignatureInvalid => Rejection::new(Reason::TokenSignatureInvalid, INVALID),
        NotVerified::Unavailable(error) => Rejection::new(
            Reason::TokenKeySetUnavailable,
            format!("failed to verify signature: fetching keys {error}"),
        ),
        NotVerified::Wait(_) => no_keys(),
    }
}

/// What is told when the keys did not come.
pub(crate) fn no_keys() -> Rejection {
    Rejection::new(
        Reason::TokenKeySetUnavailable,
        "failed to verify signature: fetching keys oidc: get keys failed: no answer yet",
    )
}

fn one_audience(audience: &str, claims: &Claims) -> Result<(), Rejection> {
    if claims.audience.iter().any(|found| found == audience) {
        return Ok(());
    }
    Err(Rejection::new(
        Reason::TokenAudienceMismatch,
        format!(
            "oidc: expected audience {} got {}",
            quoted(audience),
            list(claims.audience.iter().map(String::as_str))
        ),
    ))
}

/// Seconds since 1970 as a time, as far as there are such times.
pub(crate) fn seconds(seconds: i64) -> Timestamp {
    let bound = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(bound)
}

/// A time as Go prints it: `2009-11-10 22:00:00 +0000 UTC`.
pub(crate) fn go_time(time: Timestamp) -> impl std::fmt::Display {
    time.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC")
}

/// A list as Go prints it: `["a" "b"]`.
pub(crate) fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<_> = items.into_iter().map(quoted).collect();
    format!("[{}]", items.join(" "))
}

/// The beginning of a text that strangers may have made long, with a mark where something is missing.
pub(crate) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_MESSAGE) {
        text.truncate(end);
        text.push('…');
    }
    text
}
