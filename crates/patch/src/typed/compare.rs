//! What differs between two values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Type, at_element, is_void};
use crate::literal::equal;
use crate::{Error, FieldSet, Path, PathElement};

/// The fields in which two values differ. No path is in more than one of the sets.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Comparison {
    /// Only the new value has them.
    pub(crate) added: FieldSet,
    /// Both values have them, and they differ.
    pub(crate) modified: FieldSet,
    /// Only the old value has them.
    pub(crate) removed: FieldSet,
}

impl Comparison {
    /// The same without these fields and all below them.
    pub(crate) fn without(self, fields: &FieldSet) -> Self {
        Self {
            added: self.added.recursive_difference(fields),
            modified: self.modified.recursive_difference(fields),
            removed: self.removed.recursive_difference(fields),
        }
    }
}

/// Compares two values of a type.
///
/// # Errors
///
/// [`Error::Invalid`] when a list item lacks what tells it from the others.
pub(crate) fn compare(old: &Value, new: &Value, ty: Type<'_>) -> Result<Comparison, Error> {
    let mut walk = Walk::default();
    walk.compare(Some(old), Some(new), ty)?;
    Ok(walk.found)
}

#[derive(Default)]
struct Walk {
    path: Path,
    found: Comparison,
}

impl Walk {
    fn compare(
        &mut self,
        old: Option<&Value>,
        new: Option<&Value>,
        ty: Type<'_>,
    ) -> Result<(), Error> {
        match (old, new) {
            (Some(old), Some(new)) if old == new => return Ok(()),
            // A whole, also an empty list or object: so that nothing and an empty one differ.
            (Some(old), Some(new)) => {
                if ty.is_leaf() || (is_void(Some(old)) && is_void(Some(new))) {
                    if !equal(old, new) {
                        self.found.modified.insert(&self.path);
                    }
                    return Ok(());
                }
            }
            (Some(_), None) => self.found.removed.insert(&self.path),
            (None, Some(_)) => self.found.added.insert(&self.path),
            (None, None) => return Ok(()),
        }
        match ty {
            Type::Leaf(_) | Type::AtomicStruct(_) => Ok(()),
            Type::Struct(_) | Type::Map(_) => self.members(old, new, ty),
            Type::Keyed(..) | Type::Set(_) => self.items(old, new, ty),
        }
    }

    fn members(
        &mut self,
        old: Option<&Value>,
        new: Option<&Value>,
        ty: Type<'_>,
    ) -> Result<(), Error> {
        let old = old.and_then(Value::as_object);
        let new = new.and_then(Value::as_object);
        let names: BTreeSet<&String> = [old, new]
            .into_iter()
            .flatten()
            .flat_map(|m| m.keys())
            .collect();
        for name in names {
            let Some(member_type) = ty.member(name) else {
                continue;
            };
            let old = old.and_then(|members| members.get(name));
            let new = new.and_then(|members| members.get(name));
            if old == new {
                continue;
            }
            self.below(PathElement::field(name), old, new, member_type)?;
        }
        Ok(())
    }

    fn items(
        &mut self,
        old: Option<&Value>,
        new: Option<&Value>,
        ty: Type<'_>,
    ) -> Result<(), Error> {
        let Some(item_type) = ty.item() else {
            return Ok(());
        };
        let mut old = self.grouped(old, ty)?;
        let new = self.grouped(new, ty)?;
        for (element, new) in new {
            let old = old.remove(&element).unwrap_or_default();
            self.group(element, &old, &new, item_type)?;
        }
        for (element, old) in old {
            self.group(element, &old, &[], item_type)?;
        }
        Ok(())
    }

    /// Compares the items that have one path. More than one of them are a whole.
    fn group(
        &mut self,
        element: PathElement,
        old: &[&Value],
        new: &[&Value],
        ty: Type<'_>,
    ) -> Result<(), Error> {
        match (old, new) {
            ([] | [_], [] | [_]) => {
                self.below(element, old.first().copied(), new.first().copied(), ty)
            }
            ([_, _, ..], [_, _, ..]) => {
                let same = old.len() == new.len() && old.iter().zip(new).all(|(a, b)| equal(a, b));
                if !same {
                    self.mark(element, |found| &mut found.modified);
                }
                Ok(())
            }
            ([_, _, ..], _) => {
                self.below(element.clone(), None, new.first().copied(), ty)?;
                self.mark(element, |found| &mut found.removed);
                Ok(())
            }
            (_, [_, _, ..]) => {
                self.below(element.clone(), old.first().copied(), None, ty)?;
                self.mark(element, |found| &mut found.added);
                Ok(())
            }
        }
    }

    fn below(
        &mut self,
        element: PathElement,
        old: Option<&Value>,
        new: Option<&Value>,
        ty: Type<'_>,
    ) -> Result<(), Error> {
        self.path.push(element);
        let result = self.compare(old, new, ty);
        self.path.pop();
        result
    }

    fn mark(&mut self, element: PathElement, set: impl Fn(&mut Comparison) -> &mut FieldSet) {
        self.path.push(element);
        set(&mut self.found).insert(&self.path);
        self.path.pop();
    }

