//! A pod's row in a table (`pkg/printers/internalversion`, `printPod`).

use burgee_wire::{Object, Time};
use jiff::Timestamp;
use serde_json::Value;

use crate::json::{items, some, text};
use crate::table;

/// The cells of a pod.
pub(super) fn cells(object: &Object, now: Timestamp) -> Vec<Value> {
    let null = Value::Null;
    let part = |name: &str| object.content.get(name).unwrap_or(&null);
    let (spec, status) = (part("spec"), part("status"));
    let summary = Summary::of(object, spec, status);
    let or_none = |text: &str| Value::from(if text.is_empty() { "<none>" } else { text });
    let ip = items(status, "podIPs")
        .first()
        .map_or("", |first| text(first, "ip"));
    vec![
        table::name(object),
        format!("{}/{}", summary.ready, summary.total).into(),
        summary.reason.clone().into(),
        summary.restarts(now).into(),
        table::age(object, now).into(),
        or_none(ip),
        or_none(text(spec, "nodeName")),
        or_none(text(status, "nominatedNodeName")),
        readiness_gates(spec, status).into(),
    ]
}

/// What the states of the containers come to.
#[derive(Default)]
struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: i64,
    last_restart: Option<Time>,
}

impl Summary {
    fn of(object: &Object, spec: &Value, status: &Value) -> Self {
        let sidecars: Vec<_> = items(spec, "initContainers")
            .iter()
            .filter(|each| text(each, "restartPolicy") == "Always")
            .map(|each| text(each, "name"))
            .collect();
        let mut summary = Self {
            total: items(spec, "containers").len() + sidecars.len(),
            reason: initial_reason(status),
            ..Self::default()
        };
        let initialised = summary.init_containers(spec, status, &sidecars);
        if initialised || has_condition(status, "Initialized") {
            // Restarts on the way there do not count any more, those of sidecars do.
            (summary.restarts, summary.last_restart) = (0, None);
            let statuses = items(status, "initContainerStatuses").iter();
            statuses
                .filter(|each| sidecars.contains(&text(each, "name")))
                .for_each(|each| summary.count_restarts(each));
            summary.containers(status);
        }
        summary.deletion(object, status);
        summary
    }

    /// Looks at the init containers up to the first that is not done. Whether all are.
    fn init_containers(&mut self, spec: &Value, status: &Value, sidecars: &[&str]) -> bool {
        for (index, container) in items(status, "initContainerStatuses").iter().enumerate() {
            self.count_restarts(container);
            let (terminated, waiting) =
                (state(container, "terminated"), state(container, "waiting"));
            let is_sidecar = sidecars.contains(&text(container, "name"));
            if let Some(end) = terminated
                && number(end, "exitCode") == 0
            {
                continue;
            }
            if is_sidecar && is_true(container, "started") {
                self.ready += usize::from(is_true(container, "ready"));
                continue;
            }
            let waits_for = waiting.map_or("", |waiting| text(waiting, "reason"));
            self.reason = match terminated {
                Some(end) => format!("Init:{}", end_reason(end)),
                None if !matches!(waits_for, "" | "PodInitializing") => format!("Init:{waits_for}"),
                None => format!("Init:{index}/{}", items(spec, "initContainers").len()),
            };
            return false;
        }
        true
    }

    fn containers(&mut self, status: &Value) {
        let mut running = false;
        for container in items(status, "containerStatuses").iter().rev() {
            self.count_restarts(container);
            let waits_for = state(container, "waiting").map_or("", |state| text(state, "reason"));
            if !waits_for.is_empty() {
                self.reason = waits_for.to_owned();
            } else if let Some(end) = state(container, "terminated") {
                self.reason = end_reason(end);
            } else if is_true(container, "ready") && state(container, "running").is_some() {
                running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && running {
            let ready = has_condition(status, "Ready");
            self.reason = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }

    fn deletion(&mut self, object: &Object, status: &Value) {
        if object.metadata.deletion_timestamp.is_none() {
            return;
        }
        if text(status, "reason") == "NodeLost" {
            self.reason = "Unknown".to_owned();
        } else if !matches!(text(status, "phase"), "Failed" | "Succeeded") {
            self.reason = "Terminating".to_owned();
        }
    }

    fn count_restarts(&mut self, container: &Value) {
        self.restarts += number(container, "restartCount");
        self.last_restart = self.last_restart.max(last_end(container));
    }

    fn restarts(&self, now: Timestamp) -> String {
        match self.last_restart {
            Some(last) if self.restarts != 0 => {
                format!("{} ({} ago)", self.restarts, table::since(Some(last), now))
            }
            _ => self.restarts.to_string(),
        }
    }
}

fn initial_reason(status: &Value) -> String {
    let gated = items(status, "conditions").iter().any(|condition| {
        text(condition, "type") == "PodScheduled" && text(condition, "reason") == "SchedulingGated"
    });
    match text(status, "reason") {
        _ if gated => "SchedulingGated",
        "" => text(status, "phase"),
        reason => reason,
    }
    .to_owned()
}

fn end_reason(end: &Value) -> String {
    match (text(end, "reason"), number(end, "signal")) {
        ("", 0) => format!("ExitCode:{}", number(end, "exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn last_end(container: &Value) -> Option<Time> {
    let end = container
        .get("lastState")
        .and_then(|state| some(state, "terminated"))?;
    text(end, "finishedAt").parse().ok()
}

fn state<'a>(container: &'a Value, name: &str) -> Option<&'a Value> {
    container.get("state").and_then(|state| some(state, name))
}

fn number(value: &Value, member: &str) -> i64 {
    value
        .get(member)
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

fn is_true(value: &Value, member: &str) -> bool {
    value.get(member) == Some(&Value::Bool(true))
}

fn has_condition(status: &Value, kind: &str) -> bool {
    let mut conditions = items(status, "conditions").iter();
    conditions.any(|each| text(each, "type") == kind && text(each, "status") == "True")
}

fn readiness_gates(spec: &Value, status: &Value) -> String {
    let gates = items(spec, "readinessGates");
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let open = gates.iter().filter(|gate| {
        let kind = text(gate, "conditionType");
        let first = items(status, "conditions")
            .iter()
            .find(|each| text(each, "type") == kind);
        first.is_some_and(|condition| text(condition, "status") == "True")
    });
    format!("{}/{}", open.count(), gates.len())
}
