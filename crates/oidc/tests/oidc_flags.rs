//! The `--oidc-*` flags: what they mean, and which combinations are refused.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use burgee_jose::Algorithm;
use burgee_oidc::{JwtAuthenticator, OidcFlags, PrefixedMapping, RequiredClaim, Rules};

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn flags() -> OidcFlags {
    OidcFlags {
        issuer_url: text("https://idp.example.com"),
        client_id: text("kubernetes"),
        ..OidcFlags::default()
    }
}

fn check(flags: OidcFlags) -> JwtAuthenticator {
    flags.check(&Rules::default()).unwrap().unwrap()
}

fn refusal(flags: OidcFlags) -> String {
    flags.check(&Rules::default()).unwrap_err().to_string()
}

fn claim(mapping: &PrefixedMapping) -> (&str, &str) {
    match mapping {
        PrefixedMapping::Claim { claim, prefix } => (claim, prefix),
        PrefixedMapping::Expression(_) => panic!("flags make no expressions"),
    }
}

#[test]
fn no_flag_is_no_authenticator() {
    let flags = OidcFlags::default();
    assert!(!flags.any());
    assert!(flags.check(&Rules::default()).unwrap().is_none());
}

#[test]
fn issuer_and_client_id_are_enough() {
    let authenticator = check(flags());
    assert_eq!(authenticator.issuer.url, "https://idp.example.com");
    assert_eq!(authenticator.issuer.audiences, ["kubernetes"]);
    assert_eq!(authenticator.issuer.discovery_url, None);
    assert_eq!(authenticator.issuer.certificate_authority, None);
    assert_eq!(authenticator.signing_algorithms, [Algorithm::Rs256]);
    let mappings = &authenticator.claim_mappings;
    assert_eq!(
        claim(&mappings.username),
        ("sub", "https://idp.example.com#")
    );
    assert!(mappings.groups.is_none() && mappings.uid.is_none() && mappings.extra.is_empty());
    assert!(authenticator.required_claims.is_empty());
}

#[test]
fn any_flag_needs_issuer_and_client_id() {
    let only = OidcFlags::default;
    let table = [
        OidcFlags {
            client_id: None,
            ..flags()
        },
        OidcFlags {
            issuer_url: None,
            ..flags()
        },
        OidcFlags {
            issuer_url: text(""),
            ..flags()
        },
        OidcFlags {
            username_claim: text("sub"),
            ..only()
        },
        OidcFlags {
            username_prefix: text(""),
            ..only()
        },
        OidcFlags {
            groups_claim: text(""),
            ..only()
        },
        OidcFlags {
            groups_prefix: text(""),
            ..only()
        },
        OidcFlags {
            ca_file: Some("".into()),
            ..only()
        },
        OidcFlags {
            signing_algs: Some(vec!["RS256".to_owned()]),
            ..only()
        },
        OidcFlags {
            required_claims: Some(Vec::new()),
            ..only()
        },
    ];
    for flags in table {
        assert!(flags.any());
        assert_eq!(
            refusal(flags),
            "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set"
        );
    }
}

#[test]
fn names_are_prefixed_with_the_issuer_unless_told_otherwise() {
    let default = "https://idp.example.com#";
    for (username_claim, username_prefix, expected) in [
        (None, None, ("sub", default)),
        (text("name"), text(""), ("name", default)),
        (text("email"), None, ("email", "")),
        (text("email"), text("p:"), ("email", "p:")),
        (text("sub"), text("-"), ("sub", "")),
        (text("sub"), text("-p"), ("sub", "-p")),
    ] {
        let authenticator = check(OidcFlags {
            username_claim,
            username_prefix,
            ..flags()
        });
        assert_eq!(claim(&authenticator.claim_mappings.username), expected);
    }
}

