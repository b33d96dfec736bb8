//! The functions of the language and of Kubernetes' libraries.
//!
//! Each library is a function from name and arguments to an outcome, or nothing where it has no
//! function of that name for values of those types.

mod conversions;
mod format;
mod lists;
mod named_formats;
mod network;
mod optionals;
mod quantities;
mod regular_expressions;
mod semver;
mod strings;
mod time;
mod urls;

pub(crate) use named_formats::NamedFormat;
pub(crate) use network::Cidr;
pub(crate) use quantities::Quantity;
pub(crate) use regular_expressions::WITH_PATTERN;
pub(crate) use semver::Semver;
pub(crate) use time::is_time;
pub(crate) use urls::ParsedUrl;

use crate::budget::Budget;
use crate::error::EvaluationError;
use crate::patterns::Patterns;
use crate::value::CelValue;

type Outcome = Result<CelValue, EvaluationError>;

/// The functions whose names have a dot; they are no methods.
pub(crate) const DOTTED: [&str; 24] = [
    "format.byte",
    "format.date",
    "format.datetime",
    "format.dns1035Label",
    "format.dns1035LabelPrefix",
    "format.dns1123Label",
    "format.dns1123LabelPrefix",
    "format.dns1123Subdomain",
    "format.dns1123SubdomainPrefix",
    "format.labelValue",
    "format.named",
    "format.qualifiedName",
    "format.uri",
    "format.uuid",
    "ip.isCanonical",
    "lists.range",
    "optional.none",
    "optional.of",
    "optional.ofNonZeroValue",
    "optional.unwrap",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "strings.quote",
];

/// Calls the function `name`; a method's first argument is what it is called on.
///
/// # Errors
///
/// What the function says; `no such overload` where none takes these arguments.
pub(crate) fn call(
    name: &str,
    arguments: &[CelValue],
    patterns: &Patterns,
    budget: &mut Budget,
) -> Outcome {
    // Every function reads the texts that it is given; other sizes are its own matter.
    for argument in arguments {
        match argument {
            CelValue::String(text) => budget.charge_text(text.len())?,
            CelValue::Bytes(bytes) => budget.charge_text(bytes.len())?,
            _ => {}
        }
    }
    conversions::call(name, arguments, budget)
        .or_else(|| strings::call(name, arguments, budget))
        .or_else(|| format::call(name, arguments, budget))
        .or_else(|| lists::call(name, arguments, budget))
        .or_else(|| optionals::call(name, arguments))
        .or_else(|| regular_expressions::call(name, arguments, patterns, budget))
        .or_else(|| time::call(name, arguments))
        .or_else(|| urls::call(name, arguments))
        .or_else(|| network::call(name, arguments))
        .or_else(|| quantities::call(name, arguments))
        .or_else(|| semver::call(name, arguments))
        .or_else(|| named_formats::call(name, arguments))
        .unwrap_or(Err(EvaluationError::NoSuchOverload))
}
