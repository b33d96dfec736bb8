//! Who decides about requests without credentials: the file, or else the flag.

use burgee_wire::field::{FieldError, Path};
use serde_json::{Value, json};

use super::document;
use super::error::ConfigurationError;

/// Whether requests without credentials are those of `system:anonymous`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AnonymousConfiguration {
    /// Whether they are at all.
    pub enabled: bool,
    /// The paths that they must have, exactly; empty stands for any path.
    pub conditions: Vec<String>,
}

impl AnonymousConfiguration {
    /// What applies: the file's `anonymous`, or what `--anonymous-auth` says, which is true unless given.
    ///
    /// # Errors
    /// [`ConfigurationError::AnonymousTwice`] when both say something, even the same.
    pub fn effective(file: Option<&Self>, flag: Option<bool>) -> Result<Self, ConfigurationError> {
        match (file, flag) {
            (Some(_), Some(_)) => Err(ConfigurationError::AnonymousTwice),
            (Some(file), None) => Ok(file.clone()),
            (None, flag) => Ok(Self {
                enabled: flag.unwrap_or(true),
                conditions: Vec::new(),
            }),
        }
    }

    /// Whether a request for this path, percent-decoded and without its query, can be anonymous.
    #[must_use]
    pub fn allows(&self, path: &str) -> bool {
        let is_listed = || self.conditions.iter().any(|condition| condition == path);
        self.enabled && (self.conditions.is_empty() || is_listed())
    }

    pub(super) fn check(written: &document::Anonymous, errors: &mut Vec<FieldError>) -> Self {
        let conditions = written.conditions.iter();
        let conditions: Vec<_> = conditions.map(|condition| condition.path.clone()).collect();
        if !written.enabled && !conditions.is_empty() {
            let value: Vec<Value> = conditions
                .iter()
                .map(|path| json!({"Path": path}))
                .collect();
            errors.push(FieldError::invalid(
                &Path::new("anonymous").child("conditions"),
                value,
                "enabled should be set to true when conditions are defined",
            ));
        }
        Self {
            enabled: written.enabled,
            conditions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(enabled: bool, paths: &[&str]) -> AnonymousConfiguration {
        AnonymousConfiguration {
            enabled,
            conditions: paths.iter().map(|path| (*path).to_owned()).collect(),
        }
    }

    #[test]
    fn the_file_decides_and_the_flag_only_without_it() {
        let livez = of_file(true, &["/livez"]);
        let table = [
            (None, None, Ok(of_file(true, &[]))),
            (None, Some(true), Ok(of_file(true, &[]))),
            (None, Some(false), Ok(of_file(false, &[]))),
            (Some(of_file(false, &[])), None, Ok(of_file(false, &[]))),
            (Some(of_file(true, &[])), None, Ok(of_file(true, &[]))),
            (Some(livez.clone()), None, Ok(livez.clone())),
            (Some(livez.clone()), Some(true), Err(())),
            (Some(of_file(false, &[])), Some(false), Err(())),
        ];
        for (file, flag, expected) in table {
            let effective = AnonymousConfiguration::effective(file.as_ref(), flag);
            match (effective, expected) {
                (Ok(effective), expected) => assert_eq!(Ok(effective), expected),
                (Err(error), expected) => {
                    assert_eq!(expected, Err(()));
                    assert_eq!(
                        error.to_string(),
                        "anonymous: Forbidden: --anonymous-auth flag cannot be set when anonymous field is configured in authentication configuration file"
                    );
                }
            }
        }
    }

    #[test]
    fn conditions_are_exact_paths() {
        let some = of_file(true, &["/livez", "/healthz", "/livez"]);
        assert!(some.allows("/livez") && some.allows("/healthz"));
        for path in ["/", "/livez/", "/livez/etcd", "/LIVEZ", "/readyz", ""] {
            assert!(!some.allows(path), "{path}");
        }
        assert!(of_file(true, &[]).allows("/anything"));
        assert!(!of_file(false, &[]).allows("/livez"));
    }
}
