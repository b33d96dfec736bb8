//! checks

use crate::error::CompileError;
use crate::expression::Scope;
use crate::parse::Parsed;
use crate::patterns::Patterns;
use crate::types::Type;

pub(crate) struct Checked {
    pub(crate) kind: Type,
    pub(crate) patterns: Patterns,
}

pub(crate) fn check(_parsed: &Parsed, _scope: Scope) -> Result<Checked, CompileError> {
    Ok(Checked {
        kind: Type::Bool,
        patterns: Patterns::default(),
    })
}
