//! Why a credential was not accepted.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
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
        }
    };
}

reasons! {
    /// The authenticator broke down over the credential: a defect.
    AuthenticatorFailed = "authenticator.failed",
    /// The authenticator is still waiting for what it needs, such as a provider's discovery document.
    AuthenticatorNotReady = "authenticator.not-ready",
    /// Whoever has to be asked did not answer in time.
    AuthenticatorTimedOut = "authenticator.timed-out",
    /// Whoever has to be asked cannot be reached, or answered with something else than an answer.
    AuthenticatorUnavailable = "authenticator.unavailable",
    /// A bound object or service account could not be looked up.
    BoundObjectLookupFailed = "bound-object.lookup-failed",
    /// The object that the token is bound to does not exist any more.
    BoundObjectGone = "bound-object.gone",
    /// An object of the same name exists, but it is another one.
    BoundObjectReplaced = "bound-object.replaced",
    /// The certificate's chain ends at no authority that is trusted here.
    CertificateAuthorityUnknown = "certificate.authority-unknown",
    /// The certificate, or one above it, is past its end.
    CertificateExpired = "certificate.expired",
    /// The certificate is broken or of an unsupported kind.
    CertificateMalformed = "certificate.malformed",
    /// The certificate is good, but its common name is not on the list of those that may do this.
    CertificateNameNotAllowed = "certificate.name-not-allowed",
    /// The certificate names nobody: its subject has no common name.
    CertificateNameless = "certificate.nameless",
    /// The certificate, or one above it, is not valid yet.
    CertificateNotYetValid = "certificate.not-yet-valid",
    /// The certificate, or one above it, was revoked.
    CertificateRevoked = "certificate.revoked",
    /// The certificate's subject has an unusable user id.
    CertificateUidInvalid = "certificate.uid-invalid",
    /// The certificate is not meant for clients.
    CertificateUsage = "certificate.usage",
    /// The request carries no credential of this kind.
    CredentialAbsent = "credential.absent",
    /// The credential is there but cannot be read.
    CredentialMalformed = "credential.malformed",
    /// This server has no such authenticator configured.
    NotConfigured = "not-configured",
    /// The service account does not exist (any more).
    ServiceAccountGone = "service-account.gone",
    /// A service account of that name exists, but it is another one.
    ServiceAccountReplaced = "service-account.replaced",
    /// The token is signed with an algorithm that is not accepted of its issuer.
    TokenAlgorithmUnsupported = "token.algorithm-unsupported",
    /// The token is not meant for any of the requested audiences.
    TokenAudienceMismatch = "token.audience-mismatch",
    /// A rule on claims says no.
    TokenClaimRuleFailed = "token.claim-rule-failed",
    /// The token's claims are incomplete or of wrong types.
    TokenClaimsInvalid = "token.claims-invalid",
    /// The token points to claims elsewhere, and those could not be had.
    TokenDistributedClaimsFailed = "token.distributed-claims-failed",
    /// The token is past its end.
    TokenExpired = "token.expired",
    /// The token says that it was issued in the future.
    TokenIssuedInFuture = "token.issued-in-future",
    /// The token comes from an issuer that this authenticator does not speak for.
    TokenIssuerForeign = "token.issuer-foreign",
    /// The token names a key that is not known here.
    TokenKeyUnknown = "token.key-unknown",
    /// The keys of the token's issuer could not be had.
    TokenKeySetUnavailable = "token.key-set-unavailable",
    /// The token is not of this authenticator's form.
    TokenMalformed = "token.malformed",
    /// An expression that makes a user of the claims failed, or made something unusable.
    TokenMappingFailed = "token.mapping-failed",
    /// The token is not valid yet.
    TokenNotYetValid = "token.not-yet-valid",
    /// The token was revoked.
    TokenRevoked = "token.revoked",
    /// No key verifies the token's signature.
    TokenSignatureInvalid = "token.signature-invalid",
    /// No authenticator knows the token.
    TokenUnknown = "token.unknown",
    /// A rule on the user that the claims make says no.
    TokenUserRuleFailed = "token.user-rule-failed",
    /// The service that judges tokens says no.
    WebhookRefused = "webhook.refused",
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
}
