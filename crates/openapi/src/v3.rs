//! OpenAPI 3.0 documents, one per group and version.

use crate::definitions::{Definition, Definitions, Dialect, kind_members};
use crate::groups::Groups;
use crate::json::{Object, object};
use crate::operations::{Operation, Parameter, Path};
use crate::v2::{write_bearer_token, write_info};

/// Writes a document of these paths and all definitions that they need, and `more`.
pub(crate) fn document(
    paths: &[Path],
    more: &[Definition],
    groups: &Groups,
    version: &str,
) -> Vec<u8> {
    let mut definitions = Definitions::default();
    definitions.add_all(paths, more);
    object(|out| {
        out.value("openapi", "3.0.0");
        write_info(out, version);
        out.object("paths", |out| {
            for path in paths {
                out.object(&path.path, |out| write_path(out, path));
            }
        });
        out.object("components", |out| {
            out.object("schemas", |out| definitions.write(out, Dialect::V3, groups));
            out.object("securitySchemes", |out| {
                write_bearer_token(out);
            });
        });
        out.array("security", |list| {
            list.object(|out| out.array("BearerToken", |_| ()));
        });
    })
}

/// Writes the index of the documents: the URL of each, with its hash.
pub(crate) fn index<'a>(documents: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    object(|out| {
        out.object("paths", |out| {
            for (path, hash) in documents {
                let url = format!("/openapi/v3/{path}?hash={hash}");
                out.object(path, |out| out.value("serverRelativeURL", url));
            }
        });
    })
}

fn write_path(out: &mut Object<'_>, path: &Path) {
    for operation in &path.operations {
        out.object(operation.method, |out| write_operation(out, operation));
    }
    write_parameters(out, &path.parameters);
}

fn write_operation(out: &mut Object<'_>, operation: &Operation) {
    out.value("tags", [&operation.tag]);
    out.value("description", &operation.description);
    out.value("operationId", &operation.id);
    write_parameters(out, &operation.parameters);
    if let Some(body) = &operation.body {
        out.object("requestBody", |out| {
            write_content(out, body.media_types, body.definition);
            if body.required {
                out.value("required", true);
            }
        });
    }
    out.object("responses", |out| {
        for (code, description) in operation.codes {
            out.object(code, |out| {
                out.value("description", description);
                write_content(out, operation.produces, operation.answer);
            });
        }
        out.object("401", |out| out.value("description", "Unauthorized"));
    });
    if let Some((action, kind)) = operation.action {
        out.value("x-kubernetes-action", action);
        out.object("x-kubernetes-group-version-kind", |out| {
            kind_members(out, kind)
        });
    }
}

fn write_content(out: &mut Object<'_>, media_types: &[&str], definition: Definition) {
    out.object("content", |out| {
        for media_type in media_types {
            out.object(media_type, |out| {
                out.object("schema", |out| {
                    out.value("$ref", Dialect::V3.reference(definition));
                });
            });
        }
    });
}

fn write_parameters(out: &mut Object<'_>, parameters: &[Parameter]) {
    if parameters.is_empty() {
        return;
    }
    out.array("parameters", |list| {
        for parameter in parameters {
            list.object(|out| {
                out.value("name", parameter.name);
                out.value("in", if parameter.in_path { "path" } else { "query" });
                out.value("description", &parameter.description);
                if parameter.in_path {
                    out.value("required", true);
                }
                out.object("schema", |out| out.value("type", parameter.kind));
            });
        }
    });
}
