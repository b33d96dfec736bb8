//! Namespace (`pkg/registry/core/namespace`, `ValidateNamespace`).

use burgee_wire::Object;
use burgee_wire::field::{FieldError, Path};
use burgee_wire::names;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Rules;
use crate::json::{self, items};
use crate::metadata::finalizer;
use crate::table::{self, AGE, Column, NAME};

/// The finalizer that stays until the namespace's content is gone.
const FINALIZER: &str = "kubernetes";

/// The rules of Namespaces.
pub(crate) struct NamespaceRules;

impl Rules for NamespaceRules {
    fn name_problems(&self, name: &str) -> Vec<String> {
        names::dns1123_label(name)
    }

    fn default(&self, object: &mut Object) {
        label_with_name(object);
        if let Some(status) = json::object_mut(&mut object.content, "status") {
            json::set_default(status, "phase", "Active");
        }
    }

    fn prepare_create(&self, object: &mut Object) {
        // A generated name was not known when defaults were filled in.
        label_with_name(object);
        object
            .content
            .insert("status".into(), json!({"phase": "Active"}));
        if let Some(spec) = json::object_mut(&mut object.content, "spec") {
            json::set_default(spec, "finalizers", Vec::<Value>::new());
            if let Some(Value::Array(finalizers)) = spec.get_mut("finalizers")
                && !finalizers.iter().any(|each| each == FINALIZER)
            {
                finalizers.push(FINALIZER.into());
            }
        }
    }

    fn validate_create(&self, object: &Object) -> Vec<FieldError> {
        let path = Path::new("spec.finalizers");
        let mut errors = Vec::new();
        for each in finalizers(object) {
            finalizer(&mut errors, each.as_str().unwrap_or_default(), &path);
        }
        errors
    }

    fn prepare_update(&self, new: &mut Object, old: &Object) {
        let kept = finalizers(old).to_vec();
        if let Some(spec) = json::object_mut(&mut new.content, "spec") {
            if kept.is_empty() {
                spec.remove("finalizers");
            } else {
                spec.insert("finalizers".into(), kept.into());
            }
        }
        json::keep(&mut new.content, &old.content, "status");
    }

    fn prepare_status_update(&self, subresource: &str, new: &mut Object, old: &Object) {
        let kept = if subresource == "finalize" {
            "status"
        } else {
            "spec"
        };
        json::keep(&mut new.content, &old.content, kept);
    }

    fn validate_status_update(
        &self,
        subresource: &str,
        new: &Object,
        _old: &Object,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if subresource == "finalize" {
            let path = Path::new("spec.finalizers");
            for (index, each) in finalizers(new).iter().enumerate() {
                finalizer(
                    &mut errors,
                    each.as_str().unwrap_or_default(),
                    &path.index(index),
                );
            }
            return errors;
        }
        let phase = new.text(&["status", "phase"]);
        let (expected, detail) = match new.metadata.deletion_timestamp {
            None => (
                "Active",
                "may only be 'Active' if `deletionTimestamp` is empty",
            ),
            Some(_) => (
                "Terminating",
                "may only be 'Terminating' if `deletionTimestamp` is not empty",
            ),
        };
        if phase != expected {
            errors.push(FieldError::invalid(
                &Path::new("status.phase"),
                phase,
                detail,
            ));
        }
        errors
    }

    fn selectable_fields(&self) -> &'static [&'static str] {
        &["name", "status.phase"]
    }

    fn field_value<'a>(&self, object: &'a Object, field: &str) -> &'a str {
        match field {
            "name" => &object.metadata.name,
            _ => crate::rules::field_at(object, field),
        }
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                NAME,
                Column::new("Status", "Whether it is in use or on its way out."),
                AGE,
            ]
        }
    }

    fn cells(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            table::name(object),
            object.text(&["status", "phase"]).into(),
            table::age(object, now).into(),
        ]
    }
}

fn finalizers(object: &Object) -> &[Value] {
    object
        .content
        .get("spec")
        .map_or(&[], |spec| items(spec, "finalizers"))
}

fn label_with_name(object: &mut Object) {
    let meta = &mut object.metadata;
    if !meta.name.is_empty() {
        meta.labels
            .insert("kubernetes.io/metadata.name".into(), meta.name.clone());
    }
}
