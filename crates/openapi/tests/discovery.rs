//! Discovery documents are those that kube-apiserver 1.25 gave, except where a test says otherwise.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::collections::BTreeSet;

use burgee_openapi::{About, AggregatedVersion, Document, Documents};
use burgee_resources::{Resource, all};
use serde_json::{Value, json};

/// The group that only Burgee has.
const OWN: &str = "authentication.burgee.dev";

fn documents() -> Documents {
    let about = About {
        version: "v1.37.0".to_owned(),
        server_address: "192.0.2.10:26543".to_owned(),
    };
    Documents::new(all(), about)
}

fn recorded(path: &str) -> Value {
    let fixture: Value =
        serde_json::from_str(include_str!("fixtures/discovery-1.25.json")).unwrap();
    fixture[path].clone()
}

fn read(document: &Document) -> Value {
    serde_json::from_slice(document.body()).unwrap()
}

/// The recorded items that are served here too.
fn served(items: &Value, is_served: impl Fn(&str) -> bool) -> Vec<Value> {
    let items = items.as_array().unwrap().iter();
    items
        .filter(|item| is_served(item["name"].as_str().unwrap()))
        .cloned()
        .collect()
}

#[test]
fn api_is_as_recorded() {
    assert_eq!(read(documents().api_versions()), recorded("/api"));
}

#[test]
fn apis_lists_the_recorded_groups_that_are_served_in_their_order_and_then_burgees_own() {
    let mut expected = recorded("/apis");
    let mut groups = served(&expected["groups"], |name| {
        all().iter().any(|each| each.group == name)
    });
    assert_eq!(groups.len(), 4);
    let version = json!({"groupVersion": format!("{OWN}/v1alpha1"), "version": "v1alpha1"});
    groups.push(json!({"name": OWN, "versions": [version], "preferredVersion": version}));
    expected["groups"] = groups.into();
    assert_eq!(read(documents().api_group_list()), expected);
}

#[test]
fn a_group_is_as_recorded() {
    let documents = documents();
    let group = documents.api_group("authentication.k8s.io").unwrap();
    assert_eq!(read(group), recorded("/apis/authentication.k8s.io"));
    assert!(documents.api_group("").is_none() && documents.api_group("apps").is_none());
}

