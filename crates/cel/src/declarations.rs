//! Which functions there are, for values of which types.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::types::Type;

/// Every function and operator: its name, then its parameters and its result. `target.(…)` is
/// called as a method; a capital letter is any type, the same throughout one line.
const DECLARATIONS: &str = "
!_: (bool) -> bool
-_: (int) -> int
-_: (double) -> double
_?_:_: (bool, A, A) -> A
_&&_: (bool, bool) -> bool
_||_: (bool, bool) -> bool
@not_strictly_false: (bool) -> bool
_==_: (A, A) -> bool
_!=_: (A, A) -> bool
@in: (A, list(A)) -> bool
@in: (A, map(A, B)) -> bool
_[_]: (list(A), int) -> A
_[_]: (map(A, B), A) -> B
_[_]: (optional_type(list(A)), int) -> optional_type(A)
_[_]: (optional_type(map(A, B)), A) -> optional_type(B)
_[?_]: (list(A), int) -> optional_type(A)
_[?_]: (map(A, B), A) -> optional_type(B)
_[?_]: (optional_type(list(A)), int) -> optional_type(A)
_[?_]: (optional_type(map(A, B)), A) -> optional_type(B)
_+_: (int, int) -> int
_+_: (uint, uint) -> uint
_+_: (double, double) -> double
_+_: (string, string) -> string
_+_: (bytes, bytes) -> bytes
_+_: (list(A), list(A)) -> list(A)
_+_: (duration, duration) -> duration
_+_: (duration, timestamp) -> timestamp
_+_: (timestamp, duration) -> timestamp
_-_: (int, int) -> int
_-_: (uint, uint) -> uint
_-_: (double, double) -> double
_-_: (duration, duration) -> duration
_-_: (timestamp, duration) -> timestamp
_-_: (timestamp, timestamp) -> duration
_*_: (int, int) -> int
_*_: (uint, uint) -> uint
_*_: (double, double) -> double
_/_: (int, int) -> int
_/_: (uint, uint) -> uint
_/_: (double, double) -> double
_%_: (int, int) -> int
_%_: (uint, uint) -> uint
cel.@mapInsert: (map(A, B), A, B) -> map(A, B)
cel.@mapInsert: (map(A, B), map(A, B)) -> map(A, B)
@sortByAssociatedKeys: list(A).(list(B)) -> list(A)

bool: (bool) -> bool
bool: (string) -> bool
bytes: (bytes) -> bytes
bytes: (string) -> bytes
double: (double) -> double
double: (int) -> double
double: (string) -> double
double: (uint) -> double
duration: (duration) -> duration
duration: (string) -> duration
dyn: (A) -> dyn
int: (double) -> int
int: (int) -> int
int: (string) -> int
int: (timestamp) -> int
int: (uint) -> int
string: (bool) -> string
string: (bytes) -> string
string: (double) -> string
string: (duration) -> string
string: (int) -> string
string: (net.CIDR) -> string
string: (net.IP) -> string
string: (string) -> string
string: (timestamp) -> string
string: (uint) -> string
timestamp: (int) -> timestamp
timestamp: (string) -> timestamp
timestamp: (timestamp) -> timestamp
type: (A) -> type
uint: (double) -> uint
uint: (int) -> uint
uint: (string) -> uint
uint: (uint) -> uint
size: (bytes) -> int
size: (list(A)) -> int
size: (map(A, B)) -> int
size: (string) -> int
size: bytes.() -> int
size: list(A).() -> int
size: map(A, B).() -> int
size: string.() -> int

contains: string.(string) -> bool
endsWith: string.(string) -> bool
startsWith: string.(string) -> bool
matches: (string, string) -> bool
matches: string.(string) -> bool
find: string.(string) -> string
findAll: string.(string) -> list(string)
findAll: string.(string, int) -> list(string)
charAt: string.(int) -> string
format: string.(list(dyn)) -> string
indexOf: string.(string) -> int
indexOf: string.(string, int) -> int
lastIndexOf: string.(string) -> int
lastIndexOf: string.(string, int) -> int
join: list(string).() -> string
join: list(string).(string) -> string
lowerAscii: string.() -> string
replace: string.(string, string) -> string
replace: string.(string, string, int) -> string
split: string.(string) -> list(string)
split: string.(string, int) -> list(string)
strings.quote: (string) -> string
substring: string.(int) -> string
substring: string.(int, int) -> string
trim: string.() -> string
upperAscii: string.() -> string

