//! What is wrong with a pod's containers (`validateContainers`).

use std::collections::BTreeSet;

use burgee_wire::field::{FieldError, Path};
use burgee_wire::names;
use serde_json::Value;

use super::spec::choice;
use super::volume::descending_path;
use crate::json::{entries, items, some, text};
use crate::metadata::invalid;
use crate::quantity::{self, nanos};

/// Adds what is wrong with containers and init containers.
pub(super) fn validate(errors: &mut Vec<FieldError>, spec: &Value, path: &Path) {
    let containers = items(spec, "containers");
    if containers.is_empty() {
        errors.push(FieldError::required(&path.child("containers"), ""));
    }
    let volumes: BTreeSet<_> = items(spec, "volumes")
        .iter()
        .map(|volume| text(volume, "name"))
        .collect();
    let mut seen = BTreeSet::new();
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for (index, container) in items(spec, list).iter().enumerate() {
            let path = path.child(list).index(index);
            common(errors, container, &path, &volumes);
            let name = text(container, "name");
            if !seen.insert(name) {
                errors.push(FieldError::duplicate(&path.child("name"), name));
            }
            restart_policy(errors, container, &path, list);
        }
    }
}

fn common(errors: &mut Vec<FieldError>, container: &Value, path: &Path, volumes: &BTreeSet<&str>) {
    let name = text(container, "name");
    match name {
        "" => errors.push(FieldError::required(&path.child("name"), "")),
        _ => invalid(
            errors,
            &path.child("name"),
            name,
            names::dns1123_label(name),
        ),
    }
    let image = text(container, "image");
    if image.is_empty() {
        errors.push(FieldError::required(&path.child("image"), ""));
    }
    if image.trim() != image {
        let detail = "must not have leading or trailing whitespace";
        errors.push(FieldError::invalid(&path.child("image"), image, detail));
    }
    let policies = ["File", "FallbackToLogsOnError"];
    choice(
        errors,
        container,
        path,
        "terminationMessagePolicy",
        &policies,
    );
    ports(errors, container, &path.child("ports"));
    environment(errors, container, &path.child("env"));
    environment_sources(errors, container, &path.child("envFrom"));
    mounts(errors, container, &path.child("volumeMounts"), volumes);
    choice(
        errors,
        container,
        path,
        "imagePullPolicy",
        &["Always", "IfNotPresent", "Never"],
    );
    resources(errors, container, &path.child("resources"));
}

fn restart_policy(errors: &mut Vec<FieldError>, container: &Value, path: &Path, list: &str) {
    let Some(policy) = some(container, "restartPolicy") else {
        return;
    };
    let path = path.child("restartPolicy");
    if list == "initContainers" {
        if policy != "Always" {
            errors.push(FieldError::not_supported(
                &path,
                policy.clone(),
                &["Always"],
            ));
        }
    } else {
        errors.push(FieldError::forbidden(
            &path,
            "may not be set for non-init containers",
        ));
    }
}

fn ports(errors: &mut Vec<FieldError>, container: &Value, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, port) in items(container, "ports").iter().enumerate() {
        let path = path.index(index);
        let name = text(port, "name");
        if !name.is_empty() {
            let problems = port_name_problems(name);
            if problems.is_empty() && !seen.insert(name) {
                errors.push(FieldError::duplicate(&path.child("name"), name));
            }
            invalid(errors, &path.child("name"), name, problems);
        }
        for member in ["containerPort", "hostPort"] {
            match port.get(member).and_then(Value::as_i64).unwrap_or_default() {
                0 if member == "hostPort" => {}
                0 => errors.push(FieldError::required(&path.child(member), "")),
                1..=65535 => {}
                number => {
                    let detail = "must be between 1 and 65535, inclusive";
                    errors.push(FieldError::invalid(&path.child(member), number, detail));
                }
            }
        }
        choice(errors, port, &path, "protocol", &["SCTP", "TCP", "UDP"]);
    }
}

