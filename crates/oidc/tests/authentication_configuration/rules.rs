//! Upstream's rules, each with what breaks it and what just keeps it.

use super::{HEAD, errors, load};

fn check(table: &[(&str, &[&str])]) {
    for (members, expected) in table {
        assert_eq!(errors(members), *expected, "{members}");
    }
}

#[test]
fn issuers() {
    let issuer = |rest: &str| format!("issuer: {{{rest}}}");
    let url = |url: &str| issuer(&format!("url: '{url}', audiences: [a]"));
    let invalid =
        |url: &str, text: &str| vec![format!("issuer.url: Invalid value: \"{url}\": {text}")];
    for (text, expected) in [
        ("https://Issuer.example:443/path/", None),
        ("HTTPS://issuer.example", None),
        ("https://issuer.example?", None),
        ("https://issuer.example#", None),
        ("https://self.a/", None),
        (
            "https://self.a",
            Some("URL must not overlap with disallowed issuers: [https://self.a https://self.b]"),
        ),
        (
            "https://issuer-url:invalid-port",
            Some(
                r#"parse "https://issuer-url:invalid-port": invalid port ":invalid-port" after host"#,
            ),
        ),
        ("http://issuer.example", Some("URL scheme must be https")),
        ("issuer.example", Some("URL scheme must be https")),
        (
            "https://user@issuer.example",
            Some("URL must not contain a username or password"),
        ),
        (
            "https://user:password@issuer.example",
            Some("URL must not contain a username or password"),
        ),
        (
            "https://issuer.example?a=b",
            Some("URL must not contain a query"),
        ),
        (
            "https://issuer.example#a",
            Some("URL must not contain a fragment"),
        ),
        ("https://", Some("URL must contain a host")),
        ("https:///path", Some("URL must contain a host")),
        ("https://:443", Some("URL must contain a host")),
        ("https:issuer.example", Some("URL must contain a host")),
    ] {
        let expected = expected.map_or(Vec::new(), |expected| invalid(text, expected));
        assert_eq!(errors(&url(text)), expected);
    }
    check(&[
        ("issuer: {audiences: [a]}", &["issuer.url: Required value"]),
        (
            "issuer: {url: 'http://u@h?q#f', audiences: [a]}",
            &[
                r#"issuer.url: Invalid value: "http://u@h?q#f": URL scheme must be https"#,
                r#"issuer.url: Invalid value: "http://u@h?q#f": URL must not contain a username or password"#,
                r#"issuer.url: Invalid value: "http://u@h?q#f": URL must not contain a query"#,
                r#"issuer.url: Invalid value: "http://u@h?q#f": URL must not contain a fragment"#,
            ],
        ),
        (
            "issuer: {url: 'https://a', discoveryURL: 'https://self.a', audiences: [a]}",
            &[],
        ),
        (
            "issuer: {url: 'https://a/', discoveryURL: 'https://a//', audiences: [a]}",
            &[
                r#"issuer.discoveryURL: Invalid value: "https://a//": discoveryURL must be different from URL"#,
            ],
        ),
        (
            "issuer: {url: 'https://a', discoveryURL: 'http://b?c', audiences: [a]}",
            &[
                r#"issuer.discoveryURL: Invalid value: "http://b?c": URL scheme must be https"#,
                r#"issuer.discoveryURL: Invalid value: "http://b?c": URL must not contain a query"#,
            ],
        ),
        (
            "issuer: {}",
            &[
                "issuer.url: Required value",
                "issuer.audiences: Required value: at least one jwt[0].issuer.audiences is required",
            ],
        ),
        (
            "issuer: {url: 'https://a', audiences: [a, b], audienceMatchPolicy: MatchAny}",
            &[],
        ),
        (
            "issuer: {url: 'https://a', audiences: [a], audienceMatchPolicy: MatchAny}",
            &[],
        ),
        (
            "issuer: {url: 'https://a', audiences: ['', a, a]}",
            &[
                "issuer.audiences[0]: Required value",
                r#"issuer.audiences[2]: Duplicate value: "a""#,
                r#"issuer.audienceMatchPolicy: Invalid value: "": audienceMatchPolicy must be MatchAny for multiple audiences"#,
            ],
        ),
        (
            "issuer: {url: 'https://a', audiences: [a], audienceMatchPolicy: MatchAll}",
            &[
                r#"issuer.audienceMatchPolicy: Invalid value: "MatchAll": audienceMatchPolicy must be empty or MatchAny for single audience"#,
            ],
        ),
        (
            "issuer: {url: 'https://a', audiences: [a], certificateAuthority: none}",
            &[
                r#"issuer.certificateAuthority: Invalid value: "<omitted>": data does not contain any valid RSA or ECDSA certificates"#,
            ],
        ),
        (
            "issuer: {url: 'https://a', audiences: [a], egressSelectorType: etcd}",
            &[
                r#"issuer.egressSelectorType: Invalid value: "etcd": egress selector must be either controlplane or cluster"#,
            ],
        ),
    ]);
}

