use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::schema;

fn kind(name: &str) -> StructRef {
    schema().find(&format!("io.k8s.api.{name}")).unwrap()
}

/// A field that holds bytes.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
    field.extend_from_slice(content);
    field
}

fn body(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let type_meta = [bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())].concat();
    [MAGIC.to_vec(), bytes(1, &type_meta), bytes(2, message)].concat()
}

#[test]
fn a_secret_is_read_with_its_bytes_map_and_times() {
    let time = bytes(
        8,
        &[
            8, 0x80, 0x92, 0xb8, 0xc3, 0x98, 0xfe, 0xff, 0xff, 0xff, 0x01,
        ],
    );
    let metadata = bytes(1, &[bytes(1, b"s"), time].concat());
    let entry = [bytes(1, b"k"), bytes(2, &[0, 255])].concat();
    let message = [
        metadata,
        bytes(2, &entry),
        bytes(3, b"Opaque"),
        vec![5 << 3, 1],
    ]
    .concat();
    let value = from_slice(&body("v1", "Secret", &message), kind("core.v1.Secret")).unwrap();
    let expected = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "s", "creationTimestamp": "0001-01-01T00:00:00Z"},
        "data": {"k": "AP8="}, "type": "Opaque", "immutable": true});
    assert_eq!(value, expected);
}

#[test]
fn inlined_wrapped_and_signed_fields_are_read() {
    // Pod.spec.volumes[0]: name 1, volumeSource 2 (inlined) with hostPath 1 and its path 1.
    let volume = [bytes(1, b"v"), bytes(2, &bytes(1, &bytes(1, b"/x")))].concat();
    let negative = vec![
        0xc8, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
    ];
    let message = bytes(2, &[bytes(1, &volume), negative].concat());
    let value = from_slice(&body("v1", "Pod", &message), kind("core.v1.Pod")).unwrap();
    assert_eq!(
        value["spec"]["volumes"],
        json!([{"name": "v", "hostPath": {"path": "/x"}}])
    );
    assert_eq!(value["spec"]["priority"], -1);

    // SubjectAccessReview.spec.extra: a map of wrapped lists.
    let entry = [
        bytes(1, b"k"),
        bytes(2, &[bytes(1, b"a"), bytes(1, b"b")].concat()),
    ]
    .concat();
    let message = bytes(2, &bytes(5, &entry));
    let review = kind("authorization.v1.SubjectAccessReview");
    let value = from_slice(&body("x/v1", "SubjectAccessReview", &message), review).unwrap();
    assert_eq!(value["spec"]["extra"], json!({"k": ["a", "b"]}));
}

#[test]
fn another_kind_comes_back_with_its_name_alone() {
    let value = from_slice(&body("v1", "Secret", b"\xff"), kind("core.v1.ConfigMap")).unwrap();
    assert_eq!(value, json!({"apiVersion": "v1", "kind": "Secret"}));
}

#[test]
fn broken_bodies_are_refused() {
    let config_map = kind("core.v1.ConfigMap");
    let table: [(&[u8], Error); 5] = [
        (b"{}", Error::NotKubernetes),
        (b"k8s\0\x0a", Error::Truncated),
        (b"k8s\0\x12\x03\x0a\x05a", Error::Truncated),
        (b"k8s\0\x1a\x04gzip", Error::Encoding("gzip".into())),
        (
            b"k8s\0\x12\x02\x08\x01",
            Error::WireType {
                wire: 0,
                field: "metadata",
            },
        ),
    ];
    for (body, error) in table {
        assert_eq!(from_slice(body, config_map).unwrap_err(), error, "{body:?}");
    }
    let not_text = body("v1", "ConfigMap", &bytes(1, &bytes(1, &[0xff])));
    assert_eq!(
        from_slice(&not_text, config_map).unwrap_err(),
        Error::Text("name")
    );
}

proptest! {
    #[test]
    fn no_input_makes_it_panic(message in proptest::collection::vec(any::<u8>(), 0..200)) {
        for name in ["core.v1.Pod", "core.v1.Secret", "authorization.v1.SubjectAccessReview"] {
            let _ = message_of(&message, kind(name));
        }
    }
}

fn message_of(bytes: &[u8], kind: StructRef) -> Result<Map<String, Value>, Error> {
    message(bytes, &kind, 0)
}
