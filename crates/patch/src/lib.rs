//! The four ways Kubernetes changes an object, and who owns which of its fields.
//!
//! [`Patch`] is a JSON patch (RFC 6902), a merge patch (RFC 7386) or a strategic merge patch, read
//! from a request body and applied to an object. [`apply()`] is the fourth way, server-side apply: a
//! manager says what ought to be and learns of conflicts with others. [`update()`] records who owns
//! what after every other write. Who owns what is a [`FieldSet`] per manager in
//! `metadata.managedFields`.
//!
//! Everything is a computation on JSON values along the schema of [`burgee_wire`]; there is no I/O.
//!
//! ```
//! use burgee_patch::{Endpoint, Error, FieldSet, OnConflict, Writer, apply};
//! use burgee_wire::schema::schema;
//! use serde_json::json;
//!
//! let endpoint = Endpoint {
//!     kind: schema().find("io.k8s.api.core.v1.ConfigMap").unwrap(),
//!     api_version: "v1",
//!     subresource: "",
//!     reset_fields: &FieldSet::default(),
//! };
//! let writer = |name| Writer { name, now: "2026-01-01T00:00:00Z".parse().unwrap() };
//! let colour = |colour: &str| {
//!     json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "paint"}, "data": {"colour": colour}})
//! };
//!
//! let created = apply(None, &colour("red"), &endpoint, &writer("alice"), OnConflict::Refuse).unwrap();
//! let mut live = created.object;
//! live["metadata"]["managedFields"] = serde_json::to_value(created.managed_fields).unwrap();
//!
//! let refused = apply(Some(&live), &colour("blue"), &endpoint, &writer("bob"), OnConflict::Refuse);
//! let text = r#"Apply failed with 1 conflict: conflict with "alice": .data.colour"#;
//! assert_eq!(refused.unwrap_err().to_string(), text);
//!
//! let forced = apply(Some(&live), &colour("blue"), &endpoint, &writer("bob"), OnConflict::Force).unwrap();
//! assert_eq!(forced.object["data"]["colour"], "blue");
//! ```

mod apply;
mod conflict;
mod error;
mod field_set;
mod json_patch;
mod last_applied;
mod literal;
mod managers;
mod ownership;
mod patch;
mod strategic;
mod typed;
mod update;

pub use apply::{Applied, OnConflict, apply};
pub use conflict::Conflict;
pub use error::Error;
pub use field_set::{FieldSet, Path, PathElement};
pub use json_patch::MAX_OPERATIONS;
pub use literal::Literal;
pub use managers::{Manager, Operation, same_but_for_times};
pub use ownership::{Endpoint, Writer};
pub use patch::{Patch, PatchType};
pub use update::{resets_managed_fields, update};
