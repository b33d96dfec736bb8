//! What a kind adds to what all kinds have in common.

use std::borrow::Cow;

use burgee_wire::field::FieldError;
use burgee_wire::{Object, names};
use jiff::Timestamp;
use serde_json::Value;

use crate::table::{self, Column};

/// The rules of one kind: names, defaulting, what a client may write, and how a table shows it.
///
/// A server calls them in upstream's order (`k8s.io/apiserver/pkg/registry/rest`). For a creation:
/// [`default`](Self::default), a name from `generateName`, [`prepare_create`](Self::prepare_create),
/// [`metadata::validate_create`](crate::metadata::validate_create) and
/// [`validate_create`](Self::validate_create), [`warnings`](Self::warnings). For an update the
/// functions of that name likewise. Objects are in the canonical form of
/// [`decode`](burgee_wire::decode) and stay in it.
pub trait Rules: Send + Sync {
    /// What is wrong with a name, in upstream's words. An RFC 1123 subdomain unless the kind says
    /// otherwise.
    fn name_problems(&self, name: &str) -> Vec<String> {
        names::dns1123_subdomain(name)
    }

    /// What is wrong with a name's prefix, to which random characters are going to be appended.
    fn generate_name_problems(&self, prefix: &str) -> Vec<String> {
        self.name_problems(&mask_trailing_dash(prefix))
    }

    /// Fills in what the client left out and upstream has a default for.
    fn default(&self, object: &mut Object) {
        let _ = object;
    }

    /// Takes away what a client cannot set on a new object, and sets what it need not.
    fn prepare_create(&self, object: &mut Object) {
        let _ = object;
    }

    /// What is wrong with a new object, apart from its metadata.
    fn validate_create(&self, object: &Object) -> Vec<FieldError> {
        let _ = object;
        Vec::new()
    }

    /// Keeps of `old` what an update cannot change.
    fn prepare_update(&self, new: &mut Object, old: &Object) {
        let _ = (new, old);
    }

    /// What is wrong with an update, apart from its metadata.
    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let _ = old;
        self.validate_create(new)
    }

    /// Keeps of `old` what a write to this subresource (`status`, or `finalize` of a Namespace)
    /// cannot change.
    fn prepare_status_update(&self, subresource: &str, new: &mut Object, old: &Object) {
        let _ = (subresource, new, old);
    }

    /// What is wrong with a write to this subresource, apart from the metadata.
    fn validate_status_update(
        &self,
        subresource: &str,
        new: &Object,
        old: &Object,
    ) -> Vec<FieldError> {
        let _ = (subresource, new, old);
        Vec::new()
    }

    /// What is allowed but better left alone, one sentence each, for `Warning` headers.
    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let _ = (new, old);
        Vec::new()
    }

    /// The fields that field selectors may name besides `metadata.name` and `metadata.namespace`.
    fn selectable_fields(&self) -> &'static [&'static str] {
        &[]
    }

    /// The value of a field for field selectors; empty where there is none.
    fn field_value<'a>(&self, object: &'a Object, field: &str) -> &'a str {
        field_at(object, field)
    }

    /// The columns of a table of these objects.
    fn columns(&self) -> &'static [Column] {
        table::NAME_AND_CREATED_AT
    }

    /// One row: a cell for each of [`columns`](Self::columns), also for those of wide output.
    fn cells(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let _ = now;
        vec![table::name(object), table::created_at(object)]
    }

    /// Whether an update may come without a resource version.
    fn allow_unconditional_update(&self) -> bool {
        true
    }

    /// Whether an update of an object that does not exist creates it.
    fn allow_create_on_update(&self) -> bool {
        false
    }

    /// Whether a deletion answers with the object that is gone instead of a `Status`.
    fn returns_deleted(&self) -> bool {
        false
    }

    /// Seconds that a deletion takes when the client asks for so many, or for none in particular. Zero
    /// deletes at once, as is always the case for kinds that have nothing to end gracefully.
    fn grace_period(&self, object: &Object, requested: Option<i64>) -> i64 {
        let _ = (object, requested);
        0
    }
}

/// A prefix may end in a dash, because a letter or digit is going to follow.
fn mask_trailing_dash(prefix: &str) -> Cow<'_, str> {
    match prefix.strip_suffix('-') {
        // Upstream also takes the character before the dash away, so that `a--` is a prefix.
        Some(rest) if !rest.is_empty() => {
            let mut masked = rest.to_owned();
            masked.pop();
            masked.push('a');
            masked.into()
        }
        _ => prefix.into(),
    }
}

/// The value at a dotted path, as field selectors compare it.
pub(crate) fn field_at<'a>(object: &'a Object, field: &str) -> &'a str {
    match field {
        "metadata.name" => &object.metadata.name,
        "metadata.namespace" => &object.metadata.namespace,
        _ => {
            let path: Vec<_> = field.split('.').collect();
            match object.at(&path) {
                Some(Value::String(text)) => text,
                Some(Value::Bool(true)) => "true",
                Some(Value::Bool(false)) => "false",
                _ => "",
            }
        }
    }
}
