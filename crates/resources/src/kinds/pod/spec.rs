//! What is wrong with a pod's specification (`ValidatePodSpec`).

use burgee_wire::Object;
use burgee_wire::field::{FieldError, Path};
use burgee_wire::names;
use serde_json::Value;

use super::{MIRROR, container, volume};
use crate::json::{entries, items, some, text};
use crate::kinds::node::taint_effect;
use crate::metadata::invalid;

/// What is wrong with a new or updated pod, apart from its metadata.
pub(super) fn validate(object: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let Some(spec) = object.content.get("spec") else {
        errors.push(FieldError::required(&Path::new("spec.containers"), ""));
        return errors;
    };
    if let Some(value) = object.metadata.annotations.get(MIRROR)
        && text(spec, "nodeName").is_empty()
    {
        let path = Path::new("metadata.annotations").key(MIRROR);
        let detail = "must set spec.nodeName if mirror pod annotation is set";
        errors.push(FieldError::invalid(&path, value.as_str(), detail));
    }
    let path = Path::new("spec");
    let errors_so_far = &mut errors;
    volume::validate(errors_so_far, spec, &path.child("volumes"));
    container::validate(errors_so_far, spec, &path);
    choices(errors_so_far, spec, &path);
    node_selector(errors_so_far, spec, &path.child("nodeSelector"));
    readiness_gates(errors_so_far, spec, &path);
    object_names(errors_so_far, spec, &path);
    if let Some(seconds) = some(spec, "activeDeadlineSeconds").and_then(Value::as_i64)
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let detail = "must be between 1 and 2147483647, inclusive";
        errors.push(FieldError::invalid(
            &path.child("activeDeadlineSeconds"),
            seconds,
            detail,
        ));
    }
    tolerations(&mut errors, spec, &path.child("tolerations"));
    volume::tokens_need_an_account(&mut errors, spec, &path.child("volumes"));
    errors
}

/// What is wrong with a pod only while it is created.
pub(super) fn only_on_create(errors: &mut Vec<FieldError>, object: &Object) {
    let Some(spec) = object.content.get("spec") else {
        return;
    };
    let path = Path::new("spec");
    if !items(spec, "ephemeralContainers").is_empty() {
        let path = path.child("ephemeralContainers");
        errors.push(FieldError::forbidden(&path, "cannot be set on create"));
    }
    if !text(spec, "nodeName").is_empty() && !items(spec, "schedulingGates").is_empty() {
        let detail = "cannot be set until all schedulingGates have been cleared";
        errors.push(FieldError::forbidden(&path.child("nodeName"), detail));
    }
}

fn choices(errors: &mut Vec<FieldError>, spec: &Value, path: &Path) {
    choice(
        errors,
        spec,
        path,
        "restartPolicy",
        &["Always", "OnFailure", "Never"],
    );
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    choice(errors, spec, path, "dnsPolicy", &policies);
}

/// A member must be one of a few words.
pub(super) fn choice(
    errors: &mut Vec<FieldError>,
    value: &Value,
    path: &Path,
    member: &str,
    supported: &[&str],
) {
    let path = path.child(member);
    match text(value, member) {
        "" => errors.push(FieldError::required(&path, "")),
        word if supported.contains(&word) => {}
        word => errors.push(FieldError::not_supported(&path, word, supported)),
    }
}

fn node_selector(errors: &mut Vec<FieldError>, spec: &Value, path: &Path) {
    for (key, value) in entries(spec, "nodeSelector") {
        let value = value.as_str().unwrap_or_default();
        invalid(errors, path, key, names::qualified_name(key));
        invalid(errors, path, value, names::label_value(value));
    }
}

fn readiness_gates(errors: &mut Vec<FieldError>, spec: &Value, path: &Path) {
    for (index, gate) in items(spec, "readinessGates").iter().enumerate() {
        let path = path
            .child("readinessGates")
            .index(index)
            .child("conditionType");
        let name = text(gate, "conditionType");
        invalid(errors, &path, name, names::qualified_name(name));
    }
    let gates = items(spec, "schedulingGates");
    for (index, gate) in gates.iter().enumerate() {
        let (path, name) = (
            path.child("schedulingGates").index(index),
            text(gate, "name"),
        );
        invalid(errors, &path, name, names::qualified_name(name));
        if gates
            .iter()
            .take(index)
            .any(|earlier| text(earlier, "name") == name)
        {
            errors.push(FieldError::duplicate(&path, name));
        }
    }
}

fn object_names(errors: &mut Vec<FieldError>, spec: &Value, path: &Path) {
    type Grammar = fn(&str) -> Vec<String>;
    let table: [(&str, Grammar); 6] = [
        ("serviceAccountName", names::dns1123_subdomain),
        ("nodeName", names::dns1123_subdomain),
        ("hostname", names::dns1123_label),
        ("subdomain", names::dns1123_label),
        ("priorityClassName", names::dns1123_subdomain),
        ("runtimeClassName", names::dns1123_subdomain),
    ];
    for (member, grammar) in table {
        let name = text(spec, member);
        if !name.is_empty() {
            invalid(errors, &path.child(member), name, grammar(name));
        }
    }
}

/// Adds what is wrong with tolerations.
pub(super) fn tolerations(errors: &mut Vec<FieldError>, spec: &Value, path: &Path) {
    for (index, toleration) in items(spec, "tolerations").iter().enumerate() {
        let path = path.index(index);
        let member = |name: &str| text(toleration, name);
        let (key, operator, effect) = (member("key"), member("operator"), member("effect"));
        if !key.is_empty() {
            invalid(errors, &path.child("key"), key, names::qualified_name(key));
        } else if operator != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.push(FieldError::invalid(
                &path.child("operator"),
                operator,
                detail,
            ));
        }
        if some(toleration, "tolerationSeconds").is_some() && effect != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(FieldError::invalid(&path.child("effect"), effect, detail));
        }
        toleration_value(errors, operator, member("value"), &path.child("operator"));
        if !effect.is_empty() {
            taint_effect(errors, effect, &path.child("effect"));
        }
    }
}

fn toleration_value(errors: &mut Vec<FieldError>, operator: &str, value: &str, path: &Path) {
    let detail = match operator {
        "" | "Equal" => names::label_value(value).join(";"),
        "Exists" if value.is_empty() => String::new(),
        "Exists" => "value must be empty when `operator` is 'Exists'".to_owned(),
        _ => {
            errors.push(FieldError::not_supported(
                path,
                operator,
                &["Equal", "Exists"],
            ));
            return;
        }
    };
    if !detail.is_empty() {
        errors.push(FieldError::invalid(path, value, detail));
    }
}
