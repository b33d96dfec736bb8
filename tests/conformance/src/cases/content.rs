//! Content types, tables, and what else an answer can look like.

use serde_json::{Value, json};

use crate::support::{Case, Expect as _, says};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

#[test]
fn yaml_goes_in_and_comes_out() {
    let case = Case::begin();
    let text =
        "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata:\n  k: |\n    two\n    lines\n";
    let created = case
        .post_text("configmaps", "application/yaml", text)
        .expect(201);
    assert_eq!(created["data"]["k"], "two\nlines\n");
    let answer = case.get_as("configmaps/a", "application/yaml");
    assert_eq!(answer.headers["content-type"], "application/yaml");
    let read: Value = serde_saphyr::from_str(&answer.text()).unwrap();
    assert_eq!(read, created);
}

#[test]
fn protobuf_goes_in() {
    let case = Case::begin();
    let field = |number: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).unwrap();
        assert!(length < 128, "one byte is enough for the length");
        [&[number << 3 | 2, length], content].concat()
    };
    let metadata = field(1, &field(1, b"a"));
    let data = field(2, &[field(1, b"k"), field(2, b"v")].concat());
    let kind = [field(1, b"v1"), field(2, b"ConfigMap")].concat();
    let unknown = [field(1, &kind), field(2, &[metadata, data].concat())].concat();
    let body = [b"k8s\0".as_slice(), &unknown].concat();
    let headers = [("Content-Type", "application/vnd.kubernetes.protobuf")];
    let path = case.path("configmaps");
    let created = case.client.send("POST", &path, &headers, &body).expect(201);
    assert_eq!(created["data"], json!({"k": "v"}));
    let cut = &body[..body.len() - 3];
    case.client
        .send("POST", &path, &headers, cut)
        .refused(400, "BadRequest");
}

#[test]
fn what_the_server_cannot_write_is_406() {
    let case = Case::begin();
    case.config_map("a");
    let status = case
        .get_as("configmaps/a", "text/csv")
        .refused(406, "NotAcceptable");
    says(&status, "application/json");
    case.get_as("configmaps/a", "text/csv, application/json;q=0.5")
        .expect(200);
    case.get_as("configmaps/a", "*/*").expect(200);
}

#[test]
fn what_the_server_cannot_read_is_415() {
    let case = Case::begin();
    let answer = case.post_text("configmaps", "text/csv", "a,b");
    let status = answer.refused(415, "UnsupportedMediaType");
    says(&status, "accepted media types include: application/json");
    case.post_text(
        "configmaps",
        "application/json; charset=utf-8",
        r#"{"metadata":{"name":"a"}}"#,
    )
    .expect(201);
}

#[test]
fn a_list_as_table_has_columns_and_a_row_for_each() {
    let case = Case::begin();
    case.post(
        "secrets",
        &json!({"metadata": {"name": "a"}, "stringData": {"k": "v"}}),
    )
    .expect(201);
    let table = case.get_as("secrets", TABLE).expect(200);
    assert_eq!(
        (&table["kind"], &table["apiVersion"]),
        (&json!("Table"), &json!("meta.k8s.io/v1"))
    );
    let columns = table["columnDefinitions"].as_array().unwrap();
    let names: Vec<_> = columns
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Name", "Type", "Data", "Age"]);
    assert!(columns.iter().all(|column| {
        column["description"]
            .as_str()
            .is_some_and(|text| text.len() > 5)
    }));
    let row = &table["rows"][0];
    assert_eq!(
        row["cells"].as_array().unwrap()[..3],
        [json!("a"), json!("Opaque"), json!(1)]
    );
    assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
    assert!(row["object"]["data"].is_null(), "{row}");
}

#[test]
fn rows_carry_as_much_of_the_object_as_asked() {
    let case = Case::begin();
    case.config_map("a");
    let path = "configmaps?fieldSelector=metadata.name%3Da";
    let object = |include: &str| {
        let table = case
            .get_as(&format!("{path}&includeObject={include}"), TABLE)
            .expect(200);
        table["rows"][0]["object"].clone()
    };
    assert!(object("None").is_null());
    assert_eq!(object("Metadata")["kind"], "PartialObjectMetadata");
    assert_eq!(object("Object")["data"], json!({"k": "v"}));
}

#[test]
fn metadata_can_be_had_alone() {
    let case = Case::begin();
    let created = case.config_map("a");
    let accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    let partial = case.get_as("configmaps/a", accept).expect(200);
    assert_eq!(partial["kind"], "PartialObjectMetadata");
    assert_eq!(
        (&partial["metadata"], &partial["data"]),
        (&created["metadata"], &Value::Null)
    );
    let accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    let list = case.get_as("configmaps", accept).expect(200);
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert!(list["items"][0]["data"].is_null(), "{list}");
}

#[test]
fn people_get_it_indented() {
    let case = Case::begin();
    case.config_map("a");
    let indented = |text: String| text.starts_with("{\n  \"kind\": \"ConfigMap\"");
    let curl = [("User-Agent", "curl/8.0")];
    let path = case.path("configmaps/a");
    assert!(indented(case.client.send("GET", &path, &curl, b"").text()));
    assert!(indented(case.get("configmaps/a?pretty=true").text()));
    assert!(!indented(case.get("configmaps/a").text()));
    let not = case
        .client
        .send("GET", &format!("{path}?pretty=false"), &curl, b"");
    assert!(!indented(not.text()));
}

#[test]
fn answers_are_for_nobody_between() {
    let case = Case::begin();
    let answer = case.get("configmaps");
    assert_eq!(answer.headers["cache-control"], "no-cache, private");
    assert!(answer.headers.contains_key("audit-id"));
}
