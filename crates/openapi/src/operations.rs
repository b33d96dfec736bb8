//! Paths and the operations on them, before they are written in either dialect.
//!
//! Which operations a resource has follows from its verbs. Their names, parameters and answers are
//! those that upstream's installer registers (`k8s.io/apiserver/pkg/endpoints/installer.go`); the
//! `watch/` paths that it deprecated in 1.11 are left out.

use std::borrow::Cow;

use burgee_resources::{Resource, Subresource};
use burgee_wire::schema::{Shape, StructRef, schema};

use crate::definitions::Definition;
use crate::groups::{Group, GroupVersion, Groups, Kind, meta};

/// The media types of objects in requests and answers.
pub(crate) const OBJECTS: &[&str] = &["application/json", "application/yaml"];
/// The media types of lists, which a watch streams.
pub(crate) const LISTS: &[&str] = &[
    "application/json",
    "application/json;stream=watch",
    "application/yaml",
];
/// The media types of patches.
pub(crate) const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

/// A path and what can be done there.
pub(crate) struct Path {
    /// With `{namespace}` and `{name}` as placeholders.
    pub(crate) path: String,
    /// Parameters of all its operations.
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) operations: Vec<Operation>,
}

/// One method on a path.
pub(crate) struct Operation {
    /// In lower case, as both dialects name the member.
    pub(crate) method: &'static str,
    /// Unique among all operations, such as `readCoreV1NamespacedSecret`. Generators make method
    /// names from it.
    pub(crate) id: String,
    /// Group and version, such as `core_v1`. Generators make class names from it.
    pub(crate) tag: String,
    pub(crate) description: String,
    /// `x-kubernetes-action` and the kind, for operations on objects.
    pub(crate) action: Option<(&'static str, Kind)>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    /// The successful answers all have the same type.
    pub(crate) codes: &'static [(&'static str, &'static str)],
    pub(crate) answer: Definition,
    pub(crate) produces: &'static [&'static str],
}

/// A request body.
pub(crate) struct Body {
    pub(crate) definition: Definition,
    pub(crate) media_types: &'static [&'static str],
    pub(crate) required: bool,
}

/// A parameter in the path or query.
#[derive(Clone)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) description: Cow<'static, str>,
    /// JSON type.
    pub(crate) kind: &'static str,
    /// Whether it is a placeholder in the path, and so required.
    pub(crate) in_path: bool,
}

const OK: &[(&str, &str)] = &[("200", "OK")];
const CREATED: &[(&str, &str)] = &[("200", "OK"), ("201", "Created")];
const POSTED: &[(&str, &str)] = &[("200", "OK"), ("201", "Created"), ("202", "Accepted")];
const DELETED: &[(&str, &str)] = &[("200", "OK"), ("202", "Accepted")];

/// `/api/` or `/apis/`.
pub(crate) fn root_path(core: bool) -> Path {
    let (path, tag, group, answer) = if core {
        ("/api/", "core", "Core", "APIVersions")
    } else {
        ("/apis/", "apis", "", "APIGroupList")
    };
    let id = format!("get{group}APIVersions");
    let description = "Lists the versions that the server has.";
    discovery_path(path.to_owned(), id, tag.to_owned(), description, answer)
}

/// `/apis/GROUP/`.
pub(crate) fn group_path(group: &Group) -> Path {
    let names = Names::new(group.name, "");
    discovery_path(
        format!("/apis/{}/", group.name),
        names.id("get", "APIGroup"),
        names.tag,
        "Describes the group.",
        "APIGroup",
    )
}

/// Every path of a group version, its resource list first.
pub(crate) fn version_paths(version: &GroupVersion, groups: &Groups) -> Vec<Path> {
    let names = Names::new(version.group, version.version);
    let mut paths = vec![discovery_path(
        format!("/{}/", version.root()),
        names.id("get", "APIResources"),
        names.tag.clone(),
        "Lists the resources that the version has.",
        "APIResourceList",
    )];
    for resource in version.resources {
        let resource = ResourcePaths {
            version,
            names: &names,
            resource,
        };
        paths.extend(
            resource
                .all(groups)
                .into_iter()
                .filter(|path| !path.operations.is_empty()),
        );
    }
    paths
}

/// The spellings of a group version in operation ids and tags.
struct Names {
    /// `CoreV1`, `RbacAuthorizationV1`.
    id: String,
    /// `core_v1`, `rbacAuthorization_v1`.
    tag: String,
}

impl Names {
    fn new(group: &str, version: &str) -> Self {
        let group = if group.is_empty() { "core" } else { group };
        let group = capitalised(group.trim_end_matches(".k8s.io"));
        let mut tag = group.clone();
        if let Some(first) = tag.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        if !version.is_empty() {
            tag = format!("{tag}_{version}");
        }
        let id = format!("{group}{}", capitalised(version));
        Self { id, tag }
    }

