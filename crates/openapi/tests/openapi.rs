//! The OpenAPI documents are whole: whatever they refer to is there, for everything that is served.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::collections::{BTreeMap, BTreeSet};

use burgee_openapi::{About, Document, Documents};
use burgee_resources::{Resource, all};
use serde_json::{Value, json};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

fn documents() -> Documents {
    let about = About {
        version: "v1.37.0".to_owned(),
        server_address: "192.0.2.10:6443".to_owned(),
    };
    Documents::new(all(), about)
}

fn read(document: &Document) -> Value {
    serde_json::from_slice(document.body()).unwrap()
}

fn root(resource: &Resource) -> String {
    let root = if resource.group.is_empty() {
        "api"
    } else {
        "apis"
    };
    format!("{root}/{}", resource.api_version())
}

/// The whole API in v2, and each group version in v3, by its path in the index.
fn every_document() -> BTreeMap<String, Value> {
    let documents = documents();
    let index = read(documents.openapi_v3_index());
    let v3 = index["paths"].as_object().unwrap().keys();
    let v3 = v3.map(|path| (path.clone(), read(documents.openapi_v3(path).unwrap())));
    v3.chain([("v2".to_owned(), read(documents.openapi_v2()))])
        .collect()
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| {
        let members = item.as_object().unwrap().iter();
        let operations = members.filter(|(name, _)| *name != "parameters");
        operations.map(|(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

fn each_object<'a>(value: &'a Value, see: &mut impl FnMut(&'a serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            see(object);
            object.values().for_each(|value| each_object(value, see));
        }
        Value::Array(items) => items.iter().for_each(|value| each_object(value, see)),
        _ => {}
    }
}

#[test]
fn the_index_names_every_document_by_its_hash() {
    let documents = documents();
    let index = read(documents.openapi_v3_index());
    let paths = index["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 13);
    for (path, entry) in paths {
        let hash = documents.openapi_v3(path).unwrap().hash();
        let url = format!("/openapi/v3/{path}?hash={hash}");
        assert_eq!(entry["serverRelativeURL"], url);
    }
    assert!(documents.openapi_v3("api/v2").is_none());
}

#[test]
fn every_reference_resolves() {
    for (name, document) in every_document() {
        let mut count = 0;
        each_object(&document, &mut |object| {
            if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{name}: {reference}");
                count += 1;
            }
        });
        assert!(count > 0, "{name}");
    }
}

#[test]
fn nothing_stands_beside_a_reference_in_v3() {
    for (name, document) in every_document().iter().filter(|(name, _)| *name != "v2") {
        each_object(document, &mut |object| {
            assert!(
                !object.contains_key("$ref") || object.len() == 1,
                "{name}: {object:?}"
            );
        });
    }
}

#[test]
fn every_served_kind_is_described_and_names_itself() {
    let documents = every_document();
    for resource in all() {
        let kind =
            json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
        let schemas = [
            &documents[&root(resource)]["components"]["schemas"],
            &documents["v2"]["definitions"],
        ];
        for schema in schemas {
            let definition = &schema[resource.schema_name];
            assert_eq!(definition["x-kubernetes-group-version-kind"], json!([kind]));
            assert!(!definition["description"].as_str().unwrap().is_empty());
            assert_eq!(definition["properties"]["apiVersion"]["type"], "string");
        }
    }
}

#[test]
fn every_verb_has_its_operation() {
    let documents = every_document();
    for resource in all() {
        let collection = if resource.namespaced {
            format!(
                "/{}/namespaces/{{namespace}}/{}",
                root(resource),
                resource.plural
            )
        } else {
            format!("/{}/{}", root(resource), resource.plural)
        };
        let item = format!("{collection}/{{name}}");
        let mut expected = verbs_at(&collection, &item, resource.verbs);
        if resource.namespaced && resource.verbs.contains(&"list") {
            expected.insert((format!("/{}/{}", root(resource), resource.plural), "get"));
        }
        for below in resource.subresources {
            let path = format!("{item}/{}", below.name);
            expected.extend(verbs_at(&path, &path, below.verbs));
        }
        for document in [&documents[&root(resource)], &documents["v2"]] {
            let ours: BTreeSet<_> = operations(document)
                .filter(|(path, ..)| {
                    let rest = path.strip_prefix(&format!("/{}/", root(resource)));
                    let rest = rest.map(|rest| rest.trim_start_matches("namespaces/{namespace}/"));
                    rest.and_then(|rest| rest.split('/').next()) == Some(resource.plural)
                })
                .map(|(path, method, _)| (path.to_owned(), method))
                .collect();
            assert_eq!(ours, expected);
        }
    }
}

fn verbs_at<'a>(collection: &str, item: &str, verbs: &[&str]) -> BTreeSet<(String, &'a str)> {
    let place = |verb: &&str| match *verb {
        "create" => Some((collection, "post")),
        "delete" => Some((item, "delete")),
        "deletecollection" => Some((collection, "delete")),
        "get" => Some((item, "get")),
        "list" => Some((collection, "get")),
        "patch" => Some((item, "patch")),
        "update" => Some((item, "put")),
        _ => None,
    };
    let places = verbs.iter().filter_map(place);
    places
        .map(|(path, method)| (path.to_owned(), method))
        .collect()
}

#[test]
fn operation_ids_are_unique_and_those_that_generators_know() {
    let mut known: BTreeSet<_> = [
        "getCoreAPIVersions",
        "getAPIVersions",
        "getRbacAuthorizationAPIGroup",
        "getCoreV1APIResources",
        "readCoreV1NamespacedSecret",
        "listCoreV1SecretForAllNamespaces",
        "listCoreV1NamespacedSecret",
        "deleteCoreV1CollectionNamespacedSecret",
        "createCoreV1NamespacedServiceAccountToken",
        "replaceCoreV1NamespaceFinalize",
        "patchCoreV1NodeStatus",
        "createAuthenticationV1TokenReview",
        "replaceRbacAuthorizationV1ClusterRole",
        "createAuthorizationV1NamespacedLocalSubjectAccessReview",
    ]
    .into();
    let documents = every_document();
    let mut ids = BTreeSet::new();
    for (path, _, operation) in operations(&documents["v2"]) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} twice, also at {path}");
        known.remove(id);
    }
    assert!(known.is_empty(), "{known:?}");
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let tags = &documents["v2"]["paths"][roles]["get"]["tags"];
    assert_eq!(*tags, json!(["rbacAuthorization_v1"]));
}

