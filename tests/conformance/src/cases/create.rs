//! Creating.

use serde_json::json;

use crate::support::{Case, Expect as _, says};

#[test]
fn a_new_object_gets_uid_time_and_version_and_an_owner_of_its_fields() {
    let case = Case::begin();
    let created = case.config_map("a");
    let metadata = &created["metadata"];
    assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
    assert!(
        metadata["creationTimestamp"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    assert!(
        metadata["resourceVersion"]
            .as_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            > 0
    );
    let owner = &metadata["managedFields"][0];
    assert_eq!(
        (&owner["operation"], &owner["fieldsType"]),
        (&json!("Update"), &json!("FieldsV1"))
    );
    assert_eq!(owner["fieldsV1"], json!({"f:data": {".": {}, "f:k": {}}}));
}

#[test]
fn a_generated_name_begins_as_asked_and_ends_at_random() {
    let case = Case::begin();
    let make = || {
        let created = case.config_map_with(json!({"generateName": "gen-"}));
        created["metadata"]["name"].as_str().unwrap().to_owned()
    };
    let (one, two) = (make(), make());
    assert!(
        one.starts_with("gen-") && one.len() == 9 && one != two,
        "{one} {two}"
    );
}

#[test]
fn a_dry_run_answers_as_if_and_leaves_nothing() {
    let case = Case::begin();
    let object = json!({"metadata": {"name": "a"}, "data": {"k": "v"}});
    let shown = case.post("configmaps?dryRun=All", &object).expect(201);
    assert_eq!(shown["data"], json!({"k": "v"}));
    assert!(shown["metadata"]["uid"].is_string() && shown["metadata"]["resourceVersion"].is_null());
    case.get("configmaps/a").refused(404, "NotFound");
    let status = case
        .post("configmaps?dryRun=Some", &object)
        .refused(422, "Invalid");
    says(
        &status,
        "dryRun: Unsupported value: \"Some\": supported values: \"All\"",
    );
}

#[test]
fn a_name_that_is_taken_is_409() {
    let case = Case::begin();
    case.config_map("a");
    let again = case.post("configmaps", &json!({"metadata": {"name": "a"}}));
    let status = again.refused(409, "AlreadyExists");
    assert_eq!(status["message"], "configmaps \"a\" already exists");
    case.post("configmaps?dryRun=All", &json!({"metadata": {"name": "a"}}))
        .refused(409, "AlreadyExists");
}

#[test]
fn names_that_break_the_rules_are_422_with_their_cause() {
    let case = Case::begin();
    for name in ["A", "a_b", "-a", "a.", &"a".repeat(254)] {
        let answer = case.post("configmaps", &json!({"metadata": {"name": name}}));
        let status = answer.refused(422, "Invalid");
        let cause = &status["details"]["causes"][0];
        assert_eq!(cause["field"], "metadata.name", "{status}");
    }
    let status = case
        .post("configmaps", &json!({"metadata": {}}))
        .refused(422, "Invalid");
    says(
        &status,
        "metadata.name: Required value: name or generateName is required",
    );
}

#[test]
fn several_mistakes_are_named_at_once() {
    let case = Case::begin();
    let object = json!({
        "metadata": {"name": "a", "labels": {"bad key!": "x", "k": "bad value!"}},
        "data": {"not a key": "v"},
    });
    let status = case.post("configmaps", &object).refused(422, "Invalid");
    assert_eq!(
        status["details"]["causes"].as_array().unwrap().len(),
        3,
        "{status}"
    );
    says(&status, "ConfigMap \"a\" is invalid: [");
}

#[test]
fn an_object_for_another_namespace_is_400() {
    let case = Case::begin();
    let object = json!({"metadata": {"name": "a", "namespace": "other"}});
    let status = case.post("configmaps", &object).refused(400, "BadRequest");
    let expected =
        "the namespace of the provided object does not match the namespace sent on the request";
    assert_eq!(status["message"], expected);
}

#[test]
fn an_object_of_another_kind_is_400() {
    let case = Case::begin();
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}});
    let status = case.post("configmaps", &object).refused(400, "BadRequest");
    says(
        &status,
        "Secret in version \"v1\" cannot be handled as a ConfigMap",
    );
    let object = json!({"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let status = case.post("configmaps", &object).refused(400, "BadRequest");
    says(
        &status,
        "no kind \"ConfigMap\" is registered for version \"v2\"",
    );
}

#[test]
fn a_value_of_the_wrong_type_is_400() {
    let case = Case::begin();
    let object = json!({"metadata": {"name": "a"}, "data": {"k": 1}});
    let status = case.post("configmaps", &object).refused(400, "BadRequest");
    says(
        &status,
        "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
    );
}

#[test]
fn a_namespace_that_is_not_there_takes_nothing() {
    let case = Case::begin();
    let path = "/api/v1/namespaces/not-there/configmaps";
    let answer = case.post(path, &json!({"metadata": {"name": "a"}}));
    let status = answer.refused(404, "NotFound");
    assert_eq!(status["message"], "namespaces \"not-there\" not found");
}

#[test]
fn a_namespace_that_is_going_takes_nothing_new() {
    let case = Case::begin();
    case.config_map_with(json!({"name": "held", "finalizers": ["example.com/hold"]}));
    case.client
        .send(
            "DELETE",
            &format!("/api/v1/namespaces/{}", case.namespace),
            &[],
            b"",
        )
        .expect(200);
    let answer = case.post("configmaps", &json!({"metadata": {"name": "late"}}));
    let status = answer.refused(403, "Forbidden");
    says(&status, "because it is being terminated");
    assert_eq!(
        status["details"]["causes"][0]["reason"],
        "NamespaceTerminating"
    );
    case.patch(
        "configmaps/held",
        "merge-patch",
        &json!({"metadata": {"finalizers": null}}),
    )
    .expect(200);
}

#[test]
fn unknown_fields_are_ignored_warned_of_or_refused_as_asked() {
    let case = Case::begin();
    let send = |name: &str, validation: &str| {
        let object = json!({"metadata": {"name": name}, "spec": {"x": 1}});
        case.post(&format!("configmaps?fieldValidation={validation}"), &object)
    };
    let ignored = send("a", "Ignore");
    assert_eq!(
        (ignored.status, ignored.headers.get("warning")),
        (201, None)
    );
    let warned = send("b", "Warn");
    assert_eq!(
        warned.headers["warning"],
        r#"299 - "unknown field \"spec\"""#
    );
    assert!(warned.expect(201)["spec"].is_null());
    says(
        &send("c", "Strict").refused(400, "BadRequest"),
        "strict decoding error: unknown field \"spec\"",
    );
    let unsaid = case.post("configmaps", &json!({"metadata": {"name": "d"}, "spec": 1}));
    assert_eq!(
        unsaid.headers["warning"],
        r#"299 - "unknown field \"spec\"""#
    );
    send("e", "Odd").refused(422, "Invalid");
}

#[test]
fn fields_that_stand_twice_are_refused_when_asked() {
    let case = Case::begin();
    let text = r#"{"metadata":{"name":"a"},"data":{"k":"1"},"data":{"k":"2"}}"#;
    let json = "application/json";
    let strict = case.post_text("configmaps?fieldValidation=Strict", json, text);
    says(
        &strict.refused(400, "BadRequest"),
        "strict decoding error: duplicate field \"data\"",
    );
    let warned = case.post_text("configmaps?fieldValidation=Warn", json, text);
    assert_eq!(
        warned.headers["warning"],
        r#"299 - "duplicate field \"data\"""#
    );
    assert_eq!(warned.expect(201)["data"], json!({"k": "2"}));
}

#[test]
fn what_only_the_server_sets_is_not_taken_from_clients() {
    let case = Case::begin();
    let metadata = json!({
        "name": "a", "uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z",
        "deletionTimestamp": "2001-01-01T00:00:00Z", "selfLink": "/x",
    });
    let created = case.config_map_with(metadata);
    let own = &created["metadata"];
    assert_ne!(own["uid"], "mine");
    assert_ne!(own["creationTimestamp"], "2001-01-01T00:00:00Z");
    assert!(
        own["deletionTimestamp"].is_null() && own["selfLink"].is_null(),
        "{own}"
    );
    let versioned = json!({"metadata": {"name": "b", "resourceVersion": "1"}});
    let refused = case.post("configmaps", &versioned);
    assert!(refused.status >= 400, "{}", refused.text());
    says(
        &refused.json(),
        "resourceVersion should not be set on objects to be created",
    );
}

#[test]
fn text_data_of_secrets_is_encoded_and_wins() {
    let case = Case::begin();
    let object =
        json!({"metadata": {"name": "a"}, "data": {"k": "MQ=="}, "stringData": {"k": "2"}});
    let created = case.post("secrets", &object).expect(201);
    assert_eq!(
        (&created["data"], &created["type"]),
        (&json!({"k": "Mg=="}), &json!("Opaque"))
    );
    assert!(created["stringData"].is_null());
}

#[test]
fn typed_secrets_need_their_keys() {
    let case = Case::begin();
    for (kind, field) in [
        ("kubernetes.io/tls", "data[tls.crt]"),
        ("kubernetes.io/ssh-auth", "data[ssh-privatekey]"),
        ("kubernetes.io/dockercfg", "data[.dockercfg]"),
    ] {
        let object = json!({"metadata": {"name": "a"}, "type": kind});
        let status = case.post("secrets", &object).refused(422, "Invalid");
        assert_eq!(status["details"]["causes"][0]["field"], field);
    }
}

#[test]
fn one_name_cannot_be_created_twice_at_the_same_time() {
    let case = Case::begin();
    let codes: Vec<u16> = std::thread::scope(|scope| {
        let create = || {
            case.post("configmaps", &json!({"metadata": {"name": "a"}}))
                .status
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        codes.iter().filter(|code| **code == 201).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == 409).count(),
        7,
        "{codes:?}"
    );
}
