//! Paths from a leaf to the bundle.

use super::*;

/// `root`, and so many authorities below it, each signed by the one before.
fn line(root: &Authority, length: usize) -> Vec<Authority> {
    let mut line: Vec<Authority> = Vec::new();
    for number in 0..length {
        let parameters = authority_parameters(&format!("authority {number}"));
        line.push(line.last().unwrap_or(root).intermediate(parameters));
    }
    line
}

/// What a client of the last authority of the line shows: itself first, then upwards.
fn chain<'a>(
    leaf: &'a CertificateDer<'static>,
    line: &'a [Authority],
) -> Vec<&'a CertificateDer<'static>> {
    let above = line.iter().rev().map(|authority| &authority.der);
    std::iter::once(leaf).chain(above).collect()
}

#[test]
fn six_intermediates_are_the_most() {
    let root = Authority::root("root");
    let subject = Subject::trusting(&root.pem);
    // With the root they make chains of eight and of ten.
    for (length, expected) in [(6, true), (8, false)] {
        let line = line(&root, length);
        let leaf = line[length - 1].client(client_parameters("jane"));
        let outcome = subject.outcome(&chain(&leaf, &line));
        assert_eq!(name_of(&outcome).is_some(), expected, "{length}");
        if !expected {
            assert_eq!(
                subject.refusal(&chain(&leaf, &line)),
                (
                    Reason::CertificateAuthorityUnknown,
                    "x509: too many intermediates".to_owned()
                )
            );
        }
    }
}

#[test]
fn an_end_and_a_beginning_count_at_every_position() {
    for position in 0..4 {
        let limited = |at: usize, mut parameters: CertificateParams| {
            if at == position {
                parameters.not_before = rcgen::date_time_ymd(2026, 1, 1);
                parameters.not_after = rcgen::date_time_ymd(2027, 1, 1);
            }
            parameters
        };
        let root = self_signed(limited(3, authority_parameters("root")));
        let upper = root.intermediate(limited(2, authority_parameters("upper")));
        let lower = upper.intermediate(limited(1, authority_parameters("lower")));
        let leaf = lower.client(limited(0, client_parameters("jane")));
        let chain = [&leaf, &lower.der, &upper.der];
        for (time, expected) in [
            ("2025-12-31T23:59:59Z", Some(Reason::CertificateNotYetValid)),
            ("2026-01-01T00:00:00Z", None),
            ("2027-01-01T00:00:00Z", None),
            ("2027-01-01T00:00:01Z", Some(Reason::CertificateExpired)),
        ] {
            let outcome = Subject::trusting(&root.pem).at(time).outcome(&chain);
            assert_eq!(outcome.reason(), expected, "{position} {time}");
        }
    }
}

#[test]
fn intermediates_may_come_in_any_order_and_in_bad_company() {
    let root = Authority::root("root");
    let line = line(&root, 2);
    let leaf = line[1].client(client_parameters("jane"));
    let stranger = Authority::root("stranger");
    let subject = Subject::trusting(&root.pem);
    let mixed = [&leaf, &stranger.der, &line[0].der, &root.der, &line[1].der];
    assert_eq!(name_of(&subject.outcome(&mixed)), Some("jane"));
}

#[test]
fn what_the_client_sends_along_is_not_trusted() {
    let (root, stranger) = (Authority::root("root"), Authority::root("stranger"));
    let forged = stranger.client(client_parameters("admin"));
    let subject = Subject::trusting(&root.pem);
    assert_refused(&subject, &[&forged, &stranger.der], UNKNOWN);
}

#[test]
fn the_name_of_an_authority_without_its_signature_is_nothing() {
    let (root, impostor) = (Authority::root("root"), Authority::root("root"));
    let forged = impostor.client(client_parameters("admin"));
    let subject = Subject::trusting(&root.pem);
    assert_refused(&subject, &[&forged], UNKNOWN);
    assert_refused(&subject, &[&forged, &impostor.der], UNKNOWN);
}

