//! What a data directory's identity promises to a server and to its operator.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use burgee_identity::{Clock, SettableClock};
use burgee_jose::{PrivateKey, PublicKey};
use burgee_pki::{Error, Options, Pki, ServingMaterial, ServingSource, read_private_file};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A data directory, a clock that stands at the start of 2026, and how the server is reached.
struct Fixture {
    root: tempfile::TempDir,
    clock: SettableClock,
    options: Options,
}

impl Fixture {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            clock: SettableClock::at("2026-01-01T00:00:00Z".parse().unwrap()),
            options: Options::listening_on(["127.0.0.1:6443".parse().unwrap()]),
        }
    }

    fn open(&self) -> Result<Pki, Error> {
        Pki::open_or_create(self.root.path(), self.options.clone(), &self.clock)
    }

    /// A directory whose first start is over.
    fn started() -> Self {
        let fixture = Self::new();
        fixture.open().unwrap();
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Whether the certificate chains to the authority now, as a TLS peer would check it.
    fn verifies(&self, certificate: &CertificateDer<'_>, usage: webpki::KeyUsage) -> bool {
        let authority = CertificateDer::from_pem_slice(&self.read("pki/ca.crt")).unwrap();
        let anchor = webpki::anchor_from_trusted_cert(&authority).unwrap();
        let now = u64::try_from(self.clock.now().as_second()).unwrap();
        webpki::EndEntityCert::try_from(certificate)
            .unwrap()
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &[anchor],
                &[],
                UnixTime::since_unix_epoch(Duration::from_secs(now)),
                usage,
                None,
                None,
            )
            .is_ok()
    }

    fn admin(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(&self.read("pki/admin.crt")).unwrap()
    }
}

fn is_for(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let name = ServerName::try_from(name).unwrap();
    let certificate = webpki::EndEntityCert::try_from(certificate).unwrap();
    certificate.verify_is_valid_for_subject_name(&name).is_ok()
}

fn snapshot(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = [root.to_owned(), root.join("pki")]
        .iter()
        .flat_map(|directory| fs::read_dir(directory).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_second_start_changes_nothing() {
    let fixture = Fixture::new();
    let first = fixture.open().unwrap();
    let before = snapshot(fixture.root.path());
    let second = fixture.open().unwrap();
    assert_eq!(snapshot(fixture.root.path()), before);
    assert_eq!(first.serving(), second.serving());
    assert_eq!(first.authority(), second.authority());
    assert_eq!(
        second
            .renew_serving(second.serving(), &fixture.clock)
            .unwrap(),
        None
    );
}

#[test]
fn the_serving_certificate_is_good_for_every_name_that_the_server_is_reached_by() {
    let mut fixture = Fixture::new();
    fixture.options.listen.push("10.1.2.3:443".parse().unwrap());
    fixture.options.names = vec![
        "api.example.com".parse().unwrap(),
        "*.edge.example.com".parse().unwrap(),
    ];
    let pki = fixture.open().unwrap();
    let certificate = &pki.serving().certificates[0];
    assert!(fixture.verifies(certificate, webpki::KeyUsage::server_auth()));
    assert!(!fixture.verifies(certificate, webpki::KeyUsage::client_auth()));
    for name in [
        "localhost",
        "127.0.0.1",
        "::1",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "10.1.2.3",
        "api.example.com",
        "north.edge.example.com",
    ] {
        assert!(is_for(certificate, name), "{name}");
    }
    assert!(!is_for(certificate, "example.com"));
}

#[test]
fn the_administrator_is_in_system_masters() {
    let fixture = Fixture::started();
    let admin = fixture.admin();
    assert!(fixture.verifies(&admin, webpki::KeyUsage::client_auth()));
    assert!(!fixture.verifies(&admin, webpki::KeyUsage::server_auth()));
    let (_, admin) = X509Certificate::from_der(&admin).unwrap();
    assert_eq!(
        admin.subject().to_string(),
        "O=system:masters, CN=kubernetes-admin"
    );
}

#[test]
fn certificates_have_the_extensions_and_times_that_strict_verifiers_ask_for() {
    let fixture = Fixture::new();
    let pki = fixture.open().unwrap();
    let authority = CertificateDer::from_pem_slice(pki.authority()).unwrap();
    let (_, authority) = X509Certificate::from_der(&authority).unwrap();
    let leaf = pki.serving().certificates[0].clone();
    let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();

    let usage = authority.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.key_cert_sign());
    let constraints = authority.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert!(!leaf.is_ca());

    let extensions = |certificate: &X509Certificate<'_>| {
        certificate
            .iter_extensions()
            .map(|e| e.oid.to_id_string())
            .collect::<Vec<_>>()
    };
    let [subject_key, authority_key] = ["2.5.29.14", "2.5.29.35"].map(str::to_owned);
    assert!(extensions(&authority).contains(&subject_key));
    assert!(extensions(&leaf).contains(&subject_key));
    assert!(extensions(&leaf).contains(&authority_key));

    let now = fixture.clock.now().as_second();
    for (certificate, days) in [(&authority, 3650), (&leaf, 365)] {
        assert_eq!(certificate.validity().not_before.timestamp(), now - 300);
        assert_eq!(
            certificate.validity().not_after.timestamp(),
            now + days * 86_400
        );
        let serial = certificate.raw_serial();
        assert!(serial.len() <= 17 && serial[0] < 0x80, "{serial:02x?}");
        assert!(
            serial.len() >= 12,
            "128 random bits are hardly this short: {serial:02x?}"
        );
    }
    assert_ne!(authority.raw_serial(), leaf.raw_serial());
}

