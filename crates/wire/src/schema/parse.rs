//! The parser of schema texts.

use std::collections::HashMap;

use super::{Field, FieldPlace, PatchStrategy, Schema, Shape, Struct, StructRef, Topology};

/// Why a schema text cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub(super) struct Error {
    file: &'static str,
    line: usize,
    problem: String,
}

/// Parses all texts into one schema. Types may be used before they are described.
pub(super) fn parse(sources: &[(&'static str, &'static str)]) -> Result<Schema, Error> {
    let names = struct_names(sources)?;
    let mut structs = Vec::with_capacity(names.len());
    for &(file, text) in sources {
        parse_file(file, text, &names, &mut structs)?;
    }
    index(&mut structs);
    Ok(Schema {
        structs,
        by_name: names,
    })
}

/// First pass: gives every struct its handle.
fn struct_names(
    sources: &[(&'static str, &'static str)],
) -> Result<HashMap<&'static str, StructRef>, Error> {
    let mut names = HashMap::new();
    for &(file, text) in sources {
        let mut prefixes = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let fail = |problem: String| Error {
                file,
                line: index + 1,
                problem,
            };
            let mut words = line.split_whitespace();
            match words.next().filter(|_| is_declaration(line)) {
                Some("prefix") => {
                    let (alias, prefix) = words
                        .next()
                        .zip(words.next())
                        .ok_or_else(|| fail("prefix needs an alias and a name".into()))?;
                    prefixes.insert(alias, prefix);
                }
                Some("struct") => {
                    let name = words
                        .next()
                        .ok_or_else(|| fail("struct needs a name".into()))?;
                    let full = full_name(name, &prefixes).map_err(fail)?;
                    let handle = u16::try_from(names.len()).map_err(|e| fail(e.to_string()))?;
                    if names.insert(full, StructRef(handle)).is_some() {
                        return Err(fail(format!("{full} is described twice")));
                    }
                }
                _ => {}
            }
        }
    }
    Ok(names)
}

/// Declarations stand in the first column; fields, which may have the same names, are indented.
fn is_declaration(line: &str) -> bool {
    !line.starts_with(char::is_whitespace)
}

/// `core.Pod` with the alias replaced. Names live as long as the program, so leaking them is fine.
fn full_name(
    name: &'static str,
    prefixes: &HashMap<&'static str, &'static str>,
) -> Result<&'static str, String> {
    let (alias, short) = name
        .split_once('.')
        .ok_or(format!("{name} has no prefix"))?;
    let prefix = prefixes
        .get(alias)
        .ok_or(format!("prefix {alias} is not declared"))?;
    Ok(String::leak(format!("{prefix}.{short}")))
}

fn parse_file(
    file: &'static str,
    text: &'static str,
    names: &HashMap<&'static str, StructRef>,
    structs: &mut Vec<Struct>,
) -> Result<(), Error> {
    let mut prefixes = HashMap::new();
    let mut current: Option<Struct> = None;
    for (index, line) in text.lines().enumerate() {
        let fail = |problem: String| Error {
            file,
            line: index + 1,
            problem,
        };
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if let Some(description) = trimmed.strip_prefix('|') {
            let target = current
                .as_mut()
                .ok_or_else(|| fail("description of nothing".into()))?;
            let slot = match target.fields.last_mut() {
                Some(field) => &mut field.description,
                None => &mut target.description,
            };
            *slot = join(slot, description.trim());
            continue;
        }
        let mut words = trimmed.split_whitespace();
        match words.next() {
            Some("prefix") if is_declaration(line) => {
                if let Some((alias, prefix)) = words.next().zip(words.next()) {
                    prefixes.insert(alias, prefix);
                }
            }
            Some("struct") if is_declaration(line) => {
                structs.extend(current.take());
                let name = words.next().unwrap_or_default();
                let name = full_name(name, &prefixes).map_err(fail)?;
                let mut parsed = Struct {
                    name,
                    fields: Vec::new(),
                    atomic: false,
                    type_meta: false,
                    description: "",
                    index: HashMap::new(),
                    members: Vec::new(),
                };
                for attribute in words {
                    match attribute {
                        "atomic" => parsed.atomic = true,
                        "typemeta" => parsed.type_meta = true,
                        other => return Err(fail(format!("unknown struct attribute {other}"))),
                    }
                }
                current = Some(parsed);
            }
            Some(name) => {
                let target = current
                    .as_mut()
                    .ok_or_else(|| fail("field of nothing".into()))?;
                let rest = trimmed.get(name.len()..).unwrap_or_default();
                target
                    .fields
                    .push(parse_field(name, rest, &prefixes, names).map_err(fail)?);
            }
            None => {}
        }
    }
    structs.extend(current.take());
    Ok(())
}

fn join(before: &'static str, more: &'static str) -> &'static str {
    if before.is_empty() {
        more
    } else {
        String::leak(format!("{before} {more}"))
    }
}

