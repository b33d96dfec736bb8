//! Node (`pkg/registry/core/node`, `ValidateNode`).

use std::collections::BTreeSet;
use std::net::IpAddr;

use burgee_wire::Object;
use burgee_wire::field::{FieldError, Kind, Path};
use burgee_wire::names;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Rules;
use crate::json::{self, items, text};
use crate::metadata::invalid;
use crate::quantity;
use crate::table::{self, AGE, Column, NAME};

/// The rules of Nodes.
pub(crate) struct NodeRules;

impl Rules for NodeRules {
    fn default(&self, object: &mut Object) {
        if let Some(status) = json::object_mut(&mut object.content, "status")
            && let Some(capacity) = status.get("capacity").cloned()
        {
            json::set_default(status, "allocatable", capacity);
        }
        mirror_pod_cidr(object);
    }

    fn validate_create(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        taints(&mut errors, object);
        resources(&mut errors, object);
        pod_cidrs(&mut errors, object);
        errors
    }

    fn prepare_update(&self, new: &mut Object, old: &Object) {
        json::keep(&mut new.content, &old.content, "status");
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = self.validate_create(new);
        changes(&mut errors, new, old);
        errors
    }

    fn prepare_status_update(&self, _subresource: &str, new: &mut Object, old: &Object) {
        json::keep(&mut new.content, &old.content, "spec");
    }

    fn validate_status_update(
        &self,
        _subresource: &str,
        new: &Object,
        old: &Object,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        resources(&mut errors, new);
        changes(&mut errors, new, old);
        errors
    }

    fn selectable_fields(&self) -> &'static [&'static str] {
        &["spec.unschedulable"]
    }

    fn field_value<'a>(&self, object: &'a Object, field: &str) -> &'a str {
        match crate::rules::field_at(object, field) {
            "" if field == "spec.unschedulable" => "false",
            value => value,
        }
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                NAME,
                Column::new(
                    "Status",
                    "Whether it is ready, and whether it takes new pods.",
                ),
                Column::new("Roles", "What it is for, from its labels."),
                AGE,
                Column::new("Version", "Version of its kubelet."),
                Column::wide("Internal-IP", "Its first address within the cluster."),
                Column::wide("External-IP", "Its first address outside the cluster."),
                Column::wide("OS-Image", "Its operating system."),
                Column::wide("Kernel-Version", "Its kernel."),
                Column::wide("Container-Runtime", "What runs its containers."),
            ]
        }
    }

    fn cells(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let info = |member: &str| object.text(&["status", "nodeInfo", member]);
        let known = |member: &str| or(info(member), "<unknown>");
        vec![
            table::name(object),
            condition(object).into(),
            roles(object).into(),
            table::age(object, now).into(),
            info("kubeletVersion").into(),
            address(object, "InternalIP"),
            address(object, "ExternalIP"),
            known("osImage"),
            known("kernelVersion"),
            known("containerRuntimeVersion"),
        ]
    }
}

fn or(text: &str, otherwise: &str) -> Value {
    if text.is_empty() {
        otherwise.into()
    } else {
        text.into()
    }
}

fn list<'a>(object: &'a Object, parent: &str, member: &str) -> &'a [Value] {
    object
        .content
        .get(parent)
        .map_or(&[], |parent| items(parent, member))
}

/// The old `podCIDR` is always the first of `podCIDRs`.
fn mirror_pod_cidr(object: &mut Object) {
    let Some(Value::Object(spec)) = object.content.get_mut("spec") else {
        return;
    };
    let first = spec.get("podCIDRs").and_then(|list| list.get(0)).cloned();
    match (first, spec.get("podCIDR").cloned()) {
        (Some(first), _) => drop(spec.insert("podCIDR".into(), first)),
        (None, Some(single)) => drop(spec.insert("podCIDRs".into(), json!([single]))),
        (None, None) => {}
    }
}

fn taints(errors: &mut Vec<FieldError>, object: &Object) {
    let mut seen = BTreeSet::new();
    for (index, taint) in list(object, "spec", "taints").iter().enumerate() {
        // Taints stand in the spec, but upstream's path is this.
        let path = Path::new("metadata.taints").index(index);
        let (key, value, effect) = (
            text(taint, "key"),
            text(taint, "value"),
            text(taint, "effect"),
        );
        invalid(errors, &path.child("key"), key, names::qualified_name(key));
        let problems = names::label_value(value);
        if !problems.is_empty() {
            let detail = problems.join(";");
            errors.push(FieldError::invalid(&path.child("value"), value, detail));
        }
        taint_effect(errors, effect, &path.child("effect"));
        if !seen.insert((key, effect)) {
            errors.push(FieldError {
                path,
                kind: Kind::Duplicate(taint.clone()),
                detail: "taints must be unique by key and effect pair".into(),
            });
        }
    }
}

