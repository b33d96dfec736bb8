//! Label selectors: `a=b,c!=d,e in (f,g),h notin (i),j,!k,n>3`.

use serde_json::Value;

use super::{Error, Labels};

/// Conditions on labels, all of which must hold.
///
/// ```
/// use burgee_wire::selector::LabelSelector;
/// let selector = LabelSelector::parse("tier in (front, back),!legacy").unwrap();
/// let labels = [("tier".to_owned(), "back".to_owned())].into();
/// assert!(selector.matches(&labels));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

/// One condition on a label.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requirement {
    /// The label's name.
    pub key: String,
    /// How its value is compared.
    pub operator: Operator,
    /// What it is compared with.
    pub values: Vec<String>,
}

/// How a label's value is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operator {
    /// The label is absent.
    DoesNotExist,
    /// The label is present.
    Exists,
    /// The value is a number greater than the one given.
    GreaterThan,
    /// The value is one of those given.
    In,
    /// The value is a number less than the one given.
    LessThan,
    /// The label is absent or its value is none of those given.
    NotIn,
}

impl LabelSelector {
    /// Reads the text of a `labelSelector` parameter.
    ///
    /// # Errors
    ///
    /// With upstream's text, when it does not parse or a name or value is no label.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parser = Parser {
            tokens: tokens(text),
            at: 0,
        };
        parser
            .requirements()
            .map(|requirements| Self { requirements })
            .map_err(Error::Label)
    }

    /// The `metav1.LabelSelector` object in this JSON: `matchLabels` and `matchExpressions`.
    ///
    /// # Errors
    ///
    /// When an expression has an unknown operator or a wrong number of values.
    pub fn from_value(value: &Value) -> Result<Self, Error> {
        let mut requirements = Vec::new();
        for (key, value) in value
            .get("matchLabels")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let values = vec![value.as_str().unwrap_or_default().to_owned()];
            requirements.push(Requirement {
                key: key.clone(),
                operator: Operator::In,
                values,
            });
        }
        for each in value
            .get("matchExpressions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |name| each.get(name).and_then(Value::as_str).unwrap_or_default();
            let operator = match text("operator") {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    return Err(Error::Label(format!(
                        "{other:?} is not a valid label selector operator"
                    )));
                }
            };
            let values = each
                .get("values")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let values: Vec<String> = values
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect();
            let needs_values = matches!(operator, Operator::In | Operator::NotIn);
            if needs_values == values.is_empty() {
                let key = text("key");
                return Err(Error::Label(format!(
                    "wrong number of values for label {key:?}"
                )));
            }
            requirements.push(Requirement {
                key: text("key").to_owned(),
                operator,
                values,
            });
        }
        Ok(Self { requirements })
    }

    /// Its conditions.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether there is no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether labels fulfil every condition.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.matches(labels))
    }
}

