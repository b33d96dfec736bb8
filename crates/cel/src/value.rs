//! What an expression works on.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::budget::Budget;
use crate::error::EvaluationError;
use crate::functions::{Cidr, NamedFormat, ParsedUrl, Quantity, Semver};
use crate::names;

/// A value of the language. Copies are cheap: they share what is large.
///
/// Values nest as deep as JSON is read (128) and expressions are (see [`crate::parse`]), so that
/// functions may recurse into them.
#[derive(Clone, Debug)]
pub(crate) enum CelValue {
    Bool(bool),
    Bytes(Arc<[u8]>),
    Cidr(Cidr),
    Double(f64),
    Duration(SignedDuration),
    Format(NamedFormat),
    Int(i64),
    Ip(IpAddr),
    List(Arc<Vec<CelValue>>),
    Map(Arc<Map>),
    Null,
    Optional(Option<Arc<CelValue>>),
    Quantity(Quantity),
    Semver(Arc<Semver>),
    String(Arc<str>),
    Timestamp(Timestamp),
    Type(&'static str),
    Uint(u64),
    Url(Arc<ParsedUrl>),
}

/// A map and how names in selectors are read for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Map {
    pub(crate) entries: BTreeMap<Key, CelValue>,
    pub(crate) escapes: Escapes,
}

/// Whether keys that are looked up have their `__dot__`s undone.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Escapes {
    /// Maps that expressions build: keys are literal.
    #[default]
    Literal,
    /// Objects inside claims: a key that does not unescape is taken literally, and `in` is literal.
    Nested,
    /// `claims` itself: a key that does not unescape is not there.
    Root,
}

/// What a map can be looked up by. Numbers of the same value are the same key, whatever their type.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    Bool(bool),
    Int(i64),
    String(Arc<str>),
    Uint(u64),
}

impl CelValue {
    pub(crate) fn string(text: impl Into<Arc<str>>) -> Self {
        Self::String(text.into())
    }

