//! Common Expression Language as Kubernetes uses it in AuthenticationConfiguration: compiled with checks, evaluated within a budget.

/// A compiled expression. Copies share it.
#[derive(Clone, Debug)]
pub struct Expression;
