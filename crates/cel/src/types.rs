//! Types as far as they are known before there are values.

use std::fmt;

use cel::IdedExpr;
use cel::common::ast::Expr;

/// A type of the language.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Type {
    Bool,
    Bytes,
    Cidr,
    Double,
    Duration,
    /// Not known before there is a value: takes part in everything.
    Dyn,
    Format,
    Int,
    Ip,
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Null,
    Optional(Box<Type>),
    /// Any type, the same wherever the letter stands in one signature.
    Parameter(char),
    Quantity,
    Semver,
    String,
    Timestamp,
    Type,
    Uint,
    Url,
    /// `user`, whose fields are declared.
    User,
}

/// The names that expressions can call types by, with the type each is short for.
const NAMES: [(&str, Type); 19] = [
    ("bool", Type::Bool),
    ("bytes", Type::Bytes),
    ("double", Type::Double),
    ("google.protobuf.Duration", Type::Duration),
    ("google.protobuf.Timestamp", Type::Timestamp),
    ("int", Type::Int),
    ("kubernetes.NamedFormat", Type::Format),
    ("kubernetes.Quantity", Type::Quantity),
    ("kubernetes.Semver", Type::Semver),
    ("kubernetes.URL", Type::Url),
    ("kubernetes.UserInfo", Type::User),
    ("list", Type::Dyn),
    ("map", Type::Dyn),
    ("net.CIDR", Type::Cidr),
    ("net.IP", Type::Ip),
    ("null_type", Type::Null),
    ("optional_type", Type::Dyn),
    ("string", Type::String),
    ("uint", Type::Uint),
];

/// The type of that name, as `type(x)` gives it.
pub(crate) fn named(name: &str) -> Option<&'static str> {
    if name == "type" {
        return Some("type");
    }
    let found = NAMES.iter().find(|(own, _)| *own == name);
    found.map(|(own, _)| *own)
}

/// The type with dots in its name that a chain of selections spells.
pub(crate) fn qualified(node: &IdedExpr) -> Option<&'static str> {
    let Expr::Select(select) = &node.expr else {
        return None;
    };
    // Most chains start at a variable: do not spell those out.
    let candidates = NAMES.iter().filter(|(name, _)| {
        name.rsplit_once('.')
            .is_some_and(|(_, last)| last == select.field)
    });
    let mut candidates = candidates.peekable();
    candidates.peek()?;
    let spelled = dotted(node)?;
    candidates
        .find(|(name, _)| *name == spelled)
        .map(|(name, _)| *name)
}

/// The names of a chain of selections that starts at a name.
pub(crate) fn dotted(node: &IdedExpr) -> Option<String> {
    match &node.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => {
            dotted(&select.operand).map(|prefix| format!("{prefix}.{}", select.field))
        }
        _ => None,
    }
}

impl Type {
    pub(crate) fn list(item: Self) -> Self {
        Self::List(Box::new(item))
    }

    pub(crate) fn map(key: Self, value: Self) -> Self {
        Self::Map(Box::new(key), Box::new(value))
    }

    pub(crate) fn optional(inner: Self) -> Self {
        Self::Optional(Box::new(inner))
    }

    /// The type of a field of `user`.
    pub(crate) fn user_field(name: &str) -> Option<Self> {
        match name {
            "username" | "uid" => Some(Self::String),
            "groups" => Some(Self::list(Self::String)),
            "extra" => Some(Self::map(Self::String, Self::list(Self::String))),
            _ => None,
        }
    }

    /// Reads a type of a signature: `list(A)`, `map(string, dyn)`, `int`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(inner) = text.strip_suffix(')') {
            let (name, inner) = inner.split_once('(')?;
            return match name {
                "list" => Self::parse(inner).map(Self::list),
                "optional_type" => Self::parse(inner).map(Self::optional),
                "map" => {
                    let (key, value) = inner.split_once(',')?;
                    Some(Self::map(Self::parse(key)?, Self::parse(value)?))
                }
                _ => None,
            };
        }
        let mut letters = text.chars();
        if let (Some(letter @ 'A'..='Z'), None) = (letters.next(), letters.next()) {
            return Some(Self::Parameter(letter));
        }
        match text {
            "dyn" => Some(Self::Dyn),
            "type" => Some(Self::Type),
            _ => NAMES
                .iter()
                .find(|(name, _)| *name == text)
                .map(|(_, kind)| kind.clone()),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn => f.write_str("dyn"),
            Self::List(item) => write!(f, "list({item})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Null => f.write_str("null"),
            Self::Optional(inner) => write!(f, "optional_type({inner})"),
            Self::Parameter(letter) => write!(f, "{letter}"),
            Self::Type => f.write_str("type"),
            other => {
                let name = NAMES.iter().find(|(_, kind)| kind == other);
                f.write_str(name.map_or("dyn", |(name, _)| name))
            }
        }
    }
}
