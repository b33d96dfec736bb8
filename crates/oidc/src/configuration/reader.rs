//! From a tree to typed values, noting members that do not exist and the lines of those that do.

use std::collections::BTreeMap;

use burgee_wire::field::Path;
use burgee_wire::quoted;

use super::node::{Node, Value};

/// The line of each field that the file has, counted from 1.
#[derive(Debug, Default)]
pub(super) struct Lines(BTreeMap<String, u64>);

impl Lines {
    /// The line of a field, or of the innermost one around it that the file has.
    pub(super) fn of(&self, path: &Path) -> Option<u64> {
        let mut path = path.to_string();
        loop {
            if let Some(line) = self.0.get(&path) {
                return Some(*line);
            }
            path.truncate(path.rfind(['.', '['])?);
        }
    }
}

/// A type whose members are known.
pub(super) trait Object: Default {
    /// Upstream's name of the type.
    const NAME: &'static str;

    /// Takes the value of a member over; false if the type has no such member.
    fn member(&mut self, name: &str, value: Member<'_>) -> Result<bool, String>;
}

/// What is learned on the way.
#[derive(Default)]
pub(super) struct Reader {
    /// Members that do not exist, in the file's order, with their lines.
    pub(super) unknown: Vec<String>,
    pub(super) lines: Lines,
}

impl Reader {
    /// Decodes the value of the field at `path`, which is empty for the whole file, of the type `owner`.
    ///
    /// # Errors
    /// Go's text for the first value of another type.
    pub(super) fn object<T: Object>(
        &mut self,
        node: &Node,
        path: &str,
        owner: &str,
    ) -> Result<T, String> {
        let mut object = T::default();
        let members = match &node.value {
            Value::Map(members) => members,
            Value::Null => return Ok(object),
            other => return Err(wrong_type(node, other, path, owner, T::NAME)),
        };
        for (key, node) in members {
            let name = &key.name;
            let path = match path {
                "" => name.clone(),
                outer => format!("{outer}.{name}"),
            };
            if let Some(line) = key.line {
                self.lines.0.insert(path.clone(), line);
            }
            let member = Member {
                node,
                path: &path,
                owner: T::NAME,
                reader: self,
            };
            if !object.member(name, member)? {
                let problem = format!("unknown field {}", quoted(&path));
                self.unknown.push(with_line(problem, key.line));
            }
        }
        Ok(object)
    }
}

/// The value of a member, yet to be decoded.
pub(super) struct Member<'a> {
    node: &'a Node,
    /// With list indices.
    path: &'a str,
    /// The type that has the member.
    owner: &'static str,
    reader: &'a mut Reader,
}

impl Member<'_> {
    pub(super) fn bool(self) -> Result<bool, String> {
        match &self.node.value {
            Value::Bool(flag) => Ok(*flag),
            Value::Null => Ok(false),
            other => Err(self.wrong(other, "bool")),
        }
    }

    pub(super) fn text(self) -> Result<String, String> {
        self.nullable_text().map(Option::unwrap_or_default)
    }

    pub(super) fn nullable_text(self) -> Result<Option<String>, String> {
        match &self.node.value {
            Value::String(text) => Ok(Some(text.clone())),
            Value::Null => Ok(None),
            other => Err(self.wrong(other, "string")),
        }
    }

    pub(super) fn object<T: Object>(self) -> Result<T, String> {
        self.reader.object(self.node, self.path, self.owner)
    }

    pub(super) fn nullable_object<T: Object>(self) -> Result<Option<T>, String> {
        match &self.node.value {
            Value::Null => Ok(None),
            _ => self.object().map(Some),
        }
    }

    pub(super) fn objects<T: Object>(self) -> Result<Vec<T>, String> {
        self.list(&format!("[]apiserver.{}", T::NAME), |item| item.object())
    }

    pub(super) fn texts(self) -> Result<Vec<String>, String> {
        self.list("[]string", |item| item.text())
    }

    fn list<T>(
        self,
        expected: &str,
        decode: impl Fn(Member<'_>) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let items = match &self.node.value {
            Value::List(items) => items,
            Value::Null => return Ok(Vec::new()),
            other => return Err(self.wrong(other, expected)),
        };
        let mut decoded = Vec::with_capacity(items.len());
        for (index, node) in items.iter().enumerate() {
            let path = format!("{}[{index}]", self.path);
            if let Some(line) = node.line {
                self.reader.lines.0.insert(path.clone(), line);
            }
            let (owner, reader) = (self.owner, &mut *self.reader);
            decoded.push(decode(Member {
                node,
                path: &path,
                owner,
                reader,
            })?);
        }
        Ok(decoded)
    }

    fn wrong(&self, found: &Value, expected: &str) -> String {
        wrong_type(self.node, found, self.path, self.owner, expected)
    }
}

/// Go's text for a value of another type; its path has no list indices.
fn wrong_type(node: &Node, found: &Value, path: &str, owner: &str, expected: &str) -> String {
    let steps = path.split('.');
    let members: Vec<_> = steps
        .map(|step| step.split_once('[').map_or(step, |(name, _)| name))
        .collect();
    let problem = format!(
        "json: cannot unmarshal {} into Go struct field {owner}.{} of type {expected}",
        found.json_type(),
        members.join("."),
    );
    with_line(problem, node.line)
}

fn with_line(problem: String, line: Option<u64>) -> String {
    match line {
        Some(line) => format!("{problem} (line {line})"),
        None => problem,
    }
}