#[test]
fn certificate_authorities_are_pem_and_broken_ones_are_refused() {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["issuer.example".to_owned()]).unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    let with = |pem: &str| {
        let pem: String = pem.lines().map(|line| format!("\n    {line}")).collect();
        format!("issuer:\n  url: https://a\n  audiences: [a]\n  certificateAuthority: |{pem}")
    };
    assert_eq!(errors(&with(&pem)), [""; 0]);
    assert_eq!(errors(&with(&format!("a comment\n{pem}"))), [""; 0]);
    for broken in [pem.replace("\nMI", "\nMA"), key.serialize_pem()] {
        assert_eq!(errors(&with(&broken)).len(), 1, "{broken}");
    }
}

#[test]
fn an_issuer_stands_there_once_and_at_most_64_do() {
    let entry = |url: &str, discovery: &str| {
        format!(
            "- issuer: {{url: '{url}', discoveryURL: '{discovery}', audiences: [a]}}\n  claimMappings: {{username: {{claim: sub, prefix: ''}}}}\n"
        )
    };
    let text = [
        HEAD,
        "jwt:\n",
        &entry("https://a", "https://x"),
        &entry("https://a/", "https://y"),
        &entry("https://a", "https://x"),
    ]
    .concat();
    assert_eq!(
        load(&text).unwrap_err().to_string(),
        r#"invalid authentication configuration: [jwt[2].issuer.url: Duplicate value: "https://a", jwt[2].issuer.discoveryURL: Duplicate value: "https://x"]"#
    );

    let of = |count: usize| {
        let entries: String = (0..count)
            .map(|n| entry(&format!("https://a{n}"), ""))
            .collect();
        load(&format!("{HEAD}jwt:\n{entries}"))
    };
    assert_eq!(of(64).unwrap().jwt.len(), 64);
    assert_eq!(
        of(65).unwrap_err().to_string(),
        "invalid authentication configuration: jwt: Too many: 65: must have at most 64 items"
    );
    assert!(of(0).unwrap().jwt.is_empty());
}

#[test]
fn claim_validation_rules() {
    check(&[
        (
            "claimValidationRules: [{claim: a}, {claim: b, requiredValue: c}, {expression: 'claims.a == 1', message: m}]",
            &[],
        ),
        (
            "claimValidationRules: [{claim: a, expression: 'true'}, {}]",
            &[
                r#"claimValidationRules[0]: Invalid value: "a": claim and expression can't both be set"#,
                "claimValidationRules[1]: Required value: claim or expression is required",
            ],
        ),
        (
            "claimValidationRules: [{claim: a, message: m}, {claim: a}]",
            &[
                r#"claimValidationRules[0].message: Invalid value: "m": may not be specified when claim is set"#,
                r#"claimValidationRules[1].claim: Duplicate value: "a""#,
            ],
        ),
        (
            "claimValidationRules: [{expression: 'true', requiredValue: v}, {expression: 'true'}]",
            &[
                r#"claimValidationRules[0].requiredValue: Invalid value: "v": may not be specified when expression is set"#,
                r#"claimValidationRules[1].expression: Duplicate value: "true""#,
            ],
        ),
        (
            "claimValidationRules: [{expression: claims.foo}]",
            &[
                r#"claimValidationRules[0].expression: Invalid value: "claims.foo": must evaluate to bool"#,
            ],
        ),
        (
            "claimValidationRules: [{expression: 'claims.?email_verified.orValue(true)'}]",
            &[
                r#"claimValidationRules[0].expression: Invalid value: "claims.?email_verified.orValue(true)": must evaluate to bool"#,
            ],
        ),
        (
            "claimValidationRules: [{expression: 'claims.?email_verified.orValue(true) == true'}]",
            &[],
        ),
    ]);
}

