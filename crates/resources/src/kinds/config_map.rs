//! ConfigMap (`pkg/registry/core/configmap`, `ValidateConfigMap`).

use burgee_wire::Object;
use burgee_wire::field::{FieldError, Path};
use jiff::Timestamp;
use serde_json::Value;

use super::data::{self, SIZE_LIMIT};
use crate::Rules;
use crate::table::{self, AGE, Column, NAME};

/// The rules of ConfigMaps.
pub(crate) struct ConfigMapRules;

impl Rules for ConfigMapRules {
    fn validate_create(&self, object: &Object) -> Vec<FieldError> {
        let (texts, bytes) = (
            data::entries(object, "data"),
            data::entries(object, "binaryData"),
        );
        let mut errors = Vec::new();
        let path = Path::new("data");
        for (key, _) in &texts {
            data::key(&mut errors, &path, key);
            if bytes.iter().any(|(other, _)| other == key) {
                let detail = "duplicate of key present in binaryData";
                errors.push(FieldError::invalid(&path.key(key), *key, detail));
            }
        }
        for (key, _) in &bytes {
            data::key(&mut errors, &Path::new("binaryData"), key);
        }
        let size = texts.iter().map(|(_, text)| text.len()).sum::<usize>()
            + bytes
                .iter()
                .map(|(_, base64)| data::decoded_len(base64))
                .sum::<usize>();
        if size > SIZE_LIMIT {
            // Upstream's path for the whole object, which it prints as `[]`.
            errors.push(FieldError::too_long(&Path::root().key(""), SIZE_LIMIT));
        }
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = data::immutable(new, old, &["data", "binaryData"]);
        errors.extend(self.validate_create(new));
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const { &[NAME, Column::new("Data", "How many entries it has."), AGE] }
    }

    fn cells(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let entries =
            data::entries(object, "data").len() + data::entries(object, "binaryData").len();
        vec![
            table::name(object),
            entries.into(),
            table::age(object, now).into(),
        ]
    }
}
