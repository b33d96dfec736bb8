//! A writer of compact JSON.
//!
//! The documents are large and mostly repetition. Writing them straight into bytes needs a tenth of
//! the memory that a tree of values would need for a moment.

use serde::Serialize;

/// The JSON object whose members `write` adds.
pub(crate) fn object(write: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    braced(&mut out, write);
    out.shrink_to_fit();
    out
}

/// An object that is being written.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl Object<'_> {
    /// Adds a member of any simple value.
    pub(crate) fn value(&mut self, name: &str, value: impl Serialize) {
        self.name(name);
        serialize(self.out, value);
    }

    /// Adds a list of simple values, unless it is empty.
    pub(crate) fn list<T: Serialize>(&mut self, name: &str, values: &[T]) {
        if !values.is_empty() {
            self.value(name, values);
        }
    }

    /// Adds a text, unless it is empty.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.value(name, text);
        }
    }

    /// Adds an object.
    pub(crate) fn object(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        braced(self.out, write);
    }

    /// Adds an array.
    pub(crate) fn array(&mut self, name: &str, write: impl FnOnce(&mut Array<'_>)) {
        self.name(name);
        self.out.push(b'[');
        write(&mut Array {
            out: self.out,
            empty: true,
        });
        self.out.push(b']');
    }

    fn name(&mut self, name: &str) {
        separate(self.out, &mut self.empty);
        serialize(self.out, name);
        self.out.push(b':');
    }
}

/// An array that is being written.
pub(crate) struct Array<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl Array<'_> {
    /// Adds an object.
    pub(crate) fn object(&mut self, write: impl FnOnce(&mut Object<'_>)) {
        separate(self.out, &mut self.empty);
        braced(self.out, write);
    }
}

fn braced(out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    write(&mut Object { out, empty: true });
    out.push(b'}');
}

fn separate(out: &mut Vec<u8>, empty: &mut bool) {
    if !std::mem::take(empty) {
        out.push(b',');
    }
}

fn serialize(out: &mut Vec<u8>, value: impl Serialize) {
    if let Err(error) = serde_json::to_writer(out, &value) {
        // Only maps with keys that are no strings, and failing writers, can fail.
        unreachable!("a simple value is always JSON: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_items_are_separated_and_empty_ones_left_out() {
        let written = object(|out| {
            out.text("none", "");
            out.list::<&str>("nobody", &[]);
            out.text("a", "\"b\"");
            out.list("c", &[1, 2]);
            out.object("d", |_| ());
            out.array("e", |items| {
                items.object(|item| item.value("f", true));
                items.object(|item| item.value("f", ()));
            });
        });
        let text = String::from_utf8(written).unwrap();
        assert_eq!(
            text,
            r#"{"a":"\"b\"","c":[1,2],"d":{},"e":[{"f":true},{"f":null}]}"#
        );
    }
}