    pub(crate) fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(items))
    }

    pub(crate) fn strings<T: Into<Arc<str>>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::list(items.into_iter().map(Self::string).collect())
    }

    pub(crate) fn map(entries: BTreeMap<Key, Self>) -> Self {
        Self::Map(Arc::new(Map {
            entries,
            escapes: Escapes::Literal,
        }))
    }

    pub(crate) fn some(value: Self) -> Self {
        Self::Optional(Some(Arc::new(value)))
    }

    pub(crate) const NONE: Self = Self::Optional(None);

    /// A number of items as the language counts them.
    pub(crate) fn count(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(crate) fn ordering(ordering: Ordering) -> Self {
        Self::Int(ordering as i64)
    }

    /// JSON as claims hold it: every number is a double, as Go decodes it.
    pub(crate) fn from_json(json: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Self::string(text.as_str()),
            Json::Array(items) => Self::list(items.iter().map(Self::from_json).collect()),
            Json::Object(members) => Self::from_members(members, Escapes::Nested),
        }
    }

    pub(crate) fn from_members(
        members: &serde_json::Map<String, serde_json::Value>,
        escapes: Escapes,
    ) -> Self {
        let members = members
            .iter()
            .map(|(name, value)| (name.as_str(), Self::from_json(value)));
        Self::named(members, escapes)
    }

    /// A map of values by name.
    pub(crate) fn named<'n>(
        members: impl IntoIterator<Item = (&'n str, Self)>,
        escapes: Escapes,
    ) -> Self {
        let entries = members
            .into_iter()
            .map(|(name, value)| (Key::String(name.into()), value))
            .collect();
        Self::Map(Arc::new(Map { entries, escapes }))
    }

    /// The name that `type(x)` has.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Bytes(_) => "bytes",
            Self::Cidr(_) => "net.CIDR",
            Self::Double(_) => "double",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Format(_) => "kubernetes.NamedFormat",
            Self::Int(_) => "int",
            Self::Ip(_) => "net.IP",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Null => "null_type",
            Self::Optional(_) => "optional_type",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Semver(_) => "kubernetes.Semver",
            Self::String(_) => "string",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Type(_) => "type",
            Self::Uint(_) => "uint",
            Self::Url(_) => "kubernetes.URL",
        }
    }

    /// Whether it is what `optional.ofNonZeroValue` takes for nothing.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Self::Bool(value) => !value,
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Double(value) => *value == 0.0,
            Self::Duration(duration) => duration.is_zero(),
            Self::Int(value) => *value == 0,
            Self::List(items) => items.is_empty(),
            Self::Map(map) => map.entries.is_empty(),
            Self::Null | Self::Optional(None) => true,
            Self::String(text) => text.is_empty(),
            Self::Uint(value) => *value == 0,
            _ => false,
        }
    }

    /// Equality of the language: numbers compare across types, everything else of unlike types is
    /// unlike.
    pub(crate) fn equals(
        &self,
        other: &Self,
        budget: &mut Budget,
    ) -> Result<bool, EvaluationError> {
        budget.charge(1)?;
        Ok(match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => {
                budget.charge_text(a.len().min(b.len()))?;
                a == b
            }
            (Self::Cidr(a), Self::Cidr(b)) => a == b,
            (Self::Duration(a), Self::Duration(b)) => a == b,
            (Self::Format(a), Self::Format(b)) => a == b,
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::List(a), Self::List(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b.iter()) {
                    if !a.equals(b, budget)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Self::Map(a), Self::Map(b)) => {
                if a.entries.len() != b.entries.len() {
                    return Ok(false);
                }
                for ((key, a), (other_key, b)) in a.entries.iter().zip(&b.entries) {
                    budget.charge_text(key.len())?;
                    if key != other_key || !a.equals(b, budget)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Self::Null, Self::Null) | (Self::Optional(None), Self::Optional(None)) => true,
            (Self::Optional(Some(a)), Self::Optional(Some(b))) => a.equals(b, budget)?,
            (Self::Quantity(a), Self::Quantity(b)) => a == b,
            (Self::Semver(a), Self::Semver(b)) => a == b,
            (Self::String(a), Self::String(b)) => {
                budget.charge_text(a.len().min(b.len()))?;
                a == b
            }
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Type(a), Self::Type(b)) => a == b,
            (Self::Url(a), Self::Url(b)) => a == b,
            _ => compare_numbers(self, other) == Some(Ordering::Equal),
        })
    }

    /// The order of `<`, `sort` and `max`; nothing for not-a-number.
    ///
    /// # Errors
    ///
    /// `no such overload` where the language has no order.
    pub(crate) fn compare(
        &self,
        other: &Self,
        budget: &mut Budget,
    ) -> Result<Option<Ordering>, EvaluationError> {
        budget.charge(1)?;
        budget.charge_text(self.text_len().min(other.text_len()))?;
        self.order(other)
    }

    /// What [`CelValue::compare`] says, for callers that have charged for it.
    pub(crate) fn order(&self, other: &Self) -> Result<Option<Ordering>, EvaluationError> {
        Ok(Some(match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (Self::Duration(a), Self::Duration(b)) => a.cmp(b),
            (Self::String(a), Self::String(b)) => a.cmp(b),
            (Self::Timestamp(a), Self::Timestamp(b)) => a.cmp(b),
            _ if self.is_number() && other.is_number() => {
                return Ok(compare_numbers(self, other));
            }
            _ => return Err(EvaluationError::NoSuchOverload),
        }))
    }

    /// How many bytes a comparison can have to read.
    pub(crate) fn text_len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::String(text) => text.len(),
            _ => 0,
        }
    }

    pub(crate) fn is_nan(&self) -> bool {
        matches!(self, Self::Double(value) if value.is_nan())
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Double(_) | Self::Int(_) | Self::Uint(_))
    }

    /// The optional's content; anything else is its own.
    pub(crate) fn unwrapped(self) -> Option<Self> {
        match self {
            Self::Optional(inner) => inner.map(|inner| (*inner).clone()),
            value => Some(value),
        }
    }
}

