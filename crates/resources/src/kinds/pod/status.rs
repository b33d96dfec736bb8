//! What a kubelet may report of a pod (`ValidatePodStatusUpdate`).

use std::net::IpAddr;

use burgee_wire::Object;
use burgee_wire::field::{FieldError, Path};
use burgee_wire::names;
use serde_json::{Map, Value};

use super::update::mirror_annotation;
use crate::json::{self, items, object_mut, set_default, some, text};
use crate::metadata::invalid;

/// Keeps of `old` what a status cannot change, and what old kubelets forget to repeat.
pub(super) fn prepare(new: &mut Object, old: &Object) {
    json::keep(&mut new.content, &old.content, "spec");
    new.metadata.deletion_timestamp = old.metadata.deletion_timestamp;
    new.metadata
        .owner_references
        .clone_from(&old.metadata.owner_references);
    let Some(status) = object_mut(&mut new.content, "status") else {
        return;
    };
    for member in ["qosClass", "observedGeneration"] {
        if let Some(value) = old.at(&["status", member]) {
            set_default(status, member, value.clone());
        }
    }
    let Some(old) = old.content.get("status") else {
        return;
    };
    let mut earlier: Vec<_> = items(old, "conditions").iter().collect();
    for condition in json::objects_mut(status, "conditions") {
        keep_generation(condition, &mut earlier);
    }
}

/// Conditions of one type are matched in their order.
fn keep_generation(condition: &mut Map<String, Value>, earlier: &mut Vec<&Value>) {
    let found = earlier
        .iter()
        .position(|old| old.get("type") == condition.get("type"));
    let old = found.map(|index| earlier.remove(index));
    if let Some(generation) = old.and_then(|old| some(old, "observedGeneration")) {
        set_default(condition, "observedGeneration", generation.clone());
    }
}

/// What is wrong with a new status.
pub(super) fn validate(new: &Object, old: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    mirror_annotation(&mut errors, new, old);
    let null = Value::Null;
    let status = |object| Object::at(object, &["status"]).unwrap_or(&null);
    let (new_status, old_status) = (status(new), status(old));
    conditions(&mut errors, new_status);
    let path = Path::new("status");
    let node = text(new_status, "nominatedNodeName");
    if !node.is_empty() && node != text(old_status, "nominatedNodeName") {
        let problems = names::dns1123_subdomain(node);
        invalid(
            &mut errors,
            &path.child("nominatedNodeName"),
            node,
            problems,
        );
    }
    let class = text(new_status, "qosClass");
    if class != text(old_status, "qosClass") {
        errors.push(FieldError::invalid(
            &path.child("qosClass"),
            class,
            "field is immutable",
        ));
    }
    let restarts = old.text(&["spec", "restartPolicy"]);
    let restartable = restartable_init_containers(old);
    stays_terminated(
        &mut errors,
        (new_status, old_status),
        "containerStatuses",
        restarts,
        &[],
    );
    let list = "initContainerStatuses";
    stays_terminated(
        &mut errors,
        (new_status, old_status),
        list,
        restarts,
        &restartable,
    );
    let list = "ephemeralContainerStatuses";
    stays_terminated(&mut errors, (new_status, old_status), list, "Never", &[]);
    for (index, address) in items(new_status, "podIPs").iter().enumerate() {
        let ip = text(address, "ip");
        if ip.parse::<IpAddr>().is_err() {
            let path = path.child("podIPs").index(index);
            let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            errors.push(FieldError::invalid(&path, ip, detail));
        }
    }
    errors
}

fn conditions(errors: &mut Vec<FieldError>, status: &Value) {
    for (index, condition) in items(status, "conditions").iter().enumerate() {
        // The path is upstream's, although conditions stand in the status.
        let path = Path::new("metadata.conditions").index(index).child("Type");
        let kind = text(condition, "type");
        invalid(errors, &path, kind, names::qualified_name(kind));
    }
}

fn restartable_init_containers(pod: &Object) -> Vec<&str> {
    let containers = pod
        .at(&["spec"])
        .map_or(&[][..], |spec| items(spec, "initContainers"));
    let restartable = containers
        .iter()
        .filter(|each| text(each, "restartPolicy") == "Always");
    restartable.map(|each| text(each, "name")).collect()
}

/// A container that ended, and is not to be restarted, has ended for good.
fn stays_terminated(
    errors: &mut Vec<FieldError>,
    (new, old): (&Value, &Value),
    list: &str,
    restart_policy: &str,
    restartable: &[&str],
) {
    if restart_policy == "Always" {
        return;
    }
    let terminated = |status: &Value| {
        status
            .get("state")
            .and_then(|state| some(state, "terminated"))
            .cloned()
    };
    for (index, old) in items(old, list).iter().enumerate() {
        let (name, Some(end)) = (text(old, "name"), terminated(old)) else {
            continue;
        };
        let failed = end
            .get("exitCode")
            .and_then(Value::as_i64)
            .is_some_and(|code| code != 0);
        if restartable.contains(&name) || (failed && restart_policy == "OnFailure") {
            continue;
        }
        for new in items(new, list) {
            if text(new, "name") == name && terminated(new).is_none() {
                let path = Path::new("status").child(list).index(index).child("state");
                let detail = "may not be transitioned to non-terminated state";
                errors.push(FieldError::forbidden(&path, detail));
            }
        }
    }
}
