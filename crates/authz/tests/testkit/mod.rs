//! What the tests of this crate share.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use std::path::Path;

use burgee_authz::{Attributes, RbacIndex, ResourceRequest};
use burgee_identity::UserInfo;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A typed view from JSON.
pub fn view<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A recorded request and answer of kube-apiserver 1.25.
pub fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// An index of these objects; each has its `kind`.
pub fn index(objects: impl IntoIterator<Item = Value>) -> RbacIndex {
    let mut index = RbacIndex::new();
    for object in objects {
        match object["kind"].as_str().unwrap() {
            "Role" => index.upsert_role(view(object)),
            "ClusterRole" => index.upsert_cluster_role(view(object)),
            "RoleBinding" => index.upsert_role_binding(view(object)),
            "ClusterRoleBinding" => index.upsert_cluster_role_binding(view(object)),
            kind => panic!("{kind} is no kind of RBAC"),
        }
    }
    index
}

/// Listing secrets of the core group in a namespace.
pub fn list_secrets<'a>(user: &'a UserInfo, namespace: &'a str) -> Attributes<'a> {
    let request = ResourceRequest {
        resource: "secrets",
        namespace,
        ..ResourceRequest::default()
    };
    Attributes::resource(user, "list", request)
}
