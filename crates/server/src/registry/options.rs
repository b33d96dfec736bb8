//! Options of writes, from the query and, for deletions, the body.

use burgee_wire::field::{FieldError, Path};
use burgee_wire::{Status, decode, schema};
use http::HeaderMap;
use http::header::USER_AGENT;
use serde_json::Value;

use super::{Result, parse_body};
use crate::http::{Encoding, Query};

/// What happens to duplicate and unknown members of a body.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum FieldValidation {
    Ignore,
    Strict,
    #[default]
    Warn,
}

/// Options that creations, updates and patches share.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteOptions {
    /// Everything but the write itself.
    pub(crate) dry_run: bool,
    /// Who writes, for managed fields.
    pub(crate) field_manager: String,
    /// What happens to members that do not belong.
    pub(crate) field_validation: FieldValidation,
    /// Whether an apply takes fields from others.
    pub(crate) force: bool,
}

impl WriteOptions {
    /// Reads the options of a request; `kind` (`CreateOptions`, …) names them in errors.
    ///
    /// # Errors
    ///
    /// 422 naming each wrong option.
    pub(crate) fn parse(
        kind: &str,
        query: &Query,
        headers: &HeaderMap,
        apply: bool,
    ) -> Result<Self> {
        let mut errors = Vec::new();
        let dry_run = dry_run(query.all("dryRun"), &mut errors);
        let given = query.text("fieldManager");
        check_manager(given, &mut errors);
        if apply && given.is_empty() {
            let path = Path::new("fieldManager");
            errors.push(FieldError::required(&path, "is required for apply patch"));
        }
        if !apply && query.first("force").is_some() && kind == "PatchOptions" {
            let path = Path::new("force");
            errors.push(FieldError::forbidden(
                &path,
                "may not be specified for non-apply patch",
            ));
        }
        let field_validation = match query.text("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                let path = Path::new("fieldValidation");
                let supported = ["", "Ignore", "Strict", "Warn"];
                errors.push(FieldError::not_supported(&path, other, &supported));
                FieldValidation::Warn
            }
        };
        refuse(kind, &errors)?;
        let field_manager = match given {
            "" => manager_of_agent(headers),
            given => given.to_owned(),
        };
        Ok(Self {
            dry_run,
            field_manager,
            field_validation,
            force: query.flag("force"),
        })
    }
}

/// Options of deletions.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteOptions {
    /// Everything but the deletion itself.
    pub(crate) dry_run: bool,
    /// Seconds to leave, if the client says.
    pub(crate) grace_period_seconds: Option<i64>,
    /// The object must have this UID.
    pub(crate) uid: Option<String>,
    /// The object must have this resource version.
    pub(crate) resource_version: Option<String>,
    /// What becomes of dependents.
    pub(crate) propagation: Option<Propagation>,
}

/// What becomes of the objects that an object owns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

impl DeleteOptions {
    /// Reads the options of a request: its body if it has one, else its query.
    ///
    /// # Errors
    ///
    /// 400 for a body that is none, 422 for options that contradict each other or do not exist.
    pub(crate) fn parse(query: &Query, body: Option<(&[u8], Encoding)>) -> Result<Self> {
        let mut errors = Vec::new();
        let options = match body {
            Some((body, encoding)) => Self::of_body(body, encoding, &mut errors)?,
            None => Self {
                dry_run: dry_run(query.all("dryRun"), &mut errors),
                grace_period_seconds: query.integer("gracePeriodSeconds")?,
                uid: None,
                resource_version: None,
                propagation: propagation(
                    query.first("propagationPolicy"),
                    query
                        .first("orphanDependents")
                        .map(|_| query.flag("orphanDependents")),
                    &mut errors,
                ),
            },
        };
        if options
            .grace_period_seconds
            .is_some_and(|seconds| seconds < 0)
        {
            let path = Path::new("gracePeriodSeconds");
            let value = options.grace_period_seconds.unwrap_or_default();
            errors.push(FieldError::invalid(
                &path,
                value,
                "must be greater than or equal to 0",
            ));
        }
        refuse("DeleteOptions", &errors)?;
        Ok(options)
    }

    fn of_body(body: &[u8], encoding: Encoding, errors: &mut Vec<FieldError>) -> Result<Self> {
        let kind = schema::schema().find("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");
        let kind =
            kind.ok_or_else(|| Box::new(Status::internal("DeleteOptions is not described")))?;
        let (body, _) = parse_body(body, encoding, kind).map_err(|error| {
            Box::new(Status::bad_request(format!(
                "invalid DeleteOptions: {error}"
            )))
        })?;
        let decoded = decode::conform(body, kind)
            .map_err(|error| Box::new(Status::bad_request(error.to_string())))?;
        if !matches!(decoded.kind.as_str(), "" | "DeleteOptions") {
            let text = format!(
                "decoded object cannot be converted to DeleteOptions: {}",
                decoded.kind
            );
            return Err(Box::new(Status::bad_request(text)));
        }
        let value = decoded.value;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let preconditions = value.get("preconditions");
        let runs = value
            .get("dryRun")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        Ok(Self {
            dry_run: dry_run(runs.filter_map(Value::as_str), errors),
            grace_period_seconds: value.get("gracePeriodSeconds").and_then(Value::as_i64),
            uid: text(preconditions.and_then(|p| p.get("uid"))),
            resource_version: text(preconditions.and_then(|p| p.get("resourceVersion"))),
            propagation: propagation(
                value.get("propagationPolicy").and_then(Value::as_str),
                value.get("orphanDependents").and_then(Value::as_bool),
                errors,
            ),
        })
    }
}