distinct: list(A).() -> list(A)
first: list(A).() -> optional_type(A)
flatten: list(list(A)).() -> list(A)
flatten: list(dyn).(int) -> list(dyn)
includes: dyn.(dyn) -> bool
indexOf: list(A).(A) -> int
last: list(A).() -> optional_type(A)
lastIndexOf: list(A).(A) -> int
lists.range: (int) -> list(int)
reverse: list(A).() -> list(A)
slice: list(A).(int, int) -> list(A)
sets.contains: (list(A), list(A)) -> bool
sets.equivalent: (list(A), list(A)) -> bool
sets.intersects: (list(A), list(A)) -> bool

hasValue: optional_type(A).() -> bool
optional.none: () -> optional_type(A)
optional.of: (A) -> optional_type(A)
optional.ofNonZeroValue: (A) -> optional_type(A)
optional.unwrap: (list(optional_type(A))) -> list(A)
or: optional_type(A).(optional_type(A)) -> optional_type(A)
orValue: optional_type(A).(A) -> A
unwrapOpt: list(optional_type(A)).() -> list(A)
value: optional_type(A).() -> A

getDate: timestamp.() -> int
getDate: timestamp.(string) -> int
getDayOfMonth: timestamp.() -> int
getDayOfMonth: timestamp.(string) -> int
getDayOfWeek: timestamp.() -> int
getDayOfWeek: timestamp.(string) -> int
getDayOfYear: timestamp.() -> int
getDayOfYear: timestamp.(string) -> int
getFullYear: timestamp.() -> int
getFullYear: timestamp.(string) -> int
getHours: duration.() -> int
getHours: timestamp.() -> int
getHours: timestamp.(string) -> int
getMilliseconds: duration.() -> int
getMilliseconds: timestamp.() -> int
getMilliseconds: timestamp.(string) -> int
getMinutes: duration.() -> int
getMinutes: timestamp.() -> int
getMinutes: timestamp.(string) -> int
getMonth: timestamp.() -> int
getMonth: timestamp.(string) -> int
getSeconds: duration.() -> int
getSeconds: timestamp.() -> int
getSeconds: timestamp.(string) -> int

getEscapedPath: kubernetes.URL.() -> string
getHost: kubernetes.URL.() -> string
getHostname: kubernetes.URL.() -> string
getPort: kubernetes.URL.() -> string
getQuery: kubernetes.URL.() -> map(string, list(string))
getScheme: kubernetes.URL.() -> string
isURL: (string) -> bool
url: (string) -> kubernetes.URL

cidr: (string) -> net.CIDR
containsCIDR: net.CIDR.(net.CIDR) -> bool
containsCIDR: net.CIDR.(string) -> bool
containsIP: net.CIDR.(net.IP) -> bool
containsIP: net.CIDR.(string) -> bool
family: net.IP.() -> int
ip: (string) -> net.IP
ip: net.CIDR.() -> net.IP
ip.isCanonical: (string) -> bool
isCIDR: (string) -> bool
isGlobalUnicast: net.IP.() -> bool
isIP: (string) -> bool
isLinkLocalMulticast: net.IP.() -> bool
isLinkLocalUnicast: net.IP.() -> bool
isLoopback: net.IP.() -> bool
isUnspecified: net.IP.() -> bool
masked: net.CIDR.() -> net.CIDR
prefixLength: net.CIDR.() -> int

add: kubernetes.Quantity.(int) -> kubernetes.Quantity
add: kubernetes.Quantity.(kubernetes.Quantity) -> kubernetes.Quantity
asApproximateFloat: kubernetes.Quantity.() -> double
asInteger: kubernetes.Quantity.() -> int
compareTo: kubernetes.Quantity.(kubernetes.Quantity) -> int
isGreaterThan: kubernetes.Quantity.(kubernetes.Quantity) -> bool
isInteger: kubernetes.Quantity.() -> bool
isLessThan: kubernetes.Quantity.(kubernetes.Quantity) -> bool
isQuantity: (string) -> bool
quantity: (string) -> kubernetes.Quantity
sign: (kubernetes.Quantity) -> int
sign: kubernetes.Quantity.() -> int
sub: kubernetes.Quantity.(int) -> kubernetes.Quantity
sub: kubernetes.Quantity.(kubernetes.Quantity) -> kubernetes.Quantity

compareTo: kubernetes.Semver.(kubernetes.Semver) -> int
isGreaterThan: kubernetes.Semver.(kubernetes.Semver) -> bool
isLessThan: kubernetes.Semver.(kubernetes.Semver) -> bool
isSemver: (string) -> bool
isSemver: (string, bool) -> bool
major: kubernetes.Semver.() -> int
minor: kubernetes.Semver.() -> int
patch: kubernetes.Semver.() -> int
semver: (string) -> kubernetes.Semver
semver: (string, bool) -> kubernetes.Semver

