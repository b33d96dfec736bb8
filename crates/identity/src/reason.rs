//! Why a credential was not accepted.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $advice:literal;)*) => {
        /// Why an authenticator had no opinion or refused.
        ///
        /// The list is closed and the codes are stable: metrics, logs and explanations show them. They are
        /// for those who run the server; the client sees only what kube-apiserver would show it.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason, in the order of its code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable code, such as `token.expired`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What to do about it: one sentence for whoever is entitled to know the reason.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self {
                    $(Self::$name => $advice,)*
                }
            }

            /// The reason of this code.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.code() == code)
            }
        }
    };
}

reasons! {
    /// The authenticator broke down over the credential: a defect.
    AuthenticatorFailed = "authenticator.failed",
        "Report this as a defect of the server, with the log lines of that moment.";
    /// The authenticator is still waiting for what it needs, such as a provider's discovery document.
    AuthenticatorNotReady = "authenticator.not-ready",
        "Wait a moment and try again; if it stays so, look in the server's log for what the authenticator waits for, such as an issuer that cannot be reached.";
    /// Whoever has to be asked did not answer in time.
    AuthenticatorTimedOut = "authenticator.timed-out",
        "Try again; if it stays so, look at the load of whoever has to be asked, and at the network in between.";
    /// Whoever has to be asked cannot be reached, or answered with something else than an answer.
    AuthenticatorUnavailable = "authenticator.unavailable",
        "Look whether whoever has to be asked is up, reachable from the server, and trusted by it; the server's log has the error.";
    /// A bound object or service account could not be looked up.
    BoundObjectLookupFailed = "bound-object.lookup-failed",
        "Try again; if it stays so, look at the server's storage.";
    /// The object that the token is bound to does not exist any more.
    BoundObjectGone = "bound-object.gone",
        "Get a new token for an object that exists; in a pod that was deleted there is nothing to do.";
    /// An object of the same name exists, but it is another one.
    BoundObjectReplaced = "bound-object.replaced",
        "Get a new token: this one belongs to an earlier object of the same name.";
    /// The certificate's chain ends at no authority that is trusted here.
    CertificateAuthorityUnknown = "certificate.authority-unknown",
        "Present a certificate that an authority of --client-ca-file signed, along with all intermediates, or add its authority to that file.";
    /// The certificate, or one above it, is past its end.
    CertificateExpired = "certificate.expired",
        "Get a new certificate; if its end has not come yet, set the server's clock.";
    /// The certificate is broken or of an unsupported kind.
    CertificateMalformed = "certificate.malformed",
        "Make a new X.509 version 3 certificate with ordinary extensions.";
    /// The certificate is good, but its common name is not on the list of those that may do this.
    CertificateNameNotAllowed = "certificate.name-not-allowed",
        "Use a certificate with one of the allowed common names, or add this one's to --requestheader-allowed-names.";
    /// The certificate names nobody: its subject has no common name.
    CertificateNameless = "certificate.nameless",
        "Get a certificate whose subject has a common name: that is the user's name.";
    /// The certificate, or one above it, is not valid yet.
    CertificateNotYetValid = "certificate.not-yet-valid",
        "Wait until the certificate begins, or set the clock of the server or of whoever signed it.";
    /// The certificate, or one above it, was revoked.
    CertificateRevoked = "certificate.revoked",
        "Get a new certificate, for a new key if the old one may have leaked.";
    /// The certificate's subject has an unusable user id.
    CertificateUidInvalid = "certificate.uid-invalid",
        "Get a certificate whose subject has at most one user id, and a text as that.";
    /// The certificate is not meant for clients.
    CertificateUsage = "certificate.usage",
        "Get a certificate with the extended key usage client authentication.";
    /// The request carries no credential of this kind.
    CredentialAbsent = "credential.absent",
        "Send a credential of this kind, if it is the one that should count.";
    /// The credential is there but cannot be read.
    CredentialMalformed = "credential.malformed",
        "Send it in the form of its kind: for a token, the header \"Authorization: Bearer TOKEN\" with the token alone and nothing around it.";
    /// This server has no such authenticator configured.
    NotConfigured = "not-configured",
        "Configure this authenticator on the server, if credentials of its kind should count.";
    /// The service account does not exist (any more).
    ServiceAccountGone = "service-account.gone",
        "Make the service account and get a new token for it; tokens of a deleted account do not come back.";
    /// A service account of that name exists, but it is another one.
    ServiceAccountReplaced = "service-account.replaced",
        "Get a new token: this one belongs to an earlier account of the same name.";
    /// The token is signed with an algorithm that is not accepted of its issuer.
    TokenAlgorithmUnsupported = "token.algorithm-unsupported",
        "Have the issuer sign with an accepted algorithm, or accept this one for the issuer; none and HMAC are never accepted.";
    /// The token is not meant for any of the requested audiences.
    TokenAudienceMismatch = "token.audience-mismatch",
        "Get a token for one of the audiences that the server asks for.";
    /// A rule on claims says no.
    TokenClaimRuleFailed = "token.claim-rule-failed",
        "Get a token whose claims satisfy the issuer's rules, or change the rules in the authentication configuration.";
    /// The token's claims are incomplete or of wrong types.
    TokenClaimsInvalid = "token.claims-invalid",
        "Have the issuer put in all claims that are needed, with the right types; the message names what is wrong.";
    /// The token points to claims elsewhere, and those could not be had.
    TokenDistributedClaimsFailed = "token.distributed-claims-failed",
        "Look whether the place that the token points to is reachable and answers with a signed token, or have the issuer put the claims into the token.";
    /// The token is past its end.
    TokenExpired = "token.expired",
        "Get a new token; if its end has not come yet, set the clock of the server or of the issuer.";
    /// The token says that it was issued in the future.
    TokenIssuedInFuture = "token.issued-in-future",
        "Set the clock of the issuer or of the server.";
    /// The token comes from an issuer that this authenticator does not speak for.
    TokenIssuerForeign = "token.issuer-foreign",
        "Get a token from an issuer that is configured here, or configure its issuer, spelled exactly as in the token.";
    /// The token names a key that is not known here.
    TokenKeyUnknown = "token.key-unknown",
        "Get a new token; if new ones fail as well, let the server know the issuer's present keys.";
    /// The keys of the token's issuer could not be had.
    TokenKeySetUnavailable = "token.key-set-unavailable",
        "Look whether the server can reach the issuer's key set and trusts its certificate; the message has the error.";
    /// The token is not of this authenticator's form.
    TokenMalformed = "token.malformed",
        "Look whether the token was cut, wrapped or encoded once too often, unless it is meant for another authenticator.";
    /// An expression that makes a user of the claims failed, or made something unusable.
    TokenMappingFailed = "token.mapping-failed",
        "Get a token with the claims that the mapping reads, or change the mapping in the authentication configuration.";
    /// The token is not valid yet.
    TokenNotYetValid = "token.not-yet-valid",
        "Wait until the token begins, or set the clock of the server or of the issuer.";
    /// The token was revoked.
    TokenRevoked = "token.revoked",
        "Get a new token.";
    /// No key verifies the token's signature.
    TokenSignatureInvalid = "token.signature-invalid",
        "Get a new token from the issuer itself: this one was changed on its way, or signed with a key that is not the issuer's.";
    /// No authenticator knows the token.
    TokenUnknown = "token.unknown",
        "Look whether the token was copied whole and is still meant to work; if so, make it known to the server.";
    /// A rule on the user that the claims make says no.
    TokenUserRuleFailed = "token.user-rule-failed",
        "Change what the claims make of the user, or the rules on users in the authentication configuration.";
    /// The service that judges tokens says no.
    WebhookRefused = "webhook.refused",
        "Ask those who run the webhook; its message says what it has against the token.";
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_lower_case() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert!(codes.iter().all(|code| {
            code.chars()
                .all(|c| c.is_ascii_lowercase() || c == '-' || c == '.')
        }));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
    }

    #[test]
    fn every_reason_is_found_by_its_code() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
        }
        assert_eq!(Reason::from_code("token"), None);
    }

    #[test]
    fn advice_is_one_sentence_of_its_own() {
        let mut all = Vec::new();
        for reason in Reason::ALL {
            let advice = reason.advice();
            assert!(
                advice.starts_with(|c: char| c.is_ascii_uppercase()),
                "{advice}"
            );
            assert!(advice.ends_with('.') && !advice.contains(". "), "{advice}");
            assert!(advice.len() <= 200, "{advice}");
            all.push(advice);
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), Reason::ALL.len());
    }

    #[test]
    fn every_reason_is_documented() {
        let page = include_str!("../../../docs/explain.md");
        for reason in Reason::ALL {
            let row = format!("| `{reason}` | {} |\n", reason.advice());
            assert!(page.contains(&row), "{row}");
        }
    }
}
