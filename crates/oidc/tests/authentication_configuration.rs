//! Files of `--authentication-config`: which are taken, and what is said of the others.

use burgee_oidc::{
    AuthenticationConfiguration, ConfigurationError, ExtraMapping, PrefixedMapping, RequiredClaim,
    Rules, UidMapping, hash_label,
};
use proptest::prelude::*;

const HEAD: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";

fn load(text: &str) -> Result<AuthenticationConfiguration, ConfigurationError> {
    let rules = Rules {
        disallowed_issuers: vec!["https://self.b".to_owned(), "https://self.a".to_owned()],
    };
    AuthenticationConfiguration::load("auth.yaml", text.as_bytes(), &rules)
}

/// A file with one authenticator that has these members, and those it cannot do without.
fn file(members: &str) -> String {
    let mut text = format!("{HEAD}jwt:\n-");
    for (name, default) in [
        ("issuer", "{url: 'https://issuer.example', audiences: [a]}"),
        ("claimMappings", "{username: {claim: sub, prefix: 'p:'}}"),
    ] {
        if !members.contains(name) {
            text.push_str(&format!("  {name}: {default}\n "));
        }
    }
    for line in members.lines() {
        text.push_str(&format!("  {line}\n "));
    }
    text.truncate(text.trim_end().len());
    // The first member stands behind the dash.
    text.replacen("-  ", "- ", 1).replace("\n   ", "\n  ") + "\n"
}

/// The errors of a file with this authenticator, without the path of the authenticator.
fn errors(members: &str) -> Vec<String> {
    let text = file(members);
    match load(&text) {
        Ok(_) => Vec::new(),
        Err(ConfigurationError::Invalid(problems)) => {
            let text = |text: String| {
                text.strip_prefix("jwt[0].")
                    .map_or(text.clone(), str::to_owned)
            };
            problems
                .iter()
                .map(|problem| text(problem.error.to_string()))
                .collect()
        }
        Err(other) => panic!("{other}\n{text}"),
    }
}

fn check(table: &[(&str, &[&str])]) {
    for (members, expected) in table {
        assert_eq!(errors(members), *expected, "{members}");
    }
}

