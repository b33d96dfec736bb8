//! Tokens of a real OpenID provider: who they say somebody is, and what is wrong with them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use burgee_testkit::{Server, burgee, claims, eventually, run_with_input};
use serde_json::{Value, json};

use super::provider::{DISTRIBUTED, ES256, PS256, Provider, RS256};
use super::{Files, bearer, configuration, name, refusal, says, user};

/// A configuration with the provider as its only issuer.
pub(super) fn issuer(provider: &Provider, rest: Value) -> String {
    let mut jwt = json!({
        "issuer": {
            "url": provider.issuer(),
            "certificateAuthority": provider.authority(),
            "audiences": [RS256, ES256, PS256],
            "audienceMatchPolicy": "MatchAny",
        },
    });
    for (name, value) in rest.as_object().unwrap() {
        jwt[name] = value.clone();
    }
    configuration(json!([jwt]))
}

/// The plainest mapping.
pub(super) fn prefixed(prefix: &str) -> Value {
    json!({"claimMappings": {
        "username": {"claim": "sub", "prefix": prefix},
        "groups": {"claim": "groups", "prefix": prefix},
    }})
}

/// Waits until the server has got to know the issuer of a good token.
#[track_caller]
pub(super) fn knows(server: &Server, token: &str) {
    eventually("the issuer to be known", || {
        (bearer(server, token).get("/api").status == 200).then_some(())
    });
}

/// A server that knows the provider by a configuration file.
fn server(provider: &Provider, files: &Files, rest: Value) -> Server {
    let file = files.flag("authentication-config", issuer(provider, rest));
    let server = Server::options().arguments([file]).start();
    knows(
        &server,
        &provider.id_token(
            RS256,
            json!({
                "sub": "first", "email": "first@example.com", "email_verified": true, "groups": [],
                "roles": [], "organization": {"unit": {"name": "none"}}, "hd": "example.com",
            }),
        ),
    );
    server
}

/// A token with another header or payload and its old signature.
fn forged(token: &str, header: Option<Value>, payload: Option<&str>) -> String {
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    if let Some(header) = header {
        parts[0] = URL_SAFE_NO_PAD.encode(header.to_string());
    }
    if let Some(payload) = payload {
        parts[1] = URL_SAFE_NO_PAD.encode(payload);
    }
    parts.join(".")
}

/// Seconds since 1970, as tokens count them.
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[test]
fn kubectl_is_who_an_id_token_says() {
    let (provider, files) = (Provider::start(), Files::new());
    let server = server(&provider, &files, prefixed("oidc:"));
    for client in [RS256, ES256, PS256] {
        let token = provider.id_token(client, json!({"sub": "jane", "groups": ["dev", "ops"]}));
        let kubectl = server.kubectl().with_token(&token);
        let review: Value = serde_json::from_str(&kubectl.run("auth whoami -o json").ok()).unwrap();
        let expected = json!({
            "username": "oidc:jane", "groups": ["oidc:dev", "oidc:ops", "system:authenticated"],
        });
        assert_eq!(review["status"]["userInfo"], expected, "{client}");
    }
    // What one is allowed goes by the names that the mapping made.
    let kubectl = server.kubectl();
    kubectl
        .run("create clusterrolebinding dev --clusterrole=view --group=oidc:dev")
        .ok();
    let token = provider.id_token(RS256, json!({"sub": "joe", "groups": "dev"}));
    let joe = kubectl.with_token(&token);
    eventually("the binding to count", || {
        (joe.run("get cm -A").code == 0).then_some(())
    });
    says(
        &joe.run("create cm a").fails(1),
        "User \"oidc:joe\" cannot create",
    );
}

