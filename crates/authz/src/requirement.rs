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
    let path_of_values = path.child("values");
    let is_bare = requirement.values.is_empty();
    errors.push(match (requirement.operator.as_str(), is_bare) {
        ("In" | "NotIn", true) => {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            FieldError::required(&path_of_values, detail)
        }
        ("Exists" | "DoesNotExist", false) => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            FieldError::forbidden(&path_of_values, detail)
        }
        ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => return,
        (unknown, _) if operators == Operators::Known => {
            let detail = "not a valid selector operator";
            FieldError::invalid(&path.child("operator"), unknown, detail)
        }
        _ => return,
    });
}
