//! Owners, and what becomes of the owned.

use burgee_testkit::eventually;
use serde_json::{Value, json};

use crate::support::{Case, Expect as _};

/// Two ConfigMaps, of which the first owns the second.
fn family(case: &Case) -> Value {
    let owner = case.config_map("owner");
    let reference = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
        "uid": owner["metadata"]["uid"], "blockOwnerDeletion": true,
    });
    case.config_map_with(json!({"name": "owned", "ownerReferences": [reference]}));
    owner
}

#[test]
fn in_the_background_the_owned_goes_after_its_owner() {
    let case = Case::begin();
    family(&case);
    case.delete("configmaps/owner?propagationPolicy=Background")
        .expect(200);
    case.get("configmaps/owner").refused(404, "NotFound");
    case.gone("configmaps/owned");
}

#[test]
fn in_the_foreground_the_owner_waits_for_the_owned() {
    let case = Case::begin();
    family(&case);
    let hold = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    case.patch("configmaps/owned", "merge-patch", &hold)
        .expect(200);
    let going = case
        .delete("configmaps/owner?propagationPolicy=Foreground")
        .expect(200);
    assert_eq!(
        going["metadata"]["finalizers"],
        json!(["foregroundDeletion"])
    );
    eventually("the deletion of the owned", || {
        let owned = case.get("configmaps/owned").expect(200);
        owned["metadata"]["deletionTimestamp"]
            .is_string()
            .then_some(())
    });
    case.get("configmaps/owner").expect(200);
    let free = json!({"metadata": {"finalizers": null}});
    case.patch("configmaps/owned", "merge-patch", &free)
        .expect(200);
    case.gone("configmaps/owner");
}

#[test]
fn an_orphan_stays_and_forgets_its_owner() {
    let case = Case::begin();
    family(&case);
    case.delete_with("configmaps/owner", json!({"propagationPolicy": "Orphan"}))
        .expect(200);
    case.gone("configmaps/owner");
    let owned = case.get("configmaps/owned").expect(200);
    assert!(owned["metadata"]["ownerReferences"].is_null(), "{owned}");
}

#[test]
fn what_has_another_owner_left_stays() {
    let case = Case::begin();
    let owner = family(&case);
    let second = case.config_map("second");
    let reference = |object: &Value| {
        let metadata = &object["metadata"];
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": metadata["name"], "uid": metadata["uid"]})
    };
    let references = json!([reference(&owner), reference(&second)]);
    let patch = json!({"metadata": {"ownerReferences": references}});
    case.patch("configmaps/owned", "merge-patch", &patch)
        .expect(200);
    case.delete("configmaps/owner").expect(200);
    eventually("the end of the first reference", || {
        let owned = case.get("configmaps/owned").expect(200);
        (owned["metadata"]["ownerReferences"] == json!([reference(&second)])).then_some(())
    });
}

#[test]
fn what_names_an_owner_that_never_was_goes() {
    let case = Case::begin();
    let reference = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "never",
        "uid": "00000000-0000-0000-0000-000000000000",
    });
    case.config_map_with(json!({"name": "owned", "ownerReferences": [reference]}));
    case.gone("configmaps/owned");
}

#[test]
fn a_namespace_gets_its_account_and_its_authorities() {
    let case = Case::begin();
    eventually("the default account", || {
        (case.get("serviceaccounts/default").status == 200).then_some(())
    });
    let authorities = eventually("the authorities", || {
        let answer = case.get("configmaps/kube-root-ca.crt");
        (answer.status == 200).then(|| answer.json())
    });
    let pem = authorities["data"]["ca.crt"].as_str().unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
    case.delete("serviceaccounts/default").expect(200);
    eventually("another default account", || {
        (case.get("serviceaccounts/default").status == 200).then_some(())
    });
}