#[test]
fn a_token_with_an_identity_of_its_own_says_which_it_was() {
    let (provider, files) = (Provider::start(), Files::new());
    let server = server(&provider, &files, prefixed(""));
    let token = provider.access_token(ES256, json!({"sub": "jane", "aud": ["other", RS256]}));
    let id = claims(&token)["jti"].as_str().unwrap().to_owned();
    assert_eq!(
        user(&bearer(&server, &token)),
        json!({
            "username": "jane", "groups": ["system:authenticated"],
            "extra": {"authentication.kubernetes.io/credential-id": [format!("JTI={id}")]},
        })
    );
}

#[test]
fn every_fault_of_a_token_is_refused_with_its_reason() {
    let (provider, files) = (Provider::start(), Files::new());
    let server = server(&provider, &files, prefixed(""));
    let cases = [
        (
            json!({"iss": "https://other.example"}),
            "invalid bearer token",
        ),
        (
            json!({"aud": "other"}),
            "oidc: expected audience in [\"kubernetes\" \"kubernetes-es256\" \
             \"kubernetes-ps256\"] got [\"other\"]",
        ),
        (
            json!({"exp": 1_257_890_400}),
            "oidc: verify token: oidc: token is expired \
             (Token Expiry: 2009-11-10 22:00:00 +0000 UTC)",
        ),
        (json!({"exp": now()}), "oidc: token is expired"),
        (
            json!({"exp": null}),
            "oidc: token is expired (Token Expiry: 0001-01-01",
        ),
        (
            json!({"nbf": now() + 3600}),
            "before the nbf (not before) time:",
        ),
        (
            json!({"sub": null}),
            "oidc: parse username claims \"sub\": claim not present",
        ),
        (
            json!({"sub": "a", "groups": 7}),
            "oidc: parse groups claim \"groups\": json: cannot unmarshal number into Go value",
        ),
        (
            json!({"sub": "a", "groups": ["b", 7]}),
            "oidc: parse groups claim \"groups\": json: cannot unmarshal array into Go value",
        ),
    ];
    for (claims, reason) in cases {
        let token = provider.access_token(RS256, claims);
        says(&refusal(&server, &token), reason);
    }
    // A clock may be a minute behind that of the provider.
    let early = provider.access_token(RS256, json!({"sub": "early", "nbf": now() + 30}));
    assert_eq!(name(&bearer(&server, &early)), "early");
}

#[test]
fn a_token_dies_when_it_says_so() {
    let (provider, files) = (Provider::start(), Files::new());
    let server = server(&provider, &files, prefixed(""));
    let token = provider.short_id_token(RS256, json!({"sub": "jane"}), 3);
    assert_eq!(name(&bearer(&server, &token)), "jane");
    let expiry = claims(&token)["exp"].as_u64().unwrap();
    // Not even what was remembered of it lives longer.
    eventually("the end of the token", || {
        (bearer(&server, &token).get("/api").status == 401).then_some(())
    });
    assert!((expiry..expiry + 3).contains(&now()), "{expiry} {}", now());
    says(&refusal(&server, &token), "oidc: token is expired");
}

#[test]
fn a_forged_token_is_refused() {
    let (provider, files) = (Provider::start(), Files::new());
    let server = server(&provider, &files, prefixed(""));
    let good = provider.id_token(RS256, json!({"sub": "jane"}));
    let key_id = header(&good)["kid"].clone();
    let payload = claims(&good).to_string().replace("jane", "root");
    let algorithm = |name: &str| Some(json!({"alg": name, "kid": key_id}));
    let accepted = "oidc: id token signed with unsupported algorithm, expected [";
    let (signed, _) = good.rsplit_once('.').unwrap();
    let cases = [
        (
            forged(&good, None, Some(&payload)),
            "failed to verify id token signature",
        ),
        (forged(&good, algorithm("none"), Some(&payload)), accepted),
        (
            forged(&format!("{signed}."), algorithm("none"), Some(&payload)),
            accepted,
        ),
        (forged(&good, algorithm("HS256"), None), accepted),
        (
            forged(&good, algorithm("PS256"), None),
            "failed to verify signature",
        ),
        (
            forged(&good, algorithm("ES256"), None),
            "failed to verify signature",
        ),
        (
            forged(
                &good,
                Some(json!({"alg": "RS256", "kid": "../../etc/passwd"})),
                None,
            ),
            "failed to verify signature",
        ),
        (format!("{signed}."), "oidc: verify token: "),
        // Two issuers: whichever reader takes the other one, nobody gets in.
        (
            forged(
                &good,
                None,
                Some(&payload.replacen('{', "{\"iss\":\"https://a\",", 1)),
            ),
            "",
        ),
        (format!("{good}."), "invalid bearer token"),
        (format!("{good}.{good}"), "invalid bearer token"),
    ];
    for (token, reason) in cases {
        says(&refusal(&server, &token), reason);
    }
    assert_eq!(name(&bearer(&server, &good)), "jane");
}

