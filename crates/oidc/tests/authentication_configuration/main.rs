//! Files of `--authentication-config`: which are taken, and what is said of the others.

mod rules;

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
