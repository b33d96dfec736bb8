//! Making answers comparable: what differs from server to server becomes a word for what it is, and
//! what controllers do is taken away, since the recorded server had none.

use burgee_testkit::claims;
use serde_json::{Map, Value, json};

use super::decoded;

/// An answer without its uids, times, resource versions, random names, tokens and keys, and without
/// the address of the server that gave it.
pub(super) fn normalize(answer: &Value, address: &str) -> Value {
    let answer = answer.to_string().replace(address, "ADDRESS");
    let mut answer: Value = serde_json::from_str(&answer).unwrap();
    if let Some(headers) = answer["headers"].as_object_mut() {
        // Whether an answer came in one piece is nobody's business.
        headers.remove("content-length");
    }
    let body = &mut answer["body"];
    if let Some(text) = body.as_str() {
        *body = normal_text(text);
    }
    visit("", body);
    answer
}

/// What controllers put into every namespace.
const MADE_BY_CONTROLLERS: [&str; 2] = ["default", "kube-root-ca.crt"];

/// Whether an element of a list is a controller's work: an object, its row in a table, an event of
/// it, or a note that a controller wrote fields.
fn is_by_controller(list: &str, element: &Value) -> bool {
    if list == "managedFields" {
        let manager = element["manager"].as_str().unwrap_or_default();
        return ["-controller", "-manager", "-publisher"]
            .iter()
            .any(|end| manager.ends_with(end));
    }
    let named = match list {
        "items" => element,
        _ => &element["object"],
    };
    let metadata = &named["metadata"];
    let is_own = MADE_BY_CONTROLLERS
        .iter()
        .any(|own| metadata["name"] == *own);
    is_own && metadata["namespace"].is_string()
}

/// Puts the objects with which a watch begins into the order of their names: upstream's own order
/// is that of a hash table.
pub(super) fn sort_initial_events(answer: &mut Value) {
    let events = answer["body"].as_array_mut().unwrap();
    let initial = events.partition_point(|event| event["type"] == "ADDED");
    events[..initial].sort_by_key(|event| {
        let object = &event["object"];
        let name = [&object["metadata"]["name"], &object["rows"][0]["cells"][0]];
        name.into_iter().find_map(Value::as_str).map(str::to_owned)
    });
}

/// Events of a watch become a list of them; what is left of text becomes its lines.
fn normal_text(text: &str) -> Value {
    let events: Option<Vec<Value>> = text
        .lines()
        .map(|line| serde_json::from_str(line).ok())
        .collect();
    match events {
        Some(events) if text.starts_with('{') => events.into(),
        _ => match serde_saphyr::from_str::<Value>(text) {
            Ok(document @ Value::Object(_)) => json!({"yaml": document}),
            _ => text.split('\n').collect(),
        },
    }
}

fn visit(key: &str, value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("kind").is_some_and(|kind| kind == "Table") {
                normal_table(members);
            }
            if members.contains_key("aggregationRule") {
                members.insert("rules".to_owned(), Value::Null);
            }
            if members
                .get("phase")
                .is_some_and(|phase| phase == "Terminating")
            {
                members.remove("conditions");
            }
            for (key, value) in members {
                visit(key, value);
            }
        }
        Value::Array(elements) => {
            elements.retain(|element| !is_by_controller(key, element));
            elements.iter_mut().for_each(|element| visit(key, element));
        }
        Value::String(text) => {
            if let Some(normal) = normal_string(key, text) {
                *value = normal;
            }
        }
        _ => {}
    }
}

/// Ages in cells; and whether columns are described, not how.
fn normal_table(table: &mut Map<String, Value>) {
    for column in table["columnDefinitions"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        column.as_object_mut().unwrap().remove("description");
    }
    for row in table["rows"].as_array_mut().into_iter().flatten() {
        for cell in row["cells"].as_array_mut().into_iter().flatten() {
            let seconds = cell.as_str().and_then(|age| age.strip_suffix('s'));
            if seconds.is_some_and(|digits| digits.parse::<u32>().is_ok()) {
                *cell = json!("AGE");
            }
        }
    }
}

fn normal_string(key: &str, text: &str) -> Option<Value> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match key {
        "continue" => decoded(text).map(|mut token| {
            token["rv"] = json!("VERSION");
            token
        }),
        "token" if text.starts_with("ey") => Some(normal_token(text)),
        "resourceVersion" if is_number => Some(json!("VERSION")),
        "name" => {
            let random = text.strip_prefix("gen-").filter(|rest| rest.len() == 5);
            random.map(|_| json!("gen-RANDOM"))
        }
        "message" => Some(json!(normal_message(text))),
        // What a server calls itself.
        "manager" if ["burgee", "kube-apiserver"].contains(&text) => Some(json!("SERVER")),
        "kid" | "x" | "y" => Some(json!("KEY")),
        "authentication.kubernetes.io/credential-id" => Some(json!("JTI")),
        _ => (burgee_testkit::normalize(text) != text)
            .then(|| json!(burgee_testkit::normalize(text))),
    }
}

/// What a token says, with times as seconds since it was issued, and without the key's id.
fn normal_token(token: &str) -> Value {
    let mut claims = claims(token);
    let issued = claims["iat"].as_i64().unwrap();
    for time in ["/exp", "/nbf", "/kubernetes.io/warnafter"] {
        if let Some(time) = claims.pointer_mut(time) {
            *time = json!(time.as_i64().unwrap() - issued);
        }
    }
    claims["iat"] = json!("TIME");
    visit("", &mut claims);
    if !claims["jti"].is_null() {
        claims["jti"] = json!("JTI");
    }
    let mut header = decoded(token.split('.').next().unwrap()).unwrap();
    header["kid"] = json!("KEY");
    json!({"header": header, "claims": claims})
}

/// Uids and versions of objects in sentences.
fn normal_message(text: &str) -> String {
    let mut text = burgee_testkit::normalize(text);
    for before in ["ResourceVersion in record (", "current: "] {
        if let Some(at) = text.find(before).map(|at| at + before.len()) {
            let digits = text[at..].bytes().take_while(u8::is_ascii_digit).count();
            text.replace_range(at..at + digits, "VERSION");
        }
    }
    text
}
