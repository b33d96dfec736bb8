//! ServiceAccount (`pkg/registry/core/serviceaccount`, `ValidateServiceAccount`).

use burgee_wire::Object;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::Rules;
use crate::json;
use crate::table::{self, AGE, Column, NAME};

/// Once limited which Secrets pods may mount.
const ENFORCE_MOUNTABLE: &str = "kubernetes.io/enforce-mountable-secrets";

/// The rules of ServiceAccounts.
pub(crate) struct ServiceAccountRules;

impl Rules for ServiceAccountRules {
    fn prepare_create(&self, object: &mut Object) {
        keep_secret_names(object);
    }

    fn prepare_update(&self, new: &mut Object, _old: &Object) {
        keep_secret_names(new);
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let has = |object: &Object| object.metadata.annotations.contains_key(ENFORCE_MOUNTABLE);
        if !has(new) || old.is_some_and(has) {
            return Vec::new();
        }
        vec![format!(
            "metadata.annotations[{ENFORCE_MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
        )]
    }

    fn returns_deleted(&self) -> bool {
        true
    }

    // The count of Secrets went away in Kubernetes 1.35.
    fn columns(&self) -> &'static [Column] {
        const { &[NAME, AGE] }
    }

    fn cells(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![table::name(object), table::age(object, now).into()]
    }
}

/// References to Secrets are names within the account's namespace, and nothing else.
fn keep_secret_names(object: &mut Object) {
    for reference in json::objects_mut(&mut object.content, "secrets") {
        let name = reference.remove("name");
        *reference = Map::from_iter(name.map(|name| ("name".to_owned(), name)));
    }
}
