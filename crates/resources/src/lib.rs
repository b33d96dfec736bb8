//! What each served Kubernetes kind is, without I/O.
//!
//! The registry ([`all`], [`find`], [`by_kind`]) lists every [`Resource`] with its names, verbs and
//! storage keys. Its [`Rules`] fill in defaults, say what a client may write and draw its table row;
//! [`metadata`] does so for what all kinds have in common.
//!
//! ```
//! use burgee_resources::find;
//! use burgee_wire::Object;
//! use serde_json::json;
//!
//! let secrets = find("", "v1", "secrets").unwrap();
//! assert_eq!(secrets.key("golden", "s1"), "/registry/secrets/golden/s1");
//!
//! let mut secret = Object::from_value(json!({"metadata": {"name": "s1"}})).unwrap();
//! secrets.rules.default(&mut secret);
//! secrets.rules.prepare_create(&mut secret);
//! assert_eq!(secrets.rules.validate_create(&secret), []);
//! ```

mod json;
mod kinds;
pub mod metadata;
mod quantity;
mod registry;
mod resource;
mod rules;
mod table;

pub use registry::{all, by_kind, find};
pub use resource::{Resource, Subresource};
pub use rules::Rules;
pub use table::{Column, age, humanised};
