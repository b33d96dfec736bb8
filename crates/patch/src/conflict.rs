//! A field that somebody else owns.

use std::collections::BTreeMap;

use crate::{Manager, Path};

/// A field that an applied configuration sets to another value than its owner did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conflict {
    /// The owner.
    pub manager: Manager,
    /// The field.
    pub path: Path,
}

impl Conflict {
    /// Upstream's text about conflicts, which kubectl shows.
    pub(crate) fn message(conflicts: &[Self]) -> String {
        if let [Self { manager, path }] = conflicts {
            return format!("Apply failed with 1 conflict: conflict with {manager}: {path}");
        }
        let mut by_manager: BTreeMap<&Manager, Vec<&Path>> = BTreeMap::new();
        for conflict in conflicts {
            by_manager
                .entry(&conflict.manager)
                .or_default()
                .push(&conflict.path);
        }
        let mut lines = Vec::new();
        for (manager, paths) in by_manager {
            lines.push(format!("conflicts with {manager}:"));
            lines.extend(paths.iter().map(|path| format!("- {path}")));
        }
        let count = conflicts.len();
        format!("Apply failed with {count} conflicts: {}", lines.join("\n"))
    }
}
