//! The rules for a client's chain one by one, for explanations.

use burgee_identity::{Check, Reason, Rejection};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::time::Validity;
use super::{ClientCertificates, subject, verify};

impl ClientCertificates {
    /// Whether the leaf is valid now; whether the chain is good while the leaf is valid, be that now or
    /// not; and whether the leaf names a user.
    pub(super) fn checks(&self, chain: &[CertificateDer<'static>], now: Timestamp) -> Vec<Check> {
        let leaf = chain.first().map(|leaf| X509Certificate::from_der(leaf));
        let Some(Ok((_, leaf))) = leaf else {
            return vec![failed("form", verify::malformed())];
        };
        let own = Validity::of(&leaf);
        let validity = if now < own.from {
            Check::failed("validity", Reason::CertificateNotYetValid, own.explain(now))
        } else if now > own.until {
            Check::failed("validity", Reason::CertificateExpired, own.explain(now))
        } else {
            Check::passed("validity", "")
        };
        // An expired certificate of a foreign authority is not only expired.
        let instant = now.max(own.from).min(own.until);
        let chain = match self.verifier.verify(chain, &leaf, instant) {
            Ok(()) if instant == now => Check::passed("chain", ""),
            Ok(()) => Check::passed("chain", "while the certificate was valid"),
            Err(rejection) => failed("chain", rejection),
        };
        let subject = match subject::user(&leaf, self.uid_policy) {
            Ok(Some(user)) => Check::passed("subject", user.name),
            Ok(None) => {
                let detail = "there is no common name";
                Check::failed("subject", Reason::CertificateNameless, detail)
            }
            Err(rejection) => failed("subject", rejection),
        };
        vec![validity, chain, subject]
    }
}

fn failed(name: &'static str, rejection: Rejection) -> Check {
    Check::failed(name, rejection.reason, rejection.message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burgee_identity::{CheckResult, SettableClock};
    use http::HeaderMap;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use crate::{
        Audiences, Authenticator as _, Decision, NoMetrics, PeerCertificates, Request, UidPolicy,
    };

    use super::*;

    struct World {
        x509: ClientCertificates,
        authority: Issuer<'static, KeyPair>,
    }

    fn authority() -> (String, Issuer<'static, KeyPair>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "ca");
        let pem = params.self_signed(&key).unwrap().pem();
        (pem, Issuer::new(params, key))
    }

    impl World {
        fn at(now: &str) -> Self {
            let clock = Arc::new(SettableClock::at(now.parse().unwrap()));
            let x509 =
                ClientCertificates::new("ca", UidPolicy::FromSubject, clock, Arc::new(NoMetrics));
            let (pem, authority) = authority();
            let x509 = x509.unwrap();
            x509.reload(pem.as_bytes()).unwrap();
            Self { x509, authority }
        }

        /// The checks of a certificate for the first days of 2026.
        fn examine(
            &self,
            name: &str,
            signer: &Issuer<'static, KeyPair>,
        ) -> Vec<(String, CheckResult)> {
            let mut params = CertificateParams::default();
            params.not_before = rcgen::date_time_ymd(2026, 1, 1);
            params.not_after = rcgen::date_time_ymd(2026, 1, 3);
            params.distinguished_name = rcgen::DistinguishedName::new();
            if !name.is_empty() {
                params.distinguished_name.push(DnType::CommonName, name);
            }
            let key = KeyPair::generate().unwrap();
            let leaf = params.signed_by(&key, signer).unwrap();
            let peer = PeerCertificates::new([leaf.der().clone()]);
            let request = Request {
                headers: &HeaderMap::new(),
                path: "/",
                peer_certificates: Some(&peer),
                audiences: &Audiences::ANY,
            };
            let Decision::Now(checks) = self.x509.examine(&request) else {
                panic!("not decided from memory")
            };
            let checks = checks.into_iter();
            checks
                .map(|check| (check.name.to_owned(), check.result))
                .collect()
        }
    }

    fn results(checks: &[(String, CheckResult)]) -> Vec<CheckResult> {
        checks.iter().map(|(_, result)| *result).collect()
    }

    #[test]
    fn a_good_certificate_passes_every_check() {
        let world = World::at("2026-01-02T00:00:00Z");
        let checks = world.examine("jane", &world.authority);
        let names: Vec<_> = checks.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["validity", "chain", "subject"]);
        assert_eq!(results(&checks), [CheckResult::Passed; 3]);
    }

    #[test]
    fn each_rule_fails_by_itself() {
        use CheckResult::{Failed, Passed};
        let (_, foreign) = authority();
        for (now, expected) in [
            ("2025-12-31T00:00:00Z", Reason::CertificateNotYetValid),
            ("2026-01-04T00:00:00Z", Reason::CertificateExpired),
        ] {
            let world = World::at(now);
            let checks = world.examine("jane", &world.authority);
            assert_eq!(results(&checks), [Failed(expected), Passed, Passed]);
            let unknown = Failed(Reason::CertificateAuthorityUnknown);
            let nameless = Failed(Reason::CertificateNameless);
            let checks = world.examine("", &foreign);
            assert_eq!(results(&checks), [Failed(expected), unknown, nameless]);
        }
    }
}