#[test]
fn certificates_are_renewed_for_the_same_key_when_a_third_of_their_life_is_left() {
    let fixture = Fixture::new();
    let pki = fixture.open().unwrap();
    let (admin, kubeconfig) = (fixture.admin(), fixture.read("admin.kubeconfig"));

    fixture.clock.advance(243 * DAY);
    assert_eq!(
        pki.renew_serving(pki.serving(), &fixture.clock).unwrap(),
        None
    );
    fixture.clock.advance(DAY);
    let renewed = pki
        .renew_serving(pki.serving(), &fixture.clock)
        .unwrap()
        .unwrap();

    assert_ne!(renewed.certificates, pki.serving().certificates);
    assert_eq!(renewed.key, pki.serving().key);
    assert_ne!(fixture.admin(), admin);
    assert_ne!(fixture.read("admin.kubeconfig"), kubeconfig);
    fixture.clock.advance(300 * DAY);
    assert!(fixture.verifies(&renewed.certificates[0], webpki::KeyUsage::server_auth()));
    assert!(fixture.verifies(&fixture.admin(), webpki::KeyUsage::client_auth()));
}

#[test]
fn a_name_that_is_missing_has_the_serving_certificate_issued_again_and_one_too_many_does_not() {
    let mut fixture = Fixture::started();
    fixture.options.names = vec!["api.example.com".parse().unwrap()];
    let named = fixture.open().unwrap();
    assert!(is_for(&named.serving().certificates[0], "api.example.com"));
    fixture.options.names.clear();
    assert_eq!(fixture.open().unwrap().serving(), named.serving());
}

#[test]
fn a_clock_that_was_set_back_has_certificates_issued_again_unless_the_authority_is_in_the_future() {
    let fixture = Fixture::started();
    fixture.clock.advance(250 * DAY);
    let later = fixture.open().unwrap();
    fixture.clock.set("2026-03-01T00:00:00Z".parse().unwrap());
    let earlier = fixture.open().unwrap();
    assert_ne!(earlier.serving(), later.serving());
    assert!(fixture.verifies(
        &earlier.serving().certificates[0],
        webpki::KeyUsage::server_auth()
    ));

    fixture.clock.set("2025-06-01T00:00:00Z".parse().unwrap());
    let error = fixture.open().unwrap_err();
    assert!(matches!(error, Error::AuthorityNotYetValid { .. }));
    assert_eq!(error.hint().unwrap(), "check this machine's clock");
}

#[test]
fn nothing_outlives_an_authority_and_an_expired_one_is_refused() {
    let fixture = Fixture::started();
    fixture.clock.advance(3650 * DAY - Duration::from_secs(60));
    let pki = fixture.open().unwrap();
    let (_, leaf) = X509Certificate::from_der(&pki.serving().certificates[0]).unwrap();
    let now = fixture.clock.now().as_second();
    assert_eq!(leaf.validity().not_after.timestamp(), now + 60);

    let before = snapshot(fixture.root.path());
    fixture.clock.advance(Duration::from_secs(60));
    let error = fixture.open().unwrap_err();
    assert!(matches!(&error, Error::AuthorityExpired { file, .. } if file.ends_with("pki/ca.crt")));
    assert_eq!(snapshot(fixture.root.path()), before);
}

