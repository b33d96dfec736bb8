//! Objects in the shape that the client asked for: whole, as metadata, or as rows of a table.

use burgee_resources::Resource;
use burgee_wire::encode::{self, write_text};
use burgee_wire::{Object, Status};
use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Result;
use super::list::Listed;
use crate::cache::{Entry, ResourceCache};
use crate::http::{Accept, Body, Form, Query, Shape, json};

/// How much of a list goes into one piece of the answer.
const PIECE: usize = 64 * 1024;

/// What a request wants to see of objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) accept: Accept,
    /// What a table's rows carry besides their cells.
    pub(crate) include: Include,
    pub(crate) now: Timestamp,
}

/// The `includeObject` parameter of tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Include {
    Metadata,
    None,
    Object,
}

impl View {
    /// Reads what the query says of it.
    ///
    /// # Errors
    ///
    /// 400 for an `includeObject` that does not exist.
    pub(crate) fn new(accept: Accept, query: &Query, now: Timestamp) -> Result<Self> {
        let include = match query.text("includeObject") {
            "" | "Metadata" => Include::Metadata,
            "None" => Include::None,
            "Object" => Include::Object,
            other => {
                let other = burgee_wire::quoted(other);
                let message = format!("unrecognized includeObject value: {other}");
                return Err(Box::new(Status::bad_request(message)));
            }
        };
        Ok(Self {
            accept,
            include,
            now,
        })
    }

    /// Whether stored bytes can go out as they are.
    fn is_plain(&self) -> bool {
        let Accept {
            form,
            shape,
            pretty,
        } = self.accept;
        form == Form::Json && shape == Shape::Object && !pretty
    }
}

/// One object as an answer.
pub(crate) fn present(
    code: StatusCode,
    resource: &Resource,
    entry: &Entry,
    view: &View,
) -> Result<Response<Body>> {
    if view.is_plain() {
        return Ok(plain(code, entry.json().clone().into()));
    }
    let text = match view.accept.shape {
        Shape::Object => String::from_utf8_lossy(entry.embedded()).into_owned(),
        Shape::Metadata => partial(entry),
        Shape::Table => {
            let revision = entry.revision().to_string();
            let mut table = table_head(&revision, "", None, resource, true);
            table.push_str(&row(resource, entry, view));
            table + "]}"
        }
    };
    Ok(json(code, text, view.accept))
}

/// A list as an answer.
pub(crate) fn present_list(cache: &ResourceCache, listed: Listed, view: &View) -> Response<Body> {
    let resource = cache.resource();
    let revision = listed.revision.to_string();
    if view.is_plain() {
        return plain(StatusCode::OK, pieces(cache, listed));
    }
    let mut text = match view.accept.shape {
        Shape::Object => {
            let body = whole(pieces(cache, listed));
            return json(StatusCode::OK, body, view.accept);
        }
        Shape::Table => table_head(
            &revision,
            &listed.continue_token,
            listed.remaining,
            resource,
            true,
        ),
        Shape::Metadata => {
            let type_meta = encode::type_meta("meta.k8s.io/v1", "PartialObjectMetadataList");
            let metadata = list_metadata(&revision, &listed.continue_token, listed.remaining);
            format!("{{{type_meta},\"metadata\":{metadata},\"items\":[")
        }
    };
    for (index, entry) in listed.entries.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&match view.accept.shape {
            Shape::Table => row(resource, entry, view),
            Shape::Metadata | Shape::Object => partial(entry),
        });
    }
    json(StatusCode::OK, text + "]}", view.accept)
}

/// One object inside a watch event. `first` says whether a table still has to name its columns.
pub(super) fn embed(resource: &Resource, entry: &Entry, view: &View, first: bool) -> Bytes {
    match view.accept.shape {
        Shape::Object => entry.json().slice(..entry.embedded().len()),
        Shape::Metadata => partial(entry).into(),
        Shape::Table => {
            let mut table = table_head(&entry.revision().to_string(), "", None, resource, first);
            table.push_str(&row(resource, entry, view));
            (table + "]}").into()
        }
    }
}

