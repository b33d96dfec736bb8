//! What a namespace's status says about its end. Types, reasons and messages are upstream's, because
//! people search for them and programs match them.

use std::collections::BTreeMap;

use burgee_wire::{Object, Time};
use serde_json::{Value, json};

use super::Remains;

/// One condition as it should be, without its time.
struct Condition {
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
}

/// Brings the conditions up to date. Returns whether that changed anything.
///
/// A namespace that was emptied at the first attempt gets none: it is gone before anybody reads them.
pub(super) fn update(namespace: &mut Object, remains: &Remains, now: Time) -> bool {
    let status = namespace
        .content
        .entry("status")
        .or_insert_with(|| json!({}));
    let Some(status) = status.as_object_mut() else {
        return false;
    };
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    let Some(conditions) = conditions.as_array_mut() else {
        return false;
    };
    let is_empty = remains.objects.is_empty() && remains.failures.is_empty();
    if is_empty && conditions.is_empty() {
        return false;
    }
    let mut changed = false;
    for condition in wanted(remains) {
        changed |= condition.put_into(conditions, now);
    }
    changed
}

fn wanted(remains: &Remains) -> [Condition; 3] {
    let failures: Vec<_> = remains.failures.iter().map(ToString::to_string).collect();
    [
        Condition::new(
            "NamespaceDeletionContentFailure",
            (!failures.is_empty()).then(|| {
                let count: usize = remains.objects.values().sum();
                let failures = failures.join(", ");
                let message =
                    format!("Failed to delete all resource types, {count} remaining: {failures}");
                ("ContentDeletionFailed", message)
            }),
            (
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
        ),
        Condition::new(
            "NamespaceContentRemaining",
            (!remains.objects.is_empty()).then(|| {
                let list = listed(&remains.objects, "has");
                (
                    "SomeResourcesRemain",
                    format!("Some resources are remaining: {list}"),
                )
            }),
            ("ContentRemoved", "All content successfully removed"),
        ),
        Condition::new(
            "NamespaceFinalizersRemaining",
            (!remains.finalizers.is_empty()).then(|| {
                let list = listed(&remains.finalizers, "in");
                let message =
                    format!("Some content in the namespace has finalizers remaining: {list}");
                ("SomeFinalizersRemain", message)
            }),
            (
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished",
            ),
        ),
    ]
}

fn listed(counts: &BTreeMap<String, usize>, verb: &str) -> String {
    let parts: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{name} {verb} {count} resource instances"))
        .collect();
    parts.join(", ")
}

impl Condition {
    fn new(
        kind: &'static str,
        problem: Option<(&'static str, String)>,
        fine: (&'static str, &str),
    ) -> Self {
        let (status, (reason, message)) = match problem {
            Some(problem) => ("True", problem),
            None => ("False", (fine.0, fine.1.to_owned())),
        };
        Self {
            kind,
            status,
            reason,
            message,
        }
    }

    /// Replaces the condition of this type. Its time moves only when its status does.
    fn put_into(self, conditions: &mut Vec<Value>, now: Time) -> bool {
        let own = conditions
            .iter_mut()
            .find(|own| own.get("type") == Some(&self.kind.into()));
        let since = match &own {
            Some(own) if own.get("status") == Some(&self.status.into()) => {
                own.get("lastTransitionTime").cloned()
            }
            _ => None,
        };
        let new = json!({
            "type": self.kind,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": since.unwrap_or_else(|| json!(now)),
        });
        match own {
            Some(own) if *own == new => return false,
            Some(own) => *own = new,
            None => conditions.push(new),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn at(second: u8) -> Time {
        format!("2026-01-01T00:00:{second:02}Z").parse().unwrap()
    }

    fn remains(objects: &[(&str, usize)], finalizers: &[(&str, usize)]) -> Remains {
        let counts = |list: &[(&str, usize)]| -> BTreeMap<_, _> {
            list.iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect()
        };
        Remains {
            objects: counts(objects),
            finalizers: counts(finalizers),
            failures: Vec::new(),
        }
    }

    fn shown(namespace: &Object) -> Vec<String> {
        let conditions = namespace
            .at(&["status", "conditions"])
            .and_then(Value::as_array)
            .unwrap();
        let text = |each: &Value, name: &str| each[name].as_str().unwrap().to_owned();
        let line = |each| {
            let names = ["type", "status", "reason", "lastTransitionTime", "message"];
            names.map(|name| text(each, name)).join(" ")
        };
        conditions.iter().map(line).collect()
    }

    #[test]
    fn what_keeps_a_namespace_is_told_in_upstreams_words() {
        let mut namespace = Object::default();
        let held = remains(
            &[("pods.", 2), ("roles.rbac.authorization.k8s.io", 1)],
            &[("a/b", 3)],
        );
        assert!(update(&mut namespace, &held, at(1)));
        assert_eq!(
            shown(&namespace),
            [
                "NamespaceDeletionContentFailure False ContentDeleted 2026-01-01T00:00:01Z All content successfully deleted, may be waiting on finalization",
                "NamespaceContentRemaining True SomeResourcesRemain 2026-01-01T00:00:01Z Some resources are remaining: pods. has 2 resource instances, roles.rbac.authorization.k8s.io has 1 resource instances",
                "NamespaceFinalizersRemaining True SomeFinalizersRemain 2026-01-01T00:00:01Z Some content in the namespace has finalizers remaining: a/b in 3 resource instances",
            ]
        );
    }

    #[test]
    fn a_time_moves_with_its_status_only_and_nothing_new_is_no_change() {
        let mut namespace = Object::default();
        assert!(update(
            &mut namespace,
            &remains(&[("pods.", 2)], &[("a/b", 2)]),
            at(1)
        ));
        assert!(!update(
            &mut namespace,
            &remains(&[("pods.", 2)], &[("a/b", 2)]),
            at(2)
        ));
        assert!(update(
            &mut namespace,
            &remains(&[("pods.", 1)], &[("a/b", 1)]),
            at(3)
        ));
        assert!(
            shown(&namespace)[1].contains("00:00:01Z Some resources are remaining: pods. has 1")
        );
        assert!(update(&mut namespace, &remains(&[], &[]), at(4)));
        assert!(shown(&namespace)[1].contains("False ContentRemoved 2026-01-01T00:00:04Z"));
        assert!(shown(&namespace)[0].contains("00:00:01Z"));
    }

    #[test]
    fn a_failure_is_told_and_an_empty_namespace_needs_no_words() {
        let mut namespace = Object::default();
        assert!(!update(&mut namespace, &remains(&[], &[]), at(1)));
        let failed = Remains {
            failures: vec![Error::ShortWatch],
            ..Remains::default()
        };
        assert!(update(&mut namespace, &failed, at(1)));
        assert!(shown(&namespace)[0].ends_with(
            "Failed to delete all resource types, 0 remaining: the watch ended as soon as it began"
        ));
    }
}
