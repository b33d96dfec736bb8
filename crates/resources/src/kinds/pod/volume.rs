//! What is wrong with a pod's volumes (`ValidateVolumes`): in full for those that carry identity
//! (Secrets, ConfigMaps, tokens), by name and number for the others.

use std::collections::BTreeSet;

use burgee_wire::field::{FieldError, Path};
use burgee_wire::names;
use serde_json::Value;

use crate::json::{items, some, text};
use crate::metadata::invalid;

/// Shortest and longest life that a projected token may ask for, in seconds.
const TOKEN_SECONDS: (i64, i64) = (10 * 60, 1 << 32);

/// Adds what is wrong with the volumes of a pod.
pub(super) fn validate(errors: &mut Vec<FieldError>, spec: &Value, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, volume) in items(spec, "volumes").iter().enumerate() {
        let path = path.index(index);
        sources(errors, volume, &path);
        let name = text(volume, "name");
        match name {
            "" => errors.push(FieldError::required(&path.child("name"), "")),
            _ => invalid(
                errors,
                &path.child("name"),
                name,
                names::dns1123_label(name),
            ),
        }
        if !name.is_empty() && !seen.insert(name) {
            errors.push(FieldError::duplicate(&path.child("name"), name));
        }
    }
}

/// Adds an error for each projected token of a pod without a service account.
pub(super) fn tokens_need_an_account(errors: &mut Vec<FieldError>, spec: &Value, path: &Path) {
    if !text(spec, "serviceAccountName").is_empty() {
        return;
    }
    for (index, volume) in items(spec, "volumes").iter().enumerate() {
        let path = path.index(index).child("projected").child("sources");
        let sources = volume
            .get("projected")
            .map_or(&[][..], |source| items(source, "sources"));
        for (index, source) in sources.iter().enumerate() {
            if some(source, "serviceAccountToken").is_some() {
                let path = path.index(index).child("serviceAccountToken");
                let detail = "must not be specified when serviceAccountName is not set";
                errors.push(FieldError::forbidden(&path, detail));
            }
        }
    }
}

/// Adds what is wrong with a path below a volume: it must be relative and must not climb.
pub(super) fn descending_path(errors: &mut Vec<FieldError>, value: &str, path: &Path) {
    if value.starts_with('/') {
        errors.push(FieldError::invalid(path, value, "must be a relative path"));
    }
    no_backsteps(errors, value, path);
}

fn no_backsteps(errors: &mut Vec<FieldError>, value: &str, path: &Path) {
    if value.split('/').any(|segment| segment == "..") {
        errors.push(FieldError::invalid(path, value, "must not contain '..'"));
    }
}

fn sources(errors: &mut Vec<FieldError>, volume: &Value, path: &Path) {
    let members = volume.as_object().into_iter().flatten();
    let mut sources: Vec<_> = members
        .filter(|(member, value)| *member != "name" && !value.is_null())
        .map(|(member, value)| (member.as_str(), value))
        .collect();
    sources.sort_unstable_by_key(|(member, _)| *member);
    let Some(((member, source), more)) = sources.split_first() else {
        errors.push(FieldError::required(path, "must specify a volume type"));
        return;
    };
    let first = path.child(member);
    match *member {
        "configMap" => files(errors, source, &first, "name"),
        "hostPath" => host_path(errors, source, &first),
        "persistentVolumeClaim" => required(errors, source, &first, "claimName"),
        "projected" => projected(errors, source, &first),
        "secret" => files(errors, source, &first, "secretName"),
        _ => {}
    }
    for (member, _) in more {
        let detail = "may not specify more than 1 volume type";
        errors.push(FieldError::forbidden(&path.child(member), detail));
    }
}

fn required(errors: &mut Vec<FieldError>, source: &Value, path: &Path, member: &str) {
    if text(source, member).is_empty() {
        errors.push(FieldError::required(&path.child(member), ""));
    }
}

fn files(errors: &mut Vec<FieldError>, source: &Value, path: &Path, name: &str) {
    required(errors, source, path, name);
    mode(errors, source, path, "defaultMode");
    for (index, item) in items(source, "items").iter().enumerate() {
        key_to_path(errors, item, &path.child("items").index(index));
    }
}

fn mode(errors: &mut Vec<FieldError>, source: &Value, path: &Path, member: &str) {
    let mode = some(source, member).and_then(Value::as_i64);
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        errors.push(FieldError::invalid(&path.child(member), mode, detail));
    }
}

