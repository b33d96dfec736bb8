//! Sets of field paths.

use std::collections::BTreeMap;
use std::fmt;

use crate::Literal;

mod json;

/// One step from a value to a part of it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PathElement {
    /// A member of an object.
    Field(String),
    /// The list item that has these members, sorted by name.
    Key(Vec<(String, Literal)>),
    /// The list item that is this value.
    Value(Literal),
    /// The list item at this position.
    Index(i64),
}

impl PathElement {
    /// A member of an object.
    #[must_use]
    pub fn field(name: impl Into<String>) -> Self {
        Self::Field(name.into())
    }
}

impl fmt::Display for PathElement {
    /// As conflicts show it: `.name`, `[key="value"]`, `[="value"]` or `[0]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(members) => {
                f.write_str("[")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{name}={value}")?;
                }
                f.write_str("]")
            }
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// The way from an object to one of its fields.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Path(Vec<PathElement>);

impl Path {
    /// The steps, from the outside in.
    #[must_use]
    pub fn elements(&self) -> &[PathElement] {
        &self.0
    }

    pub(crate) fn push(&mut self, element: PathElement) {
        self.0.push(element);
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }
}

impl FromIterator<PathElement> for Path {
    fn from_iter<I: IntoIterator<Item = PathElement>>(elements: I) -> Self {
        Self(elements.into_iter().collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|element| element.fmt(f))
    }
}

/// A set of paths, kept as a tree; what `fieldsV1` of a managed-fields entry holds.
///
/// A path may be a member beside its own extensions (`.data` and `.data.a`), or only they may be.
///
/// ```
/// use burgee_patch::FieldSet;
/// use serde_json::json;
///
/// let set = FieldSet::from_value(&json!({"f:data": {".": {}, "f:a": {}}})).unwrap();
/// let paths: Vec<_> = set.paths().iter().map(ToString::to_string).collect();
/// assert_eq!(paths, [".data", ".data.a"]);
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FieldSet {
    nodes: BTreeMap<PathElement, Node>,
}

/// Invariant: a node is a member or has children.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Node {
    member: bool,
    children: FieldSet,
}

impl Node {
    fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }
}

impl FieldSet {
    /// The set of these dotted member names, such as `metadata.name`; for sets known when written.
    #[must_use]
    pub fn of_fields(dotted: &[&str]) -> Self {
        let mut set = Self::default();
        for path in dotted {
            set.insert(&path.split('.').map(PathElement::field).collect());
        }
        set
    }

    /// Whether there is no path in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds a path; not those that lead to it. The empty path, the object itself, is nobody's.
    pub fn insert(&mut self, path: &Path) {
        let Some((last, leading)) = path.0.split_last() else {
            return;
        };
        let mut set = self;
        for element in leading {
            set = &mut set.nodes.entry(element.clone()).or_default().children;
        }
        set.nodes.entry(last.clone()).or_default().member = true;
    }

    /// Whether this very path is in it.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        let Some((last, leading)) = path.0.split_last() else {
            return false;
        };
        let mut set = self;
        for element in leading {
            match set.nodes.get(element) {
                Some(node) => set = &node.children,
                None => return false,
            }
        }
        set.has_element(last)
    }

    /// The paths that are in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        union.absorb(other);
        union
    }

    fn absorb(&mut self, other: &Self) {
        for (element, node) in &other.nodes {
            let own = self.nodes.entry(element.clone()).or_default();
            own.member |= node.member;
            own.children.absorb(&node.children);
        }
    }

    /// The paths that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.map_nodes(|element, node| {
            let Some(other) = other.nodes.get(element) else {
                return Node::default();
            };
            Node {
                member: node.member && other.member,
                children: node.children.intersection(&other.children),
            }
        })
    }

    /// The paths that are in this set only.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.map_nodes(|element, node| {
            let Some(other) = other.nodes.get(element) else {
                return node.clone();
            };
            Node {
                member: node.member && !other.member,
                children: node.children.difference(&other.children),
            }
        })
    }

    /// The paths that neither are in `other` nor extend a path that is.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        self.map_nodes(|element, node| match other.nodes.get(element) {
            None => node.clone(),
            Some(other) if other.member => Node::default(),
            Some(other) => Node {
                member: node.member,
                children: node.children.recursive_difference(&other.children),
            },
        })
    }

    /// Every path, a parent before its children.
    #[must_use]
    pub fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        self.collect_paths(&mut Path::default(), &mut paths);
        paths
    }

    fn collect_paths(&self, path: &mut Path, paths: &mut Vec<Path>) {
        for (element, node) in &self.nodes {
            path.push(element.clone());
            if node.member {
                paths.push(path.clone());
            }
            node.children.collect_paths(path, paths);
            path.pop();
        }
    }

    /// Whether the path of this one element is in it.
    pub(crate) fn has_element(&self, element: &PathElement) -> bool {
        self.nodes.get(element).is_some_and(|node| node.member)
    }

    /// The paths below this element, without it. `None` where there are none.
    pub(crate) fn below(&self, element: &PathElement) -> Option<&Self> {
        let children = &self.nodes.get(element)?.children;
        (!children.is_empty()).then_some(children)
    }

    /// Every first element: whether it is itself a path, and what is below it.
    pub(crate) fn elements(&self) -> impl Iterator<Item = (&PathElement, bool, &Self)> {
        let nodes = self.nodes.iter();
        nodes.map(|(element, node)| (element, node.member, &node.children))
    }

    /// Sets what this first element stands for; nothing when it is no member and has nothing below.
    pub(crate) fn set_element(&mut self, element: PathElement, member: bool, children: Self) {
        let node = Node { member, children };
        if !node.is_empty() {
            self.nodes.insert(element, node);
        }
    }

    fn map_nodes(&self, map: impl Fn(&PathElement, &Node) -> Node) -> Self {
        let mut nodes = BTreeMap::new();
        for (element, node) in &self.nodes {
            let node = map(element, node);
            if !node.is_empty() {
                nodes.insert(element.clone(), node);
            }
        }
        Self { nodes }
    }
}

