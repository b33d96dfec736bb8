//! Certificates that were taken back.

use super::*;

const FILE: &str = "/revoked.pem";
const REVOKED: (Reason, &str) = (
    Reason::CertificateRevoked,
    "x509: certificate, or one above it, has been revoked",
);

impl Subject {
    fn refusing(self, lists: &str) -> Self {
        let reload = self
            .authenticator
            .reload_revocations(FILE, lists.as_bytes());
        assert_eq!(reload.unwrap(), Reload::Changed);
        self
    }
}

#[test]
fn a_revoked_certificate_is_refused_and_its_neighbour_is_not() {
    let root = Authority::root("root");
    let (jane, joe) = (
        root.client(client_parameters("jane")),
        root.client(client_parameters("joe")),
    );
    let subject = Subject::trusting(&root.pem).refusing(&root.revoking(&[&jane]));
    assert_refused(&subject, &[&jane], REVOKED);
    assert_eq!(name_of(&subject.outcome(&[&joe])), Some("joe"));
}

#[test]
fn everything_below_a_revoked_authority_is_refused() {
    let root = Authority::root("root");
    let middle = root.intermediate(authority_parameters("middle"));
    let lower = middle.intermediate(authority_parameters("lower"));
    let leaf = lower.client(client_parameters("jane"));
    let chain = [&leaf, &lower.der, &middle.der];
    for (lists, revoked) in [
        (root.revoking(&[&middle.der]), true),
        (middle.revoking(&[&lower.der]), true),
        (lower.revoking(&[&leaf]), true),
        (
            root.revoking(&[]) + &middle.revoking(&[]) + &lower.revoking(&[]),
            false,
        ),
    ] {
        let subject = Subject::trusting(&root.pem).refusing(&lists);
        if revoked {
            assert_refused(&subject, &chain, REVOKED);
        } else {
            assert_eq!(name_of(&subject.outcome(&chain)), Some("jane"));
        }
    }
}

#[test]
fn the_list_of_one_authority_says_nothing_about_the_certificates_of_another() {
    let (one, other) = (Authority::root("one"), Authority::root("other"));
    let numbered = |name| {
        let mut parameters = client_parameters(name);
        parameters.serial_number = Some(rcgen::SerialNumber::from(7));
        parameters
    };
    let (jane, joe) = (one.client(numbered("jane")), other.client(numbered("joe")));
    let bundle = format!("{}{}", one.pem, other.pem);
    let subject = Subject::trusting(&bundle).refusing(&one.revoking(&[&jane]));
    assert_refused(&subject, &[&jane], REVOKED);
    assert_eq!(name_of(&subject.outcome(&[&joe])), Some("joe"));
}

#[test]
fn all_lists_of_an_authority_count() {
    let root = Authority::root("root");
    let (jane, joe) = (
        root.client(client_parameters("jane")),
        root.client(client_parameters("joe")),
    );
    let lists = root.revoking(&[&jane]) + &root.revoking(&[&joe]);
    let subject = Subject::trusting(&root.pem).refusing(&lists);
    assert_refused(&subject, &[&jane], REVOKED);
    assert_refused(&subject, &[&joe], REVOKED);
}

#[test]
fn a_list_that_is_out_of_date_is_used_all_the_same() {
    let root = Authority::root("root");
    let jane = root.client(client_parameters("jane"));
    let old = root.revoking_until(&[&jane], (2025, 3, 1));
    assert_refused(
        &Subject::trusting(&root.pem).refusing(&old),
        &[&jane],
        REVOKED,
    );
}

#[test]
fn a_renewed_authority_of_the_same_name_is_not_bound_by_the_list_of_the_old_one() {
    let (old, new) = (Authority::root("kubernetes"), Authority::root("kubernetes"));
    let (jane, joe) = (
        old.client(client_parameters("jane")),
        new.client(client_parameters("joe")),
    );
    let bundle = format!("{}{}", old.pem, new.pem);
    let subject = Subject::trusting(&bundle).refusing(&old.revoking(&[&jane]));
    assert_refused(&subject, &[&jane], REVOKED);
    assert_eq!(name_of(&subject.outcome(&[&joe])), Some("joe"));
}

