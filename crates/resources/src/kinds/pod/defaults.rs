//! What a pod gets that its author left out (`pkg/apis/core/v1/defaults.go`), and what upstream's
//! default admission plugins add.

use burgee_wire::Object;
use serde_json::{Map, Value, json};

use super::MIRROR;
use crate::json::{object_mut, objects_mut, set_default};

/// Permissions of files in volumes, 0644.
const FILE_MODE: i64 = 420;

/// Fills in the defaults of the API.
pub(super) fn fill_in(object: &mut Object) {
    let Some(spec) = object_mut(&mut object.content, "spec") else {
        return;
    };
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for each in objects_mut(spec, list) {
            container(each);
            if list != "ephemeralContainers" {
                requests_from_limits(each);
                if host_network {
                    host_ports(each);
                }
            }
        }
    }
    objects_mut(spec, "volumes").for_each(volume);
    set_default(spec, "dnsPolicy", "ClusterFirst");
    set_default(spec, "enableServiceLinks", true);
    set_default(spec, "restartPolicy", "Always");
    set_default(spec, "schedulerName", "default-scheduler");
    set_default(spec, "securityContext", Map::new());
    set_default(spec, "terminationGracePeriodSeconds", 30);
    mirror_service_account(spec);
}

/// Does what the admission plugins ServiceAccount, DefaultTolerationSeconds and Priority do, as far as
/// it does not need other objects.
pub(super) fn admit(object: &mut Object) {
    let mirror = object.metadata.annotations.contains_key(MIRROR);
    let Some(spec) = object_mut(&mut object.content, "spec") else {
        return;
    };
    if !mirror {
        set_default(spec, "serviceAccountName", "default");
        mirror_service_account(spec);
    }
    tolerate_unreachable_node(spec);
    set_priority(spec);
}

/// The old `serviceAccount` always says what `serviceAccountName` does.
fn mirror_service_account(spec: &mut Map<String, Value>) {
    if let Some(old) = spec.get("serviceAccount").cloned() {
        set_default(spec, "serviceAccountName", old);
    }
    if let Some(name) = spec.get("serviceAccountName").cloned() {
        spec.insert("serviceAccount".into(), name);
    }
}

fn tolerate_unreachable_node(spec: &mut Map<String, Value>) {
    set_default(spec, "tolerations", Vec::<Value>::new());
    let Some(Value::Array(tolerations)) = spec.get_mut("tolerations") else {
        return;
    };
    let text = |value: &Value, member: &str| crate::json::text(value, member).to_owned();
    for taint in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        let tolerated = tolerations.iter().any(|each| {
            let (key, effect) = (text(each, "key"), text(each, "effect"));
            (key.is_empty() || key == taint) && (effect.is_empty() || effect == "NoExecute")
        });
        if !tolerated {
            tolerations.push(
                json!({"key": taint, "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": 300}),
            );
        }
    }
}

/// The two built-in classes are the only ones that a server without PriorityClasses knows.
fn set_priority(spec: &mut Map<String, Value>) {
    let class = spec
        .get("priorityClassName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let priority = match class {
        "" => 0,
        "system-cluster-critical" => 2_000_000_000,
        "system-node-critical" => 2_000_001_000,
        _ => return,
    };
    set_default(spec, "priority", priority);
    set_default(spec, "preemptionPolicy", "PreemptLowerPriority");
}

fn container(container: &mut Map<String, Value>) {
    let image = container
        .get("image")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let policy = if is_latest(image) {
        "Always"
    } else {
        "IfNotPresent"
    };
    set_default(container, "imagePullPolicy", policy);
    set_default(container, "terminationMessagePath", "/dev/termination-log");
    set_default(container, "terminationMessagePolicy", "File");
    objects_mut(container, "ports").for_each(|port| set_default(port, "protocol", "TCP"));
    for variable in objects_mut(container, "env") {
        if let Some(Value::Object(source)) = variable.get_mut("valueFrom") {
            field_reference(source);
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(Value::Object(probe)) = container.get_mut(probe) {
            set_default(probe, "timeoutSeconds", 1);
            set_default(probe, "periodSeconds", 10);
            set_default(probe, "successThreshold", 1);
            set_default(probe, "failureThreshold", 3);
            http_get(probe);
        }
    }
    if let Some(Value::Object(lifecycle)) = container.get_mut("lifecycle") {
        for moment in ["postStart", "preStop"] {
            if let Some(Value::Object(handler)) = lifecycle.get_mut(moment) {
                http_get(handler);
            }
        }
    }
}

fn http_get(handler: &mut Map<String, Value>) {
    if let Some(Value::Object(get)) = handler.get_mut("httpGet") {
        set_default(get, "path", "/");
        set_default(get, "scheme", "HTTP");
    }
}

fn field_reference(source: &mut Map<String, Value>) {
    if let Some(Value::Object(field)) = source.get_mut("fieldRef") {
        set_default(field, "apiVersion", "v1");
    }
}

/// Whether an image reference means the tag `latest`: it names that tag, or neither tag nor digest.
fn is_latest(image: &str) -> bool {
    let (name, has_digest) = match image.split_once('@') {
        Some((name, _)) => (name, true),
        None => (image, false),
    };
    let last = name.rsplit('/').next().unwrap_or(name);
    match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => !has_digest && !name.is_empty(),
    }
}

fn requests_from_limits(container: &mut Map<String, Value>) {
    let Some(Value::Object(resources)) = container.get_mut("resources") else {
        return;
    };
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else {
        return;
    };
    if let Some(requests) = object_mut(resources, "requests") {
        for (name, quantity) in limits {
            set_default(requests, &name, quantity);
        }
    }
}

fn host_ports(container: &mut Map<String, Value>) {
    for port in objects_mut(container, "ports") {
        if let Some(number) = port.get("containerPort").cloned() {
            set_default(port, "hostPort", number);
        }
    }
}

fn volume(volume: &mut Map<String, Value>) {
    if volume.keys().all(|member| member == "name") {
        volume.insert("emptyDir".into(), json!({}));
    }
    for source in ["configMap", "downwardAPI", "projected", "secret"] {
        if let Some(Value::Object(source)) = volume.get_mut(source) {
            set_default(source, "defaultMode", FILE_MODE);
        }
    }
    if let Some(Value::Object(path)) = volume.get_mut("hostPath")
        && path.get("type").is_none_or(Value::is_null)
    {
        path.insert("type".into(), "".into());
    }
    if let Some(Value::Object(downward)) = volume.get_mut("downwardAPI") {
        objects_mut(downward, "items").for_each(field_reference);
    }
    if let Some(Value::Object(projected)) = volume.get_mut("projected") {
        for source in objects_mut(projected, "sources") {
            if let Some(Value::Object(token)) = source.get_mut("serviceAccountToken") {
                set_default(token, "expirationSeconds", 3600);
            }
            if let Some(Value::Object(downward)) = source.get_mut("downwardAPI") {
                objects_mut(downward, "items").for_each(field_reference);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_decides_whether_an_image_is_pulled_each_time() {
        let table = [
            ("i", true),
            ("i:latest", true),
            ("host:5000/i", true),
            ("host:5000/i:1", false),
            ("i:1", false),
            ("i@sha256:0", false),
            ("i:latest@sha256:0", true),
            ("", false),
        ];
        for (image, latest) in table {
            assert_eq!(is_latest(image), latest, "{image}");
        }
    }
}
