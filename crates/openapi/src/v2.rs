//! The OpenAPI 2.0 (Swagger) document of the whole API.

use crate::definitions::{Definition, Definitions, Dialect, kind_members};
use crate::groups::Groups;
use crate::json::{Object, object};
use crate::operations::{Body, Operation, Parameter, Path};

/// Writes the document of these paths and all definitions that they need, and `more`.
///
/// Parameters stand where they apply. Upstream has shared the frequent ones since 1.27, which
/// kubectl before that does not follow when it looks for `fieldValidation` and `dryRun`.
pub(crate) fn document(
    paths: &[Path],
    more: &[Definition],
    groups: &Groups,
    version: &str,
) -> Vec<u8> {
    let mut definitions = Definitions::default();
    definitions.add_all(paths, more);
    object(|out| {
        out.value("swagger", "2.0");
        write_info(out, version);
        out.object("paths", |out| {
            for path in paths {
                out.object(&path.path, |out| write_path(out, path));
            }
        });
        out.object("definitions", |out| {
            definitions.write(out, Dialect::V2, groups)
        });
        out.object("securityDefinitions", |out| {
            write_bearer_token(out);
        });
        out.array("security", |list| {
            list.object(|out| out.array("BearerToken", |_| ()));
        });
    })
}

/// Writes what the document is of, as either dialect has it.
pub(crate) fn write_info(out: &mut Object<'_>, version: &str) {
    out.object("info", |out| {
        out.value("title", "Kubernetes");
        out.value("version", version);
    });
}

/// Writes how clients authenticate, as either dialect has it.
pub(crate) fn write_bearer_token(out: &mut Object<'_>) {
    out.object("BearerToken", |out| {
        out.value("type", "apiKey");
        out.value("description", "A bearer token in the Authorization header.");
        out.value("name", "authorization");
        out.value("in", "header");
    });
}

fn write_path(out: &mut Object<'_>, path: &Path) {
    for operation in &path.operations {
        out.object(operation.method, |out| write_operation(out, operation));
    }
    write_parameters(out, &path.parameters, None);
}

fn write_operation(out: &mut Object<'_>, operation: &Operation) {
    out.value("tags", [&operation.tag]);
    out.value("description", &operation.description);
    out.value("operationId", &operation.id);
    if let Some(body) = &operation.body {
        out.value("consumes", body.media_types);
    }
    out.value("produces", operation.produces);
    out.value("schemes", ["https"]);
    write_parameters(out, &operation.parameters, operation.body.as_ref());
    out.object("responses", |out| {
        for (code, description) in operation.codes {
            out.object(code, |out| {
                out.value("description", description);
                write_reference(out, operation.answer);
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

fn write_reference(out: &mut Object<'_>, definition: Definition) {
    out.object("schema", |out| {
        out.value("$ref", Dialect::V2.reference(definition))
    });
}

fn write_parameters(out: &mut Object<'_>, parameters: &[Parameter], body: Option<&Body>) {
    if parameters.is_empty() && body.is_none() {
        return;
    }
    out.array("parameters", |list| {
        if let Some(body) = body {
            list.object(|out| {
                out.value("name", "body");
                out.value("in", "body");
                if body.required {
                    out.value("required", true);
                }
                write_reference(out, body.definition);
            });
        }
        for parameter in parameters {
            list.object(|out| {
                out.value("name", parameter.name);
                out.value("in", if parameter.in_path { "path" } else { "query" });
                out.value("description", &parameter.description);
                if parameter.in_path {
                    out.value("required", true);
                }
                out.value("type", parameter.kind);
            });
        }
    });
}
