//! The Kubernetes kinds that Burgee serves and reads, without I/O.
//!
//! Objects are dynamic JSON governed by one compiled-in [`schema`]: names, types, protobuf numbers,
//! list topologies and descriptions of every served kind. The same schema drives strict decoding
//! ([`decode`]), canonical encoding ([`encode`]), OpenAPI, strategic merge patch and server-side
//! apply, so that a kind is described once. Typed views exist only where code reads fields:
//! [`ObjectMeta`], [`Status`], [`rbac`], [`authentication`], [`authorization`], [`explanation`].
//!
//! ```
//! use burgee_wire::{decode, encode, schema::schema};
//!
//! let config_map = schema().find("io.k8s.api.core.v1.ConfigMap").unwrap();
//! let body = br#"{"data":{"b":"2","a":"1"},"metadata":{"name":"c"},"colour":"red"}"#;
//! let decoded = decode::from_slice(body, config_map).unwrap();
//! assert_eq!(decoded.problems[0].to_string(), r#"unknown field "colour""#);
//!
//! let json = encode::to_string(&decoded.value, config_map);
//! assert_eq!(json, r#"{"metadata":{"name":"c"},"data":{"a":"1","b":"2"}}"#);
//! ```

pub mod authentication;
pub mod authorization;
pub mod decode;
pub mod encode;
pub mod explanation;
pub mod field;
mod go;
pub mod names;
mod object;
pub mod protobuf;
pub mod rbac;
pub mod schema;
pub mod selector;
mod status;
mod time;
pub mod url;

pub use go::quoted;
pub use object::{ManagedFieldsEntry, Object, ObjectMeta, OwnerReference};
pub use status::{Status, StatusCause, StatusDetails};
pub use time::{MicroTime, Time};
