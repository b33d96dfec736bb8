//! What the server says of itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Case, Expect as _};

fn names(list: &Value, of: &str) -> BTreeSet<String> {
    let entries = list[of].as_array().unwrap();
    entries
        .iter()
        .map(|entry| entry["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn groups_versions_and_resources_can_be_found() {
    let case = Case::begin();
    assert_eq!(case.get("/api").expect(200)["versions"], json!(["v1"]));
    let groups = names(&case.get("/apis").expect(200), "groups");
    for group in [
        "authentication.k8s.io",
        "authorization.k8s.io",
        "coordination.k8s.io",
        "rbac.authorization.k8s.io",
    ] {
        assert!(groups.contains(group), "{groups:?}");
        let found = case.get(&format!("/apis/{group}")).expect(200);
        assert_eq!(
            (&found["kind"], &found["name"]),
            (&json!("APIGroup"), &json!(group))
        );
        let list = case.get(&format!("/apis/{group}/v1")).expect(200);
        assert_eq!(list["groupVersion"], format!("{group}/v1"));
    }
}

#[test]
fn each_resource_says_how_it_is_called_and_what_can_be_done_with_it() {
    let case = Case::begin();
    let list = case.get("/api/v1").expect(200);
    let resources = list["resources"].as_array().unwrap();
    let find = |name: &str| {
        resources
            .iter()
            .find(|resource| resource["name"] == name)
            .unwrap()
    };
    let config_maps = find("configmaps");
    assert_eq!(config_maps["shortNames"], json!(["cm"]));
    assert_eq!(config_maps["singularName"], "configmap");
    let verbs = json!([
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch"
    ]);
    assert_eq!(config_maps["verbs"], verbs);
    let token = find("serviceaccounts/token");
    assert_eq!(
        (&token["kind"], &token["verbs"]),
        (&json!("TokenRequest"), &json!(["create"]))
    );
}

#[test]
fn everything_can_be_found_at_once() {
    let case = Case::begin();
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    for path in ["/api", "/apis"] {
        let answer = case.get_as(path, accept);
        let etag = answer.headers["etag"].clone();
        assert!(answer.headers["content-type"].contains("as=APIGroupDiscoveryList"));
        assert_eq!(answer.expect(200)["kind"], "APIGroupDiscoveryList");
        let headers = [("Accept", accept), ("If-None-Match", etag.as_str())];
        let again = case.client.send("GET", path, &headers, b"");
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
}

#[test]
fn openapi_is_there_and_need_not_be_sent_twice() {
    let case = Case::begin();
    assert_eq!(case.get("/openapi/v2").expect(200)["swagger"], "2.0");
    let index = case.get("/openapi/v3").expect(200);
    let url = index["paths"]["api/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = case.get(&url);
    let etag = answer.headers["etag"].clone();
    assert!(
        answer.expect(200)["openapi"]
            .as_str()
            .unwrap()
            .starts_with("3.")
    );
    let again = case
        .client
        .send("GET", &url, &[("If-None-Match", &etag)], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
    let old = case.get("/openapi/v3/api/v1?hash=OLD");
    assert_eq!((old.status, &old.headers["location"]), (301, &url));
}

#[test]
fn the_version_is_one_of_kubernetes() {
    let case = Case::begin();
    let version = case.get("/version").expect(200);
    assert_eq!(version["major"], "1");
    assert!(
        version["gitVersion"].as_str().unwrap().starts_with("v1."),
        "{version}"
    );
}

#[test]
fn health_is_told_shortly_or_check_by_check() {
    let case = Case::begin();
    for path in ["/healthz", "/livez", "/readyz"] {
        let answer = case.get(path);
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        let verbose = case.get(&format!("{path}?verbose")).text();
        let end = format!("{} check passed\n", &path[1..]);
        assert!(
            verbose.starts_with("[+]ping ok\n") && verbose.ends_with(&end),
            "{verbose}"
        );
        assert_eq!(case.get(&format!("{path}/ping")).text(), "ok");
        let excluded = case.get(&format!("{path}?verbose&exclude=ping")).text();
        assert!(excluded.starts_with("[+]ping excluded: ok\n"), "{excluded}");
        assert_eq!(case.get(&format!("{path}/nothing")).status, 404);
    }
}

#[test]
fn paths_that_are_none_are_404() {
    let case = Case::begin();
    for path in [
        "/nope",
        "/apis/nope.example",
        "/apis/nope.example/v1",
        "/api/v2",
    ] {
        assert_eq!(case.get(path).status, 404, "{path}");
    }
    for path in [
        "/api/v1/nopes",
        "nopes",
        "nopes/a",
        "configmaps/a/nope",
        "/apis/rbac.authorization.k8s.io/v1/nopes",
    ] {
        let status = case.get(path).refused(404, "NotFound");
        assert_eq!(
            status["message"], "the server could not find the requested resource",
            "{path}"
        );
    }
}

#[test]
fn methods_that_a_path_does_not_have_are_405() {
    let case = Case::begin();
    for (method, path) in [
        ("PUT", "configmaps"),
        ("PATCH", "configmaps"),
        ("POST", "configmaps/a"),
        ("GET", "serviceaccounts/default/token"),
        ("GET", "/apis/authentication.k8s.io/v1/tokenreviews"),
        (
            "DELETE",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        ),
        ("POST", "/version"),
    ] {
        let headers = [("Content-Type", "application/json")];
        let answer = case.client.send(method, &case.path(path), &headers, b"{}");
        answer.refused(405, "MethodNotAllowed");
    }
}

#[test]
fn the_root_lists_what_is_below() {
    let case = Case::begin();
    let root = case.get("/").expect(200);
    for path in [
        "/api",
        "/api/v1",
        "/apis",
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/readyz",
        "/version",
    ] {
        assert!(
            root["paths"].as_array().unwrap().contains(&json!(path)),
            "{path}"
        );
    }
}

#[test]
fn verifiers_outside_find_the_issuer_and_its_keys() {
    let case = Case::begin();
    let answer = case.get("/.well-known/openid-configuration");
    assert_eq!(answer.headers["cache-control"], "public, max-age=3600");
    let configuration = answer.expect(200);
    assert!(
        configuration["jwks_uri"]
            .as_str()
            .unwrap()
            .ends_with("/openid/v1/jwks")
    );
    let answer = case.get("/openid/v1/jwks");
    assert_eq!(answer.headers["content-type"], "application/jwk-set+json");
    let keys = answer.expect(200);
    assert!(
        keys["keys"][0]["kid"].is_string() && keys["keys"][0]["d"].is_null(),
        "{keys}"
    );
}

#[test]
fn metrics_count_requests() {
    let case = Case::begin();
    case.get("configmaps").expect(200);
    let metrics = case.get("/metrics").text();
    assert!(metrics.contains("apiserver_request_total{"), "{metrics}");
}
