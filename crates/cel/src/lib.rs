//! Common Expression Language as Kubernetes uses it in AuthenticationConfiguration: compiled with
//! checks, evaluated within a budget.

mod budget;
mod check;
mod declarations;
mod error;
mod evaluate;
mod expand;
mod expression;
mod functions;
mod inspect;
mod names;
mod operations;
mod parse;
mod patterns;
mod types;
mod value;

pub use error::{CompileError, EvaluationError};
pub use expression::{Expects, Expression, Scope, Value, Variables};
