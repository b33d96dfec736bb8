//! HTTPS clients of Burgee: trust, client certificates, proxies, time limits, and answers with a bound.
//!
//! [`ClientBuilder`] makes a [`reqwest::Client`] over rustls with aws-lc; no provider has to be installed
//! for the process. [`read_bounded`] reads an answer and gives up when it is too long. What fails is told
//! by [`Error`], which never holds a URL (its user part may be a password), a header or a body;
//! [`explain`] writes it in one line with everything below it.
//!
//! ```no_run
//! # async fn run() -> Result<(), burgee_https::Error> {
//! use std::time::Duration;
//! use burgee_https::{ClientBuilder, Error, Redirects, Roots, read_bounded};
//!
//! let client = ClientBuilder::new()
//!     .roots(Roots::Host)
//!     .total_timeout(Duration::from_secs(30))
//!     .redirects(Redirects::Follow)
//!     .https_only()
//!     .build()?;
//! let answer = client.get("https://issuer.example/keys").send().await.map_err(Error::from)?;
//! let body = read_bounded(answer, 1 << 20).await?;
//! # drop(body);
//! # Ok(())
//! # }
//! ```

mod builder;
mod error;
mod read;
mod tls;

pub use builder::{ClientBuilder, Proxy, Redirects, Roots};
pub use error::{Error, explain};
pub use read::read_bounded;
