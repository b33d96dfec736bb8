//! Why an expression does not compile, or has no value.

use thiserror::Error;

/// Why an expression was refused when it was read.
///
/// The text is what kube-apiserver shows after `Invalid value: "…": `.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum CompileError {
    /// It does not parse, or names or combines what it cannot. The text is CEL's: one
    /// `ERROR: <input>:<line>:<column>: …` for each problem, with the line it is in.
    #[error("compilation failed: {0}")]
    Invalid(String),
    /// Its type, as far as it is known without claims, is not `bool`.
    #[error("must evaluate to bool")]
    NotBool,
}

/// Why an expression has no value for these claims or this user.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum EvaluationError {
    /// It would take too much work.
    #[error("operation cancelled: actual cost limit exceeded")]
    CostLimit,
    /// An integer was divided by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A loop that builds a map comes to the same key twice.
    #[error("insert failed: key {0} already exists")]
    DuplicateKey(String),
    /// A function refused its arguments, for the reason given.
    #[error("{0}")]
    Function(String),
    /// A list is shorter than that.
    #[error("index out of bounds: {0}")]
    IndexOutOfBounds(i64),
    /// An integer's remainder by zero was asked for.
    #[error("modulus by zero")]
    ModulusByZero,
    /// The value of an empty optional was asked for.
    #[error("optional.none() dereference")]
    NoneDereference,
    /// A claim or another key is not there.
    #[error("no such key: {0}")]
    NoSuchKey(String),
    /// An operator or function does not take values of these types.
    #[error("no such overload")]
    NoSuchOverload,
    /// An `integer`, an `unsigned integer`, a `duration` or a `timestamp` is out of range.
    #[error("{0} overflow")]
    Overflow(&'static str),
}

impl EvaluationError {
    pub(crate) fn function(text: impl Into<String>) -> Self {
        Self::Function(text.into())
    }
}