fn plain(code: StatusCode, body: Body) -> Response<Body> {
    use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

fn list_metadata(revision: &str, continue_token: &str, remaining: Option<u64>) -> String {
    let mut text = format!("{{\"resourceVersion\":\"{revision}\"");
    if !continue_token.is_empty() {
        text.push_str(",\"continue\":");
        write_text(&mut text, continue_token);
    }
    if let Some(remaining) = remaining {
        text.push_str(&format!(",\"remainingItemCount\":{remaining}"));
    }
    text + "}"
}

/// The list's JSON, piece by piece, without a copy of all of it in memory.
fn pieces(cache: &ResourceCache, listed: Listed) -> Body {
    let (resource, head) = (cache.resource(), cache.head());
    let type_meta = encode::type_meta(&resource.api_version(), &resource.list_kind());
    let revision = listed.revision.to_string();
    let metadata = list_metadata(&revision, &listed.continue_token, listed.remaining);
    let start = format!("{{{type_meta},\"metadata\":{metadata},\"items\":[");
    const END: &str = "]}\n";
    let items: usize = listed
        .entries
        .iter()
        .map(|entry| entry.item_tail(head).len() + 1)
        .sum();
    let commas = listed.entries.len().saturating_sub(1);
    let length = start.len() + items + commas + END.len();
    let mut entries = listed.entries.into_iter().enumerate().peekable();
    let mut start = Some(start);
    let mut ended = false;
    let pieces = std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let mut piece = BytesMut::with_capacity(PIECE.min(length) + 1024);
        if let Some(start) = start.take() {
            piece.extend_from_slice(start.as_bytes());
        }
        while piece.len() < PIECE {
            let Some((index, entry)) = entries.next() else {
                piece.extend_from_slice(END.as_bytes());
                ended = true;
                break;
            };
            if index > 0 {
                piece.extend_from_slice(b",");
            }
            piece.extend_from_slice(b"{");
            piece.extend_from_slice(entry.item_tail(head));
        }
        Some(piece.freeze())
    });
    Body::Pieces(Box::new(pieces), length as u64)
}

fn whole(body: Body) -> String {
    let mut all = Vec::new();
    match body {
        Body::Pieces(pieces, length) => {
            all.reserve(usize::try_from(length).unwrap_or_default());
            pieces.for_each(|piece| all.extend_from_slice(&piece));
        }
        Body::Whole(Some(whole)) => all.extend_from_slice(&whole),
        Body::Whole(None) | Body::Endless(_) => {}
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// The object's metadata as a `PartialObjectMetadata`.
fn partial(entry: &Entry) -> String {
    #[derive(Deserialize)]
    struct Peek<'a> {
        #[serde(borrow)]
        metadata: &'a RawValue,
    }
    let metadata = serde_json::from_slice::<Peek<'_>>(entry.json());
    let metadata = metadata.map_or("{}", |peek| peek.metadata.get());
    let type_meta = encode::type_meta("meta.k8s.io/v1", "PartialObjectMetadata");
    format!("{{{type_meta},\"metadata\":{metadata}}}")
}

/// A table up to its rows.
fn table_head(
    revision: &str,
    continue_token: &str,
    remaining: Option<u64>,
    resource: &Resource,
    with_columns: bool,
) -> String {
    let type_meta = encode::type_meta("meta.k8s.io/v1", "Table");
    let metadata = list_metadata(revision, continue_token, remaining);
    let columns = if with_columns {
        columns(resource)
    } else {
        "null".to_owned()
    };
    format!("{{{type_meta},\"metadata\":{metadata},\"columnDefinitions\":{columns},\"rows\":[")
}

fn columns(resource: &Resource) -> String {
    let mut text = String::from("[");
    for (index, column) in resource.rules.columns().iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        let members = [
            ("name", column.name),
            ("type", column.kind),
            ("format", column.format),
            ("description", column.description),
        ];
        text.push('{');
        for (name, value) in members {
            write_text(&mut text, name);
            text.push(':');
            write_text(&mut text, value);
            text.push(',');
        }
        text.push_str(&format!("\"priority\":{}}}", column.priority));
    }
    text + "]"
}

fn row(resource: &Resource, entry: &Entry, view: &View) -> String {
    let object = entry.object().unwrap_or_else(|_| Object::default());
    let cells = resource.rules.cells(&object, view.now);
    let cells: Vec<_> = cells.iter().map(encode::any).collect();
    let cells = cells.join(",");
    match view.include {
        Include::None => format!("{{\"cells\":[{cells}]}}"),
        Include::Metadata => format!("{{\"cells\":[{cells}],\"object\":{}}}", partial(entry)),
        Include::Object => {
            let object = String::from_utf8_lossy(entry.embedded());
            format!("{{\"cells\":[{cells}],\"object\":{object}}}")
        }
    }
}