/// Adds what is wrong with the effect of a taint, or with a filled-in effect of a toleration.
pub(super) fn taint_effect(errors: &mut Vec<FieldError>, effect: &str, path: &Path) {
    const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    if effect.is_empty() {
        errors.push(FieldError::required(path, ""));
    } else if !EFFECTS.contains(&effect) {
        errors.push(FieldError::not_supported(path, effect, &EFFECTS));
    }
}

fn resources(errors: &mut Vec<FieldError>, object: &Object) {
    let Some(status) = object.content.get("status") else {
        return;
    };
    for member in ["capacity", "allocatable"] {
        for (name, quantity) in json::entries(status, member) {
            let path = Path::new("status").child(member).child(name);
            quantity::not_negative(errors, quantity, &path);
        }
    }
}

fn pod_cidrs(errors: &mut Vec<FieldError>, object: &Object) {
    let path = Path::new("spec.podCIDRs");
    let cidrs = list(object, "spec", "podCIDRs");
    let families: Vec<_> = cidrs
        .iter()
        .map(|cidr| family(cidr.as_str().unwrap_or_default()))
        .collect();
    for (index, (cidr, family)) in cidrs.iter().zip(&families).enumerate() {
        if family.is_none() {
            let detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            errors.push(FieldError::invalid(
                &path.index(index),
                cidr.clone(),
                detail,
            ));
        }
    }
    if cidrs.len() > 1 {
        let dual = families.contains(&Some(Family::V4)) && families.contains(&Some(Family::V6));
        if !dual || cidrs.len() > 2 {
            let detail = "may specify no more than one CIDR for each IP family";
            errors.push(FieldError::invalid(&path, cidrs.to_vec(), detail));
        }
        for (index, cidr) in cidrs.iter().enumerate() {
            if cidrs.iter().take(index).any(|earlier| earlier == cidr) {
                errors.push(FieldError::duplicate(&path.index(index), cidr.clone()));
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Family {
    V4,
    V6,
}

/// The address family of a CIDR block, if it is one.
fn family(cidr: &str) -> Option<Family> {
    let (address, bits) = cidr.split_once('/')?;
    let (family, limit) = match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(_) => (Family::V4, 32),
        IpAddr::V6(_) => (Family::V6, 128),
    };
    bits.parse::<u8>()
        .is_ok_and(|bits| bits <= limit)
        .then_some(family)
}

/// What an update may not change, and what it may not repeat.
fn changes(errors: &mut Vec<FieldError>, new: &Object, old: &Object) {
    let addresses = list(new, "status", "addresses");
    for (index, address) in addresses.iter().enumerate() {
        if addresses
            .iter()
            .take(index)
            .any(|earlier| earlier == address)
        {
            let path = Path::new("status.addresses").index(index);
            errors.push(FieldError::duplicate(&path, address.clone()));
        }
    }
    let (old_cidrs, new_cidrs) = (list(old, "spec", "podCIDRs"), list(new, "spec", "podCIDRs"));
    if !old_cidrs.is_empty() && old_cidrs != new_cidrs {
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        errors.push(FieldError::forbidden(&Path::new("spec.podCIDRs"), detail));
    }
    let provider = |object: &Object| object.text(&["spec", "providerID"]).to_owned();
    if !provider(old).is_empty() && provider(old) != provider(new) {
        let detail = "node updates may not change providerID except from \"\" to valid";
        errors.push(FieldError::forbidden(&Path::new("spec.providerID"), detail));
    }
    if new.text(&["spec", "externalID"]) != old.text(&["spec", "externalID"]) {
        errors.push(FieldError::forbidden(
            &Path::new("spec.externalID"),
            "may not be updated",
        ));
    }
}

fn condition(object: &Object) -> String {
    let conditions = list(object, "status", "conditions");
    let ready = conditions
        .iter()
        .rfind(|each| text(each, "type") == "Ready");
    let mut status = match ready.map(|ready| text(ready, "status")) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if object.at(&["spec", "unschedulable"]) == Some(&Value::Bool(true)) {
        status.push_str(",SchedulingDisabled");
    }
    status
}

fn roles(object: &Object) -> String {
    let labels = object.metadata.labels.iter();
    let role = labels.filter_map(|(key, value)| match key.as_str() {
        "kubernetes.io/role" => Some(value.as_str()),
        _ => key.strip_prefix("node-role.kubernetes.io/"),
    });
    let roles: BTreeSet<_> = role.filter(|role| !role.is_empty()).collect();
    if roles.is_empty() {
        return "<none>".to_owned();
    }
    Vec::from_iter(roles).join(",")
}

fn address(object: &Object, kind: &str) -> Value {
    let addresses = list(object, "status", "addresses");
    let found = addresses.iter().find(|each| text(each, "type") == kind);
    found
        .map_or("<none>", |found| text(found, "address"))
        .into()
}
