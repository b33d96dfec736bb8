//! Requests without credentials.

use std::collections::BTreeSet;
use std::sync::Arc;

use burgee_identity::{Authenticated, Reason, UserInfo};

use crate::{Authenticator, Decision, Request, Verdict};

/// Takes every request as `system:anonymous`, everywhere or on some paths only.
///
/// It stands behind all others in a union that stops at rejections: a request with a bad credential
/// never becomes anonymous.
#[derive(Debug)]
pub struct Anonymous {
    user: Arc<UserInfo>,
    paths: Option<BTreeSet<String>>,
}

impl Anonymous {
    /// Takes every request.
    #[must_use]
    pub fn everywhere() -> Self {
        Self {
            user: Arc::new(UserInfo::anonymous()),
            paths: None,
        }
    }

    /// Takes requests whose decoded path is exactly one of `paths`.
    #[must_use]
    pub fn on_paths<P: Into<String>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self {
            paths: Some(paths.into_iter().map(Into::into).collect()),
            ..Self::everywhere()
        }
    }

    pub(crate) fn judge(&self, request: &Request<'_>) -> Verdict {
        if !self.accepts(request.path) {
            return Verdict::no_opinion(Reason::CredentialAbsent);
        }
        let mut anonymous = Authenticated::new(Arc::clone(&self.user));
        if let Some(audiences) = request.audiences.shared() {
            anonymous = anonymous.for_audiences(Arc::clone(audiences));
        }
        Verdict::authenticated(anonymous)
    }

    fn accepts(&self, path: &str) -> bool {
        self.paths.as_ref().is_none_or(|paths| {
            let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
            paths.contains(decoded.as_ref())
        })
    }
}

impl Authenticator for Anonymous {
    fn name(&self) -> &'static str {
        "anonymous"
    }

    fn authenticate(&self, request: &Request<'_>) -> Decision {
        Decision::Now(self.judge(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Audiences;
    use http::HeaderMap;

    #[test]
    fn paths_are_compared_whole_and_decoded() {
        let anonymous = Anonymous::on_paths(["/livez", "/a b"]);
        for (path, expected) in [
            ("/livez", true),
            ("/live%7a", true),
            ("/a%20b", true),
            ("/livez/", false),
            ("/livez/ping", false),
            ("/Livez", false),
            ("/", false),
        ] {
            assert_eq!(anonymous.accepts(path), expected, "{path}");
        }
        assert!(Anonymous::everywhere().accepts("/anything"));
    }

    #[test]
    fn an_anonymous_request_is_good_for_every_requested_audience() {
        let (headers, audiences) = (HeaderMap::new(), Audiences::of(["a", "b"]));
        let request = Request {
            headers: &headers,
            path: "/",
            peer_certificates: None,
            audiences: &audiences,
        };
        let Decision::Now(verdict) = Anonymous::everywhere().authenticate(&request) else {
            panic!()
        };
        let burgee_identity::Outcome::Authenticated(anonymous) = verdict.outcome else {
            panic!()
        };
        assert_eq!(*anonymous.user, UserInfo::anonymous());
        assert_eq!(anonymous.audiences(), ["a", "b"]);
    }
}