fn refuse(kind: &str, errors: &[FieldError]) -> Result<()> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Box::new(Status::invalid("meta.k8s.io", kind, "", errors)))
}

fn dry_run<'a>(values: impl Iterator<Item = &'a str>, errors: &mut Vec<FieldError>) -> bool {
    let mut dry_run = false;
    for value in values {
        match value {
            "All" => dry_run = true,
            other => {
                errors.push(FieldError::not_supported(
                    &Path::new("dryRun"),
                    other,
                    &["All"],
                ));
            }
        }
    }
    dry_run
}

fn propagation(
    policy: Option<&str>,
    orphan: Option<bool>,
    errors: &mut Vec<FieldError>,
) -> Option<Propagation> {
    let path = Path::new("propagationPolicy");
    if policy.is_some() && orphan.is_some() {
        let detail = "orphanDependents and deletionPropagation cannot be both set";
        errors.push(FieldError::invalid(
            &path,
            policy.unwrap_or_default(),
            detail,
        ));
    }
    match (policy, orphan) {
        (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
        (Some("Foreground"), _) => Some(Propagation::Foreground),
        (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
        (None, None) => None,
        (Some(other), _) => {
            let supported = ["Background", "Foreground", "Orphan"];
            errors.push(FieldError::not_supported(&path, other, &supported));
            None
        }
    }
}

fn check_manager(manager: &str, errors: &mut Vec<FieldError>) {
    let path = Path::new("fieldManager");
    if manager.len() > 128 {
        errors.push(FieldError::too_long(&path, 128));
    }
    if let Some((at, _)) = manager.chars().enumerate().find(|(_, c)| c.is_control()) {
        let detail =
            format!("invalid character at position {at}: should only contain printable characters");
        errors.push(FieldError::invalid(&path, manager, detail));
    }
}

/// The manager of a client that does not name itself: the first part of its user agent.
fn manager_of_agent(headers: &HeaderMap) -> String {
    let agent = headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    let program: String = agent
        .split('/')
        .next()
        .unwrap_or_default()
        .chars()
        .take(128)
        .collect();
    if program.is_empty() {
        "unknown".to_owned()
    } else {
        program
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(query: &str, apply: bool) -> Result<WriteOptions> {
        WriteOptions::parse(
            "PatchOptions",
            &Query::parse(query),
            &HeaderMap::new(),
            apply,
        )
    }

    #[test]
    fn wrong_options_are_refused_with_upstreams_texts() {
        let table = [
            (
                "fieldValidation=Bogus",
                false,
                r#"PatchOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Bogus": supported values: "", "Ignore", "Strict", "Warn""#,
            ),
            (
                "dryRun=Some",
                false,
                r#"PatchOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: "Some": supported values: "All""#,
            ),
            (
                "",
                true,
                r#"PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch"#,
            ),
            (
                "force=true",
                false,
                r#"PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch"#,
            ),
        ];
        for (query, apply, message) in table {
            assert_eq!(parse(query, apply).unwrap_err().message, message);
        }
        assert!(parse(&format!("fieldManager={}", "x".repeat(129)), false).is_err());
        assert!(parse("fieldManager=a%07", false).is_err());
    }

    #[test]
    fn the_manager_is_named_or_read_from_the_user_agent() {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, "kubectl/v1.37 (linux)".parse().unwrap());
        let options =
            WriteOptions::parse("CreateOptions", &Query::default(), &headers, false).unwrap();
        assert_eq!(options.field_manager, "kubectl");
        assert_eq!(parse("", false).unwrap().field_manager, "unknown");
        assert_eq!(parse("fieldManager=me", true).unwrap().field_manager, "me");
    }

    #[test]
    fn delete_options_come_from_body_or_query() {
        let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0,
            "preconditions": {"uid": "u"}, "propagationPolicy": "Orphan", "dryRun": ["All"]});
        let body = body.to_string();
        let body = Some((body.as_bytes(), Encoding::Json));
        let options = DeleteOptions::parse(&Query::default(), body).unwrap();
        assert_eq!(options.uid.as_deref(), Some("u"));
        assert_eq!(options.propagation, Some(Propagation::Orphan));
        assert!(options.dry_run && options.grace_period_seconds == Some(0));
        let query = Query::parse("gracePeriodSeconds=5&propagationPolicy=Foreground");
        let options = DeleteOptions::parse(&query, None).unwrap();
        assert_eq!(options.grace_period_seconds, Some(5));
        assert_eq!(options.propagation, Some(Propagation::Foreground));
        for bad in [
            "propagationPolicy=Never",
            "gracePeriodSeconds=-1",
            "dryRun=x",
        ] {
            assert!(
                DeleteOptions::parse(&Query::parse(bad), None).is_err(),
                "{bad}"
            );
        }
    }
}
