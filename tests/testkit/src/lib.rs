//! What the black-box tests stand on.
//!
//! [`Server`] is a `burgee serve` of one test: its own data directory and port, its output kept, and
//! gone when the test ends. [`Subject`] is the API server that a conformance case speaks to, chosen
//! at run time. Both lead to a kubeconfig, from which everything else starts: [`Kubectl`],
//! [`Script`]s of other languages' clients, and [`Client`] for requests to the letter.
//!
//! What servers depend on is here as well: [`Authority`] makes certificates, and [`Backend`] is a
//! service that does what a test wants, be it nothing at all.
//!
//! Nothing here sleeps for a while and hopes: [`eventually`] waits for a condition, and every program
//! has a deadline. Whatever goes wrong panics with what was seen.
//!
//! The built program and the installed tools are found beside the test's own executable;
//! `BURGEE_TEST_BINARY` and `BURGEE_TEST_TOOLS` name others. `cargo xtask test` provides both.
//!
//! ```no_run
//! use burgee_testkit::Server;
//!
//! let server = Server::start();
//! let output = server.kubectl().run("auth whoami -o jsonpath={.status.userInfo.username}");
//! assert_eq!(output.ok(), "kubernetes-admin");
//! ```

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics"
)]

mod authority;
mod backend;
mod client;
mod conversation;
mod kubeconfig;
mod kubectl;
mod metrics;
mod normalize;
mod output;
mod program;
mod script;
mod secrecy;
mod server;
mod subject;
mod token;
mod wait;

pub use authority::{Authority, CertifiedKey};
pub use backend::{Answer, Backend, Received};
pub use client::{Client, Connection, Response};
pub use conversation::Conversation;
pub use kubeconfig::{Credential, Kubeconfig};
pub use kubectl::Kubectl;
pub use metrics::metric;
pub use normalize::normalize;
pub use output::{Output, run, run_with_input};
pub use program::{burgee, repository, tool, tools};
pub use script::Script;
pub use secrecy::credential_in;
pub use server::{Server, ServerOptions};
pub use subject::Subject;
pub use token::claims;
pub use wait::{DEADLINE, eventually};