#[test]
fn expressions_that_do_not_compile_are_shown_with_the_compilers_text() {
    let errors = errors("claimValidationRules: [{expression: 'foo.bar'}]");
    let [error] = errors.as_slice() else {
        panic!("{errors:?}");
    };
    let head = r#"claimValidationRules[0].expression: Invalid value: "foo.bar": compilation failed: ERROR: <input>:1:1: "#;
    assert!(error.starts_with(head), "{error}");
    assert!(
        error.contains("undeclared reference to 'foo' (in container '')"),
        "{error}"
    );
}

#[test]
fn claim_mappings() {
    check(&[
        (
            "claimMappings: {}",
            &["claimMappings.username: Required value: claim or expression is required"],
        ),
        (
            "claimMappings: {username: {claim: a, prefix: '', expression: claims.a}, groups: {claim: a, expression: claims.a}, uid: {claim: a, expression: claims.a}}",
            &[
                r#"claimMappings.username: Invalid value: "": claim and expression can't both be set"#,
                r#"claimMappings.groups: Invalid value: "": claim and expression can't both be set"#,
                r#"claimMappings.uid: Invalid value: "": claim and expression can't both be set"#,
            ],
        ),
        (
            "claimMappings: {username: {claim: a}, groups: {claim: a, prefix: null}}",
            &[
                "claimMappings.username.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing",
                "claimMappings.groups.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing",
            ],
        ),
        (
            "claimMappings: {username: {prefix: p, expression: claims.a}, groups: {prefix: '', expression: claims.a}}",
            &[
                r#"claimMappings.username.prefix: Invalid value: "p": may not be specified when expression is set"#,
                r#"claimMappings.groups.prefix: Invalid value: "": may not be specified when expression is set"#,
            ],
        ),
        (
            "claimMappings: {username: {claim: a, prefix: ''}, groups: {prefix: x}, uid: {}}",
            &[],
        ),
        (
            "claimMappings: {username: {expression: claims.a}, uid: {expression: claims.b}}",
            &[],
        ),
    ]);
}