/// What is wrong with the name of a port (`IsValidPortName`).
fn port_name_problems(name: &str) -> Vec<String> {
    let charset = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let table = [
        (name.len() <= 15, "must be no more than 15 characters"),
        (
            name.chars().all(charset),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (
            name.chars().any(|c| c.is_ascii_lowercase()),
            "must contain at least one letter (a-z)",
        ),
        (!name.contains("--"), "must not contain consecutive hyphens"),
        (
            !name.starts_with('-') && !name.ends_with('-'),
            "must not begin or end with a hyphen",
        ),
    ];
    let problems = table.into_iter().filter(|(good, _)| !good);
    problems.map(|(_, problem)| problem.to_owned()).collect()
}

fn environment(errors: &mut Vec<FieldError>, container: &Value, path: &Path) {
    for (index, variable) in items(container, "env").iter().enumerate() {
        let path = path.index(index);
        match text(variable, "name") {
            "" => errors.push(FieldError::required(&path.child("name"), "")),
            name => variable_name(errors, name, &path.child("name")),
        }
        let Some(source) = some(variable, "valueFrom").and_then(Value::as_object) else {
            continue;
        };
        let detail = match source.values().filter(|each| !each.is_null()).count() {
            0 => {
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
            }
            _ if !text(variable, "value").is_empty() => {
                "may not be specified when `value` is not empty"
            }
            1 => continue,
            _ => "may not have more than one field specified at a time",
        };
        errors.push(FieldError::invalid(&path.child("valueFrom"), "", detail));
    }
}

fn environment_sources(errors: &mut Vec<FieldError>, container: &Value, path: &Path) {
    for (index, source) in items(container, "envFrom").iter().enumerate() {
        let item = path.index(index);
        let prefix = text(source, "prefix");
        if !prefix.is_empty() {
            variable_name(errors, prefix, &item.child("prefix"));
        }
        let mut count = 0;
        for member in ["configMapRef", "secretRef"] {
            let Some(reference) = some(source, member) else {
                continue;
            };
            count += 1;
            let path = item.child(member).child("name");
            match text(reference, "name") {
                "" => errors.push(FieldError::required(&path, "")),
                name => invalid(errors, &path, name, names::dns1123_subdomain(name)),
            }
        }
        let detail = match count {
            0 => "must specify one of: `configMapRef` or `secretRef`",
            1 => continue,
            _ => "may not have more than one field specified at a time",
        };
        errors.push(FieldError::invalid(path, "", detail));
    }
}

/// The name of an environment variable, by the rules since 1.34: printable ASCII but no `=`.
fn variable_name(errors: &mut Vec<FieldError>, name: &str, path: &Path) {
    if name.chars().any(|c| !(' '..='~').contains(&c) || c == '=') {
        let detail = "a valid environment variable name must consist only of printable ASCII characters other than '='";
        errors.push(FieldError::invalid(path, name, detail));
    }
}

fn mounts(errors: &mut Vec<FieldError>, container: &Value, path: &Path, volumes: &BTreeSet<&str>) {
    let mut seen = BTreeSet::new();
    for (index, mount) in items(container, "volumeMounts").iter().enumerate() {
        let item = path.index(index);
        let (name, mount_path) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            errors.push(FieldError::required(&item.child("name"), ""));
        }
        if !volumes.contains(name) {
            errors.push(FieldError::not_found(&item.child("name"), name));
        }
        if mount_path.is_empty() {
            errors.push(FieldError::required(&item.child("mountPath"), ""));
        }
        if !seen.insert(mount_path) {
            let detail = "must be unique";
            errors.push(FieldError::invalid(
                &item.child("mountPath"),
                mount_path,
                detail,
            ));
        }
        // Upstream's paths of these two leave the index out.
        for member in ["subPath", "subPathExpr"] {
            descending_path(errors, text(mount, member), &path.child(member));
        }
        if !text(mount, "subPath").is_empty() && !text(mount, "subPathExpr").is_empty() {
            let detail = "subPathExpr and subPath are mutually exclusive";
            let value = text(mount, "subPathExpr");
            errors.push(FieldError::invalid(
                &item.child("subPathExpr"),
                value,
                detail,
            ));
        }
    }
}

fn resources(errors: &mut Vec<FieldError>, container: &Value, path: &Path) {
    let Some(resources) = some(container, "resources") else {
        return;
    };
    for member in ["limits", "requests"] {
        for (name, amount) in entries(resources, member) {
            quantity::not_negative(errors, amount, &path.child(member).key(name));
            let limit = resources.get("limits").and_then(|limits| limits.get(name));
            if let Some(limit) = limit.filter(|limit| nanos(amount) > nanos(limit)) {
                let limit = limit.as_str().unwrap_or_default();
                let detail = format!("must be less than or equal to {name} limit of {limit}");
                errors.push(FieldError::invalid(
                    &path.child(member),
                    amount.clone(),
                    detail,
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::port_name_problems;

    #[test]
    fn port_names_are_short_and_have_a_letter() {
        for good in ["http", "a", "8080-tcp"] {
            assert_eq!(port_name_problems(good), [""; 0], "{good}");
        }
        for bad in ["80", "a--b", "-a", "a-", "A", "a_b", "sixteen-letters-"] {
            assert_ne!(port_name_problems(bad), [""; 0], "{bad}");
        }
    }
}
