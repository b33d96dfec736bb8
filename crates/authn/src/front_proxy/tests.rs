use super::*;

use burgee_identity::SettableClock;

use crate::testing::certificates::{Authority, client_parameters, parameters};
use crate::{Audiences, NoMetrics, UidPolicy};

fn clock() -> Arc<SettableClock> {
    Arc::new(SettableClock::at("2026-01-01T00:00:00Z".parse().unwrap()))
}

fn list(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn standard() -> FrontProxyOptions {
    FrontProxyOptions {
        username_headers: list(&["X-Remote-User"]),
        uid_headers: list(&["X-Remote-Uid"]),
        group_headers: list(&["X-Remote-Group"]),
        extra_header_prefixes: list(&["X-Remote-Extra-"]),
        ..FrontProxyOptions::default()
    }
}

/// An authenticator, and a connection of a proxy that it trusts.
struct Subject {
    authority: Authority,
    proxy: PeerCertificates,
    front_proxy: FrontProxy,
}

impl Subject {
    fn new(options: &FrontProxyOptions) -> Self {
        let authority = Authority::root("front-proxy-ca");
        let front_proxy = FrontProxy::new(
            "request-header::/ca.crt",
            options,
            clock() as Arc<dyn Clock>,
        )
        .unwrap();
        front_proxy.reload(authority.pem.as_bytes()).unwrap();
        let proxy = PeerCertificates::new([authority.client(client_parameters("proxy"))]);
        Self {
            authority,
            proxy,
            front_proxy,
        }
    }

    fn ask(&self, peer: Option<&PeerCertificates>, headers: &HeaderMap) -> Outcome {
        let request = Request {
            headers,
            path: "/",
            peer_certificates: peer,
            audiences: &Audiences::ANY,
        };
        match self.front_proxy.authenticate(&request) {
            Decision::Now(verdict) => verdict.outcome,
            Decision::Later(_) => panic!("decided from memory"),
        }
    }

    fn user(&self, lines: &[(&str, &[u8])]) -> UserInfo {
        let outcome = self.ask(Some(&self.proxy), &headers(lines));
        outcome
            .user()
            .unwrap_or_else(|| panic!("{outcome:?}"))
            .clone()
    }
}

fn headers(lines: &[(&str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

const FIDO: &[(&str, &[u8])] = &[
    ("X-Remote-User", b"fido"),
    ("X-Remote-Uid", b"11"),
    ("X-Remote-Group", b"dogs"),
    ("X-Remote-Group", b"dachshunds"),
    ("X-Remote-Extra-Acme.com%2Fproject", b"some-project"),
    ("X-Remote-Extra-Scopes", b"openid"),
    ("X-Remote-Extra-Scopes", b"profile"),
];

#[test]
fn the_worked_example_is_the_same_user_as_upstream() {
    let expected = UserInfo {
        name: "fido".into(),
        uid: "11".into(),
        groups: list(&["dogs", "dachshunds"]),
        extra: [
            ("acme.com/project".to_owned(), list(&["some-project"])),
            ("scopes".to_owned(), list(&["openid", "profile"])),
        ]
        .into(),
    };
    assert_eq!(Subject::new(&standard()).user(FIDO), expected);
}

#[test]
fn headers_count_only_with_a_certificate_of_a_proxy() {
    let subject = Subject::new(&standard());
    let headers = headers(FIDO);
    let stranger = Authority::root("front-proxy-ca").client(client_parameters("proxy"));
    assert_eq!(
        subject.ask(None, &headers),
        Outcome::NoOpinion(Reason::CredentialAbsent)
    );
    assert_eq!(
        subject.ask(Some(&PeerCertificates::new([])), &headers),
        Outcome::NoOpinion(Reason::CredentialAbsent)
    );
    // Without the prefix that names the certificate, unlike a client's.
    assert_eq!(
        subject.ask(Some(&PeerCertificates::new([stranger])), &headers),
        Outcome::rejected(
            Reason::CertificateAuthorityUnknown,
            "x509: certificate signed by unknown authority"
        )
    );
    let mut server = parameters("proxy");
    server.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let server = PeerCertificates::new([subject.authority.client(server)]);
    assert_eq!(
        subject.ask(Some(&server), &headers).reason(),
        Some(Reason::CertificateUsage)
    );
}

#[test]
fn the_certificate_is_judged_even_where_there_is_no_header() {
    let subject = Subject::new(&standard());
    let stranger = Authority::root("other").client(client_parameters("jane"));
    let outcome = subject.ask(Some(&PeerCertificates::new([stranger])), &HeaderMap::new());
    assert_eq!(outcome.reason(), Some(Reason::CertificateAuthorityUnknown));
    assert_eq!(
        subject.ask(Some(&subject.proxy), &HeaderMap::new()),
        Outcome::NoOpinion(Reason::CredentialAbsent)
    );
}

#[test]
fn a_name_that_is_not_on_the_list_is_refused() {
    let options = FrontProxyOptions {
        allowed_names: list(&["aggregator", "proxy"]),
        ..standard()
    };
    let subject = Subject::new(&options);
    assert_eq!(subject.user(FIDO).name, "fido");
    for name in ["Proxy", "prox", "proxy ", ""] {
        let other = subject.authority.client(client_parameters(name));
        let text = format!("x509: subject with cn={name} is not in the allowed list");
        assert_eq!(
            subject.ask(Some(&PeerCertificates::new([other])), &headers(FIDO)),
            Outcome::rejected(Reason::CertificateNameNotAllowed, text)
        );
    }
}

#[test]
fn without_a_list_of_names_even_no_name_will_do() {
    let subject = Subject::new(&standard());
    let nameless = PeerCertificates::new([subject.authority.client(client_parameters(""))]);
    let outcome = subject.ask(Some(&nameless), &headers(FIDO));
    assert_eq!(outcome.user().map(|user| &*user.name), Some("fido"));
}

#[test]
fn the_first_header_with_a_value_in_its_first_line_counts() {
    let options = FrontProxyOptions {
        username_headers: list(&["X-A", "X-B"]),
        uid_headers: list(&["X-U", "X-Remote-Uid"]),
        ..FrontProxyOptions::default()
    };
    let subject = Subject::new(&options);
    for (lines, expected) in [
        (&[("x-a", &b"a"[..]), ("x-b", b"b")][..], ("a", "")),
        (&[("x-a", b""), ("X-B", b"b")], ("b", "")),
        // The second line of a header does not stand in for an empty first one.
        (&[("x-a", b""), ("x-a", b"a"), ("x-b", b"b")], ("b", "")),
        (&[("x-a", b"a"), ("x-a", b"z")], ("a", "")),
        (&[("x-a", b"a,b")], ("a,b", "")),
        (&[("x-a", b"a"), ("x-remote-uid", b"2")], ("a", "2")),
        (
            &[("x-a", b"a"), ("x-u", b"1"), ("x-remote-uid", b"2")],
            ("a", "1"),
        ),
    ] {
        let user = subject.user(lines);
        assert_eq!((&*user.name, &*user.uid), expected, "{lines:?}");
    }
    let nobody = subject.ask(
        Some(&subject.proxy),
        &headers(&[("x-a", b""), ("x-b", b"")]),
    );
    assert_eq!(nobody, Outcome::NoOpinion(Reason::CredentialAbsent));
}

#[test]
fn headers_that_are_not_configured_are_not_read() {
    let options = FrontProxyOptions {
        username_headers: list(&["X-Remote-User"]),
        ..FrontProxyOptions::default()
    };
    assert_eq!(Subject::new(&options).user(FIDO), UserInfo::named("fido"));
    let nothing = Subject::new(&FrontProxyOptions::default());
    assert_eq!(
        nothing.ask(Some(&nothing.proxy), &headers(FIDO)),
        Outcome::NoOpinion(Reason::CredentialAbsent)
    );
}

#[test]
fn groups_are_the_lines_of_all_headers_whole_and_without_empty_ones() {
    let options = FrontProxyOptions {
        group_headers: list(&["X-G", "X-Remote-Group"]),
        ..standard()
    };
    let user = Subject::new(&options).user(&[
        ("x-remote-user", b"fido"),
        ("x-remote-group", b"c"),
        ("x-g", b"a,b"),
        ("x-g", b""),
        ("x-g", b"a,b"),
    ]);
    assert_eq!(user.groups, ["a,b", "a,b", "c"]);
}

#[test]
fn extra_keys_are_lowered_and_then_decoded_once() {
    let subject = Subject::new(&standard());
    for (rest, key) in [
        ("Acme.com%2Fproject", "acme.com/project"),
        ("Percent%20encoded", "percent encoded"),
        ("Almost%zzpercent%xxencoded", "almost%zzpercent%xxencoded"),
        (
            "Example.com%2fpercent%2520encoded",
            "example.com/percent%20encoded",
        ),
        (
            "Example.com%2F%E4%BB%8A%E6%97%A5%E3%81%AF",
            "example.com/今日は",
        ),
        ("a+b", "a+b"),
        ("%41BC", "Abc"),
        ("a%2", "a%2"),
        ("a%", "a%"),
        ("a%2fb%", "a%2fb%"),
        ("%ff", "%ff"),
        ("", ""),
    ] {
        let name = format!("X-Remote-Extra-{rest}");
        let user = subject.user(&[("X-Remote-User", b"fido"), (&name, b"v"), (&name, b"")]);
        assert_eq!(user.extra, [(key.to_owned(), list(&["v", ""]))].into());
    }
}

#[test]
fn every_prefix_finds_its_headers() {
    let options = FrontProxyOptions {
        extra_header_prefixes: list(&["X-Remote-Extra-", "x-OTHER-"]),
        ..standard()
    };
    let user = Subject::new(&options).user(&[
        ("x-remote-user", b"fido"),
        ("X-Other-A", b"1"),
        ("X-Remote-Extra-A", b"2"),
        ("X-Others-A", b"3"),
    ]);
    // In the order of the prefixes.
    assert_eq!(user.extra, [("a".to_owned(), list(&["2", "1"]))].into());
}

#[test]
fn headers_that_are_no_text_are_refused() {
    let subject = Subject::new(&standard());
    for name in [
        "x-remote-user",
        "x-remote-uid",
        "x-remote-group",
        "x-remote-extra-a",
    ] {
        let mut lines = headers(&[("x-remote-user", b"fido")]);
        let value = HeaderValue::from_bytes(b"\xff").unwrap();
        lines.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        assert_eq!(
            subject.ask(Some(&subject.proxy), &lines),
            Outcome::rejected(
                Reason::CredentialMalformed,
                format!("front proxy header {name} is not valid UTF-8")
            )
        );
    }
}

#[test]
fn a_reload_and_a_revocation_take_effect_on_open_connections() {
    let subject = Subject::new(&standard());
    let reload = |pem: &str| subject.front_proxy.reload(pem.as_bytes());
    assert!(subject.front_proxy.trusts(&subject.proxy));
    assert_eq!(reload(&subject.authority.pem).unwrap(), Reload::Unchanged);
    assert_eq!(
        reload("x").unwrap_err().to_string(),
        "error loading CA bundle for \"request-header::/ca.crt\": data does not contain any valid RSA or ECDSA certificates"
    );
    assert!(subject.front_proxy.trusts(&subject.proxy));

    let revoking = subject.authority.revoking(&[&subject.proxy.chain()[0]]);
    let front_proxy = &subject.front_proxy;
    front_proxy
        .reload_revocations("/crl.pem", revoking.as_bytes())
        .unwrap();
    assert_eq!(
        subject.ask(Some(&subject.proxy), &headers(FIDO)).reason(),
        Some(Reason::CertificateRevoked)
    );
    assert_eq!(
        reload(&Authority::root("new").pem).unwrap(),
        Reload::Changed
    );
    assert_eq!(
        subject.ask(Some(&subject.proxy), &headers(FIDO)).reason(),
        Some(Reason::CertificateAuthorityUnknown)
    );
    assert_eq!(front_proxy.subjects().len(), 1);
}

#[test]
fn an_authority_for_both_clients_and_proxies_needs_a_list_of_names() {
    let (own, shared, other) = (
        Authority::root("own"),
        Authority::root("shared"),
        Authority::root("other"),
    );
    let both = |one: &Authority, two: &Authority| format!("{}{}", one.pem, two.pem);
    let clients = ClientCertificates::new(
        "client-ca-bundle::/ca.crt",
        UidPolicy::FromSubject,
        clock(),
        Arc::new(NoMetrics),
    )
    .unwrap();
    let text = "--requestheader-client-ca-file and --client-ca-file contain overlapping certificates; --requestheader-allowed-names must be specified to ensure regular client certificates cannot set authenticating proxy headers for arbitrary users";
    for (names, bundle, expected) in [
        (&[][..], both(&other, &own), Ok(())),
        (&[], both(&other, &shared), Err(text.to_owned())),
        (&["proxy"], both(&other, &shared), Ok(())),
    ] {
        let options = FrontProxyOptions {
            allowed_names: list(names),
            ..standard()
        };
        let front_proxy = FrontProxy::new("request-header::/x", &options, clock()).unwrap();
        assert!(front_proxy.check_overlap(&clients).is_ok());
        front_proxy.reload(bundle.as_bytes()).unwrap();
        let bundle = both(&shared, &Authority::root("more"));
        clients.reload(bundle.as_bytes()).unwrap();
        let overlap = front_proxy.check_overlap(&clients);
        assert_eq!(overlap.map_err(|error| error.to_string()), expected);
    }
}

#[test]
fn its_headers_are_known_to_whoever_wraps_it() {
    let options = FrontProxyOptions {
        username_headers: list(&["X-User"]),
        group_headers: list(&["X-Group"]),
        extra_header_prefixes: list(&["X-Extra-"]),
        ..FrontProxyOptions::default()
    };
    let front_proxy = Arc::new(Subject::new(&options).front_proxy);
    let chain = crate::Chain::builder(["api"])
        .front_proxy(Arc::clone(&front_proxy) as Arc<dyn Authenticator>)
        .anonymous(crate::Anonymous::everywhere())
        .build(clock(), Arc::new(NoMetrics))
        .unwrap();
    let mut lines = headers(&[("x-user", b"a"), ("x-group", b"b"), ("x-extra-c", b"d")]);
    chain.identity_headers().remove_from(&mut lines);
    assert!(lines.is_empty());
}

proptest::proptest! {
    #[test]
    fn any_key_survives_encoding(key in "[^A-Z]{0,20}") {
        let set = percent_encoding::NON_ALPHANUMERIC;
        let encoded = percent_encoding::utf8_percent_encode(&key, set).to_string();
        proptest::prop_assert_eq!(extra_key(&encoded.to_ascii_lowercase()), key);
    }

    #[test]
    fn no_rest_of_a_name_panics(rest in "[%0-9a-zA-Z]{0,20}") {
        let _ = extra_key(&rest);
    }
}