#[test]
fn the_kubeconfig_follows_the_server_and_keeps_what_somebody_added() {
    let mut fixture = Fixture::started();
    let mut added = fixture.read("admin.kubeconfig");
    added.extend_from_slice(b"extensions: []\n");
    fs::write(fixture.path("admin.kubeconfig"), &added).unwrap();
    fixture.open().unwrap();
    assert_eq!(fixture.read("admin.kubeconfig"), added);

    fixture.options.listen = vec!["127.0.0.1:7443".parse().unwrap()];
    let pki = fixture.open().unwrap();
    let text = String::from_utf8(fixture.read("admin.kubeconfig")).unwrap();
    assert!(text.contains(&format!("server: {}\n", pki.server_url())));
    let mode = fs::metadata(pki.kubeconfig_file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn the_service_account_key_signs_es256_and_its_public_file_may_hold_older_keys() {
    let fixture = Fixture::new();
    let pki = fixture.open().unwrap();
    let files = pki.service_account();
    let key = PrivateKey::from_pem(&fs::read(&files.signing).unwrap()).unwrap();
    assert_eq!(key.algorithm().to_string(), "ES256");

    let older = PrivateKey::generate(key.algorithm())
        .unwrap()
        .public_key()
        .to_pem();
    let mut both = older.clone().into_bytes();
    both.extend(fs::read(&files.verification).unwrap());
    fs::write(&files.verification, &both).unwrap();
    fixture.open().unwrap();
    assert_eq!(
        PublicKey::all_from_pem(&fixture.read("pki/sa.pub"))
            .unwrap()
            .len(),
        2
    );

    fs::write(&files.verification, older).unwrap();
    let error = fixture.open().unwrap_err();
    assert!(matches!(error, Error::ServiceAccountKeyUnpublished { .. }));
}

#[test]
fn every_private_file_that_is_open_to_others_is_named() {
    for name in [
        "pki/ca.key",
        "pki/serving.key",
        "pki/admin.key",
        "pki/sa.key",
        "admin.kubeconfig",
    ] {
        let fixture = Fixture::started();
        fs::set_permissions(fixture.path(name), fs::Permissions::from_mode(0o644)).unwrap();
        let error = fixture.open().unwrap_err();
        assert!(matches!(&error, Error::KeyExposed { file, mode: 0o644 } if file.ends_with(name)));
        let command = error.hint().unwrap();
        let chmod = command.strip_prefix("run: ").unwrap();
        let status = std::process::Command::new("sh")
            .args(["-c", chmod])
            .status()
            .unwrap();
        assert!(status.success());
        fixture.open().unwrap();
    }
}

#[test]
fn every_file_that_is_corrupt_is_named_and_left_as_it_is() {
    let names = [
        "pki/ca.crt",
        "pki/ca.key",
        "pki/serving.crt",
        "pki/serving.key",
        "pki/admin.crt",
        "pki/admin.key",
        "pki/sa.key",
        "pki/sa.pub",
    ];
    for name in names {
        for damage in ["", "-----BEGIN CERTIFICATE-----\nMIIB", "no PEM at all"] {
            let fixture = Fixture::started();
            fs::write(fixture.path(name), damage).unwrap();
            let before = snapshot(fixture.root.path());
            let error = fixture.open().unwrap_err();
            let path = fixture.path(name).display().to_string();
            assert!(error.to_string().contains(&path), "{name}: {error}");
            assert_eq!(snapshot(fixture.root.path()), before);
        }
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    for name in ["ca", "serving", "admin"] {
        let fixture = Fixture::started();
        let other = Fixture::started();
        let key = format!("pki/{name}.key");
        fs::write(fixture.path(&key), other.read(&key)).unwrap();
        let error = fixture.open().unwrap_err();
        assert!(matches!(error, Error::KeyMismatch { key: file, .. } if file.ends_with(&key)));
    }
}

#[test]
fn another_authority_that_an_operator_puts_in_place_issues_everything_again() {
    let fixture = Fixture::new();
    let pki = fixture.open().unwrap();
    let other = Fixture::started();
    for name in ["pki/ca.crt", "pki/ca.key"] {
        fs::write(fixture.path(name), other.read(name)).unwrap();
    }
    let error = pki
        .renew_serving(pki.serving(), &fixture.clock)
        .unwrap_err();
    assert!(matches!(error, Error::AuthorityChanged { .. }));

    let reopened = fixture.open().unwrap();
    assert!(fixture.verifies(
        &reopened.serving().certificates[0],
        webpki::KeyUsage::server_auth()
    ));
    assert!(fixture.verifies(&fixture.admin(), webpki::KeyUsage::client_auth()));
    assert_eq!(fixture.read("pki/ca.crt"), other.read("pki/ca.crt"));
}

#[test]
fn an_authority_whose_key_is_kept_elsewhere_serves_until_something_has_to_be_issued() {
    let fixture = Fixture::started();
    fs::remove_file(fixture.path("pki/ca.key")).unwrap();
    fixture.open().unwrap();
    fixture.clock.advance(250 * DAY);
    let error = fixture.open().unwrap_err();
    assert!(
        matches!(&error, Error::AuthorityKeyMissing { key, certificate }
        if key.ends_with("pki/ca.key") && certificate.ends_with("pki/serving.crt"))
    );
    assert!(!fixture.path("pki/ca.key").exists());
}

#[test]
fn a_certificate_that_is_no_authority_is_refused_in_its_place() {
    let fixture = Fixture::started();
    for end in ["crt", "key"] {
        let serving = fixture.read(&format!("pki/serving.{end}"));
        fs::write(fixture.path(&format!("pki/ca.{end}")), serving).unwrap();
    }
    assert!(matches!(
        fixture.open().unwrap_err(),
        Error::AuthorityUnfit { .. }
    ));
}

#[test]
fn a_lost_service_account_key_is_never_replaced_while_its_public_half_is_there() {
    let fixture = Fixture::started();
    fs::remove_file(fixture.path("pki/sa.key")).unwrap();
    assert!(matches!(
        fixture.open().unwrap_err(),
        Error::ServiceAccountKeyMissing { .. }
    ));
    assert!(!fixture.path("pki/sa.key").exists());
}

/// Serving material of another authority, in files that the server is pointed at.
fn served_from_files() -> (Fixture, Fixture) {
    let elsewhere = Fixture::started();
    let mut fixture = Fixture::new();
    fixture.options.serving = ServingSource::Files {
        certificates: elsewhere.path("pki/serving.crt"),
        key: elsewhere.path("pki/serving.key"),
    };
    (fixture, elsewhere)
}

#[test]
fn certificates_that_somebody_else_looks_after_are_served_trusted_and_noticed_when_they_change() {
    let (fixture, elsewhere) = served_from_files();
    let pki = fixture.open().unwrap();
    assert!(!fixture.path("pki/serving.crt").exists());
    let certificate = elsewhere.read("pki/serving.crt");
    assert_eq!(
        *pki.serving(),
        ServingMaterial {
            certificates: vec![CertificateDer::from_pem_slice(&certificate).unwrap()],
            key: PrivateKeyDer::from_pem_slice(&elsewhere.read("pki/serving.key")).unwrap(),
        }
    );
    let kubeconfig = fixture.read("admin.kubeconfig");

    assert_eq!(
        pki.renew_serving(pki.serving(), &fixture.clock).unwrap(),
        None
    );
    elsewhere.clock.advance(300 * DAY);
    elsewhere.open().unwrap();
    let renewed = pki
        .renew_serving(pki.serving(), &fixture.clock)
        .unwrap()
        .unwrap();
    assert_ne!(renewed.certificates, pki.serving().certificates);
    assert_ne!(fixture.read("admin.kubeconfig"), kubeconfig);
}

#[test]
fn a_key_elsewhere_may_be_read_by_its_group_and_by_nobody_else() {
    let (fixture, elsewhere) = served_from_files();
    let key = elsewhere.path("pki/serving.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    fixture.open().unwrap();
    assert_eq!(
        *read_private_file(&key).unwrap(),
        elsewhere.read("pki/serving.key")
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    read_private_file(&key).unwrap_err();
    assert!(matches!(
        fixture.open().unwrap_err(),
        Error::KeyExposed { .. }
    ));
}

#[test]
fn starts_at_the_same_time_agree_on_one_identity() {
    let fixture = Fixture::new();
    let authorities: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| fixture.open().unwrap()))
            .collect();
        starts
            .into_iter()
            .map(|start| start.join().unwrap().authority().to_vec())
            .collect()
    });
    assert!(
        authorities
            .iter()
            .all(|authority| *authority == authorities[0])
    );
}

#[test]
fn an_unreadable_directory_is_named() {
    let fixture = Fixture::new();
    let file = fixture.path("file");
    fs::write(&file, "").unwrap();
    let below = file.join("data");
    let error = Pki::open_or_create(&below, fixture.options, &fixture.clock).unwrap_err();
    assert!(
        matches!(&error, Error::Io { file, .. } if file.starts_with(&below)),
        "{error}"
    );
}

#[test]
fn debug_shows_no_key() {
    let fixture = Fixture::new();
    let pki = fixture.open().unwrap();
    let shown = format!("{pki:?}");
    let PrivateKeyDer::Pkcs8(key) = &pki.serving().key else {
        panic!("keys of ours are PKCS#8");
    };
    let numbers = format!("{:?}", key.secret_pkcs8_der());
    assert!(!shown.contains(&numbers[1..40]), "{shown}");
}
