//! Tables, as `kubectl get` shows them.

use burgee_wire::{Object, Time};
use jiff::Timestamp;
use serde_json::Value;

/// One column of a table (`metav1.TableColumnDefinition`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Column {
    /// Its heading.
    pub name: &'static str,
    /// OpenAPI type of its cells: `string`, `integer`, `date`.
    pub kind: &'static str,
    /// OpenAPI format of its cells; `name` marks the column that names the object.
    pub format: &'static str,
    /// What it shows.
    pub description: &'static str,
    /// 0 is always shown, 1 only in wide output.
    pub priority: i32,
}

impl Column {
    /// A text column that is always shown.
    pub(crate) const fn new(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            kind: "string",
            format: "",
            description,
            priority: 0,
        }
    }

    /// A text column of wide output.
    pub(crate) const fn wide(name: &'static str, description: &'static str) -> Self {
        Self {
            priority: 1,
            ..Self::new(name, description)
        }
    }
}

/// The column that names the object.
pub(crate) const NAME: Column = Column {
    format: "name",
    ..Column::new(
        "Name",
        "What tells the object from others of its resource and namespace.",
    )
};

/// The column with the time since creation.
pub(crate) const AGE: Column = Column::new("Age", "How long ago the server created the object.");

/// The columns of kinds that have none of their own.
pub(crate) const NAME_AND_CREATED_AT: &[Column] = &[
    NAME,
    Column {
        kind: "date",
        ..Column::new("Created At", "When the server created the object.")
    },
];

/// The cell that names the object.
pub(crate) fn name(object: &Object) -> Value {
    object.metadata.name.as_str().into()
}

/// The cell with the time of creation.
pub(crate) fn created_at(object: &Object) -> Value {
    // Go's zero time stands for none.
    let none = || "0001-01-01T00:00:00Z".to_owned();
    object
        .metadata
        .creation_timestamp
        .map_or_else(none, |time| time.to_string())
        .into()
}

/// The time since the object was created, as people say it.
#[must_use]
pub fn age(object: &Object, now: Timestamp) -> String {
    since(object.metadata.creation_timestamp, now)
}

/// The time since `start`, as people say it; `<unknown>` where there is none.
pub(crate) fn since(start: Option<Time>, now: Timestamp) -> String {
    match start {
        Some(start) => humanised(now.as_second() - start.timestamp().as_second()),
        None => "<unknown>".to_owned(),
    }
}

/// A duration in seconds with two or three significant digits (`k8s.io/apimachinery/pkg/util/duration`).
///
/// ```
/// use burgee_resources::humanised;
/// let texts = [119, 125, 600, 7260, 200_000, 100_000_000].map(humanised);
/// assert_eq!(texts, ["119s", "2m5s", "10m", "121m", "2d7h", "3y62d"]);
/// ```
#[must_use]
pub fn humanised(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        _ if minutes < 3 * 60 => format!("{minutes}m"),
        _ if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if days < 8 => pair(days, "d", hours % 24, "h"),
        _ if days < 2 * 365 => format!("{days}d"),
        _ if days < 8 * 365 => pair(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

fn pair(large: i64, unit: &str, small: i64, small_unit: &str) -> String {
    match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{small}{small_unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_exact_as_they_are_short() {
        let (minute, hour, day, year) = (60, 3600, 86400, 365 * 86400);
        let table = [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (2 * minute, "2m"),
            (10 * minute - 1, "9m59s"),
            (10 * minute, "10m"),
            (3 * hour - 1, "179m"),
            (3 * hour, "3h"),
            (8 * hour - 1, "7h59m"),
            (8 * hour, "8h"),
            (2 * day - 1, "47h"),
            (2 * day, "2d"),
            (8 * day - 1, "7d23h"),
            (8 * day, "8d"),
            (2 * year - 1, "729d"),
            (2 * year, "2y"),
            (8 * year - 1, "7y364d"),
            (9 * year, "9y"),
        ];
        for (seconds, text) in table {
            assert_eq!(humanised(seconds), text, "{seconds}");
        }
    }
}
