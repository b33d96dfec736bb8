//! What the API says of itself, without I/O: discovery documents and OpenAPI v2 and v3.
//!
//! Everything is derived from two tables, the resource registry (`burgee_resources::all`) and the
//! compiled-in schema (`burgee_wire::schema`), so that a served kind and its description cannot
//! part. [`Documents`] generates each document at its first request, straight into compact bytes,
//! and keeps it as a [`Document`] with a stable hash.
//!
//! ```
//! use burgee_openapi::{About, Documents};
//!
//! let about = About { version: "v1.37.0".into(), server_address: "192.0.2.10:6443".into() };
//! let documents = Documents::new(burgee_resources::all(), about);
//!
//! let group = documents.api_group("authentication.k8s.io").unwrap();
//! assert!(group.body().starts_with(br#"{"kind":"APIGroup","apiVersion":"v1","name":"authen"#));
//!
//! let secrets = documents.openapi_v3("api/v1").unwrap();
//! assert_eq!(secrets.hash().len(), 128);
//! ```

mod definitions;
mod discovery;
mod document;
mod documents;
mod gnostic;
mod groups;
mod json;
mod operations;
mod v2;
mod v3;

pub use discovery::AggregatedVersion;
pub use document::Document;
pub use documents::{About, Documents};