/// By this kubectl decides whether the server validates fields and can dry-run.
#[test]
fn patches_take_field_validation_and_dry_run() {
    let documents = every_document();
    for resource in all().iter().filter(|each| each.verbs.contains(&"patch")) {
        let kind =
            json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
        for document in [&documents[&root(resource)], &documents["v2"]] {
            let patches = operations(document).filter(|(_, method, operation)| {
                *method == "patch" && operation["x-kubernetes-group-version-kind"] == kind
            });
            let mut count = 0;
            for (path, _, patch) in patches {
                let parameters = patch["parameters"].as_array().unwrap();
                let names: BTreeSet<_> = (parameters.iter().filter(|each| each["in"] == "query"))
                    .map(|each| each["name"].as_str().unwrap())
                    .collect();
                let expected = ["dryRun", "fieldManager", "fieldValidation", "force"];
                assert_eq!(names, BTreeSet::from(expected), "{path}");
                count += 1;
            }
            assert!(count > 0, "{kind}");
        }
    }
}

#[test]
fn placeholders_are_declared() {
    for (name, document) in every_document() {
        for (path, item) in document["paths"].as_object().unwrap() {
            let declared = item["parameters"].as_array().into_iter().flatten();
            let declared: BTreeSet<_> = (declared.filter(|each| each["in"] == "path"))
                .map(|each| each["name"].as_str().unwrap())
                .collect();
            let used: BTreeSet<_> = (path.split('/'))
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            assert_eq!(declared, used, "{name}: {path}");
        }
    }
}