    fn id(&self, verb: &str, rest: &str) -> String {
        format!("{verb}{}{rest}", self.id)
    }
}

/// The paths of one resource.
struct ResourcePaths<'a> {
    version: &'a GroupVersion,
    names: &'a Names,
    resource: &'a Resource,
}

impl ResourcePaths<'_> {
    fn all(&self, groups: &Groups) -> Vec<Path> {
        let root = format!("/{}", self.version.root());
        let Resource {
            plural, namespaced, ..
        } = self.resource;
        let collection = if *namespaced {
            format!("{root}/namespaces/{{namespace}}/{plural}")
        } else {
            format!("{root}/{plural}")
        };
        let item = format!("{collection}/{{name}}");

        let mut paths = Vec::new();
        if *namespaced {
            paths.push(self.across_namespaces(format!("{root}/{plural}")));
        }
        paths.push(self.collection(collection));
        paths.push(self.item(item.clone()));
        for below in self.resource.subresources {
            paths.push(self.below(format!("{item}/{}", below.name), below, groups));
        }
        paths
    }

    fn across_namespaces(&self, path: String) -> Path {
        let mut operations = self.list();
        for operation in &mut operations {
            let rest = format!("{}ForAllNamespaces", self.resource.kind);
            operation.id = self.names.id("list", &rest);
        }
        Path {
            path,
            parameters: vec![pretty()],
            operations,
        }
    }

    fn collection(&self, path: String) -> Path {
        let kind = self.resource.kind;
        let mut operations = self.list();
        if self.can("create") {
            operations.push(Operation {
                parameters: options("CreateOptions", &[]),
                body: Some(required(self.object(), OBJECTS)),
                codes: POSTED,
                ..self.operation(
                    "post",
                    "post",
                    "create",
                    format!("Creates {} {kind}.", article(kind)),
                )
            });
        }
        if self.can("deletecollection") {
            let mut parameters = options("DeleteOptions", &[]);
            let known: Vec<_> = parameters.iter().map(|each| each.name).collect();
            let listing = options("ListOptions", &["watch", "allowWatchBookmarks"]);
            parameters.extend(
                listing
                    .into_iter()
                    .filter(|each| !known.contains(&each.name)),
            );
            let verb = "deletecollection";
            operations.push(Operation {
                id: self
                    .names
                    .id("delete", &format!("Collection{}", self.subject())),
                parameters,
                body: Some(delete_options()),
                answer: Definition::Struct(meta("Status")),
                ..self.operation(
                    "delete",
                    verb,
                    "",
                    format!("Deletes objects of kind {kind}."),
                )
            });
        }
        Path {
            path,
            parameters: self.placeholders(false),
            operations,
        }
    }

    fn item(&self, path: String) -> Path {
        let kind = self.resource.kind;
        let mut operations = self.on_item(self.resource.verbs, None);
        if self.can("delete") {
            operations.push(Operation {
                parameters: options("DeleteOptions", &[]),
                body: Some(delete_options()),
                codes: DELETED,
                answer: Definition::Struct(meta("Status")),
                ..self.operation(
                    "delete",
                    "delete",
                    "delete",
                    format!("Deletes {} {kind}.", article(kind)),
                )
            });
        }
        Path {
            path,
            parameters: self.placeholders(true),
            operations,
        }
    }

    fn below(&self, path: String, below: &Subresource, groups: &Groups) -> Path {
        let (kind, definition) = groups.body_of(self.resource, below);
        let mut operations = self.on_item(below.verbs, Some(below.name));
        if below.verbs.contains(&"create") {
            let Resource { kind, .. } = self.resource;
            let description = format!("Creates the {} of {} {kind}.", below.name, article(kind));
            operations.push(Operation {
                parameters: options("CreateOptions", &[]),
                body: Some(required(self.object(), OBJECTS)),
                codes: POSTED,
                ..self.operation("post", "post", "create", description)
            });
        }
        for operation in &mut operations {
            operation.id.push_str(&capitalised(below.name));
            operation.action = operation.action.map(|(action, _)| (action, kind));
            operation.answer = Definition::Struct(definition);
            if let Some(body) = &mut operation.body
                && body.definition != Definition::Patch
            {
                body.definition = Definition::Struct(definition);
            }
        }
        Path {
            path,
            parameters: self.placeholders(true),
            operations,
        }
    }

    /// What an item and its subresources have in common.
    fn on_item(&self, verbs: &[&str], below: Option<&str>) -> Vec<Operation> {
        let kind = self.resource.kind;
        let what = match below {
            Some(below) => format!("the {below} of {} {kind}", article(kind)),
            None => format!("{} {kind}", article(kind)),
        };
        let mut operations = Vec::new();
        if verbs.contains(&"get") {
            operations.push(self.operation("get", "get", "read", format!("Reads {what}.")));
        }
        if verbs.contains(&"update") {
            operations.push(Operation {
                parameters: options("UpdateOptions", &[]),
                body: Some(required(self.object(), OBJECTS)),
                codes: CREATED,
                ..self.operation("put", "put", "replace", format!("Replaces {what}."))
            });
        }
        if verbs.contains(&"patch") {
            operations.push(Operation {
                parameters: options("PatchOptions", &[]),
                body: Some(required(Definition::Patch, PATCHES)),
                codes: CREATED,
                ..self.operation(
                    "patch",
                    "patch",
                    "patch",
                    format!("Changes parts of {what}."),
                )
            });
        }
        operations
    }

    fn list(&self) -> Vec<Operation> {
        let kind = self.resource.kind;
        let name = format!("{}List", self.resource.schema_name);
        let (true, Some(list)) = (self.can("list"), schema().find(&name)) else {
            return Vec::new();
        };
        vec![Operation {
            parameters: options("ListOptions", &[]),
            answer: Definition::Struct(list),
            produces: LISTS,
            ..self.operation(
                "get",
                "list",
                "list",
                format!("Lists or watches objects of kind {kind}."),
            )
        }]
    }

    fn operation(
        &self,
        method: &'static str,
        action: &'static str,
        verb: &str,
        description: String,
    ) -> Operation {
        let Resource {
            group,
            version,
            kind,
            ..
        } = self.resource;
        Operation {
            method,
            id: self.names.id(verb, &self.subject()),
            tag: self.names.tag.clone(),
            description,
            action: Some((
                action,
                Kind {
                    group,
                    version,
                    kind,
                },
            )),
            parameters: Vec::new(),
            body: None,
            codes: OK,
            answer: self.object(),
            produces: OBJECTS,
        }
    }

    fn can(&self, verb: &str) -> bool {
        self.resource.verbs.contains(&verb)
    }

    fn object(&self) -> Definition {
        Definition::Struct(self.resource.schema())
    }

    /// `NamespacedSecret`, `ClusterRole`.
    fn subject(&self) -> String {
        let scope = if self.resource.namespaced {
            "Namespaced"
        } else {
            ""
        };
        format!("{scope}{}", self.resource.kind)
    }

    fn placeholders(&self, item: bool) -> Vec<Parameter> {
        let placeholder = |name, description: String| Parameter {
            name,
            description: description.into(),
            kind: "string",
            in_path: true,
        };
        let mut parameters = Vec::new();
        if item {
            parameters.push(placeholder(
                "name",
                format!("Name of the {}.", self.resource.kind),
            ));
        }
        if self.resource.namespaced {
            parameters.push(placeholder(
                "namespace",
                "Namespace of the object.".to_owned(),
            ));
        }
        parameters.push(pretty());
        parameters
    }
}

