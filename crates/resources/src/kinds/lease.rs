//! Lease (`pkg/registry/coordination/lease`, `ValidateLease`).

use burgee_wire::Object;
use burgee_wire::field::{FieldError, Path};
use burgee_wire::names;
use jiff::Timestamp;
use serde_json::Value;

use crate::Rules;
use crate::metadata::invalid;
use crate::table::{self, AGE, Column, NAME};

/// The rules of Leases.
pub(crate) struct LeaseRules;

impl Rules for LeaseRules {
    fn validate_create(&self, object: &Object) -> Vec<FieldError> {
        let path = Path::new("spec");
        let number = |member: &str| object.at(&["spec", member]).and_then(Value::as_i64);
        let mut errors = Vec::new();
        if let Some(seconds) = number("leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
            let path = path.child("leaseDurationSeconds");
            errors.push(FieldError::invalid(
                &path,
                seconds,
                "must be greater than 0",
            ));
        }
        if let Some(count) = number("leaseTransitions").filter(|count| *count < 0) {
            let path = path.child("leaseTransitions");
            errors.push(FieldError::invalid(
                &path,
                count,
                "must be greater than or equal to 0",
            ));
        }
        if let Some(name) = object.at(&["spec", "strategy"]).and_then(Value::as_str) {
            // The member's name stands twice in upstream's path.
            strategy(&mut errors, name, &path.child("strategy").child("strategy"));
        }
        if !object.text(&["spec", "preferredHolder"]).is_empty()
            && object.text(&["spec", "strategy"]).is_empty()
        {
            let detail = "may only be specified if `strategy` is defined";
            errors.push(FieldError::forbidden(
                &path.child("preferredHolder"),
                detail,
            ));
        }
        errors
    }

    fn allow_create_on_update(&self) -> bool {
        true
    }

    fn allow_unconditional_update(&self) -> bool {
        false
    }

    fn columns(&self) -> &'static [Column] {
        const { &[NAME, Column::new("Holder", "Who holds it."), AGE] }
    }

    fn cells(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            table::name(object),
            object.text(&["spec", "holderIdentity"]).into(),
            table::age(object, now).into(),
        ]
    }
}

/// A strategy of coordinated leader election: one of Kubernetes' own, or somebody's qualified name.
fn strategy(errors: &mut Vec<FieldError>, name: &str, path: &Path) {
    const OWN: &str = "OldestEmulationVersion";
    if name.contains('/') {
        invalid(errors, path, name, names::qualified_name(name));
    } else if name != OWN {
        errors.push(FieldError::not_supported(path, name, &[OWN]));
    }
}
