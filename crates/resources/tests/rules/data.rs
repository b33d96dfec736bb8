//! The rules of Secrets, ConfigMaps and ServiceAccounts.

use serde_json::{Value, json};

use crate::testkit::{create, object, resource, update};

#[test]
fn string_data_of_secrets_is_merged_once_and_not_kept() {
    let secret = object(
        "secrets",
        json!({"data": {"a": "MQ==", "b": "Mg=="}, "stringData": {"b": "x", "c": ""}}),
    );
    let expected = json!({"type": "Opaque", "data": {"a": "MQ==", "b": "eA==", "c": ""}});
    assert_eq!(Value::Object(secret.content), expected);
    let empty = object("secrets", json!({"stringData": {}}));
    assert_eq!(Value::Object(empty.content), json!({"type": "Opaque"}));
}

#[test]
fn secrets_are_refused_for_their_keys_and_content() {
    let with = |kind: &str, data: Value| create("secrets", json!({"type": kind, "data": data}));
    let redacted = "Invalid value: \"<secret contents redacted>\"";
    let table = [
        (
            "kubernetes.io/dockercfg",
            json!({}),
            "data[.dockercfg]: Required value".to_owned(),
        ),
        (
            "kubernetes.io/dockercfg",
            json!({".dockercfg": "W10="}),
            format!(
                "data[.dockercfg]: {redacted}: json: cannot unmarshal array into Go value of type map[string]interface {{}}"
            ),
        ),
        (
            "kubernetes.io/dockerconfigjson",
            json!({}),
            "data[.dockerconfigjson]: Required value".to_owned(),
        ),
        (
            "kubernetes.io/dockerconfigjson",
            json!({".dockerconfigjson": "e3g="}),
            format!("data[.dockerconfigjson]: {redacted}: invalid character in JSON input"),
        ),
        (
            "kubernetes.io/ssh-auth",
            json!({"ssh-privatekey": ""}),
            "data[ssh-privatekey]: Required value".to_owned(),
        ),
        (
            "kubernetes.io/tls",
            json!({"tls.crt": ""}),
            "data[tls.key]: Required value".to_owned(),
        ),
        (
            "any",
            json!({"..": ""}),
            "data[..]: Invalid value: \"..\": must not be '..'".to_owned(),
        ),
    ];
    for (kind, data, text) in table {
        assert_eq!(with(kind, data), [text]);
    }
    for (kind, data) in [
        ("kubernetes.io/basic-auth", json!({"password": ""})),
        ("kubernetes.io/dockercfg", json!({".dockercfg": "e30="})),
        (
            "kubernetes.io/dockerconfigjson",
            json!({".dockerconfigjson": "bnVsbA=="}),
        ),
        ("kubernetes.io/ssh-auth", json!({"ssh-privatekey": "eA=="})),
        ("any", json!({"anything": ""})),
    ] {
        assert_eq!(with(kind, data), [""; 0], "{kind}");
    }
    let token = json!({"type": "kubernetes.io/service-account-token",
        "metadata": {"annotations": {"kubernetes.io/service-account.name": "a"}}});
    assert_eq!(create("secrets", token), [""; 0]);
}

#[test]
fn no_error_shows_what_a_secret_holds() {
    let data = json!({".dockerconfigjson": "InBhc3N3b3JkLTEyMyI="});
    let errors = create(
        "secrets",
        json!({"type": "kubernetes.io/dockerconfigjson", "data": data}),
    );
    assert!(
        errors.len() == 1 && !errors.concat().contains("password"),
        "{errors:?}"
    );
}

#[test]
fn an_immutable_object_keeps_its_data_and_stays_immutable() {
    let detail = "Forbidden: field is immutable when `immutable` is set";
    let old = json!({"immutable": true, "data": {"a": "b"}, "binaryData": {"c": "MQ=="}});
    let table = [
        (old.clone(), vec![]),
        (
            json!({"immutable": true, "data": {"a": "b"}, "binaryData": {"c": "MQ=="}, "metadata": {"labels": {"a": "b"}}}),
            vec![],
        ),
        (
            json!({"immutable": false, "data": {"a": "b"}, "binaryData": {"c": "MQ=="}}),
            vec!["immutable"],
        ),
        (
            json!({"immutable": true, "data": {"a": "c"}, "binaryData": {"c": "MQ=="}}),
            vec!["data"],
        ),
        (
            json!({"immutable": true, "data": {"a": "b"}}),
            vec!["binaryData"],
        ),
        (json!({}), vec!["immutable", "data", "binaryData"]),
    ];
    for (new, members) in table {
        let texts: Vec<_> = members
            .iter()
            .map(|member| format!("{member}: {detail}"))
            .collect();
        assert_eq!(update("configmaps", old.clone(), new), texts);
    }
    let mutable = json!({"immutable": false, "data": {"a": "b"}});
    assert_eq!(update("configmaps", mutable, old), [""; 0]);
}

#[test]
fn config_maps_are_refused_for_their_keys_and_size() {
    let both = json!({"data": {"k": "v"}, "binaryData": {"k": "MQ==", "a b": ""}});
    let errors = create("configmaps", both);
    assert_eq!(
        errors.first().map(String::as_str),
        Some("data[k]: Invalid value: \"k\": duplicate of key present in binaryData")
    );
    assert!(
        errors.len() == 2
            && errors
                .concat()
                .contains("binaryData[a b]: Invalid value: \"a b\": a valid config key"),
        "{errors:?}"
    );

    let half = 512 * 1024;
    let of_size = |text: usize| json!({"data": {"a": "x".repeat(text)}, "binaryData": {"b": "AAAA".repeat(half / 3) + "AAA="}});
    // 512 KiB are two bytes more than a multiple of three.
    assert_eq!(create("configmaps", of_size(half)), [""; 0]);
    assert_eq!(
        create("configmaps", of_size(half + 1)),
        ["[]: Too long: must have at most 1048576 bytes"]
    );
}

#[test]
fn service_accounts_refer_to_secrets_by_name_only() {
    let value =
        json!({"secrets": [{"name": "a", "namespace": "n", "kind": "Secret", "uid": "u"}, {}]});
    let mut account = object("serviceaccounts", value);
    resource("serviceaccounts")
        .rules
        .prepare_create(&mut account);
    assert_eq!(
        Value::Object(account.content),
        json!({"secrets": [{"name": "a"}, {}]})
    );
}

#[test]
fn an_annotation_of_the_past_is_warned_of_once() {
    let rules = resource("serviceaccounts").rules;
    let annotations = json!({"kubernetes.io/enforce-mountable-secrets": "true"});
    let account = object(
        "serviceaccounts",
        json!({"metadata": {"annotations": annotations}}),
    );
    let plain = object("serviceaccounts", json!({}));
    let text = "metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets";
    assert_eq!(rules.warnings(&account, None), [text]);
    assert_eq!(rules.warnings(&account, Some(&plain)), [text]);
    assert_eq!(rules.warnings(&account, Some(&account)), [""; 0]);
    assert_eq!(rules.warnings(&plain, None), [""; 0]);
}