/// Since 1.25 there are singular names (1.27), and SelfSubjectReview (1.28).
#[test]
fn resources_are_as_recorded() {
    let documents = documents();
    let mut versions: BTreeSet<_> = all().iter().map(Resource::group_version).collect();
    assert!(versions.remove(&(OWN, "v1alpha1")));
    assert_eq!(versions.len(), 5);
    for (group, version) in versions {
        let ours = read(documents.api_resource_list(group, version).unwrap());
        let root = if group.is_empty() {
            "/api".to_owned()
        } else {
            format!("/apis/{group}")
        };
        let mut expected = recorded(&format!("{root}/{version}"));
        let names: BTreeSet<_> = ours["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|each| each["name"].as_str().unwrap())
            .collect();
        let mut resources = served(&expected["resources"], |name| names.contains(name));
        for resource in &mut resources {
            let name = resource["name"].as_str().unwrap();
            let singular = all()
                .iter()
                .find(|each| each.group == group && each.plural == name);
            resource["singularName"] = singular.map_or("", |each| each.singular).into();
        }
        if group == "authentication.k8s.io" {
            let review = json!({"name": "selfsubjectreviews", "singularName": "selfsubjectreview",
                "namespaced": false, "kind": "SelfSubjectReview", "verbs": ["create"]});
            resources.insert(0, review);
        }
        expected["resources"] = resources.into();
        assert_eq!(ours, expected, "{root}");
    }
    assert!(documents.api_resource_list("", "v2").is_none());
}

#[test]
fn root_lists_recorded_paths_and_those_of_burgees_own_group() {
    let recorded = recorded("/");
    let recorded = recorded["paths"].as_array().unwrap();
    let root = documents().root(&["/version", "/healthz"]);
    let root: Value = serde_json::from_slice(&root).unwrap();
    let paths = root["paths"].as_array().unwrap();
    assert_eq!(paths.len(), 19);
    assert!(paths.is_sorted_by_key(|path| path.as_str()));
    let unknown: Vec<_> = paths
        .iter()
        .filter(|path| !recorded.contains(path))
        .collect();
    assert_eq!(
        unknown,
        [format!("/apis/{OWN}"), format!("/apis/{OWN}/v1alpha1")].each_ref()
    );
}

#[test]
fn explanations_are_created_and_nothing_else() {
    let documents = documents();
    let list = read(documents.api_resource_list(OWN, "v1alpha1").unwrap());
    let resource = json!({"name": "tokenexplanations", "singularName": "tokenexplanation",
        "namespaced": false, "kind": "TokenExplanation", "verbs": ["create"]});
    assert_eq!(list["resources"], json!([resource]));
    assert_eq!(list["groupVersion"], format!("{OWN}/v1alpha1"));
}

/// What client-go makes of the aggregated form: the plain lists.
#[test]
fn the_aggregated_form_says_what_the_plain_one_says() {
    let documents = documents();
    for version in [AggregatedVersion::V2, AggregatedVersion::V2Beta1] {
        let [core, others] = [
            documents.aggregated_api(version),
            documents.aggregated_apis(version),
        ];
        let [core, others] = [read(core), read(others)];
        assert_eq!(
            core["apiVersion"],
            format!("apidiscovery.k8s.io/{}", version.as_str())
        );
        let groups = [
            core["items"].as_array().unwrap(),
            others["items"].as_array().unwrap(),
        ];
        for group in groups.into_iter().flatten() {
            let name = group["metadata"]["name"].as_str().unwrap_or_default();
            for version in group["versions"].as_array().unwrap() {
                let version_name = version["version"].as_str().unwrap();
                let plain = read(documents.api_resource_list(name, version_name).unwrap());
                let mut plain = plain["resources"].clone();
                for resource in plain.as_array_mut().unwrap() {
                    resource
                        .as_object_mut()
                        .unwrap()
                        .remove("storageVersionHash");
                }
                assert_eq!(plain_of(version), plain);
            }
        }
    }
}

fn plain_of(version: &Value) -> Value {
    let mut list = Vec::new();
    for resource in version["resources"].as_array().unwrap() {
        let namespaced = resource["scope"] == "Namespaced";
        let mut plain = json!({
            "name": resource["resource"], "singularName": resource["singularResource"],
            "namespaced": namespaced, "kind": resource["responseKind"]["kind"], "verbs": resource["verbs"],
        });
        for optional in ["shortNames", "categories"] {
            if let Some(value) = resource.get(optional) {
                plain[optional] = value.clone();
            }
        }
        list.push(plain);
        for below in resource["subresources"].as_array().into_iter().flatten() {
            let name = format!(
                "{}/{}",
                resource["resource"].as_str().unwrap(),
                below["subresource"].as_str().unwrap()
            );
            let kind = &below["responseKind"];
            let mut plain = json!({"name": name, "singularName": "", "namespaced": namespaced,
                "kind": kind["kind"], "verbs": below["verbs"]});
            for optional in ["group", "version"] {
                if kind[optional] != "" {
                    plain[optional] = kind[optional].clone();
                }
            }
            list.push(plain);
        }
    }
    list.into()
}

#[test]
fn documents_are_generated_once_and_alike_everywhere() {
    let [one, other] = [documents(), documents()];
    let version = AggregatedVersion::V2;
    assert_eq!(
        one.aggregated_apis(version).etag(),
        other.aggregated_apis(version).etag()
    );
    assert_ne!(
        one.aggregated_apis(version).hash(),
        one.aggregated_api(version).hash()
    );
    assert!(std::ptr::eq(one.api_versions(), one.api_versions()));
}