fn header(token: &str) -> Value {
    let header = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

#[test]
fn expressions_make_users_of_claims() {
    let (provider, files) = (Provider::start(), Files::new());
    let server = server(
        &provider,
        &files,
        json!({
            "claimValidationRules": [
                {"claim": "hd", "requiredValue": "example.com"},
                {
                    "expression": "claims.?email_verified.orValue(true) == true",
                    "message": "the address has to be verified",
                },
            ],
            "claimMappings": {
                "username": {"expression": "claims.email.split('@')[0]"},
                "groups": {"expression": "claims.roles.map(role, 'role:' + role)"},
                "uid": {"expression": "claims.sub"},
                "extra": [{
                    "key": "example.com/unit", "valueExpression": "claims.organization.unit.name",
                }],
            },
            "userValidationRules": [{
                "expression": "!user.username.startsWith('system:')",
                "message": "names of the system are not for people",
            }],
        }),
    );
    let good = json!({
        "sub": "u-17", "email": "jane@example.com", "email_verified": true, "roles": ["a", "b"],
        "organization": {"unit": {"name": "docks"}}, "hd": "example.com",
    });
    assert_eq!(
        user(&bearer(&server, &provider.id_token(ES256, good.clone()))),
        json!({
            "username": "jane", "uid": "u-17",
            "groups": ["role:a", "role:b", "system:authenticated"],
            "extra": {"example.com/unit": ["docks"]},
        })
    );
    let cases = [
        (
            "hd",
            json!("other.example"),
            "oidc: required claim hd value does not match.",
        ),
        ("hd", Value::Null, "hd"),
        (
            "email_verified",
            json!(false),
            "failed: the address has to be verified",
        ),
        (
            "email",
            json!("system:admin@example.com"),
            "oidc: error evaluating user info validation rule: validation expression \
             '!user.username.startsWith('system:')' failed: names of the system are not for people",
        ),
        (
            "email",
            json!("@example.com"),
            "empty username via CEL expression is not allowed",
        ),
        (
            "email",
            json!(7),
            "oidc: error evaluating username claim expression: ",
        ),
        (
            "roles",
            json!(7),
            "oidc: error evaluating group claim expression: ",
        ),
        ("organization", json!({}), "no such key: unit"),
    ];
    for (claim, value, reason) in cases {
        let mut account = good.clone();
        account[claim] = value;
        says(
            &refusal(&server, &provider.id_token(RS256, account)),
            reason,
        );
    }
}

#[test]
fn flags_are_enough_for_one_issuer() {
    let (provider, files) = (Provider::start(), Files::new());
    let arguments = [
        format!("--oidc-issuer-url={}", provider.issuer()),
        format!("--oidc-client-id={RS256}"),
        files.flag("oidc-ca-file", provider.authority()),
        "--oidc-groups-claim=roles".to_owned(),
        "--oidc-groups-prefix=oidc:".to_owned(),
        "--oidc-required-claim=hd=example.com".to_owned(),
        "--oidc-required-claim=organization=a,b=c".to_owned(),
    ];
    let server = Server::options().arguments(arguments).start();
    let account = json!({
        "sub": "jane", "roles": ["dev"], "hd": "example.com", "organization": "a,b=c",
    });
    let token = provider.id_token(RS256, account.clone());
    knows(&server, &token);
    assert_eq!(
        user(&bearer(&server, &token)),
        json!({
            "username": format!("{}#jane", provider.issuer()),
            "groups": ["oidc:dev", "system:authenticated"],
        })
    );
    let foreign = provider.id_token(ES256, account.clone());
    says(
        &refusal(&server, &foreign),
        "oidc: expected audience \"kubernetes\" got [\"kubernetes-es256\"]",
    );
    let mut claims = account.clone();
    claims["aud"] = json!(RS256);
    says(
        &refusal(&server, &provider.access_token(ES256, claims)),
        "oidc: id token signed with unsupported algorithm, expected [\"RS256\"] got \"ES256\"",
    );
    let mut account = account;
    account["organization"] = json!("a");
    says(
        &refusal(&server, &provider.id_token(RS256, account.clone())),
        "oidc: required claim organization value does not match. Got = a, want = a,b=c",
    );
    account.as_object_mut().unwrap().remove("hd");
    account["organization"] = json!("a,b=c");
    says(
        &refusal(&server, &provider.id_token(RS256, account)),
        "oidc: required claim hd not present in ID token",
    );
}

#[test]
fn addresses_as_names_have_to_be_verified() {
    let (provider, files) = (Provider::start(), Files::new());
    let arguments = [
        format!("--oidc-issuer-url={}", provider.issuer()),
        format!("--oidc-client-id={PS256}"),
        files.flag("oidc-ca-file", provider.authority()),
        "--oidc-username-claim=email".to_owned(),
        "--oidc-signing-algs=ES256,PS256".to_owned(),
    ];
    let server = Server::options().arguments(arguments).start();
    let account = |verified: Value| {
        let mut account = json!({"sub": "u", "email": "jane@example.com"});
        if !verified.is_null() {
            account["email_verified"] = verified;
        }
        provider.id_token(PS256, account)
    };
    knows(&server, &account(json!(true)));
    // Nothing stands in front of an address, which is unique by itself.
    assert_eq!(
        name(&bearer(&server, &account(json!(true)))),
        "jane@example.com"
    );
    assert_eq!(
        name(&bearer(&server, &account(Value::Null))),
        "jane@example.com"
    );
    says(
        &refusal(&server, &account(json!(false))),
        "oidc: email not verified",
    );
    says(
        &refusal(&server, &account(json!("true"))),
        "oidc: parse 'email_verified' claim: json: ",
    );
}

#[test]
fn groups_that_are_elsewhere_are_fetched_and_verified() {
    let (provider, files) = (Provider::start(), Files::new());
    let server = server(&provider, &files, prefixed(""));
    let endpoint = format!("{}/distributed", provider.issuer());
    let token = |sub: &str, endpoint: &str, secret: &str| {
        let source = json!({"endpoint": endpoint, "access_token": secret});
        provider.id_token(
            RS256,
            json!({
                "sub": sub, "_claim_names": {"groups": "a"}, "_claim_sources": {"a": source},
            }),
        )
    };
    let elsewhere = |claims: Value| provider.access_token(ES256, claims);
    provider.distribute(&elsewhere(json!({"groups": ["dev"]})));
    let good = token("good", &endpoint, DISTRIBUTED);
    assert_eq!(
        user(&bearer(&server, &good))["groups"],
        json!(["dev", "system:authenticated"])
    );

    let expired = elsewhere(json!({"groups": ["dev"], "exp": 1}));
    let for_others = elsewhere(json!({"groups": ["dev"], "aud": "other"}));
    let without = elsewhere(json!({}));
    let signed = elsewhere(json!({"groups": ["dev"]}));
    let payload = claims(&signed).to_string().replace("dev", "ops");
    for (answer, reason) in [
        // What a directory says that has no JWT to give.
        (
            r#"{"value": ["dev"]}"#,
            "the endpoint answers JSON where a JWT is needed",
        ),
        (&*expired, "oidc: token is expired"),
        (&*for_others, "oidc: expected audience in ["),
        (&*forged(&signed, None, Some(&payload)), "failed to verify"),
        (&*without, "did not contain claim: groups"),
    ] {
        provider.distribute(answer);
        let error = refusal(&server, &token("jane", &endpoint, DISTRIBUTED));
        says(&error, "oidc: could not expand distributed claims: ");
        says(&error, reason);
    }
    provider.distribute(&signed);
    let wrong = token("jane", &endpoint, "not-the-access-token");
    let plain = token("jane", &endpoint.replace("https:", "http:"), DISTRIBUTED);
    for token in [wrong, plain] {
        says(
            &refusal(&server, &token),
            "oidc: could not expand distributed claims: ",
        );
    }

    let asked = provider.count("distributed");
    let token = |claims: Value| {
        let mut all = json!({"sub": "jane"});
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        provider.access_token(RS256, all)
    };
    // A source without an endpoint is none, and what the token holds itself wins.
    let aggregated = token(json!({
        "_claim_names": {"groups": "a"}, "_claim_sources": {"a": {"JWT": "e30.e30."}},
    }));
    assert_eq!(
        user(&bearer(&server, &aggregated))["groups"],
        json!(["system:authenticated"])
    );
    let own = token(json!({
        "groups": ["own"], "_claim_names": {"groups": "a"},
        "_claim_sources": {"a": {"endpoint": endpoint}},
    }));
    assert_eq!(user(&bearer(&server, &own))["groups"][0], "own");
    let nowhere = token(json!({"_claim_names": {"groups": "b"}, "_claim_sources": {}}));
    says(&refusal(&server, &nowhere), "oidc: source does not exist");
    assert_eq!(provider.count("distributed"), asked);
}

#[test]
fn all_that_is_wrong_with_a_token_is_explained() {
    let (provider, files) = (Provider::start(), Files::new());
    let server = server(&provider, &files, prefixed("oidc:"));
    let explain = |token: &str| {
        let mut command = burgee();
        command
            .args(["explain", "--output=json", "-", "--kubeconfig"])
            .arg(server.kubeconfig());
        let output = run_with_input(&mut command, token);
        let (_, signature) = token.rsplit_once('.').unwrap();
        assert!(!output.stdout.contains(signature), "{}", output.stdout);
        let explanation: Value = serde_json::from_str(&output.stdout).unwrap();
        (output.code, explanation["status"].clone())
    };
    let (code, status) = explain(&provider.id_token(ES256, json!({"sub": "jane"})));
    assert_eq!((code, &status["authenticated"]), (0, &json!(true)));
    assert_eq!(status["user"]["username"], "oidc:jane");

    // The key that signed it is known, and both of its faults are told.
    let bad = provider.access_token(RS256, json!({"sub": "jane", "exp": 1, "aud": "other"}));
    let (code, status) = explain(&bad);
    assert_eq!(code, 1);
    says(
        status["error"].as_str().unwrap(),
        "oidc: verify token: oidc: token is expired",
    );
    let checks = |result: &str| {
        let authenticators = status["authenticators"].as_array().unwrap().iter();
        let checks = authenticators.flat_map(|one| one["checks"].as_array().into_iter().flatten());
        let checks = checks.filter(|check| check["result"] == result);
        let names = checks.map(|check| check["name"].as_str().unwrap());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    for (result, name) in [
        ("Failed", "expiry"),
        ("Failed", "audience"),
        ("Passed", "signature"),
    ] {
        let checks = checks(result);
        assert!(checks.iter().any(|check| check == name), "{name}: {status}");
    }
}
