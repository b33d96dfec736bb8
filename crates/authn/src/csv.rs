//! Comma-separated records, in the dialect and with the errors of Go's `encoding/csv`.

/// One record: its fields, unquoted.
pub(crate) type Record = Vec<Vec<u8>>;

/// Where and why a text is no CSV.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}parse error on line {line}, column {column}: {problem}", self.record_line())]
pub struct CsvError {
    /// The line that the record starts on, from 1.
    pub start_line: usize,
    /// The line of the error, from 1.
    pub line: usize,
    /// The byte in that line, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: CsvProblem,
}

impl CsvError {
    fn record_line(&self) -> String {
        if self.start_line == self.line {
            String::new()
        } else {
            format!("record on line {}; ", self.start_line)
        }
    }
}

/// What can be wrong with CSV.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CsvProblem {
    /// A quote stands inside a field that does not start with one.
    #[error("bare \" in non-quoted field")]
    BareQuote,
    /// A quoted field does not end, or goes on behind its closing quote.
    #[error("extraneous or missing \" in quoted-field")]
    Quote,
}

/// The records of a text. After an error there are no more.
pub(crate) struct Records<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> Records<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self {
            rest: text,
            line: 0,
        }
    }

    /// The next line without its end, and whether it had one.
    fn next_line(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let (text, ended) = match self.rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let (text, rest) = self.rest.split_at(end);
                self.rest = rest.get(1..).unwrap_or_default();
                (text, true)
            }
            None => (std::mem::take(&mut self.rest), false),
        };
        Some(Line {
            text: text.strip_suffix(b"\r").unwrap_or(text),
            ended,
        })
    }

    fn record(&mut self, first: Line<'a>) -> Result<Record, CsvError> {
        let start_line = self.line;
        let mut record = Record::new();
        let mut line = first;
        let mut column = 1;
        let error = |line, column, problem| CsvError {
            start_line,
            line,
            column,
            problem,
        };
        loop {
            let Some(quoted) = line.text.strip_prefix(b"\"") else {
                let end = line.text.iter().position(|byte| *byte == b',');
                let field = line
                    .text
                    .get(..end.unwrap_or(line.text.len()))
                    .unwrap_or_default();
                if let Some(quote) = field.iter().position(|byte| *byte == b'"') {
                    return Err(error(self.line, column + quote, CsvProblem::BareQuote));
                }
                record.push(field.to_vec());
                let Some(end) = end else { return Ok(record) };
                line.skip(end + 1, &mut column);
                continue;
            };
            line.text = quoted;
            column += 1;
            let mut field = Vec::new();
            loop {
                let Some(quote) = line.text.iter().position(|byte| *byte == b'"') else {
                    // The field goes on behind the end of the line.
                    field.extend_from_slice(line.text);
                    column += line.text.len();
                    let ended_at = self.line;
                    if line.ended {
                        field.push(b'\n');
                        column += 1;
                        if let Some(next) = self.next_line() {
                            line = next;
                            column = 1;
                            continue;
                        }
                    }
                    return Err(error(ended_at, column, CsvProblem::Quote));
                };
                field.extend_from_slice(line.text.get(..quote).unwrap_or_default());
                line.skip(quote + 1, &mut column);
                match line.text.first() {
                    Some(b'"') => {
                        field.push(b'"');
                        line.skip(1, &mut column);
                    }
                    Some(b',') => {
                        line.skip(1, &mut column);
                        record.push(field);
                        break;
                    }
                    None => {
                        record.push(field);
                        return Ok(record);
                    }
                    Some(_) => return Err(error(self.line, column - 1, CsvProblem::Quote)),
                }
            }
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, CsvError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = loop {
            let line = self.next_line()?;
            if !line.text.is_empty() {
                break line;
            }
        };
        let record = self.record(line);
        if record.is_err() {
            self.rest = &[];
        }
        Some(record)
    }
}

struct Line<'a> {
    text: &'a [u8],
    ended: bool,
}

impl Line<'_> {
    fn skip(&mut self, bytes: usize, column: &mut usize) {
        self.text = self.text.get(bytes..).unwrap_or_default();
        *column += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Vec<Vec<String>>, String> {
        Records::new(text.as_bytes())
            .map(|record| {
                let fields = record.map_err(|error| error.to_string())?;
                Ok(fields
                    .into_iter()
                    .map(|field| String::from_utf8(field).unwrap())
                    .collect())
            })
            .collect()
    }

    #[test]
    fn records_are_split_as_gos_reader_does() {
        for (text, expected) in [
            ("", vec![]),
            ("\n\n\r\n", vec![]),
            ("a,b,c", vec![vec!["a", "b", "c"]]),
            ("a,b\r\nc\n", vec![vec!["a", "b"], vec!["c"]]),
            (" a , b \n  \n", vec![vec![" a ", " b "], vec!["  "]]),
            ("a,,", vec![vec!["a", "", ""]]),
            ("\"a\",\"b,c\"", vec![vec!["a", "b,c"]]),
            ("\"a\"\"b\"", vec![vec!["a\"b"]]),
            ("\"\"", vec![vec![""]]),
            ("\"a\nb\"\nc", vec![vec!["a\nb"], vec!["c"]]),
            ("\"a\r\nb\",c\r\n", vec![vec!["a\nb", "c"]]),
            ("\"a\n\nb\"", vec![vec!["a\n\nb"]]),
            ("#a,b", vec![vec!["#a", "b"]]),
            ("a,b\r", vec![vec!["a", "b"]]),
            ("a\rb", vec![vec!["a\rb"]]),
        ] {
            let expected: Vec<Vec<String>> = expected
                .into_iter()
                .map(|r| r.into_iter().map(str::to_owned).collect())
                .collect();
            assert_eq!(read(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn errors_name_line_and_column() {
        for (text, expected) in [
            (
                "a,b,c\nd,e\"f,g",
                "parse error on line 2, column 4: bare \" in non-quoted field",
            ),
            (
                "t,u,i\nx, \"q\"",
                "parse error on line 2, column 4: bare \" in non-quoted field",
            ),
            (
                "\"a\"b",
                "parse error on line 1, column 3: extraneous or missing \" in quoted-field",
            ),
            (
                "\"a",
                "parse error on line 1, column 3: extraneous or missing \" in quoted-field",
            ),
            (
                "\"a\nb",
                "record on line 1; parse error on line 2, column 2: extraneous or missing \" in quoted-field",
            ),
            (
                "\"a\n",
                "parse error on line 1, column 4: extraneous or missing \" in quoted-field",
            ),
        ] {
            assert_eq!(read(text), Err(expected.to_owned()), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn quoted_fields_come_back(records in prop::collection::vec(prop::collection::vec("[a-c,\"\n ]{0,6}", 1..4), 0..4)) {
            let line = |fields: &Vec<String>| {
                let quoted: Vec<_> = fields.iter().map(|f| format!("\"{}\"", f.replace('"', "\"\""))).collect();
                quoted.join(",") + "\n"
            };
            let text: String = records.iter().map(line).collect();
            prop_assert_eq!(read(&text), Ok(records));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Records::new(&bytes).count();
        }
    }
}