impl Requirement {
    fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let number = || {
            value?
                .parse::<i64>()
                .ok()
                .zip(self.values.first()?.parse::<i64>().ok())
        };
        match self.operator {
            Operator::DoesNotExist => value.is_none(),
            Operator::Exists => value.is_some(),
            Operator::In => value.is_some_and(|value| self.values.contains(value)),
            Operator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            Operator::GreaterThan => number().is_some_and(|(own, bound)| own > bound),
            Operator::LessThan => number().is_some_and(|(own, bound)| own < bound),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Symbol(&'static str),
    Word(String),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Symbol(symbol) => symbol,
            Self::Word(word) => word,
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    const SYMBOLS: [&str; 9] = ["!=", "==", "=", "!", "(", ")", ",", ">", "<"];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            tokens.push(Token::Symbol(symbol));
            rest = rest.strip_prefix(symbol).unwrap_or_default().trim_start();
            continue;
        }
        let ends = |c: char| c.is_whitespace() || "=!(),<>".contains(c);
        let (word, tail) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        tokens.push(Token::Word(word.to_owned()));
        rest = tail.trim_start();
    }
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn peek_text(&self) -> &str {
        self.peek().map_or("", Token::text)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Symbol(next)) if *next == symbol);
        if is_next {
            self.at += 1;
        }
        is_next
    }

    fn requirements(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        while self.peek().is_some() {
            requirements.push(self.requirement()?);
            if self.peek().is_none() {
                break;
            }
            if !self.take_symbol(",") {
                return Err(format!(
                    "found '{}', expected: ',' or 'end of string'",
                    self.peek_text()
                ));
            }
            if !matches!(self.peek(), Some(Token::Word(_) | Token::Symbol("!"))) {
                return Err(format!(
                    "found '{}', expected: identifier after ','",
                    self.peek_text()
                ));
            }
        }
        Ok(requirements)
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.take_symbol("!");
        let key = match self.take() {
            Some(Token::Word(word)) => word,
            other => {
                let found = other.as_ref().map_or("", Token::text);
                return Err(format!("found '{found}', expected: identifier"));
            }
        };
        check_key(&key)?;
        if absent {
            return Ok(Requirement {
                key,
                operator: Operator::DoesNotExist,
                values: Vec::new(),
            });
        }
        if matches!(self.peek(), None | Some(Token::Symbol(","))) {
            return Ok(Requirement {
                key,
                operator: Operator::Exists,
                values: Vec::new(),
            });
        }
        let operator = self.take();
        let (operator, values) = match operator.as_ref().map_or("", Token::text) {
            "in" => (Operator::In, self.list()?),
            "notin" => (Operator::NotIn, self.list()?),
            "=" | "==" => (Operator::In, vec![self.value()]),
            "!=" => (Operator::NotIn, vec![self.value()]),
            ">" => (Operator::GreaterThan, vec![self.number(&key)?]),
            "<" => (Operator::LessThan, vec![self.number(&key)?]),
            other => {
                return Err(format!(
                    "found '{other}', expected: in, notin, =, ==, !=, gt, lt"
                ));
            }
        };
        values
            .iter()
            .try_for_each(|value| check_value(&key, value))?;
        Ok(Requirement {
            key,
            operator,
            values,
        })
    }

    /// A value after `=`; nothing stands for the empty value.
    fn value(&mut self) -> String {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                word
            }
            _ => String::new(),
        }
    }

    fn number(&mut self, key: &str) -> Result<String, String> {
        let value = self.value();
        if value.parse::<i64>().is_err() {
            return Err(format!(
                "values[0][{key}]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer"
            ));
        }
        Ok(value)
    }

    fn list(&mut self) -> Result<Vec<String>, String> {
        if !self.take_symbol("(") {
            return Err(format!("found '{}' expected: '('", self.peek_text()));
        }
        let mut values = Vec::new();
        loop {
            match self.take() {
                Some(Token::Word(word)) => {
                    values.push(word);
                    if self.take_symbol(")") {
                        break;
                    }
                    if !self.take_symbol(",") {
                        return Err(format!(
                            "found '{}', expected: ',' or ')'",
                            self.peek_text()
                        ));
                    }
                    if self.take_symbol(")") {
                        values.push(String::new());
                        break;
                    }
                }
                Some(Token::Symbol(",")) => {
                    values.push(String::new());
                    if self.take_symbol(")") {
                        values.push(String::new());
                        break;
                    }
                }
                Some(Token::Symbol(")")) if values.is_empty() => {
                    values.push(String::new());
                    break;
                }
                other => {
                    let found = other.as_ref().map_or("", Token::text);
                    return Err(format!("found '{found}', expected: ',', ')' or identifier"));
                }
            }
        }
        values.sort();
        values.dedup();
        Ok(values)
    }
}

fn check_key(key: &str) -> Result<(), String> {
    let problems = crate::names::qualified_name(key);
    match problems.as_slice() {
        [] => Ok(()),
        [one] => Err(format!("key: Invalid value: {}: {one}", crate::quoted(key))),
        many => Err(format!(
            "key: Invalid value: {}: {}",
            crate::quoted(key),
            many.join("; ")
        )),
    }
}

fn check_value(key: &str, value: &str) -> Result<(), String> {
    let problems = crate::names::label_value(value);
    if problems.is_empty() {
        return Ok(());
    }
    let value = crate::quoted(value);
    Err(format!(
        "values[0][{key}]: Invalid value: {value}: {}",
        problems.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        LabelSelector::parse(selector).unwrap().matches(&labels)
    }

    #[test]
    fn each_operator_matches_as_upstream() {
        let labels = [("a", "b"), ("n", "5"), ("e", "")];
        let table = [
            ("", true),
            ("a", true),
            ("!a", false),
            ("x", false),
            ("!x", true),
            ("a=b", true),
            ("a==b", true),
            ("a = b", true),
            ("a=c", false),
            ("a!=b", false),
            ("x!=b", true),
            ("a in (b,c)", true),
            ("a in (c)", false),
            ("a notin (c)", true),
            ("x notin (c)", true),
            ("n>4", true),
            ("n>5", false),
            ("n<6", true),
            ("a>1", false),
            ("e=", true),
            ("e", true),
            ("a in (),e", false),
            ("a=b,n=5", true),
            ("a=b,n=6", false),
        ];
        for (selector, expected) in table {
            assert_eq!(matches(selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn what_does_not_parse_is_refused_with_upstreams_text() {
        let table = [
            (
                "a in (",
                "unable to parse requirement: found '', expected: ',', ')' or identifier",
            ),
            (
                "a,",
                "unable to parse requirement: found '', expected: identifier after ','",
            ),
            (
                "=b",
                "unable to parse requirement: found '=', expected: identifier",
            ),
            (
                "a b",
                "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
            ),
        ];
        for (selector, text) in table {
            assert_eq!(
                LabelSelector::parse(selector).unwrap_err().to_string(),
                text,
                "{selector}"
            );
        }
        for bad in ["a=b c", "a in b", "a=-x", "-a", "a>x", "a/b/c", "(a)"] {
            assert!(LabelSelector::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn selector_objects_are_read() {
        let value = serde_json::json!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]});
        let selector = LabelSelector::from_value(&value).unwrap();
        assert_eq!(selector.requirements().len(), 2);
        let bad = serde_json::json!({"matchExpressions": [{"key": "c", "operator": "In"}]});
        assert!(LabelSelector::from_value(&bad).is_err());
    }
}
