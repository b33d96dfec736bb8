//! The identity that a data directory holds.
//!
//! [`Pki::open_or_create`] makes, on the first start, everything by which a server and its clients
//! know each other, and finds it again on every later one:
//!
//! | File | Contents | Mode |
//! | --- | --- | --- |
//! | `pki/ca.crt`, `pki/ca.key` | certificate authority, P-256, ten years | 0644, 0600 |
//! | `pki/serving.crt`, `pki/serving.key` | the server's certificate, one year | 0644, 0600 |
//! | `pki/admin.crt`, `pki/admin.key` | client certificate of `kubernetes-admin` in `system:masters`, one year | 0644, 0600 |
//! | `pki/sa.key`, `pki/sa.pub` | key that signs service-account tokens (ES256), keys that verify them | 0600, 0644 |
//! | `admin.kubeconfig` | the administrator's way in, with everything embedded | 0600 |
//! | `pki/lock` | held while the above is looked at and written | |
//!
//! Files are written whole or not at all, in an order that lets the next start finish what a killed
//! one began. Certificates are issued again, for the same key, when less than a third of their life
//! is left, when the serving certificate lacks a name that the server is reached by, when the clock
//! was set back to before they begin, or when the authority did not sign them. An operator may put
//! an authority and a service-account key of their own in place; neither is ever overwritten.
//!
//! ```
//! use burgee_identity::SystemClock;
//! use burgee_pki::{Options, Pki};
//!
//! let directory = tempfile::tempdir()?;
//! let options = Options::listening_on(["127.0.0.1:6443".parse()?]);
//! let pki = Pki::open_or_create(directory.path(), options, &SystemClock::new())?;
//!
//! assert_eq!(pki.server_url(), "https://127.0.0.1:6443");
//! assert!(pki.kubeconfig_file().exists());
//! assert_eq!(pki.serving().certificates.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authority;
mod certificate;
mod directory;
mod error;
mod issued;
mod kubeconfig;
mod pki;
mod service_account;
mod serving;
mod subject_name;

pub use directory::read_private_file;
pub use error::{Error, shell_word};
pub use pki::{Options, Pki};
pub use service_account::ServiceAccountKeyFiles;
pub use serving::{ServingMaterial, ServingSource};
pub use subject_name::{InvalidSubjectName, SubjectName};