fn parse_field(
    name: &'static str,
    rest: &'static str,
    prefixes: &HashMap<&'static str, &'static str>,
    names: &HashMap<&'static str, StructRef>,
) -> Result<Field, String> {
    let rest = rest.trim_start();
    let (number, rest) = rest
        .split_once(char::is_whitespace)
        .ok_or("a field needs a type")?;
    let number = number
        .parse()
        .map_err(|e| format!("protobuf number {number}: {e}"))?;
    let rest = rest.trim_start();
    let (shape, mut rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let (shape, pointer) = match shape.strip_suffix('?') {
        Some(pointee) => (pointee, true),
        None => (shape, false),
    };
    let mut field = Field {
        name,
        number,
        shape: parse_shape(shape, prefixes, names)?,
        pointer,
        always: false,
        required: false,
        inline: false,
        omitzero: false,
        wrapped: false,
        topology: Topology::Default,
        patch: PatchStrategy::default(),
        default: None,
        description: "",
    };
    while let Some((attribute, argument, remaining)) = next_attribute(rest)? {
        rest = remaining;
        match (attribute, argument) {
            ("always", None) => field.always = true,
            ("required", None) => field.required = true,
            ("inline", None) => field.inline = true,
            ("omitzero", None) => field.omitzero = true,
            ("wrapped", None) => field.wrapped = true,
            ("atomic", None) => field.topology = Topology::Atomic,
            ("set", None) => field.topology = Topology::Set,
            ("map", Some(keys)) => {
                field.topology = Topology::Map(keys.split(',').map(str::trim).collect());
            }
            ("merge", key) => {
                field.patch.merge = true;
                field.patch.merge_key = key;
            }
            ("retainkeys", None) => field.patch.retain_keys = true,
            ("default", Some(json)) => {
                let value = serde_json::from_str(json).map_err(|e| format!("default: {e}"))?;
                field.default = Some(value);
            }
            (other, _) => return Err(format!("unknown attribute {other}")),
        }
    }
    Ok(field)
}

type Attribute = (&'static str, Option<&'static str>, &'static str);

/// The next `word` or `word(argument)`; the argument ends at the matching parenthesis.
fn next_attribute(text: &'static str) -> Result<Option<Attribute>, String> {
    let text = text.trim_start();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let end = text
        .find(|c: char| c.is_whitespace() || c == '(')
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let Some(inner) = rest.strip_prefix('(') else {
        return Ok(Some((word, None, rest)));
    };
    let mut depth = 1_u32;
    for (at, character) in inner.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (argument, rest) = inner.split_at(at);
            return Ok(Some((
                word,
                Some(argument),
                rest.get(1..).unwrap_or_default(),
            )));
        }
    }
    Err(format!("{word}( has no end"))
}

fn parse_shape(
    text: &'static str,
    prefixes: &HashMap<&'static str, &'static str>,
    names: &HashMap<&'static str, StructRef>,
) -> Result<Shape, String> {
    if let Some(item) = text.strip_prefix("[]") {
        return Ok(Shape::List(Box::new(parse_shape(item, prefixes, names)?)));
    }
    if let Some(value) = text
        .strip_prefix("map<")
        .and_then(|rest| rest.strip_suffix('>'))
    {
        return Ok(Shape::Map(Box::new(parse_shape(value, prefixes, names)?)));
    }
    Ok(match text {
        "bool" => Shape::Bool,
        "bytes" => Shape::Bytes,
        "fieldsv1" => Shape::FieldsV1,
        "float64" => Shape::Float64,
        "int32" => Shape::Int32,
        "int64" => Shape::Int64,
        "intorstring" => Shape::IntOrString,
        "microtime" => Shape::MicroTime,
        "quantity" => Shape::Quantity,
        "raw" => Shape::Raw,
        "string" => Shape::String,
        "time" => Shape::Time,
        _ => {
            let name = full_name(text, prefixes)?;
            Shape::Struct(*names.get(name).ok_or(format!("{name} is not described"))?)
        }
    })
}

/// Second pass: JSON member names to fields, through inlined structs.
fn index(structs: &mut [Struct]) {
    let names: Vec<Vec<&'static str>> = structs
        .iter()
        .map(|each| each.fields.iter().map(|field| field.name).collect())
        .collect();
    for each in structs {
        for (at, field) in each.fields.iter().enumerate() {
            match field.shape {
                Shape::Struct(inner) if field.inline => {
                    let place = usize::from(inner.0);
                    let inner_names = names.get(place).map(Vec::as_slice).unwrap_or_default();
                    for (at, &name) in inner_names.iter().enumerate() {
                        each.index.insert(name, FieldPlace::Inlined(inner, at));
                        each.members.push(FieldPlace::Inlined(inner, at));
                    }
                }
                _ => {
                    each.index.insert(field.name, FieldPlace::Own(at));
                    each.members.push(FieldPlace::Own(at));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_texts_name_file_and_line() {
        let table = [
            ("x", "struct core.A", "prefix core is not declared"),
            (
                "x",
                "prefix core c\nstruct core.A\n  a 1 core.B",
                "c.B is not described",
            ),
            (
                "x",
                "prefix core c\nstruct core.A\n  a 1 string shiny",
                "unknown attribute shiny",
            ),
            (
                "x",
                "prefix core c\nstruct core.A\n  a one string",
                "protobuf number one",
            ),
            ("x", "| lost", "description of nothing"),
            (
                "x",
                "prefix c c\nstruct c.A\nstruct c.A",
                "c.A is described twice",
            ),
        ];
        for (file, text, problem) in table {
            let error = parse(&[(file, text)]).unwrap_err().to_string();
            assert!(error.contains(problem), "{error} does not say {problem}");
            assert!(error.starts_with("x:"), "{error}");
        }
    }

    #[test]
    fn descriptions_continue_and_defaults_are_json() {
        let text = "prefix c c\nstruct c.A atomic\n| one\n| two\n  a 1 map<[]string>? default({\"x\":\"(y)\"}) merge(k)\n  | three";
        let schema = parse(&[("x", text)]).unwrap();
        let parsed = schema.structs.first().unwrap();
        assert_eq!((parsed.description, parsed.atomic), ("one two", true));
        let field = parsed.fields.first().unwrap();
        assert_eq!(field.description, "three");
        assert_eq!(field.default, Some(serde_json::json!({"x": "(y)"})));
        assert_eq!(field.patch.merge_key, Some("k"));
        assert!(field.pointer);
    }
}