#[test]
fn what_is_no_such_file_is_refused_with_upstreams_texts() {
    let head = r#"failed to load authentication configuration from file "auth.yaml": "#;
    for (text, expected) in [
        ("", "empty config data"),
        (
            "kind: AuthenticationConfiguration",
            "Object 'apiVersion' is missing in",
        ),
        (
            "apiVersion: apiserver.config.k8s.io/v1",
            "Object 'Kind' is missing in",
        ),
        (
            &HEAD.replace("v1", "v99"),
            r#"no kind "AuthenticationConfiguration" is registered for version "apiserver.config.k8s.io/v99" in scheme"#,
        ),
        (
            &format!("{HEAD}jwt1: []"),
            r#"strict decoding error: unknown field "jwt1" (line 3)"#,
        ),
        (
            &HEAD.replace("Authentication", "Authorization"),
            "expected AuthenticationConfiguration, got *apiserver.AuthorizationConfiguration",
        ),
    ] {
        let error = load(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{head}{expected}")), "{error}");
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

#[test]
fn egress_selectors_are_valid_and_there_is_none() {
    let text = file("issuer: {url: 'https://a', audiences: [a], egressSelectorType: controlplane}");
    assert_eq!(
        load(&text).unwrap_err().to_string(),
        r#"oidc: egress lookup required with egress selector type "controlplane""#
    );
}

#[test]
fn problems_know_their_lines() {
    let text = format!(
        "{HEAD}jwt:\n- issuer:\n    url: http://a\n    audiences:\n    - a\n    - a\n  claimMappings:\n    username:\n      claim: sub\n"
    );
    let error = load(&text).unwrap_err();
    let lines: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| (problem.error.path.to_string(), problem.line))
        .collect();
    let at = |path: &str, line| (format!("jwt[0].{path}"), Some(line));
    assert_eq!(
        lines,
        [
            at("issuer.url", 5),
            at("issuer.audiences[1]", 8),
            at("issuer.audienceMatchPolicy", 4),
            at("claimMappings.username.prefix", 10),
        ]
    );
}

#[test]
fn a_whole_file_becomes_what_it_says() {
    let text = format!(
        r#"{HEAD}jwt:
- issuer: {{url: https://issuer.example.test, audiences: [kubernetes]}}
  claimValidationRules:
  - {{expression: 'claims.tenant == "72f988bf"', message: wrong tenant}}
  - {{claim: hd, requiredValue: example.com}}
  claimMappings:
    username: {{expression: 'claims.username + ":external-user"'}}
    groups: {{expression: 'claims.roles.split(",")'}}
    uid: {{claim: sub}}
    extra:
    - {{key: example.com/tenant, valueExpression: claims.tenant}}
  userValidationRules:
  - {{expression: "!user.username.startsWith('system:')", message: reserved name}}
"#
    );
    let configuration = load(&text).unwrap();
    let [authenticator] = configuration.jwt.as_slice() else {
        panic!("one authenticator");
    };
    assert_eq!(authenticator.issuer.url, "https://issuer.example.test");
    assert_eq!(authenticator.issuer.discovery_url, None);
    assert_eq!(authenticator.issuer.certificate_authority, None);
    assert_eq!(authenticator.issuer.audiences, ["kubernetes"]);
    assert_eq!(authenticator.signing_algorithms.len(), 9);
    let hd = RequiredClaim {
        claim: "hd".to_owned(),
        value: "example.com".to_owned(),
    };
    assert_eq!(authenticator.required_claims, [hd]);
    let rules = &authenticator.claim_validation_rules;
    assert_eq!(rules[0].expression.text(), r#"claims.tenant == "72f988bf""#);
    assert_eq!(rules[0].message, "wrong tenant");
    let mappings = &authenticator.claim_mappings;
    assert!(
        matches!(&mappings.username, PrefixedMapping::Expression(e) if e.text().starts_with("claims.username"))
    );
    assert!(matches!(
        &mappings.groups,
        Some(PrefixedMapping::Expression(_))
    ));
    assert!(matches!(&mappings.uid, Some(UidMapping::Claim(claim)) if claim == "sub"));
    assert!(
        matches!(mappings.extra.as_slice(), [ExtraMapping { key, .. }] if key == "example.com/tenant")
    );
    assert_eq!(
        authenticator.user_validation_rules[0].message,
        "reserved name"
    );
}

#[test]
fn json_and_yaml_say_the_same() {
    let json = r#"{"apiVersion":"apiserver.config.k8s.io/v1beta1","kind":"AuthenticationConfiguration",
        "jwt":[{"issuer":{"url":"https:\/\/a","audiences":["a"]},
        "claimMappings":{"username":{"claim":"sub","prefix":"\u006f:"}}}]}"#;
    let configuration = load(json).unwrap();
    let username = &configuration.jwt[0].claim_mappings.username;
    assert!(
        matches!(username, PrefixedMapping::Claim { claim, prefix } if claim == "sub" && prefix == "o:")
    );
}

#[test]
fn issuers_that_can_name_whom_they_like_are_warned_of() {
    let warned = |members: &str| {
        let warnings = burgee_oidc::warnings(&load(&file(members)).unwrap().jwt);
        let path = |warning: &String| warning.split(':').next().unwrap().to_owned();
        warnings.iter().map(path).collect::<Vec<_>>()
    };
    let (username, groups) = (
        "jwt[0].claimMappings.username",
        "jwt[0].claimMappings.groups",
    );
    for (mappings, expected) in [
        ("{username: {claim: a, prefix: 'p:'}}", vec![]),
        ("{username: {claim: a, prefix: ''}}", vec![username]),
        (
            "{username: {expression: claims.a}, groups: {claim: a, prefix: ''}}",
            vec![username, groups],
        ),
        (
            "{username: {expression: '\"p:\" + claims.a'}, groups: {expression: claims.a}}",
            vec![groups],
        ),
    ] {
        let members = format!("claimMappings: {mappings}");
        assert_eq!(warned(&members), expected, "{mappings}");
        let guarded = format!("{members}\nuserValidationRules: [{{expression: 'true'}}]");
        assert_eq!(warned(&guarded), [""; 0], "{mappings}");
    }
}

#[test]
fn a_files_label_is_upstreams() {
    let text = format!("{HEAD}anonymous:\n  enabled: true\n  conditions:\n  - path: /livez\n");
    assert_eq!(text.len(), 131);
    load(&text).unwrap();
    assert_eq!(
        hash_label(text.as_bytes()),
        "sha256:03f1a8885435632c0fe4081f7ddcc7503f0c869f414f75c57ee84064df1eb545"
    );
}

/// Lines that files are made of, so that chance finds more than broken YAML.
fn lines() -> impl Strategy<Value = String> {
    let words = [
        "jwt:",
        "- issuer:",
        "url: https://a",
        "discoveryURL: x",
        "audiences: [a, '']",
        "audiences:",
        "certificateAuthority: x",
        "claimValidationRules:",
        "- claim: a",
        "expression: claims.a == 1",
        "requiredValue: 1",
        "claimMappings:",
        "username: {claim: a, prefix: ~}",
        "groups:",
        "uid: {}",
        "extra: [{key: a/b, valueExpression: claims.email}]",
        "userValidationRules: [{}]",
        "anonymous:",
        "enabled: yes",
        "conditions: [{path: /}]",
        "- ",
        "{",
        "]",
        "&a x",
        "*a",
        "<<: *a",
        "!!binary x",
        "? a",
    ];
    let line = (0usize..5, prop::sample::select(words.to_vec()));
    prop::collection::vec(line, 0..24).prop_map(|lines| {
        let line = |(indent, word): (usize, &str)| format!("{}{word}\n", "  ".repeat(indent));
        HEAD.to_owned() + &lines.into_iter().map(line).collect::<String>()
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = AuthenticationConfiguration::load("f", &bytes, &Rules::default());
    }

    #[test]
    fn any_file_is_read_or_refused_with_a_text(text in lines()) {
        if let Err(error) = load(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
