//! Results on standard output.

use std::io::{self, Write as _};

use clap::ValueEnum;
use serde::Serialize;

use crate::failure::Failure;

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Output {
    /// An indented JSON document
    Json,
    /// Columns for people
    #[default]
    Table,
    /// A YAML document
    Yaml,
}

/// A result that can be written in each of the forms.
pub(crate) trait Present: Serialize {
    /// The columns' headings, then one row for each item.
    fn table(&self) -> Vec<Vec<String>>;
}

impl Output {
    /// Writes the result to standard output.
    pub(crate) fn print(self, result: &impl Present) -> Result<(), Failure> {
        print(&self.render(result)?)
    }

    fn render(self, result: &impl Present) -> Result<String, Failure> {
        Ok(match self {
            Self::Json => serde_json::to_string_pretty(result)? + "\n",
            Self::Table => aligned(&result.table()),
            Self::Yaml => serde_saphyr::to_string(result)?,
        })
    }
}

/// Writes text to standard output, all of it or an error: `println!` would panic on a closed pipe.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Rows with columns as wide as their widest field, three spaces apart, as kubectl prints them.
fn aligned(rows: &[Vec<String>]) -> String {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, field) in widths.iter_mut().zip(row) {
            *width = field.chars().count().max(*width);
        }
    }
    let line = |row: &Vec<String>| {
        let fields = row.iter().zip(&widths);
        let padded: String = fields
            .map(|(field, width)| format!("{field:<width$}   "))
            .collect();
        padded.trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_trailing_spaces() {
        let rows =
            [["NAME", "AGE"], ["a-long-name", "5m"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&rows), "NAME          AGE\na-long-name   5m\n");
    }
}