impl Map {
    /// The value at `key` as a selector or an index finds it.
    pub(crate) fn find(&self, key: &Key) -> Option<&CelValue> {
        let Key::String(name) = key else {
            return self.entries.get(key);
        };
        if self.escapes == Escapes::Literal {
            return self.entries.get(key);
        }
        match names::unescape(name) {
            None if self.escapes == Escapes::Root => None,
            None | Some(Cow::Borrowed(_)) => self.entries.get(key),
            Some(Cow::Owned(unescaped)) => self.entries.get(&Key::String(unescaped.into())),
        }
    }

    /// Whether `key in map`.
    pub(crate) fn contains(&self, key: &Key) -> bool {
        match self.escapes {
            Escapes::Root => self.find(key).is_some(),
            _ => self.entries.contains_key(key),
        }
    }
}

impl Key {
    /// The value as a key; a double only if it is a whole number.
    pub(crate) fn of(value: &CelValue) -> Option<Self> {
        match value {
            CelValue::Bool(value) => Some(Self::Bool(*value)),
            CelValue::Double(value) => whole(*value).map(Self::Int),
            CelValue::Int(value) => Some(Self::Int(*value)),
            CelValue::String(text) => Some(Self::String(Arc::clone(text))),
            CelValue::Uint(value) => Some(Self::Uint(*value)),
            _ => None,
        }
    }

    pub(crate) fn to_value(&self) -> CelValue {
        match self {
            Self::Bool(value) => CelValue::Bool(*value),
            Self::Int(value) => CelValue::Int(*value),
            Self::String(text) => CelValue::String(Arc::clone(text)),
            Self::Uint(value) => CelValue::Uint(*value),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::String(text) => text.len(),
            _ => 1,
        }
    }

    fn number(&self) -> Option<i128> {
        match self {
            Self::Int(value) => Some((*value).into()),
            Self::Uint(value) => Some((*value).into()),
            _ => None,
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::String(a), Self::String(b)) => a.cmp(b),
            // Booleans come first, then numbers, then strings.
            (Self::Bool(_), _) | (_, Self::String(_)) => Ordering::Less,
            (_, Self::Bool(_)) | (Self::String(_), _) => Ordering::Greater,
            _ => self.number().cmp(&other.number()),
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

/// The integer that a double is exactly, if it is one and fits.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the range is checked, and a whole number loses nothing"
)]
pub(crate) fn whole(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (value.fract() == 0.0 && (-LIMIT..LIMIT).contains(&value)).then_some(value as i64)
}

fn compare_numbers(a: &CelValue, b: &CelValue) -> Option<Ordering> {
    match (a, b) {
        (CelValue::Double(a), CelValue::Double(b)) => a.partial_cmp(b),
        (CelValue::Double(a), b) => compare_with_integer(*a, integer(b)?),
        (a, CelValue::Double(b)) => compare_with_integer(*b, integer(a)?).map(Ordering::reverse),
        (a, b) => Some(integer(a)?.cmp(&integer(b)?)),
    }
}

fn integer(value: &CelValue) -> Option<i128> {
    match value {
        CelValue::Int(value) => Some((*value).into()),
        CelValue::Uint(value) => Some((*value).into()),
        _ => None,
    }
}

/// Exact, so that 2^53 and 2^53 + 1 are told apart: no integer is rounded to a double.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a double of this range fits into 128 bits"
)]
fn compare_with_integer(double: f64, integer: i128) -> Option<Ordering> {
    const LIMIT: f64 = 36_893_488_147_419_103_232.0;
    if double.is_nan() {
        return None;
    }
    if double.abs() >= LIMIT {
        return double.partial_cmp(&0.0);
    }
    let floor = double.floor();
    let order = (floor as i128).cmp(&integer);
    Some(if order == Ordering::Equal && double > floor {
        Ordering::Greater
    } else {
        order
    })
}