#[test]
fn groups_need_a_claim() {
    let groups = |groups_claim: Option<String>, groups_prefix: Option<String>| {
        let mappings = check(OidcFlags {
            groups_claim,
            groups_prefix,
            ..flags()
        })
        .claim_mappings;
        mappings.groups.map(|mapping| {
            let (claim, prefix) = claim(&mapping);
            format!("{claim} {prefix}")
        })
    };
    assert_eq!(groups(text(""), text("p:")), None);
    assert_eq!(groups(text("roles"), None), text("roles "));
    assert_eq!(groups(text("roles"), text("-")), text("roles -"));
}

#[test]
fn signing_algorithms_are_those_of_rsa_and_elliptic_curves() {
    let with = |names: &[&str]| OidcFlags {
        signing_algs: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..flags()
    };
    let every: Vec<_> = Algorithm::ALL.iter().map(|each| each.as_str()).collect();
    assert_eq!(every.len(), 9);
    assert_eq!(check(with(&every)).signing_algorithms, Algorithm::ALL);
    assert_eq!(check(with(&[])).signing_algorithms, [Algorithm::Rs256]);
    for name in ["HS256", "none", "", "rs256", " RS256", "EdDSA"] {
        assert_eq!(
            refusal(with(&["RS256", name])),
            format!("oidc: unsupported signing alg: \"{name}\"")
        );
    }
}

#[test]
fn required_claims_are_pairs_and_the_last_of_a_claim_counts() {
    let with = |pairs: &[&str]| OidcFlags {
        required_claims: Some(pairs.iter().map(|pair| (*pair).to_owned()).collect()),
        ..flags()
    };
    let claims = |pairs: &[&str]| {
        let show = |RequiredClaim { claim, value }| format!("{claim}: {value}");
        let claims = check(with(pairs)).required_claims.into_iter().map(show);
        claims.collect::<Vec<_>>().join("; ")
    };
    assert_eq!(claims(&["hd=a", "hd=b"]), "hd: b");
    assert_eq!(claims(&["hd=a,groups=b"]), "hd: a,groups=b");
    assert_eq!(claims(&["b=x=y", " a = 1 ", "c="]), "a: 1; b: x=y; c: ");
    assert_eq!(
        refusal(with(&["hd"])),
        "invalid argument \"hd\" for \"--oidc-required-claim\" flag: malformed pair, expect string=string"
    );
    assert_eq!(
        refusal(with(&["=a"])),
        "invalid authentication configuration: jwt[0].claimValidationRules[0]: Required value: claim or expression is required"
    );
}

#[test]
fn values_keep_the_rules_of_files() {
    let rules = Rules {
        disallowed_issuers: vec!["https://idp.example.com".to_owned()],
    };
    assert_eq!(
        flags().check(&rules).unwrap_err().to_string(),
        r#"invalid authentication configuration: jwt[0].issuer.url: Invalid value: "https://idp.example.com": URL must not overlap with disallowed issuers: [https://idp.example.com]"#
    );
    let http = OidcFlags {
        issuer_url: text("http://idp.example.com"),
        ..flags()
    };
    assert_eq!(
        refusal(http),
        r#"invalid authentication configuration: jwt[0].issuer.url: Invalid value: "http://idp.example.com": URL scheme must be https"#
    );
    let claim = OidcFlags {
        username_claim: text(""),
        ..flags()
    };
    assert_eq!(
        refusal(claim),
        "invalid authentication configuration: jwt[0].claimMappings.username: Required value: claim or expression is required"
    );
}

#[test]
fn authorities_come_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.crt");
    let with = || OidcFlags {
        ca_file: Some(file.clone()),
        ..flags()
    };
    let shown = file.display();
    assert_eq!(
        refusal(with()),
        format!("open {shown}: no such file or directory")
    );

    std::fs::write(&file, "none").unwrap();
    assert_eq!(
        refusal(with()),
        r#"invalid authentication configuration: jwt[0].issuer.certificateAuthority: Invalid value: "<omitted>": data does not contain any valid RSA or ECDSA certificates"#
    );

    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["idp.example.com".to_owned()]).unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    std::fs::write(&file, &pem).unwrap();
    assert_eq!(check(with()).issuer.certificate_authority, Some(pem));
}
