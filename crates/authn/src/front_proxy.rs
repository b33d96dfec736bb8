//! Identities that a trusted proxy states in headers.

mod options;

use std::collections::BTreeMap;
use std::sync::Arc;

use burgee_identity::{Authenticated, Clock, Outcome, Reason, Rejection, UserInfo};
use http::{HeaderMap, HeaderName, HeaderValue};
use x509_parser::certificate::X509Certificate;

use crate::certificate::{ChainVerifier, common_name};
use crate::{
    Authenticator, ClientCertificates, Decision, Error, IdentityHeaders, PeerCertificates, Reload,
    Request, Verdict,
};
use options::Checked;

pub use options::{FrontProxyOptions, FrontProxyProblem, RemoteUid};

/// Believes a proxy that shows a client certificate of its own CA bundle about who its clients are
/// (upstream's `requestheader`).
///
/// The certificate is judged first, per request like that of a client ([`ClientCertificates`]); without
/// a good one no header is looked at. [`AuthenticationLayer`](crate::AuthenticationLayer) takes the
/// headers out of every request, whoever sent it.
///
/// Stricter than upstream in this: headers that are not UTF-8 are refused.
#[derive(Debug)]
pub struct FrontProxy {
    verifier: ChainVerifier,
    options: Checked,
}

impl FrontProxy {
    /// An authenticator without a CA bundle: it has no opinion until [`FrontProxy::reload`].
    ///
    /// `name` is purpose and path, such as `request-header::/etc/kubernetes/front-proxy-ca.crt`; it
    /// stands in messages only.
    ///
    /// # Errors
    ///
    /// [`Error::FrontProxyOptions`] with everything that is wrong with the options, or
    /// [`Error::Randomness`].
    pub fn new(
        name: impl Into<String>,
        options: &FrontProxyOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        Ok(Self {
            options: options.check()?,
            verifier: ChainVerifier::new(name.into(), clock)?,
        })
    }

    /// Trusts the certificates of this PEM text to vouch for proxies from now on, also on open
    /// connections.
    ///
    /// # Errors
    ///
    /// When there is no certificate or one cannot be read; the bundle stays as it was then.
    pub fn reload(&self, pem: &[u8]) -> Result<Reload, Error> {
        self.verifier.reload(pem)
    }

    /// Refuses proxies whose certificates are on these revocation lists, as
    /// [`ClientCertificates::reload_revocations`] does.
    ///
    /// # Errors
    ///
    /// Those of [`ClientCertificates::reload_revocations`].
    pub fn reload_revocations(&self, name: &str, pem: &[u8]) -> Result<Reload, Error> {
        self.verifier.reload_revocations(name, pem)
    }

    /// The subjects of the CA bundle, in DER, which a TLS server tells its clients when it asks them
    /// for a certificate.
    #[must_use]
    pub fn subjects(&self) -> Vec<Vec<u8>> {
        let bundle = self.verifier.bundle();
        bundle.map(|bundle| bundle.subjects()).unwrap_or_default()
    }

    /// The certificates of the CA bundle in PEM, each once, and nothing else that its file held; empty
    /// without a bundle.
    #[must_use]
    pub fn trusted(&self) -> String {
        let bundle = self.verifier.bundle();
        bundle.map(|bundle| bundle.to_pem()).unwrap_or_default()
    }

    /// Makes sure that no ordinary client passes for a proxy: where the two CA bundles, as they are
    /// now, share a certificate, the names of proxies must be listed. To be asked at the start, and
    /// after each reload of either.
    ///
    /// # Errors
    ///
    /// [`FrontProxyProblem::OverlappingAuthorities`].
    pub fn check_overlap(&self, clients: &ClientCertificates) -> Result<(), Error> {
        let (own, clients) = (self.verifier.bundle(), clients.bundle());
        let overlap = own
            .zip(clients)
            .is_some_and(|(own, clients)| own.overlaps(&clients));
        if overlap && self.options.allowed_names.is_empty() {
            let problems = vec![FrontProxyProblem::OverlappingAuthorities];
            return Err(Error::FrontProxyOptions { problems });
        }
        Ok(())
    }

    /// Whether the connection is one of a proxy that is believed at the moment. For what else is
    /// granted to proxies, such as
    /// [`AuthenticationLayer::http2_exempt`](crate::AuthenticationLayer::http2_exempt).
    #[must_use]
    pub fn trusts(&self, peer: &PeerCertificates) -> bool {
        self.gate(peer).is_authenticated()
    }

