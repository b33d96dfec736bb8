//! What several suites need.

use burgee_resources::{Resource, all};
use burgee_wire::field::FieldError;
use burgee_wire::{Object, decode};
use serde_json::Value;

/// The resource of this plural, which is unique among those served.
pub(crate) fn resource(plural: &str) -> &'static Resource {
    all().iter().find(|each| each.plural == plural).unwrap()
}

/// An object as a server sees it after decoding and defaulting; what defaulting made of it is
/// canonical and stays as it is.
pub(crate) fn object(plural: &str, value: Value) -> Object {
    let resource = resource(plural);
    let decoded = decode::conform(value, resource.schema()).unwrap();
    assert_eq!(decoded.problems, [], "unknown members");
    let mut object = Object::from_value(decoded.value).unwrap();
    resource.rules.default(&mut object);
    let canonical = decode::conform(object.to_value(), resource.schema()).unwrap();
    assert_eq!(
        canonical.value,
        object.to_value(),
        "not canonical after defaulting"
    );
    let mut again = object.clone();
    resource.rules.default(&mut again);
    assert_eq!(again, object, "defaulting twice differs from once");
    object
}

/// What is wrong with a new object.
pub(crate) fn create(plural: &str, value: Value) -> Vec<String> {
    let mut object = object(plural, value);
    resource(plural).rules.prepare_create(&mut object);
    assert_canonical(resource(plural), &object);
    texts(&resource(plural).rules.validate_create(&object))
}

/// What is wrong with a change from `old` to `new`.
pub(crate) fn update(plural: &str, old: Value, new: Value) -> Vec<String> {
    let (old, mut new) = (object(plural, old), object(plural, new));
    resource(plural).rules.prepare_update(&mut new, &old);
    assert_canonical(resource(plural), &new);
    texts(&resource(plural).rules.validate_update(&new, &old))
}

/// What is wrong with a change from `old` to `new` through a subresource.
pub(crate) fn update_status(
    plural: &str,
    subresource: &str,
    old: Value,
    new: Value,
) -> Vec<String> {
    let (old, mut new) = (object(plural, old), object(plural, new));
    let rules = resource(plural).rules;
    rules.prepare_status_update(subresource, &mut new, &old);
    assert_canonical(resource(plural), &new);
    texts(&rules.validate_status_update(subresource, &new, &old))
}

/// Encoding writes what it finds, so that rules must leave objects as decoding makes them.
fn assert_canonical(resource: &Resource, object: &Object) {
    let canonical = decode::conform(object.to_value(), resource.schema()).unwrap();
    assert_eq!(canonical.value, object.to_value(), "not canonical");
}

/// Errors as clients see them.
pub(crate) fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}
