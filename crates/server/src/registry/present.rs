//! Objects in the shape that the client asked for: whole, as metadata, or as rows of a table.

use std::sync::Arc;

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
use crate::http::{Accept, Body, Form, Query, Shape, json, respond};

/// How much of a list goes into one piece of the answer.
const PIECE: usize = 64 * 1024;
/// How many bytes of objects are rendered for one piece, however little comes out.
const MAX_READ: usize = 4 * PIECE;

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
        let body = entry.json().clone().into();
        return Ok(respond(code, "application/json", body));
    }
    let text = match view.accept.shape {
        Shape::Object => String::from_utf8_lossy(entry.embedded()).into_owned(),
        Shape::Metadata => partial(entry),
        Shape::Table => table_of_one(resource, entry, view, true),
    };
    Ok(json(code, text, view.accept))
}

/// A list as an answer.
///
/// # Errors
///
/// 500 when rendering fails.
pub(crate) async fn present_list(
    cache: &ResourceCache,
    listed: Listed,
    view: &View,
) -> Result<Response<Body>> {
    let pieces = ListPieces::new(cache, listed, view);
    let accept = view.accept;
    if accept.form == Form::Json && !accept.pretty {
        let body = match pieces.length() {
            Some(length) => Body::Pieces(Box::new(pieces), length),
            None => Body::rendered(pieces),
        };
        return Ok(respond(StatusCode::OK, "application/json", body));
    }
    // These need all of the text at once, which can take long.
    let rendering = tokio::task::spawn_blocking(move || {
        let compact = pieces.collect::<Vec<_>>().concat();
        let compact = String::from_utf8_lossy(&compact).into_owned();
        json(StatusCode::OK, compact, accept)
    });
    rendering.await.map_err(|error| {
        tracing::error!(%error, "a list cannot be rendered");
        Box::new(Status::internal("the list cannot be rendered"))
    })
}

