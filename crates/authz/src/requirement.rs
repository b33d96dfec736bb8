//! Which selector requirements may stand in objects (`apis/meta/v1/validation`).

use burgee_wire::field::{FieldError, Path};
use burgee_wire::names;
use burgee_wire::rbac::SelectorRequirement;

/// Which operators pass.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Operators {
    /// Any: in access reviews newer clients may use operators that this server does not know.
    Any,
    /// Those that this server knows.
    Known,
}

/// What is wrong with a requirement on a label.
pub(crate) fn label(
    requirement: &SelectorRequirement,
    operators: Operators,
    path: &Path,
    errors: &mut Vec<FieldError>,
) {
    let key = &requirement.key;
    operator(requirement, operators, path, errors);
    invalid(&path.child("key"), key, names::qualified_name(key), errors);
    let path = path.child("values");
    for (index, value) in requirement.values.iter().enumerate() {
        invalid(&path.index(index), value, names::label_value(value), errors);
    }
}

/// What is wrong with a requirement on a field.
pub(crate) fn field(requirement: &SelectorRequirement, path: &Path, errors: &mut Vec<FieldError>) {
    if requirement.key.is_empty() {
        errors.push(FieldError::required(
            &path.child("key"),
            "must be specified",
        ));
    }
    operator(requirement, Operators::Any, path, errors);
}

/// Each of `problems` as an error of `value`.
pub(crate) fn invalid(
    path: &Path,
    value: &str,
    problems: Vec<String>,
    errors: &mut Vec<FieldError>,
) {
    let error = |problem| FieldError::invalid(path, value, problem);
    errors.extend(problems.into_iter().map(error));
}

fn operator(
    requirement: &SelectorRequirement,
    operators: Operators,
    path: &Path,
    errors: &mut Vec<FieldError>,
) {
    let SelectorRequirement {
        operator, values, ..
    } = requirement;
    let path_of_values = path.child("values");
    match operator.as_str() {
        "In" | "NotIn" => {
            if values.is_empty() {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(&path_of_values, detail));
            }
        }
        "Exists" | "DoesNotExist" => {
            if !values.is_empty() {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(&path_of_values, detail));
            }
        }
        unknown if operators == Operators::Known => {
            let detail = "not a valid selector operator";
            errors.push(FieldError::invalid(
                &path.child("operator"),
                unknown,
                detail,
            ));
        }
        _ => {}
    }
}
