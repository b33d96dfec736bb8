//! Secret (`pkg/registry/core/secret`, `ValidateSecret`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burgee_wire::Object;
use burgee_wire::field::{FieldError, Path};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::data::{self, SIZE_LIMIT};
use crate::Rules;
use crate::json;
use crate::table::{self, AGE, Column, NAME};

/// The rules of Secrets.
pub(crate) struct SecretRules;

impl Rules for SecretRules {
    fn default(&self, object: &mut Object) {
        merge_string_data(object);
        json::set_default(&mut object.content, "type", "Opaque");
    }

    fn validate_create(&self, object: &Object) -> Vec<FieldError> {
        let entries = data::entries(object, "data");
        let path = Path::new("data");
        let mut errors = Vec::new();
        for (key, _) in &entries {
            data::key(&mut errors, &path, key);
        }
        let size: usize = entries
            .iter()
            .map(|(_, base64)| data::decoded_len(base64))
            .sum();
        if size > SIZE_LIMIT {
            errors.push(FieldError::too_long(&path, SIZE_LIMIT));
        }
        errors.extend(content_of_type(object));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let kind = new.text(&["type"]);
        if kind != old.text(&["type"]) {
            errors.push(FieldError::invalid(
                &Path::new("type"),
                kind,
                "field is immutable",
            ));
        }
        errors.extend(data::immutable(new, old, &["data"]));
        errors.extend(self.validate_create(new));
        errors
    }

    fn selectable_fields(&self) -> &'static [&'static str] {
        &["type"]
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                NAME,
                Column::new("Type", "What the Secret is for."),
                Column::new("Data", "How many entries it has."),
                AGE,
            ]
        }
    }

    fn cells(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            table::name(object),
            object.text(&["type"]).into(),
            data::entries(object, "data").len().into(),
            table::age(object, now).into(),
        ]
    }
}

/// `stringData` is only for writing: its entries replace those of `data`.
fn merge_string_data(object: &mut Object) {
    let Some(Value::Object(texts)) = object.content.remove("stringData") else {
        return;
    };
    if texts.is_empty() {
        return;
    }
    if let Some(data) = json::object_mut(&mut object.content, "data") {
        for (key, text) in texts {
            let base64 = STANDARD.encode(text.as_str().unwrap_or_default());
            data.insert(key, base64.into());
        }
    }
}

/// What the Secret's type demands of its content.
fn content_of_type(object: &Object) -> Vec<FieldError> {
    let empty = Map::new();
    let data = object
        .content
        .get("data")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let path = Path::new("data");
    let required = |keys: &[&str]| -> Vec<FieldError> {
        let absent = keys.iter().filter(|key| !data.contains_key(**key));
        absent
            .map(|key| FieldError::required(&path.key(key), ""))
            .collect()
    };
    match object.text(&["type"]) {
        "kubernetes.io/service-account-token" => {
            let key = "kubernetes.io/service-account.name";
            let name = object.metadata.annotations.get(key);
            let missing = name.is_none_or(String::is_empty);
            let path = Path::new("metadata.annotations").key(key);
            missing
                .then(|| FieldError::required(&path, ""))
                .into_iter()
                .collect()
        }
        "kubernetes.io/dockercfg" => json_object(data, ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => json_object(data, ".dockerconfigjson"),
        "kubernetes.io/basic-auth" => {
            // One of the two is enough; when both are missing, both are named.
            let missing = required(&["username", "password"]);
            if missing.len() == 2 {
                missing
            } else {
                Vec::new()
            }
        }
        "kubernetes.io/ssh-auth" => {
            let key = "ssh-privatekey";
            let filled = data.get(key).is_some_and(|value| value != "");
            if filled {
                Vec::new()
            } else {
                vec![FieldError::required(&path.key(key), "")]
            }
        }
        "kubernetes.io/tls" => required(&["tls.crt", "tls.key"]),
        _ => Vec::new(),
    }
}

/// The entry must be there and must be a JSON object.
fn json_object(data: &Map<String, Value>, key: &str) -> Vec<FieldError> {
    let path = Path::new("data").key(key);
    let Some(base64) = data.get(key) else {
        return vec![FieldError::required(&path, "")];
    };
    let bytes = STANDARD
        .decode(base64.as_str().unwrap_or_default())
        .unwrap_or_default();
    // Upstream's syntax errors quote a character of the Secret; these do not.
    let problem = match serde_json::from_slice::<Value>(&bytes) {
        Ok(Value::Object(_) | Value::Null) => return Vec::new(),
        Ok(other) => {
            let kind = match other {
                Value::Array(_) => "array",
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                _ => "string",
            };
            format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
        }
        Err(error) if error.is_eof() => "unexpected end of JSON input".to_owned(),
        Err(_) => "invalid character in JSON input".to_owned(),
    };
    vec![FieldError::invalid(
        &path,
        "<secret contents redacted>",
        problem,
    )]
}
