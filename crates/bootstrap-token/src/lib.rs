//! Bootstrap tokens: what lets a machine that nobody knows yet join a cluster, without I/O.
//!
//! A [`Token`] is a short shared secret with a public id. It is stored as a Secret, written from a
//! [`TokenSpec`] and read, whatever is in it, as a [`TokenRecord`]. The machine shows it to the API
//! server as a bearer token, which [`judge`] decides about and [`examine`] explains; the API server shows that it knows it by
//! signing the `cluster-info` ConfigMap ([`ClusterInfoKey`], [`ClusterInfo`]). A [`CaPin`] tells the
//! machine which authorities to trust even if others know the token. When a token ends is decided in one
//! place, [`Expiration::lifetime`].
//!
//! ```
//! use burgee_bootstrap_token::*;
//! use burgee_identity::{Clock, SystemClock};
//!
//! // An administrator makes a token; it becomes a Secret.
//! let now = SystemClock::new().now();
//! let token = Token::generate()?;
//! let spec = TokenSpec::new(token.clone(), Usages::ALL, Vec::new())?
//!     .expiring_after(now, jiff::SignedDuration::from_hours(24))?;
//! let record = TokenRecord::from_object(&spec.to_object());
//!
//! // The cluster signs what it tells everyone who asks.
//! let kubeconfig = PublishedKubeconfig::without_authorities("https://10.0.0.10:6443")?.to_string();
//! let mut config_map = burgee_wire::Object::default();
//! config_map.content.insert("data".into(), serde_json::json!({"kubeconfig": kubeconfig}));
//! let keys: Vec<_> = record.signing_key(now).into_iter().collect();
//! let config_map = resigned(&config_map, &keys).unwrap();
//!
//! // The machine knows the token and so believes it; the cluster knows who the machine is.
//! assert_eq!(ClusterInfo::from_object(&config_map).verified_by(&token)?, kubeconfig);
//! let user = judge(&token, Some(&record), now)?.user;
//! assert_eq!(user.name, format!("system:bootstrap:{}", token.id()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cluster_info;
mod error;
mod examine;
mod expiration;
mod finding;
mod group;
mod judge;
mod kubeconfig;
mod listing;
mod pin;
mod secret;
mod spec;
#[cfg(test)]
mod testing;
mod token;
mod usages;

pub use cluster_info::{
    CLUSTER_INFO_NAME, CLUSTER_INFO_NAMESPACE, ClusterInfo, ClusterInfoKey, KUBECONFIG_KEY,
    SIGNATURE_PREFIX, resigned,
};
pub use error::Error;
pub use examine::examine;
pub use expiration::{Expiration, Lifetime};
pub use finding::Finding;
pub use group::{BootstrapGroup, DEFAULT_GROUP, NODE_GROUP};
pub use judge::{Admission, Refusal, RefusalCause, judge};
pub use kubeconfig::PublishedKubeconfig;
pub use listing::TokenListing;
pub use pin::{CaPin, CertificateBundle, PinnableCertificate};
pub use secret::{NAME_PREFIX, NAMESPACE, SECRET_TYPE, TokenRecord, keys};
pub use spec::TokenSpec;
pub use token::{Token, TokenId, TokenSecret, Weakness};
pub use usages::Usages;