format.byte: () -> kubernetes.NamedFormat
format.date: () -> kubernetes.NamedFormat
format.datetime: () -> kubernetes.NamedFormat
format.dns1035Label: () -> kubernetes.NamedFormat
format.dns1035LabelPrefix: () -> kubernetes.NamedFormat
format.dns1123Label: () -> kubernetes.NamedFormat
format.dns1123LabelPrefix: () -> kubernetes.NamedFormat
format.dns1123Subdomain: () -> kubernetes.NamedFormat
format.dns1123SubdomainPrefix: () -> kubernetes.NamedFormat
format.labelValue: () -> kubernetes.NamedFormat
format.named: (string) -> optional_type(kubernetes.NamedFormat)
format.qualifiedName: () -> kubernetes.NamedFormat
format.uri: () -> kubernetes.NamedFormat
format.uuid: () -> kubernetes.NamedFormat
validate: kubernetes.NamedFormat.(string) -> optional_type(list(string))
";

/// Functions with one signature for each type that has an order: the type stands for `T`.
const ORDERED: &str = "
_<_: (T, T) -> bool
_<=_: (T, T) -> bool
_>_: (T, T) -> bool
_>=_: (T, T) -> bool
isSorted: list(T).() -> bool
max: list(T).() -> T
min: list(T).() -> T
sort: list(T).() -> list(T)
";

/// The types that have an order.
const ORDERED_TYPES: [&str; 8] = [
    "bool",
    "bytes",
    "double",
    "duration",
    "int",
    "string",
    "timestamp",
    "uint",
];

/// The types that can be added up.
const SUMMABLE_TYPES: [&str; 4] = ["int", "uint", "double", "duration"];

/// One way to call a function.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) is_method: bool,
    /// The target first, if it is a method.
    pub(crate) parameters: Vec<Type>,
    pub(crate) result: Type,
}

static SIGNATURES: LazyLock<HashMap<String, Vec<Signature>>> = LazyLock::new(|| {
    let mut signatures: HashMap<String, Vec<Signature>> = HashMap::new();
    for line in lines() {
        if let Some((name, signature)) = Signature::parse(&line) {
            signatures
                .entry(name.to_owned())
                .or_default()
                .push(signature);
        }
    }
    signatures
});

/// The ways to call `name`; none if there is no such function.
pub(crate) fn signatures(name: &str) -> &'static [Signature] {
    SIGNATURES.get(name).map_or(&[], Vec::as_slice)
}

fn lines() -> Vec<String> {
    let mut lines: Vec<String> = DECLARATIONS.lines().map(str::to_owned).collect();
    for line in ORDERED.lines() {
        lines.extend(ORDERED_TYPES.iter().map(|kind| line.replace('T', kind)));
    }
    for operator in ["_<_", "_<=_", "_>_", "_>=_"] {
        for (a, b) in [("int", "uint"), ("int", "double"), ("uint", "double")] {
            lines.push(format!("{operator}: ({a}, {b}) -> bool"));
            lines.push(format!("{operator}: ({b}, {a}) -> bool"));
        }
    }
    for kind in SUMMABLE_TYPES {
        lines.push(format!("sum: list({kind}).() -> {kind}"));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

impl Signature {
    fn parse(line: &str) -> Option<(&str, Self)> {
        let (name, rest) = line.rsplit_once(": ")?;
        let (call, result) = rest.split_once(" -> ")?;
        let call = call.strip_suffix(')')?;
        let (target, arguments) = match call.split_once(".(") {
            Some((target, arguments)) => (Some(target), arguments),
            None => (None, call.strip_prefix('(')?),
        };
        let mut parameters = Vec::new();
        if let Some(target) = target {
            parameters.push(Type::parse(target)?);
        }
        for argument in top_level(arguments) {
            parameters.push(Type::parse(argument)?);
        }
        let signature = Self {
            is_method: target.is_some(),
            parameters,
            result: Type::parse(result)?,
        };
        Some((name, signature))
    }
}

/// The parts between commas outside of parentheses.
fn top_level(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = text.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    });
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::DOTTED;

    #[test]
    fn every_line_is_a_signature() {
        for line in lines() {
            assert!(Signature::parse(&line).is_some(), "{line}");
        }
        assert_eq!(signatures("_<_").len(), 14);
        assert_eq!(signatures("findAll")[1].parameters.len(), 3);
        assert!(signatures("nothing").is_empty());
    }

    #[test]
    fn dotted_names_are_known_to_the_parser_and_the_checks() {
        for name in DOTTED {
            assert!(!signatures(name).is_empty(), "{name}");
        }
        let declared = SIGNATURES.keys().filter(|name| name.contains('.'));
        for name in declared.filter(|name| !name.contains('@')) {
            assert!(DOTTED.contains(&name.as_str()), "{name}");
        }
    }
}