fn discovery_path(path: String, id: String, tag: String, description: &str, answer: &str) -> Path {
    let operation = Operation {
        method: "get",
        id,
        tag,
        description: description.to_owned(),
        action: None,
        parameters: Vec::new(),
        body: None,
        codes: OK,
        answer: Definition::Struct(meta(answer)),
        produces: OBJECTS,
    };
    Path {
        path,
        parameters: Vec::new(),
        operations: vec![operation],
    }
}

/// The members of an options type, as query parameters.
fn options(name: &str, except: &[&str]) -> Vec<Parameter> {
    // Sharded lists are an alpha feature, which the server does not have.
    let served = |name| name != "shardSelector" && !except.contains(&name);
    let definition: StructRef = meta(name);
    (definition.json_fields().filter(|field| served(field.name)))
        .filter_map(|field| {
            let kind = match &field.shape {
                Shape::Bool => "boolean",
                Shape::Int32 | Shape::Int64 => "integer",
                // A list is given as a parameter that may be repeated.
                Shape::String | Shape::List(_) => "string",
                _ => return None,
            };
            Some(Parameter {
                name: field.name,
                description: field.description.into(),
                kind,
                in_path: false,
            })
        })
        .collect()
}

fn pretty() -> Parameter {
    Parameter {
        name: "pretty",
        description: "With the value true, the answer is indented for people.".into(),
        kind: "string",
        in_path: false,
    }
}

fn required(definition: Definition, media_types: &'static [&'static str]) -> Body {
    Body {
        definition,
        media_types,
        required: true,
    }
}

fn delete_options() -> Body {
    Body {
        definition: Definition::Struct(meta("DeleteOptions")),
        media_types: OBJECTS,
        required: false,
    }
}

fn article(kind: &str) -> &'static str {
    if kind.starts_with(['A', 'E', 'I', 'O', 'U']) {
        "an"
    } else {
        "a"
    }
}

/// Camel case with a capital, dots and dashes left out.
fn capitalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut capital = true;
    for character in text.chars() {
        if !character.is_alphanumeric() {
            capital = true;
        } else if std::mem::take(&mut capital) {
            out.extend(character.to_uppercase());
        } else {
            out.push(character);
        }
    }
    out
}
