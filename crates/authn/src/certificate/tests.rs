use super::*;

use std::time::Duration;

use burgee_identity::{SettableClock, UserInfo};
use http::HeaderMap;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::CertificateDer;

use crate::testing::certificates::{
    Authority, authority_parameters, client_parameters, parameters, self_signed,
};
use crate::{Audiences, NoMetrics};

mod chains;
mod revocation;

const CA: &str = "-----BEGIN CERTIFICATE-----
MIIBajCCARGgAwIBAgIBATAKBggqhkjOPQQDAjAcMRowGAYDVQQDDBFleGFtcGxl
LWNsaWVudC1jYTAgFw0yNDAxMDEwMDAwMDBaGA8yMTAwMDEwMTAwMDAwMFowHDEa
MBgGA1UEAwwRZXhhbXBsZS1jbGllbnQtY2EwWTATBgcqhkjOPQIBBggqhkjOPQMB
BwNCAAS4mRLPsqmfxgLhML0m9a/DpM9x7in7tca3KsPkyY8zn39oTrIEBjMUsrPD
2G4ViC3+HWM36nWJ/z2f/C4rbxfAo0IwQDAPBgNVHRMBAf8EBTADAQH/MB0GA1Ud
DgQWBBRDhENAw2EG12EJ4moKuzbwXMIqezAOBgNVHQ8BAf8EBAMCAYYwCgYIKoZI
zj0EAwIDRwAwRAIgdaDBckOHH5SYSn3ErN2LbAFNXCg0skRggLP5K8p6EoACICM4
EYd6IpHR+kHRX3CnWegxE6aJrXcF5Er15VLg3MPv
-----END CERTIFICATE-----
";
const LEAF: &str = "-----BEGIN CERTIFICATE-----
MIIB1jCCAX2gAwIBAgICEjQwCgYIKoZIzj0EAwIwHDEaMBgGA1UEAwwRZXhhbXBs
ZS1jbGllbnQtY2EwIBcNMjQwMTAxMDAwMDAwWhgPMjA5OTAxMDEwMDAwMDBaMGQx
DTALBgNVBAoMBGRldnMxDzANBgNVBAoMBmFkbWluczENMAsGA1UEAwwEamFuZTEz
MDEGCSsGAQQBg8JTAgwkOWYwZTRkNTItNmYwYi00YjU5LTlkM2QtMGE2ZjZmN2Mx
YTExMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEbUfDNWhD+0ybE9QKTiyBwuLu
UiExKNxuPndoySugmsrDwPUQOA0Lfo9ZG2YlPuhllHx5oyLNSjjeEUDiA+QUL6Nl
MGMwDAYDVR0TAQH/BAIwADAdBgNVHQ4EFgQUzuuNs623tdXtRlkX6hxyTsw49T0w
HwYDVR0jBBgwFoAUQ4RDQMNhBtdhCeJqCrs28FzCKnswEwYDVR0lBAwwCgYIKwYB
BQUHAwIwCgYIKoZIzj0EAwIDRwAwRAIgfHp5N0hRFBCiA0HeuYUcZejshfLXhJQP
6C3PhtXE9qoCIAw2i8B5Rr71xvrt9M4sXVPt4lwqsg+cUwntFyas9Ew2
-----END CERTIFICATE-----
";

fn der(pem: &str) -> CertificateDer<'static> {
    use rustls_pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// An authenticator whose clock can be moved.
struct Subject {
    clock: Arc<SettableClock>,
    authenticator: ClientCertificates,
}

