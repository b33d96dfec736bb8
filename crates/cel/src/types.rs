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
    /// What an empty list has: becomes whatever it meets.
    Free,
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
    /// What types are of, since they are values, too.
    Metatype,
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

    /// The type that values of both types have, if they go together: the less that is known of one,
    /// the less is known of both.
    pub(crate) fn merged(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Free, known) | (known, Self::Free) => known.clone(),
            (Self::Dyn, _) | (_, Self::Dyn) => Self::Dyn,
            (Self::List(a), Self::List(b)) => Self::list(a.merged(b)?),
            (Self::Map(key, value), Self::Map(other_key, other_value)) => {
                Self::map(key.merged(other_key)?, value.merged(other_value)?)
            }
            (Self::Optional(a), Self::Optional(b)) => Self::optional(a.merged(b)?),
            (Self::Null, other) | (other, Self::Null) if other.is_nullable() => other.clone(),
            (a, b) if a == b => a.clone(),
            _ => return None,
        })
    }

    /// Whether `null` is of this type, too: everything that no literal makes.
    fn is_nullable(&self) -> bool {
        matches!(
            self,
            Self::Cidr
                | Self::Duration
                | Self::Format
                | Self::Ip
                | Self::Null
                | Self::Optional(_)
                | Self::Quantity
                | Self::Semver
                | Self::Timestamp
                | Self::Url
                | Self::User
        )
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
            "duration" => Some(Self::Duration),
            "dyn" => Some(Self::Dyn),
            "timestamp" => Some(Self::Timestamp),
            "type" => Some(Self::Metatype),
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
            Self::Duration => f.write_str("duration"),
            Self::Dyn | Self::Free => f.write_str("dyn"),
            Self::List(item) => write!(f, "list({item})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Null => f.write_str("null"),
            Self::Optional(inner) => write!(f, "optional_type({inner})"),
            Self::Parameter(letter) => write!(f, "{letter}"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Metatype => f.write_str("type"),
            other => {
                let name = NAMES.iter().find(|(_, kind)| kind == other);
                f.write_str(name.map_or("dyn", |(name, _)| name))
            }
        }
    }
}