/// One object inside a watch event. `first` says whether a table still has to name its columns.
pub(super) fn embed(resource: &Resource, entry: &Entry, view: &View, first: bool) -> Bytes {
    match view.accept.shape {
        Shape::Object => entry.json().slice(..entry.embedded().len()),
        Shape::Metadata => partial(entry).into(),
        Shape::Table => table_of_one(resource, entry, view, first).into(),
    }
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

/// A list's JSON, piece by piece, without a copy of all of it in memory.
struct ListPieces {
    resource: &'static Resource,
    view: View,
    /// What every object begins with that is left out in a list, see [`ResourceCache::head`].
    head: usize,
    /// The list up to its items.
    start: String,
    entries: std::vec::IntoIter<Arc<Entry>>,
    state: ListState,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum ListState {
    Start,
    Items,
    End,
}

impl ListPieces {
    const END: &[u8] = b"]}\n";
    /// How many objects are looked at to guess the size of a piece.
    const AHEAD: usize = 64;

    fn new(cache: &ResourceCache, listed: Listed, view: &View) -> Self {
        let resource = cache.resource();
        let revision = listed.revision.to_string();
        let metadata = list_metadata(&revision, &listed.continue_token, listed.remaining);
        let start = match view.accept.shape {
            Shape::Metadata => {
                let type_meta = encode::type_meta("meta.k8s.io/v1", "PartialObjectMetadataList");
                format!("{{{type_meta},\"metadata\":{metadata},\"items\":[")
            }
            Shape::Object => {
                let type_meta = encode::type_meta(&resource.api_version(), &resource.list_kind());
                format!("{{{type_meta},\"metadata\":{metadata},\"items\":[")
            }
            Shape::Table => table_head(&metadata, resource, true),
        };
        Self {
            resource,
            view: *view,
            head: cache.head(),
            start,
            entries: listed.entries.into_iter(),
            state: ListState::Start,
        }
    }

    /// The length of all pieces, where that is known without rendering them.
    fn length(&self) -> Option<u64> {
        if self.view.accept.shape != Shape::Object {
            return None;
        }
        let entries = self.entries.as_slice();
        let items: usize = entries
            .iter()
            .map(|entry| 1 + entry.item_tail(self.head).len())
            .sum();
        let commas = entries.len().saturating_sub(1);
        Some((self.start.len() + items + commas + Self::END.len()) as u64)
    }

    fn write_item(&self, entry: &Entry, piece: &mut BytesMut) {
        match self.view.accept.shape {
            Shape::Metadata => piece.extend_from_slice(partial(entry).as_bytes()),
            Shape::Object => {
                piece.extend_from_slice(b"{");
                piece.extend_from_slice(entry.item_tail(self.head));
            }
            Shape::Table => {
                piece.extend_from_slice(row(self.resource, entry, &self.view).as_bytes());
            }
        }
    }
}

impl Iterator for ListPieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let next = self.entries.as_slice().iter().take(Self::AHEAD);
        let expected: usize = next.map(|entry| entry.json().len()).sum();
        let mut piece = BytesMut::with_capacity((self.start.len() + expected).min(PIECE + 1024));
        let mut read = 0;
        while self.state != ListState::End && piece.len() < PIECE && read < MAX_READ {
            let is_first = self.state == ListState::Start;
            if is_first {
                piece.extend_from_slice(self.start.as_bytes());
                self.state = ListState::Items;
            }
            let Some(entry) = self.entries.next() else {
                piece.extend_from_slice(Self::END);
                self.state = ListState::End;
                break;
            };
            if !is_first {
                piece.extend_from_slice(b",");
            }
            self.write_item(&entry, &mut piece);
            read += entry.json().len();
        }
        (!piece.is_empty()).then(|| piece.freeze())
    }
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
fn table_head(metadata: &str, resource: &Resource, with_columns: bool) -> String {
    let type_meta = encode::type_meta("meta.k8s.io/v1", "Table");
    let columns = if with_columns {
        columns(resource)
    } else {
        "null".to_owned()
    };
    format!("{{{type_meta},\"metadata\":{metadata},\"columnDefinitions\":{columns},\"rows\":[")
}

fn table_of_one(resource: &Resource, entry: &Entry, view: &View, with_columns: bool) -> String {
    let metadata = list_metadata(&entry.revision().to_string(), "", None);
    let head = table_head(&metadata, resource, with_columns);
    head + &row(resource, entry, view) + "]}"
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

#[cfg(test)]
mod tests {
    use super::*;
    use burgee_store::{KeyValue, Revision};
    use http_body_util::BodyExt as _;
    use serde_json::Value;

    /// Config maps of about this many bytes.
    fn listed(sizes: &[usize]) -> (ResourceCache, Listed) {
        let resource = burgee_resources::find("", "v1", "configmaps").unwrap();
        let entries = sizes.iter().enumerate().map(|(index, size)| {
            let text = "x".repeat(*size);
            let value = format!(
                r#"{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"name":"c{index}","namespace":"n","uid":"u"}},"data":{{"text":"{text}"}}}}"#
            );
            let kv = KeyValue {
                key: format!("/registry/configmaps/n/c{index}").into(),
                value: value.into(),
                create_revision: Revision(2),
                mod_revision: Revision(2),
            };
            Arc::new(Entry::new(resource, &kv).unwrap())
        });
        let listed = Listed {
            entries: entries.collect(),
            revision: Revision(9),
            continue_token: "more\"".to_owned(),
            remaining: Some(3),
        };
        (ResourceCache::new(resource), listed)
    }

    fn view(form: Form, shape: Shape, pretty: bool) -> View {
        let accept = Accept {
            form,
            shape,
            pretty,
        };
        View::new(accept, &Query::default(), Timestamp::UNIX_EPOCH).unwrap()
    }

    /// The pieces of the answer, and the length that it announces.
    async fn answer(sizes: &[usize], view: View) -> (Vec<Bytes>, Option<u64>) {
        let (cache, listed) = listed(sizes);
        let response = present_list(&cache, listed, &view).await.unwrap();
        let mut body = response.into_body();
        let announced = http_body::Body::size_hint(&body).exact();
        let mut pieces = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            pieces.extend(frame.into_data());
        }
        (pieces, announced)
    }

    #[tokio::test]
    async fn lists_of_every_shape_come_in_pieces() {
        let shapes = [
            (Shape::Metadata, "PartialObjectMetadataList", "items"),
            (Shape::Object, "ConfigMapList", "items"),
            (Shape::Table, "Table", "rows"),
        ];
        for (shape, kind, items) in shapes {
            let (pieces, _) = answer(&[100_000; 10], view(Form::Json, shape, false)).await;
            assert!(pieces.len() > 2, "{kind}");
            let list: Value = serde_json::from_slice(&pieces.concat()).unwrap();
            assert_eq!(list["kind"], kind);
            assert_eq!(list["metadata"]["continue"], "more\"");
            assert_eq!(list[items].as_array().unwrap().len(), 10, "{kind}");
            let (empty, _) = answer(&[], view(Form::Json, shape, false)).await;
            let list: Value = serde_json::from_slice(&empty.concat()).unwrap();
            assert_eq!(list[items], serde_json::json!([]));
        }
    }

    #[tokio::test]
    async fn whole_objects_announce_how_long_their_list_is() {
        for sizes in [&[][..], &[1], &[70_000, 5, 70_000]] {
            let view = view(Form::Json, Shape::Object, false);
            let (pieces, announced) = answer(sizes, view).await;
            assert_eq!(announced, Some(pieces.concat().len() as u64));
        }
    }

    #[tokio::test]
    async fn yaml_and_indented_lists_say_the_same() {
        let read = |pieces: Vec<Bytes>| -> Value {
            let text = String::from_utf8(pieces.concat()).unwrap();
            serde_saphyr::from_str(&text).unwrap()
        };
        for shape in [Shape::Metadata, Shape::Object, Shape::Table] {
            let (plain, _) = answer(&[5, 6], view(Form::Json, shape, false)).await;
            let (pretty, _) = answer(&[5, 6], view(Form::Json, shape, true)).await;
            let (yaml, _) = answer(&[5, 6], view(Form::Yaml, shape, false)).await;
            let plain = read(plain);
            assert_eq!((read(pretty), read(yaml)), (plain.clone(), plain));
        }
    }
}
