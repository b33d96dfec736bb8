//! The architecture, held against what the manifests say.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The floor on which each package stands, as drawn in `docs/architecture.md`: what is on a floor
/// uses only what is on lower ones.
const FLOORS: &[(u8, &[&str])] = &[
    (0, &["burgee-identity", "burgee-jose", "burgee-wire"]),
    (
        1,
        &[
            "burgee-authz",
            "burgee-bootstrap-token",
            "burgee-cel",
            "burgee-https",
            "burgee-patch",
            "burgee-pki",
            "burgee-service-account",
        ],
    ),
    (
        2,
        &[
            "burgee-authn",
            "burgee-kubeconfig",
            "burgee-resources",
            "burgee-signing-keys",
            "burgee-store",
        ],
    ),
    (
        3,
        &[
            "burgee-discovery",
            "burgee-external-jwt",
            "burgee-oidc",
            "burgee-openapi",
            "burgee-token-manager",
            "burgee-token-webhook",
        ],
    ),
    (4, &["burgee-agent", "burgee-controllers", "burgee-server"]),
    (5, &["burgee", "burgee-testkit", "xtask"]),
    (6, &["burgee-benches", "burgee-conformance", "burgee-e2e"]),
];

/// The ground's own order: the few uses inside it, each of which is argued here.
const GROUND: &[(&str, &str)] = &[
    // Keys are secrets, and times come from the clock that decisions use.
    ("burgee-jose", "burgee-identity"),
    ("burgee-wire", "burgee-identity"),
];

#[test]
fn no_package_uses_one_on_its_own_floor_or_above() {
    let uses = uses();
    assert!(!uses.is_empty(), "no arrows were found");
    for Use {
        package,
        dependency,
        in_tests,
    } in uses
    {
        let (from, to) = (floor(&package), floor(&dependency));
        let allowed = to < from
            // Tests of a crate may stand it beside its neighbours.
            || (in_tests && to == from)
            || GROUND.contains(&(package.as_str(), dependency.as_str()));
        assert!(
            allowed,
            "{package} (floor {from}) uses {dependency} (floor {to}): move code down, or a crate"
        );
    }
}

#[test]
fn every_dependency_takes_its_version_from_the_workspace() {
    for manifest in manifests() {
        let text = fs::read_to_string(&manifest).unwrap();
        let mut in_dependencies = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                in_dependencies = line.trim_matches(['[', ']']).ends_with("dependencies");
                assert!(
                    !line.contains("dependencies."),
                    "{}: write {line} as one line",
                    manifest.display()
                );
            } else if in_dependencies && !line.is_empty() && !line.starts_with('#') {
                assert!(
                    line.contains(".workspace = true") || line.contains("{ workspace = true"),
                    "{}: {line} names a version; it belongs into [workspace.dependencies]",
                    manifest.display()
                );
            }
        }
    }
}

#[test]
fn every_package_follows_the_lints_of_the_workspace() {
    for manifest in manifests() {
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{}",
            manifest.display()
        );
    }
}

fn floor(package: &str) -> u8 {
    FLOORS
        .iter()
        .find(|(_, packages)| packages.contains(&package))
        .unwrap_or_else(|| panic!("{package} stands on no floor: give it one in {}", file!()))
        .0
}

/// A package uses another of the workspace.
struct Use {
    package: String,
    dependency: String,
    in_tests: bool,
}

fn uses() -> Vec<Use> {
    let metadata = metadata();
    let packages = packages(&metadata);
    let mut uses = Vec::new();
    for (package, description) in &packages {
        for entry in description["dependencies"].as_array().unwrap() {
            let dependency = entry["name"].as_str().unwrap();
            // A crate's tests may switch on features of the crate itself.
            if packages.contains_key(dependency) && dependency != package {
                uses.push(Use {
                    package: package.clone(),
                    dependency: dependency.to_owned(),
                    in_tests: entry["kind"] == "dev",
                });
            }
        }
    }
    uses
}

fn manifests() -> Vec<PathBuf> {
    packages(&metadata())
        .values()
        .map(|package| PathBuf::from(package["manifest_path"].as_str().unwrap()))
        .collect()
}

fn packages(metadata: &Value) -> BTreeMap<String, &Value> {
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| (package["name"].as_str().unwrap().to_owned(), package))
        .collect()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}
