//! What may change of a pod once it exists (`ValidatePodUpdate`).

use burgee_wire::Object;
use burgee_wire::field::{FieldError, Path};
use serde_json::{Map, Value};

use super::MIRROR;
use crate::json::{items, objects_mut, text};

/// Adds what is wrong with the changes between two pods.
pub(super) fn validate(errors: &mut Vec<FieldError>, new: &Object, old: &Object) {
    mirror_annotation(errors, new, old);
    let (Some(new), Some(old)) = (new.content.get("spec"), old.content.get("spec")) else {
        return;
    };
    let path = Path::new("spec");
    for list in ["containers", "initContainers"] {
        if items(new, list).len() != items(old, list).len() {
            let detail = "pod updates may not add or remove containers";
            errors.push(FieldError::forbidden(&path.child(list), detail));
            return;
        }
    }
    if !active_deadline(errors, new, old, &path.child("activeDeadlineSeconds")) {
        return;
    }
    only_added_tolerations(errors, new, old, &path.child("tolerations"));
    only_removed_gates(errors, new, old, &path.child("schedulingGates"));
    everything_else(errors, new, old, &path);
}

/// Adds an error for each way in which the mark of a mirror pod changed.
pub(super) fn mirror_annotation(errors: &mut Vec<FieldError>, new: &Object, old: &Object) {
    let mark = |object: &Object| object.metadata.annotations.get(MIRROR).cloned();
    let detail = match (mark(old), mark(new)) {
        (old, new) if old == new => return,
        (Some(_), _) => "may not remove or update mirror pod annotation",
        (None, _) => "may not add mirror pod annotation",
    };
    let path = Path::new("metadata.annotations").key(MIRROR);
    errors.push(FieldError::forbidden(&path, detail));
}

/// The deadline may be set, and may come closer. Whether the rest is worth looking at.
fn active_deadline(errors: &mut Vec<FieldError>, new: &Value, old: &Value, path: &Path) -> bool {
    let seconds = |spec: &Value| spec.get("activeDeadlineSeconds").and_then(Value::as_i64);
    match (seconds(old), seconds(new)) {
        (_, Some(new)) if !(0..=i64::from(i32::MAX)).contains(&new) => {
            let detail = "must be between 0 and 2147483647, inclusive";
            errors.push(FieldError::invalid(path, new, detail));
            false
        }
        (Some(old), Some(new)) if old < new => {
            let detail = "must be less than or equal to previous value";
            errors.push(FieldError::invalid(path, new, detail));
            false
        }
        (Some(_), None) => {
            let detail = "must not update from a positive integer to nil value";
            errors.push(FieldError::invalid(path, Value::Null, detail));
            true
        }
        _ => true,
    }
}

fn only_added_tolerations(errors: &mut Vec<FieldError>, new: &Value, old: &Value, path: &Path) {
    let without_seconds = |toleration: &Value| {
        let mut members = toleration.as_object().cloned().unwrap_or_default();
        members.remove("tolerationSeconds");
        members
    };
    let kept: Vec<_> = items(new, "tolerations")
        .iter()
        .map(without_seconds)
        .collect();
    if !items(old, "tolerations")
        .iter()
        .all(|old| kept.contains(&without_seconds(old)))
    {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(FieldError::forbidden(path, detail));
    }
}

fn only_removed_gates(errors: &mut Vec<FieldError>, new: &Value, old: &Value, path: &Path) {
    for (index, gate) in items(new, "schedulingGates").iter().enumerate() {
        let name = text(gate, "name");
        if !items(old, "schedulingGates")
            .iter()
            .any(|old| text(old, "name") == name)
        {
            let detail =
                format!("only deletion is allowed, but found new scheduling gate '{name}'");
            errors.push(FieldError::forbidden(
                &path.index(index).child("name"),
                detail,
            ));
        }
    }
}

/// Everything but the members checked above and images must stay.
fn everything_else(errors: &mut Vec<FieldError>, new: &Value, old: &Value, path: &Path) {
    let mut new = changeable_removed(new);
    let old_seconds = old.get("terminationGracePeriodSeconds");
    if old_seconds
        .and_then(Value::as_i64)
        .is_some_and(|seconds| seconds < 0)
        && new.get("terminationGracePeriodSeconds") == Some(&Value::from(1))
    {
        new.extend(old_seconds.map(|old| ("terminationGracePeriodSeconds".into(), old.clone())));
    }
    let old_gated = !items(old, "schedulingGates").is_empty();
    let mut old = changeable_removed(old);
    if old_gated {
        // Of a pod that is not yet free to be scheduled, what steers the scheduler may be narrowed.
        // Nothing schedules here, so that any change of it is one.
        for member in ["nodeSelector", "affinity"] {
            new.remove(member);
            old.remove(member);
        }
    }
    let members: std::collections::BTreeSet<_> = new.keys().chain(old.keys()).collect();
    let changed: Vec<_> = members
        .into_iter()
        .filter(|member| new.get(*member) != old.get(*member))
        .map(|member| format!("`spec.{member}`"))
        .collect();
    if !changed.is_empty() {
        // Upstream ends the text with a listing of Go values; the members' names say as much.
        errors.push(FieldError::forbidden(
            path,
            format!(
                "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\nchanged: {}\n",
                changed.join(",")
            ),
        ));
    }
}

fn changeable_removed(spec: &Value) -> Map<String, Value> {
    let mut spec = spec.as_object().cloned().unwrap_or_default();
    for member in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        spec.remove(member);
    }
    for list in ["containers", "initContainers"] {
        for container in objects_mut(&mut spec, list) {
            container.remove("image");
        }
    }
    spec
}