impl FromIterator<Path> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Path>>(paths: I) -> Self {
        let mut set = Self::default();
        for path in paths {
            set.insert(&path);
        }
        set
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn element() -> impl Strategy<Value = PathElement> {
        let literal = prop_oneof![
            any::<i32>().prop_map(|number| Literal::from(json!(number))),
            "[a-c\"<é]{0,2}".prop_map(|text| Literal::from(json!(text))),
            any::<bool>().prop_map(|flag| Literal::from(json!(flag))),
        ];
        prop_oneof![
            4 => "[a-d.:]{0,2}".prop_map(PathElement::Field),
            1 => prop::collection::btree_map("[a-c]", literal.clone(), 1..3)
                .prop_map(|members| PathElement::Key(members.into_iter().collect())),
            1 => literal.prop_map(PathElement::Value),
            1 => any::<i64>().prop_map(PathElement::Index),
        ]
    }

    /// Small sets over few names, so that two of them often overlap.
    pub(crate) fn field_set() -> impl Strategy<Value = FieldSet> {
        let path = prop::collection::vec(element(), 1..4);
        prop::collection::vec(path.prop_map(Path), 0..12).prop_map(FieldSet::from_iter)
    }

    #[test]
    fn a_parent_and_its_child_are_two_members() {
        let both = FieldSet::of_fields(&["data", "data.a"]);
        let parent = FieldSet::of_fields(&["data"]);
        let child = FieldSet::of_fields(&["data.a"]);
        assert_eq!(both.difference(&parent), child);
        assert_eq!(both.difference(&child), parent);
        assert_eq!(both.recursive_difference(&parent), FieldSet::default());
        assert_eq!(parent.union(&child), both);
        assert_eq!(child.intersection(&parent), FieldSet::default());
    }

    #[test]
    fn paths_read_as_upstream_shows_them() {
        let path = Path::from_iter([
            PathElement::field("ports"),
            PathElement::Key(vec![
                ("containerPort".into(), json!(80).into()),
                ("protocol".into(), json!("TCP").into()),
            ]),
            PathElement::Value(json!("x").into()),
            PathElement::Index(3),
        ]);
        let expected = r#".ports[containerPort=80,protocol="TCP"][="x"][3]"#;
        assert_eq!(path.to_string(), expected);
    }

    proptest! {
        #[test]
        fn the_operations_agree_with_those_on_lists_of_paths(a in field_set(), b in field_set()) {
            let (in_a, in_b) = (a.paths(), b.paths());
            for path in in_a.iter().chain(&in_b) {
                let (one, other) = (in_a.contains(path), in_b.contains(path));
                prop_assert_eq!(a.has(path), one);
                prop_assert_eq!(a.union(&b).has(path), one || other);
                prop_assert_eq!(a.intersection(&b).has(path), one && other);
                prop_assert_eq!(a.difference(&b).has(path), one && !other);
            }
            prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a);
        }
    }
}
