//! Event of the core group (`pkg/registry/core/event`, `legacyValidateEvent`).

use burgee_wire::field::{FieldError, Path};
use burgee_wire::{MicroTime, Object, Time, names};
use jiff::Timestamp;
use serde_json::Value;

use crate::Rules;
use crate::metadata::invalid;
use crate::rules::field_at;
use crate::table::{self, Column, NAME};

/// The rules of Events.
pub(crate) struct EventRules;

impl Rules for EventRules {
    /// Events' names only have to fit into a URL path.
    fn name_problems(&self, name: &str) -> Vec<String> {
        names::path_segment(name)
    }

    fn generate_name_problems(&self, prefix: &str) -> Vec<String> {
        // With something appended it is neither `.` nor `..`.
        names::path_segment(&format!("{prefix}x"))
    }

    fn validate_create(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let namespace = object.metadata.namespace.as_str();
        let involved = object.text(&["involvedObject", "namespace"]);
        let is_new = object
            .at(&["eventTime"])
            .is_some_and(|time| !time.is_null());
        let agrees = match (is_new, involved) {
            (false, "") => matches!(namespace, "" | "default"),
            (false, involved) => involved == namespace,
            (true, "") => matches!(namespace, "default" | "kube-system"),
            (true, _) => true,
        };
        if !agrees {
            let path = Path::new("involvedObject.namespace");
            errors.push(FieldError::invalid(
                &path,
                involved,
                "does not match event.namespace",
            ));
        }
        if is_new {
            new_event(&mut errors, object);
        }
        errors
    }

    fn allow_create_on_update(&self) -> bool {
        true
    }

    fn selectable_fields(&self) -> &'static [&'static str] {
        &[
            "involvedObject.apiVersion",
            "involvedObject.fieldPath",
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.resourceVersion",
            "involvedObject.uid",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ]
    }

    fn field_value<'a>(&self, object: &'a Object, field: &str) -> &'a str {
        match field {
            "source" => source_component(object),
            _ => field_at(object, field),
        }
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::new("Last Seen", "How long ago it was last seen."),
                Column::new("Type", "Whether it is normal or a warning."),
                Column::new("Reason", "Why, in one word for programs."),
                Column::new("Object", "What it happened to."),
                Column::wide("Subobject", "Which part of the object it happened to."),
                Column::wide("Source", "Who says so."),
                Column::new("Message", "What happened, for people."),
                Column::wide("First Seen", "How long ago it was first seen."),
                Column::wide("Count", "How often it happened."),
                Column {
                    priority: 1,
                    ..NAME
                },
            ]
        }
    }

    fn cells(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let time = |path: &[&str]| object.text(path).parse::<Time>().ok();
        let micro_time = |path: &[&str]| {
            let time = object.text(path).parse::<MicroTime>().ok();
            time.map(|time| Time::from(time.timestamp()))
        };
        let first = time(&["firstTimestamp"]).or_else(|| micro_time(&["eventTime"]));
        let in_series = object
            .at(&["series"])
            .is_some_and(|series| !series.is_null());
        let last = match in_series {
            true => micro_time(&["series", "lastObservedTime"]),
            false => time(&["lastTimestamp"]).or(first),
        };
        let number = |path: &[&str]| object.at(path).and_then(Value::as_i64).unwrap_or_default();
        let count = match in_series {
            true => number(&["series", "count"]),
            false => number(&["count"]).max(1),
        };
        let mut target = object.text(&["involvedObject", "kind"]).to_lowercase();
        let name = object.text(&["involvedObject", "name"]);
        if !name.is_empty() {
            target = format!("{target}/{name}");
        }
        vec![
            table::since(last, now).into(),
            object.text(&["type"]).into(),
            object.text(&["reason"]).into(),
            target.into(),
            object.text(&["involvedObject", "fieldPath"]).into(),
            source(object).into(),
            object.text(&["message"]).trim().into(),
            table::since(first, now).into(),
            count.into(),
            table::name(object),
        ]
    }
}

/// What is demanded of events that have an `eventTime`, as those of `events.k8s.io` do.
fn new_event(errors: &mut Vec<FieldError>, object: &Object) {
    let controller = object.text(&["reportingComponent"]);
    // The member's name in upstream's internal type.
    let path = Path::new("reportingController");
    if controller.is_empty() {
        errors.push(FieldError::required(&path, ""));
    }
    invalid(errors, &path, controller, names::qualified_name(controller));
    let limits = [
        ("reportingInstance", 128),
        ("action", 128),
        ("reason", 128),
        ("message", 1024),
    ];
    for (member, limit) in limits {
        let (path, text) = (Path::new(member), object.text(&[member]));
        if text.is_empty() && member != "message" {
            errors.push(FieldError::required(&path, ""));
        }
        if text.len() > limit {
            let detail = format!("can have at most {limit} characters");
            errors.push(FieldError::invalid(&path, "", detail));
        }
    }
}

fn source_component(object: &Object) -> &str {
    first_filled(object, &["source", "component"], "reportingComponent")
}

fn source(object: &Object) -> String {
    let component = source_component(object);
    match first_filled(object, &["source", "host"], "reportingInstance") {
        "" => component.to_owned(),
        instance => format!("{component}, {instance}"),
    }
}

fn first_filled<'a>(object: &'a Object, path: &[&str], member: &str) -> &'a str {
    match object.text(path) {
        "" => object.text(&[member]),
        text => text,
    }
}