#[test]
fn extra_mappings() {
    let with = |key: &str| {
        errors(&format!(
            "claimMappings: {{username: {{claim: a, prefix: ''}}, extra: [{{key: '{key}', valueExpression: claims.x}}]}}"
        ))
    };
    let at_key = |key: &str, text: &str| {
        format!("claimMappings.extra[0].key: Invalid value: \"{key}\": {text}")
    };
    for good in [
        "example.com/a",
        "ak8s.io/x",
        "notkubernetes.io/x",
        "a.b/c/d~%20",
    ] {
        assert_eq!(with(good), [""; 0], "{good}");
    }
    assert_eq!(with(""), ["claimMappings.extra[0].key: Required value"]);
    for pathless in ["foo", "foo/", "/foo"] {
        let text = r#"must be a domain-prefixed path (such as "acme.io/foo")"#;
        assert_eq!(with(pathless), [at_key(pathless, text)]);
    }
    for reserved in [
        "k8s.io/x",
        "a.k8s.io/x",
        "kubernetes.io/x",
        "authentication.kubernetes.io/credential-id",
    ] {
        let text = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use";
        assert_eq!(with(reserved), [at_key(reserved, text)]);
    }
    assert_eq!(
        with("example.com/Foo"),
        [at_key("example.com/Foo", "must be lowercase")]
    );
    let domain = with("exa_mple.com/foo");
    assert!(
        domain.len() == 1
            && domain[0].contains(r#""exa_mple.com": a lowercase RFC 1123 subdomain"#),
        "{domain:?}"
    );
    assert_eq!(
        with("example.com/a b"),
        [at_key(
            "a b",
            r"Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')"
        )]
    );
    check(&[(
        "claimMappings: {username: {claim: a, prefix: ''}, extra: [{key: a.b/c, valueExpression: claims.x}, {key: a.b/c}, {key: a.b/d}]}",
        &[
            r#"claimMappings.extra[1].key: Duplicate value: "a.b/c""#,
            "claimMappings.extra[2].valueExpression: Required value",
        ],
    )]);
}

#[test]
fn user_validation_rules() {
    check(&[
        (
            "userValidationRules: [{expression: \"!user.username.startsWith('system:')\", message: m}]",
            &[],
        ),
        (
            "userValidationRules: [{expression: 'true'}, {message: m}, {expression: 'true'}, {expression: user.username}]",
            &[
                "userValidationRules[1].expression: Required value",
                r#"userValidationRules[2].expression: Duplicate value: "true""#,
                r#"userValidationRules[3].expression: Invalid value: "user.username": must evaluate to bool"#,
            ],
        ),
    ]);
    // Claims are not there any more.
    let errors = errors("userValidationRules: [{expression: 'claims.a == 1'}]");
    assert!(
        errors[0].contains("undeclared reference to 'claims'"),
        "{errors:?}"
    );
}

#[test]
fn a_name_out_of_email_needs_email_verified() {
    let verify = |expression: &str, others: &str| {
        errors(&format!(
            "claimMappings: {{username: {{expression: '{expression}'}}, extra: [{others}]}}"
        ))
    };
    let refused = |expression: &str| {
        let shown = expression.replace('"', "\\\"");
        vec![format!(
            "claimMappings.username.expression: Invalid value: \"{shown}\": claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression"
        )]
    };
    for unverified in [
        "claims.email",
        "claims.?email.orValue(\"\")",
        "\"p:\" + claims.email",
        "[claims.email][0]",
        "{\"a\": claims.email}.a",
        "[\"a\"].map(x, claims.email)[0]",
        "claims[\"email\"]",
    ] {
        assert_eq!(verify(unverified, ""), refused(unverified), "{unverified}");
        let verified = "{key: a.b/c, valueExpression: 'string(claims.email_verified)'}";
        assert_eq!(verify(unverified, verified), [""; 0], "{unverified}");
    }
    for harmless in [
        "claims.email_",
        "claims.other.claims.email",
        "claims.sub",
        "claims.email_verified ? claims.email : claims.sub",
        "claims.?email_verified.orValue(true) == true ? claims.email : claims.sub",
    ] {
        assert_eq!(verify(harmless, ""), [""; 0], "{harmless}");
    }
    check(&[
        (
            "claimMappings: {username: {expression: claims.email}}\nclaimValidationRules: [{expression: claims.email_verified == true}]",
            &[],
        ),
        // A required claim does not count, nor does a name out of a claim matter.
        (
            "claimMappings: {username: {expression: claims.email}}\nclaimValidationRules: [{claim: email_verified, requiredValue: 'true'}]",
            &refused("claims.email")
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        ),
        ("claimMappings: {username: {claim: email, prefix: ''}}", &[]),
    ]);
}

#[test]
fn conditions_need_anonymous_to_be_enabled() {
    let text = |anonymous: &str| format!("{HEAD}anonymous: {anonymous}\n");
    for anonymous in [
        "{conditions: [{path: /livez}]}",
        "{enabled: false, conditions: [{path: /livez}]}",
    ] {
        assert_eq!(
            load(&text(anonymous)).unwrap_err().to_string(),
            r#"invalid authentication configuration: anonymous.conditions: Invalid value: [{"Path":"/livez"}]: enabled should be set to true when conditions are defined"#
        );
    }
    for anonymous in [
        "{}",
        "{enabled: false, conditions: []}",
        "{enabled: true, conditions: [{path: /a}, {path: /a}]}",
    ] {
        assert!(
            load(&text(anonymous)).unwrap().anonymous.is_some(),
            "{anonymous}"
        );
    }
    assert!(load(HEAD).unwrap().anonymous.is_none());
}