#[test]
fn a_list_with_a_broken_signature_refuses_everything_of_its_authority() {
    use base64::Engine as _;
    use rustls_pki_types::pem::PemObject as _;
    let root = Authority::root("root");
    let jane = root.client(client_parameters("jane"));
    let list = root.revoking(&[]);
    let mut list = rustls_pki_types::CertificateRevocationListDer::from_pem_slice(list.as_bytes())
        .unwrap()
        .to_vec();
    *list.last_mut().unwrap() ^= 1;
    let base64 = base64::engine::general_purpose::STANDARD.encode(&list);
    let broken = format!("-----BEGIN X509 CRL-----\n{base64}\n-----END X509 CRL-----\n");
    let text =
        "x509: a revocation list in the name of the certificate's issuer is not signed by it";
    assert_refused(
        &Subject::trusting(&root.pem).refusing(&broken),
        &[&jane],
        (Reason::CertificateAuthorityUnknown, text),
    );
}

#[test]
fn a_revocation_takes_effect_on_connections_that_are_open_and_so_does_its_end() {
    let root = Authority::root("root");
    let jane = root.client(client_parameters("jane"));
    let peer = PeerCertificates::new([jane.clone()]);
    let subject = Subject::trusting(&root.pem);
    assert!(subject.verdict(&peer).is_authenticated());
    let reload = |lists: &str| {
        let reload = subject
            .authenticator
            .reload_revocations(FILE, lists.as_bytes());
        reload.map_err(|error| error.to_string())
    };
    let revoking = root.revoking(&[&jane]);
    assert_eq!(reload(&revoking), Ok(Reload::Changed));
    assert!(!subject.verdict(&peer).is_authenticated());
    assert_eq!(reload(&revoking), Ok(Reload::Unchanged));
    assert!(reload("nothing").is_err());
    assert!(!subject.verdict(&peer).is_authenticated());
    assert_eq!(reload(&root.revoking(&[])), Ok(Reload::Changed));
    assert!(subject.verdict(&peer).is_authenticated());
}

#[test]
fn lists_may_be_there_before_the_bundle() {
    let root = Authority::root("root");
    let jane = root.client(client_parameters("jane"));
    let subject =
        Subject::without_bundle(UidPolicy::FromSubject).refusing(&root.revoking(&[&jane]));
    assert_eq!(
        subject.outcome(&[&jane]),
        Outcome::NoOpinion(Reason::NotConfigured)
    );
    subject.authenticator.reload(root.pem.as_bytes()).unwrap();
    assert_refused(&subject, &[&jane], REVOKED);
}

#[test]
fn a_certificate_that_is_trusted_itself_is_taken_back_by_taking_it_out_of_the_bundle() {
    let root = Authority::root("root");
    let jane = root.intermediate(client_parameters("jane"));
    let bundle = format!("{}{}", root.pem, jane.pem);
    let subject = Subject::trusting(&bundle).refusing(&root.revoking(&[&jane.der]));
    assert_eq!(name_of(&subject.outcome(&[&jane.der])), Some("jane"));
    subject.authenticator.reload(root.pem.as_bytes()).unwrap();
    assert_refused(&subject, &[&jane.der], REVOKED);
}

#[test]
fn unusable_lists_are_refused_when_they_are_read() {
    let subject = Subject::trusting(CA);
    let head = "error loading revocation lists from \"/revoked.pem\": ";
    for (pem, text) in [
        ("", "data does not contain any X509 CRL"),
        (CA, "data does not contain any X509 CRL"),
        (
            include_str!("version-1.crl.pem"),
            "x509: version 1 revocation lists are not supported",
        ),
    ] {
        let error = subject
            .authenticator
            .reload_revocations(FILE, pem.as_bytes());
        assert_eq!(error.unwrap_err().to_string(), format!("{head}{text}"));
    }
    let broken = b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    let error = subject.authenticator.reload_revocations(FILE, broken);
    let text = format!("{head}x509: malformed revocation list");
    assert!(error.unwrap_err().to_string().starts_with(&text));
}