    fn grouped<'v>(
        &self,
        list: Option<&'v Value>,
        ty: Type<'_>,
    ) -> Result<BTreeMap<PathElement, Vec<&'v Value>>, Error> {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let items = list
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        for (index, item) in items.iter().enumerate() {
            let element = ty.element_of(item);
            let element = element.map_err(|error| at_element(&self.path, index, &error))?;
            groups.entry(element).or_default().push(item);
        }
        Ok(groups)
    }
}

#[cfg(test)]
mod tests {
    use super::super::field_set;
    use super::*;
    use burgee_wire::schema::schema;
    use serde_json::json;

    fn compared(kind: &str, old: Value, new: Value) -> [String; 3] {
        let kind = schema()
            .find(&format!("io.k8s.api.core.v1.{kind}"))
            .unwrap();
        let Comparison {
            added,
            modified,
            removed,
        } = compare(&old, &new, Type::of_kind(kind)).unwrap();
        [added, modified, removed].map(|set| {
            let paths: Vec<_> = set.paths().iter().map(ToString::to_string).collect();
            paths.join(" ")
        })
    }

    #[test]
    fn differences_are_found_where_the_schema_lets_them_be() {
        let container = |name: &str, image: &str| json!({"name": name, "image": image});
        let pod = |containers: &[Value]| json!({"spec": {"containers": containers}});
        let table = [
            (
                "ConfigMap",
                json!({"data": {"a": "1", "b": "1"}}),
                json!({"data": {"b": "2", "c": "1"}}),
                [".data.c", ".data.b", ".data.a"],
            ),
            (
                "ConfigMap",
                json!({}),
                json!({"data": {"a": "1"}}),
                [".data .data.a", "", ""],
            ),
            (
                "ConfigMap",
                json!({"data": {"a": "1"}}),
                json!({}),
                ["", "", ".data .data.a"],
            ),
            (
                "ConfigMap",
                json!({}),
                json!({"data": {}}),
                [".data", "", ""],
            ),
            (
                "ConfigMap",
                json!({"metadata": {"finalizers": ["a", "b"]}}),
                json!({"metadata": {"finalizers": ["b", "c"]}}),
                [
                    r#".metadata.finalizers[="c"]"#,
                    "",
                    r#".metadata.finalizers[="a"]"#,
                ],
            ),
            (
                "Pod",
                pod(&[container("a", "1"), container("b", "1")]),
                pod(&[container("b", "2"), container("a", "1")]),
                ["", r#".spec.containers[name="b"].image"#, ""],
            ),
            (
                "Pod",
                pod(&[container("a", "1")]),
                pod(&[]),
                [
                    "",
                    "",
                    concat!(
                        r#".spec.containers[name="a"] .spec.containers[name="a"].image "#,
                        r#".spec.containers[name="a"].name"#
                    ),
                ],
            ),
            (
                "Pod",
                json!({"spec": {"tolerations": [{"key": "a"}]}}),
                json!({"spec": {"tolerations": [{"key": "b"}], "nodeSelector": {"a": "b"}}}),
                [".spec.nodeSelector", ".spec.tolerations", ""],
            ),
            (
                "ConfigMap",
                json!({"metadata": {"ownerReferences": [{"uid": "u", "name": "a"}]}}),
                json!({"metadata": {"ownerReferences": [{"uid": "u", "name": "b"}]}}),
                ["", r#".metadata.ownerReferences[uid="u"]"#, ""],
            ),
        ];
        for (kind, old, new, expected) in table {
            assert_eq!(
                compared(kind, old.clone(), new.clone()),
                expected,
                "{old} {new}"
            );
        }
    }

    #[test]
    fn items_that_cannot_be_told_apart_are_one_whole() {
        let once = json!({"spec": {"containers": [{"name": "a", "image": "1"}]}});
        let twice = json!({"spec": {"containers": [{"name": "a"}, {"name": "a", "image": "1"}]}});
        let more = json!({"spec": {"containers": [{"name": "a"}, {"name": "a"}]}});
        let item = r#".spec.containers[name="a"]"#;
        let parts = format!("{item} {item}.image {item}.name");
        assert_eq!(compared("Pod", twice.clone(), more), ["", item, ""]);
        assert_eq!(
            compared("Pod", once.clone(), twice.clone()),
            [item, "", &parts]
        );
        assert_eq!(compared("Pod", twice, once), [&parts, "", item]);
    }

    #[test]
    fn a_default_stands_for_a_missing_key() {
        let ports = |port: Value| json!({"spec": {"containers": [{"name": "a", "ports": [port]}]}});
        let pod = schema().find("io.k8s.api.core.v1.Pod").unwrap();
        let implied = field_set(&ports(json!({"containerPort": 80})), Type::of_kind(pod)).unwrap();
        let element = r#"[containerPort=80,protocol="TCP"].containerPort"#;
        assert!(
            implied
                .paths()
                .iter()
                .any(|path| path.to_string().ends_with(element))
        );
    }
}