impl Subject {
    fn without_bundle(uid_policy: UidPolicy) -> Self {
        let clock = Arc::new(SettableClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let name = "client-ca-bundle::/ca.crt";
        let shared: Arc<dyn Clock> = clock.clone();
        let metrics = Arc::new(NoMetrics);
        let authenticator = ClientCertificates::new(name, uid_policy, shared, metrics).unwrap();
        Self {
            clock,
            authenticator,
        }
    }

    fn trusting(pem: &str) -> Self {
        let subject = Self::without_bundle(UidPolicy::FromSubject);
        subject.authenticator.reload(pem.as_bytes()).unwrap();
        subject
    }

    fn at(self, time: &str) -> Self {
        self.clock.set(time.parse().unwrap());
        self
    }

    fn verdict(&self, peer: &PeerCertificates) -> Verdict {
        let headers = HeaderMap::new();
        let request = Request {
            headers: &headers,
            path: "/",
            peer_certificates: Some(peer),
            audiences: &Audiences::ANY,
        };
        match self.authenticator.authenticate(&request) {
            Decision::Now(verdict) => verdict,
            Decision::Later(_) => panic!("certificates are judged from memory"),
        }
    }

    fn outcome(&self, chain: &[&CertificateDer<'static>]) -> Outcome {
        self.verdict(&PeerCertificates::new(chain.iter().copied().cloned()))
            .outcome
    }

    /// The reason and the text behind the label.
    fn refusal(&self, chain: &[&CertificateDer<'static>]) -> (Reason, String) {
        match self.outcome(chain) {
            Outcome::Rejected(Rejection { reason, message }) => {
                let text = message
                    .split_once(" failed: ")
                    .map_or(&*message, |(_, text)| text);
                (reason, text.to_owned())
            }
            other => panic!("{other:?}"),
        }
    }
}

fn name_of(outcome: &Outcome) -> Option<&str> {
    outcome.user().map(|user| user.name.as_str())
}

const UNKNOWN: (Reason, &str) = (
    Reason::CertificateAuthorityUnknown,
    "x509: certificate signed by unknown authority",
);
const USAGE: (Reason, &str) = (
    Reason::CertificateUsage,
    "x509: certificate specifies an incompatible key usage",
);

fn assert_refused(subject: &Subject, chain: &[&CertificateDer<'static>], expected: (Reason, &str)) {
    assert_eq!(subject.refusal(chain), (expected.0, expected.1.to_owned()));
}

#[test]
fn the_worked_example_is_the_same_user_as_upstream() {
    let outcome = Subject::trusting(CA).outcome(&[&der(LEAF)]);
    let expected = UserInfo {
        name: "jane".into(),
        uid: "9f0e4d52-6f0b-4b59-9d3d-0a6f6f7c1a11".into(),
        groups: vec![
            "devs".into(),
            "admins".into(),
            "system:authenticated".into(),
        ],
        extra: [(
            "authentication.kubernetes.io/credential-id".to_owned(),
            vec![
                "X509SHA256=e7f4a1ff280d3b6f74bf339ea8973b75480048a2833b454d3b88e997678a0fa6"
                    .to_owned(),
            ],
        )]
        .into(),
    };
    assert_eq!(outcome.user(), Some(&expected));
}

#[test]
fn a_foreign_bundle_refuses_with_upstreams_text() {
    let subject = Subject::trusting(&Authority::root("foreign").pem);
    let Outcome::Rejected(rejection) = subject.outcome(&[&der(LEAF)]) else {
        panic!()
    };
    assert_eq!(rejection.reason, Reason::CertificateAuthorityUnknown);
    assert_eq!(
        rejection.message,
        "verifying certificate SN=4660, SKID=CE:EB:8D:B3:AD:B7:B5:D5:ED:46:59:17:EA:1C:72:4E:CC:38:F5:3D, AKID=43:84:43:40:C3:61:06:D7:61:09:E2:6A:0A:BB:36:F0:5C:C2:2A:7B failed: x509: certificate signed by unknown authority"
    );
}

#[test]
fn time_is_judged_at_every_position_of_the_chain() {
    let root = Authority::root("root");
    let mut middle = authority_parameters("middle");
    middle.not_after = rcgen::date_time_ymd(2027, 1, 1);
    let middle = root.intermediate(middle);
    let leaf = middle.client(client_parameters("jane"));
    let mut old_root = authority_parameters("old");
    old_root.not_after = rcgen::date_time_ymd(2026, 1, 1);
    let old_root = self_signed(old_root);
    let young = old_root.client(client_parameters("joe"));

    let chain = [&leaf, &middle.der];
    assert_eq!(
        name_of(&Subject::trusting(&root.pem).outcome(&chain)),
        Some("jane")
    );
    for (bundle, chain, time, reason, text) in [
        (
            &root.pem,
            &chain[..],
            "2024-12-31T23:59:59.5Z",
            Reason::CertificateNotYetValid,
            "current time 2024-12-31T23:59:59Z is before 2025-01-01T00:00:00Z",
        ),
        (
            &root.pem,
            &chain,
            "2027-01-01T00:00:01Z",
            Reason::CertificateExpired,
            "current time 2027-01-01T00:00:01Z is after 2027-01-01T00:00:00Z",
        ),
        (
            &root.pem,
            &chain,
            "2030-01-01T00:00:00.1Z",
            Reason::CertificateExpired,
            "current time 2030-01-01T00:00:00Z is after 2030-01-01T00:00:00Z",
        ),
        (
            &old_root.pem,
            &[&young],
            "2026-01-02T00:00:00Z",
            Reason::CertificateExpired,
            "current time 2026-01-02T00:00:00Z is after 2026-01-01T00:00:00Z",
        ),
    ] {
        let subject = Subject::trusting(bundle).at(time);
        let text = format!("x509: certificate has expired or is not yet valid: {text}");
        assert_eq!(subject.refusal(chain), (reason, text), "{time}");
    }
}

#[test]
fn a_renewed_authority_with_the_same_key_replaces_its_expired_self() {
    let key = KeyPair::generate().unwrap();
    let mut expired = authority_parameters("root");
    expired.not_after = rcgen::date_time_ymd(2025, 6, 1);
    let expired = expired.self_signed(&key).unwrap().pem();
    let renewed = authority_parameters("root");
    let pem = renewed.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(renewed, &key);
    let client = KeyPair::generate().unwrap();
    let leaf = client_parameters("jane")
        .signed_by(&client, &issuer)
        .unwrap()
        .der()
        .clone();

    let both = Subject::trusting(&format!("{expired}{pem}"));
    assert_eq!(name_of(&both.outcome(&[&leaf])), Some("jane"));
    assert_eq!(
        Subject::trusting(&expired).refusal(&[&leaf]).0,
        Reason::CertificateExpired
    );
}

#[test]
fn extended_key_usage_must_allow_clients() {
    let root = Authority::root("root");
    let subject = Subject::trusting(&root.pem);
    let with = |usages: &[ExtendedKeyUsagePurpose]| {
        let mut parameters = parameters("jane");
        parameters.extended_key_usages = usages.to_vec();
        root.client(parameters)
    };
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    for usages in [
        &[ClientAuth][..],
        &[Any],
        &[ServerAuth, ClientAuth],
        &[ServerAuth, Any],
        &[],
    ] {
        assert_eq!(
            name_of(&subject.outcome(&[&with(usages)])),
            Some("jane"),
            "{usages:?}"
        );
    }
    assert_refused(&subject, &[&with(&[ServerAuth])], USAGE);

    let mut middle = authority_parameters("middle");
    middle.extended_key_usages = vec![ServerAuth];
    let middle = root.intermediate(middle);
    let leaf = middle.client(client_parameters("jane"));
    assert_refused(&subject, &[&leaf, &middle.der], USAGE);
}

#[test]
fn a_leaf_that_stands_in_the_bundle_is_trusted_but_may_not_sign() {
    let leaf = self_signed(client_parameters("jane"));
    let subject = Subject::trusting(&leaf.pem);
    assert_eq!(name_of(&subject.outcome(&[&leaf.der])), Some("jane"));
    let forged = leaf.client(client_parameters("admin"));
    assert_refused(&subject, &[&forged], UNKNOWN);
    let (reason, _) = subject.refusal(&[&forged, &leaf.der]);
    assert_eq!(reason, Reason::CertificateAuthorityUnknown);

    let mut server = parameters("server");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server = self_signed(server);
    assert_refused(&Subject::trusting(&server.pem), &[&server.der], USAGE);

    let mut critical = client_parameters("critical");
    let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    unknown.set_criticality(true);
    critical.custom_extensions = vec![unknown];
    let critical = self_signed(critical);
    let unhandled = (
        Reason::CertificateMalformed,
        "x509: unhandled critical extension",
    );
    assert_refused(
        &Subject::trusting(&critical.pem),
        &[&critical.der],
        unhandled,
    );
}

#[test]
fn only_authorities_may_sign() {
    let root = Authority::root("root");
    let subject = Subject::trusting(&root.pem);
    let no_authority = root.intermediate(client_parameters("not-a-ca"));
    let forged = no_authority.client(client_parameters("admin"));
    assert_eq!(
        subject.refusal(&[&forged, &no_authority.der]),
        (
            Reason::CertificateAuthorityUnknown,
            "x509: certificate is not authorized to sign other certificates".to_owned()
        )
    );

    let mut may_not = authority_parameters("may-not");
    may_not.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let may_not = root.intermediate(may_not);
    let forged = may_not.client(client_parameters("admin"));
    assert_eq!(
        subject.refusal(&[&forged, &may_not.der]).1,
        "x509: certificate is not authorized to sign other certificates"
    );
    assert_refused(&Subject::trusting(&may_not.pem), &[&forged], UNKNOWN);
}

#[test]
fn the_chain_needs_its_intermediates() {
    let root = Authority::root("root");
    let middle = root.intermediate(authority_parameters("middle"));
    let leaf = middle.client(client_parameters("jane"));
    let subject = Subject::trusting(&root.pem);
    assert_eq!(
        name_of(&subject.outcome(&[&leaf, &middle.der])),
        Some("jane")
    );
    assert_refused(&subject, &[&leaf], UNKNOWN);
    assert_eq!(
        name_of(&Subject::trusting(&middle.pem).outcome(&[&leaf])),
        Some("jane")
    );
}

/// A name of these attributes. rcgen keeps one value for each type, so that a second one is given by
/// its number.
fn named(attributes: &[(DnType, &str)]) -> CertificateParams {
    let mut parameters = client_parameters("");
    parameters.distinguished_name = DistinguishedName::new();
    for (kind, value) in attributes {
        parameters.distinguished_name.push(kind.clone(), *value);
    }
    parameters
}

#[test]
fn the_last_common_name_counts_and_none_is_no_opinion() {
    let root = Authority::root("root");
    let subject = Subject::trusting(&root.pem);
    let second = || DnType::CustomDnType(vec![2, 5, 4, 3]);
    for (attributes, expected) in [
        (vec![(DnType::CommonName, "a"), (second(), "b")], Some("b")),
        (vec![(second(), "b"), (DnType::CommonName, "a")], Some("a")),
        (vec![(DnType::CommonName, "a"), (second(), "")], None),
        (vec![(DnType::OrganizationName, "devs")], None),
        (vec![], None),
    ] {
        let outcome = subject.outcome(&[&root.client(named(&attributes))]);
        assert_eq!(name_of(&outcome), expected, "{attributes:?}");
        if expected.is_none() {
            assert_eq!(outcome, Outcome::NoOpinion(Reason::CertificateNameless));
        }
    }
}

#[test]
fn groups_keep_their_order_and_their_duplicates() {
    let root = Authority::root("root");
    let attributes = [
        (DnType::OrganizationName, "b"),
        (DnType::CommonName, "jane"),
        (DnType::CustomDnType(vec![2, 5, 4, 10]), "b"),
    ];
    let outcome = Subject::trusting(&root.pem).outcome(&[&root.client(named(&attributes))]);
    assert_eq!(
        outcome.user().unwrap().groups,
        ["b", "b", "system:authenticated"]
    );
}

const UID: &[u64] = &[1, 3, 6, 1, 4, 1, 57683, 2];

/// Changes bytes of a certificate and trusts the result as it stands, for what no issuer makes.
fn forged(certificate: &CertificateDer<'static>, find: &[u8], replace: &[u8]) -> Outcome {
    let mut der = certificate.to_vec();
    let at = der
        .windows(find.len())
        .rposition(|window| window == find)
        .unwrap();
    der[at..at + find.len()].copy_from_slice(replace);
    let base64 = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(&der)
    };
    let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
    Subject::trusting(&pem).outcome(&[&CertificateDer::from(der)])
}

#[test]
fn there_must_be_one_uid_and_it_must_be_a_text() {
    let root = Authority::root("root");
    let subject = Subject::trusting(&root.pem);
    let with = |value: DnValue| {
        let mut parameters = client_parameters("jane");
        parameters
            .distinguished_name
            .push(DnType::CustomDnType(UID.to_vec()), value);
        root.client(parameters)
    };
    let refused = |text| Outcome::rejected(Reason::CertificateUidInvalid, text);
    let text = with(DnValue::Utf8String("u-1".into()));
    assert_eq!(subject.outcome(&[&text]).user().unwrap().uid, "u-1");
    let wide = with(DnValue::BmpString("\u{fc}".try_into().unwrap()));
    assert_eq!(subject.outcome(&[&wide]).user().unwrap().uid, "\u{fc}");
    let empty = with(DnValue::Utf8String(String::new()));
    assert_eq!(
        subject.outcome(&[&empty]),
        refused("UID cannot be an empty string")
    );

    // A text becomes a string of octets.
    let octets = forged(&text, b"\x0c\x03u-1", b"\x04\x03u-1");
    assert_eq!(octets, refused("unable to parse UID into a string"));
    // A neighbouring attribute becomes a second uid.
    let mut two = client_parameters("jane");
    let neighbour = DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 57683, 3]);
    two.distinguished_name
        .push(DnType::CustomDnType(UID.to_vec()), "a");
    two.distinguished_name.push(neighbour, "b");
    let two = forged(&root.client(two), b"\x03\x0c\x01b", b"\x02\x0c\x01b");
    assert_eq!(two, refused("expected 1 UID, but found multiple: [a b]"));

    let ignoring = Subject::without_bundle(UidPolicy::Ignore);
    ignoring.authenticator.reload(root.pem.as_bytes()).unwrap();
    assert_eq!(ignoring.outcome(&[&empty]).user().unwrap().uid, "");
}

#[test]
fn a_reload_takes_effect_on_connections_that_are_open() {
    let (old, new) = (Authority::root("old"), Authority::root("new"));
    let peer = PeerCertificates::new([old.client(client_parameters("jane"))]);
    let subject = Subject::trusting(&old.pem);
    assert!(subject.verdict(&peer).is_authenticated());
    assert_eq!(
        subject.authenticator.reload(old.pem.as_bytes()).unwrap(),
        Reload::Unchanged
    );
    assert!(subject.verdict(&peer).is_authenticated());
    assert_eq!(
        subject.authenticator.reload(new.pem.as_bytes()).unwrap(),
        Reload::Changed
    );
    assert!(!subject.verdict(&peer).is_authenticated());
}

#[test]
fn an_expiry_takes_effect_on_connections_that_are_open() {
    let root = Authority::root("root");
    let peer = PeerCertificates::new([root.client(client_parameters("jane"))]);
    let subject = Subject::trusting(&root.pem).at("2029-12-31T23:59:59Z");
    let verdict = subject.verdict(&peer);
    assert_eq!(
        verdict.good_until,
        Some("2030-01-01T00:00:00Z".parse().unwrap())
    );
    subject.clock.advance(Duration::from_secs(1));
    assert!(subject.verdict(&peer).is_authenticated());
    subject.clock.advance(Duration::from_millis(1));
    assert!(!subject.verdict(&peer).is_authenticated());
}

#[test]
fn a_verdict_is_shared_by_the_requests_of_a_connection() {
    let root = Authority::root("root");
    let peer = PeerCertificates::new([root.client(client_parameters("jane"))]);
    let subject = Subject::trusting(&root.pem);
    let user = |verdict: Verdict| match verdict.outcome {
        Outcome::Authenticated(authenticated) => authenticated.user,
        other => panic!("{other:?}"),
    };
    let first = user(subject.verdict(&peer));
    assert!(Arc::ptr_eq(&first, &user(subject.verdict(&peer.clone()))));
}

#[test]
fn two_verifiers_do_not_share_verdicts() {
    let root = Authority::root("root");
    let peer = PeerCertificates::new([root.client(client_parameters("jane"))]);
    let (one, other) = (Subject::trusting(&root.pem), Subject::trusting(CA));
    for _ in 0..2 {
        assert!(one.verdict(&peer).is_authenticated());
        assert!(!other.verdict(&peer).is_authenticated());
    }
}

#[test]
fn without_certificate_or_bundle_there_is_no_opinion() {
    let leaf = der(LEAF);
    let subject = Subject::without_bundle(UidPolicy::FromSubject);
    assert_eq!(
        subject.outcome(&[&leaf]),
        Outcome::NoOpinion(Reason::NotConfigured)
    );
    assert_eq!(
        subject.outcome(&[]),
        Outcome::NoOpinion(Reason::CredentialAbsent)
    );
    let garbage = CertificateDer::from(vec![0x30, 0x80, 1, 2]);
    let refused = Subject::trusting(CA).outcome(&[&garbage]);
    assert_eq!(refused.reason(), Some(Reason::CertificateMalformed));
}

#[test]
fn unusable_bundles_are_refused_with_upstreams_words_and_the_last_good_one_stays() {
    let subject = Subject::trusting(CA);
    for (pem, text) in [
        (
            "",
            "missing content for CA bundle \"client-ca-bundle::/ca.crt\"",
        ),
        (
            "nothing",
            "error loading CA bundle for \"client-ca-bundle::/ca.crt\": data does not contain any valid RSA or ECDSA certificates",
        ),
    ] {
        let error = subject.authenticator.reload(pem.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
    assert_eq!(name_of(&subject.outcome(&[&der(LEAF)])), Some("jane"));
    assert_eq!(subject.authenticator.subjects().len(), 1);
}

#[test]
fn what_is_trusted_is_shown_without_the_keys_beside_it() {
    let clock = Arc::new(SettableClock::at(jiff::Timestamp::UNIX_EPOCH));
    let uid = UidPolicy::FromSubject;
    let certificates = ClientCertificates::new("both", uid, clock, Arc::new(NoMetrics)).unwrap();
    assert_eq!(certificates.trusted(), "");
    let key = KeyPair::generate().unwrap().serialize_pem();
    let file = format!("my own\n{CA}{key}{CA}");
    certificates.reload(file.as_bytes()).unwrap();
    assert_eq!(certificates.trusted(), CA);
}
