//! Pod, kept as a record of who runs where (`pkg/registry/core/pod`).
//!
//! Nothing here runs pods. They are there because tokens are bound to them and the Node authorizer
//! walks from nodes over pods to Secrets. Of upstream's validation the parts stand here that concern
//! those walks, names and the shape of the list of containers; what only a kubelet would trip over
//! (affinity, security contexts, exotic volumes) is stored as it comes.

use burgee_wire::Object;
use burgee_wire::field::FieldError;
use burgee_wire::names;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Rules;
use crate::json;
use crate::table::{AGE, Column, NAME};

mod container;
mod defaults;
mod qos;
mod row;
mod spec;
mod status;
mod update;
mod volume;

/// The annotation of a pod that stands for one a kubelet runs from a file.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// The rules of Pods.
pub(crate) struct PodRules;

impl Rules for PodRules {
    fn default(&self, object: &mut Object) {
        defaults::fill_in(object);
    }

    fn prepare_create(&self, object: &mut Object) {
        defaults::admit(object);
        object.metadata.generation = 1;
        let status = json!({"phase": "Pending", "qosClass": qos::class(object)});
        object.content.insert("status".into(), status);
    }

    fn validate_create(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = spec::validate(object);
        spec::only_on_create(&mut errors, object);
        errors
    }

    fn prepare_update(&self, new: &mut Object, old: &Object) {
        json::keep(&mut new.content, &old.content, "status");
        if new.content.get("spec") != old.content.get("spec") {
            new.metadata.generation = old.metadata.generation + 1;
        }
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = spec::validate(new);
        update::validate(&mut errors, new, old);
        errors
    }

    fn prepare_status_update(&self, _subresource: &str, new: &mut Object, old: &Object) {
        status::prepare(new, old);
    }

    fn validate_status_update(
        &self,
        _subresource: &str,
        new: &Object,
        old: &Object,
    ) -> Vec<FieldError> {
        status::validate(new, old)
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let problems = names::dns1123_label(&new.metadata.name);
        if old.is_some() || problems.is_empty() {
            return Vec::new();
        }
        vec![format!(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [{}]",
            problems.join(" ")
        )]
    }

    fn selectable_fields(&self) -> &'static [&'static str] {
        &[
            "spec.hostNetwork",
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.nominatedNodeName",
            "status.phase",
            "status.podIP",
        ]
    }

    fn field_value<'a>(&self, object: &'a Object, field: &str) -> &'a str {
        match crate::rules::field_at(object, field) {
            "" if field == "spec.hostNetwork" => "false",
            value => value,
        }
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                NAME,
                Column::new("Ready", "How many of its containers are ready."),
                Column::new("Status", "Where it stands, or what keeps it from running."),
                Column::new(
                    "Restarts",
                    "How often its containers restarted, and when last.",
                ),
                AGE,
                Column::wide("IP", "Its first address."),
                Column::wide("Node", "Where it runs."),
                Column::wide("Nominated Node", "Where room is being made for it."),
                Column::wide(
                    "Readiness Gates",
                    "How many of its further conditions hold.",
                ),
            ]
        }
    }

    fn cells(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        row::cells(object, now)
    }

    fn returns_deleted(&self) -> bool {
        true
    }

    fn grace_period(&self, object: &Object, requested: Option<i64>) -> i64 {
        let over = matches!(object.text(&["status", "phase"]), "Failed" | "Succeeded");
        if object.text(&["spec", "nodeName"]).is_empty() || over {
            return 0;
        }
        let own = || {
            object
                .at(&["spec", "terminationGracePeriodSeconds"])
                .and_then(Value::as_i64)
        };
        match requested.or_else(own).unwrap_or_default() {
            ..0 => 1,
            seconds => seconds,
        }
    }
}
