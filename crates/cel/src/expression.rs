//! Expressions from outside: read once, evaluated for every token.

use std::fmt;
use std::sync::Arc;

use burgee_identity::UserInfo;
use cel::IdedExpr;

use crate::check;
use crate::error::{CompileError, EvaluationError};
use crate::evaluate::Evaluation;
use crate::inspect;
use crate::parse;
use crate::patterns::Patterns;
use crate::types::Type;
use crate::value::{CelValue, Escapes};

/// Which variable an expression reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// `claims`: the claims of a token, a map from names to values of any type.
    Claims,
    /// `user`: the mapped user, with `username`, `uid`, `groups` and `extra`.
    User,
}

/// What an expression has to give.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expects {
    /// Anything; the caller looks at the value.
    Any,
    /// A `bool`, and this has to be plain from the text: `claims.admin` may be anything,
    /// `claims.admin == true` cannot.
    Bool,
}

/// A compiled expression. Copies share it.
#[derive(Clone)]
pub struct Expression {
    shared: Arc<Shared>,
}

struct Shared {
    text: String,
    scope: Scope,
    tree: IdedExpr,
    patterns: Patterns,
}

/// What expressions are evaluated for: the claims of one token, or one user.
///
/// Made once and shared by all expressions. Copies are cheap.
#[derive(Clone)]
pub struct Variables {
    scope: Scope,
    root: CelValue,
}

/// The value of an expression, as far as authentication can use it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A text, possibly empty.
    String(String),
    /// A list with nothing but texts in it, possibly empty.
    Strings(Vec<String>),
    /// Anything else, by the name of its type in the language: `double`, `map`, `list`.
    Other(&'static str),
}

impl Expression {
    /// Reads and checks an expression.
    ///
    /// # Errors
    ///
    /// [`CompileError::Invalid`] if it does not parse, names what is not declared, or calls an
    /// operator or function with types that it cannot take; [`CompileError::NotBool`] if it
    /// `expects` a bool and its type is another or not known. Upstream:
    /// `k8s.io/apiserver/pkg/authentication/cel`.
    pub fn compile(text: &str, scope: Scope, expects: Expects) -> Result<Self, CompileError> {
        let compiled = parse::on_a_large_stack(|| {
            let parsed = parse::parse(text)?;
            let checked = check::check(&parsed, scope)?;
            Ok((parsed.tree, checked))
        })?;
        let (tree, checked) = compiled;
        if expects == Expects::Bool && checked.kind != Type::Bool {
            return Err(CompileError::NotBool);
        }
        Ok(Self {
            shared: Arc::new(Shared {
                text: text.to_owned(),
                scope,
                tree,
                patterns: checked.patterns,
            }),
        })
    }

    /// The text that it was compiled from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.shared.text
    }

    /// Whether it reads the claim `name`, anywhere and in any way that shows in the text:
    /// `claims.name`, `claims.?name`, `has(claims.name)`, `claims["name"]`, `claims[?"name"]`.
    ///
    /// Upstream does not see the last two.
    #[must_use]
    pub fn reads_claim(&self, name: &str) -> bool {
        self.shared.scope == Scope::Claims && inspect::reads(&self.shared.tree, "claims", name)
    }

    /// Its value for `variables`.
    ///
    /// # Errors
    ///
    /// See [`EvaluationError`]. A claim that is not there is `no such key: name`.
    pub fn evaluate(&self, variables: &Variables) -> Result<Value, EvaluationError> {
        self.evaluate_inner(variables).map(Value::from)
    }

    pub(crate) fn evaluate_inner(
        &self,
        variables: &Variables,
    ) -> Result<CelValue, EvaluationError> {
        let root = (variables.scope.variable(), &variables.root);
        Evaluation::new(root, &self.shared.patterns).value(&self.shared.tree)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression")
            .field("text", &self.shared.text)
            .field("scope", &self.shared.scope)
            .finish_non_exhaustive()
    }
}

impl Variables {
    /// The claims of one token, as `claims`. Every number is a double, as Go decodes JSON.
    #[must_use]
    pub fn claims(claims: &serde_json::Map<String, serde_json::Value>) -> Self {
        Self {
            scope: Scope::Claims,
            root: CelValue::from_members(claims, Escapes::Root),
        }
    }

    /// One user, as `user`. All four fields are there, possibly empty.
    #[must_use]
    pub fn user(user: &UserInfo) -> Self {
        let strings = |values: &[String]| CelValue::strings(values.iter().map(String::as_str));
        let extra = user
            .extra
            .iter()
            .map(|(key, values)| (key.as_str(), strings(values)));
        let fields = [
            ("username", CelValue::string(user.name.as_str())),
            ("uid", CelValue::string(user.uid.as_str())),
            ("groups", strings(&user.groups)),
            ("extra", CelValue::named(extra, Escapes::Nested)),
        ];
        Self {
            scope: Scope::User,
            root: CelValue::named(fields, Escapes::Root),
        }
    }
}

/// Shows no claims: they are personal data.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Scope {
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::User => "user",
        }
    }
}

impl From<CelValue> for Value {
    fn from(value: CelValue) -> Self {
        let kind = value.type_name();
        match value {
            CelValue::Null => Self::Null,
            CelValue::Bool(value) => Self::Bool(value),
            CelValue::String(text) => Self::String(text.to_string()),
            CelValue::List(items) => items
                .iter()
                .map(|item| match item {
                    CelValue::String(text) => Some(text.to_string()),
                    _ => None,
                })
                .collect::<Option<_>>()
                .map_or(Self::Other(kind), Self::Strings),
            _ => Self::Other(kind),
        }
    }
}