#[test]
fn an_authority_that_allows_no_further_ones_has_none() {
    let root = Authority::root("root");
    let mut last = authority_parameters("last");
    last.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let last = root.intermediate(last);
    let below = last.intermediate(authority_parameters("below"));
    let subject = Subject::trusting(&root.pem);
    let direct = last.client(client_parameters("jane"));
    assert_eq!(
        name_of(&subject.outcome(&[&direct, &last.der])),
        Some("jane")
    );
    let forged = below.client(client_parameters("admin"));
    assert_eq!(
        subject.refusal(&[&forged, &below.der, &last.der]).1,
        "x509: too many intermediates for path length constraint"
    );
}

#[test]
fn sha1_signs_nothing() {
    let root = include_str!("root.pem");
    let subject = Subject::trusting(root).at("2027-01-01T00:00:00Z");
    let good = der(include_str!("leaf-sha256.pem"));
    assert_eq!(name_of(&subject.outcome(&[&good])), Some("jane"));
    assert_refused(&subject, &[&der(include_str!("leaf-sha1.pem"))], UNKNOWN);
}

#[test]
fn critical_extensions_that_nobody_here_knows_are_refused_at_every_position() {
    let root = Authority::root("root");
    let unknown = |critical| {
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(critical);
        vec![extension]
    };
    let subject = Subject::trusting(&root.pem);
    for critical in [false, true] {
        let mut parameters = client_parameters("jane");
        parameters.custom_extensions = unknown(critical);
        let leaf = root.client(parameters);
        let mut parameters = authority_parameters("middle");
        parameters.custom_extensions = unknown(critical);
        let middle = root.intermediate(parameters);
        let below = middle.client(client_parameters("jane"));
        for chain in [&[&leaf][..], &[&below, &middle.der]] {
            if critical {
                let text = "x509: unhandled critical extension";
                assert_refused(&subject, chain, (Reason::CertificateMalformed, text));
            } else {
                assert_eq!(name_of(&subject.outcome(chain)), Some("jane"));
            }
        }
    }
}

#[test]
fn the_usages_of_an_intermediate_must_allow_clients_too() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    let root = Authority::root("root");
    let subject = Subject::trusting(&root.pem);
    for (usages, expected) in [
        (&[][..], true),
        (&[ClientAuth], true),
        (&[Any], true),
        (&[ServerAuth, ClientAuth], true),
        (&[ServerAuth], false),
    ] {
        let mut middle = authority_parameters("middle");
        middle.extended_key_usages = usages.to_vec();
        let middle = root.intermediate(middle);
        let leaf = middle.client(client_parameters("jane"));
        if expected {
            let outcome = subject.outcome(&[&leaf, &middle.der]);
            assert_eq!(name_of(&outcome), Some("jane"), "{usages:?}");
        } else {
            assert_refused(&subject, &[&leaf, &middle.der], USAGE);
        }
    }
}

#[test]
fn an_authority_is_a_client_only_where_it_is_trusted_itself() {
    let root = Authority::root("root");
    let below = root.intermediate(authority_parameters("below"));
    let itself = Subject::trusting(&root.pem).outcome(&[&root.der]);
    assert_eq!(name_of(&itself), Some("root"));
    assert_refused(
        &Subject::trusting(&root.pem),
        &[&below.der],
        (
            Reason::CertificateUsage,
            "x509: a CA certificate is no client certificate",
        ),
    );
}

#[test]
fn a_certificate_without_key_identifiers_is_named_by_its_serial_number() {
    let mut parameters = client_parameters("jane");
    parameters.serial_number = Some(rcgen::SerialNumber::from(0x1234));
    let stranger = self_signed(parameters);
    let subject = Subject::trusting(&Authority::root("root").pem);
    let Outcome::Rejected(rejection) = subject.outcome(&[&stranger.der]) else {
        panic!()
    };
    assert_eq!(
        rejection.message,
        "verifying certificate SN=4660, SKID=, AKID= failed: x509: certificate signed by unknown authority"
    );
}

#[test]
fn san_and_host_names_are_not_looked_at() {
    let root = Authority::root("root");
    let mut parameters = client_parameters("jane");
    parameters.subject_alt_names = vec![rcgen::SanType::DnsName(
        "elsewhere.example".try_into().unwrap(),
    )];
    let outcome = Subject::trusting(&root.pem).outcome(&[&root.client(parameters)]);
    assert_eq!(name_of(&outcome), Some("jane"));
}