    /// Judges the proxy itself. The identity of a good one is its certificate's common name.
    fn gate(&self, peer: &PeerCertificates) -> Verdict {
        if peer.chain().is_empty() {
            return Verdict::no_opinion(Reason::CredentialAbsent);
        }
        let judged = self
            .verifier
            .judge(peer, |leaf, chain| self.admit(leaf, chain));
        judged.map_or_else(
            || Verdict::no_opinion(Reason::NotConfigured),
            |judged| judged.verdict,
        )
    }

    fn admit(&self, leaf: &X509Certificate<'_>, chain: Result<(), Rejection>) -> Verdict {
        let name = match chain.and_then(|()| common_name(leaf)) {
            Ok(name) => name,
            Err(rejection) => return Outcome::Rejected(rejection).into(),
        };
        let allowed = &self.options.allowed_names;
        if !allowed.is_empty() && !allowed.contains(&name) {
            let text = format!("x509: subject with cn={name} is not in the allowed list");
            return Verdict::rejected(Reason::CertificateNameNotAllowed, text);
        }
        Verdict::authenticated(Authenticated::new(UserInfo::named(name)))
    }

    /// Who the headers say that someone is; nobody without a user name.
    fn user(&self, headers: &HeaderMap) -> Result<Option<UserInfo>, Rejection> {
        let Some(name) = first_of(headers, &self.options.username_headers)? else {
            return Ok(None);
        };
        let mut user = UserInfo::named(name);
        user.uid = first_of(headers, &self.options.uid_headers)?
            .unwrap_or_default()
            .to_owned();
        for group_header in &self.options.group_headers {
            for line in headers.get_all(group_header) {
                let group = text(group_header, line)?;
                if !group.is_empty() {
                    user.groups.push(group.to_owned());
                }
            }
        }
        user.extra = self.extra(headers)?;
        Ok(Some(user))
    }

    fn extra(&self, headers: &HeaderMap) -> Result<BTreeMap<String, Vec<String>>, Rejection> {
        let mut extra = BTreeMap::<String, Vec<String>>::new();
        for prefix in &self.options.extra_header_prefixes {
            for name in headers.keys() {
                let Some(rest) = name.as_str().strip_prefix(prefix.as_str()) else {
                    continue;
                };
                let values = extra.entry(extra_key(rest)).or_default();
                for line in headers.get_all(name) {
                    values.push(text(name, line)?.to_owned());
                }
            }
        }
        Ok(extra)
    }
}

impl Authenticator for FrontProxy {
    fn name(&self) -> &'static str {
        "front-proxy"
    }

    fn is_addressed(&self, request: &Request<'_>) -> bool {
        request.peer_certificates.is_some()
    }

    fn authenticate(&self, request: &Request<'_>) -> Decision {
        let Some(peer) = request.peer_certificates else {
            return Decision::Now(Verdict::no_opinion(Reason::CredentialAbsent));
        };
        let gate = self.gate(peer);
        if !gate.is_authenticated() {
            return Decision::Now(gate);
        }
        Decision::Now(match self.user(request.headers) {
            Ok(Some(user)) => Verdict {
                good_until: gate.good_until,
                ..Verdict::authenticated(Authenticated::new(user))
            },
            Ok(None) => Verdict::no_opinion(Reason::CredentialAbsent),
            Err(rejection) => Outcome::Rejected(rejection).into(),
        })
    }

    fn identity_headers(&self) -> IdentityHeaders {
        let options = &self.options;
        let names = [
            &options.username_headers,
            &options.uid_headers,
            &options.group_headers,
        ];
        let names = names.into_iter().flatten().cloned();
        IdentityHeaders::new(names, options.extra_header_prefixes.iter().cloned())
    }
}

/// The first line of the first of these headers whose first line is not empty.
fn first_of<'a>(
    headers: &'a HeaderMap,
    names: &[HeaderName],
) -> Result<Option<&'a str>, Rejection> {
    for name in names {
        if let Some(line) = headers.get(name).filter(|line| !line.is_empty()) {
            return text(name, line).map(Some);
        }
    }
    Ok(None)
}

fn text<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<&'a str, Rejection> {
    std::str::from_utf8(value.as_bytes()).map_err(|_| {
        let message = format!("front proxy header {name} is not valid UTF-8");
        Rejection::new(Reason::CredentialMalformed, message)
    })
}

/// The key that the rest of a header's name stands for: percent-decoded, unless it is no percent
/// encoding of a text, when it stays as it is. The name is in lower case already, so that only what
/// is encoded can be in upper case.
fn extra_key(rest: &str) -> String {
    let escapes = rest.split('%').skip(1);
    let encoded = escapes.into_iter().all(|escape| {
        let digits = escape.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !encoded {
        return rest.to_owned();
    }
    let decoded = percent_encoding::percent_decode_str(rest).decode_utf8();
    decoded.map_or_else(|_| rest.to_owned(), |key| key.into_owned())
}

#[cfg(test)]
mod tests;