fn key_to_path(errors: &mut Vec<FieldError>, item: &Value, path: &Path) {
    required(errors, item, path, "key");
    required(errors, item, path, "path");
    file_path(errors, text(item, "path"), &path.child("path"));
    mode(errors, item, path, "mode");
}

/// A file's path within a volume: it must descend, and names beginning with `..` are the kubelet's.
fn file_path(errors: &mut Vec<FieldError>, value: &str, path: &Path) {
    descending_path(errors, value, path);
    if value.starts_with("..") && !value.starts_with("../") {
        errors.push(FieldError::invalid(path, value, "must not start with '..'"));
    }
}

fn host_path(errors: &mut Vec<FieldError>, source: &Value, path: &Path) {
    const TYPES: [&str; 8] = [
        "",
        "BlockDevice",
        "CharDevice",
        "Directory",
        "DirectoryOrCreate",
        "File",
        "FileOrCreate",
        "Socket",
    ];
    let value = text(source, "path");
    if value.is_empty() {
        errors.push(FieldError::required(&path.child("path"), ""));
        return;
    }
    no_backsteps(errors, value, &path.child("path"));
    let kind = text(source, "type");
    if !TYPES.contains(&kind) {
        errors.push(FieldError::not_supported(&path.child("type"), kind, &TYPES));
    }
}

fn projected(errors: &mut Vec<FieldError>, volume: &Value, path: &Path) {
    mode(errors, volume, path, "defaultMode");
    let mut paths = BTreeSet::new();
    for (index, source) in items(volume, "sources").iter().enumerate() {
        let item = path.child("sources").index(index);
        let mut count = 0;
        for member in ["secret", "configMap"] {
            if let Some(source) = some(source, member) {
                count += 1;
                projected_files(errors, source, path, &item.child(member), &mut paths);
            }
        }
        if let Some(source) = some(source, "downwardAPI") {
            count += 1;
            downward_files(errors, source, path, &item.child("downwardAPI"), &mut paths);
        }
        if let Some(token) = some(source, "serviceAccountToken") {
            count += 1;
            projected_token(errors, token, path, &item.child("serviceAccountToken"));
        }
        // Of the others only the number counts.
        let others = ["clusterTrustBundle", "podCertificate"];
        count += others
            .iter()
            .filter(|member| some(source, member).is_some())
            .count();
        if count > 1 {
            let detail = "may not specify more than 1 volume type per source";
            errors.push(FieldError::forbidden(&item, detail));
        }
    }
}

fn projected_files<'a>(
    errors: &mut Vec<FieldError>,
    source: &'a Value,
    volume: &Path,
    path: &Path,
    paths: &mut BTreeSet<&'a str>,
) {
    required(errors, source, path, "name");
    for (index, item) in items(source, "items").iter().enumerate() {
        key_to_path(errors, item, &path.child("items").index(index));
        let file = text(item, "path");
        if !file.is_empty() && !paths.insert(file) {
            let name = text(source, "name");
            errors.push(FieldError::invalid(
                volume,
                name,
                "conflicting duplicate paths",
            ));
        }
    }
}

fn downward_files<'a>(
    errors: &mut Vec<FieldError>,
    source: &'a Value,
    volume: &Path,
    path: &Path,
    paths: &mut BTreeSet<&'a str>,
) {
    for item in items(source, "items") {
        required(errors, item, path, "path");
        let file = text(item, "path");
        file_path(errors, file, &path.child("path"));
        mode(errors, item, path, "mode");
        if !file.is_empty() && !paths.insert(file) {
            errors.push(FieldError::invalid(
                volume,
                file,
                "conflicting duplicate paths",
            ));
        }
    }
}

fn projected_token(errors: &mut Vec<FieldError>, token: &Value, volume: &Path, path: &Path) {
    let seconds = token
        .get("expirationSeconds")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let member = path.child("expirationSeconds");
    let (shortest, longest) = TOKEN_SECONDS;
    if seconds < shortest {
        let detail = "may not specify a duration less than 10 minutes";
        errors.push(FieldError::invalid(&member, seconds, detail));
    }
    if seconds > longest {
        let detail = "may not specify a duration larger than 2^32 seconds";
        errors.push(FieldError::invalid(&member, seconds, detail));
    }
    // Upstream's path is the volume's, not the source's.
    match text(token, "path") {
        "" => errors.push(FieldError::required(&volume.child("path"), "")),
        file => file_path(errors, file, &volume.child("path")),
    }
}