#[test]
fn a_subresource_has_the_kind_of_its_bodies() {
    let documents = every_document();
    let path = "/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token";
    let post = &documents["v2"]["paths"][path]["post"];
    let kind = json!({"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"});
    assert_eq!(post["x-kubernetes-group-version-kind"], kind);
    assert_eq!(post["x-kubernetes-action"], "post");
    for resource in all() {
        for below in resource.subresources {
            let wanted = format!("/{}/{{name}}/{}", resource.plural, below.name);
            for (path, _, operation) in operations(&documents["v2"]) {
                if path.ends_with(&wanted) {
                    let answer = operation["responses"]["200"]["schema"]["$ref"]
                        .as_str()
                        .unwrap();
                    assert!(
                        answer.ends_with(&format!(".{}", below.kind)),
                        "{path}: {answer}"
                    );
                }
            }
        }
    }
}

#[test]
fn properties_are_written_as_upstream_writes_them() {
    let documents = every_document();
    let v3 = &documents["api/v1"]["components"]["schemas"];
    let v2 = &documents["v2"]["definitions"];
    let shape = |value: &Value| {
        let mut value = value.clone();
        value.as_object_mut().unwrap().remove("description");
        value
    };

    let secret = "io.k8s.api.core.v1.Secret";
    let data =
        json!({"type": "object", "additionalProperties": {"type": "string", "format": "byte"}});
    assert_eq!(shape(&v3[secret]["properties"]["data"]), data);
    let metadata = json!({"allOf": [{"$ref": format!("#/components/schemas/{META}.ObjectMeta")}], "default": {}});
    assert_eq!(shape(&v3[secret]["properties"]["metadata"]), metadata);
    let metadata = json!({"$ref": format!("#/definitions/{META}.ObjectMeta")});
    assert_eq!(shape(&v2[secret]["properties"]["metadata"]), metadata);

    let meta = &v3[format!("{META}.ObjectMeta")]["properties"];
    let reference = format!("#/components/schemas/{META}.OwnerReference");
    let owners = json!({"type": "array", "items": {"allOf": [{"$ref": reference}], "default": {}},
        "x-kubernetes-list-map-keys": ["uid"], "x-kubernetes-list-type": "map",
        "x-kubernetes-patch-merge-key": "uid", "x-kubernetes-patch-strategy": "merge"});
    assert_eq!(shape(&meta["ownerReferences"]), owners);
    let finalizers = json!({"type": "array", "items": {"type": "string", "default": ""},
        "x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"});
    assert_eq!(shape(&meta["finalizers"]), finalizers);

    let list = &v3["io.k8s.api.core.v1.SecretList"];
    assert_eq!(list["required"], json!(["items"]));
    assert_eq!(
        v3["io.k8s.api.core.v1.ObjectReference"]["x-kubernetes-map-type"],
        "atomic"
    );
    let port = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
    assert_eq!(
        shape(&v3[port]),
        json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
    );
    assert_eq!(
        shape(&v2[port]),
        json!({"format": "int-or-string", "type": "string"})
    );
}

#[test]
fn types_of_all_groups_name_all_of_them() {
    let documents = every_document();
    let kinds = |name: &str| {
        let definition = &documents["v2"]["definitions"][format!("{META}.{name}")];
        definition["x-kubernetes-group-version-kind"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(kinds("DeleteOptions"), 6);
    assert_eq!(kinds("WatchEvent"), 6);
    assert_eq!(kinds("Status"), 1);
    assert_eq!(kinds("APIResourceList"), 1);
    assert!(documents["v2"]["definitions"][format!("{META}.Patch")].is_object());
}

/// In a build with debug assertions, encoding also fails on a member that no field is known for.
#[test]
fn the_protobuf_form_has_everything_and_the_same_hash() {
    let documents = documents();
    let protobuf = documents.openapi_v2_protobuf();
    assert_eq!(protobuf.hash(), documents.openapi_v2().hash());
    let text = String::from_utf8_lossy(protobuf.body());
    let json = read(documents.openapi_v2());
    for (path, _, operation) in operations(&json) {
        assert!(text.contains(path) && text.contains(operation["operationId"].as_str().unwrap()));
    }
    for (name, _) in json["definitions"].as_object().unwrap() {
        assert!(text.contains(name), "{name}");
    }
}
