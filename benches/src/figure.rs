//! What was measured, and how it is told.

use std::io::Write as _;

use anyhow::Result;
use serde_json::{Map, Value, json};

/// One measured figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    reference: Option<Reference>,
    goal: Option<Goal>,
}

/// What was measured beside it in the same run.
#[derive(Clone, Copy, Debug)]
struct Reference {
    kind: &'static str,
    value: f64,
    ratio: f64,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// The ratio to its reference, at least.
    RatioAtLeast(f64),
    /// The ratio to its reference, at most.
    RatioAtMost(f64),
    /// The value itself, at most.
    ValueAtMost(f64),
}

impl Figure {
    /// A figure that stands for itself.
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            reference: None,
            goal: None,
        }
    }

    /// Sets what cannot be undercut: the cryptography, the disk, the bytes themselves.
    pub(crate) fn floor(self, value: f64) -> Self {
        let ratio = self.value / value;
        self.reference("floor", value, ratio)
    }

    /// As [`Figure::floor`], with the median of the ratios of pairs that were measured next to each
    /// other, which drift of the machine cannot touch.
    pub(crate) fn floor_paired(self, value: f64, ratio: f64) -> Self {
        self.reference("floor", value, ratio)
    }

    /// Sets what another program needs for the same.
    pub(crate) fn peer(self, value: f64) -> Self {
        let ratio = self.value / value;
        self.reference("peer", value, ratio)
    }

    /// As [`Figure::peer`], with the median of the ratios of neighbouring rounds.
    pub(crate) fn peer_paired(self, value: f64, ratio: f64) -> Self {
        self.reference("peer", value, ratio)
    }

    /// Sets what it should be.
    pub(crate) fn goal(self, goal: Goal) -> Self {
        Self {
            goal: Some(goal),
            ..self
        }
    }

    fn reference(self, kind: &'static str, value: f64, ratio: f64) -> Self {
        let reference = Reference { kind, value, ratio };
        Self {
            reference: Some(reference),
            ..self
        }
    }

    fn is_met(&self) -> Option<bool> {
        let ratio = self.reference.map_or(f64::NAN, |reference| reference.ratio);
        Some(match self.goal? {
            Goal::RatioAtLeast(least) => ratio >= least,
            Goal::RatioAtMost(most) => ratio <= most,
            Goal::ValueAtMost(most) => self.value <= most,
        })
    }

    fn to_json(&self) -> Value {
        let mut members = Map::new();
        members.insert("name".into(), json!(self.name));
        members.insert("value".into(), json!(rounded(self.value)));
        members.insert("unit".into(), json!(self.unit));
        if let Some(Reference { kind, value, ratio }) = self.reference {
            members.insert(kind.into(), json!(rounded(value)));
            members.insert("ratio".into(), json!(rounded(ratio)));
        }
        if let (Some(goal), Some(is_met)) = (self.goal, self.is_met()) {
            members.insert("goal".into(), json!(goal.text(self.unit)));
            members.insert("met".into(), json!(is_met));
        }
        Value::Object(members)
    }

    fn cells(&self) -> [String; 5] {
        let reference = self.reference.map_or_else(String::new, |reference| {
            format!("{} {}", reference.kind, shown(reference.value))
        });
        let ratio = self
            .reference
            .map_or_else(String::new, |reference| format!("{:.2}", reference.ratio));
        let goal = match (self.goal, self.is_met()) {
            (Some(goal), Some(true)) => format!("met: {}", goal.text(self.unit)),
            (Some(goal), _) => format!("MISSED: {}", goal.text(self.unit)),
            (None, _) => String::new(),
        };
        let value = format!("{} {}", shown(self.value), self.unit);
        [self.name.clone(), value, reference, ratio, goal]
    }
}

impl Goal {
    fn text(self, unit: &str) -> String {
        match self {
            Self::RatioAtLeast(least) => format!("ratio >= {least:.2}"),
            Self::RatioAtMost(most) => format!("ratio <= {most:.2}"),
            Self::ValueAtMost(most) => format!("<= {most} {unit}"),
        }
    }
}

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Figure>);

impl Report {
    /// Prints a figure as one line of JSON on the standard output, and keeps it for the table.
    pub(crate) fn add(&mut self, figure: Figure) -> Result<()> {
        let mut output = std::io::stdout().lock();
        writeln!(output, "{}", figure.to_json())?;
        output.flush()?;
        self.0.push(figure);
        Ok(())
    }

    /// Everything as a table.
    pub(crate) fn table(&self) -> String {
        let heading = ["figure", "value", "beside it", "ratio", "goal"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(heading)
            .chain(self.0.iter().map(Figure::cells))
            .collect();
        let mut widths = [0; 5];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.len().max(*width);
            }
        }
        let mut text = String::new();
        for row in &rows {
            let cells = row.iter().zip(widths);
            let line: String = cells
                .map(|(cell, width)| format!("{cell:<width$}  "))
                .collect();
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Four significant digits: more would pretend.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    if digits <= 0 {
        return value.round();
    }
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

fn shown(value: f64) -> String {
    rounded(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_tells_its_ratio_and_whether_its_goal_is_met() {
        let figure = Figure::new("x", 12_345.678, "requests/s").peer(20_000.0);
        let line = figure.clone().goal(Goal::RatioAtLeast(0.6)).to_json();
        let expected = r#"{"goal":"ratio >= 0.60","met":true,"name":"x","peer":20000.0,"ratio":0.6173,"unit":"requests/s","value":12346.0}"#;
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(line, expected);
        let missed = figure.goal(Goal::ValueAtMost(100.0)).cells();
        assert_eq!(missed[4], "MISSED: <= 100 requests/s");
    }

    #[test]
    fn four_digits_are_shown() {
        for (value, text) in [
            (0.0123456, "0.01235"),
            (1.0, "1"),
            (9.87654, "9.877"),
            (1_234_567.0, "1234567"),
        ] {
            assert_eq!(shown(value), text);
        }
    }
}
